//! What callers said that no intent took, sorted into groups, each with the intent that it may belong to.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::call::{CallRecord, IntentName};
use crate::understanding::classifier::{ClassifierError, Encoder, IntentClassifier};
use crate::understanding::normalize;

/// Mean cosine of two groups from which they become one. Sentences that say the same in other words lie
/// above it with the sentence encoder, those of two wishes below (looked at on the demo line's examples).
const ALIKE: f32 = 0.6;

/// Sentences that are sorted at once, the most frequent first: all pairs are compared.
const MOST: usize = 2_000;

/// A sentence of callers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmatched {
    /// As it was heard, normalised.
    pub sentence: String,
    /// How often.
    pub times: usize,
}

/// Sentences that say about the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// The most frequent first.
    pub sentences: Vec<Unmatched>,
    /// How often, all together.
    pub times: usize,
    /// The intent whose examples are nearest; the team decides.
    pub intent: IntentName,
    /// The mean of the sentences' probabilities for it, 0 to 1. Low where a new intent is due.
    pub probability: f32,
    /// The example of that intent most like one of them.
    pub like: Option<String>,
}

/// What callers said, when asked what they want, that no intent took.
pub fn unmatched<'a>(records: impl IntoIterator<Item = &'a CallRecord>) -> Vec<Unmatched> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let turns = records.into_iter().flat_map(|r| &r.turns);
    for turn in turns.filter(|turn| turn.is_unmatched()) {
        let sentence = normalize(turn.heard.as_ref().map_or("", |h| h.expose()));
        if !sentence.is_empty() {
            *times.entry(sentence).or_default() += 1;
        }
    }
    let mut all: Vec<Unmatched> =
        times.into_iter().map(|(sentence, times)| Unmatched { sentence, times }).collect();
    all.sort_by(|a, b| b.times.cmp(&a.times).then_with(|| a.sentence.cmp(&b.sentence)));
    all
}

/// Sorts sentences into groups (average linkage on the encoder's vectors), the most frequent group first.
/// Without an encoder, sentences whose nearest intent is the same make a group.
///
/// # Errors
/// Only for faults of the engine.
pub fn groups(
    unmatched: &[Unmatched],
    classifier: &IntentClassifier,
    encoder: Option<&Encoder>,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Group>, ClassifierError> {
    let unmatched = &unmatched[..unmatched.len().min(MOST)];
    let texts: Vec<&str> = unmatched.iter().map(|u| u.sentence.as_str()).collect();
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let explained = classifier.explain(&texts, 1, progress)?;
    let clusters = match encoder {
        Some(encoder) => linked(&encoder.embed(&texts, &mut |_| {})?),
        None => {
            let mut by_intent: BTreeMap<&IntentName, Vec<usize>> = BTreeMap::new();
            for (i, e) in explained.iter().enumerate() {
                by_intent.entry(&e.interpretation.ranked[0].intent).or_default().push(i);
            }
            by_intent.into_values().collect()
        }
    };
    let mut groups: Vec<Group> = clusters
        .into_iter()
        .map(|mut members| {
            members.sort_unstable();
            let mut sums: BTreeMap<&IntentName, f32> = BTreeMap::new();
            for score in members.iter().flat_map(|&i| &explained[i].interpretation.ranked) {
                *sums.entry(&score.intent).or_default() += score.probability;
            }
            let (intent, sum) = sums
                .into_iter()
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .expect("a head knows two intents at least");
            let like = members
                .iter()
                .flat_map(|&i| &explained[i].nearest)
                .filter(|n| n.intent.as_ref() == Some(intent))
                .max_by(|a, b| a.similarity.total_cmp(&b.similarity));
            #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
            let probability = sum / members.len() as f32;
            Group {
                times: members.iter().map(|&i| unmatched[i].times).sum(),
                sentences: members.iter().map(|&i| unmatched[i].clone()).collect(),
                intent: intent.clone(),
                probability,
                like: like.map(|n| n.sentence.clone()),
            }
        })
        .collect();
    groups.sort_by(|a, b| {
        b.times.cmp(&a.times).then_with(|| a.sentences[0].sentence.cmp(&b.sentences[0].sentence))
    });
    Ok(groups)
}

/// Joins the two groups that are most alike until none are alike enough.
fn linked(vectors: &[Vec<f32>]) -> Vec<Vec<usize>> {
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let mut distances: Vec<f32> = (0..vectors.len())
        .flat_map(|i| vectors[i + 1..].iter().map(move |other| 1.0 - cosine(&vectors[i], other)))
        .collect();
    let steps = kodama::linkage(&mut distances, vectors.len(), kodama::Method::Average);
    let mut groups: Vec<Vec<usize>> = (0..vectors.len()).map(|i| vec![i]).collect();
    // Steps come with growing distance; each makes a group with the next number.
    for step in steps.steps() {
        if step.dissimilarity > 1.0 - ALIKE {
            break;
        }
        let mut joined = std::mem::take(&mut groups[step.cluster1]);
        joined.append(&mut groups[step.cluster2]);
        groups.push(joined);
    }
    groups.retain(|members| !members.is_empty());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(angle: f32) -> Vec<f32> {
        vec![angle.cos(), angle.sin()]
    }

    #[test]
    fn sentences_that_lie_together_become_one_group() {
        // Two fans a right angle apart, and one that lies alone.
        let vectors = [unit(0.0), unit(1.6), unit(0.1), unit(1.7), unit(0.2), unit(3.0)];
        let mut groups = linked(&vectors);
        groups.iter_mut().for_each(|g| g.sort_unstable());
        groups.sort();
        assert_eq!(groups, [vec![0, 2, 4], vec![1, 3], vec![5]]);
        assert!(linked(&[]).is_empty());
    }
}
