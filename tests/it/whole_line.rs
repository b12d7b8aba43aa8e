//! The whole line with its real engines and a real database, of which something breaks in mid-call.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use attendant::call::{CallRecord, Disposition, HandoffReason};
use attendant::config::Config;
use attendant::conversation::Conversation;
use attendant::host::engines::MeasuredEngines;
use attendant::host::line::{Line, database};
use attendant::host::log::{CallLog, Entry};
use attendant::host::session::{Arrival, Session};
use attendant::host::text::{TextCaller, TextEngines, Typed};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

/// The line with a store of its own; `None` with a word where its models have not been fetched.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn line(store: &Path) -> Option<Line> {
    std::env::set_current_dir(env!("CARGO_MANIFEST_DIR")).expect("the checkout is there");
    let config = Config::load(None, std::iter::empty(), &[]).expect("settings");
    match Line::open_with_store(&config, store, &mut |_| {}) {
        Ok(line) => Some(line),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

/// A typed call: `caller` gives the `n`th line. Returns all that the line said, and the record.
fn call(line: &Line, id: &str, mut caller: impl FnMut(usize) -> Option<Typed>) -> (String, CallRecord) {
    let said = RefCell::new(String::new());
    let mut n = 0;
    let mut source = || {
        n += 1;
        caller(n)
    };
    let (mut channel, typed) = TextCaller::new(&mut source);
    let mut engines = TextEngines::new(MeasuredEngines::new(line), typed);
    let mut watch = |entry: &Entry| {
        if entry.text.starts_with("say ") {
            *said.borrow_mut() += &format!("{}\n", entry.text);
        }
    };
    let mut log = CallLog::new(None, &mut watch);
    let arrival = Arrival {
        id: id.parse().expect("an id"),
        ani: "5550100".parse().ok(),
        dnis: None,
        keypad_only: false,
    };
    let conversation = Conversation::new(Arc::clone(&line.flow));
    let record = Session::new(conversation, &mut engines, &mut log).run(arrival, &mut channel, false);
    log.finish();
    (said.into_inner(), record.expect("every call has a record"))
}

fn says(text: &str) -> Option<Typed> {
    Some(Typed::Said(text.to_owned()))
}

#[test]
fn an_order_is_found_and_the_call_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(line) = line(folder.path()) else { return };
    let (said, record) = call(&line, "found", |n| match n {
        1 => says("where is my order"),
        2 => says("four five one two double eight"),
        _ => says("no thanks"),
    });
    assert!(said.contains("Hello Maria") && said.contains("headphones"), "{said}");
    assert_eq!(record.disposition, Disposition::Resolved);
    let kept = line.runtime.block_on(line.store.records()).expect("the records");
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].record, record);
}

#[test]
fn a_database_gone_in_mid_call_is_told_and_the_record_written_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(line) = line(folder.path()) else { return };
    let file = database(folder.path());
    let away = folder.path().join("away.db");
    let (said, record) = call(&line, "gone", |n| match n {
        1 => says("where is my order"),
        2 => {
            std::fs::rename(&file, &away).expect("moved");
            says("four five one two eight eight")
        }
        // A callback is offered first.
        3 => says("no"),
        _ => None,
    });
    assert!(said.contains("cannot reach our records") && said.contains("call you back"), "{said}");
    assert_eq!(record.disposition, Disposition::Transferred, "{said}");
    let handoff = record.handoff.as_ref().expect("a handoff");
    assert_eq!(handoff.reason, HandoffReason::SystemFault);
    assert_eq!(handoff.facts["order_number"].expose(), "451288");
    assert_eq!(line.store.spool().waiting().expect("the spool").len(), 1, "the record waits on disk");
    // It comes back, and the next call's record takes the other with it.
    std::fs::rename(&away, &file).expect("moved back");
    call(&line, "after", |n| if n == 1 { says("goodbye") } else { None });
    let kept = line.runtime.block_on(line.store.records()).expect("the records");
    let ids: Vec<&str> = kept.iter().map(|k| k.record.id.as_str()).collect();
    assert_eq!(ids, ["gone", "after"]);
    assert!(line.store.spool().waiting().expect("the spool").is_empty());
}

#[test]
fn a_database_locked_in_mid_call_still_answers_and_the_record_is_written_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(line) = line(folder.path()) else { return };
    let options = SqliteConnectOptions::new().filename(database(folder.path()));
    let mut other = line.runtime.block_on(options.connect()).expect("another program opens it");
    let mut run = |sql: &'static str| {
        line.runtime.block_on(sqlx::raw_sql(sql).execute(&mut other)).expect(sql);
    };
    let (said, record) = call(&line, "locked", |n| match n {
        1 => says("where is my order"),
        2 => {
            run("BEGIN EXCLUSIVE");
            says("four five one two eight eight")
        }
        _ => says("no thanks"),
    });
    assert!(said.contains("headphones"), "looking up needs no lock: {said}");
    assert_eq!(record.disposition, Disposition::Resolved, "{said}");
    assert_eq!(line.store.spool().waiting().expect("the spool").len(), 1, "the record waits on disk");
    run("ROLLBACK");
    call(&line, "after", |n| if n == 1 { says("goodbye") } else { None });
    let kept = line.runtime.block_on(line.store.records()).expect("the records");
    let ids: Vec<&str> = kept.iter().map(|k| k.record.id.as_str()).collect();
    assert_eq!(ids, ["locked", "after"]);
    assert!(line.store.spool().waiting().expect("the spool").is_empty());
}

#[test]
fn a_caller_who_hangs_up_in_mid_sentence_leaves_a_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(line) = line(folder.path()) else { return };
    let (_, record) = call(&line, "hangup", |n| if n == 1 { says("where is my order") } else { None });
    assert_eq!(record.disposition, Disposition::Abandoned);
    let kept = line.runtime.block_on(line.store.record(&record.id)).expect("the store answers");
    assert_eq!(kept.expect("a record").record, record);
}
