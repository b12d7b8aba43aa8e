//! `.call` scripts: who says what, keys, silences, faults; and a runner that plays one at text level,
//! against a simulated clock, and writes the timeline.
//!
//! ```text
//! # A comment.
//! call ani=5550100 dnis=800
//! given order_by_number 451288 number=451288 item=headphones status=shipped expected_on=2026-05-04
//! say "where is my order" intent=order_status:0.95 conf=0.9
//! barge 800ms say "agent"
//! mumble 2s
//! silence 6s
//! keys 451288#
//! desk queued | desk place 2 3 | desk nobody | desk answers | desk fails
//! fault asr timeout
//! slow store 3s
//! hangup
//! ```
//!
//! A step waits until the line has stopped speaking and the caller has thought for a moment; `barge T`
//! lets it begin T after the line's next word instead. The same script runs at audio level in `host`.

mod of_record;

mod run;

mod timeline;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::DateTime;
pub use of_record::of_record;
pub use run::{Outcome, run};
pub use timeline::{masked, show_action, show_event};

use crate::call::{Ani, Dnis, Dtmf, Fault, HangupCause, IntentScore, Pii, Row, TimeSpan, Waiting, WayOut};

/// A mistake in a script.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{path}:{line}: {message}")]
pub struct ScriptError {
    /// The file.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// A parsed `.call` script.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// The caller's number; `None` is withheld.
    pub ani: Option<Ani>,
    /// The number dialled.
    pub dnis: Option<Dnis>,
    /// The line's day and hour.
    pub local: Option<DateTime>,
    /// Whether the line takes keys alone: it is too busy to listen.
    pub keypad_only: bool,
    /// Whether the call is recorded, and the caller told so.
    pub is_recorded: bool,
    /// What the store knows, at text level: look-up name and its argument, to rows.
    pub given: BTreeMap<(String, String), Vec<Row>>,
    /// What the caller does, in order.
    pub steps: Vec<Step>,
}

/// One thing that a caller does.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Begins this long after the line's next word instead of when the line has finished.
    pub barge: Option<Duration>,
    /// What.
    pub act: Act,
}

/// What a caller does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Speaks.
    Say(Speech),
    /// Speaks so that nobody can understand it.
    Mumble(Duration),
    /// Says nothing for that long.
    Silence(Duration),
    /// Presses keys.
    Keys(Vec<Dtmf>),
    /// From now on, this engine answers with a fault (or works again: `None`).
    Fault(Part, Option<Fault>),
    /// From now on, this engine takes so long.
    Slow(Part, Duration),
    /// The desk has news for the caller, who is being handed over.
    Desk(Desk),
    /// Hangs up, or is cut off.
    HangUp(HangupCause),
}

/// What comes of a hand-over. A script in which it stands has a desk; otherwise one agent is rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Desk {
    /// The caller is told something.
    Says(Waiting),
    /// An agent takes the call.
    Answers,
    /// The desk does not work.
    Fails,
}

/// A sentence and, at text level, what the engines make of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Speech {
    /// What is said.
    pub text: String,
    /// What is heard, where it differs.
    pub heard: Option<String>,
    /// The recogniser's confidence, 0 to 1.
    pub confidence: f32,
    /// The classifier's view; without it, a sentence that is an example of an intent has that intent,
    /// and any other is out of scope.
    pub intents: Vec<IntentScore>,
    /// Level of the voice, RMS in dBFS.
    pub level_dbfs: f32,
}

/// A part of the line that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The recogniser.
    Asr,
    /// The classifier.
    Nlu,
    /// The store.
    Store,
    /// Transfers to agents.
    Transfer,
}

impl Script {
    /// Parses a script; `path` is for errors.
    ///
    /// # Errors
    /// The first mistake, with its line and what was expected.
    pub fn parse(path: &str, text: &str) -> Result<Script, ScriptError> {
        let mut script = Script::default();
        for (i, line) in text.lines().enumerate() {
            let fail = |message: String| ScriptError { path: path.to_owned(), line: i + 1, message };
            let words = split_words(line).map_err(fail)?;
            let Some((verb, rest)) = words.split_first() else { continue };
            script.take_line(verb, rest).map_err(fail)?;
        }
        Ok(script)
    }

