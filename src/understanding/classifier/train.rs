//! Training: cross-validation for what the scores are worth, then one fit on everything.

use candle_core::{Device, Tensor};

use crate::call::{IntentName, Interpretation};
use crate::understanding::TrainingSet;

use super::ClassifierError;
use super::calibration::{Gate, Signals, calibration_error, probabilities, temperature, top};
use super::encoder::Encoder;
use super::features::{Features, features, reference, rows};
use super::file::FORMAT;
use super::fit::Problem;
use super::head::{Examples, Head, HeadMeta, Model, Raw, ranked};
use super::noise::{Random, misheard};
use super::report::{Confusion, IntentReport, TrainingReport};

/// Folds of the cross-validation; every intent has at least that many sentences
/// ([`crate::understanding::MIN_EXAMPLES`]).
const FOLDS: usize = 5;
/// Penalty on the squared weights. Measured on the demo's files: 0.002 and 0.004 find 0.3 and 1.0 points
/// fewer intents, 0.0005 as many.
const DECAY: f64 = 1e-3;
/// What a copy with a slip counts beside the sentence itself. Measured on the demo's files: without it
/// 1.3 points fewer misheard sentences are found, with 1.0 as many, but fewer clean ones.
const COPY: f32 = 0.5;

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

/// How to train.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrainingOptions {
    /// Of the folds and of the slips.
    pub seed: u64,
}

/// What a training gives.
pub struct Trained {
    /// The head.
    pub head: Head,
    /// What cross-validation showed.
    pub report: TrainingReport,
    /// Every sentence as a head saw it that had not been trained on it: the intents' sentences in the
    /// order of the set, then the negatives.
    pub held_out: Vec<HeldOut>,
}

/// A sentence of the training set as judged by a head that had not been trained on it.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// The sentence, as the classifier sees it.
    pub sentence: String,
    /// Its intent in the files; `None` for one out of scope.
    pub intent: Option<IntentName>,
    /// What it was taken for, with calibrated probabilities.
    pub interpretation: Interpretation,
}

