//! Places, promises, messages, figures, and what is forgotten: the same on both databases.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::*;
use crate::desk::{
    AwayReason, Callback as Promise, CallbackEnd, CallbackPlan, CallbackState, DeskPlan, Outcome, Presence,
    Window,
};

on_both! {
    a_place_is_given_once_and_served_in_order,
    a_claim_is_one_nodes_until_its_lease_is_over,
    many_nodes_never_claim_the_same,
    a_dead_nodes_callers_are_promised_a_callback,
    two_promises_to_one_number_are_one,
    a_promise_is_kept_once,
    a_promise_that_is_not_due_is_nobodys,
    a_record_brings_its_promise,
    figures_are_those_of_the_records,
    what_is_added_up_is_what_was_counted,
    what_is_old_is_forgotten_and_the_figures_stay,
    what_no_intent_took_goes_with_its_record,
    sentences_from_before_they_had_numbers_are_counted_with_the_new,
    a_rating_that_comes_late_is_counted_once,
    the_agent_spoken_to_last_is_known_with_the_rating,
    a_calls_time_has_the_lines_zone_beside_it,
    one_customers_data_is_erased,
    two_can_open_an_empty_database_at_once,
    what_an_agent_wants_is_not_wiped_out,
}

pub(super) const LEASE: Duration = Duration::from_secs(60);

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).expect("in range")
}

fn plan() -> CallbackPlan {
    CallbackPlan::of(&DeskPlan::empty())
}

fn entry(call: &str, since: i64, priority: u8) -> QueueEntry {
    let place = QueueEntry::new(call.parse().expect("an id"), "orders", "node-1", at(since));
    QueueEntry { ani: "5550100".parse().ok(), priority, ..place }
}

fn promise(call: &str, number: &str, since: i64) -> Promise {
    let window = Window { from: at(since), until: None };
    let place = (call.parse().expect("an id"), "orders", at(since));
    Promise::promise(&plan(), at(since), place, number.parse().expect("a number"), window)
}

impl Rig {
    fn claim(&self, store: &Store, by: &str, now: i64) -> Option<String> {
        let claimed =
            self.runtime.block_on(store.claim_entry("orders", by, at(now), LEASE)).expect("it answers");
        claimed.map(|entry| entry.call.to_string())
    }

    fn promised(&self, store: &Store, promise: Promise, now: i64) -> Promise {
        self.runtime.block_on(store.promise_callback(&plan(), promise, at(now))).expect("it is kept")
    }

    fn take(&self, store: &Store, by: &str, now: i64) -> Option<Promise> {
        self.runtime.block_on(store.claim_callback(&plan(), by, at(now), LEASE)).expect("it answers")
    }
}

fn a_place_is_given_once_and_served_in_order(rig: &Rig) {
    let store = rig.open();
    let enqueue = |entry| rig.runtime.block_on(store.enqueue(&entry, 60)).expect("it is written");
    assert!(enqueue(entry("first", 0, 0)) && enqueue(entry("gold", 50, 1)) && enqueue(entry("late", 100, 1)));
    assert!(!enqueue(entry("first", 30, 9)), "a place is given once");
    let served: Vec<String> = (0..4).map_while(|_| rig.claim(&store, "node-1", 120)).collect();
    assert_eq!(served, ["gold", "first", "late"]);
    let end = |call: &str| {
        let call = call.parse().expect("an id");
        rig.runtime
            .block_on(store.end_entry(&call, Outcome::Answered, Some("ana"), at(130)))
            .expect("written")
    };
    assert!(end("gold") && !end("gold") && !end("nobody"), "it is given up once");
    assert!(!enqueue(entry("gold", 140, 0)), "and never taken again");
    assert_eq!(rig.runtime.block_on(store.open_entries()).expect("it answers").len(), 2);
}

fn a_claim_is_one_nodes_until_its_lease_is_over(rig: &Rig) {
    let store = rig.open();
    rig.runtime.block_on(store.enqueue(&entry("a", 0, 0), 60)).expect("it is written");
    assert_eq!(rig.claim(&store, "node-1", 0).as_deref(), Some("a"));
    assert_eq!(rig.claim(&store, "node-2", 59), None);
    assert_eq!(rig.claim(&store, "node-2", 60).as_deref(), Some("a"));
}

