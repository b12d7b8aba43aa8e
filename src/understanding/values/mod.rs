//! Values that are said as words of measure: counts, amounts, dates, times; addresses of people and mail.
//!
//! Each kind reads [`tokens`](tokens::tokens), which keep what [`super::words`] drops: the points and signs
//! of what a recogniser writes in figures. Values said symbol by symbol are [`super::spelling`]'s.

mod cardinal;
mod date;
mod date_words;
mod email;
mod money;
mod name;
mod time;
mod tokens;

use std::ops::Range;

pub use date::{DateReading, Prefer};

pub(crate) use date::dates;
pub(super) use email::emails;
pub(super) use money::money;
pub(super) use name::{addresses, names};
pub(crate) use time::times;

use cardinal::{cardinal, ordinal};
use tokens::{Token, tokens};

use super::spoken::{beside_correction, corrects};

/// A value that was said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    /// As it is written.
    pub(crate) value: String,
    /// Bytes of the text.
    pub(crate) span: Range<usize>,
    /// 0 to 1.
    pub(crate) confidence: f32,
}

/// Counts and quantities.
pub(super) fn numbers(text: &str) -> Vec<Said> {
    scan(text, |tokens, at| {
        let (number, next) = cardinal(tokens, at)?;
        Some((number.to_string(), next, 1.0))
    })
}

/// Places in an order.
pub(super) fn ordinals(text: &str) -> Vec<Said> {
    scan(text, |tokens, at| {
        let (number, next) = ordinal(tokens, at)?;
        // "One second": a span of time, and no place.
        let counted = at > 0 && number == 2 && cardinal(tokens, at - 1).is_some_and(|(_, end)| end >= at);
        (!counted).then(|| (number.to_string(), next, 1.0))
    })
}

/// Reads from the left: at each token what `read` finds there, its value, the token after it and how sure
/// it is. What the caller takes back is dropped.
fn scan(text: &str, read: impl Fn(&[Token], usize) -> Option<(String, usize, f32)>) -> Vec<Said> {
    let tokens = tokens(text);
    let mut found: Vec<(Said, Range<usize>)> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let Some((value, next, confidence)) = read(&tokens, at).filter(|(_, next, _)| *next > at) else {
            at += 1;
            continue;
        };
        let span = tokens[at].span.start..tokens[next - 1].span.end;
        if let Some((_, before)) = found.last()
            && takes_back(&tokens[before.end..at])
        {
            found.pop();
        }
        found.push((Said { value, span, confidence }, at..next));
        at = next;
    }
    found.into_iter().map(|(said, _)| said).collect()
}

/// Whether the words between two values take the first one back: "no", "sorry, i mean".
fn takes_back(between: &[Token]) -> bool {
    let mut words = between.iter().filter(|t| t.is_word()).map(|t| t.text.as_str()).peekable();
    words.peek().is_some()
        && words.clone().any(corrects)
        && words
            .all(|w| corrects(w) || beside_correction(w) || matches!(w, "at" | "on" | "the" | "for" | "or"))
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
