//! The desk at work: one [`Desk`] on a thread of its own for all calls of this process.
//!
//! Each call that needs a person takes a [`Place`]; by it the desk's [`Order`]s come, and what the telephone tells goes
//! back. What has to survive the process goes to the store as [`Note`]s, on another thread, so that a slow disk holds
//! up no telephone. Decides nothing: that is [`crate::desk`].

#[cfg(feature = "store")]
pub mod api;

#[cfg(feature = "store")]
pub mod book;

#[cfg(feature = "store")]
pub mod callbacks;

#[cfg(feature = "store")]
mod bell;

pub(super) mod leg;

mod notes;

mod package;

#[cfg(feature = "store")]
mod peers;

mod sharing;

pub(super) mod spoken;

mod star;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

#[cfg(feature = "store")]
use bell::Bell;
use jiff::Timestamp;
pub use notes::{Message as MessageNote, Note};
pub use package::{Package, PackageEvent};
use sharing::{Sharing, Told};

use super::metrics::Metrics;
use crate::call::{Ani, CallId, Fault, Handoff, RequestId, TimeSpan, Waiting, WayOut};
use crate::channel::sip::PhoneCall;
use crate::desk::{
    Action, AgentId, AgentState, Callback, CallbackPlan, Caller, Denial, Desk, DeskPlan, Event, Left,
    Presence, RouteTo, Window,
};

/// Notes that may wait for the store: an hour's of a busy desk. Past that the store has been gone for too long, and
/// they are given up aloud.
const NOTES: usize = 10_000;

/// Without anything to do the desk looks at the clock so often: it may have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// What the desk wants of a call.
pub enum Order {
    /// Tell the caller.
    News(Waiting),
    /// Ring an agent.
    Ring {
        /// Who, by name.
        agent: String,
        /// Their SIP URI or telephone number.
        rings: String,
        /// For so long at most; the desk itself says when to stop.
        patience: Duration,
    },
    /// Let the agent's telephone ring no longer.
    StopRinging,
    /// The agent is there: ring the caller now, who is to be called back.
    CallBack,
    /// What came of ringing an agent, where the caller's own telephone does not tell it.
    Dialled(Result<Box<PhoneCall>, Fault>),
    /// The message is kept.
    Kept(RequestId),
    /// It could not be kept.
    Lost(RequestId, Fault),
}

/// Who takes a place.
#[derive(Debug)]
pub struct Arriving {
    /// What routing goes by.
    pub caller: Caller,
    /// The caller's number.
    pub ani: Option<Ani>,
}

#[cfg_attr(not(feature = "store"), expect(dead_code, reason = "only a store tells of other nodes"))]
enum Inbox {
    /// What the store knows of the other nodes.
    Told(Box<Told>),
    /// Whether an agent is this desk's to ring.
    Claimed {
        call: CallId,
        agent: AgentId,
        granted: Result<(), Denial>,
    },
    /// A caller's place was kept.
    Came(CallId, Timestamp),
    /// The other nodes thought this one dead.
    Rejoin,
    /// Somebody has changed agents or places.
    Wake,
    /// Whoever counts what happens.
    Counted(Arc<Metrics>),
    Arrives(Box<Arriving>, Sender<Order>),
    Happened(Event),
    /// The caller takes a way out; the number is whom to call back.
    Chose(CallId, WayOut, Option<Ani>, Option<TimeSpan>),
    /// A message was left.
    Message(Box<MessageNote>),
    /// An agent wants to be there, away, or gone: by name.
    Wants(String, Wish),
    Stop,
}

/// What an agent wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To get calls.
    Ready,
    /// A pause.
    Pause,
    /// To go.
    SignOut,
}

