//! Callers and agents at the desk, over SIP and RTP on loopback, with a store on the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attendant::call::{
    Ani, CallId, CallRecord, Disposition, Handoff, HandoffReason, TimeSpan, Waiting, WayOut,
};
use attendant::desk::{
    AwayReason, Callback, CallbackEnd, CallbackPlan, CallbackState, Caller as DeskCaller, DeskPlan, Presence,
    Window,
};
use attendant::host::desk::book::Book as DeskBook;
use attendant::host::desk::callbacks::{Callbacks, Keeping};
use attendant::host::desk::{Arriving, DeskHost, Order, PackageEvent, Wish};
use attendant::host::phone;
use attendant::store::{Figures, Store, StoreOptions};

use super::caller::{Caller, Message};
use super::handing_over::{agent, hears, hum, picks_up};
use super::{TestLine, recorded_voice, settings};

/// Whatever a test waits for comes within this time, on a machine with other work, too.
const PATIENCE: Duration = Duration::from_secs(40);

/// A line with a desk and a store.
pub(super) struct Rig {
    pub(super) line: TestLine,
    pub(super) desk: Arc<DeskHost>,
    pub(super) store: Arc<Store>,
    pub(super) runtime: tokio::runtime::Runtime,
    node: String,
    keeper: Option<std::thread::JoinHandle<()>>,
    folder: tempfile::TempDir,
    plan: Arc<DeskPlan>,
}

/// What is to be opened.
pub(super) struct Setup<'a> {
    /// A server that is shared; a file of its own otherwise.
    pub(super) server: Option<&'a str>,
    pub(super) node: &'a str,
    /// By name and telephone.
    pub(super) agents: &'a [(&'a str, &'a str)],
    pub(super) ring_seconds: u32,
    pub(super) settings: &'a [(&'a str, &'a str)],
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Setup { server: None, node: "here", agents: &[], ring_seconds: 30, settings: &[] }
    }
}

impl Rig {
    /// A desk with these agents, by name and telephone, who ring for `ring_seconds`.
    fn open(agents: &[(&str, &str)], ring_seconds: u32) -> Rig {
        Rig::at(Setup { agents, ring_seconds, ..Setup::default() })
    }

    pub(super) fn at(setup: Setup<'_>) -> Rig {
        let Setup { server, node, agents, ring_seconds, settings } = setup;
        let mut text = "[[queue]]\nname = \"everyone\"\n".to_owned();
        for (name, rings) in agents {
            text += &format!("[[agent]]\nname = \"{name}\"\nrings = \"{rings}\"\npin = \"4711\"\n");
        }
        let mut plan = DeskPlan::parse("desk.toml", &text).expect("a desk");
        // Shorter than a team may declare: nobody is bored here.
        plan.announce.first_seconds = 1;
        plan.announce.every_seconds = 600;
        plan.queues[0].spec.ring_seconds = ring_seconds;
        plan.queues[0].spec.last_agent_rating = 4;
        plan.voicemail.silence_seconds = 30;
        plan.handoff.webhook = Some("http://127.0.0.1:9/screen".to_owned());
        let plan = Arc::new(plan);
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let address = server.map_or_else(|| folder.path().join("desk.db"), Into::into);
        let options =
            StoreOptions { spool_folder: Some(folder.path().join("spool")), ..StoreOptions::default() };
        let store = Arc::new(runtime.block_on(Store::open_with(address, options)).expect("it opens"));
        let open = if store.is_shared() { DeskHost::open_shared } else { DeskHost::open };
        let (desk, notes) = open(Arc::clone(&plan));
        let line = TestLine::open_at_desk(Arc::clone(&desk), settings);
        desk.counted_by(line.serving.metrics());
        let mut rig = Rig { line, desk, store, runtime, node: node.to_owned(), keeper: None, folder, plan };
        rig.keeper = Some(rig.book().open(notes, rig.desk.door()).expect("it is written"));
        rig
    }

    fn book(&self) -> DeskBook {
        DeskBook {
            store: Arc::clone(&self.store),
            runtime: self.runtime.handle().clone(),
            node: self.node.clone(),
            plan: Arc::clone(&self.plan),
            messages: self.folder.path().join("voicemail"),
            ear: None,
        }
    }

    /// A line with one agent, who is there, and her telephone.
    pub(super) fn with_ana() -> (Rig, Caller) {
        let (ana, uri) = agent();
        let rig = Rig::open(&[("ana", &uri)], 30);
        rig.sign_in("ana");
        (rig, ana)
    }

