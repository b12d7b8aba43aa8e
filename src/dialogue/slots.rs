//! Filling slots: from the sentence that named the intent, by asking, by key, by looking them up when
//! the caller does not know; and answering once they are filled.

use super::{Asked, Decision, Dialogue, Move, Question, SlotSpec, State, decide_intent, decide_value};
use crate::call::{
    Expect, HandoffReason, Hypothesis, IntentName, Interpretation, Pii, Query, Recognition, Row,
};
use crate::understanding::{Answer, EntitySpec, answer, best_candidate, entities};

/// At most this many rows are offered one by one: more is a list nobody remembers.
const MOST_OFFERS: usize = 3;

/// An offer in progress: slot, step, rows, and which row is being offered.
pub(super) type OfferState = (usize, usize, Vec<Row>, usize);

impl Dialogue {
    fn slot(&self, index: usize) -> Option<&SlotSpec> {
        self.spec().and_then(|spec| spec.slot.get(index))
    }

    fn entity(&self, slot: &SlotSpec) -> Option<&EntitySpec> {
        self.flow.entities.get(slot.entity.get_ref())
    }

    fn slot_entity(&self, index: usize) -> Option<EntitySpec> {
        self.slot(index).and_then(|slot| self.entity(slot)).cloned()
    }

    pub(super) fn slot_prompt(&self, index: usize, what: &str) -> String {
        let intent = self.intent.as_ref().map(IntentName::as_str).unwrap_or_default();
        let slot = self.slot(index).map(|s| s.name.as_str()).unwrap_or_default();
        format!("{intent}.{slot}.{what}")
    }

    /// Over-answering: values said together with the intent fill its slots at once.
    pub(super) fn fill_from(&mut self, intent: &IntentName, heard: &Hypothesis) {
        let Some(spec) = self.flow.intents.get(intent) else { return };
        let mut found = Vec::new();
        for slot in &spec.slot {
            let Some(entity) = self.entity(slot) else { continue };
            let values = entities(heard.text.expose(), std::slice::from_ref(entity));
            let Some(value) = values.into_iter().next() else { continue };
            let sure = decide_value(heard.confidence * value.confidence, &self.flow.line.thresholds);
            if sure == Decision::Accept {
                found.push((slot.name.clone(), value.value));
            }
        }
        self.slots.extend(found);
    }

    /// A bare value ("four five one two …") says what it is about, where just one intent is answered by it.
    pub(super) fn intent_by_value(&self, heard: &Hypothesis) -> Option<IntentName> {
        let holds =
            |entity: &EntitySpec| !entities(heard.text.expose(), std::slice::from_ref(entity)).is_empty();
        let mut answered_by_it = self.flow.intents.iter().filter(|(_, spec)| {
            spec.fulfil.is_some() && spec.slot.iter().filter_map(|slot| self.entity(slot)).any(holds)
        });
        let (name, _) = answered_by_it.next()?;
        answered_by_it.next().is_none().then(|| name.clone())
    }

    /// Asks for the first empty slot; with none left, answers.
    pub(super) fn next_slot(&mut self) {
        let Some(spec) = self.spec() else { return self.purpose_not_understood() };
        match spec.slot.iter().position(|slot| !self.slots.contains_key(&slot.name)) {
            Some(index) => {
                self.begin_question();
                self.asked = Asked::default();
                self.ask_slot_in_words(index);
            }
            None => self.fulfil(),
        }
    }

    pub(super) fn ask_slot_in_words(&mut self, index: usize) {
        let ask = self.slot_prompt(index, "ask");
        self.say_nth(&ask, self.asked.times());
        self.state = State::Slot { index };
        let question = match self.slot_entity(index).and_then(|e| e.kind.keys()) {
            Some((min, max)) => Question { expect: Expect::Digits { min, max }, max_keys: max },
            None => Question::OPEN,
        };
        self.listen(question);
    }

