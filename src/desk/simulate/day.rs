//! Plays a day.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;
use toml::Spanned;

use super::report::{DayReport, Tally, as_f64, share};
use super::spec::{ArrivalSpec, DayError, DaySpec, StaffSpec, hours_ms};
use crate::call::{CallId, Dnis, IntentName};
use crate::desk::plan::{Agent, DeskPlan};
use crate::desk::{
    Action, AgentId, AgentSpec, AgentState, Caller, Desk, Event, Left, Outcome, QueueId, RouteTo, WayOut,
};

const HOUR_MS: f64 = 3_600_000.0;

/// Plays a day through `plan`'s queues, with the day's staff in place of its agents.
///
/// Midnight of the day is 1970-01-05, a Monday, in the plan's zone.
///
/// # Errors
/// Where the hours or the words of the day cannot be read.
pub fn simulate(plan: &DeskPlan, day: &DaySpec) -> Result<DayReport, DayError> {
    let wrong = |message: String| DayError { path: "the day".to_owned(), line: 1, message };
    let (agents, shifts) = staff(plan, day).map_err(wrong)?;
    let plan = Arc::new(plan.with_agents(agents));
    let mut world = World::new(plan, day, &shifts);
    world.arrivals().map_err(wrong)?;
    world.play();
    Ok(world.report(&shifts))
}

/// The agents of a day, and for each the hours and the kind.
fn staff(plan: &DeskPlan, day: &DaySpec) -> Result<(Vec<Agent>, Vec<Shift>), String> {
    let (mut agents, mut shifts) = (Vec::new(), Vec::new());
    for (kind, table) in day.staff.iter().map(Spanned::get_ref).enumerate() {
        let (from_ms, until_ms) = hours_ms(table.hours.as_deref())?;
        for n in 0..table.count {
            agents.push(agent(plan, table, kind, n));
            shifts.push(Shift { from_ms, until_ms, kind });
        }
    }
    Ok((agents, shifts))
}

fn agent(plan: &DeskPlan, staff: &StaffSpec, kind: usize, n: u32) -> Agent {
    let languages = if staff.languages.is_empty() {
        [plan.language.clone()].into()
    } else {
        staff.languages.iter().cloned().collect()
    };
    let spec = AgentSpec {
        name: format!("agent-{}-{}", kind + 1, n + 1),
        rings: "sip:nobody@invalid".to_owned(),
        skills: staff.skills.clone(),
        languages: staff.languages.clone(),
        supervisor: staff.supervisor,
        pin: None,
    };
    Agent { spec, languages }
}

struct Shift {
    from_ms: u64,
    until_ms: u64,
    kind: usize,
}

/// What is to happen; the order of the variants is the order within one millisecond.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    SignIn(usize),
    Arrival { kind: usize, n: u64 },
    Answer { call: u64, agent: usize },
    End { call: u64 },
    GiveUp { call: u64 },
    Back { agent: usize },
    SignOut(usize),
}

/// One caller, while there.
struct Guest {
    kind: usize,
    interval: usize,
    came_ms: u64,
    /// When the caller was first told how long it would be at most, and until when that was.
    told: Option<u64>,
    is_answered: bool,
}

struct World<'a> {
    day: &'a DaySpec,
    desk: Desk,
    rng: Rng,
    midnight: Timestamp,
    now_ms: u64,
    heap: BinaryHeap<Reverse<(u64, Due)>>,
    guests: BTreeMap<u64, Guest>,
    kinds: Vec<usize>,
    queues: Vec<Tally>,
    intervals: Vec<Tally>,
    told: u64,
    told_true: u64,
}

