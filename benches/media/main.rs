//! What calls cost over SIP and RTP, on loopback, with real threads and sockets.
//!
//! `cargo bench --no-default-features --features telephone --bench media [-- CALLS …] [-- --json]`. The line runs in
//! this process: SIP, RTP, jitter buffer, G.711, keypad tones, voice activity, end of utterance, a thread a call;
//! its voice is a tone that never stops, and nothing is recognised. The callers are a process of their own, which
//! sends each call a recorded voice, so that their processor time is not the line's. A tick is late that comes more
//! than 20 ms after it was due.
//!
//! With the feature `host`, `-- --heard CALLS …` has the real line answer, with its ear, classifier, voice and store:
//! callers ask for an order, say its number, and ring again once their call is over.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "../../tests/it/phone/caller.rs"]
#[expect(dead_code, reason = "the tests' caller can do more than a bench asks of it")]
mod caller;

#[path = "../../tests/it/phone/stream.rs"]
#[expect(dead_code, reason = "likewise")]
mod stream;

mod callers;

#[cfg(feature = "host")]
mod heard;

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use attendant::audio::{Frame, tone};
use attendant::call::{Action, CallRecord, CallTime, Dtmf, Event, Handoff, HangupCause, RequestId};
use attendant::channel::gate::Gate;
use attendant::channel::sip::SipServer;
use attendant::config::Config;
use attendant::conversation::Conversation;
use attendant::dialogue::{Flow, Source};
use attendant::host::phone;
use attendant::host::serve::{Answerer, Serving};
use attendant::host::session::{Arrival, Channel, Engines, Observer, Reply, Session, Sound};
use rustix::time::{ClockId, clock_gettime};

/// Calls at once, of a run without arguments.
const STEPS: [usize; 5] = [50, 100, 200, 300, 400];

/// What is measured, once all calls are there.
const WINDOW: Duration = Duration::from_secs(8);

/// From the last call's answer to the window's begin.
const SETTLING: Duration = Duration::from_secs(2);

/// Upper ends of what is told of lateness, in milliseconds.
const LATE_MS: [u64; 3] = [5, 10, 20];

/// Lateness of all ticks within the window.
#[derive(Default)]
struct Lateness {
    counts: AtomicBool,
    ticks: AtomicU64,
    /// Ticks later than each of [`LATE_MS`].
    late: [AtomicU64; 3],
    worst_us: AtomicU64,
}

impl Lateness {
    fn tick(&self, late: Duration) {
        if !self.counts.load(Ordering::Relaxed) {
            return;
        }
        self.ticks.fetch_add(1, Ordering::Relaxed);
        for (ms, count) in LATE_MS.into_iter().zip(&self.late) {
            if late > Duration::from_millis(ms) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        let us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        self.worst_us.fetch_max(us, Ordering::Relaxed);
    }
}

/// A channel whose ticks are timed against the earliest moment that the call has kept to.
struct Timed<'a> {
    inner: &'a mut dyn Channel,
    lateness: &'a Lateness,
    zero: Option<Instant>,
}

impl Channel for Timed<'_> {
    fn exchange(&mut self, now: CallTime, line: &Frame, line_talks: bool) -> Option<Frame> {
        let real = Instant::now();
        if let Some(zero) = real.checked_sub(Duration::from_millis(now.as_millis())) {
            let earliest = self.zero.map_or(zero, |before| before.min(zero));
            self.zero = Some(earliest);
            self.lateness.tick(zero.duration_since(earliest));
        }
        self.inner.exchange(now, line, line_talks)
    }

    fn key(&mut self) -> Option<Dtmf> {
        self.inner.key()
    }

    fn cause(&self) -> HangupCause {
        self.inner.cause()
    }

    fn transfer(&mut self, id: RequestId, handoff: &Handoff) -> bool {
        self.inner.transfer(id, handoff)
    }

    fn transferred(&mut self) -> Option<Event> {
        self.inner.transferred()
    }

    fn flush(&mut self) {
        self.inner.flush();
    }
}

struct Unwatched;

impl Observer for Unwatched {}

/// Engines whose one prompt never ends, a second at a time.
struct Toning {
    sound: Arc<Vec<i16>>,
    prompt: Option<RequestId>,
    due: CallTime,
    replies: VecDeque<Reply>,
}

impl Engines for Toning {
    fn start(&mut self, now: CallTime, action: &Action) {
        match action {
            Action::Say { id, .. } => (self.prompt, self.due) = (Some(*id), now),
            Action::StopPrompt { .. } => self.prompt = None,
            Action::LookUp { id, .. } => {
                self.replies.push_back(Reply::Event(Event::LookedUp { id: *id, rows: Vec::new() }));
            }
            Action::Answer
            | Action::Recognize { .. }
            | Action::CancelRecognition { .. }
            | Action::Interpret { .. }
            | Action::Transfer { .. }
            | Action::WriteRecord { .. }
            | Action::Leave { .. }
            | Action::Play { .. }
            | Action::KeepMessage { .. }
            | Action::HangUp { .. }
            | Action::Note(_) => {}
        }
    }

