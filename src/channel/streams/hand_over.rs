//! Callers who are to go on to a person once their stream has ended: the provider, or the dialplan, asks where to.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Whoever has not asked by then does not ask any more.
const ASKED_WITHIN: Duration = Duration::from_secs(60);

/// Callers on their way at most.
const MOST: usize = 10_000;

/// Calls by the provider's name, and where each is to go.
#[derive(Debug, Default)]
pub(super) struct HandOvers(Mutex<HashMap<String, (String, Instant)>>);

impl HandOvers {
    /// Notes where a call goes on to. `false` where nobody could ask for it: a call without a name, or too many.
    pub(super) fn put(&self, call: &str, to: &str, now: Instant) -> bool {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|_, (_, since)| now.duration_since(*since) < ASKED_WITHIN);
        let fits = !call.is_empty() && calls.len() < MOST;
        if fits {
            calls.insert(call.to_owned(), (to.to_owned(), now));
        }
        fits
    }

    /// Where a call goes on to; told once.
    pub(super) fn take(&self, call: &str, now: Instant) -> Option<String> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (to, since) = calls.remove(call)?;
        (now.duration_since(since) < ASKED_WITHIN).then_some(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_once_and_in_time() {
        let (hand_overs, now) = (HandOvers::default(), Instant::now());
        assert!(hand_overs.put("CA1", "sip:1@192.0.2.7", now));
        assert!(!hand_overs.put("", "sip:1@192.0.2.7", now), "nobody can ask for a call without a name");
        assert_eq!(hand_overs.take("CA2", now), None);
        assert_eq!(hand_overs.take("CA1", now).as_deref(), Some("sip:1@192.0.2.7"));
        assert_eq!(hand_overs.take("CA1", now), None);
        assert!(hand_overs.put("CA3", "sip:1@192.0.2.7", now));
        assert_eq!(hand_overs.take("CA3", now + ASKED_WITHIN), None);
    }
}
