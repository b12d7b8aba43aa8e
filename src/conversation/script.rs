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
//! fault asr timeout
//! hangup
//! ```
//!
//! A step waits until the line has stopped speaking and the caller has thought for a moment; `barge T`
//! lets it begin T after the line's next word instead. The same script runs at audio level in `host`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::Conversation;
use crate::audio::{FRAME_DURATION, Frame};
use crate::call::{
    Action, Ani, CallRecord, CallTime, Dnis, Dtmf, Event, Fault, HangupCause, Hypothesis, IntentScore,
    Interpretation, Note, Pii, Query, Recognition, RequestId, Row,
};
use crate::dialogue::Flow;
use crate::speech::Voice;

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
    /// Hangs up.
    HangUp,
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
                        _ => return Err(format!("unknown key '{key}': expected ani or dnis")),
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
        ("hangup", []) => Ok(Act::HangUp),
        _ => Err(format!(
            "'{verb}' with {} arguments: expected call, given, say \"…\", mumble [TIME], silence TIME, keys KEYS, \
             fault PART KIND, barge TIME …, or hangup",
            rest.len()
        )),
    }
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
    let mut speech = Speech { text: text.to_owned(), heard: None, confidence: 0.9, intents: Vec::new() };
    for (key, value) in pairs(keys)? {
        match key {
            "heard" => speech.heard = Some(value.to_owned()),
            "conf" => speech.confidence = probability(value)?,
            "intent" => {
                let (name, p) = value.split_once(':').unwrap_or((value, "0.95"));
                speech.intents.push(IntentScore { intent: name.parse()?, probability: probability(p)? });
            }
            _ => return Err(format!("unknown key '{key}': expected heard, conf or intent")),
        }
    }
    speech.intents.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    Ok(speech)
}

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

/// A caller thinks this long before answering.
const REACTION: Duration = Duration::from_millis(600);

/// A word takes this long to say, in both directions.
const WORD: Duration = Duration::from_millis(300);

/// A key is held and released in this time.
const KEY: Duration = Duration::from_millis(200);

/// Engines' times at text level: near to what the real ones take.
const RECOGNITION: Duration = Duration::from_millis(120);
const INTERPRETATION: Duration = Duration::from_millis(20);
const LOOK_UP: Duration = Duration::from_millis(5);

/// The end of patience of any script: no call may go on for longer.
const LONGEST: CallTime = CallTime::from_millis(20 * 60_000);

/// What a script's run left behind.
#[derive(Debug)]
pub struct Outcome {
    /// One line for each event (`>`) and each action (`<`).
    pub timeline: String,
    /// The call's record; every call has one.
    pub record: Option<CallRecord>,
    /// The longest stretch in which neither side made a sound, in milliseconds.
    pub longest_silence_ms: u64,
}

/// Plays a script at text level. Deterministic: the same flow and script give the same timeline.
pub fn run(flow: &Arc<Flow>, script: &Script) -> Outcome {
    Runner::new(flow, script).run()
}

struct Runner<'a> {
    flow: &'a Flow,
    script: &'a Script,
    conversation: Conversation,
    now: CallTime,
    /// Replies on their way, in order of their time and then of their making.
    replies: BTreeMap<(CallTime, u32), Event>,
    made: u32,
    steps: std::slice::Iter<'a, Step>,
    step: Option<&'a Step>,
    /// When the step may begin.
    begins: Option<CallTime>,
    speaking: Option<(CallTime, &'a Act)>,
    /// What the utterance being heard was.
    last_said: Option<&'a Act>,
    keys: Vec<(CallTime, Dtmf)>,
    prompt: Option<(RequestId, CallTime)>,
    line_spoke: Option<CallTime>,
    line_quiet: Option<CallTime>,
    faults: BTreeMap<Part, Fault>,
    timeline: String,
    record: Option<CallRecord>,
    last_sound: CallTime,
    longest_silence: Duration,
}

