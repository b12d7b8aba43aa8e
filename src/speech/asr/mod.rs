//! Recognisers: sound in, hypotheses out. Blocking compute; never touches a socket or a clock.
//!
//! Read [`Recognizer`] first. [`WhisperModel`] and [`WhisperRecognizer`] are the engine,
//! [`RecognizerPool`] shares it between calls. whisper.cpp computes the spectrogram, the encoder and
//! the logits; which words those logits become is decided here, in [`search`], so that several
//! hypotheses cost one encoding and an expected answer can be favoured without a callback into C.

use crate::call::{Expect, Recognition, Utterance};

mod agreement;

mod expectation;

mod fit;

mod ggml;

mod guards;

mod pool;

mod search;

mod stand_in;

mod transcript;

mod whisper;

pub use expectation::Bias;
pub use ggml::ModelShape;
pub use guards::Guards;
pub use pool::{PoolOptions, RecognizerPool, Reply, Ticket};
pub use search::SearchOptions;
pub use stand_in::StandIn;
pub use whisper::{Settings, WhisperModel, WhisperRecognizer};

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
