//! Calls over providers' streams, on loopback: whole dialogues with recorded speech and keys, early ends, and strangers.
//!
//! The line's ear and voice are stand-ins, so that these tests need no models; the sound, the voice activity, the keys
//! and the dialogue are real.

mod asterisk;

mod door;

mod emulator;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use attendant::audio::{FRAME_SAMPLES, rms_dbfs, tone};
use attendant::call::{
    Action, CallRecord, CallTime, Disposition, Dtmf, Event, HangupCause, Hypothesis, IntentScore,
    Interpretation, Pii, Recognition, Row,
};
use attendant::channel::gate::Gate;
use attendant::channel::streams::StreamServer;
use attendant::config::Config;
use attendant::conversation::Conversation;
use attendant::dialogue::Flow;
use attendant::host::serve::{Answerer, Serving};
use attendant::host::session::{Arrival, Channel, Engines, Observer, Reply, Session, Sound};
use attendant::host::{phone, streams};

use super::calls::flow_of;
use emulator::{Emulator, Heard, Provider};

/// Engines that hum where a voice would speak, hear sentences from a list, and know one order.
struct Scripted {
    sentences: VecDeque<&'static str>,
    replies: VecDeque<Reply>,
}

impl Engines for Scripted {
    fn start(&mut self, _now: CallTime, action: &Action) {
        let event = match action {
            Action::Say { id, .. } => {
                let hum = tone(Dtmf::ZERO, Duration::from_millis(700), -20.0);
                // One of its two tones alone would be no key either; half a semitone down, it is none.
                let hum = attendant::audio::resample(&hum, 16_000, 16_800);
                self.replies.push_back(Reply::Sound(*id, Sound::Pcm(hum)));
                self.replies.push_back(Reply::Sound(*id, Sound::End));
                return;
            }
            Action::Recognize { id, .. } => {
                let hypotheses = self
                    .sentences
                    .pop_front()
                    .map(|text| Hypothesis { text: Pii::new(text.to_owned()), confidence: 0.9 });
                let recognition =
                    Recognition { hypotheses: hypotheses.into_iter().collect(), ..Recognition::default() };
                Event::Recognized { id: *id, recognition }
            }
            Action::Interpret { id, hypotheses } => {
                let order = hypotheses.iter().any(|h| h.text.expose().contains("order"));
                let probability = if order { 0.95 } else { 0.01 };
                let intent = "order_status".to_owned().try_into().expect("a name");
                let interpretation = Interpretation {
                    ranked: vec![IntentScore { intent, probability }],
                    ..Interpretation::default()
                };
                Event::Interpreted { id: *id, interpretation }
            }
            Action::LookUp { id, query } => {
                let fields = [("number", "451288"), ("item", "headphones"), ("status", "cancelled")];
                let row = fields.map(|(k, v)| (k.to_owned(), Pii::new(v.to_owned())));
                let found = query.name == "order_by_number";
                Event::LookedUp { id: *id, rows: if found { vec![Row::from(row)] } else { Vec::new() } }
            }
            Action::Transfer { id, .. } => Event::Transferred { id: *id },
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

struct Silent;

impl Observer for Silent {}

#[derive(Default)]
struct Book {
    records: Mutex<Vec<(Option<String>, CallRecord)>>,
    more: Condvar,
}

struct Scripts {
    flow: Arc<Flow>,
    book: Arc<Book>,
}

impl Answerer for Scripts {
    fn answer(&self, arrival: Arrival, channel: &mut dyn Channel) -> Option<CallRecord> {
        let ani = arrival.ani.as_ref().map(|ani| ani.expose().to_owned());
        let mut engines =
            Scripted { sentences: ["where is my order", "no"].into(), replies: VecDeque::new() };
        let conversation = Conversation::new(Arc::clone(&self.flow));
        let record = Session::new(conversation, &mut engines, &mut Silent).run(arrival, channel, true)?;
        self.book.records.lock().expect("no test panicked").push((ani, record.clone()));
        self.book.more.notify_all();
        Some(record)
    }

    fn speak(&self, _sentence: &str) -> Vec<i16> {
        Vec::new()
    }
}

/// A line that listens for streams on ports of its own.
struct TestLine {
    http: SocketAddr,
    audiosocket: SocketAddr,
    serving: Arc<Serving>,
    book: Arc<Book>,
    _runtime: tokio::runtime::Runtime,
}

impl TestLine {
    fn open(changes: &[(&str, &str)]) -> TestLine {
        let own = [
            ("streams_listen", "127.0.0.1:0"),
            ("streams_public_url", "https://line.example"),
            ("audiosocket_listen", "127.0.0.1:0"),
            // A machine that builds beside the tests is late; overload has tests of its own.
            ("keypad_past_late_permille", "1000"),
            ("busy_past_late_permille", "1000"),
        ];
        let flags: Vec<_> =
            own.iter().chain(changes).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let config = Config::load(None, std::iter::empty(), &flags).expect("settings");
        let book = Arc::new(Book::default());
        let scripts = Scripts { flow: flow_of("intents"), book: Arc::clone(&book) };
        let serving = Serving::new(Arc::new(scripts), Gate::new(phone::limits(&config).expect("limits")));
        let agents = phone::Agents::from_settings(&config).expect("agents");
        let settings = streams::stream_settings(&config).expect("sound").expect("on");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let server = runtime
            .block_on(StreamServer::bind(
                settings,
                Arc::clone(serving.gate()),
                streams::taker(&serving, agents),
            ))
            .expect("bound");
        let (http, audiosocket) = (server.http_address(), server.audiosocket_address());
        runtime.spawn(server.run());
        TestLine {
            http: http.expect("on"),
            audiosocket: audiosocket.expect("on"),
            serving,
            book,
            _runtime: runtime,
        }
    }

    fn ring(&self, provider: Provider) -> Emulator {
        Emulator::open(provider, self.address(provider), &[], "").expect("let in")
    }

    fn address(&self, provider: Provider) -> SocketAddr {
        if provider == Provider::AudioSocket { self.audiosocket } else { self.http }
    }

    /// The only call's caller and record, once it has ended.
    fn record(&self) -> (Option<String>, CallRecord) {
        let records = self.book.records.lock().expect("no test panicked");
        let waited = self.book.more.wait_timeout_while(records, Duration::from_secs(20), |r| r.is_empty());
        waited.expect("no test panicked").0.first().cloned().expect("the call ends")
    }
}

/// What the caller does next, once the line has said something.
enum Act {
    /// Speaks, once the line is quiet.
    Speak(Vec<i16>),
    /// Presses keys while the line speaks: as tones and as messages.
    Press(&'static str),
}

fn recorded(name: &str) -> Vec<i16> {
    let path = format!("{}/audio/callers/order_status/{name}.wav", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).expect("a recording");
    // Sixteen bits at 16 kHz behind the plain header's 44 bytes.
    bytes[44..].chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
}

/// Frames that the line must be quiet for before it is spoken to, and that it must have spoken before it is cut short.
const QUIET: u32 = 30;
const LOUD: u32 = 8;

/// Rings the line, asks for an order by voice, keys its number in over the question, declines more by voice; until the
/// line hangs up. Gives the record's caller and record, and how often sound was cleared.
fn order_status_by(provider: Provider) -> (Option<String>, CallRecord, u32) {
    let line = TestLine::open(&[]);
    let mut phone = line.ring(provider);
    let mut acts: VecDeque<Act> =
        [Act::Speak(recorded("01")), Act::Press("451288"), Act::Speak(recorded("03"))].into();
    let (mut quiet, mut loud, mut cleared) = (0, 0, 0);
    let mut saying: VecDeque<i16> = VecDeque::new();
    let mut keys: VecDeque<(usize, char)> = VecDeque::new();
    for tick in 0..3_000 {
        let mut frame: Vec<i16> = saying.drain(..FRAME_SAMPLES.min(saying.len())).collect();
        frame.resize(FRAME_SAMPLES, 0);
        if let Some((_, key)) = keys.pop_front_if(|(due, _)| *due <= tick) {
            phone.press(key);
        }
        let heard = phone.tick(&frame);
        cleared += heard.iter().filter(|h| **h == Heard::Cleared).count() as u32;
        if heard.contains(&Heard::HungUp) {
            // A WebSocket's last words may still be behind a close that is only half-way.
            let (caller, record) = line.record();
            assert!(acts.is_empty(), "{provider:?}: the line hung up early: {record:?}");
            assert!(phone.was_hung_up_in_words(), "{provider:?}");
            return (caller, record, cleared);
        }
        let talks = heard.iter().any(|h| matches!(h, Heard::Sound(pcm) if rms_dbfs(pcm) > -35.0));
        (quiet, loud) = if talks { (0, loud + 1) } else { (quiet + 1, if quiet > 5 { 0 } else { loud }) };
        let spoken = tick > 60 && saying.is_empty() && keys.is_empty();
        match acts.front() {
            Some(Act::Speak(pcm)) if spoken && quiet == QUIET => {
                saying.extend(pcm);
                acts.pop_front();
                loud = 0;
            }
            Some(Act::Press(pressed)) if spoken && talks && loud >= LOUD => {
                // Each key for 100 ms, with 100 ms between; the message comes with the end, as providers do it.
                for (n, key) in pressed.chars().enumerate() {
                    saying.extend(tone(
                        Dtmf::try_from(key).expect("a key"),
                        Duration::from_millis(100),
                        -10.0,
                    ));
                    saying.extend([0; 1_600]);
                    keys.push_back((tick + 6 + 10 * n, key));
                }
                acts.pop_front();
            }
            Some(_) | None => {}
        }
    }
    panic!("{provider:?}: the line never hung up; {} acts were left", acts.len());
}

fn check_order_status(provider: Provider) {
    let (caller, record, cleared) = order_status_by(provider);
    assert_eq!(caller.as_deref(), provider.tells_numbers().then_some("5550199"), "{provider:?}");
    assert_eq!((record.disposition, record.cause), (Disposition::Resolved, HangupCause::Line), "{record:?}");
    let keys: Vec<&str> =
        record.turns.iter().filter_map(|t| Some(t.keys.as_ref()?.expose().as_str())).collect();
    // Each press came by tone and by message, and counts once.
    assert_eq!(keys, ["451288"], "{provider:?}");
    assert_eq!(cleared > 0, provider != Provider::AudioSocket, "{provider:?}: cleared {cleared} times");
}

#[test]
fn a_whole_dialogue_over_each_providers_stream() {
    // Side by side: each takes as long as a call does.
    std::thread::scope(|scope| {
        for provider in Provider::ALL {
            scope.spawn(move || check_order_status(provider));
        }
    });
}

#[test]
fn a_person_who_cannot_be_reached_leaves_the_caller_with_the_line() {
    let line = TestLine::open(&[]);
    let mut phone = line.ring(Provider::Twilio);
    let mut talked_after = 0;
    for tick in 0..400 {
        if tick == 40 {
            phone.press('0');
        }
        let heard = phone.tick(&[0; FRAME_SAMPLES]);
        assert!(!heard.contains(&Heard::HungUp), "the line hung up on a caller who wanted a person");
        let talks = heard.iter().any(|h| matches!(h, Heard::Sound(pcm) if rms_dbfs(pcm) > -35.0));
        talked_after += u32::from(tick > 40 && talks);
    }
    // A prompt is 35 frames long: the caller is told of the attempt, and then of its end.
    assert!(talked_after > 50, "silence after a failed transfer: {talked_after} frames");
    drop(phone);
    let (_, record) = line.record();
    assert_ne!(record.disposition, Disposition::Transferred);
}

#[test]
fn a_bare_close_is_a_hang_up_at_any_point() {
    std::thread::scope(|scope| {
        for provider in Provider::ALL {
            scope.spawn(move || {
                for ticks in [0, 30] {
                    let line = TestLine::open(&[]);
                    let mut phone = line.ring(provider);
                    for _ in 0..ticks {
                        phone.tick(&[0; FRAME_SAMPLES]);
                    }
                    drop(phone);
                    let (_, record) = line.record();
                    assert_eq!(record.cause, HangupCause::Caller, "{provider:?} after {ticks} frames");
                    assert_eq!(
                        record.disposition,
                        Disposition::Abandoned,
                        "{provider:?} after {ticks} frames"
                    );
                }
            });
        }
    });
}
