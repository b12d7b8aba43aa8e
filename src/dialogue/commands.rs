//! Universal commands: what a caller can say or key at any time.

use super::state::{Asked, State};
use super::{Dialogue, Move};
use crate::call::HandoffReason;
use crate::understanding::PhraseSet;

/// What works everywhere, said or keyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A person, at once.
    Agent,
    /// Say it again.
    Repeat,
    /// Say it slowly, and all that follows.
    Slower,
    /// What can I say?
    Help,
    /// The question before this one.
    GoBack,
    /// Forget everything and begin anew.
    StartOver,
    /// Wait for me.
    Wait,
    /// Goodbye.
    Goodbye,
    /// "I don't know": the same as saying so.
    DontKnow,
    /// Do not record this call.
    NoRecording,
}

impl Command {
    /// The word that timelines and records use.
    pub fn as_str(self) -> &'static str {
        match self {
            Command::Agent => "agent",
            Command::Repeat => "repeat",
            Command::Slower => "slower",
            Command::Help => "help",
            Command::GoBack => "go_back",
            Command::StartOver => "start_over",
            Command::Wait => "wait",
            Command::Goodbye => "goodbye",
            Command::DontKnow => "dont_know",
            Command::NoRecording => "no_recording",
        }
    }
}

/// Whether a text is phrases of a set and nothing else: "hold on, let me look".
fn is_made_of(set: &PhraseSet, text: &str) -> bool {
    match set.find(text) {
        None => false,
        Some(found) if found.whole => true,
        Some(found) => {
            let (before, after) = (text[..found.span.start].trim(), text[found.span.end..].trim());
            [before, after].iter().all(|rest| rest.is_empty() || is_made_of(set, rest))
        }
    }
}

impl super::Flow {
    /// The command of a key, or of two keys of which the first is `*`.
    pub fn command_of_keys(&self, keys: &str) -> Option<Command> {
        let k = &self.line.keys;
        [
            ("*0", Command::Agent),
            (&k.repeat, Command::Repeat),
            (&k.help, Command::Help),
            (&k.go_back, Command::GoBack),
            (&k.slower, Command::Slower),
            (&k.wait, Command::Wait),
            (&k.start_over, Command::StartOver),
            (&k.goodbye, Command::Goodbye),
            (&k.dont_know, Command::DontKnow),
            (&k.no_recording, Command::NoRecording),
        ]
        .iter()
        .find(|(key, _)| *key == keys)
        .map(|(_, command)| *command)
        // Where nobody is ever recorded, nobody can refuse it.
        .filter(|command| *command != Command::NoRecording || self.wording.has("recording"))
    }
}

impl Dialogue {
    /// The command that the whole utterance is, so that "I need help with my bill" is no call for help.
    /// While the line works only the wish for a person counts: there is no question to repeat.
    pub(super) fn command_in(&self, text: &str) -> Option<Command> {
        let c = &self.flow.commands;
        if c.agent.is_whole(text) {
            return Some(Command::Agent);
        }
        if c.no_recording.is_whole(text) && self.flow.wording.has("recording") {
            return Some(Command::NoRecording);
        }
        if self.is_working() {
            return None;
        }
        if is_made_of(&c.wait, text) {
            return Some(Command::Wait);
        }
        [
            (&c.repeat, Command::Repeat),
            (&c.slower, Command::Slower),
            (&c.start_over, Command::StartOver),
            (&c.go_back, Command::GoBack),
            (&c.goodbye, Command::Goodbye),
            (&c.help, Command::Help),
        ]
        .iter()
        .find(|(set, _)| set.is_whole(text))
        .map(|(_, command)| *command)
    }

    pub(super) fn obey(&mut self, command: Command, how: &str) {
        if command == Command::NoRecording {
            return self.refuse_recording(how);
        }
        if self.is_working() && command != Command::Agent {
            return;
        }
        let waits =
            matches!(self.state, State::Waiting | State::WaitingNumber { .. } | State::WaitingTime { .. });
        if waits && !matches!(command, Command::Agent | Command::Repeat | Command::Slower | Command::Goodbye)
        {
            return self.wait_on();
        }
        if command == Command::DontKnow {
            return self.does_not_know();
        }
        self.decided(command.as_str(), format!("{how} in state {}", self.state_name()));
        match command {
            Command::Agent => self.hand_over(HandoffReason::CallerAsked),
            Command::Repeat => self.repeat(),
            Command::Slower => {
                self.slow = true;
                self.repeat();
            }
            Command::Help => self.help(),
            Command::GoBack => self.go_back(),
            Command::StartOver => {
                self.forget();
                self.ask_purpose();
            }
            Command::Wait => self.wait_for_caller(),
            Command::Goodbye => self.goodbye(),
            Command::DontKnow | Command::NoRecording => {}
        }
    }

