//! Time within one call.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since the call arrived.
///
/// Prints as `mm:ss.mmm` and serialises as a number, neither of which `std::time::Instant` does, and
/// lets a test say what time it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallTime(u64);

impl CallTime {
    /// The instant the call arrived.
    pub const ZERO: CallTime = CallTime(0);

    /// `ms` milliseconds after arrival.
    pub const fn from_millis(ms: u64) -> CallTime {
        CallTime(ms)
    }

    /// Milliseconds since arrival.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero where `earlier` is later.
    pub fn since(self, earlier: CallTime) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for CallTime {
    type Output = CallTime;

    /// Whole milliseconds: a fraction is cut off. Saturates.
    fn add(self, rhs: Duration) -> CallTime {
        let ms = u64::try_from(rhs.as_millis()).unwrap_or(u64::MAX);
        CallTime(self.0.saturating_add(ms))
    }
}

impl Sub<Duration> for CallTime {
    type Output = CallTime;

    /// Saturates at arrival.
    fn sub(self, rhs: Duration) -> CallTime {
        let ms = u64::try_from(rhs.as_millis()).unwrap_or(u64::MAX);
        CallTime(self.0.saturating_sub(ms))
    }
}

impl fmt::Display for CallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, seconds, ms) = (self.0 / 60_000, self.0 / 1000 % 60, self.0 % 1000);
        write!(f, "{minutes:02}:{seconds:02}.{ms:03}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_minutes_seconds_milliseconds() {
        assert_eq!(CallTime::from_millis(61_234).to_string(), "01:01.234");
    }

    #[test]
    fn arithmetic_saturates() {
        let early = CallTime::from_millis(5);
        assert_eq!(early - Duration::from_secs(1), CallTime::ZERO);
        assert_eq!(CallTime::ZERO.since(early), Duration::ZERO);
        assert_eq!((early + Duration::MAX).as_millis(), u64::MAX);
    }
}
