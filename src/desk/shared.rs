//! One queue over several nodes: what a desk is told of the others', and what it does with it.
//!
//! Each node has a [`Desk`] of its own with its own callers. Those of other nodes stand in its line as well, so that
//! places, waits and who is next are the same everywhere; but they are never rung for, spoken to or given up here.
//! Whom a desk rings it has to have claimed, where a store that all nodes share decides; a claim that was not granted
//! comes back as [`Event::Denied`](super::Event::Denied).

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::agents::Afterwards;
use super::queue::{Ringing, Waiting, between, later, seconds};
use super::routing::Need;
use super::wait::HandleTimes;
use super::{AgentId, AgentState, AwayReason, Caller, Desk, DeskPlan, Presence, QueueId};
use crate::call::CallId;

/// Whom an earlier caller goes before waits so long for news before they are tried again.
const BACK_OFF: Duration = Duration::from_millis(250);

/// A place in the line as all nodes know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePlace {
    /// Whose.
    pub call: CallId,
    /// In which queue.
    pub queue: QueueId,
    /// The caller's language, where it is not the line's.
    pub language: Option<String>,
    /// When the caller came; a kept place keeps it.
    pub since: Timestamp,
    /// When the place was taken: what overflow and escalation count from.
    pub entered: Timestamp,
    /// The agent spoken to last, who goes first when idle.
    pub prefers: Option<AgentId>,
    /// Until then it is kept for that agent alone.
    pub kept_until: Option<Timestamp>,
    /// Whether the caller is not on the line, and is called back.
    pub call_back: bool,
    /// Who is being rung.
    pub rings: Option<AgentId>,
}

/// Who is served first has the least, on every node and in the store: by rank, by when the place was taken, by call.
/// Times in milliseconds.
pub type PlaceOrder = (i64, i64, String);

impl QueuePlace {
    /// Milliseconds of arrival, moved forward by the queue's priority.
    pub fn rank_ms(&self, plan: &DeskPlan) -> i64 {
        let points = i64::from(plan.queues[self.queue.0].spec.priority);
        let ahead = points.saturating_mul(i64::from(plan.age_seconds) * 1_000);
        self.since.as_millisecond().saturating_sub(ahead)
    }

    /// Where it stands.
    pub fn order(&self, plan: &DeskPlan) -> PlaceOrder {
        (self.rank_ms(plan), self.entered.as_millisecond(), self.call.to_string())
    }

    /// Whether an agent could be rung for it now: as long as it waits, nobody behind it gets that agent.
    pub fn wants(&self, plan: &DeskPlan, agent: AgentId, now: Timestamp) -> bool {
        let is_kept = |until: Timestamp| until > now && self.prefers != Some(agent);
        if self.rings.is_some() || self.kept_until.is_some_and(is_kept) {
            return false;
        }
        let spec = &plan.queues[self.queue.0].spec;
        let waited = between(self.entered, now);
        let due = |after: u32| after > 0 && waited >= seconds(after);
        let need = Need {
            plan,
            queue: self.queue,
            language: self.language.as_deref().unwrap_or(&plan.language),
            overflowed: due(spec.overflow_seconds),
            escalated: due(spec.escalate_seconds),
        };
        plan.agents.get(agent.0).is_some_and(|agent| need.refuses(agent).is_none())
    }

    fn waiting(self, plan: &DeskPlan) -> Waiting {
        let mut caller = Caller::new(self.call, "");
        caller.language = self.language;
        caller.since = Some(self.since);
        caller.call_back = self.call_back;
        Waiting {
            queue: self.queue,
            since: self.since,
            entered: self.entered,
            priority: i64::from(plan.queues[self.queue.0].spec.priority),
            ringing: self.rings.map(|agent| Ringing { agent, until: Timestamp::MAX }),
            kept_for: self.prefers.zip(self.kept_until),
            preferred: self.prefers,
            unanswered: 0,
            next_announcement: None,
            overflowed: false,
            escalated: false,
            is_elsewhere: true,
            not_before: None,
            caller,
        }
    }
}

/// An agent as all nodes know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub agent: AgentId,
    /// What they have said, or what was found out about them; a call in hand does not show here.
    pub presence: Presence,
    /// Since when that is so, or since when they have had no call.
    pub since: Timestamp,
    /// When their telephone last rang.
    pub rung: Option<Timestamp>,
    /// Whether another node has a call with them.
    pub is_elsewhere: bool,
    /// Whether they have said it since this desk was last told.
    pub is_news: bool,
}

/// What the nodes share, as it is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// All places of the other nodes.
    pub places: Vec<QueuePlace>,
    /// Agents.
    pub agents: Vec<Standing>,
    /// The last handle times of all nodes, by queue: ringing; and talking and writing up.
    pub times: BTreeMap<QueueId, Vec<(Duration, Duration)>>,
}

/// Why a claim was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Another node has a call with the agent, or they are gone.
    Taken,
    /// Somebody who waits elsewhere goes first; or the place is not in the store.
    NotFirst,
}

