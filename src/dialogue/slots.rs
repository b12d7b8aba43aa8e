//! Filling slots: from the sentence that named the intent, by asking, by key; and how sure the line has to
//! be of a value.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::intent_spec::Confirmation;
use super::speaking::value as template_value;
use super::state::{Asked, State};
use super::{Decision, Dialogue, IntentSpec, Question, SlotSpec, decide_value};
use crate::call::{Entity, Expect, HandoffReason, Hypothesis, IntentName, Interpretation, Pii, Recognition};
use crate::understanding::{Answer, Context, EntityKind, EntitySpec, answer, candidates, entities_in, words};

/// A value found for a slot.
struct Found {
    slot: String,
    value: Pii<String>,
    confidence: f32,
}

impl Dialogue {
    pub(super) fn slot(&self, index: usize) -> Option<&SlotSpec> {
        self.spec().and_then(|spec| spec.slot.get(index))
    }

    pub(super) fn slot_name(&self, index: usize) -> String {
        self.slot(index).map(|s| s.name.clone()).unwrap_or_default()
    }

    pub(super) fn entity(&self, slot: &SlotSpec) -> Option<&EntitySpec> {
        self.flow.entities.get(slot.entity.get_ref())
    }

    pub(super) fn slot_entity(&self, index: usize) -> Option<EntitySpec> {
        self.slot(index).and_then(|slot| self.entity(slot)).cloned()
    }

