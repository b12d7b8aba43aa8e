//! Training: cross-validation for what the scores are worth, then one fit on everything.

use candle_core::{Device, Tensor};

use crate::call::IntentName;
use crate::understanding::TrainingSet;

use super::ClassifierError;
use super::calibration::{Gate, Signals, calibration_error, probabilities, temperature, top};
use super::encoder::Encoder;
use super::features::{Features, features, reference, rows};
use super::file::FORMAT;
use super::fit::Problem;
use super::head::{Head, HeadMeta, Model, Raw};
use super::report::{Confusion, IntentReport, TrainingReport};

/// Folds of the cross-validation; every intent has at least that many sentences
/// ([`crate::understanding::MIN_EXAMPLES`]).
const FOLDS: usize = 5;
/// Penalty on the squared weights.
const DECAY: f64 = 2e-3;

/// How far a training has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Sentences encoded.
    Encoding {
        /// So far.
        done: usize,
        /// In all.
        total: usize,
    },
    /// Fits made: one a fold, and the last.
    Fitting {
        /// So far.
        done: usize,
        /// In all.
        total: usize,
    },
}

/// Trains a head. The same set, encoder and seed give the same bits on one machine. Without an encoder
/// the n-grams serve alone, and the report warns.
///
/// # Errors
/// Only for faults of the engine.
pub fn train(
    set: &TrainingSet,
    encoder: Option<&Encoder>,
    seed: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Head, TrainingReport), ClassifierError> {
    let data = Data::new(set, encoder, progress)?;
    let folds = folds(&data.labels, seed);
    let mut raw: Vec<Option<Raw>> = vec![None; data.labels.len()];
    for fold in 0..FOLDS {
        progress(Progress::Fitting { done: fold, total: FOLDS + 1 });
        let (seen, held): (Vec<usize>, Vec<usize>) = (0..folds.len()).partition(|&i| folds[i] != fold);
        let model = data.fit(&seen)?;
        let sentences: Vec<&Features> = held.iter().map(|&i| &data.features[i]).collect();
        for (i, said) in held.iter().zip(model.raw(&sentences, data.width, data.intents)?) {
            raw[*i] = Some(said);
        }
    }
    progress(Progress::Fitting { done: FOLDS, total: FOLDS + 1 });
    let model = data.fit(&(0..data.labels.len()).collect::<Vec<_>>())?;
    progress(Progress::Fitting { done: FOLDS + 1, total: FOLDS + 1 });

    let raw: Vec<Raw> = raw.into_iter().map(|r| r.expect("every sentence is held out once")).collect();
    let (inside, outside) = raw.split_at(set.sentences().len());
    let logits: Vec<Vec<f32>> = inside.iter().map(|r| r.logits.clone()).collect();
    let labels = &data.labels[..inside.len()];
    let temperature = temperature(&logits, labels);
    let signals = |all: &[Raw]| -> Vec<Signals> { all.iter().map(|r| r.signals).collect() };
    let gate = Gate::fit(&signals(inside), &signals(outside));
    let meta = HeadMeta {
        format: FORMAT,
        trained_by: env!("CARGO_PKG_VERSION").to_owned(),
        fingerprint: set.fingerprint(),
        seed,
        encoder_sha256: encoder.map(|e| e.sha256().to_owned()),
        width: data.width,
        intents: set.intents().to_vec(),
    };
    let head = Head { meta, model, temperature, gate };
    let report = report(set, &head, inside, outside, labels);
    Ok((head, report))
}

/// The sentences, ready to fit. Negatives come last and have a class of their own.
struct Data {
    features: Vec<Features>,
    labels: Vec<usize>,
    /// All rows, `[sentences, row_length]`.
    rows: Tensor,
    width: usize,
    intents: usize,
}

