//! Training: cross-validation for what the scores are worth, then one fit on everything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::call::{IntentName, Interpretation};
use crate::understanding::{TrainingSet, mask_numbers};

use super::ClassifierError;
use super::assess::{Judged, Verdict, report};
use super::calibration::{Gate, Signals, fusion, probabilities};
use super::embeddings::Embeddings;
use super::encoder::Encoder;
use super::features::{Features, features, with_ngrams};
use super::file::FORMAT;
use super::fit::{Linear, Problem, Rows};
use super::head::{Head, HeadMeta, Sentences, ranked};
use super::model::{Examples, Fusion, Model, Raw};
use super::ngrams::Vocabulary;
use super::noise::{Random, misheard};
use super::report::TrainingReport;
use super::tune::{self, Lesson, Tuned};

/// Folds of the cross-validation; every intent has at least that many sentences
/// ([`crate::understanding::MIN_EXAMPLES`]).
const FOLDS: usize = 5;
/// Folds of a set with [`LARGE`] sentences, and how many of them are held out: a model of nine tenths of the
/// sentences is nearly the last one, and three tenths of so many are enough to judge by. With three folds of a
/// third each the gate was set for poorer models than the last, and let too much pass.
const LARGE_FOLDS: (usize, usize) = (10, 3);
/// Folds of a large set that is fine-tuned; one of them is held out.
const MANY_FOLDS: usize = 20;
/// Sentences from which [`LARGE_FOLDS`] do, and from which no slips are added: thousands of sentences have
/// variety enough.
const LARGE: usize = 5000;
/// What an error costs beside half the squared weights, for the encoder's view and that of the n-grams.
/// Measured on public sets' held-out parts.
const COST: (f64, f64) = (10.0, 10.0);
/// What a copy with a slip counts beside the sentence itself. Measured on the demo's files: without it
/// 1.3 points fewer misheard sentences are found, with 1.0 as many, but fewer clean ones.
const COPY: f32 = 0.5;

/// How far a training has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Sentences encoded, of those that are new.
    Encoding {
        /// So far.
        done: usize,
        /// In all.
        total: usize,
    },
    /// Steps of fine-tuning; it begins anew with each fold.
    Tuning {
        /// So far.
        done: usize,
        /// In all, unless it ends early.
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
    /// Folder where sentences' vectors are kept from one training to the next; `None` for nowhere.
    pub cache: Option<PathBuf>,
    /// Whether the encoder is trained too: minutes to hours instead of seconds.
    pub fine_tune: bool,
    /// What a recogniser made of the sentences, by sentence as the classifier sees it; empty where it heard
    /// nothing. It takes the place of made-up slips, and the report's accuracy for misheard sentences is then
    /// that for these.
    pub heard: BTreeMap<String, String>,
}

