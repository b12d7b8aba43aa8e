//! Numbers said in every form and read back.

use proptest::prelude::*;

use super::*;
use crate::understanding::number_words::cardinal;

fn check(text: &str, expected: &[&str]) {
    let values: Vec<String> = digits(text).into_iter().map(|r| r.value).collect();
    assert_eq!(values, expected, "{text}");
}

#[test]
fn every_spoken_form_of_one_number() {
    for text in [
        "four five one two eight eight",
        "four five one two double eight",
        "forty five twelve eighty eight",
        "forty-five, twelve, eighty-eight",
        "45 12 88",
        "451288",
        "451,288",
        "four fifty one two eighty-eight",
        "forty five 12 double 8",
        "um four five uh one two eight eight",
        "four hundred fifty one thousand two hundred eighty eight",
        "four hundred and fifty one thousand two hundred and eighty eight",
        "forty five and twelve and eighty eight",
        "four five one dash two eight eight",
        "forty five twelve hundred no sorry forty five twelve eighty eight",
    ] {
        check(text, &["451288"]);
    }
}

#[test]
fn zeros_hundreds_and_repeats() {
    check("oh one two", &["012"]);
    check("zero o nought", &["000"]);
    check("triple oh seven", &["0007"]);
    check("seven one oh double four nine", &["710449"]);
    check("one hundred and five", &["105"]);
    check("a hundred", &["100"]);
    check("twenty-three forty", &["2340"]);
    check("twenty oh three", &["2003"]);
    check("forty five hundred twelve", &["4512"]);
    check("two thousand twenty six", &["2026"]);
    check("one two three oh", &["1230"]);
}

#[test]
fn numbers_inside_a_sentence() {
    check("my order number is four five one two eight eight thank you", &["451288"]);
    check("where is order 45 12 88 i ordered it on the 3 of may", &["451288", "3"]);
    check("oh i don't know", &[]);
    check("i want to go for it too", &[]);
    check("hundred thousand double trouble", &[]);
    check("", &[]);
}

#[test]
fn homophones_count_only_among_digits() {
    check("four five won to eight ate", &["451288"]);
    check("for five one two eight ate", &["451288"]);
    check("i want to order four five one two eight eight for my wife", &["451288"]);
    let sure = &digits("four five one two eight eight")[0];
    let doubtful = &digits("four five one to eight eight")[0];
    assert_eq!(sure.value, doubtful.value);
    assert!(doubtful.confidence < sure.confidence);
}

#[test]
fn a_doubtful_word_at_the_edge_is_another_reading() {
    let run = &digits("i am calling for five one two eight eight")[0];
    assert_eq!(run.value, "51288");
    assert!(run.others.iter().any(|r| r.value == "451288"), "{run:?}");
}

#[test]
fn the_last_attempt_replaces_the_one_before() {
    check("four five one, no, four five two", &["452"]);
    check("45 12 88 sorry i mean 45 12 89", &["451289"]);
    check("four five one wait no that's wrong it's three three three", &["333"]);
    let run = &digits("four five one two eight eight no eight nine")[0];
    assert_eq!(run.value, "89");
    assert_eq!(run.others[0].value, "451289");
    assert_eq!(run.span, 0.."four five one two eight eight no eight nine".len());
}

#[test]
fn other_words_between_numbers_keep_them_apart() {
    check("order four five one and my number is two two two", &["451", "222"]);
}

#[test]
fn the_span_is_where_the_number_stood() {
    let text = "Order FORTY-five twelve, please";
    let run = &digits(text)[0];
    assert_eq!(&text[run.span.clone()], "FORTY-five twelve");
}

#[test]
fn a_number_whose_middle_only_sounds_like_digits_is_one_number() {
    // Found by the fuzzer: both ends claimed the whole, and masking it stepped back.
    let runs = digits("one for for for one");
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!((runs[0].value.as_str(), runs[0].span.clone()), ("14441", 0..19));
    assert_eq!(mask_numbers("one for for for one"), "number");
}

#[test]
fn long_numbers_are_masked_and_quantities_are_not() {
    assert_eq!(mask_numbers("Where is order 45 12 88?"), "where is order number");
    assert_eq!(mask_numbers("order four five one two eight eight please"), "order number please");
    assert_eq!(mask_numbers("i want two shirts"), "i want two shirts");
}

#[test]
fn a_long_utterance_is_read_in_bounded_time() {
    let text = "forty five to for oh no sorry twenty three hundred ".repeat(400);
    let runs = digits(&text);
    assert!(runs.iter().all(|r| r.others.len() <= MAX_OTHERS));
}

/// The saying side, written without looking at the reading side: it never uses [`spoken`].
mod say {
    use crate::understanding::number_words::{TENS, UNITS};

