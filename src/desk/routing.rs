//! Which queue a caller goes to and which agent is rung, each with the reasons.

use std::fmt;

use jiff::{Timestamp, Zoned};

use super::agents::Seat;
use super::plan::{Agent, DeskPlan, Queue, Strategy, digits};
use super::{AgentId, QueueId, WayOut};
use crate::call::{CallId, Dnis, Handoff, IntentName};

/// A call with an agent in the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Who it was, by name: they may have left since.
    pub agent: String,
    /// How the caller rated it, 1 to 5.
    pub rating: Option<u8>,
}

/// Who needs a person, and what is known of them that routing goes by.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// Which call.
    pub call: CallId,
    /// The skill that the dialogue asks for.
    pub skill: String,
    /// What the caller wants.
    pub intent: Option<IntentName>,
    /// The caller's language, where it is not the line's.
    pub language: Option<String>,
    /// The customer's tier.
    pub tier: Option<String>,
    /// The number dialled.
    pub dnis: Option<Dnis>,
    /// The last call with an agent.
    pub last: Option<Spoken>,
    /// The place that was kept for a callback: when the caller first came. `None` is now.
    pub since: Option<Timestamp>,
    /// Whether the caller is not on the line, and is called back once an agent is there.
    pub call_back: bool,
}

impl Caller {
    /// A caller who is handed over. The customer's `tier` and `language` are facts, where the look-up of them has these.
    pub fn handed_over(call: CallId, handoff: &Handoff) -> Caller {
        let fact = |name: &str| handoff.facts.get(name).map(|fact| fact.expose().clone());
        Caller {
            intent: handoff.intent.clone(),
            tier: fact("tier"),
            language: fact("language"),
            ..Caller::new(call, &handoff.skill)
        }
    }

    /// A caller of whom nothing is known but the skill.
    pub fn new(call: CallId, skill: &str) -> Caller {
        Caller {
            call,
            skill: skill.to_owned(),
            intent: None,
            language: None,
            tier: None,
            dnis: None,
            last: None,
            since: None,
            call_back: false,
        }
    }
}

/// One reason on the way to a decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The number dialled belongs to a campaign.
    Campaign(String),
    /// A queue was passed over.
    Passed {
        /// Which.
        queue: String,
        /// The condition that did not hold.
        condition: &'static str,
        /// What it asks for.
        expected: Vec<String>,
        /// What the caller has.
        found: Option<String>,
    },
    /// A queue fits, by these conditions; none where it takes everyone.
    Fits {
        /// Which.
        queue: String,
        /// The conditions that held.
        by: Vec<&'static str>,
    },
    /// It is not staffed now.
    Closed {
        /// When it opens, in the zone of its hours.
        opens: Option<Zoned>,
    },
    /// As many wait as may.
    Full {
        /// So many.
        waiting: usize,
    },
    /// Nobody who could take it is signed in.
    Unstaffed,
    /// An agent cannot take it.
    Unfit {
        /// Who.
        agent: String,
        /// Why not.
        why: String,
    },
    /// An agent can.
    Fit {
        /// Who.
        agent: String,
        /// What the strategy goes by.
        rank: String,
    },
    /// The agent spoken to last goes first.
    LastAgent {
        /// Who.
        agent: String,
        /// The rating of that call.
        rating: u8,
    },
    /// The caller is kept for that agent.
    Kept {
        /// For whom.
        agent: String,
        /// For so long.
        seconds: u32,
    },
    /// An agent is rung.
    Chosen {
        /// Who.
        agent: String,
        /// By which strategy.
        strategy: Strategy,
    },
    /// All who could are busy.
    Waits,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Campaign(name) => write!(f, "the number dialled belongs to the campaign {name}"),
            Step::Passed { queue, condition, expected, found } => {
                let found = found.as_deref().unwrap_or("unknown");
                write!(f, "not {queue}: {condition} is {found}, expected {}", expected.join(" or "))
            }
            Step::Fits { queue, by } if by.is_empty() => write!(f, "queue {queue}: it takes everyone"),
            Step::Fits { queue, by } => write!(f, "queue {queue}: by {}", by.join(", ")),
            Step::Closed { opens: Some(at) } => {
                write!(f, "closed now; it opens at {}", at.strftime("%Y-%m-%d %H:%M %Q"))
            }
            Step::Closed { opens: None } => f.write_str("closed, and it never opens"),
            Step::Full { waiting } => write!(f, "full: {waiting} wait already"),
            Step::Unstaffed => f.write_str("nobody who could take it is signed in"),
            Step::Unfit { agent, why } => write!(f, "not {agent}: {why}"),
            Step::Fit { agent, rank } => write!(f, "{agent} could: {rank}"),
            Step::LastAgent { agent, rating } => {
                write!(f, "{agent} first: spoken to last, and rated {rating} of 5")
            }
            Step::Kept { agent, seconds } => write!(f, "kept for {agent} for up to {seconds} s"),
            Step::Chosen { agent, strategy } => write!(f, "{agent} is rung: {strategy}"),
            Step::Waits => f.write_str("waits: all who could take it are busy"),
        }
    }
}

