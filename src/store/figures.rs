//! Figures by hour, counted as records are written, and read back for reports.
//!
//! Counting happens in the transaction that writes the record: a record and its figures are there together or
//! not at all. The same transaction adds them up by day of UTC, and by hour for the calls as a whole: a report reads
//! whole days from there, and by hour only what is at its edges, so that it takes as long for a million calls as
//! for a thousand.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::AnyConnection;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::record::KeptCall;
use super::{Store, StoreError, UnmatchedFigures};
use crate::call::{CallId, CallRecord};

/// A call about the same from the same number within this time says that the one before was not the last: the
/// window that contact centres use for first-call resolution.
const REPEATED_WITHIN: Duration = Duration::from_secs(7 * 24 * 3_600);

/// No call counts for longer: a clock that was wrong must not spoil a mean.
const LONGEST_MS: u64 = 24 * 3_600 * 1_000;

pub(super) const HOUR_MS: i64 = 3_600_000;

const HOURS_OF_DAY: i64 = 24;

/// Upper bounds of waits that are counted apart, in seconds; 0 stands for longer.
const WITHIN: [i64; 9] = [5, 10, 20, 30, 60, 120, 300, 600, 1_800];

/// What is counted of calls, in the order of [`Added::sums`].
const OF_CALLS: &[&str] =
    &["calls", "duration_ms", "handoffs", "callbacks", "repeated", "ratings", "rating_sum"];

/// What is counted of places in queues.
const OF_ENTRIES: &[&str] = &["entries", "waited_ms", "handled", "handle_ms"];

/// Adds to the figures of calls, and to what is added up from them, each named by where it is kept.
static COUNT_CALL: LazyLock<[String; 3]> = LazyLock::new(|| {
    [
        adds_to("call_figures", &["hour", "dnis", "intent", "stage", "disposition"], OF_CALLS),
        adds_to("day_call_figures", &["day", "dnis", "intent", "stage", "disposition"], OF_CALLS),
        adds_to("hour_figures", &["hour", "disposition"], OF_CALLS),
    ]
});

static COUNT_TURNS: LazyLock<String> =
    LazyLock::new(|| adds_to("turn_figures", &["hour", "dnis", "intent", "stage", "decision"], &["turns"]));

static COUNT_TURNS_OF_DAY: LazyLock<String> =
    LazyLock::new(|| adds_to("day_turn_figures", &["day", "intent", "stage", "decision"], &["turns"]));

static COUNT_ENTRY: LazyLock<[String; 2]> = LazyLock::new(|| {
    [
        adds_to("queue_figures", &["hour", "queue", "outcome", "within"], OF_ENTRIES),
        adds_to("day_queue_figures", &["day", "queue", "outcome", "within"], OF_ENTRIES),
    ]
});

/// SQL that adds to the sums of one row of a table, or makes the row: the values of `keys`, then those of `sums`.
fn adds_to(table: &str, keys: &[&str], sums: &[&str]) -> String {
    let columns = [keys, sums].concat();
    let values: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
    let added: Vec<String> = sums.iter().map(|c| format!("{c} = {table}.{c} + excluded.{c}")).collect();
    format!(
        "INSERT INTO {table} ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}",
        columns.join(", "),
        values.join(", "),
        keys.join(", "),
        added.join(", ")
    )
}

/// A call's kind.
const RATED: &str = "
    SELECT started_at_unix_ms, coalesce(dnis, '') AS dnis, coalesce(intent, '') AS intent, stage, disposition
    FROM calls WHERE id = $1";

/// The call before of the same number, where it was about the same.
const BEFORE: &str = "
    SELECT started_at_unix_ms, coalesce(dnis, '') AS dnis, coalesce(intent, '') AS intent, stage, disposition
    FROM calls WHERE ltrim(ani, '+') = $1 AND started_at_unix_ms < $2 AND started_at_unix_ms >= $3
    ORDER BY started_at_unix_ms DESC LIMIT 1";

