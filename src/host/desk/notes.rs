//! What the desk has to write down.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use jiff::Timestamp;

use super::Order;
use crate::call::{Ani, CallId, Handoff, RequestId};
use crate::desk::{Callback, Outcome, Presence};

/// A step of the desk's, for the store.
#[derive(Debug)]
pub enum Note {
    /// A caller has a place.
    Queued {
        /// The place.
        call: CallId,
        /// In which queue.
        queue: String,
        /// The caller's number.
        ani: Option<Ani>,
        /// Since when.
        since: Timestamp,
        /// Points before others.
        priority: u8,
    },
    /// A place is given up.
    Left {
        /// The place.
        call: CallId,
        /// How.
        outcome: Outcome,
        /// To whom.
        agent: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// An agent is done with a call.
    Handled {
        /// From which queue.
        queue: String,
        /// Talking and writing up.
        time: Duration,
        /// When.
        at: Timestamp,
    },
    /// Somebody is to be called back.
    Promised(Callback),
    /// An agent does something else than before.
    Agent {
        /// Who.
        name: String,
        /// What.
        state: Presence,
        /// When.
        at: Timestamp,
    },
    /// A message was left.
    Message(Message),
}

/// A message that a caller left.
#[derive(Debug)]
pub struct Message {
    /// In which call.
    pub call: CallId,
    /// For which queue.
    pub queue: String,
    /// The caller's number.
    pub ani: Option<Ani>,
    /// When.
    pub at: Timestamp,
    /// 16 kHz mono.
    pub sound: Arc<[i16]>,
    /// What a person would have got.
    pub handoff: Handoff,
    /// Who is told what became of it, and by which request.
    pub reply: (RequestId, Sender<Order>),
}