    pub(super) fn sign_in(&self, name: &str) {
        self.desk.door().wants(name, Wish::Ready);
        self.until("the agent is there", || self.presence(name) == Some(Presence::Ready));
        let kept = || self.runtime.block_on(self.store.agents()).expect("it answers");
        let ready = || kept().iter().filter(|agent| agent.presence == Presence::Ready).count();
        self.until("the desk itself knows", || self.ready() == ready());
    }

    /// How many agents the desk itself knows as ready.
    pub(super) fn ready(&self) -> usize {
        let told = self.line.serving.metrics().text(0);
        let ready = |line: &str| line.strip_prefix("attendant_agents{state=\"ready\"} ")?.parse().ok();
        told.lines().find_map(ready).unwrap_or(0)
    }

    pub(super) fn presence(&self, name: &str) -> Option<Presence> {
        let agents = self.runtime.block_on(self.store.agents()).expect("it answers");
        agents.into_iter().find(|agent| agent.name == name).map(|agent| agent.presence)
    }

    pub(super) fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "{what}: said {:?}", self.line.said());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// The caller waits, with a telephone that sends silence, until the line has begun to say something so often.
    pub(super) fn hears_said(&self, caller: &mut Caller, prompt: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.line.said().iter().filter(|said| *said == prompt).count() < times {
            assert!(Instant::now() < deadline, "{prompt}: said {:?}", self.line.said());
            caller.silence(5);
        }
    }

    /// Presses a key once what the line says is over: tests' callers hear each other out.
    fn presses(&self, caller: &mut Caller, key: char) {
        caller.silence(20);
        caller.press(key, |_| true);
    }

    /// Every call is over. What signalling remembers of telephones that never answered is another test's matter.
    pub(super) fn is_over(&self) {
        let serving = &self.line.serving;
        self.until("every call is over", || serving.going_on() + serving.gate().at_once() == 0);
    }

    pub(super) fn figures(&self) -> Figures {
        self.runtime.block_on(self.store.figures(0, i64::MAX)).expect("it answers")
    }

    pub(super) fn outcomes(&self) -> Vec<(String, i64)> {
        let figures = self.figures();
        let ended = figures.queues.iter().filter(|row| row.entries > 0);
        ended.map(|row| (row.outcome.clone(), row.entries)).collect()
    }

    pub(super) fn waiting(&self) -> usize {
        self.runtime.block_on(self.store.open_entries()).expect("it answers").len()
    }

    pub(super) fn write(&self, record: &CallRecord) {
        let written = self.store.write_record(record, 1_790_000_000_000);
        self.runtime.block_on(written).expect("it is kept");
    }
}

