//! Plays a script at text level, against a simulated clock.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::{Act, Desk, Part, Script, Speech, Step, masked, show_action, show_event};
use crate::audio::{FRAME_DURATION, FRAME_SAMPLES, Frame, RATE_HZ};
use crate::call::{
    Action, CallRecord, CallTime, Dtmf, Event, Fault, Hypothesis, IntentScore, Interpretation, Pii, Query,
    Recognition, RequestId,
};
use crate::conversation::Conversation;
use crate::dialogue::Flow;
use crate::speech::Voice;

/// A caller thinks this long before answering.
const REACTION: Duration = Duration::from_millis(600);

/// So much music says that nothing else comes.
const HELD: Duration = Duration::from_secs(2);

/// A word takes this long to say, in both directions.
const WORD: Duration = Duration::from_millis(300);

/// A key is held and released in this time.
const KEY: Duration = Duration::from_millis(200);

/// Engines' times at text level: near to what the real ones take.
const RECOGNITION: Duration = Duration::from_millis(120);
const INTERPRETATION: Duration = Duration::from_millis(20);
const LOOK_UP: Duration = Duration::from_millis(5);

/// A person picks up after one ring.
const RING: Duration = Duration::from_secs(1);

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
    /// The hand-over that the desk has news of.
    transfer: Option<RequestId>,
    /// Since when there is music.
    held: Option<CallTime>,
    keys: Vec<(CallTime, Dtmf)>,
    prompt: Option<(RequestId, CallTime)>,
    line_spoke: Option<CallTime>,
    line_quiet: Option<CallTime>,
    faults: BTreeMap<Part, Fault>,
    slow: BTreeMap<Part, Duration>,
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
            conversation: match script.local {
                Some(local) => Conversation::new(Arc::clone(flow)).at(local),
                None => Conversation::new(Arc::clone(flow)),
            }
            .keypad_only(script.keypad_only)
            .recorded(script.is_recorded),
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
            transfer: None,
            held: None,
            keys: Vec::new(),
            prompt: None,
            line_spoke: None,
            line_quiet: None,
            faults: BTreeMap::new(),
            slow: BTreeMap::new(),
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
            let frame = self.frame();
            self.conversation.handle_voice(self.now, &frame, voice);
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

    /// The caller's sound: as loud as the script says, and nothing else.
    fn frame(&self) -> Frame {
        match self.speaking {
            Some((_, Act::Say(speech))) => {
                // A square wave's RMS is its amplitude.
                let amplitude = 10f32.powf(speech.level_dbfs / 20.0) * f32::from(i16::MAX);
                let samples: Vec<i16> = (0..FRAME_SAMPLES)
                    .map(|i| if i % 2 == 0 { amplitude } else { -amplitude } as i16)
                    .collect();
                Frame::from_padded(&samples)
            }
            Some(_) | None => Frame::SILENCE,
        }
    }

    fn watch_silence(&mut self, voiced: bool) {
        // Whoever waits for a person hears music, and whoever leaves a message speaks or is ended soon.
        let is_held = self.conversation.is_on_hold();
        if voiced || is_held || self.prompt.is_some() || !self.keys.is_empty() {
            self.last_sound = self.now;
        }
        self.longest_silence = self.longest_silence.max(self.now.since(self.last_sound));
    }

    fn line(&mut self, side: char, text: &str) {
        let _ = writeln!(self.timeline, "{} {side} {text}", self.now);
    }

    fn event(&mut self, event: Event) {
        let shown = if self.conversation.is_secret() { masked(&event) } else { None };
        if let Some(text) = show_event(shown.as_ref().unwrap_or(&event)) {
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
            self.held = None;
            return;
        }
        // Music is no word to wait for the end of.
        let held = self.held.filter(|_| self.conversation.is_on_hold()).unwrap_or(self.now);
        self.held = self.conversation.is_on_hold().then_some(held);
        if self.now.since(held) >= HELD {
            self.line_quiet = self.line_quiet.or(Some(self.now));
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
        let immediate = matches!(step.act, Act::Fault(..) | Act::Slow(..));
        immediate || self.begins.or(since).is_some_and(|at| at <= self.now)
    }

    fn begin(&mut self, step: &'a Step) {
        self.begins = None;
        match &step.act {
            Act::Say(speech) => {
                let words = u32::try_from(speech.text.split_whitespace().count().max(1)).unwrap_or(u32::MAX);
                let text = if self.conversation.is_secret() { "***" } else { speech.text.as_str() };
                self.line('>', &format!("say \"{text}\""));
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
            Act::Slow(part, time) => {
                self.slow.insert(*part, *time);
                self.line('>', &format!("slow {part:?} {} ms", time.as_millis()));
            }
            Act::Desk(desk) => self.desk(desk),
            Act::HangUp(cause) => self.event(Event::HungUp { cause: *cause }),
        }
        self.step = self.steps.next();
        if !matches!(step.act, Act::Fault(..) | Act::Slow(..) | Act::Desk(_)) {
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
                // Whoever interrupts does not think that the line has finished: the next step waits for
                // the line's next words.
                if self.prompt.is_some_and(|(playing, _)| playing == id) {
                    self.prompt = None;
                }
            }
            Action::Recognize { id, .. } => self.recognize(id),
            Action::Interpret { id, hypotheses } => self.interpret(id, &hypotheses),
            Action::LookUp { id, query } => self.look_up(id, &query),
            Action::Transfer { id, .. } if self.has_desk() => self.transfer = Some(id),
            Action::Leave { .. } => self.transfer = None,
            Action::Play { id, sound } => {
                let ms = sound.len() * 1_000 / RATE_HZ as usize;
                let length = Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX));
                self.prompt = Some((id, self.now + length));
                self.line_spoke = self.line_spoke.or(Some(self.now));
                self.line_quiet = None;
                self.reply(length, Event::PromptFinished { id });
            }
            Action::KeepMessage { id, .. } => {
                let event = match self.fault(Part::Store) {
                    Some(fault) => Event::MessageLost { id, fault },
                    None => Event::MessageKept { id },
                };
                self.reply(self.time(Part::Store, LOOK_UP), event);
            }
            Action::Transfer { id, .. } => {
                let event = match self.fault(Part::Transfer) {
                    Some(fault) => Event::TransferFailed { id, fault },
                    None => Event::Transferred { id },
                };
                self.reply(self.time(Part::Transfer, RING), event);
            }
            Action::WriteRecord { record } => self.record = Some(*record),
            Action::Answer | Action::HangUp { .. } | Action::CancelRecognition { .. } | Action::Note(_) => {}
        }
    }

    fn has_desk(&self) -> bool {
        self.script.steps.iter().any(|step| matches!(step.act, Act::Desk(_)))
    }

    fn desk(&mut self, desk: &Desk) {
        let Some(id) = self.transfer else { return self.line('>', "desk has nobody") };
        match desk {
            Desk::Says(news) => self.event(Event::Waiting { id, news: news.clone() }),
            Desk::Answers => self.event(Event::Transferred { id }),
            Desk::Fails => {
                let fault = Fault::Failed("as the script says".to_owned());
                self.event(Event::TransferFailed { id, fault });
            }
        }
    }

    fn time(&self, part: Part, usual: Duration) -> Duration {
        self.slow.get(&part).copied().unwrap_or(usual)
    }

    fn fault(&self, part: Part) -> Option<Fault> {
        self.faults.get(&part).cloned()
    }

    fn recognize(&mut self, id: RequestId) {
        match self.fault(Part::Asr) {
            // An engine that hangs never answers: the conversation's own deadline must catch it.
            Some(Fault::TimedOut) => {}
            Some(fault @ (Fault::Overloaded | Fault::Failed(_))) => {
                self.reply(self.time(Part::Asr, RECOGNITION), Event::RecognitionFailed { id, fault });
            }
            None => {
                let hypotheses = self.last_speech().map(|speech| Hypothesis {
                    text: Pii::new(speech.heard.clone().unwrap_or_else(|| speech.text.clone())),
                    confidence: speech.confidence,
                });
                let hypotheses = hypotheses.into_iter().collect();
                let recognition = Recognition { hypotheses, ..Recognition::default() };
                self.reply(self.time(Part::Asr, RECOGNITION), Event::Recognized { id, recognition });
            }
        }
    }

    /// The words that the caller said last, where it was words.
    fn last_speech(&self) -> Option<&'a Speech> {
        match self.last_said {
            Some(Act::Say(speech)) => Some(speech),
            Some(
                Act::Mumble(_)
                | Act::Silence(_)
                | Act::Keys(_)
                | Act::Fault(..)
                | Act::Slow(..)
                | Act::Desk(_)
                | Act::HangUp(_),
            )
            | None => None,
        }
    }

    fn interpret(&mut self, id: RequestId, hypotheses: &[Hypothesis]) {
        match self.fault(Part::Nlu) {
            Some(Fault::TimedOut) => {}
            Some(fault @ (Fault::Overloaded | Fault::Failed(_))) => {
                self.reply(self.time(Part::Nlu, INTERPRETATION), Event::InterpretationFailed { id, fault });
            }
            None => {
                let declared = self.last_speech().map(|speech| speech.intents.clone()).unwrap_or_default();
                let interpretation = if declared.is_empty() {
                    self.by_example(hypotheses)
                } else {
                    Interpretation { ranked: declared, out_of_scope: 0.05 }
                };
                self.reply(self.time(Part::Nlu, INTERPRETATION), Event::Interpreted { id, interpretation });
            }
        }
    }

    fn by_example(&self, hypotheses: &[Hypothesis]) -> Interpretation {
        let text = hypotheses.first().map(|h| h.text.expose().as_str()).unwrap_or_default();
        let intents = &self.flow.intents;
        let found = intents.iter().find(|(_, spec)| spec.examples.iter().any(|e| unmarked(e) == text));
        match found {
            Some((intent, _)) => Interpretation {
                ranked: vec![IntentScore { intent: intent.clone(), probability: 0.97 }],
                out_of_scope: 0.03,
            },
            None => Interpretation { ranked: Vec::new(), out_of_scope: 0.9 },
        }
    }

    /// What the script gives for a look-up: by all its arguments with `,` between them, in the order of
    /// their names and secrets last; by the first alone; by the first and the secrets; or by `*`.
    fn rows(&self, query: &Query) -> Vec<crate::call::Row> {
        let of = |args: &BTreeMap<String, Pii<String>>| -> Vec<String> {
            args.values().map(|v| v.expose().clone()).collect()
        };
        let (args, secret) = (of(&query.args), of(&query.secret));
        let first = args.first().cloned().unwrap_or_default();
        let with = |some: &[String]| [some, &secret].concat().join(",");
        let keys = [with(&args), with(std::slice::from_ref(&first)), first, "*".to_owned()];
        keys.iter()
            .find_map(|key| self.script.given.get(&(query.name.clone(), key.clone())))
            .cloned()
            .unwrap_or_default()
    }

    fn look_up(&mut self, id: RequestId, query: &Query) {
        match self.fault(Part::Store) {
            Some(Fault::TimedOut) => {}
            Some(fault @ (Fault::Overloaded | Fault::Failed(_))) => {
                self.reply(self.time(Part::Store, LOOK_UP), Event::LookUpFailed { id, fault });
            }
            None => {
                let rows = self.rows(query);
                self.reply(self.time(Part::Store, LOOK_UP), Event::LookedUp { id, rows });
            }
        }
    }
}

/// An example without its marks: "where is order 45 12 88" of "where is order [45 12 88](order_number)".
fn unmarked(example: &str) -> String {
    let mut text = String::new();
    let mut rest = example;
    while let Some((before, marked)) = rest.split_once('[') {
        text.push_str(before);
        let (value, after) = marked.split_once(']').unwrap_or((marked, ""));
        text.push_str(value);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    text + rest
}