    pub(super) fn slot_again(&mut self, index: usize, what: &str, count: u8) {
        if self.asked.times() >= self.flow.line.tries.slot {
            return self.hand_over(HandoffReason::NotUnderstood);
        }
        self.begin_question();
        let prompt = self.slot_prompt(index, what);
        self.say_nth(&prompt, count - 1);
        self.ask_slot_in_words(index);
    }

    pub(super) fn slot_is_complete(&self, index: usize, heard: &Recognition, text: &str) -> bool {
        if answer(text).is_some_and(|a| a.whole && a.answer == Answer::DontKnow) {
            return true;
        }
        let Some(entity) = self.slot_entity(index) else { return false };
        best_candidate(&heard.hypotheses, &entity, &[]).is_some()
    }

    pub(super) fn heard_slot(&mut self, heard: &Recognition, meant: Option<&Interpretation>, index: usize) {
        let Some(best) = heard.best() else { return self.no_match("nothing intelligible") };
        let Some(entity) = self.slot_entity(index) else { return self.no_match("no entity") };
        if let Some(value) = best_candidate(&heard.hypotheses, &entity, &[]) {
            return self.heard_value(index, value.value, best.confidence * value.confidence);
        }
        let said = answer(best.text.expose()).map(|a| a.answer);
        if said == Some(Answer::DontKnow) {
            self.decided("dont_know", "the caller does not know the value".to_owned());
            return self.find_slot(index, 0);
        }
        match meant.map(|m| (decide_intent(best, m, &self.flow.line.thresholds), m)) {
            Some(((Decision::Accept, why), m)) if self.is_other_intent(m) => {
                let Some(intent) = m.best().map(|s| s.intent.clone()) else { return };
                self.decided("accept", format!("{intent} in place of the answer: {why}"));
                self.take_intent(intent, Some(best));
            }
            Some(_) | None => self.no_match("no value in it"),
        }
    }

    fn is_other_intent(&self, meant: &Interpretation) -> bool {
        let best = meant.best().map(|s| &s.intent);
        best != self.intent.as_ref() && best.is_some_and(|i| self.flow.intents.contains_key(i))
    }

    fn heard_value(&mut self, index: usize, value: Pii<String>, confidence: f32) {
        match decide_value(confidence, &self.flow.line.thresholds) {
            Decision::Accept => {
                self.decided("fill", format!("confidence {confidence:.2}"));
                self.fill(index, value);
            }
            Decision::Confirm if self.is_checked_by_look_up(index) => {
                self.decided("check", format!("confidence {confidence:.2}: the look-up tells"));
                self.unsure = Some(index);
                self.fill(index, value);
            }
            Decision::Confirm => {
                self.decided("confirm", format!("confidence {confidence:.2}"));
                self.confirm_slot(index, value.into_exposed());
            }
            Decision::Reject => self.no_match(&format!("confidence {confidence:.2}")),
        }
    }

    /// Whether filling this slot leads straight to a look-up by it: numbers are so sparse that one which
    /// the store knows was heard right, and the answer names what it is about.
    fn is_checked_by_look_up(&self, index: usize) -> bool {
        let Some(spec) = self.spec() else { return false };
        let Some(slot) = spec.slot.get(index) else { return false };
        let last = spec.slot.iter().all(|s| s.name == slot.name || self.slots.contains_key(&s.name));
        last && spec.fulfil.as_ref().is_some_and(|f| f.args.get_ref().values().any(|name| *name == slot.name))
    }

    fn fill(&mut self, index: usize, value: Pii<String>) {
        if let Some(name) = self.slot(index).map(|s| s.name.clone()) {
            self.slots.insert(name, value);
        }
        self.next_slot();
    }

    fn confirm_slot(&mut self, index: usize, value: String) {
        self.begin_question();
        let prompt = self.slot_prompt(index, "confirm");
        self.say_with(&prompt, &[("value", value.clone())]);
        self.state = State::ConfirmSlot { index, value };
        self.listen(Question::YES_NO);
    }