/// Nodes with stores of their own take from one queue at once.
fn many_nodes_never_claim_the_same(rig: &Rig) {
    const ENTRIES: usize = 60;
    let store = rig.open();
    for n in 0..ENTRIES {
        let entry = entry(&format!("call-{n}"), i64::try_from(n).expect("few"), 0);
        rig.runtime.block_on(store.enqueue(&entry, 60)).expect("it is written");
    }
    let options = StoreOptions { busy_timeout: Duration::from_secs(10), ..rig.options() };
    let take_all = async |node: usize| {
        let store = Store::open_with(rig.address(), options.clone()).await.expect("it opens");
        let mut mine = Vec::new();
        while let Some(entry) =
            store.claim_entry("orders", &format!("node-{node}"), at(100), LEASE).await.expect("it answers")
        {
            mine.push(entry.call.to_string());
        }
        mine
    };
    let all = rig.runtime.block_on(async {
        let (a, b, c) = tokio::join!(take_all(1), take_all(2), take_all(3));
        [a, b, c].concat()
    });
    let different: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (ENTRIES, ENTRIES));
}

fn a_dead_nodes_callers_are_promised_a_callback(rig: &Rig) {
    let store = rig.open();
    let elsewhere = QueueEntry { node: "node-2".to_owned(), ..entry("safe", 0, 0) };
    let withheld = QueueEntry { ani: None, ..entry("withheld", 1, 0) };
    for entry in [entry("cut", 2, 0), elsewhere, withheld] {
        rig.runtime.block_on(store.enqueue(&entry, 60)).expect("it is written");
    }
    rig.claim(&store, "node-2", 3);
    let recover =
        || rig.runtime.block_on(store.recover_node("node-1", &plan(), at(10))).expect("it is written");
    let promises = recover();
    assert_eq!(promises.len(), 1);
    assert_eq!((promises[0].call.as_str(), promises[0].since), ("cut", at(2)));
    assert!(recover().is_empty(), "once is enough");
    let open = rig.runtime.block_on(store.open_entries()).expect("it answers");
    assert_eq!(open.iter().map(|e| e.call.as_str()).collect::<Vec<_>>(), ["safe"]);
}

fn two_promises_to_one_number_are_one(rig: &Rig) {
    let store = rig.open();
    let first = rig.promised(&store, promise("a", "+15550100", 0), 0);
    assert_eq!(rig.promised(&store, promise("a", "+15550100", 0), 5), first, "the same call asks again");
    let joined = rig.promised(&store, promise("b", "15550100", 60), 60);
    assert_eq!((joined.call.as_str(), joined.since, joined.promised), ("a", at(0), at(60)));
    rig.promised(&store, promise("c", "5550101", 60), 60);
    assert_eq!(rig.runtime.block_on(store.callbacks()).expect("it answers").len(), 2);
}

fn a_promise_is_kept_once(rig: &Rig) {
    let store = rig.open();
    rig.promised(&store, promise("a", "5550100", 0), 0);
    let mut taken = rig.take(&store, "node-1", 1).expect("it is due");
    assert_eq!(rig.take(&store, "node-2", 30), None, "it is in hand");
    let renewed = rig.runtime.block_on(store.renew_callback(&taken.call, "node-1", at(50), LEASE));
    renewed.expect("it is still ours");
    assert_eq!(rig.take(&store, "node-2", 100), None);
    // node-1 is not heard of again.
    let mut again = rig.take(&store, "node-2", 110).expect("its lease is over");
    taken.reached();
    let late = rig.runtime.block_on(store.settle_callback(&taken, "node-1"));
    assert!(matches!(late, Err(StoreError::ClaimLost(_))), "{late:?}");
    again.reached();
    rig.runtime.block_on(store.settle_callback(&again, "node-2")).expect("it is ours");
    assert_eq!(rig.take(&store, "node-1", 100_000), None);
    let all = rig.runtime.block_on(store.callbacks()).expect("it answers");
    assert_eq!(all[0].state, CallbackState::Over(CallbackEnd::Reached));
    // What is over makes way for another wish.
    assert_eq!(rig.promised(&store, promise("b", "5550100", 200), 200).call.as_str(), "b");
}

