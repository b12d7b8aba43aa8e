//! RTP and RTCP packets (RFC 3550).

/// Bytes of the fixed header.
const HEADER: usize = 12;

/// The largest packet that is looked at: an Ethernet frame's. Whatever is larger is no speech.
pub const LARGEST: usize = 1_500;

/// One RTP packet, its payload still encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// 0 to 127; what it stands for is agreed in SDP.
    pub payload_type: u8,
    /// The first packet after a silence, or of a telephone-event.
    pub marker: bool,
    /// Counts packets, modulo 2^16.
    pub sequence: u16,
    /// Counts samples at the codec's clock rate, modulo 2^32.
    pub timestamp: u32,
    /// The sender's synchronisation source.
    pub ssrc: u32,
    /// The payload, padding removed.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram; `None` where it is no RTP packet of version 2, or is RTCP.
    pub fn parse(bytes: &'a [u8]) -> Option<Packet<'a>> {
        let (&[first, second, s0, s1, t0, t1, t2, t3, x0, x1, x2, x3], _) =
            bytes.split_first_chunk::<HEADER>()?;
        let mut payload = bytes.get(header_length(bytes)?..)?;
        if first & 0x20 != 0 {
            let padding = usize::from(*payload.last()?);
            let keep = payload.len().checked_sub(padding).filter(|_| padding > 0)?;
            payload = &payload[..keep];
        }
        Some(Packet {
            payload_type: second & 0x7f,
            marker: second & 0x80 != 0,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([x0, x1, x2, x3]),
            payload,
        })
    }

    /// The packet as a datagram, written over what `out` held.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend([0x80, u8::from(self.marker) << 7 | self.payload_type & 0x7f]);
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.timestamp.to_be_bytes());
        out.extend(self.ssrc.to_be_bytes());
        out.extend(self.payload);
    }
}

/// Bytes of a datagram up to the payload; `None` where it is no RTP packet of version 2, or is RTCP.
pub(super) fn header_length(bytes: &[u8]) -> Option<usize> {
    let (&[first, ..], rest) = bytes.split_first_chunk::<HEADER>()?;
    if bytes.len() > LARGEST || first >> 6 != 2 || is_rtcp(bytes) {
        return None;
    }
    let mut length = HEADER + 4 * usize::from(first & 0x0f);
    let behind_sources = rest.get(length - HEADER..)?;
    if first & 0x10 != 0 {
        let words = u16::from_be_bytes([*behind_sources.get(2)?, *behind_sources.get(3)?]);
        length += 4 + 4 * usize::from(words);
    }
    (length <= bytes.len()).then_some(length)
}

/// Whether a datagram on a port that carries both is RTCP (RFC 5761, section 4: types 192 to 223).
pub fn is_rtcp(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && bytes[0] >> 6 == 2 && (192..=223).contains(&bytes[1])
}

/// What a receiver has seen of a stream, for its reports (RFC 3550, section 6.4.1 and appendix A).
#[derive(Clone, Debug, Default)]
pub struct Reception {
    ssrc: u32,
    base: u32,
    highest: u32,
    received: u32,
    reported: (u32, u32),
    transit: Option<u32>,
    /// Sixteen times the interarrival jitter, in timestamp units.
    jitter_16: u32,
    started: bool,
}

impl Reception {
    /// Counts a packet that arrived at `arrival`, in units of its clock.
    pub fn handle_packet(&mut self, packet: &Packet<'_>, arrival: u32) {
        if !self.started || packet.ssrc != self.ssrc {
            *self = Reception { ssrc: packet.ssrc, started: true, ..Reception::default() };
            self.base = u32::from(packet.sequence);
            self.highest = self.base;
        }
        let step = packet.sequence.wrapping_sub(self.highest as u16);
        if step < 0x8000 {
            self.highest = self.highest.wrapping_add(u32::from(step));
        }
        self.received = self.received.wrapping_add(1);
        let transit = arrival.wrapping_sub(packet.timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let d = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            // A jump of more than a minute is another clock, no jitter.
            if d < 60 * 48_000 {
                self.jitter_16 = (self.jitter_16 + d).saturating_sub((self.jitter_16 + 8) >> 4);
            }
        }
    }

    /// Interarrival jitter, in timestamp units.
    pub fn jitter(&self) -> u32 {
        self.jitter_16 >> 4
    }

    /// Packets that never came, duplicates counted against them.
    pub fn lost(&self) -> i32 {
        if !self.started {
            return 0;
        }
        let expected = self.highest.wrapping_sub(self.base).wrapping_add(1);
        expected.wrapping_sub(self.received).cast_signed()
    }

    /// The 24 bytes of a report block, and the next one counts from here.
    fn block(&mut self) -> [u8; 24] {
        let expected = self.highest.wrapping_sub(self.base).wrapping_add(1);
        let expected_now = expected.wrapping_sub(self.reported.0);
        let received_now = self.received.wrapping_sub(self.reported.1);
        self.reported = (expected, self.received);
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255);
        let lost = self.lost().clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0xff_ffff;
        let mut block = [0; 24];
        block[0..4].copy_from_slice(&self.ssrc.to_be_bytes());
        block[4..8].copy_from_slice(&(fraction << 24 | lost).to_be_bytes());
        block[8..12].copy_from_slice(&self.highest.to_be_bytes());
        block[12..16].copy_from_slice(&self.jitter().to_be_bytes());
        block
    }
}

