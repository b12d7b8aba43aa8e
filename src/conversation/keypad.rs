//! Keys: entries of a question, and the universal commands on `0`, `*` and `#`.

use std::time::Duration;

use super::{Conversation, TimerReason};
use crate::call::{Action, Dtmf, Note};
use crate::dialogue::{Command, Input};

impl Conversation {
    pub(super) fn key(&mut self, key: Dtmf) {
        if self.party.is_none() {
            return;
        }
        self.actions.push_back(Action::Note(Note::KeyHeard((!self.dialogue.is_secret()).then_some(key))));
        if self.message_key(key) {
            return;
        }
        if key == Dtmf::ZERO && (self.entry.is_empty() || self.entry == "*") {
            return self.operator();
        }
        let Some(question) = self.question.clone() else { return };
        self.barge_in();
        if let Some(hearing) = self.hearing.take() {
            self.actions.push_back(Action::CancelRecognition { id: hearing.id });
            self.timers.clear(TimerReason::Recognizer);
        }
        self.endpointer.reset(self.now);
        match key {
            // A second `*` begins the command anew.
            Dtmf::STAR if self.entry.is_empty() || self.entry == "*" => {
                self.entry = "*".to_owned();
                let wait = Duration::from_millis(self.flow.line.timeouts.command_key_ms);
                self.timers.set(TimerReason::InterDigit, self.now + wait);
            }
            Dtmf::POUND if self.entry.is_empty() => {
                self.entry.push('#');
                self.submit_entry();
            }
            Dtmf::POUND => self.submit_entry(),
            _ => {
                self.entry.push(key.as_char());
                if self.entry.starts_with('*') || self.entry.len() >= usize::from(question.max_keys) {
                    self.submit_entry();
                } else {
                    let at = self.now + self.flow.line.timeouts.inter_digit();
                    self.timers.set(TimerReason::InterDigit, at);
                }
            }
        }
    }

    /// Key 0: a person, whatever is going on.
    fn operator(&mut self) {
        self.entry.clear();
        self.timers.clear(TimerReason::InterDigit);
        if self.dialogue.is_leaving() {
            return;
        }
        self.record_keys(Some("0"));
        self.silence();
        self.abandon_look_up();
        let decision = self.input(Input::Command(Command::Agent));
        self.decide_turn(if decision.is_empty() { "agent" } else { decision });
    }

    pub(super) fn submit_entry(&mut self) {
        let entry = std::mem::take(&mut self.entry);
        self.timers.clear(TimerReason::InterDigit);
        if entry.is_empty() {
            self.endpointer.listen(self.now);
            return;
        }
        let command = if entry.starts_with(['*', '#']) { self.flow.command_of_keys(&entry) } else { None };
        let secret = self.dialogue.is_secret() && command.is_none();
        self.record_keys((!secret).then_some(entry.as_str()));
        self.close();
        self.pending.clear();
        let decision = match command {
            Some(command) => self.input(Input::Command(command)),
            None => self.input(Input::Keys(&entry)),
        };
        self.decide_turn(decision);
    }
}
