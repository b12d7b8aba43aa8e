//! A promise to call back: kept once, within the hours and the window, or given up aloud.
//!
//! A [`Callback`] is what the store keeps. Each change is a method that takes the time and leaves the whole
//! next state, so that a crash between two changes leaves one of them and never a mixture.
//! [`Callback::reached`] is written as soon as the two are connected: a node that dies before that takes the
//! conversation with it, so that calling again keeps the promise and doubles nothing.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::hours::Hours;
use super::plan::{DeskPlan, digits};
use super::queue::{later, seconds};
use crate::call::{Ani, CallId, TimeSpan};

/// Callers choose among so much time.
const FAR: Duration = Duration::from_secs(7 * 24 * 3_600);

/// So closely it is looked at.
const STEP: Duration = Duration::from_secs(15 * 60);

/// The next full quarter of an hour; zones' clocks have theirs at the same moments.
fn next_step(at: Timestamp) -> Timestamp {
    let past = Duration::from_secs(at.as_second().rem_euclid(STEP.as_secs().cast_signed()).unsigned_abs());
    later(at, STEP - past)
}

/// When the caller wants to be rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Not before.
    pub from: Timestamp,
    /// Not after; `None` as soon as the place comes up, however late.
    pub until: Option<Timestamp>,
}

impl Window {
    /// A time by a zone's clock; `None` where it has no such time.
    pub fn of(span: TimeSpan, zone: &TimeZone) -> Option<Window> {
        let at = |local: DateTime| Some(local.to_zoned(zone.clone()).ok()?.timestamp());
        Some(Window { from: at(span.from)?, until: Some(at(span.until)?) })
    }
}

/// How a promise ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackEnd {
    /// The caller was reached.
    Reached,
    /// As many attempts were made as may be.
    GivenUp,
    /// It could not be kept in time.
    Expired,
    /// The caller wants none any more.
    Cancelled,
}

impl fmt::Display for CallbackEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallbackEnd::Reached => "reached",
            CallbackEnd::GivenUp => "given_up",
            CallbackEnd::Expired => "expired",
            CallbackEnd::Cancelled => "cancelled",
        })
    }
}

/// Where a promise stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackState {
    /// Nothing happens before then.
    Waiting {
        /// When it goes into the queue.
        due: Timestamp,
    },
    /// In the queue, or an agent has been found and the caller's telephone rings.
    InHand,
    /// Over.
    Over(CallbackEnd),
}

/// What promises go by.
#[derive(Clone, Debug, PartialEq)]
pub struct CallbackPlan {
    /// When callers may be rung; `None` is always.
    pub hours: Option<Hours>,
    /// Most attempts.
    pub attempts: u8,
    /// Until the second attempt; doubled with each further one …
    pub retry: Duration,
    /// … up to this.
    pub max_retry: Duration,
    /// Given up after so long.
    pub expires: Duration,
}

impl CallbackPlan {
    /// As `intents/desk.toml` has it.
    pub fn of(plan: &DeskPlan) -> CallbackPlan {
        let spec = &plan.callback;
        CallbackPlan {
            hours: plan.callback_hours.clone(),
            attempts: spec.attempts,
            retry: seconds(spec.retry_seconds),
            max_retry: seconds(spec.max_retry_seconds),
            expires: Duration::from_secs(u64::from(spec.expires_hours) * 3_600),
        }
    }

    /// When callers may be rung from `now` on, by a zone's clock, to a quarter of an hour: as long as a promise is kept, and
    /// no longer than a week.
    pub fn open_times(&self, now: Timestamp, zone: &TimeZone) -> Vec<TimeSpan> {
        let end = later(now, self.expires.min(FAR));
        let local = |at: Timestamp| at.to_zoned(zone.clone()).datetime();
        let is_open_until = |end: Timestamp| {
            let last = end.checked_sub(Duration::from_secs(1)).unwrap_or(Timestamp::MIN);
            self.allowed(last) == Some(last)
        };
        let (mut open, mut at) = (Vec::new(), now);
        while let Some(from) = self.allowed(at).filter(|from| *from < end) {
            at = next_step(from);
            let mut until = from;
            while until < end && is_open_until(at) {
                (until, at) = (at.min(end), next_step(at));
            }
            if until > from {
                open.push(TimeSpan { from: local(from), until: local(until) });
            }
        }
        open
    }

    /// The first moment from `at` on at which a caller may be rung.
    fn allowed(&self, at: Timestamp) -> Option<Timestamp> {
        match &self.hours {
            None => Some(at),
            Some(hours) => hours.next_open(at),
        }
    }
}

/// A promise to call back.
#[derive(Clone, Debug, PartialEq)]
pub struct Callback {
    /// The call in which it was promised; the promise's own name, too.
    pub call: CallId,
    /// Whom to ring.
    pub number: Ani,
    /// The queue in which the place is kept, by name.
    pub queue: String,
    /// When the caller came: the place.
    pub since: Timestamp,
    /// When it was promised.
    pub promised: Timestamp,
    /// When the caller wants it.
    pub window: Window,
    /// Attempts made.
    pub attempts: u8,
    /// Where it stands.
    pub state: CallbackState,
}

