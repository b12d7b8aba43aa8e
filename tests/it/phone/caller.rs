//! A caller who writes every message and packet by hand, so that it can write wrong ones.

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use attendant::audio::{FRAME_DURATION, Law};
use attendant::call::Dtmf;
use attendant::wire::rtp::Packet;
use attendant::wire::sdes::Crypto;
use attendant::wire::sdp::{Codec, Encryption, Offer};
use attendant::wire::srtp::{Key, Opener, Sealer, Suite};
use attendant::wire::telephone_event;

use super::stream::Connection;

/// An answer that takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(30);

/// By what a telephone signals.
enum Way {
    Datagrams(UdpSocket),
    Connection(RefCell<Connection>),
}

/// Encrypted sound.
pub(super) struct Secrecy {
    /// What the telephone says of its own side.
    pub(super) own: Crypto,
    sealer: Sealer,
    /// What the line says of its side.
    theirs: Option<Crypto>,
    opener: Option<RefCell<Opener>>,
    /// How often the sequence numbers have begun anew.
    rollovers: u32,
}

pub(super) struct Caller {
    sip: Way,
    /// Requests that came: the line asks again where a busy machine lets half a second pass before the answer.
    came: RefCell<HashSet<String>>,
    pub(super) secrecy: Option<Secrecy>,
    pub(super) rtp: UdpSocket,
    line: SocketAddr,
    call_id: String,
    from: String,
    to: String,
    cseq: u32,
    /// The user that is dialled.
    dialled: String,
    /// Whoever answered, and the header by which proxies in between pass requests on.
    route: Option<(String, String)>,
    pub(super) media: Option<SocketAddr>,
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
    next_packet: Instant,
}

/// A message that came.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) text: String,
}

impl Message {
    pub(super) fn start(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    pub(super) fn status(&self) -> u16 {
        self.start().split(' ').nth(1).and_then(|c| c.parse().ok()).unwrap_or(0)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.text.split("\r\n").take_while(|line| !line.is_empty());
        lines
            .filter_map(|l| l.split_once(':'))
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.trim())
    }

    pub(super) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

impl Caller {
    pub(super) fn new(line: SocketAddr) -> Caller {
        Caller::at("127.0.0.1", line)
    }

    /// A telephone of another address of this machine's.
    pub(super) fn at(address: &str, line: SocketAddr) -> Caller {
        let sip = UdpSocket::bind((address, 0)).expect("a socket");
        Caller::by(Way::Datagrams(sip), line)
    }

    /// A telephone that signals over a connection.
    pub(super) fn over(connection: Connection, line: SocketAddr) -> Caller {
        Caller::by(Way::Connection(RefCell::new(connection)), line)
    }

    fn by(sip: Way, line: SocketAddr) -> Caller {
        let rtp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let caller = Caller {
            sip,
            came: RefCell::default(),
            secrecy: None,
            rtp,
            line,
            call_id: format!("call-{}", attendant::host::unique()),
            from: "<sip:5550100@127.0.0.1>;tag=1".to_owned(),
            to: "<sip:8005550199@127.0.0.1>".to_owned(),
            cseq: 0,
            dialled: "8005550199".to_owned(),
            route: None,
            media: None,
            payload_type: 0,
            sequence: 65_000,
            timestamp: 77,
            ssrc: 4_711,
            next_packet: Instant::now(),
        };
        caller.waits(PATIENCE);
        caller
    }

    /// The connection that it signals over, if it does.
    pub(super) fn connection(self) -> Option<Connection> {
        match self.sip {
            Way::Datagrams(_) => None,
            Way::Connection(connection) => Some(connection.into_inner()),
        }
    }

    fn waits(&self, patience: Duration) {
        match &self.sip {
            Way::Datagrams(socket) => socket.set_read_timeout(Some(patience)).expect("set"),
            Way::Connection(connection) => connection.borrow().waits(patience),
        }
    }

    /// Encrypts its sound from now on, by a key that its next offer tells.
    pub(super) fn encrypts(&mut self, suite: Suite) {
        let own = Crypto { tag: 7, suite, key: Key([3; 30]), mki: 0 };
        let sealer = Sealer::new(&own.key);
        self.secrecy = Some(Secrecy { own, sealer, theirs: None, opener: None, rollovers: 0 });
    }

    /// Encrypts by another key, that its next offer tells.
    pub(super) fn encrypts_anew(&mut self) {
        let secrecy = self.secrecy.as_mut().expect("it encrypts");
        secrecy.own.key = Key([5; 30]);
        (secrecy.sealer, secrecy.rollovers) = (Sealer::new(&secrecy.own.key), 0);
    }

