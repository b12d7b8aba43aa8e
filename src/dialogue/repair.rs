//! The repair ladder: ask again in other words, then the keypad menu, then a person; and what the
//! caller hears when a part of the line itself is broken.

use super::speaking::Values;
use super::state::{Asked, State, Work};
use super::{Dialogue, Move, Question};
use crate::call::{Handoff, HandoffReason, Pii};

impl Dialogue {
    /// The caller spoke, but nothing could be made of it.
    pub(super) fn no_match(&mut self, why: &str) {
        self.decided("no_match", why);
        self.asked.no_match = self.asked.no_match.saturating_add(1);
        if self.state != State::Rating && self.failed_again() {
            return;
        }
        let count = self.asked.no_match;
        match self.state.clone() {
            State::WelcomeBack => self.welcome_back_again(),
            State::Purpose { .. } => self.purpose_again("no_match", count),
            State::ConfirmIntent { .. } | State::Choose { .. } => self.purpose_not_understood(),
            State::Slot { index } => self.slot_again(index, "no_match", count),
            State::ConfirmSlot { index, value } => self.confirm_slot_again(index, &value),
            State::Proof { index } => self.proof_again(index, "no_match", count),
            State::Offer(_) | State::Step { .. } | State::ConfirmAction => self.ask_again_or_agent(),
            State::Callback { then_person } => self.callback_again(then_person),
            State::Waiting => self.waiting_again(),
            State::WaitingNumber { number } => self.number_again(number),
            State::WaitingTime { number, window } => self.time_again(number, window),
            State::Rating => self.rated(None),
            State::Menu => self.menu_again("no_match"),
            State::Working(_) => {}
        }
    }

    /// The caller said nothing.
    pub(super) fn no_input(&mut self) {
        self.echoed = None;
        if self.patience > 0 {
            self.patience -= 1;
            self.say_aside_if_there("take_your_time");
            return self.moves.push_back(Move::Listen(self.question.clone()));
        }
        self.asked.no_input = self.asked.no_input.saturating_add(1);
        let count = self.asked.no_input;
        match self.state.clone() {
            State::WelcomeBack => self.welcome_back_again(),
            // After an answer, silence is a goodbye, once it was asked twice.
            State::Purpose { wrap_up: true } if count > 1 => self.goodbye(),
            State::Purpose { wrap_up: true } => {
                self.say("anything_else");
                self.listen(if self.arrival.keypad_only { Question::YES_NO } else { Question::OPEN });
            }
            State::Purpose { wrap_up: false } => self.purpose_again("no_input", count),
            State::ConfirmIntent { .. }
            | State::Choose { .. }
            | State::Offer(_)
            | State::Step { .. }
            | State::ConfirmAction => self.ask_again_or_agent(),
            State::Slot { index } => self.slot_again(index, "no_input", count),
            State::ConfirmSlot { index, value } => self.confirm_slot_again(index, &value),
            State::Proof { index } => self.proof_again(index, "no_input", count),
            State::Callback { then_person } => self.callback_again(then_person),
            State::Waiting => self.waiting_again(),
            State::WaitingNumber { number } => self.number_again(number),
            State::WaitingTime { number, window } => self.time_again(number, window),
            State::Rating => self.rated(None),
            State::Menu => self.menu_again("no_input"),
            State::Working(_) => {}
        }
    }

    fn menu_again(&mut self, what: &str) {
        if self.asked.times() >= self.flow.line.tries.menu {
            return self.hand_over(HandoffReason::NotUnderstood);
        }
        self.say_nth(what, 0);
        self.read_menu();
    }

    /// A yes-no question that got neither.
    fn ask_again_or_agent(&mut self) {
        if self.asked.times() >= self.flow.line.tries.slot {
            return self.hand_over(HandoffReason::NotUnderstood);
        }
        self.repeat();
    }

