//! The audio suite: scripted callers in many voices, through the whole line as sound, in measured time.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::caller::{Said, ScriptedCaller, cues};
use super::callers::{CallerError, CallerVoice};
use super::engines::MeasuredEngines;
use super::line::{Line, LineError};
use super::log::{CallLog, Entry, percentile};
use super::session::{Arrival, Session};
use crate::audio::Law;
use crate::call::{CallRecord, Disposition, Hypothesis, IntentName, Pii, TurnRecord};
use crate::conversation::Conversation;
use crate::conversation::script::{Act, Script, ScriptError};
use crate::understanding::classifier::Classifier as _;

/// Why the suite cannot run.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// The suite's file.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: String,
        /// What is wrong and what was expected.
        message: String,
    },
    /// A scenario's script.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A caller's voice.
    #[error(transparent)]
    Caller(#[from] CallerError),
    /// The line.
    #[error(transparent)]
    Line(#[from] LineError),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SuiteFile {
    voice: Vec<VoiceSpec>,
    scenario: Vec<ScenarioSpec>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VoiceSpec {
    engine: String,
    #[serde(default = "one")]
    stretch: f32,
    trained: bool,
    #[serde(default)]
    noise_db: Option<f32>,
    #[serde(default)]
    law: LawName,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LawName {
    #[default]
    Mu,
    A,
}

fn one() -> f32 {
    1.0
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioSpec {
    name: String,
    disposition: Disposition,
    intent: IntentName,
    script: String,
}

/// One call to be made.
#[derive(Debug)]
pub struct Case {
    /// Scenario, voice and line in one word.
    pub name: String,
    /// Whether the speech model was trained on the voice.
    pub trained: bool,
    voice: VoiceSpec,
    scenario: ScenarioSpec,
    script: Script,
    seed: u64,
}

/// How one call came out.
#[derive(Debug, Serialize)]
pub struct CaseReport {
    /// The case.
    pub name: String,
    /// Whether the speech model was trained on the voice.
    pub trained: bool,
    /// Whether the caller got what they rang for, or an agent who knows it.
    pub success: bool,
    /// What it came to.
    pub disposition: Option<Disposition>,
    /// The intent the line held at the end.
    pub intent: Option<IntentName>,
    /// Words said.
    pub words: usize,
    /// Words wrong: substituted, left out, invented.
    pub word_errors: usize,
    /// Sentences with a declared intent, and how many the classifier put first as they were heard.
    pub intents: (usize, usize),
    /// How many of them it puts first when it is given the sentences as they were said.
    pub intents_from_text: usize,
    /// Milliseconds from the end of each utterance to the first sound of its answer.
    pub delays_ms: Vec<u64>,
    /// The call's timeline.
    #[serde(skip)]
    pub timeline: Vec<Entry>,
}

/// Percentiles in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: u64,
    /// 95th.
    pub p95: u64,
}

/// How well intents are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct IntentAccuracy {
    /// Sentences.
    pub sentences: usize,
    /// Share put first as they were heard, 0 to 1.
    pub from_audio: f64,
    /// Share put first as they were said.
    pub from_text: f64,
}

/// The whole suite's figures.
#[derive(Debug, Serialize)]
pub struct SuiteReport {
    /// Calls made.
    pub calls: usize,
    /// Share of calls that succeeded, 0 to 1.
    pub success: f64,
    /// The same, in voices that the speech model was trained on; absent where no such call was made.
    pub success_trained: Option<f64>,
    /// The same, in voices that it never heard.
    pub success_unseen: Option<f64>,
    /// Word error rate, 0 upwards.
    pub wer: f64,
    /// Share of sentences whose intent the classifier put first, 0 to 1.
    pub intent_accuracy: f64,
    /// The same sentences, given to the classifier as text: what the ear takes away is the difference.
    pub intent_accuracy_from_text: f64,
    /// From audio and from text, in voices that the speech model was trained on; absent where none spoke.
    pub intents_trained: Option<IntentAccuracy>,
    /// The same, in voices that it never heard.
    pub intents_unseen: Option<IntentAccuracy>,
    /// From the end of speech to the first sound of the answer, end-pointing included.
    pub delay_ms: Percentiles,
    /// Each call.
    pub cases: Vec<CaseReport>,
}

/// Reads a suite and lays out its calls; with `sample`, that many of them, spread evenly.
///
/// # Errors
/// The file cannot be read, or a line of it is not what it should be.
pub fn cases(path: &Path, sample: Option<usize>) -> Result<Vec<Case>, SuiteError> {
    let shown = path.display().to_string();
    let fail = |message: String| SuiteError::File { path: shown.clone(), message };
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    let file: SuiteFile = toml::from_str(&text).map_err(|e| fail(e.to_string()))?;
    let mut all = Vec::new();
    for scenario in &file.scenario {
        let script = Script::parse(&format!("{shown} ({})", scenario.name), &scenario.script)?;
        for voice in &file.voice {
            let noise = voice.noise_db.map_or_else(String::new, |db| format!(" {db} dB"));
            let name = format!("{} {} x{:.2}{noise}", scenario.name, voice.engine, voice.stretch);
            all.push(Case {
                name,
                trained: voice.trained,
                voice: voice.clone(),
                scenario: scenario.clone(),
                script: script.clone(),
                seed: all.len() as u64,
            });
        }
    }
    Ok(match sample {
        None => all,
        Some(n) => {
            let total = all.len();
            let n = n.clamp(1, total);
            // A stride that shares no factor with the voices' number walks through all of them.
            let chosen: std::collections::BTreeSet<usize> = (0..n).map(|i| i * total / n).collect();
            let mut kept = Vec::new();
            for (i, case) in all.into_iter().enumerate() {
                if chosen.contains(&i) {
                    kept.push(case);
                }
            }
            kept
        }
    })
}

/// Makes one call.
///
/// # Errors
/// The caller's voice failed.
pub fn run_case(line: &Line, case: &Case) -> Result<CaseReport, SuiteError> {
    let law = match case.voice.law {
        LawName::Mu => Law::Mu,
        LawName::A => Law::A,
    };
    let v = &case.voice;
    let voice = CallerVoice::open(&v.engine, v.stretch, law, v.noise_db, case.seed)?;
    let cues = cues(&case.script, |_, text| voice.say(text))?;
    let mut caller = ScriptedCaller::new(cues, voice.background());
    let mut engines = MeasuredEngines::new(line);
    let mut ignore = |_: &Entry| {};
    let mut log = CallLog::new(None, &mut ignore);
    let conversation = Conversation::new(std::sync::Arc::clone(&line.flow)).anonymous();
    let arrival = Arrival {
        id: format!("suite-{}-{}", super::unique(), case.seed).parse().expect("letters, digits and dashes"),
        ani: case.script.ani.clone(),
        dnis: case.script.dnis.clone(),
        keypad_only: false,
    };
    let record = Session::new(conversation, &mut engines, &mut log).run(arrival, &mut caller, false);
    let (timeline, delays) = log.finish();
    let from_text = intents_from_text(line, &case.script)?;
    Ok(report(case, record.as_ref(), &caller.into_said(), timeline, &delays, from_text))
}

fn report(
    case: &Case,
    record: Option<&CallRecord>,
    said: &[Said],
    timeline: Vec<Entry>,
    delays: &[Duration],
    intents_from_text: usize,
) -> CaseReport {
    let turns = record.map(|r| r.turns.as_slice()).unwrap_or_default();
    let (words, word_errors) = word_errors(said, turns);
    let disposition = record.map(|r| r.disposition);
    let intent = record.and_then(|r| r.intent.clone());
    let wanted = intent.as_ref() == Some(&case.scenario.intent);
    let ended =
        disposition == Some(case.scenario.disposition) || disposition == Some(Disposition::Transferred);
    CaseReport {
        name: case.name.clone(),
        trained: case.trained,
        success: wanted && ended,
        disposition,
        intent,
        words,
        word_errors,
        intents: intents(&case.script, said, turns),
        intents_from_text,
        delays_ms: delays.iter().map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)).collect(),
        timeline,
    }
}

