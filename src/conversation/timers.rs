//! A conversation's own timers. Each has one slot: setting it again moves it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::call::{CallTime, Pii, RequestId};

/// A look-up of the store that takes longer has failed.
pub(super) const LOOK_UP_DEADLINE: Duration = Duration::from_secs(6);

/// A recognition or classification that takes longer after the end of speech has failed.
pub(super) const RECOGNIZER_DEADLINE: Duration = Duration::from_secs(4);

/// Nobody lets a caller wait longer than this for one agent's telephone.
pub(super) const TRANSFER_DEADLINE: Duration = Duration::from_secs(30);

/// A ringing telephone is no silence, but the caller hears none: the line says so at such intervals.
pub(super) const TRANSFER_PATIENCE: Duration = Duration::from_secs(6);

/// Why a conversation wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerReason {
    /// The endpointer's: no input, complete, incomplete, longest speech.
    Turn,
    /// The caller stopped pressing keys.
    InterDigit,
    /// The recogniser or the classifier is late.
    Recognizer,
    /// A look-up takes longer than a caller waits without a word.
    LookUpSlow,
    /// A look-up takes too long.
    LookUpDeadline,
    /// The transfer rings for long.
    TransferSlow,
    /// Nobody takes the transfer.
    Transfer,
    /// A message is silent for too long, too long, or not judged.
    Message,
    /// Nobody says whether a message is kept.
    KeepMessage,
    /// The longest call is over.
    MaxCall,
}

/// A request whose reply is awaited.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) id: RequestId,
    pub(super) name: String,
    pub(super) args: BTreeMap<String, Pii<String>>,
}

#[derive(Debug, Default)]
pub(super) struct Timers(BTreeMap<TimerReason, CallTime>);

impl Timers {
    pub(super) fn set(&mut self, reason: TimerReason, at: CallTime) {
        self.0.insert(reason, at);
    }

    pub(super) fn clear(&mut self, reason: TimerReason) {
        self.0.remove(&reason);
    }

    pub(super) fn next(&self) -> Option<(CallTime, TimerReason)> {
        self.0.iter().map(|(reason, at)| (*at, *reason)).min()
    }

    pub(super) fn pop_due(&mut self, now: CallTime) -> Option<TimerReason> {
        let (_, reason) = self.next().filter(|(at, _)| *at <= now)?;
        self.0.remove(&reason);
        Some(reason)
    }
}
