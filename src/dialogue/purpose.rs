//! What the caller wants: one decision about an intent, a question where two are close, a narrowing
//! question, and the keypad menu.

use std::collections::BTreeSet;

use super::decision::close_pair;
use super::speaking::{Values, value};
use super::state::{Asked, State};
use super::{Decision, Dialogue, Question, decide_intent};
use crate::call::{Hypothesis, IntentName, Interpretation, Recognition};
use crate::understanding::{Answer, answer, words};

/// What a caller calls the first and the second of two.
const FIRST: &[&str] = &["first", "former"];
const SECOND: &[&str] = &["second", "latter", "last", "other"];

/// Words of a label that tell nothing.
const EMPTY_WORDS: &[&str] =
    &["a", "an", "the", "or", "and", "of", "to", "is", "where", "your", "our", "my", "for", "with", "about"];

impl Dialogue {
    pub(super) fn heard_purpose(&mut self, best: &Hypothesis, meant: Option<&Interpretation>, wrap_up: bool) {
        let text = best.text.expose().clone();
        self.remember(&text);
        if wrap_up && self.is_wrong_answer(&text) {
            return self.answer_was_wrong();
        }
        if let Some(said) = answer(&text).filter(|a| a.whole) {
            match said.answer {
                Answer::ThatsAll => return self.nothing_else(),
                Answer::No if wrap_up => return self.nothing_else(),
                Answer::Yes if wrap_up => {
                    self.decided("something_else", "");
                    return self.ask_purpose();
                }
                Answer::Yes | Answer::No | Answer::DontKnow => {}
            }
        }
        self.try_intent(best, meant, true);
    }

    /// Takes the intent, asks whether it is meant, or counts a no-match.
    pub(super) fn try_intent(
        &mut self,
        best: &Hypothesis,
        meant: Option<&Interpretation>,
        may_confirm: bool,
    ) {
        self.remember(best.text.expose());
        // The classifier did not answer: the caller was clear, the line is not.
        let Some(meant) = meant else { return self.hearing_fault() };
        let limits = self.flow.line.thresholds;
        let (decision, why) = decide_intent(best, meant, &limits);
        let known = meant.best().map(|s| s.intent.clone()).filter(|i| self.flow.intents.contains_key(i));
        if decision != Decision::Accept
            && may_confirm
            && let Some(pair) = close_pair(best, meant, &limits)
            && self.flow.wording.has("choose")
            && [&pair.0, &pair.1].iter().all(|i| self.flow.intents.contains_key(*i))
        {
            self.decided("choose", format!("{} or {}: {why}", pair.0, pair.1));
            return self.choose(best, pair);
        }
        match (decision, known) {
            (Decision::Accept, Some(intent)) => {
                self.decided("accept", format!("{intent}: {why}"));
                self.take_intent(intent, Some(best));
            }
            (Decision::Confirm, Some(intent)) if may_confirm => {
                self.decided("confirm", format!("{intent}: {why}"));
                self.confirm_intent(intent, best);
            }
            (Decision::Accept | Decision::Confirm | Decision::Reject, _) => {
                match self.intent_by_value(best) {
                    Some(intent) if may_confirm => {
                        self.decided("confirm", format!("{intent}, for the value in it: {why}"));
                        self.confirm_intent(intent, best);
                    }
                    Some(_) | None => self.no_match(&why),
                }
            }
        }
    }

    fn label(&self, intent: &IntentName) -> String {
        self.flow.intents.get(intent).map(|s| s.label.clone()).unwrap_or_default()
    }

    fn confirm_intent(&mut self, intent: IntentName, best: &Hypothesis) {
        self.fill_from(&intent, best);
        self.say_with("confirm_intent", value("label", &self.label(&intent)));
        self.state = State::ConfirmIntent { intent };
        self.listen(Question::YES_NO);
    }

    pub(super) fn heard_confirm_intent(
        &mut self,
        best: &Hypothesis,
        meant: Option<&Interpretation>,
        intent: &IntentName,
    ) {
        self.remember(best.text.expose());
        let said = answer(best.text.expose());
        // Whoever answers the next question has said yes to this one.
        let filled = self.slots.len();
        if said.as_ref().is_none_or(|s| s.answer != Answer::No) {
            self.fill_from(intent, best);
        }
        if self.slots.len() > filled {
            self.decided("confirmed", format!("{intent}, by a value for it"));
            return self.take_intent(intent.clone(), None);
        }
        match said.as_ref().map(|s| (s.answer, s.whole)) {
            Some((Answer::Yes, _)) => {
                self.decided("confirmed", intent.to_string());
                self.take_intent(intent.clone(), None);
            }
            Some((Answer::No | Answer::DontKnow | Answer::ThatsAll, true)) => {
                self.decided("denied", intent.to_string());
                self.slots.clear();
                self.purpose_not_understood();
            }
            Some((Answer::No | Answer::DontKnow | Answer::ThatsAll, false)) | None => {
                self.slots.clear();
                self.try_intent(best, meant, false);
            }
        }
    }