impl<'a> World<'a> {
    fn new(plan: Arc<DeskPlan>, day: &'a DaySpec, shifts: &[Shift]) -> World<'a> {
        let monday = jiff::civil::date(1970, 1, 5).to_zoned(plan.zone.clone());
        let queues = plan.queues.iter().map(|_| Tally::default()).collect();
        let intervals = (0..1_440_u32.div_ceil(day.interval_minutes)).map(|_| Tally::default()).collect();
        let mut heap = BinaryHeap::new();
        for (n, shift) in shifts.iter().enumerate() {
            heap.push(Reverse((shift.from_ms, Due::SignIn(n))));
            heap.push(Reverse((shift.until_ms, Due::SignOut(n))));
        }
        World {
            day,
            desk: Desk::new(plan),
            rng: Rng::with_seed(day.seed),
            midnight: monday.map_or(Timestamp::UNIX_EPOCH, |midnight| midnight.timestamp()),
            now_ms: 0,
            heap,
            guests: BTreeMap::new(),
            kinds: shifts.iter().map(|shift| shift.kind).collect(),
            queues,
            intervals,
            told: 0,
            told_true: 0,
        }
    }

    /// A Poisson process for each kind of caller: the times from one to the next are exponential.
    fn arrivals(&mut self) -> Result<(), String> {
        let mut n = 0;
        for (kind, arrivals) in self.day.arrivals.iter().map(Spanned::get_ref).enumerate() {
            let (from, until) = hours_ms(arrivals.hours.as_deref())?;
            if arrivals.calls_per_hour <= 0.0 {
                continue;
            }
            let mut at = as_f64(from);
            loop {
                at += self.exponential(HOUR_MS / arrivals.calls_per_hour);
                if at >= as_f64(until) {
                    break;
                }
                self.heap.push(Reverse((at as u64, Due::Arrival { kind, n })));
                n += 1;
            }
        }
        Ok(())
    }

    /// A time of an exponential distribution, in milliseconds.
    fn exponential(&mut self, mean_ms: f64) -> f64 {
        // 1 - f64() is never 0, whose logarithm there is none of.
        -(1.0 - self.rng.f64()).ln() * mean_ms
    }

    fn now(&self) -> Timestamp {
        crate::desk::queue::later(self.midnight, Duration::from_millis(self.now_ms))
    }

    fn ms_of(&self, at: Timestamp) -> u64 {
        u64::try_from(at.as_millisecond() - self.midnight.as_millisecond()).unwrap_or(0)
    }

    fn after(&mut self, ms: f64, due: Due) {
        self.heap.push(Reverse((self.now_ms + ms as u64, due)));
    }

    fn play(&mut self) {
        loop {
            let event = self.heap.peek().map(|Reverse((at, _))| *at);
            let timeout = self.desk.poll_timeout().map(|at| self.ms_of(at));
            match (event, timeout) {
                (None, None) => break,
                (Some(at), timeout) if timeout.is_none_or(|t| at <= t) => {
                    self.now_ms = at;
                    if let Some(Reverse((_, due))) = self.heap.pop() {
                        self.happen(due);
                    }
                }
                (_, Some(at)) => {
                    self.now_ms = self.now_ms.max(at);
                    self.desk.handle_timeout(self.now());
                }
                (Some(_), None) => {}
            }
            while let Some(action) = self.desk.poll_action() {
                self.act(action);
            }
        }
    }

    fn happen(&mut self, due: Due) {
        let event = match due {
            Due::SignIn(agent) => Event::SignedIn(AgentId(agent)),
            Due::SignOut(agent) => Event::SignedOut(AgentId(agent)),
            // Whose shift is over stays at home.
            Due::Back { agent } if *self.desk.state(AgentId(agent)) == AgentState::SignedOut => return,
            Due::Back { agent } => Event::Ready(AgentId(agent)),
            Due::Arrival { kind, n } => {
                let caller = self.caller(kind, n);
                Event::Queued(caller)
            }
            Due::Answer { call, agent } => {
                let rings = matches!(
                    self.desk.state(AgentId(agent)),
                    AgentState::Ringing { call: ringing } if *ringing == id(call)
                );
                if !rings {
                    return;
                }
                Event::Answered(id(call))
            }
            Due::End { call } => Event::Ended(id(call)),
            // Of those who have been answered it is no event.
            Due::GiveUp { call } if self.guests.get(&call).is_some_and(|guest| !guest.is_answered) => {
                Event::HungUp(id(call))
            }
            Due::GiveUp { .. } => return,
        };
        self.desk.handle_event(self.now(), event);
    }

    fn spec(&self, kind: usize) -> &'a ArrivalSpec {
        self.day.arrivals[kind].get_ref()
    }

    fn caller(&mut self, kind: usize, n: u64) -> Caller {
        let spec = self.spec(kind);
        let interval = self.now_ms / (u64::from(self.day.interval_minutes) * 60_000);
        let interval = usize::try_from(interval).unwrap_or(0).min(self.intervals.len() - 1);
        let came_ms = self.now_ms;
        self.guests.insert(n, Guest { kind, interval, came_ms, told: None, is_answered: false });
        Caller {
            intent: spec.intent.as_ref().and_then(|intent| intent.parse::<IntentName>().ok()),
            language: spec.language.clone(),
            tier: spec.tier.clone(),
            dnis: spec.dialled.as_ref().and_then(|number| number.parse::<Dnis>().ok()),
            ..Caller::new(id(n), &spec.skill)
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Routed { call, route } => self.routed(number(&call), route.queue, &route.to),
            Action::Ring { call, agent, .. } => self.ring(number(&call), agent),
            Action::Connect { call, .. } => {
                let call = number(&call);
                let mean = self.guests.get(&call).map_or(0.0, |guest| self.spec(guest.kind).talk_seconds);
                let talk = self.exponential(mean * 1_000.0);
                self.after(talk, Due::End { call });
            }
            Action::Announce { call, wait, .. } => self.told(number(&call), wait),
            Action::MarkedAway { agent, .. } => self.after(60_000.0, Due::Back { agent: agent.0 }),
            Action::Left(left) => self.left(&left),
            Action::Handled { queue, talk, wrap_up, .. } => {
                let tally = &mut self.queues[queue.0];
                tally.handled += 1;
                tally.handle_ms += u64::try_from((talk + wrap_up).as_millis()).unwrap_or(0);
            }
            Action::StopRinging { .. } | Action::Escalate { .. } | Action::Offer { .. } => {}
        }
    }

