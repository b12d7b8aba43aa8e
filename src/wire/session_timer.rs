//! Session timers (RFC 4028): a call whose peer has vanished ends by itself.

use std::time::Duration;

/// No session may be refreshed more often (RFC 4028, section 4).
pub const MIN_SE_S: u32 = 90;

/// Who refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The line, by a re-INVITE at half the interval.
    Us,
    /// The peer; if it does not, the call is over.
    Them,
}

/// What an INVITE or an answer says about session timers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `Session-Expires`, in seconds.
    pub expires_s: Option<u32>,
    /// Its `refresher`: whether it is the caller's side (`uac`).
    pub uac_refreshes: Option<bool>,
    /// Whether the peer lists `timer` as supported.
    pub supported: bool,
    /// `Min-SE`, in seconds.
    pub min_se_s: Option<u32>,
}

/// A session timer as agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimer {
    /// The session ends so long after the last refresh.
    pub expires_s: u32,
    /// Who refreshes.
    pub refresher: Refresher,
    /// Whether the peer knows of timers, so that the answer may demand it.
    pub peer_supports: bool,
}

/// Why there can be no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall {
    /// What the peer has to ask for at least (422's `Min-SE`), in seconds.
    pub min_se_s: u32,
}

impl Wishes {
    /// Reads `Session-Expires: 1800;refresher=uas`.
    #[must_use]
    pub fn with_session_expires(mut self, value: &str) -> Wishes {
        let mut parts = value.split(';').map(str::trim);
        self.expires_s = parts.next().and_then(|n| n.parse().ok());
        for part in parts {
            if let Some(("refresher", who)) = part.split_once('=').map(|(k, v)| (k.trim(), v.trim())) {
                self.uac_refreshes = Some(who.eq_ignore_ascii_case("uac"));
            }
        }
        self
    }
}

impl SessionTimer {
    /// The line's answer to a caller's wishes (RFC 4028, section 9 and table 2). `ours_s` is what the line
    /// asks for where the caller has no wish.
    ///
    /// # Errors
    /// The caller wants more frequent refreshes than anybody should.
    pub fn answer(wishes: &Wishes, ours_s: u32) -> Result<SessionTimer, TooSmall> {
        let wished = wishes.expires_s.unwrap_or(ours_s);
        if wishes.expires_s.is_some_and(|s| s < MIN_SE_S) && wishes.supported {
            return Err(TooSmall { min_se_s: MIN_SE_S });
        }
        let least = wishes.min_se_s.unwrap_or(MIN_SE_S).max(MIN_SE_S);
        let refresher = match (wishes.supported, wishes.uac_refreshes) {
            (false, _) | (true, Some(false)) => Refresher::Us,
            (true, Some(true) | None) => Refresher::Them,
        };
        let expires_s = wished.min(ours_s).max(least);
        Ok(SessionTimer { expires_s, refresher, peer_supports: wishes.supported })
    }

    /// The value of `Session-Expires` in the line's answer to a caller.
    pub fn header(&self) -> String {
        let who = match self.refresher {
            Refresher::Us => "uas",
            Refresher::Them => "uac",
        };
        format!("{};refresher={who}", self.expires_s)
    }

    /// How long after a refresh something is due: ours at half the time, the end of the session shortly
    /// before it is over (RFC 4028, section 10: the lesser of 32 s and a third).
    pub fn due(&self) -> Duration {
        let expires = u64::from(self.expires_s);
        Duration::from_secs(match self.refresher {
            Refresher::Us => expires / 2,
            Refresher::Them => expires - (expires / 3).min(32),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(value: &str, supported: bool) -> Wishes {
        Wishes { supported, ..Wishes::default() }.with_session_expires(value)
    }

    #[test]
    fn the_peer_refreshes_where_it_can() {
        let timer = SessionTimer::answer(&wishes("1200 ; refresher=uac", true), 1_800).expect("agreed");
        assert_eq!((timer.header().as_str(), timer.due().as_secs()), ("1200;refresher=uac", 1_168));
        let timer = SessionTimer::answer(&wishes("1200", true), 1_800).expect("agreed");
        assert_eq!(timer.refresher, Refresher::Them);
    }

    #[test]
    fn we_refresh_where_the_peer_cannot_or_asks_us_to() {
        for (asked, supported) in [("600;refresher=uas", true), ("", false), ("60", false)] {
            let timer = SessionTimer::answer(&wishes(asked, supported), 1_800).expect("agreed");
            assert_eq!(timer.refresher, Refresher::Us, "{asked}");
            assert!(timer.expires_s >= MIN_SE_S);
            assert_eq!(timer.due().as_secs(), u64::from(timer.expires_s / 2));
        }
    }

    #[test]
    fn too_short_a_session_is_refused_with_the_least() {
        let refused = SessionTimer::answer(&wishes("30;refresher=uac", true), 1_800);
        assert_eq!(refused, Err(TooSmall { min_se_s: 90 }));
    }
}
