//! Real telephones against the line, on loopback: a caller of our own that controls every packet, and SIPp.
//!
//! The line's engines are stand-ins here, so that these tests need no models; `whole_line.rs` and the call
//! by telephone have real ones.

#[cfg(feature = "store")]
mod api;

mod asterisk;

#[cfg(feature = "store")]
mod balancer;

mod baresip;

mod caller;

#[cfg(feature = "store")]
mod desk;

mod digest;

#[cfg(feature = "host")]
mod ear_at_desk;

mod growth;

mod handing_over;

#[cfg(feature = "store")]
mod killed_node;

#[cfg(feature = "store")]
mod metrics;

mod mutated;

#[cfg(feature = "host")]
mod nodes;

mod overload;

#[cfg(feature = "store")]
mod recorded;

#[cfg(feature = "store")]
#[path = "../postgres.rs"]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
mod postgres;

#[cfg(feature = "host")]
mod refused;

mod secret;

mod signalling;

mod sipp;

mod sound;

mod stream;

mod torture;

#[cfg(feature = "otel")]
mod traces;

#[cfg(feature = "store")]
mod two_nodes;

#[cfg(feature = "host")]
mod whole_call;

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use attendant::audio::{Frame, LINE_RATE_HZ, Law, RATE_HZ, resample, tone};
use attendant::call::{Action, Ani, CallId, CallRecord, CallTime, Dtmf, Event, Fault};
use attendant::channel::gate::Gate;
use attendant::channel::sip::{Dialer, Remembered, SipServer, SipSettings};
use attendant::config::Config;
use attendant::conversation::Conversation;
use attendant::desk::Spoken;
use attendant::dialogue::Flow;
use attendant::host::desk::{DeskHost, Package};
use attendant::host::phone;
#[cfg(feature = "store")]
use attendant::host::recorder::{Recording, Recordings};
use attendant::host::serve::{Answerer, Serving, Survey};
use attendant::host::session::{Arrival, Channel, Engines, Observer, Reply, Session, Sound};

use super::calls::flow_of;

/// What the line noted of one call.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) record: CallRecord,
    pub(crate) keys: String,
    /// The caller's sound as the line heard it, 16 kHz.
    pub(crate) heard: Vec<i16>,
}

/// A recorded caller's first sentence as µ-law at 8 kHz, without a header.
pub(crate) fn recorded_voice() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/audio/callers/order_status/01.wav");
    let bytes = std::fs::read(path).expect("a recording");
    // 16 kHz, sixteen bits, behind the 44 bytes of the plain header.
    let samples: Vec<i16> = bytes[44..].as_chunks::<2>().0.iter().map(|b| i16::from_le_bytes(*b)).collect();
    Law::Mu.encode_all(&resample(&samples, RATE_HZ, LINE_RATE_HZ))
}

struct Notes {
    keys: String,
    heard: Vec<i16>,
    book: Arc<Book>,
    #[cfg(feature = "store")]
    recording: Option<Recording>,
}

impl Observer for Notes {
    fn event(&mut self, _now: CallTime, event: &Event) {
        if let Event::Key(key) = event {
            self.keys.push(key.as_char());
        }
    }

    fn action(&mut self, _now: CallTime, action: &Action) {
        if let Action::Say { prompt, .. } = action {
            self.book.said.lock().expect("no test panicked").push(prompt.name.clone());
        }
    }

    #[cfg_attr(not(feature = "store"), expect(unused_variables, reason = "nothing is recorded"))]
    fn frames(&mut self, caller: &Frame, line: &Frame) {
        self.heard.extend(caller.samples());
        #[cfg(feature = "store")]
        if let Some(recording) = &mut self.recording {
            recording.frames(caller, line);
        }
    }
}

/// Engines that hum where a voice would speak, hear nothing, and reach an agent at once.
#[derive(Default)]
struct Humming {
    replies: std::collections::VecDeque<Reply>,
}

