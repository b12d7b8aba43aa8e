//! Which words are likely, given what was asked.
//!
//! A bias, never a bar: after "what is your order number?" a caller may still say "I don't know" or
//! ask for a person, so those are in the lists too, and everything else stays sayable at a price.
//! Bars are only for what is no speech at all: special tokens, brackets, musical notes.

use std::borrow::Cow;

use crate::call::Expect;

/// What words that were not expected cost, in nats of logit (1.0 makes a word 2.7 times less likely).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bias {
    /// After a question for a number.
    pub digits: f32,
    /// After a yes-or-no question.
    pub yes_no: f32,
    /// After a question for a code or a postcode.
    pub spelled: f32,
    /// After a question with a few answers.
    pub choice: f32,
}

impl Default for Bias {
    /// Figures: `docs/asr.md`.
    fn default() -> Bias {
        Bias { digits: 1.0, yes_no: 1.0, spelled: 1.0, choice: 1.0 }
    }
}

/// Said to a machine at any time: universal commands, not knowing, asking for a person.
const ALWAYS: &str = "i don't know do not have it can't find cannot remember forgot lost sure not \
    agent operator representative person human someone speak talk to an a the with me please \
    help repeat again say that what go back start over main menu stop cancel goodbye wait moment \
    hold on sorry um uh";

/// A number as it is read out, and what goes before it.
pub(super) const DIGITS: &str = "zero oh o one two three four five six seven eight nine ten eleven twelve thirteen \
    fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty \
    ninety hundred thousand and double triple treble dash it's it is my number order that's yes no";

/// Letters, and what else is said where something is spelled; [`DIGITS`] belong to it.
const SPELLED: &str = "a b c d e f g h i j k l m n o p q r s t u v w x y z alpha bravo charlie delta echo \
    foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo sierra tango uniform \
    victor whiskey xray yankee zulu as in for like capital";

/// What says yes or no.
pub(super) const DECISIVE: &str = "yes yeah yep yup sure correct right okay ok fine absolutely definitely \
    course no nope nah wrong incorrect never";

/// What goes with [`DECISIVE`].
pub(super) const YES_NO: &str = "that's that is it not of please thank you thanks";

/// What the model's vocabulary looks like, once, and the adjustments of logits that follow from it.
#[derive(Debug)]
pub(super) struct Expectations {
    open: Vec<f32>,
    digits: Vec<f32>,
    yes_no: Vec<f32>,
    spelled: Vec<f32>,
    /// What can always be said; a choice's words are added to it.
    always: Vec<f32>,
}

impl Expectations {
    /// `texts` are all tokens' texts by id, `eot` ends a text and everything above it is special;
    /// `tokenize` splits a text into the model's tokens.
    pub(super) fn new(
        texts: &[String],
        eot: usize,
        bias: Bias,
        mut tokenize: impl FnMut(&str) -> Vec<usize>,
    ) -> Expectations {
        let open: Vec<f32> = texts
            .iter()
            .enumerate()
            .map(
                |(id, text)| {
                    if id > eot || (id < eot && is_no_speech(text)) { f32::NEG_INFINITY } else { 0.0 }
                },
            )
            .collect();
        let mut favour = |words: &str, price: f32, numerals: bool| {
            let mut adjust: Vec<f32> = open.iter().map(|x| x - price).collect();
            let mut expected: Vec<usize> = vec![eot];
            for word in words.split_whitespace().chain(ALWAYS.split_whitespace()) {
                // The published models write capitals.
                expected.extend(tokenize(&format!(" {word}")));
                expected.extend(tokenize(&format!(" {}", capitalised(word))));
            }
            // … and punctuation, and numerals.
            let plain = |text: &str| {
                text.chars().all(|c| c.is_ascii_punctuation() || c == ' ' || (numerals && c.is_ascii_digit()))
            };
            expected.extend(
                texts.iter().enumerate().filter(|(id, text)| *id < eot && plain(text)).map(|(id, _)| id),
            );
            for id in expected {
                adjust[id] = open[id];
            }
            adjust
        };
        let digits = favour(DIGITS, bias.digits, true);
        let yes_no = favour(&format!("{DECISIVE} {YES_NO}"), bias.yes_no, false);
        let spelled = favour(&format!("{DIGITS} {SPELLED}"), bias.spelled, true);
        let always = favour("", bias.choice, false);
        Expectations { open, digits, yes_no, spelled, always }
    }

