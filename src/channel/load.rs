//! How close the machine is to its end, as its calls tell it: ticks that came late, and sentences that waited to
//! be recognised.
//!
//! It reads no clock: every report and every question brings its moment.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::audio::FRAME_DURATION;
use crate::call::CallTime;

/// What is looked back on. Longer would turn callers away for what is over; shorter, let one hiccup decide.
const WINDOW: Duration = Duration::from_secs(5);

/// Late ticks below which no share of them says anything: a single call's are 250 in the window.
const FEWEST_LATE: u64 = 10;

/// From what on the machine is taken to be full.
#[derive(Clone, Copy, Debug)]
pub struct LoadLimits {
    /// Late ticks of a thousand, past which new callers get the keypad menu.
    pub keypad_late_permille: u64,
    /// Late ticks of a thousand, past which new callers get a busy answer.
    pub busy_late_permille: u64,
    /// Wait of a sentence for a recogniser, past which new callers get the keypad menu.
    pub keypad_wait: Duration,
}

/// What there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// For a caller who is listened to.
    Whole,
    /// For one who presses keys.
    KeypadOnly,
    /// For nobody.
    None,
}

/// What calls reported within a second.
#[derive(Clone, Copy, Debug)]
struct Second {
    began: Instant,
    ticks: u64,
    late: u64,
    longest_wait: Duration,
}

#[derive(Debug)]
struct Seconds {
    /// Oldest first; at most the window's.
    kept: VecDeque<Second>,
    told: Room,
}

/// What all calls together tell.
#[derive(Debug)]
pub struct Load {
    limits: LoadLimits,
    seconds: Mutex<Seconds>,
}

impl Load {
    /// Nothing has been reported.
    pub fn new(limits: LoadLimits) -> Load {
        Load { limits, seconds: Mutex::new(Seconds { kept: VecDeque::new(), told: Room::Whole }) }
    }

    fn seconds(&self) -> MutexGuard<'_, Seconds> {
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, now: Instant, add: impl FnOnce(&mut Second)) {
        let mut seconds = self.seconds();
        seconds.forget(now);
        let is_new =
            seconds.kept.back().is_none_or(|s| now.duration_since(s.began) >= Duration::from_secs(1));
        if is_new {
            seconds.kept.push_back(Second { began: now, ticks: 0, late: 0, longest_wait: Duration::ZERO });
        }
        if let Some(last) = seconds.kept.back_mut() {
            add(last);
        }
    }

    /// A call drove so many ticks since it last told, `late` of them late.
    pub fn ticked(&self, now: Instant, ticks: u64, late: u64) {
        self.report(now, |second| {
            second.ticks += ticks;
            second.late += late;
        });
    }

    /// A sentence waited so long for a recogniser; [`Duration::MAX`] where it was not taken at all.
    pub fn waited(&self, now: Instant, wait: Duration) {
        self.report(now, |second| second.longest_wait = second.longest_wait.max(wait));
    }

    /// What there is room for.
    pub fn room(&self, now: Instant) -> Room {
        let mut seconds = self.seconds();
        seconds.forget(now);
        let ticks: u64 = seconds.kept.iter().map(|s| s.ticks).sum();
        let late: u64 = seconds.kept.iter().map(|s| s.late).sum();
        let wait = seconds.kept.iter().map(|s| s.longest_wait).max().unwrap_or_default();
        let past = |permille: u64| late >= FEWEST_LATE && late * 1_000 > ticks * permille;
        let room = if past(self.limits.busy_late_permille) {
            Room::None
        } else if past(self.limits.keypad_late_permille) || wait > self.limits.keypad_wait {
            Room::KeypadOnly
        } else {
            Room::Whole
        };
        if std::mem::replace(&mut seconds.told, room) != room {
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            match room {
                Room::Whole => {
                    tracing::info!(ticks, late, wait_ms, "there is room: new callers are listened to")
                }
                Room::KeypadOnly => {
                    tracing::warn!(ticks, late, wait_ms, "overload: new callers get the keypad menu");
                }
                Room::None => tracing::warn!(ticks, late, wait_ms, "overload: new callers get a busy answer"),
            }
        }
        room
    }
}

