//! One call over a stream: a provider's messages on one side, frames and keys on the other.

use std::collections::VecDeque;

use super::inbox::Inbox;
use super::{Dialect, LONGEST_MESSAGE, Message, Said, Start};
use crate::audio::{Frame, RATE_HZ, Resampler};
use crate::call::Dtmf;

/// Keys and messages that wait at most; more keys than that nobody presses, more messages nobody reads.
const WAITING: usize = 64;

/// A call over a stream, without its socket.
///
/// Whoever has the socket gives each message to [`handle_message`](StreamLeg::handle_message), calls
/// [`handle_line`](StreamLeg::handle_line) every 20 ms, and sends what
/// [`poll_message`](StreamLeg::poll_message) gives.
pub struct StreamLeg {
    dialect: Box<dyn Dialect>,
    start: Option<Start>,
    ended: bool,
    said: VecDeque<Said>,
    up: Resampler,
    up_hz: u32,
    down: Resampler,
    down_hz: u32,
    inbox: Inbox,
    keys: VecDeque<Dtmf>,
    outgoing: VecDeque<Message>,
    /// Sound was sent after the latest mark.
    talked: bool,
    /// The latest mark sent, and the latest one played.
    marked: u64,
    played: u64,
}

impl StreamLeg {
    /// A call that has not begun.
    pub fn new(dialect: Box<dyn Dialect>) -> StreamLeg {
        let down_hz = dialect.rate_hz();
        StreamLeg {
            dialect,
            start: None,
            ended: false,
            said: VecDeque::new(),
            up: Resampler::new(RATE_HZ, RATE_HZ),
            up_hz: RATE_HZ,
            down: Resampler::new(RATE_HZ, down_hz),
            down_hz,
            inbox: Inbox::default(),
            keys: VecDeque::new(),
            outgoing: VecDeque::new(),
            talked: false,
            marked: 0,
            played: 0,
        }
    }

    /// Who calls, once the peer has said so.
    pub fn start(&self) -> Option<&Start> {
        self.start.as_ref()
    }

    /// Whether the peer has said that the call is over.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether whoever carries the call asks where it goes on to once the stream has ended.
    pub fn goes_on(&self) -> bool {
        self.dialect.goes_on()
    }

    /// Whether the peer has played, or dropped, all that was sent, as far as it tells. After
    /// [`flush`](StreamLeg::flush) nothing is awaited: a peer may drop the marks with the sound.
    pub fn is_played(&self) -> bool {
        self.played >= self.marked
    }

    /// A message of the peer's. One that is too long, and what comes after the end, is nothing.
    pub fn handle_message(&mut self, message: &Message) {
        if self.ended || message.len() > LONGEST_MESSAGE {
            return;
        }
        let mut said = std::mem::take(&mut self.said);
        self.dialect.read(message, &mut said);
        for said in said.drain(..) {
            self.handle_said(said);
        }
        self.said = said;
    }

    fn handle_said(&mut self, said: Said) {
        match said {
            // A stream carries one call; whoever starts another one is not believed.
            Said::Started(start) => {
                self.start.get_or_insert(start);
            }
            Said::Sound { rate_hz, samples } => {
                if rate_hz != self.up_hz {
                    self.up = Resampler::new(rate_hz, RATE_HZ);
                    self.up_hz = rate_hz;
                }
                self.inbox.push(&self.up.process(&samples));
            }
            Said::Key(key) if self.keys.len() < WAITING => self.keys.push_back(key),
            Said::Key(_) => {}
            Said::Played(mark) if mark <= self.marked => self.played = self.played.max(mark),
            Said::Played(_) => {}
            Said::Ended => self.ended = true,
        }
    }

    /// One tick of 20 ms: the line's sound goes out where it says something, and the caller's comes back.
    pub fn handle_line(&mut self, line: &Frame, line_talks: bool) -> Frame {
        if line_talks || self.dialect.wants_silence() {
            let rate_hz = self.dialect.rate_hz();
            if rate_hz != self.down_hz {
                self.down = Resampler::new(RATE_HZ, rate_hz);
                self.down_hz = rate_hz;
            }
            let samples = self.down.process(line.samples());
            let message = (!samples.is_empty()).then(|| self.dialect.sound(&samples)).flatten();
            self.send(message);
        }
        if line_talks {
            self.talked = true;
        } else if self.talked {
            self.mark();
        }
        self.inbox.next_frame()
    }

    /// The caller barged in: what the peer still holds is dropped.
    pub fn flush(&mut self) {
        self.down = Resampler::new(RATE_HZ, self.down_hz);
        let unplayed = self.talked || !self.is_played();
        self.talked = false;
        self.played = self.marked;
        if unplayed {
            let message = self.dialect.clear();
            self.send(message);
        }
    }

    /// The line hangs up, once what it said last has been marked.
    pub fn hang_up(&mut self) {
        if self.talked {
            self.mark();
        }
    }

    /// The message that ends the call, where there is one. It drops what has not been played.
    pub fn last_message(&mut self) -> Option<Message> {
        self.dialect.hang_up()
    }

    fn mark(&mut self) {
        self.talked = false;
        if let Some(message) = self.dialect.mark(self.marked + 1) {
            self.marked += 1;
            self.send(Some(message));
        }
    }

    fn send(&mut self, message: Option<Message>) {
        if let Some(message) = message {
            if self.outgoing.len() == WAITING {
                self.outgoing.pop_front();
            }
            self.outgoing.push_back(message);
        }
    }

    /// The next key.
    pub fn poll_key(&mut self) -> Option<Dtmf> {
        self.keys.pop_front()
    }

    /// The next message for the peer.
    pub fn poll_message(&mut self) -> Option<Message> {
        self.outgoing.pop_front()
    }
}
