//! Values in what was said: order numbers, codes, postcodes, amounts, dates, words of a list.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::DateTime;

use crate::call::{Entity, Hypothesis, Pii};

use super::normalize::{Word, is_filler, words};
use super::spelling::{CheckDigit, Region, Sentence, Shape, Spelled};
use super::values::{self, DateReading, Said};

/// A kind of value that callers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntitySpec {
    /// `order_number`, `size` …
    pub name: String,
    /// What its values look like.
    pub kind: EntityKind,
}

/// What the values of an entity look like, and how they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntityKind {
    /// A number of `min` to `max` digits in any spoken form.
    Digits {
        /// Fewest digits.
        min: u8,
        /// Most digits.
        max: u8,
        /// The rule that its last digit makes good.
        check: Option<CheckDigit>,
    },
    /// Letters and digits of the team's own pattern.
    Code {
        /// What it looks like.
        shape: Shape,
    },
    /// A telephone number: `+442079460958`.
    Phone {
        /// The country whose numbers are said without its code.
        region: Option<Region>,
    },
    /// A postcode: `SW1A 1AA`, `90210`.
    Postcode {
        /// Of which country.
        region: Region,
    },
    /// An amount with its currency: `12.50 GBP`.
    Money {
        /// The currency, as ISO 4217 names it, where the caller names none or only "dollars".
        currency: String,
    },
    /// A count or a quantity: `3`, `2.5`, `-5`.
    Number,
    /// A place in an order: `3` for "the third one".
    Ordinal,
    /// A day: `2026-05-03`.
    Date {
        /// How dates are read that can be read in more than one way.
        reading: DateReading,
    },
    /// A time of day: `15:30`.
    Time,
    /// An e-mail address: `john.smith@gmail.com`.
    Email,
    /// A person's name, said or spelled: `Miller`.
    Name,
    /// A house number and a street: `42 Station Road`.
    Address,
    /// One of these.
    List {
        /// The values with their synonyms.
        values: Vec<ListValue>,
    },
}

impl EntityKind {
    /// Fewest and most digits where a value can be keyed in.
    pub fn keys(&self) -> Option<(u8, u8)> {
        match self {
            EntityKind::Digits { min, max, .. } => Some((*min, *max)),
            EntityKind::Phone { .. } => Some((6, 15)),
            EntityKind::Postcode { .. }
            | EntityKind::Code { .. }
            | EntityKind::Money { .. }
            | EntityKind::Number
            | EntityKind::Ordinal
            | EntityKind::Date { .. }
            | EntityKind::Time
            | EntityKind::Email
            | EntityKind::Name
            | EntityKind::Address
            | EntityKind::List { .. } => None,
        }
    }
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
        EntitySpec { name: name.to_owned(), kind: EntityKind::Digits { min, max, check: None } }
    }
}

/// A value that may be meant because the store knows it: one of the caller's open orders, say.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// As it is written.
    pub value: String,
    /// How likely it is beside the other known ones before anything was said; 1 where nothing tells.
    pub weight: f32,
}

impl From<&str> for Known {
    fn from(value: &str) -> Known {
        Known { value: value.to_owned(), weight: 1.0 }
    }
}

/// What is known beside the words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// The line's clock and zone: what "tomorrow" and "in ten minutes" count from. Without it only dates
    /// with their year are values.
    pub now: Option<DateTime>,
    /// Values that the store knows for this caller.
    pub known: &'a [Known],
}

/// What a known value counts more than one that only the recogniser speaks for. With it one confused digit
/// of six costs less than being unknown, and two cost more.
const KNOWN_COUNTS: f32 = 2.5;

/// All valid values in `text`, by position. Relative dates are none: see [`entities_in`].
pub fn entities(text: &str, specs: &[EntitySpec]) -> Vec<Entity> {
    entities_in(text, specs, &Context::default())
}

/// All valid values in `text`, by position, the likeliest of each stretch.
pub fn entities_in(text: &str, specs: &[EntitySpec], context: &Context) -> Vec<Entity> {
    let sentence = Sentence::of(text);
    let mut found: Vec<Entity> = Vec::new();
    for spec in specs {
        let mut kept: Vec<Entity> = Vec::new();
        let mut all = readings(text, &sentence, spec, context);
        all.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.span.start.cmp(&b.span.start)));
        for entity in all {
            let apart = |k: &Entity| k.span.end <= entity.span.start || entity.span.end <= k.span.start;
            if kept.iter().all(apart) {
                kept.push(entity);
            }
        }
        found.extend(kept);
    }
    found.sort_by(|a, b| a.span.start.cmp(&b.span.start).then_with(|| a.kind.cmp(&b.kind)));
    found
}

/// The value that all hypotheses of one utterance speak for together; see [`candidates`].
pub fn best_candidate(hypotheses: &[Hypothesis], spec: &EntitySpec, known: &[String]) -> Option<Entity> {
    let known: Vec<Known> = known.iter().map(|k| k.as_str().into()).collect();
    candidates(hypotheses, spec, &Context { known: &known, ..Context::default() }).into_iter().next()
}

