//! Figures by hour, counted as records are written, and read back for reports.
//!
//! Counting happens in the transaction that writes the record: a record and its figures are there together or
//! not at all. A report then reads some rows an hour, however many calls there were.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::AnyConnection;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::record::KeptCall;
use super::{Store, StoreError};
use crate::call::CallRecord;

/// A call about the same from the same number within this time says that the one before was not the last: the
/// window that contact centres use for first-call resolution.
const REPEATED_WITHIN: Duration = Duration::from_secs(7 * 24 * 3_600);

/// No call counts for longer: a clock that was wrong must not spoil a mean.
const LONGEST_MS: u64 = 24 * 3_600 * 1_000;

pub(super) const HOUR_MS: i64 = 3_600_000;

/// Upper bounds of waits that are counted apart, in seconds; 0 stands for longer.
const WITHIN: [i64; 9] = [5, 10, 20, 30, 60, 120, 300, 600, 1_800];

const COUNT_CALL: &str = "
    INSERT INTO call_figures (hour, dnis, intent, stage, disposition, calls, duration_ms, handoffs, callbacks,
                              repeated, ratings, rating_sum)
    VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, 0, $9, $10)
    ON CONFLICT (hour, dnis, intent, stage, disposition) DO UPDATE SET
        calls = call_figures.calls + 1,
        duration_ms = call_figures.duration_ms + excluded.duration_ms,
        handoffs = call_figures.handoffs + excluded.handoffs,
        callbacks = call_figures.callbacks + excluded.callbacks,
        ratings = call_figures.ratings + excluded.ratings,
        rating_sum = call_figures.rating_sum + excluded.rating_sum";

const COUNT_TURNS: &str = "
    INSERT INTO turn_figures (hour, dnis, intent, stage, decision, turns) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (hour, dnis, intent, stage, decision) DO UPDATE SET turns = turn_figures.turns + excluded.turns";

const COUNT_ENTRY: &str = "
    INSERT INTO queue_figures (hour, queue, outcome, within, entries, waited_ms, handled, handle_ms)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (hour, queue, outcome, within) DO UPDATE SET
        entries = queue_figures.entries + excluded.entries,
        waited_ms = queue_figures.waited_ms + excluded.waited_ms,
        handled = queue_figures.handled + excluded.handled,
        handle_ms = queue_figures.handle_ms + excluded.handle_ms";

/// The call before of the same number, where it was about the same.
const BEFORE: &str = "
    SELECT started_at_unix_ms, coalesce(dnis, '') AS dnis, coalesce(intent, '') AS intent, stage, disposition
    FROM calls WHERE ltrim(ani, '+') = $1 AND started_at_unix_ms < $2 AND started_at_unix_ms >= $3
    ORDER BY started_at_unix_ms DESC LIMIT 1";

const REPEATED: &str = "
    UPDATE call_figures SET repeated = repeated + 1
    WHERE hour = $1 AND dnis = $2 AND intent = $3 AND stage = $4 AND disposition = $5";