    /// What values are read by beside the words: the line's clock, for "tomorrow", and what the store knows
    /// for this caller.
    fn context(&self, entity: &EntitySpec) -> Context<'_> {
        let known = self.known.get(&entity.name).map(Vec::as_slice).unwrap_or_default();
        Context { now: self.arrival.local, known }
    }

    /// All values of an entity in a sentence, by position.
    fn values_in(&self, text: &str, entity: &EntitySpec) -> Vec<Entity> {
        entities_in(text, std::slice::from_ref(entity), &self.context(entity))
    }

    /// The value that all hypotheses speak for together.
    pub(super) fn best_value(&self, heard: &Recognition, entity: &EntitySpec) -> Option<Entity> {
        candidates(&heard.hypotheses, entity, &self.context(entity)).into_iter().next()
    }

    pub(super) fn slot_prompt(&self, index: usize, what: &str) -> String {
        self.own_prompt(&format!("{}.{what}", self.slot_name(index)))
    }

    /// Over-answering: values said together with the intent fill its slots at once.
    pub(super) fn fill_from(&mut self, intent: &IntentName, heard: &Hypothesis) {
        let Some(spec) = self.flow.intents.get(intent) else { return };
        let open: Vec<&SlotSpec> = spec.slot.iter().filter(|s| s.choices.is_none()).collect();
        let found = self.assign(heard.text.expose(), &open, None);
        self.take_sure(found, heard.confidence);
    }

    fn take_sure(&mut self, found: Vec<Found>, confidence: f32) {
        for Found { slot, value, confidence: own } in found {
            if decide_value(confidence * own, &self.flow.line.thresholds) == Decision::Accept {
                self.slots.insert(slot, value);
            }
        }
    }

    /// Values in a sentence, each for one slot: first where a cue ("from", "to") says for which, then in the
    /// order of the sentence. `taken` is a stretch that is somebody else's.
    fn assign(&self, text: &str, slots: &[&SlotSpec], taken: Option<Range<usize>>) -> Vec<Found> {
        let mut used: Vec<Range<usize>> = taken.into_iter().collect();
        let mut found: Vec<Found> = Vec::new();
        for by_cue in [true, false] {
            for slot in slots {
                if found.iter().any(|f| f.slot == slot.name) || (by_cue && slot.cue.is_empty()) {
                    continue;
                }
                let Some(entity) = self.entity(slot) else { continue };
                let free = self.values_in(text, entity).into_iter().find(|e| {
                    let overlaps = used.iter().any(|u| u.start < e.span.end && e.span.start < u.end);
                    let cued = |s: &SlotSpec| has_cue(text, e.span.start, &s.cue);
                    let right = if by_cue {
                        cued(slot)
                    } else {
                        !slots.iter().any(|s| s.name != slot.name && cued(s))
                    };
                    !overlaps && right
                });
                if let Some(entity) = free {
                    used.push(entity.span);
                    found.push(Found {
                        slot: slot.name.clone(),
                        value: entity.value,
                        confidence: entity.confidence,
                    });
                }
            }
        }
        found
    }

    /// A bare value ("four five one two …") says what it is about, where just one intent is answered by it.
    pub(super) fn intent_by_value(&self, heard: &Hypothesis) -> Option<IntentName> {
        let holds = |entity: &EntitySpec| !self.values_in(heard.text.expose(), entity).is_empty();
        let mut answered_by_it = self.flow.intents.iter().filter(|(_, spec)| {
            let looked_up = spec.fulfil.as_ref().is_some_and(|f| f.look_up.is_some());
            looked_up && spec.slot.iter().filter_map(|slot| self.entity(slot)).any(holds)
        });
        let (name, _) = answered_by_it.next()?;
        answered_by_it.next().is_none().then(|| name.clone())
    }

    /// Whether an intent still needs this slot's value.
    fn wants(&self, slot: &SlotSpec) -> bool {
        slot.needed && !self.slots.contains_key(&slot.name) && self.holds(&slot.only_if)
    }

    /// Whether slots have the values that a condition names.
    pub(super) fn holds(&self, only_if: &BTreeMap<String, String>) -> bool {
        only_if.iter().all(|(name, value)| self.slots.get(name).is_some_and(|v| v.expose() == value))
    }

    /// Goes on with the intent: asks for the first empty slot; with none left, answers.
    pub(super) fn proceed(&mut self) {
        if let Some((index, step)) = self.seeking {
            return self.seek(index, step);
        }
        let Some(spec) = self.spec() else { return self.purpose_not_understood() };
        match spec.slot.iter().position(|slot| self.wants(slot)) {
            Some(index) => {
                self.asked = Asked::default();
                self.ask_slot(index);
            }
            None => self.slots_are_filled(),
        }
    }

    pub(super) fn ask_slot(&mut self, index: usize) {
        if self.slot(index).is_some_and(|slot| slot.choices.is_some()) {
            return self.find_choices(index);
        }
        self.ask_slot_in_words(index);
    }

    pub(super) fn ask_slot_in_words(&mut self, index: usize) {
        if self.arrival.keypad_only && self.slot_entity(index).is_none_or(|e| e.kind.keys().is_none()) {
            // No key is an answer to it, and nobody listens: another way to the value, else a person.
            self.decided("keypad_only", "the question has no answer by key");
            return self.slot_unknown(index);
        }
        let ask = self.slot_prompt(index, "ask");
        self.say_nth(&ask, self.asked.times());
        self.state = State::Slot { index };
        let no_input_ms = self.slot(index).and_then(|s| s.no_input_ms);
        let question = question_for(self.slot_entity(index).as_ref());
        self.listen(Question { no_input_ms, ..question });
    }

    pub(super) fn slot_again(&mut self, index: usize, what: &str, count: u8) {
        if self.asked.times() >= self.flow.line.tries.slot {
            // On the way to another value there may be one more way to it.
            return match self.seeking {
                Some((target, step)) => self.find_slot(target, step + 1),
                None => self.hand_over(HandoffReason::NotUnderstood),
            };
        }
        let prompt = self.slot_prompt(index, what);
        self.say_nth(&prompt, count.saturating_sub(1));
        self.ask_slot_in_words(index);
    }

    pub(super) fn slot_is_complete(&self, index: usize, heard: &Recognition, text: &str) -> bool {
        if answer(text).is_some_and(|a| a.whole && a.answer == Answer::DontKnow) {
            return true;
        }
        let Some(entity) = self.slot_entity(index) else { return false };
        self.best_value(heard, &entity).is_some()
    }

    pub(super) fn heard_slot(
        &mut self,
        heard: &Recognition,
        meant: Option<&Interpretation>,
        index: usize,
        echoed: Option<usize>,
    ) {
        let Some(best) = heard.best() else { return self.no_match("nothing intelligible") };
        let text = best.text.expose().clone();
        self.remember(&text);
        let Some(entity) = self.slot_entity(index) else { return self.no_match("no entity") };
        if let Some(value) = self.best_value(heard, &entity) {
            self.fill_others(best, index, value.span);
            return self.heard_value(index, value.value, best.confidence * value.confidence);
        }
        let said = answer(&text);
        match (said.as_ref().map(|a| (a.answer, a.whole)), echoed) {
            (Some((Answer::DontKnow, _)), _) => {
                self.decided("dont_know", "the caller does not know the value");
                return self.slot_unknown(index);
            }
            // What was said back in passing was wrong.
            (Some((Answer::No, true)), Some(before)) => {
                self.decided("denied", "the value that was said back");
                let name = self.slot_name(before);
                self.slots.remove(&name);
                return self.ask_anew(before);
            }
            (Some((Answer::Yes | Answer::No | Answer::ThatsAll, _)) | None, _) => {}
        }
        if !self.takes_other_intent(best, meant) {
            self.no_match("no value in it");
        }
    }

    /// The rest of a sentence may hold other slots' values: "on Monday, for two people".
    fn fill_others(&mut self, best: &Hypothesis, index: usize, span: Range<usize>) {
        let Some(spec) = self.spec() else { return };
        let open: Vec<&SlotSpec> = spec
            .slot
            .iter()
            .enumerate()
            .filter(|(i, s)| *i != index && s.choices.is_none() && !self.slots.contains_key(&s.name))
            .map(|(_, s)| s)
            .collect();
        let found = self.assign(best.text.expose(), &open, Some(span));
        self.take_sure(found, best.confidence);
    }

    /// One value, one decision: whether it is taken, said back, asked about or not believed.
    pub(super) fn heard_value(&mut self, index: usize, value: Pii<String>, confidence: f32) {
        let limits = self.flow.line.thresholds;
        let policy = self.slot(index).map(|s| s.confirmation).unwrap_or_default();
        let decision = decide_value(confidence, &limits);
        let scores = format!("confidence {confidence:.2}");
        match (decision, policy) {
            (Decision::Reject, _) => self.no_match(&scores),
            (Decision::Accept | Decision::Confirm, Confirmation::Explicit) => {
                self.decided("confirm", format!("{scores}: always asked about"));
                self.confirm_slot(index, value.into_exposed());
            }
            (Decision::Accept | Decision::Confirm, Confirmation::None) => {
                self.decided("fill", format!("{scores}: never asked about"));
                self.fill(index, value);
            }
            (Decision::Accept, Confirmation::Implicit) => {
                self.decided("echo", format!("{scores}: always said back"));
                self.fill_and_echo(index, value);
            }
            (Decision::Accept, Confirmation::Auto) if confidence < limits.sure && self.has_echo(index) => {
                self.decided("echo", format!("{scores} < sure {:.2}", limits.sure));
                self.fill_and_echo(index, value);
            }
            (Decision::Accept, Confirmation::Auto) => {
                self.decided("fill", scores);
                self.fill(index, value);
            }
            (Decision::Confirm, Confirmation::Auto | Confirmation::Implicit)
                if self.is_checked_by_look_up(index) =>
            {
                self.decided("check", format!("{scores}: the look-up tells"));
                self.unsure = Some(index);
                self.fill(index, value);
            }
            (Decision::Confirm, Confirmation::Auto | Confirmation::Implicit) => {
                self.decided("confirm", scores);
                self.confirm_slot(index, value.into_exposed());
            }
        }
    }

    fn has_echo(&self, index: usize) -> bool {
        // Where the answer follows at once, it says what it is about.
        self.flow.wording.has(&self.slot_prompt(index, "echo")) && !self.is_checked_by_look_up(index)
    }

    /// Whether filling this slot leads straight to a look-up by it: numbers are so sparse that one which
    /// the store knows was heard right, and the answer names what it is about.
    fn is_checked_by_look_up(&self, index: usize) -> bool {
        let Some(spec) = self.spec() else { return false };
        let Some(slot) = spec.slot.get(index) else { return false };
        let last = spec.slot.iter().all(|s| s.name == slot.name || !self.wants(s));
        let fulfil = spec.fulfil.as_ref().filter(|f| f.look_up.is_some() && f.confirm.is_none());
        last && self.seeking.is_none()
            && fulfil.is_some_and(|f| f.args.values().any(|name| *name == slot.name))
    }

    pub(super) fn fill(&mut self, index: usize, value: Pii<String>) {
        let name = self.slot_name(index);
        self.answered.retain(|n| *n != name);
        self.answered.push(name.clone());
        self.slots.insert(name, value);
        // Another order may be another's, and another day has other times.
        self.account = None;
        self.forget_choices_of(index);
        self.proceed();
    }

    /// Drops what was chosen from rows that came from this slot's value.
    fn forget_choices_of(&mut self, index: usize) {
        let name = self.slot_name(index);
        let Some(spec) = self.spec() else { return };
        let depend = |slot: &&SlotSpec| {
            slot.choices.as_ref().is_some_and(|choices| choices.args.values().any(|arg| *arg == name))
        };
        let chosen: Vec<String> = spec.slot.iter().filter(depend).map(|s| s.name.clone()).collect();
        for name in chosen {
            self.slots.remove(&name);
        }
    }

    fn fill_and_echo(&mut self, index: usize, value: Pii<String>) {
        let prompt = self.slot_prompt(index, "echo");
        self.say_with(&prompt, template_value("value", value.expose()));
        self.fill(index, value);
        self.echoed = Some(index);
    }

    pub(super) fn confirm_slot(&mut self, index: usize, value: String) {
        let prompt = self.slot_prompt(index, "confirm");
        if !self.flow.wording.has(&prompt) {
            return self.fill(index, Pii::new(value));
        }
        self.say_with(&prompt, template_value("value", &value));
        self.state = State::ConfirmSlot { index, value };
        self.listen(Question::YES_NO);
    }

    pub(super) fn confirm_slot_again(&mut self, index: usize, value: &str) {
        if self.asked.times() >= self.flow.line.tries.slot {
            return self.hand_over(HandoffReason::NotUnderstood);
        }
        self.confirm_slot(index, value.to_owned());
    }

    pub(super) fn keyed_slot(&mut self, index: usize, keys: &str) {
        if keys_fit(self.slot_entity(index).as_ref(), keys) {
            self.decided("fill", "by key");
            self.fill(index, Pii::from(keys));
        } else {
            self.no_match("not a value of this kind by key");
        }
    }

    /// A slot's value that the caller does not know: the declared ways, or the next way to the value that
    /// it was asked for.
    pub(super) fn slot_unknown(&mut self, index: usize) {
        match self.seeking {
            Some((target, step)) => self.find_slot(target, step + 1),
            None => self.find_slot(index, 0),
        }
    }
}

