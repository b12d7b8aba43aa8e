//! What teams write: `intents/line.toml` and one file an intent, parsed and checked.
//!
//! A [`Flow`] that exists is sound: every reference resolves, every prompt's template compiles, the
//! menu is short enough, and every slot leads somewhere when the caller does not know its value.
//! Nothing here talks to a caller.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::wording::{Wording, WordingError};
use crate::call::{Dtmf, IntentName, OUT_OF_SCOPE};
use crate::understanding::{EntitySpec, PhraseSet};

/// One file of `intents/`, already read.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as the team knows it; errors name it.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A mistake in `intents/`, with the place and what was expected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{path}:{line}: {message}")]
pub struct FlowError {
    /// The file.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

impl FlowError {
    fn at(source: &Source, offset: usize, message: impl Into<String>) -> FlowError {
        let upto = source.text.get(..offset).unwrap_or(&source.text);
        FlowError {
            path: source.path.clone(),
            line: upto.bytes().filter(|b| *b == b'\n').count() + 1,
            message: message.into(),
        }
    }

    fn in_toml(source: &Source, error: &toml::de::Error) -> FlowError {
        let offset = error.span().map_or(0, |s| s.start);
        FlowError::at(source, offset, error.message().replace('\n', ", "))
    }
}

/// Everything that one line says and does.
#[derive(Debug)]
pub struct Flow {
    /// `intents/line.toml`.
    pub line: LineSpec,
    /// One for each intent file, `out_of_scope` left out.
    pub intents: BTreeMap<IntentName, IntentSpec>,
    /// `intents/entities.toml`.
    pub entities: BTreeMap<String, EntitySpec>,
    /// The universal commands, ready to be matched.
    pub commands: Commands,
    /// All prompts' templates, compiled.
    pub wording: Wording,
}

/// `intents/line.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineSpec {
    /// What the line calls itself.
    pub name: String,
    /// The skill that is asked for where nothing better is known.
    #[serde(default = "default_skill")]
    pub skill: String,
    /// Sentences that belong to no intent.
    pub prompts: LinePrompts,
    /// Words that work everywhere.
    pub commands: CommandSpec,
    /// The keypad menu.
    pub menu: Spanned<MenuSpec>,
    /// When the line waits, and how long.
    #[serde(default)]
    pub timeouts: TimeoutSpec,
    /// When the line believes what it heard.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// How often a question is asked before the line tries another way.
    #[serde(default)]
    pub tries: Tries,
}

fn default_skill() -> String {
    "general".to_owned()
}

/// Sentences of the line itself. Each is a template; a list holds one wording for each try.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinePrompts {
    /// The first words; `customer` holds the caller's row where the number is known.
    pub greeting: String,
    /// The open question, one wording for each try.
    pub how_can_i_help: Vec<String>,
    /// Before the open question is asked again: nothing was heard.
    pub no_input: Vec<String>,
    /// Before the open question is asked again: it was not understood.
    pub no_match: Vec<String>,
    /// Asks whether `label` is meant.
    pub confirm_intent: String,
    /// After an answer.
    pub anything_else: String,
    /// The last words.
    pub goodbye: String,
    /// Before a person takes over.
    pub transfer: String,
    /// Nobody could take over.
    pub transfer_failed: String,
    /// The second time that nobody could.
    pub nobody_there: String,
    /// The recogniser does not work.
    pub hearing_fault: String,
    /// The store does not work; a person follows.
    pub look_up_fault: String,
    /// While a look-up takes longer than a second.
    pub one_moment: String,
    /// After "help".
    pub help: String,
    /// The longest call is over.
    pub too_long: String,
}

/// Phrases of the universal commands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandSpec {
    /// Asks for a person.
    pub agent: Vec<String>,
    /// Asks to hear it again.
    pub repeat: Vec<String>,
    /// Asks what can be said.
    pub help: Vec<String>,
    /// Wants to begin anew.
    pub start_over: Vec<String>,
    /// Ends the call.
    pub goodbye: Vec<String>,
}

/// The universal commands, ready to be matched.
#[derive(Debug)]
pub struct Commands {
    /// Asks for a person.
    pub agent: PhraseSet,
    /// Asks to hear it again.
    pub repeat: PhraseSet,
    /// Asks what can be said.
    pub help: PhraseSet,
    /// Wants to begin anew.
    pub start_over: PhraseSet,
    /// Ends the call.
    pub goodbye: PhraseSet,
}

/// The keypad menu.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MenuSpec {
    /// Read before the entries.
    pub intro: String,
    /// Three to five, and 0 for a person besides.
    pub entry: Vec<MenuEntry>,
    /// Read after the entries: how to get a person.
    pub person: String,
}

