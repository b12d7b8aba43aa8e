//! Where a call's sound comes from, and therefore where ours goes (symmetric RTP, RFC 4961).
//!
//! The address in SDP is often not the one that packets come from. The first source that proves itself is
//! latched by its *address*: a switch may change its synchronisation source in mid-call and stays the same
//! peer, while a stranger who sprays packets at the port is not heard.

use core::net::SocketAddr;
use std::time::Duration;

use crate::call::CallTime;

/// Packets in a row that a source other than the announced one has to send. A few are enough against stray
/// packets of a port's former call.
const PROBATION: u32 = 4;

/// A latched source that has been silent for so long may be replaced: its address translation has moved.
const DESERTED: Duration = Duration::from_secs(2);

/// Chooses the source of a call.
#[derive(Clone, Debug)]
pub struct Latch {
    announced: SocketAddr,
    latched: Option<(SocketAddr, CallTime)>,
    candidate: Option<(SocketAddr, u32)>,
}

impl Latch {
    /// A latch for a peer that announced this address.
    pub fn new(announced: SocketAddr) -> Latch {
        Latch { announced, latched: None, candidate: None }
    }

    /// The peer announced an address anew: the next source is found afresh.
    pub fn announce(&mut self, announced: SocketAddr) {
        if self.announced != announced {
            *self = Latch::new(announced);
        }
    }

    /// Whether a packet from `source` belongs to the call.
    pub fn accepts(&mut self, source: SocketAddr, now: CallTime) -> bool {
        if let Some((latched, heard)) = &mut self.latched {
            if *latched == source {
                *heard = now;
                self.candidate = None;
                return true;
            }
            if now.since(*heard) < DESERTED {
                return false;
            }
        }
        let in_a_row = match self.candidate {
            Some((candidate, seen)) if candidate == source => seen + 1,
            Some(_) | None => 1,
        };
        self.candidate = Some((source, in_a_row));
        if source == self.announced || in_a_row >= PROBATION {
            self.latched = Some((source, now));
            self.candidate = None;
            return true;
        }
        false
    }

    /// Where the line's sound goes.
    pub fn destination(&self) -> SocketAddr {
        self.latched.map_or(self.announced, |(source, _)| source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn ms(ms: u64) -> CallTime {
        CallTime::from_millis(ms)
    }

    #[test]
    fn the_announced_source_counts_at_once_and_a_stranger_never_takes_over() {
        let mut latch = Latch::new(at(1));
        assert!(latch.accepts(at(1), ms(0)));
        for n in 0..100 {
            assert!(!latch.accepts(at(9), ms(20 * n)));
            assert!(latch.accepts(at(1), ms(20 * n)));
        }
        assert_eq!(latch.destination(), at(1));
    }

    #[test]
    fn a_source_behind_address_translation_is_latched_after_probation() {
        let mut latch = Latch::new(at(1));
        let heard: Vec<bool> = (0..6).map(|n| latch.accepts(at(5), ms(20 * n))).collect();
        assert_eq!(heard, [false, false, false, true, true, true]);
        assert_eq!(latch.destination(), at(5));
    }

    #[test]
    fn a_moved_source_is_followed_once_the_old_one_is_silent() {
        let mut latch = Latch::new(at(1));
        latch.accepts(at(1), ms(0));
        assert!(!(0..50).any(|n| latch.accepts(at(2), ms(20 * n))), "the old one may still speak");
        assert!((100..110).any(|n| latch.accepts(at(2), ms(20 * n))));
        assert_eq!(latch.destination(), at(2));
        latch.announce(at(3));
        assert_eq!(latch.destination(), at(3));
    }
}