/// The turn in which a sentence was heard: the one that overlaps it most.
fn turn_of<'a>(said: &Said, turns: &'a [TurnRecord]) -> Option<&'a TurnRecord> {
    let overlap = |turn: &TurnRecord| turn.ended.min(said.to).since(turn.at.max(said.from));
    turns.iter().filter(|t| t.keys.is_none() && !overlap(t).is_zero()).max_by_key(|t| overlap(t))
}

fn word_errors(said: &[Said], turns: &[TurnRecord]) -> (usize, usize) {
    let (mut words, mut errors) = (0, 0);
    for sentence in said {
        let reference: Vec<&str> = sentence.text.split_whitespace().collect();
        let heard = turn_of(sentence, turns).and_then(|t| t.heard.as_ref());
        let heard: Vec<&str> = heard.map(|h| h.expose().split_whitespace().collect()).unwrap_or_default();
        words += reference.len();
        errors += edit_distance(&reference, &heard);
    }
    (words, errors)
}

/// Sentences with a declared intent, and how many of them were classified so.
fn intents(script: &Script, said: &[Said], turns: &[TurnRecord]) -> (usize, usize) {
    let (mut all, mut right) = (0, 0);
    for step in &script.steps {
        let Act::Say(speech) = &step.act else { continue };
        let Some(wanted) = speech.intents.first() else { continue };
        all += 1;
        let turn = said.iter().find(|s| s.text == speech.text).and_then(|s| turn_of(s, turns));
        right += usize::from(turn.and_then(|t| t.intent.as_ref()) == Some(&wanted.intent));
    }
    (all, right)
}