/// One entry of the menu.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MenuEntry {
    /// `1` to `9`.
    pub key: Dtmf,
    /// What it leads to.
    pub intent: IntentName,
    /// The whole sentence: "for your order's status, press one".
    pub say: String,
}

/// Timeouts in milliseconds; the defaults are those that the field uses (VoiceXML 2.1's names).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutSpec {
    /// Silence after a question until `no_input`.
    pub no_input_ms: u64,
    /// Silence after a complete answer until the line takes the turn.
    pub complete_ms: u64,
    /// Silence after an incomplete one.
    pub incomplete_ms: u64,
    /// Silence after an incomplete number: its digits come with pauses.
    pub incomplete_digits_ms: u64,
    /// The longest utterance.
    pub max_speech_ms: u64,
    /// Between two keys.
    pub inter_digit_ms: u64,
    /// The longest call.
    pub max_call_ms: u64,
}

impl Default for TimeoutSpec {
    fn default() -> TimeoutSpec {
        TimeoutSpec {
            no_input_ms: 5_000,
            complete_ms: 450,
            incomplete_ms: 900,
            incomplete_digits_ms: 1_300,
            max_speech_ms: 15_000,
            inter_digit_ms: 3_000,
            max_call_ms: 15 * 60_000,
        }
    }
}

impl TimeoutSpec {
    /// Between two keys.
    pub fn inter_digit(&self) -> Duration {
        Duration::from_millis(self.inter_digit_ms)
    }
}

/// When the line believes what it heard. All are probabilities, 0 to 1.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// Intent probability from which it is taken without asking.
    pub accept: f32,
    /// Margin to the second intent that goes with it.
    pub margin: f32,
    /// Intent probability from which it is confirmed; below, the line asks again.
    pub confirm: f32,
    /// Recogniser's confidence below which nothing is taken without asking.
    pub hearing: f32,
    /// Recogniser's confidence below which nothing is believed at all.
    pub reject: f32,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds { accept: 0.65, margin: 0.25, confirm: 0.35, hearing: 0.55, reject: 0.25 }
    }
}

/// How often a question is asked before the line tries another way.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tries {
    /// The open question, before the menu.
    pub purpose: u8,
    /// A slot's question, before an agent.
    pub slot: u8,
    /// The menu, before an agent.
    pub menu: u8,
}

impl Default for Tries {
    fn default() -> Tries {
        Tries { purpose: 2, slot: 3, menu: 2 }
    }
}

/// `intents/NAME.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntentSpec {
    /// For the team.
    pub description: String,
    /// For the classifier; read by `understanding`.
    #[serde(default)]
    pub examples: Vec<String>,
    /// How the line names it in a question: "your order's status".
    pub label: String,
    /// The skill an agent needs; the line's own where left out.
    pub skill: Option<String>,
    /// Whether this intent is the wish for a person.
    #[serde(default)]
    pub person: bool,
    /// What is asked for, in order.
    #[serde(default)]
    pub slot: Vec<SlotSpec>,
    /// How it is answered; without it, a person takes over once the slots are filled.
    pub fulfil: Option<FulfilSpec>,
    /// Said before a person takes over, in place of the line's own sentence.
    pub transfer: Option<String>,
}

/// One thing to ask for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotSpec {
    /// The slot's name; slots of the same name are shared by intents.
    pub name: String,
    /// The entity that fills it, from `intents/entities.toml`.
    pub entity: Spanned<String>,
    /// The question, one wording for each try.
    pub ask: Spanned<Vec<String>>,
    /// Said before it is asked again: nothing was heard.
    #[serde(default)]
    pub no_input: Vec<String>,
    /// Said before it is asked again: it was not understood.
    #[serde(default)]
    pub no_match: Vec<String>,
    /// Asks whether `value` is right.
    pub confirm: String,
    /// After "help".
    pub help: Option<String>,
    /// What to try, in order, when the caller does not know. A person is always the last.
    #[serde(default)]
    pub dont_know: Vec<DontKnowStep>,
}

/// One way to a value that the caller does not know.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DontKnowStep {
    /// The look-up; `caller` is its argument.
    pub look_up: String,
    /// The row's field that fills the slot.
    pub field: String,
    /// Said when exactly one row was found; the row's fields are the template's variables.
    pub found: String,
    /// Asked for each of several rows, at most three: "is it the headphones?"
    pub offer: String,
}