impl<'a> Runner<'a> {
    fn new(flow: &'a Arc<Flow>, script: &'a Script) -> Runner<'a> {
        let mut steps = script.steps.iter();
        let step = steps.next();
        Runner {
            conversation: Conversation::new(Arc::clone(flow)),
            flow,
            script,
            now: CallTime::ZERO,
            replies: BTreeMap::new(),
            made: 0,
            steps,
            step,
            begins: None,
            speaking: None,
            last_said: None,
            keys: Vec::new(),
            prompt: None,
            line_spoke: None,
            line_quiet: None,
            faults: BTreeMap::new(),
            timeline: String::new(),
            record: None,
            last_sound: CallTime::ZERO,
            longest_silence: Duration::ZERO,
        }
    }

    fn run(mut self) -> Outcome {
        let id = "script".parse().expect("letters are a call id");
        let arrived = Event::CallArrived { id, ani: self.script.ani.clone(), dnis: self.script.dnis.clone() };
        self.event(arrived);
        while !self.conversation.is_ended() && self.now < LONGEST {
            self.now = self.now + FRAME_DURATION;
            self.deliver();
            self.caller();
            let voiced = self.speaking.is_some();
            let voice = Voice { probability: if voiced { 1.0 } else { 0.0 }, voiced };
            self.conversation.handle_voice(self.now, &Frame::SILENCE, voice);
            while self.conversation.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
                self.conversation.handle_timeout(self.now);
                self.act();
            }
            self.act();
            self.watch_silence(voiced);
        }
        let longest_silence_ms = u64::try_from(self.longest_silence.as_millis()).unwrap_or(u64::MAX);
        Outcome { timeline: self.timeline, record: self.record, longest_silence_ms }
    }

    fn watch_silence(&mut self, voiced: bool) {
        if voiced || self.prompt.is_some() || !self.keys.is_empty() {
            self.last_sound = self.now;
        }
        self.longest_silence = self.longest_silence.max(self.now.since(self.last_sound));
    }

    fn line(&mut self, side: char, text: &str) {
        let _ = writeln!(self.timeline, "{} {side} {text}", self.now);
    }

    fn event(&mut self, event: Event) {
        if let Some(text) = show_event(&event) {
            self.line('>', &text);
        }
        self.conversation.handle_event(self.now, event);
        self.act();
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.replies.first_entry().filter(|e| e.key().0 <= self.now) {
            let event = entry.remove();
            if let Event::PromptFinished { id } = &event {
                if self.prompt.is_none_or(|(playing, _)| playing != *id) {
                    continue;
                }
                self.prompt = None;
                self.line_quiet = Some(self.now);
            }
            self.event(event);
        }
    }

    /// The caller's part of a tick: begins, goes on with, or finishes a step.
    fn caller(&mut self) {
        if let Some((until, _)) = self.speaking
            && self.now >= until
        {
            self.speaking = None;
        }
        if let Some(at) = self.keys.iter().position(|(at, _)| *at <= self.now) {
            let (_, key) = self.keys.remove(at);
            self.event(Event::Key(key));
        }
        if self.speaking.is_some() || !self.keys.is_empty() {
            return;
        }
        let Some(step) = self.step else { return self.wait_for_the_end() };
        if self.may_begin(step) {
            self.begin(step);
        }
    }

    /// A script that has no steps left listens to the end; a line that asks on gets no answer.
    fn wait_for_the_end(&mut self) {}

    fn may_begin(&mut self, step: &Step) -> bool {
        let since = match step.barge {
            Some(after) => self.line_spoke.map(|at| at + after),
            None if self.prompt.is_some() => None,
            None => self.line_quiet.map(|at| at + REACTION),
        };
        let immediate = matches!(step.act, Act::Fault(..));
        immediate || self.begins.or(since).is_some_and(|at| at <= self.now)
    }

    fn begin(&mut self, step: &'a Step) {
        self.begins = None;
        match &step.act {
            Act::Say(speech) => {
                let words = u32::try_from(speech.text.split_whitespace().count().max(1)).unwrap_or(u32::MAX);
                self.line('>', &format!("say \"{}\"", speech.text));
                self.speak(&step.act, WORD.saturating_mul(words));
            }
            Act::Mumble(time) => {
                self.line('>', "mumble");
                self.speak(&step.act, *time);
            }
            Act::Silence(time) => {
                self.line('>', &format!("silence {} ms", time.as_millis()));
                self.step = self.steps.next();
                self.begins = Some(self.now + *time);
                return;
            }
            Act::Keys(keys) => {
                let mut at = self.now;
                for key in keys {
                    self.keys.push((at, *key));
                    at = at + KEY;
                }
            }
            Act::Fault(part, fault) => {
                match fault {
                    Some(fault) => self.faults.insert(*part, fault.clone()),
                    None => self.faults.remove(part),
                };
                self.line('>', &format!("fault {part:?} {}", fault.is_some()));
            }
            Act::HangUp => self.event(Event::HungUp { cause: HangupCause::Caller }),
        }
        self.step = self.steps.next();
        if !matches!(step.act, Act::Fault(..)) {
            // The next step waits for the line's next words.
            self.line_spoke = None;
            self.line_quiet = None;
        }
    }

    fn speak(&mut self, act: &'a Act, time: Duration) {
        self.speaking = Some((self.now + time, act));
        self.last_said = Some(act);
    }

    fn reply(&mut self, after: Duration, event: Event) {
        self.made += 1;
        self.replies.insert((self.now + after, self.made), event);
    }

    fn act(&mut self) {
        while let Some(action) = self.conversation.poll_action() {
            if let Some(text) = show_action(&action) {
                self.line('<', &text);
            }
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Say { id, prompt } => {
                let words =
                    u32::try_from(prompt.text.expose().split_whitespace().count()).unwrap_or(u32::MAX);
                let length = WORD.saturating_mul(words.max(1));
                self.prompt = Some((id, self.now + length));
                self.line_spoke = self.line_spoke.or(Some(self.now));
                self.line_quiet = None;
                self.reply(length, Event::PromptFinished { id });
            }
            Action::StopPrompt { id } => {
                if self.prompt.is_some_and(|(playing, _)| playing == id) {
                    self.prompt = None;
                    self.line_quiet = Some(self.now);
                }
            }
            Action::Recognize { id, .. } => self.recognize(id),
            Action::Interpret { id, hypotheses } => self.interpret(id, &hypotheses),
            Action::LookUp { id, query } => self.look_up(id, &query),
            Action::Transfer { id, .. } => {
                let event = match self.fault(Part::Transfer) {
                    Some(fault) => Event::TransferFailed { id, fault },
                    None => Event::Transferred { id },
                };
                self.reply(Duration::from_secs(1), event);
            }
            Action::WriteRecord { record } => self.record = Some(*record),
            Action::Answer | Action::HangUp { .. } | Action::CancelRecognition { .. } | Action::Note(_) => {}
        }
    }

    fn fault(&self, part: Part) -> Option<Fault> {
        self.faults.get(&part).cloned()
    }

    fn recognize(&mut self, id: RequestId) {
        match self.fault(Part::Asr) {
            // An engine that hangs never answers: the conversation's own deadline must catch it.
            Some(Fault::TimedOut) => {}
            Some(fault @ (Fault::Overloaded | Fault::Failed(_))) => {
                self.reply(RECOGNITION, Event::RecognitionFailed { id, fault });
            }
            None => {
                let hypotheses = match self.last_said {
                    Some(Act::Say(speech)) => vec![Hypothesis {
                        text: Pii::new(speech.heard.clone().unwrap_or_else(|| speech.text.clone())),
                        confidence: speech.confidence,
                    }],
                    Some(Act::Mumble(_) | Act::Silence(_) | Act::Keys(_) | Act::Fault(..) | Act::HangUp)
                    | None => Vec::new(),
                };
                let recognition = Recognition { hypotheses, ..Recognition::default() };
                self.reply(RECOGNITION, Event::Recognized { id, recognition });
            }
        }
    }

    fn interpret(&mut self, id: RequestId, hypotheses: &[Hypothesis]) {
        match self.fault(Part::Nlu) {
            Some(Fault::TimedOut) => {}
            Some(fault @ (Fault::Overloaded | Fault::Failed(_))) => {
                self.reply(INTERPRETATION, Event::InterpretationFailed { id, fault });
            }
            None => {
                let declared = match self.last_said {
                    Some(Act::Say(speech)) => speech.intents.clone(),
                    Some(Act::Mumble(_) | Act::Silence(_) | Act::Keys(_) | Act::Fault(..) | Act::HangUp)
                    | None => Vec::new(),
                };
                let interpretation = if declared.is_empty() {
                    self.by_example(hypotheses)
                } else {
                    Interpretation { ranked: declared, out_of_scope: 0.05 }
                };
                self.reply(INTERPRETATION, Event::Interpreted { id, interpretation });
            }
        }
    }

    fn by_example(&self, hypotheses: &[Hypothesis]) -> Interpretation {
        let text = hypotheses.first().map(|h| h.text.expose().as_str()).unwrap_or_default();
        let intents = &self.flow.intents;
        let found = intents.iter().find(|(_, spec)| spec.examples.iter().any(|e| e == text));
        match found {
            Some((intent, _)) => Interpretation {
                ranked: vec![IntentScore { intent: intent.clone(), probability: 0.97 }],
                out_of_scope: 0.03,
            },
            None => Interpretation { ranked: Vec::new(), out_of_scope: 0.9 },
        }
    }

    fn look_up(&mut self, id: RequestId, query: &Query) {
        match self.fault(Part::Store) {
            Some(Fault::TimedOut) => {}
            Some(fault @ (Fault::Overloaded | Fault::Failed(_))) => {
                self.reply(LOOK_UP, Event::LookUpFailed { id, fault });
            }
            None => {
                let argument = query.args.values().next().map(|v| v.expose().clone()).unwrap_or_default();
                let rows =
                    self.script.given.get(&(query.name.clone(), argument)).cloned().unwrap_or_default();
                self.reply(LOOK_UP, Event::LookedUp { id, rows });
            }
        }
    }
}

