//! Several nodes on one store: who lives, who has which agent, and that nobody waits in a circle.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::*;
use crate::call::CallId;
use crate::desk::{
    Callback as Promise, CallbackEnd, CallbackPlan, CallbackState, Denial, DeskPlan, Outcome, Presence,
};

on_both! {
    an_agent_is_one_calls_over_all_nodes,
    who_came_first_goes_first_over_all_nodes,
    a_dead_nodes_agents_are_free_and_its_callers_promised,
    a_node_that_was_thought_dead_takes_its_callers_back,
    who_calls_again_gets_the_place_back,
    whoever_waits_in_a_queue_is_not_called_back,
    the_last_handle_times_are_kept,
}

const LEASE: Duration = Duration::from_secs(15);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).expect("in range")
}

fn id(call: &str) -> CallId {
    call.parse().expect("an id")
}

fn plan() -> DeskPlan {
    let text = "[[queue]]\nname = \"fix\"\nskills = [\"fix\"]\nneeds = { fix = 5 }\n[[queue]]\nname = \"rest\"\n\
                [[agent]]\nname = \"ana\"\nrings = \"sip:ana@desk\"\nskills = { fix = 8 }\n\
                [[agent]]\nname = \"ben\"\nrings = \"sip:ben@desk\"\n";
    DeskPlan::parse("desk.toml", text).expect("a desk")
}

fn callbacks() -> CallbackPlan {
    CallbackPlan::of(&plan())
}

fn place(call: &str, queue: &str, node: &str, since: i64) -> QueueEntry {
    QueueEntry {
        ani: Some("5550100".parse().expect("a number")),
        ..QueueEntry::new(id(call), queue, node, at(since))
    }
}

fn claim(node: &str, call: &str, agent: &str) -> AgentClaim {
    AgentClaim { node: node.to_owned(), call: id(call), agent: agent.to_owned() }
}

/// Two nodes of the same store, with both agents there.
struct Two<'a> {
    rig: &'a Rig,
    store: Store,
}

impl Two<'_> {
    fn open(rig: &Rig) -> Two<'_> {
        let store = rig.open();
        let two = Two { rig, store };
        two.now(two.store.write_skills(&plan(), at(0)));
        for node in ["one", "two"] {
            two.now(two.store.join_node(node, "desk", at(0)));
        }
        for agent in ["ana", "ben"] {
            two.now(two.store.sign_agent(agent, Presence::Ready, "themselves", at(0)));
        }
        two
    }

    fn now<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> T {
        self.rig.runtime.block_on(work).expect("the database answers")
    }

    fn waits(&self, place: &QueueEntry) {
        assert!(self.now(self.store.enqueue(place, 60)));
    }

    fn claims(&self, claim: &AgentClaim, now: i64) -> Result<(), Denial> {
        self.now(self.store.claim_agent(claim, &plan(), at(now), LEASE))
    }

    fn presence(&self, agent: &str) -> Option<Presence> {
        let agents = self.now(self.store.agents());
        agents.into_iter().find(|row| row.name == agent).map(|row| row.presence)
    }

    fn seen_by(&self, node: &str, now: i64) -> Shared {
        self.now(self.store.shared(node, at(now), LEASE))
    }
}

fn an_agent_is_one_calls_over_all_nodes(rig: &Rig) {
    let two = Two::open(rig);
    two.waits(&place("a", "rest", "one", 0));
    two.waits(&place("b", "rest", "two", 1));
    assert_eq!(two.claims(&claim("one", "a", "ben"), 2), Ok(()));
    assert_eq!(two.presence("ben"), Some(Presence::Busy));
    assert_eq!(two.claims(&claim("two", "b", "ben"), 2), Err(Denial::Taken));
    assert_eq!(two.claims(&claim("two", "b", "ana"), 2), Ok(()));
    // What an agent says while on a call waits for its end.
    two.now(two.store.sign_agent("ben", Presence::SignedOut, "themselves", at(3)));
    two.now(two.store.release_agent(&claim("one", "a", "ben"), at(4)));
    assert_eq!(two.claims(&claim("one", "a", "ben"), 5), Err(Denial::Taken), "ben is gone");
    let shared = two.seen_by("one", 5);
    let found: Vec<_> = shared.entries.iter().map(|e| (e.call.as_str(), e.rings.as_deref())).collect();
    assert_eq!((found.as_slice(), shared.nodes.len()), ([("b", Some("ana"))].as_slice(), 2));
    // Rung in vain, the caller waits on at the same place.
    two.now(two.store.release_agent(&claim("two", "b", "ana"), at(6)));
    assert_eq!(two.seen_by("one", 6).entries[0].rings, None);
    two.now(two.store.end_entry(&id("b"), Outcome::Abandoned, None, at(7)));
    assert_eq!(two.claims(&claim("two", "b", "ana"), 8), Err(Denial::NotFirst), "nobody waits there");
}

