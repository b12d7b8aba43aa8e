//! How well intents are told apart: figures from sentences whose intent is known.
//!
//! Out of scope is a class like the others here: a sentence of no intent is right when the score of being
//! out of scope is one half or more, and a sentence of an intent is wrong then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::call::{IntentName, Interpretation, OUT_OF_SCOPE};

/// Bars of the calibration curve and of the histogram.
const BINS: usize = 10;

/// The score from which a sentence counts as out of scope: where the head's own gate lies.
const OUT_OF_SCOPE_FROM: f32 = 0.5;

/// A sentence, what it should have been, and what it was taken for.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The sentence.
    pub sentence: String,
    /// Its intent; `None` for one out of scope.
    pub expected: Option<IntentName>,
    /// What the classifier made of it.
    pub interpretation: Interpretation,
}

impl Judgement {
    /// The class that it was put into.
    fn predicted(&self) -> &str {
        match self.interpretation.ranked.first() {
            Some(best) if self.interpretation.out_of_scope < OUT_OF_SCOPE_FROM => best.intent.as_str(),
            Some(_) | None => OUT_OF_SCOPE,
        }
    }

    fn expected(&self) -> &str {
        self.expected.as_ref().map_or(OUT_OF_SCOPE, IntentName::as_str)
    }

    /// How sure the classifier was of the class that it chose, 0 to 1.
    fn confidence(&self) -> f32 {
        let out = self.interpretation.out_of_scope;
        match self.interpretation.ranked.first() {
            Some(best) if out < OUT_OF_SCOPE_FROM => best.probability,
            Some(_) | None => out,
        }
    }
}

/// All figures of one evaluation. Shares are 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Sentences.
    pub sentences: usize,
    /// Share of the sentences that came into their class, out of scope among the classes.
    pub accuracy: f64,
    /// Share of the sentences of an intent whose intent came first, whatever the score of being out of
    /// scope.
    pub intent_accuracy: f64,
    /// Mean of the classes' F1.
    pub macro_f1: f64,
    /// Mean distance of probability and accuracy over the bins, weighted by their sentences (expected
    /// calibration error; Guo et al., "On Calibration of Modern Neural Networks", 2017).
    pub calibration_error: f64,
    /// Share of the sentences of an intent that were not held for out of scope.
    pub in_scope_kept: Option<f64>,
    /// Share of the sentences out of scope that were found.
    pub out_of_scope_caught: Option<f64>,
    /// By class, in order of their names.
    pub classes: Vec<ClassFigures>,
    /// `confusion[expected][predicted]`, sentences, both in the order of `classes`.
    pub confusion: Vec<Vec<usize>>,
    /// The most probable intent's probability in steps of a tenth.
    pub calibration: Vec<Bin>,
    /// Wrong sentences, the most confident first.
    pub mistakes: Vec<Mistake>,
}

/// One class's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassFigures {
    /// The intent, or out of scope.
    pub name: String,
    /// Sentences of this class.
    pub sentences: usize,
    /// Share of what was put into the class that belongs there; 0 where nothing was.
    pub precision: f64,
    /// Share of its sentences that were put into it; 0 where it has none.
    pub recall: f64,
    /// Their harmonic mean; 0 where both are.
    pub f1: f64,
}

/// Sentences whose confidence lies in one tenth.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Of these the class was right.
    pub right: usize,
    /// Of these it was not.
    pub wrong: usize,
    /// Their mean confidence; 0 where there are none.
    pub confidence: f64,
}

/// A sentence in a wrong class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// The sentence.
    pub sentence: String,
    /// Where it belongs.
    pub expected: String,
    /// Where it was put.
    pub predicted: String,
    /// How surely.
    pub confidence: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of sentences")]
