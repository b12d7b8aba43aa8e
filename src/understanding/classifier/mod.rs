//! The intent classifier: encoder and n-grams, whose votes a head adds up. Blocking compute.
//!
//! A sentence becomes `features`: the `encoder`'s vector and its `ngrams`. The `model` has a linear map
//! for each, and compares with the examples; the head weighs the maps' logits so that probabilities are true, and
//! judges what is out of scope (`calibration`). All of that comes from sentences that were held back.
//!
//! [`train`] makes a [`Head`] from a training set, and says how sentences that it held back came out;
//! [`IntentClassifier`] uses it, for calls ([`Classifier`]) and for tools ([`IntentClassifier::explain`]).
//! Never touches a socket or a clock.

mod assess;
mod batcher;
mod calibration;
mod embeddings;
mod encoder;
mod features;
mod file;
mod fit;
mod head;
mod model;
mod ngrams;
mod noise;
mod report;
mod service;
mod train;
mod tune;

use crate::call::{Hypothesis, Interpretation};

pub use encoder::Encoder;
pub use head::{Head, Neighbour};
pub use report::{Confusion, IntentReport, SIGNALS, TrainingReport};
pub use service::{Explanation, IntentClassifier};
pub use train::{HeldOut, Progress, Trained, TrainingOptions, train};

/// Why a sentence could not be classified, or a head not be trained or loaded.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    /// The engine failed.
    #[error("the classifier failed: {0}")]
    Engine(String),
    /// Too many sentences wait for the encoder.
    #[error("overloaded: {waiting} utterances wait to be classified")]
    Overloaded {
        /// How many.
        waiting: usize,
    },
    /// The sentence encoder cannot be used.
    #[error("the sentence encoder in {path} cannot be used: {why}")]
    Encoder {
        /// The directory.
        path: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// A head's files cannot be read or written.
    #[error("the trained head in {path} cannot be used: {why}")]
    Head {
        /// The file or directory.
        path: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The head was trained from something else than what there is now.
    #[error("the trained head in {path} is stale: {why}; run `attendant train`")]
    Stale {
        /// The directory.
        path: String,
        /// What has changed.
        why: String,
    },
}

impl From<candle_core::Error> for ClassifierError {
    fn from(error: candle_core::Error) -> ClassifierError {
        ClassifierError::Engine(error.to_string())
    }
}

/// Anything that tells which intent a sentence has.
pub trait Classifier: Send + Sync {
    /// Scores the hypotheses of one utterance together, best first, blocking while it computes.
    ///
    /// # Errors
    /// Only for faults of the engine: a sentence that fits nothing is an answer.
    fn interpret(&self, hypotheses: &[Hypothesis]) -> Result<Interpretation, ClassifierError>;
}

#[cfg(test)]
mod demo_tests;
