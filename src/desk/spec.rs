//! `intents/desk.toml` as it is written. Plain data: [`DeskPlan`](super::DeskPlan) checks it.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::event::WayOut;
use super::notice::{NotifySpec, WrapUpSpec};
use super::plan::Strategy;

/// `intents/desk.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeskSpec {
    /// The line's time zone, by its name in the IANA database.
    pub zone: Option<Spanned<String>>,
    /// The language of callers and agents of whom nothing is said.
    #[serde(default = "english")]
    pub language: String,
    /// So many seconds of waiting count as much as one point of priority.
    #[serde(default = "a_minute")]
    pub age_seconds: u32,
    /// What callers hear while they wait.
    #[serde(default)]
    pub announce: AnnounceSpec,
    /// When somebody is there.
    #[serde(default)]
    pub hours: BTreeMap<String, Spanned<HoursSpec>>,
    /// Numbers that belong together.
    #[serde(default)]
    pub campaign: Vec<Spanned<CampaignSpec>>,
    /// Where callers wait, the first that fits.
    pub queue: Vec<Spanned<QueueSpec>>,
    /// Who takes calls.
    #[serde(default)]
    pub agent: Vec<Spanned<AgentSpec>>,
    /// Calling callers back.
    #[serde(default)]
    pub callback: CallbackSpec,
    /// Taking messages.
    #[serde(default)]
    pub voicemail: VoicemailSpec,
    /// What agents' screens are told.
    #[serde(default)]
    pub handoff: HandoffSpec,
    /// Who is told of what after a call.
    #[serde(default)]
    pub notify: Vec<Spanned<NotifySpec>>,
    /// What agents write down of a call.
    #[serde(default)]
    pub wrap_up: WrapUpSpec,
}

fn english() -> String {
    "en".to_owned()
}

fn a_minute() -> u32 {
    60
}

/// What callers hear while they wait.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnnounceSpec {
    /// Until the first announcement.
    pub first_seconds: u32,
    /// From one to the next.
    pub every_seconds: u32,
    /// The ways out that each names.
    pub ways_out: Vec<WayOut>,
}

impl Default for AnnounceSpec {
    /// The first comes soon, so that nobody takes the music for a dead line.
    fn default() -> AnnounceSpec {
        let ways_out = vec![WayOut::Callback, WayOut::Voicemail, WayOut::Line];
        AnnounceSpec { first_seconds: 15, every_seconds: 45, ways_out }
    }
}

/// When somebody is there: for each day of the week `HH:MM-HH:MM`, several where there is a break.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HoursSpec {
    /// Monday.
    pub mon: Vec<String>,
    /// Tuesday.
    pub tue: Vec<String>,
    /// Wednesday.
    pub wed: Vec<String>,
    /// Thursday.
    pub thu: Vec<String>,
    /// Friday.
    pub fri: Vec<String>,
    /// Saturday.
    pub sat: Vec<String>,
    /// Sunday.
    pub sun: Vec<String>,
    /// Closed all day: `YYYY-MM-DD`, or `MM-DD` for each year.
    pub holidays: Vec<String>,
    /// Another zone than the line's.
    pub zone: Option<String>,
}

/// Numbers that belong together.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignSpec {
    /// What queues and reports call it.
    pub name: String,
    /// The numbers.
    pub dialled: Vec<String>,
}

