//! Declared phrases found in what was said: "agent", "start over", "go back".

use std::ops::Range;

use super::normalize::{Word, is_filler, normalize, words};

/// Phrases to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhraseSet {
    /// As declared, and its normalised words; longest first.
    phrases: Vec<(String, Vec<String>)>,
}

/// A phrase that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhraseMatch<'a> {
    /// The phrase as it was declared.
    pub phrase: &'a str,
    /// Bytes of the text.
    pub span: Range<usize>,
    /// Whether nothing else was said, politeness and ways to ask aside: "can I speak to an agent
    /// please" is wholly "agent", "i need help with my bill" is not wholly "help".
    pub whole: bool,
}

/// Ways to ask, said before the thing itself.
const BEFORE: [&str; 48] = [
    "please",
    "just",
    "can i",
    "could i",
    "may i",
    "can you",
    "could you",
    "would you",
    "can we",
    "i want to",
    "i want",
    "i wanna",
    "i'd like to",
    "i'd like",
    "i would like to",
    "i would like",
    "i need to",
    "i need",
    "i'd rather",
    "let me",
    "let's",
    "give me",
    "get me",
    "have",
    "a",
    "an",
    "the",
    "some",
    "your",
    "to",
    "with",
    "speak to",
    "speak with",
    "talk to",
    "talk with",
    "connect me",
    "transfer me",
    "put me through",
    "well",
    "oh",
    "okay",
    "no",
    "hello",
    "hi",
    "hey",
    "sorry",
    "real",
    "through",
];
/// Politeness, said after it.
const AFTER: [&str; 12] = [
    "please",
    "now",
    "thanks",
    "thank you",
    "for me",
    "again",
    "right now",
    "sir",
    "madam",
    "at once",
    "if you can",
    "me",
];

impl PhraseSet {
    /// A set of `phrases`; those without a word are left out.
    pub fn new(phrases: &[String]) -> PhraseSet {
        let mut phrases: Vec<(String, Vec<String>)> = phrases
            .iter()
            .map(|p| (p.clone(), normalize(p).split_whitespace().map(str::to_owned).collect()))
            .filter(|(_, spelled): &(String, Vec<String>)| !spelled.is_empty())
            .collect();
        phrases.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.cmp(&b.0)));
        phrases.dedup_by(|a, b| a.1 == b.1);
        PhraseSet { phrases }
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.phrases.is_empty()
    }

    /// Whether `text` is one of the phrases and nothing else, politeness and ways to ask aside.
    pub fn is_whole(&self, text: &str) -> bool {
        self.find(text).is_some_and(|found| found.whole)
    }

    /// The phrase that `text` wholly is, else the longest that it contains, the first of those.
    pub fn find(&self, text: &str) -> Option<PhraseMatch<'_>> {
        let said: Vec<Word> = words(text).into_iter().filter(|w| !is_filler(&w.text)).collect();
        let mut contained = None;
        for (phrase, spelled) in &self.phrases {
            for at in occurrences(&said, spelled) {
                let end = at + spelled.len();
                let whole = only(&said[..at], &BEFORE) && only(&said[end..], &AFTER);
                let span = said[at].span.start..said[end - 1].span.end;
                let found = PhraseMatch { phrase, span, whole };
                if whole {
                    return Some(found);
                }
                contained.get_or_insert(found);
            }
        }
        contained
    }
}

/// Where `spelled` begins in `said`.
fn occurrences<'a>(said: &'a [Word], spelled: &'a [String]) -> impl Iterator<Item = usize> + 'a {
    let places = (said.len() + 1).saturating_sub(spelled.len());
    (0..places).filter(move |&at| said[at..].iter().zip(spelled).all(|(word, wanted)| word.text == *wanted))
}

/// Whether `said` consists of `phrases` alone.
fn only(said: &[Word], phrases: &[&str]) -> bool {
    said.is_empty()
        || phrases.iter().any(|phrase| {
            let count = phrase.split(' ').count();
            let starts = count <= said.len() && phrase.split(' ').zip(said).all(|(p, w)| p == w.text);
            starts && only(&said[count..], phrases)
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn commands() -> PhraseSet {
        PhraseSet::new(
            &["agent", "help", "start over", "go back", "speak to a person", "repeat", "over"]
                .map(str::to_owned),
        )
    }

    fn check(text: &str, expected: Option<(&str, bool)>) {
        let set = commands();
        assert_eq!(set.find(text).map(|m| (m.phrase, m.whole)), expected, "{text}");
    }

    #[test]
    fn politeness_and_fillers_do_not_hide_a_command() {
        check("Agent!", Some(("agent", true)));
        check("um can i uh speak to an agent please", Some(("agent", true)));
        check("i want to start over", Some(("start over", true)));
        check("could you repeat please", Some(("repeat", true)));
        check("i'd like to speak to a person", Some(("speak to a person", true)));
    }

    #[test]
    fn more_than_the_command_is_not_the_whole() {
        check("i need help with my bill", Some(("help", false)));
        check(
            "my agent told me to repeat it",
            Some(("repeat", false)).filter(|_| false).or(Some(("agent", false))),
        );
    }

    #[test]
    fn words_are_whole_words() {
        check("reagent", None);
        check("helpless overall", None);
        check("", None);
    }

    #[test]
    fn the_longer_phrase_wins() {
        check("let me start over now", Some(("start over", true)));
    }

    #[test]
    fn the_span_is_where_it_stood() {
        let text = "Please, START over.";
        let set = commands();
        let found = set.find(text).expect("a phrase");
        assert_eq!(&text[found.span], "START over");
    }

    proptest! {
        #[test]
        fn any_text_is_searched(text in "\\PC{0,80}") {
            let set = commands();
            if let Some(found) = set.find(&text) {
                prop_assert!(text.get(found.span).is_some());
            }
        }
    }
}
