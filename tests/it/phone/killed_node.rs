//! Nodes that are processes of their own, without engines, and killed: what they leave behind in the store they share.
//!
//! A node is this test program once more, as `the_node`.

use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use attendant::desk::{Callback, CallbackEnd, CallbackPlan, CallbackState, DeskPlan, Presence, Window};
use attendant::store::{KeptAgent, QueueEntry, Store, StoreOptions};
use jiff::Timestamp;

use super::balancer::{Balancer, Running, free_port};
use super::caller::{Caller, Message};
use super::desk::{Rig, Setup, rings};
use super::handing_over::{agent, picks_up};
use super::postgres;

/// However long anything takes on a machine that does other things besides.
const PATIENCE: Duration = Duration::from_secs(90);

/// The node itself; as a test it does nothing.
#[test]
fn the_node() {
    let env = |name: &str| std::env::var(name).ok();
    let Some(address) = env("NODE_DATABASE") else { return };
    let (name, sip) = (env("NODE_NAME").expect("a name"), env("NODE_SIP").expect("an address"));
    let rings = env("NODE_AGENT").expect("a telephone");
    let rig = Rig::at(Setup {
        server: Some(&address),
        node: &name,
        agents: &[("ana", &rings)],
        // Nobody is told to call again, and no telephone gives up, while a test looks elsewhere.
        ring_seconds: 120,
        settings: &[("sip_listen", &sip), ("calls_at_once_of_source", "100")],
    });
    let keeping = env("NODE_DIALS").map(|port| rig.keeps(port.parse().expect("a port")));
    say("listening");
    rig.until("she has signed in", || rig.ready() == 1);
    say("she is there");
    // Until whoever started it ends.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(keeping);
}

#[expect(clippy::print_stdout, reason = "whoever started it reads this")]
fn say(what: &str) {
    println!("= {what}");
}

/// A node that runs.
struct Node {
    running: Running,
    output: Lines<BufReader<ChildStdout>>,
}

impl Node {
    /// Waits until it says so.
    fn says(&mut self, what: &str) {
        let what = format!("= {what}");
        assert!(self.output.by_ref().map_while(Result::ok).any(|line| line.ends_with(&what)), "never {what}");
    }

    fn kill(&mut self) {
        self.running.0.kill().expect("it is ours");
        self.running.0.wait().expect("it ends");
    }
}

/// A store that nodes share, as the test sees it.
struct Shared {
    address: String,
    store: Store,
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
}

impl Shared {
    fn open() -> Option<Shared> {
        let address = postgres::database()?;
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let options =
            StoreOptions { spool_folder: Some(folder.path().join("spool")), ..StoreOptions::default() };
        let store = runtime.block_on(Store::open_with(&address, options)).expect("it opens");
        Some(Shared { address, store, runtime, folder })
    }

    /// Starts a node; returns once it listens.
    fn start(&self, name: &str, port: u16, agent: &str, dials: Option<u16>) -> Node {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "phone::killed_node::the_node", "--nocapture", "--test-threads=1"]);
        command.env("NODE_DATABASE", &self.address).env("NODE_NAME", name).env("NODE_AGENT", agent);
        command.env("NODE_SIP", format!("127.0.0.1:{port}"));
        if let Some(port) = dials {
            command.env("NODE_DIALS", port.to_string());
        }
        let child: Child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut running = Running(child);
        let output = BufReader::new(running.0.stdout.take().expect("it is piped")).lines();
        let mut node = Node { running, output };
        node.says("listening");
        node
    }

    fn agents(&self) -> Vec<KeptAgent> {
        self.runtime.block_on(self.store.agents()).expect("it answers")
    }

    /// Who waits, first served first.
    fn entries(&self) -> Vec<QueueEntry> {
        self.runtime.block_on(self.store.open_entries()).expect("it answers")
    }

    fn callbacks(&self) -> Vec<Callback> {
        self.runtime.block_on(self.store.callbacks()).expect("it answers")
    }

    /// What a node could take in hand at a time.
    fn takes(&self, now: Timestamp) -> Option<Callback> {
        let plan = CallbackPlan::of(&DeskPlan::empty());
        let lease = Duration::from_secs(90);
        self.runtime.block_on(self.store.claim_callback(&plan, "next", now, lease)).expect("it answers")
    }

    /// A promise that is due now.
    fn promise(&self, number: &str) {
        let (now, plan) = (Timestamp::now(), CallbackPlan::of(&DeskPlan::empty()));
        let place = ("promised".parse().expect("an id"), "everyone", now);
        let window = Window { from: now, until: None };
        let promise = Callback::promise(&plan, now, place, number.parse().expect("a number"), window);
        self.runtime.block_on(self.store.promise_callback(&plan, promise, now)).expect("it is kept");
    }

    /// A transaction that has an agent's row to itself.
    async fn has_the_row_of(&self, agent: &str) -> sqlx::Transaction<'static, sqlx::Any> {
        let pool = sqlx::AnyPool::connect(&self.address).await.expect("it answers");
        let mut row = pool.begin().await.expect("it answers");
        let lock = sqlx::query("SELECT name FROM agents WHERE name = $1 FOR UPDATE").bind(agent);
        assert_eq!(lock.fetch_all(&mut *row).await.expect("it answers").len(), 1);
        row
    }

    /// She signs in, and the nodes hear of it.
    fn sign_in(&self, nodes: &mut [Node]) {
        let ready = self.store.sign_agent("ana", Presence::Ready, "herself", Timestamp::now());
        self.runtime.block_on(ready).expect("it is written");
        nodes.iter_mut().for_each(|node| node.says("she is there"));
    }
}