impl Drop for Rig {
    /// The last steps are written before the store is gone.
    fn drop(&mut self) {
        self.desk.close();
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

/// A caller who has asked for a person.
pub(super) fn asks_for_a_person(rig: &Rig) -> Caller {
    let mut caller = Caller::call(rig.line.address);
    caller.silence(20);
    caller.press('0', |_| true);
    caller
}

/// Answers what comes for this telephone until it is an INVITE.
pub(super) fn rings(telephone: &mut Caller) -> Message {
    loop {
        let message = telephone.asked();
        if message.start().starts_with("INVITE") {
            return message;
        }
        telephone.respond(&message, "200 OK", "", "");
    }
}

#[test]
fn who_waits_for_the_only_agent_hears_the_place_and_gets_them() {
    let (rig, mut ana) = Rig::with_ana();
    let mut first = asks_for_a_person(&rig);
    let invite = rings(&mut ana);
    picks_up(&mut ana, &invite);
    first.silence(60);
    assert_eq!(rig.line.held(1)[0].record.disposition, Disposition::Transferred);
    let mut second = asks_for_a_person(&rig);
    rig.hears_said(&mut second, "waiting.announce", 1);
    assert_eq!(rig.waiting(), 1, "the place is in the store");
    second.drain_sound();
    rig.hears_said(&mut second, "waiting.stay", 1);
    second.silence(40);
    second.drain_sound();
    assert!(hears(&second), "music");
    first.hang_up();
    let invite = rings(&mut ana);
    picks_up(&mut ana, &invite);
    assert!(hears(&ana), "the briefing");
    second.silence(60);
    assert_eq!(rig.line.held(2)[1].record.disposition, Disposition::Transferred);
    rig.until("both were answered", || rig.outcomes().iter().map(|(_, n)| n).sum::<i64>() == 2);
    assert!(rig.outcomes().iter().all(|(outcome, _)| outcome == "answered"), "{:?}", rig.outcomes());
    let told = rig.line.book.screen.lock().expect("no test panicked").clone();
    let told: Vec<_> = told.iter().map(|p| (p.event, p.agent.as_str(), p.handoff.reason)).collect();
    let asked = HandoffReason::CallerAsked;
    for event in [PackageEvent::Ringing, PackageEvent::Answered] {
        assert_eq!(told.iter().filter(|told| **told == (event, "ana", asked)).count(), 2, "{told:?}");
    }
    second.hang_up();
    rig.is_over();
    rig.until("the agent is free again", || rig.presence("ana") == Some(Presence::Ready));
}

#[test]
fn who_is_left_by_the_agent_is_asked_how_it_was_while_the_next_is_served() {
    let (mut ana, uri) = agent();
    let rig = Rig::open(&[("ana", &uri)], 30);
    rig.line.book.asks.store(true, std::sync::atomic::Ordering::Relaxed);
    rig.sign_in("ana");
    let mut first = asks_for_a_person(&rig);
    let invite = rings(&mut ana);
    picks_up(&mut ana, &invite);
    first.silence(60);
    assert_eq!(rig.line.held(1)[0].record.disposition, Disposition::Transferred);
    first.drain_sound();
    ana.hang_up();
    rig.until("the agent is free", || rig.presence("ana") == Some(Presence::Ready));
    assert!(hears(&first), "the question");
    first.press('4', |_| true);
    rig.until("it was said", || *rig.line.book.rated.lock().expect("no test panicked") == [4]);
    first.silence(40);
    let bye = first.asked_for("BYE");
    first.respond(&bye, "200 OK", "", "");
    rig.is_over();
}

#[test]
fn an_agent_who_does_not_answer_is_passed_over_and_away() {
    let ((mut ana, anas), (mut ben, bens)) = (agent(), agent());
    let rig = Rig::open(&[("ana", &anas), ("ben", &bens)], 1);
    rig.sign_in("ana");
    rig.sign_in("ben");
    let mut caller = asks_for_a_person(&rig);
    let invite = rings(&mut ana);
    ana.belongs_to(&invite);
    ana.respond(&invite, "180 Ringing", "", "");
    caller.silence(60);
    let cancel = ana.asked_for("CANCEL");
    ana.respond(&cancel, "200 OK", "", "");
    ana.respond(&invite, "487 Request Terminated", "", "");
    let invite = rings(&mut ben);
    picks_up(&mut ben, &invite);
    caller.silence(60);
    assert_eq!(rig.line.held(1)[0].record.disposition, Disposition::Transferred);
    let away = Some(Presence::Away(AwayReason::NoAnswer));
    rig.until("the first is away", || rig.presence("ana") == away);
    caller.hang_up();
    rig.is_over();
}

#[test]
fn who_was_content_with_an_agent_gets_them_again() {
    let ((ana, anas), (mut ben, bens)) = (agent(), agent());
    let rig = Rig::open(&[("ana", &anas), ("ben", &bens)], 30);
    let (store, handle) = (Arc::clone(&rig.store), rig.runtime.handle().clone());
    let spoken = move |number: &Ani| handle.block_on(store.spoken_last(number)).expect("it answers");
    *rig.line.book.spoken.lock().expect("no test panicked") = Some(Box::new(spoken));
    rig.sign_in("ben");
    let mut caller = asks_for_a_person(&rig);
    let invite = rings(&mut ben);
    picks_up(&mut ben, &invite);
    caller.silence(60);
    let record = rig.line.held(1)[0].record.clone();
    rig.write(&CallRecord { rating: Some(5), ..record });
    // From then on she is idle for longer.
    rig.sign_in("ana");
    caller.hang_up();
    rig.until("he is free again", || rig.presence("ben") == Some(Presence::Ready));
    rig.until("it is written", || rig.outcomes() == [("answered".to_owned(), 1)]);
    let mut caller = asks_for_a_person(&rig);
    let invite = rings(&mut ben);
    picks_up(&mut ben, &invite);
    caller.silence(60);
    assert_eq!(rig.line.held(2)[1].record.disposition, Disposition::Transferred);
    assert!(ana.has_no_invite_but(&[]), "she has been idle for longer, and is not rung");
    caller.hang_up();
    rig.is_over();
}

#[test]
fn who_hangs_up_while_waiting_has_given_up() {
    let (rig, _ana) = Rig::with_ana();
    let mut caller = asks_for_a_person(&rig);
    rig.hears_said(&mut caller, "transfer", 1);
    rig.until("the caller has a place", || rig.waiting() == 1);
    caller.hang_up();
    rig.is_over();
    rig.until("it is written", || rig.outcomes() == [("abandoned".to_owned(), 1)]);
    assert_eq!(rig.waiting(), 0);
}

#[test]
fn a_callback_is_promised_once() {
    let rig = Rig::open(&[("ana", "sip:ana@127.0.0.1:9")], 30);
    // Nobody is there: the ways out are offered at once.
    let mut caller = asks_for_a_person(&rig);
    rig.hears_said(&mut caller, "waiting.line", 1);
    rig.presses(&mut caller, '1');
    rig.hears_said(&mut caller, "waiting.number", 1);
    rig.presses(&mut caller, '1');
    rig.hears_said(&mut caller, "waiting.when.ask", 1);
    rig.presses(&mut caller, '1');
    rig.hears_said(&mut caller, "waiting.promised", 1);
    let callbacks = || rig.runtime.block_on(rig.store.callbacks()).expect("it answers");
    rig.until("the promise is kept", || callbacks().len() == 1);
    caller.hang_up();
    let record = rig.line.held(1)[0].record.clone();
    assert_eq!(record.callback.as_ref().map(|c| c.number.expose().to_owned()).as_deref(), Some("5550100"));
    rig.write(&record);
    let [promise] = callbacks().try_into().expect("one promise");
    assert_eq!((promise.number.expose(), promise.call == record.id), ("5550100", true));
    assert!(matches!(promise.state, CallbackState::Waiting { .. }));
    rig.is_over();
}

#[test]
fn a_callback_has_the_time_that_the_caller_chose() {
    let rig = Rig::open(&[("ana", "sip:ana@127.0.0.1:9")], 30);
    let (call, number): (CallId, Ani) =
        ("by-choice".parse().expect("an id"), "5550100".parse().expect("a number"));
    let handoff = Handoff {
        skill: String::new(),
        reason: HandoffReason::CallerAsked,
        intent: None,
        facts: BTreeMap::new(),
        last_heard: None,
    };
    let caller = DeskCaller::handed_over(call, &handoff);
    let place = rig.desk.arrive(Arriving { caller, ani: Some(number.clone()) });
    let mut told = None;
    rig.until("the times are told", || {
        if let Some(Order::News(Waiting::CallsBack { now, open })) = place.order() {
            told = Some((now, open));
        }
        told.is_some()
    });
    let (now, open) = told.expect("the times");
    assert!(open[0].from <= now && open[0].until > now, "at any time: {open:?}");
    let at = |hours: i64| now.checked_add(jiff::Span::new().hours(hours)).expect("a time");
    let wanted = TimeSpan { from: at(20), until: at(21) };
    place.leave(WayOut::Callback, Some(&number), Some(wanted));
    let callbacks = || rig.runtime.block_on(rig.store.callbacks()).expect("it answers");
    rig.until("the promise is kept", || callbacks().len() == 1);
    let [promise] = callbacks().try_into().expect("one promise");
    let window = Window::of(wanted, &rig.plan.zone).expect("such a time there is");
    // The store keeps milliseconds.
    assert_eq!(promise.window.from.as_millisecond(), window.from.as_millisecond());
    assert_eq!(
        promise.window.until.map(|until| until.as_millisecond()),
        window.until.map(|until| until.as_millisecond())
    );
    assert_eq!(promise.state, CallbackState::Waiting { due: promise.window.from }, "it is not due before");
}

#[test]
fn back_to_the_line_the_dialogue_goes_on() {
    let (rig, _ana) = Rig::with_ana();
    let mut caller = asks_for_a_person(&rig);
    // The only agent's telephone rings and rings, and the next caller hears the place.
    let mut next = asks_for_a_person(&rig);
    rig.hears_said(&mut next, "waiting.line", 1);
    rig.presses(&mut next, '3');
    rig.hears_said(&mut next, "anything_else", 1);
    rig.until("the place is given up", || rig.outcomes() == [("line".to_owned(), 1)]);
    assert_eq!(rig.line.serving.going_on(), 2);
    next.hang_up();
    caller.hang_up();
    rig.is_over();
}

#[test]
fn a_message_is_recorded_heard_and_kept_whole() {
    let rig = Rig::open(&[("ana", "sip:ana@127.0.0.1:9")], 30);
    let mut caller = asks_for_a_person(&rig);
    rig.hears_said(&mut caller, "waiting.line", 1);
    rig.presses(&mut caller, '2');
    rig.hears_said(&mut caller, "waiting.message", 1);
    // The instructions and the beep.
    caller.silence(60);
    let voice = attendant::audio::Law::Mu.decode_all(&recorded_voice());
    caller.speak(&voice, |_| false);
    caller.press('#', |_| true);
    rig.hears_said(&mut caller, "waiting.message_review", 1);
    rig.presses(&mut caller, '1');
    rig.hears_said(&mut caller, "waiting.message_kept", 1);
    let [message] =
        rig.runtime.block_on(rig.store.voicemails()).expect("it answers").try_into().expect("one message");
    let sound = std::fs::File::open(&message.file).expect("the file");
    let mut reader = claxon::FlacReader::new(sound).expect("FLAC");
    let samples: Vec<i16> = reader.samples().map(|s| s.expect("whole") as i16).collect();
    assert!(samples.len() * 1_000 / 16_000 >= voice.len() * 1_000 / 8_000 - 500, "{} samples", samples.len());
    assert!(attendant::audio::rms_dbfs(&samples) > -45.0, "it is the caller's voice");
    caller.hang_up();
    rig.is_over();
}

#[test]
fn who_waited_when_the_line_died_is_called_back() {
    let (rig, _ana) = Rig::with_ana();
    let mut caller = asks_for_a_person(&rig);
    rig.until("the caller has a place", || rig.waiting() == 1);
    // The same node begins anew, with nothing but what the store holds.
    let (next, notes) = DeskHost::open(Arc::clone(&rig.plan));
    rig.book().open(notes, next.door()).expect("it is written");
    let callbacks = rig.runtime.block_on(rig.store.callbacks()).expect("it answers");
    assert_eq!(callbacks.iter().map(|c| c.number.expose().to_owned()).collect::<Vec<_>>(), ["5550100"]);
    assert_eq!(rig.waiting(), 0);
    caller.silence(5);
    caller.hang_up();
    rig.is_over();
}

impl Rig {
    /// A promise to a number that rings at a telephone of the test's, due now, and whoever keeps it.
    fn promises_and_keeps(&self, number: &str, telephone: &Caller) -> Keeping {
        self.promises(number);
        self.keeps(telephone.port())
    }

    /// A promise that is due now.
    fn promises(&self, number: &str) {
        let now = jiff::Timestamp::now();
        let place = ("promised".parse().expect("an id"), "everyone", now);
        let plan = CallbackPlan::of(&self.plan);
        let window = Window { from: now, until: None };
        let promise = Callback::promise(&plan, now, place, number.parse().expect("a number"), window);
        let kept = self.store.promise_callback(&plan, promise, now);
        self.runtime.block_on(kept).expect("it is kept");
    }

    /// Whoever keeps promises; all numbers ring at this port.
    pub(super) fn keeps(&self, port: u16) -> Keeping {
        let by = format!("sip:{{number}}@127.0.0.1:{port}");
        let rules = [("dial_by", by.as_str()), ("dial_allow", "555"), ("dial_hours", "00:00-24:00")];
        let (config, _) = settings(&rules);
        let callbacks = Callbacks {
            store: Arc::clone(&self.store),
            runtime: self.runtime.handle().clone(),
            signalling: self.line.runtime.clone(),
            dialer: self.line.dialer.clone(),
            outbound: phone::Outbound::from_settings(&config).expect("rules"),
            agents: phone::Agents::from_settings(&config).expect("agents"),
            desk: Arc::clone(&self.desk),
            serving: Arc::clone(&self.line.serving),
            node: self.node.clone(),
        };
        callbacks.keep().expect("a thread")
    }

    fn promise(&self) -> Callback {
        let [promise] =
            self.runtime.block_on(self.store.callbacks()).expect("it answers").try_into().expect("one");
        promise
    }
}

#[test]
fn a_promise_is_kept_the_agent_first() {
    let ((mut ana, uri), (mut customer, _)) = (agent(), agent());
    let rig = Rig::open(&[("ana", &uri)], 30);
    rig.sign_in("ana");
    let keeping = rig.promises_and_keeps("5550177", &customer);
    let invite = rings(&mut ana);
    picks_up(&mut ana, &invite);
    assert!(hears(&ana), "the briefing");
    let invite = rings(&mut customer);
    assert!(invite.start().starts_with("INVITE sip:5550177@"), "{invite:?}");
    picks_up(&mut customer, &invite);
    rig.until("it is kept", || rig.promise().state == CallbackState::Over(CallbackEnd::Reached));
    for _ in 0..3 {
        customer.speak(&hum(300.0, 300), |_| false);
        ana.speak(&hum(300.0, 300), |_| false);
    }
    customer.drain_sound();
    ana.speak(&hum(300.0, 400), |_| false);
    assert!(hears(&customer), "the two are joined");
    customer.hang_up();
    let bye = ana.asked_for("BYE");
    ana.respond(&bye, "200 OK", "", "");
    rig.until("the agent is free again", || rig.presence("ana") == Some(Presence::Ready));
    drop(keeping);
}

#[test]
fn a_caller_who_is_not_reached_is_tried_again_later() {
    let ((mut ana, uri), (mut customer, _)) = (agent(), agent());
    let rig = Rig::open(&[("ana", &uri)], 30);
    rig.sign_in("ana");
    let keeping = rig.promises_and_keeps("5550177", &customer);
    let invite = rings(&mut ana);
    picks_up(&mut ana, &invite);
    let invite = rings(&mut customer);
    customer.belongs_to(&invite);
    customer.respond(&invite, "486 Busy Here", "", "");
    let bye = ana.asked_for("BYE");
    ana.respond(&bye, "200 OK", "", "");
    rig.until("it waits again", || rig.promise().attempts == 1);
    let CallbackState::Waiting { due } = rig.promise().state else { panic!("{:?}", rig.promise()) };
    assert!(due > jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10), "{due}");
    drop(keeping);
}

#[test]
fn who_talks_in_a_callback_goes_on_while_the_line_drains() {
    let (rig, mut ana) = Rig::with_ana();
    let (mut customer, _) = agent();
    let keeping = rig.promises_and_keeps("5550177", &customer);
    let invite = rings(&mut ana);
    picks_up(&mut ana, &invite);
    let invite = rings(&mut customer);
    picks_up(&mut customer, &invite);
    rig.until("it is kept", || rig.promise().state == CallbackState::Over(CallbackEnd::Reached));
    drop(keeping);
    let serving = Arc::clone(&rig.line.serving);
    let drained = std::thread::spawn(move || serving.drain(PATIENCE));
    rig.until("no more calls are taken", || rig.line.serving.gate().is_closing());
    assert_eq!(rig.line.serving.going_on(), 1, "the conversation counts as a call");
    for _ in 0..3 {
        customer.speak(&hum(300.0, 300), |_| false);
        ana.speak(&hum(300.0, 300), |_| false);
    }
    customer.drain_sound();
    ana.speak(&hum(300.0, 400), |_| false);
    assert!(hears(&customer), "they talk on");
    customer.hang_up();
    drained.join().expect("it ends once they have");
}

#[test]
fn whom_the_line_may_not_call_is_left_to_people_and_no_attempt_is_counted() {
    let (rig, _ana) = Rig::with_ana();
    rig.promises("0900123");
    let keeping = rig.keeps(9);
    let trail = || rig.runtime.block_on(rig.store.audit_trail(9)).expect("it answers");
    rig.until("it is reported", || {
        trail().iter().any(|e| (e.who.as_str(), e.what.as_str()) == ("callbacks", "refused"))
    });
    rig.until("it waits", || matches!(rig.promise().state, CallbackState::Waiting { .. }));
    assert_eq!(rig.promise().attempts, 0);
    drop(keeping);
}

#[test]
fn an_agent_signs_in_by_star_code_and_pin() {
    // The test's telephones call as 5550100.
    let rig = Rig::open(&[("ana", "5550100")], 30);
    let dials = |code: &str, pin: &str| {
        let mut telephone = Caller::new(rig.line.address);
        telephone.dials(code);
        let offer = telephone.usual();
        assert_eq!(telephone.invite("", &offer).status(), 200);
        telephone.silence(10);
        pin.chars().for_each(|key| telephone.press(key, |_| true));
        let bye = telephone.asked_for("BYE");
        telephone.respond(&bye, "200 OK", "", "");
    };
    dials("*1", "4712#4711#");
    rig.until("she is there", || rig.presence("ana") == Some(Presence::Ready));
    dials("*3", "4711#");
    rig.until("she pauses", || rig.presence("ana") == Some(Presence::Away(AwayReason::Pause)));
    dials("*2", "4711#");
    rig.until("she is gone", || rig.presence("ana") == Some(Presence::SignedOut));
    rig.is_over();
}
