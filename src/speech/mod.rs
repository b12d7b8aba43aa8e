//! Hearing turns: voice activity, and the end of an utterance.
//!
//! Never recognises words itself (that is [`asr`], an engine) and never reads a clock.

#[cfg(feature = "engines")]
pub mod asr;
