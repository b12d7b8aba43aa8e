//! What the line says: prompts with their values, variants, "repeat" and "slower".

use std::collections::BTreeMap;

use minijinja::Value;

use super::{Dialogue, Move, Question};
use crate::call::{Prompt, Row};

/// Prompts that come again at intervals, their variants in order.
const AT_INTERVALS: &[&str] = &["one_moment", "still_ringing", "take_your_time"];

/// A template's extra values.
pub(super) type Values = BTreeMap<String, Value>;

/// One extra value.
pub(super) fn value(name: &str, value: &str) -> Values {
    Values::from([(name.to_owned(), Value::from(value))])
}

/// A row's fields as a template's values.
pub(super) fn fields(row: &Row) -> Values {
    row.iter().map(|(key, value)| (key.clone(), Value::from(value.expose().as_str()))).collect()
}

impl Dialogue {
    pub(super) fn say(&mut self, name: &str) {
        self.say_with(name, Values::new());
    }

    pub(super) fn say_nth(&mut self, list: &str, n: u8) {
        if let Some(name) = self.flow.wording.nth(list, usize::from(n)) {
            self.say(&name);
        }
    }

    /// Says a prompt if the flow has it; whether it has.
    pub(super) fn say_if_there(&mut self, name: &str, extra: Values) -> bool {
        let there = self.flow.wording.has(name);
        if there {
            self.say_with(name, extra);
        }
        there
    }

    pub(super) fn say_with(&mut self, name: &str, extra: Values) {
        let Some(prompt) = self.worded(name, extra) else { return };
        if std::mem::take(&mut self.said_is_whole) {
            self.said.clear();
        }
        self.said.push(prompt.clone());
        self.moves.push_back(Move::Say(prompt));
    }

    /// Says what "repeat" shall not repeat.
    pub(super) fn say_aside(&mut self, name: &str) {
        if let Some(prompt) = self.worded(name, Values::new()) {
            self.moves.push_back(Move::Say(prompt));
        }
    }

    fn worded(&mut self, name: &str, extra: Values) -> Option<Prompt> {
        let mut values = Values::new();
        values.insert("line".to_owned(), Value::from(self.flow.line.name.as_str()));
        values.insert("reference".to_owned(), Value::from(self.arrival.reference()));
        for (key, value) in self.customer.iter().chain(self.slots.iter()) {
            values.insert(key.clone(), Value::from(value.expose().as_str()));
        }
        values.extend(extra);
        let variant = self.next_variant(name);
        match self.flow.wording.render(name, variant, &Value::from(values)) {
            Ok(prompt) if prompt.text.expose().is_empty() => None,
            Ok(prompt) => {
                self.reference_given |= self.flow.wording.mentions(&prompt.name, "reference");
                Some(self.paced(prompt))
            }
            Err(why) => {
                self.decided("prompt_fault", format!("{name}: {why}"));
                None
            }
        }
    }

    /// Variants go round, so that none is said twice running.
    fn next_variant(&mut self, name: &str) -> usize {
        if self.flow.wording.variants(name) < 2 {
            return 0;
        }
        // What is said at intervals has an order: "one moment", then "I am still looking".
        let seed = if AT_INTERVALS.contains(&name) { 0 } else { self.variant_seed };
        let times = self.times_said.entry(name.to_owned()).or_default();
        *times += 1;
        seed.wrapping_add(*times - 1)
    }

    fn paced(&self, prompt: Prompt) -> Prompt {
        if self.slow { Prompt { slow: true, evergreen: false, ..prompt } } else { prompt }
    }

    pub(super) fn listen(&mut self, question: Question) {
        if self.arrival.keypad_only && question == Question::YES_NO {
            self.say_if_there("yes_no_keys", Values::new());
        }
        self.question = question.clone();
        self.said_is_whole = true;
        self.moves.push_back(Move::Listen(question));
    }

    /// Says the open question again, with what led to it.
    pub(super) fn repeat(&mut self) {
        for prompt in self.said.clone() {
            let prompt = self.paced(prompt);
            self.moves.push_back(Move::Say(prompt));
        }
        self.moves.push_back(Move::Listen(self.question.clone()));
    }
}
