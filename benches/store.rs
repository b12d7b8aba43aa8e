//! What the store does in a second on SQLite and on PostgreSQL, each with its data on the disk: records written,
//! places given, claimed and given up, promises kept. And how long a report takes over a million calls.
//!
//! `cargo bench --no-default-features --features store --bench store`; `STORE_CALLS` makes it smaller.

#![expect(clippy::print_stdout, reason = "a bench says what it measured")]

use std::time::{Duration, Instant};

use attendant::call::{CallId, CallRecord};
use attendant::desk::{Callback, CallbackPlan, DeskPlan, Outcome, Window};
use attendant::store::report::Report;
use attendant::store::{QueueEntry, Store, StoreOptions};
use jiff::Timestamp;
use sqlx::{AnyPool, AssertSqlSafe};

#[path = "../tests/it/postgres.rs"]
#[expect(
    dead_code,
    clippy::print_stderr,
    reason = "tests take a database each and say so, the bench a server"
)]
mod postgres;

/// Each kind of work is done for so long.
const TIME: Duration = Duration::from_secs(5);

/// Calls from the first second of 2026 on, four in a hundred seconds, in eight intents and four campaigns.
const CALLS: &str = "
    INSERT INTO calls (id, started_at_unix_ms, duration_ms, ani, dnis, intent, slots, turns, disposition, cause, stage, look_ups)
    SELECT 'bench-' || n, 1767225600000 + n * 25000, 60000 + n % 60000, '+1555' || (1000000 + n * 7919 % 500000),
           '80' || (n % 4), 'intent_' || (n % 8), '{}', '[]',
           CASE n % 10 WHEN 0 THEN 'abandoned' WHEN 1 THEN 'unresolved' WHEN 2 THEN 'transferred' ELSE 'resolved' END,
           'line', CASE n % 3 WHEN 0 THEN 'purpose' ELSE 'resolution' END, '[]'
    FROM NUMBERS WHERE true";

const FIGURES: &str = "
    INSERT INTO call_figures
    SELECT started_at_unix_ms / 3600000, dnis, intent, stage, disposition, count(*), sum(duration_ms), 0, 0, 0, 0, 0
    FROM calls WHERE id LIKE 'bench-%' GROUP BY 1, 2, 3, 4, 5";

/// Two turns a call: what is wanted, and in one of five calls a turn that was not understood.
const TURNS: &str = "
    INSERT INTO turn_figures
    SELECT hour, dnis, intent, 'purpose', 'accept', sum(calls) FROM call_figures WHERE intent LIKE 'intent_%'
    GROUP BY 1, 2, 3
    UNION ALL SELECT hour, dnis, intent, 'resolution', 'no_match', 1 + sum(calls) / 5 FROM call_figures
    WHERE intent LIKE 'intent_%' GROUP BY 1, 2, 3";

/// In two of five calls a turn that no intent took: one of two hundred sentences, or one that nobody else has said.
const UNMATCHED: &str = "
    INSERT INTO unmatched (call_id, turn, hour, dnis, intent, stage, words, said)
    SELECT id, 0, started_at_unix_ms / 3600000, dnis, intent, stage, 'i would like to know about thing ' || thing,
           (thing + 1) * 9007199254740 % 1000000007 * 4294967296 + thing
    FROM (SELECT calls.*, CASE started_at_unix_ms / 25000 % 5 WHEN 0 THEN duration_ms % 200
                               ELSE started_at_unix_ms / 125000 % 1000000 END AS thing
          FROM calls WHERE id LIKE 'bench-%' AND started_at_unix_ms / 25000 % 5 < 2) AS called";

/// What the records written before left, which the next step counts again.
const EMPTY: &str = "DELETE FROM hour_figures; DELETE FROM day_call_figures; DELETE FROM day_turn_figures;
    DELETE FROM day_queue_figures;";

/// The step of the schema that adds figures up, as a line that is brought up to date runs it.
const STEP: &str = include_str!("../migrations/sqlite/0006_rollups.sql");

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let server = postgres::Server::start(postgres::Disk::Written);
    let file = folder.path().join("bench.db").display().to_string();
    let mut places = vec![("SQLite", file)];
    places.extend(server.as_ref().map(|server| ("PostgreSQL", server.create())));
    for (name, address) in places {
        let spool_folder = Some(folder.path().join("spool"));
        let options = StoreOptions { spool_folder, ..StoreOptions::default() };
        runtime.block_on(async {
            let store = Store::open_with(&address, options).await.expect("it opens");
            records(name, &store).await;
            places_and_promises(name, &store).await;
            report(name, &address, &store).await;
        });
    }
}

