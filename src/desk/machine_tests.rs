//! Each test is a script: seconds and an event in, seconds and actions out.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::super::{RouteTo, Spoken, WayOut};
use super::*;

const PLAN: &str = r#"
[announce]
first_seconds = 15
every_seconds = 45
ways_out = ["callback", "voicemail"]

[hours.office]
mon = ["08:00-18:00"]

[[campaign]]
name = "spring"
dialled = ["801", "802"]

[[queue]]
name = "fix"
skills = ["fix"]
needs = { fix = 5 }
hours = "office"
max_waiting = 3
max_wait_seconds = 300
ring_seconds = 20
wrap_up_seconds = 10
last_agent_rating = 4
last_agent_seconds = 30
overflow_seconds = 60
overflow_to = ["rest"]
escalate_seconds = 120

[[queue]]
name = "gold"
tiers = ["gold"]
campaigns = ["spring"]
priority = 2
strategy = "round_robin"

[[queue]]
name = "rest"
needs = { talk = 1 }
strategy = "most_idle_skills"

[[agent]]
name = "ana"
rings = "sip:ana@desk"
skills = { fix = 8, talk = 5 }

[[agent]]
name = "ben"
rings = "sip:ben@desk"
skills = { fix = 5 }
languages = ["en", "de"]

[[agent]]
name = "cho"
rings = "sip:cho@desk"
skills = { talk = 3 }

[[agent]]
name = "dee"
rings = "sip:dee@desk"
supervisor = true
"#;

fn plan() -> Arc<DeskPlan> {
    Arc::new(DeskPlan::parse("desk.toml", PLAN).expect("a desk"))
}

/// Monday at nine, UTC.
fn start() -> Timestamp {
    "2026-11-16T09:00:00Z".parse().expect("a time")
}

struct Played {
    desk: Desk,
    now: Timestamp,
    timeline: String,
}

impl Played {
    fn drain(&mut self, now: Timestamp) {
        while let Some(action) = self.desk.poll_action() {
            let text = self.words(action);
            let at = between(start(), now).as_secs();
            writeln!(self.timeline, "{at} {text}").expect("a string takes it");
        }
    }

    fn words(&self, action: Action) -> String {
        let agent = |id: AgentId| self.desk.name(id);
        let queue = |id: QueueId| self.desk.plan.queues[id.0].spec.name.clone();
        match action {
            Action::Routed { call, route } => match route.to {
                RouteTo::Queue => format!("{call} queued {}", queue(route.queue)),
                RouteTo::Offer(ways) => {
                    format!("{call} not queued: {} {ways:?}", route.why[route.why.len() - 1])
                }
            },
            Action::Ring { call, agent: a, for_ } => format!("{call} ring {} {for_:?}", agent(a)),
            Action::StopRinging { call, agent: a } => format!("{call} stop {}", agent(a)),
            Action::Connect { call, agent: a, call_back } => {
                format!("{call} connect {}{}", agent(a), if call_back { " by calling back" } else { "" })
            }
            Action::Announce { call, position, wait, ways_out } => {
                let wait = wait.map(|w| (w.likely.as_secs(), w.at_most.as_secs()));
                format!("{call} announce place {position} wait {wait:?} {ways_out:?}")
            }
            Action::Escalate { call, .. } => format!("{call} escalate"),
            Action::Offer { call, ways_out } => format!("{call} offer {ways_out:?}"),
            Action::MarkedAway { agent: a, why } => format!("away {} {why}", agent(a)),
            Action::Left(left) => format!("{} left {} after {:?}", left.call, left.outcome, left.waited),
            Action::Handled { call, agent: a, talk, wrap_up, .. } => {
                format!("{call} handled by {} {talk:?} {wrap_up:?}", agent(a))
            }
        }
    }

    fn until(&mut self, now: Timestamp) {
        while let Some(due) = self.desk.poll_timeout().filter(|due| *due <= now) {
            self.now = self.now.max(due);
            self.desk.handle_timeout(self.now);
            self.drain(self.now);
        }
        self.now = now;
    }
}

fn event(desk: &Desk, words: &[&str]) -> Event {
    let call = || words[1].parse::<CallId>().expect("an id");
    let agent = || desk.plan.agent(words[1]).expect("an agent");
    match words[0] {
        "call" => Event::Queued(caller(&words[1..])),
        "hangup" => Event::HungUp(call()),
        "callback" => Event::Chose(call(), WayOut::Callback),
        "voicemail" => Event::Chose(call(), WayOut::Voicemail),
        "answer" => Event::Answered(call()),
        "refuse" => Event::Refused(call()),
        "end" => Event::Ended(call()),
        "in" => Event::SignedIn(agent()),
        "out" => Event::SignedOut(agent()),
        "pause" => Event::Paused(agent()),
        "ready" => Event::Ready(agent()),
        other => panic!("no event '{other}'"),
    }
}

