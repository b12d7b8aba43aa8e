//! Training data from other systems, and back: Rasa NLU, Dialogflow ES and CX, Lex V2, CSV.
//!
//! Reads texts, never files: whoever unpacks an export hands over its parts as [`Part`]s. What a format
//! holds beside examples and lists of values (responses, stories, regular expressions) is not taken over,
//! and a note says so: nothing is dropped in silence.

mod dialogflow;
mod lex;
mod rasa;
mod table;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::call::{IntentName, OUT_OF_SCOPE};

use super::TrainingFile;
use super::normalize::{normalize, words};

pub use write::{annotated_text, csv, entity_toml, intent_toml, rasa_yaml};

/// Files in `intents/` that are no intents'.
const NO_INTENTS: [&str; 2] = ["line", "entities"];

/// The byte order mark, and what Unicode keeps for no character: YAML refuses them.
const UNSEEN: [char; 3] = ['\u{feff}', '\u{fffe}', '\u{ffff}'];

/// Longest name of an intent or an entity.
const LONGEST_NAME: usize = 64;

/// One file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its path inside the export, with `/`; it tells what the file holds, and stands in messages.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A system's way to write training data down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Rasa's NLU YAML, versions 2 and 3.
    Rasa,
    /// A Dialogflow ES agent: `intents/NAME_usersays_en.json`, `entities/NAME_entries_en.json`.
    DialogflowEs,
    /// A Dialogflow CX agent: `intents/NAME/trainingPhrases/en.json`, `entityTypes/NAME/entities/en.json`.
    DialogflowCx,
    /// An Amazon Lex V2 bot: `BotLocales/en_US/Intents/NAME/Intent.json`.
    Lex,
    /// A table with a column of texts and one of intents, separated by commas, semicolons or tabs.
    Csv,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 5] =
        [Format::Rasa, Format::DialogflowEs, Format::DialogflowCx, Format::Lex, Format::Csv];

    /// The format that an export's files have; `None` where nothing tells.
    pub fn detect(parts: &[Part]) -> Option<Format> {
        let has = |test: fn(&str) -> bool| parts.iter().any(|p| test(&p.path));
        let ends = |path: &str, ending: &str| path.to_ascii_lowercase().ends_with(ending);
        if has(|p| p.ends_with("/Intent.json") || p == "Intent.json") {
            Some(Format::Lex)
        } else if has(|p| p.contains("trainingPhrases/")) {
            Some(Format::DialogflowCx)
        } else if has(|p| p.contains("_usersays_")) {
            Some(Format::DialogflowEs)
        } else if parts.iter().any(|p| ends(&p.path, ".yml") || ends(&p.path, ".yaml")) {
            Some(Format::Rasa)
        } else {
            parts.iter().any(|p| ends(&p.path, ".csv") || ends(&p.path, ".tsv")).then_some(Format::Csv)
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Rasa => "rasa",
            Format::DialogflowEs => "dialogflow-es",
            Format::DialogflowCx => "dialogflow-cx",
            Format::Lex => "lex",
            Format::Csv => "csv",
        })
    }
}

/// What cannot be read, and why.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{path}:{line}: {message}")]
pub struct ExchangeError {
    /// The part.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// Training data on its way from one system to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// Each intent's examples as training files write them, `[text](entity)` marks included. Sentences of
    /// no intent stand under [`OUT_OF_SCOPE`].
    pub intents: BTreeMap<IntentName, Vec<String>>,
    /// Each list entity's canonical values with their synonyms.
    pub lists: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// What was changed or not taken over, for people.
    pub notes: Vec<String>,
}

impl Bundle {
    /// Reads an export.
    ///
    /// # Errors
    /// The first part that is not what its format says, with its line.
    pub fn read(format: Format, parts: &[Part]) -> Result<Bundle, ExchangeError> {
        let mut bundle = match format {
            Format::Rasa => rasa::read(parts),
            Format::DialogflowEs => dialogflow::read_es(parts),
            Format::DialogflowCx => dialogflow::read_cx(parts),
            Format::Lex => lex::read(parts),
            Format::Csv => table::read(parts),
        }?;
        bundle.tidy();
        if bundle.intents.is_empty() {
            let path = parts.first().map_or_else(String::new, |p| p.path.clone());
            let message = format!("no examples found: expected an export in the format '{format}'");
            return Err(ExchangeError { path, line: 1, message });
        }
        Ok(bundle)
    }

    /// What the line's own files hold, to be given to others. Lists are those of `entities.toml`.
    pub fn from_files(
        files: &[TrainingFile],
        lists: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    ) -> Bundle {
        let examples = |f: &TrainingFile| f.examples.iter().map(annotated_text).collect();
        let intents = files.iter().map(|f| (f.intent.clone(), examples(f))).collect();
        Bundle { intents, lists, notes: Vec::new() }
    }