/// Trains a head. The same set, encoder and options give the same bits on one machine. Without an encoder
/// the n-grams serve alone, and the report warns.
///
/// # Errors
/// Only for faults of the engine.
pub fn train(
    set: &TrainingSet,
    encoder: Option<&Encoder>,
    options: &TrainingOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Trained, ClassifierError> {
    let seed = options.seed;
    let data = Data::new(set, encoder, seed, progress)?;
    let folds = folds(&data.labels, seed);
    let mut clean: Vec<Option<Raw>> = vec![None; data.labels.len()];
    let mut noisy = clean.clone();
    for fold in 0..FOLDS {
        progress(Progress::Fitting { done: fold, total: FOLDS + 1 });
        let (seen, held): (Vec<usize>, Vec<usize>) = (0..folds.len()).partition(|&i| folds[i] != fold);
        let model = data.fit(&seen)?;
        for (into, features) in [(&mut clean, &data.clean), (&mut noisy, &data.noisy)] {
            let sentences: Vec<&Features> = held.iter().map(|&i| &features[i]).collect();
            for (i, said) in held.iter().zip(model.raw(&sentences, data.width, data.intents)?) {
                into[*i] = Some(said);
            }
        }
    }
    progress(Progress::Fitting { done: FOLDS, total: FOLDS + 1 });
    let model = data.fit(&(0..data.labels.len()).collect::<Vec<_>>())?;
    progress(Progress::Fitting { done: FOLDS + 1, total: FOLDS + 1 });

    let complete = |raw: Vec<Option<Raw>>| -> Vec<Raw> {
        raw.into_iter().map(|r| r.expect("every sentence is held out once")).collect()
    };
    let judged = Judged { clean: complete(clean), noisy: complete(noisy), inside: set.sentences().len() };
    let labels = &data.labels[..judged.inside];
    // Both copies: the probabilities and the gate meet what a recogniser writes.
    let logits: Vec<Vec<f32>> = judged.in_scope().map(|r| r.logits.clone()).collect();
    let temperature = temperature(&logits, &[labels, labels].concat());
    let inside: Vec<Signals> = judged.in_scope().map(|r| r.signals).collect();
    let outside: Vec<Signals> = judged.out_of_scope().map(|r| r.signals).collect();
    let gate = Gate::fit(&inside, &inside[..judged.inside], &outside);
    let meta = HeadMeta {
        format: FORMAT,
        trained_by: env!("CARGO_PKG_VERSION").to_owned(),
        fingerprint: set.fingerprint(),
        seed,
        encoder_sha256: encoder.map(|e| e.sha256().to_owned()),
        width: data.width,
        intents: set.intents().to_vec(),
    };
    let examples = examples(set);
    let head = Head { meta, model, temperature, gate, examples };
    let report = report(set, &head, &judged, labels);
    let held_out = judged.clean.iter().enumerate().map(|(i, raw)| head.held_out(i, raw)).collect();
    Ok(Trained { head, report, held_out })
}

fn examples(set: &TrainingSet) -> Examples {
    let inside = set.sentences().iter().map(|(text, intent)| (text.clone(), *intent));
    let outside = set.negatives().iter().map(|text| (text.clone(), set.intents().len()));
    let (sentences, labels) = inside.chain(outside).unzip();
    Examples { sentences, labels }
}

impl Head {
    /// The example of this index with what a fold's model said of it.
    fn held_out(&self, index: usize, raw: &Raw) -> HeldOut {
        let probabilities = probabilities(&raw.logits, self.temperature);
        HeldOut {
            sentence: self.examples.sentences[index].clone(),
            intent: self.meta.intents.get(self.examples.labels[index]).cloned(),
            interpretation: ranked(&self.meta.intents, probabilities, self.gate.out_of_scope(&raw.signals)),
        }
    }
}

/// What the folds' models said of the sentences that they had not seen.
struct Judged {
    clean: Vec<Raw>,
    noisy: Vec<Raw>,
    /// How many of them, the first ones, have an intent.
    inside: usize,
}

impl Judged {
    fn in_scope(&self) -> impl Iterator<Item = &Raw> {
        self.clean[..self.inside].iter().chain(&self.noisy[..self.inside])
    }

    fn out_of_scope(&self) -> impl Iterator<Item = &Raw> {
        self.clean[self.inside..].iter().chain(&self.noisy[self.inside..])
    }
}

/// The sentences, ready to fit. Negatives come last and have a class of their own.
struct Data {
    clean: Vec<Features>,
    /// The same sentences with a slip each.
    noisy: Vec<Features>,
    labels: Vec<usize>,
    /// All rows, the clean ones first: `[2 * sentences, row_length]`.
    rows: Tensor,
    width: usize,
    intents: usize,
}

impl Data {
    fn new(
        set: &TrainingSet,
        encoder: Option<&Encoder>,
        seed: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Data, ClassifierError> {
        let inside = set.sentences().iter().map(|(text, _)| text.as_str());
        let texts: Vec<&str> = inside.chain(set.negatives().iter().map(String::as_str)).collect();
        let mut random = Random(seed);
        let slips: Vec<String> = texts.iter().map(|t| misheard(t, &mut random)).collect();
        let both: Vec<&str> = texts.iter().copied().chain(slips.iter().map(String::as_str)).collect();
        let total = both.len();
        let mut clean = features(&both, encoder, &mut |done| progress(Progress::Encoding { done, total }))?;
        let width = encoder.map_or(0, Encoder::width);
        let rows = rows(&clean.iter().collect::<Vec<_>>(), width)?;
        let noisy = clean.split_off(texts.len());
        let intents = set.intents().len();
        let labels = set.sentences().iter().map(|(_, i)| *i);
        let labels: Vec<usize> = labels.chain(set.negatives().iter().map(|_| intents)).collect();
        Ok(Data { clean, noisy, labels, rows, width, intents })
    }

    /// Fits a model to the sentences of these indices, as they are and with their slips.
    fn fit(&self, chosen: &[usize]) -> Result<Model, ClassifierError> {
        let both: Vec<usize> =
            chosen.iter().copied().chain(chosen.iter().map(|i| i + self.labels.len())).collect();
        let count = self.labels.len();
        let worth = |i: usize| if i < count { 1.0 } else { COPY };
        let labels: Vec<(usize, f32)> = both.iter().map(|&i| (self.labels[i % count], worth(i))).collect();
        let classes = labels.iter().map(|(label, _)| label + 1).max().unwrap_or(0).max(self.intents);
        let index: Vec<u32> = both.iter().map(|&i| u32::try_from(i).expect("few sentences")).collect();
        let chosen_rows = Tensor::from_vec(index, both.len(), &Device::Cpu)?;
        let rows = self.rows.index_select(&chosen_rows, 0)?;
        let linear = Problem::new(rows, &labels, classes, DECAY)?.solve()?;
        let (inside, outside): (Vec<usize>, Vec<usize>) =
            chosen.iter().partition(|&&i| self.labels[i] < self.intents);
        let negatives = if outside.is_empty() { None } else { Some(self.references(&outside)?) };
        Ok(Model { linear, examples: self.references(&inside)?, negatives })
    }

    fn references(&self, chosen: &[usize]) -> Result<Tensor, ClassifierError> {
        let vectors: Vec<f32> = chosen.iter().flat_map(|&i| reference(&self.clean[i])).collect();
        let shape = (chosen.len(), vectors.len() / chosen.len().max(1));
        Ok(Tensor::from_vec(vectors, shape, &Device::Cpu)?)
    }
}

/// A fold for each sentence: within every class they are shuffled and dealt in turn.
fn folds(labels: &[usize], seed: u64) -> Vec<usize> {
    let mut random = Random(seed);
    let mut order: Vec<(usize, u64, usize)> =
        labels.iter().enumerate().map(|(i, &label)| (label, random.next(), i)).collect();
    order.sort_unstable();
    let mut folds = vec![0; labels.len()];
    for (turn, (_, _, i)) in order.into_iter().enumerate() {
        folds[i] = turn % FOLDS;
    }
    folds
}

fn report(set: &TrainingSet, head: &Head, judged: &Judged, labels: &[usize]) -> TrainingReport {
    let (inside, outside) = judged.clean.split_at(judged.inside);
    let at =
        |raw: &[Raw], t: f32| -> Vec<Vec<f32>> { raw.iter().map(|r| probabilities(&r.logits, t)).collect() };
    let calibrated = at(inside, head.temperature);
    let best = |rows: &[Vec<f32>]| -> Vec<(usize, f32)> { rows.iter().map(|p| top(p)).collect() };
    let right =
        |taken: &[(usize, f32)]| taken.iter().zip(labels).filter(|((t, _), label)| t == *label).count();
    let taken = best(&calibrated);
    let misheard = best(&at(&judged.noisy[..judged.inside], head.temperature));
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
        accuracy: share(right(&taken), inside.len()),
        accuracy_misheard: share(right(&misheard), inside.len()),
        intents: by_intent(set.intents(), labels, &taken),
        confusions: confusions(set, labels, &taken),
        temperature: head.temperature,
        calibration_error: (
            calibration_error(&at(inside, 1.0), labels),
            calibration_error(&calibrated, labels),
        ),
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
