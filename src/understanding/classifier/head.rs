//! The trained part: the model, what its views are worth, the gate, and the examples' sentences.

use serde::{Deserialize, Serialize};

use crate::call::{IntentName, IntentScore, Interpretation};

use super::calibration::{Gate, probabilities};
use super::encoder::backward::Values;
use super::features::Features;
use super::model::{Fusion, Model};

/// A trained head. Made by [`super::train`] or [`Head::load`].
pub struct Head {
    pub(super) meta: HeadMeta,
    pub(super) model: Model,
    /// The encoder's weights where it was tuned.
    pub(super) tuned: Option<Vec<Values>>,
    pub(super) fusion: Fusion,
    pub(super) gate: Gate,
    pub(super) examples: Sentences,
}

/// The sentences that a head was trained from, in the order of their vectors: those of the intents, then
/// the negatives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sentences {
    /// As the classifier sees them.
    pub(super) sentences: Vec<String>,
    /// Index of each one's intent; the number of intents for a negative.
    pub(super) labels: Vec<usize>,
}

/// A sentence of the training files that is like another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The sentence, as the classifier sees it.
    pub sentence: String,
    /// Its intent; `None` for one out of scope.
    pub intent: Option<IntentName>,
    /// Cosine of the two sentences' vectors, -1 to 1.
    pub similarity: f32,
}

/// What a head knows about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeadMeta {
    /// Of the files' layout and of the features: a head of another format is stale.
    pub(super) format: u32,
    /// The version of this package that trained it.
    pub(super) trained_by: String,
    /// [`crate::understanding::TrainingSet::fingerprint`].
    pub(super) fingerprint: String,
    /// Of the folds.
    pub(super) seed: u64,
    /// SHA-256 of the encoder's files; `None` where the n-grams served alone.
    pub(super) encoder_sha256: Option<String>,
    /// Whether the head has its own weights of that encoder.
    pub(super) tuned: bool,
    /// Length of the encoder's vectors, 0 without one.
    pub(super) width: usize,
    /// The intents, in the order of the logits.
    pub(super) intents: Vec<IntentName>,
}

/// What a head says of one sentence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scored {
    /// One an intent, adding up to 1.
    pub(super) probabilities: Vec<f32>,
    /// 0 to 1.
    pub(super) out_of_scope: f32,
}

impl Head {
    /// The intents that it tells apart.
    pub fn intents(&self) -> &[IntentName] {
        &self.meta.intents
    }

    /// Whether it was trained with a sentence encoder, which it then needs.
    pub fn needs_encoder(&self) -> bool {
        self.meta.encoder_sha256.is_some()
    }

    /// The fingerprint of the training set.
    pub fn fingerprint(&self) -> &str {
        &self.meta.fingerprint
    }

    /// The `count` examples most like each sentence, the most like first.
    pub(super) fn nearest(&self, all: &[&Features], count: usize) -> Vec<Vec<Neighbour>> {
        let neighbour = |(i, similarity): (usize, f32)| Neighbour {
            sentence: self.examples.sentences[i].clone(),
            intent: self.meta.intents.get(self.examples.labels[i]).cloned(),
            similarity,
        };
        let named = |found: Vec<(usize, f32)>| found.into_iter().map(neighbour).collect();
        self.model.nearest(all, count).into_iter().map(named).collect()
    }

    pub(super) fn score(&self, all: &[&Features]) -> Vec<Scored> {
        let scored = |raw: &super::model::Raw| Scored {
            probabilities: probabilities(&raw.logits(self.fusion)),
            out_of_scope: self.gate.out_of_scope(&raw.signals(self.fusion, None)),
        };
        self.model.raw(all, &[]).iter().map(scored).collect()
    }
}

/// The intents with their probabilities, the likeliest first.
pub(super) fn ranked(intents: &[IntentName], probabilities: Vec<f32>, out_of_scope: f32) -> Interpretation {
    let mut ranked: Vec<IntentScore> = intents
        .iter()
        .zip(probabilities)
        .map(|(intent, probability)| IntentScore { intent: intent.clone(), probability })
        .collect();
    // A stable sort: equal ones stay in the order of their names.
    ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    Interpretation { ranked, out_of_scope: out_of_scope.clamp(0.0, 1.0) }
}