/// `ID SKILL` and `key=value`.
fn caller(words: &[&str]) -> Caller {
    let mut caller = Caller::new(words[0].parse().expect("an id"), words.get(1).unwrap_or(&"rest"));
    for word in words.iter().skip(2) {
        match word.split_once('=').expect("key=value") {
            ("tier", tier) => caller.tier = Some(tier.to_owned()),
            ("dnis", dnis) => caller.dnis = Some(dnis.parse().expect("a number")),
            ("language", language) => caller.language = Some(language.to_owned()),
            ("last", agent) => caller.last = Some(Spoken { agent: agent.to_owned(), rating: Some(5) }),
            ("since", seconds) => {
                caller.since = start().checked_sub(Duration::from_secs(seconds.parse().expect("s"))).ok();
                caller.call_back = true;
            }
            other => panic!("no {other:?}"),
        }
    }
    caller
}

fn play(script: &str) -> Played {
    let mut played = Played { desk: Desk::new(plan()), now: start(), timeline: String::new() };
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let now = later(start(), Duration::from_secs(words[0].parse().expect("seconds")));
        played.until(now);
        if words.len() > 1 {
            let event = event(&played.desk, &words[1..]);
            played.desk.handle_event(now, event);
            played.drain(now);
        }
    }
    played
}

#[track_caller]
fn check(script: &str, expected: &str) {
    let expected: String = expected
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .fold(String::new(), |all, line| all + line + "\n");
    let found = play(script).timeline;
    assert_eq!(found, expected, "\nfound:\n{found}");
}

#[test]
fn a_free_agent_is_rung_and_the_call_is_handled() {
    check(
        "0 in ben
         5 call a fix
         9 answer a
         69 end a
         90",
        "5 a queued fix
         5 a ring ben 20s
         9 a connect ben
         9 a left answered after 4s
         79 a handled by ben 60s 10s",
    );
}

#[test]
fn who_does_not_answer_is_away_and_the_next_is_rung() {
    check(
        "0 in ana
         1 in ben
         5 call a fix
         26 answer a
         30 call b fix
         31 refuse b",
        "5 a queued fix
         5 a ring ana 20s
         25 a stop ana
         25 away ana no_answer
         25 a ring ben 20s
         26 a connect ben
         26 a left answered after 21s
         30 b queued fix",
    );
}

#[test]
fn the_agent_spoken_to_last_is_waited_for_but_not_for_long() {
    check(
        "0 in ana
         0 in ben
         1 call a fix
         2 answer a
         3 in ana
         4 call b fix last=ana
         10 call c fix last=ben
         40",
        "1 a queued fix
         1 a ring ana 20s
         2 a connect ana
         2 a left answered after 1s
         4 b queued fix
         10 c queued fix
         10 c ring ben 20s
         19 b announce place 1 wait None [Callback, Voicemail]
         30 c stop ben
         30 away ben no_answer
         30 c announce place 2 wait None [Callback, Voicemail]",
    );
}

#[test]
fn help_comes_after_a_while_and_then_a_supervisor() {
    check(
        "0 in ben
         0 call a fix
         1 answer a
         2 call b fix
         30 in cho
         63 refuse b
         90 in dee
         123 answer b",
        "0 a queued fix
         0 a ring ben 20s
         1 a connect ben
         1 a left answered after 1s
         2 b queued fix
         17 b announce place 1 wait None [Callback, Voicemail]
         62 b ring cho 20s
         63 away cho unreachable
         63 b announce place 1 wait None [Callback, Voicemail]
         108 b announce place 1 wait None [Callback, Voicemail]
         122 b escalate
         122 b ring dee 20s
         123 b connect dee
         123 b left answered after 121s",
    );
}

#[test]
fn nobody_is_left_to_the_music() {
    check(
        "0 call early fix
         0 in ben
         1 call a fix
         2 answer a
         3 call b fix
         4 hangup a
         20 pause ben
         70",
        "0 early not queued: nobody who could take it is signed in [Callback, Voicemail, Line]
         1 a queued fix
         1 a ring ben 20s
         2 a connect ben
         2 a left answered after 1s
         3 b queued fix
         14 a handled by ben 2s 10s
         14 b ring ben 20s
         20 b stop ben
         20 b left timed_out after 17s
         20 b offer [Callback, Voicemail, Line]",
    );
}