impl Callback {
    /// A new promise, or an end at once where there is no moment at which it could be kept.
    pub fn promise(
        plan: &CallbackPlan,
        now: Timestamp,
        place: (CallId, &str, Timestamp),
        number: Ani,
        window: Window,
    ) -> Callback {
        let (call, queue, since) = place;
        let mut promise = Callback {
            call,
            number,
            queue: queue.to_owned(),
            since,
            promised: now,
            window,
            attempts: 0,
            state: CallbackState::InHand,
        };
        promise.wait(plan, now);
        promise
    }

    /// What two promises have in common that are one: the digits of the number.
    pub fn same_as(&self) -> String {
        digits(self.number.expose())
    }

    /// The caller asks again: the earlier place stays, the latest window counts, and the attempts begin anew.
    pub fn renew(&mut self, plan: &CallbackPlan, now: Timestamp, again: &Callback) {
        self.since = self.since.min(again.since);
        self.window = again.window;
        self.promised = now;
        self.attempts = 0;
        if self.state != CallbackState::InHand {
            self.wait(plan, now);
        }
    }

    /// Goes into the queue, provided that it is due; false where it is not.
    pub fn take_in_hand(&mut self, now: Timestamp) -> bool {
        let is_due = matches!(self.state, CallbackState::Waiting { due } if due <= now);
        if is_due {
            self.state = CallbackState::InHand;
        }
        is_due
    }

    /// The caller answered, and has the agent on the line.
    pub fn reached(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
        self.state = CallbackState::Over(CallbackEnd::Reached);
    }

    /// The caller was not reached: another attempt later, or the end.
    pub fn missed(&mut self, plan: &CallbackPlan, now: Timestamp) {
        self.attempts = self.attempts.saturating_add(1);
        if self.attempts >= plan.attempts {
            self.state = CallbackState::Over(CallbackEnd::GivenUp);
            return;
        }
        let doublings = u32::from(self.attempts - 1).min(20);
        let wait = plan.retry.saturating_mul(1 << doublings).min(plan.max_retry);
        self.wait(plan, later(now, wait));
    }

    /// The line may not call the number, or not now: it waits as after an attempt, but none is counted, since nobody has
    /// been rung. Whoever may call has until the end to take it.
    pub fn postponed(&mut self, plan: &CallbackPlan, now: Timestamp) {
        if self.state == CallbackState::InHand {
            self.wait(plan, later(now, plan.retry));
        }
    }

    /// The machine that had it in hand is gone, or the queue was left: it waits again, at its old place, and no
    /// attempt is counted, since nobody knows of one.
    pub fn let_go(&mut self, plan: &CallbackPlan, now: Timestamp) {
        if self.state == CallbackState::InHand {
            self.wait(plan, now);
        }
    }

    /// The caller wants it no more.
    pub fn cancel(&mut self) {
        if !matches!(self.state, CallbackState::Over(_)) {
            self.state = CallbackState::Over(CallbackEnd::Cancelled);
        }
    }

