//! What a simulated day shows.

use serde::Serialize;

use crate::desk::erlang::{ErlangC, Load};

/// A day, in all and by interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DayReport {
    /// What everything random was made from.
    pub seed: u64,
    /// Within so many seconds is within the service level.
    pub target_seconds: u32,
    /// All callers.
    pub total: QueueReport,
    /// By queue, in the order of `desk.toml`.
    pub queues: Vec<QueueReport>,
    /// By time of day, all queues together.
    pub intervals: Vec<IntervalReport>,
    /// Callers who were told how long it would last at most.
    pub told: u64,
    /// The share of them who waited no longer from then on.
    pub told_true: Option<f64>,
}

/// What became of callers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QueueReport {
    /// The queue; empty for all.
    pub name: String,
    /// Who came.
    pub offered: u64,
    /// Who got a person.
    pub answered: u64,
    /// Who hung up waiting.
    pub abandoned: u64,
    /// Who asked to be called back.
    pub callbacks: u64,
    /// Whom nobody took: closed, full, nobody there, or the longest wait was over.
    pub turned_away: u64,
    /// The share of those who came that was answered within the target.
    pub service_level: f64,
    /// The mean wait of those who were answered, in seconds.
    pub mean_wait_seconds: f64,
    /// Half of them waited no longer.
    pub median_wait_seconds: f64,
    /// Nineteen in twenty waited no longer.
    pub p95_wait_seconds: f64,
    /// The mean time that a call took an agent, in seconds.
    pub handle_seconds: f64,
    /// The share of the agents' time that was spent on calls; for all queues together only.
    pub occupancy: Option<f64>,
}

/// What became of those who came in a part of the day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IntervalReport {
    /// Minutes after midnight.
    pub from_minutes: u32,
    /// Who came.
    pub offered: u64,
    /// Who hung up waiting.
    pub abandoned: u64,
    /// The share of those who came that was answered within the target.
    pub service_level: f64,
    /// The mean wait of those who were answered, in seconds.
    pub mean_wait_seconds: f64,
    /// Agents signed in, in the mean.
    pub agents: f64,
    /// Erlang C for the interval's own load and agents; `None` where the load is more than they can bear.
    pub erlang: Option<ErlangC>,
    /// Its share of callers answered within the target.
    pub erlang_service_level: Option<f64>,
}

/// What is counted of callers.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) offered: u64,
    pub(super) abandoned: u64,
    pub(super) callbacks: u64,
    pub(super) turned_away: u64,
    pub(super) within_target: u64,
    /// Of those who were answered, in milliseconds.
    pub(super) waits_ms: Vec<u64>,
    pub(super) handled: u64,
    pub(super) handle_ms: u64,
}

impl Tally {
    pub(super) fn report(&self, name: &str, occupancy: Option<f64>) -> QueueReport {
        let mut waits = self.waits_ms.clone();
        waits.sort_unstable();
        let quantile = |q: usize| {
            let at = (waits.len() * q / 100).min(waits.len().saturating_sub(1));
            waits.get(at).map_or(0.0, |ms| seconds(*ms))
        };
        QueueReport {
            name: name.to_owned(),
            offered: self.offered,
            answered: count(waits.len()),
            abandoned: self.abandoned,
            callbacks: self.callbacks,
            turned_away: self.turned_away,
            service_level: self.service_level(),
            mean_wait_seconds: self.mean_wait(),
            median_wait_seconds: quantile(50),
            p95_wait_seconds: quantile(95),
            handle_seconds: share(self.handle_ms, self.handled) / 1_000.0,
            occupancy,
        }
    }

    pub(super) fn service_level(&self) -> f64 {
        share(self.within_target, self.offered)
    }

    pub(super) fn mean_wait(&self) -> f64 {
        share(self.waits_ms.iter().sum(), count(self.waits_ms.len())) / 1_000.0
    }

    /// `hours` is the interval's length and `handle_seconds` the day's mean.
    pub(super) fn interval(
        &self,
        from_minutes: u32,
        hours: f64,
        agents: f64,
        handle_seconds: f64,
        target_seconds: u32,
    ) -> IntervalReport {
        let erlang = ErlangC::of(Load {
            calls_per_hour: as_f64(self.offered) / hours,
            handle_seconds,
            agents: whole(agents),
        });
        IntervalReport {
            from_minutes,
            offered: self.offered,
            abandoned: self.abandoned,
            service_level: self.service_level(),
            mean_wait_seconds: self.mean_wait(),
            agents,
            erlang,
            erlang_service_level: erlang.map(|e| e.service_level(f64::from(target_seconds))),
        }
    }
}

fn seconds(ms: u64) -> f64 {
    as_f64(ms) / 1_000.0
}

pub(super) fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// A part of a whole; 0 of nothing.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { as_f64(part) / as_f64(whole) }
}

/// A day's counts are far below 2^53, where f64 is exact.
pub(super) fn as_f64(n: u64) -> f64 {
    n as f64
}

/// Agents, rounded: Erlang's formula takes whole ones.
fn whole(agents: f64) -> u32 {
    agents.round() as u32
}