fn number(entry: &QueueEntry) -> String {
    entry.ani.as_ref().expect("all have one").expose().to_owned()
}

/// A caller who has asked for a person.
fn asks(balancer: &Balancer, number: u32) -> Caller {
    let mut caller = Caller::new(balancer.address());
    caller.calls_from(&number.to_string());
    let offer = caller.usual();
    // A balancer asks a node that is gone for two seconds before it asks the next.
    let answer = caller.invite("", &offer);
    assert_eq!(answer.status(), 200, "{answer:?}");
    caller.silence(20);
    caller.press('0', |_| true);
    caller
}

/// All of them send silence until it is so.
fn wait(callers: &mut [&mut Caller], what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        for _ in 0..10 {
            callers.iter_mut().for_each(|caller| caller.silence(1));
        }
    }
}

/// The agent's telephone rings, and is let ring.
fn rung(ana: &mut Caller) -> Message {
    let invite = rings(ana);
    ana.belongs_to(&invite);
    ana.respond(&invite, "180 Ringing", "", "");
    invite
}

#[test]
fn queue_places_outlive_their_node() {
    let Some(shared) = Shared::open() else { return };
    let ports = [free_port(), free_port()];
    let Some(balancer) = Balancer::open(&shared.folder, ports) else { return };
    let (mut ana, uri) = agent();
    let names = ["node-0", "node-1"];
    let mut nodes: Vec<Node> =
        names.iter().zip(ports).map(|(name, port)| shared.start(name, port, &uri, None)).collect();
    shared.sign_in(&mut nodes);
    let mut first = asks(&balancer, 5_550_100);
    let invite = rung(&mut ana);
    picks_up(&mut ana, &invite);
    let mut waiting: Vec<Caller> = (1..=4).map(|n| asks(&balancer, 5_550_100 + n)).collect();
    let mut all: Vec<&mut Caller> = waiting.iter_mut().chain([&mut first]).collect();
    wait(&mut all, "four wait", || shared.entries().len() == 4);
    assert!(ana.has_no_invite_but(&[&invite]), "she has a call, and is rung for nobody");

    // The node that she talks over is killed, with her call and its waiting callers.
    let holder = shared.agents()[0].held_by.clone().expect("she has a call");
    let killed = names.iter().position(|name| *name == holder).expect("a node");
    let (cut, kept): (Vec<_>, Vec<_>) = shared.entries().into_iter().partition(|entry| entry.node == holder);
    assert!(!cut.is_empty() && !kept.is_empty(), "callers are shared out: {cut:?} {kept:?}");
    nodes[killed].kill();
    let mut new = asks(&balancer, 5_550_109);
    let place_of = |caller: &str| shared.entries().into_iter().find(|entry| number(entry) == caller);
    let mut living: Vec<&mut Caller> = waiting.iter_mut().chain([&mut new]).collect();
    wait(&mut living, "the new caller waits", || place_of("5550109").is_some());
    assert_eq!(place_of("5550109").expect("it waits").node, names[1 - killed], "new calls go to the other");
    wait(&mut living, "whoever was cut off is called back", || shared.callbacks().len() == cut.len());
    let promised: Vec<_> =
        shared.callbacks().iter().map(|c| (c.number.expose().to_owned(), c.since)).collect();
    assert_eq!(promised, cut.iter().map(|e| (number(e), e.since)).collect::<Vec<_>>(), "with their places");

    // She is free again, and is rung for whoever came first of those who are left.
    let invite = rung(&mut ana);
    let served = place_of(&number(&kept[0])).expect("calls on the other node go on");
    assert_eq!(served.rings.as_deref(), Some("ana"));
    picks_up(&mut ana, &invite);
    wait(&mut living, "they talk", || place_of(&number(&kept[0])).is_none());

    // One who was cut off calls again: the place is theirs, before all who came later.
    let again = number(&cut[0]);
    let mut back = asks(&balancer, again.parse().expect("digits"));
    let mut living: Vec<&mut Caller> = waiting.iter_mut().chain([&mut new, &mut back]).collect();
    wait(&mut living, "there again", || place_of(&again).is_some());
    let place = place_of(&again).expect("they wait");
    assert_eq!((place.since, place.node.as_str()), (cut[0].since, names[1 - killed]));
    let ahead = |entry: &QueueEntry| entry.since < cut[0].since;
    assert_eq!(
        shared.entries().iter().position(|e| *e == place),
        Some(shared.entries().iter().filter(|e| ahead(e)).count())
    );
    let later = Timestamp::now() + jiff::SignedDuration::from_secs(100);
    let taken: Vec<_> =
        std::iter::from_fn(|| shared.takes(later)).map(|c| c.number.expose().to_owned()).collect();
    assert!(!taken.contains(&again) && taken.len() == cut.len() - 1, "who waits is not called: {taken:?}");
    assert!(ana.has_no_invite_but(&[&invite]), "one call at a time");
    drop(nodes);
}

