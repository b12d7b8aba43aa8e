//! What a person gets when a caller is handed over.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{IntentName, Pii};

/// Why a person takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandoffReason {
    /// The caller asked for a person, or pressed 0.
    CallerAsked,
    /// The intent is one that a person handles.
    IntentNeedsPerson,
    /// The repair ladder was climbed to its top.
    NotUnderstood,
    /// An entry of the keypad menu.
    MenuChoice,
    /// The caller did not know a value and no other way to it worked.
    ValueUnknown,
    /// The look-up found nothing for what the caller gave.
    NotFound,
    /// The recogniser, the classifier or the store failed.
    SystemFault,
    /// The caller could not prove who they are.
    NotVerified,
    /// The caller grew upset.
    CallerUpset,
}

impl fmt::Display for HandoffReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HandoffReason::CallerAsked => "caller_asked",
            HandoffReason::IntentNeedsPerson => "intent_needs_person",
            HandoffReason::NotUnderstood => "not_understood",
            HandoffReason::MenuChoice => "menu_choice",
            HandoffReason::ValueUnknown => "value_unknown",
            HandoffReason::NotFound => "not_found",
            HandoffReason::SystemFault => "system_fault",
            HandoffReason::NotVerified => "not_verified",
            HandoffReason::CallerUpset => "caller_upset",
        })
    }
}

/// The context that travels with the caller, so that nothing has to be said twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Handoff {
    /// The skill that the agent needs.
    pub skill: String,
    /// Why a person takes over.
    pub reason: HandoffReason,
    /// What the caller wants, as far as it is known.
    pub intent: Option<IntentName>,
    /// Slots gathered so far, and the customer's name where the caller is known.
    pub facts: BTreeMap<String, Pii<String>>,
    /// The last thing the caller said, as heard.
    pub last_heard: Option<Pii<String>>,
}