impl Seconds {
    fn forget(&mut self, now: Instant) {
        while self.kept.front().is_some_and(|s| now.duration_since(s.began) >= WINDOW) {
            self.kept.pop_front();
        }
    }
}

/// One call's punctuality: each tick against the earliest that the call has kept to.
#[derive(Clone, Debug, Default)]
pub struct Punctuality {
    /// Real time at which the call's own clock would stand at zero; the earliest that was seen.
    zero: Option<Instant>,
    ticks: u64,
    late: u64,
}

impl Punctuality {
    /// A tick is driven at `real`, which is due at `now` by the call's own clock. Late is what comes more than a
    /// frame after that: then a packet of the line's is missing at the other end.
    pub fn tick(&mut self, real: Instant, now: CallTime) {
        let Some(zero) = real.checked_sub(Duration::from_millis(now.as_millis())) else { return };
        let earliest = self.zero.map_or(zero, |before| before.min(zero));
        self.zero = Some(earliest);
        self.ticks += 1;
        self.late += u64::from(zero.duration_since(earliest) > FRAME_DURATION);
    }

    /// Ticks and late ones since this was last asked; `None` while a second's worth has not come together.
    pub fn take(&mut self) -> Option<(u64, u64)> {
        if self.ticks < 50 {
            return None;
        }
        Some((std::mem::take(&mut self.ticks), std::mem::take(&mut self.late)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LoadLimits = LoadLimits {
        keypad_late_permille: 5,
        busy_late_permille: 20,
        keypad_wait: Duration::from_millis(800),
    };

    #[test]
    fn a_hiccup_is_no_overload() {
        let (load, now) = (Load::new(LIMITS), Instant::now());
        assert_eq!(load.room(now), Room::Whole);
        load.ticked(now, 50, 9);
        assert_eq!(load.room(now), Room::Whole, "nine late ticks of one call");
        load.ticked(now, 50, 9);
        assert_eq!(load.room(now), Room::None);
        assert_eq!(load.room(now + WINDOW), Room::Whole, "what is over does not count");
    }

    #[test]
    fn sentences_that_wait_leave_room_for_keys() {
        let (load, now) = (Load::new(LIMITS), Instant::now());
        load.waited(now, Duration::from_millis(800));
        assert_eq!(load.room(now), Room::Whole);
        load.waited(now, Duration::from_millis(801));
        load.waited(now + Duration::from_secs(2), Duration::ZERO);
        assert_eq!(load.room(now + Duration::from_secs(2)), Room::KeypadOnly);
        let now = now + Duration::from_secs(3);
        load.waited(now, Duration::MAX);
        assert_eq!(load.room(now), Room::KeypadOnly, "keys need no recogniser");
        assert_eq!(load.room(now + WINDOW), Room::Whole);
    }

    #[test]
    fn a_tick_is_late_against_the_earliest() {
        let (mut call, began) = (Punctuality::default(), Instant::now());
        // The thread began 15 ms late; then it is punctual, and 25 and 5 ms late.
        for (n, off_ms) in [(1u64, 15u64), (2, 0), (3, 25), (4, 5)] {
            let now = CallTime::from_millis(20 * n);
            call.tick(began + Duration::from_millis(20 * n + off_ms), now);
        }
        assert_eq!((call.ticks, call.late), (4, 1));
        assert_eq!(call.take(), None);
        for n in 5..=50u64 {
            call.tick(began + Duration::from_millis(20 * n), CallTime::from_millis(20 * n));
        }
        assert_eq!(call.take(), Some((50, 1)));
        assert_eq!(call.take(), None);
    }
}
