//! The repair ladder: ask again in other words, then the keypad menu, then a person; and what the
//! caller hears when a part of the line itself is broken.

use super::{Asked, Dialogue, Move, Question, State};
use crate::call::{Handoff, HandoffReason};

impl Dialogue {
    /// The caller spoke, but nothing could be made of it.
    pub(super) fn no_match(&mut self, why: &str) {
        self.decided("no_match", why.to_owned());
        self.asked.no_match += 1;
        match self.state.clone() {
            State::Purpose { .. } => self.purpose_again("no_match", self.asked.no_match),
            State::ConfirmIntent { .. } => self.purpose_not_understood(),
            State::Slot { index } => self.slot_again(index, "no_match", self.asked.no_match),
            State::ConfirmSlot { index, value } => self.confirm_slot_again(index, &value),
            State::Offer { .. } => self.ask_again_or_agent(),
            State::Menu => self.menu_again("no_match"),
            State::Arriving
            | State::FindingSlot { .. }
            | State::Fulfilling
            | State::HandingOver
            | State::Ended => {}
        }
    }

    /// The caller said nothing.
    pub(super) fn no_input(&mut self) {
        self.asked.no_input += 1;
        match self.state.clone() {
            // After an answer, silence is a goodbye, once it was asked twice.
            State::Purpose { wrap_up: true } if self.asked.no_input > 1 => self.goodbye(),
            State::Purpose { wrap_up: true } => {
                self.begin_question();
                self.say("anything_else");
                self.listen(Question::OPEN);
            }
            State::Purpose { wrap_up: false } => self.purpose_again("no_input", self.asked.no_input),
            State::ConfirmIntent { .. } | State::Offer { .. } => self.ask_again_or_agent(),
            State::Slot { index } => self.slot_again(index, "no_input", self.asked.no_input),
            State::ConfirmSlot { index, value } => self.confirm_slot_again(index, &value),
            State::Menu => self.menu_again("no_input"),
            State::Arriving
            | State::FindingSlot { .. }
            | State::Fulfilling
            | State::HandingOver
            | State::Ended => {}
        }
    }

    /// An intent was offered and denied, or not understood: one more open question, then the menu.
    pub(super) fn purpose_not_understood(&mut self) {
        self.state = State::Purpose { wrap_up: false };
        self.asked = Asked { no_match: self.asked.no_match.max(1), ..self.asked };
        self.purpose_again("no_match", self.asked.no_match);
    }

    fn purpose_again(&mut self, what: &str, count: u8) {
        if self.asked.times() >= self.flow.line.tries.purpose {
            return self.menu();
        }
        self.begin_question();
        self.say_nth(what, count - 1);
        self.say_nth("how_can_i_help", self.asked.times());
        self.state = State::Purpose { wrap_up: false };
        self.listen(Question::OPEN);
    }

    fn menu_again(&mut self, what: &str) {
        if self.asked.times() >= self.flow.line.tries.menu {
            return self.hand_over(HandoffReason::NotUnderstood);
        }
        self.begin_question();
        self.say_nth(what, 0);
        self.read_menu();
    }

    /// A yes-no question that got neither.
    pub(super) fn ask_again_or_agent(&mut self) {
        if self.asked.times() >= self.flow.line.tries.slot {
            return self.hand_over(HandoffReason::NotUnderstood);
        }
        self.repeat();
    }

    pub(super) fn repeat(&mut self) {
        for prompt in self.said.clone() {
            self.moves.push_back(Move::Say(prompt));
        }
        self.moves.push_back(Move::Listen(self.question.clone()));
    }

    pub(super) fn help(&mut self) {
        if let State::Slot { index } = self.state {
            let own = self.slot_prompt(index, "help");
            if self.flow.wording.has(&own) {
                self.begin_question();
                self.say(&own);
                return self.ask_slot_in_words(index);
            }
        }
        let again = std::mem::take(&mut self.said);
        self.say("help");
        for prompt in again {
            self.said.push(prompt.clone());
            self.moves.push_back(Move::Say(prompt));
        }
        self.moves.push_back(Move::Listen(self.question.clone()));
    }

    /// The recogniser is broken: say so once, and offer the keys, which still work.
    pub(super) fn hearing_fault(&mut self) {
        self.decided("hearing_fault", format!("fault {}", self.hearing_faults + 1));
        self.hearing_faults += 1;
        if self.hearing_faults > 2 {
            return self.hand_over(HandoffReason::SystemFault);
        }
        self.begin_question();
        self.say("hearing_fault");
        match self.state.clone() {
            State::Slot { index } => self.ask_slot_in_words(index),
            State::ConfirmIntent { .. }
            | State::Purpose { .. }
            | State::ConfirmSlot { .. }
            | State::Offer { .. }
            | State::Menu
            | State::Arriving
            | State::FindingSlot { .. }
            | State::Fulfilling
            | State::HandingOver
            | State::Ended => {
                self.asked = Asked::default();
                self.read_menu();
            }
        }
    }

    /// The store is broken: the truth, and a person.
    pub(super) fn look_up_failed(&mut self) {
        self.decided("look_up_fault", self.state_name().to_owned());
        match self.state {
            // Nobody needs to know that the greeting has no name in it.
            State::Arriving => self.greet(),
            State::FindingSlot { .. } | State::Fulfilling => {
                self.begin_question();
                self.say("look_up_fault");
                self.hand_over(HandoffReason::SystemFault);
            }
            State::Purpose { .. }
            | State::ConfirmIntent { .. }
            | State::Slot { .. }
            | State::ConfirmSlot { .. }
            | State::Offer { .. }
            | State::Menu
            | State::HandingOver
            | State::Ended => {}
        }
    }

    pub(super) fn look_up_slow(&mut self) {
        match self.state {
            State::Arriving => self.greet(),
            State::FindingSlot { .. } | State::Fulfilling => self.say("one_moment"),
            State::Purpose { .. }
            | State::ConfirmIntent { .. }
            | State::Slot { .. }
            | State::ConfirmSlot { .. }
            | State::Offer { .. }
            | State::Menu
            | State::HandingOver
            | State::Ended => {}
        }
    }

    /// Calls a person, who gets what was gathered.
    pub(super) fn hand_over(&mut self, reason: HandoffReason) {
        if self.state == State::HandingOver {
            return;
        }
        if self.intent.is_none() && reason == HandoffReason::CallerAsked {
            self.intent =
                self.flow.intents.iter().find(|(_, spec)| spec.person).map(|(name, _)| name.clone());
        }
        let own = self.intent.as_ref().map(|intent| format!("{intent}.transfer"));
        match own.filter(|name| self.flow.wording.has(name)) {
            Some(name) => self.say(&name),
            None => self.say("transfer"),
        }
        let mut facts = self.slots.clone();
        facts.extend(self.customer.iter().map(|(k, v)| (k.clone(), v.clone())));
        let handoff = Handoff {
            skill: self.flow.skill(self.intent.as_ref()).to_owned(),
            reason,
            intent: self.intent.clone(),
            facts,
            last_heard: self.last_heard.clone(),
        };
        self.state = State::HandingOver;
        self.moves.push_back(Move::Transfer(handoff));
    }

    /// Nobody could take the caller: they are told, and may go on with the line once.
    pub(super) fn transfer_failed(&mut self) {
        self.transfers_failed += 1;
        self.begin_question();
        if self.transfers_failed > 1 {
            self.say("nobody_there");
            return self.end();
        }
        self.asked = Asked::default();
        self.say("transfer_failed");
        self.state = State::Purpose { wrap_up: true };
        self.listen(Question::OPEN);
    }
}
