//! What callers say to the desk, heard by the real ear: G.711, 2 % of the packets lost, 30 ms of jitter. They speak in
//! the line's own voice.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attendant::conversation::script::Script;
use attendant::host::caller::cues;
use attendant::host::desk::DeskHost;
use attendant::host::desk::book::Book as DeskBook;
use attendant::host::line::Line;
use attendant::host::transcribe::Transcriber;
use attendant::store::KeptVoicemail;
use jiff::Timestamp;
use jiff::civil::time;
use jiff::tz::TimeZone;

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

/// Leaves a message; gives whether its words came to be known: what it is about, at least.
fn leaves_a_message(line: &Line, phone: &TestLine, seed: u64) -> bool {
    let script = "barge 9s keys 2\nsay \"where is my order\"\nkeys 1\nsay \"no thank you\"";
    rings(phone, "5550188", script, seed);
    let is_it = |message: &KeptVoicemail| {
        message.transcript.as_ref().is_some_and(|words| words.expose().contains("order"))
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let kept = line.runtime.block_on(line.store.voicemails()).expect("it answers");
        if kept.iter().any(is_it) || Instant::now() > deadline {
            return kept.iter().any(is_it);
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Takes a callback for tomorrow at three; gives whether that is promised.
fn is_called_tomorrow(line: &Line, phone: &TestLine, seed: u64) -> bool {
    let script = "barge 9s keys 1\nsay \"yes\"\nsay \"tomorrow at three\"\nsay \"yes\"\nsay \"no thank you\"";
    // The call may be the day's last.
    let began = Timestamp::now().to_zoned(TimeZone::UTC).date();
    // A second wish of a number joins the first.
    let number = format!("555017{seed}");
    rings(phone, &number, script, seed);
    let promised = line.runtime.block_on(line.store.callbacks()).expect("it answers");
    promised.iter().any(|promise| {
        let from = promise.window.from.to_zoned(TimeZone::UTC);
        let days = (from.date() - began).get_days();
        *promise.number.expose() == number && (1..=2).contains(&days) && from.time() == time(15, 0, 0, 0)
    })
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
    // As in the audio suite one call of many may fail, and a machine that stands still takes words from the middle of a
    // sentence; of three, one has to come to its end.
    std::thread::scope(|scope| {
        let message = scope.spawn(|| (1..=3).any(|seed| leaves_a_message(&line, &phone, seed)));
        assert!((4..=6).any(|seed| is_called_tomorrow(&line, &phone, seed)), "none of three was promised it");
        assert!(message.join().expect("no panic"), "none of three messages was understood");
    });
    phone.empty();
    desk.close();
    keeper.join().expect("it wrote all");
}