/// Where a caller goes.
#[derive(Clone, Debug, PartialEq)]
pub enum RouteTo {
    /// Into the queue.
    Queue,
    /// Nowhere, for now: these are offered instead.
    Offer(Vec<WayOut>),
}

/// A decision, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The queue that fits.
    pub queue: QueueId,
    /// Where the caller goes.
    pub to: RouteTo,
    /// In the order in which they were weighed.
    pub why: Vec<Step>,
}

/// The queue for a caller: the first whose conditions all hold. The last takes everyone, so that there is one.
pub(super) fn queue_for(plan: &DeskPlan, caller: &Caller, why: &mut Vec<Step>) -> QueueId {
    let campaign = caller.dnis.as_ref().and_then(|dnis| plan.campaign(dnis));
    why.extend(campaign.map(|name| Step::Campaign(name.to_owned())));
    for (n, queue) in plan.queues.iter().enumerate() {
        match conditions(plan, queue, caller, campaign) {
            Ok(by) => {
                why.push(Step::Fits { queue: queue.spec.name.clone(), by });
                return QueueId(n);
            }
            Err(passed) => why.push(passed),
        }
    }
    QueueId(plan.queues.len() - 1)
}

fn conditions(
    plan: &DeskPlan,
    queue: &Queue,
    caller: &Caller,
    campaign: Option<&str>,
) -> Result<Vec<&'static str>, Step> {
    let spec = &queue.spec;
    let dialled = caller.dnis.as_ref().map(|dnis| digits(dnis.as_str()));
    let numbers: Vec<String> = spec.dialled.iter().map(|number| digits(number)).collect();
    let language = caller.language.as_deref().unwrap_or(&plan.language);
    let asked = [
        ("skill", &spec.skills, Some(caller.skill.as_str())),
        ("intent", &spec.intents, caller.intent.as_ref().map(IntentName::as_str)),
        ("language", &spec.languages, Some(language)),
        ("tier", &spec.tiers, caller.tier.as_deref()),
        ("dialled", &numbers, dialled.as_deref()),
        ("campaign", &spec.campaigns, campaign),
    ];
    let mut by = Vec::new();
    for (condition, expected, found) in asked {
        if expected.is_empty() {
            continue;
        }
        if !found.is_some_and(|found| expected.iter().any(|e| e == found)) {
            let (expected, found) = (expected.clone(), found.map(str::to_owned));
            return Err(Step::Passed { queue: spec.name.clone(), condition, expected, found });
        }
        by.push(condition);
    }
    Ok(by)
}

/// Who may take a call now: what is needed, at what point of the wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need<'a> {
    pub(super) plan: &'a DeskPlan,
    pub(super) queue: QueueId,
    pub(super) language: &'a str,
    pub(super) overflowed: bool,
    pub(super) escalated: bool,
}

impl Need<'_> {
    pub(super) fn queue(&self) -> &Queue {
        &self.plan.queues[self.queue.0]
    }

    /// Why an agent could never take the call; `None` where they could.
    pub(super) fn refuses(&self, agent: &Agent) -> Option<String> {
        if !agent.languages.contains(self.language) {
            return Some(format!("does not speak {}", self.language));
        }
        if self.escalated && agent.spec.supervisor {
            return None;
        }
        let queue = self.queue();
        if agent.can(&queue.spec.needs) || self.helps_out(agent) {
            return None;
        }
        let lacking = queue
            .spec
            .needs
            .iter()
            .find(|(skill, level)| agent.spec.skills.get(*skill).is_none_or(|has| has < *level));
        lacking.map(|(skill, level)| match agent.spec.skills.get(skill) {
            Some(has) => format!("{skill} is {has}, needed {level}"),
            None => format!("has no {skill}"),
        })
    }

    /// After the overflow, whoever serves one of the other queues.
    fn helps_out(&self, agent: &Agent) -> bool {
        let others = || self.queue().overflow_to.iter().map(|other| &self.plan.queues[other.0]);
        self.overflowed && others().any(|other| agent.can(&other.spec.needs))
    }
}

