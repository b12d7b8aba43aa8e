//! What is kept of a call.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Ani, CallId, CallTime, Dnis, Handoff, IntentName, IntentScore, Pii, Row};

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
    /// The caller hung up before anything was answered or promised.
    Abandoned,
    /// The call ended without an answer: the caller stayed silent, nobody could take over, or a message was left or a
    /// callback promised.
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

/// Where in a service call a caller is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The caller is looked up, before a word is said.
    #[default]
    Preparation,
    /// The first words.
    Greeting,
    /// What the caller wants.
    Purpose,
    /// Who the caller is.
    Verification,
    /// What is needed is asked for and looked up.
    Resolution,
    /// Whether to do it.
    Confirmation,
    /// What happens next.
    NextSteps,
    /// Anything else, contentment, goodbye.
    WrapUp,
}

impl Stage {
    /// All, in their order.
    pub const ALL: [Stage; 8] = [
        Stage::Preparation,
        Stage::Greeting,
        Stage::Purpose,
        Stage::Verification,
        Stage::Resolution,
        Stage::Confirmation,
        Stage::NextSteps,
        Stage::WrapUp,
    ];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Preparation => "preparation",
            Stage::Greeting => "greeting",
            Stage::Purpose => "purpose",
            Stage::Verification => "verification",
            Stage::Resolution => "resolution",
            Stage::Confirmation => "confirmation",
            Stage::NextSteps => "next_steps",
            Stage::WrapUp => "wrap_up",
        })
    }
}

/// Why somebody is to be called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackReason {
    /// Nobody was free to take over.
    NobodyFree,
    /// A part of the line did not work.
    SystemFault,
    /// The connection broke before the caller had an answer.
    CutOff,
}

impl fmt::Display for CallbackReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallbackReason::NobodyFree => "nobody_free",
            CallbackReason::SystemFault => "system_fault",
            CallbackReason::CutOff => "cut_off",
        })
    }
}

/// A callback that the line promised, or that its policy asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Callback {
    /// Whom to call.
    pub number: Ani,
    /// Why.
    pub reason: CallbackReason,
    /// What the caller wants, as far as it is known.
    pub intent: Option<IntentName>,
}

/// A look-up of a call and what came back, secrets left out: what replays the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookUpRecord {
    /// When the reply came.
    #[serde(default)]
    pub at: CallTime,
    /// What was asked.
    pub name: String,
    /// Argument name to value.
    pub args: BTreeMap<String, Pii<String>>,
    /// The rows, or `None` where the look-up failed.
    pub rows: Option<Vec<Row>>,
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
    /// The second likeliest intent, where there was one.
    #[serde(default)]
    pub second: Option<IntentScore>,
    /// What the line decided: `accept`, `confirm`, `no_match` …
    pub decision: String,
    /// Milliseconds from the end of speech to the line's answer being asked for.
    pub decided_after_ms: u64,
    /// The stage in which it was.
    #[serde(default)]
    pub stage: Stage,
}

#[cfg(test)]
impl CallRecord {
    /// A call about a return, handed to a person: what tests tell of.
    pub(crate) fn of_a_return() -> CallRecord {
        let handoff = Handoff {
            skill: "returns".to_owned(),
            reason: super::HandoffReason::CallerAsked,
            intent: None,
            facts: BTreeMap::from([("name".to_owned(), "Maria Lopez".into())]),
            last_heard: Some("agent".into()),
        };
        CallRecord {
            id: "call-1".parse().expect("an id"),
            ani: "+15550100".parse().ok(),
            dnis: "800".parse().ok(),
            duration: CallTime::from_millis(61_234),
            intent: "return_refund".parse().ok(),
            slots: BTreeMap::from([("order_number".to_owned(), "451288".into())]),
            turns: Vec::new(),
            handoff: Some(handoff),
            disposition: Disposition::Transferred,
            cause: HangupCause::Transferred,
            stage: Stage::Resolution,
            reference: Some("012345".to_owned()),
            rating: Some(4),
            callback: None,
            look_ups: Vec::new(),
        }
    }
}

impl TurnRecord {
    /// Whether the caller said what they want, and no intent took it.
    pub fn is_unmatched(&self) -> bool {
        self.stage <= Stage::Purpose
            && self.intent.is_none()
            && self.decision == "no_match"
            && self.heard.is_some()
    }
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
    /// The stage in which it ended.
    #[serde(default)]
    pub stage: Stage,
    /// The reference number that the caller was told.
    #[serde(default)]
    pub reference: Option<String>,
    /// How content the caller said to be, 1 to 5.
    #[serde(default)]
    pub rating: Option<u8>,
    /// The callback that was promised.
    #[serde(default)]
    pub callback: Option<Callback>,
    /// The call's look-ups, in order.
    #[serde(default)]
    pub look_ups: Vec<LookUpRecord>,
}