fn who_came_first_goes_first_over_all_nodes(rig: &Rig) {
    let two = Two::open(rig);
    two.waits(&place("first", "fix", "one", 0));
    two.waits(&place("second", "rest", "two", 1));
    assert_eq!(two.claims(&claim("two", "second", "ana"), 2), Err(Denial::NotFirst), "only ana can fix");
    assert_eq!(two.claims(&claim("two", "second", "ben"), 2), Ok(()), "ben cannot");
    two.now(two.store.release_agent(&claim("two", "second", "ben"), at(3)));
    // Whose node is not heard of any more is not waited for.
    two.now(two.store.beat("two", at(30)));
    assert_eq!(two.claims(&claim("two", "second", "ana"), 30), Ok(()));
}

fn a_dead_nodes_agents_are_free_and_its_callers_promised(rig: &Rig) {
    let two = Two::open(rig);
    two.waits(&place("talks", "fix", "one", 0));
    two.waits(&place("waits", "fix", "one", 1));
    two.waits(&QueueEntry { ani: None, call_back: true, ..place("back", "fix", "one", 2) });
    two.waits(&QueueEntry { ani: "5550177".parse().ok(), ..place("safe", "fix", "two", 3) });
    assert_eq!(two.claims(&claim("one", "talks", "ana"), 4), Ok(()));
    two.now(two.store.end_entry(&id("talks"), Outcome::Answered, Some("ana"), at(5)));
    assert!(two.now(two.store.beat("two", at(10))));
    assert_eq!(two.now(two.store.recover_dead(&callbacks(), at(14), LEASE)), [], "it may live");
    let promises = two.now(two.store.recover_dead(&callbacks(), at(15), LEASE));
    let found: Vec<_> = promises.iter().map(|p| (p.call.as_str(), p.since)).collect();
    assert_eq!(found, [("waits", at(1))], "the place is kept");
    assert_eq!(two.now(two.store.recover_dead(&callbacks(), at(16), LEASE)), []);
    assert_eq!(two.presence("ana"), Some(Presence::Ready));
    assert_eq!(two.claims(&claim("two", "safe", "ana"), 16), Ok(()));
    assert_eq!(two.seen_by("two", 16).entries, []);
    // A node that ends in order says so, and need not be waited for.
    let left = two.now(two.store.leave_node("two", &callbacks(), at(17)));
    assert_eq!(left.iter().map(|p| p.number.expose()).collect::<Vec<_>>(), ["5550177"]);
    assert_eq!(two.presence("ana"), Some(Presence::Ready));
}

fn a_node_that_was_thought_dead_takes_its_callers_back(rig: &Rig) {
    let two = Two::open(rig);
    let cut = place("cut", "fix", "one", 0);
    two.waits(&cut);
    two.now(two.store.beat("two", at(20)));
    assert_eq!(two.now(two.store.recover_dead(&callbacks(), at(20), LEASE)).len(), 1);
    assert!(!two.now(two.store.beat("one", at(21))), "it is told");
    two.now(two.store.join_node("one", "desk", at(21)));
    two.now(two.store.revive_place(&cut, 60));
    assert_eq!(two.seen_by("two", 21).entries.iter().map(|e| e.call.as_str()).collect::<Vec<_>>(), ["cut"]);
    let none = two.now(two.store.claim_callback(&callbacks(), "two", at(22), LEASE));
    assert_eq!(none, None, "the caller is on the line");
    assert_eq!(two.claims(&claim("one", "cut", "ana"), 23), Ok(()));
    assert!(two.now(two.store.end_entry(&id("cut"), Outcome::Answered, Some("ana"), at(24))));
    let [promise] = two.now(two.store.callbacks()).try_into().expect("one");
    assert_eq!(promise.state, CallbackState::Over(CallbackEnd::Cancelled), "nobody is called about it");
    let figures = two.now(two.store.figures(0, i64::MAX));
    let counted: Vec<_> =
        figures.queues.iter().filter(|q| q.entries != 0).map(|q| (q.outcome.as_str(), q.entries)).collect();
    assert_eq!(counted, [("answered", 1)]);
}

