//! Places in queues, given, claimed and given up. The node that a caller is connected to gives the place; whoever claims
//! it serves it.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::claims::{after, claim, for_update, keep_promise, ms, number_of, time, unreadable};
use super::figures::{self, number, text};
use super::{Store, StoreError};
use crate::call::{Ani, CallId};
use crate::desk::{
    AgentId, Callback, CallbackPlan, DeskPlan, Outcome, QueueId, QueuePlace, Spoken, Window, digits,
};

/// A place in a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueEntry {
    /// Which call.
    pub call: CallId,
    /// The queue, by name.
    pub queue: String,
    /// The node that holds the caller's sound.
    pub node: String,
    /// The caller's number.
    pub ani: Option<Ani>,
    /// When the caller came.
    pub since: Timestamp,
    /// Points before others.
    pub priority: u8,
    /// When the place was taken: later than `since` where it was kept.
    pub entered: Timestamp,
    /// The caller's language, where it is not the line's.
    pub language: Option<String>,
    /// The agent spoken to last, by name.
    pub prefers: Option<String>,
    /// Until then it is kept for that agent.
    pub kept_until: Option<Timestamp>,
    /// Whether the caller is not on the line, and is called back: such a place is counted nowhere.
    pub call_back: bool,
    /// Who is being rung, by name.
    pub rings: Option<String>,
}

impl QueueEntry {
    /// A place of a caller of whom nothing else is known.
    pub fn new(call: CallId, queue: &str, node: &str, since: Timestamp) -> QueueEntry {
        QueueEntry {
            call,
            queue: queue.to_owned(),
            node: node.to_owned(),
            ani: None,
            since,
            priority: 0,
            entered: since,
            language: None,
            prefers: None,
            kept_until: None,
            call_back: false,
            rings: None,
        }
    }

    /// A caller's place at this node's desk.
    pub fn of(place: &QueuePlace, plan: &DeskPlan, node: &str, ani: Option<Ani>) -> QueueEntry {
        let queue = &plan.queues[place.queue.0].spec;
        let name = |agent: AgentId| plan.agents[agent.0].spec.name.clone();
        QueueEntry {
            ani,
            priority: queue.priority,
            entered: place.entered,
            language: place.language.clone(),
            prefers: place.prefers.map(name),
            kept_until: place.kept_until,
            call_back: place.call_back,
            rings: place.rings.map(name),
            ..QueueEntry::new(place.call.clone(), &queue.name, node, place.since)
        }
    }

    /// The place as a desk knows it; `None` where the plan has no such queue.
    pub fn place(&self, plan: &DeskPlan) -> Option<QueuePlace> {
        let queue = plan.queues.iter().position(|queue| queue.spec.name == self.queue)?;
        let agent = |name: &Option<String>| name.as_ref().and_then(|name| plan.agent(name));
        Some(QueuePlace {
            call: self.call.clone(),
            queue: QueueId(queue),
            language: self.language.clone(),
            since: self.since,
            entered: self.entered,
            prefers: agent(&self.prefers),
            kept_until: self.kept_until,
            call_back: self.call_back,
            rings: agent(&self.rings),
        })
    }

    /// What two callers have in common who are one: the digits of the number.
    fn same_as(&self) -> Option<String> {
        self.ani.as_ref().map(|ani| digits(ani.expose()))
    }
}

const ENQUEUE: &str = "
    INSERT INTO queue_entries (call_id, queue, node, ani, since_unix_ms, rank_ms, state, entered_unix_ms, language,
                               prefers, kept_until_unix_ms, call_back, same_as)
    VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $8, $9, $10, $11, $12) ON CONFLICT (call_id) DO NOTHING";

/// The place that is kept for whoever was promised a callback.
const KEPT_PLACE: &str = "
    SELECT since_unix_ms FROM callbacks WHERE same_as = $1 AND queue = $2 AND state <> 'over'";

/// Who has reached a person is not called back about it.
const REACHED_ANOTHER_WAY: &str = "
    UPDATE callbacks SET state = 'over', outcome = 'cancelled', due_unix_ms = NULL
    WHERE same_as = $1 AND state = 'waiting'";

const END_ENTRY: &str = "
    UPDATE queue_entries SET state = 'over', outcome = $2, agent = $3, waited_ms = $4, ended_unix_ms = $5
    WHERE call_id = $1 AND state <> 'over'";

/// A call's second place and those after it bear its id and a number.
const SPOKEN_LAST: &str = "
    SELECT q.agent, c.rating FROM queue_entries q
        LEFT JOIN calls c ON c.id IN (q.call_id, substr(q.call_id, 1, length(q.call_id) - 2))
    WHERE q.same_as = $1 AND q.outcome = 'answered' AND q.agent IS NOT NULL
    ORDER BY q.ended_unix_ms DESC, q.call_id DESC LIMIT 1";