/// Of the sentences with a declared intent, those that the classifier puts first as they stand.
fn intents_from_text(line: &Line, script: &Script) -> Result<usize, SuiteError> {
    let mut right = 0;
    for step in &script.steps {
        let Act::Say(speech) = &step.act else { continue };
        let Some(wanted) = speech.intents.first() else { continue };
        let hypothesis = Hypothesis { text: Pii::from(speech.text.as_str()), confidence: 1.0 };
        let meant = line.classifier.interpret(&[hypothesis]).map_err(LineError::from)?;
        right += usize::from(meant.best().is_some_and(|s| s.intent == wanted.intent));
    }
    Ok(right)
}

/// Levenshtein's distance in words.
pub fn edit_distance(reference: &[&str], heard: &[&str]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in reference.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in heard.iter().enumerate() {
            let substituted = diagonal + usize::from(word != other);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[heard.len()]
}

/// Puts the calls' figures together.
pub fn summarize(cases: Vec<CaseReport>) -> SuiteReport {
    let share = |of: &dyn Fn(&CaseReport) -> bool| -> Option<f64> {
        let chosen: Vec<&CaseReport> = cases.iter().filter(|c| of(c)).collect();
        let good = chosen.iter().filter(|c| c.success).count();
        (!chosen.is_empty()).then(|| good as f64 / chosen.len() as f64)
    };
    let words: usize = cases.iter().map(|c| c.words).sum();
    let errors: usize = cases.iter().map(|c| c.word_errors).sum();
    let intents = |of: &dyn Fn(&CaseReport) -> bool| intent_accuracy(cases.iter().filter(|c| of(c)));
    let all_intents = intents(&|_| true);
    let delays: Vec<Duration> =
        cases.iter().flat_map(|c| &c.delays_ms).map(|ms| Duration::from_millis(*ms)).collect();
    let at = |p| u64::try_from(percentile(&delays, p).as_millis()).unwrap_or(u64::MAX);
    SuiteReport {
        calls: cases.len(),
        success: share(&|_| true).unwrap_or(0.0),
        success_trained: share(&|c| c.trained),
        success_unseen: share(&|c| !c.trained),
        wer: errors as f64 / words.max(1) as f64,
        intent_accuracy: all_intents.map_or(0.0, |i| i.from_audio),
        intent_accuracy_from_text: all_intents.map_or(0.0, |i| i.from_text),
        intents_trained: intents(&|c| c.trained),
        intents_unseen: intents(&|c| !c.trained),
        delay_ms: Percentiles { p50: at(50), p95: at(95) },
        cases,
    }
}

fn intent_accuracy<'a>(cases: impl Iterator<Item = &'a CaseReport>) -> Option<IntentAccuracy> {
    let (mut sentences, mut heard, mut read) = (0, 0, 0);
    for case in cases {
        sentences += case.intents.0;
        heard += case.intents.1;
        read += case.intents_from_text;
    }
    let share = |right: usize| right as f64 / sentences as f64;
    (sentences > 0).then(|| IntentAccuracy { sentences, from_audio: share(heard), from_text: share(read) })
}

