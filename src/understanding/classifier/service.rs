//! The classifier that the line uses: encoder and head, all hypotheses of an utterance together. A newly
//! trained head takes the old one's place between two sentences.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::call::{Hypothesis, IntentName, Interpretation};
use crate::understanding::mask_numbers;

use super::batcher::Batcher;
use super::encoder::Encoder;
use super::features::{features, with_ngrams};
use super::head::{Head, Neighbour, Scored, ranked};
use super::{Classifier, ClassifierError};

/// Hypotheses that are looked at: what stands further down has next to no weight.
const MAX_HYPOTHESES: usize = 5;
/// Sentences whose scores are kept. Callers say the same few things; a score is under 100 bytes.
const CACHED: usize = 512;

/// What the classifier makes of one sentence, and what it is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The sentence as the classifier sees it: normalised, long numbers masked.
    pub sentence: String,
    /// The intents with calibrated probabilities, and the score of being out of scope.
    pub interpretation: Interpretation,
    /// The training examples most like it, the most like first.
    pub nearest: Vec<Neighbour>,
}

/// A head with its encoder. Shared by all calls; the encoder runs on a thread of its own.
pub struct IntentClassifier {
    /// As it was loaded, for heads to come.
    encoder: Option<Arc<Encoder>>,
    /// Whoever has begun with one goes on with it when another takes its place.
    state: RwLock<Arc<State>>,
}

/// A head, the encoder as the head tuned it, and what they have said.
struct State {
    head: Head,
    encoder: Option<Arc<Encoder>>,
    thread: Option<Arc<Batcher>>,
    cache: Mutex<Cache>,
}

impl State {
    /// `known` is the thread of the state before, which serves every head that has not tuned the encoder.
    fn new(
        head: Head,
        encoder: Option<&Arc<Encoder>>,
        known: Option<&Arc<Batcher>>,
    ) -> Result<State, ClassifierError> {
        if head.meta.encoder_sha256.as_deref() != encoder.map(|e| e.sha256()) {
            return Err(ClassifierError::Stale {
                path: "memory".to_owned(),
                why: "it was not trained with this sentence encoder".to_owned(),
            });
        }
        let (encoder, known) = match (encoder, &head.tuned) {
            (Some(encoder), Some(weights)) => (Some(Arc::new(encoder.tuned(weights)?)), None),
            (encoder, _) => (encoder.map(Arc::clone), known),
        };
        let thread = match (&encoder, known) {
            (Some(_), Some(known)) => Some(Arc::clone(known)),
            (Some(encoder), None) => {
                let encoder = Arc::clone(encoder);
                let encode = move |sentences: &[&str]| encoder.embed(sentences, &mut |_| {});
                Some(Arc::new(Batcher::new(Box::new(encode))?))
            }
            (None, _) => None,
        };
        Ok(State { head, encoder, thread, cache: Mutex::new(Cache::default()) })
    }
}

impl IntentClassifier {
    /// A classifier of a head and the encoder that it was trained with.
    ///
    /// # Errors
    /// [`ClassifierError::Stale`] where the head was trained with another encoder or needs one.
    pub fn new(head: Head, encoder: Option<Encoder>) -> Result<IntentClassifier, ClassifierError> {
        let encoder = encoder.map(Arc::new);
        let state = State::new(head, encoder.as_ref(), None)?;
        Ok(IntentClassifier { encoder, state: RwLock::new(Arc::new(state)) })
    }

    /// Puts another head in the place of the one in use. What is being classified is finished with the old
    /// one.
    ///
    /// # Errors
    /// [`ClassifierError::Stale`] where the head tells other intents apart, which only a line that is opened
    /// anew can answer, or was trained with another encoder. The old one then stays.
    pub fn swap(&self, head: Head) -> Result<(), ClassifierError> {
        let before = self.state();
        if head.intents() != before.head.intents() {
            return Err(ClassifierError::Stale {
                path: "memory".to_owned(),
                why: "the intents are others than those of the line".to_owned(),
            });
        }
        let known = if before.head.tuned.is_none() { before.thread.as_ref() } else { None };
        let state = State::new(head, self.encoder.as_ref(), known)?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
        Ok(())
    }

    /// The encoder that the head was trained with, before tuning.
    pub fn encoder(&self) -> Option<&Encoder> {
        self.encoder.as_deref()
    }

    /// The intents that are told apart.
    pub fn intents(&self) -> Vec<IntentName> {
        self.state().head.intents().to_vec()
    }

    /// The fingerprint of the training set of the head in use.
    pub fn fingerprint(&self) -> String {
        self.state().head.fingerprint().to_owned()
    }

