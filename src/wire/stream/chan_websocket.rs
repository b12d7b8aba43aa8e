//! Asterisk's `chan_websocket`: sound in binary messages in the codec that the dial string names, control in text,
//! plain or JSON as `chan_websocket.conf` says.
//!
//! Shapes: Asterisk's page on the WebSocket channel driver. After `FLUSH_MEDIA` the events of marks before it never
//! come, so none is awaited. A message holds whole 20 ms: the driver drops what does not fill a frame.

use std::collections::VecDeque;

use serde_json::json;

use super::{Dialect, Message, Said, Start, bytes_of, key_of, mark_name, mark_number, object, samples_of};
use crate::audio::Law;

/// What Asterisk asks for when it opens the socket.
pub const SUBPROTOCOL: &str = "media";

/// A media connection of Asterisk's.
#[derive(Debug, Default)]
pub struct ChanWebsocket {
    format: Option<Format>,
    /// Control messages are JSON.
    json: bool,
    /// The driver's queue is full: sound would be dropped there.
    full: bool,
    from: Option<String>,
    to: Option<String>,
    /// The dialplan's name for the call.
    call: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Coded(Law),
    Linear(u32),
}

impl Format {
    /// Asterisk's names of its formats.
    fn from_name(name: &str) -> Option<Format> {
        Some(match name {
            "ulaw" => Format::Coded(Law::Mu),
            "alaw" => Format::Coded(Law::A),
            "slin" => Format::Linear(8_000),
            "slin12" => Format::Linear(12_000),
            "slin16" => Format::Linear(16_000),
            "slin24" => Format::Linear(24_000),
            "slin32" => Format::Linear(32_000),
            "slin44" => Format::Linear(44_100),
            "slin48" => Format::Linear(48_000),
            _ => return None,
        })
    }

    fn rate_hz(self) -> u32 {
        match self {
            Format::Coded(_) => 8_000,
            Format::Linear(rate_hz) => rate_hz,
        }
    }
}

/// One control message, whichever way it is written.
enum Control<'a> {
    /// A JSON object with `event`.
    Json(serde_json::Map<String, serde_json::Value>),
    /// `EVENT key:value key:value`
    Plain(&'a str),
}

impl<'a> Control<'a> {
    fn read(message: &'a Message) -> Option<Control<'a>> {
        match (object(message), message) {
            (Some(fields), _) => Some(Control::Json(fields)),
            (None, Message::Text(text)) => Some(Control::Plain(text)),
            (None, Message::Binary(_)) => None,
        }
    }

    fn event(&self) -> Option<&str> {
        match self {
            Control::Json(fields) => fields.get("event")?.as_str(),
            Control::Plain(text) => text.split_whitespace().next(),
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        match self {
            Control::Json(fields) => fields.get(name)?.as_str(),
            Control::Plain(text) => {
                let mut fields = text.split_whitespace().filter_map(|field| field.split_once(':'));
                fields.find(|(key, _)| *key == name).map(|(_, value)| value)
            }
        }
    }
}

impl Dialect for ChanWebsocket {
    fn read(&mut self, message: &Message, said: &mut VecDeque<Said>) {
        if let Message::Binary(bytes) = message {
            let Some(format) = self.format else { return };
            let samples = match format {
                Format::Coded(law) => law.decode_all(bytes),
                Format::Linear(_) => samples_of(bytes),
            };
            if !samples.is_empty() {
                said.push_back(Said::Sound { rate_hz: format.rate_hz(), samples });
            }
            return;
        }
        let Some(control) = Control::read(message) else { return };
        let field = |name: &str| control.field(name);
        match control.event().unwrap_or_default() {
            "MEDIA_START" if self.format.is_none() => {
                // A codec that we do not speak: no sound either way would be silence, so the call ends.
                let Some(format) = field("format").and_then(Format::from_name) else {
                    said.push_back(Said::Ended);
                    return;
                };
                self.format = Some(format);
                self.json = matches!(control, Control::Json(_));
                let own = field("connection_id").or_else(|| field("channel_id"));
                let call = self.call.as_deref().or(own);
                let (from, to) = (self.from.as_deref(), self.to.as_deref());
                said.push_back(Said::Started(Start::read(call, from, to)));
            }
            "DTMF_END" => said.extend(field("digit").and_then(key_of).map(Said::Key)),
            "MEDIA_XOFF" => self.full = true,
            "MEDIA_XON" => self.full = false,
            "MEDIA_MARK_PROCESSED" => {
                said.extend(field("correlation_id").and_then(mark_number).map(Said::Played));
            }
            "HANGUP" | "MEDIA_END" => said.push_back(Said::Ended),
            _ => {}
        }
    }

    /// A dialplan that named the call can ask for it.
    fn goes_on(&self) -> bool {
        self.call.is_some()
    }

    fn rate_hz(&self) -> u32 {
        self.format.map_or(8_000, Format::rate_hz)
    }

    fn sound(&mut self, samples: &[i16]) -> Option<Message> {
        if self.full {
            return None;
        }
        Some(Message::Binary(match self.format? {
            Format::Coded(law) => law.encode_all(samples),
            Format::Linear(_) => bytes_of(samples),
        }))
    }

    /// Marks came with JSON: an Asterisk that writes plain text may not know them.
    fn mark(&mut self, number: u64) -> Option<Message> {
        let mark = json!({ "command": "MARK_MEDIA", "correlation_id": mark_name(number) });
        (self.json && !self.full).then(|| Message::Text(mark.to_string()))
    }

    fn clear(&mut self) -> Option<Message> {
        self.full = false;
        Some(self.command("FLUSH_MEDIA"))
    }

    fn hang_up(&mut self) -> Option<Message> {
        Some(self.command("HANGUP"))
    }
}

impl ChanWebsocket {
    /// A connection whose URL told who calls: the driver's own messages do not.
    pub fn of(from: Option<String>, to: Option<String>, call: Option<String>) -> ChanWebsocket {
        ChanWebsocket { from, to, call, ..ChanWebsocket::default() }
    }

    fn command(&self, name: &str) -> Message {
        Message::Text(if self.json { json!({ "command": name }).to_string() } else { name.to_owned() })
    }
}