/// What a question for a value of this kind listens for.
pub(super) fn question_for(entity: Option<&EntitySpec>) -> Question {
    let Some(kind) = entity.map(|e| &e.kind) else { return Question::OPEN };
    if let Some((min, max)) = kind.keys() {
        return Question { expect: Expect::Digits { min, max }, max_keys: max, ..Question::OPEN };
    }
    Question { expect: expected(kind), ..Question::OPEN }
}

/// What the recogniser may be turned to for values that cannot be keyed in.
fn expected(kind: &EntityKind) -> Expect {
    match kind {
        EntityKind::Code { .. } | EntityKind::Postcode { .. } => Expect::Spelled,
        EntityKind::List { values } => {
            let spoken = values.iter().flat_map(|v| &v.spoken).flat_map(|s| s.split_whitespace());
            let words: BTreeSet<&str> = spoken.collect();
            Expect::Choice { words: words.into_iter().map(str::to_owned).collect() }
        }
        EntityKind::Digits { .. }
        | EntityKind::Phone { .. }
        | EntityKind::Money { .. }
        | EntityKind::Number
        | EntityKind::Ordinal
        | EntityKind::Date { .. }
        | EntityKind::Time
        | EntityKind::Email
        | EntityKind::Name
        | EntityKind::Address => Expect::Open,
    }
}

/// Whether keys are a value of this kind.
pub(super) fn keys_fit(entity: Option<&EntitySpec>, keys: &str) -> bool {
    entity.and_then(|e| e.kind.keys()).is_some_and(|(min, max)| {
        (usize::from(min)..=usize::from(max)).contains(&keys.len())
            && keys.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Whether the word right before `at` is one of `cues`.
fn has_cue(text: &str, at: usize, cues: &[String]) -> bool {
    let before = text.get(..at).map(words).unwrap_or_default();
    before.last().is_some_and(|word| cues.contains(&word.text))
}

/// The slot of an intent by its name.
pub(super) fn slot_of<'a>(spec: &'a IntentSpec, name: &str) -> Option<(usize, &'a SlotSpec)> {
    spec.slot.iter().enumerate().find(|(_, s)| s.name == name)
}