/// What a training gives.
pub struct Trained {
    /// The head.
    pub head: Head,
    /// What cross-validation showed.
    pub report: TrainingReport,
    /// Sentences as a head saw them that had not been trained on them: the intents' sentences in the
    /// order of the set, then the negatives. Of a large set a part, for time.
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
/// Faults of the engine, and a cache that cannot be written.
pub fn train(
    set: &TrainingSet,
    encoder: Option<&Encoder>,
    options: &TrainingOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Trained, ClassifierError> {
    let data = Data::new(set, encoder, options, progress)?;
    let (Validated { judged, kept }, passes) = data.cross_validate(options.seed, progress)?;
    let (model, tuned) = match kept {
        // A large set's model is the one that was validated: a second tuning would take as long again.
        Some((model, tuned)) => (model, Some(tuned)),
        None => data.fit(&(0..data.labels.len()).collect::<Vec<_>>(), &[], passes, options.seed, progress)?,
    };
    progress(Progress::Fitting { done: data.plan().runs + 1, total: data.plan().runs + 1 });

    // Both copies: the probabilities and the gate meet what a recogniser writes.
    let labels: Vec<usize> = judged.in_scope().map(|v| v.label).collect();
    let views: Vec<(&[f32], &[f32])> = judged.in_scope().map(|v| v.raw.views()).collect();
    let fusion = fusion(&views, &labels);
    let gate = gate(&judged, fusion);
    let meta = HeadMeta {
        format: FORMAT,
        trained_by: env!("CARGO_PKG_VERSION").to_owned(),
        fingerprint: set.fingerprint(),
        seed: options.seed,
        encoder_sha256: encoder.map(|e| e.sha256().to_owned()),
        tuned: tuned.is_some(),
        width: data.width,
        intents: set.intents().to_vec(),
    };
    let examples = sentences(set);
    let tuned = tuned.map(|t| t.weights);
    let head = Head { meta, model, tuned, fusion, gate, examples };
    let mut report = report(set, &head, &judged, data.plan().folds);
    report.through_speech = !options.heard.is_empty();
    let held_out = judged.clean.iter().map(|v| head.held_out(v.index, &v.raw)).collect();
    Ok(Trained { head, report, held_out })
}

/// The gate between the sentences in scope, as they are and misheard, and those out of scope: the files'
/// negatives, and sentences whose own intent is left out of the account.
fn gate(judged: &Judged, fusion: Fusion) -> Gate {
    let of = |verdict: &Verdict| verdict.raw.signals(fusion, None);
    let inside: Vec<Signals> = judged.in_scope().map(of).collect();
    let clean: Vec<Signals> = judged.clean_in_scope().map(of).collect();
    let negatives: Vec<Signals> = judged.outside().map(of).collect();
    let without_own = |verdict: &Verdict| verdict.raw.signals(fusion, Some(verdict.label));
    let hidden: Vec<Signals> = judged.clean_in_scope().map(without_own).collect();
    Gate::fit(&inside, &clean, &negatives, &hidden)
}

fn sentences(set: &TrainingSet) -> Sentences {
    let inside = set.sentences().iter().map(|(text, intent)| (text.clone(), *intent));
    let outside = set.negatives().iter().map(|text| (text.clone(), set.intents().len()));
    let (sentences, labels) = inside.chain(outside).unzip();
    Sentences { sentences, labels }
}

impl Head {
    /// The example of this index with what a fold's model said of it.
    fn held_out(&self, index: usize, raw: &Raw) -> HeldOut {
        let probabilities = probabilities(&raw.logits(self.fusion));
        let out_of_scope = self.gate.out_of_scope(&raw.signals(self.fusion, None));
        HeldOut {
            sentence: self.examples.sentences[index].clone(),
            intent: self.meta.intents.get(self.examples.labels[index]).cloned(),
            interpretation: ranked(&self.meta.intents, probabilities, out_of_scope),
        }
    }
}

/// How a set is cross-validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    folds: usize,
    /// Folds that are really held out: all, unless there are sentences enough without.
    runs: usize,
}

/// What cross-validation gives.
struct Validated {
    judged: Judged,
    /// The only model of a plan of one run.
    kept: Option<(Model, Tuned)>,
}

/// The sentences, ready to fit. Negatives come last and have a class of their own.
struct Data<'a> {
    texts: Vec<&'a str>,
    clean: Vec<Features>,
    /// The same sentences with a slip each; empty for a large set.
    noisy: Vec<Features>,
    slips: Vec<String>,
    labels: Vec<usize>,
    width: usize,
    intents: usize,
    /// Sentences of which a recogniser heard nothing.
    unheard: BTreeSet<usize>,
    /// The encoder to be tuned, where it is.
    tune: Option<&'a Encoder>,
}

impl<'a> Data<'a> {
    fn new(
        set: &'a TrainingSet,
        encoder: Option<&'a Encoder>,
        options: &TrainingOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Data<'a>, ClassifierError> {
        let inside = set.sentences().iter().map(|(text, _)| text.as_str());
        let texts: Vec<&str> = inside.chain(set.negatives().iter().map(String::as_str)).collect();
        let mut random = Random(options.seed);
        let slips: Vec<String> = match texts.len() {
            LARGE.. => Vec::new(),
            _ => texts.iter().map(|t| misheard(t, &mut random)).collect(),
        };
        let (slips, unheard) = with_heard(&texts, slips, &options.heard);
        let both: Vec<&str> = texts.iter().copied().chain(slips.iter().map(String::as_str)).collect();
        let mut encoding = |done, total| progress(Progress::Encoding { done, total });
        let mut clean = match (encoder, &options.cache) {
            (Some(encoder), Some(folder)) => {
                let mut cache = Embeddings::open(folder, encoder);
                let embeddings = cache.embed(&both, encoder, &mut encoding)?;
                cache.save()?;
                with_ngrams(embeddings, &both)
            }
            _ => features(&both, encoder, &mut |done| encoding(done, both.len()))?,
        };
        let noisy = clean.split_off(texts.len());
        let intents = set.intents().len();
        let labels = set.sentences().iter().map(|(_, i)| *i);
        let labels: Vec<usize> = labels.chain(set.negatives().iter().map(|_| intents)).collect();
        let width = encoder.map_or(0, Encoder::width);
        let tune = encoder.filter(|_| options.fine_tune);
        Ok(Data { texts, clean, noisy, slips, labels, width, intents, unheard, tune })
    }

