//! Two nodes in one process, on one PostgreSQL: one queue, and every agent on one call at a time.

use attendant::call::Disposition;
use attendant::desk::{CallbackState, Presence};
use attendant::store::QueueEntry;

use super::desk::{Rig, Setup, asks_for_a_person, rings};
use super::handing_over::{agent, picks_up};
use super::postgres;

/// Two nodes with the same agents.
fn two(agents: &[(&str, &str)]) -> Option<(Rig, Rig)> {
    let address = postgres::database()?;
    let one = Rig::at(Setup { server: Some(&address), node: "one", agents, ..Setup::default() });
    let two = Rig::at(Setup { server: Some(&address), node: "two", agents, ..Setup::default() });
    Some((one, two))
}

#[test]
fn the_next_caller_is_the_one_who_came_first_at_whichever_node() {
    let (mut ana, uri) = agent();
    let Some((one, two)) = two(&[("ana", &uri)]) else { return };
    one.sign_in("ana");
    two.until("the other node sees her", || two.ready() == 1);
    let mut first = asks_for_a_person(&one);
    let invite = rings(&mut ana);
    ana.belongs_to(&invite);
    ana.respond(&invite, "180 Ringing", "", "");
    two.until("she is taken", || two.presence("ana") == Some(Presence::Busy));
    // She is one call's, although she has not picked up yet.
    let mut second = asks_for_a_person(&two);
    two.hears_said(&mut second, "waiting.announce", 1);
    picks_up(&mut ana, &invite);
    first.silence(60);
    assert_eq!(one.line.held(1)[0].record.disposition, Disposition::Transferred);
    let mut third = asks_for_a_person(&one);
    one.hears_said(&mut third, "waiting.announce", 1);
    assert_eq!((one.waiting(), two.waiting()), (2, 2), "one queue");
    first.hang_up();
    // The node where she was free first has a caller of its own, but the other's has waited longer.
    let invite = rings(&mut ana);
    let asked: Vec<_> = two.runtime.block_on(two.store.open_entries()).expect("it answers");
    let rung: Vec<_> = asked.iter().map(|e| (e.node.as_str(), e.rings.as_deref())).collect();
    assert_eq!(rung, [("two", Some("ana")), ("one", None)]);
    picks_up(&mut ana, &invite);
    second.silence(60);
    assert_eq!(two.line.held(1)[0].record.disposition, Disposition::Transferred);
    second.hang_up();
    let invite = rings(&mut ana);
    picks_up(&mut ana, &invite);
    third.silence(60);
    assert_eq!(one.line.held(2)[1].record.disposition, Disposition::Transferred);
    third.hang_up();
    one.is_over();
    two.is_over();
    two.until("she is free for both", || two.presence("ana") == Some(Presence::Ready));
    one.until("all were answered", || one.outcomes().iter().map(|(_, n)| n).sum::<i64>() == 3);
    assert!(one.outcomes().iter().all(|(outcome, _)| outcome == "answered"), "{:?}", one.outcomes());
}

#[test]
fn without_their_store_each_node_rings_agents_that_no_other_rings() {
    let Some(server) = postgres::Server::start(postgres::Disk::Spared) else { return };
    let address = server.create();
    let ((mut ana, anas), (mut ben, bens)) = (agent(), agent());
    let agents = [("ana", anas.as_str()), ("ben", bens.as_str())];
    let one = Rig::at(Setup { server: Some(&address), node: "one", agents: &agents, ..Setup::default() });
    let two = Rig::at(Setup { server: Some(&address), node: "two", agents: &agents, ..Setup::default() });
    for name in ["ana", "ben"] {
        one.sign_in(name);
    }
    two.until("both nodes know both", || two.ready() == 2 && one.ready() == 2);
    // Its end is that of its standard input.
    drop(server);
    let mut first = asks_for_a_person(&one);
    let invite = rings(&mut ana);
    picks_up(&mut ana, &invite);
    let mut second = asks_for_a_person(&two);
    let ben_rung = rings(&mut ben);
    picks_up(&mut ben, &ben_rung);
    first.silence(60);
    second.silence(60);
    assert!(ana.has_no_invite_but(&[&invite]) && ben.has_no_invite_but(&[&ben_rung]), "each has one call");
    assert_eq!(one.line.held(1)[0].record.disposition, Disposition::Transferred);
    assert_eq!(two.line.held(1)[0].record.disposition, Disposition::Transferred);
}

#[test]
fn a_node_that_dies_leaves_its_agents_and_its_callers_places() {
    let (mut ana, uri) = agent();
    let Some(address) = postgres::database() else { return };
    let agents = [("ana", uri.as_str())];
    let one = Rig::at(Setup { server: Some(&address), node: "one", agents: &agents, ..Setup::default() });
    one.sign_in("ana");
    // Another node has ana on a call and a caller who waits, and was last heard of a minute ago.
    let then = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(1);
    let entry = |call: &str, ani: &str| {
        let place = QueueEntry::new(call.parse().expect("an id"), "everyone", "dead", then);
        QueueEntry { ani: ani.parse().ok(), ..place }
    };
    let claim = attendant::store::AgentClaim {
        node: "dead".to_owned(),
        call: "talks".parse().expect("an id"),
        agent: "ana".to_owned(),
    };
    one.runtime.block_on(async {
        one.store.join_node("dead", "another desk", then).await.expect("written");
        one.store.enqueue(&entry("talks", "5550177"), 60).await.expect("written");
        one.store.enqueue(&entry("waits", "5550188"), 60).await.expect("written");
        one.store.hold_agent(&claim, then).await.expect("written");
    });
    one.until("both callers are called back", || {
        one.runtime.block_on(one.store.callbacks()).expect("it answers").len() == 2
    });
    let promises = one.runtime.block_on(one.store.callbacks()).expect("it answers");
    assert!(promises.iter().all(|p| matches!(p.state, CallbackState::Waiting { .. })), "{promises:?}");
    assert_eq!(promises[0].since.as_millisecond(), then.as_millisecond(), "the place is kept");
    let mut caller = asks_for_a_person(&one);
    let invite = rings(&mut ana);
    picks_up(&mut ana, &invite);
    caller.silence(60);
    assert_eq!(one.line.held(1)[0].record.disposition, Disposition::Transferred);
    caller.hang_up();
    one.is_over();
}
