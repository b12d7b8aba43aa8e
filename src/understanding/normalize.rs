//! One spelling for what recognisers and keyboards write differently.

use std::ops::Range;

/// A word of a text: lower case, typographic apostrophes straightened, and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Letters, digits and inner apostrophes, lower case.
    pub text: String,
    /// Bytes of the original text.
    pub span: Range<usize>,
}

/// Sounds that fill a pause and mean nothing. "oh" is not among them: it is also a zero.
const FILLERS: [&str; 12] = ["um", "umm", "uh", "uhm", "er", "erm", "eh", "ah", "hm", "hmm", "mm", "uhh"];

/// Whether `word`, in lower case, only fills a pause.
pub fn is_filler(word: &str) -> bool {
    FILLERS.contains(&word)
}

/// The words of `text` in order, fillers among them. Everything that is neither letter, digit nor an
/// apostrophe inside a word separates words.
pub fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        match (c.is_alphanumeric() || is_apostrophe(c), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                push_word(text, from..at, &mut found);
                start = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    if let Some(from) = start {
        push_word(text, from..text.len(), &mut found);
    }
    found
}

/// Lower-case words, one space between them, no punctuation and no fillers; contractions stay as they
/// are ("I'm" becomes "i'm").
pub fn normalize(text: &str) -> String {
    let kept: Vec<String> = words(text).into_iter().map(|w| w.text).filter(|w| !is_filler(w)).collect();
    kept.join(" ")
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2018}')
}

/// Adds the word at `span` without the quotation marks around it; nothing where only those are there.
fn push_word(text: &str, span: Range<usize>, found: &mut Vec<Word>) {
    let raw = &text[span.clone()];
    let inner = raw.trim_matches(is_apostrophe);
    if inner.is_empty() {
        return;
    }
    let start = span.start + (raw.len() - raw.trim_start_matches(is_apostrophe).len());
    let mut lower = String::with_capacity(inner.len());
    for c in inner.chars() {
        if is_apostrophe(c) {
            lower.push('\'');
        } else {
            lower.extend(c.to_lowercase());
        }
    }
    found.push(Word { text: lower, span: start..start + inner.len() });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_punctuation_and_fillers_go_contractions_stay() {
        assert_eq!(normalize("Um, where\u{2019}s MY order?"), "where's my order");
        assert_eq!(normalize("'twas uh, 45-12-88!"), "twas 45 12 88");
        assert_eq!(normalize(" ... '' "), "");
    }

    #[test]
    fn a_word_knows_where_it_stood() {
        let text = "Hello, \u{201c}W\u{f6}rld\u{201d} o'clock";
        let spelled: Vec<&str> = words(text).iter().map(|w| &text[w.span.clone()]).collect();
        assert_eq!(spelled, ["Hello", "W\u{f6}rld", "o'clock"]);
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,60}") {
            let once = normalize(&text);
            prop_assert_eq!(normalize(&once), once);
        }

        #[test]
        fn spans_are_in_order_and_on_character_borders(text in "\\PC{0,60}") {
            let mut end = 0;
            for word in words(&text) {
                prop_assert!(word.span.start >= end && text.get(word.span.clone()).is_some());
                end = word.span.end;
            }
        }
    }
}