/// The idle agents who may take a call, whom to ring first, and why.
pub(super) fn choose(
    need: &Need<'_>,
    seats: &[Seat],
    now: Timestamp,
    mut why: Option<&mut Vec<Step>>,
) -> Option<AgentId> {
    let agents = &need.plan.agents;
    let strategy = need.queue().spec.strategy;
    let mut best: Option<(AgentId, Rank)> = None;
    for (n, (agent, seat)) in agents.iter().zip(seats).enumerate() {
        let id = AgentId(n);
        let mut unfit = |reason: String| {
            if let Some(why) = why.as_deref_mut() {
                why.push(Step::Unfit { agent: agent.spec.name.clone(), why: reason });
            }
        };
        let Some(since) = seat.idle_since() else {
            unfit(seat.state.to_string());
            continue;
        };
        if let Some(reason) = need.refuses(agent) {
            unfit(reason);
            continue;
        }
        let rank = rank(need, seats, agent, seat, since);
        if let Some(why) = why.as_deref_mut() {
            let rank = rank_in_words(strategy, &rank, seat, since, now);
            why.push(Step::Fit { agent: agent.spec.name.clone(), rank });
        }
        if best.as_ref().is_none_or(|(_, best)| rank < *best) {
            best = Some((id, rank));
        }
    }
    best.map(|(id, _)| id)
}

/// The smaller goes first: what the strategy counts, and since when the agent is idle.
type Rank = (i64, Timestamp);

fn rank(need: &Need<'_>, seats: &[Seat], agent: &Agent, seat: &Seat, since: Timestamp) -> Rank {
    let first = match need.queue().spec.strategy {
        Strategy::LongestIdle => 0,
        Strategy::RoundRobin => seat.rung.map_or(i64::MIN, Timestamp::as_millisecond),
        Strategy::MostIdleSkills => -scarcest(need.plan, seats, agent),
        Strategy::MostSkilled => {
            let needs = need.queue().spec.needs.keys();
            let level = |skill: &String| agent.spec.skills.get(skill).copied().unwrap_or(0);
            -needs.map(|skill| i64::from(level(skill))).sum::<i64>()
        }
    };
    (first, since)
}

/// How many idle agents have that skill of an agent's which the fewest have.
fn scarcest(plan: &DeskPlan, seats: &[Seat], agent: &Agent) -> i64 {
    let idle = || plan.agents.iter().zip(seats).filter(|(_, seat)| seat.idle_since().is_some());
    let having = |skill: &String| idle().filter(|(other, _)| other.spec.skills.contains_key(skill)).count();
    let fewest = agent.spec.skills.keys().map(having).min();
    // Without a skill there is nothing to keep free.
    fewest.map_or(i64::MAX, |n| i64::try_from(n).unwrap_or(i64::MAX))
}

fn rank_in_words(strategy: Strategy, rank: &Rank, seat: &Seat, since: Timestamp, now: Timestamp) -> String {
    let idle = format!("idle for {} s", now.duration_since(since).as_secs());
    match strategy {
        Strategy::LongestIdle => idle,
        Strategy::RoundRobin => match seat.rung {
            Some(at) => format!("rung {} s ago, {idle}", now.duration_since(at).as_secs()),
            None => format!("not rung yet, {idle}"),
        },
        Strategy::MostIdleSkills if rank.0 == -i64::MAX => format!("no special skill, {idle}"),
        Strategy::MostIdleSkills => format!("{} idle agents have the rarest skill, {idle}", -rank.0),
        Strategy::MostSkilled => format!("{} points in what is needed, {idle}", -rank.0),
    }
}

/// The agent whom the caller spoke to last, where the rating is good enough for the queue.
pub(super) fn last_agent(plan: &DeskPlan, queue: QueueId, caller: &Caller) -> Option<(AgentId, u8)> {
    let least = plan.queues[queue.0].spec.last_agent_rating;
    let last = caller.last.as_ref()?;
    let rating = last.rating.filter(|rating| least > 0 && *rating >= least)?;
    plan.agent(&last.agent).map(|agent| (agent, rating))
}
