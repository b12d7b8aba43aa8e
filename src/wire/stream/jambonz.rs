//! jambonz's `listen` verb with streaming bidirectional audio: 16-bit linear sound in binary messages, the call's
//! attributes, keys and marks in JSON.
//!
//! Shapes: jambonz's pages on `listen` and on bidirectional audio. The socket's subprotocol is
//! [`SUBPROTOCOL`].

use std::collections::VecDeque;

use serde_json::json;

use super::{
    Dialect, Message, Said, Start, bytes_of, key_of, mark_name, mark_number, object, samples_of, usable_rate,
};

/// What jambonz asks for when it opens the socket.
pub const SUBPROTOCOL: &str = "audio.jambonz.org";

/// A `listen` of jambonz's.
#[derive(Debug)]
pub struct Jambonz {
    rate_hz: u32,
    started: bool,
}

impl Default for Jambonz {
    fn default() -> Jambonz {
        Jambonz { rate_hz: 8_000, started: false }
    }
}

impl Dialect for Jambonz {
    fn read(&mut self, message: &Message, said: &mut VecDeque<Said>) {
        if let Message::Binary(bytes) = message {
            let samples = samples_of(bytes);
            if self.started && !samples.is_empty() {
                said.push_back(Said::Sound { rate_hz: self.rate_hz, samples });
            }
            return;
        }
        let Some(event) = object(message) else { return };
        let text = |key: &str| event.get(key).and_then(|v| v.as_str());
        if text("event") == Some("dtmf") {
            said.extend(text("dtmf").and_then(key_of).map(Said::Key));
        } else if text("type") == Some("mark") {
            let name = event.get("data").and_then(|d| d.get("name")).and_then(|n| n.as_str());
            said.extend(name.and_then(mark_number).map(Said::Played));
        } else if !self.started && event.contains_key("callSid") {
            self.started = true;
            let rate = event.get("sampleRate").and_then(|r| r.as_u64());
            self.rate_hz = rate.and_then(usable_rate).unwrap_or(self.rate_hz);
            said.push_back(Said::Started(Start::read(text("callSid"), text("from"), text("to"))));
        }
    }

    fn goes_on(&self) -> bool {
        true
    }

    /// The rate that our answer asks for in both directions.
    fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn sound(&mut self, samples: &[i16]) -> Option<Message> {
        self.started.then(|| Message::Binary(bytes_of(samples)))
    }

    fn mark(&mut self, number: u64) -> Option<Message> {
        let mark = json!({ "type": "mark", "data": { "name": mark_name(number) } });
        Some(Message::Text(mark.to_string()))
    }

    fn clear(&mut self) -> Option<Message> {
        Some(Message::Text(json!({ "type": "killAudio" }).to_string()))
    }

    fn hang_up(&mut self) -> Option<Message> {
        Some(Message::Text(json!({ "type": "disconnect" }).to_string()))
    }
}