fn a_promise_that_is_not_due_is_nobodys(rig: &Rig) {
    let store = rig.open();
    rig.promised(&store, promise("a", "5550100", 0), 0);
    let mut taken = rig.take(&store, "node-1", 1).expect("it is due");
    taken.missed(&plan(), at(1));
    rig.runtime.block_on(store.settle_callback(&taken, "node-1")).expect("it is ours");
    assert_eq!(rig.take(&store, "node-1", 900), None, "not before a quarter of an hour");
    let again = rig.take(&store, "node-1", 901).expect("it is due");
    assert_eq!((again.attempts, again.number.expose()), (1, "5550100"));
    // After two days it is too late, and the promise ends where it is looked at.
    assert_eq!(rig.take(&store, "node-1", 3 * 86_400), None);
    let all = rig.runtime.block_on(store.callbacks()).expect("it answers");
    assert_eq!(all[0].state, CallbackState::Over(CallbackEnd::Expired));
}

/// Also from the spool, and whether it was written before or not.
fn a_record_brings_its_promise(rig: &Rig) {
    let store = rig.open();
    let promised = |id: &str, number: &str| CallRecord {
        callback: Some(Callback {
            number: number.parse().expect("a number"),
            reason: CallbackReason::NobodyFree,
            intent: None,
        }),
        ..record(id)
    };
    rig.write(&store, &promised("a", "5550100"));
    rig.write(&store, &promised("a", "5550100"));
    let kept =
        KeptCall { started_at_unix_ms: 1_790_000_000_000, zone: None, record: promised("b", "5550101") };
    rig.runtime.block_on(store.spool().put(kept)).expect("it is kept");
    rig.runtime.block_on(store.flush_spool()).expect("it is written");
    let all = rig.runtime.block_on(store.callbacks()).expect("it answers");
    let found: Vec<_> =
        all.iter().map(|c| (c.call.as_str(), c.number.expose(), c.since, c.queue.as_str())).collect();
    assert_eq!(found, [("a", "5550100", at(0), "everyone"), ("b", "5550101", at(0), "everyone")]);
    let cancel = |id: &str| rig.runtime.block_on(store.cancel_callback(&id.parse().expect("an id")));
    assert!(cancel("b").expect("written") && !cancel("b").expect("written"));
    assert_eq!(rig.take(&store, "node-1", 100).map(|c| c.call.to_string()).as_deref(), Some("a"));
    assert!(!cancel("a").expect("written"), "somebody has it in hand");
    assert_eq!(rig.take(&store, "node-1", 101), None);
}

pub(super) fn message(call: &str) -> KeptVoicemail {
    KeptVoicemail {
        call: call.parse().expect("an id"),
        queue: "orders".to_owned(),
        ani: "5550100".parse().ok(),
        at: at(0),
        duration: Duration::from_millis(4_200),
        file: format!("voicemail/{call}.flac"),
        sha256: "00".repeat(32),
        transcript: Some("please call me back".into()),
    }
}

