//! The shell around conversations: clocks, engine threads, models, sessions, and the suites that measure
//! them.
//!
//! Read [`session`] first: it drives one call. Nothing here decides what is said.

pub mod caller;

pub mod callers;

pub mod clips;

pub mod engines;

pub mod exchange;

pub mod head_watch;

pub mod hearing;

pub mod line;

pub mod log;

#[cfg(feature = "mic")]
pub mod mic;

pub mod models;

pub mod nlu;

pub mod reload;

pub mod rehearsal;

pub mod session;

pub mod suggest;

pub mod suite;

pub mod text;

pub mod webhook;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time since the process first asked: for engines, which read no clock of their own.
pub fn stopwatch() -> Duration {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed()
}

/// The day and hour where the line is, for what it says by them.
pub fn local_time() -> jiff::civil::DateTime {
    jiff::Zoned::now().datetime()
}

/// A word that no other call has: time, process and count.
pub fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}-{}", now.as_millis(), std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