/// The desk of a process. Dropping it ends the thread.
pub struct DeskHost {
    plan: Arc<DeskPlan>,
    inbox: Sender<Inbox>,
    is_shared: bool,
    #[cfg(feature = "store")]
    bell: Arc<Bell>,
    alive: Weak<()>,
    wrong: star::Wrong,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// Who may talk to a desk that is at work.
#[derive(Clone)]
pub struct DeskDoor {
    inbox: Sender<Inbox>,
    is_shared: bool,
    #[cfg(feature = "store")]
    bell: Arc<Bell>,
}

impl DeskDoor {
    /// An agent wants something. Nobody of an unknown name does.
    pub fn wants(&self, agent: &str, wish: Wish) {
        let _ = self.inbox.send(Inbox::Wants(agent.to_owned(), wish));
    }
}

/// Where the store's thread gets its notes from.
pub type Notes = Receiver<Note>;

impl DeskHost {
    /// A desk at which nobody has signed in; its notes come out of the other end.
    pub fn open(plan: Arc<DeskPlan>) -> (Arc<DeskHost>, Notes) {
        DeskHost::begin(plan, false)
    }

    /// The same, of one node among several that share the store: nobody is rung before the store says so.
    pub fn open_shared(plan: Arc<DeskPlan>) -> (Arc<DeskHost>, Notes) {
        DeskHost::begin(plan, true)
    }

    fn begin(plan: Arc<DeskPlan>, is_shared: bool) -> (Arc<DeskHost>, Notes) {
        let (inbox, inside) = channel();
        let (notes, out) = std::sync::mpsc::sync_channel(NOTES);
        let alive = Arc::new(());
        let weak = Arc::downgrade(&alive);
        let desk = Runner {
            _alive: alive,
            desk: Desk::new(Arc::clone(&plan)),
            presences: vec![Some(Presence::SignedOut); plan.agents.len()],
            plan: Arc::clone(&plan),
            calls: BTreeMap::new(),
            notes,
            sharing: is_shared.then(|| Sharing::new(plan.agents.len())),
            metrics: None,
        };
        let spawned = std::thread::Builder::new().name("desk".to_owned()).spawn(move || desk.run(&inside));
        if let Err(error) = &spawned {
            // Whoever asks for a person finds nobody at the other end, and is told.
            tracing::error!(%error, "no thread for the desk");
        }
        (
            Arc::new(DeskHost {
                plan,
                inbox,
                is_shared,
                #[cfg(feature = "store")]
                bell: Arc::default(),
                alive: weak,
                wrong: star::Wrong::default(),
                thread: Mutex::new(spawned.ok()),
            }),
            out,
        )
    }

    /// What it goes by.
    pub fn plan(&self) -> &Arc<DeskPlan> {
        &self.plan
    }

    /// Counts from now on what happens at the desk.
    pub fn counted_by(&self, metrics: &Arc<Metrics>) {
        let _ = self.inbox.send(Inbox::Counted(Arc::clone(metrics)));
    }

    /// For those who only bring news.
    pub fn door(&self) -> DeskDoor {
        DeskDoor {
            inbox: self.inbox.clone(),
            is_shared: self.is_shared,
            #[cfg(feature = "store")]
            bell: Arc::clone(&self.bell),
        }
    }

