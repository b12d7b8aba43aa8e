//! What a caller meets who waits for a person.

use std::fmt;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

/// A way out of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WayOut {
    /// The line calls back, and the place is kept.
    Callback,
    /// The caller leaves a message.
    Voicemail,
    /// Back to the dialogue.
    Line,
}

impl WayOut {
    /// All, in the order in which they are offered.
    pub const ALL: [WayOut; 3] = [WayOut::Callback, WayOut::Voicemail, WayOut::Line];

    /// The key that takes it.
    pub fn key(self) -> char {
        match self {
            WayOut::Callback => '1',
            WayOut::Voicemail => '2',
            WayOut::Line => '3',
        }
    }
}

impl fmt::Display for WayOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WayOut::Callback => "callback",
            WayOut::Voicemail => "voicemail",
            WayOut::Line => "line",
        })
    }
}

/// From one time by the line's own clock until before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan {
    /// Its first moment.
    pub from: DateTime,
    /// The first after it.
    pub until: DateTime,
}

/// What the desk has for a caller who is being handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The caller has a place: whoever rings is the desk's business, however long it takes.
    Queued,
    /// When callers may be called back, in order: whoever chooses a callback can choose among it. Comes once the caller
    /// has a place, or is offered what there is instead.
    CallsBack {
        /// What time it is by the same clock.
        now: DateTime,
        /// No two overlap.
        open: Vec<TimeSpan>,
    },
    /// The place and the wait are to be told, and the ways out named.
    Announced {
        /// From 1, within the queue.
        position: usize,
        /// The wait that nine in ten do not exceed, in whole minutes; `None` until enough calls were measured.
        minutes: Option<u64>,
        /// What the caller may choose.
        ways_out: Vec<WayOut>,
    },
    /// Nobody takes the caller, who has no place any more: these are offered instead.
    Offered {
        /// What the caller may choose.
        ways_out: Vec<WayOut>,
    },
}