fn figures_are_those_of_the_records(rig: &Rig) {
    let store = rig.open();
    let hour = 1_790_000_000_000_i64 / 3_600_000;
    let call = |id, ani: &str| CallRecord { ani: ani.parse().ok(), ..record(id) };
    for call in [call("a", "100"), call("b", "+100"), call("c", "101"), call("b", "100")] {
        rig.runtime
            .block_on(store.write_record(&call, 1_790_000_000_000 + u64::from(call.id.as_str() == "b")))
            .expect("kept");
    }
    let figures = rig.runtime.block_on(store.figures(hour, hour + 1)).expect("it answers");
    let [calls] = figures.kinds.as_slice() else { panic!("{figures:?}") };
    assert_eq!((calls.calls, calls.handoffs, calls.ratings, calls.rating_sum), (3, 3, 3, 12));
    assert_eq!((calls.duration_ms, calls.repeated, calls.stage.as_str()), (3 * 61_234, 1, "resolution"));
    let [hours] = figures.hours.as_slice() else { panic!("{figures:?}") };
    assert_eq!((hours.hour, hours.calls, hours.intent.as_str()), (hour, 3, ""));
    assert_eq!((figures.turns[0].turns, figures.turns[0].decision.as_str()), (3, "accept"));
    assert_eq!(
        rig.runtime.block_on(store.figures(hour + 1, hour + 9)).expect("it answers"),
        Figures::default()
    );

    rig.runtime.block_on(async {
        for (call, wait) in [("a", 8), ("b", 4_000)] {
            store.enqueue(&entry(call, 0, 0), 60).await.expect("written");
            store
                .end_entry(&entry(call, 0, 0).call, Outcome::Abandoned, None, at(wait))
                .await
                .expect("written");
        }
        store.count_handled("orders", at(9), Duration::from_secs(90)).await.expect("written");
    });
    let figures = rig.runtime.block_on(store.figures(hour, hour + 9)).expect("it answers");
    let found: Vec<_> =
        figures.queues.iter().map(|q| (q.outcome.as_str(), q.within, q.entries, q.handle_ms)).collect();
    assert!(found.contains(&("abandoned", 10, 1, 0)) && found.contains(&("abandoned", 0, 1, 0)), "{found:?}");
    assert!(found.contains(&("answered", 5, 0, 90_000)), "{found:?}");
}

/// One of some calls: hours since the first, which of a few callers and kinds, and whether it is spooled first.
type Some = (i64, u8, u8, bool);

fn some_call(n: usize, (hour, caller, kind, _): Some) -> KeptCall {
    let words = ["purpose", "resolution"].map(|word| serde_json::from_value(word.into()).expect("a stage"));
    let turn = |decision: &str| TurnRecord { decision: decision.to_owned(), ..TurnRecord::default() };
    let started = 1_790_000_000_000 + hour * 3_600_000 + i64::try_from(n).expect("few");
    let record = CallRecord {
        ani: (caller > 0).then(|| format!("+1555000{caller}").parse().expect("a number")),
        dnis: (kind % 3 > 0).then(|| format!("80{}", kind % 3).parse().expect("a number")),
        intent: (kind % 2 > 0).then(|| "billing".parse().expect("a name")),
        stage: words[usize::from(kind % 2)],
        disposition: if kind % 5 == 0 { Disposition::Abandoned } else { Disposition::Resolved },
        rating: (kind % 4 > 0).then_some(kind % 4),
        turns: (0..kind % 3).map(|n| turn(if n == 0 { "accept" } else { "no_match" })).collect(),
        ..record(&format!("call-{n}"))
    };
    KeptCall { started_at_unix_ms: started.cast_unsigned(), zone: None, record }
}

/// Counted call by call, as it is defined: a call before the last of the same number about the same.
fn counted(
    calls: &[KeptCall],
    from: i64,
    until: i64,
) -> (i64, i64, i64, i64, BTreeMap<(String, String), i64>) {
    let hour = |call: &KeptCall| call.started_at_unix_ms.cast_signed() / 3_600_000;
    let is_in = |call: &&KeptCall| (from..until).contains(&hour(call));
    let sum =
        |of: &dyn Fn(&CallRecord) -> i64| calls.iter().filter(is_in).map(|c| of(&c.record)).sum::<i64>();
    let mut repeated = 0;
    for (n, call) in calls.iter().enumerate() {
        let before =
            calls[..n].iter().filter(|b| call.record.ani.is_some() && b.record.ani == call.record.ani);
        let before = before.filter(|b| b.started_at_unix_ms < call.started_at_unix_ms);
        let before = before.filter(|b| b.started_at_unix_ms + 7 * 86_400_000 >= call.started_at_unix_ms);
        let last =
            before.max_by_key(|b| b.started_at_unix_ms).filter(|b| b.record.intent == call.record.intent);
        repeated += i64::from(last.is_some_and(|last| is_in(&last)));
    }
    let mut turns = BTreeMap::new();
    for call in calls.iter().filter(is_in) {
        let intent = call.record.intent.as_ref().map(ToString::to_string).unwrap_or_default();
        for turn in &call.record.turns {
            *turns.entry((intent.clone(), turn.decision.clone())).or_default() += 1;
        }
    }
    (
        sum(&|_| 1),
        sum(&|c| c.rating.unwrap_or(0).into()),
        sum(&|c| c.duration.as_millis().cast_signed()),
        repeated,
        turns,
    )
}

