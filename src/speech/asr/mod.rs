//! Recognisers: sound in, hypotheses out. Blocking compute; never touches a socket or a clock.

use crate::call::{Expect, Recognition, Utterance};

/// Why an utterance could not be recognised.
#[derive(Debug, thiserror::Error)]
pub enum AsrError {
    /// Every state is busy and the queue is full.
    #[error("the recogniser is overloaded: {waiting} utterances are waiting")]
    Overloaded {
        /// Utterances in the queue.
        waiting: usize,
    },
    /// The engine failed.
    #[error("the recogniser failed: {0}")]
    Engine(String),
    /// The model file cannot be used.
    #[error("the speech model {path} cannot be used: {why}")]
    Model {
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        why: String,
    },
}

/// Anything that turns sound into words.
pub trait Recognizer: Send + Sync {
    /// Recognises one utterance, blocking the calling thread while it computes.
    ///
    /// # Errors
    /// Only for faults of the engine: unintelligible speech is a [`Recognition`] without hypotheses.
    fn recognize(&self, utterance: &Utterance, expect: &Expect) -> Result<Recognition, AsrError>;
}