    fn plan(&self) -> Plan {
        match (self.labels.len() < LARGE, self.tune.is_some()) {
            (true, _) => Plan { folds: FOLDS, runs: FOLDS },
            (false, false) => Plan { folds: LARGE_FOLDS.0, runs: LARGE_FOLDS.1 },
            (false, true) => Plan { folds: MANY_FOLDS, runs: 1 },
        }
    }

    /// Sentences as models see them that were fitted to the other folds, and how many passes of fine-tuning
    /// served best.
    fn cross_validate(
        &self,
        seed: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Validated, usize), ClassifierError> {
        let plan = self.plan();
        let folds = folds(&self.labels, plan.folds, seed);
        let (intents, unheard) = (self.intents, self.unheard.clone());
        let mut judged = Judged { clean: Vec::new(), noisy: Vec::new(), intents, unheard };
        let (mut passes, mut kept) = (Vec::new(), None);
        for fold in 0..plan.runs {
            progress(Progress::Fitting { done: fold, total: plan.runs + 1 });
            let (seen, held): (Vec<usize>, Vec<usize>) = (0..folds.len()).partition(|&i| folds[i] != fold);
            let (model, tuned) = self.fit(&seen, &held, tune::passes(seen.len()), seed, progress)?;
            let own: Vec<usize> = held.iter().map(|&i| self.labels[i]).collect();
            let encoder = match (&tuned, self.tune) {
                (Some(tuned), Some(encoder)) => Some(encoder.tuned(&tuned.weights)?),
                _ => None,
            };
            for noisy in [false, true] {
                let sentences = self.seen_by(encoder.as_ref(), &held, noisy)?;
                let said = model.raw(&sentences.iter().collect::<Vec<_>>(), &own);
                let into = if noisy { &mut judged.noisy } else { &mut judged.clean };
                let verdict = |(&index, raw)| Verdict { index, label: self.labels[index], raw };
                into.extend(held.iter().zip(said).map(verdict));
            }
            passes.extend(tuned.as_ref().map(|t| t.passes));
            kept = tuned.filter(|_| plan.runs == 1).map(|t| (model, t));
        }
        progress(Progress::Fitting { done: plan.runs, total: plan.runs + 1 });
        judged.clean.sort_by_key(|v| v.index);
        judged.noisy.sort_by_key(|v| v.index);
        passes.sort_unstable();
        let usual = passes.get(passes.len() / 2).copied().unwrap_or_default();
        Ok((Validated { judged, kept }, usual))
    }

    /// The features of these sentences, as they are or with their slips; by a tuned encoder where there is
    /// one.
    fn seen_by(
        &self,
        encoder: Option<&Encoder>,
        chosen: &[usize],
        noisy: bool,
    ) -> Result<Vec<Features>, ClassifierError> {
        let features = if noisy { &self.noisy } else { &self.clean };
        let mut found: Vec<Features> = chosen.iter().filter_map(|&i| features.get(i).cloned()).collect();
        if let Some(encoder) = encoder {
            let text = |i: usize| if noisy { self.slips[i].as_str() } else { self.texts[i] };
            let texts: Vec<&str> = chosen.iter().take(found.len()).map(|&i| text(i)).collect();
            for (features, embedding) in found.iter_mut().zip(encoder.embed(&texts, &mut |_| {})?) {
                features.embedding = embedding;
            }
        }
        Ok(found)
    }

