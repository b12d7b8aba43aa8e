//! What a training has shown, for people and for programs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::IntentName;

/// What cross-validation showed, and what was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// Fingerprint of the training set.
    pub fingerprint: String,
    /// Of the folds.
    pub seed: u64,
    /// Whether a sentence encoder served; else the n-grams alone.
    pub encoder: bool,
    /// Whether the encoder was tuned.
    #[serde(default)]
    pub tuned: bool,
    /// Sentences with an intent.
    pub sentences: usize,
    /// Sentences out of scope.
    pub negatives: usize,
    /// Sentences that were held out in some fold: all, unless fine-tuning made that too long.
    pub judged: usize,
    /// Folds of the cross-validation.
    pub folds: usize,
    /// Share of the sentences whose intent was found by a head that had not seen them, 0 to 1.
    pub accuracy: f32,
    /// The same for the sentences with one slip each, as a recogniser makes them, 0 to 1; `None` for a
    /// large set, which is trained without slips.
    pub accuracy_misheard: Option<f32>,
    /// Whether the slips are what the line's own ear made of the sentences.
    #[serde(default)]
    pub through_speech: bool,
    /// Sentences of which it heard nothing; they count as not understood.
    #[serde(default)]
    pub unheard: usize,
    /// The same, intent by intent.
    pub intents: Vec<IntentReport>,
    /// Sentences that were taken for another intent, most confident first.
    pub confusions: Vec<Confusion>,
    /// What the logits of the encoder's view and of the n-grams' are multiplied with before they are added:
    /// fitted, so that the probabilities are true.
    pub view_weights: (f32, f32),
    /// What the signs of being out of scope weigh, in the order of [`SIGNALS`].
    pub gate_weights: Vec<f32>,
    /// Mean distance between probability and accuracy, before those weights and after, 0 to 1.
    pub calibration_error: (f32, f32),
    /// Share of the sentences with an intent that were not held for out of scope, 0 to 1.
    pub in_scope_kept: f32,
    /// Share of the negatives that were held for out of scope; `None` without negatives.
    pub out_of_scope_caught: Option<f32>,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// The signs of being out of scope, for readers of [`TrainingReport::gate_weights`].
pub const SIGNALS: [&str; super::calibration::SIGNALS] = [
    "weak logits",
    "no leading intent",
    "weak n-grams",
    "far from the examples",
    "far from every intent's centre",
    "unknown words",
    "like the negatives, by the logits",
    "like the negatives, by the examples",
];

/// How one intent came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntentReport {
    /// The intent.
    pub intent: IntentName,
    /// Its sentences.
    pub sentences: usize,
    /// Share of them that were found, 0 to 1.
    pub recall: f32,
    /// Share of what was taken for it that was it, 0 to 1.
    pub precision: f32,
}

/// A sentence taken for another intent than its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// The sentence, from the training files.
    pub sentence: String,
    /// Its intent there.
    pub intent: IntentName,
    /// What it was taken for.
    pub taken_for: IntentName,
    /// How surely, 0 to 1.
    pub probability: f32,
}

/// Confusions that the text shows; the data holds all.
const SHOWN: usize = 15;

impl fmt::Display for TrainingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = match (self.encoder, self.tuned) {
            (true, true) => "tuned sentence encoder and n-grams",
            (true, false) => "sentence encoder and n-grams",
            (false, _) => "n-grams alone",
        };
        writeln!(
            f,
            "{} sentences, {} out of scope, {with}, seed {}",
            self.sentences, self.negatives, self.seed
        )?;
        write!(
            f,
            "accuracy {:.1} % ({} sentences held out, {} folds)",
            self.accuracy * 100.0,
            self.judged,
            self.folds
        )?;
        match self.accuracy_misheard {
            Some(heard) if self.through_speech => {
                writeln!(f, ", from audio {:.1} % ({} not heard)", heard * 100.0, self.unheard)?;
            }
            Some(misheard) => writeln!(f, ", misheard {:.1} %", misheard * 100.0)?,
            None => writeln!(f)?,
        }
        let (before, after) = self.calibration_error;
        let (encoder, ngrams) = self.view_weights;
        writeln!(
            f,
            "calibration error {before:.3}, with the encoder's logits times {encoder:.2} and the n-grams' times {ngrams:.2}: {after:.3}"
        )?;
        write!(f, "in scope kept {:.1} %", self.in_scope_kept * 100.0)?;
        match self.out_of_scope_caught {
            Some(caught) => writeln!(f, ", out of scope caught {:.1} %", caught * 100.0)?,
            None => writeln!(f)?,
        }
        let signs: Vec<String> = SIGNALS
            .iter()
            .zip(&self.gate_weights)
            .filter(|(_, weight)| **weight > 0.0)
            .map(|(sign, weight)| format!("{sign} {weight:.2}"))
            .collect();
        writeln!(f, "out of scope is judged by: {}", signs.join(", "))?;
        writeln!(f, "\n{:<24} {:>9} {:>7} {:>9}", "intent", "sentences", "recall", "precision")?;
        for i in &self.intents {
            let (recall, precision) = (i.recall * 100.0, i.precision * 100.0);
            writeln!(f, "{:<24} {:>9} {recall:>6.1}% {precision:>8.1}%", i.intent.to_string(), i.sentences)?;
        }
        if !self.confusions.is_empty() {
            writeln!(f, "\ntaken for another intent ({}):", self.confusions.len())?;
        }
        for c in self.confusions.iter().take(SHOWN) {
            writeln!(f, "  '{}': {} taken for {} ({:.2})", c.sentence, c.intent, c.taken_for, c.probability)?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}
