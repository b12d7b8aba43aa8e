//! The desk as a machine: callers come, wait and leave, agents sign in, ring and talk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::agents::{Afterwards, Seat, Writing};
use super::plan::{Agent, DeskPlan};
use super::queue::{Line, Ringing, Waiting, between, later, seconds};
use super::routing::{Need, choose, last_agent, queue_for};
use super::shared::elsewhere;
use super::wait::HandleTimes;
use super::{
    Action, AgentId, AgentState, AwayReason, Caller, Event, Left, Outcome, QueueId, Route, RouteTo, Step,
};
use crate::call::CallId;

/// The queues and the agents of one line.
///
/// Feed it with [`Desk::handle_event`] and, when the time of [`Desk::poll_timeout`] has come, with
/// [`Desk::handle_timeout`]; after each, take [`Desk::poll_action`] until there is none. An event that does not
/// fit, as a hang-up of a call that has left, changes nothing.
#[derive(Debug)]
pub struct Desk {
    pub(super) plan: Arc<DeskPlan>,
    pub(super) seats: Vec<Seat>,
    pub(super) line: Line,
    pub(super) talks: BTreeMap<CallId, Talk>,
    pub(super) times: Vec<HandleTimes>,
    actions: VecDeque<Action>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Talk {
    agent: AgentId,
    queue: QueueId,
    ring: Duration,
    since: Timestamp,
}

impl Desk {
    /// A desk at which nobody has signed in.
    pub fn new(plan: Arc<DeskPlan>) -> Desk {
        let seats = plan.agents.iter().map(|_| Seat::new()).collect();
        let times = plan.queues.iter().map(|_| HandleTimes::default()).collect();
        Desk { plan, seats, line: Line::default(), talks: BTreeMap::new(), times, actions: VecDeque::new() }
    }

    /// What it goes by.
    pub fn plan(&self) -> &DeskPlan {
        &self.plan
    }

    /// What an agent does.
    pub fn state(&self, agent: AgentId) -> &AgentState {
        &self.seats[agent.0].state
    }

    /// How long an agent has talked and written up since the start.
    pub fn busy(&self, agent: AgentId) -> Duration {
        self.seats[agent.0].busy
    }

    /// How many wait.
    pub fn waiting(&self, queue: QueueId) -> usize {
        self.line.len_of(queue)
    }

    /// Where a caller would go now, whom they would get, and every reason. Changes nothing.
    pub fn explain(&self, now: Timestamp, caller: &Caller) -> (Route, Option<AgentId>) {
        let mut route = self.route(now, caller);
        if route.to != RouteTo::Queue {
            return (route, None);
        }
        let entry = self.entry(now, caller.clone(), route.queue);
        let chosen = self.pick(now, &entry, Some(&mut route.why));
        let strategy = self.plan.queues[route.queue.0].spec.strategy;
        route.why.push(match chosen {
            Some(agent) => Step::Chosen { agent: self.name(agent), strategy },
            None => Step::Waits,
        });
        (route, chosen)
    }

    /// An agent talks to somebody of whom the desk knows nothing: a call of their own.
    pub fn occupy(&mut self, now: Timestamp, agent: AgentId) {
        if let Some(seat) = self.seats.get_mut(agent.0).filter(|seat| seat.idle_since().is_some()) {
            seat.state = AgentState::Talking { call: elsewhere(), since: now };
        }
    }

