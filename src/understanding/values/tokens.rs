//! A text as words, numbers and signs.

use std::ops::Range;

use crate::understanding::normalize::is_filler;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// A word in lower case, digits, or one sign.
    pub(super) text: String,
    /// Bytes of the text.
    pub(super) span: Range<usize>,
    /// Whether nothing stands between it and the token before, not even a space.
    pub(super) glued: bool,
}

impl Token {
    pub(super) fn is_word(&self) -> bool {
        self.text.chars().next().is_some_and(char::is_alphabetic)
    }

    pub(super) fn is_number(&self) -> bool {
        self.text.bytes().all(|b| b.is_ascii_digit())
    }

    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

/// The token's text, or nothing beyond the end.
pub(super) fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |t| t.text.as_str())
}

/// Whether `tokens` go on with the words of `phrase` at `at`.
pub(super) fn begins(tokens: &[Token], at: usize, phrase: &str) -> bool {
    phrase.split(' ').enumerate().all(|(i, word)| text(tokens, at + i) == word)
}

/// The first of `phrases`, as an index, that `tokens` go on with, and the token after it.
pub(super) fn one_of(tokens: &[Token], at: usize, phrases: &[&str]) -> Option<(usize, usize)> {
    let found = phrases.iter().position(|p| begins(tokens, at, p))?;
    Some((found, at + phrases[found].split(' ').count()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Number,
    Sign,
    Space,
}

fn class(c: char) -> Class {
    match c {
        _ if c.is_ascii_digit() => Class::Number,
        _ if c.is_alphabetic() => Class::Word,
        _ if c.is_whitespace() => Class::Space,
        _ => Class::Sign,
    }
}

/// The tokens of `text`; sounds that fill a pause are none, nor are commas and points that only part words.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    let mut glued = false;
    let mut rest = text.char_indices().peekable();
    while let Some((start, c)) = rest.next() {
        let kind = class(c);
        let mut end = start + c.len_utf8();
        if kind == Class::Word || kind == Class::Number {
            while let Some((at, c)) = rest.peek().copied() {
                let inner = kind == Class::Word
                    && matches!(c, '\'' | '\u{2019}')
                    && text[at + c.len_utf8()..].starts_with(char::is_alphabetic);
                if class(c) != kind && !inner {
                    break;
                }
                end = at + c.len_utf8();
                rest.next();
            }
        }
        match kind {
            Class::Space => glued = false,
            Class::Word | Class::Number | Class::Sign => {
                let text = text[start..end].to_lowercase().replace('\u{2019}', "'");
                let filler = kind == Class::Word && is_filler(&text);
                if !filler {
                    found.push(Token { text, span: start..end, glued });
                }
                glued = !filler;
            }
        }
    }
    without_pauses(found)
}

/// Drops commas, points and dashes that part words: those within numbers, and between letters that are
/// written together, mean something.
fn without_pauses(all: Vec<Token>) -> Vec<Token> {
    let means = |i: usize| -> bool {
        let token = &all[i];
        if !matches!(token.text.as_str(), "," | "." | "-" | "?" | "!" | ";" | "\"" | "\u{2026}" | "\u{2014}")
        {
            return true;
        }
        let between = i > 0 && token.glued && all.get(i + 1).is_some_and(|n| n.glued);
        let leads = token.is("-") || token.is(".");
        (between && matches!(token.text.as_str(), "," | "." | "-"))
            || (leads && !token.glued && all.get(i + 1).is_some_and(|n| n.glued && n.is_number()))
    };
    let keep: Vec<bool> = (0..all.len()).map(means).collect();
    let mut kept: Vec<Token> = Vec::with_capacity(all.len());
    let mut dropped = false;
    for (token, keep) in all.into_iter().zip(keep) {
        if keep {
            kept.push(Token { glued: token.glued && !dropped, ..token });
        }
        dropped = !keep;
    }
    kept
}