    /// Fits a model to the sentences of these indices, as they are and with their slips. Where the encoder
    /// is tuned, `held` tells when to stop, at the latest after `passes`.
    fn fit(
        &self,
        chosen: &[usize],
        held: &[usize],
        passes: usize,
        seed: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Model, Option<Tuned>), ClassifierError> {
        let vocabulary = Vocabulary::of(chosen.iter().map(|&i| &self.clean[i].ngrams));
        let slips = chosen.iter().filter_map(|&i| self.noisy.get(i).map(|f| (f, (self.labels[i], COPY))));
        let clean = chosen.iter().map(|&i| (&self.clean[i], (self.labels[i], 1.0)));
        let (rows, labels): (Vec<&Features>, Vec<(usize, f32)>) = clean.chain(slips).unzip();
        let classes = labels.iter().map(|(label, _)| label + 1).max().unwrap_or(0).max(self.intents);

        let vectors: Vec<Vec<(u32, f32)>> = rows.iter().map(|f| vocabulary.vector(&f.ngrams)).collect();
        let sparse: Vec<&[(u32, f32)]> = vectors.iter().map(Vec::as_slice).collect();
        let length = vocabulary.len();
        let grams = Problem::new(Rows::Sparse(&sparse), length, &labels, classes, COST.1).solve();

        let own: Vec<usize> = chosen.iter().map(|&i| self.labels[i]).collect();
        let width = self.width;
        if width == 0 {
            let mut vectors = vectors;
            vectors.truncate(own.len());
            let examples = Examples::sparse(vectors, own);
            let model = Model { intents: self.intents, vocabulary, dense: None, grams, examples };
            return Ok((model, None));
        }
        let mut values: Vec<f32> = rows.iter().flat_map(|f| f.embedding.iter().copied()).collect();
        let rows = Rows::Dense { values: &values, width };
        let mut dense = Problem::new(rows, width, &labels, classes, COST.0).solve();
        let tuned = match self.tune {
            Some(encoder) => Some(self.tune(encoder, chosen, held, dense.clone(), passes, seed, progress)?),
            None => None,
        };
        if let (Some(tuned), Some(encoder)) = (&tuned, self.tune) {
            dense = tuned.map.clone();
            let seen = self.seen_by(Some(&encoder.tuned(&tuned.weights)?), chosen, false)?;
            values = seen.iter().flat_map(|f| f.embedding.iter().copied()).collect();
        }
        let examples = Examples::dense(&values[..own.len() * width], width, own, self.intents);
        Ok((Model { intents: self.intents, vocabulary, dense: Some(dense), grams, examples }, tuned))
    }

    #[expect(clippy::too_many_arguments, reason = "one caller, which has them all")]
    fn tune(
        &self,
        encoder: &Encoder,
        chosen: &[usize],
        held: &[usize],
        start: Linear,
        passes: usize,
        seed: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Tuned, ClassifierError> {
        let texts = |of: &[usize]| -> Vec<&str> { of.iter().map(|&i| self.texts[i]).collect() };
        let (sentences, held_texts) = (texts(chosen), texts(held));
        let labels: Vec<(usize, f32)> = chosen.iter().map(|&i| (self.labels[i], 1.0)).collect();
        let held_labels: Vec<usize> = held.iter().map(|&i| self.labels[i]).collect();
        let held = (held_texts.as_slice(), held_labels.as_slice());
        let lesson = Lesson { sentences: &sentences, labels: &labels, held, start, seed };
        tune::tune(encoder, &lesson, passes, &mut |step| {
            progress(Progress::Tuning { done: step.done, total: step.total });
        })
    }
}

/// The slips with what was heard in their place, and which sentences were not heard at all. Where anything was
/// heard, a sentence without a slip or without hearing is its own.
fn with_heard(
    texts: &[&str],
    slips: Vec<String>,
    heard: &BTreeMap<String, String>,
) -> (Vec<String>, BTreeSet<usize>) {
    if heard.is_empty() {
        return (slips, BTreeSet::new());
    }
    let mut unheard = BTreeSet::new();
    let of = |(i, text): (usize, &&str)| {
        let words = heard.get(*text).map(|h| mask_numbers(h));
        if words.as_ref().is_some_and(String::is_empty) {
            unheard.insert(i);
        }
        let slip = slips.get(i).cloned().unwrap_or_else(|| (*text).to_owned());
        words.filter(|w| !w.is_empty()).unwrap_or(slip)
    };
    (texts.iter().enumerate().map(of).collect(), unheard)
}

/// A fold for each sentence: within every class they are shuffled and dealt in turn.
fn folds(labels: &[usize], count: usize, seed: u64) -> Vec<usize> {
    let mut random = Random(seed);
    let mut order: Vec<(usize, u64, usize)> =
        labels.iter().enumerate().map(|(i, &label)| (label, random.next(), i)).collect();
    order.sort_unstable();
    let mut folds = vec![0; labels.len()];
    for (turn, (_, _, i)) in order.into_iter().enumerate() {
        folds[i] = turn % count;
    }
    folds
}

#[cfg(test)]
#[path = "train_tests.rs"]
mod tests;
