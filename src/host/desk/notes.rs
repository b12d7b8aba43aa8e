//! What the desk has to write down.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use jiff::Timestamp;

use super::Order;
use crate::call::{Ani, CallId, Handoff, RequestId};
use crate::desk::{AgentId, Callback, Outcome, Presence, QueuePlace};

/// A step of the desk's, for the store.
#[derive(Debug)]
pub enum Note {
    /// A caller has a place.
    Queued {
        /// The place.
        place: QueuePlace,
        /// The caller's number.
        ani: Option<Ani>,
        /// Whether it was written before: the node was thought dead.
        again: bool,
    },
    /// An agent is wanted for a place; the desk is told whether they are its.
    Claim {
        /// The place.
        call: CallId,
        /// Who.
        agent: AgentId,
    },
    /// An agent has a call, whether they were claimed or not.
    Held {
        /// Which call.
        call: CallId,
        /// Who.
        agent: AgentId,
    },
    /// An agent has a call no longer.
    Released {
        /// Which call.
        call: CallId,
        /// Who.
        agent: AgentId,
    },
    /// An agent has said something here, or something was found out about them.
    Stated {
        /// Who.
        agent: AgentId,
        /// What.
        presence: Presence,
        /// The time of the row that was known.
        seen: Option<Timestamp>,
        /// When.
        at: Timestamp,
    },
    /// Somebody else has changed something.
    Changed,
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
        /// The telephone rang for so long.
        ring: Duration,
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

#[cfg(feature = "store")]
impl Note {
    /// Which kind of step it is, and of which call or agent.
    pub(super) fn about(&self, plan: &crate::desk::DeskPlan) -> (&'static str, String) {
        let name = |agent: &AgentId| plan.agents[agent.0].spec.name.clone();
        match self {
            Note::Queued { place, .. } => ("queued", place.call.to_string()),
            Note::Claim { call, .. } => ("claim", call.to_string()),
            Note::Held { call, .. } => ("held", call.to_string()),
            Note::Released { call, .. } => ("released", call.to_string()),
            Note::Stated { agent, .. } => ("stated", name(agent)),
            Note::Changed => ("changed", String::new()),
            Note::Left { call, .. } => ("left", call.to_string()),
            Note::Handled { queue, .. } => ("handled", queue.clone()),
            Note::Promised(promise) => ("promised", promise.call.to_string()),
            Note::Agent { name, .. } => ("agent", name.clone()),
            Note::Message(message) => ("message", message.call.to_string()),
        }
    }
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
