//! Two nodes and what they share, played with a store that is a few lists: views come late, or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::{Action, Event, Outcome};
use super::*;

const PLAN: &str = r#"
age_seconds = 60

[[queue]]
name = "gold"
tiers = ["gold"]
priority = 2

[[queue]]
name = "fix"
skills = ["fix"]
needs = { fix = 5 }

[[queue]]
name = "rest"

[[agent]]
name = "ana"
rings = "sip:ana@desk"
skills = { fix = 8 }

[[agent]]
name = "ben"
rings = "sip:ben@desk"
"#;

const ANA: AgentId = AgentId(0);
const BEN: AgentId = AgentId(1);

fn plan() -> Arc<DeskPlan> {
    Arc::new(DeskPlan::parse("desk.toml", PLAN).expect("a desk"))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).expect("in range")
}

fn caller(call: &str, skill: &str) -> Caller {
    Caller::new(call.parse().expect("an id"), skill)
}

fn call(call: &str) -> CallId {
    call.parse().expect("an id")
}

fn standing(agent: AgentId, is_elsewhere: bool) -> Standing {
    let presence = Presence::Ready;
    Standing { agent, presence, since: at(0), rung: None, is_elsewhere, is_news: true }
}

fn free() -> Vec<Standing> {
    vec![standing(ANA, false), standing(BEN, false)]
}

fn place(name: &str, queue: usize, since: i64) -> QueuePlace {
    QueuePlace {
        call: call(name),
        queue: QueueId(queue),
        language: None,
        since: at(since),
        entered: at(since),
        prefers: None,
        kept_until: None,
        call_back: false,
        rings: None,
    }
}

fn rings(desk: &mut Desk) -> Vec<(String, AgentId)> {
    let mut rung = Vec::new();
    while let Some(action) = desk.poll_action() {
        if let Action::Ring { call, agent, .. } = action {
            rung.push((call.to_string(), agent));
        }
    }
    rung
}

#[test]
fn whom_another_nodes_caller_waits_for_is_kept_free() {
    let mut desk = Desk::new(plan());
    // Only ana can fix, and the other node's caller came before.
    let places = vec![place("theirs", 1, 0)];
    desk.handle_view(at(10), View { places: places.clone(), agents: free(), ..View::default() });
    desk.handle_event(at(10), Event::Queued(caller("mine", "fix")));
    desk.handle_event(at(11), Event::Queued(caller("other", "rest")));
    assert_eq!(rings(&mut desk), [("other".to_owned(), BEN)], "ana is theirs, ben anybody's");
    let ringing = QueuePlace { rings: Some(ANA), ..places[0].clone() };
    let agents = vec![standing(ANA, true)];
    desk.handle_view(at(12), View { places: vec![ringing], agents, ..View::default() });
    assert_eq!(rings(&mut desk), [], "ana is on their call");
    desk.handle_view(at(20), View { agents: vec![standing(ANA, false)], ..View::default() });
    assert_eq!(rings(&mut desk), [("mine".to_owned(), ANA)]);
}

#[test]
fn position_and_wait_count_callers_of_all_nodes() {
    let mut desk = Desk::new(plan());
    let times = BTreeMap::from([(QueueId(1), vec![(Duration::from_secs(5), Duration::from_secs(100)); 20])]);
    let places = vec![place("a", 1, 0), place("b", 1, 1), place("later", 1, 900)];
    desk.handle_view(at(5), View { places, agents: vec![standing(ANA, true)], times });
    desk.handle_event(at(5), Event::Queued(caller("mine", "fix")));
    desk.handle_timeout(at(5 + 15));
    let mut told = None;
    while let Some(action) = desk.poll_action() {
        if let Action::Announce { position, wait, .. } = action {
            told = Some((position, wait.expect("it is measured").likely.as_secs()));
        }
    }
    // Two are ahead with an agent of 105 seconds a call, and the telephone rings for 5.
    assert_eq!(told, Some((3, 3 * 105 + 5)));
}

