//! What teams write, parsed and checked: `intents/line.toml` and one file an intent.
//!
//! A [`Flow`] that exists is sound: every reference resolves, every prompt's template compiles and uses
//! only what is there, menus are short enough, and every slot leads somewhere when the caller does not
//! know its value. Nothing here talks to a caller.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::check;
use super::intent_spec::IntentSpec;
use super::spec::{CommandSpec, LineSpec, WaitingSpec};
use super::wording::Wording;
use crate::call::{IntentName, OUT_OF_SCOPE};
use crate::understanding::{EntitySpec, PhraseSet};

/// One file of `intents/`, already read.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub(super) fn at(source: &Source, offset: usize, message: impl Into<String>) -> FlowError {
        let upto = source.text.get(..offset).unwrap_or(&source.text);
        FlowError {
            path: source.path.clone(),
            line: upto.bytes().filter(|b| *b == b'\n').count() + 1,
            message: message.into(),
        }
    }

    /// At the first place where the file holds `text`, of which the first line decides.
    pub(super) fn near(source: &Source, text: &str, message: impl Into<String>) -> FlowError {
        let first = text.lines().next().unwrap_or(text);
        FlowError::at(source, source.text.find(first).unwrap_or(0), message)
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
    /// Wants the question before this one.
    pub go_back: PhraseSet,
    /// Wants to hear it slowly.
    pub slower: PhraseSet,
    /// Wants the line to wait.
    pub wait: PhraseSet,
    /// Has done what the line asked for.
    pub done: PhraseSet,
    /// Begins a correction.
    pub correction: PhraseSet,
    /// The answer was about something else.
    pub wrong: PhraseSet,
    /// Does not want to be recorded.
    pub no_recording: PhraseSet,
    /// Words of a caller who is upset.
    pub upset: PhraseSet,
    /// While waiting: wants to be called back.
    pub way_callback: PhraseSet,
    /// Wants that as soon as it can be.
    pub soon: PhraseSet,
    /// Wants to leave a message.
    pub way_voicemail: PhraseSet,
    /// Wants to go on with the line.
    pub way_line: PhraseSet,
}

impl Commands {
    fn new(spec: &CommandSpec, upset: &[String], waiting: Option<&WaitingSpec>) -> Commands {
        let way = |words: fn(&WaitingSpec) -> &Vec<String>| {
            PhraseSet::new(waiting.map(words).map(Vec::as_slice).unwrap_or_default())
        };
        let soon = waiting.and_then(|waiting| waiting.when.as_ref()).map(|when| when.soon_words.as_slice());
        Commands {
            soon: PhraseSet::new(soon.unwrap_or_default()),
            way_callback: way(|w| &w.callback_words),
            way_voicemail: way(|w| &w.voicemail_words),
            way_line: way(|w| &w.line_words),
            agent: PhraseSet::new(&spec.agent),
            repeat: PhraseSet::new(&spec.repeat),
            help: PhraseSet::new(&spec.help),
            start_over: PhraseSet::new(&spec.start_over),
            goodbye: PhraseSet::new(&spec.goodbye),
            go_back: PhraseSet::new(&spec.go_back),
            slower: PhraseSet::new(&spec.slower),
            wait: PhraseSet::new(&spec.wait),
            done: PhraseSet::new(&spec.done),
            correction: PhraseSet::new(&spec.correction),
            wrong: PhraseSet::new(&spec.wrong),
            no_recording: PhraseSet::new(&spec.no_recording),
            upset: PhraseSet::new(upset),
        }
    }
}

/// The files of a flow, read but not yet checked.
pub(super) struct FlowParts<'a> {
    pub(super) line: &'a LineSpec,
    pub(super) line_source: &'a Source,
    pub(super) intents: BTreeMap<IntentName, (IntentSpec, &'a Source)>,
    pub(super) entities: BTreeMap<String, EntitySpec>,
}

impl Flow {
    /// Parses and checks a folder's files: `line.toml`, `entities.toml`, and one an intent; `desk.toml` is passed over.
    ///
    /// # Errors
    /// The first mistake, with file, line and what was expected.
    pub fn parse(sources: &[Source]) -> Result<Flow, FlowError> {
        let mut line: Option<(LineSpec, &Source)> = None;
        let mut entities = BTreeMap::new();
        let mut intents = BTreeMap::new();
        for source in sources {
            match file_stem(&source.path) {
                "line" => {
                    let spec: LineSpec =
                        toml::from_str(&source.text).map_err(|e| FlowError::in_toml(source, &e))?;
                    line = Some((spec, source));
                }
                "entities" => entities = parse_entities(source)?,
                // Examples and routing: others' business.
                OUT_OF_SCOPE | "desk" => {}
                stem => {
                    let name: IntentName = stem.parse().map_err(|e: String| FlowError::at(source, 0, e))?;
                    let spec: IntentSpec =
                        toml::from_str(&source.text).map_err(|e| FlowError::in_toml(source, &e))?;
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
        let parts = FlowParts { line: &line, line_source, intents, entities };
        let wording = check(&parts)?;
        let FlowParts { intents, entities, .. } = parts;
        let upset = line.upset.as_ref().map(|u| u.words.clone()).unwrap_or_default();
        let commands = Commands::new(&line.commands, &upset, line.waiting.as_ref());
        let intents = intents.into_iter().map(|(name, (spec, _))| (name, spec)).collect();
        Ok(Flow { line, intents, entities, commands, wording })
    }

    /// How long a look-up may take, where it is a webhook's: its attempts, and half a second for what lies
    /// between them. `None` for the store's.
    pub fn look_up_deadline(&self, name: &str) -> Option<Duration> {
        let webhook = self.line.webhook.get(name)?;
        let attempts = 1 + u64::from(webhook.retries);
        Some(Duration::from_millis(attempts.saturating_mul(webhook.timeout_ms).saturating_add(500)))
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