/// Where the process dies that keeps a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dies {
    /// It is the node's, and nobody's telephone has rung.
    Claimed,
    /// The agent's telephone rings.
    AgentRings,
    /// The agent is on the line, and the caller's telephone rings.
    CallerRings,
    /// The two talk.
    TheyTalk,
}

/// Promises a callback, has a node keep it up to a point, and kills it there.
fn killed_while_calling_back(dies: Dies) -> Option<(Shared, Callback)> {
    let shared = Shared::open()?;
    let ((mut ana, uri), (mut customer, _)) = (agent(), agent());
    let mut node = shared.start("node", free_port(), &uri, Some(customer.port()));
    shared.sign_in(std::slice::from_mut(&mut node));
    if dies == Dies::Claimed {
        // Somebody has her row, which is never waited for: the node that wants her asks again and again.
        let row = shared.runtime.block_on(shared.has_the_row_of("ana"));
        shared.promise("5550177");
        let in_hand = |c: &Callback| c.state == CallbackState::InHand;
        wait(&mut [], "it is in hand", || shared.callbacks().iter().all(in_hand));
        node.kill();
        shared.runtime.block_on(row.rollback()).expect("it answers");
        assert!(ana.has_no_invite_but(&[]) && customer.has_no_invite_but(&[]), "nobody was rung");
    } else {
        shared.promise("5550177");
        let invite = rung(&mut ana);
        if dies != Dies::AgentRings {
            picks_up(&mut ana, &invite);
            let invite = rung(&mut customer);
            if dies == Dies::TheyTalk {
                picks_up(&mut customer, &invite);
                let over = |c: &Callback| matches!(c.state, CallbackState::Over(_));
                wait(&mut [&mut ana, &mut customer], "it is kept", || shared.callbacks().iter().all(over));
            }
        }
        node.kill();
    }
    let [promise] = shared.callbacks().try_into().expect("one");
    Some((shared, promise))
}

fn is_due_once_more(dies: Dies) {
    let Some((shared, promise)) = killed_while_calling_back(dies) else { return };
    assert_eq!((promise.state, promise.attempts), (CallbackState::InHand, 0), "nobody knows of an attempt");
    assert_eq!(shared.takes(Timestamp::now()), None, "the dead node's lease is not over");
    let later = Timestamp::now() + jiff::SignedDuration::from_secs(91);
    let again = shared.takes(later).expect("another node calls");
    assert_eq!((again.number.expose(), again.since), ("5550177", promise.since));
    assert_eq!(shared.takes(later), None, "one of them");
}

#[test]
fn a_promise_outlives_a_node_that_dies_before_anybody_is_rung() {
    is_due_once_more(Dies::Claimed);
}

#[test]
fn a_promise_outlives_a_node_that_dies_while_the_agent_is_rung() {
    is_due_once_more(Dies::AgentRings);
}

#[test]
fn a_promise_outlives_a_node_that_dies_while_the_caller_is_rung() {
    is_due_once_more(Dies::CallerRings);
}

#[test]
fn a_promise_that_was_kept_when_its_node_died_is_not_kept_again() {
    let Some((shared, promise)) = killed_while_calling_back(Dies::TheyTalk) else { return };
    assert_eq!(promise.state, CallbackState::Over(CallbackEnd::Reached));
    assert_eq!(shared.takes(Timestamp::now() + jiff::SignedDuration::from_hours(1)), None);
}