    fn take_line(&mut self, verb: &str, rest: &[String]) -> Result<(), String> {
        match verb {
            "call" => {
                for (key, value) in pairs(rest)? {
                    match key {
                        "ani" => self.ani = Some(value.parse().map_err(|e| format!("ani: {e}"))?),
                        "dnis" => self.dnis = Some(value.parse().map_err(|e| format!("dnis: {e}"))?),
                        "at" => {
                            self.local = Some(
                                value
                                    .parse()
                                    .map_err(|_| format!("at: '{value}': expected 2026-05-04T09:30"))?,
                            )
                        }
                        "keypad_only" if value == "yes" => self.keypad_only = true,
                        "recorded" if value == "yes" => self.is_recorded = true,
                        _ => {
                            return Err(format!(
                                "'{key}={value}': expected ani, dnis, at, keypad_only=yes or recorded=yes"
                            ));
                        }
                    }
                }
            }
            "given" => {
                let [name, argument, fields @ ..] = rest else {
                    return Err("expected: given LOOK_UP ARGUMENT [field=value …]".to_owned());
                };
                let row: Row =
                    pairs(fields)?.into_iter().map(|(k, v)| (k.to_owned(), Pii::from(v))).collect();
                let rows = self.given.entry((name.clone(), argument.clone())).or_default();
                if !row.is_empty() {
                    rows.push(row);
                }
            }
            "barge" => {
                let [after, verb, rest @ ..] = rest else {
                    return Err("expected: barge TIME say|mumble|keys …".to_owned());
                };
                let barge = Some(duration(after)?);
                self.steps.push(Step { barge, act: act(verb, rest)? });
            }
            verb => self.steps.push(Step { barge: None, act: act(verb, rest)? }),
        }
        Ok(())
    }
}

fn act(verb: &str, rest: &[String]) -> Result<Act, String> {
    match (verb, rest) {
        ("say", [text, keys @ ..]) => speech(text, keys).map(Act::Say),
        ("mumble", []) => Ok(Act::Mumble(Duration::from_millis(1500))),
        ("mumble", [time]) => duration(time).map(Act::Mumble),
        ("silence", [time]) => duration(time).map(Act::Silence),
        ("keys" | "key", [keys]) => keys
            .chars()
            .map(|c| Dtmf::try_from(c).map_err(|e| format!("'{c}': {e}")))
            .collect::<Result<_, _>>()
            .map(Act::Keys),
        ("fault", [part, kind]) => Ok(Act::Fault(fault_part(part)?, fault_kind(kind)?)),
        ("slow", [part, time]) => Ok(Act::Slow(fault_part(part)?, duration(time)?)),
        ("desk", [what, rest @ ..]) => desk(what, rest).map(Act::Desk),
        ("hangup", []) => Ok(Act::HangUp(HangupCause::Caller)),
        ("hangup", [how]) if how == "dropped" => Ok(Act::HangUp(HangupCause::ChannelFailed)),
        _ => Err(format!(
            "'{verb}' with {} arguments: expected call, given, say \"…\", mumble [TIME], silence TIME, keys KEYS, \
             fault PART KIND, slow PART TIME, desk queued|open|place|nobody|answers|fails, barge TIME …, or \
             hangup [dropped]",
            rest.len()
        )),
    }
}

fn desk(what: &str, rest: &[String]) -> Result<Desk, String> {
    let number = |text: &String| text.parse().map_err(|_| format!("'{text}': expected a whole number"));
    let ways_out = WayOut::ALL.to_vec();
    Ok(match (what, rest) {
        ("queued", []) => Desk::Says(Waiting::Queued),
        ("place", [position, minutes @ ..]) => {
            let minutes = minutes.first().map(number).transpose()?;
            let position = usize::try_from(number(position)?).unwrap_or(usize::MAX);
            Desk::Says(Waiting::Announced { position, minutes, ways_out })
        }
        ("open", [now, spans @ ..]) => {
            let open = spans.iter().map(span).collect::<Result<_, _>>()?;
            let now = now.parse().map_err(|_| format!("'{now}': expected a time like 2026-05-04T10:00"))?;
            Desk::Says(Waiting::CallsBack { now, open })
        }
        ("nobody", []) => Desk::Says(Waiting::Offered { ways_out }),
        ("answers", []) => Desk::Answers,
        ("fails", []) => Desk::Fails,
        _ => {
            return Err(format!(
                "desk {what}: expected queued, open NOW FROM..UNTIL …, place N [MINUTES], nobody, answers or fails"
            ));
        }
    })
}

fn span(text: &String) -> Result<TimeSpan, String> {
    let ends =
        text.split_once("..").and_then(|(from, until)| Some([from.parse().ok()?, until.parse().ok()?]));
    let [from, until] =
        ends.ok_or_else(|| format!("'{text}': expected a span like 2026-05-04T09:00..2026-05-04T17:00"))?;
    Ok(TimeSpan { from, until })
}

