//! The trained part: logits, temperature, gate, and the examples that sentences are compared with.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::call::{IntentName, IntentScore, Interpretation};

use super::ClassifierError;
use super::calibration::{Gate, Signals, log_sum_exp, probabilities};
use super::features::{Features, reference, rows};
use super::fit::Linear;

/// Examples that a sentence's nearness is the mean over.
const NEAREST: usize = 3;

/// A trained head. Made by [`super::train`] or [`Head::load`].
pub struct Head {
    pub(super) meta: HeadMeta,
    pub(super) model: Model,
    pub(super) temperature: f32,
    pub(super) gate: Gate,
    pub(super) examples: Examples,
}

/// The sentences that a head was trained from, in the order of their vectors: those of the intents, then
/// the negatives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Examples {
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
    /// Length of the encoder's vectors, 0 without one.
    pub(super) width: usize,
    /// The intents, in the order of the logits.
    pub(super) intents: Vec<IntentName>,
}

/// What cross-validation trains for each fold, and once for good.
pub(super) struct Model {
    /// The logits: one an intent, and one more for the negatives where there are any.
    pub(super) linear: Linear,
    /// Vectors of the examples, `[examples, reference length]`.
    pub(super) examples: Tensor,
    /// Vectors of the negatives.
    pub(super) negatives: Option<Tensor>,
}

/// What a model says of one sentence.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    /// One an intent.
    pub(super) logits: Vec<f32>,
    /// Signs of being out of scope.
    pub(super) signals: Signals,
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
    pub(super) fn nearest(
        &self,
        all: &[&Features],
        count: usize,
    ) -> Result<Vec<Vec<Neighbour>>, ClassifierError> {
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let references: Vec<f32> = all.iter().flat_map(|f| reference(f)).collect();
        let shape = (all.len(), references.len() / all.len());
        let references = Tensor::from_vec(references, shape, &Device::Cpu)?;
        let mut cosines: Vec<Vec<f32>> = references.matmul(&self.model.examples.t()?)?.to_vec2()?;
        if let Some(negatives) = &self.model.negatives {
            let more: Vec<Vec<f32>> = references.matmul(&negatives.t()?)?.to_vec2()?;
            cosines.iter_mut().zip(more).for_each(|(row, more)| row.extend(more));
        }
        Ok(cosines.into_iter().map(|row| self.neighbours(&row, count)).collect())
    }

    fn neighbours(&self, cosines: &[f32], count: usize) -> Vec<Neighbour> {
        let mut order: Vec<usize> = (0..cosines.len()).collect();
        order.sort_by(|&a, &b| cosines[b].total_cmp(&cosines[a]));
        let neighbour = |i: usize| Neighbour {
            sentence: self.examples.sentences[i].clone(),
            intent: self.meta.intents.get(self.examples.labels[i]).cloned(),
            similarity: cosines[i],
        };
        order.into_iter().take(count).map(neighbour).collect()
    }

    pub(super) fn score(&self, all: &[&Features]) -> Result<Vec<Scored>, ClassifierError> {
        let raw = self.model.raw(all, self.meta.width, self.meta.intents.len())?;
        let scored = |r: Raw| Scored {
            probabilities: probabilities(&r.logits, self.temperature),
            out_of_scope: self.gate.out_of_scope(&r.signals),
        };
        Ok(raw.into_iter().map(scored).collect())
    }
}

impl Model {
    /// Logits and signals of sentences. `intents` is the number of intents.
    pub(super) fn raw(
        &self,
        all: &[&Features],
        width: usize,
        intents: usize,
    ) -> Result<Vec<Raw>, ClassifierError> {
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let logits: Vec<Vec<f32>> = self.linear.logits(&rows(all, width)?)?.to_vec2()?;
        let references: Vec<f32> = all.iter().flat_map(|f| reference(f)).collect();
        let length = references.len() / all.len();
        let references = Tensor::from_vec(references, (all.len(), length), &Device::Cpu)?;
        let near = nearness(&references, &self.examples)?;
        let near_negatives = match &self.negatives {
            Some(negatives) => nearness(&references, negatives)?,
            None => vec![0.0; all.len()],
        };
        let raw = |(i, row): (usize, Vec<f32>)| {
            let (inside, beyond) = row.split_at(intents);
            let energy = log_sum_exp(inside);
            let sharpest = inside.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let margin = beyond.first().map_or(0.0, |b| b - energy);
            Raw {
                logits: inside.to_vec(),
                signals: [margin, -sharpest, -near[i], near_negatives[i] - near[i]],
            }
        };
        Ok(logits.into_iter().enumerate().map(raw).collect())
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

/// Mean cosine of each row of `to` with its [`NEAREST`] rows of `among`; all have unit length.
fn nearness(to: &Tensor, among: &Tensor) -> Result<Vec<f32>, ClassifierError> {
    let cosines: Vec<Vec<f32>> = to.matmul(&among.t()?)?.to_vec2()?;
    let mean_of_nearest = |mut row: Vec<f32>| {
        row.sort_by(|a, b| b.total_cmp(a));
        row.truncate(NEAREST);
        let count: f32 = row.iter().map(|_| 1.0).sum();
        row.iter().sum::<f32>() / count.max(1.0)
    };
    Ok(cosines.into_iter().map(mean_of_nearest).collect())
}