    /// Takes note of what happened.
    pub fn handle_event(&mut self, now: Timestamp, event: Event) {
        match event {
            Event::Queued(caller) => self.queue(now, caller),
            Event::HungUp(call) => {
                self.leave(now, &call, Outcome::Abandoned);
                self.end(now, &call);
            }
            Event::Chose(call, way) => {
                let outcome = match way {
                    super::WayOut::Callback => Outcome::Callback,
                    super::WayOut::Voicemail => Outcome::Voicemail,
                    super::WayOut::Line => Outcome::Line,
                };
                self.leave(now, &call, outcome);
            }
            Event::PickedUp(call) => self.picked_up(&call),
            Event::Answered(call) => self.answered(now, &call),
            Event::Refused(call) => self.rang_in_vain(&call, AwayReason::Unreachable),
            Event::Denied(call, why) => self.denied(now, &call, why),
            Event::Came(call, since) => self.came(&call, since),
            Event::Ended(call) => self.end(now, &call),
            Event::SignedIn(agent) | Event::Ready(agent) => self.ready(now, agent),
            Event::SignedOut(agent) => self.go(now, agent, Afterwards::SignOut),
            Event::Paused(agent) => self.go(now, agent, Afterwards::Pause),
        }
        self.serve(now);
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        for n in 0..self.seats.len() {
            if matches!(self.seats[n].state, AgentState::WrapUp { until } if until <= now) {
                self.finish_writing(now, AgentId(n));
            }
        }
        let calls: Vec<CallId> = self.line.iter().map(|entry| entry.caller.call.clone()).collect();
        for call in &calls {
            self.age(now, call);
        }
        self.serve(now);
        // Who is served in this moment hears no announcement first.
        for call in &calls {
            self.announce_or_offer(now, call);
        }
    }