    fn wait(&mut self, plan: &CallbackPlan, not_before: Timestamp) {
        let end = later(self.promised, plan.expires);
        let end = self.window.until.map_or(end, |until| until.min(end));
        let due = plan.allowed(not_before.max(self.window.from)).filter(|due| *due <= end);
        self.state = match due {
            Some(due) => CallbackState::Waiting { due },
            None => CallbackState::Over(CallbackEnd::Expired),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn plan() -> CallbackPlan {
        let text = "[hours.day]\nmon = [\"09:00-17:00\"]\ntue = [\"09:00-17:00\"]\n[callback]\nhours = \"day\"\n\
                    [[queue]]\nname = \"all\"";
        CallbackPlan::of(&DeskPlan::parse("desk.toml", text).expect("a desk"))
    }

    fn promise(now: &str, until: Option<&str>) -> Callback {
        let now = at(now);
        let window = Window { from: now, until: until.map(at) };
        let call = "call-1".parse().expect("an id");
        Callback::promise(&plan(), now, (call, "all", now), "5550100".parse().expect("a number"), window)
    }

    #[test]
    fn callers_choose_among_the_allowed_hours() {
        // A Monday; in Berlin it is an hour later.
        let now = at("2026-11-16T15:50:30Z");
        let zone = TimeZone::get("Europe/Berlin").expect("it is bundled");
        let expires = Duration::from_secs(30 * 24 * 3_600);
        let open = CallbackPlan { expires, ..plan() }.open_times(now, &zone);
        let shown: Vec<String> = open.iter().map(|span| format!("{}..{}", span.from, span.until)).collect();
        assert_eq!(
            shown,
            [
                "2026-11-16T16:50:30..2026-11-16T18:00:00",
                "2026-11-17T10:00:00..2026-11-17T18:00:00",
                "2026-11-23T10:00:00..2026-11-23T16:50:30",
            ]
        );
        for span in &open {
            let window = Window::of(*span, &zone).expect("such times there are");
            let until = window.until.expect("an end");
            assert_eq!(
                plan().allowed(window.from),
                Some(window.from),
                "nobody is promised a call that cannot be"
            );
            assert!(until > window.from);
        }
        let always = CallbackPlan { hours: None, expires: Duration::from_secs(7_200), ..plan() };
        let span = always.open_times(now, &TimeZone::UTC);
        assert_eq!(span.len(), 1);
        assert_eq!(span[0].until.to_string(), "2026-11-16T17:50:30");
    }

    #[test]
    fn it_waits_for_the_allowed_hours() {
        let late = promise("2026-11-16T18:00:00Z", None);
        assert_eq!(late.state, CallbackState::Waiting { due: at("2026-11-17T09:00:00Z") });
        let never = promise("2026-11-16T18:00:00Z", Some("2026-11-16T20:00:00Z"));
        assert_eq!(never.state, CallbackState::Over(CallbackEnd::Expired));
        // Forty-eight hours from Tuesday evening hold no opening.
        let too_long = promise("2026-11-17T17:00:00Z", None);
        assert_eq!(too_long.state, CallbackState::Over(CallbackEnd::Expired));
    }

    #[test]
    fn attempts_back_off_and_end() {
        let mut promise = promise("2026-11-16T10:00:00Z", None);
        let now = at("2026-11-16T10:00:00Z");
        assert!(promise.take_in_hand(now) && !promise.take_in_hand(now));
        promise.missed(&plan(), now);
        assert_eq!(promise.state, CallbackState::Waiting { due: at("2026-11-16T10:15:00Z") });
        assert!(!promise.take_in_hand(now), "not before it is due");
        assert!(promise.take_in_hand(at("2026-11-16T10:15:00Z")));
        promise.missed(&plan(), at("2026-11-16T16:45:00Z"));
        assert_eq!(promise.state, CallbackState::Waiting { due: at("2026-11-17T09:00:00Z") });
        assert!(promise.take_in_hand(at("2026-11-17T09:00:00Z")));
        promise.missed(&plan(), at("2026-11-17T09:00:00Z"));
        assert_eq!(promise.state, CallbackState::Over(CallbackEnd::GivenUp));
    }

    #[test]
    fn what_the_line_may_not_call_costs_no_attempt() {
        let mut promise = promise("2026-11-16T10:00:00Z", None);
        let now = at("2026-11-16T10:00:00Z");
        for hour in 0..6 {
            let now = later(now, Duration::from_secs(hour * 3_600));
            assert!(promise.take_in_hand(now));
            promise.postponed(&plan(), now);
            assert_eq!(promise.attempts, 0);
            assert_eq!(promise.state, CallbackState::Waiting { due: later(now, plan().retry) });
        }
    }

    #[test]
    fn a_second_wish_keeps_the_first_place() {
        let mut first = promise("2026-11-16T10:00:00Z", None);
        let again = promise("2026-11-16T11:00:00Z", Some("2026-11-16T12:00:00Z"));
        first.renew(&plan(), at("2026-11-16T11:00:00Z"), &again);
        assert_eq!(first.since, at("2026-11-16T10:00:00Z"));
        assert_eq!(first.window.until, Some(at("2026-11-16T12:00:00Z")));
        assert_eq!(first.same_as(), "5550100");
    }

    proptest! {
        /// Whatever happens, nobody is rung outside the hours or after the end, and no more often than may be.
        #[test]
        fn no_promise_breaks_its_bounds(steps in prop::collection::vec((0..5_u8, 0..40_000_i64), 1..40)) {
            let plan = plan();
            let mut promise = promise("2026-11-16T10:00:00Z", None);
            let mut now = at("2026-11-16T10:00:00Z");
            let mut rung = 0;
            for (step, seconds) in steps {
                now = now.checked_add(Duration::from_secs(seconds.unsigned_abs())).expect("in range");
                let was_over = matches!(promise.state, CallbackState::Over(_));
                let before = promise.clone();
                match step {
                    0 | 1 => {
                        let taken = promise.take_in_hand(now);
                        rung += u8::from(taken);
                        prop_assert!(!(taken && was_over));
                    }
                    2 if promise.state == CallbackState::InHand => promise.missed(&plan, now),
                    3 => promise.let_go(&plan, now),
                    4 if promise.state == CallbackState::InHand && seconds < 4_000 => promise.reached(),
                    _ => {}
                }
                if was_over {
                    prop_assert_eq!(&before, &promise);
                }
                if let CallbackState::Waiting { due } = promise.state {
                    prop_assert!(plan.hours.as_ref().is_some_and(|hours| hours.is_open(due)));
                    prop_assert!(due <= promise.promised.checked_add(plan.expires).expect("in range"));
                }
                prop_assert!(promise.attempts <= plan.attempts);
            }
            prop_assert!(rung >= promise.attempts);
        }
    }
}
