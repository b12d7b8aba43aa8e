//! What is to be told: put out with what it tells of, claimed by one node, told once; the same on both databases.

use super::desk::{LEASE, at};
use super::*;
use crate::call::CallId;
use crate::desk::{DeskPlan, News, WrittenUp};

on_both! {
    news_are_put_out_with_what_they_tell_of,
    news_are_one_nodes_until_its_lease_is_over,
    a_message_waits_for_its_transcript,
    a_call_is_written_up_and_put_out_each_time,
    a_rating_that_comes_late_is_put_out_once,
    what_was_told_is_forgotten_and_what_was_not_stays,
}

/// A store whose desk tells `all` of everything, and `few` of what is about bills.
fn telling(rig: &Rig) -> Store {
    let desk = DeskPlan::parse(
        "desk.toml",
        "[[queue]]\nname = \"orders\"\n[wrap_up]\ndispositions = [\"refunded\"]\n\
         [[notify]]\nname = \"all\"\non = [\"voicemail\", \"call\", \"rating\", \"wrap_up\"]\nwebhook = \"http://127.0.0.1:9\"\n\
         [[notify]]\nname = \"few\"\non = [\"call\"]\nintents = [\"billing\"]\nemail = [\"a@b.example\"]",
    );
    let options = StoreOptions { desk: Arc::new(desk.expect("a desk")), ..rig.options() };
    rig.runtime.block_on(Store::open_with(rig.address(), options)).expect("it opens")
}

/// A message that nobody has listened to.
fn message(call: &str) -> KeptVoicemail {
    KeptVoicemail { transcript: None, ..desk::message(call) }
}

fn keys(rig: &Rig, store: &Store) -> Vec<String> {
    let all = rig.runtime.block_on(store.outbox()).expect("it answers");
    all.into_iter().map(|news| news.key).collect()
}

fn claim(rig: &Rig, store: &Store, by: &str, now: i64) -> Option<Outgoing> {
    rig.runtime.block_on(store.claim_news(by, at(now), LEASE)).expect("it answers")
}

fn settle(rig: &Rig, store: &Store, key: &str, by: &str, state: OutgoingState) -> Result<(), StoreError> {
    rig.runtime.block_on(store.settle_news(key, by, state, None))
}

fn news_are_put_out_with_what_they_tell_of(rig: &Rig) {
    let store = telling(rig);
    rig.write(&store, &record("a"));
    assert!(matches!(rig.write(&store, &record("a")), Written::AlreadyThere));
    rig.write(&store, &CallRecord { intent: "billing".parse().ok(), ..record("b") });
    let keep = || rig.runtime.block_on(store.keep_voicemail(&message("c"), at(0))).expect("it is kept");
    assert!(keep() && !keep());
    assert_eq!(keys(rig, &store), ["voicemail-c-all", "call-a-all", "call-b-all", "call-b-few"]);
    // A record that waited in the spool brings its news when it is written.
    let kept = KeptCall { started_at_unix_ms: 1_790_000_000_000, zone: None, record: record("d") };
    rig.runtime.block_on(store.spool().put(kept)).expect("it is kept");
    rig.runtime.block_on(store.flush_spool()).expect("it is written");
    assert!(keys(rig, &store).contains(&"call-d-all".to_owned()));
}

fn news_are_one_nodes_until_its_lease_is_over(rig: &Rig) {
    let store = telling(rig);
    rig.runtime.block_on(store.keep_voicemail(&message("a"), at(0))).expect("it is kept");
    let mine = claim(rig, &store, "node-1", 0).expect("it is due");
    assert_eq!((mine.news, mine.attempts, mine.state), (News::Voicemail, 1, OutgoingState::InHand));
    assert_eq!(claim(rig, &store, "node-2", 59), None);
    assert_eq!(claim(rig, &store, "node-2", 60).map(|news| news.attempts), Some(2));
    let told = OutgoingState::Told(at(61));
    assert!(matches!(settle(rig, &store, &mine.key, "node-1", told), Err(StoreError::ClaimLost(_))));
    settle(rig, &store, &mine.key, "node-2", OutgoingState::Waiting(at(100))).expect("it is ours");
    assert_eq!(claim(rig, &store, "node-1", 99), None);
    assert_eq!(claim(rig, &store, "node-1", 100).map(|news| news.attempts), Some(3));
    settle(rig, &store, &mine.key, "node-1", told).expect("it is ours");
    assert_eq!(claim(rig, &store, "node-1", 1_000_000), None);
    let all = rig.runtime.block_on(store.outbox()).expect("it answers");
    assert_eq!((all.len(), all[0].state), (1, told));
}

