//! Vonage Voice API over its WebSocket: 16-bit linear sound in binary messages, everything else in JSON.
//!
//! Shapes: Vonage's "WebSockets" guide of the Voice API. Vonage sends, and wants, exactly 20 ms a message.

use std::collections::VecDeque;

use serde_json::json;

use super::{
    Dialect, Message, Said, Start, bytes_of, key_of, mark_name, mark_number, object, samples_of, usable_rate,
};

/// A leg of Vonage's.
#[derive(Debug)]
pub struct Vonage {
    rate_hz: u32,
    /// Of an unfinished 20 ms.
    rest: Vec<i16>,
}

impl Default for Vonage {
    fn default() -> Vonage {
        Vonage { rate_hz: 16_000, rest: Vec::new() }
    }
}

impl Dialect for Vonage {
    fn read(&mut self, message: &Message, said: &mut VecDeque<Said>) {
        if let Message::Binary(bytes) = message {
            let samples = samples_of(bytes);
            if !samples.is_empty() {
                said.push_back(Said::Sound { rate_hz: self.rate_hz, samples });
            }
            return;
        }
        let Some(event) = object(message) else { return };
        let text = |key: &str| event.get(key).and_then(|v| v.as_str());
        match text("event") {
            Some("websocket:connected") => {
                let rate = text("content-type").and_then(|t| t.split_once("rate=")?.1.trim().parse().ok());
                self.rate_hz = rate.and_then(usable_rate).unwrap_or(self.rate_hz);
                // The headers that our own NCCO gives along.
                said.push_back(Said::Started(Start::read(text("call"), text("from"), text("to"))));
            }
            Some("websocket:dtmf") => said.extend(text("digit").and_then(key_of).map(Said::Key)),
            Some("websocket:notify") => {
                let name = event.get("payload").and_then(|p| p.get("mark")).and_then(|m| m.as_str());
                said.extend(name.and_then(mark_number).map(Said::Played));
            }
            Some("websocket:disconnected") => said.push_back(Said::Ended),
            Some(_) | None => {}
        }
    }

    fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn sound(&mut self, samples: &[i16]) -> Option<Message> {
        self.rest.extend(samples);
        let frame = self.rate_hz as usize / 50;
        let whole = self.rest.len() / frame * frame;
        // The house's frames are 20 ms too, so that one comes for one.
        let bytes = bytes_of(self.rest.get(..whole.min(frame))?);
        self.rest.drain(..whole.min(frame));
        (!bytes.is_empty()).then_some(Message::Binary(bytes))
    }

    fn mark(&mut self, number: u64) -> Option<Message> {
        let notify = json!({ "action": "notify", "payload": { "mark": mark_name(number) } });
        Some(Message::Text(notify.to_string()))
    }

    fn clear(&mut self) -> Option<Message> {
        self.rest.clear();
        Some(Message::Text(json!({ "action": "clear" }).to_string()))
    }

    fn hang_up(&mut self) -> Option<Message> {
        None
    }
}