fn who_calls_again_gets_the_place_back(rig: &Rig) {
    let two = Two::open(rig);
    two.waits(&place("cut", "fix", "one", 0));
    two.now(two.store.leave_node("one", &callbacks(), at(5)));
    let taken =
        |call: &str, queue: &str, since| two.now(two.store.take_place(&place(call, queue, "two", since), 60));
    assert_eq!(taken("elsewhere", "rest", 40), Some(at(40)), "it was kept in another queue");
    assert_eq!(taken("again", "fix", 40), Some(at(0)));
    assert_eq!(taken("again", "fix", 40), None);
    two.now(two.store.end_entry(&id("elsewhere"), Outcome::Abandoned, None, at(41)));
    two.now(two.store.end_entry(&id("again"), Outcome::Abandoned, None, at(50)));
    let state = || two.now(two.store.callbacks()).remove(0).state;
    assert!(
        matches!(state(), CallbackState::Waiting { .. }),
        "who gives up again is called back all the same"
    );
    let figures = two.now(two.store.figures(0, i64::MAX));
    let waited: i64 = figures.queues.iter().filter(|q| q.outcome == "abandoned").map(|q| q.waited_ms).sum();
    assert_eq!(waited, 11_000, "each wait counts from its own beginning");
    assert_eq!(taken("third", "fix", 60), Some(at(0)));
    two.now(two.store.end_entry(&id("third"), Outcome::Answered, Some("ana"), at(61)));
    assert_eq!(state(), CallbackState::Over(CallbackEnd::Cancelled));
}

fn whoever_waits_in_a_queue_is_not_called_back(rig: &Rig) {
    let two = Two::open(rig);
    let kept = ("promised".parse().expect("an id"), "fix", at(0));
    let window = crate::desk::Window { from: at(0), until: None };
    let promise = Promise::promise(&callbacks(), at(0), kept, "+5550100".parse().expect("a number"), window);
    two.now(two.store.promise_callback(&callbacks(), promise, at(0)));
    two.waits(&place("calls", "rest", "one", 1));
    let take = |now| two.now(two.store.claim_callback(&callbacks(), "two", at(now), LEASE));
    assert_eq!(take(2), None);
    two.now(two.store.end_entry(&id("calls"), Outcome::Abandoned, None, at(3)));
    assert_eq!(take(4).map(|promise| promise.call), Some(id("promised")));
}

fn the_last_handle_times_are_kept(rig: &Rig) {
    let two = Two::open(rig);
    for n in 0..130 {
        two.now(two.store.keep_time("fix", Duration::from_secs(n), Duration::from_secs(100)));
    }
    two.now(two.store.keep_time("rest", Duration::ZERO, Duration::from_millis(1_500)));
    let times = two.seen_by("one", 0).times;
    let rings: Vec<u64> = times["fix"].iter().map(|(ring, _)| ring.as_secs()).collect();
    assert_eq!((rings.len(), rings[0], rings[99]), (100, 30, 129));
    assert_eq!(times["rest"], [(Duration::ZERO, Duration::from_millis(1_500))]);
}

