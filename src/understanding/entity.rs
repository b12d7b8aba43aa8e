//! Values in what was said: order numbers, words of a list.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::call::{Entity, Hypothesis, Pii};

use super::normalize::{Word, is_filler, words};
use super::numbers::digits;

/// A kind of value that callers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntitySpec {
    /// `order_number`, `size` …
    pub name: String,
    /// What its values look like.
    pub kind: EntityKind,
}

/// What the values of an entity look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntityKind {
    /// A number of `min` to `max` digits in any spoken form.
    Digits {
        /// Fewest digits.
        min: u8,
        /// Most digits.
        max: u8,
    },
    /// One of these.
    List {
        /// The values with their synonyms.
        values: Vec<ListValue>,
    },
}

/// A value of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListValue {
    /// The canonical form.
    pub value: String,
    /// How it is said, normalised; the value itself is among them.
    pub spoken: Vec<String>,
}

impl EntitySpec {
    /// An entity of `min` to `max` digits.
    pub fn digits(name: &str, min: u8, max: u8) -> EntitySpec {
        EntitySpec { name: name.to_owned(), kind: EntityKind::Digits { min, max } }
    }
}

/// What a value that the recogniser did not hear exactly, but the store knows, keeps of its score.
/// One edit in six digits is far likelier a mishearing than another caller's number.
const NEAR_KNOWN: f32 = 0.6;

/// All valid values in `text`, by position.
pub fn entities(text: &str, specs: &[EntitySpec]) -> Vec<Entity> {
    let mut found: Vec<Entity> = specs
        .iter()
        .flat_map(|spec| {
            let mut at = None;
            values(text, spec).into_iter().filter(move |v| {
                // The likeliest valid reading of a stretch stands for it.
                at.replace(v.span.clone()) != Some(v.span.clone())
            })
        })
        .collect();
    found.sort_by(|a, b| a.span.start.cmp(&b.span.start).then_with(|| a.kind.cmp(&b.kind)));
    found
}

/// The value that all hypotheses of one utterance speak for together.
///
/// Every valid reading of every hypothesis is a candidate; its score is the sum of what the hypotheses
/// that hold it are worth. A value of `known` (the caller's open orders, say) is a candidate also
/// where something one edit away was heard, and any known value outweighs the unknown ones. The span
/// is that of the hypothesis in which the value, or what it was heard as, scored most.
pub fn best_candidate(hypotheses: &[Hypothesis], spec: &EntitySpec, known: &[String]) -> Option<Entity> {
    let total: f32 = hypotheses.iter().map(weight).sum();
    let mut scores: BTreeMap<String, Candidate> = BTreeMap::new();
    for hypothesis in hypotheses {
        let worth = weight(hypothesis) / total;
        let text = hypothesis.text.expose();
        for entity in values(text, spec) {
            add(&mut scores, entity.value.expose(), worth * entity.confidence, &entity.span);
        }
        for (heard, confidence, span) in near_misses(text, spec) {
            for value in known.iter().filter(|k| within_one_edit(k, &heard) && **k != heard) {
                add(&mut scores, value, worth * confidence * NEAR_KNOWN, &span);
            }
        }
    }
    let best = scores.into_iter().max_by(|(a, x), (b, y)| {
        let rank = |v: &String, c: &Candidate| (known.contains(v), c.score);
        let ((a_known, a_score), (b_known, b_score)) = (rank(a, x), rank(b, y));
        // Of equal ones the smaller value, so that the outcome is always the same.
        a_known.cmp(&b_known).then(a_score.total_cmp(&b_score)).then(b.cmp(a))
    })?;
    let (value, candidate) = best;
    Some(Entity {
        kind: spec.name.clone(),
        value: Pii::new(value),
        span: candidate.span,
        confidence: candidate.score.clamp(0.0, 1.0),
    })
}

struct Candidate {
    score: f32,
    best_part: f32,
    span: Range<usize>,
}

