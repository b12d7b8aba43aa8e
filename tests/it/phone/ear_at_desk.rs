//! What callers say to the desk, heard by the real ear: G.711, 2 % of the packets lost, 30 ms of jitter. They speak in
//! the line's own voice.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attendant::conversation::script::Script;
use attendant::desk::Callback;
use attendant::host::caller::cues;
use attendant::host::desk::DeskHost;
use attendant::host::desk::book::Book as DeskBook;
use attendant::host::line::Line;
use attendant::host::transcribe::Transcriber;
use attendant::store::KeptVoicemail;
use jiff::civil::time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::TestLine;
use super::caller::Caller;
use super::whole_call::{line_of, play, served};

/// Nobody is ever signed in.
const DESK: &str = "zone = \"UTC\"
[[queue]]
name = \"everyone\"
[[agent]]
name = \"ana\"
rings = \"sip:ana@127.0.0.1:9\"
[voicemail]
silence_seconds = 2
";

/// What is heard may still be on its way to the store.
const PATIENCE: Duration = Duration::from_secs(60);

/// Rings as somebody who asks for a person, and then does what the script says.
fn rings(phone: &TestLine, number: &str, script: &str, seed: u64) {
    let text = format!("call ani={number} dnis=800\nbarge 700ms keys 0\n{script}");
    let script = Script::parse("test", &text).expect("a script");
    let answerer = phone.serving.answerer();
    let says = |_, text: Option<&str>| Ok::<_, Infallible>(answerer.speak(text.unwrap_or_default()));
    let Ok(cues) = cues(&script, says);
    let mut caller = Caller::new(phone.address);
    caller.calls_from(number);
    let offer = caller.usual();
    assert_eq!(caller.invite("", &offer).status(), 200);
    play(caller, cues, seed);
}

fn until<T>(mut comes: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let came = comes();
        if came.is_some() || Instant::now() > deadline {
            return came;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Leaves a message; gives it once its words are there.
fn leaves_a_message(line: &Line, phone: &TestLine) -> Option<KeptVoicemail> {
    rings(phone, "5550188", "barge 7s keys 2\nsay \"where is my order\"\nkeys 1\nsay \"no thank you\"", 1);
    until(|| {
        let kept = line.runtime.block_on(line.store.voicemails()).expect("it answers");
        kept.into_iter().find(|message| message.transcript.is_some())
    })
}

/// Takes a callback for tomorrow at three.
fn is_called_tomorrow(line: &Line, phone: &TestLine) -> Option<Callback> {
    let script = "barge 7s keys 1\nsay \"yes\"\nsay \"tomorrow at three\"\nsay \"yes\"\nsay \"no thank you\"";
    rings(phone, "5550177", script, 2);
    let promised = line.runtime.block_on(line.store.callbacks()).expect("it answers");
    promised.into_iter().find(|promise| promise.number.expose() == "5550177")
}

#[test]
fn a_message_and_the_time_of_a_callback_are_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let declare =
        |intents: &std::path::Path| std::fs::write(intents.join("desk.toml"), DESK).expect("written");
    let Some(line) = line_of(folder.path(), declare, |_| {}) else { return };
    let (desk, notes) = DeskHost::open(Arc::clone(&line.desk));
    let book = DeskBook {
        store: Arc::clone(&line.store),
        runtime: line.runtime.handle().clone(),
        node: "here".to_owned(),
        plan: Arc::clone(&line.desk),
        messages: folder.path().join("voicemail"),
        ear: Some(Box::new(Transcriber::open(Arc::clone(&line)).expect("a thread"))),
    };
    let keeper = book.open(notes, desk.door()).expect("it is written");
    let phone = served(&line, &[], Some(Arc::clone(&desk)));
    let began: Zoned = Timestamp::now().to_zoned(TimeZone::UTC);
    let (promise, message) = std::thread::scope(|scope| {
        let message = scope.spawn(|| leaves_a_message(&line, &phone));
        (is_called_tomorrow(&line, &phone), message.join().expect("no panic"))
    });
    let message = message.expect("a message with its words");
    assert_eq!(message.transcript.expect("words").expose(), "where is my order");
    let promise = promise.expect("a promise");
    let from = promise.window.from.to_zoned(TimeZone::UTC);
    let days = (from.date() - began.date()).get_days();
    // Who rings just before midnight may be answered just after.
    assert!((1..=2).contains(&days) && from.time() == time(15, 0, 0, 0), "{promise:?}");
    phone.empty();
    desk.close();
    keeper.join().expect("it wrote all");
}