fn say(store: &str, what: &str, n: u32, took: Duration) {
    println!("{store:<11} {what:<40} {:>9.0} a second", f64::from(n) / took.as_secs_f64());
}

fn record(n: u32) -> CallRecord {
    let text = format!(
        r#"{{"id":"call-{n}","ani":"+1555{n:07}","dnis":"800","duration":61234,"intent":"order_status",
            "slots":{{"order_number":"451288"}},"turns":[{{"at":1000,"ended":2500,"heard":"where is my order",
            "confidence":0.9,"keys":null,"intent":"order_status","probability":0.9,"decision":"accept",
            "decided_after_ms":300,"stage":"purpose"}}],"handoff":null,"disposition":"resolved","cause":"line"}}"#
    );
    serde_json::from_str(&text).expect("a record")
}

async fn records(name: &str, store: &Store) {
    let (began, mut n) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        store.write_record(&record(n), 1_790_000_000_000 + u64::from(n)).await.expect("it is kept");
        n += 1;
    }
    say(name, "records written, one after another", n, began.elapsed());
}

async fn places_and_promises(name: &str, store: &Store) {
    let now = Timestamp::now();
    let (began, mut n) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        let call: CallId = format!("place-{n}").parse().expect("an id");
        let entry = QueueEntry::new(call.clone(), "orders", "bench", now);
        store.enqueue(&entry, 60).await.expect("it is written");
        let claimed = store.claim_entry("orders", "bench", now, TIME).await.expect("it answers");
        assert_eq!(claimed.map(|entry| entry.call), Some(call.clone()));
        store.end_entry(&call, Outcome::Answered, Some("ana"), now).await.expect("it is written");
        n += 1;
    }
    say(name, "places given, claimed and given up", n, began.elapsed());
    let plan = CallbackPlan::of(&DeskPlan::empty());
    let (began, mut n) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        let place = (format!("promise-{n}").parse().expect("an id"), "orders", now);
        let number = format!("+1555{n:07}").parse().expect("a number");
        let promise = Callback::promise(&plan, now, place, number, Window { from: now, until: None });
        store.promise_callback(&plan, promise, now).await.expect("it is kept");
        let mut promise =
            store.claim_callback(&plan, "bench", now, TIME).await.expect("it answers").expect("due");
        promise.reached();
        store.settle_callback(&promise, "bench").await.expect("it is ours");
        n += 1;
    }
    say(name, "callbacks promised, claimed and kept", n, began.elapsed());
}

/// The calls are put in by SQL, since a million records would be written for an hour; their figures are counted
/// as the records' would be.
async fn report(name: &str, address: &str, store: &Store) {
    let calls: u32 = std::env::var("STORE_CALLS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let (url, numbers) = if name == "SQLite" {
        let all = format!(
            "(WITH RECURSIVE all_n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM all_n WHERE n < {calls}) SELECT n FROM all_n) AS numbers"
        );
        (format!("sqlite://{address}"), all)
    } else {
        (address.to_owned(), format!("(SELECT generate_series(1, CAST({calls} AS BIGINT)) AS n) AS numbers"))
    };
    let pool = AnyPool::connect(&url).await.expect("it opens");
    let added_up = &STEP[STEP.find("INSERT INTO hour_figures").expect("it adds up")..];
    let steps = [&CALLS.replace("NUMBERS", &numbers), FIGURES, TURNS, UNMATCHED, EMPTY, added_up];
    for sql in steps {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&pool).await.expect("it is written");
    }
    pool.close().await;
    for (what, days) in [("the last week", 7), ("everything", 36_500)] {
        let until = 1_767_225_600 / 3_600 + i64::from(calls) * 25 / 3_600 + 1;
        let began = Instant::now();
        let figures = store.figures(until - days * 24, until).await.expect("it answers");
        let took = began.elapsed();
        let words = Instant::now();
        store.unmatched(until - days * 24, until).await.expect("it answers");
        let words = words.elapsed();
        let found: i64 = figures.hours.iter().map(|c| c.calls).sum();
        let adding = Instant::now();
        let rows = figures.hours.len() + figures.kinds.len() + figures.turns.len();
        let report = Report::of(&figures, &DeskPlan::empty(), until - days * 24, until);
        assert_eq!(report.total.calls, found);
        let whole = took + adding.elapsed();
        println!(
            "{name:<11} figures of {what}: {found} calls in {rows} rows, {:.0} ms, {:.0} of it what no intent took; with the report {:.0} ms",
            took.as_secs_f64() * 1_000.0,
            words.as_secs_f64() * 1_000.0,
            whole.as_secs_f64() * 1_000.0
        );
    }
}
