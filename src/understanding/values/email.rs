//! E-mail addresses: "john dot smith at gmail dot com".

use super::Said;
use super::cardinal::below_hundred;
use super::tokens::{Token, begins, text, tokens};
use crate::understanding::spoken::{Spoken, spoken};

/// How sure an address is that was written as one, and one that was said.
const WRITTEN: f32 = 1.0;
const SPOKEN: f32 = 0.9;

/// Addresses in `text`, in lower case.
pub(crate) fn emails(text: &str) -> Vec<Said> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut from = 0;
    for at in 0..tokens.len() {
        if !(tokens[at].is("@") || tokens[at].is("at")) || at < from {
            continue;
        }
        let Some((domain, end)) = domain(&tokens, at + 1) else { continue };
        let Some((local, start)) = local(&tokens, from, at) else { continue };
        let confidence = if tokens[at].is("@") { WRITTEN } else { SPOKEN };
        let span = tokens[start].span.start..tokens[end - 1].span.end;
        found.push(Said { value: format!("{local}@{domain}"), span, confidence });
        from = end;
    }
    found
}

/// What a token adds to an address; `None` where it cannot stand in one.
fn sign(word: &str) -> Option<char> {
    Some(match word {
        "dot" | "point" | "." | "period" => '.',
        "dash" | "hyphen" | "minus" | "-" => '-',
        "underscore" | "_" => '_',
        "plus" | "+" => '+',
        "%" => '%',
        _ => return None,
    })
}

/// Words that lead up to an address and are none of it.
const LEAD_INS: &[&str] = &[
    "is", "it's", "its", "that's", "email", "mail", "address", "my", "the", "to", "me", "yes", "yeah",
    "sure", "on", "and", "then", "so", "okay", "hello", "hi", "would", "be", "use", "send", "contact",
    "reach", "was", "called", ":", ",", "i'm", "i", "please", "well", "oh", "no", "sorry", "try", "at",
];

/// The part before "at": the token that it begins with is found from behind.
fn local(tokens: &[Token], from: usize, at: usize) -> Option<(String, usize)> {
    let mut start = at;
    while start > from {
        let word = text(tokens, start - 1);
        // "all one word", "all lower case".
        if let Some(words) =
            ["all one word", "one word", "all lower case", "all lowercase", "lower case", "lowercase"]
                .iter()
                .find(|w| {
                    start >= from + w.split(' ').count() && begins(tokens, start - w.split(' ').count(), w)
                })
        {
            start -= words.split(' ').count();
            continue;
        }
        // "i" and "me" are also letters and names beside others: only before a whole address are they none.
        let written = tokens[start].glued && (start < at || text(tokens, at) == "@");
        if LEAD_INS.contains(&word) && !written && !(word == "i" && spelled_beside(tokens, start - 1)) {
            break;
        }
        if sign(word).is_none() && !tokens[start - 1].is_word() && !tokens[start - 1].is_number() {
            break;
        }
        // What is written together belongs together, and nothing before it does.
        let signed = sign(word).is_some() || sign(text(tokens, start)).is_some();
        if text(tokens, at) == "@" && !tokens[start].glued && start < at && !signed {
            break;
        }
        start -= 1;
    }
    let (local, _) = joined(tokens, start, at)?;
    let fits = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.bytes().any(|b| b.is_ascii_alphanumeric());
    fits.then_some((local, start))
}

fn spelled_beside(tokens: &[Token], at: usize) -> bool {
    let single = |i: usize| tokens.get(i).is_some_and(|t| t.text.len() == 1);
    (at > 0 && single(at - 1)) || single(at + 1)
}