    pub(super) fn confirm_slot_again(&mut self, index: usize, value: &str) {
        if self.asked.times() >= self.flow.line.tries.slot {
            return self.hand_over(HandoffReason::NotUnderstood);
        }
        self.confirm_slot(index, value.to_owned());
    }

    /// "Yes", "no", or a correction: "no, four five one *three* …".
    pub(super) fn heard_confirm_slot(&mut self, heard: &Recognition, index: usize, value: &str) {
        let Some(best) = heard.best() else { return self.no_match("nothing intelligible") };
        let corrected = self.slot_entity(index).and_then(|e| best_candidate(&heard.hypotheses, &e, &[]));
        if let Some(other) = corrected.filter(|c| c.value.expose() != value) {
            self.decided("corrected", "another value".to_owned());
            return self.heard_value(index, other.value, best.confidence * other.confidence);
        }
        match answer(best.text.expose()).map(|a| a.answer) {
            Some(Answer::Yes) => {
                self.decided("confirmed", String::new());
                self.fill(index, Pii::from(value));
            }
            Some(Answer::No) => {
                self.decided("denied", String::new());
                self.asked.no_match += 1;
                self.slot_again(index, "no_match", self.asked.no_match);
            }
            Some(Answer::DontKnow) => self.find_slot(index, 0),
            Some(Answer::ThatsAll) | None => self.no_match("neither yes nor no"),
        }
    }

    pub(super) fn keyed_slot(&mut self, index: usize, keys: &str) {
        let fits = self.slot_entity(index).and_then(|e| e.kind.keys()).is_some_and(|(min, max)| {
            (usize::from(min)..=usize::from(max)).contains(&keys.len())
                && keys.bytes().all(|b| b.is_ascii_digit())
        });
        if fits {
            self.decided("fill", "by key".to_owned());
            self.fill(index, Pii::from(keys));
        } else {
            self.no_match("not a value of this kind by key");
        }
    }

    /// "I don't know": the declared ways to the value, one after another, and a person at the end.
    pub(super) fn find_slot(&mut self, index: usize, step: usize) {
        let Some(way) = self.slot(index).and_then(|s| s.dont_know.get(step)) else {
            return self.hand_over(HandoffReason::ValueUnknown);
        };
        let Some(ani) = &self.ani else { return self.hand_over(HandoffReason::ValueUnknown) };
        let args = [("ani".to_owned(), Pii::from(ani.expose()))].into();
        let query = Query { name: way.look_up.clone(), args };
        self.state = State::FindingSlot { index, step };
        self.begin_question();
        self.moves.push_back(Move::LookUp(query));
    }