/// Where callers wait. All conditions that are given must hold; a list is met by any of its entries.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueSpec {
    /// What agents, records and reports call it.
    pub name: String,
    /// The skills that the dialogue asks for.
    #[serde(default)]
    pub skills: Vec<String>,
    /// What the caller wants.
    #[serde(default)]
    pub intents: Vec<String>,
    /// The caller's language.
    #[serde(default)]
    pub languages: Vec<String>,
    /// The customer's tier.
    #[serde(default)]
    pub tiers: Vec<String>,
    /// The number dialled.
    #[serde(default)]
    pub dialled: Vec<String>,
    /// The campaign that the number belongs to.
    #[serde(default)]
    pub campaigns: Vec<String>,
    /// What an agent must be able to do, and how well, 1 to 10.
    #[serde(default)]
    pub needs: BTreeMap<String, u8>,
    /// Which of several free agents is rung.
    #[serde(default)]
    pub strategy: Strategy,
    /// Points by which its callers go before others.
    #[serde(default)]
    pub priority: u8,
    /// When it is staffed, by a name in `[hours]`; without it, always.
    pub hours: Option<String>,
    /// Most callers that wait at once.
    #[serde(default = "hundred")]
    pub max_waiting: u32,
    /// The longest that anyone waits.
    #[serde(default = "half_an_hour")]
    pub max_wait_seconds: u32,
    /// How long a telephone rings before the next agent's does.
    #[serde(default = "fifteen")]
    pub ring_seconds: u32,
    /// What an agent has after each call for writing it up.
    #[serde(default)]
    pub wrap_up_seconds: u32,
    /// The agent spoken to last is preferred where the caller rated that call so, 1 to 5, or better; 0 never.
    #[serde(default)]
    pub last_agent_rating: u8,
    /// How long the caller is kept for that agent, while they are busy.
    #[serde(default)]
    pub last_agent_seconds: u32,
    /// After so long a wait, agents of `overflow_to` may take it too; 0 never.
    #[serde(default)]
    pub overflow_seconds: u32,
    /// Queues whose agents help out.
    #[serde(default)]
    pub overflow_to: Vec<String>,
    /// After so long a wait, supervisors may take it too, and are told; 0 never.
    #[serde(default)]
    pub escalate_seconds: u32,
    /// What callers are offered where it is closed or full, or they have waited their longest.
    #[serde(default = "all_ways")]
    pub otherwise: Vec<WayOut>,
}

fn hundred() -> u32 {
    100
}

fn half_an_hour() -> u32 {
    1_800
}

fn fifteen() -> u32 {
    15
}

fn all_ways() -> Vec<WayOut> {
    vec![WayOut::Callback, WayOut::Voicemail, WayOut::Line]
}

/// Who takes calls.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// What queues, records and reports call them: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Where they are rung: a `sip:` address or a telephone number.
    pub rings: String,
    /// What they can do, and how well, 1 to 10.
    #[serde(default)]
    pub skills: BTreeMap<String, u8>,
    /// What they speak; without it, the line's own language.
    #[serde(default)]
    pub languages: Vec<String>,
    /// Whether escalated calls go to them.
    #[serde(default)]
    pub supervisor: bool,
    /// What they key in to sign in from their telephone; without it, that way is closed.
    pub pin: Option<String>,
}

/// Calling callers back.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallbackSpec {
    /// When callers may be rung, by a name in `[hours]`; without it, always.
    pub hours: Option<String>,
    /// How often a caller who does not answer is tried.
    pub attempts: u8,
    /// From the first try to the second; each further wait is twice as long …
    pub retry_seconds: u32,
    /// … and no longer than this.
    pub max_retry_seconds: u32,
    /// How long the caller's telephone rings.
    pub ring_seconds: u32,
    /// A promise that could not be kept within so many hours is given up, and somebody is told.
    pub expires_hours: u32,
}

impl Default for CallbackSpec {
    fn default() -> CallbackSpec {
        CallbackSpec {
            hours: None,
            attempts: 3,
            retry_seconds: 900,
            max_retry_seconds: 7_200,
            ring_seconds: 30,
            expires_hours: 48,
        }
    }
}

/// Taking messages.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VoicemailSpec {
    /// The longest message.
    pub max_seconds: u32,
    /// What is shorter is no message.
    pub min_seconds: u32,
    /// So long a silence ends it.
    pub silence_seconds: u32,
    /// How often the caller may record anew.
    pub retakes: u8,
}

impl Default for VoicemailSpec {
    fn default() -> VoicemailSpec {
        VoicemailSpec { max_seconds: 120, min_seconds: 1, silence_seconds: 5, retakes: 3 }
    }
}

/// What agents' screens are told.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HandoffSpec {
    /// Where the package goes when an agent is rung, and when they answer; without it, nowhere.
    pub webhook: Option<String>,
    /// Environment variable that holds the key of its signature; without it, requests are unsigned.
    pub secret_env: Option<String>,
    /// One attempt's longest time, in milliseconds.
    pub timeout_ms: u64,
    /// How often it is tried again, with the same idempotency key.
    pub retries: u8,
}

impl Default for HandoffSpec {
    fn default() -> HandoffSpec {
        HandoffSpec { webhook: None, secret_env: None, timeout_ms: 3_000, retries: 1 }
    }
}