/// How an intent is answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FulfilSpec {
    /// The look-up.
    pub look_up: String,
    /// The look-up's argument names, each with the slot that fills it.
    pub args: Spanned<BTreeMap<String, String>>,
    /// Said with the first row; its fields are the template's variables.
    pub answer: String,
    /// Said when no row was found, before the slot is asked for again.
    pub not_found: String,
}

impl Flow {
    /// Parses and checks a folder's files: `line.toml`, `entities.toml`, and one an intent.
    ///
    /// # Errors
    /// The first mistake, with file, line and what was expected.
    pub fn parse(sources: &[Source]) -> Result<Flow, FlowError> {
        let mut line: Option<(LineSpec, &Source)> = None;
        let mut entities = BTreeMap::new();
        let mut intents: BTreeMap<IntentName, (IntentSpec, &Source)> = BTreeMap::new();
        for source in sources {
            match file_stem(&source.path) {
                "line" => {
                    let spec: LineSpec =
                        toml::from_str(&source.text).map_err(|e| FlowError::in_toml(source, &e))?;
                    line = Some((spec, source));
                }
                "entities" => entities = parse_entities(source)?,
                OUT_OF_SCOPE => {}
                stem => {
                    let name: IntentName = stem.parse().map_err(|e: String| FlowError::at(source, 0, e))?;
                    let spec = toml::from_str(&source.text).map_err(|e| FlowError::in_toml(source, &e))?;
                    intents.insert(name, (spec, source));
                }
            }
        }
        let Some((line, line_source)) = line else {
            return Err(FlowError {
                path: "line.toml".to_owned(),
                line: 1,
                message: "missing: the folder needs a line.toml with greeting, menu and commands".to_owned(),
            });
        };
        let wording = check(&line, line_source, &intents, &entities)?;
        let commands = Commands {
            agent: PhraseSet::new(&line.commands.agent),
            repeat: PhraseSet::new(&line.commands.repeat),
            help: PhraseSet::new(&line.commands.help),
            start_over: PhraseSet::new(&line.commands.start_over),
            goodbye: PhraseSet::new(&line.commands.goodbye),
        };
        let intents = intents.into_iter().map(|(name, (spec, _))| (name, spec)).collect();
        Ok(Flow { line, intents, entities, commands, wording })
    }

    /// The skill that an agent needs for `intent`.
    pub fn skill(&self, intent: Option<&IntentName>) -> &str {
        intent
            .and_then(|name| self.intents.get(name))
            .and_then(|spec| spec.skill.as_deref())
            .unwrap_or(&self.line.skill)
    }
}

fn file_stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.strip_suffix(".toml").unwrap_or(name)
}

fn parse_entities(source: &Source) -> Result<BTreeMap<String, EntitySpec>, FlowError> {
    let specs = EntitySpec::parse_all(&source.path, &source.text).map_err(|e| FlowError {
        path: source.path.clone(),
        line: e.line,
        message: e.message,
    })?;
    Ok(specs.into_iter().map(|spec| (spec.name.clone(), spec)).collect())
}

type Intents<'a> = BTreeMap<IntentName, (IntentSpec, &'a Source)>;

/// Resolves every reference and compiles every template.
fn check(
    line: &LineSpec,
    line_source: &Source,
    intents: &Intents<'_>,
    entities: &BTreeMap<String, EntitySpec>,
) -> Result<Wording, FlowError> {
    check_menu(&line.menu, line_source, intents)?;
    let mut wording = Wording::new();
    let mut add = |source: &Source, name: &str, text: &str| {
        wording
            .add(name, text)
            .map_err(|e: WordingError| FlowError::at(source, offset_of(source, text), e.to_string()))
    };
    for (name, text) in line_prompts(line) {
        add(line_source, &name, text)?;
    }
    for (name, (spec, source)) in intents {
        for slot in &spec.slot {
            check_slot(slot, source, entities)?;
        }
        if let Some(fulfil) = &spec.fulfil {
            for slot in fulfil.args.get_ref().values() {
                if !spec.slot.iter().any(|s| s.name == *slot) {
                    let message = format!("args names the slot '{slot}', which this intent does not have");
                    return Err(FlowError::at(source, fulfil.args.span().start, message));
                }
            }
        }
        for (prompt, text) in intent_prompts(name, spec) {
            add(source, &prompt, text)?;
        }
    }
    Ok(wording)
}

/// A template's place in its file, to name the line of a mistake.
fn offset_of(source: &Source, text: &str) -> usize {
    let first = text.lines().next().unwrap_or(text);
    source.text.find(first).unwrap_or(0)
}