/// What is added to the figures of one kind of call in one hour.
#[derive(Debug, Default)]
struct Added {
    dnis: String,
    intent: String,
    stage: String,
    disposition: String,
    hour: i64,
    /// Calls, their lengths, handoffs, callbacks, repeated, ratings, their sum.
    sums: [i64; 7],
}

/// Counts a call that is written in the same transaction.
pub(super) async fn count_call(connection: &mut AnyConnection, kept: &KeptCall) -> Result<(), sqlx::Error> {
    let record = &kept.record;
    let started = i64::try_from(kept.started_at_unix_ms).unwrap_or(i64::MAX);
    let hour = started / HOUR_MS;
    let dnis = record.dnis.as_ref().map_or("", |dnis| dnis.as_str());
    let intent = record.intent.as_ref().map_or("", |intent| intent.as_str());
    let duration_ms = i64::try_from(record.duration.as_millis().min(LONGEST_MS)).unwrap_or(0);
    let own = Added {
        hour,
        dnis: dnis.to_owned(),
        intent: intent.to_owned(),
        stage: record.stage.to_string(),
        disposition: record.disposition.to_string(),
        sums: [
            1,
            duration_ms,
            i64::from(record.handoff.is_some()),
            i64::from(record.callback.is_some()),
            0,
            i64::from(record.rating.is_some()),
            i64::from(record.rating.unwrap_or(0)),
        ],
    };
    let added: Vec<Added> =
        repeated(connection, record, started, intent).await?.into_iter().chain([own]).collect();
    add_calls(connection, added).await?;
    let mut turns: BTreeMap<(String, &str), i64> = BTreeMap::new();
    for turn in &record.turns {
        *turns.entry((turn.stage.to_string(), turn.decision.as_str())).or_default() += 1;
    }
    for ((stage, decision), count) in &turns {
        let query =
            sqlx::query(COUNT_TURNS.as_str()).bind(hour).bind(dnis).bind(intent).bind(stage).bind(*decision);
        query.bind(*count).execute(&mut *connection).await?;
    }
    for ((stage, decision), count) in &turns {
        let query = sqlx::query(COUNT_TURNS_OF_DAY.as_str())
            .bind(hour / HOURS_OF_DAY)
            .bind(intent)
            .bind(stage)
            .bind(*decision);
        query.bind(*count).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Counts a rating of a call that was counted before.
pub(super) async fn count_rating(
    connection: &mut AnyConnection,
    call: &CallId,
    grade: u8,
) -> Result<(), sqlx::Error> {
    let row = sqlx::query(RATED).bind(call.as_str()).fetch_one(&mut *connection).await?;
    let added = Added { sums: [0, 0, 0, 0, 0, 1, i64::from(grade)], ..Added::of(&row)? };
    add_calls(connection, vec![added]).await
}

/// Writes what is added, table by table and in the order of the keys: nodes that count at once take the locks in one
/// order, and none waits for another that waits for it.
async fn add_calls(connection: &mut AnyConnection, mut added: Vec<Added>) -> Result<(), sqlx::Error> {
    added.sort_by(|a, b| a.kind().cmp(&b.kind()));
    let [by_hour, by_day, whole] = &*COUNT_CALL;
    for (sql, unit) in [(by_hour, 1), (by_day, HOURS_OF_DAY)] {
        for one in &added {
            let mut query = sqlx::query(sql.as_str()).bind(one.hour / unit).bind(&one.dnis).bind(&one.intent);
            query = query.bind(&one.stage).bind(&one.disposition);
            for sum in one.sums {
                query = query.bind(sum);
            }
            query.execute(&mut *connection).await?;
        }
    }
    added.sort_by(|a, b| (a.hour, &a.disposition).cmp(&(b.hour, &b.disposition)));
    for one in &added {
        let mut query = sqlx::query(whole.as_str()).bind(one.hour).bind(&one.disposition);
        for sum in one.sums {
            query = query.bind(sum);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

impl Added {
    /// The kind of a call's row; nothing is added yet.
    fn of(row: &AnyRow) -> Result<Added, sqlx::Error> {
        Ok(Added {
            hour: row.try_get::<i64, _>("started_at_unix_ms")? / HOUR_MS,
            dnis: text(row, "dnis"),
            intent: text(row, "intent"),
            stage: text(row, "stage"),
            disposition: text(row, "disposition"),
            sums: [0; 7],
        })
    }

    /// By day first, so that the order by hour is one by day, too.
    fn kind(&self) -> (i64, &str, &str, &str, &str, i64) {
        (self.hour / HOURS_OF_DAY, &self.dnis, &self.intent, &self.stage, &self.disposition, self.hour)
    }
}

/// The call before of the same number, where this one is about the same: it was not the last.
async fn repeated(
    connection: &mut AnyConnection,
    record: &CallRecord,
    started: i64,
    intent: &str,
) -> Result<Option<Added>, sqlx::Error> {
    let Some(ani) = &record.ani else { return Ok(None) };
    let window = i64::try_from(REPEATED_WITHIN.as_millis()).unwrap_or(i64::MAX);
    let before = sqlx::query(BEFORE)
        .bind(ani.expose().trim_start_matches('+'))
        .bind(started)
        .bind(started.saturating_sub(window))
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = before.filter(|row| text(row, "intent") == intent) else { return Ok(None) };
    Ok(Some(Added { sums: [0, 0, 0, 0, 1, 0, 0], ..Added::of(&row)? }))
}

/// Counts a place in a queue that is given up in the same transaction.
pub(super) async fn count_entry(
    connection: &mut AnyConnection,
    queue: &str,
    outcome: &str,
    at_ms: i64,
    waited: Duration,
) -> Result<(), sqlx::Error> {
    let [within, entries, waited_ms] = entry_figures(waited);
    count(connection, queue, outcome, at_ms, [within, entries, waited_ms, 0, 0]).await
}

/// Takes back what [`count_entry`] has counted with the same arguments.
pub(super) async fn uncount_entry(
    connection: &mut AnyConnection,
    queue: &str,
    outcome: &str,
    at_ms: i64,
    waited: Duration,
) -> Result<(), sqlx::Error> {
    let [within, entries, waited_ms] = entry_figures(waited);
    count(connection, queue, outcome, at_ms, [within, -entries, -waited_ms, 0, 0]).await
}

/// The bound of a wait, one entry, and its milliseconds.
fn entry_figures(waited: Duration) -> [i64; 3] {
    let waited_ms = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX).min(LONGEST_MS.cast_signed());
    let within = WITHIN.into_iter().find(|seconds| waited_ms <= seconds * 1_000).unwrap_or(0);
    [within, 1, waited_ms]
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
    let hour = at_ms / HOUR_MS;
    for (sql, unit) in COUNT_ENTRY.iter().zip([hour, hour / HOURS_OF_DAY]) {
        let mut query = sqlx::query(sql.as_str()).bind(unit).bind(queue).bind(outcome);
        for figure in figures {
            query = query.bind(figure);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
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
    /// What no intent took, the most frequent of it.
    pub unmatched: Vec<UnmatchedFigures>,
}

/// Sums of calls. PostgreSQL's sum of whole numbers is a decimal otherwise.
macro_rules! sums_of_calls {
    () => {
        "CAST(sum(calls) AS BIGINT) AS calls, CAST(sum(duration_ms) AS BIGINT) AS duration_ms,
         CAST(sum(handoffs) AS BIGINT) AS handoffs, CAST(sum(callbacks) AS BIGINT) AS callbacks,
         CAST(sum(repeated) AS BIGINT) AS repeated, CAST(sum(ratings) AS BIGINT) AS ratings,
         CAST(sum(rating_sum) AS BIGINT) AS rating_sum "
    };
}

/// Rows of the whole days, and of the hours before and after them.
macro_rules! of_days_and_edges {
    ($columns:literal, $by_hour:literal, $by_day:literal) => {
        concat!(
            "FROM (SELECT ",
            $columns,
            " FROM ",
            $by_day,
            " WHERE day >= $1 AND day < $2
             UNION ALL SELECT ",
            $columns,
            " FROM ",
            $by_hour,
            " WHERE hour >= $3 AND hour < $4
             UNION ALL SELECT ",
            $columns,
            " FROM ",
            $by_hour,
            " WHERE hour >= $5 AND hour < $6) AS kept "
        )
    };
}

const HOURS: &str = "
    SELECT hour, disposition, calls, duration_ms, handoffs, callbacks, repeated, ratings, rating_sum
    FROM hour_figures WHERE hour >= $1 AND hour < $2 ORDER BY hour, disposition";

const KINDS: &str = concat!(
    "SELECT CAST(0 AS BIGINT) AS hour, dnis, intent, stage, disposition, ",
    sums_of_calls!(),
    of_days_and_edges!(
        "dnis, intent, stage, disposition, calls, duration_ms, handoffs, callbacks, repeated, ratings, rating_sum",
        "call_figures",
        "day_call_figures"
    ),
    "GROUP BY dnis, intent, stage, disposition ORDER BY dnis, intent, stage, disposition"
);

const TURNS: &str = concat!(
    "SELECT intent, stage, decision, CAST(sum(turns) AS BIGINT) AS turns ",
    of_days_and_edges!("intent, stage, decision, turns", "turn_figures", "day_turn_figures"),
    "GROUP BY intent, stage, decision ORDER BY intent, stage, decision"
);

const QUEUES: &str = concat!(
    "SELECT queue, outcome, within, CAST(sum(entries) AS BIGINT) AS entries,
            CAST(sum(waited_ms) AS BIGINT) AS waited_ms, CAST(sum(handled) AS BIGINT) AS handled,
            CAST(sum(handle_ms) AS BIGINT) AS handle_ms ",
    of_days_and_edges!(
        "queue, outcome, within, entries, waited_ms, handled, handle_ms",
        "queue_figures",
        "day_queue_figures"
    ),
    "GROUP BY queue, outcome, within ORDER BY queue, outcome, within"
);

/// The whole days within some hours, and the hours before and after them; each from one until before the other.
fn days_and_edges(from: i64, until: i64) -> [i64; 6] {
    let first = from.div_euclid(HOURS_OF_DAY) + i64::from(from.rem_euclid(HOURS_OF_DAY) != 0);
    let last = until.div_euclid(HOURS_OF_DAY);
    if first >= last {
        return [0, 0, from, until, 0, 0];
    }
    [first, last, from, first * HOURS_OF_DAY, last * HOURS_OF_DAY, until]
}

impl Store {
    /// The figures of the hours from `from` until before `until`, in hours since 1970 UTC.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn figures(&self, from: i64, until: i64) -> Result<Figures, StoreError> {
        let opened = self.current().await?;
        let hours = sqlx::query(HOURS).bind(from).bind(until).fetch_all(&opened.readers).await;
        let parts = days_and_edges(from, until);
        let rows = async |sql: &'static str| {
            let query = parts.iter().fold(sqlx::query(sql), |query, bound| query.bind(*bound));
            query.fetch_all(&opened.readers).await.map_err(self.fail())
        };
        Ok(Figures {
            hours: hours.map_err(self.fail())?.iter().map(hour_figures).collect(),
            kinds: rows(KINDS).await?.iter().map(call_figures).collect(),
            turns: rows(TURNS).await?.iter().map(turn_figures).collect(),
            queues: rows(QUEUES).await?.iter().map(queue_figures).collect(),
            unmatched: self.unmatched(from, until).await?,
        })
    }
}

/// By place, not by name: of these there are tens of thousands.
fn hour_figures(row: &AnyRow) -> CallFigures {
    let number = |at: usize| row.try_get::<i64, _>(at).unwrap_or_default();
    CallFigures {
        hour: number(0),
        disposition: row.try_get(1).unwrap_or_default(),
        calls: number(2),
        duration_ms: number(3),
        handoffs: number(4),
        callbacks: number(5),
        repeated: number(6),
        ratings: number(7),
        rating_sum: number(8),
        ..CallFigures::default()
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
