//! The people at the desk: who is there, who is free, and since when.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::QueueId;
use crate::call::CallId;

/// An agent of a [`DeskPlan`](super::DeskPlan): the place in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(pub usize);

/// Why an agent gets no calls although signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AwayReason {
    /// The agent asked for it.
    Pause,
    /// The telephone rang and nobody answered.
    NoAnswer,
    /// The telephone could not be reached, or refused the call.
    Unreachable,
}

impl fmt::Display for AwayReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AwayReason::Pause => "pause",
            AwayReason::NoAnswer => "no_answer",
            AwayReason::Unreachable => "unreachable",
        })
    }
}

/// What an agent does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// Not there.
    SignedOut,
    /// Free.
    Idle {
        /// Since when.
        since: Timestamp,
    },
    /// The telephone rings.
    Ringing {
        /// For whom.
        call: CallId,
    },
    /// With a caller.
    Talking {
        /// With whom.
        call: CallId,
        /// Since when.
        since: Timestamp,
    },
    /// Writes the last call up.
    WrapUp {
        /// Until when.
        until: Timestamp,
    },
    /// There, and gets no calls.
    Away {
        /// Why.
        why: AwayReason,
    },
}

impl AgentState {
    /// Signed in and not away: somebody whom a caller may wait for.
    pub fn is_staffed(&self) -> bool {
        match self {
            AgentState::SignedOut | AgentState::Away { .. } => false,
            AgentState::Idle { .. }
            | AgentState::Ringing { .. }
            | AgentState::Talking { .. }
            | AgentState::WrapUp { .. } => true,
        }
    }
}

/// What others know of an agent, in the store's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Not there.
    SignedOut,
    /// There, and free.
    Ready,
    /// There, and with a caller, rung for one, or writing one up.
    Busy,
    /// There, and gets no calls.
    Away(AwayReason),
}

impl Presence {
    /// The state, and why.
    pub fn words(self) -> (&'static str, Option<String>) {
        match self {
            Presence::SignedOut => ("signed_out", None),
            Presence::Ready => ("ready", None),
            Presence::Busy => ("busy", None),
            Presence::Away(why) => ("away", Some(why.to_string())),
        }
    }

    /// Reads [`Presence::words`]; what is none of them is nobody's presence.
    pub fn of_words(state: &str, why: Option<&str>) -> Presence {
        match (state, why) {
            ("ready", _) => Presence::Ready,
            ("busy", _) => Presence::Busy,
            ("away", Some("no_answer")) => Presence::Away(AwayReason::NoAnswer),
            ("away", Some("unreachable")) => Presence::Away(AwayReason::Unreachable),
            ("away", _) => Presence::Away(AwayReason::Pause),
            _ => Presence::SignedOut,
        }
    }
}

impl From<&AgentState> for Presence {
    fn from(state: &AgentState) -> Presence {
        match state {
            AgentState::SignedOut => Presence::SignedOut,
            AgentState::Idle { .. } => Presence::Ready,
            AgentState::Ringing { .. } | AgentState::Talking { .. } | AgentState::WrapUp { .. } => {
                Presence::Busy
            }
            AgentState::Away { why } => Presence::Away(*why),
        }
    }
}

impl fmt::Display for AgentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AgentState::SignedOut => f.write_str("signed out"),
            AgentState::Idle { .. } => f.write_str("idle"),
            AgentState::Ringing { .. } => f.write_str("being rung"),
            AgentState::Talking { .. } => f.write_str("on a call"),
            AgentState::WrapUp { .. } => f.write_str("writing a call up"),
            AgentState::Away { why } => write!(f, "away ({why})"),
        }
    }
}

/// An agent as the desk keeps them.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) state: AgentState,
    /// When the telephone last rang, for `round_robin`.
    pub(super) rung: Option<Timestamp>,
    /// Signs out, or pauses, once the call in hand is over.
    pub(super) afterwards: Option<Afterwards>,
    /// The call that is being written up.
    pub(super) writing: Option<Writing>,
    /// Talking and writing up, in all.
    pub(super) busy: Duration,
}

/// A call that is over, and is being written up.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    pub(super) call: CallId,
    pub(super) queue: QueueId,
    pub(super) ring: Duration,
    pub(super) talk: Duration,
    pub(super) since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Afterwards {
    SignOut,
    Pause,
}

impl Seat {
    pub(super) fn new() -> Seat {
        Seat {
            state: AgentState::SignedOut,
            rung: None,
            afterwards: None,
            writing: None,
            busy: Duration::ZERO,
        }
    }

    pub(super) fn idle_since(&self) -> Option<Timestamp> {
        match &self.state {
            AgentState::Idle { since } => Some(*since),
            AgentState::SignedOut
            | AgentState::Ringing { .. }
            | AgentState::Talking { .. }
            | AgentState::WrapUp { .. }
            | AgentState::Away { .. } => None,
        }
    }
}
