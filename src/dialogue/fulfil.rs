//! Answering an intent: a look-up or an action, what follows from it, and what to say when it fails.

use minijinja::Value;

use super::speaking::{Values, fields};
use super::state::{Asked, State, Work};
use super::{Dialogue, Move, Question};
use crate::call::{HandoffReason, Hypothesis, Interpretation, Pii, Query, Row};
use crate::understanding::{Answer, answer};

impl Dialogue {
    /// All is known: asks whether to do it, looks it up, says it, or calls the person who has it.
    pub(super) fn fulfil(&mut self) {
        let Some(spec) = self.spec() else { return };
        let Some(fulfil) = &spec.fulfil else {
            let person = spec.person || self.last_words_asked_for_a_person();
            let reason = if person { HandoffReason::CallerAsked } else { HandoffReason::IntentNeedsPerson };
            return self.hand_over(reason);
        };
        if fulfil.confirm.is_some() {
            let prompt = self.own_prompt("confirm");
            self.asked = Asked::default();
            self.say(&prompt);
            self.state = State::ConfirmAction;
            return self.listen(Question::YES_NO);
        }
        self.carry_out();
    }

    fn last_words_asked_for_a_person(&self) -> bool {
        let last = self.last_heard.as_ref().map(|t| t.expose().as_str()).unwrap_or_default();
        self.flow.commands.agent.is_whole(last)
    }

    /// Asks the store or the webhook; an answer without a look-up is said at once.
    fn carry_out(&mut self) {
        // Whatever led here: nothing is done for a caller who has not proved what it needs.
        if !self.is_verified() {
            return self.verification_failed();
        }
        let Some(fulfil) = self.spec().and_then(|s| s.fulfil.as_ref()) else { return };
        let Some(look_up) = &fulfil.look_up else { return self.answer_with(vec![Row::new()]) };
        let name = look_up.get_ref().clone();
        match self.arguments(&fulfil.args) {
            Some(args) => {
                self.state = State::Working(Work::Fulfilling);
                self.moves.push_back(Move::LookUp(Query::new(&name, args)));
            }
            // A withheld number, say: there is nothing to look it up by.
            None => self.hand_over_as_unknown(),
        }
    }

    /// Only a yes does it.
    pub(super) fn heard_confirm_action(&mut self, best: &Hypothesis, meant: Option<&Interpretation>) {
        let text = best.text.expose().clone();
        self.remember(&text);
        match answer(&text).map(|a| (a.answer, a.whole)) {
            Some((Answer::Yes, _)) => {
                self.decided("confirmed", "the caller wants it done");
                self.carry_out();
            }
            Some((Answer::No | Answer::ThatsAll, true)) => {
                self.decided("denied", "nothing is done");
                let chosen: Vec<String> = self
                    .spec()
                    .map(|spec| {
                        spec.slot.iter().filter(|s| s.choices.is_some()).map(|s| s.name.clone()).collect()
                    })
                    .unwrap_or_default();
                for name in chosen {
                    self.slots.remove(&name);
                }
                self.anything_else();
            }
            Some((Answer::No | Answer::ThatsAll | Answer::DontKnow, _)) | None => {
                if !self.takes_other_intent(best, meant) {
                    self.no_match("neither yes nor no");
                }
            }
        }
    }

    pub(super) fn answer_with(&mut self, rows: Vec<Row>) {
        let unsure = self.unsure.take();
        if let (true, Some(index)) = (rows.is_empty(), unsure) {
            return self.unknown_and_unsure(index);
        }
        let Some(row) = rows.first() else { return self.nothing_found() };
        let mut values = fields(row);
        let all: Vec<Value> = rows.iter().map(|row| Value::from(fields(row))).collect();
        values.insert("count".to_owned(), Value::from(all.len()));
        values.insert("rows".to_owned(), Value::from(all));
        let prompt = self.own_prompt("answer");
        self.say_with(&prompt, values.clone());
        self.resolved = true;
        self.next_steps(values);
    }

    /// What happens when, and the reference number; then whether there is anything else.
    pub(super) fn next_steps(&mut self, values: Values) {
        let prompt = self.own_prompt("next_steps");
        self.say_if_there(&prompt, values);
        match self.later.take() {
            Some(intent) => {
                self.decided("later", intent.to_string());
                self.take_intent(intent, None);
            }
            None => self.anything_else(),
        }
    }

    /// Nobody knows the value, and the line was not sure of it: the caller says which of both is wrong.
    fn unknown_and_unsure(&mut self, index: usize) {
        let name = self.slot_name(index);
        let value = self.slots.remove(&name).map(Pii::into_exposed).unwrap_or_default();
        self.decided("confirm", "the store does not know it");
        self.confirm_slot(index, value);
    }

    /// The value was well-formed but nobody knows it: most likely it was misheard. It is asked for once
    /// more, then looked for in other ways, then a person takes over.
    pub(super) fn nothing_found(&mut self) {
        self.decided("not_found", format!("try {}", self.not_found + 1));
        self.not_found += 1;
        let prompt = self.own_prompt("not_found");
        self.say(&prompt);
        let used = |name: &String| {
            self.spec()
                .and_then(|s| s.fulfil.as_ref())
                .is_some_and(|f| f.args.values().any(|arg| arg == name))
        };
        let last = self.spec().and_then(|s| s.slot.iter().rposition(|slot| used(&slot.name)));
        let Some(index) = last else { return self.hand_over(HandoffReason::NotFound) };
        let name = self.slot_name(index);
        if self.not_found >= self.flow.line.tries.slot.min(2) {
            // What the person gets is what the caller said, right or wrong.
            if self.not_found > 2 || self.slot(index).is_none_or(|slot| slot.dont_know.is_empty()) {
                return self.hand_over(HandoffReason::NotFound);
            }
            return self.find_slot(index, 0);
        }
        self.slots.remove(&name);
        self.asked.no_match += 1;
        self.ask_slot_in_words(index);
    }
}
