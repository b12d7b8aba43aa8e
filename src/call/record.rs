//! What is kept of a call.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Ani, CallId, CallTime, Dnis, Handoff, IntentName, Pii};

/// Who ended the call, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupCause {
    /// The caller hung up.
    Caller,
    /// The line said goodbye.
    Line,
    /// The caller was handed to a person.
    Transferred,
    /// The channel broke.
    ChannelFailed,
    /// The operator stopped the line.
    Shutdown,
}

impl fmt::Display for HangupCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HangupCause::Caller => "caller",
            HangupCause::Line => "line",
            HangupCause::Transferred => "transferred",
            HangupCause::ChannelFailed => "channel_failed",
            HangupCause::Shutdown => "shutdown",
        })
    }
}

/// How the call came out. Every call has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// The line answered what the caller wanted, and the call ended after that.
    Resolved,
    /// A person took over.
    Transferred,
    /// The caller hung up before anything was answered.
    Abandoned,
    /// The line ended the call without an answer: the caller stayed silent, or nobody could take over.
    Unresolved,
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Disposition::Resolved => "resolved",
            Disposition::Transferred => "transferred",
            Disposition::Abandoned => "abandoned",
            Disposition::Unresolved => "unresolved",
        })
    }
}

/// One exchange: what the caller did and what the line made of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TurnRecord {
    /// When the caller began to speak or pressed the first key.
    pub at: CallTime,
    /// When the caller had finished.
    pub ended: CallTime,
    /// What was heard; `None` for keys and for silence.
    pub heard: Option<Pii<String>>,
    /// The recogniser's confidence, 0 to 1.
    pub confidence: Option<f32>,
    /// Keys pressed; `None` where they belonged to a secret slot.
    pub keys: Option<Pii<String>>,
    /// The intent taken from it.
    pub intent: Option<IntentName>,
    /// Its probability, 0 to 1.
    pub probability: Option<f32>,
    /// What the line decided: `accept`, `confirm`, `no_match` …
    pub decision: String,
    /// Milliseconds from the end of speech to the line's answer being asked for.
    pub decided_after_ms: u64,
}

/// Everything that is kept of one call, written once, when it has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Which call.
    pub id: CallId,
    /// The caller's number.
    pub ani: Option<Ani>,
    /// The number dialled.
    pub dnis: Option<Dnis>,
    /// Length of the call.
    pub duration: CallTime,
    /// The last intent that the dialogue worked on.
    pub intent: Option<IntentName>,
    /// Slots as filled at the end.
    pub slots: BTreeMap<String, Pii<String>>,
    /// All turns, in order.
    pub turns: Vec<TurnRecord>,
    /// The handoff, where a person took over.
    pub handoff: Option<Handoff>,
    /// How it came out.
    pub disposition: Disposition,
    /// Who ended it.
    pub cause: HangupCause,
}
