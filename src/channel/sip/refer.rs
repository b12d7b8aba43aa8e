//! What becomes of callers who were sent on: the notifications of a REFER (RFC 3515), and how long they are waited for.

use tokio::time::{Instant, sleep_until};

use crate::call::Fault;

/// A caller is sent on a few times at most; of older ones nothing is awaited.
const REMEMBERED: usize = 8;

/// What a NOTIFY says of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Notified {
    /// The status that it has come to.
    pub(super) status: u16,
    /// The number of the REFER among the dialog's requests; of the first it may be left out (section 2.4.6).
    pub(super) id: Option<u32>,
}

/// A REFER that was accepted, and nothing final is known of.
struct Referral {
    /// The hand-over's.
    number: u32,
    sequence: u32,
    /// Until when it is waited for; `None` once it no longer is.
    until: Option<Instant>,
}

/// All of one call's.
#[derive(Default)]
pub(super) struct Referrals(Vec<Referral>);

impl Referrals {
    pub(super) fn add(&mut self, number: u32, sequence: u32, until: Instant) {
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(Referral { number, sequence, until: Some(until) });
    }

    /// Gives the hand-over that has come to its end, and to which.
    pub(super) fn handle_notify(&mut self, notified: &Notified) -> Option<(u32, Result<(), Fault>)> {
        let result = match notified.status {
            ..200 => return None,
            200..300 => Ok(()),
            status => Err(Fault::Failed(format!("the transfer came to status {status}"))),
        };
        let is_meant = |of: &Referral| notified.id.is_none_or(|id| id == of.sequence);
        let referral = self.0.remove(self.0.iter().position(is_meant)?);
        Some((referral.number, result))
    }

    fn awaited(&self) -> Option<(u32, Instant)> {
        self.0.iter().find_map(|of| Some((of.number, of.until?)))
    }

    /// Ends when a hand-over has been waited for long enough, and gives its number.
    pub(super) fn given_up(&self) -> impl Future<Output = u32> + use<> {
        let awaited = self.awaited();
        async move {
            let Some((number, until)) = awaited else { return std::future::pending().await };
            sleep_until(until).await;
            number
        }
    }

    /// Waits no longer for that one. What comes of it later is still told.
    pub(super) fn give_up(&mut self) {
        if let Some(of) = self.0.iter_mut().find(|of| of.until.is_some()) {
            of.until = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn notified(status: u16, id: Option<u32>) -> Notified {
        Notified { status, id }
    }

    #[test]
    fn each_notification_is_of_the_hand_over_that_it_names() {
        let mut referrals = Referrals::default();
        let later = Instant::now() + Duration::from_secs(60);
        referrals.add(1, 7, later);
        referrals.give_up();
        referrals.add(2, 9, later);
        assert_eq!(referrals.awaited(), Some((2, later)), "the first is waited for no more");
        assert_eq!(referrals.handle_notify(&notified(180, Some(9))), None);
        assert_eq!(referrals.handle_notify(&notified(200, Some(8))), None, "of none of ours");
        let failed = referrals.handle_notify(&notified(486, Some(9)));
        assert!(matches!(failed, Some((2, Err(_)))), "{failed:?}");
        assert_eq!(referrals.awaited(), None);
        // Without a name it is the oldest that is meant, whether or not it is waited for.
        assert_eq!(referrals.handle_notify(&notified(200, None)), Some((1, Ok(()))));
        assert_eq!(referrals.handle_notify(&notified(200, None)), None, "that is over");
    }

    #[test]
    fn a_peer_that_accepts_without_end_fills_no_memory() {
        let mut referrals = Referrals::default();
        for number in 1..=100 {
            referrals.add(number, number, Instant::now());
        }
        assert_eq!(referrals.0.len(), REMEMBERED);
        assert_eq!(referrals.handle_notify(&notified(200, Some(100))), Some((100, Ok(()))));
    }
}
