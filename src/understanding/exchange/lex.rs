//! Amazon Lex V2 bots as exported: <https://docs.aws.amazon.com/lexv2/latest/dg/import-export-format.html>.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Bundle, ExchangeError, OUT_OF_SCOPE, Part, flat, json, list, marked, spoken};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Intent {
    name: String,
    parent_intent_signature: Option<String>,
    sample_utterances: Option<Vec<Utterance>>,
}

#[derive(Deserialize)]
struct Utterance {
    utterance: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Slot {
    name: String,
    slot_type_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SlotType {
    name: String,
    slot_type_values: Option<Vec<SlotValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SlotValue {
    sample_value: Value,
    synonyms: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct Value {
    value: String,
}

/// What a caller may say for a built-in slot type, so that an utterance with a placeholder becomes a
/// sentence.
const BUILT_IN: &[(&str, &[&str])] = &[
    ("AMAZON.Number", &["five", "twelve", "three"]),
    ("AMAZON.Date", &["tomorrow", "the third of may", "next monday"]),
    ("AMAZON.Time", &["three o'clock", "half past ten", "noon"]),
    ("AMAZON.Duration", &["two days", "one week"]),
    ("AMAZON.City", &["london", "chicago", "berlin"]),
    ("AMAZON.Country", &["france", "canada"]),
    ("AMAZON.State", &["texas", "ohio"]),
    ("AMAZON.FirstName", &["maria", "james"]),
    ("AMAZON.LastName", &["smith", "garcia"]),
    ("AMAZON.PhoneNumber", &["five five five oh one double oh"]),
    ("AMAZON.AlphaNumeric", &["a b four five one two", "x nine seven three"]),
    ("AMAZON.EmailAddress", &["maria at example dot com"]),
    ("AMAZON.Percentage", &["ten percent"]),
    ("AMAZON.StreetName", &["park street"]),
    ("AMAZON.Confirmation", &["yes", "no"]),
];

/// What stands after the locale's folder, for English locales.
fn english<'a>(path: &'a [&'a str]) -> Option<&'a [&'a str]> {
    match path.iter().position(|p| *p == "BotLocales") {
        Some(at) if path.get(at + 1).is_some_and(|l| l.to_ascii_lowercase().starts_with("en")) => {
            path.get(at + 2..)
        }
        Some(_) => None,
        None => Some(path),
    }
}

pub(super) fn read(parts: &[Part]) -> Result<Bundle, ExchangeError> {
    let mut bundle = Bundle::default();
    let mut types: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    // Slots by the folder of their intent.
    let mut slots: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut intents: Vec<(String, Intent)> = Vec::new();
    for part in parts {
        let path: Vec<&str> = part.path.split('/').collect();
        match english(&path) {
            Some([.., folder, "Intent.json"]) => intents.push(((*folder).to_owned(), json(part)?)),
            Some([.., folder, "Slots", _, "Slot.json"]) => {
                let slot: Slot = json(part)?;
                slots.insert(((*folder).to_owned(), slot.name), slot.slot_type_name.unwrap_or_default());
            }
            Some([.., "SlotType.json"]) => {
                let kind: SlotType = json(part)?;
                let values = kind.slot_type_values.unwrap_or_default().into_iter().map(|v| {
                    let synonyms = v.synonyms.unwrap_or_default();
                    (v.sample_value.value, synonyms.into_iter().map(|s| s.value).collect())
                });
                types.insert(kind.name, list(values));
            }
            _ => {}
        }
    }
    for (folder, intent) in intents {
        let fallback =
            intent.parent_intent_signature.as_deref().is_some_and(|s| s.starts_with("AMAZON.Fallback"));
        let name = if fallback { OUT_OF_SCOPE } else { &intent.name };
        for (n, sample) in intent.sample_utterances.unwrap_or_default().iter().enumerate() {
            let values = |slot: &str| samples(&types, slots.get(&(folder.clone(), slot.to_owned())));
            let example = filled(&sample.utterance, n, &values, &mut bundle.notes);
            bundle.add(name, example);
        }
    }
    for (name, values) in types {
        if let Some(name) = super::entity_name(&name).filter(|_| !values.is_empty()) {
            bundle.lists.entry(name).or_default().extend(values);
        }
    }
    bundle.notes.push("prompts, conditions and fulfilment are not taken over".to_owned());
    Ok(bundle)
}

/// The entity of a slot, and what may be said for it.
fn samples(
    types: &BTreeMap<String, BTreeMap<String, Vec<String>>>,
    slot_type: Option<&String>,
) -> Option<(String, Vec<String>)> {
    let slot_type = slot_type?;
    if let Some(values) = types.get(slot_type) {
        return Some((slot_type.clone(), values.keys().cloned().collect()));
    }
    let (_, said) = BUILT_IN.iter().find(|(name, _)| name == slot_type)?;
    Some((slot_type.trim_start_matches("AMAZON.").to_owned(), said.iter().map(|&s| s.to_owned()).collect()))
}

type Samples<'a> = dyn Fn(&str) -> Option<(String, Vec<String>)> + 'a;

/// An utterance with values in place of its `{Slot}` placeholders; the `n`th takes the `n`th value.
fn filled(utterance: &str, n: usize, values: &Samples<'_>, notes: &mut Vec<String>) -> String {
    let mut out = String::new();
    let mut rest = utterance;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(&spoken(before));
        let Some((slot, left)) = after.split_once('}') else {
            rest = after;
            break;
        };
        match values(slot).filter(|(_, said)| !said.is_empty()) {
            Some((entity, said)) => out.push_str(&marked(&said[n % said.len()], &entity)),
            None => {
                notes.push(format!("'{utterance}': nothing known to say for {{{slot}}}, so it is left out"));
            }
        }
        rest = left;
    }
    out.push_str(&spoken(rest));
    flat(&out)
}
