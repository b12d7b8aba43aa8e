//! Offers and answers in SDP (RFC 3264, RFC 8866): which codec, where the sound goes, which way.

use core::net::{IpAddr, SocketAddr};

use sdp_types::{Media, Session};

use super::sdes::Crypto;
use super::srtp::{Key, Suite};

/// A codec that the line speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus, mono.
    Opus,
}

impl Codec {
    /// All, as the line offers them.
    pub const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

    /// Name and clock as in `a=rtpmap`.
    pub fn rtpmap(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU/8000",
            Codec::Pcma => "PCMA/8000",
            // G.722 samples at 16 kHz; its clock of 8 kHz is a historical mistake (RFC 3551, section 4.5.2).
            Codec::G722 => "G722/8000",
            Codec::Opus => "opus/48000/2",
        }
    }

    /// The clock of its RTP timestamps, in Hz.
    pub fn clock_hz(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8_000,
            Codec::Opus => 48_000,
        }
    }

    /// The type that the line offers it as: RFC 3551's, or a dynamic one.
    pub fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
            Codec::Opus => 96,
        }
    }

    /// The codec of that name, as settings and SDP spell it.
    pub fn from_name(name: &str) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| {
            codec.rtpmap().split('/').next().is_some_and(|n| n.eq_ignore_ascii_case(name.trim()))
        })
    }

    fn of_payload_type(payload_type: u8) -> Option<Codec> {
        [Codec::Pcmu, Codec::Pcma, Codec::G722].into_iter().find(|c| c.payload_type() == payload_type)
    }
}

/// The type that the line offers telephone-events as.
const EVENTS: u8 = 101;

/// Which way the sound goes, as the peer says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    #[default]
    SendRecv,
    /// The peer only sends.
    SendOnly,
    /// The peer only listens.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    fn parse(attribute: &str) -> Option<Direction> {
        Some(match attribute {
            "sendrecv" => Direction::SendRecv,
            "sendonly" => Direction::SendOnly,
            "recvonly" => Direction::RecvOnly,
            "inactive" => Direction::Inactive,
            _ => return None,
        })
    }

    /// The answer to an offered direction (RFC 3264, section 6.1), as an attribute.
    fn answered(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "recvonly",
            Direction::RecvOnly => "sendonly",
            Direction::Inactive => "inactive",
        }
    }

    /// Whether the peer's sound can come: on hold it does not.
    pub fn peer_sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the peer listens.
    pub fn peer_listens(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }
}

/// Why a description cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Not SDP.
    #[error("the description is not SDP")]
    Malformed,
    /// No stream of sound over RTP, or none with an address.
    #[error("the description has no audio over RTP with an address")]
    NoAudio,
    /// No codec in common.
    #[error("the description has no codec that the line speaks")]
    NoCodec,
    /// Only encrypted sound, where its key would be read by all, or by a way to agree on keys that the line does not
    /// have.
    #[error("the description has encrypted audio only, expected RTP/AVP, or over TLS RTP/SAVP with a=crypto")]
    Encrypted,
    /// Sound in the clear, where encrypted sound was asked for.
    #[error("the description has audio in the clear, expected RTP/SAVP with a=crypto")]
    Clear,
}

/// Whether sound may be encrypted by keys that stand in the description (RFC 4568).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// It may not: whoever reads the description could listen.
    #[default]
    Never,
    /// Where the peer wants it.
    Possible,
    /// It must be.
    Demanded,
}

/// What a peer describes, reduced to what the line uses of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Where the peer wants the sound.
    pub rtp: SocketAddr,
    /// Where it wants reports; `None` where they share the port.
    pub rtcp: Option<SocketAddr>,
    /// Which way.
    pub direction: Direction,
    /// Codecs in the peer's order, with the peer's payload types.
    pub codecs: Vec<(Codec, u8)>,
    /// Payload types of telephone-events, with their clocks.
    pub events: Vec<(u8, u32)>,
    /// How the peer encrypts what it sends; `None` for sound in the clear.
    pub crypto: Option<Crypto>,
    /// The media lines as offered, so that the answer can mirror them: medium, protocol, formats, and whether it
    /// is the one that is used.
    lines: Vec<(String, String, String, bool)>,
}

/// What was agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The codec.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// The payload type of telephone-events, where the peer knows them.
    pub events: Option<u8>,
    /// The clock of their durations, in Hz.
    pub events_hz: u32,
    /// Where the peer wants the sound.
    pub rtp: SocketAddr,
    /// Where it wants reports; `None` where they share the port.
    pub rtcp: Option<SocketAddr>,
    /// Which way.
    pub direction: Direction,
    /// How the peer encrypts what it sends, and by which suite the line does; `None` for sound in the clear.
    pub crypto: Option<Crypto>,
}

impl Offer {
    /// Reads a description of sound in the clear.
    ///
    /// # Errors
    /// It is no SDP, or holds no audio stream over RTP with an address.
    pub fn parse(body: &[u8]) -> Result<Offer, SdpError> {
        Offer::parse_as(body, Encryption::Never)
    }

