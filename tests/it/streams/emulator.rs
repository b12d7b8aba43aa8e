//! Providers as their documents describe them, on loopback: each opens a stream, sends the caller's sound and keys
//! every 20 ms, plays what the line sends, and answers its marks.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use attendant::audio::{Law, RATE_HZ, resample};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    Twilio,
    Vonage,
    AudioSocket,
    /// With control in JSON.
    ChanWebsocket,
    /// With control in plain text.
    ChanWebsocketPlain,
    Jambonz,
}

impl Provider {
    pub(crate) const ALL: [Provider; 6] = [
        Provider::Twilio,
        Provider::Vonage,
        Provider::AudioSocket,
        Provider::ChanWebsocket,
        Provider::ChanWebsocketPlain,
        Provider::Jambonz,
    ];

    fn path(self) -> &'static str {
        match self {
            Provider::Twilio => "/twilio/stream",
            Provider::Vonage => "/vonage/stream",
            Provider::ChanWebsocket | Provider::ChanWebsocketPlain => "/asterisk/stream?from=5550199&to=800",
            Provider::Jambonz => "/jambonz/stream",
            Provider::AudioSocket => "",
        }
    }

    fn subprotocol(self) -> Option<&'static str> {
        match self {
            Provider::ChanWebsocket | Provider::ChanWebsocketPlain => Some("media"),
            Provider::Jambonz => Some("audio.jambonz.org"),
            Provider::Twilio | Provider::Vonage | Provider::AudioSocket => None,
        }
    }

    fn rate_hz(self) -> u32 {
        match self {
            Provider::Vonage | Provider::Jambonz => 16_000,
            Provider::Twilio
            | Provider::AudioSocket
            | Provider::ChanWebsocket
            | Provider::ChanWebsocketPlain => 8_000,
        }
    }

    /// Whether the provider tells the caller's number.
    pub(crate) fn tells_numbers(self) -> bool {
        self != Provider::AudioSocket
    }

    fn first_messages(self) -> Vec<Message> {
        let text = |value: Value| Message::text(value.to_string());
        match self {
            Provider::Twilio => vec![
                text(json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" })),
                text(json!({
                    "event": "start", "sequenceNumber": "1", "streamSid": "MZ01",
                    "start": {
                        "accountSid": "AC01", "streamSid": "MZ01", "callSid": "CA01", "tracks": ["inbound"],
                        "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 },
                        "customParameters": { "from": "5550199", "to": "800" },
                    },
                })),
            ],
            Provider::Vonage => vec![text(json!({
                "event": "websocket:connected", "content-type": "audio/l16;rate=16000", "call": "u-1",
                "from": "5550199", "to": "800",
            }))],
            Provider::AudioSocket => {
                let mut uuid = vec![0x01, 0, 16];
                uuid.extend([0xab; 16]);
                vec![Message::binary(uuid)]
            }
            Provider::ChanWebsocket => vec![text(json!({
                "event": "MEDIA_START", "connection_id": "e226", "channel": "WebSocket/c/0x1",
                "channel_id": "1700000000.1", "format": "ulaw", "optimal_frame_size": 160, "ptime": 20,
            }))],
            Provider::ChanWebsocketPlain => vec![Message::text(
                "MEDIA_START connection_id:e226 channel:WebSocket/c/0x1 format:ulaw optimal_frame_size:160",
            )],
            Provider::Jambonz => vec![text(json!({
                "callSid": "c-1", "direction": "inbound", "from": "5550199", "to": "800", "callId": "x",
                "sipStatus": 200, "callStatus": "in-progress", "sampleRate": 16000, "mixType": "mono",
            }))],
        }
    }

    fn sound(self, samples: &[i16], number: u32) -> Message {
        let linear = || samples.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<u8>>();
        match self {
            Provider::Twilio => Message::text(
                json!({
                    "event": "media", "sequenceNumber": (number + 2).to_string(), "streamSid": "MZ01",
                    "media": {
                        "track": "inbound", "chunk": number.to_string(), "timestamp": (number * 20).to_string(),
                        "payload": STANDARD.encode(Law::Mu.encode_all(samples)),
                    },
                })
                .to_string(),
            ),
            Provider::Vonage | Provider::Jambonz => Message::binary(linear()),
            Provider::ChanWebsocket | Provider::ChanWebsocketPlain => {
                Message::binary(Law::Mu.encode_all(samples))
            }
            Provider::AudioSocket => Message::binary(packet(0x10, &linear())),
        }
    }

    fn key(self, key: char) -> Message {
        match self {
            Provider::Twilio => Message::text(
                json!({
                    "event": "dtmf", "streamSid": "MZ01", "sequenceNumber": "5",
                    "dtmf": { "track": "inbound_track", "digit": key.to_string() },
                })
                .to_string(),
            ),
            Provider::Vonage => Message::text(
                json!({ "event": "websocket:dtmf", "digit": key.to_string(), "duration": 100 }).to_string(),
            ),
            Provider::AudioSocket => Message::binary(packet(0x03, &[key as u8])),
            Provider::ChanWebsocket => {
                Message::text(json!({ "event": "DTMF_END", "digit": key.to_string() }).to_string())
            }
            Provider::ChanWebsocketPlain => Message::text(format!("DTMF_END digit:{key}")),
            Provider::Jambonz => Message::text(
                json!({ "event": "dtmf", "dtmf": key.to_string(), "duration": "800" }).to_string(),
            ),
        }
    }
}

