//! Twilio Media Streams, bidirectional (`<Connect><Stream>`): µ-law at 8 kHz as base64 in JSON.
//!
//! Shapes: Twilio's "Media Streams - WebSocket Messages". Numbers in them are strings.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::{Dialect, Message, Said, Start, key_of, mark_name, mark_number};
use crate::audio::{LINE_RATE_HZ, Law};

/// A stream of Twilio's.
#[derive(Debug, Default)]
pub struct Twilio {
    /// Names the stream in everything that is sent; empty until it has begun.
    stream: String,
}

/// Longest name of a stream that is kept: Twilio's have 34 characters.
const LONGEST_NAME: usize = 64;

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Incoming {
    Connected,
    Start {
        #[serde(rename = "streamSid")]
        stream: String,
        start: Started,
    },
    Media {
        media: Media,
    },
    Dtmf {
        dtmf: Key,
    },
    Mark {
        mark: Mark,
    },
    Stop,
}

#[derive(Deserialize)]
struct Started {
    #[serde(rename = "callSid")]
    call: Option<String>,
    #[serde(rename = "customParameters", default)]
    parameters: Parameters,
}

/// What our own TwiML gives along.
#[derive(Default, Deserialize)]
struct Parameters {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Deserialize)]
struct Media {
    #[serde(default)]
    track: String,
    payload: String,
}

#[derive(Deserialize)]
struct Key {
    digit: String,
}

#[derive(Deserialize)]
struct Mark {
    name: String,
}

impl Dialect for Twilio {
    fn read(&mut self, message: &Message, said: &mut VecDeque<Said>) {
        let Message::Text(text) = message else { return };
        let Ok(incoming) = serde_json::from_str::<Incoming>(text) else { return };
        match incoming {
            Incoming::Connected => {}
            Incoming::Start { stream, start } if self.stream.is_empty() && stream.len() <= LONGEST_NAME => {
                self.stream = stream;
                let Parameters { from, to } = start.parameters;
                said.push_back(Said::Started(Start::read(
                    start.call.as_deref(),
                    from.as_deref(),
                    to.as_deref(),
                )));
            }
            Incoming::Start { .. } => {}
            Incoming::Media { media } => {
                // Our own voice may come back on another track.
                let Ok(bytes) = STANDARD.decode(&media.payload) else { return };
                if media.track != "outbound" && !bytes.is_empty() {
                    let samples = Law::Mu.decode_all(&bytes);
                    said.push_back(Said::Sound { rate_hz: LINE_RATE_HZ, samples });
                }
            }
            Incoming::Dtmf { dtmf } => said.extend(key_of(&dtmf.digit).map(Said::Key)),
            Incoming::Mark { mark } => said.extend(mark_number(&mark.name).map(Said::Played)),
            Incoming::Stop => said.push_back(Said::Ended),
        }
    }

    fn goes_on(&self) -> bool {
        true
    }

    fn rate_hz(&self) -> u32 {
        LINE_RATE_HZ
    }

    fn sound(&mut self, samples: &[i16]) -> Option<Message> {
        let payload = STANDARD.encode(Law::Mu.encode_all(samples));
        self.command("media", Some(("media", json!({ "payload": payload }))))
    }

    fn mark(&mut self, number: u64) -> Option<Message> {
        self.command("mark", Some(("mark", json!({ "name": mark_name(number) }))))
    }

    fn clear(&mut self) -> Option<Message> {
        self.command("clear", None)
    }

    fn hang_up(&mut self) -> Option<Message> {
        None
    }
}

impl Twilio {
    /// `None` until the stream has begun: nothing can be sent before.
    fn command(&self, event: &str, body: Option<(&str, serde_json::Value)>) -> Option<Message> {
        if self.stream.is_empty() {
            return None;
        }
        let mut message = json!({ "event": event, "streamSid": self.stream });
        if let Some((name, body)) = body {
            message[name] = body;
        }
        Some(Message::Text(message.to_string()))
    }
}