fn what_is_added_up_is_what_was_counted(rig: &Rig) {
    let config = ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() };
    let some = prop::collection::vec((0..400_i64, 0..4_u8, 0..60_u8, any::<bool>()), 1..24);
    // All cases add to one store: what an earlier one left is counted too.
    let store = rig.open();
    let mut all: Vec<KeptCall> = Vec::new();
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let all = std::cell::RefCell::new(&mut all);
    let first = 1_790_000_000 / 3_600;
    let checked = runner.run(&(some, -5..420_i64, 0..450_i64), |(calls, from, hours)| {
        let mut all = all.borrow_mut();
        rig.runtime.block_on(async {
            for some in calls {
                let call = some_call(all.len(), some);
                if some.3 {
                    store.spool().put(call.clone()).await.expect("it is kept");
                    store.flush_spool().await.expect("it is written");
                }
                store.write_record(&call.record, call.started_at_unix_ms).await.expect("it is written");
                let place = QueueEntry { call: call.record.id.clone(), ..entry("x", some.0 * 3_600, 0) };
                store.enqueue(&place, 60).await.expect("it is written");
                let left = at(some.0 * 3_600 + 7);
                store.end_entry(&place.call, Outcome::Abandoned, None, left).await.expect("it is written");
                all.push(call);
            }
        });
        for (from, until) in [(first + from, first + from + hours), (0, i64::MAX)] {
            let figures = rig.runtime.block_on(store.figures(from, until)).expect("it answers");
            let expected = counted(&all, from, until);
            let of = |rows: &[CallFigures]| {
                let sum = |of: &dyn Fn(&CallFigures) -> i64| rows.iter().map(of).sum::<i64>();
                (sum(&|c| c.calls), sum(&|c| c.rating_sum), sum(&|c| c.duration_ms), sum(&|c| c.repeated))
            };
            let mut turns = BTreeMap::new();
            for row in &figures.turns {
                *turns.entry((row.intent.clone(), row.decision.clone())).or_default() += row.turns;
            }
            let (calls, ratings, lengths, repeated, expected_turns) = expected;
            prop_assert_eq!(of(&figures.hours), (calls, ratings, lengths, repeated));
            prop_assert_eq!(of(&figures.kinds), (calls, ratings, lengths, repeated));
            prop_assert_eq!(turns, expected_turns);
            let entries: i64 = figures.queues.iter().map(|q| q.entries).sum();
            let waits: i64 = figures.queues.iter().map(|q| q.waited_ms).sum();
            prop_assert_eq!((entries, waits), (calls, calls * 7_000));
        }
        Ok(())
    });
    checked.expect("the sums are right");
    let erased = "+15550001".parse().expect("a number");
    let before = rig.runtime.block_on(store.figures(0, i64::MAX)).expect("it answers");
    rig.runtime.block_on(store.erase(&erased, "the owner", at(0))).expect("it is done");
    let keep = Retention { calls: Some(Duration::ZERO), desk: Some(Duration::ZERO), ..Retention::default() };
    rig.runtime.block_on(store.forget_old(&keep, Timestamp::MAX)).expect("it is done");
    assert!(rig.records(&store).is_empty());
    assert_eq!(rig.runtime.block_on(store.figures(0, i64::MAX)).expect("it answers"), before);
}

