//! Hearing turns: voice activity, and the end of an utterance.
//!
//! Never recognises words itself (that is `asr`, an engine) and never reads a clock. Read
//! [`Endpointer`] and [`Turn`] first.

#[cfg(feature = "engines")]
pub mod asr;

mod endpointer;

mod pieces;

mod vad;

pub use endpointer::{Endpointer, POST_ROLL, PRE_ROLL, Timeouts, TimerReason, Turn};
pub use pieces::pieces;
pub use vad::{Voice, VoiceDetector};