/// An event as a timeline's line, without personal data masked: timelines are the developer's own.
pub fn show_event(event: &Event) -> Option<String> {
    Some(match event {
        Event::CallArrived { ani, dnis, .. } => format!(
            "call ani={} dnis={}",
            ani.as_ref().map_or("withheld", |a| a.expose()),
            dnis.as_ref().map_or("-", |d| d.as_str())
        ),
        Event::Key(_) | Event::PromptFinished { .. } => return None,
        Event::Recognized { recognition, .. } => match recognition.best() {
            Some(best) => format!("heard \"{}\" confidence={:.2}", best.text.expose(), best.confidence),
            None => "heard nothing intelligible".to_owned(),
        },
        Event::RecognitionFailed { fault, .. } => format!("recogniser {fault}"),
        Event::Interpreted { interpretation, .. } => match interpretation.best() {
            Some(best) => format!(
                "intent {} {:.2} out_of_scope={:.2}",
                best.intent, best.probability, interpretation.out_of_scope
            ),
            None => format!("intent none out_of_scope={:.2}", interpretation.out_of_scope),
        },
        Event::InterpretationFailed { fault, .. } => format!("classifier {fault}"),
        Event::LookedUp { rows, .. } => format!("rows {}", rows.len()),
        Event::LookUpFailed { fault, .. } => format!("store {fault}"),
        Event::Transferred { .. } => "agent answered".to_owned(),
        Event::TransferFailed { fault, .. } => format!("agent {fault}"),
        Event::HungUp { cause } => format!("hung up by {cause}"),
    })
}

