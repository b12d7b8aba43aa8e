//! One call over a stream, as the thread that drives it sees it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::hand_over::HandOvers;
use crate::audio::{FRAME_DURATION, Frame};
use crate::call::{Dtmf, HangupCause};
use crate::channel::gate::Permit;
use crate::wire::stream::{Message, Start, StreamLeg};

/// Messages that are read in one tick: a second of sound in messages of 20 ms, so that a burst is caught up with.
const MESSAGES_PER_TICK: usize = 50;

/// What the call's thread wants sent.
pub(super) enum Outgoing {
    Message(Message),
    /// The line hangs up. What it said last is still to be heard.
    End(Box<StreamLeg>),
}

/// A call whose stream has begun. Dropping it hangs up.
pub struct StreamCall {
    leg: Option<Box<StreamLeg>>,
    start: Start,
    from_peer: Receiver<Message>,
    to_peer: mpsc::Sender<Outgoing>,
    quiet: Duration,
    silence_limit: Duration,
    cause: HangupCause,
    /// Where whoever carries the call asks where it goes on to; `None` where nobody does.
    hand_overs: Option<Arc<HandOvers>>,
    permit: Permit,
}

impl StreamCall {
    pub(super) fn new(
        leg: StreamLeg,
        from_peer: Receiver<Message>,
        to_peer: mpsc::Sender<Outgoing>,
        silence_limit: Duration,
        hand_overs: Option<Arc<HandOvers>>,
        permit: Permit,
    ) -> StreamCall {
        let start = leg.start().cloned().unwrap_or_default();
        let hand_overs = hand_overs.filter(|_| leg.goes_on());
        StreamCall {
            leg: Some(Box::new(leg)),
            start,
            from_peer,
            to_peer,
            quiet: Duration::ZERO,
            silence_limit,
            cause: HangupCause::Caller,
            hand_overs,
            permit,
        }
    }

    /// Who calls.
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// Whether the line is too busy to listen to this caller.
    pub fn keypad_only(&self) -> bool {
        self.permit.keypad_only()
    }

    /// Has whoever carries the call send the caller on to a SIP URI once the stream has ended. `false` where they would
    /// not ask.
    pub fn hand_over(&self, to: &str) -> bool {
        self.hand_overs.as_ref().is_some_and(|h| h.put(&self.start.call, to, Instant::now()))
    }

    /// Who ended the call, once [`StreamCall::exchange`] has given `None`.
    pub fn cause(&self) -> HangupCause {
        self.cause
    }

    /// One tick of 20 ms; `None` once the caller is gone.
    pub fn exchange(&mut self, line: &Frame, line_talks: bool) -> Option<Frame> {
        let leg = self.leg.as_mut()?;
        self.quiet += FRAME_DURATION;
        for _ in 0..MESSAGES_PER_TICK {
            match self.from_peer.try_recv() {
                Ok(message) => {
                    self.quiet = Duration::ZERO;
                    leg.handle_message(&message);
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return None,
            }
        }
        if leg.is_ended() {
            return None;
        }
        if self.quiet >= self.silence_limit {
            self.cause = HangupCause::ChannelFailed;
            return None;
        }
        let frame = leg.handle_line(line, line_talks);
        self.send();
        Some(frame)
    }

    /// A peer that does not read loses sound, and nothing waits for it.
    fn send(&mut self) {
        while let Some(message) = self.leg.as_mut().and_then(|leg| leg.poll_message()) {
            let _ = self.to_peer.try_send(Outgoing::Message(message));
        }
    }

    /// The next key that the peer signalled.
    pub fn key(&mut self) -> Option<Dtmf> {
        self.leg.as_mut()?.poll_key()
    }

    /// Drops what the peer still holds of the line's sound.
    pub fn flush(&mut self) {
        if let Some(leg) = &mut self.leg {
            leg.flush();
        }
        self.send();
    }
}

impl Drop for StreamCall {
    fn drop(&mut self) {
        if let Some(leg) = &mut self.leg {
            leg.hang_up();
        }
        self.send();
        if let Some(leg) = self.leg.take() {
            // A full queue closes with its sender, which ends the call too.
            let _ = self.to_peer.try_send(Outgoing::End(leg));
        }
    }
}
