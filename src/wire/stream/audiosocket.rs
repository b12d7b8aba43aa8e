//! Asterisk's AudioSocket: a plain TCP connection of packets with a type, a length and a payload.
//!
//! Shapes: Asterisk's page on AudioSocket and its `res_audiosocket`. A frame is as long as the caller's packets are.
//! The end of the call may be a packet, or the connection just closes.

use std::collections::VecDeque;

use super::{Dialect, Message, Said, Start, bytes_of, key_of, samples_of};

/// Types of packets.
const HANG_UP: u8 = 0x00;
const UUID: u8 = 0x01;
const KEY: u8 = 0x03;
const FAULT: u8 = 0xff;

/// Types of sound: 16-bit linear, at these rates in Hz, from 0x10 on.
const SOUND: u8 = 0x10;
const RATES_HZ: [u32; 9] = [8_000, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000];

/// Type, and length with the higher byte first.
const HEADER: usize = 3;

/// A connection of AudioSocket's.
#[derive(Debug, Default)]
pub struct AudioSocket {
    /// Bytes of a packet that is not whole yet: less than 65,538.
    pub(super) waiting: Vec<u8>,
    /// Which rate the peer sends at, and so is sent at. Its first sound says so: a call has one.
    rate: Option<usize>,
    started: bool,
}

impl AudioSocket {
    fn packet(&mut self, kind: u8, payload: &[u8], said: &mut VecDeque<Said>) {
        match kind {
            HANG_UP | FAULT => said.push_back(Said::Ended),
            UUID if !self.started => {
                self.started = true;
                said.push_back(Said::Started(Start::read(Some(&uuid(payload)), None, None)));
            }
            KEY => {
                let text = std::str::from_utf8(payload).unwrap_or_default();
                said.extend(key_of(text).map(Said::Key));
            }
            kind => {
                let rate = usize::from(kind.wrapping_sub(SOUND));
                let Some(&rate_hz) = RATES_HZ.get(rate).filter(|_| self.started) else { return };
                let samples = samples_of(payload);
                if !samples.is_empty() && *self.rate.get_or_insert(rate) == rate {
                    said.push_back(Said::Sound { rate_hz, samples });
                }
            }
        }
    }
}

impl Dialect for AudioSocket {
    fn read(&mut self, message: &Message, said: &mut VecDeque<Said>) {
        let Message::Binary(bytes) = message else { return };
        self.waiting.extend(bytes);
        let mut used = 0;
        while let Some(&[kind, high, low]) = self.waiting[used..].first_chunk::<HEADER>() {
            let end = used + HEADER + usize::from(u16::from_be_bytes([high, low]));
            let Some(payload) = self.waiting.get(used + HEADER..end).map(<[u8]>::to_vec) else { break };
            self.packet(kind, &payload, said);
            used = end;
        }
        self.waiting.drain(..used);
    }

    fn goes_on(&self) -> bool {
        true
    }

    fn rate_hz(&self) -> u32 {
        RATES_HZ[self.rate.unwrap_or_default()]
    }

    fn sound(&mut self, samples: &[i16]) -> Option<Message> {
        let kind = SOUND + u8::try_from(self.rate.unwrap_or_default()).unwrap_or_default();
        Some(packet(kind, &bytes_of(samples)))
    }

    /// Asterisk plays what comes as it comes.
    fn mark(&mut self, _number: u64) -> Option<Message> {
        None
    }

    fn clear(&mut self) -> Option<Message> {
        None
    }

    fn hang_up(&mut self) -> Option<Message> {
        Some(packet(HANG_UP, &[]))
    }

    /// Without sound Asterisk sends the caller no packets, and some carriers take that for the end.
    fn wants_silence(&self) -> bool {
        true
    }
}

fn packet(kind: u8, payload: &[u8]) -> Message {
    let length = u16::try_from(payload.len()).expect("20 ms at 192 kHz are 7,680 bytes");
    let mut bytes = vec![kind];
    bytes.extend(length.to_be_bytes());
    bytes.extend(payload);
    Message::Binary(bytes)
}

/// RFC 9562's text of sixteen bytes; of any other number, just the digits.
fn uuid(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (n, byte) in bytes.iter().take(16).enumerate() {
        if bytes.len() == 16 && [4, 6, 8, 10].contains(&n) {
            text.push('-');
        }
        text += &format!("{byte:02x}");
    }
    text
}