    fn routed(&mut self, call: u64, queue: QueueId, to: &RouteTo) {
        let Some(guest) = self.guests.get(&call) else { return };
        let (kind, interval) = (guest.kind, guest.interval);
        for tally in [&mut self.queues[queue.0], &mut self.intervals[interval]] {
            tally.offered += 1;
            tally.turned_away += u64::from(*to != RouteTo::Queue);
        }
        if *to != RouteTo::Queue {
            self.guests.remove(&call);
        } else if let Some(patience) = self.spec(kind).patience_seconds {
            let patience = self.exponential(patience * 1_000.0);
            self.after(patience, Due::GiveUp { call });
        }
    }

    fn ring(&mut self, call: u64, agent: AgentId) {
        let staff = self.day.staff[self.kinds[agent.0]].get_ref();
        if staff.unanswered_share > 0.0 && self.rng.f64() < staff.unanswered_share {
            return;
        }
        let delay =
            if staff.answer_seconds > 0.0 { self.exponential(staff.answer_seconds * 1_000.0) } else { 0.0 };
        self.after(delay, Due::Answer { call, agent: agent.0 });
    }

    fn told(&mut self, call: u64, wait: Option<crate::desk::Estimate>) {
        let Some(guest) = self.guests.get_mut(&call) else { return };
        let share = self.day.arrivals[guest.kind].get_ref().callback_share;
        if let (Some(wait), None) = (wait, guest.told) {
            guest.told = Some(self.now_ms + u64::try_from(wait.at_most.as_millis()).unwrap_or(u64::MAX));
        }
        if share > 0.0 && self.rng.f64() < share {
            self.desk.handle_event(self.now(), Event::Chose(id(call), WayOut::Callback));
        }
    }

    fn left(&mut self, left: &Left) {
        let call = number(&left.call);
        let Some(guest) = self.guests.get_mut(&call) else { return };
        guest.is_answered = left.outcome == Outcome::Answered;
        let wait_ms = self.now_ms - guest.came_ms;
        let is_in_time = wait_ms <= u64::from(self.day.target_seconds) * 1_000;
        for tally in [&mut self.queues[left.queue.0], &mut self.intervals[guest.interval]] {
            match left.outcome {
                Outcome::Answered => {
                    tally.waits_ms.push(wait_ms);
                    tally.within_target += u64::from(is_in_time);
                }
                Outcome::Abandoned => tally.abandoned += 1,
                Outcome::Callback => tally.callbacks += 1,
                Outcome::Voicemail | Outcome::Line | Outcome::TimedOut => tally.turned_away += 1,
            }
        }
        // Who gave up proves nothing about the promise.
        if let (Some(until), Outcome::Answered) = (guest.told, left.outcome) {
            self.told += 1;
            self.told_true += u64::from(self.now_ms <= until);
        }
        if left.outcome != Outcome::Answered {
            self.guests.remove(&call);
        }
    }

    fn report(&self, shifts: &[Shift]) -> DayReport {
        let mut all = Tally::default();
        for tally in &self.queues {
            all.offered += tally.offered;
            all.abandoned += tally.abandoned;
            all.callbacks += tally.callbacks;
            all.turned_away += tally.turned_away;
            all.within_target += tally.within_target;
            all.waits_ms.extend(&tally.waits_ms);
            all.handled += tally.handled;
            all.handle_ms += tally.handle_ms;
        }
        let staffed: u64 = shifts.iter().map(|shift| shift.until_ms - shift.from_ms).sum();
        let plan = self.desk.plan();
        let queues = self.queues.iter().zip(&plan.queues);
        let total = all.report("", Some(share(all.handle_ms, staffed)));
        let minutes = self.day.interval_minutes;
        let rows = self.intervals.iter().zip((0..).step_by(minutes as usize));
        let intervals = rows.filter(|(tally, _)| tally.offered > 0).map(|(tally, from): (&Tally, u32)| {
            let until = (from + minutes).min(1_440);
            let (from_ms, until_ms) = (u64::from(from) * 60_000, u64::from(until) * 60_000);
            let there: u64 = shifts
                .iter()
                .map(|shift| shift.until_ms.min(until_ms).saturating_sub(shift.from_ms.max(from_ms)))
                .sum();
            let hours = f64::from(until - from) / 60.0;
            let agents = share(there, until_ms - from_ms);
            tally.interval(from, hours, agents, total.handle_seconds, self.day.target_seconds)
        });
        DayReport {
            seed: self.day.seed,
            target_seconds: self.day.target_seconds,
            intervals: intervals.collect(),
            queues: queues.map(|(tally, queue)| tally.report(&queue.spec.name, None)).collect(),
            total,
            told: self.told,
            told_true: (self.told > 0).then(|| share(self.told_true, self.told)),
        }
    }
}

fn id(n: u64) -> CallId {
    format!("call-{n}").parse().expect("a number makes an id")
}

fn number(id: &CallId) -> u64 {
    id.as_str().rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(u64::MAX)
}