/// Counts a call that is written in the same transaction.
pub(super) async fn count_call(connection: &mut AnyConnection, kept: &KeptCall) -> Result<(), sqlx::Error> {
    let record = &kept.record;
    let started = i64::try_from(kept.started_at_unix_ms).unwrap_or(i64::MAX);
    let hour = started / HOUR_MS;
    let dnis = record.dnis.as_ref().map_or("", |dnis| dnis.as_str());
    let intent = record.intent.as_ref().map_or("", |intent| intent.as_str());
    // The earlier row first, and the turns in order: nodes that count at once take the locks in one order.
    count_repeat(connection, record, started, intent).await?;
    sqlx::query(COUNT_CALL)
        .bind(hour)
        .bind(dnis)
        .bind(intent)
        .bind(record.stage.to_string())
        .bind(record.disposition.to_string())
        .bind(i64::try_from(record.duration.as_millis().min(LONGEST_MS)).unwrap_or(0))
        .bind(i64::from(record.handoff.is_some()))
        .bind(i64::from(record.callback.is_some()))
        .bind(i64::from(record.rating.is_some()))
        .bind(i64::from(record.rating.unwrap_or(0)))
        .execute(&mut *connection)
        .await?;
    let mut turns: BTreeMap<(String, &str), i64> = BTreeMap::new();
    for turn in &record.turns {
        *turns.entry((turn.stage.to_string(), turn.decision.as_str())).or_default() += 1;
    }
    for ((stage, decision), count) in turns {
        sqlx::query(COUNT_TURNS)
            .bind(hour)
            .bind(dnis)
            .bind(intent)
            .bind(stage)
            .bind(decision)
            .bind(count)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn count_repeat(
    connection: &mut AnyConnection,
    record: &CallRecord,
    started: i64,
    intent: &str,
) -> Result<(), sqlx::Error> {
    let Some(ani) = &record.ani else { return Ok(()) };
    let window = i64::try_from(REPEATED_WITHIN.as_millis()).unwrap_or(i64::MAX);
    let before = sqlx::query(BEFORE)
        .bind(ani.expose().trim_start_matches('+'))
        .bind(started)
        .bind(started.saturating_sub(window))
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = before.filter(|row| text(row, "intent") == intent) else { return Ok(()) };
    sqlx::query(REPEATED)
        .bind(row.try_get::<i64, _>("started_at_unix_ms")? / HOUR_MS)
        .bind(text(&row, "dnis"))
        .bind(text(&row, "intent"))
        .bind(text(&row, "stage"))
        .bind(text(&row, "disposition"))
        .execute(connection)
        .await
        .map(|_| ())
}

/// Counts a place in a queue that is given up in the same transaction.
pub(super) async fn count_entry(
    connection: &mut AnyConnection,
    queue: &str,
    outcome: &str,
    at_ms: i64,
    waited: Duration,
) -> Result<(), sqlx::Error> {
    let waited_ms = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX).min(LONGEST_MS.cast_signed());
    let within = WITHIN.into_iter().find(|seconds| waited_ms <= seconds * 1_000).unwrap_or(0);
    count(connection, queue, outcome, at_ms, [within, 1, waited_ms, 0, 0]).await
}

/// Counts the time that a call took an agent.
pub(super) async fn count_handled(
    connection: &mut AnyConnection,
    queue: &str,
    at_ms: i64,
    time: Duration,
) -> Result<(), sqlx::Error> {
    let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX).min(LONGEST_MS.cast_signed());
    count(connection, queue, "answered", at_ms, [WITHIN[0], 0, 0, 1, ms]).await
}

async fn count(
    connection: &mut AnyConnection,
    queue: &str,
    outcome: &str,
    at_ms: i64,
    figures: [i64; 5],
) -> Result<(), sqlx::Error> {
    let mut query = sqlx::query(COUNT_ENTRY).bind(at_ms / HOUR_MS).bind(queue).bind(outcome);
    for figure in figures {
        query = query.bind(figure);
    }
    query.execute(connection).await.map(|_| ())
}

/// What calls of one hour, or of one kind, came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFigures {
    /// Hours since 1970, UTC; 0 for a kind.
    pub hour: i64,
    /// The number dialled; empty for an hour, and where it is not known.
    pub dnis: String,
    /// The intent; empty for an hour, and where there was none.
    pub intent: String,
    /// The stage in which they ended; empty for an hour.
    pub stage: String,
    /// How they came out.
    pub disposition: String,
    /// So many.
    pub calls: i64,
    /// Their lengths together.
    pub duration_ms: i64,
    /// Handed to a person.
    pub handoffs: i64,
    /// Promised a callback.
    pub callbacks: i64,
    /// Followed by another call of the same number about the same within a week.
    pub repeated: i64,
    /// Rated.
    pub ratings: i64,
    /// The ratings' sum.
    pub rating_sum: i64,
}

/// What one kind of turn came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnFigures {
    /// The call's intent.
    pub intent: String,
    /// The stage in which the turn was.
    pub stage: String,
    /// What the line decided.
    pub decision: String,
    /// So many.
    pub turns: i64,
}

/// What one kind of place in a queue came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueFigures {
    /// The queue.
    pub queue: String,
    /// How the places were given up.
    pub outcome: String,
    /// After at most so many seconds; 0 is longer than half an hour.
    pub within: i64,
    /// So many.
    pub entries: i64,
    /// Their waits together.
    pub waited_ms: i64,
    /// Calls that agents are done with.
    pub handled: i64,
    /// The time that these took.
    pub handle_ms: i64,
}

/// Figures of some hours, added up in the database: what travels is a few rows an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls by hour and how they came out.
    pub hours: Vec<CallFigures>,
    /// The same calls by number dialled, intent, stage and how they came out.
    pub kinds: Vec<CallFigures>,
    /// Turns.
    pub turns: Vec<TurnFigures>,
    /// Places in queues.
    pub queues: Vec<QueueFigures>,
}