    /// Encrypts by another key than it told.
    pub(super) fn has_the_wrong_key(&mut self) {
        let secrecy = self.secrecy.as_mut().expect("it encrypts");
        secrecy.sealer = Sealer::new(&Key([4; 30]));
    }

    /// Dials another user than the line's number.
    #[cfg(feature = "store")]
    pub(super) fn dials(&mut self, user: &str) {
        self.dialled = user.to_owned();
        self.to = format!("<sip:{user}@127.0.0.1>");
    }

    /// Calls from another number than others do.
    #[cfg(feature = "store")]
    pub(super) fn calls_from(&mut self, number: &str) {
        self.from = format!("<sip:{number}@127.0.0.1>;tag=1");
    }

    /// Whether nobody has sent an INVITE of a call other than these meanwhile. What came besides is forgotten.
    #[cfg(feature = "store")]
    pub(super) fn has_no_invite_but(&self, known: &[&Message]) -> bool {
        self.waits(Duration::from_millis(1));
        let came: Vec<Message> = std::iter::from_fn(|| self.receive()).collect();
        self.waits(PATIENCE);
        let is_known = |m: &Message| known.iter().any(|known| m.header("Call-ID") == known.header("Call-ID"));
        came.iter().all(|message| !message.start().starts_with("INVITE") || is_known(message))
    }

    /// Takes part in the call that an INVITE of the line's begins, as the called.
    pub(super) fn belongs_to(&mut self, invite: &Message) {
        self.call_id = invite.header("Call-ID").expect("one").to_owned();
        self.to = invite.header("From").expect("one").to_owned();
        self.from = format!("{};tag=1", invite.header("To").expect("one"));
        let contact = invite.header("Contact").expect("one");
        let address = contact.split('@').nth(1).and_then(|rest| rest.split(['>', ';']).next()).expect("one");
        self.line = address.parse().expect("an address");
        self.takes_up(invite);
    }

    /// Reads the line's description.
    pub(super) fn takes_up(&mut self, message: &Message) {
        let encryption = if self.secrecy.is_some() { Encryption::Demanded } else { Encryption::Possible };
        let Ok(offer) = Offer::parse_as(message.body().as_bytes(), encryption) else { return };
        self.media = Some(offer.rtp);
        self.payload_type = offer.agree(&Codec::ALL).expect("a codec").payload_type;
        // A line that goes on by its key goes on counting.
        if let (Some(secrecy), Some(theirs)) = (&mut self.secrecy, offer.crypto)
            && secrecy.theirs != Some(theirs)
        {
            secrecy.theirs = Some(theirs);
            secrecy.opener = Some(RefCell::new(Opener::new(theirs.suite, &theirs.key, theirs.mki)));
        }
    }

    /// The same, with another far end.
    pub(super) fn towards(self, line: SocketAddr) -> Caller {
        Caller { line, ..self }
    }

    /// Drops the sound that has come so far.
    pub(super) fn drain_sound(&self) {
        self.rtp.set_nonblocking(true).expect("set");
        while self.rtp.recv(&mut [0; 1_500]).is_ok() {}
        self.rtp.set_nonblocking(false).expect("set");
    }

    pub(super) fn call_id(&self) -> &str {
        &self.call_id
    }

    pub(super) fn port(&self) -> u16 {
        match &self.sip {
            Way::Datagrams(socket) => socket.local_addr().expect("bound").port(),
            Way::Connection(connection) => connection.borrow().local_port(),
        }
    }

    pub(super) fn offer(&self, media: &str) -> String {
        let port = self.rtp.local_addr().expect("bound").port();
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{}",
            media.replace("PORT", &port.to_string())
        )
    }

    /// What most telephones offer.
    pub(super) fn usual(&self) -> String {
        let (protocol, crypto) = match &self.secrecy {
            Some(Secrecy { own, .. }) => ("RTP/SAVP", format!("a=crypto:{}\r\n", own.value())),
            None => ("RTP/AVP", String::new()),
        };
        self.offer(&format!(
            "m=audio PORT {protocol} 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n{crypto}"
        ))
    }

    pub(super) fn request(&mut self, method: &str, headers: &str, body: &str) -> String {
        if !matches!(method, "ACK" | "CANCEL") {
            self.cseq += 1;
        }
        let (port, cseq) = (self.port(), self.cseq);
        // Where proxies stand between, whoever answered is named, and they are gone through.
        let far = format!("sip:{}@127.0.0.1", self.dialled);
        let (far, route) = self.route.as_ref().map_or((far.as_str(), ""), |(far, route)| (far, route));
        let branch = if matches!(method, "ACK") { format!("a{cseq}") } else { cseq.to_string() };
        let way = match &self.sip {
            Way::Datagrams(_) => "UDP",
            Way::Connection(connection) => connection.borrow().kind(),
        };
        format!(
            "{method} {far} SIP/2.0\r\n\
             Via: SIP/2.0/{way} 127.0.0.1:{port};branch=z9hG4bK{}{branch};rport\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:5550100@127.0.0.1:{port}>\r\nMax-Forwards: 70\r\n{route}{headers}Content-Length: {}\r\n\r\n{body}",
            self.call_id,
            self.from,
            self.to,
            self.call_id,
            body.len()
        )
    }

