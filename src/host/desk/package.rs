//! The handoff package: all that a person should know before they say hello, for their screen.

use serde::Serialize;

use crate::call::{Ani, CallId, Handoff};

/// What is told of a call to an agent's screen, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Package {
    /// What has just happened.
    pub event: PackageEvent,
    /// The call, by which its record is found.
    pub call: CallId,
    /// Who is rung.
    pub agent: String,
    /// The queue that the caller waited in.
    pub queue: String,
    /// The caller's number, unless withheld.
    pub number: Option<Ani>,
    /// What it is about in a sentence, as the agent hears it before the caller.
    pub briefing: String,
    /// Why, what is known, and the last words. `verified` among the facts says whether the caller has proved who they
    /// are, where that was asked for.
    pub handoff: Handoff,
}

/// What has just happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageEvent {
    /// The agent's telephone rings.
    Ringing,
    /// The agent talks to the caller.
    Answered,
}

impl Package {
    /// Names this news among all: whoever is told twice knows that it is the same.
    pub fn key(&self) -> String {
        let event = match self.event {
            PackageEvent::Ringing => "ringing",
            PackageEvent::Answered => "answered",
        };
        format!("{}-{}-{event}", self.call, self.agent)
    }
}
