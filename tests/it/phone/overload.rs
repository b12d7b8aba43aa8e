//! A machine that cannot keep up: new callers get the keypad menu, then a busy answer.

use std::time::{Duration, Instant};

use attendant::call::{Disposition, HangupCause};

use super::TestLine;
use super::caller::Caller;

/// Ticks of a hundred calls' second, so many of them late, as those calls would report.
fn falls_behind(line: &TestLine, late: u64) {
    line.serving.gate().load().ticked(Instant::now(), 5_000, late);
}

#[test]
fn past_what_the_machine_holds_callers_get_keys_then_a_busy_answer() {
    let line = TestLine::open(&[("keypad_past_late_permille", "5"), ("busy_past_late_permille", "20")]);
    falls_behind(&line, 50);
    let mut caller = Caller::call(line.address);
    caller.silence(20);
    // At the open question a key would only ask for the menu: here the menu is what is open.
    caller.press('1', |_| true);
    caller.silence(10);
    caller.hang_up();
    let held = line.held(1);
    let decisions: Vec<&str> = held[0].record.turns.iter().map(|t| t.decision.as_str()).collect();
    assert_eq!(decisions, ["keypad_only", "menu"]);
    assert_eq!(held[0].record.intent.as_ref().map(|i| i.as_str()), Some("order_status"));

    falls_behind(&line, 300);
    let mut refused = Caller::new(line.address);
    let offer = refused.usual();
    let answer = refused.invite("", &offer);
    assert_eq!((answer.status(), answer.header("Retry-After")), (503, Some("5")), "{answer:?}");
    line.empty();
}

#[test]
fn sentences_that_wait_too_long_leave_keys() {
    let line = TestLine::open(&[("keypad_past_wait_ms", "500")]);
    line.serving.gate().load().waited(Instant::now(), Duration::from_millis(501));
    Caller::call(line.address).hang_up();
    assert_eq!(line.held(1)[0].record.turns[0].decision, "keypad_only");
}

/// An ear that takes its time.
#[cfg(feature = "host")]
struct Slow;

/// Longer than `keypad_past_wait_ms` lets the next one wait.
#[cfg(feature = "host")]
const COMPUTES: Duration = Duration::from_millis(1_500);

#[cfg(feature = "host")]
impl attendant::speech::asr::Recognizer for Slow {
    fn recognize(
        &self,
        _: &attendant::call::Utterance,
        _: &attendant::call::Expect,
    ) -> Result<attendant::call::Recognition, attendant::speech::asr::AsrError> {
        let until = Instant::now() + COMPUTES;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            std::thread::park_timeout(left);
        }
        Ok(attendant::call::Recognition { hypotheses: Vec::new(), no_speech: 0.0, compute: COMPUTES })
    }
}

/// The line's own pool of recognisers is behind: three callers speak at once, and one ear hears them one after another.
#[cfg(feature = "host")]
#[test]
fn callers_who_come_while_sentences_wait_for_an_ear_get_keys() {
    use attendant::audio::Law;
    use attendant::speech::asr::{PoolOptions, RecognizerPool};

    let folder = tempfile::tempdir().expect("a folder");
    let options = PoolOptions { states: 1, queue_bound: 8, stopwatch: attendant::host::stopwatch };
    let slow = |pool: &mut RecognizerPool| {
        *pool = RecognizerPool::new(|| Ok(Box::new(Slow)), options).expect("threads");
    };
    let Some((_line, phone)) = super::whole_call::open_with_ear(folder.path(), &[], slow) else { return };
    let voice = Law::Mu.decode_all(&super::recorded_voice());
    let speaking: Vec<_> = (0..3)
        .map(|_| {
            let (mut caller, voice) = (Caller::call(phone.address), voice.clone());
            std::thread::spawn(move || {
                caller.speak(&voice, |_| false);
                // Until the last one has been heard: three times as long as one takes, and a little.
                caller.silence(250);
                caller.hang_up();
            })
        })
        .collect();
    for caller in speaking {
        caller.join().expect("it called");
    }
    let mut late = Caller::call(phone.address);
    late.silence(5);
    late.hang_up();
    let held = phone.held(4);
    let is_heard = |n: usize| held[n].record.turns.iter().all(|turn| turn.decision != "keypad_only");
    assert!((0..3).all(is_heard), "those who were there stay heard: {held:?}");
    assert_eq!(held[3].record.turns.first().map(|turn| turn.decision.as_str()), Some("keypad_only"));
}

#[test]
fn callers_past_the_number_that_is_heard_get_keys() {
    let line = TestLine::open(&[("calls_heard_at_once", "1")]);
    let mut heard = Caller::call(line.address);
    let mut unheard = Caller::call(line.address);
    unheard.hang_up();
    let first = line.held(1)[0].record.clone();
    assert_eq!(first.turns.first().map(|t| t.decision.as_str()), Some("keypad_only"));
    assert_eq!((first.cause, first.disposition), (HangupCause::Caller, Disposition::Abandoned));
    heard.hang_up();
    let second = &line.held(2)[1].record;
    assert!(second.turns.iter().all(|t| t.decision != "keypad_only"), "{:?}", second.turns);
}