fn add(scores: &mut BTreeMap<String, Candidate>, value: &str, score: f32, span: &Range<usize>) {
    let entry = scores.entry(value.to_owned()).or_insert_with(|| Candidate {
        score: 0.0,
        best_part: 0.0,
        span: span.clone(),
    });
    entry.score += score;
    if score > entry.best_part {
        entry.best_part = score;
        entry.span = span.clone();
    }
}

/// A hypothesis without any confidence still counts for a little.
fn weight(hypothesis: &Hypothesis) -> f32 {
    hypothesis.confidence.clamp(0.01, 1.0)
}

/// All valid values of one entity, the readings of one stretch likeliest first.
fn values(text: &str, spec: &EntitySpec) -> Vec<Entity> {
    let entity = |value: String, span: Range<usize>, confidence: f32| Entity {
        kind: spec.name.clone(),
        value: Pii::new(value),
        span,
        confidence,
    };
    match &spec.kind {
        EntityKind::Digits { min, max } => {
            let fits = usize::from(*min)..=usize::from(*max);
            let mut found = Vec::new();
            for run in digits(text) {
                for (value, confidence) in run.readings().filter(|(v, _)| fits.contains(&v.len())) {
                    found.push(entity(value.to_owned(), run.span.clone(), confidence));
                }
            }
            found
        }
        EntityKind::List { values } => listed(text, values)
            .into_iter()
            .map(|(value, span)| entity(value.to_owned(), span, 1.0))
            .collect(),
    }
}

/// Digits heard, whatever their number, as far as a known value may be what was meant.
fn near_misses(text: &str, spec: &EntitySpec) -> Vec<(String, f32, Range<usize>)> {
    match &spec.kind {
        EntityKind::Digits { .. } => digits(text)
            .into_iter()
            .flat_map(|run| {
                let span = run.span.clone();
                run.readings().map(|(v, c)| (v.to_owned(), c, span.clone())).collect::<Vec<_>>()
            })
            .collect(),
        EntityKind::List { .. } => Vec::new(),
    }
}

/// Values of a list, longest synonym first at each place, left to right without overlap.
fn listed<'a>(text: &str, values: &'a [ListValue]) -> Vec<(&'a str, Range<usize>)> {
    let said: Vec<Word> = words(text).into_iter().filter(|w| !is_filler(&w.text)).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < said.len() {
        let longest = values
            .iter()
            .flat_map(|v| v.spoken.iter().map(move |s| (v, s)))
            .filter(|(_, s)| begins(&said[at..], s))
            .max_by_key(|(_, s)| s.split(' ').count());
        match longest {
            Some((value, spoken)) => {
                let end = at + spoken.split(' ').count();
                found.push((value.value.as_str(), said[at].span.start..said[end - 1].span.end));
                at = end;
            }
            None => at += 1,
        }
    }
    found
}

fn begins(said: &[Word], phrase: &str) -> bool {
    let mut said = said.iter();
    phrase.split(' ').all(|p| said.next().is_some_and(|w| w.text == p))
}