    /// Takes a place for a caller.
    pub fn arrive(&self, arriving: Arriving) -> Place {
        let (orders, mine) = channel();
        let (call, queue) = (arriving.caller.call.clone(), self.plan.queue_of(&arriving.caller).to_owned());
        let ani = arriving.ani.clone();
        let _ = self.inbox.send(Inbox::Arrives(Box::new(arriving), orders.clone()));
        let (inbox, desk) = (self.inbox.clone(), self.alive.clone());
        Place { call, queue, ani, orders: mine, replies: orders, inbox, desk }
    }
}

impl DeskHost {
    /// Ends the desk: its last notes are out once this returns. Whoever waits is told that there is none any more.
    pub fn close(&self) {
        let _ = self.inbox.send(Inbox::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for DeskHost {
    fn drop(&mut self) {
        self.close();
    }
}

/// A caller's place at the desk. Dropping it says that the caller is gone.
pub struct Place {
    call: CallId,
    queue: String,
    ani: Option<Ani>,
    orders: Receiver<Order>,
    /// For whoever answers a question of this call's.
    replies: Sender<Order>,
    inbox: Sender<Inbox>,
    /// Lives as long as the desk's thread.
    desk: Weak<()>,
}

impl Place {
    /// Whose.
    pub fn call(&self) -> &CallId {
        &self.call
    }

    /// In which queue, by name.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The next order; `None` where there is none yet.
    pub fn order(&self) -> Option<Order> {
        self.orders.try_recv().ok()
    }

    /// The next order, waited for.
    #[cfg(feature = "store")]
    fn wait(&self, patience: Duration) -> Option<Order> {
        self.orders.recv_timeout(patience).ok()
    }

    /// By which others give orders to this call.
    #[cfg(feature = "store")]
    fn replies(&self) -> Sender<Order> {
        self.replies.clone()
    }

    /// Whether there is still a desk.
    pub fn is_open(&self) -> bool {
        self.desk.strong_count() > 0
    }

    /// Tells the desk what happened to this call.
    pub fn tell(&self, event: fn(CallId) -> Event) {
        let _ = self.inbox.send(Inbox::Happened(event(self.call.clone())));
    }

    /// The caller takes a way out.
    pub fn leave(&self, way: WayOut, number: Option<&Ani>, window: Option<TimeSpan>) {
        let _ = self.inbox.send(Inbox::Chose(self.call.clone(), way, number.cloned(), window));
    }

    /// Keeps a message; [`Order::Kept`] or [`Order::Lost`] says what became of it.
    pub fn keep(&self, id: RequestId, sound: &Arc<[i16]>, handoff: &Handoff) {
        let note = MessageNote {
            call: self.call.clone(),
            queue: self.queue.clone(),
            ani: self.ani.clone(),
            at: Timestamp::now(),
            sound: Arc::clone(sound),
            handoff: handoff.clone(),
            reply: (id, self.replies.clone()),
        };
        let _ = self.inbox.send(Inbox::Message(Box::new(note)));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.tell(Event::HungUp);
    }
}

/// A call at the desk.
struct Call {
    orders: Sender<Order>,
    ani: Option<Ani>,
    queue: String,
    since: Timestamp,
}

struct Runner {
    desk: Desk,
    plan: Arc<DeskPlan>,
    calls: BTreeMap<CallId, Call>,
    /// As the store knows it; `None` where somebody else has written there.
    presences: Vec<Option<Presence>>,
    notes: SyncSender<Note>,
    /// Where other nodes have a part in the queue.
    sharing: Option<Sharing>,
    metrics: Option<Arc<Metrics>>,
    _alive: Arc<()>,
}

impl Runner {
    fn run(mut self, inbox: &Receiver<Inbox>) {
        loop {
            let now = Timestamp::now();
            let due = self.desk.poll_timeout().map_or(LONGEST_SLEEP, |due| {
                Duration::try_from(due.duration_since(now)).unwrap_or(Duration::ZERO).min(LONGEST_SLEEP)
            });
            match inbox.recv_timeout(due) {
                Ok(Inbox::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(news) => self.take(Timestamp::now(), news),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Timestamp::now();
            if self.desk.poll_timeout().is_some_and(|due| due <= now) {
                self.desk.handle_timeout(now);
            }
            while let Some(action) = self.desk.poll_action() {
                self.act(now, action);
            }
            if self.sharing.is_some() {
                self.share_agents(now);
            } else {
                self.note_agents(now);
            }
            if let Some(metrics) = &self.metrics {
                metrics.desk(&self.desk);
            }
        }
    }

    fn take(&mut self, now: Timestamp, news: Inbox) {
        match news {
            Inbox::Arrives(arriving, orders) => {
                let Arriving { caller, ani } = *arriving;
                let queue = self.plan.queue_of(&caller).to_owned();
                let since = caller.since.unwrap_or(now);
                self.calls.insert(caller.call.clone(), Call { orders, ani, queue, since });
                self.desk.handle_event(now, Event::Queued(caller));
            }
            Inbox::Happened(event) => {
                if let Event::HungUp(call) = &event {
                    self.calls.remove(call);
                }
                self.desk.handle_event(now, event);
            }
            Inbox::Chose(call, way, number, wanted) => {
                if let (WayOut::Callback, Some(number)) = (way, number) {
                    self.promise(now, &call, number, wanted);
                }
                self.desk.handle_event(now, Event::Chose(call, way));
            }
            Inbox::Message(message) => {
                if let Err(lost) = self.notes.try_send(Note::Message(*message))
                    && let Note::Message(message) = not_sent(lost)
                {
                    let (id, reply) = message.reply;
                    let _ = reply.send(Order::Lost(id, Fault::Overloaded));
                }
            }
            Inbox::Wants(name, wish) => match self.plan.agent(&name) {
                Some(agent) => self.wants(now, agent, wish),
                None => tracing::warn!(name, "no such agent: see intents/desk.toml"),
            },
            Inbox::Told(told) => self.told(now, *told),
            Inbox::Claimed { call, agent, granted } => self.claimed(now, call, agent, granted),
            Inbox::Came(call, since) => {
                if let Some(known) = self.calls.get_mut(&call) {
                    known.since = since;
                }
                self.desk.handle_event(now, Event::Came(call, since));
            }
            Inbox::Rejoin => self.rejoin(),
            Inbox::Counted(metrics) => self.metrics = Some(metrics),
            // Only the book asks, and it is not a step of the desk's.
            Inbox::Wake => drop(self.notes.try_send(Note::Changed)),
            Inbox::Stop => {}
        }
    }

    fn wants(&mut self, now: Timestamp, agent: AgentId, wish: Wish) {
        // What was wished for stands in the store; what they do, a call in hand included, shall.
        self.presences[agent.0] = None;
        let is_out = *self.desk.state(agent) == AgentState::SignedOut;
        let events = match wish {
            Wish::Ready => vec![Event::Ready(agent)],
            // Who pauses is there.
            Wish::Pause if is_out => vec![Event::SignedIn(agent), Event::Paused(agent)],
            Wish::Pause => vec![Event::Paused(agent)],
            Wish::SignOut => vec![Event::SignedOut(agent)],
        };
        for event in events {
            self.desk.handle_event(now, event);
        }
    }

    /// Written before the place is given up: whatever happens in between, the caller is called back.
    fn promise(&mut self, now: Timestamp, call: &CallId, number: Ani, wanted: Option<TimeSpan>) {
        let Some(known) = self.calls.get(call) else { return };
        let place = (call.clone(), known.queue.as_str(), known.since);
        let plan = CallbackPlan::of(&self.plan);
        let window = wanted.and_then(|wanted| Window::of(wanted, &self.plan.zone));
        let window = window.unwrap_or(Window { from: now, until: None });
        self.note(Note::Promised(Callback::promise(&plan, now, place, number, window)));
    }

    /// Whether it will be written.
    fn note(&mut self, note: Note) -> bool {
        if let Err(lost) = self.notes.try_send(note) {
            tracing::error!(note = ?kind(&not_sent(lost)), "the store takes nothing: a step of the desk is not kept");
            return false;
        }
        if let Some(sharing) = &mut self.sharing {
            sharing.sent();
        }
        true
    }

    fn order(&mut self, now: Timestamp, call: &CallId, order: Order) {
        let sent = self.calls.get(call).is_some_and(|known| known.orders.send(order).is_ok());
        if !sent {
            // Whoever held the place is gone without a word.
            self.calls.remove(call);
            self.desk.handle_event(now, Event::HungUp(call.clone()));
        }
    }

    fn name(&self, agent: AgentId) -> String {
        self.plan.agents[agent.0].spec.name.clone()
    }

    fn act(&mut self, now: Timestamp, action: Action) {
        match action {
            Action::Routed { call, route } => {
                let name = &self.plan.queues[route.queue.0].spec.name;
                let why = route.why.last().map(ToString::to_string).unwrap_or_default();
                tracing::info!(%call, queue = name, why, "a caller needs a person");
                let news = match route.to {
                    RouteTo::Queue => {
                        let ani = self.calls.get(&call).and_then(|known| known.ani.clone());
                        if let Some(place) = self.desk.place(&call) {
                            self.note(Note::Queued { place, ani, again: false });
                        }
                        Waiting::Queued
                    }
                    RouteTo::Offer(ways_out) => Waiting::Offered { ways_out },
                };
                self.order(now, &call, Order::News(news));
                let open = CallbackPlan::of(&self.plan).open_times(now, &self.plan.zone);
                let local = now.to_zoned(self.plan.zone.clone()).datetime();
                self.order(now, &call, Order::News(Waiting::CallsBack { now: local, open }));
            }
            Action::Ring { call, agent, for_ } if self.sharing.is_some() => {
                self.claim(now, call, agent, for_)
            }
            Action::Ring { call, agent, for_ } => self.ring(now, &call, agent, for_),
            Action::StopRinging { call, .. } => {
                let is_silent = self.sharing.as_mut().is_some_and(|sharing| sharing.gives_up_claim(&call));
                if is_silent {
                    return;
                }
                if self.calls.contains_key(&call) {
                    self.order(now, &call, Order::StopRinging);
                }
            }
            Action::Connect { call, agent, call_back } => {
                tracing::info!(%call, agent = self.name(agent), call_back, "an agent has the call");
                if call_back {
                    self.order(now, &call, Order::CallBack);
                }
            }
            Action::Announce { call, position, wait, ways_out } => {
                // Rounded up: what is promised must hold.
                let minutes = wait.map(|wait| wait.at_most.as_secs().div_ceil(60).max(1));
                self.order(now, &call, Order::News(Waiting::Announced { position, minutes, ways_out }));
            }
            Action::Offer { call, ways_out } => {
                self.order(now, &call, Order::News(Waiting::Offered { ways_out }));
            }
            Action::Escalate { call, since } => {
                tracing::warn!(%call, %since, "a caller waits too long: supervisors may take the call now");
            }
            Action::MarkedAway { agent, why } => {
                tracing::warn!(agent = self.name(agent), %why, "an agent gets no calls until they are ready");
            }
            Action::Left(Left { call, queue, waited, outcome, agent, call_back, .. }) => {
                if let Some(metrics) = self.metrics.as_ref().filter(|_| !call_back) {
                    metrics.left(&self.plan.queues[queue.0].spec.name, outcome, waited);
                }
                tracing::info!(%call, %outcome, "a caller waits no longer");
                let agent = agent.map(|agent| self.name(agent));
                self.note(Note::Left { call, outcome, agent, at: now });
            }
            Action::Handled { queue, ring, talk, wrap_up, .. } => {
                let queue = self.plan.queues[queue.0].spec.name.clone();
                if let Some(metrics) = &self.metrics {
                    metrics.handled(&queue, talk + wrap_up);
                }
                self.note(Note::Handled { queue, ring, time: talk + wrap_up, at: now });
            }
        }
    }

    /// What agents do now, where it is something else than before.
    fn note_agents(&mut self, now: Timestamp) {
        for n in 0..self.presences.len() {
            let state = Presence::from(self.desk.state(AgentId(n)));
            if self.presences[n] != Some(state) {
                self.presences[n] = Some(state);
                self.note(Note::Agent { name: self.name(AgentId(n)), state, at: now });
            }
        }
    }
}

fn not_sent(error: std::sync::mpsc::TrySendError<Note>) -> Note {
    match error {
        std::sync::mpsc::TrySendError::Full(note) | std::sync::mpsc::TrySendError::Disconnected(note) => note,
    }
}

/// A note's kind, for the log: what it holds is a caller's.
fn kind(note: &Note) -> &'static str {
    match note {
        Note::Queued { .. } => "queued",
        Note::Left { .. } => "left",
        Note::Claim { .. } => "claim",
        Note::Held { .. } => "held",
        Note::Released { .. } => "released",
        Note::Stated { .. } => "stated",
        Note::Changed => "changed",
        Note::Handled { .. } => "handled",
        Note::Promised(_) => "promised",
        Note::Agent { .. } => "agent",
        Note::Message(_) => "message",
    }
}
