//! How long a caller is likely to wait, from measured handle times.

use std::collections::VecDeque;
use std::time::Duration;

/// Handle times that the estimate rests on: an hour or so of a busy queue.
const KEPT: usize = 100;

/// Below so many, nothing is said: a figure from two calls would be a guess.
const FEWEST: usize = 10;

/// The normal distribution's quantile at 0.9.
const Z_90: f64 = 1.281_551_565_545;

/// How long it is likely to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The mean of what is to be expected.
    pub likely: Duration,
    /// Nine in ten wait no longer; this is what may be promised.
    pub at_most: Duration,
}

/// The last handle times of a queue, talking and writing up.
#[derive(Clone, Debug, Default)]
pub(super) struct HandleTimes {
    /// Ringing; and talking and writing up.
    last: VecDeque<(Duration, Duration)>,
}

impl HandleTimes {
    /// The latest of these, in the order in which they were measured.
    pub(super) fn of(times: Vec<(Duration, Duration)>) -> HandleTimes {
        let mut last = VecDeque::from(times);
        last.drain(..last.len().saturating_sub(KEPT));
        HandleTimes { last }
    }

    pub(super) fn add(&mut self, ring: Duration, time: Duration) {
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back((ring, time));
    }

    /// Whether enough calls were measured to say anything.
    pub(super) fn is_measured(&self) -> bool {
        self.last.len() >= FEWEST
    }

    /// The wait of a caller with `ahead` before them, while `agents` are all busy; one who serves others too is
    /// a part of one. `None` until enough calls
    /// were measured, and where nobody is there.
    ///
    /// With handle times like an exponential distribution's, some agent is free every `mean / agents`, so that
    /// the wait is a gamma distribution's of shape `ahead + 1` and that scale (D. Gross et al., Fundamentals of
    /// Queueing Theory, M/M/c). Its quantile is Wilson's and Hilferty's (PNAS 17, 1931).
    pub(super) fn estimate(&self, ahead: usize, agents: f64) -> Option<Estimate> {
        if !self.is_measured() || agents <= 0.0 {
            return None;
        }
        let calls = as_f64(self.last.len());
        let mean = self.last.iter().map(|(ring, time)| (*ring + *time).as_secs_f64()).sum::<f64>() / calls;
        let ring = self.last.iter().map(|(ring, _)| ring.as_secs_f64()).sum::<f64>() / calls;
        let scale = mean / agents;
        let shape = as_f64(ahead + 1);
        let ninth = 1.0 / (9.0 * shape);
        let quantile = shape * (1.0 - ninth + Z_90 * ninth.sqrt()).powi(3);
        // Whose turn has come still hears the agent's telephone ring.
        let time = |scaled: f64| Duration::try_from_secs_f64(scaled * scale + ring).unwrap_or(Duration::MAX);
        Some(Estimate { likely: time(shape), at_most: time(quantile) })
    }
}

fn as_f64(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_before_it_is_measured() {
        let mut times = HandleTimes::default();
        for _ in 0..FEWEST - 1 {
            times.add(Duration::ZERO, Duration::from_secs(100));
        }
        assert_eq!(times.estimate(0, 5.0), None);
        times.add(Duration::ZERO, Duration::from_secs(100));
        assert!(times.estimate(0, 5.0).is_some() && times.estimate(0, 0.0).is_none());
    }

    #[test]
    fn it_is_a_gamma_distributions() {
        let mut times = HandleTimes::default();
        (0..200).for_each(|n| times.add(Duration::ZERO, Duration::from_secs(if n < 100 { 1 } else { 100 })));
        // The exponential distribution's 0.9 quantile is ln 10 = 2.303 means.
        let first = times.estimate(0, 5.0).expect("enough");
        assert_eq!(first.likely, Duration::from_secs(20));
        assert!((first.at_most.as_secs_f64() / 20.0 - 2.303).abs() < 0.03, "{first:?}");
        // The gamma distribution of shape 10: 14.206 (NIST tables: chi-squared of 20, 28.412, halved).
        let tenth = times.estimate(9, 5.0).expect("enough");
        assert!((tenth.at_most.as_secs_f64() / 20.0 - 14.206).abs() < 0.01, "{tenth:?}");
    }
}