    /// Two intents are close: which of them?
    fn choose(&mut self, best: &Hypothesis, (first, second): (IntentName, IntentName)) {
        for intent in [&first, &second] {
            self.fill_from(intent, best);
        }
        let mut values: Values = value("first", &self.label(&first));
        values.extend(value("second", &self.label(&second)));
        self.say_with("choose", values);
        self.state = State::Choose { first, second };
        self.listen(Question::OPEN);
    }

    pub(super) fn heard_choose(
        &mut self,
        best: &Hypothesis,
        meant: Option<&Interpretation>,
        pair: (IntentName, IntentName),
    ) {
        let text = best.text.expose().clone();
        self.remember(&text);
        let said: BTreeSet<String> = words(&text).into_iter().map(|w| w.text).collect();
        if said.contains("both") {
            self.decided("chosen", format!("{}, then {}", pair.0, pair.1));
            self.later = Some(pair.1);
            return self.take_intent(pair.0, None);
        }
        if let Some(chosen) = self.named_of(&said, &pair).or_else(|| leading_of(meant, &pair)) {
            self.decided("chosen", chosen.to_string());
            return self.take_intent(chosen, Some(best));
        }
        if self.takes_intent(best, meant) {
            return self.try_intent(best, meant, false);
        }
        match answer(&text).map(|a| a.answer) {
            Some(Answer::No | Answer::DontKnow | Answer::ThatsAll) => {
                self.decided("denied", format!("{} and {}", pair.0, pair.1));
                self.slots.clear();
                self.purpose_not_understood();
            }
            Some(Answer::Yes) => self.no_match("yes to either"),
            None => self.try_intent(best, meant, false),
        }
    }

    /// The one of two that is named: "the first one", or a word of its label that the other lacks.
    fn named_of(&self, said: &BTreeSet<String>, pair: &(IntentName, IntentName)) -> Option<IntentName> {
        let own = |intent: &IntentName| -> BTreeSet<String> {
            let label = words(&self.label(intent)).into_iter().map(|w| w.text);
            label.filter(|w| !EMPTY_WORDS.contains(&w.as_str())).collect()
        };
        let (first, second) = (own(&pair.0), own(&pair.1));
        let hits = |mine: &BTreeSet<String>, other: &BTreeSet<String>, place: &[&str]| {
            said.iter().any(|w| mine.contains(w) && !other.contains(w))
                || place.iter().any(|p| said.contains(*p))
        };
        match (hits(&first, &second, FIRST), hits(&second, &first, SECOND)) {
            (true, false) => Some(pair.0.clone()),
            (false, true) => Some(pair.1.clone()),
            (true, true) | (false, false) => None,
        }
    }

    pub(super) fn keyed_choose(&mut self, keys: &str, pair: (IntentName, IntentName)) {
        let chosen = match keys {
            "1" => pair.0,
            "2" => pair.1,
            _ => return self.no_match("expected 1 for the first or 2 for the second"),
        };
        self.decided("chosen", format!("key {keys}: {chosen}"));
        self.take_intent(chosen, None);
    }

    /// Works on an intent: fills what was said with it, then asks for the rest.
    pub(super) fn take_intent(&mut self, intent: IntentName, heard: Option<&Hypothesis>) {
        if let Some(heard) = heard {
            self.fill_from(&intent, heard);
        }
        self.intent = Some(intent);
        self.asked = Asked::default();
        self.answered.clear();
        self.seeking = None;
        self.unsuited = 0;
        self.not_found = 0;
        self.steps_tried = 0;
        self.account = None;
        self.proceed();
    }

    /// Whether another intent than the one worked on is meant, for sure. Taken up if so.
    pub(super) fn takes_other_intent(&mut self, best: &Hypothesis, meant: Option<&Interpretation>) -> bool {
        let Some(meant) = meant else { return false };
        let (Decision::Accept, why) = decide_intent(best, meant, &self.flow.line.thresholds) else {
            return false;
        };
        let Some(intent) = meant.best().map(|s| s.intent.clone()) else { return false };
        if Some(&intent) == self.intent.as_ref() || !self.flow.intents.contains_key(&intent) {
            return false;
        }
        self.decided("accept", format!("{intent} in place of the answer: {why}"));
        self.take_intent(intent, Some(best));
        true
    }

