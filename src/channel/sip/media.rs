//! One call's sound over RTP, encrypted where agreed: sockets, jitter buffer, codec, keys, reports.
//!
//! Its owner calls [`Media::exchange`] every 20 ms; nothing here waits.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::codec::Coder;
use crate::audio::{Concealer, FRAME_SAMPLES, Frame, JitterBuffer, JitterFigures, Pull, RATE_HZ, tone};
use crate::call::{CallTime, Dtmf};
use crate::wire::latch::Latch;
use crate::wire::rtp::{self, Packet, Reception, SenderInfo};
use crate::wire::sdes::Crypto;
use crate::wire::sdp::Agreed;
use crate::wire::srtp::{Key, Opener, Sealer};
use crate::wire::telephone_event::{self, EventReceiver};

/// Packets held back at first and at most: 40 to 200 ms.
const HELD_BACK: (usize, usize) = (2, 10);

/// Datagrams taken in one exchange: past that a flood waits in the socket's own bounded buffer.
const MOST_DATAGRAMS: usize = 64;

/// Sound waiting to be heard at most, in samples: a peer whose packets are long or whose clock is fast does
/// not build up delay.
const MOST_WAITING: usize = 20 * FRAME_SAMPLES;

/// Time between reports (RFC 3550, section 6.2: at least 5 s).
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// A key that is passed on lasts so long (RFC 4733, section 2.5.2.3: longer than the 40 ms that Q.24 asks for), and so
/// many frames of sound lie between two.
const KEY_MS: u16 = 100;
const KEY_GAP: u8 = 3;

/// Level of each tone of a key that is passed on as sound, in dBm0 (ITU-T Q.23 and Q.24: well within 0 to -25).
const KEY_DBM0: f32 = -10.0;

/// Keys that may wait to be passed on.
const KEYS_WAITING: usize = 32;

/// Seconds from 1900, as NTP counts, to 1970.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// The UDP ports that calls use, RTP on even ones and RTCP on the next (RFC 3550, section 11).
#[derive(Debug)]
pub struct Ports {
    first: u16,
    pairs: u32,
    next: AtomicU32,
}

impl Ports {
    /// Ports from `first` to `last`.
    pub fn new(first: u16, last: u16) -> Ports {
        let first = first.saturating_add(first % 2).max(2);
        let pairs = u32::from(last.saturating_sub(first).saturating_add(1) / 2).max(1);
        Ports { first, pairs, next: AtomicU32::new(0) }
    }

    /// Sockets on a free pair.
    ///
    /// # Errors
    /// All are taken, or the address is not this machine's.
    pub fn open(&self, address: IpAddr) -> io::Result<MediaSockets> {
        let mut error = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..self.pairs.min(1_000) {
            let pair = self.next.fetch_add(1, Ordering::Relaxed) % self.pairs;
            let port = self.first + u16::try_from(2 * pair).unwrap_or(0);
            match pair_of_sockets(address, port) {
                Ok(sockets) => return Ok(sockets),
                Err(e) => error = e,
            }
        }
        Err(error)
    }
}

fn pair_of_sockets(address: IpAddr, port: u16) -> io::Result<MediaSockets> {
    let rtp = UdpSocket::bind((address, port))?;
    let rtcp = UdpSocket::bind((address, port.saturating_add(1)))?;
    rtp.set_nonblocking(true)?;
    rtcp.set_nonblocking(true)?;
    Ok(MediaSockets { rtp, rtcp })
}

/// A call's two sockets.
#[derive(Debug)]
pub struct MediaSockets {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl MediaSockets {
    /// The port for RTP.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.rtp.local_addr()?.port())
    }
}

/// Keys on their way to the peer.
#[derive(Default)]
struct Pressing {
    waiting: VecDeque<Dtmf>,
    /// What is left of the press that goes out as a telephone-event, and the timestamp that it began at.
    event: VecDeque<[u8; 4]>,
    began: u32,
    /// What is left of one that goes out as tones, 16 kHz.
    tones: VecDeque<i16>,
    /// Frames until the next may begin.
    gap: u8,
}

/// Sound that may be encrypted.
struct Secrecy {
    /// By the line's own key, which is one for the whole call: so are the counts of what it has sealed.
    sealer: Sealer,
    /// What the peer encrypts by now; `None` while the sound is in the clear.
    peer: Option<(Crypto, Opener)>,
}

impl Secrecy {
    /// The peer described its side.
    fn agree(&mut self, crypto: Option<Crypto>) {
        let before = self.peer.take();
        self.peer = crypto.map(|crypto| match before {
            // Its packets are counted on.
            Some((old, opener)) if old == crypto => (old, opener),
            Some(_) | None => (crypto, Opener::new(crypto.suite, &crypto.key, crypto.mki)),
        });
    }
}