impl Engines for Humming {
    fn start(&mut self, _now: CallTime, action: &Action) {
        let fault = || Fault::Failed("there is none here".to_owned());
        let event = match action {
            Action::Say { id, .. } => {
                let hum = tone(Dtmf::ZERO, Duration::from_millis(400), -20.0);
                self.replies.push_back(Reply::Sound(*id, Sound::Pcm(hum)));
                self.replies.push_back(Reply::Sound(*id, Sound::End));
                return;
            }
            Action::Recognize { id, .. } => Event::RecognitionFailed { id: *id, fault: fault() },
            Action::Interpret { id, .. } => Event::InterpretationFailed { id: *id, fault: fault() },
            Action::LookUp { id, .. } => Event::LookedUp { id: *id, rows: Vec::new() },
            // That is the channel's business.
            Action::Transfer { id, .. } => Event::TransferFailed { id: *id, fault: fault() },
            Action::Answer
            | Action::StopPrompt { .. }
            | Action::CancelRecognition { .. }
            | Action::WriteRecord { .. }
            | Action::Leave { .. }
            | Action::Play { .. }
            | Action::KeepMessage { .. }
            | Action::HangUp { .. }
            | Action::Note(_) => return,
        };
        self.replies.push_back(Reply::Event(event));
    }

    fn poll(&mut self, now: CallTime, _until: CallTime) -> Option<(CallTime, Reply)> {
        self.replies.pop_front().map(|reply| (now, reply))
    }
}

type SpokenLast = dyn Fn(&Ani) -> Option<Spoken> + Send;

#[derive(Default)]
struct Book {
    held: Mutex<Vec<Held>>,
    more: Condvar,
    /// Prompts that were begun, in all calls.
    said: Mutex<Vec<String>>,
    /// What agents' screens were told.
    screen: Mutex<Vec<Package>>,
    /// Whether callers are asked how content they are, and what they said.
    asks: AtomicBool,
    rated: Mutex<Vec<u8>>,
    /// Who knows whom a number spoke to last.
    spoken: Mutex<Option<Box<SpokenLast>>>,
    /// How calls are recorded.
    #[cfg(feature = "store")]
    recordings: Mutex<Option<Recordings>>,
}

struct Hums {
    flow: Arc<Flow>,
    book: Arc<Book>,
    /// Whether sound is kept: not of a thousand calls.
    keeps_sound: bool,
}

impl Answerer for Hums {
    fn answer(&self, arrival: Arrival, channel: &mut dyn Channel) -> Option<CallRecord> {
        #[cfg(feature = "store")]
        let recordings = self.book.recordings.lock().expect("no test panicked").clone();
        let mut notes = Notes {
            keys: String::new(),
            heard: Vec::new(),
            book: Arc::clone(&self.book),
            #[cfg(feature = "store")]
            recording: recordings
                .as_ref()
                .map(|to| to.recorder.begin(&arrival.id, arrival.ani.as_ref(), jiff::Timestamp::now())),
        };
        let mut engines = Humming::default();
        let conversation = Conversation::new(Arc::clone(&self.flow)).keypad_only(arrival.keypad_only);
        let record = Session::new(conversation, &mut engines, &mut notes).run(arrival, channel, true)?;
        #[cfg(feature = "store")]
        if let Some(to) = recordings {
            to.go_on(notes.recording.take(), channel);
        }
        let heard = if self.keeps_sound { notes.heard } else { Vec::new() };
        let held = Held { record: record.clone(), keys: notes.keys, heard };
        self.book.held.lock().expect("no test panicked").push(held);
        self.book.more.notify_all();
        Some(record)
    }

    fn tell_screen(&self, package: &Package) {
        self.book.screen.lock().expect("no test panicked").push(package.clone());
    }

    fn survey(&self) -> Option<Survey> {
        let asks = self.book.asks.load(Ordering::Relaxed);
        asks.then(|| Survey { ask: "How content are you?".to_owned(), thanks: "Thank you.".to_owned() })
    }

    fn rated(&self, _call: &CallId, grade: u8) {
        self.book.rated.lock().expect("no test panicked").push(grade);
    }

    fn spoken_last(&self, number: &Ani) -> Option<Spoken> {
        self.book.spoken.lock().expect("no test panicked").as_ref().and_then(|spoken| spoken(number))
    }

    fn speak(&self, _sentence: &str) -> Vec<i16> {
        tone(Dtmf::POUND, Duration::from_millis(400), -15.0)
    }
}

/// A line that hums, listening on a port of its own.
pub(crate) struct TestLine {
    pub(crate) address: SocketAddr,
    pub(crate) tcp: Option<SocketAddr>,
    pub(crate) tls: Option<SocketAddr>,
    pub(crate) serving: Arc<Serving>,
    dialer: Dialer,
    runtime: tokio::runtime::Handle,
    book: Arc<Book>,
    stop: Box<dyn Fn() + Send + Sync>,
    thread: Option<std::thread::JoinHandle<()>>,
    _machine: Machine,
}