    /// An intent was offered and denied, or not understood: one narrowing question, then the menu.
    pub(super) fn purpose_not_understood(&mut self) {
        self.asked = Asked { no_match: self.asked.no_match.max(1), ..self.asked };
        if !self.narrowed && self.flow.wording.has("narrow") {
            self.narrowed = true;
            // One more try, whatever went before: this is another question.
            self.asked =
                Asked { no_match: self.flow.line.tries.purpose.saturating_sub(1).max(1), no_input: 0 };
            self.say("narrow");
            self.state = State::Purpose { wrap_up: false };
            return self.listen(Question::OPEN);
        }
        self.purpose_again("no_match", self.asked.no_match);
    }

    pub(super) fn purpose_again(&mut self, what: &str, count: u8) {
        if self.asked.times() >= self.flow.line.tries.purpose {
            return self.menu();
        }
        self.say_nth(what, count.saturating_sub(1));
        self.say_nth("how_can_i_help", self.asked.times());
        self.state = State::Purpose { wrap_up: false };
        self.listen(Question::OPEN);
    }

    pub(super) fn menu(&mut self) {
        self.asked = Asked::default();
        self.read_menu();
    }

    pub(super) fn read_menu(&mut self) {
        self.say("menu.intro");
        let keys: Vec<_> = self.flow.line.menu.get_ref().entry.iter().map(|e| e.key).collect();
        for key in keys {
            self.say(&format!("menu.{key}"));
        }
        self.say("menu.person");
        self.state = State::Menu;
        self.listen(Question::OPEN);
    }

    pub(super) fn keyed_menu(&mut self, keys: &str) {
        let entries = &self.flow.line.menu.get_ref().entry;
        let chosen = entries.iter().find(|e| keys.len() == 1 && keys.starts_with(e.key.as_char()));
        match chosen.map(|e| e.intent.clone()) {
            Some(intent) => {
                self.decided("menu", format!("key {keys}: {intent}"));
                self.take_intent(intent, None);
            }
            None => self.no_match("no entry of the menu"),
        }
    }

    /// Whether what was heard so far already answers the question, so that the short *complete*
    /// timeout decides that the turn is over. Without the classifier's view (`meant`), whether the words
    /// alone answer it.
    pub fn is_complete(&self, heard: &Recognition, meant: Option<&Interpretation>) -> bool {
        let Some(best) = heard.best() else { return false };
        let text = best.text.expose();
        if self.command_in(text).is_some() {
            return true;
        }
        let whole = || answer(text).is_some_and(|a| a.whole);
        match &self.state {
            State::Purpose { wrap_up } => {
                let plain = answer(text).is_some_and(|a| {
                    a.whole && matches!(a.answer, Answer::Yes | Answer::No | Answer::ThatsAll)
                });
                (*wrap_up && plain) || self.takes_intent(best, meant)
            }
            State::ConfirmIntent { .. }
            | State::Offer(_)
            | State::ConfirmSlot { .. }
            | State::WelcomeBack
            | State::Step { .. }
            | State::ConfirmAction
            | State::WaitingNumber { number: Some(_) }
            | State::WaitingTime { window: Some(_), .. }
            | State::Callback { .. } => whole(),
            State::Slot { index } => self.slot_is_complete(*index, heard, text),
            State::Proof { index } => self.proof_is_complete(*index, heard, text),
            State::Rating => whole() || super::closing::rating_in(text).is_some(),
            State::Choose { .. } | State::Menu => self.takes_intent(best, meant),
            // A number may go on, and whoever waits talks to others, too.
            State::Waiting
            | State::WaitingNumber { number: None }
            | State::WaitingTime { window: None, .. }
            | State::Working(_) => false,
        }
    }

    fn takes_intent(&self, best: &Hypothesis, meant: Option<&Interpretation>) -> bool {
        meant.is_some_and(|m| decide_intent(best, m, &self.flow.line.thresholds).0 == Decision::Accept)
    }
}

/// The one of two that the classifier holds for twice as likely as the other.
fn leading_of(meant: Option<&Interpretation>, pair: &(IntentName, IntentName)) -> Option<IntentName> {
    let meant = meant.filter(|m| !m.is_out_of_scope())?;
    let of = |intent: &IntentName| {
        meant.ranked.iter().find(|s| s.intent == *intent).map_or(0.0, |s| s.probability)
    };
    let (first, second) = (of(&pair.0), of(&pair.1));
    let leads = meant.best().map(|s| &s.intent);
    if first > 2.0 * second && leads == Some(&pair.0) {
        Some(pair.0.clone())
    } else if second > 2.0 * first && leads == Some(&pair.1) {
        Some(pair.1.clone())
    } else {
        None
    }
}
