//! Corrections: "no, four five one *three*", whenever they come.

use super::state::{Asked, State};
use super::{Dialogue, HandoffReason};
use crate::call::{Hypothesis, Pii, Recognition};
use crate::understanding::{Answer, EntityKind, answer, digits};

/// Fewest digits of a part that corrects a number: one digit alone may be anywhere.
const FEWEST_DIGITS: usize = 2;

/// The number that a part of it, said again with one or more digits changed, makes of it: the stretch
/// that differs least from what was said takes its place. `None` where nothing differs, where more than
/// half of the part does, or where several stretches would do.
pub(super) fn corrected_digits(old: &str, part: &str) -> Option<String> {
    let (old, part) = (old.as_bytes(), part.as_bytes());
    if part.len() < FEWEST_DIGITS || part.len() >= old.len() {
        return None;
    }
    let differences = |window: &[u8]| window.iter().zip(part).filter(|(a, b)| a != b).count();
    let found: Vec<usize> = old.windows(part.len()).map(differences).collect();
    let least = *found.iter().min()?;
    let at = found.iter().position(|d| *d == least)?;
    let alone = found.iter().filter(|d| **d == least).count() == 1;
    if least == 0 || least * 2 > part.len() || !alone {
        return None;
    }
    let mut new = old.to_vec();
    new[at..at + part.len()].copy_from_slice(part);
    String::from_utf8(new).ok()
}

impl Dialogue {
    /// "Yes", "no", or a correction: "no, four five one *three* …".
    pub(super) fn heard_confirm_slot(&mut self, heard: &Recognition, index: usize, value: &str) {
        let Some(best) = heard.best() else { return self.no_match("nothing intelligible") };
        let text = best.text.expose().clone();
        self.remember(&text);
        let whole = self.slot_entity(index).and_then(|e| self.best_value(heard, &e));
        if let Some(other) = whole.filter(|c| c.value.expose() != value) {
            self.decided("corrected", "another value");
            return self.heard_value(index, other.value, best.confidence * other.confidence);
        }
        if let Some(other) = self.part_of(index, value, &text) {
            self.decided("corrected", "a part of the value");
            // A part may have been put in the wrong place, so that it is read back.
            return self.confirm_slot(index, other);
        }
        match answer(&text).map(|a| a.answer) {
            Some(Answer::Yes) => {
                self.decided("confirmed", "");
                self.fill(index, Pii::from(value));
            }
            Some(Answer::No) => {
                self.decided("denied", "");
                self.asked.no_match += 1;
                self.slot_again(index, "no_match", self.asked.no_match);
            }
            Some(Answer::DontKnow) => self.slot_unknown(index),
            Some(Answer::ThatsAll) | None => self.no_match("neither yes nor no"),
        }
    }

    /// A number of which the caller has said a part anew.
    fn part_of(&self, index: usize, value: &str, text: &str) -> Option<String> {
        let entity = self.slot_entity(index)?;
        if !matches!(entity.kind, EntityKind::Digits { .. }) {
            return None;
        }
        digits(text)
            .iter()
            .filter_map(|run| run.readings().next().map(|(part, _)| part.to_owned()))
            .find_map(|part| corrected_digits(value, &part))
    }

    /// A correction of what was gathered before, while something else is asked: "no, I meant …". Whether
    /// it was one.
    pub(super) fn corrects(&mut self, heard: &Recognition, best: &Hypothesis) -> bool {
        let asked = match &self.state {
            State::Slot { index } => Some(*index),
            State::Purpose { wrap_up: true } | State::ConfirmAction => None,
            State::WelcomeBack
            | State::Purpose { wrap_up: false }
            | State::ConfirmIntent { .. }
            | State::Choose { .. }
            | State::Menu
            | State::ConfirmSlot { .. }
            | State::Offer(_)
            | State::Proof { .. }
            | State::Step { .. }
            | State::Callback { .. }
            | State::Waiting
            | State::WaitingNumber { .. }
            | State::WaitingTime { .. }
            | State::Rating
            | State::Working(_) => return false,
        };
        let text = best.text.expose().clone();
        if !self.begins_correction(&text) {
            return false;
        }
        let Some((index, value)) = self.other_value(heard, asked, &text) else { return false };
        self.remember(&text);
        self.decided("corrected", self.slot_name(index));
        self.unsure = None;
        self.resolved = self.resolved && asked.is_some();
        self.asked = Asked::default();
        self.heard_value(index, value, best.confidence);
        true
    }

    fn begins_correction(&self, text: &str) -> bool {
        let no = answer(text).is_some_and(|a| a.answer == Answer::No && !a.whole);
        let declared = self.flow.commands.correction.find(text);
        no || declared.is_some_and(|found| !found.whole && text[..found.span.start].trim().is_empty())
    }

    /// Another value for a slot that is filled already, where the open question is not about its kind.
    fn other_value(
        &self,
        heard: &Recognition,
        asked: Option<usize>,
        text: &str,
    ) -> Option<(usize, Pii<String>)> {
        let spec = self.spec()?;
        let open = asked.and_then(|index| spec.slot.get(index)).map(|s| s.entity.get_ref());
        for (index, slot) in spec.slot.iter().enumerate() {
            let Some(old) = self.slots.get(&slot.name) else { continue };
            if open == Some(slot.entity.get_ref()) || slot.choices.is_some() {
                continue;
            }
            let entity = self.entity(slot)?;
            let whole = self.best_value(heard, entity).map(|e| e.value);
            let new = whole.or_else(|| self.part_of(index, old.expose(), text).map(Pii::new));
            if let Some(new) = new.filter(|new| new != old) {
                return Some((index, new));
            }
        }
        None
    }

    /// "That's not my order": whether this is said.
    pub(super) fn is_wrong_answer(&self, text: &str) -> bool {
        self.resolved && self.flow.commands.wrong.is_whole(text)
    }

    /// The answer was about something else: the value that it came from is asked for anew, once; then a
    /// person takes over.
    pub(super) fn answer_was_wrong(&mut self) {
        self.decided("wrong_answer", format!("time {}", self.not_found + 1));
        self.not_found += 1;
        self.resolved = false;
        let last = self.spec().and_then(|spec| {
            spec.slot.iter().rposition(|s| self.slots.contains_key(&s.name) && s.choices.is_none())
        });
        match last.filter(|_| self.not_found < 2) {
            Some(index) => {
                let name = self.slot_name(index);
                self.slots.remove(&name);
                self.asked = Asked { no_match: 1, no_input: 0 };
                self.ask_slot_in_words(index);
            }
            None => self.hand_over(HandoffReason::NotFound),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_said_again_takes_its_place() {
        let check = |part: &str, new: Option<&str>| {
            assert_eq!(corrected_digits("451288", part).as_deref(), new, "{part}");
        };
        check("4513", Some("451388"));
        check("389", None);
        check("1289", Some("451289"));
        check("451", None);
        check("9", None);
        check("777", None);
        check("451288", None);
    }

    proptest! {
        #[test]
        fn a_correction_changes_only_what_was_said(old in "[0-9]{4,10}", part in "[0-9]{1,10}") {
            if let Some(new) = corrected_digits(&old, &part) {
                prop_assert_eq!(new.len(), old.len());
                prop_assert!(new.contains(&part) && new != old);
            }
        }
    }
}