fn share(part: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

impl Evaluation {
    /// Adds the figures up. Classes are those that occur, expected or predicted.
    pub fn of(judged: &[Judgement]) -> Evaluation {
        let mut names: Vec<&str> = judged.iter().flat_map(|j| [j.expected(), j.predicted()]).collect();
        names.sort_unstable();
        names.dedup();
        let index: BTreeMap<&str, usize> = names.iter().enumerate().map(|(i, n)| (*n, i)).collect();
        let mut confusion = vec![vec![0usize; names.len()]; names.len()];
        for j in judged {
            confusion[index[j.expected()]][index[j.predicted()]] += 1;
        }
        let classes: Vec<ClassFigures> =
            names.iter().enumerate().map(|(i, name)| class(name, i, &confusion)).collect();
        let right = (0..names.len()).map(|i| confusion[i][i]).sum();
        #[expect(clippy::cast_precision_loss, reason = "a few classes")]
        let macro_f1 = classes.iter().map(|c| c.f1).sum::<f64>() / classes.len().max(1) as f64;
        let calibration = bins(judged);
        let (inside, outside): (Vec<&Judgement>, Vec<&Judgement>) =
            judged.iter().partition(|j| j.expected.is_some());
        let is_first =
            |j: &&&Judgement| j.interpretation.ranked.first().map(|r| &r.intent) == j.expected.as_ref();
        let kept = inside.iter().filter(|j| j.predicted() != OUT_OF_SCOPE).count();
        let caught = outside.iter().filter(|j| j.predicted() == OUT_OF_SCOPE).count();
        Evaluation {
            sentences: judged.len(),
            accuracy: share(right, judged.len()),
            intent_accuracy: share(inside.iter().filter(is_first).count(), inside.len()),
            macro_f1,
            calibration_error: calibration_error(&calibration, judged.len()),
            in_scope_kept: (!inside.is_empty()).then(|| share(kept, inside.len())),
            out_of_scope_caught: (!outside.is_empty()).then(|| share(caught, outside.len())),
            classes,
            confusion,
            calibration,
            mistakes: mistakes(judged),
        }
    }
}

fn class(name: &str, i: usize, confusion: &[Vec<usize>]) -> ClassFigures {
    let sentences = confusion[i].iter().sum();
    let taken: usize = confusion.iter().map(|row| row[i]).sum();
    let (precision, recall) = (share(confusion[i][i], taken), share(confusion[i][i], sentences));
    let sum = precision + recall;
    let f1 = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
    ClassFigures { name: name.to_owned(), sentences, precision, recall, f1 }
}

fn bins(judged: &[Judgement]) -> Vec<Bin> {
    let mut bins = vec![Bin::default(); BINS];
    for j in judged {
        let confidence = f64::from(j.confidence()).clamp(0.0, 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to BINS")]
        let at = ((confidence * BINS as f64) as usize).min(BINS - 1);
        let bin = &mut bins[at];
        bin.confidence += confidence;
        if j.expected() == j.predicted() {
            bin.right += 1;
        } else {
            bin.wrong += 1;
        }
    }
    for bin in &mut bins {
        #[expect(clippy::cast_precision_loss, reason = "counts of sentences")]
        let count = (bin.right + bin.wrong).max(1) as f64;
        bin.confidence /= count;
    }
    bins
}

fn calibration_error(bins: &[Bin], sentences: usize) -> f64 {
    let part = |bin: &Bin| {
        let count = bin.right + bin.wrong;
        share(count, sentences) * (share(bin.right, count) - bin.confidence).abs()
    };
    bins.iter().map(part).sum()
}

fn mistakes(judged: &[Judgement]) -> Vec<Mistake> {
    let wrong = judged.iter().filter(|j| j.expected() != j.predicted());
    let mut mistakes: Vec<Mistake> = wrong
        .map(|j| Mistake {
            sentence: j.sentence.clone(),
            expected: j.expected().to_owned(),
            predicted: j.predicted().to_owned(),
            confidence: f64::from(j.confidence()),
        })
        .collect();
    mistakes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::IntentScore;

    fn judged(expected: &str, scores: &[(&str, f32)], out_of_scope: f32) -> Judgement {
        let ranked = scores
            .iter()
            .map(|(n, p)| IntentScore { intent: n.parse().expect("a name"), probability: *p })
            .collect();
        Judgement {
            sentence: format!("a sentence of {expected}"),
            expected: expected.parse().ok().filter(|_| expected != OUT_OF_SCOPE),
            interpretation: Interpretation { ranked, out_of_scope },
        }
    }

    #[test]
    fn figures_by_hand() {
        let all = [
            judged("a", &[("a", 0.95), ("b", 0.05)], 0.1),
            judged("a", &[("b", 0.85), ("a", 0.15)], 0.1),
            judged("b", &[("b", 0.65), ("a", 0.35)], 0.1),
            judged("b", &[("b", 0.65), ("a", 0.35)], 0.75),
            judged(OUT_OF_SCOPE, &[("a", 0.5), ("b", 0.5)], 0.95),
        ];
        let e = Evaluation::of(&all);
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        near(e.accuracy, 3.0 / 5.0);
        near(e.intent_accuracy, 3.0 / 4.0);
        let names: Vec<&str> = e.classes.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["a", "b", OUT_OF_SCOPE]);
        assert_eq!(e.confusion, [vec![1, 1, 0], vec![0, 1, 1], vec![0, 0, 1]]);
        near(e.classes[0].f1, 2.0 / 3.0);
        near(e.classes[1].precision, 0.5);
        near(e.macro_f1, (2.0 / 3.0 + 0.5 + 2.0 / 3.0) / 3.0);
        near(e.in_scope_kept.expect("some"), 0.75);
        near(e.out_of_scope_caught.expect("one"), 1.0);
        assert_eq!((e.calibration[9].right, e.calibration[8].wrong, e.calibration[7].wrong), (2, 1, 1));
        // Two right at 0.95, one wrong at 0.85, one right at 0.65, one wrong at 0.75.
        near(e.calibration_error, (0.1 + 0.85 + 0.35 + 0.75) / 5.0);
        let first = &e.mistakes[0];
        assert_eq!((first.expected.as_str(), first.predicted.as_str(), e.mistakes.len()), ("a", "b", 2));
    }

    #[test]
    fn nothing_is_no_fault() {
        let e = Evaluation::of(&[]);
        assert_eq!((e.sentences, e.accuracy, e.in_scope_kept), (0, 0.0, None));
    }
}