    fn poll(&mut self, now: CallTime, _until: CallTime) -> Option<(CallTime, Reply)> {
        if let Some(reply) = self.replies.pop_front() {
            return Some((now, reply));
        }
        let id = self.prompt.filter(|_| self.due <= now)?;
        self.due = now + Duration::from_secs(1);
        Some((now, Reply::Sound(id, Sound::Pcm(self.sound.to_vec()))))
    }
}

/// Answers with a tone, listens for keys and voice, and recognises nothing.
struct Tones {
    flow: Arc<Flow>,
    sound: Arc<Vec<i16>>,
    lateness: Arc<Lateness>,
}

impl Answerer for Tones {
    fn answer(&self, arrival: Arrival, channel: &mut dyn Channel) -> Option<CallRecord> {
        let mut timed = Timed { inner: channel, lateness: &self.lateness, zero: None };
        let mut engines = Toning {
            sound: Arc::clone(&self.sound),
            prompt: None,
            due: CallTime::ZERO,
            replies: VecDeque::new(),
        };
        let conversation = Conversation::new(Arc::clone(&self.flow)).keypad_only(true);
        Session::new(conversation, &mut engines, &mut Unwatched).run(arrival, &mut timed, true)
    }

    fn speak(&self, _sentence: &str) -> Vec<i16> {
        Vec::new()
    }
}

fn tones(lateness: &Arc<Lateness>) -> Tones {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/intents");
    let files = std::fs::read_dir(folder).expect("the checkout is there").flatten().map(|e| e.path());
    let sources: Vec<Source> = files
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .map(|path| Source {
            path: path.display().to_string(),
            text: std::fs::read_to_string(&path).expect("UTF-8"),
        })
        .collect();
    Tones {
        flow: Arc::new(Flow::parse(&sources).unwrap_or_else(|e| panic!("{e}"))),
        sound: Arc::new(tone(Dtmf::ZERO, Duration::from_secs(1), -20.0)),
        lateness: Arc::clone(lateness),
    }
}

/// What a run came to.
struct Figures {
    calls: usize,
    lateness: Arc<Lateness>,
    /// Of one core, while the window lasted: the line's and the callers' processes.
    cores: f64,
    callers_cores: f64,
    /// Resident memory of this process with the calls in it, less that without, in KiB a call.
    kib_a_call: f64,
    /// Packets that callers got, of those that were due to them.
    got: f64,
    /// What the gate would do with new callers, each second of the window.
    room: String,
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    #[expect(clippy::cast_precision_loss, reason = "seconds and nanoseconds")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}

/// Resident memory, in KiB.
fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}