    /// To be added to the logits, by token id. `tokenize` splits a text into the model's tokens.
    pub(super) fn adjust(&self, expect: &Expect, tokenize: impl Fn(&str) -> Vec<usize>) -> Cow<'_, [f32]> {
        match expect {
            Expect::Open => Cow::Borrowed(&self.open),
            Expect::Digits { .. } => Cow::Borrowed(&self.digits),
            Expect::Spelled => Cow::Borrowed(&self.spelled),
            Expect::YesNo => Cow::Borrowed(&self.yes_no),
            Expect::Choice { words } => {
                let mut adjust = self.always.clone();
                for word in words {
                    let spellings = [format!(" {word}"), format!(" {}", capitalised(word))];
                    for id in spellings.iter().flat_map(|s| tokenize(s)) {
                        adjust[id] = self.open[id];
                    }
                }
                Cow::Owned(adjust)
            }
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

/// Tokens with which Whisper's published models describe noises instead of words (`[BLANK_AUDIO]`,
/// `(music)`, `*sighs*`, notes), and those that carry no word at all.
fn is_no_speech(text: &str) -> bool {
    text.is_empty()
        || text.trim().is_empty()
        || text.contains(|c: char| "[](){}<>*_#@~^|\\=+/\"♪♩♫♬♭♮♯「」".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EOT: usize = 9;

    fn texts() -> Vec<String> {
        [" four", " music", " [", " Four", " 4", ".", " yes", " agent", " ", "[_EOT_]", "[_SOT_]"]
            .map(String::from)
            .to_vec()
    }

    fn tokens(word: &str) -> Vec<usize> {
        texts().iter().position(|t| t == word).into_iter().collect()
    }

    fn expectations() -> Expectations {
        let texts = texts();
        Expectations::new(
            &texts.clone(),
            EOT,
            Bias { digits: 3.0, yes_no: 1.0, spelled: 1.0, choice: 2.0 },
            |word| texts.iter().position(|t| t == word).into_iter().collect(),
        )
    }

    #[test]
    fn what_is_no_speech_is_barred_whatever_was_asked() {
        let choice = Expect::Choice { words: vec!["music".to_owned()] };
        for expect in
            [Expect::Open, Expect::YesNo, Expect::Spelled, Expect::Digits { min: 1, max: 8 }, choice]
        {
            let expectations = expectations();
            let adjust = expectations.adjust(&expect, tokens);
            for barred in [2, 8, 10] {
                assert_eq!(adjust[barred], f32::NEG_INFINITY, "{expect:?} {barred}");
            }
            assert_eq!(adjust[EOT], 0.0, "the end of the text costs nothing");
        }
    }

    #[test]
    fn numbers_are_favoured_in_words_capitals_and_numerals() {
        let expectations = expectations();
        let digits = expectations.adjust(&Expect::Digits { min: 1, max: 8 }, tokens);
        assert_eq!(digits[..8], [0.0, -3.0, f32::NEG_INFINITY, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let yes_no = expectations.adjust(&Expect::YesNo, tokens);
        assert_eq!(yes_no[..2], [-1.0, -1.0]);
        assert_eq!((yes_no[4], yes_no[6], yes_no[7]), (-1.0, 0.0, 0.0));
    }

    #[test]
    fn the_words_of_a_choice_cost_nothing_and_others_stay_sayable() {
        let expectations = expectations();
        let choice = Expect::Choice { words: vec!["music".to_owned()] };
        let adjust = expectations.adjust(&choice, tokens);
        // "music" is on offer, asking for a person always is, a number is neither.
        assert_eq!((adjust[1], adjust[7], adjust[0]), (0.0, 0.0, -2.0));
    }

    #[test]
    fn an_open_question_favours_nothing() {
        let expectations = expectations();
        assert!(
            expectations.adjust(&Expect::Open, tokens).iter().all(|x| *x == 0.0 || *x == f32::NEG_INFINITY)
        );
    }
}
