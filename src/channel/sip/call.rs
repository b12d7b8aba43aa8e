//! One call, as the thread that drives it sees it.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;

use super::media::Media;
use crate::audio::{Frame, KeyMerger, KeyWay};
use crate::call::{Ani, CallTime, Dnis, Dtmf, HangupCause};
use crate::channel::gate::Permit;
use crate::wire::sdp::Agreed;

/// Signals and commands that may wait; whoever falls so far behind is not there any more.
const QUEUE: usize = 64;

/// What signalling tells the call's thread.
#[derive(Debug)]
pub(super) enum Signal {
    /// The peer described its side anew.
    Media(Box<Agreed>),
    /// A key by SIP INFO.
    Key(Dtmf),
    /// The call is over.
    Ended(HangupCause),
}

/// What the call's thread wants signalled.
#[derive(Debug)]
pub(super) enum Command {
    /// End the call.
    HangUp,
}

/// The signalling side's ends of a call's two queues.
pub(super) struct Control {
    pub(super) signals: SyncSender<Signal>,
    pub(super) commands: mpsc::Receiver<Command>,
}

/// Parties of a call as signalled.
#[derive(Clone, Debug)]
pub struct Parties {
    /// The caller's number, unless withheld.
    pub ani: Option<Ani>,
    /// The number dialled.
    pub dnis: Option<Dnis>,
}

/// A call that has been answered. Dropping it hangs up.
pub struct PhoneCall {
    parties: Parties,
    media: Media,
    signals: Receiver<Signal>,
    commands: mpsc::Sender<Command>,
    keys: VecDeque<Dtmf>,
    presses: KeyMerger,
    ended: Option<HangupCause>,
    silence_limit: Duration,
    _permit: Permit,
}

impl PhoneCall {
    pub(super) fn new(
        parties: Parties,
        media: Media,
        silence_limit: Duration,
        permit: Permit,
    ) -> (PhoneCall, Control) {
        let (signals_in, signals) = sync_channel(QUEUE);
        let (commands, commands_out) = mpsc::channel(QUEUE);
        let call = PhoneCall {
            parties,
            media,
            signals,
            commands,
            keys: VecDeque::new(),
            presses: KeyMerger::default(),
            ended: None,
            silence_limit,
            _permit: permit,
        };
        (call, Control { signals: signals_in, commands: commands_out })
    }

    /// Who calls whom.
    pub fn parties(&self) -> &Parties {
        &self.parties
    }

    /// Sends 20 ms of the line and gives 20 ms of the caller; `None` once the call is over.
    pub fn exchange(&mut self, now: CallTime, line: &Frame) -> Option<Frame> {
        self.take_signals(now);
        if self.ended.is_some() {
            return None;
        }
        let frame = self.media.exchange(now, line);
        while let Some(key) = self.media.key() {
            self.press(now, key, KeyWay::Event);
        }
        if !self.media.is_held() && self.media.silent_for(now) >= self.silence_limit {
            tracing::info!("nothing has been heard of the caller's telephone for too long: the call ends");
            self.ended = Some(HangupCause::ChannelFailed);
            return None;
        }
        Some(frame)
    }

    /// A key, however it came.
    pub fn key(&mut self) -> Option<Dtmf> {
        self.keys.pop_front()
    }

    /// Why the call is over; `None` while it goes on.
    pub fn ended(&self) -> Option<HangupCause> {
        self.ended
    }

    /// Ends the call from the line's side.
    pub fn hang_up(&mut self, cause: HangupCause) {
        if self.ended.is_none() {
            self.ended = Some(cause);
        }
    }

    fn press(&mut self, now: CallTime, key: Dtmf, way: KeyWay) {
        if self.presses.is_new(now, key, way) {
            self.keys.push_back(key);
        }
    }

    fn take_signals(&mut self, now: CallTime) {
        loop {
            match self.signals.try_recv() {
                Ok(Signal::Media(agreed)) => self.media.renegotiate(*agreed, now),
                Ok(Signal::Key(key)) => self.press(now, key, KeyWay::Info),
                Ok(Signal::Ended(cause)) => self.ended = self.ended.or(Some(cause)),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.ended = self.ended.or(Some(HangupCause::ChannelFailed));
                    return;
                }
            }
        }
    }
}

impl Drop for PhoneCall {
    fn drop(&mut self) {
        let (figures, strangers) = self.media.figures();
        tracing::info!(
            played = figures.played,
            lost = figures.lost,
            late = figures.late,
            skipped = figures.skipped,
            strangers,
            "the caller's packets"
        );
        // A full queue means that signalling is gone, and with it the call.
        let _ = self.commands.try_send(Command::HangUp);
    }
}