fn wait(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|t| !t.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// The callers' process, and what it says.
struct Callers {
    process: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Callers {
    fn ring(address: std::net::SocketAddr, calls: usize, heard: bool) -> Callers {
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .env(callers::RING, format!("{address} {calls} {heard}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let said = BufReader::new(process.stdout.take().expect("piped"));
        Callers { process, said }
    }

    fn says(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("the callers are there");
        line.trim().to_owned()
    }

    /// Asks for a report; an empty line ends them.
    fn tell(&mut self, word: &str) {
        let stdin = self.process.stdin.as_mut().expect("piped");
        writeln!(stdin, "{word}").expect("the callers are there");
    }
}

/// One run of so many calls.
fn run(
    calls: usize,
    heard: bool,
    answerer: impl FnOnce(&Arc<Gate>) -> Arc<dyn Answerer>,
    lateness: Arc<Lateness>,
) -> Figures {
    let flags: Vec<(String, String)> = [
        ("sip_listen", "127.0.0.1:0"),
        ("calls_at_once", "10000"),
        ("calls_at_once_of_source", "10000"),
        ("calls_heard_at_once", "10000"),
        ("calls_per_second", "10000"),
        ("calls_per_second_of_source", "10000"),
    ]
    .iter()
    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
    .collect();
    let config = Config::load(None, std::iter::empty(), &flags).expect("settings");
    let sip = phone::sip_settings(&config).expect("sound").expect("on");
    let gate = Gate::new(phone::limits(&config).expect("limits"));
    let serving = Serving::new(answerer(&gate), Arc::clone(&gate));
    let agents = phone::Agents::from_settings(&config).expect("none");
    let taker = phone::taker(&serving, agents);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let server = runtime.block_on(SipServer::bind(sip, Arc::clone(&gate), taker)).expect("bound");
    let address = server.address();
    runtime.spawn(server.run());

    let before = resident_kib();
    let mut callers = Callers::ring(address, calls, heard);
    assert_eq!(callers.says(), "up", "all calls are answered");
    wait(SETTLING);
    callers.tell("begin");
    lateness.counts.store(true, Ordering::Relaxed);
    let (began, spent) = (Instant::now(), seconds(ClockId::ProcessCPUTime));
    let mut room = String::new();
    while began.elapsed() < WINDOW {
        wait(Duration::from_secs(1));
        room.push(match gate.load().room(Instant::now()) {
            attendant::channel::load::Room::Whole => 'h',
            attendant::channel::load::Room::KeypadOnly => 'k',
            attendant::channel::load::Room::None => 'b',
        });
    }
    let cores = (seconds(ClockId::ProcessCPUTime) - spent) / began.elapsed().as_secs_f64();
    lateness.counts.store(false, Ordering::Relaxed);
    #[expect(clippy::cast_precision_loss, reason = "some hundred")]
    let kib_a_call = (resident_kib() - before) / calls as f64;
    callers.tell("end");
    let report = callers.says();
    let mut report = report.split(' ').map(|n| n.parse::<f64>().expect("a number"));
    let (callers_cores, got) = (report.next().expect("two"), report.next().expect("two"));
    callers.tell("");
    callers.process.wait().expect("ended");
    serving.drain(Duration::from_secs(5));
    runtime.shutdown_timeout(Duration::from_millis(200));
    Figures { calls, lateness, cores, callers_cores, kib_a_call, got, room }
}

fn print(figures: &Figures, json: bool) {
    let Figures { calls, lateness, cores, callers_cores, kib_a_call, got, room } = figures;
    let ticks = lateness.ticks.load(Ordering::Relaxed).max(1);
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let late = lateness.late.each_ref().map(|n| n.load(Ordering::Relaxed) as f64 / ticks as f64 * 100.0);
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let (worst, a_call) =
        (lateness.worst_us.load(Ordering::Relaxed) as f64 / 1e3, cores * 100.0 / (*calls as f64));
    let (core, got, callers) = (cores * 100.0, got * 100.0, callers_cores * 100.0);
    let [late_5, late_10, late_20] = late;
    if json {
        println!(
            "{{\"calls\":{calls},\"core_percent\":{core:.1},\"core_percent_a_call\":{a_call:.3},\
             \"late_percent_5_10_20_ms\":[{late_5:.4},{late_10:.4},{late_20:.4}],\"worst_ms\":{worst:.1},\"kib_a_call\":{kib_a_call:.0},\
             \"packets_got_percent\":{got:.2},\"callers_core_percent\":{callers:.1},\"room\":\"{room}\"}}"
        );
    } else {
        println!(
            "{calls:>5}  {core:>6.1} %  {a_call:>6.3} %  {late_5:>8.3} {late_10:>8.3} {late_20:>8.3} %  {worst:>7.1} ms  {kib_a_call:>5.0} KiB  \
             {got:>6.2} %  {callers:>6.1} %  {room}"
        );
    }
}

fn main() {
    if let Ok(order) = std::env::var(callers::RING) {
        return callers::ring(&order);
    }
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let (json, heard) = (args.iter().any(|a| a == "--json"), args.iter().any(|a| a == "--heard"));
    let asked: Vec<usize> = args.iter().filter_map(|a| a.parse().ok()).collect();
    if !json {
        println!(
            "calls  of a core  a call   later than 5, 10, 20 ms         worst     memory  packets  callers  room a second"
        );
    }
    let (tell, told) = mpsc::channel();
    // A run's threads are its own: what one leaves behind is not the next one's.
    for calls in if asked.is_empty() { STEPS.to_vec() } else { asked } {
        let lateness = Arc::new(Lateness::default());
        let tell = tell.clone();
        let figures = std::thread::spawn(move || {
            let tones = Arc::clone(&lateness);
            let figures = if heard {
                measure_heard(calls, lateness)
            } else {
                Some(run(calls, false, |_| Arc::new(self::tones(&tones)), lateness))
            };
            tell.send(figures).expect("awaited");
        });
        figures.join().expect("the run came to its end");
        match told.recv().expect("told") {
            Some(figures) => print(&figures, json),
            None => return,
        }
    }
}

#[cfg(feature = "host")]
fn measure_heard(calls: usize, lateness: Arc<Lateness>) -> Option<Figures> {
    let line = heard::line()?;
    let times = Arc::clone(&lateness);
    Some(run(calls, true, |gate| heard::answerer(line, gate, times), lateness))
}

#[cfg(not(feature = "host"))]
#[expect(clippy::print_stderr, reason = "a bench says what it leaves out")]
fn measure_heard(_calls: usize, _lateness: Arc<Lateness>) -> Option<Figures> {
    eprintln!("--heard needs the feature host");
    None
}