#[test]
fn a_claim_that_is_denied_costs_neither_place_nor_agent() {
    let mut desk = Desk::new(plan());
    desk.handle_view(at(0), View { agents: free(), ..View::default() });
    desk.handle_event(at(0), Event::Queued(caller("mine", "fix")));
    assert_eq!(rings(&mut desk), [("mine".to_owned(), ANA)]);
    desk.handle_event(at(0), Event::Denied(call("mine"), Denial::NotFirst));
    assert_eq!(rings(&mut desk), [], "it is not asked again at once");
    let due = desk.poll_timeout().expect("it is asked again");
    assert_eq!(between(at(0), due), BACK_OFF);
    desk.handle_timeout(due);
    assert_eq!(rings(&mut desk), [("mine".to_owned(), ANA)]);
    desk.handle_event(due, Event::Denied(call("mine"), Denial::Taken));
    assert_eq!(rings(&mut desk), [], "nobody else can fix");
    assert_eq!(desk.stated(ANA), Presence::Ready, "she has not gone, nor missed a call");
    desk.handle_view(at(2), View { agents: vec![standing(ANA, false)], ..View::default() });
    assert_eq!(rings(&mut desk), [("mine".to_owned(), ANA)]);
}

#[test]
fn what_an_agent_says_elsewhere_counts_after_the_call_in_hand() {
    let mut desk = Desk::new(plan());
    desk.handle_view(at(0), View { agents: free(), ..View::default() });
    desk.handle_event(at(0), Event::Queued(caller("mine", "fix")));
    desk.handle_event(at(1), Event::Answered(call("mine")));
    let pause = Standing { presence: Presence::Away(AwayReason::Pause), ..standing(ANA, false) };
    desk.handle_view(at(2), View { agents: vec![pause], ..View::default() });
    assert_eq!((desk.call_of(ANA), desk.stated(ANA)), (Some(&call("mine")), pause.presence));
    desk.handle_event(at(3), Event::Ended(call("mine")));
    assert_eq!((desk.call_of(ANA), desk.state(ANA)), (None, &AgentState::Away { why: AwayReason::Pause }));
}

#[test]
fn a_kept_place_is_the_callers_again() {
    let mut desk = Desk::new(plan());
    desk.handle_event(at(100), Event::SignedIn(BEN));
    desk.occupy(at(100), BEN);
    for name in ["first", "again"] {
        desk.handle_event(at(100), Event::Queued(caller(name, "rest")));
    }
    desk.handle_event(at(101), Event::Came(call("again"), at(0)));
    assert_eq!(desk.callers().map(CallId::as_str).collect::<Vec<_>>(), ["again", "first"]);
    assert_eq!(desk.place(&call("again")).map(|place| (place.since, place.entered)), Some((at(0), at(100))));
}

/// Two desks, and a store that is always right.
struct Centre {
    plan: Arc<DeskPlan>,
    desks: [Desk; 2],
    now: i64,
    count: usize,
    /// Who waits: the node, and the place.
    places: BTreeMap<CallId, (usize, QueuePlace)>,
    /// Who has which agent.
    held: BTreeMap<AgentId, (usize, CallId)>,
    served: usize,
}

impl Centre {
    fn new() -> Centre {
        let plan = plan();
        let desks = [Desk::new(Arc::clone(&plan)), Desk::new(Arc::clone(&plan))];
        let (places, held) = (BTreeMap::new(), BTreeMap::new());
        let mut centre = Centre { plan, desks, now: 0, count: 0, places, held, served: 0 };
        centre.look(0);
        centre.look(1);
        centre
    }

    fn look(&mut self, node: usize) {
        let places =
            self.places.values().filter(|(by, _)| *by != node).map(|(_, place)| place.clone()).collect();
        let elsewhere = |agent| self.held.get(&agent).is_some_and(|(by, _)| *by != node);
        let known = |agent| Standing { is_news: false, ..standing(agent, elsewhere(agent)) };
        let agents = vec![known(ANA), known(BEN)];
        self.desks[node].handle_view(at(self.now), View { places, agents, ..View::default() });
    }