/// Sums of calls. PostgreSQL's sum of whole numbers is a decimal otherwise.
macro_rules! sums_of_calls {
    () => {
        "CAST(sum(calls) AS BIGINT) AS calls, CAST(sum(duration_ms) AS BIGINT) AS duration_ms,
         CAST(sum(handoffs) AS BIGINT) AS handoffs, CAST(sum(callbacks) AS BIGINT) AS callbacks,
         CAST(sum(repeated) AS BIGINT) AS repeated, CAST(sum(ratings) AS BIGINT) AS ratings,
         CAST(sum(rating_sum) AS BIGINT) AS rating_sum FROM call_figures WHERE hour >= $1 AND hour < $2 "
    };
}

const HOURS: &str = concat!(
    "SELECT hour, '' AS dnis, '' AS intent, '' AS stage, disposition, ",
    sums_of_calls!(),
    "GROUP BY hour, disposition ORDER BY hour, disposition"
);

const KINDS: &str = concat!(
    "SELECT CAST(0 AS BIGINT) AS hour, dnis, intent, stage, disposition, ",
    sums_of_calls!(),
    "GROUP BY dnis, intent, stage, disposition ORDER BY dnis, intent, stage, disposition"
);

const TURNS: &str = "
    SELECT intent, stage, decision, CAST(sum(turns) AS BIGINT) AS turns
    FROM turn_figures WHERE hour >= $1 AND hour < $2
    GROUP BY intent, stage, decision ORDER BY intent, stage, decision";

const QUEUES: &str = "
    SELECT queue, outcome, within, CAST(sum(entries) AS BIGINT) AS entries,
           CAST(sum(waited_ms) AS BIGINT) AS waited_ms, CAST(sum(handled) AS BIGINT) AS handled,
           CAST(sum(handle_ms) AS BIGINT) AS handle_ms
    FROM queue_figures WHERE hour >= $1 AND hour < $2
    GROUP BY queue, outcome, within ORDER BY queue, outcome, within";

impl Store {
    /// The figures of the hours from `from` until before `until`, in hours since 1970 UTC.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn figures(&self, from: i64, until: i64) -> Result<Figures, StoreError> {
        let opened = self.current().await?;
        let rows = async |sql: &'static str| {
            sqlx::query(sql).bind(from).bind(until).fetch_all(&opened.readers).await.map_err(self.fail())
        };
        Ok(Figures {
            hours: rows(HOURS).await?.iter().map(call_figures).collect(),
            kinds: rows(KINDS).await?.iter().map(call_figures).collect(),
            turns: rows(TURNS).await?.iter().map(turn_figures).collect(),
            queues: rows(QUEUES).await?.iter().map(queue_figures).collect(),
        })
    }
}

fn call_figures(row: &AnyRow) -> CallFigures {
    CallFigures {
        hour: number(row, "hour"),
        dnis: text(row, "dnis"),
        intent: text(row, "intent"),
        stage: text(row, "stage"),
        disposition: text(row, "disposition"),
        calls: number(row, "calls"),
        duration_ms: number(row, "duration_ms"),
        handoffs: number(row, "handoffs"),
        callbacks: number(row, "callbacks"),
        repeated: number(row, "repeated"),
        ratings: number(row, "ratings"),
        rating_sum: number(row, "rating_sum"),
    }
}

fn turn_figures(row: &AnyRow) -> TurnFigures {
    TurnFigures {
        intent: text(row, "intent"),
        stage: text(row, "stage"),
        decision: text(row, "decision"),
        turns: number(row, "turns"),
    }
}

fn queue_figures(row: &AnyRow) -> QueueFigures {
    QueueFigures {
        queue: text(row, "queue"),
        outcome: text(row, "outcome"),
        within: number(row, "within"),
        entries: number(row, "entries"),
        waited_ms: number(row, "waited_ms"),
        handled: number(row, "handled"),
        handle_ms: number(row, "handle_ms"),
    }
}

/// A column that the schema says is text and never null.
pub(super) fn text(row: &AnyRow, column: &str) -> String {
    row.try_get(column).unwrap_or_default()
}

/// A column that the schema says is a number and never null.
pub(super) fn number(row: &AnyRow, column: &str) -> i64 {
    row.try_get(column).unwrap_or_default()
}
