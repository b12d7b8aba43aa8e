//! Steps that a caller is led through, one after another: "please unplug it. Does it work now?"

use super::intent_spec::Leads;
use super::speaking::Values;
use super::state::{Asked, State};
use super::{Dialogue, Question};
use crate::call::{HandoffReason, Hypothesis, Interpretation};
use crate::understanding::{Answer, answer};

impl Dialogue {
    /// Leads through the steps, where there are any, then answers.
    pub(super) fn steps_or_answer(&mut self) {
        self.step(0);
    }

    fn step_prompt(&self, index: usize, what: &str) -> String {
        self.own_prompt(&format!("step.{index}.{what}"))
    }

    /// The first step from the `index`th on that applies; after the last, the answer or a person.
    pub(super) fn step(&mut self, index: usize) {
        let steps = self.spec().map(|spec| spec.step.as_slice()).unwrap_or_default();
        let next = steps.iter().enumerate().skip(index).find(|(_, step)| self.holds(&step.only_if));
        let Some((index, _)) = next else { return self.fulfil() };
        self.asked = Asked::default();
        self.steps_tried = self.steps_tried.max(index + 1);
        let (say, ask) = (self.step_prompt(index, "say"), self.step_prompt(index, "ask"));
        self.say(&say);
        self.say(&ask);
        self.state = State::Step { index };
        self.listen(Question::YES_NO);
    }

    pub(super) fn heard_step(&mut self, best: &Hypothesis, meant: Option<&Interpretation>, index: usize) {
        let text = best.text.expose().clone();
        self.remember(&text);
        if self.flow.commands.done.is_whole(&text) {
            self.decided("done", "asks what came of it");
            let ask = self.step_prompt(index, "ask");
            self.say(&ask);
            return self.listen(Question::YES_NO);
        }
        let Some(step) = self.spec().and_then(|s| s.step.get(index)) else { return self.fulfil() };
        let (yes, no) = (step.yes, step.no);
        match answer(&text).map(|a| a.answer) {
            Some(Answer::Yes) => {
                self.decided("step_yes", format!("step {}", index + 1));
                self.lead(yes, index);
            }
            Some(Answer::No) => {
                self.decided("step_no", format!("step {}", index + 1));
                self.lead(no, index);
            }
            Some(Answer::DontKnow) => self.step_unsure(index),
            Some(Answer::ThatsAll) => self.nothing_else(),
            None => {
                if !self.takes_other_intent(best, meant) {
                    self.no_match("neither yes nor no");
                }
            }
        }
    }

    /// The caller is not sure whether it helped: what the step says to that, else it did not.
    pub(super) fn step_unsure(&mut self, index: usize) {
        self.decided("step_unsure", format!("step {}", index + 1));
        let unsure = self.step_prompt(index, "unsure");
        if self.say_if_there(&unsure, Values::new()) {
            self.resolved = true;
            return self.next_steps(Values::new());
        }
        let no = self.spec().and_then(|s| s.step.get(index)).map_or(Leads::Next, |s| s.no);
        self.lead(no, index);
    }

    fn lead(&mut self, leads: Leads, index: usize) {
        match leads {
            Leads::Solved => {
                let solved = self.step_prompt(index, "solved");
                self.say_if_there(&solved, Values::new());
                self.resolved = true;
                self.next_steps(Values::new());
            }
            Leads::Next => self.step(index + 1),
            Leads::Person => self.hand_over(HandoffReason::IntentNeedsPerson),
        }
    }
}
