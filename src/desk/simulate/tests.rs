//! The day beside Erlang's figures, and what they leave out.

use super::*;
use crate::desk::DeskPlan;
use crate::desk::erlang::{ErlangC, Load};

fn plan(rest: &str) -> DeskPlan {
    DeskPlan::parse("desk.toml", &format!("[[queue]]\nname = \"all\"\nmax_wait_seconds = 14400\n{rest}"))
        .expect("a desk")
}

fn day(text: &str) -> DaySpec {
    DaySpec::parse("day.toml", text).expect("a day")
}

/// Ten thousand calls a day, and none that breaks an assumption of Erlang's: one queue, equal agents, handle
/// times like an exponential distribution's, nobody who gives up.
const ERLANGS: &str = "interval_minutes = 1440\n[[arrivals]]\ncalls_per_hour = 416.7\ntalk_seconds = 60\n\
                       [[staff]]\ncount = 9\n";

#[track_caller]
fn within(percent: f64, found: f64, expected: f64, what: &str) {
    let off = (found / expected - 1.0) * 100.0;
    assert!(off.abs() <= percent, "{what}: {found:.3} is {off:+.2} % off Erlang's {expected:.3}");
}

/// One day's mean wait may stray by more, since waits come in clusters.
#[test]
fn days_are_what_erlang_says_of_their_load() {
    const DAYS: u64 = 20;
    let (plan, mut day) = (plan(""), day(ERLANGS));
    let (mut offered, mut handle, mut wait, mut level, mut occupancy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for seed in 1..=DAYS {
        day.seed = seed;
        let total = simulate(&plan, &day).expect("it plays").total;
        // Who still waits at midnight, when the staff goes, is sent home.
        assert_eq!(total.answered + total.turned_away, total.offered, "nobody gives up");
        assert!(total.turned_away < 30, "{}", total.turned_away);
        assert!((9_500..10_500).contains(&total.offered), "{}", total.offered);
        let of_day = report::as_f64(total.offered);
        offered += of_day;
        handle += of_day * total.handle_seconds;
        wait += of_day * total.mean_wait_seconds;
        level += of_day * total.service_level;
        occupancy += total.occupancy.expect("of all queues") / report::as_f64(DAYS);
    }
    let load = Load {
        calls_per_hour: offered / report::as_f64(DAYS * 24),
        handle_seconds: handle / offered,
        agents: 9,
    };
    let erlang = ErlangC::of(load).expect("they bear it");
    within(5.0, wait / offered, erlang.mean_wait_seconds, "mean wait");
    within(5.0, level / offered, erlang.service_level(20.0), "service level");
    within(5.0, occupancy, erlang.occupancy, "occupancy");
}

#[test]
fn the_same_seed_is_the_same_day() {
    let (plan, day) = (plan(""), day(ERLANGS));
    assert_eq!(simulate(&plan, &day), simulate(&plan, &day));
}

/// With fewer agents than the load needs, Erlang's queue has no end; with callers who give up it has.
#[test]
fn who_gives_up_is_counted_and_relieves_the_others() {
    let busy = ERLANGS
        .replace("count = 9", "count = 6")
        .replace("talk_seconds", "patience_seconds = 45\ntalk_seconds");
    let report = simulate(&plan(""), &day(&busy)).expect("it plays");
    let total = &report.total;
    assert_eq!(total.answered + total.abandoned, total.offered);
    // At 6.9 erlangs on 6 agents at least a share of 1 - 6 / 6.9 cannot be served.
    let lost = report::share(total.abandoned, total.offered);
    assert!((0.13..0.30).contains(&lost), "{lost}");
    assert!(total.occupancy.is_some_and(|o| o > 0.85), "{total:?}");
    assert_eq!(report.intervals[0].erlang, None);
}

/// What callers are told about the wait is kept for nine in ten.
#[test]
fn the_announced_wait_is_kept() {
    let tight = ERLANGS.replace("count = 9", "count = 8");
    let report = simulate(&plan("[announce]\nfirst_seconds = 5"), &day(&tight)).expect("it plays");
    assert!(report.told > 1_000, "{}", report.told);
    let kept = report.told_true.expect("some were told");
    assert!(kept >= 0.87, "{kept}");
}

#[test]
fn callbacks_and_agents_who_do_not_answer_lose_nobody() {
    let mut text = ERLANGS.replace("count = 9", "count = 8\nanswer_seconds = 4\nunanswered_share = 0.05");
    text = text.replace("talk_seconds", "callback_share = 0.3\npatience_seconds = 300\ntalk_seconds");
    let total = simulate(&plan(""), &day(&text)).expect("it plays").total;
    assert!(total.callbacks > 100, "{total:?}");
    assert_eq!(total.answered + total.abandoned + total.callbacks + total.turned_away, total.offered);
}

/// The files that the documentation names, as they are shipped.
#[test]
fn the_shipped_day_and_desk_play() {
    let desk = include_str!("../../../intents/desk.toml");
    let plan = DeskPlan::parse("intents/desk.toml", desk).expect("the shipped desk");
    let day = day(include_str!("../../../examples/day.toml"));
    let report = simulate(&plan, &day).expect("it plays");
    let total = &report.total;
    assert!((9_000..11_500).contains(&total.offered), "{total:?}");
    assert_eq!(total.answered + total.abandoned + total.callbacks + total.turned_away, total.offered);
    assert!(total.service_level > 0.5, "{total:?}");
    let kept = report.told_true.expect("some were told");
    assert!(kept >= 0.85, "{kept} of {}", report.told);
    assert!(
        report.queues.iter().any(|queue| queue.name == "technical" && queue.answered > 1_000),
        "{report:?}"
    );
}

#[test]
fn mistakes_have_their_line() {
    let wrong = |text: &str| DaySpec::parse("day.toml", text).expect_err(text).to_string();
    let staff = "[[staff]]\ncount = 1\n";
    assert!(wrong(&format!("{staff}[[arrivals]]\ncalls_per_hour = -1")).starts_with("day.toml:3"));
    assert!(
        wrong("[[staff]]\ncount = 1\nhours = \"18:00-06:00\"\n[[arrivals]]\ncalls_per_hour = 1")
            .contains("one day")
    );
    assert!(wrong("arrivals = []").contains("staff"));
}
