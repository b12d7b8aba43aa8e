//! What goes into the [`Desk`](super::Desk) and comes out of it.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wait::Estimate;
use super::{AgentId, AwayReason, Caller, Denial, QueueId, Route};
use crate::call::CallId;
pub use crate::call::WayOut;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A caller needs a person, or a callback is due.
    Queued(Caller),
    /// The caller hung up.
    HungUp(CallId),
    /// The caller took a way out.
    Chose(CallId, WayOut),
    /// The agent has picked up and is being briefed: the telephone rings no longer, and the caller still waits.
    PickedUp(CallId),
    /// The agent took the call.
    Answered(CallId),
    /// The agent's telephone was busy, refused, or could not be reached.
    Refused(CallId),
    /// The agent that was to be rung was not this desk's to ring: nobody's telephone has rung.
    Denied(CallId, Denial),
    /// The caller's place was kept: they came this early.
    Came(CallId, Timestamp),
    /// The conversation with the agent is over.
    Ended(CallId),
    /// The agent is there.
    SignedIn(AgentId),
    /// The agent goes; a call in hand is finished first.
    SignedOut(AgentId),
    /// The agent pauses; a call in hand is finished first.
    Paused(AgentId),
    /// The agent is ready for calls: after a pause, after a call that was not answered, or before the time for
    /// writing up is over.
    Ready(AgentId),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The caller has a place; or there is none, and the route says what is offered.
    Routed {
        /// Who.
        call: CallId,
        /// Where, and why.
        route: Route,
    },
    /// Ring the agent, and brief them before the caller is put through.
    Ring {
        /// For whom.
        call: CallId,
        /// Whom.
        agent: AgentId,
        /// For so long; the desk itself says when to stop.
        for_: Duration,
    },
    /// Let the agent's telephone ring no longer.
    StopRinging {
        /// For whom it rang.
        call: CallId,
        /// Whose.
        agent: AgentId,
    },
    /// Put the caller through; where the caller is not on the line, ring them now.
    Connect {
        /// Who.
        call: CallId,
        /// To whom.
        agent: AgentId,
        /// Whether the caller has to be called back first.
        call_back: bool,
    },
    /// Tell the caller the place and the wait, and name the ways out.
    Announce {
        /// Whom.
        call: CallId,
        /// From 1, within the queue.
        position: usize,
        /// How long it is likely to last; `None` until enough calls were measured.
        wait: Option<Estimate>,
        /// What the caller may choose.
        ways_out: Vec<WayOut>,
    },
    /// Tell the supervisors that a caller waits too long.
    Escalate {
        /// Who.
        call: CallId,
        /// Since when.
        since: Timestamp,
    },
    /// Nobody takes the caller in time: say so, and offer these.
    Offer {
        /// Whom.
        call: CallId,
        /// What the caller may choose.
        ways_out: Vec<WayOut>,
    },
    /// The agent gets no calls until they say that they are ready.
    MarkedAway {
        /// Who.
        agent: AgentId,
        /// Why.
        why: AwayReason,
    },
    /// The caller has left the queue: for the record.
    Left(Left),
    /// The agent is done with the call: for the record.
    Handled {
        /// Which call.
        call: CallId,
        /// Who.
        agent: AgentId,
        /// The queue that it came from.
        queue: QueueId,
        /// The telephone rang for so long.
        ring: Duration,
        /// Talking.
        talk: Duration,
        /// Writing up.
        wrap_up: Duration,
    },
}

/// How a caller left the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An agent took the call.
    Answered,
    /// The caller hung up.
    Abandoned,
    /// The caller is to be called back.
    Callback,
    /// The caller leaves a message.
    Voicemail,
    /// The caller went back to the dialogue.
    Line,
    /// The longest wait was over.
    TimedOut,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Answered => "answered",
            Outcome::Abandoned => "abandoned",
            Outcome::Callback => "callback",
            Outcome::Voicemail => "voicemail",
            Outcome::Line => "line",
            Outcome::TimedOut => "timed_out",
        })
    }
}

/// A place in a queue, once it is given up.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// Who had it.
    pub call: CallId,
    /// Where.
    pub queue: QueueId,
    /// When the caller came.
    pub since: Timestamp,
    /// How long the caller waited.
    pub waited: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// Who took it.
    pub agent: Option<AgentId>,
    /// How many telephones rang in vain.
    pub unanswered: u32,
    /// Whether agents of other queues were asked.
    pub overflowed: bool,
    /// Whether supervisors were.
    pub escalated: bool,
    /// Whether the caller was not on the line, and was to be called back.
    pub call_back: bool,
}
