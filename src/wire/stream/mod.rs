//! Media streams of providers and PBXs: calls that come over a WebSocket or a plain TCP socket.
//!
//! Messages in, sound and keys out, and the other way round; no socket and no clock. Each provider has a
//! [`Dialect`]; a [`StreamLeg`] joins one to the house's frames. What cannot be read is nothing, and nothing that a
//! peer sends makes memory grow. Read [`StreamLeg`] first.

pub mod audiosocket;

pub mod chan_websocket;

mod inbox;

pub mod jambonz;

mod leg;

pub mod signature;

pub mod twilio;

pub mod vonage;

pub mod webhook;

use std::collections::VecDeque;

pub use leg::StreamLeg;

use crate::call::{Ani, Dnis, Dtmf};

/// The longest message that is looked at, in bytes: 250 ms of 16-bit sound at 48 kHz as base64, and then some. A
/// longer one is nothing.
pub const LONGEST_MESSAGE: usize = 65_536;

/// One message on the socket. On a plain socket, any piece of the bytes is a binary message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// UTF-8.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Message {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is known of a call once its stream has begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The provider's name for the call, for the log. At most 64 letters, digits, `-` and `_`.
    pub call: String,
    /// The caller's number, where it is told.
    pub ani: Option<Ani>,
    /// The number dialled, where it is told.
    pub dnis: Option<Dnis>,
}

impl Start {
    /// A call's name as a peer wrote it, reduced to what a name may hold.
    pub fn name(call: &str) -> String {
        call.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').take(64).collect()
    }

    /// From what a peer wrote; what is no number or no name is left out.
    fn read(call: Option<&str>, from: Option<&str>, to: Option<&str>) -> Start {
        Start {
            call: Start::name(call.unwrap_or_default()),
            ani: from.and_then(|n| n.parse().ok()),
            dnis: to.and_then(|n| n.parse().ok()),
        }
    }
}

/// What a message of the peer's says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The call is there.
    Started(Start),
    /// The caller's sound, in order.
    Sound {
        /// In Hz; one that a [`Resampler`](crate::audio::Resampler) takes.
        rate_hz: u32,
        /// Mono.
        samples: Vec<i16>,
    },
    /// The caller pressed a key.
    Key(Dtmf),
    /// All sound before this mark has been played, or dropped.
    Played(u64),
    /// The call is over.
    Ended,
}

/// A provider's messages.
pub trait Dialect: Send {
    /// Reads a message.
    fn read(&mut self, message: &Message, said: &mut VecDeque<Said>);

    /// The rate of the sound that the peer takes, in Hz.
    fn rate_hz(&self) -> u32;

    /// Sound for the caller, at that rate.
    fn sound(&mut self, samples: &[i16]) -> Option<Message>;

    /// Asks to be told once all sound sent so far has been played. `None` where the peer cannot.
    fn mark(&mut self, number: u64) -> Option<Message>;

    /// Drops what the peer has not played yet. `None` where it keeps nothing.
    fn clear(&mut self) -> Option<Message>;

    /// Ends the call. `None` where closing the socket does.
    fn hang_up(&mut self) -> Option<Message>;

    /// Whether whoever carries the call asks where it goes on to once the stream has ended.
    fn goes_on(&self) -> bool {
        false
    }

    /// Whether silence is sent too, so that the caller's side never runs dry.
    fn wants_silence(&self) -> bool {
        false
    }
}

/// Sound as 16-bit samples, the lower byte first; an odd last byte is dropped.
fn samples_of(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn bytes_of(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// Rates in Hz that streams come at. An odd one would cost a filter of its own, and nobody has it.
const RATES_HZ: [u32; 10] = [8_000, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 64_000, 96_000, 192_000];

/// A rate that a peer told, where sound can come at it.
fn usable_rate(rate_hz: u64) -> Option<u32> {
    RATES_HZ.into_iter().find(|rate| u64::from(*rate) == rate_hz)
}

/// The one key in a text.
fn key_of(text: &str) -> Option<Dtmf> {
    let mut characters = text.chars();
    let key = characters.next()?;
    Dtmf::try_from(key).ok().filter(|_| characters.next().is_none())
}

/// A JSON object out of a text message.
fn object(message: &Message) -> Option<serde_json::Map<String, serde_json::Value>> {
    match message {
        Message::Text(text) => serde_json::from_str(text).ok(),
        Message::Binary(_) => None,
    }
}

/// The name of a mark, and back.
fn mark_name(number: u64) -> String {
    format!("m{number}")
}

fn mark_number(name: &str) -> Option<u64> {
    name.strip_prefix('m')?.parse().ok()
}

#[cfg(test)]
mod tests;