/// Tests of sound share the machine; a test of load has it to itself.
enum Machine {
    Shared {
        _share: Share,
    },
    Alone {
        _guard: RwLockWriteGuard<'static, ()>,
    },
    /// Another line of the same test has it: to ask twice, while somebody waits to have it alone, is to wait for oneself.
    Beside,
}

struct Share {
    _guard: RwLockReadGuard<'static, ()>,
}

static MACHINE: RwLock<()> = RwLock::new(());

thread_local! {
    /// Whether this test has its share.
    static SHARES: Cell<bool> = const { Cell::new(false) };
}

impl Machine {
    fn shared() -> Machine {
        if SHARES.replace(true) {
            return Machine::Beside;
        }
        let guard = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
        Machine::Shared { _share: Share { _guard: guard } }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        SHARES.set(false);
    }
}

/// Settings for loopback, `changes` made to them.
pub(crate) fn settings(changes: &[(&str, &str)]) -> (Config, SipSettings) {
    // Tests run beside each other in one process and in several: each line has ports of its own.
    static LINES: AtomicU32 = AtomicU32::new(0);
    let first =
        20_000 + (std::process::id() % 10) * 4_000 + (LINES.fetch_add(1, Ordering::Relaxed) % 9) * 440;
    let ports = format!("{first}-{}", first + 439);
    // Whoever tests overload says so: a machine that builds beside the tests is late, too.
    let patient = [("keypad_past_late_permille", "1000"), ("busy_past_late_permille", "1000")];
    let mut flags: Vec<(String, String)> = [("sip_listen", "127.0.0.1:0"), ("rtp_ports", &ports)]
        .iter()
        .chain(&patient)
        .chain(changes)
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    flags.dedup();
    let config = Config::load(None, std::iter::empty(), &flags).expect("settings");
    let sip = phone::sip_settings(&config).expect("sound").expect("on");
    (config, sip)
}

/// A TCP port that is free now.
pub(crate) fn free_tcp_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

impl TestLine {
    pub(crate) fn open(changes: &[(&str, &str)]) -> TestLine {
        TestLine::open_with(changes, Machine::shared())
    }

    /// A line for many calls, whose sound is not kept. The limits that keep strangers out are far off: whoever calls
    /// from a busy machine is late, and then makes all the calls that are due at once.
    pub(crate) fn open_alone(changes: &[(&str, &str)]) -> TestLine {
        let guard = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
        let limits =
            ["calls_per_second", "calls_per_second_of_source", "calls_at_once", "calls_at_once_of_source"];
        let mut settings = limits.map(|limit| (limit, "100000")).to_vec();
        settings.push(("rtp_ports", "10000-15999"));
        settings.extend(changes);
        TestLine::open_with(&settings, Machine::Alone { _guard: guard })
    }

    /// A line whose ringing and session timers run faster: a second of theirs lasts `second`.
    pub(crate) fn open_quick(second: Duration, changes: &[(&str, &str)]) -> TestLine {
        let (answerer, book) = TestLine::hums(true);
        TestLine::serve_at(second, changes, answerer, book, Machine::shared(), None)
    }

    fn hums(keeps_sound: bool) -> (impl FnOnce(&Arc<Gate>) -> Arc<dyn Answerer>, Arc<Book>) {
        let book = Arc::new(Book::default());
        let hums = Hums { flow: flow_of("intents"), book: Arc::clone(&book), keeps_sound };
        (move |_: &_| Arc::new(hums) as Arc<dyn Answerer>, book)
    }

    fn open_with(changes: &[(&str, &str)], machine: Machine) -> TestLine {
        let keeps_sound = !matches!(machine, Machine::Alone { .. });
        let (answerer, book) = TestLine::hums(keeps_sound);
        TestLine::serve(changes, answerer, book, machine)
    }

    /// A line whose callers wait at a desk.
    #[cfg(feature = "store")]
    pub(crate) fn open_at_desk(desk: Arc<DeskHost>, changes: &[(&str, &str)]) -> TestLine {
        let (answerer, book) = TestLine::hums(true);
        TestLine::serve_at(Duration::from_secs(1), changes, answerer, book, Machine::shared(), Some(desk))
    }

