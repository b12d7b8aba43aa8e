//! Dialogflow agents as the console exports them.
//! ES: <https://cloud.google.com/dialogflow/es/docs/agents-settings#export>,
//! CX: <https://cloud.google.com/dialogflow/cx/docs/reference/json-export>.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Bundle, ExchangeError, OUT_OF_SCOPE, Part, flat, json, list, marked, spoken};

#[derive(Deserialize)]
struct EsPhrase {
    data: Vec<EsPiece>,
}

#[derive(Deserialize)]
struct EsPiece {
    text: String,
    alias: Option<String>,
    meta: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    value: String,
    #[serde(default)]
    synonyms: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EsIntent {
    name: String,
    #[serde(default)]
    fallback_intent: bool,
}

/// The name before `marker` in the last part of a path, where the language after it is English or none
/// is said.
fn named<'a>(path: &'a str, marker: &str) -> Option<(&'a str, bool)> {
    let file = path.rsplit('/').next()?.strip_suffix(".json")?;
    let (name, language) = file.rsplit_once(marker)?;
    Some((name, is_english(language)))
}

fn is_english(language: &str) -> bool {
    let language = language.to_ascii_lowercase();
    language == "en" || language.starts_with("en-") || language.starts_with("en_")
}

pub(super) fn read_es(parts: &[Part]) -> Result<Bundle, ExchangeError> {
    let mut bundle = Bundle::default();
    let mut fallbacks = BTreeSet::new();
    let is_in = |part: &Part, folder: &str| part.path.split('/').rev().nth(1) == Some(folder);
    let heads = parts.iter().filter(|p| is_in(p, "intents") && p.path.ends_with(".json"));
    for part in heads.filter(|p| !p.path.contains("_usersays_")) {
        let intent: EsIntent = json(part)?;
        if intent.fallback_intent {
            fallbacks.insert(intent.name);
        }
    }
    let mut others = 0usize;
    for part in parts {
        if let Some((name, english)) = named(&part.path, "_usersays_") {
            if !english {
                others += 1;
                continue;
            }
            let intent = if fallbacks.contains(name) { OUT_OF_SCOPE } else { name };
            for phrase in json::<Vec<EsPhrase>>(part)? {
                let pieces = phrase.data.iter().map(|piece| match (&piece.alias, &piece.meta) {
                    (Some(alias), Some(meta)) if meta != "@sys.ignore" => marked(&piece.text, alias),
                    _ => spoken(&piece.text),
                });
                bundle.add(intent, flat(&pieces.collect::<String>()));
            }
        } else if let Some((name, true)) = named(&part.path, "_entries_") {
            entries(&mut bundle, name, json(part)?);
        }
    }
    note_languages(&mut bundle, others);
    bundle.notes.push("responses, contexts and fulfilment are not taken over".to_owned());
    Ok(bundle)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CxPhrases {
    #[serde(default)]
    training_phrases: Vec<CxPhrase>,
}

#[derive(Deserialize)]
struct CxPhrase {
    parts: Vec<CxPiece>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CxPiece {
    text: String,
    parameter_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CxIntent {
    #[serde(default)]
    is_fallback: bool,
    display_name: Option<String>,
}

#[derive(Deserialize)]
struct CxEntities {
    #[serde(default)]
    entities: Vec<Entry>,
}

pub(super) fn read_cx(parts: &[Part]) -> Result<Bundle, ExchangeError> {
    let mut bundle = Bundle::default();
    let mut fallbacks = BTreeSet::new();
    for part in parts {
        // intents/NAME/NAME.json
        if let [.., "intents", folder, file] = part.path.split('/').collect::<Vec<_>>().as_slice()
            && file.strip_suffix(".json") == Some(folder)
        {
            let intent: CxIntent = json(part)?;
            if intent.is_fallback || intent.display_name.as_deref() == Some("Default Negative Intent") {
                fallbacks.insert((*folder).to_owned());
            }
        }
    }
    let mut others = 0usize;
    for part in parts {
        let path: Vec<&str> = part.path.split('/').collect();
        match path.as_slice() {
            [.., "intents", name, "trainingPhrases", file] => {
                if !is_english(file.trim_end_matches(".json")) {
                    others += 1;
                    continue;
                }
                let intent = if fallbacks.contains(*name) { OUT_OF_SCOPE } else { name };
                for phrase in json::<CxPhrases>(part)?.training_phrases {
                    let pieces = phrase.parts.iter().map(|piece| match &piece.parameter_id {
                        Some(parameter) => marked(&piece.text, parameter),
                        None => spoken(&piece.text),
                    });
                    bundle.add(intent, flat(&pieces.collect::<String>()));
                }
            }
            [.., "entityTypes", name, "entities", file] if is_english(file.trim_end_matches(".json")) => {
                entries(&mut bundle, name, json::<CxEntities>(part)?.entities);
            }
            _ => {}
        }
    }
    note_languages(&mut bundle, others);
    bundle.notes.push("flows, pages and webhooks are not taken over".to_owned());
    Ok(bundle)
}

fn entries(bundle: &mut Bundle, name: &str, entries: Vec<Entry>) {
    // A value with '@' is made of other entities.
    let (composed, plain): (Vec<_>, Vec<_>) = entries.into_iter().partition(|e| e.value.contains('@'));
    if !composed.is_empty() {
        bundle.notes.push(format!("entity '{name}' holds values made of other entities: not taken over"));
    }
    let values = list(plain.into_iter().map(|e| (e.value, e.synonyms)));
    if let Some(name) = super::entity_name(name).filter(|_| !values.is_empty()) {
        bundle.lists.entry(name).or_default().extend(values);
    }
}

fn note_languages(bundle: &mut Bundle, others: usize) {
    if others > 0 {
        bundle.notes.push(format!("{others} file(s) in other languages than English are not taken over"));
    }
}