/// Everything at once, on a server: whoever had to wait in a circle would be told so by an error.
#[test]
fn nodes_never_wait_in_a_circle() {
    let Some(rig) = Rig::postgres() else { return };
    let two = Two::open(&rig);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let work = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for node in 0..4_u64 {
            let store = Store::open_with(rig.address(), rig.options()).await.expect("it opens");
            tasks.spawn(node_at_work(store, node));
        }
        tasks.join_all().await
    });
    let answered: Vec<CallId> = work.concat();
    assert_eq!(answered.iter().collect::<BTreeSet<_>>().len(), answered.len(), "served twice");
    assert!(!answered.is_empty());
    for node in 0..4 {
        two.now(two.store.leave_node(&format!("node-{node}"), &callbacks(), at(500)));
    }
    assert!(two.now(two.store.open_entries()).is_empty());
    assert!(two.now(two.store.agents()).iter().all(|agent| agent.held_by.is_none()));
    let figures = two.now(two.store.figures(0, i64::MAX));
    let counted: i64 = figures.queues.iter().filter(|q| q.outcome == "answered").map(|q| q.entries).sum();
    assert_eq!(usize::try_from(counted).expect("few"), answered.len(), "figures and answers part");
}

/// Gives places, serves them, promises to the same few numbers, writes records, dies and comes back.
async fn node_at_work(store: Store, node: u64) -> Vec<CallId> {
    let (name, mut rng) = (format!("node-{node}"), fastrand::Rng::with_seed(node));
    let (plan, promises) = (plan(), callbacks());
    let mut answered = Vec::new();
    store.join_node(&name, "desk", at(0)).await.expect("it joins");
    for n in 0..60_i64 {
        let now = at(n);
        let call = format!("{name}-{n}");
        let ani = format!("555010{}", rng.u8(..3)).parse().ok();
        let entry = QueueEntry { ani, ..QueueEntry::new(id(&call), "rest", &name, now) };
        store.enqueue(&entry, 60).await.expect("a place");
        let claim = claim(&name, &call, ["ana", "ben"][rng.usize(..2)]);
        if store.claim_agent(&claim, &plan, now, LEASE).await.expect("an answer").is_ok() {
            if store
                .end_entry(&entry.call, Outcome::Answered, Some(&claim.agent), now)
                .await
                .expect("it ends")
            {
                answered.push(entry.call.clone());
            }
            store.release_agent(&claim, now).await.expect("it is free");
        }
        let _ = store.sign_agent(&claim.agent, Presence::Ready, "themselves", now).await;
        match rng.u8(..4) {
            // As if it were dead, and whoever comes first tidies up.
            0 => drop(store.leave_node(&name, &promises, now).await.expect("it leaves")),
            1 => drop(store.recover_dead(&promises, now, Duration::from_secs(3)).await.expect("it looks")),
            2 => store.write_skills(&plan, now).await.expect("skills are written"),
            _ => drop(store.write_record(&record(&call), 1_790_000_000_000).await.expect("it is kept")),
        }
        if let Some(mut promise) =
            store.claim_callback(&promises, &name, at(n + 1), LEASE).await.expect("it answers")
        {
            promise.reached();
            // Its lease may be over by this clock.
            let _ = store.settle_callback(&promise, &name).await;
        }
        store.join_node(&name, "desk", now).await.expect("it joins");
    }
    answered
}

#[test]
fn what_one_node_changes_wakes_the_others() {
    let Some(rig) = Rig::postgres() else { return };
    let two = Two::open(&rig);
    let mut listener = two.now(two.store.listen()).expect("a server tells");
    let mut hears = |change| {
        let heard = async { tokio::time::timeout(Duration::from_secs(20), listener.changed()).await };
        assert_eq!(rig.runtime.block_on(heard).expect("in time").expect("it listens"), change);
    };
    two.waits(&place("a", "rest", "one", 0));
    hears(Change::Queue);
    two.now(two.store.sign_agent("ana", Presence::SignedOut, "themselves", at(1)));
    hears(Change::Agents);
    two.now(two.store.leave_node("one", &callbacks(), at(2)));
    // One transaction: the place, and the promise that takes it over.
    hears(Change::Queue);
    hears(Change::Callbacks);
    hears(Change::Agents);
    let file = Rig::new();
    assert!(
        file.runtime.block_on(file.open().listen()).expect("it answers").is_none(),
        "a file tells nobody"
    );
}