    pub(super) fn looked_up(&mut self, rows: Vec<Row>) {
        match self.state.clone() {
            State::Arriving => {
                self.customer = rows.into_iter().next().unwrap_or_default();
                self.greet();
            }
            State::FindingSlot { index, step } => self.found_rows(index, step, rows),
            State::Fulfilling => self.answer_with(rows),
            // A reply that nobody waits for any more.
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

    fn found_rows(&mut self, index: usize, step: usize, mut rows: Vec<Row>) {
        rows.truncate(MOST_OFFERS);
        match rows.len() {
            0 => self.find_slot(index, step + 1),
            1 => {
                let prompt = self.slot_prompt(index, &format!("dont_know.{step}.found"));
                self.begin_question();
                self.say_with(&prompt, &fields(&rows[0]));
                self.fill_row(index, step, &rows[0]);
            }
            _ => self.offer((index, step, rows, 0)),
        }
    }

    fn fill_row(&mut self, index: usize, step: usize, row: &Row) {
        let field = self.slot(index).and_then(|s| s.dont_know.get(step)).map(|way| way.field.clone());
        match field.and_then(|field| row.get(&field).cloned()) {
            Some(value) => self.fill(index, value),
            None => self.find_slot(index, step + 1),
        }
    }

    fn offer(&mut self, (index, step, rows, at): OfferState) {
        let prompt = self.slot_prompt(index, &format!("dont_know.{step}.offer"));
        self.begin_question();
        self.say_with(&prompt, &fields(&rows[at]));
        self.state = State::Offer { index, step, rows, at };
        self.listen(Question::YES_NO);
    }

    pub(super) fn heard_offer(
        &mut self,
        heard: &Recognition,
        meant: Option<&Interpretation>,
        offer: OfferState,
    ) {
        let Some(best) = heard.best() else { return self.no_match("nothing intelligible") };
        let (index, step, rows, at) = offer;
        match answer(best.text.expose()).map(|a| a.answer) {
            Some(Answer::Yes) => {
                self.decided("confirmed", format!("offer {} of {}", at + 1, rows.len()));
                let row = rows[at].clone();
                self.fill_row(index, step, &row);
            }
            Some(Answer::No | Answer::ThatsAll) if at + 1 < rows.len() => {
                self.decided("denied", format!("offer {} of {}", at + 1, rows.len()));
                self.offer((index, step, rows, at + 1));
            }
            Some(Answer::No | Answer::ThatsAll) => self.find_slot(index, step + 1),
            Some(Answer::DontKnow) => self.hand_over(HandoffReason::ValueUnknown),
            None => self.heard_slot(heard, meant, index),
        }
    }

    /// All slots are filled: looks the answer up, or calls the person who has it.
    fn fulfil(&mut self) {
        let Some(spec) = self.spec() else { return };
        let Some(fulfil) = &spec.fulfil else {
            let asked = self
                .flow
                .commands
                .agent
                .is_whole(self.last_heard.as_ref().map(|t| t.expose().as_str()).unwrap_or_default());
            let person = spec.person || asked;
            let reason = if person { HandoffReason::CallerAsked } else { HandoffReason::IntentNeedsPerson };
            return self.hand_over(reason);
        };
        let args = fulfil
            .args
            .get_ref()
            .iter()
            .filter_map(|(arg, slot)| self.slots.get(slot).map(|value| (arg.clone(), value.clone())))
            .collect();
        let query = Query { name: fulfil.look_up.clone(), args };
        self.state = State::Fulfilling;
        self.moves.push_back(Move::LookUp(query));
    }

    fn answer_with(&mut self, rows: Vec<Row>) {
        let intent = self.intent.as_ref().map(IntentName::as_str).unwrap_or_default().to_owned();
        self.begin_question();
        let unsure = self.unsure.take();
        if let (true, Some(index)) = (rows.is_empty(), unsure) {
            return self.unknown_and_unsure(index);
        }
        match rows.first() {
            Some(row) => {
                self.say_with(&format!("{intent}.answer"), &fields(row));
                self.resolved = true;
                self.anything_else();
            }
            None => self.not_found(&format!("{intent}.not_found")),
        }
    }

    /// Nobody knows the value, and the line was not sure of it: the caller says which of both is wrong.
    fn unknown_and_unsure(&mut self, index: usize) {
        let name = self.slot(index).map(|s| s.name.clone()).unwrap_or_default();
        let value = self.slots.remove(&name).map(Pii::into_exposed).unwrap_or_default();
        self.decided("confirm", "the store does not know it".to_owned());
        self.confirm_slot(index, value);
    }

    /// The value was well-formed but nobody knows it: most likely it was misheard.
    fn not_found(&mut self, prompt: &str) {
        self.decided("not_found", format!("try {}", self.not_found + 1));
        self.not_found += 1;
        self.say(prompt);
        let last = self.spec().map_or(0, |spec| spec.slot.len()).checked_sub(1);
        if self.not_found >= self.flow.line.tries.slot.min(2) {
            return self.hand_over(HandoffReason::NotFound);
        }
        let Some(index) = last else { return self.hand_over(HandoffReason::NotFound) };
        if let Some(name) = self.slot(index).map(|s| s.name.clone()) {
            self.slots.remove(&name);
        }
        self.asked.no_match += 1;
        self.ask_slot_in_words(index);
    }
}

fn fields(row: &Row) -> Vec<(&str, String)> {
    row.iter().map(|(key, value)| (key.as_str(), value.expose().clone())).collect()
}