    /// Reads a description. Where sound may be encrypted, a stream that is goes before one in the clear; one in the
    /// clear that brings a key is encrypted as well (RFC 8643).
    ///
    /// # Errors
    /// It is no SDP, or holds no audio stream over RTP with an address, encrypted as it has to be.
    pub fn parse_as(body: &[u8], encryption: Encryption) -> Result<Offer, SdpError> {
        let session = Session::parse(body).map_err(|_| SdpError::Malformed)?;
        let streams = || {
            session.medias.iter().enumerate().filter(|(_, m)| m.media == "audio" && m.port != 0).filter_map(
                |(n, media)| {
                    let crypto = match encryption {
                        Encryption::Never => None,
                        Encryption::Possible | Encryption::Demanded => crypto(media),
                    };
                    (is_rtp(&media.proto) || (is_secure(&media.proto) && crypto.is_some()))
                        .then_some((n, media, crypto))
                },
            )
        };
        let encrypted = streams().find(|(_, _, crypto)| crypto.is_some());
        let (used, media, crypto) = encrypted.or_else(|| streams().next()).ok_or_else(|| {
            let encrypted = session.medias.iter().any(|m| m.media == "audio" && m.proto.contains("SAVP"));
            if encrypted { SdpError::Encrypted } else { SdpError::NoAudio }
        })?;
        if crypto.is_none() && encryption == Encryption::Demanded {
            return Err(SdpError::Clear);
        }
        let rtp = SocketAddr::new(address(&session, media).ok_or(SdpError::NoAudio)?, media.port);
        let attributes = named(&media.attributes);
        let direction = (attributes.iter())
            .find_map(|(name, _)| Direction::parse(name))
            .or_else(|| named(&session.attributes).iter().find_map(|(name, _)| Direction::parse(name)))
            .unwrap_or_default();
        // Hold, the way of RFC 2543: an address of nowhere.
        let direction = if rtp.ip().is_unspecified() { Direction::Inactive } else { direction };
        let (codecs, events) = formats(media, &attributes);
        let lines = session.medias.iter().enumerate();
        Ok(Offer {
            rtp,
            rtcp: rtcp(rtp, &attributes),
            direction,
            codecs,
            events,
            crypto,
            lines: lines.map(|(n, m)| (m.media.clone(), m.proto.clone(), m.fmt.clone(), n == used)).collect(),
        })
    }

    /// Chooses: the first codec in the peer's order that is among `ours` (RFC 3264, section 6.1).
    ///
    /// # Errors
    /// There is none in common.
    pub fn agree(&self, ours: &[Codec]) -> Result<Agreed, SdpError> {
        let &(codec, payload_type) =
            self.codecs.iter().find(|(codec, _)| ours.contains(codec)).ok_or(SdpError::NoCodec)?;
        let clock = |clock: u32| self.events.iter().find(|(_, hz)| *hz == clock).map(|(pt, _)| *pt);
        let own = clock(codec.clock_hz());
        Ok(Agreed {
            codec,
            payload_type,
            events: own.or_else(|| clock(8_000)),
            events_hz: if own.is_some() { codec.clock_hz() } else { 8_000 },
            rtp: self.rtp,
            rtcp: self.rtcp,
            direction: self.direction,
            crypto: self.crypto,
        })
    }

    /// The answer: every line of the offer is mirrored, all but one of them with port 0. Where sound is encrypted, `ours`
    /// has to bring a key.
    pub fn answer(&self, agreed: &Agreed, ours: &Ours) -> String {
        let mut text = ours.session();
        for (medium, protocol, formats, used) in &self.lines {
            if !used {
                let first = formats.split(' ').next().unwrap_or("0");
                text.push_str(&format!("m={medium} 0 {protocol} {first}\r\n"));
                continue;
            }
            let events = agreed.events.map(|pt| format!(" {pt}")).unwrap_or_default();
            text.push_str(&format!(
                "m=audio {} {protocol} {}{events}\r\n",
                ours.rtp.port(),
                agreed.payload_type
            ));
            text.push_str(&format!("a=rtpmap:{} {}\r\n", agreed.payload_type, agreed.codec.rtpmap()));
            if let Some(pt) = agreed.events {
                let hz = self.events.iter().find(|(p, _)| *p == pt).map_or(8_000, |(_, hz)| *hz);
                text.push_str(&format!("a=rtpmap:{pt} telephone-event/{hz}\r\na=fmtp:{pt} 0-15\r\n"));
            }
            if let (Some(theirs), Some(key)) = (agreed.crypto, ours.key) {
                let own = Crypto { key, mki: 0, ..theirs };
                text.push_str(&format!("a=crypto:{}\r\n", own.value()));
            }
            text.push_str("a=ptime:20\r\n");
            if agreed.rtcp.is_none() {
                text.push_str("a=rtcp-mux\r\n");
            }
            text.push_str(&format!("a={}\r\n", agreed.direction.answered()));
        }
        text
    }
}