impl Data {
    fn new(
        set: &TrainingSet,
        encoder: Option<&Encoder>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Data, ClassifierError> {
        let inside = set.sentences().iter().map(|(text, _)| text.as_str());
        let texts: Vec<&str> = inside.chain(set.negatives().iter().map(String::as_str)).collect();
        let total = texts.len();
        let features = features(&texts, encoder, &mut |done| progress(Progress::Encoding { done, total }))?;
        let intents = set.intents().len();
        let labels = set.sentences().iter().map(|(_, i)| *i);
        let labels: Vec<usize> = labels.chain(set.negatives().iter().map(|_| intents)).collect();
        let width = encoder.map_or(0, Encoder::width);
        let rows = rows(&features.iter().collect::<Vec<_>>(), width)?;
        Ok(Data { features, labels, rows, width, intents })
    }

    /// Fits a model to the sentences of these indices.
    fn fit(&self, chosen: &[usize]) -> Result<Model, ClassifierError> {
        let labels: Vec<usize> = chosen.iter().map(|&i| self.labels[i]).collect();
        let classes = labels.iter().max().map_or(0, |m| m + 1).max(self.intents);
        let index: Vec<u32> = chosen.iter().map(|&i| u32::try_from(i).expect("few sentences")).collect();
        let count = index.len();
        let rows = self.rows.index_select(&Tensor::from_vec(index, count, &Device::Cpu)?, 0)?;
        let linear = Problem::new(rows, &labels, classes, DECAY)?.solve()?;
        let (inside, outside): (Vec<usize>, Vec<usize>) =
            chosen.iter().partition(|&&i| self.labels[i] < self.intents);
        let negatives = if outside.is_empty() { None } else { Some(self.references(&outside)?) };
        Ok(Model { linear, examples: self.references(&inside)?, negatives })
    }

    fn references(&self, chosen: &[usize]) -> Result<Tensor, ClassifierError> {
        let vectors: Vec<f32> = chosen.iter().flat_map(|&i| reference(&self.features[i])).collect();
        let shape = (chosen.len(), vectors.len() / chosen.len().max(1));
        Ok(Tensor::from_vec(vectors, shape, &Device::Cpu)?)
    }
}

/// A fold for each sentence: within every class they are shuffled and dealt in turn.
fn folds(labels: &[usize], seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut order: Vec<(usize, u64, usize)> =
        labels.iter().enumerate().map(|(i, &label)| (label, next_random(&mut state), i)).collect();
    order.sort_unstable();
    let mut folds = vec![0; labels.len()];
    for (turn, (_, _, i)) in order.into_iter().enumerate() {
        folds[i] = turn % FOLDS;
    }
    folds
}

/// SplitMix64 (G. Steele, D. Lea, C. Flood, Fast splittable pseudorandom number generators, 2014).
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn report(
    set: &TrainingSet,
    head: &Head,
    inside: &[Raw],
    outside: &[Raw],
    labels: &[usize],
) -> TrainingReport {
    let at = |t: f32| -> Vec<Vec<f32>> { inside.iter().map(|r| probabilities(&r.logits, t)).collect() };
    let calibrated = at(head.temperature);
    let taken: Vec<(usize, f32)> = calibrated.iter().map(|p| top(p)).collect();
    let right = taken.iter().zip(labels).filter(|((best, _), label)| best == *label).count();
    let is_out = |r: &&Raw| head.gate.out_of_scope(&r.signals) > 0.5;
    let kept = inside.iter().filter(|r| !is_out(r)).count();
    let caught = outside.iter().filter(is_out).count();
    TrainingReport {
        fingerprint: head.meta.fingerprint.clone(),
        seed: head.meta.seed,
        encoder: head.needs_encoder(),
        sentences: inside.len(),
        negatives: outside.len(),
        folds: FOLDS,
        accuracy: share(right, inside.len()),
        intents: by_intent(set.intents(), labels, &taken),
        confusions: confusions(set, labels, &taken),
        temperature: head.temperature,
        calibration_error: (calibration_error(&at(1.0), labels), calibration_error(&calibrated, labels)),
        in_scope_kept: share(kept, inside.len()),
        out_of_scope_caught: (!outside.is_empty()).then(|| share(caught, outside.len())),
        warnings: warnings(set, head),
    }
}

fn by_intent(intents: &[IntentName], labels: &[usize], taken: &[(usize, f32)]) -> Vec<IntentReport> {
    let count = |wanted: &dyn Fn(usize, usize) -> bool| {
        labels.iter().zip(taken).filter(|(label, (best, _))| wanted(**label, *best)).count()
    };
    let of_intent = |(i, intent): (usize, &IntentName)| {
        let right = count(&|label, best| label == i && best == i);
        let sentences = count(&|label, _| label == i);
        let recall = share(right, sentences);
        IntentReport {
            intent: intent.clone(),
            sentences,
            recall,
            precision: share(right, count(&|_, best| best == i)),
        }
    };
    intents.iter().enumerate().map(of_intent).collect()
}

fn confusions(set: &TrainingSet, labels: &[usize], taken: &[(usize, f32)]) -> Vec<Confusion> {
    let mut found: Vec<Confusion> = set
        .sentences()
        .iter()
        .zip(labels.iter().zip(taken))
        .filter(|(_, (label, (best, _)))| *label != best)
        .map(|((sentence, _), (label, (best, probability)))| Confusion {
            sentence: sentence.clone(),
            intent: set.intents()[*label].clone(),
            taken_for: set.intents()[*best].clone(),
            probability: *probability,
        })
        .collect();
    found.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    found
}

/// Fewest negatives with which the gate is worth its name.
const MIN_NEGATIVES: usize = 20;
/// Fewest sentences of an intent that are no cause for a warning.
const ENOUGH: usize = 20;

fn warnings(set: &TrainingSet, head: &Head) -> Vec<String> {
    let mut warnings = Vec::new();
    if !head.needs_encoder() {
        warnings.push(
            "no sentence encoder: n-grams alone understand fewer wordings; `attendant models pull`"
                .to_owned(),
        );
    }
    let negatives = set.negatives().len();
    if negatives < MIN_NEGATIVES {
        warnings.push(format!(
            "{negatives} sentences out of scope: {MIN_NEGATIVES} or more make the gate reliable"
        ));
    }
    for (i, intent) in set.intents().iter().enumerate() {
        let count = set.sentences().iter().filter(|(_, label)| *label == i).count();
        if count < ENOUGH {
            warnings.push(format!("{intent} has {count} sentences: {ENOUGH} or more serve better"));
        }
    }
    warnings
}

#[expect(clippy::cast_precision_loss, reason = "counts of sentences, far below 2^24")]
fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

#[cfg(test)]
#[path = "train_tests.rs"]
mod tests;