    pub(super) fn digit(d: u8, zero: usize) -> &'static str {
        if d == 0 { ["zero", "oh", "nought", "o"][zero % 4] } else { UNITS[usize::from(d)] }
    }

    pub(super) fn one_by_one(number: &[u8], zero: usize) -> String {
        let said: Vec<&str> = number.iter().map(|&d| digit(d, zero)).collect();
        said.join(" ")
    }

    pub(super) fn with_doubles(number: &[u8], zero: usize) -> String {
        let mut said = Vec::new();
        let mut i = 0;
        while i < number.len() {
            let same = number[i..].iter().take_while(|&&d| d == number[i]).count().min(3);
            let word = digit(number[i], zero);
            said.push(match same {
                1 => word.to_owned(),
                2 => format!("double {word}"),
                _ => format!("triple {word}"),
            });
            i += same;
        }
        said.join(" ")
    }

    /// "forty-five twelve oh eight": two digits at a time.
    pub(super) fn in_pairs(number: &[u8], joint: &str) -> String {
        let mut said = Vec::new();
        for pair in number.chunks(2) {
            said.push(match *pair {
                [0, low] => format!("oh {}", digit(low, 1)),
                [1, low] => UNITS[10 + usize::from(low)].to_owned(),
                [high, 0] => TENS[usize::from(high)].to_owned(),
                [high, low] => format!("{}{joint}{}", TENS[usize::from(high)], UNITS[usize::from(low)]),
                [alone] => digit(alone, 0).to_owned(),
                _ => unreachable!("chunks of two"),
            });
        }
        said.join(" ")
    }
}

fn written(number: &[u8]) -> String {
    number.iter().map(ToString::to_string).collect()
}

proptest! {
    #[test]
    fn a_number_said_digit_by_digit_is_read_back(
        number in prop::collection::vec(0u8..10, 2..12), zero in 0usize..4,
    ) {
        // Only zeros said as "oh" could also be a sigh.
        prop_assume!(zero % 2 == 0 || number.iter().any(|d| *d != 0));
        let said = say::one_by_one(&number, zero);
        prop_assert_eq!(&digits(&said)[0].value, &written(&number), "{}", said);
        let said = format!("it's {} thanks", say::with_doubles(&number, zero));
        prop_assert_eq!(&digits(&said)[0].value, &written(&number), "{}", said);
    }

    #[test]
    fn a_number_said_in_pairs_is_read_back(
        number in prop::collection::vec(0u8..10, 2..12), hyphen in any::<bool>(),
    ) {
        prop_assume!(number.chunks(2).any(|p| p[0] != 0 || p.len() == 1));
        // "twenty" before "oh five" is two groups, before "five" one: only the last group may be single.
        prop_assume!(!(number.len() % 2 == 1 && number[number.len() - 2] == 0));
        let said = say::in_pairs(&number, if hyphen { "-" } else { " " });
        let runs = digits(&said);
        prop_assert_eq!(&runs[0].value, &written(&number), "{}", said);
    }

    #[test]
    fn a_cardinal_is_read_back(n in 1u32..1_000_000, and in any::<bool>()) {
        let said = cardinal(u64::from(n), if and { "and " } else { "" });
        let runs = digits(&said);
        prop_assert_eq!(&runs[0].value, &n.to_string(), "{}", said);
        prop_assert_eq!(runs.len(), 1);
    }

    #[test]
    fn written_groups_are_read_back(number in prop::collection::vec(0u8..10, 1..12), cut in 1usize..4) {
        let groups: Vec<String> = number.chunks(cut).map(written).collect();
        prop_assert_eq!(&digits(&groups.join(" "))[0].value, &written(&number));
        prop_assert_eq!(&digits(&groups.join("-"))[0].value, &written(&number));
    }

    #[test]
    fn the_second_attempt_wins(
        first in prop::collection::vec(1u8..10, 6), second in prop::collection::vec(1u8..10, 6),
    ) {
        let said = format!("{} no sorry {}", say::one_by_one(&first, 0), say::one_by_one(&second, 0));
        let runs = digits(&said);
        prop_assert_eq!(runs.len(), 1);
        prop_assert_eq!(&runs[0].value, &written(&second));
    }

    #[test]
    fn any_text_gives_ordered_runs_inside_it(text in "\\PC{0,80}") {
        let mut end = 0;
        for run in digits(&text) {
            prop_assert!(run.span.start >= end && text.get(run.span.clone()).is_some());
            prop_assert!((0.0..=1.0).contains(&run.confidence));
            prop_assert!(run.value.bytes().all(|b| b.is_ascii_digit()) && !run.value.is_empty());
            end = run.span.end;
        }
    }
}