#[test]
fn a_queue_has_a_bound_and_a_wait_an_end() {
    check(
        "0 in ben
         0 call a fix
         1 answer a
         1 call b fix
         1 call c fix
         1 call d fix
         2 call e fix
         3 callback b
         4 hangup c
         4 voicemail d
         5 call f fix
         310",
        "0 a queued fix
         0 a ring ben 20s
         1 a connect ben
         1 a left answered after 1s
         1 b queued fix
         1 c queued fix
         1 d queued fix
         2 e not queued: full: 3 wait already [Callback, Voicemail, Line]
         3 b left callback after 2s
         4 c left abandoned after 3s
         4 d left voicemail after 3s
         5 f queued fix
         20 f announce place 1 wait None [Callback, Voicemail]
         65 f announce place 1 wait None [Callback, Voicemail]
         110 f announce place 1 wait None [Callback, Voicemail]
         125 f escalate
         155 f announce place 1 wait None [Callback, Voicemail]
         200 f announce place 1 wait None [Callback, Voicemail]
         245 f announce place 1 wait None [Callback, Voicemail]
         290 f announce place 1 wait None [Callback, Voicemail]
         305 f left timed_out after 300s
         305 f offer [Callback, Voicemail, Line]",
    );
}

#[test]
fn priority_and_a_kept_place_go_first() {
    check(
        "0 in cho
         0 call a rest
         1 answer a
         2 call b rest
         3 call c rest tier=gold dnis=801
         4 call d rest since=300
         5 end a
         6 answer d
         7 end d
         8 hangup c
         9 answer b",
        "0 a queued rest
         0 a ring cho 15s
         1 a connect cho
         1 a left answered after 1s
         2 b queued rest
         3 c queued gold
         4 d queued rest
         5 a handled by cho 4s 0ns
         5 d ring cho 15s
         6 d connect cho by calling back
         6 d left answered after 2s
         7 d handled by cho 1s 0ns
         7 c ring cho 15s
         8 c stop cho
         8 c left abandoned after 5s
         8 b ring cho 15s
         9 b connect cho
         9 b left answered after 7s",
    );
}

#[test]
fn rare_skills_stay_free_and_calls_go_round() {
    // ana fixes and talks; cho only talks, and fixing is the rarer skill.
    check(
        "0 in ana
         1 in cho
         2 call a rest",
        "2 a queued rest
         2 a ring cho 15s",
    );
    check(
        "0 in ana
         1 in cho
         2 call a rest tier=gold dnis=802
         3 answer a
         4 end a
         5 call b rest tier=gold dnis=802
         6 answer b
         7 end b
         8 call c rest tier=gold dnis=802",
        "2 a queued gold
         2 a ring ana 15s
         3 a connect ana
         3 a left answered after 1s
         4 a handled by ana 1s 0ns
         5 b queued gold
         5 b ring cho 15s
         6 b connect cho
         6 b left answered after 1s
         7 b handled by cho 1s 0ns
         8 c queued gold
         8 c ring ana 15s",
    );
}

#[test]
fn an_explanation_names_every_reason() {
    let desk = play("0 in ana\n0 in ben\n0 in cho\n5 call a fix\n6 answer a").desk;
    let explain = |words: &str, at: &str| {
        let caller = caller(&words.split_whitespace().collect::<Vec<_>>());
        let (route, agent) = desk.explain(at.parse().expect("a time"), &caller);
        let why: Vec<String> = route.why.iter().map(ToString::to_string).collect();
        (why.join("\n"), agent.map(|agent| desk.name(agent)))
    };
    let (why, agent) = explain("b fix dnis=801", "2026-11-16T09:01:00Z");
    assert_eq!(
        why,
        "the number dialled belongs to the campaign spring\nqueue fix: by skill\nnot ana: on a call\n\
         ben could: idle for 60 s\nnot cho: has no fix\nnot dee: signed out\nben is rung: longest_idle"
    );
    assert_eq!(agent.as_deref(), Some("ben"));
    let (why, agent) = explain("b rest tier=silver language=de", "2026-11-16T09:01:00Z");
    assert!(why.contains("not fix: skill is rest, expected fix"), "{why}");
    assert!(why.contains("not gold: tier is silver, expected gold"), "{why}");
    assert!(why.ends_with("nobody who could take it is signed in") && agent.is_none(), "{why}");
    let (why, _) = explain("b fix", "2026-11-16T19:00:00Z");
    assert!(why.ends_with("closed now; it opens at 2026-11-23 08:00 UTC"), "{why}");
    let (why, agent) = explain("b fix last=ben", "2026-11-16T09:01:00Z");
    assert!(why.contains("ben first: spoken to last, and rated 5 of 5") && agent.is_some(), "{why}");
}