impl Desk {
    /// Takes note of what all nodes share: callers of other nodes, and agents who are not in a call of this desk's own.
    pub fn handle_view(&mut self, now: Timestamp, view: View) {
        let plan = std::sync::Arc::clone(&self.plan);
        self.line.retain(|entry| !entry.is_elsewhere);
        for place in view.places {
            if self.line.get(&place.call).is_none() && !self.talks.contains_key(&place.call) {
                self.line.insert(place.waiting(&plan), plan.age_seconds);
            }
        }
        for entry in self.line.iter_mut() {
            entry.not_before = None;
        }
        for standing in view.agents {
            self.see_agent(now, standing);
        }
        for (queue, times) in view.times {
            self.times[queue.0] = HandleTimes::of(times);
        }
        let elsewhere: Vec<CallId> = self
            .line
            .iter()
            .filter(|entry| entry.is_elsewhere)
            .map(|entry| entry.caller.call.clone())
            .collect();
        for call in &elsewhere {
            self.age(now, call);
        }
        self.serve(now);
    }

    fn see_agent(&mut self, now: Timestamp, standing: Standing) {
        let agent = standing.agent;
        let is_engaged = self.call_of(agent).is_some();
        let Some(seat) = self.seats.get_mut(agent.0) else { return };
        seat.rung = seat.rung.max(standing.rung);
        if is_engaged {
            match standing.presence {
                _ if !standing.is_news => {}
                Presence::Ready | Presence::Busy => self.ready(now, agent),
                Presence::Away(_) => self.go(now, agent, Afterwards::Pause),
                Presence::SignedOut => self.go(now, agent, Afterwards::SignOut),
            }
            return;
        }
        seat.afterwards = None;
        seat.state = match standing.presence {
            Presence::SignedOut => AgentState::SignedOut,
            Presence::Away(why) => AgentState::Away { why },
            Presence::Ready | Presence::Busy if standing.is_elsewhere => {
                AgentState::Talking { call: elsewhere(), since: standing.since }
            }
            Presence::Ready | Presence::Busy => AgentState::Idle { since: standing.since },
        };
    }

    /// The call of this desk's that an agent is rung for, talks in, or writes up.
    pub fn call_of(&self, agent: AgentId) -> Option<&CallId> {
        let seat = self.seats.get(agent.0)?;
        match &seat.state {
            AgentState::Ringing { call } => Some(call),
            AgentState::Talking { call, .. } => self.talks.contains_key(call).then_some(call),
            AgentState::WrapUp { .. } => seat.writing.as_ref().map(|writing| &writing.call),
            AgentState::SignedOut | AgentState::Idle { .. } | AgentState::Away { .. } => None,
        }
    }

    /// What an agent has said, a call in hand left aside: what is kept in the store where calls are claimed there.
    pub fn stated(&self, agent: AgentId) -> Presence {
        let seat = &self.seats[agent.0];
        match seat.afterwards {
            Some(Afterwards::SignOut) => Presence::SignedOut,
            Some(Afterwards::Pause) => Presence::Away(AwayReason::Pause),
            None => match Presence::from(&seat.state) {
                Presence::Busy => Presence::Ready,
                stated @ (Presence::SignedOut | Presence::Ready | Presence::Away(_)) => stated,
            },
        }
    }

    /// A caller's place, as other nodes are to know it; `None` where the call has none here.
    pub fn place(&self, call: &CallId) -> Option<QueuePlace> {
        let entry = self.line.get(call).filter(|entry| !entry.is_elsewhere)?;
        Some(QueuePlace {
            call: call.clone(),
            queue: entry.queue,
            language: entry.caller.language.clone(),
            since: entry.since,
            entered: entry.entered,
            prefers: entry.preferred,
            kept_until: entry.kept_for.map(|(_, until)| until),
            call_back: entry.caller.call_back,
            rings: entry.ringing.map(|ringing| ringing.agent),
        })
    }

    /// All callers of this desk's own who wait, first served first.
    pub fn callers(&self) -> impl Iterator<Item = &CallId> {
        self.line.iter().filter(|entry| !entry.is_elsewhere).map(|entry| &entry.caller.call)
    }

    /// A kept place: the caller came earlier than this desk knew.
    pub(super) fn came(&mut self, call: &CallId, since: Timestamp) {
        let earlier = |entry: &Waiting| !entry.is_elsewhere && since < entry.since;
        if self.line.get(call).is_some_and(earlier)
            && let Some(mut entry) = self.line.remove(call)
        {
            entry.since = since;
            self.line.insert(entry, self.plan.age_seconds);
        }
    }

    /// Back into the line, at the same place: nobody's telephone has rung.
    pub(super) fn denied(&mut self, now: Timestamp, call: &CallId, why: Denial) {
        let Some(entry) = self.line.get_mut(call) else { return };
        let Some(Ringing { agent, .. }) = entry.ringing.take() else { return };
        match why {
            Denial::NotFirst => {
                entry.not_before = Some(later(now, BACK_OFF));
                self.settle(now, agent);
            }
            Denial::Taken if self.seats[agent.0].afterwards.is_some() => self.settle(now, agent),
            Denial::Taken => {
                self.seats[agent.0].state = AgentState::Talking { call: elsewhere(), since: now };
            }
        }
    }
}

/// Stands for a call of which the desk knows nothing.
pub(super) fn elsewhere() -> CallId {
    "elsewhere".parse().expect("an id")
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
