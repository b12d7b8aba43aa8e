//! `intents/desk.toml`, parsed and checked. A [`DeskPlan`] that exists has a queue for every caller, no name
//! that leads nowhere, and an announcement before anybody has waited long.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use toml::Spanned;

use super::hours::{Hours, zone_of};
use super::notice::{NotifySpec, WrapUpSpec};
use super::routing::queue_for;
use super::spec::{AgentSpec, CallbackSpec, DeskSpec, HandoffSpec, QueueSpec, VoicemailSpec};
use super::{AgentId, AnnounceSpec, Caller, QueueId};
use crate::call::Dnis;

/// Longest until the first announcement, and from one to the next: music alone for longer is taken for a line
/// that has died.
const MAX_SILENCE_SECONDS: u32 = 120;

/// A mistake in `desk.toml`, with the place and what was expected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{path}:{line}: {message}")]
pub struct DeskError {
    /// The file.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// Which of several free agents is rung. Where two are equal, who has been idle for longest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Who has been idle for longest.
    #[default]
    LongestIdle,
    /// One after the other: who was rung least recently.
    RoundRobin,
    /// Whose skills most other idle agents have too, so that those with a rare skill stay free for it.
    MostIdleSkills,
    /// Who does best what the queue needs.
    MostSkilled,
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Strategy::LongestIdle => "longest_idle",
            Strategy::RoundRobin => "round_robin",
            Strategy::MostIdleSkills => "most_idle_skills",
            Strategy::MostSkilled => "most_skilled",
        })
    }
}

/// A queue, its references resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// As it is written.
    pub spec: QueueSpec,
    /// When it is staffed; `None` is always.
    pub hours: Option<Hours>,
    /// Queues whose agents help out.
    pub overflow_to: Vec<QueueId>,
}

/// An agent, the languages filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    /// As it is written.
    pub spec: AgentSpec,
    /// What they speak.
    pub languages: BTreeSet<String>,
}

impl Agent {
    /// Whether the agent does all of `needs` well enough.
    pub fn can(&self, needs: &BTreeMap<String, u8>) -> bool {
        needs.iter().all(|(skill, level)| self.spec.skills.get(skill).is_some_and(|has| has >= level))
    }
}

/// Everything that is declared about routing.
#[derive(Clone, Debug, PartialEq)]
pub struct DeskPlan {
    /// The language of callers of whom nothing is said.
    pub language: String,
    /// The line's zone.
    pub zone: TimeZone,
    /// Seconds of waiting that count as much as one point of priority.
    pub age_seconds: u32,
    /// What callers hear while they wait.
    pub announce: AnnounceSpec,
    /// In the order of the file.
    pub queues: Vec<Queue>,
    /// In the order of the file.
    pub agents: Vec<Agent>,
    /// Calling callers back.
    pub callback: CallbackSpec,
    /// When callers may be rung; `None` is always.
    pub callback_hours: Option<Hours>,
    /// Taking messages.
    pub voicemail: VoicemailSpec,
    /// What agents' screens are told.
    pub handoff: HandoffSpec,
    /// Who is told of what after a call.
    pub notify: Vec<NotifySpec>,
    /// What agents write down of a call.
    pub wrap_up: WrapUpSpec,
    /// The same for two files that declare the same, however they are written. Agents' PINs have no part in it.
    pub fingerprint: String,
    campaigns: BTreeMap<String, String>,
}

impl DeskPlan {
    /// Parses and checks a file; `path` is as the team knows it.
    ///
    /// # Errors
    /// The first mistake, with file, line and what was expected.
    pub fn parse(path: &str, text: &str) -> Result<DeskPlan, DeskError> {
        let file = File { path, text };
        let spec: DeskSpec = toml::from_str(text)
            .map_err(|e| file.at(e.span().map_or(0, |span| span.start), e.message().replace('\n', ", ")))?;
        file.plan(spec)
    }

    /// The desk of a line without a `desk.toml`: one queue that is always open, and nobody in it.
    pub fn empty() -> DeskPlan {
        DeskPlan::parse("the built-in desk", "[[queue]]\nname = \"everyone\"\n")
            .expect("a queue without conditions is a whole desk")
    }

    /// The same queues with other agents.
    pub fn with_agents(&self, agents: Vec<Agent>) -> DeskPlan {
        DeskPlan { agents, ..self.clone() }
    }