fn do_what_is_due(desk: &mut Desk, now: Timestamp, until: Timestamp) -> Result<(), TestCaseError> {
    for _ in 0..1_000 {
        let Some(due) = desk.poll_timeout().filter(|due| *due <= until) else { return Ok(()) };
        desk.handle_timeout(due.max(now));
    }
    Err(TestCaseError::fail("the clock stands still"))
}

#[test]
fn a_caller_given_back_after_the_longest_wait_is_offered_the_ways_out_at_once() {
    // Ringing at ben's when the 300 seconds are over; ben goes instead of answering.
    check(
        "0 in ana
         1 call a fix
         2 answer a
         3 call b fix
         290 in ben
         304 out ben
         305 hangup b",
        "1 a queued fix
         1 a ring ana 20s
         2 a connect ana
         2 a left answered after 1s
         3 b queued fix
         18 b announce place 1 wait None [Callback, Voicemail]
         63 b announce place 1 wait None [Callback, Voicemail]
         108 b announce place 1 wait None [Callback, Voicemail]
         123 b escalate
         153 b announce place 1 wait None [Callback, Voicemail]
         198 b announce place 1 wait None [Callback, Voicemail]
         243 b announce place 1 wait None [Callback, Voicemail]
         288 b announce place 1 wait None [Callback, Voicemail]
         290 b ring ben 20s
         304 b stop ben
         304 b left timed_out after 301s
         304 b offer [Callback, Voicemail, Line]",
    );
}

proptest! {
    /// Whatever happens: who was queued leaves once or still waits, nobody is with two callers, and a caller
    /// who waits never waits longer than is declared.
    #[test]
    fn nobody_is_lost_or_doubled(steps in prop::collection::vec((0..11_u8, 0..6_usize, 0..40_u64), 1..120)) {
        let mut desk = Desk::new(plan());
        let mut now = start();
        let (mut queued, mut left, mut talking) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (n, (kind, which, pause)) in steps.into_iter().enumerate() {
            let next = later(now, Duration::from_secs(pause));
            do_what_is_due(&mut desk, now, next)?;
            now = next;
            let agent = AgentId(which % 4);
            let old = |calls: &Vec<CallId>| calls.get(which * 7 % calls.len().max(1)).cloned();
            let event = match (kind, old(&queued)) {
                (0 | 1, _) => {
                    let mut caller = Caller::new(format!("c{n}").parse().expect("an id"), ["fix", "rest"][which % 2]);
                    caller.call_back = which == 5;
                    Event::Queued(caller)
                }
                (2, _) => Event::SignedIn(agent),
                (3, _) => Event::SignedOut(agent),
                (4, _) => Event::Paused(agent),
                (5, _) => Event::Ready(agent),
                (6, Some(call)) => Event::HungUp(call),
                (7, Some(call)) => Event::Refused(call),
                (8, Some(call)) => Event::Ended(call),
                (9, Some(call)) => Event::Chose(call, WayOut::Callback),
                (_, Some(call)) => Event::Answered(call),
                (_, None) => continue,
            };
            desk.handle_event(now, event);
            // An agent who goes gives back a caller whose longest wait may be over: then that is due at once.
            do_what_is_due(&mut desk, now, now)?;
            while let Some(action) = desk.poll_action() {
                match action {
                    Action::Routed { call, route } if route.to == RouteTo::Queue => queued.push(call),
                    Action::Left(gone) => {
                        prop_assert!(!left.contains(&gone.call), "{} left twice", gone.call);
                        left.push(gone.call);
                    }
                    Action::Connect { call, agent, .. } => {
                        prop_assert_eq!(talking.insert(agent, call), None);
                    }
                    Action::Handled { agent, .. } => { talking.remove(&agent); }
                    Action::Routed { .. }
                    | Action::Ring { .. }
                    | Action::StopRinging { .. }
                    | Action::Announce { .. }
                    | Action::Escalate { .. }
                    | Action::Offer { .. }
                    | Action::MarkedAway { .. } => {}
                }
            }
            for call in &queued {
                prop_assert!(desk.line.get(call).is_some() != left.contains(call), "{call}");
            }
            for entry in desk.line.iter().filter(|entry| !entry.caller.call_back && entry.ringing.is_none()) {
                let longest = desk.plan.queues[entry.queue.0].spec.max_wait_seconds;
                prop_assert!(between(entry.entered, now) <= seconds(longest));
            }
        }
    }
}
