//! What cross-validation shows of a training.

use std::collections::BTreeSet;

use crate::call::IntentName;
use crate::understanding::TrainingSet;

use super::calibration::{calibration_error, probabilities, top};
use super::head::Head;
use super::model::{Fusion, Raw};
use super::report::{Confusion, IntentReport, TrainingReport};

/// What the folds' models said of the sentences that they had not seen.
pub(super) struct Judged {
    pub(super) clean: Vec<Verdict>,
    /// The same sentences with a slip each; empty for a large set.
    pub(super) noisy: Vec<Verdict>,
    pub(super) intents: usize,
    /// Indices of sentences of which a recogniser heard nothing: their slips do not count as understood.
    pub(super) unheard: BTreeSet<usize>,
}

/// One sentence's.
pub(super) struct Verdict {
    /// Index in the set.
    pub(super) index: usize,
    /// Its class; the number of intents for a negative.
    pub(super) label: usize,
    pub(super) raw: Raw,
}

impl Judged {
    /// Sentences of intents, the clean ones first.
    pub(super) fn in_scope(&self) -> impl Iterator<Item = &Verdict> {
        self.clean_in_scope().chain(self.noisy.iter().filter(|v| v.label < self.intents))
    }

    /// Sentences of intents as they are.
    pub(super) fn clean_in_scope(&self) -> impl Iterator<Item = &Verdict> {
        self.clean.iter().filter(|v| v.label < self.intents)
    }

    /// The negatives, the clean ones first.
    pub(super) fn outside(&self) -> impl Iterator<Item = &Verdict> {
        self.clean.iter().chain(&self.noisy).filter(|v| v.label >= self.intents)
    }
}

/// The views' logits as they are.
const PLAIN: Fusion = Fusion { dense: 1.0, grams: 1.0 };

/// What cross-validation showed.
pub(super) fn report(set: &TrainingSet, head: &Head, judged: &Judged, folds: usize) -> TrainingReport {
    let is_inside = |v: &&Verdict| v.label < judged.intents;
    let at = |all: &[&Verdict], fusion: Fusion| -> Vec<Vec<f32>> {
        all.iter().map(|v| probabilities(&v.raw.logits(fusion))).collect()
    };
    let inside: Vec<&Verdict> = judged.clean_in_scope().collect();
    let labels: Vec<usize> = inside.iter().map(|v| v.label).collect();
    let labels = labels.as_slice();
    let calibrated = at(&inside, head.fusion);
    let best = |rows: &[Vec<f32>]| -> Vec<(usize, f32)> { rows.iter().map(|p| top(p)).collect() };
    let right =
        |taken: &[(usize, f32)]| taken.iter().zip(labels).filter(|((t, _), label)| t == *label).count();
    let taken = best(&calibrated);
    let noisy: Vec<&Verdict> = judged.noisy.iter().filter(is_inside).collect();
    let misheard = best(&at(&noisy, head.fusion));
    let understood = misheard
        .iter()
        .zip(&noisy)
        .filter(|((taken, _), v)| *taken == v.label && !judged.unheard.contains(&v.index))
        .count();
    let is_out = |v: &Verdict| head.gate.out_of_scope(&v.raw.signals(head.fusion, None)) > 0.5;
    let kept = inside.iter().filter(|v| !is_out(v)).count();
    let outside: Vec<&Verdict> = judged.clean.iter().filter(|v| !is_inside(v)).collect();
    let caught = outside.iter().filter(|v| is_out(v)).count();
    TrainingReport {
        fingerprint: head.meta.fingerprint.clone(),
        seed: head.meta.seed,
        encoder: head.needs_encoder(),
        tuned: head.meta.tuned,
        sentences: set.sentences().len(),
        negatives: set.negatives().len(),
        judged: judged.clean.len(),
        folds,
        accuracy: share(right(&taken), inside.len()),
        accuracy_misheard: (!misheard.is_empty()).then(|| share(understood, noisy.len())),
        through_speech: false,
        unheard: judged.unheard.len(),
        intents: by_intent(set.intents(), labels, &taken),
        confusions: confusions(set, &inside, &taken),
        view_weights: (head.fusion.dense, head.fusion.grams),
        gate_weights: head.gate.weights().to_vec(),
        calibration_error: (
            calibration_error(&at(&inside, PLAIN), labels),
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

fn confusions(set: &TrainingSet, inside: &[&Verdict], taken: &[(usize, f32)]) -> Vec<Confusion> {
    let mut found: Vec<Confusion> = inside
        .iter()
        .zip(taken)
        .filter(|(verdict, (best, _))| verdict.label != *best)
        .map(|(verdict, (best, probability))| Confusion {
            sentence: set.sentences()[verdict.index].0.clone(),
            intent: set.intents()[verdict.label].clone(),
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