/// An action as a timeline's line.
pub fn show_action(action: &Action) -> Option<String> {
    Some(match action {
        Action::Answer => "answer".to_owned(),
        Action::Say { prompt, .. } => format!("say {}: {}", prompt.name, prompt.text.expose()),
        Action::StopPrompt { .. } => "stop".to_owned(),
        Action::Recognize { expect, .. } => format!("recognize expect={}", show_expect(expect)),
        Action::CancelRecognition { .. } => "cancel recognition".to_owned(),
        Action::Interpret { .. } => return None,
        Action::LookUp { query, .. } => {
            let args: Vec<String> = query.args.iter().map(|(k, v)| format!("{k}={}", v.expose())).collect();
            format!("look_up {} {}", query.name, args.join(" "))
        }
        Action::Transfer { handoff, .. } => {
            let facts: Vec<String> =
                handoff.facts.iter().map(|(k, v)| format!("{k}={}", v.expose())).collect();
            format!(
                "transfer skill={} reason={} intent={} {}",
                handoff.skill,
                handoff.reason,
                handoff.intent.as_ref().map_or("-", |i| i.as_str()),
                facts.join(" ")
            )
        }
        Action::WriteRecord { record } => {
            format!("record {} turns={}", record.disposition, record.turns.len())
        }
        Action::HangUp { cause } => format!("hang up {cause}"),
        Action::Note(note) => match note {
            Note::SpeechStarted => "speech started".to_owned(),
            Note::SpeechEnded { at } => format!("speech ended at {at}"),
            Note::KeyHeard(key) => format!("key {key}"),
            Note::Decided { decision, why } => format!("{decision} ({why})"),
            Note::NoInput => "no input".to_owned(),
        },
    })
}

fn show_expect(expect: &crate::call::Expect) -> String {
    use crate::call::Expect;
    match expect {
        Expect::Open => "open".to_owned(),
        Expect::Digits { min, max } => format!("digits:{min}-{max}"),
        Expect::YesNo => "yes_no".to_owned(),
    }
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
