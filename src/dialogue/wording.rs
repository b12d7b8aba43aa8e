//! Prompts: minijinja templates, and how values are spoken.
//!
//! Values become words here, not in the synthesiser, so that every voice says them alike.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{Environment, UndefinedBehavior};

use crate::call::{Pii, Prompt};

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WordingError {
    /// It does not compile.
    #[error("prompt '{name}' is no template: {why}")]
    Syntax {
        /// The prompt.
        name: String,
        /// The template engine's word.
        why: String,
    },
    /// It has no words.
    #[error("prompt '{0}' is empty: expected a sentence")]
    Empty(String),
}

/// All prompts of a line, compiled.
pub struct Wording {
    env: Environment<'static>,
    /// Names of prompts without a variable.
    evergreen: BTreeMap<String, String>,
    names: BTreeSet<String>,
}

impl std::fmt::Debug for Wording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wording").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Wording {
    pub(super) fn new() -> Wording {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Lenient);
        env.add_filter("digits", |s: String| spoken_digits(&s));
        env.add_filter("last_two", |s: String| spoken_digits(&tail(&s, 2)));
        env.add_filter("date", |s: String| spoken_date(&s));
        Wording { env, evergreen: BTreeMap::new(), names: BTreeSet::new() }
    }

    pub(super) fn add(&mut self, name: &str, text: &str) -> Result<(), WordingError> {
        if text.trim().is_empty() {
            return Err(WordingError::Empty(name.to_owned()));
        }
        self.env
            .add_template_owned(name.to_owned(), text.to_owned())
            .map_err(|e| WordingError::Syntax { name: name.to_owned(), why: e.to_string() })?;
        if !text.contains("{{") && !text.contains("{%") {
            self.evergreen.insert(name.to_owned(), text.trim().to_owned());
        }
        self.names.insert(name.to_owned());
        Ok(())
    }

    /// Whether there is a prompt of that name.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The `n`th wording (from 0) of a list, or its last where there are fewer; `None` where the list
    /// is empty.
    pub fn nth(&self, name: &str, n: usize) -> Option<String> {
        (0..=n).rev().map(|i| format!("{name}.{i}")).find(|name| self.has(name))
    }

    /// All prompts that need no value: they can be rendered before the first call.
    pub fn evergreen(&self) -> impl Iterator<Item = Prompt> + '_ {
        self.evergreen.iter().map(|(name, text)| Prompt {
            name: name.clone(),
            text: Pii::from(text.as_str()),
            evergreen: true,
            barge_in: true,
        })
    }

    /// Words a prompt. A template that fails at run time says what it can: its text without values
    /// would mislead, so the caller hears the line's apology instead, and `Err` tells the log.
    ///
    /// # Errors
    /// The name is unknown, or a filter refused its value.
    pub fn render(&self, name: &str, values: &BTreeMap<String, String>) -> Result<Prompt, String> {
        let template = self.env.get_template(name).map_err(|e| e.to_string())?;
        let text = template.render(values).map_err(|e| e.to_string())?;
        Ok(Prompt {
            name: name.to_owned(),
            text: Pii::new(text.split_whitespace().collect::<Vec<_>>().join(" ")),
            evergreen: self.evergreen.contains_key(name),
            barge_in: true,
        })
    }
}

const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// Digits in groups of two (three where the count is odd and divides by three), with a comma's pause
/// between groups: "four five, one two, eight eight".
pub fn spoken_digits(number: &str) -> String {
    let words: Vec<&str> =
        number.chars().filter_map(|c| c.to_digit(10)).map(|d| DIGITS[d as usize]).collect();
    let group = if !words.len().is_multiple_of(2) && words.len().is_multiple_of(3) { 3 } else { 2 };
    words.chunks(group).map(|g| g.join(" ")).collect::<Vec<_>>().join(", ")
}

fn tail(s: &str, n: usize) -> String {
    let count = s.chars().count();
    s.chars().skip(count.saturating_sub(n)).collect()
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const ORDINALS: [&str; 31] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
    "twenty first",
    "twenty second",
    "twenty third",
    "twenty fourth",
    "twenty fifth",
    "twenty sixth",
    "twenty seventh",
    "twenty eighth",
    "twenty ninth",
    "thirtieth",
    "thirty first",
];

/// An ISO 8601 date as "the third of May"; anything else unchanged.
pub fn spoken_date(date: &str) -> String {
    let mut parts = date.split('-').skip(1).map(|p| p.parse::<usize>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(month @ 1..=12), Some(day @ 1..=31)) => {
            format!("the {} of {}", ORDINALS[day - 1], MONTHS[month - 1])
        }
        _ => date.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_said_in_groups() {
        assert_eq!(spoken_digits("451288"), "four five, one two, eight eight");
        assert_eq!(spoken_digits("123"), "one two three");
        assert_eq!(spoken_digits("5"), "five");
        assert_eq!(spoken_digits(""), "");
    }

    #[test]
    fn dates_are_said_as_people_say_them() {
        assert_eq!(spoken_date("2026-05-03"), "the third of May");
        assert_eq!(spoken_date("2026-13-03"), "2026-13-03");
        assert_eq!(spoken_date("tomorrow"), "tomorrow");
    }

    #[test]
    fn the_nth_wording_falls_back_to_the_last() {
        let mut wording = Wording::new();
        wording.add("ask.0", "one").expect("a template");
        wording.add("ask.1", "two {{ x }}").expect("a template");
        assert_eq!(wording.nth("ask", 0).as_deref(), Some("ask.0"));
        assert_eq!(wording.nth("ask", 7).as_deref(), Some("ask.1"));
        assert_eq!(wording.nth("other", 0), None);
        assert_eq!(wording.evergreen().count(), 1);
    }

    #[test]
    fn an_unclosed_variable_is_refused() {
        assert!(Wording::new().add("x", "hello {{ name").is_err());
        assert!(Wording::new().add("x", "  ").is_err());
    }
}
