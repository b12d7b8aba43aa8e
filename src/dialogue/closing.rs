//! The end of a call: "anything else?", how content the caller is, callbacks, goodbye.

use super::state::{Asked, State, Work};
use super::{Dialogue, Move, Question};
use crate::call::{Callback, CallbackReason, Expect, HandoffReason, HangupCause, Hypothesis};
use crate::understanding::{Answer, answer, digits};

/// Grades of contentment, worst to best.
const GRADES: std::ops::RangeInclusive<u8> = 1..=5;

/// The grade in "four", "I'd say four out of five", "five stars".
pub(super) fn rating_in(text: &str) -> Option<u8> {
    let runs = digits(text);
    let first = runs.first()?.readings().next()?.0.parse().ok()?;
    GRADES.contains(&first).then_some(first)
}

impl Dialogue {
    pub(super) fn anything_else(&mut self) {
        self.asked = Asked::default();
        self.seeking = None;
        self.say("anything_else");
        self.state = State::Purpose { wrap_up: true };
        // By keys it can only be yes or no; yes leads to the menu.
        self.listen(if self.arrival.keypad_only { Question::YES_NO } else { Question::OPEN });
    }

    /// The caller has all they wanted: asks how content they are, once, then says goodbye.
    pub(super) fn nothing_else(&mut self) {
        self.decided("nothing_else", "");
        if self.flow.line.rating.is_none() || self.was_rated || !self.resolved {
            return self.goodbye();
        }
        self.was_rated = true;
        self.say("rating.ask");
        self.state = State::Rating;
        self.listen(Question { expect: Expect::Digits { min: 1, max: 1 }, ..Question::OPEN });
    }

    pub(super) fn heard_rating(&mut self, best: &Hypothesis) {
        let text = best.text.expose().clone();
        self.rated(rating_in(&text));
    }

    /// A grade, or none: nobody is asked twice.
    pub(super) fn rated(&mut self, grade: Option<u8>) {
        self.rating = grade.filter(|grade| GRADES.contains(grade));
        match self.rating {
            Some(grade) => {
                self.decided("rated", grade.to_string());
                self.say("rating.thanks");
            }
            None => self.decided("not_rated", ""),
        }
        self.goodbye();
    }

    pub(super) fn goodbye(&mut self) {
        self.say("goodbye");
        self.end();
    }

    pub(super) fn end(&mut self) {
        self.state = State::Working(Work::Ended);
        self.moves.push_back(Move::HangUp(HangupCause::Line));
    }

    /// Offers to have the caller called back, where the line does that and knows the number.
    pub(super) fn offer_callback(&mut self, then_person: bool) -> bool {
        let can = self.ani.is_some()
            && self.callback.is_none()
            && ["callback_offer", "callback_promised"].iter().all(|p| self.flow.wording.has(p));
        if can {
            self.asked = Asked::default();
            self.say("callback_offer");
            self.state = State::Callback { then_person };
            self.listen(Question::YES_NO);
        }
        can
    }

    pub(super) fn heard_callback(&mut self, best: &Hypothesis, then_person: bool) {
        let text = best.text.expose().clone();
        self.remember(&text);
        match answer(&text).map(|a| a.answer) {
            Some(Answer::Yes) => self.promise_callback(if then_person {
                CallbackReason::SystemFault
            } else {
                CallbackReason::NobodyFree
            }),
            Some(Answer::No | Answer::DontKnow | Answer::ThatsAll) => {
                self.decided("denied", "no callback");
                self.without_callback(then_person);
            }
            None => self.no_match("neither yes nor no"),
        }
    }

    pub(super) fn callback_again(&mut self, then_person: bool) {
        if self.asked.times() > 1 {
            return self.without_callback(then_person);
        }
        self.say("callback_offer");
        self.listen(Question::YES_NO);
    }

    fn without_callback(&mut self, then_person: bool) {
        if then_person {
            return self.hand_over(HandoffReason::SystemFault);
        }
        self.anything_else();
    }

    fn promise_callback(&mut self, reason: CallbackReason) {
        self.decided("callback", reason.to_string());
        self.note_callback(reason);
        self.say("callback_promised");
        self.anything_else();
    }

    fn note_callback(&mut self, reason: CallbackReason) {
        let Some(number) = self.ani.clone() else { return };
        self.callback = Some(Callback { number, reason, intent: self.intent.clone() });
    }

    /// The connection broke: where the line's policy is to call back, that is noted for the record.
    pub fn handle_drop(&mut self) {
        let policy = self.flow.line.dropped.as_ref().is_some_and(|d| d.call_back);
        if policy && !self.resolved && self.intent.is_some() && self.callback.is_none() {
            self.note_callback(CallbackReason::CutOff);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grade_in_words() {
        for (text, grade) in [
            ("four", Some(4)),
            ("i'd say four out of five", Some(4)),
            ("five stars", Some(5)),
            ("three please", Some(3)),
            ("ten", None),
            ("zero", None),
            ("it was fine", None),
        ] {
            assert_eq!(rating_in(text), grade, "{text}");
        }
    }
}