/// What a sender says of itself in a report.
#[derive(Clone, Copy, Debug)]
pub struct SenderInfo {
    /// Our source.
    pub ssrc: u32,
    /// Time of day in seconds since 1900, 32 bits behind the point (RFC 5905).
    pub ntp: u64,
    /// The RTP timestamp of the same moment.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}

/// A compound RTCP packet: a sender report with a block on what was received, and the canonical name.
pub fn sender_report(info: &SenderInfo, reception: &mut Reception, cname: &str) -> Vec<u8> {
    let blocks = u8::from(reception.started);
    let mut out = vec![0x80 | blocks, 200];
    out.extend((6u16 + 6 * u16::from(blocks)).to_be_bytes());
    out.extend(info.ssrc.to_be_bytes());
    out.extend(info.ntp.to_be_bytes());
    out.extend(info.timestamp.to_be_bytes());
    out.extend(info.packets.to_be_bytes());
    out.extend(info.octets.to_be_bytes());
    if reception.started {
        out.extend(reception.block());
    }
    // Source description: one chunk with a CNAME, ended by at least one null byte on a word's border.
    let name = &cname.as_bytes()[..cname.len().min(255)];
    let mut chunk = info.ssrc.to_be_bytes().to_vec();
    chunk.extend([1, name.len() as u8]);
    chunk.extend(name);
    chunk.resize((chunk.len() / 4 + 1) * 4, 0);
    out.extend([0x81, 202]);
    out.extend(((chunk.len() / 4) as u16).to_be_bytes());
    out.extend(chunk);
    out
}

/// An RTCP packet that says our source ends.
pub fn goodbye(ssrc: u32) -> Vec<u8> {
    let mut out = vec![0x81, 203, 0, 1];
    out.extend(ssrc.to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn extensions_sources_and_padding_are_taken_off() {
        let mut bytes = vec![0x80 | 0x20 | 0x10 | 2, 0x80 | 101, 0, 7, 0, 0, 0, 9, 0, 0, 0, 1];
        bytes.extend([0; 8]);
        bytes.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
        bytes.extend([5, 6, 0, 0, 3]);
        let packet = Packet::parse(&bytes).expect("a packet");
        assert_eq!((packet.payload_type, packet.marker, packet.sequence), (101, true, 7));
        assert_eq!(packet.payload, [5, 6]);
    }

    #[test]
    fn what_is_no_rtp_is_nothing() {
        assert_eq!(Packet::parse(b""), None);
        assert_eq!(Packet::parse(&[0x40; 20]), None, "another version");
        assert_eq!(Packet::parse(&[0x8f; 20]), None, "sources beyond the end");
        let report = sender_report(
            &SenderInfo { ssrc: 1, ntp: 2, timestamp: 3, packets: 4, octets: 5 },
            &mut Reception::default(),
            "attendant",
        );
        assert!(is_rtcp(&report));
        assert_eq!(Packet::parse(&report), None);
        assert_eq!(report.len() % 4, 0);
        assert!(is_rtcp(&goodbye(7)));
    }

    #[test]
    fn a_receiver_counts_what_is_lost_across_a_wrap() {
        let mut reception = Reception::default();
        for n in 0..100u16 {
            if n % 10 == 3 {
                continue;
            }
            let packet = Packet {
                payload_type: 0,
                marker: false,
                sequence: 65_500u16.wrapping_add(n),
                timestamp: u32::from(n) * 160,
                ssrc: 9,
                payload: &[],
            };
            reception.handle_packet(&packet, u32::from(n) * 160 + 40);
        }
        assert_eq!(reception.lost(), 10);
        assert_eq!(reception.jitter(), 0);
        let report = sender_report(
            &SenderInfo { ssrc: 1, ntp: 2, timestamp: 3, packets: 4, octets: 5 },
            &mut reception,
            "attendant",
        );
        assert_eq!(report[32], 25, "a tenth of 256");
        assert_eq!(report[33..36], [0, 0, 10]);
    }

    proptest! {
        #[test]
        fn any_datagram_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..1_600)) {
            if let Some(packet) = Packet::parse(&bytes) {
                prop_assert!(packet.payload.len() + HEADER <= bytes.len());
                Reception::default().handle_packet(&packet, 1);
            }
        }

        #[test]
        fn a_packet_survives_the_wire(
            payload_type in 0u8..64, marker: bool, sequence: u16, timestamp: u32, ssrc: u32,
            payload in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let packet = Packet { payload_type, marker, sequence, timestamp, ssrc, payload: &payload };
            let mut bytes = Vec::new();
            packet.write(&mut bytes);
            prop_assert_eq!(Packet::parse(&bytes), Some(packet));
        }
    }
}