fn what_is_old_is_forgotten_and_the_figures_stay(rig: &Rig) {
    let store = rig.open();
    let day = Duration::from_secs(86_400);
    rig.write(&store, &record("old"));
    rig.runtime
        .block_on(store.write_record(&record("new"), 1_790_000_000_000 + 86_400_000))
        .expect("it is kept");
    rig.runtime.block_on(store.keep_voicemail(&message("old"), at(0))).expect("it is kept");
    let keep = Retention { calls: Some(day), voicemails: Some(day), ..Retention::default() };
    let forget = || rig.runtime.block_on(store.forget_old(&keep, at(86_401))).expect("it is written");
    let forgotten = forget();
    assert_eq!(forgotten.calls, ["old"]);
    assert_eq!(forgotten.files, [PathBuf::from("voicemail/old.flac")]);
    assert_eq!(forget(), Forgotten::default(), "nothing else is old");
    assert_eq!(rig.records(&store), [record("new")]);
    let figures = rig.runtime.block_on(store.figures(0, i64::MAX)).expect("it answers");
    assert_eq!(figures.hours.iter().map(|c| c.calls).sum::<i64>(), 2);
}

fn sentences_from_before_they_had_numbers_are_counted_with_the_new(rig: &Rig) {
    let asks = |id: &str| {
        let heard = Some("Can I pay by cheque?".into());
        let turn = TurnRecord { heard, decision: "no_match".to_owned(), ..TurnRecord::default() };
        CallRecord { turns: vec![turn.clone(), turn], ..record(id) }
    };
    let store = rig.open();
    rig.write(&store, &asks("a"));
    let forgotten = async {
        let opened = store.current().await.expect("it is open");
        sqlx::raw_sql("UPDATE unmatched SET said = 0").execute(&opened.writer).await.map(|_| ())
    };
    rig.runtime.block_on(forgotten).expect("it is written");
    let store = rig.open();
    rig.write(&store, &asks("b"));
    let hour = 1_790_000_000_000_i64 / 3_600_000;
    let read = rig.runtime.block_on(store.figures(hour, hour + 1)).expect("it answers").unmatched;
    assert_eq!(read.iter().map(|u| u.times).sum::<i64>(), 4, "{read:?}");
    assert!(read.iter().all(|u| u.words == "can i pay by cheque"), "{read:?}");
    let numbers = async {
        let opened = store.current().await.expect("it is open");
        let numbers = sqlx::query_scalar::<_, i64>("SELECT count(DISTINCT said) FROM unmatched");
        numbers.fetch_one(&opened.readers).await
    };
    assert_eq!(rig.runtime.block_on(numbers).expect("it answers"), 1, "one sentence has one number");
}

fn what_no_intent_took_goes_with_its_record(rig: &Rig) {
    let store = rig.open();
    let turn = |heard: &str, decision: &str, stage| TurnRecord {
        heard: Some(heard.into()),
        decision: decision.to_owned(),
        stage,
        ..TurnRecord::default()
    };
    let call = |id: &str, ani: &str| CallRecord {
        ani: ani.parse().ok(),
        turns: vec![
            turn("Can I pay by cheque?", "no_match", Stage::Purpose),
            turn("where is my order", "accept", Stage::Purpose),
            turn("it is 45 12", "no_match", Stage::Resolution),
        ],
        ..record(id)
    };
    for (id, ani) in [("a", "5550101"), ("b", "5550102"), ("b", "5550102")] {
        rig.write(&store, &call(id, ani));
    }
    let hour = 1_790_000_000_000_i64 / 3_600_000;
    let read = || rig.runtime.block_on(store.figures(hour, hour + 1)).expect("it answers").unmatched;
    let words = |all: &[UnmatchedFigures]| all.iter().map(|u| (u.words.clone(), u.times)).collect::<Vec<_>>();
    assert_eq!(words(&read()), [("can i pay by cheque".to_owned(), 2)]);
    assert_eq!(
        (read()[0].intent.as_str(), read()[0].stage.as_str(), read()[0].hour),
        ("order_status", "purpose", hour)
    );
    let number = "5550101".parse().expect("a number");
    rig.runtime.block_on(store.erase(&number, "the owner", at(0))).expect("it is done");
    assert_eq!(words(&read()), [("can i pay by cheque".to_owned(), 1)]);
    let keep = Retention { calls: Some(Duration::ZERO), ..Retention::default() };
    rig.runtime.block_on(store.forget_old(&keep, at(86_400))).expect("it is done");
    assert_eq!(read(), []);
}