fn check_menu(menu: &Spanned<MenuSpec>, source: &Source, intents: &Intents<'_>) -> Result<(), FlowError> {
    let fail = |message: String| Err(FlowError::at(source, menu.span().start, message));
    let entries = &menu.get_ref().entry;
    if !(1..=5).contains(&entries.len()) {
        return fail(format!(
            "the menu has {} entries: expected 1 to 5 (0 is a person, always)",
            entries.len()
        ));
    }
    let mut keys = std::collections::BTreeSet::new();
    for entry in entries {
        if !matches!(entry.key.digit(), Some(1..=9)) {
            return fail(format!("menu key '{}': expected 1 to 9 (0 is a person, always)", entry.key));
        }
        if !keys.insert(entry.key) {
            return fail(format!("menu key '{}' stands twice", entry.key));
        }
        if !intents.contains_key(&entry.intent) {
            return fail(format!(
                "menu key '{}' leads to '{}', for which there is no file",
                entry.key, entry.intent
            ));
        }
    }
    Ok(())
}

fn check_slot(
    slot: &SlotSpec,
    source: &Source,
    entities: &BTreeMap<String, EntitySpec>,
) -> Result<(), FlowError> {
    if !entities.contains_key(slot.entity.get_ref()) {
        let known: Vec<&str> = entities.keys().map(String::as_str).collect();
        let message = format!(
            "entity '{}' is not declared in entities.toml: expected one of {}",
            slot.entity.get_ref(),
            known.join(", ")
        );
        return Err(FlowError::at(source, slot.entity.span().start, message));
    }
    if slot.ask.get_ref().is_empty() {
        let message = format!("slot '{}' asks nothing: expected at least one wording", slot.name);
        return Err(FlowError::at(source, slot.ask.span().start, message));
    }
    Ok(())
}

/// The names and texts of the line's own prompts. Lists are numbered from 0.
fn line_prompts(line: &LineSpec) -> Vec<(String, &str)> {
    let p = &line.prompts;
    let menu = line.menu.get_ref();
    let mut all: Vec<(String, &str)> = vec![
        ("greeting".into(), &p.greeting),
        ("confirm_intent".into(), &p.confirm_intent),
        ("anything_else".into(), &p.anything_else),
        ("goodbye".into(), &p.goodbye),
        ("transfer".into(), &p.transfer),
        ("transfer_failed".into(), &p.transfer_failed),
        ("nobody_there".into(), &p.nobody_there),
        ("hearing_fault".into(), &p.hearing_fault),
        ("look_up_fault".into(), &p.look_up_fault),
        ("one_moment".into(), &p.one_moment),
        ("help".into(), &p.help),
        ("too_long".into(), &p.too_long),
        ("menu.intro".into(), &menu.intro),
        ("menu.person".into(), &menu.person),
    ];
    for entry in &menu.entry {
        all.push((format!("menu.{}", entry.key), &entry.say));
    }
    numbered(&mut all, "how_can_i_help", &p.how_can_i_help);
    numbered(&mut all, "no_input", &p.no_input);
    numbered(&mut all, "no_match", &p.no_match);
    all
}

fn intent_prompts<'a>(name: &IntentName, spec: &'a IntentSpec) -> Vec<(String, &'a str)> {
    let mut all = Vec::new();
    if let Some(transfer) = &spec.transfer {
        all.push((format!("{name}.transfer"), transfer.as_str()));
    }
    if let Some(fulfil) = &spec.fulfil {
        all.push((format!("{name}.answer"), fulfil.answer.as_str()));
        all.push((format!("{name}.not_found"), fulfil.not_found.as_str()));
    }
    for slot in &spec.slot {
        let at = format!("{name}.{}", slot.name);
        numbered(&mut all, &format!("{at}.ask"), slot.ask.get_ref());
        numbered(&mut all, &format!("{at}.no_input"), &slot.no_input);
        numbered(&mut all, &format!("{at}.no_match"), &slot.no_match);
        all.push((format!("{at}.confirm"), slot.confirm.as_str()));
        if let Some(help) = &slot.help {
            all.push((format!("{at}.help"), help.as_str()));
        }
        for (i, step) in slot.dont_know.iter().enumerate() {
            all.push((format!("{at}.dont_know.{i}.found"), step.found.as_str()));
            all.push((format!("{at}.dont_know.{i}.offer"), step.offer.as_str()));
        }
    }
    all
}

fn numbered<'a>(all: &mut Vec<(String, &'a str)>, name: &str, texts: &'a [String]) {
    all.extend(texts.iter().enumerate().map(|(i, text)| (format!("{name}.{i}"), text.as_str())));
}