const NEXT_ENTRY: &str = "
    SELECT * FROM queue_entries WHERE queue = $1 AND (state = 'waiting'
        OR (state = 'claimed' AND claim_until_unix_ms <= $2))
    ORDER BY rank_ms, call_id LIMIT 1";

impl Store {
    /// Gives a caller a place; false where the call has one, or had one. A point of `priority` counts as
    /// much as `age_seconds` of waiting.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn enqueue(&self, entry: &QueueEntry, age_seconds: u32) -> Result<bool, StoreError> {
        Ok(self.take_place(entry, age_seconds).await?.is_some())
    }

    /// As [`Store::enqueue`]; gives when the caller came, which is earlier than the entry says where a place in the same
    /// queue is kept for a callback to the number.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn take_place(
        &self,
        entry: &QueueEntry,
        age_seconds: u32,
    ) -> Result<Option<Timestamp>, StoreError> {
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let same_as = entry.same_as();
        let mut since = ms(entry.since);
        if let Some(same_as) = &same_as {
            let kept = sqlx::query(KEPT_PLACE).bind(same_as).bind(&entry.queue);
            let kept = kept.fetch_optional(&mut *transaction).await.map_err(self.fail())?;
            since = kept.map_or(since, |row| number(&row, "since_unix_ms").min(since));
        }
        let ahead = i64::from(entry.priority) * i64::from(age_seconds) * 1_000;
        let done = sqlx::query(ENQUEUE)
            .bind(entry.call.as_str())
            .bind(&entry.queue)
            .bind(&entry.node)
            .bind(entry.ani.as_ref().map(|ani| ani.expose().to_owned()))
            .bind(since)
            .bind(since.saturating_sub(ahead))
            .bind(ms(entry.entered))
            .bind(&entry.language)
            .bind(&entry.prefers)
            .bind(entry.kept_until.map(ms))
            .bind(i64::from(entry.call_back))
            .bind(same_as)
            .execute(&mut *transaction)
            .await;
        let is_new = done.map_err(self.fail())?.rows_affected() > 0;
        transaction.commit().await.map_err(self.fail())?;
        Ok(is_new.then(|| time(since)))
    }

    /// Takes the first who waits in a queue, for as long as the lease; `None` where nobody does.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn claim_entry(
        &self,
        queue: &str,
        by: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<QueueEntry>, StoreError> {
        let opened = self.current().await?;
        let sql = format!("{NEXT_ENTRY}{}", for_update(&opened));
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let found = sqlx::query(AssertSqlSafe(sql)).bind(queue).bind(ms(now));
        let Some(row) = found.fetch_optional(&mut *transaction).await.map_err(self.fail())? else {
            return Ok(None);
        };
        let entry = entry_of(&row)?;
        claim(&mut transaction, "queue_entries", "claimed", &entry.call, by, after(now, lease))
            .await
            .map_err(self.fail())?;
        transaction.commit().await.map_err(self.fail())?;
        Ok(Some(entry))
    }

    /// Gives a place up, and counts it; false where that was done before.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn end_entry(
        &self,
        call: &CallId,
        outcome: Outcome,
        agent: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let done = end_entry(&mut transaction, call, &outcome.to_string(), agent, now).await;
        let done = done.map_err(self.fail())?;
        transaction.commit().await.map_err(self.fail())?;
        Ok(done)
    }

    /// The agent who had the last call from a number that waited for one, and how the caller rated it.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn spoken_last(&self, number: &Ani) -> Result<Option<Spoken>, StoreError> {
        let opened = self.current().await?;
        let last = sqlx::query(SPOKEN_LAST).bind(digits(number.expose()));
        let row = last.fetch_optional(&opened.readers).await.map_err(self.fail())?;
        Ok(row.map(|row| Spoken {
            agent: text(&row, "agent"),
            rating: row.try_get::<Option<i64>, _>("rating").ok().flatten().and_then(|n| u8::try_from(n).ok()),
        }))
    }

    /// Counts the time that a call took an agent, talking and writing up.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn count_handled(&self, queue: &str, now: Timestamp, time: Duration) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let mut connection = opened.writer.acquire().await.map_err(self.fail())?;
        figures::count_handled(&mut connection, queue, ms(now), time).await.map_err(self.fail())
    }

    /// All who wait or are being served, in order.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn open_entries(&self) -> Result<Vec<QueueEntry>, StoreError> {
        let opened = self.current().await?;
        let sql = "SELECT * FROM queue_entries WHERE state <> 'over' ORDER BY rank_ms, call_id";
        let rows = sqlx::query(sql).fetch_all(&opened.readers).await.map_err(self.fail())?;
        rows.iter().map(entry_of).collect()
    }

    /// A node has started, or is known to be dead: whoever waited on it has lost the connection, and is
    /// promised a callback, with the place kept, where the number is known. Gives the promises.
    ///
    /// # Errors
    /// Where the database cannot be written; what was done by then stays done.
    pub async fn recover_node(
        &self,
        node: &str,
        plan: &CallbackPlan,
        now: Timestamp,
    ) -> Result<Vec<Callback>, StoreError> {
        self.recover(OF_NODE, Some(node), plan, now).await
    }

    /// Turns the places that `orphan` finds, one at a time, into promises. A transaction of its own for each: it locks
    /// one place, then its figures, then one promise, as all others do, so that nobody waits in a circle.
    pub(super) async fn recover(
        &self,
        orphan: &'static str,
        node: Option<&str>,
        plan: &CallbackPlan,
        now: Timestamp,
    ) -> Result<Vec<Callback>, StoreError> {
        let mut promises = Vec::new();
        let mut tries = 0;
        loop {
            let opened = self.current().await?;
            let mut transaction = opened.begin().await.map_err(self.fail())?;
            let sql = AssertSqlSafe(format!("{orphan}{}", for_update(&opened)));
            let mut query = sqlx::query(sql);
            if let Some(node) = node {
                query = query.bind(node);
            }
            let found = query.fetch_optional(&mut *transaction).await.map_err(self.fail())?;
            let Some(row) = found else { return Ok(promises) };
            match recover_entry(&mut transaction, entry_of(&row)?, plan, now).await {
                Ok(promise) => {
                    transaction.commit().await.map_err(self.fail())?;
                    promises.extend(promise);
                    tries = 0;
                }
                // As two nodes that promise the same number at once.
                Err(e) if tries < 3 && e.as_database_error().is_some_and(|e| e.is_unique_violation()) => {
                    tries += 1;
                }
                Err(e) => return Err(StoreError::new(&self.path, &e)),
            }
        }
    }
}