/// The line's side of a description.
#[derive(Clone, Copy, Debug)]
pub struct Ours {
    /// Where the line wants the sound.
    pub rtp: SocketAddr,
    /// Names the session; the same for its whole length.
    pub session: u64,
    /// Counts its descriptions.
    pub version: u64,
    /// The key that the line encrypts by, where it does.
    pub key: Option<Key>,
}

impl Ours {
    fn session(&self) -> String {
        let (ip, kind) = (self.rtp.ip(), if self.rtp.is_ipv4() { "IP4" } else { "IP6" });
        format!(
            "v=0\r\no=attendant {} {} IN {kind} {ip}\r\ns=-\r\nc=IN {kind} {ip}\r\nt=0 0\r\n",
            self.session, self.version
        )
    }

    /// A description of the line's own, for calls that it makes and for INVITEs that bring none.
    pub fn offer(&self, codecs: &[Codec]) -> String {
        let types: Vec<String> =
            codecs.iter().map(|c| c.payload_type().to_string()).chain([EVENTS.to_string()]).collect();
        let mut text = self.session();
        let protocol = if self.key.is_some() { "RTP/SAVP" } else { "RTP/AVP" };
        text.push_str(&format!("m=audio {} {protocol} {}\r\n", self.rtp.port(), types.join(" ")));
        if let Some(key) = self.key {
            // One suite, the one that all have: each more would want a key of its own (RFC 4568, section 6.1).
            let crypto = Crypto { tag: 1, suite: Suite::Tag80, key, mki: 0 };
            text.push_str(&format!("a=crypto:{}\r\n", crypto.value()));
        }
        for codec in codecs {
            text.push_str(&format!("a=rtpmap:{} {}\r\n", codec.payload_type(), codec.rtpmap()));
        }
        text.push_str(&format!("a=rtpmap:{EVENTS} telephone-event/8000\r\na=fmtp:{EVENTS} 0-15\r\n"));
        text.push_str("a=ptime:20\r\na=sendrecv\r\n");
        text
    }
}

fn is_rtp(protocol: &str) -> bool {
    matches!(protocol, "RTP/AVP" | "RTP/AVPF")
}

fn is_secure(protocol: &str) -> bool {
    matches!(protocol, "RTP/SAVP" | "RTP/SAVPF")
}

/// The first way to encrypt a stream that the line has, too.
fn crypto(media: &Media) -> Option<Crypto> {
    named(&media.attributes)
        .iter()
        .filter(|(name, _)| name == "crypto")
        .find_map(|(_, value)| Crypto::parse(value))
}

fn address(session: &Session, media: &Media) -> Option<IpAddr> {
    let connection = media.connections.first().or(session.connection.as_ref())?;
    let ip: IpAddr = connection.connection_address.split('/').next()?.parse().ok()?;
    (!ip.is_multicast()).then_some(ip)
}

/// Attributes as written: name and value.
fn named(attributes: &[sdp_types::Attribute]) -> Vec<(String, String)> {
    let text = |value: &Option<String>| value.as_deref().unwrap_or_default().trim().to_owned();
    attributes.iter().map(|a| (a.attribute.clone(), text(&a.value))).collect()
}

type Formats = (Vec<(Codec, u8)>, Vec<(u8, u32)>);

fn formats(media: &Media, attributes: &[(String, String)]) -> Formats {
    let (mut codecs, mut events) = (Vec::new(), Vec::new());
    for payload_type in media.fmt.split_ascii_whitespace().filter_map(|f| f.parse::<u8>().ok()) {
        if payload_type > 127 {
            continue;
        }
        let mapped = attributes.iter().filter(|(name, _)| name == "rtpmap").find_map(|(_, value)| {
            let (pt, name) = value.split_once(' ')?;
            (pt.parse() == Ok(payload_type)).then(|| name.trim().to_owned())
        });
        let Some(mapped) = mapped else {
            codecs.extend(Codec::of_payload_type(payload_type).map(|codec| (codec, payload_type)));
            continue;
        };
        let mut parts = mapped.split('/');
        let (name, clock) = (parts.next().unwrap_or_default(), parts.next().and_then(|c| c.parse().ok()));
        if name.eq_ignore_ascii_case("telephone-event") {
            events.push((payload_type, clock.unwrap_or(8_000)));
        } else if let Some(codec) = Codec::from_name(name).filter(|c| Some(c.clock_hz()) == clock) {
            codecs.push((codec, payload_type));
        }
    }
    (codecs, events)
}

fn rtcp(rtp: SocketAddr, attributes: &[(String, String)]) -> Option<SocketAddr> {
    if attributes.iter().any(|(name, _)| name == "rtcp-mux") {
        return None;
    }
    let stated = attributes.iter().find(|(name, _)| name == "rtcp").map(|(_, value)| value.as_str());
    let mut parts = stated.unwrap_or_default().split_ascii_whitespace();
    let port = parts.next().and_then(|p| p.parse().ok()).unwrap_or_else(|| rtp.port().saturating_add(1));
    let ip = parts.nth(2).and_then(|ip| ip.parse().ok()).unwrap_or_else(|| rtp.ip());
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
#[path = "sdp_tests.rs"]
mod tests;