    pub(super) fn send(&self, text: &str) {
        match &self.sip {
            Way::Datagrams(socket) => drop(socket.send_to(text.as_bytes(), self.line).expect("sent")),
            Way::Connection(connection) => connection.borrow_mut().send(text.as_bytes()),
        }
    }

    /// The next message. A request that comes again is the same one (RFC 3261, section 17.2.3).
    pub(super) fn receive(&self) -> Option<Message> {
        std::iter::from_fn(|| self.read()).find(|message| {
            let request = || format!("{} {:?}", message.start(), message.header("Via"));
            message.status() > 0 || self.came.borrow_mut().insert(request())
        })
    }

    fn read(&self) -> Option<Message> {
        let socket = match &self.sip {
            Way::Datagrams(socket) => socket,
            Way::Connection(connection) => return connection.borrow_mut().receive(),
        };
        let mut bytes = [0; 8_192];
        loop {
            let (length, _) = socket.recv_from(&mut bytes).ok()?;
            // A report for whoever had this port before is none for this telephone.
            if let Ok(text) = String::from_utf8(bytes[..length].to_vec()) {
                return Some(Message { text });
            }
        }
    }

    /// The final answer to the request last sent.
    pub(super) fn answer(&mut self) -> Message {
        loop {
            let message = self.receive().expect("an answer");
            if message.status() >= 200 && message.text.contains(&format!("CSeq: {} ", self.cseq)) {
                if let Some(to) = message.header("To") {
                    self.to = to.to_owned();
                }
                return message;
            }
        }
    }

    /// What the line sends of its own accord.
    pub(super) fn asked(&self) -> Message {
        loop {
            let message = self.receive().expect("a request");
            if message.status() == 0 {
                return message;
            }
        }
    }

    /// The next request of that method.
    pub(super) fn asked_for(&self, method: &str) -> Message {
        loop {
            let message = self.asked();
            if message.start().starts_with(method) {
                return message;
            }
        }
    }

