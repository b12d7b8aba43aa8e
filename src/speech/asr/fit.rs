//! Whether a hypothesis has the form of the answer that was asked for.
//!
//! The decoder's bias works word by word and cannot count: "four one three" and "four two one three" are
//! numbers both. Here whole hypotheses are compared. One that fits the question is preferred to a somewhat
//! likelier one that does not; what fits nowhere near as well stays behind, and a caller who says something
//! else is heard as before, because then no hypothesis fits.
//!
//! Pure. Never: a word that the recogniser did not offer.

use super::expectation::{DECISIVE, DIGITS, YES_NO};
use crate::call::{Expect, Hypothesis};

/// Puts the likeliest hypothesis that fits the question first, where it is at least `share` as confident
/// as the best. `hypotheses` are sorted best first.
pub(super) fn prefer_expected(hypotheses: &mut [Hypothesis], expect: &Expect, share: f32) {
    let Some(best) = hypotheses.first().map(|h| h.confidence) else { return };
    let fitting = hypotheses.iter().position(|h| fits(expect, h.text.expose()));
    if let Some(place) = fitting.filter(|place| hypotheses[*place].confidence >= share * best) {
        hypotheses[..=place].rotate_right(1);
    }
}

/// Whether a text, in lower case without punctuation, is an answer of the kind and the length asked for.
/// Never for kinds whose form says little: anything, a code, a choice.
pub(super) fn fits(expect: &Expect, text: &str) -> bool {
    match expect {
        Expect::Digits { min, max } => {
            digits_in(text).is_some_and(|n| (usize::from(*min)..=usize::from(*max)).contains(&n))
        }
        Expect::YesNo => {
            let is_in = |list: &str, word: &str| list.split_whitespace().any(|w| w == word);
            text.split_whitespace().any(|w| is_in(DECISIVE, w))
                && text.split_whitespace().all(|w| is_in(DECISIVE, w) || is_in(YES_NO, w))
        }
        Expect::Open | Expect::Spelled | Expect::Choice { .. } => false,
    }
}

/// How many digits a number as it is read out has; `None` where other words are among them, or where
/// "hundred" or "thousand" leave the count open.
fn digits_in(text: &str) -> Option<usize> {
    let mut count = 0;
    let mut times = 1;
    let mut after_tens = false;
    for word in text.split_whitespace() {
        let tens = std::mem::take(&mut after_tens);
        match word {
            "zero" | "oh" | "o" => count += std::mem::replace(&mut times, 1),
            // "Twenty one" is two digits in all.
            "one" | "two" | "three" | "four" | "five" | "six" | "seven" | "eight" | "nine" => {
                count += std::mem::replace(&mut times, 1) - usize::from(tens);
            }
            "double" => times = 2,
            "triple" | "treble" => times = 3,
            "hundred" | "thousand" => return None,
            word if word.ends_with("teen") || matches!(word, "ten" | "eleven" | "twelve") => count += 2,
            word if word.ends_with("ty") => {
                count += 2;
                after_tens = true;
            }
            word if word.bytes().all(|b| b.is_ascii_digit()) => count += word.len(),
            // "It's", "my order number is".
            word if DIGITS.split_whitespace().any(|w| w == word) => {}
            _ => return None,
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::call::Pii;

    fn check(expect: &Expect, offered: &[(&str, f32)], expected: &[&str]) {
        let mut hypotheses: Vec<Hypothesis> = offered
            .iter()
            .map(|(text, confidence)| Hypothesis { text: Pii::from(*text), confidence: *confidence })
            .collect();
        prefer_expected(&mut hypotheses, expect, 0.5);
        let texts: Vec<&str> = hypotheses.iter().map(|h| h.text.expose().as_str()).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_number_of_the_length_asked_for_is_preferred() {
        let four = Expect::Digits { min: 4, max: 4 };
        let offered = [("four one three", 0.76), ("four two one three", 0.67), ("five two one three", 0.5)];
        check(&four, &offered, &["four two one three", "four one three", "five two one three"]);
        check(
            &four,
            &[("four one three", 0.9), ("four two one three", 0.4)],
            &["four one three", "four two one three"],
        );
        check(&four, &[("i don't know", 0.7), ("i've no", 0.5)], &["i don't know", "i've no"]);
    }

    #[test]
    fn an_answer_is_preferred_after_a_yes_or_no_question() {
        check(&Expect::YesNo, &[("go", 0.7), ("no", 0.5), ("know", 0.2)], &["no", "go", "know"]);
        check(&Expect::YesNo, &[("yes", 0.6), ("no", 0.5)], &["yes", "no"]);
        // Asked nothing in particular, the likeliest stays.
        check(&Expect::Open, &[("go", 0.7), ("no", 0.6)], &["go", "no"]);
    }

    #[test]
    fn digits_are_counted_as_they_are_said() {
        for (text, digits) in [
            ("four oh one", Some(3)),
            ("double four one", Some(3)),
            ("it's triple nine", Some(3)),
            ("twenty one forty", Some(4)),
            ("nineteen ninety five", Some(4)),
            ("my order number is 4512 8", Some(5)),
            ("four hundred", None),
            ("four cats", None),
            ("", Some(0)),
        ] {
            assert_eq!(digits_in(text), digits, "{text}");
        }
    }

    #[test]
    fn a_polite_yes_is_a_yes_and_thanks_alone_is_not() {
        for (text, expected) in
            [("yes please", true), ("no thank you", true), ("thank you", false), ("yes i lost it", false)]
        {
            assert_eq!(fits(&Expect::YesNo, text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_made_up(
            offered in prop::collection::vec(("[a-z]{1,5}( (one|two|double|yes|no|twenty)){0,3}", 0.0_f32..1.0), 0..6),
            min in 0_u8..4,
        ) {
            let mut hypotheses: Vec<Hypothesis> = offered
                .into_iter()
                .map(|(text, confidence)| Hypothesis { text: Pii::new(text), confidence })
                .collect();
            let before = hypotheses.clone();
            prefer_expected(&mut hypotheses, &Expect::Digits { min, max: 4 }, 0.5);
            prop_assert_eq!(hypotheses.len(), before.len());
            prop_assert!(before.iter().all(|h| hypotheses.contains(h)));
        }
    }
}
