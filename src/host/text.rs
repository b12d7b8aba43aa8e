//! A caller who types: each line is an utterance, heard perfectly; everything behind the ear is real.

use std::cell::RefCell;
use std::rc::Rc;

use super::engines::MeasuredEngines;
use super::session::{Channel, Engines, Reply, Sound};
use crate::audio::Frame;
use crate::call::{Action, CallTime, Dtmf, Event, Hypothesis, Pii, Recognition};
use crate::speech::Voice;

/// Ticks of quiet after which the line is held to wait for the caller.
const QUIET_TICKS: u32 = 90;

/// Ticks that a typed line is "spoken": long enough to be no click.
const SPOKEN_TICKS: u32 = 30;

/// What a typed line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Said.
    Said(String),
    /// Keys pressed.
    Keys(Vec<Dtmf>),
    /// Silence until the line asks again.
    Nothing,
    /// The caller hangs up.
    HangUp,
}

impl Typed {
    /// `/keys 12#` presses keys, `/hangup` ends the call, an empty line is silence, all else is speech.
    ///
    /// # Errors
    /// An unknown command or key; the text says what was expected.
    pub fn parse(line: &str) -> Result<Typed, String> {
        let line = line.trim();
        match line.split_once(' ').unwrap_or((line, "")) {
            ("", _) => Ok(Typed::Nothing),
            ("/hangup", _) => Ok(Typed::HangUp),
            ("/keys", keys) => {
                let keys: Result<Vec<Dtmf>, _> =
                    keys.chars().filter(|c| !c.is_whitespace()).map(Dtmf::try_from).collect();
                keys.map(Typed::Keys).map_err(|e| e.to_string())
            }
            (command, _) if command.starts_with('/') => {
                Err(format!("unknown command '{command}': expected /keys KEYS or /hangup"))
            }
            _ => Ok(Typed::Said(line.to_lowercase())),
        }
    }
}

/// Where the next line comes from; `None` at the end of input.
pub type Source<'a> = dyn FnMut() -> Option<Typed> + 'a;

/// The typing caller's end.
pub struct TextCaller<'a> {
    source: &'a mut Source<'a>,
    said: Rc<RefCell<String>>,
    quiet: u32,
    speaking: u32,
    waiting: bool,
    keys: Vec<Dtmf>,
}

impl<'a> TextCaller<'a> {
    /// A caller and the cell through which the ear learns what was typed.
    pub fn new(source: &'a mut Source<'a>) -> (TextCaller<'a>, Rc<RefCell<String>>) {
        let said = Rc::new(RefCell::new(String::new()));
        let caller = TextCaller {
            source,
            said: Rc::clone(&said),
            quiet: 0,
            speaking: 0,
            waiting: false,
            keys: Vec::new(),
        };
        (caller, said)
    }

    /// Takes the next line; `false` when the caller is gone.
    fn take(&mut self) -> bool {
        match (self.source)() {
            None | Some(Typed::HangUp) => return false,
            Some(Typed::Said(text)) => {
                *self.said.borrow_mut() = text;
                self.speaking = SPOKEN_TICKS;
            }
            Some(Typed::Keys(keys)) => self.keys = keys,
            Some(Typed::Nothing) => self.waiting = true,
        }
        true
    }
}

impl Channel for TextCaller<'_> {
    fn exchange(&mut self, _now: CallTime, _line: &Frame, line_talks: bool) -> Option<Frame> {
        if line_talks {
            self.quiet = 0;
            self.waiting = false;
            return Some(Frame::SILENCE);
        }
        if self.speaking > 0 {
            self.speaking -= 1;
            self.quiet = 0;
            return Some(Frame::SILENCE);
        }
        self.quiet += 1;
        if self.quiet >= QUIET_TICKS && !self.waiting && self.keys.is_empty() {
            self.quiet = 0;
            if !self.take() {
                return None;
            }
        }
        Some(Frame::SILENCE)
    }

    fn voice(&self) -> Option<Voice> {
        let voiced = self.speaking > 0;
        Some(Voice { probability: if voiced { 1.0 } else { 0.0 }, voiced })
    }

    fn key(&mut self) -> Option<Dtmf> {
        if self.keys.is_empty() { None } else { Some(self.keys.remove(0)) }
    }
}

/// Real engines, but for the ear, which reads, and the voice, which is shown instead of heard.
pub struct TextEngines<'a> {
    inner: MeasuredEngines<'a>,
    said: Rc<RefCell<String>>,
    own: Vec<(CallTime, Reply)>,
}

impl<'a> TextEngines<'a> {
    /// Engines around `inner`, with the caller's cell.
    pub fn new(inner: MeasuredEngines<'a>, said: Rc<RefCell<String>>) -> TextEngines<'a> {
        TextEngines { inner, said, own: Vec::new() }
    }
}

impl Engines for TextEngines<'_> {
    fn start(&mut self, now: CallTime, action: &Action) {
        match action {
            Action::Recognize { id, .. } => {
                let text = Pii::new(self.said.borrow().clone());
                let recognition = Recognition {
                    hypotheses: vec![Hypothesis { text, confidence: 1.0 }],
                    ..Recognition::default()
                };
                self.own.push((now, Reply::Event(Event::Recognized { id: *id, recognition })));
            }
            Action::Say { id, .. } => self.own.push((now, Reply::Sound(*id, Sound::End))),
            Action::Answer
            | Action::StopPrompt { .. }
            | Action::CancelRecognition { .. }
            | Action::Interpret { .. }
            | Action::LookUp { .. }
            | Action::Transfer { .. }
            | Action::Leave { .. }
            | Action::Play { .. }
            | Action::KeepMessage { .. }
            | Action::WriteRecord { .. }
            | Action::HangUp { .. }
            | Action::Note(_) => self.inner.start(now, action),
        }
    }

    fn poll(&mut self, now: CallTime, until: CallTime) -> Option<(CallTime, Reply)> {
        if self.own.is_empty() { self.inner.poll(now, until) } else { Some(self.own.remove(0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_speech_keys_silence_or_the_end() {
        assert_eq!(Typed::parse(" Where is my order "), Ok(Typed::Said("where is my order".to_owned())));
        assert_eq!(Typed::parse(""), Ok(Typed::Nothing));
        assert_eq!(Typed::parse("/hangup"), Ok(Typed::HangUp));
        assert!(matches!(Typed::parse("/keys 1 2#"), Ok(Typed::Keys(keys)) if keys.len() == 3));
        assert!(Typed::parse("/keys x").is_err());
        assert!(Typed::parse("/dance").is_err_and(|e| e.contains("expected /keys")));
    }
}