    pub(super) fn respond(&self, request: &Message, status: &str, headers: &str, body: &str) {
        let copied: String = ["Via", "From", "To", "Call-ID", "CSeq"]
            .iter()
            .filter_map(|name| Some((name, request.header(name)?)))
            .map(|(name, value)| {
                // Whoever answers an INVITE gives the dialog its second name.
                let tag = if *name == "To" && !value.contains("tag=") { ";tag=1" } else { "" };
                format!("{name}: {value}{tag}\r\n")
            })
            .collect();
        let port = self.port();
        self.send(&format!(
            "SIP/2.0 {status}\r\n{copied}Contact: <sip:5550100@127.0.0.1:{port}>\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    }

    pub(super) fn invite(&mut self, headers: &str, body: &str) -> Message {
        let headers = if body.is_empty() {
            headers.to_owned()
        } else {
            format!("{headers}Content-Type: application/sdp\r\n")
        };
        let invite = self.request("INVITE", &headers, body);
        let to = self.to.clone();
        self.send(&invite);
        let answer = self.answer();
        if let (200..300, Some(route), Some(far)) =
            (answer.status(), answer.header("Record-Route"), answer.header("Contact"))
        {
            let far = far.trim_start_matches('<').split('>').next().unwrap_or(far).to_owned();
            self.route = Some((far, format!("Route: {route}\r\n")));
        }
        let ack = self.request("ACK", "", "");
        if answer.status() < 300 {
            self.takes_up(&answer);
            self.send(&ack);
        } else {
            // To a refusal the ACK belongs to the same transaction.
            self.send(&ack.replacen(&format!("a{};rport", self.cseq), &format!("{};rport", self.cseq), 1));
            self.to = to;
        }
        answer
    }

    /// Calls, with what most telephones offer.
    pub(super) fn call(line: SocketAddr) -> Caller {
        let mut caller = Caller::new(line);
        let offer = caller.usual();
        let answer = caller.invite("", &offer);
        assert_eq!(answer.status(), 200, "{answer:?}");
        caller
    }

    /// Whether the line has hung up, which is answered. What came besides is forgotten.
    #[cfg(feature = "host")]
    pub(super) fn is_hung_up_on(&self) -> bool {
        self.waits(Duration::from_millis(1));
        let bye = std::iter::from_fn(|| self.receive()).find(|message| message.start().starts_with("BYE "));
        self.waits(PATIENCE);
        bye.inspect(|bye| self.respond(bye, "200 OK", "", "")).is_some()
    }

    pub(super) fn hang_up(&mut self) {
        let bye = self.request("BYE", "", "");
        self.send(&bye);
        assert_eq!(self.answer().status(), 200);
    }

    /// A packet at once, wherever the count stands.
    pub(super) fn packet(&self, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let packet =
            Packet { payload_type, marker, sequence: self.sequence, timestamp, ssrc: self.ssrc, payload };
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        if let Some(Secrecy { own, sealer, rollovers, .. }) = &self.secrecy {
            sealer.seal(own.suite, &mut bytes, *rollovers);
        }
        bytes
    }

    /// A packet of the line's; `None` for what is none, or not encrypted as agreed.
    pub(super) fn opened<'a>(&self, bytes: &'a mut [u8]) -> Option<Packet<'a>> {
        let length = match &self.secrecy {
            Some(secrecy) => secrecy.opener.as_ref()?.borrow_mut().open(bytes)?,
            None => bytes.len(),
        };
        Packet::parse(&bytes[..length])
    }

    /// The next datagram, if it is a report that the line encrypted.
    pub(super) fn report(&self) -> Option<Vec<u8>> {
        self.rtp.set_read_timeout(Some(PATIENCE)).expect("set");
        let mut bytes = vec![0; 1_500];
        let (length, _) = self.rtp.recv_from(&mut bytes).expect("a datagram");
        let opener = self.secrecy.as_ref().and_then(|secrecy| secrecy.opener.as_ref()).expect("a key");
        let length = opener.borrow_mut().open_report(&mut bytes[..length])?;
        bytes.truncate(length);
        Some(bytes)
    }

    pub(super) fn put(&self, bytes: &[u8]) {
        self.rtp.send_to(bytes, self.media.expect("an answer with SDP")).expect("sent");
    }

    /// Waits until the next packet is due: a telephone's clock.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        if self.next_packet + Duration::from_millis(200) < now {
            self.next_packet = now;
        }
        self.next_packet += FRAME_DURATION;
        std::thread::park_timeout(self.next_packet.saturating_duration_since(now));
    }

    /// Counts a packet of 20 ms.
    pub(super) fn step(&mut self) {
        let begins_anew;
        (self.sequence, begins_anew) = self.sequence.overflowing_add(1);
        if let Some(secrecy) = &mut self.secrecy {
            secrecy.rollovers += u32::from(begins_anew);
        }
        self.timestamp = self.timestamp.wrapping_add(160);
    }

    /// Speaks samples of 8 kHz; `lost` says which packets do not arrive.
    pub(super) fn speak(&mut self, samples: &[i16], mut lost: impl FnMut(usize) -> bool) {
        for (n, chunk) in samples.chunks(160).enumerate() {
            let payload = Law::Mu.encode_all(chunk);
            if !lost(n) {
                self.put(&self.packet(self.payload_type, n == 0, self.timestamp, &payload));
            }
            self.step();
            self.tick();
        }
    }

    /// Waits without sending anything.
    pub(super) fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|t| !t.is_zero()) {
            std::thread::park_timeout(left);
        }
    }

    /// Waits for nothing longer than a moment from now on.
    pub(super) fn impatient(&self) {
        self.waits(Duration::from_millis(500));
    }

    pub(super) fn silence(&mut self, packets: usize) {
        self.speak(&vec![0; 160 * packets], |_| false);
    }

    /// Presses a key as a telephone-event; `kept` says which packets of the burst arrive.
    pub(super) fn press(&mut self, key: char, kept: impl Fn(usize) -> bool) {
        let key = Dtmf::try_from(key).expect("a key");
        let began = self.timestamp;
        for (n, payload) in telephone_event::press(key, 80).iter().enumerate() {
            if kept(n) {
                self.put(&self.packet(101, n == 0, began, payload));
            }
            self.step();
            self.tick();
        }
    }

    /// Payload bytes of the line's sound that come within the next packets.
    pub(super) fn listen(&self, packets: usize) -> Vec<u8> {
        self.rtp.set_read_timeout(Some(PATIENCE)).expect("set");
        let mut heard = Vec::new();
        let mut bytes = [0; 1_500];
        for _ in 0..packets {
            let Ok((length, _)) = self.rtp.recv_from(&mut bytes) else { break };
            if let Some(packet) = self.opened(&mut bytes[..length]) {
                heard.extend(packet.payload);
            }
        }
        heard
    }
}