fn packet(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend(payload);
    bytes
}

enum Wire {
    Web(Box<WebSocket<TcpStream>>),
    Plain { socket: TcpStream, waiting: Vec<u8> },
}

/// What the line did.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    /// At the provider's rate.
    Sound(Vec<i16>),
    Cleared,
    /// The line ended the call, by the provider's own message where there is one.
    HungUp,
}

pub(crate) struct Emulator {
    provider: Provider,
    wire: Wire,
    number: u32,
    next_tick: Instant,
    /// Marks of the line's, until what was sent before them is played.
    marks: VecDeque<(u32, Value)>,
    asked_to_hang_up: bool,
}

impl Emulator {
    /// Opens the stream; `Err` with the status where it is refused.
    pub(crate) fn open(
        provider: Provider,
        address: SocketAddr,
        headers: &[(&str, &str)],
        query: &str,
    ) -> Result<Emulator, u16> {
        let socket = TcpStream::connect(address).expect("the line listens");
        socket.set_nodelay(true).expect("a socket");
        let wire = if provider == Provider::AudioSocket {
            Wire::Plain { socket, waiting: Vec::new() }
        } else {
            let url = format!("ws://{address}{}{query}", provider.path());
            let mut request = url.into_client_request().expect("a URL");
            let named = provider.subprotocol().map(|p| ("sec-websocket-protocol", p));
            for (name, value) in headers.iter().copied().chain(named) {
                let name: tungstenite::http::HeaderName = name.parse().expect("a name");
                request.headers_mut().insert(name, value.parse().expect("a value"));
            }
            match tungstenite::client::client(request, socket) {
                Ok((socket, response)) => {
                    let agreed = response.headers().get("sec-websocket-protocol");
                    assert_eq!(agreed.and_then(|v| v.to_str().ok()), provider.subprotocol());
                    Wire::Web(Box::new(socket))
                }
                Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                    return Err(response.status().as_u16());
                }
                Err(error) => panic!("{provider:?}: {error}"),
            }
        };
        let mut emulator = Emulator {
            provider,
            wire,
            number: 0,
            next_tick: Instant::now(),
            marks: VecDeque::new(),
            asked_to_hang_up: false,
        };
        for message in provider.first_messages() {
            emulator.send(message);
        }
        Ok(emulator)
    }

    pub(crate) fn send(&mut self, message: Message) -> bool {
        match &mut self.wire {
            Wire::Web(socket) => socket.send(message).is_ok(),
            Wire::Plain { socket, .. } => socket.write_all(&message.into_data()).is_ok(),
        }
    }

    pub(crate) fn press(&mut self, key: char) {
        let message = self.provider.key(key);
        self.send(message);
    }

    /// Sends 20 ms of the caller's, 16 kHz, and gives what the line did until the next are due.
    pub(crate) fn tick(&mut self, caller: &[i16]) -> Vec<Heard> {
        self.number += 1;
        let rate_hz = self.provider.rate_hz();
        let samples = if rate_hz == RATE_HZ { caller.to_vec() } else { resample(caller, RATE_HZ, rate_hz) };
        let message = self.provider.sound(&samples, self.number);
        self.send(message);
        self.next_tick += Duration::from_millis(20);
        let mut heard = Vec::new();
        while heard.last() != Some(&Heard::HungUp) {
            let left = self.next_tick.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            heard.extend(self.receive(left));
        }
        while let Some((_, mark)) = self.marks.pop_front_if(|(due, _)| *due <= self.number) {
            self.send(Message::text(mark.to_string()));
        }
        heard
    }

    fn receive(&mut self, within: Duration) -> Option<Heard> {
        match &mut self.wire {
            Wire::Web(socket) => {
                socket.get_ref().set_read_timeout(Some(within)).expect("above zero");
                match socket.read() {
                    Ok(Message::Close(_)) => Some(Heard::HungUp),
                    Ok(message) => self.understand(&message),
                    Err(tungstenite::Error::Io(e)) if is_late(e.kind()) => None,
                    Err(_) => Some(Heard::HungUp),
                }
            }
            Wire::Plain { socket, waiting } => {
                let packet = match first_packet(waiting) {
                    Some(packet) => packet,
                    None => {
                        socket.set_read_timeout(Some(within)).expect("above zero");
                        let mut bytes = [0; 4_096];
                        match socket.read(&mut bytes) {
                            Ok(0) => return Some(Heard::HungUp),
                            Ok(n) => waiting.extend(&bytes[..n]),
                            Err(e) if is_late(e.kind()) => return None,
                            Err(_) => return Some(Heard::HungUp),
                        }
                        first_packet(waiting)?
                    }
                };
                match packet[0] {
                    0x00 => {
                        self.asked_to_hang_up = true;
                        Some(Heard::HungUp)
                    }
                    0x10 => Some(Heard::Sound(linear(&packet[3..]))),
                    other => panic!("Asterisk takes sound and hang-ups only, not {other:#x}"),
                }
            }
        }
    }

    fn understand(&mut self, message: &Message) -> Option<Heard> {
        let control: Option<Value> = message.to_text().ok().and_then(|t| serde_json::from_str(t).ok());
        let due = self.number + 3;
        match (self.provider, message, control) {
            (Provider::Twilio, _, Some(event)) => {
                assert_eq!(event["streamSid"], "MZ01", "{event}");
                match event["event"].as_str() {
                    Some("media") => {
                        let payload = STANDARD.decode(event["media"]["payload"].as_str()?).expect("base64");
                        return Some(Heard::Sound(Law::Mu.decode_all(&payload)));
                    }
                    Some("mark") => self.marks.push_back((due, event)),
                    Some("clear") => {
                        // Twilio sends the marks of what it dropped at once.
                        self.marks.iter_mut().for_each(|mark| mark.0 = 0);
                        return Some(Heard::Cleared);
                    }
                    _ => panic!("Twilio does not know {event}"),
                }
            }
            (Provider::Vonage, Message::Binary(bytes), _) => {
                assert_eq!(bytes.len(), 640, "20 ms at 16 kHz");
                return Some(Heard::Sound(linear(bytes)));
            }
            (Provider::Vonage, _, Some(action)) => match action["action"].as_str() {
                Some("notify") => {
                    let notify = json!({ "event": "websocket:notify", "payload": action["payload"] });
                    self.marks.push_back((due, notify));
                }
                Some("clear") => {
                    self.send(Message::text(r#"{"event":"websocket:cleared"}"#));
                    return Some(Heard::Cleared);
                }
                _ => panic!("Vonage does not know {action}"),
            },
            (Provider::Jambonz, Message::Binary(bytes), _) => return Some(Heard::Sound(linear(bytes))),
            (Provider::Jambonz, _, Some(command)) => match command["type"].as_str() {
                Some("mark") => {
                    let name = &command["data"]["name"];
                    let mark = json!({ "type": "mark", "data": { "name": name, "event": "playout" } });
                    self.marks.push_back((due, mark));
                }
                Some("killAudio") => return Some(Heard::Cleared),
                Some("disconnect") => self.asked_to_hang_up = true,
                _ => panic!("jambonz does not know {command}"),
            },
            (Provider::ChanWebsocket | Provider::ChanWebsocketPlain, Message::Binary(bytes), _) => {
                assert_eq!(bytes.len(), 160, "the optimal frame");
                return Some(Heard::Sound(Law::Mu.decode_all(bytes)));
            }
            (Provider::ChanWebsocket, _, Some(command)) => match command["command"].as_str() {
                Some("MARK_MEDIA") => {
                    let id = &command["correlation_id"];
                    self.marks
                        .push_back((due, json!({ "event": "MEDIA_MARK_PROCESSED", "correlation_id": id })));
                }
                Some("FLUSH_MEDIA") => {
                    // The driver drops the marks with the sound, and never speaks of them.
                    self.marks.clear();
                    return Some(Heard::Cleared);
                }
                Some("HANGUP") => self.asked_to_hang_up = true,
                _ => panic!("chan_websocket does not know {command}"),
            },
            (Provider::ChanWebsocketPlain, Message::Text(command), None) => match command.as_str() {
                "FLUSH_MEDIA" => return Some(Heard::Cleared),
                "HANGUP" => self.asked_to_hang_up = true,
                _ => panic!("chan_websocket does not know {command}"),
            },
            (provider, message, _) => panic!("{provider:?} does not know {message:?}"),
        }
        None
    }

    /// Whether the line ended the call in the provider's own words, where there are any.
    pub(crate) fn was_hung_up_in_words(&self) -> bool {
        matches!(self.provider, Provider::Twilio | Provider::Vonage) || self.asked_to_hang_up
    }
}

/// The first packet of AudioSocket's, once it is whole.
fn first_packet(waiting: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = 3 + usize::from(u16::from_be_bytes([*waiting.get(1)?, *waiting.get(2)?]));
    (waiting.len() >= length).then(|| waiting.drain(..length).collect())
}

fn is_late(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn linear(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
}
