//! The callers who wait, in the order in which they are served.

use std::time::Duration;

use jiff::Timestamp;

use super::{AgentId, Caller};
use crate::call::CallId;

/// A queue of a [`DeskPlan`](super::DeskPlan): the place in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub usize);

/// One who waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) caller: Caller,
    pub(super) queue: QueueId,
    /// When the caller came; a kept place keeps it.
    pub(super) since: Timestamp,
    /// When the entry was made: what the longest wait and the announcements count from.
    pub(super) entered: Timestamp,
    /// Points before others, escalation included.
    pub(super) priority: i64,
    pub(super) ringing: Option<Ringing>,
    /// Kept for this agent alone until then.
    pub(super) kept_for: Option<(AgentId, Timestamp)>,
    /// The agent spoken to last, who goes first when idle.
    pub(super) preferred: Option<AgentId>,
    pub(super) unanswered: u32,
    pub(super) next_announcement: Option<Timestamp>,
    pub(super) overflowed: bool,
    pub(super) escalated: bool,
    /// The caller is another node's: in the order like all, but never rung for from here.
    pub(super) is_elsewhere: bool,
    /// Nobody is rung before then, unless there is news.
    pub(super) not_before: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Ringing {
    pub(super) agent: AgentId,
    pub(super) until: Timestamp,
}

impl Waiting {
    /// Who is served first has the least: the time of arrival, moved forward by `age_seconds` for each point
    /// of priority. Everyone ages alike, so that the order between two never changes by waiting alone.
    fn key(&self, age_seconds: u32) -> (i64, i64) {
        let points = self.priority.saturating_mul(i64::from(age_seconds) * 1_000);
        (self.since.as_millisecond().saturating_sub(points), self.entered.as_millisecond())
    }

    /// Whether it goes before another. Where all times are the same, one node's callers stay in the order in which
    /// they came; between nodes the call decides, so that all of them see one order.
    fn is_before(&self, other: &Waiting, age_seconds: u32) -> bool {
        let (mine, theirs) = (self.key(age_seconds), other.key(age_seconds));
        let is_tied = mine == theirs && self.is_elsewhere != other.is_elsewhere;
        mine < theirs || (is_tied && self.caller.call < other.caller.call)
    }
}

/// All who wait, first served first.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    entries: Vec<Waiting>,
}

impl Line {
    pub(super) fn insert(&mut self, entry: Waiting, age_seconds: u32) {
        let at = self.entries.partition_point(|other| !entry.is_before(other, age_seconds));
        self.entries.insert(at, entry);
    }

    pub(super) fn remove(&mut self, call: &CallId) -> Option<Waiting> {
        let at = self.entries.iter().position(|entry| entry.caller.call == *call)?;
        Some(self.entries.remove(at))
    }

    pub(super) fn get(&self, call: &CallId) -> Option<&Waiting> {
        self.entries.iter().find(|entry| entry.caller.call == *call)
    }

    pub(super) fn get_mut(&mut self, call: &CallId) -> Option<&mut Waiting> {
        self.entries.iter_mut().find(|entry| entry.caller.call == *call)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Waiting> {
        self.entries.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.entries.iter_mut()
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Waiting) -> bool) {
        self.entries.retain(keep);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len_of(&self, queue: QueueId) -> usize {
        self.entries.iter().filter(|entry| entry.queue == queue).count()
    }
}

/// `at`, so much later; the end of time where that is too much.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// From `earlier` to `later`; nothing where it is the other way round.
pub(super) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or(Duration::ZERO)
}

pub(super) fn seconds(n: u32) -> Duration {
    Duration::from_secs(u64::from(n))
}