    /// What was recorded of the call is thrown away, whatever goes on.
    fn refuse_recording(&mut self, how: &str) {
        self.decided(Command::NoRecording.as_str(), format!("{how} in state {}", self.state_name()));
        self.recording_refused = true;
        if self.flow.wording.has("recording_stopped") {
            self.say_aside("recording_stopped");
        }
        if !self.is_working() {
            self.repeat();
        }
    }

    /// Drops what was gathered; who the caller is, and proved to be, stays.
    fn forget(&mut self) {
        self.slots.clear();
        self.answered.clear();
        self.intent = None;
        self.later = None;
        self.seeking = None;
    }

    /// The key for "I don't know", on a question that it answers.
    fn does_not_know(&mut self) {
        match self.state.clone() {
            State::Slot { index } | State::ConfirmSlot { index, .. } => {
                self.decided("dont_know", "by key");
                self.slot_unknown(index);
            }
            State::Offer(offer) => {
                self.decided("dont_know", "by key");
                self.next_way(offer.index, offer.way);
            }
            State::Proof { index } => {
                self.decided("dont_know", "by key");
                self.prove_from(index + 1);
            }
            State::Step { index } => self.step_unsure(index),
            State::Rating => self.rated(None),
            State::WelcomeBack
            | State::Purpose { .. }
            | State::ConfirmIntent { .. }
            | State::Choose { .. }
            | State::ConfirmAction
            | State::Callback { .. }
            | State::Waiting
            | State::WaitingNumber { .. }
            | State::WaitingTime { .. }
            | State::Menu
            | State::Working(_) => self.no_match("nothing was asked that could be unknown"),
        }
    }

    /// The question before this one: the last value that was asked for is asked for anew; before the
    /// first, the call's purpose.
    fn go_back(&mut self) {
        self.seeking = None;
        match self.state.clone() {
            State::ConfirmSlot { index, .. } => self.ask_anew(index),
            State::Offer(offer) if offer.at > 0 => {
                self.offer(super::state::Offer { at: offer.at - 1, ..offer });
            }
            State::Step { index: index @ 1.. } => self.step(index - 1),
            State::Purpose { wrap_up: true }
            | State::Slot { .. }
            | State::Offer(_)
            | State::Proof { .. }
            | State::Step { .. }
            | State::ConfirmAction => self.back_to_last_answer(),
            State::WelcomeBack
            | State::Purpose { wrap_up: false }
            | State::ConfirmIntent { .. }
            | State::Choose { .. }
            | State::Menu => self.ask_purpose(),
            State::Callback { .. }
            | State::Waiting
            | State::WaitingNumber { .. }
            | State::WaitingTime { .. }
            | State::Rating
            | State::Working(_) => self.repeat(),
        }
    }

    fn back_to_last_answer(&mut self) {
        while let Some(name) = self.answered.pop() {
            let known = self.slots.remove(&name).is_some();
            let index = self.spec().and_then(|spec| spec.slot.iter().position(|s| s.name == name));
            if let (true, Some(index)) = (known, index) {
                return self.ask_anew(index);
            }
        }
        self.forget();
        self.ask_purpose();
    }

    pub(super) fn ask_anew(&mut self, index: usize) {
        self.asked = Asked::default();
        self.ask_slot(index);
    }

    /// The caller looks for something: silence is no answer for a while.
    fn wait_for_caller(&mut self) {
        self.patience = self.flow.line.tries.wait;
        self.say_aside_if_there("take_your_time");
        self.moves.push_back(Move::Listen(self.question.clone()));
    }

    pub(super) fn say_aside_if_there(&mut self, name: &str) -> bool {
        let there = self.flow.wording.has(name);
        if there {
            self.say_aside(name);
        }
        there
    }

    pub(super) fn help(&mut self) {
        if let State::Slot { index } = self.state {
            let own = self.slot_prompt(index, "help");
            if self.flow.wording.has(&own) {
                self.say_aside(&own);
                return self.ask_slot_in_words(index);
            }
        }
        self.say_aside("help");
        self.repeat();
    }
}