    /// Carries out what a desk wants; the store decides.
    fn settle(&mut self, node: usize) {
        while let Some(action) = self.desks[node].poll_action() {
            match action {
                Action::Routed { call, .. } => {
                    let place = self.desks[node].place(&call).expect("there is always somebody");
                    self.places.insert(call, (node, QueuePlace { rings: None, ..place }));
                }
                Action::Ring { call, agent, .. } => self.claim(node, call, agent),
                Action::StopRinging { call, .. } => {
                    if let Some((_, place)) = self.places.get_mut(&call) {
                        place.rings = None;
                    }
                }
                Action::Left(left) => {
                    self.places.remove(&left.call);
                    self.served += usize::from(left.outcome == Outcome::Answered);
                }
                Action::Connect { .. }
                | Action::Announce { .. }
                | Action::Escalate { .. }
                | Action::Offer { .. }
                | Action::MarkedAway { .. }
                | Action::Handled { .. } => {}
            }
        }
        let desk = &self.desks[node];
        self.held.retain(|agent, (by, call)| *by != node || desk.call_of(*agent) == Some(&*call));
    }

    fn claim(&mut self, node: usize, call: CallId, agent: AgentId) {
        let now = at(self.now);
        let (_, mine) = &self.places[&call];
        let order = mine.order(&self.plan);
        let goes_first = |(_, other): &(usize, QueuePlace)| {
            other.order(&self.plan) < order && other.wants(&self.plan, agent, now)
        };
        let denial = if self.held.get(&agent).is_some_and(|(by, _)| *by != node) {
            Denial::Taken
        } else if self.places.values().any(goes_first) {
            Denial::NotFirst
        } else {
            self.held.insert(agent, (node, call.clone()));
            self.places.get_mut(&call).expect("it waits").1.rings = Some(agent);
            return;
        };
        self.desks[node].handle_event(now, Event::Denied(call, denial));
    }

    fn ringing(&self, node: usize) -> Option<CallId> {
        let mine = |(by, place): &&(usize, QueuePlace)| *by == node && place.rings.is_some();
        self.places.values().find(mine).map(|(_, place)| place.call.clone())
    }

    fn step(&mut self, node: usize, what: u8) {
        let now = at(self.now);
        let talking = |centre: &Centre| {
            let theirs = |(by, call): &&(usize, CallId)| *by == node && !centre.places.contains_key(call);
            centre.held.values().find(theirs).map(|(_, call)| call.clone())
        };
        let event = match what {
            0..=3 => {
                self.count += 1;
                let mut caller =
                    caller(&format!("call-{}", self.count), if what == 1 { "fix" } else { "rest" });
                caller.tier = (what == 2).then(|| "gold".to_owned());
                Some(Event::Queued(caller))
            }
            4 => self
                .places
                .iter()
                .find(|(_, (by, _))| *by == node)
                .map(|(call, _)| Event::HungUp(call.clone())),
            5 | 6 => self.ringing(node).map(Event::Answered),
            7 | 8 => talking(self).map(Event::Ended),
            _ => {
                self.look(node);
                None
            }
        };
        if let Some(event) = event {
            self.desks[node].handle_event(now, event);
        }
        self.settle(node);
    }

    /// No agent has two calls, and both desks know their own.
    fn is_sound(&self) -> bool {
        let rung: Vec<AgentId> = self.places.values().filter_map(|(_, place)| place.rings).collect();
        let once = rung.iter().all(|agent| rung.iter().filter(|other| *other == agent).count() == 1);
        let engaged = |node: usize, agent| self.desks[node].call_of(agent).is_some();
        let apart = [ANA, BEN].into_iter().all(|agent| !(engaged(0, agent) && engaged(1, agent)));
        once && apart
    }
}

proptest! {
    /// However late the nodes learn of each other: nobody is rung twice at once, and everybody is served in the end.
    #[test]
    fn two_nodes_are_one_desk(steps in prop::collection::vec((0..2_usize, 0..12_u8, 0..3_i64), 1..120)) {
        let mut centre = Centre::new();
        for (node, what, seconds) in steps {
            centre.now += seconds;
            centre.step(node, what);
            prop_assert!(centre.is_sound());
        }
        // Nobody new comes, and news arrives.
        for _ in 0..4 * centre.count + 8 {
            for node in [0, 1] {
                centre.now += 1;
                for what in [9, 5, 9, 7] {
                    centre.step(node, what);
                    prop_assert!(centre.is_sound());
                }
                if centre.desks[node].poll_timeout().is_some_and(|due| due <= at(centre.now)) {
                    centre.desks[node].handle_timeout(at(centre.now));
                    centre.settle(node);
                }
            }
        }
        prop_assert!(centre.places.is_empty(), "{:?}", centre.places);
    }
}