    /// When [`Desk::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let wrap_ups = self.seats.iter().filter_map(|seat| match &seat.state {
            AgentState::WrapUp { until } => Some(*until),
            AgentState::SignedOut
            | AgentState::Idle { .. }
            | AgentState::Ringing { .. }
            | AgentState::Talking { .. }
            | AgentState::Away { .. } => None,
        });
        let ages = self.line.iter().filter_map(|entry| self.next_of(entry));
        wrap_ups.chain(ages).min()
    }

    /// What is to be done, in order.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn name(&self, agent: AgentId) -> String {
        self.plan.agents[agent.0].spec.name.clone()
    }

    fn need<'a>(&'a self, entry: &'a Waiting) -> Need<'a> {
        Need {
            plan: &self.plan,
            queue: entry.queue,
            language: entry.caller.language.as_deref().unwrap_or(&self.plan.language),
            overflowed: entry.overflowed,
            escalated: entry.escalated,
        }
    }

    /// Agents who are there and could take the caller, now or after the overflow.
    fn staffed(&self, entry: &Waiting) -> impl Iterator<Item = (AgentId, &Agent)> {
        let overflows = self.plan.queues[entry.queue.0].spec.overflow_seconds > 0;
        let language = entry.caller.language.as_deref().unwrap_or(&self.plan.language).to_owned();
        let (queue, escalated) = (entry.queue, entry.escalated);
        let overflowed = entry.overflowed || overflows;
        let all = self.plan.agents.iter().zip(&self.seats).enumerate();
        all.filter(move |(_, (agent, seat))| {
            let need = Need { plan: &self.plan, queue, language: &language, overflowed, escalated };
            seat.state.is_staffed() && need.refuses(agent).is_none()
        })
        .map(|(n, (agent, _))| (AgentId(n), agent))
    }

    fn route(&self, now: Timestamp, caller: &Caller) -> Route {
        let mut why = Vec::new();
        let queue = queue_for(&self.plan, caller, &mut why);
        let declared = &self.plan.queues[queue.0];
        // Who is called back was promised it; the hours for that are the callback's.
        let refusal = if caller.call_back { None } else { self.refusal(now, caller, queue) };
        let to = match refusal {
            None => RouteTo::Queue,
            Some(step) => {
                why.push(step);
                RouteTo::Offer(declared.spec.otherwise.clone())
            }
        };
        Route { queue, to, why }
    }

    fn refusal(&self, now: Timestamp, caller: &Caller, queue: QueueId) -> Option<Step> {
        let declared = &self.plan.queues[queue.0];
        if let Some(hours) = declared.hours.as_ref().filter(|hours| !hours.is_open(now)) {
            let opens = hours.next_open(now).map(|at| at.to_zoned(hours.zone().clone()));
            return Some(Step::Closed { opens });
        }
        let waiting = self.line.len_of(queue);
        if u32::try_from(waiting).is_ok_and(|n| n >= declared.spec.max_waiting) {
            return Some(Step::Full { waiting });
        }
        let entry = self.entry(now, caller.clone(), queue);
        self.staffed(&entry).next().is_none().then_some(Step::Unstaffed)
    }

    fn entry(&self, now: Timestamp, caller: Caller, queue: QueueId) -> Waiting {
        let spec = &self.plan.queues[queue.0].spec;
        let preferred = last_agent(&self.plan, queue, &caller).map(|(agent, _)| agent);
        let is_busy = |agent: &AgentId| {
            let state = &self.seats[agent.0].state;
            state.is_staffed() && !matches!(state, AgentState::Idle { .. })
        };
        let kept = preferred.filter(|_| spec.last_agent_seconds > 0).filter(is_busy);
        let first = seconds(self.plan.announce.first_seconds);
        Waiting {
            queue,
            since: caller.since.unwrap_or(now).min(now),
            entered: now,
            priority: i64::from(spec.priority),
            ringing: None,
            kept_for: kept.map(|agent| (agent, later(now, seconds(spec.last_agent_seconds)))),
            preferred,
            unanswered: 0,
            next_announcement: (!caller.call_back).then(|| later(now, first)),
            overflowed: false,
            escalated: false,
            is_elsewhere: false,
            not_before: None,
            caller,
        }
    }

    fn queue(&mut self, now: Timestamp, caller: Caller) {
        let call = caller.call.clone();
        // A call is in the line once, however often it is reported.
        if self.line.get(&call).is_some() || self.talks.contains_key(&call) {
            return;
        }
        let route = self.route(now, &caller);
        if route.to == RouteTo::Queue {
            let entry = self.entry(now, caller, route.queue);
            self.line.insert(entry, self.plan.age_seconds);
        }
        self.actions.push_back(Action::Routed { call, route });
    }

    /// Rings whoever is free for those who wait, first served first.
    pub(super) fn serve(&mut self, now: Timestamp) {
        if self.line.is_empty() {
            return;
        }
        let mut free = self.seats.iter().filter(|seat| seat.idle_since().is_some()).count();
        let mut rings = Vec::new();
        let may_ring = |entry: &&Waiting| {
            entry.ringing.is_none() && entry.not_before.is_none_or(|not_before| not_before <= now)
        };
        for entry in self.line.iter().filter(may_ring) {
            if free == 0 {
                break;
            }
            if let Some(agent) = self.pick_except(now, entry, &rings) {
                rings.push((entry.caller.call.clone(), agent));
                free -= 1;
            }
        }
        // Whom another node rings for is kept free here.
        for (call, agent) in rings {
            self.ring(now, &call, agent);
        }
    }

    /// As [`Desk::pick`], with agents left out who are being rung in the same moment.
    fn pick_except(&self, now: Timestamp, entry: &Waiting, rung: &[(CallId, AgentId)]) -> Option<AgentId> {
        if rung.is_empty() {
            return self.pick(now, entry, None);
        }
        let mut seats = self.seats.clone();
        for (call, agent) in rung {
            seats[agent.0].state = AgentState::Ringing { call: call.clone() };
        }
        self.pick_of(&seats, now, entry, None)
    }

    fn pick(&self, now: Timestamp, entry: &Waiting, why: Option<&mut Vec<Step>>) -> Option<AgentId> {
        self.pick_of(&self.seats, now, entry, why)
    }

    fn pick_of(
        &self,
        seats: &[Seat],
        now: Timestamp,
        entry: &Waiting,
        mut why: Option<&mut Vec<Step>>,
    ) -> Option<AgentId> {
        let need = self.need(entry);
        let fits = |agent: &AgentId| need.refuses(&self.plan.agents[agent.0]).is_none();
        if let Some(agent) = entry.preferred.filter(fits) {
            if seats[agent.0].idle_since().is_some() {
                if let Some(why) = why {
                    let rating = entry.caller.last.as_ref().and_then(|last| last.rating).unwrap_or(0);
                    why.push(Step::LastAgent { agent: self.name(agent), rating });
                }
                return Some(agent);
            }
            if entry.kept_for.is_some() && seats[agent.0].state.is_staffed() {
                if let Some(why) = why.as_deref_mut() {
                    let seconds = self.plan.queues[entry.queue.0].spec.last_agent_seconds;
                    why.push(Step::Kept { agent: self.name(agent), seconds });
                }
                return None;
            }
        }
        choose(&need, seats, now, why)
    }

    fn ring(&mut self, now: Timestamp, call: &CallId, agent: AgentId) {
        let Some(entry) = self.line.get_mut(call).filter(|entry| !entry.is_elsewhere) else { return };
        let for_ = seconds(self.plan.queues[entry.queue.0].spec.ring_seconds);
        entry.ringing = Some(Ringing { agent, until: later(now, for_) });
        let seat = &mut self.seats[agent.0];
        seat.state = AgentState::Ringing { call: call.clone() };
        seat.rung = Some(now);
        self.actions.push_back(Action::Ring { call: call.clone(), agent, for_ });
    }

    /// A telephone that was picked up is not one that nobody answers, however long the briefing is.
    fn picked_up(&mut self, call: &CallId) {
        if let Some(ringing) = self.line.get_mut(call).and_then(|entry| entry.ringing.as_mut()) {
            ringing.until = Timestamp::MAX;
        }
    }

    fn answered(&mut self, now: Timestamp, call: &CallId) {
        let Some(ringing) = self.line.get(call).and_then(|entry| entry.ringing) else { return };
        let Some(entry) = self.line.remove(call) else { return };
        let agent = ringing.agent;
        let seat = &mut self.seats[agent.0];
        seat.state = AgentState::Talking { call: call.clone(), since: now };
        let ring = seat.rung.map_or(Duration::ZERO, |rung| between(rung, now));
        self.talks.insert(call.clone(), Talk { agent, queue: entry.queue, ring, since: now });
        let call_back = entry.caller.call_back;
        self.actions.push_back(Action::Connect { call: call.clone(), agent, call_back });
        self.record_left(now, &entry, Outcome::Answered, Some(agent));
    }

    /// Back into the line, at the same place; the agent gets no calls until they say that they are there.
    fn rang_in_vain(&mut self, call: &CallId, why: AwayReason) {
        let Some(entry) = self.line.get_mut(call) else { return };
        let Some(Ringing { agent, .. }) = entry.ringing.take() else { return };
        entry.unanswered += 1;
        // The caller waits for this agent no longer.
        entry.kept_for = None;
        let seat = &mut self.seats[agent.0];
        seat.state = match seat.afterwards.take() {
            Some(Afterwards::SignOut) => AgentState::SignedOut,
            Some(Afterwards::Pause) | None => AgentState::Away { why },
        };
        self.actions.push_back(Action::MarkedAway { agent, why });
    }

    fn leave(&mut self, now: Timestamp, call: &CallId, outcome: Outcome) {
        let Some(entry) = self.line.remove(call) else { return };
        if let Some(Ringing { agent, .. }) = entry.ringing {
            self.actions.push_back(Action::StopRinging { call: call.clone(), agent });
            self.settle(now, agent);
        }
        self.record_left(now, &entry, outcome, None);
    }

    fn record_left(&mut self, now: Timestamp, entry: &Waiting, outcome: Outcome, agent: Option<AgentId>) {
        self.actions.push_back(Action::Left(Left {
            call: entry.caller.call.clone(),
            queue: entry.queue,
            since: entry.since,
            waited: between(entry.entered, now),
            outcome,
            agent,
            unanswered: entry.unanswered,
            overflowed: entry.overflowed,
            escalated: entry.escalated,
            call_back: entry.caller.call_back,
        }));
    }

    fn end(&mut self, now: Timestamp, call: &CallId) {
        let Some(Talk { agent, queue, ring, since }) = self.talks.remove(call) else { return };
        let talk = between(since, now);
        let seat = &mut self.seats[agent.0];
        seat.writing = Some(Writing { call: call.clone(), queue, ring, talk, since: now });
        let wrap_up = self.plan.queues[queue.0].spec.wrap_up_seconds;
        seat.state = AgentState::WrapUp { until: later(now, seconds(wrap_up)) };
        if wrap_up == 0 {
            self.finish_writing(now, agent);
        }
    }

    fn finish_writing(&mut self, now: Timestamp, agent: AgentId) {
        let seat = &mut self.seats[agent.0];
        if let Some(Writing { call, queue, ring, talk, since }) = seat.writing.take() {
            let wrap_up = between(since, now);
            seat.busy += talk + wrap_up;
            // To those who wait, a telephone that rings is an agent who is not free.
            self.times[queue.0].add(ring, talk + wrap_up);
            self.actions.push_back(Action::Handled { call, agent, queue, ring, talk, wrap_up });
        }
        self.settle(now, agent);
    }

    /// What an agent does who has nothing in hand.
    pub(super) fn settle(&mut self, now: Timestamp, agent: AgentId) {
        let seat = &mut self.seats[agent.0];
        seat.state = match seat.afterwards.take() {
            None => AgentState::Idle { since: now },
            Some(Afterwards::SignOut) => AgentState::SignedOut,
            Some(Afterwards::Pause) => AgentState::Away { why: AwayReason::Pause },
        };
    }

    pub(super) fn ready(&mut self, now: Timestamp, agent: AgentId) {
        let Some(seat) = self.seats.get_mut(agent.0) else { return };
        seat.afterwards = None;
        match &seat.state {
            AgentState::SignedOut | AgentState::Away { .. } => {
                seat.state = AgentState::Idle { since: now };
            }
            AgentState::WrapUp { .. } => self.finish_writing(now, agent),
            // A call of the agent's own is over when they say so.
            AgentState::Talking { call, .. } if !self.talks.contains_key(call) => {
                seat.state = AgentState::Idle { since: now };
            }
            AgentState::Idle { .. } | AgentState::Ringing { .. } | AgentState::Talking { .. } => {}
        }
    }

    pub(super) fn go(&mut self, now: Timestamp, agent: AgentId, afterwards: Afterwards) {
        let Some(seat) = self.seats.get_mut(agent.0) else { return };
        let was_signed_out = seat.state == AgentState::SignedOut;
        if was_signed_out {
            return;
        }
        seat.afterwards = Some(afterwards);
        match seat.state.clone() {
            AgentState::Talking { .. } => {}
            AgentState::WrapUp { .. } => self.finish_writing(now, agent),
            AgentState::Ringing { call } => {
                if let Some(entry) = self.line.get_mut(&call) {
                    entry.ringing = None;
                }
                self.actions.push_back(Action::StopRinging { call, agent });
                self.settle(now, agent);
            }
            AgentState::SignedOut | AgentState::Idle { .. } | AgentState::Away { .. } => {
                self.settle(now, agent);
            }
        }
    }

    /// What a wait brings with it by `now`: overflow, escalation, an end of ringing.
    pub(super) fn age(&mut self, now: Timestamp, call: &CallId) {
        let Some(entry) = self.line.get_mut(call) else { return };
        let spec = &self.plan.queues[entry.queue.0].spec;
        if entry.kept_for.is_some_and(|(_, until)| until <= now) {
            entry.kept_for = None;
        }
        entry.not_before = entry.not_before.filter(|not_before| *not_before > now);
        let waited = between(entry.entered, now);
        if spec.overflow_seconds > 0 && waited >= seconds(spec.overflow_seconds) {
            entry.overflowed = true;
        }
        if spec.escalate_seconds > 0 && !entry.escalated && waited >= seconds(spec.escalate_seconds) {
            entry.escalated = true;
            if entry.is_elsewhere {
                return;
            }
            self.actions.push_back(Action::Escalate { call: call.clone(), since: entry.since });
        }
        if let Some(Ringing { agent, until }) = entry.ringing {
            if until > now {
                return;
            }
            self.actions.push_back(Action::StopRinging { call: call.clone(), agent });
            self.rang_in_vain(call, AwayReason::NoAnswer);
        }
    }

    fn announce_or_offer(&mut self, now: Timestamp, call: &CallId) {
        let Some(entry) = self.line.get(call).filter(|entry| entry.ringing.is_none()) else { return };
        let Some(due) = entry.next_announcement else { return };
        let spec = &self.plan.queues[entry.queue.0].spec;
        let is_over = between(entry.entered, now) >= seconds(spec.max_wait_seconds);
        // Whom nobody can take is not left to the music.
        let is_forsaken = due <= now && self.staffed(entry).next().is_none();
        if is_over || is_forsaken {
            let ways_out = spec.otherwise.clone();
            self.leave(now, call, Outcome::TimedOut);
            self.actions.push_back(Action::Offer { call: call.clone(), ways_out });
            return;
        }
        if due > now {
            return;
        }
        let (position, wait) = self.outlook(entry);
        let ways_out = self.plan.announce.ways_out.clone();
        self.actions.push_back(Action::Announce { call: call.clone(), position, wait, ways_out });
        let next = later(now, seconds(self.plan.announce.every_seconds));
        if let Some(entry) = self.line.get_mut(call) {
            entry.next_announcement = Some(next);
        }
    }

    /// The place in the queue, and the wait that goes with it. Callers of other queues who wait for the same
    /// agents are ahead too, although they are not in the same queue.
    fn outlook(&self, entry: &Waiting) -> (usize, Option<super::Estimate>) {
        let mine = self.serving(entry);
        let before = || self.line.iter().take_while(|other| other.caller.call != entry.caller.call);
        let position = 1 + before().filter(|other| other.queue == entry.queue).count();
        let competes = |other: &&Waiting| {
            other.ringing.is_none()
                && (other.queue == entry.queue
                    || self.serving(other).iter().any(|agent| mine.contains(agent)))
        };
        let ahead = before().filter(competes).count();
        (position, self.times[entry.queue.0].estimate(ahead, self.share_of(&mine, entry)))
    }

    /// Agents who are there and may take the caller as things stand; after the overflow they may be more.
    fn serving(&self, entry: &Waiting) -> Vec<AgentId> {
        let need = self.need(entry);
        let all = self.plan.agents.iter().zip(&self.seats).enumerate();
        let fit = all.filter(|(_, (agent, seat))| seat.state.is_staffed() && need.refuses(agent).is_none());
        fit.map(|(n, _)| AgentId(n)).collect()
    }

    /// How many agents a queue has, each counted by the share that is left where other queues want them too.
    fn share_of(&self, agents: &[AgentId], entry: &Waiting) -> f64 {
        let language = entry.caller.language.as_deref().unwrap_or(&self.plan.language);
        let is_busy = |queue: &QueueId| *queue == entry.queue || self.times[queue.0].is_measured();
        let queues: Vec<QueueId> = (0..self.plan.queues.len()).map(QueueId).filter(is_busy).collect();
        let wanted_by = |agent: &AgentId| {
            let declared = &self.plan.agents[agent.0];
            let serves = |queue: &&QueueId| {
                let need =
                    Need { plan: &self.plan, queue: **queue, language, overflowed: false, escalated: false };
                **queue == entry.queue || need.refuses(declared).is_none()
            };
            queues.iter().filter(serves).count()
        };
        agents.iter().map(|agent| 1.0 / wanted_by(agent).max(1) as f64).sum()
    }

    /// When something happens to one who waits without an event.
    fn next_of(&self, entry: &Waiting) -> Option<Timestamp> {
        if let Some(Ringing { until, .. }) = entry.ringing {
            return Some(until);
        }
        let spec = &self.plan.queues[entry.queue.0].spec;
        let once =
            |after: u32, done: bool| (after > 0 && !done).then(|| later(entry.entered, seconds(after)));
        let end = entry.next_announcement.map(|_| later(entry.entered, seconds(spec.max_wait_seconds)));
        [
            once(spec.overflow_seconds, entry.overflowed),
            once(spec.escalate_seconds, entry.escalated),
            entry.kept_for.map(|(_, until)| until),
            entry.next_announcement,
            entry.not_before,
            end,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