/// A place of a node that is gone.
const OF_NODE: &str = "
    SELECT * FROM queue_entries WHERE node = $1 AND state <> 'over' ORDER BY rank_ms, call_id LIMIT 1";

/// Gives a place up that nobody holds any more; whoever was to be called back there still is.
async fn recover_entry(
    connection: &mut AnyConnection,
    entry: QueueEntry,
    plan: &CallbackPlan,
    now: Timestamp,
) -> Result<Option<Callback>, sqlx::Error> {
    let number = entry.ani.clone().filter(|_| !entry.call_back);
    let outcome = if number.is_some() { "callback" } else { "cut_off" };
    end_entry(connection, &entry.call, outcome, None, now).await?;
    let Some(number) = number else { return Ok(None) };
    let place = (entry.call, entry.queue.as_str(), entry.since);
    let window = Window { from: now, until: None };
    let promise = Callback::promise(plan, now, place, number, window);
    keep_promise(connection, plan, now, promise).await.map(Some)
}

pub(super) fn entry_of(row: &AnyRow) -> Result<QueueEntry, StoreError> {
    let optional = |column: &str| row.try_get::<Option<i64>, _>(column).ok().flatten();
    let words = |column: &str| row.try_get::<Option<String>, _>(column).ok().flatten();
    let id = text(row, "call_id");
    Ok(QueueEntry {
        call: id.parse().map_err(|_| unreadable(id))?,
        queue: text(row, "queue"),
        node: text(row, "node"),
        ani: number_of(row, "ani"),
        since: time(number(row, "since_unix_ms")),
        // What priority there was is in the order.
        priority: 0,
        entered: time(optional("entered_unix_ms").unwrap_or(number(row, "since_unix_ms"))),
        language: words("language"),
        prefers: words("prefers"),
        kept_until: optional("kept_until_unix_ms").map(time),
        call_back: number(row, "call_back") != 0,
        rings: words("agent"),
    })
}

async fn end_entry(
    connection: &mut AnyConnection,
    call: &CallId,
    outcome: &str,
    agent: Option<&str>,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let found = sqlx::query(
        "SELECT queue, coalesce(entered_unix_ms, since_unix_ms) AS entered, call_back, same_as
         FROM queue_entries WHERE call_id = $1",
    );
    let Some(row) = found.bind(call.as_str()).fetch_optional(&mut *connection).await? else {
        return Ok(false);
    };
    let waited_ms = ms(now).saturating_sub(number(&row, "entered")).max(0);
    let done = sqlx::query(END_ENTRY)
        .bind(call.as_str())
        .bind(outcome)
        .bind(agent.map(str::to_owned))
        .bind(waited_ms)
        .bind(ms(now));
    if done.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    if number(&row, "call_back") != 0 {
        return Ok(true);
    }
    let waited = Duration::from_millis(u64::try_from(waited_ms).unwrap_or(0));
    figures::count_entry(&mut *connection, &text(&row, "queue"), outcome, ms(now), waited).await?;
    if outcome == Outcome::Answered.to_string() {
        sqlx::query(REACHED_ANOTHER_WAY).bind(text(&row, "same_as")).execute(connection).await?;
    }
    Ok(true)
}