/// All values that the hypotheses of one utterance speak for, the likeliest first.
///
/// Every valid reading of every hypothesis is a candidate; its score is the sum of what the hypotheses
/// that hold it are worth. A known value is a candidate also where only something near was heard, and
/// counts more than an unknown one. The span is that of the hypothesis in which the value scored most.
pub fn candidates(hypotheses: &[Hypothesis], spec: &EntitySpec, context: &Context) -> Vec<Entity> {
    let total: f32 = hypotheses.iter().map(weight).sum();
    let mut scores: BTreeMap<String, Candidate> = BTreeMap::new();
    for hypothesis in hypotheses {
        let worth = weight(hypothesis) / total;
        let text = hypothesis.text.expose();
        // What one hypothesis holds in two ways it holds once.
        let mut best: BTreeMap<String, (f32, Range<usize>)> = BTreeMap::new();
        for entity in readings(text, &Sentence::of(text), spec, context) {
            let slot = best.entry(entity.value.into_exposed()).or_insert((0.0, entity.span.clone()));
            if entity.confidence > slot.0 {
                *slot = (entity.confidence, entity.span);
            }
        }
        for (value, (confidence, span)) in best {
            add(&mut scores, &value, worth, confidence, &span);
        }
    }
    let mut ranked: Vec<(f32, Entity)> = scores
        .into_iter()
        .map(|(value, candidate)| {
            let known = context.known.iter().find(|k| k.value == value);
            let rank = known.map_or(candidate.vote, |k| KNOWN_COUNTS * k.weight * candidate.score);
            let entity = Entity {
                kind: spec.name.clone(),
                value: Pii::new(value),
                span: candidate.span,
                confidence: candidate.score.clamp(0.0, 1.0),
            };
            (rank, entity)
        })
        .collect();
    // Of equal ones the smaller value, so that the outcome is always the same.
    ranked.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.value.expose().cmp(y.value.expose())));
    ranked.into_iter().map(|(_, entity)| entity).collect()
}

struct Candidate {
    /// Of the hypotheses' worth and how surely each holds the value.
    score: f32,
    /// The same, with what was only read by bending a hypothesis counting less: among several hypotheses
    /// there is mostly one that need not be bent. Squares read best on real callers' n-best lists.
    vote: f32,
    best_part: f32,
    span: Range<usize>,
}

fn add(
    scores: &mut BTreeMap<String, Candidate>,
    value: &str,
    worth: f32,
    confidence: f32,
    span: &Range<usize>,
) {
    let score = worth * confidence;
    let entry = scores.entry(value.to_owned()).or_insert_with(|| Candidate {
        score: 0.0,
        vote: 0.0,
        best_part: 0.0,
        span: span.clone(),
    });
    entry.score += score;
    entry.vote += score * confidence;
    if score > entry.best_part {
        entry.best_part = score;
        entry.span = span.clone();
    }
}

/// A hypothesis without any confidence still counts for a little.
fn weight(hypothesis: &Hypothesis) -> f32 {
    hypothesis.confidence.clamp(0.01, 1.0)
}

/// All valid values of one entity in any order, known ones that are only near among them.
fn readings(text: &str, sentence: &Sentence, spec: &EntitySpec, context: &Context) -> Vec<Entity> {
    let spelled = |found: Vec<Spelled>| -> Vec<Said> {
        found.into_iter().map(|s| Said { confidence: s.confidence(), value: s.value, span: s.span }).collect()
    };
    let known: Vec<&str> = context.known.iter().map(|k| k.value.as_str()).collect();
    let mut said = match &spec.kind {
        EntityKind::Digits { min, max, check } => {
            spelled(sentence.digits(&Shape::digits(*min, *max, *check)))
        }
        EntityKind::Code { shape } => spelled(sentence.codes(shape)),
        EntityKind::Phone { region } => spelled(sentence.telephones(*region)),
        EntityKind::Postcode { region } => spelled(sentence.postcodes(*region)),
        EntityKind::Money { currency } => values::money(text, currency),
        EntityKind::Number => values::numbers(text),
        EntityKind::Ordinal => values::ordinals(text),
        EntityKind::Date { reading } => values::dates(text, *reading, context.now),
        EntityKind::Time => values::times(text, context.now),
        EntityKind::Email => values::emails(text),
        EntityKind::Name => values::names(text, sentence, &known),
        EntityKind::Address => values::addresses(text, &known),
        EntityKind::List { values } => listed(text, values),
    };
    if !known.is_empty()
        && matches!(
            spec.kind,
            EntityKind::Digits { .. }
                | EntityKind::Code { .. }
                | EntityKind::Phone { .. }
                | EntityKind::Postcode { .. }
        )
    {
        said.extend(spelled(sentence.known(&known)));
    }
    said.into_iter()
        .map(|s| Entity {
            kind: spec.name.clone(),
            value: Pii::new(s.value),
            span: s.span,
            confidence: s.confidence,
        })
        .collect()
}

/// Values of a list, longest synonym first at each place, left to right without overlap.
fn listed(text: &str, values: &[ListValue]) -> Vec<Said> {
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
                let span = said[at].span.start..said[end - 1].span.end;
                found.push(Said { value: value.value.clone(), span, confidence: 1.0 });
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

#[cfg(test)]
mod tests {
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
}