    /// The recogniser is broken: say so once, and offer the keys, which still work.
    pub(super) fn hearing_fault(&mut self) {
        self.decided("hearing_fault", format!("fault {}", self.hearing_faults + 1));
        self.hearing_faults += 1;
        if self.hearing_faults > 2 {
            return self.hand_over(HandoffReason::SystemFault);
        }
        match self.state.clone() {
            State::Slot { index } => {
                self.say("hearing_fault");
                self.ask_slot_in_words(index);
            }
            State::Proof { .. }
            | State::ConfirmSlot { .. }
            | State::Offer(_)
            | State::Step { .. }
            | State::ConfirmAction
            | State::Callback { .. } => {
                // Keys answer these as well.
                self.say_aside("hearing_fault");
                self.repeat();
            }
            State::Rating => self.rated(None),
            State::Purpose { wrap_up: true } | State::WelcomeBack if self.arrival.keypad_only => {
                self.say_aside("hearing_fault");
                self.repeat();
            }
            // Whoever waits hears music, and nobody has to hear them.
            State::Waiting => {
                self.hearing_faults -= 1;
                self.wait_on();
            }
            State::WaitingNumber { .. } | State::WaitingTime { .. } => {
                self.say_aside("hearing_fault");
                self.repeat();
            }
            State::ConfirmIntent { .. }
            | State::Choose { .. }
            | State::WelcomeBack
            | State::Purpose { .. }
            | State::Menu
            | State::Working(_) => {
                self.say("hearing_fault");
                self.menu();
            }
        }
    }

    /// The store is broken: the truth, then a callback or a person.
    pub(super) fn look_up_failed(&mut self) {
        self.decided("look_up_fault", self.state_name());
        let State::Working(work) = self.state else { return };
        match work {
            // Nobody needs to know that the greeting has no name in it.
            Work::Arriving { .. } => self.greet(),
            Work::FindingSlot { .. } | Work::FindingAccount | Work::Proving { .. } | Work::Fulfilling => {
                self.say("look_up_fault");
                if !self.offer_callback(true) {
                    self.hand_over(HandoffReason::SystemFault);
                }
            }
            Work::HandingOver | Work::TakingMessage | Work::Ended => {}
        }
    }

    pub(super) fn look_up_slow(&mut self) {
        if matches!(self.state, State::Working(Work::Arriving { .. })) {
            self.greet();
        } else if self.is_working() && !self.is_leaving() {
            self.say_aside("one_moment");
        }
    }

    /// Calls a person, who gets what was gathered.
    pub(super) fn hand_over(&mut self, reason: HandoffReason) {
        if self.is_leaving() {
            return;
        }
        if self.has_place() {
            return self.wait_on();
        }
        self.place = None;
        if self.intent.is_none() && reason == HandoffReason::CallerAsked {
            self.intent =
                self.flow.intents.iter().find(|(_, spec)| spec.person).map(|(name, _)| name.clone());
        }
        let own = self.own_prompt("transfer");
        // Should nobody be there, what is repeated begins after this.
        self.said_is_whole = true;
        if reason == HandoffReason::CallerUpset && self.flow.wording.has("upset") {
            self.say("upset");
        } else if !self.say_if_there(&own, Values::new()) {
            self.say("transfer");
        }
        let mut facts = self.slots.clone();
        facts.extend(self.customer.iter().map(|(k, v)| (k.clone(), v.clone())));
        if self.steps_tried > 0 {
            facts.insert("steps_tried".to_owned(), Pii::new(self.steps_tried.to_string()));
        }
        if self.spec().is_some_and(|spec| spec.verify.is_some()) {
            let verified = if self.is_verified() { "yes" } else { "no" };
            facts.insert("verified".to_owned(), Pii::from(verified));
        }
        let handoff = Handoff {
            skill: self.flow.skill(self.intent.as_ref()).to_owned(),
            reason,
            intent: self.intent.clone(),
            facts,
            last_heard: self.last_heard.clone(),
        };
        self.seeking = None;
        self.said_is_whole = true;
        self.state = State::Working(Work::HandingOver);
        self.moves.push_back(Move::Transfer(handoff));
    }

    /// Nobody has picked up yet.
    pub(super) fn transfer_slow(&mut self) {
        if self.state == State::Working(Work::HandingOver) && !self.say_aside_if_there("still_ringing") {
            self.say_aside("one_moment");
        }
    }

    /// Nobody could take the caller: they are told, and may be called back or go on with the line, once.
    pub(super) fn transfer_failed(&mut self) {
        self.transfers_failed += 1;
        self.place = None;
        self.asked = Asked::default();
        if self.transfers_failed > 1 {
            self.say("nobody_there");
            return self.end();
        }
        self.say("transfer_failed");
        if !self.offer_callback(false) {
            self.anything_else();
        }
    }
}