/// The sound of one call.
pub struct Media {
    sockets: MediaSockets,
    agreed: Agreed,
    latch: Latch,
    jitter: JitterBuffer,
    coder: Coder,
    concealer: Concealer,
    events: EventReceiver,
    keys: VecDeque<Dtmf>,
    pressing: Pressing,
    waiting: VecDeque<i16>,
    /// Samples at 16 kHz that a packet of the peer's holds.
    packet_samples: usize,
    reception: Reception,
    heard: Option<CallTime>,
    ssrc: u32,
    sequence: u16,
    /// How often the sequence numbers have begun anew.
    rollovers: u32,
    timestamp: u32,
    sent: (u32, u32),
    reported: CallTime,
    strangers: u64,
    secrecy: Option<Secrecy>,
    datagram: Vec<u8>,
}

impl Media {
    /// Sound over `sockets` as agreed. `seed` makes the source and its counters hard to guess. `key` is the one that the
    /// line encrypts by, where that may be; nothing else is encrypted by it.
    pub fn new(sockets: MediaSockets, agreed: Agreed, seed: u64, key: Option<&Key>) -> Media {
        let mut random = crate::audio::SplitMix64::new(seed);
        let secrecy = key.map(|key| {
            let mut secrecy = Secrecy { sealer: Sealer::new(key), peer: None };
            secrecy.agree(agreed.crypto);
            secrecy
        });
        Media {
            latch: Latch::new(agreed.rtp),
            jitter: JitterBuffer::new(HELD_BACK.0, HELD_BACK.1),
            coder: Coder::new(agreed.codec),
            concealer: Concealer::new(RATE_HZ),
            events: EventReceiver::default(),
            keys: VecDeque::new(),
            pressing: Pressing::default(),
            waiting: VecDeque::new(),
            packet_samples: FRAME_SAMPLES,
            reception: Reception::default(),
            heard: None,
            ssrc: random.next_u64() as u32,
            // The lower half: a peer that misses the first packets still knows how often they began anew (RFC 3711,
            // section 3.3.1).
            sequence: random.next_u64() as u16 >> 1,
            rollovers: 0,
            timestamp: random.next_u64() as u32,
            sent: (0, 0),
            reported: CallTime::ZERO,
            strangers: 0,
            secrecy,
            datagram: Vec::with_capacity(rtp::LARGEST),
            sockets,
            agreed,
        }
    }

    /// The peer described its side anew: another address, codec, or hold.
    pub fn renegotiate(&mut self, agreed: Agreed, now: CallTime) {
        if agreed.codec != self.coder.codec() {
            self.coder = Coder::new(agreed.codec);
        }
        self.latch.announce(agreed.rtp);
        if let Some(secrecy) = &mut self.secrecy {
            secrecy.agree(agreed.crypto);
        }
        self.heard = Some(now);
        self.agreed = agreed;
    }

    /// Whether the peer put the line on hold: its sound does not come, and must not be missed.
    pub fn is_held(&self) -> bool {
        !self.agreed.direction.peer_sends()
    }

    /// Sends 20 ms of the line and gives 20 ms of the peer.
    pub fn exchange(&mut self, now: CallTime, line: &Frame) -> Frame {
        self.send(line);
        self.receive(now);
        if now.since(self.reported) >= REPORT_EVERY {
            self.reported = now;
            self.report();
        }
        self.next_frame()
    }

    /// A key that came as a telephone-event.
    pub fn key(&mut self) -> Option<Dtmf> {
        self.keys.pop_front()
    }

    /// Presses a key for the peer: as a telephone-event where it knows them, as tones where not.
    pub fn press(&mut self, key: Dtmf) {
        if self.pressing.waiting.len() < KEYS_WAITING {
            self.pressing.waiting.push_back(key);
        }
    }

    /// How long nothing has been heard of the peer.
    pub fn silent_for(&self, now: CallTime) -> Duration {
        now.since(self.heard.unwrap_or(CallTime::ZERO))
    }

    /// What became of the peer's packets, and how many came from strangers.
    pub fn figures(&self) -> (JitterFigures, u64) {
        (self.jitter.figures(), self.strangers)
    }

    /// Begins with the next key that waits, where none is being pressed.
    fn begin_press(&mut self) {
        let Pressing { waiting, event, began, tones, gap } = &mut self.pressing;
        if !event.is_empty() || !tones.is_empty() {
            return;
        }
        if *gap > 0 {
            *gap -= 1;
            return;
        }
        let Some(key) = waiting.pop_front() else { return };
        (*gap, *began) = (KEY_GAP, self.timestamp);
        match self.agreed.events {
            Some(_) => *event = telephone_event::press_at(key, KEY_MS, self.agreed.events_hz).into(),
            None => *tones = tone(key, Duration::from_millis(KEY_MS.into()), KEY_DBM0).into(),
        }
    }

