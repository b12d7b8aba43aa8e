//! The classifier that the line uses: encoder and head, all hypotheses of an utterance together.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::call::{Hypothesis, Interpretation};
use crate::understanding::mask_numbers;

use super::encoder::Encoder;
use super::features::features;
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

/// A head with its encoder. Shared by all calls.
pub struct IntentClassifier {
    head: Head,
    encoder: Option<Encoder>,
    cache: Mutex<Cache>,
}

impl IntentClassifier {
    /// A classifier of a head and the encoder that it was trained with.
    ///
    /// # Errors
    /// [`ClassifierError::Stale`] where the head was trained with another encoder or needs one.
    pub fn new(head: Head, encoder: Option<Encoder>) -> Result<IntentClassifier, ClassifierError> {
        let wanted = head.meta.encoder_sha256.as_deref();
        if wanted != encoder.as_ref().map(Encoder::sha256) {
            return Err(ClassifierError::Stale {
                path: "memory".to_owned(),
                why: "it was not trained with this sentence encoder".to_owned(),
            });
        }
        let encoder = match (encoder, &head.tuned) {
            (Some(encoder), Some(weights)) => Some(encoder.tuned(weights)?),
            (encoder, _) => encoder,
        };
        Ok(IntentClassifier { head, encoder, cache: Mutex::new(Cache::default()) })
    }

    /// The head in use.
    pub fn head(&self) -> &Head {
        &self.head
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
        let features = features(&spoken, self.encoder.as_ref(), progress)?;
        let features: Vec<_> = features.iter().collect();
        let scored = self.head.score(&features);
        let mut found = scored.into_iter().zip(self.head.nearest(&features, nearest));
        let explained = |sentence: String| {
            let (scored, nearest) = if sentence.is_empty() { None } else { found.next() }
                .unwrap_or_else(|| (self.nothing(), vec![]));
            let interpretation = ranked(self.head.intents(), scored.probabilities, scored.out_of_scope);
            Explanation { sentence, interpretation, nearest }
        };
        Ok(sentences.into_iter().map(explained).collect())
    }

    /// What is said of nothing: every intent alike, and none.
    fn nothing(&self) -> Scored {
        let count = self.head.intents().len();
        #[expect(clippy::cast_precision_loss, reason = "a handful of intents")]
        let probability = 1.0 / count as f32;
        Scored { probabilities: vec![probability; count], out_of_scope: 1.0 }
    }

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
            let features = features(&texts, self.encoder.as_ref(), &mut |_| {})?;
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
        let intents = self.head.intents();
        let total: f32 = weights.values().sum();
        if weights.is_empty() {
            let nothing = self.nothing();
            return Ok(ranked(intents, nothing.probabilities, nothing.out_of_scope));
        }
        let (sentences, weights): (Vec<String>, Vec<f32>) = weights.into_iter().unzip();
        let mut probabilities = vec![0.0; intents.len()];
        let mut out_of_scope = 0.0;
        for (scored, weight) in self.scores(&sentences)?.into_iter().zip(weights) {
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