fn a_calls_time_has_the_lines_zone_beside_it(rig: &Rig) {
    let desk =
        DeskPlan::parse("desk.toml", "zone = \"Europe/Berlin\"\n[[queue]]\nname = \"all\"").expect("a desk");
    let options = StoreOptions { desk: Arc::new(desk), ..rig.options() };
    let store = rig.runtime.block_on(Store::open_with(rig.address(), options)).expect("it opens");
    rig.write(&store, &record("a"));
    let kept = rig.runtime.block_on(store.record(&"a".parse().expect("an id"))).expect("it answers");
    let kept = kept.expect("it is there");
    assert_eq!((kept.started_at_unix_ms, kept.zone.as_deref()), (1_790_000_000_000, Some("Europe/Berlin")));
    assert_eq!(kept.local().to_string(), "2026-09-21T16:13:20+02:00[Europe/Berlin]");
}

fn the_agent_spoken_to_last_is_known_with_the_rating(rig: &Rig) {
    let store = rig.open();
    let answered = |call: &str, number: &str, agent: &str, ended: i64| {
        let place = QueueEntry { ani: number.parse().ok(), ..entry(call, 0, 0) };
        rig.runtime.block_on(store.enqueue(&place, 60)).expect("it is written");
        let end = store.end_entry(&place.call, Outcome::Answered, Some(agent), at(ended));
        assert!(rig.runtime.block_on(end).expect("it is written"));
    };
    let last = |number: &str| {
        let number = number.parse().expect("a number");
        let spoken = rig.runtime.block_on(store.spoken_last(&number)).expect("it answers");
        spoken.map(|spoken| (spoken.agent, spoken.rating))
    };
    assert_eq!(last("5550177"), None);
    answered("first", "5550177", "ana", 10);
    answered("other", "5550188", "cho", 30);
    rig.write(&store, &CallRecord { rating: Some(4), ..record("first") });
    assert_eq!(last("+5550177"), Some(("ana".to_owned(), Some(4))));
    // The second place of a call is that call's.
    answered("second-2", "+5550177", "ben", 20);
    assert_eq!(last("5550177"), Some(("ben".to_owned(), None)));
    rig.write(&store, &CallRecord { rating: Some(2), ..record("second") });
    assert_eq!(last("5550177"), Some(("ben".to_owned(), Some(2))));
}

fn a_rating_that_comes_late_is_counted_once(rig: &Rig) {
    let store = rig.open();
    rig.write(&store, &CallRecord { rating: None, ..record("a") });
    rig.write(&store, &record("b"));
    let rate = |call: &str, grade| {
        let call = call.parse().expect("an id");
        rig.runtime.block_on(store.rate(&call, grade, at(5))).expect("it answers")
    };
    assert!(rate("a", 5) && !rate("a", 1) && !rate("b", 1) && !rate("nobody", 1));
    let read = rig.records(&store).into_iter().find(|r| r.id.as_str() == "a").expect("it is there");
    assert_eq!(read.rating, Some(5));
    let figures = rig.runtime.block_on(store.figures(0, i64::MAX)).expect("it answers");
    for rows in [&figures.hours, &figures.kinds] {
        let sums = rows.iter().fold((0, 0, 0), |s, c| (s.0 + c.calls, s.1 + c.ratings, s.2 + c.rating_sum));
        assert_eq!(sums, (2, 2, 9), "two calls, rated 5 and 4");
    }
}