    /// All examples, those of no intent included.
    pub fn examples(&self) -> usize {
        self.intents.values().map(Vec::len).sum()
    }

    fn add(&mut self, raw_intent: &str, example: String) {
        let intent = intent_name(raw_intent);
        if intent.as_str() != raw_intent && !self.intents.contains_key(&intent) {
            self.notes.push(format!("intent '{raw_intent}' is called '{intent}' here"));
        }
        self.intents.entry(intent).or_default().push(flat(&example));
    }

    /// Sentences that mean the same to the classifier stand once; empty ones not at all.
    fn tidy(&mut self) {
        let mut places: BTreeMap<String, IntentName> = BTreeMap::new();
        let mut twice = 0usize;
        let mut notes = Vec::new();
        for (intent, examples) in &mut self.intents {
            let mut own = BTreeSet::new();
            examples.retain(|example| {
                let plain = normalize(&unmarked(example));
                if plain.is_empty() {
                    return false;
                }
                if !own.insert(plain.clone()) {
                    twice += 1;
                    return false;
                }
                if let Some(first) = places.get(&plain) {
                    notes.push(format!("'{plain}' stands in '{first}' and in '{intent}': keep it in one"));
                } else {
                    places.insert(plain, intent.clone());
                }
                true
            });
        }
        self.intents.retain(|_, examples| !examples.is_empty());
        let empty = self.lists.extract_if(.., |_, values| values.is_empty());
        notes.extend(empty.map(|(name, _)| format!("the list '{name}' has no values: left out")));
        if twice > 0 {
            notes.push(format!("{twice} sentence(s) that stood twice in an intent stand once"));
        }
        self.notes.extend(notes);
    }
}

/// An example without its marks.
pub fn unmarked(example: &str) -> String {
    super::training_file::plain_text(example)
}

/// A text as part of an example: brackets are the marks', and nobody says them.
fn spoken(text: &str) -> String {
    text.replace(['[', ']'], " ")
}

/// A marked value; a text without a word is left as it is.
fn marked(text: &str, raw_entity: &str) -> String {
    let text = spoken(text);
    let inner = text.trim();
    match entity_name(raw_entity) {
        Some(entity) if !words(inner).is_empty() => {
            let lead = &text[..text.len() - text.trim_start().len()];
            let trail = &text[text.trim_end().len()..];
            format!("{lead}[{inner}]({entity}){trail}")
        }
        _ => text,
    }
}

/// One line, one blank between words, and nothing that is neither said nor seen.
fn flat(text: &str) -> String {
    let unsaid = |c: char| c.is_whitespace() || c.is_control() || UNSEEN.contains(&c);
    text.split(unsaid).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The name that an intent gets here: small letters, digits and `_`; a path has no more than its words, and
/// no intent takes the place of the line's own files.
pub fn intent_name(raw: &str) -> IntentName {
    let name = snake_case(raw);
    let name = if name.is_empty() { "unnamed".to_owned() } else { name };
    let name = if NO_INTENTS.contains(&name.as_str()) { format!("{name}_intent") } else { name };
    name.parse().expect("letters, digits and _ only, and not too many")
}

/// The name that an entity gets here; `None` where there is no letter in it.
fn entity_name(raw: &str) -> Option<String> {
    Some(snake_case(raw.trim_start_matches('@'))).filter(|name| !name.is_empty())
}

fn snake_case(raw: &str) -> String {
    let mut name = String::new();
    let mut before = ' ';
    for c in raw.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            name.push('_');
        }
        before = c;
        name.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    let parts: Vec<&str> = name.split('_').filter(|p| !p.is_empty()).collect();
    let mut name = parts.join("_");
    name.truncate(LONGEST_NAME);
    name.trim_end_matches('_').to_owned()
}

fn json<T: serde::de::DeserializeOwned>(part: &Part) -> Result<T, ExchangeError> {
    serde_json::from_str(part.text.trim_start_matches('\u{feff}')).map_err(|e| ExchangeError {
        path: part.path.clone(),
        line: e.line().max(1),
        message: e.to_string(),
    })
}

/// Values with their synonyms; a value is no synonym of itself.
fn list(entries: impl IntoIterator<Item = (String, Vec<String>)>) -> BTreeMap<String, Vec<String>> {
    let mut list: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (value, synonyms) in entries {
        let value = flat(&value);
        if words(&value).is_empty() {
            continue;
        }
        let known = list.entry(value.clone()).or_default();
        for synonym in synonyms.iter().map(|s| flat(s)) {
            if normalize(&synonym) != normalize(&value)
                && !words(&synonym).is_empty()
                && !known.contains(&synonym)
            {
                known.push(synonym);
            }
        }
    }
    list
}

#[cfg(test)]
mod tests;