/// Success by the engine of the caller's voice, best first.
pub fn by_voice(report: &SuiteReport) -> BTreeMap<String, (usize, usize)> {
    let mut voices = BTreeMap::new();
    for case in &report.cases {
        let voice = case.name.split_once(' ').map_or(case.name.as_str(), |(_, voice)| voice).to_owned();
        let entry: &mut (usize, usize) = voices.entry(voice).or_default();
        entry.0 += usize::from(case.success);
        entry.1 += 1;
    }
    voices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::CallTime;

    fn turn(from: u64, to: u64, heard: &str) -> TurnRecord {
        TurnRecord {
            at: CallTime::from_millis(from),
            ended: CallTime::from_millis(to),
            heard: Some(Pii::from(heard)),
            ..TurnRecord::default()
        }
    }

    fn said(from: u64, to: u64, text: &str) -> Said {
        Said { text: text.to_owned(), from: CallTime::from_millis(from), to: CallTime::from_millis(to) }
    }

    #[test]
    fn words_are_counted_where_they_were_said() {
        let turns = [turn(1000, 2000, "where is my hoarder"), turn(5000, 6000, "yes")];
        let all =
            [said(900, 2100, "where is my order"), said(3000, 4000, "hello there"), said(5000, 6100, "yes")];
        // One substitution, and two words that nobody heard.
        assert_eq!(word_errors(&all, &turns), (7, 3));
    }

    fn case(trained: bool, intents: (usize, usize), intents_from_text: usize) -> CaseReport {
        CaseReport {
            name: "a b".to_owned(),
            trained,
            success: true,
            disposition: None,
            intent: None,
            words: 1,
            word_errors: 0,
            intents,
            intents_from_text,
            delays_ms: Vec::new(),
            timeline: Vec::new(),
        }
    }

    #[test]
    fn intents_from_audio_stand_beside_those_from_text() {
        let report = summarize(vec![case(true, (2, 1), 2), case(true, (2, 2), 2), case(false, (0, 0), 0)]);
        let known = IntentAccuracy { sentences: 4, from_audio: 0.75, from_text: 1.0 };
        assert_eq!((report.intents_trained, report.intents_unseen), (Some(known), None));
        assert_eq!((report.intent_accuracy, report.intent_accuracy_from_text), (0.75, 1.0));
    }

    #[test]
    fn the_distance_counts_substitutions_deletions_and_insertions() {
        assert_eq!(edit_distance(&["a", "b", "c"], &["a", "c"]), 1);
        assert_eq!(edit_distance(&["a"], &["b", "a", "c"]), 2);
        assert_eq!(edit_distance(&[], &["x"]), 1);
        assert_eq!(edit_distance(&["a", "b"], &["c", "d"]), 2);
    }
}
