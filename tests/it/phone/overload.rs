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
