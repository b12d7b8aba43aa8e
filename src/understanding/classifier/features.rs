//! What the head sees of a sentence: its vector and its n-grams.

use super::ClassifierError;
use super::encoder::Encoder;
use super::ngrams::Ngrams;

/// One sentence as the head sees it.
#[derive(Clone, Debug)]
pub(super) struct Features {
    /// Of unit length; empty without an encoder.
    pub(super) embedding: Vec<f32>,
    /// Its n-grams.
    pub(super) ngrams: Ngrams,
}

/// The features of masked, normalised sentences.
///
/// # Errors
/// Only for faults of the engine.
pub(super) fn features(
    sentences: &[&str],
    encoder: Option<&Encoder>,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Features>, ClassifierError> {
    let embeddings = match encoder {
        Some(encoder) => encoder.embed(sentences, progress)?,
        None => vec![Vec::new(); sentences.len()],
    };
    Ok(with_ngrams(embeddings, sentences))
}

/// Sentences' vectors with their n-grams.
pub(super) fn with_ngrams(embeddings: Vec<Vec<f32>>, sentences: &[&str]) -> Vec<Features> {
    let features =
        |(embedding, sentence): (Vec<f32>, &&str)| Features { embedding, ngrams: Ngrams::of(sentence) };
    embeddings.into_iter().zip(sentences).map(features).collect()
}