    /// The queue that a caller belongs into, whatever the hour: by name.
    pub fn queue_of(&self, caller: &Caller) -> &str {
        let queue = queue_for(self, caller, &mut Vec::new());
        &self.queues[queue.0].spec.name
    }

    /// The queue of a name.
    pub fn queue(&self, name: &str) -> Option<QueueId> {
        self.queues.iter().position(|queue| queue.spec.name == name).map(QueueId)
    }

    /// The agent of a name.
    pub fn agent(&self, name: &str) -> Option<AgentId> {
        self.agents.iter().position(|agent| agent.spec.name == name).map(AgentId)
    }

    /// The campaign that a dialled number belongs to.
    pub fn campaign(&self, dnis: &Dnis) -> Option<&str> {
        self.campaigns.get(&digits(dnis.as_str())).map(String::as_str)
    }
}

/// The beginning of the SHA-256 of what a file declares: remarks and the order of keys make no other desk, and whoever
/// reads it where nodes keep it finds out no PIN.
fn fingerprint(text: &str) -> String {
    let mut table: toml::Table = toml::from_str(text).unwrap_or_default();
    let agents = table.get_mut("agent").and_then(toml::Value::as_array_mut);
    for agent in agents.into_iter().flatten().filter_map(toml::Value::as_table_mut) {
        agent.remove("pin");
    }
    let sum = Sha256::digest(table.to_string());
    sum.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The digits of a number: a `+` and separators make no other number of it.
pub fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

/// A file that is being checked.
#[derive(Clone, Copy)]
struct File<'a> {
    path: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn at(self, offset: usize, message: impl Into<String>) -> DeskError {
        let upto = self.text.get(..offset).unwrap_or(self.text);
        let line = upto.bytes().filter(|b| *b == b'\n').count() + 1;
        DeskError { path: self.path.to_owned(), line, message: message.into() }
    }

    /// At the first place where `text` stands from a table on, and at the table where it does not.
    fn within<T>(self, table: &Spanned<T>, text: &str, message: impl Into<String>) -> DeskError {
        // The span of a table is its header's.
        let start = table.span().start;
        let rest = self.text.get(start..).unwrap_or_default();
        // As a value or as a key, before anywhere.
        let inside = [format!("\"{text}\""), format!("\n{text}")]
            .iter()
            .find_map(|found| rest.find(found.as_str()).map(|at| at + 1));
        self.at(start + inside.or_else(|| rest.find(text)).unwrap_or(0), message)
    }

    fn near(self, text: &str, message: impl Into<String>) -> DeskError {
        self.at(self.text.find(text).unwrap_or(0), message)
    }

    fn plan(self, spec: DeskSpec) -> Result<DeskPlan, DeskError> {
        let zone = match &spec.zone {
            None => TimeZone::UTC,
            Some(name) => zone_of(name.get_ref()).map_err(|why| self.at(name.span().start, why))?,
        };
        self.check_announcements(&spec.announce)?;
        let mut hours = BTreeMap::new();
        for (name, table) in &spec.hours {
            let parsed = Hours::parse(table.get_ref(), &zone);
            hours.insert(name.clone(), parsed.map_err(|(at, why)| self.within(table, &at, why))?);
        }
        let campaigns = self.campaigns(&spec)?;
        let agents = self.agents(&spec)?;
        let queues = self.queues(&spec, &hours)?;
        self.check_needs(&spec, &agents)?;
        let callback_hours = self.callback_hours(&spec.callback, &hours)?;
        self.check_ways_out(&spec)?;
        self.check_notices(&spec)?;
        Ok(DeskPlan {
            language: spec.language,
            zone,
            age_seconds: spec.age_seconds.max(1),
            announce: spec.announce,
            queues,
            agents,
            callback: spec.callback,
            callback_hours,
            voicemail: spec.voicemail,
            handoff: spec.handoff,
            notify: spec.notify.into_iter().map(Spanned::into_inner).collect(),
            wrap_up: spec.wrap_up,
            fingerprint: fingerprint(self.text),
            campaigns,
        })
    }

    fn check_announcements(self, announce: &AnnounceSpec) -> Result<(), DeskError> {
        for (name, seconds) in
            [("first_seconds", announce.first_seconds), ("every_seconds", announce.every_seconds)]
        {
            if !(5..=MAX_SILENCE_SECONDS).contains(&seconds) {
                let message = format!(
                    "announce.{name} = {seconds}: expected 5 to {MAX_SILENCE_SECONDS}, or callers think that they are forgotten"
                );
                return Err(self.near(name, message));
            }
        }
        if announce.ways_out.is_empty() {
            let message = "announce.ways_out is empty: a caller who waits needs a way out; expected callback, voicemail or line";
            return Err(self.near("ways_out", message));
        }
        Ok(())
    }

    fn campaigns(self, spec: &DeskSpec) -> Result<BTreeMap<String, String>, DeskError> {
        let mut campaigns = BTreeMap::new();
        for table in &spec.campaign {
            let campaign = table.get_ref();
            for number in &campaign.dialled {
                self.check_number(table, number)?;
                if let Some(other) = campaigns.insert(digits(number), campaign.name.clone()) {
                    let message =
                        format!("'{number}' belongs to '{other}' and to '{}': expected one", campaign.name);
                    return Err(self.within(table, number, message));
                }
            }
        }
        Ok(campaigns)
    }

    fn check_number<T>(self, table: &Spanned<T>, number: &str) -> Result<(), DeskError> {
        let known = number.parse::<Dnis>();
        known.map(|_| ()).map_err(|e| self.within(table, number, format!("'{number}' is {e}")))
    }

    fn agents(self, spec: &DeskSpec) -> Result<Vec<Agent>, DeskError> {
        let mut agents: Vec<Agent> = Vec::new();
        for table in &spec.agent {
            let agent = table.get_ref();
            if !is_name(&agent.name) {
                let message = format!("'{}' is no agent's name: expected letters, digits, - _ .", agent.name);
                return Err(self.within(table, &agent.name, message));
            }
            if agents.iter().any(|other| other.spec.name == agent.name) {
                let message = format!("there are two agents '{}': expected a name of its own", agent.name);
                return Err(self.within(table, &agent.name, message));
            }
            let address = agent.rings.strip_prefix("sip:").or_else(|| agent.rings.strip_prefix("sips:"));
            if address.is_none_or(str::is_empty) && agent.rings.parse::<Dnis>().is_err() {
                let message =
                    format!("'{}' cannot be rung: expected sip:NAME@HOST or a telephone number", agent.rings);
                return Err(self.within(table, &agent.rings, message));
            }
            self.check_pin(table)?;
            self.check_levels(table, &agent.skills)?;
            let mut languages: BTreeSet<String> = agent.languages.iter().cloned().collect();
            if languages.is_empty() {
                languages.insert(spec.language.clone());
            }
            agents.push(Agent { spec: agent.clone(), languages });
        }
        Ok(agents)
    }

    fn check_pin(self, table: &Spanned<AgentSpec>) -> Result<(), DeskError> {
        let Some(pin) = &table.get_ref().pin else { return Ok(()) };
        if (4..=12).contains(&pin.len()) && pin.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(());
        }
        Err(self.within(table, "pin", "the agent's pin: expected 4 to 12 digits"))
    }

    fn check_levels<T>(self, table: &Spanned<T>, skills: &BTreeMap<String, u8>) -> Result<(), DeskError> {
        match skills.iter().find(|(_, level)| !(1..=10).contains(*level)) {
            None => Ok(()),
            Some((skill, level)) => {
                let message = format!("{skill} = {level}: expected a level from 1 to 10");
                Err(self.within(table, skill, message))
            }
        }
    }

    fn queues(self, spec: &DeskSpec, hours: &BTreeMap<String, Hours>) -> Result<Vec<Queue>, DeskError> {
        let names: Vec<&str> = spec.queue.iter().map(|table| table.get_ref().name.as_str()).collect();
        let mut queues = Vec::new();
        for (n, table) in spec.queue.iter().enumerate() {
            let queue = table.get_ref();
            if names[..n].contains(&queue.name.as_str()) {
                let message = format!("there are two queues '{}': expected a name of its own", queue.name);
                return Err(self.within(table, &queue.name, message));
            }
            let catches_all = is_open_to_all(queue);
            if catches_all && n + 1 < names.len() {
                let message = format!(
                    "queue '{}' takes every caller, so that '{}' gets none: expected it last",
                    queue.name,
                    names[n + 1]
                );
                return Err(self.within(table, &queue.name, message));
            }
            if !catches_all && n + 1 == names.len() {
                let message = format!(
                    "queue '{}' is the last and does not take every caller: expected one without conditions after it, or nobody takes the others",
                    queue.name
                );
                return Err(self.within(table, &queue.name, message));
            }
            queues.push(self.queue(table, &names, spec, hours)?);
        }
        if queues.is_empty() {
            return Err(self.at(0, "there is no [[queue]]: expected at least one, without conditions"));
        }
        Ok(queues)
    }

    fn queue(
        self,
        table: &Spanned<QueueSpec>,
        names: &[&str],
        spec: &DeskSpec,
        hours: &BTreeMap<String, Hours>,
    ) -> Result<Queue, DeskError> {
        let queue = table.get_ref();
        self.check_limits(table)?;
        self.check_levels(table, &queue.needs)?;
        for number in &queue.dialled {
            self.check_number(table, number)?;
        }
        for name in &queue.campaigns {
            if !spec.campaign.iter().any(|campaign| campaign.get_ref().name == *name) {
                let message =
                    format!("there is no [[campaign]] '{name}': expected one, with the numbers dialled");
                return Err(self.within(table, name, message));
            }
        }
        let mut overflow_to = Vec::new();
        for name in &queue.overflow_to {
            let other = names.iter().position(|known| known == name && *known != queue.name);
            let message = || format!("'{name}' is no other queue: expected one of {}", names.join(", "));
            overflow_to.push(QueueId(other.ok_or_else(|| self.within(table, name, message()))?));
        }
        let hours = match &queue.hours {
            None => None,
            Some(name) => Some(self.hours(name, hours).map_err(|why| self.within(table, name, why))?),
        };
        Ok(Queue { spec: queue.clone(), hours, overflow_to })
    }

    fn hours(self, name: &str, hours: &BTreeMap<String, Hours>) -> Result<Hours, String> {
        let known: Vec<&str> = hours.keys().map(String::as_str).collect();
        let list = if known.is_empty() { "a table of that name".to_owned() } else { known.join(", ") };
        hours.get(name).cloned().ok_or_else(|| format!("there is no [hours.{name}]: expected {list}"))
    }

    fn check_limits(self, table: &Spanned<QueueSpec>) -> Result<(), DeskError> {
        let queue = table.get_ref();
        let limits = [
            ("ring_seconds", queue.ring_seconds, 5, 120),
            ("max_waiting", queue.max_waiting, 1, 10_000),
            ("max_wait_seconds", queue.max_wait_seconds, 30, 14_400),
            ("wrap_up_seconds", queue.wrap_up_seconds, 0, 3_600),
            ("last_agent_rating", u32::from(queue.last_agent_rating), 0, 5),
            ("last_agent_seconds", queue.last_agent_seconds, 0, 600),
            ("priority", u32::from(queue.priority), 0, 100),
        ];
        for (name, value, least, most) in limits {
            if !(least..=most).contains(&value) {
                return Err(self.within(
                    table,
                    name,
                    format!("{name} = {value}: expected {least} to {most}"),
                ));
            }
        }
        if queue.overflow_seconds > 0 && queue.overflow_to.is_empty() {
            let message = "overflow_seconds without overflow_to: expected the queues whose agents help out";
            return Err(self.within(table, "overflow_seconds", message));
        }
        Ok(())
    }

    /// A queue that nobody can serve, and escalation to nobody.
    fn check_needs(self, spec: &DeskSpec, agents: &[Agent]) -> Result<(), DeskError> {
        // A desk without agents is one whose agents are yet to be written down.
        if agents.is_empty() {
            return Ok(());
        }
        for table in &spec.queue {
            let queue = table.get_ref();
            if !agents.iter().any(|agent| agent.can(&queue.needs)) {
                let needs: Vec<String> =
                    queue.needs.iter().map(|(s, level)| format!("{s} {level}")).collect();
                let message = format!("no agent has what queue '{}' needs: {}", queue.name, needs.join(", "));
                return Err(self.within(table, &queue.name, message));
            }
            if queue.escalate_seconds > 0 && !agents.iter().any(|agent| agent.spec.supervisor) {
                let message = "escalate_seconds without an agent of supervisor = true: expected one";
                return Err(self.within(table, "escalate_seconds", message));
            }
        }
        Ok(())
    }

    fn callback_hours(
        self,
        callback: &CallbackSpec,
        hours: &BTreeMap<String, Hours>,
    ) -> Result<Option<Hours>, DeskError> {
        let limits = [
            ("attempts", u32::from(callback.attempts), 1, 10),
            ("retry_seconds", callback.retry_seconds, 60, 86_400),
            ("max_retry_seconds", callback.max_retry_seconds, callback.retry_seconds, 604_800),
            ("expires_hours", callback.expires_hours, 1, 720),
        ];
        if let Some((name, value, least, most)) =
            limits.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value))
        {
            let message = format!("callback.{name} = {value}: expected {least} to {most}");
            return Err(self.near(name, message));
        }
        let Some(name) = &callback.hours else { return Ok(None) };
        self.hours(name, hours).map(Some).map_err(|why| self.near("[callback]", why))
    }

    fn check_notices(self, spec: &DeskSpec) -> Result<(), DeskError> {
        let queues: Vec<&str> = spec.queue.iter().map(|table| table.get_ref().name.as_str()).collect();
        for (n, table) in spec.notify.iter().enumerate() {
            let name = &table.get_ref().name;
            if let Some((near, message)) = table.get_ref().mistake(&queues) {
                return Err(self.within(table, &near, message));
            }
            if !is_name(name) || spec.notify[..n].iter().any(|other| other.get_ref().name == *name) {
                let message =
                    format!("notify '{name}': expected a name of its own, of letters, digits, - _ .");
                return Err(self.within(table, name, message));
            }
        }
        spec.wrap_up.mistake().map_or(Ok(()), |(near, message)| Err(self.near(&near, message)))
    }

    fn check_ways_out(self, spec: &DeskSpec) -> Result<(), DeskError> {
        for table in &spec.queue {
            if table.get_ref().otherwise.is_empty() {
                let message = "otherwise is empty: a caller whom nobody takes needs a way out; expected callback, voicemail or line";
                return Err(self.within(table, "otherwise", message));
            }
        }
        let voicemail = &spec.voicemail;
        if !(10..=600).contains(&voicemail.max_seconds) {
            let message = format!("voicemail.max_seconds = {}: expected 10 to 600", voicemail.max_seconds);
            return Err(self.near("max_seconds", message));
        }
        if !(2..=30).contains(&voicemail.silence_seconds) {
            let message =
                format!("voicemail.silence_seconds = {}: expected 2 to 30", voicemail.silence_seconds);
            return Err(self.near("silence_seconds", message));
        }
        if let Some(url) = &spec.handoff.webhook
            && !url.starts_with("https://")
            && !url.starts_with("http://")
        {
            return Err(self.near(url, format!("handoff.webhook: '{url}' is no address: expected https://…")));
        }
        if !(100..=30_000).contains(&spec.handoff.timeout_ms) {
            let message = format!("handoff.timeout_ms = {}: expected 100 to 30000", spec.handoff.timeout_ms);
            return Err(self.near("timeout_ms", message));
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_open_to_all(queue: &QueueSpec) -> bool {
    [&queue.skills, &queue.intents, &queue.languages, &queue.tiers, &queue.dialled, &queue.campaigns]
        .into_iter()
        .all(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, line: usize, expected: &str) {
        let error = DeskPlan::parse("desk.toml", text).expect_err(text);
        assert!(error.line == line && error.message.contains(expected), "{error}");
    }

    const LAST: &str = "[[queue]]\nname = \"all\"\n";

    #[test]
    fn a_queue_is_a_whole_desk() {
        let plan = DeskPlan::empty();
        assert_eq!((plan.queues.len(), plan.agents.len()), (1, 0));
    }

    #[test]
    fn a_fingerprint_is_that_of_what_is_declared() {
        let of = |agent: &str| {
            DeskPlan::parse("desk.toml", &format!("{LAST}{agent}")).expect("a desk").fingerprint
        };
        let ana = of("[[agent]]\nname = \"ana\"\nrings = \"200\"\n");
        assert_eq!(ana, of("# she\n[[agent]]\nrings = \"200\"\npin = \"4711\"\nname = \"ana\"\n"));
        assert_ne!(ana, of("[[agent]]\nname = \"ana\"\nrings = \"201\"\n"));
        assert_ne!(ana, of(""));
    }

    #[test]
    fn mistakes_have_their_line() {
        check("zone = \"Nowhere\"\n[[queue]]\nname = \"a\"", 1, "no time zone");
        check("[[queue]]\nname = \"a\"\ncolour = 1", 3, "unknown field");
        check(&format!("[announce]\nfirst_seconds = 300\n{LAST}"), 2, "5 to 120");
        check(&format!("[announce]\nways_out = []\n{LAST}"), 2, "way out");
        check(&format!("[hours.office]\nmon = [\"9-5\"]\n{LAST}"), 2, "HH:MM-HH:MM");
        check("[[queue]]\nname = \"a\"\nhours = \"office\"", 3, "no [hours.office]");
        check("[[queue]]\nname = \"a\"\nskills = [\"x\"]", 2, "does not take every caller");
        check(&format!("{LAST}[[queue]]\nname = \"b\""), 2, "'b' gets none");
        check("[[queue]]\nname = \"a\"\nring_seconds = 1", 3, "5 to 120");
        check("[[queue]]\nname = \"a\"\notherwise = []", 3, "way out");
        check("[[queue]]\nname = \"a\"\noverflow_seconds = 9", 3, "overflow_to");
        check("[[queue]]\nname = \"x\"\noverflow_to = [\"y\"]", 3, "no other queue");
        check(&format!("[callback]\nattempts = 0\n{LAST}"), 2, "1 to 10");
        check(&format!("[voicemail]\nmax_seconds = 1\n{LAST}"), 2, "10 to 600");
        let two = "on = [\"call\"]\nwebhook = \"https://x\"\n[[notify]]\nname = \"n\"\non = [\"call\"]\nwebhook = \"https://x\"";
        check(&format!("{LAST}[[notify]]\nname = \"n\"\n{two}"), 8, "a name of its own");
        check(&format!("{LAST}[[notify]]\nname = \"n\"\non = []"), 5, "told of nothing");
        check(&format!("[wrap_up]\nnote = \"{{{{ a\"\n{LAST}"), 2, "wrap_up.note");
        check(&format!("[handoff]\nwebhook = \"crm\"\n{LAST}"), 2, "https://");
        check(&format!("[[campaign]]\nname = \"x\"\ndialled = [\"call\"]\n{LAST}"), 3, "telephone number");
        check(&format!("[[queue]]\nname = \"b\"\ncampaigns = [\"x\"]\n{LAST}"), 3, "no [[campaign]]");
    }

    #[test]
    fn agents_must_be_reachable_and_needed() {
        let agent = |rest: &str| format!("{LAST}[[agent]]\nname = \"ana\"\n{rest}");
        check(&agent("rings = \"her desk\""), 5, "cannot be rung");
        check(&agent("rings = \"sip:a@b\"\npin = \"12\""), 6, "4 to 12 digits");
        check(&agent("rings = \"sip:a@b\"\nskills = { x = 11 }"), 6, "1 to 10");
        check(&agent("rings = \"sip:a@b\"\n[[agent]]\nname = \"ana\"\nrings = \"200\""), 7, "two agents");
        let needy = "[[queue]]\nname = \"q\"\nneeds = { fix = 5 }\n[[agent]]\nname = \"a\"\nrings = \"200\"\nskills = { fix = 4 }";
        check(needy, 2, "no agent has what queue 'q' needs: fix 5");
        let alone =
            "[[queue]]\nname = \"q\"\nescalate_seconds = 60\n[[agent]]\nname = \"a\"\nrings = \"200\"";
        check(alone, 3, "supervisor");
    }

    #[test]
    fn what_the_documentation_calls_a_default_is_one() {
        let docs = include_str!("../../docs/desk.md");
        let block = docs.split("## All keys").nth(1).expect("the chapter");
        let block = block.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
        let written = DeskPlan::parse("docs/desk.md", block).expect("the documented defaults");
        let least = "zone = \"UTC\"\n[hours.NAME]\n[[campaign]]\nname = \"NAME\"\ndialled = [\"800\"]\n\
                     [[queue]]\nname = \"NAME\"\n[[agent]]\nname = \"NAME\"\nrings = \"200\"\n\
                     [[notify]]\nname = \"NAME\"\non = [\"voicemail\", \"call\", \"rating\", \"wrap_up\"]\nemail = [\"team@shop.example\"]";
        let least = DeskPlan::parse("least", least).expect("a desk");
        assert_eq!(written.announce, least.announce);
        assert_eq!(written.queues, least.queues);
        assert_eq!(written.agents, least.agents);
        // What is written and what is left out are no one file.
        assert_eq!(DeskPlan { fingerprint: least.fingerprint.clone(), ..written }, least);
    }
}
