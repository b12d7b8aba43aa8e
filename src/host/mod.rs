//! The shell around conversations: clocks, engine threads, models, sessions, and the suites that measure
//! them.
//!
//! Read [`session`] first: it drives one call. Nothing here decides what is said.

#[cfg(feature = "host")]
pub mod caller;

#[cfg(feature = "host")]
pub mod callers;

#[cfg(feature = "host")]
pub mod clips;

#[cfg(feature = "telephone")]
pub mod desk;

#[cfg(feature = "host")]
pub mod engines;

#[cfg(feature = "host")]
pub mod exchange;

#[cfg(feature = "host")]
pub mod head_watch;

#[cfg(feature = "host")]
pub mod hearing;

#[cfg(feature = "host")]
pub mod line;

#[cfg(feature = "host")]
pub mod log;

#[cfg(feature = "telephone")]
pub mod metrics;

#[cfg(feature = "mic")]
pub mod mic;

#[cfg(feature = "host")]
pub mod models;

#[cfg(feature = "host")]
pub mod nlu;

#[cfg(feature = "outbox")]
pub mod outbox;

#[cfg(feature = "telephone")]
pub mod phone;

#[cfg(feature = "store")]
pub mod recorder;

#[cfg(feature = "host")]
pub mod rehearsal;

#[cfg(feature = "host")]
pub mod reload;

#[cfg(feature = "telephone")]
pub mod serve;

pub mod session;

#[cfg(feature = "telephone")]
pub mod streams;

#[cfg(feature = "host")]
pub mod suggest;

#[cfg(feature = "host")]
pub mod suite;

#[cfg(feature = "host")]
pub mod text;

#[cfg(feature = "otel")]
pub mod traces;

#[cfg(all(feature = "host", feature = "telephone"))]
pub mod transcribe;

#[cfg(feature = "outbox")]
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
#[cfg(feature = "host")]
pub fn local_time() -> jiff::civil::DateTime {
    jiff::Zoned::now().datetime()
}

/// A word that no other call has: time, process and count.
pub fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}-{}", now.as_millis(), std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(feature = "host")]
pub mod wordless;