    fn send(&mut self, line: &Frame) {
        self.begin_press();
        let tones = &mut self.pressing.tones;
        let pressed: Vec<i16> = tones.drain(..tones.len().min(FRAME_SAMPLES)).collect();
        let pressed = (!pressed.is_empty()).then(|| Frame::from_padded(&pressed));
        // The codec hears every frame, so that it is in step when the sound comes back.
        let payload = self.coder.encode(pressed.as_ref().unwrap_or(line));
        let step = self.coder.codec().clock_hz() / 50;
        if self.agreed.direction.peer_listens() {
            let began = self.pressing.began;
            let event = self.agreed.events.and_then(|pt| Some((pt, self.pressing.event.pop_front()?)));
            let packet = Packet {
                payload_type: event.map_or(self.agreed.payload_type, |(pt, _)| pt),
                marker: self.sent.0 == 0 || (event.is_some() && began == self.timestamp),
                sequence: self.sequence,
                timestamp: if event.is_some() { began } else { self.timestamp },
                ssrc: self.ssrc,
                payload: event.as_ref().map_or(&payload[..], |(_, payload)| payload),
            };
            packet.write(&mut self.datagram);
            if let Some(Secrecy { sealer, peer: Some((crypto, _)) }) = &self.secrecy {
                sealer.seal(crypto.suite, &mut self.datagram, self.rollovers);
            }
            // A full socket buffer or an unreachable peer costs one packet, as on any network.
            let _ = self.sockets.rtp.send_to(&self.datagram, self.latch.destination());
            let begins_anew;
            (self.sequence, begins_anew) = self.sequence.overflowing_add(1);
            self.rollovers += u32::from(begins_anew);
            let octets = event.map_or(payload.len(), |(_, payload)| payload.len());
            self.sent = (self.sent.0.wrapping_add(1), self.sent.1.wrapping_add(octets as u32));
        }
        self.timestamp = self.timestamp.wrapping_add(step);
    }

    fn receive(&mut self, now: CallTime) {
        let mut bytes = [0; rtp::LARGEST + 1];
        for _ in 0..MOST_DATAGRAMS {
            match self.sockets.rtp.recv_from(&mut bytes) {
                Ok((length, source)) => self.handle_datagram(now, &mut bytes[..length], source),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error about an earlier packet of ours.
                Err(_) => {}
            }
        }
        for _ in 0..MOST_DATAGRAMS {
            if self.sockets.rtcp.recv_from(&mut bytes).is_err() {
                break;
            }
        }
    }

    fn handle_datagram(&mut self, now: CallTime, bytes: &mut [u8], source: SocketAddr) {
        let mut length = bytes.len();
        if let Some(Secrecy { peer: Some((_, opener)), .. }) = &mut self.secrecy {
            // Whoever has not the key does not even come to be a source.
            match opener.open(bytes) {
                Some(plain) => length = plain,
                None => return self.strangers += 1,
            }
        }
        let bytes = &bytes[..length];
        let Some(packet) = Packet::parse(bytes) else { return };
        if !self.latch.accepts(source, now) {
            self.strangers += 1;
            return;
        }
        self.heard = Some(now);
        if Some(packet.payload_type) == self.agreed.events {
            self.keys.extend(self.events.handle_packet(packet.timestamp, packet.payload));
            // An event takes the place of a packet of sound in the count.
            self.jitter.push(packet.ssrc, packet.sequence, &[]);
        } else if packet.payload_type == self.agreed.payload_type {
            let clock = u64::from(self.coder.codec().clock_hz());
            let arrival = now.as_millis().wrapping_mul(clock / 1_000) as u32;
            self.reception.handle_packet(&packet, arrival);
            self.jitter.push(packet.ssrc, packet.sequence, packet.payload);
        }
    }

    fn next_frame(&mut self) -> Frame {
        while self.waiting.len() < FRAME_SAMPLES {
            let mut samples = match self.jitter.pull() {
                Pull::Packet(payload) if payload.is_empty() => vec![0; self.packet_samples],
                Pull::Packet(payload) => {
                    let mut samples = self.coder.decode(&payload);
                    if !samples.is_empty() {
                        self.packet_samples = samples.len();
                        self.concealer.heard(&mut samples);
                    }
                    samples
                }
                Pull::Lost => self.concealer.conceal(self.packet_samples),
                Pull::Nothing => break,
            };
            samples.truncate(MOST_WAITING - self.waiting.len());
            if samples.is_empty() {
                break;
            }
            self.waiting.extend(samples);
        }
        let take = self.waiting.len().min(FRAME_SAMPLES);
        let samples: Vec<i16> = self.waiting.drain(..take).collect();
        Frame::from_padded(&samples)
    }

    fn report(&mut self) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let fraction = (u64::from(time.subsec_nanos()) << 32) / 1_000_000_000;
        let info = SenderInfo {
            ssrc: self.ssrc,
            ntp: (time.as_secs() + NTP_TO_UNIX) << 32 | fraction,
            timestamp: self.timestamp,
            packets: self.sent.0,
            octets: self.sent.1,
        };
        let report = rtp::sender_report(&info, &mut self.reception, "attendant");
        self.send_report(report);
    }

    fn send_report(&mut self, mut report: Vec<u8>) {
        if let Some(Secrecy { sealer, peer: Some(_) }) = &mut self.secrecy {
            sealer.seal_report(&mut report);
        }
        // Reports are advice; one that cannot be sent is none.
        let _ = match self.agreed.rtcp {
            Some(address) => self.sockets.rtcp.send_to(&report, address),
            None => self.sockets.rtp.send_to(&report, self.latch.destination()),
        };
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        self.send_report(rtp::goodbye(self.ssrc));
    }
}