    /// Names of the prompts that were begun so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.book.said.lock().expect("no test panicked").clone()
    }

    fn serve(
        changes: &[(&str, &str)],
        answerer: impl FnOnce(&Arc<Gate>) -> Arc<dyn Answerer>,
        book: Arc<Book>,
        machine: Machine,
    ) -> TestLine {
        TestLine::serve_at(Duration::from_secs(1), changes, answerer, book, machine, None)
    }

    fn serve_at(
        second: Duration,
        changes: &[(&str, &str)],
        answerer: impl FnOnce(&Arc<Gate>) -> Arc<dyn Answerer>,
        book: Arc<Book>,
        machine: Machine,
        desk: Option<Arc<DeskHost>>,
    ) -> TestLine {
        let (config, mut sip) = settings(changes);
        sip.second = second;
        let gate = Gate::new(phone::limits(&config).expect("limits"));
        let serving = Serving::new(answerer(&gate), gate);
        let (ready, told) = std::sync::mpsc::channel();
        let agents = phone::Agents::from_settings(&config).expect("agents");
        let agents = match desk {
            Some(desk) => agents.at_desk(desk),
            None => agents,
        };
        let taker = phone::taker(&serving, agents);
        let gate = Arc::clone(serving.gate());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let server = SipServer::bind(sip, gate, taker).await.expect("bound");
                let stop: Box<dyn Fn() + Send + Sync> = Box::new(server.stopper());
                let here = tokio::runtime::Handle::current();
                let streams = (server.tcp_address(), server.tls_address());
                ready.send((server.address(), streams, server.dialer(), here, stop)).expect("awaited");
                server.run().await;
            });
        });
        let (address, (tcp, tls), dialer, runtime, stop) = told.recv().expect("it listens");
        let thread = Some(thread);
        TestLine { address, tcp, tls, serving, dialer, runtime, book, stop, thread, _machine: machine }
    }

    /// The calls held so far, once there are `count`.
    pub(crate) fn held(&self, count: usize) -> Vec<Held> {
        let held = self.book.held.lock().expect("no test panicked");
        let waited = self.book.more.wait_timeout_while(held, Duration::from_secs(60), |h| h.len() < count);
        let (held, timeout) = waited.expect("no test panicked");
        assert!(!timeout.timed_out(), "{} of {count} calls", held.len());
        held.clone()
    }

    /// Forgets the calls held so far: the test's notes are no memory of the line's.
    pub(crate) fn forget_held(&self) {
        *self.book.held.lock().expect("no test panicked") = Vec::new();
    }

    /// Has the line call a URI and talk to its end; why it came to nothing, if so.
    pub(crate) fn dial(&self, uri: &str) -> (std::thread::JoinHandle<()>, Receiver<Option<String>>) {
        let (dialer, runtime, serving) =
            (self.dialer.clone(), self.runtime.clone(), Arc::clone(&self.serving));
        let (tell, told) = std::sync::mpsc::channel();
        let uri = uri.to_owned();
        let thread = std::thread::spawn(move || {
            let (config, _) = settings(&[]);
            let agents = phone::Agents::from_settings(&config).expect("agents");
            let number = "5550100".parse().expect("a number");
            let failed = match runtime.block_on(dialer.dial(&uri, Duration::from_secs(10))) {
                Ok(call) => {
                    phone::hold(&serving, &agents, number, call);
                    None
                }
                Err(fault) => Some(fault.to_string()),
            };
            tell.send(failed).expect("awaited");
        });
        (thread, told)
    }

    /// Has the line stop, without waiting for it.
    pub(crate) fn leave(&self) {
        (self.stop)();
    }

    /// Waits until so many calls go on.
    pub(crate) fn until(&self, going_on: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.serving.going_on() != going_on {
            assert!(Instant::now() < deadline, "{} calls, not {going_on}", self.serving.going_on());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Waits until every place is free again, and every dialog forgotten.
    pub(crate) fn empty(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let left = || {
            let Remembered { dialogs, calls, .. } = self.remembered();
            self.serving.going_on() + self.serving.gate().at_once() + dialogs + calls
        };
        while left() > 0 {
            assert!(
                Instant::now() < deadline,
                "{} calls stay, {:?}",
                self.serving.going_on(),
                self.remembered()
            );
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// What the line's signalling remembers.
    pub(crate) fn remembered(&self) -> Remembered {
        self.dialer.remembered()
    }
}

impl Drop for TestLine {
    fn drop(&mut self) {
        (self.stop)();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