/// Tokens from `at` to `end` written together; numbers in figures, spelled letters as letters.
fn joined(tokens: &[Token], at: usize, end: usize) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut at = at;
    while at < end {
        let word = text(tokens, at);
        if let Some(sign) = sign(word) {
            out.push(sign);
            at += 1;
        } else if let Some(words) =
            ["all one word", "one word", "all lower case", "all lowercase", "lowercase", "lower case"]
                .iter()
                .find(|w| begins(tokens, at, w))
        {
            at += words.split(' ').count();
        } else if let Some((letter, next)) = spelled(tokens, at, end) {
            out.push(letter);
            at = next;
        } else if let (Some(Spoken::Times(n)), true) = (spoken(word), at + 1 < end) {
            let next = text(tokens, at + 1);
            match (digit(next), next.len()) {
                (Some(digit), _) => out.push_str(&digit.to_string().repeat(n.into())),
                (None, 1) => out.push_str(&next.repeat(n.into())),
                (None, _) => out.push_str(word),
            }
            at += if digit(next).is_some() || next.len() == 1 { 2 } else { 1 };
        } else if let Some((n, next)) = below_hundred(tokens, at).filter(|(_, next)| *next <= end) {
            out.push_str(&n.to_string());
            at = next;
        } else if word == "oh" && out.ends_with(|c: char| c.is_ascii_digit()) {
            out.push('0');
            at += 1;
        } else if word.bytes().all(|b| b.is_ascii_alphanumeric()) {
            out.push_str(word);
            at += 1;
        } else {
            // An apostrophe is not written.
            out.extend(word.chars().filter(char::is_ascii_alphanumeric));
            at += 1;
        }
    }
    Some((out, at))
}

fn digit(word: &str) -> Option<u8> {
    match spoken(word) {
        Some(Spoken::Unit(n)) => Some(n),
        Some(Spoken::Oh) => Some(0),
        _ => word.parse().ok().filter(|d| *d < 10),
    }
}

/// "M for mike", "b as in bravo".
fn spelled(tokens: &[Token], at: usize, end: usize) -> Option<(char, usize)> {
    let letter = text(tokens, at).chars().next().filter(|_| text(tokens, at).len() == 1)?;
    let next = match text(tokens, at + 1) {
        "for" | "like" => at + 2,
        "as" => at + 2 + usize::from(text(tokens, at + 2) == "in"),
        _ => return None,
    };
    (next < end && text(tokens, next).starts_with(letter)).then_some((letter, next + 1))
}

/// The part behind "at": labels with dots between them, of which the last has letters only.
fn domain(tokens: &[Token], at: usize) -> Option<(String, usize)> {
    let mut labels: Vec<String> = Vec::new();
    let mut next = at;
    loop {
        let start = next;
        let last = !labels.is_empty();
        let mut end = start;
        while let Some(token) = tokens.get(end) {
            let is_dot = matches!(token.text.as_str(), "dot" | "." | "point");
            let part = token.is_word() || token.is_number() || matches!(token.text.as_str(), "-");
            if is_dot || !part {
                break;
            }
            // The last label is one word, or letters one by one; another one follows where a dot does.
            let single = token.text.len() == 1;
            let more = end > start && !(single && text(tokens, end - 1).len() == 1);
            if last && more && !dot_ahead(tokens, end) {
                break;
            }
            // What was written with its dots ends where it is written apart.
            if last && end > start && !token.glued && tokens[start].glued {
                break;
            }
            end += 1;
            if end - start > 6 {
                return None;
            }
        }
        let (label, _) = joined(tokens, start, end)?;
        if label.is_empty() || label.starts_with('-') || label.ends_with('-') || label.contains('.') {
            break;
        }
        labels.push(label);
        next = end;
        let dot = matches!(text(tokens, next), "dot" | "." | "point");
        if !dot || tokens.get(next + 1).is_none() {
            break;
        }
        next += 1;
    }
    if next > at && matches!(text(tokens, next - 1), "dot" | "." | "point") {
        next -= 1;
    }
    let top = labels.last()?;
    let fits = labels.len() > 1 && top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic());
    fits.then(|| (labels.join("."), next))
}

/// Whether a dot follows within the next two tokens: "my company dot org".
fn dot_ahead(tokens: &[Token], at: usize) -> bool {
    (at..at + 3).any(|i| matches!(text(tokens, i), "dot" | "."))
}