fn fault_part(part: &str) -> Result<Part, String> {
    match part {
        "asr" => Ok(Part::Asr),
        "nlu" => Ok(Part::Nlu),
        "store" => Ok(Part::Store),
        "transfer" => Ok(Part::Transfer),
        _ => Err(format!("unknown part '{part}': expected asr, nlu, store or transfer")),
    }
}

fn fault_kind(kind: &str) -> Result<Option<Fault>, String> {
    match kind {
        "timeout" => Ok(Some(Fault::TimedOut)),
        "failed" => Ok(Some(Fault::Failed("as the script says".to_owned()))),
        "overloaded" => Ok(Some(Fault::Overloaded)),
        "none" => Ok(None),
        _ => Err(format!("unknown fault '{kind}': expected timeout, failed, overloaded or none")),
    }
}

fn speech(text: &str, keys: &[String]) -> Result<Speech, String> {
    let mut speech = Speech {
        text: text.to_owned(),
        heard: None,
        confidence: CLEARLY,
        intents: Vec::new(),
        level_dbfs: USUAL_LEVEL_DBFS,
    };
    for (key, value) in pairs(keys)? {
        match key {
            "heard" => speech.heard = Some(value.to_owned()),
            "conf" => speech.confidence = probability(value)?,
            "intent" => {
                let (name, p) = value.split_once(':').unwrap_or((value, "0.95"));
                speech.intents.push(IntentScore { intent: name.parse()?, probability: probability(p)? });
            }
            "level" => {
                let level = value.parse::<f32>().ok().filter(|l| (-60.0..=0.0).contains(l));
                speech.level_dbfs = level.ok_or_else(|| format!("'{value}': expected -60 to 0 dBFS"))?;
            }
            _ => return Err(format!("unknown key '{key}': expected heard, conf, intent or level")),
        }
    }
    speech.intents.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    Ok(speech)
}

/// How well a caller is heard where a script says nothing of it: as the ear hears most callers.
const CLEARLY: f32 = 0.97;

/// Level of a caller's voice where a script says nothing of it, RMS in dBFS.
const USUAL_LEVEL_DBFS: f32 = -26.0;

fn probability(text: &str) -> Result<f32, String> {
    let p = text.parse::<f32>().ok().filter(|p| (0.0..=1.0).contains(p));
    p.ok_or_else(|| format!("'{text}': expected a number from 0 to 1"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("'{text}': expected a time such as 800ms or 6s");
    let (number, scale) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').ok_or_else(expected)?, 1.0),
    };
    let seconds = number.parse::<f64>().map_err(|_| expected())? * scale;
    if (0.0..=600.0).contains(&seconds) { Ok(Duration::from_secs_f64(seconds)) } else { Err(expected()) }
}

fn pairs(words: &[String]) -> Result<Vec<(&str, &str)>, String> {
    words.iter().map(|w| w.split_once('=').ok_or_else(|| format!("'{w}': expected key=value"))).collect()
}

/// Words, with `"…"` keeping its spaces, up to a `#` that begins a word.
fn split_words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut chars = line.trim().chars().peekable();
    while let Some(&c) = chars.peek() {
        if c.is_whitespace() {
            chars.next();
            continue;
        }
        if c == '#' && words.last().is_none_or(|w| w != "keys" && w != "key") {
            break;
        }
        let (mut word, mut quoted) = (String::new(), false);
        for c in chars.by_ref() {
            match c {
                '"' => quoted = !quoted,
                c if c.is_whitespace() && !quoted => break,
                c => word.push(c),
            }
        }
        if quoted {
            return Err("a quotation mark is not closed".to_owned());
        }
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Script::parse("x.call", text).expect_err("a mistake").to_string()
    }

    #[test]
    fn mistakes_name_the_line_and_what_was_expected() {
        assert_eq!(
            error("call ani=me"),
            "x.call:1: ani: not a telephone number: expected 2 to 20 digits with an optional leading +"
        );
        assert!(error("\nsay \"where").starts_with("x.call:2: a quotation mark"));
        assert!(error("silence soon").contains("expected a time such as"));
        assert!(error("dance").contains("expected call, given"));
        assert!(error("say hi conf=2").contains("from 0 to 1"));
    }

    #[test]
    fn a_pound_key_is_no_comment() {
        let script =
            Script::parse("x", "keys 12# # a comment\nbarge 1s keys #\n# a comment").expect("a script");
        assert_eq!(script.steps.len(), 2);
    }
}