    fn state(&self) -> Arc<State> {
        // A panic elsewhere leaves it whole: it is only ever replaced.
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What each text means by itself, with the `nearest` examples most like it. Nothing is cached: this
    /// is for tools, which ask many sentences once. `progress` gets the number encoded so far.
    ///
    /// # Errors
    /// Only for faults of the engine.
    pub fn explain(
        &self,
        texts: &[&str],
        nearest: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Explanation>, ClassifierError> {
        let sentences: Vec<String> = texts.iter().map(|t| mask_numbers(t)).collect();
        let spoken: Vec<&str> = sentences.iter().map(String::as_str).filter(|s| !s.is_empty()).collect();
        let State { head, encoder, .. } = &*self.state();
        let features = features(&spoken, encoder.as_deref(), progress)?;
        let features: Vec<_> = features.iter().collect();
        let scored = head.score(&features);
        let mut found = scored.into_iter().zip(head.nearest(&features, nearest));
        let explained = |sentence: String| {
            let (scored, nearest) = if sentence.is_empty() { None } else { found.next() }
                .unwrap_or_else(|| (nothing(head), vec![]));
            let interpretation = ranked(head.intents(), scored.probabilities, scored.out_of_scope);
            Explanation { sentence, interpretation, nearest }
        };
        Ok(sentences.into_iter().map(explained).collect())
    }
}

/// What is said of nothing: every intent alike, and none.
fn nothing(head: &Head) -> Scored {
    let count = head.intents().len();
    #[expect(clippy::cast_precision_loss, reason = "a handful of intents")]
    let probability = 1.0 / count as f32;
    Scored { probabilities: vec![probability; count], out_of_scope: 1.0 }
}

impl State {
    /// Scores of masked, normalised sentences, from the cache where they are there.
    fn scores(&self, sentences: &[String]) -> Result<Vec<Scored>, ClassifierError> {
        let mut known: Vec<Option<Scored>> = {
            // A panic elsewhere leaves the cache whole: every change of it is complete.
            let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            sentences.iter().map(|s| cache.scores.get(s).cloned()).collect()
        };
        let missing: Vec<usize> = (0..sentences.len()).filter(|&i| known[i].is_none()).collect();
        if !missing.is_empty() {
            let texts: Vec<&str> = missing.iter().map(|&i| sentences[i].as_str()).collect();
            let embeddings = match &self.thread {
                Some(thread) => thread.embed(texts.iter().map(|t| (*t).to_owned()).collect())?,
                None => vec![Vec::new(); texts.len()],
            };
            let features = with_ngrams(embeddings, &texts);
            let scored = self.head.score(&features.iter().collect::<Vec<_>>());
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            for (i, score) in missing.into_iter().zip(scored) {
                cache.keep(&sentences[i], &score);
                known[i] = Some(score);
            }
        }
        Ok(known.into_iter().map(|s| s.expect("scored just now")).collect())
    }
}

impl Classifier for IntentClassifier {
    fn interpret(&self, hypotheses: &[Hypothesis]) -> Result<Interpretation, ClassifierError> {
        let mut weights: BTreeMap<String, f32> = BTreeMap::new();
        for hypothesis in hypotheses.iter().take(MAX_HYPOTHESES) {
            let sentence = mask_numbers(hypothesis.text.expose());
            if !sentence.is_empty() {
                *weights.entry(sentence).or_default() += likelihood(hypothesis);
            }
        }
        let state = self.state();
        let intents = state.head.intents();
        let total: f32 = weights.values().sum();
        if weights.is_empty() {
            let nothing = nothing(&state.head);
            return Ok(ranked(intents, nothing.probabilities, nothing.out_of_scope));
        }
        let (sentences, weights): (Vec<String>, Vec<f32>) = weights.into_iter().unzip();
        let mut probabilities = vec![0.0; intents.len()];
        let mut out_of_scope = 0.0;
        for (scored, weight) in state.scores(&sentences)?.into_iter().zip(weights) {
            let share = weight / total;
            out_of_scope += share * scored.out_of_scope;
            probabilities.iter_mut().zip(scored.probabilities).for_each(|(sum, p)| *sum += share * p);
        }
        Ok(ranked(intents, probabilities, out_of_scope))
    }
}

/// How likely the whole sentence is beside the others, unnormalised: the confidence is the mean of its
/// words' probabilities, and a sentence is right only if all of its words are. Several poor alternatives
/// must not outvote one good hypothesis.
fn likelihood(hypothesis: &Hypothesis) -> f32 {
    let words = hypothesis.text.expose().split_whitespace().count();
    let words = i32::try_from(words).unwrap_or(i32::MAX);
    hypothesis.confidence.clamp(0.01, 1.0).powi(words).max(f32::MIN_POSITIVE)
}

/// The last [`CACHED`] sentences' scores; the oldest goes first.
#[derive(Default)]
struct Cache {
    scores: BTreeMap<String, Scored>,
    order: VecDeque<String>,
}

impl Cache {
    fn keep(&mut self, sentence: &str, scored: &Scored) {
        if self.scores.insert(sentence.to_owned(), scored.clone()).is_some() {
            return;
        }
        self.order.push_back(sentence.to_owned());
        if self.order.len() > CACHED
            && let Some(oldest) = self.order.pop_front()
        {
            self.scores.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poor_alternatives_do_not_outvote_a_good_hypothesis() {
        let said = |text: &str, confidence| Hypothesis { text: text.into(), confidence };
        let good = likelihood(&said("i have a question about my bill", 0.85));
        let poor = likelihood(&said("i have a question about my order", 0.6));
        assert!(good > 4.0 * poor, "{good} {poor}");
        assert!(likelihood(&said(&"so ".repeat(1000), 0.01)) > 0.0, "no weight vanishes");
    }

    #[test]
    fn the_cache_is_bounded_and_forgets_the_oldest() {
        let mut cache = Cache::default();
        let scored = Scored { probabilities: vec![1.0], out_of_scope: 0.0 };
        for i in 0..CACHED + 3 {
            cache.keep(&i.to_string(), &scored);
            cache.keep(&i.to_string(), &scored);
        }
        assert_eq!((cache.scores.len(), cache.order.len()), (CACHED, CACHED));
        assert!(!cache.scores.contains_key("2") && cache.scores.contains_key("3"));
    }
}