fn one_customers_data_is_erased(rig: &Rig) {
    let store = rig.seeded();
    let number: crate::call::Ani = "5550100".parse().expect("a number");
    let call = |id, ani: &str| CallRecord { ani: ani.parse().ok(), ..record(id) };
    rig.write(&store, &call("hers", "+5550100"));
    let his = CallRecord { handoff: None, ..call("his", "5550101") };
    rig.write(&store, &his);
    let kept = KeptCall { started_at_unix_ms: 0, zone: None, record: call("waiting", "5550100") };
    rig.runtime.block_on(store.spool().put(kept)).expect("it is kept");
    rig.runtime.block_on(store.keep_voicemail(&message("hers"), at(0))).expect("it is kept");
    rig.runtime.block_on(store.enqueue(&entry("hers", 0, 0), 60)).expect("it is written");
    rig.promised(&store, promise("hers", "5550100", 0), 0);
    let forgotten = rig.runtime.block_on(store.erase(&number, "the owner", at(5))).expect("it is done");
    assert_eq!((forgotten.calls.len(), forgotten.files.len()), (1, 1));
    assert_eq!(rig.records(&store), [his]);
    assert!(rig.look_up(&store, "customer_by_ani", "ani", "5550100").is_empty());
    assert!(rig.look_up(&store, "order_by_number", "number", "451288").is_empty());
    assert!(store.spool().waiting().expect("it can be read").is_empty());
    let left = rig
        .runtime
        .block_on(async { (store.callbacks().await, store.voicemails().await, store.open_entries().await) });
    assert!(
        left.0.expect("read").is_empty()
            && left.1.expect("read").is_empty()
            && left.2.expect("read").is_empty()
    );
    let trail = rig.runtime.block_on(store.audit_trail(10)).expect("it answers");
    assert_eq!((trail[0].who.as_str(), trail[0].what.as_str()), ("the owner", "erase"));
    assert!(!trail[0].subject.contains("555"));
    if rig.url.is_none() {
        rig.runtime.block_on(store.close());
        let file = fs::read(rig.path()).expect("the database");
        for trace in [b"Maria Lopez".as_slice(), b"please call me back"] {
            assert!(!file.windows(trace.len()).any(|bytes| bytes == trace), "the file still holds it");
        }
    }
}

fn two_can_open_an_empty_database_at_once(rig: &Rig) {
    let options = StoreOptions { busy_timeout: Duration::from_secs(10), ..rig.options() };
    let open = || Store::open_with(rig.address(), options.clone());
    let (a, b) = rig.runtime.block_on(async { tokio::join!(open(), open()) });
    a.expect("the first opens");
    b.expect("the second opens");
}

fn what_an_agent_wants_is_not_wiped_out(rig: &Rig) {
    let store = rig.open();
    rig.runtime.block_on(async {
        let (ready, busy, out) = (Presence::Ready, Presence::Busy, Presence::SignedOut);
        let first = store.write_agent("ana", ready, None, at(0)).await.expect("written").expect("it is new");
        assert_eq!(
            store.write_agent("ana", busy, None, at(1)).await.expect("answered"),
            None,
            "there is one"
        );
        // She says that she goes, in the millisecond in which her telephone is about to ring.
        store.sign_agent("ana", out, "command line", at(0)).await.expect("written");
        let row = || async { store.agents().await.expect("read").remove(0) };
        let said = row().await;
        assert!(said.at > first);
        let late = store.write_agent("ana", busy, Some(first), at(2)).await.expect("answered");
        assert_eq!(late, None, "the line has not seen it yet");
        assert_eq!((row().await, said.presence), (said.clone(), out));
        let away = Presence::Away(AwayReason::NoAnswer);
        let kept = store.write_agent("ana", away, Some(said.at), at(3)).await.expect("written");
        assert_eq!((Some(row().await.at), row().await.presence), (kept, away), "it was seen");
        let trail = store.audit_trail(9).await.expect("read");
        let trail: Vec<_> =
            trail.iter().map(|e| (e.who.as_str(), e.what.as_str(), e.subject.as_str())).collect();
        assert_eq!(trail, [("command line", "signed_out", "ana")]);
        let plan =
            "[[queue]]\nname = \"all\"\n[[agent]]\nname = \"ana\"\nrings = \"200\"\nskills = { orders = 8 }";
        let plan = DeskPlan::parse("desk.toml", plan).expect("a desk");
        store.write_skills(&plan, at(4)).await.expect("written");
        store.write_skills(&plan, at(5)).await.expect("written again");
        assert_eq!(store.agents().await.expect("read")[0].presence, away, "skills change nobody's presence");
    });
}