/// Whether one insertion, deletion or substitution at most makes `a` into `b` (bytes: both are digits).
fn within_one_edit(a: &str, b: &str) -> bool {
    let (short, long) =
        if a.len() <= b.len() { (a.as_bytes(), b.as_bytes()) } else { (b.as_bytes(), a.as_bytes()) };
    let same = short.iter().zip(long).take_while(|(x, y)| x == y).count();
    match long.len() - short.len() {
        0 => same == short.len() || short[same + 1..] == long[same + 1..],
        1 => short[same..] == long[same + 1..],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order_number() -> EntitySpec {
        EntitySpec::digits("order_number", 6, 6)
    }

    fn sizes() -> EntitySpec {
        let value = |value: &str, spoken: &[&str]| ListValue {
            value: value.to_owned(),
            spoken: spoken.iter().map(|s| (*s).to_owned()).collect(),
        };
        let values = vec![value("large", &["large", "big"]), value("extra_large", &["extra large"])];
        EntitySpec { name: "size".to_owned(), kind: EntityKind::List { values } }
    }

    fn heard(list: &[(&str, f32)]) -> Vec<Hypothesis> {
        list.iter()
            .map(|(text, confidence)| Hypothesis { text: (*text).into(), confidence: *confidence })
            .collect()
    }

    fn best(list: &[(&str, f32)], known: &[&str]) -> Option<String> {
        let known: Vec<String> = known.iter().map(|k| (*k).to_owned()).collect();
        best_candidate(&heard(list), &order_number(), &known).map(|e| e.value.into_exposed())
    }

    #[test]
    fn values_are_found_by_position() {
        let text = "an extra large one for order forty five twelve eighty eight";
        let found = entities(text, &[order_number(), sizes()]);
        let seen: Vec<(&str, &str)> =
            found.iter().map(|e| (e.value.expose().as_str(), &text[e.span.clone()])).collect();
        assert_eq!(seen, [("extra_large", "extra large"), ("451288", "forty five twelve eighty eight")]);
    }

    #[test]
    fn a_number_of_another_length_is_no_value() {
        assert!(entities("order four five one", &[order_number()]).is_empty());
    }

    #[test]
    fn the_reading_of_the_right_length_is_taken() {
        let found = entities("i am calling for five one two eight eight", &[order_number()]);
        assert_eq!(found[0].value.expose(), "451288");
        let found = entities("four five one two eight eight no eight nine", &[order_number()]);
        assert_eq!(found[0].value.expose(), "451289");
    }

    #[test]
    fn hypotheses_vote() {
        let list = [
            ("four five one two eight eight", 0.5),
            ("four nine one two eight eight", 0.4),
            ("45 12 88", 0.3),
        ];
        assert_eq!(best(&list, &[]).as_deref(), Some("451288"));
        assert_eq!(best(&list[1..2], &[]).as_deref(), Some("491288"));
        assert_eq!(best(&[], &[]), None);
    }

    #[test]
    fn a_known_value_outweighs_an_unknown_one() {
        let list = [("four nine one two eight eight", 0.9), ("four five one two eight eight", 0.2)];
        assert_eq!(best(&list, &["451288", "777777"]).as_deref(), Some("451288"));
        // One digit misheard, lost or added.
        for said in [
            "four nine one two eight eight",
            "four five one two eight",
            "four five one two eight eight eight",
        ] {
            assert_eq!(best(&[(said, 0.9)], &["451288"]).as_deref(), Some("451288"), "{said}");
        }
        // Two digits away it is another number.
        assert_eq!(best(&[("four nine nine two eight eight", 0.9)], &["451288"]).as_deref(), Some("499288"));
    }

    #[test]
    fn what_was_only_near_is_less_sure() {
        let exact = best_candidate(&heard(&[("451288", 0.9)]), &order_number(), &["451288".to_owned()]);
        let near = best_candidate(&heard(&[("451289", 0.9)]), &order_number(), &["451288".to_owned()]);
        assert!(near.expect("a value").confidence < exact.expect("a value").confidence);
    }

    proptest! {
        #[test]
        fn one_edit_is_one_edit(digits in prop::collection::vec(0u8..10, 1..9), at in 0usize..9, new in 0u8..10) {
            let text: String = digits.iter().map(ToString::to_string).collect();
            let at = at % text.len();
            let substituted = format!("{}{new}{}", &text[..at], &text[at + 1..]);
            let inserted = format!("{}{new}{}", &text[..at], &text[at..]);
            let deleted = format!("{}{}", &text[..at], &text[at + 1..]);
            for other in [substituted, inserted.clone(), deleted] {
                prop_assert!(within_one_edit(&text, &other) && within_one_edit(&other, &text));
            }
            let two_more = format!("{inserted}{new}");
            prop_assert!(!within_one_edit(&text, &two_more));
        }
    }
}
