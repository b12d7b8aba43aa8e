//! The intent classifier: encoder and n-grams into one head, in candle. Blocking compute.

use crate::call::{Hypothesis, Interpretation};

/// Why a sentence could not be classified, or a head not be trained or loaded.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    /// The engine failed.
    #[error("the classifier failed: {0}")]
    Engine(String),
}

/// Anything that tells which intent a sentence has.
pub trait Classifier: Send + Sync {
    /// Scores the hypotheses of one utterance together, best first, blocking while it computes.
    ///
    /// # Errors
    /// Only for faults of the engine: a sentence that fits nothing is an answer.
    fn interpret(&self, hypotheses: &[Hypothesis]) -> Result<Interpretation, ClassifierError>;
}