fn a_message_waits_for_its_transcript(rig: &Rig) {
    let store = telling(rig);
    let keep =
        |call| rig.runtime.block_on(store.keep_voicemail(&message(call), at(180))).expect("it is kept");
    assert!(keep("heard") && keep("unheard"));
    assert_eq!(claim(rig, &store, "node-1", 20), None);
    let call: CallId = "heard".parse().expect("an id");
    let write = |words| rig.runtime.block_on(store.write_transcript(&call, words, at(30)));
    write(Some("please call me back")).expect("it is written");
    assert_eq!(claim(rig, &store, "node-1", 30).map(|news| news.call.to_string()).as_deref(), Some("heard"));
    assert_eq!(claim(rig, &store, "node-1", 31), None, "the other one waits");
    let kept = rig.runtime.block_on(store.voicemail(&call)).expect("it answers").expect("it is there");
    assert_eq!(kept.transcript.as_ref().map(|text| text.expose().as_str()), Some("please call me back"));
    // Whoever was to hear it has died: it is announced without.
    assert_eq!(claim(rig, &store, "node-1", 180).map(|n| n.call.to_string()).as_deref(), Some("heard"));
    assert_eq!(claim(rig, &store, "node-1", 180).map(|n| n.call.to_string()).as_deref(), Some("unheard"));
}

fn a_call_is_written_up_and_put_out_each_time(rig: &Rig) {
    let store = telling(rig);
    rig.write(&store, &record("a"));
    let written = WrittenUp {
        agent: "ana".to_owned(),
        disposition: "refunded".to_owned(),
        remark: "A label is on its way.".to_owned(),
    };
    let write = |call: &str, written: &WrittenUp, now| {
        let call: CallId = call.parse().expect("an id");
        rig.runtime.block_on(store.write_up(&call, written, at(now))).expect("it is written")
    };
    assert!(write("a", &written, 100) && !write("nobody", &written, 100));
    let later = WrittenUp { remark: "It came back.".to_owned(), ..written };
    assert!(write("a", &later, 200));
    let call: CallId = "a".parse().expect("an id");
    assert_eq!(rig.runtime.block_on(store.written_up(&call)).expect("it answers"), Some(later));
    assert_eq!(
        keys(rig, &store),
        ["call-a-all", "wrap_up-a-all-1790000100000", "wrap_up-a-all-1790000200000"]
    );
    let number = "15550100".parse().expect("a number");
    rig.runtime.block_on(store.erase(&number, "the owner", at(300))).expect("it is done");
    assert_eq!(rig.runtime.block_on(store.written_up(&call)).expect("it answers"), None);
    assert_eq!(keys(rig, &store), Vec::<String>::new());
}

fn a_rating_that_comes_late_is_put_out_once(rig: &Rig) {
    let store = telling(rig);
    rig.write(&store, &CallRecord { rating: None, ..record("a") });
    rig.write(&store, &record("b"));
    let rate = |call: &str| {
        let call = call.parse().expect("an id");
        rig.runtime.block_on(store.rate(&call, 5, at(100))).expect("it answers")
    };
    assert!(rate("a") && !rate("a") && !rate("b") && !rate("nobody"));
    assert_eq!(keys(rig, &store), ["call-a-all", "call-b-all", "rating-a-all"]);
    let told: Vec<News> = std::iter::from_fn(|| claim(rig, &store, "node-1", 100)).map(|n| n.news).collect();
    assert_eq!(told, [News::Call, News::Call, News::Rating]);
}

fn what_was_told_is_forgotten_and_what_was_not_stays(rig: &Rig) {
    let store = telling(rig);
    for call in ["told", "not"] {
        rig.runtime.block_on(store.keep_voicemail(&message(call), at(0))).expect("it is kept");
    }
    let told = "voicemail-told-all";
    while let Some(news) = claim(rig, &store, "node-1", 1) {
        let state = if news.key == told { OutgoingState::Told(at(1)) } else { OutgoingState::Waiting(at(9)) };
        settle(rig, &store, &news.key, "node-1", state).expect("it is ours");
    }
    let day = Duration::from_secs(86_400);
    let keep = Retention { desk: Some(day), ..Retention::default() };
    rig.runtime.block_on(store.forget_old(&keep, at(90_000))).expect("it is written");
    assert_eq!(keys(rig, &store), ["voicemail-not-all"]);
}
