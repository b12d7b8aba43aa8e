//! Values said in every form and read back. The saying side is written without the reading side's tables.

use proptest::prelude::*;

use super::*;

const DIGIT_WORDS: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const NATO: [&str; 26] = [
    "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo",
    "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor",
    "whiskey", "xray", "yankee", "zulu",
];
const OTHER_WORDS: [&str; 26] = [
    "apple",
    "boy",
    "cat",
    "dog",
    "elephant",
    "fred",
    "george",
    "harry",
    "isaac",
    "jack",
    "king",
    "lemon",
    "mother",
    "nancy",
    "orange",
    "peter",
    "queen",
    "robert",
    "sugar",
    "tommy",
    "uncle",
    "victor",
    "william",
    "xylophone",
    "yellow",
    "zebra",
];

/// One symbol as a caller may say it.
fn say(symbol: u8, how: usize) -> String {
    if symbol.is_ascii_digit() {
        let digit = usize::from(symbol - b'0');
        return match (digit, how % 3) {
            (0, 1) => "oh".to_owned(),
            (0, 2) => "nought".to_owned(),
            _ => DIGIT_WORDS[digit].to_owned(),
        };
    }
    let letter = char::from(symbol.to_ascii_lowercase());
    let place = usize::from(symbol - b'A');
    match how % 6 {
        0 => letter.to_string(),
        1 => NATO[place].to_owned(),
        2 => format!("{letter} as in {}", NATO[place]),
        3 => format!("{letter} for {}", OTHER_WORDS[place]),
        4 => format!("capital {letter}"),
        _ => format!("{letter} like {}", OTHER_WORDS[place]),
    }
}

fn code(pattern: &str, check: Option<CheckDigit>) -> Shape {
    Shape::parse(&[pattern.to_owned()], check).expect("a valid pattern")
}

/// The likeliest value.
fn best(found: Vec<Spelled>) -> Option<String> {
    found.into_iter().next().map(|s| s.value)
}

fn letters(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_alphabetic())
}

proptest! {
    #[test]
    fn a_code_is_read_back_in_every_alphabet(
        value in "[A-Z]{2}[0-9]{4}", ways in prop::collection::vec(0usize..6, 6), dash in any::<bool>(),
    ) {
        let mut said: Vec<String> = value.bytes().zip(&ways).map(|(s, how)| say(s, *how)).collect();
        if dash {
            said.insert(2, "dash".to_owned());
        }
        let said = said.join(" ");
        prop_assert_eq!(best(Sentence::of(&said).codes(&code("@@####", None))), Some(value), "{}", said);
    }

    #[test]
    fn doubles_and_triples_are_read_back(value in "[A-Z]{2}[0-9]{4}") {
        let bytes = value.as_bytes();
        let mut said = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let same = bytes[at..].iter().take_while(|b| **b == bytes[at]).count().min(3);
            let one = say(bytes[at], 0);
            said.push(match same { 1 => one, 2 => format!("double {one}"), _ => format!("triple {one}") });
            at += same;
        }
        let said = said.join(" ");
        // "Double u" is a W.
        prop_assume!(!value.contains("UU"));
        prop_assert_eq!(best(Sentence::of(&said).codes(&code("@@####", None))), Some(value), "{}", said);
    }

    #[test]
    fn digits_are_read_back_in_groups(value in "[0-9]{8}", cut in 1usize..5, comma in any::<bool>()) {
        let groups: Vec<String> = value
            .as_bytes()
            .chunks(cut)
            .map(|group| group.iter().map(|s| say(*s, 0)).collect::<Vec<_>>().join(" "))
            .collect();
        let said = groups.join(if comma { ", " } else { " um " });
        let shape = Shape::digits(8, 8, None);
        prop_assert_eq!(best(Sentence::of(&said).digits(&shape)), Some(value), "{}", said);
    }

    #[test]
    fn what_is_taken_back_is_gone(value in "[0-9]{6}", slip in "[0-9]", at in 1usize..6) {
        prop_assume!(value.as_bytes()[at - 1] != slip.as_bytes()[0]);
        // A digit is said wrong, and said again.
        let one = |range: &str| range.bytes().map(|s| say(s, 0)).collect::<Vec<_>>().join(" ");
        let wrong = format!("{}{slip}", &value[..at - 1]);
        let said = format!("{}, sorry, {}", one(&wrong), one(&value[at - 1..]));
        let found = Sentence::of(&said).digits(&Shape::digits(6, 6, None));
        prop_assert!(found.iter().any(|s| s.value == value), "{} {:?}", said, found);
    }

    #[test]
    fn british_telephone_numbers_are_read_back(number in "7[0-9]{9}", abroad in any::<bool>(), doubles in any::<bool>()) {
        let whole = if abroad { format!("44{number}") } else { format!("0{number}") };
        let mut said = Vec::new();
        let bytes = whole.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let double = doubles && at + 1 < bytes.len() && bytes[at] == bytes[at + 1];
            said.push(if double { format!("double {}", say(bytes[at], 0)) } else { say(bytes[at], 1) });
            at += if double { 2 } else { 1 };
        }
        let said = format!("{}{}", if abroad { "plus " } else { "" }, said.join(" "));
        let expected = format!("+44{number}");
        prop_assert_eq!(best(Sentence::of(&said).telephones(Some(Region::Gb))), Some(expected), "{}", said);
    }

    #[test]
    fn postcodes_are_read_back(
        // "S O" may be S and a zero, so it is none of these.
        value in "(N[EGNPRW]|S[EGKLMNPRSTWY])[0-9]{1,2} [0-9][ABDEFGHJLNPQRSTUWXYZ]{2}",
        ways in prop::collection::vec(0usize..4, 8),
    ) {
        let symbols: Vec<u8> = value.bytes().filter(u8::is_ascii_alphanumeric).collect();
        let said: Vec<String> = symbols.iter().zip(&ways).map(|(s, how)| say(*s, *how)).collect();
        let said = said.join(" ");
        let found = Sentence::of(&said).postcodes(Region::Gb);
        let first = found.first().map(|s| s.cost);
        let read = found.iter().find(|s| s.value == value);
        prop_assert!(read.is_some_and(|s| Some(s.cost) == first), "{} {:?}", said, found.first());
    }

    #[test]
    fn a_check_digit_picks_the_right_reading(stem in "[0-9]{7}", wrong in 1u8..10) {
        let valid = (0..10).map(|d| format!("{stem}{d}")).find(|v| CheckDigit::Luhn.holds(v)).expect("one of ten");
        let shape = Shape::digits(8, 8, Some(CheckDigit::Luhn));
        let one = |v: &str| v.bytes().map(|s| say(s, 0)).collect::<Vec<_>>().join(" ");
        prop_assert_eq!(best(Sentence::of(&one(&valid)).digits(&shape)), Some(valid.clone()));
        let last = (valid.as_bytes()[7] - b'0' + wrong) % 10;
        let other = format!("{stem}{last}");
        prop_assert_eq!(best(Sentence::of(&one(&other)).digits(&shape)), None);
    }

    #[test]
    fn a_known_value_is_found_where_one_symbol_was_confused(value in "[0-9]{6}", at in 0usize..6, other in 0u8..10) {
        let mut heard = value.clone().into_bytes();
        heard[at] = b'0' + other;
        let said: Vec<String> = heard.iter().map(|s| say(*s, 0)).collect();
        let found = Sentence::of(&said.join(" ")).known(&[&value, "999000"]);
        prop_assert!(found.iter().any(|s| s.value == value), "{:?}", found);
    }

    #[test]
    fn any_text_is_searched(text in "\\PC{0,60}") {
        let sentence = Sentence::of(&text);
        let shapes = [Shape::digits(1, 12, None), code("*{2,10}", None)];
        for shape in &shapes {
            for found in sentence.codes(shape) {
                prop_assert!(text.get(found.span.clone()).is_some());
                prop_assert!((0.0..=1.0).contains(&found.confidence()));
            }
        }
        for region in [Region::Gb, Region::Us, Region::Ca, Region::Nl, Region::Ie] {
            let _ = (sentence.telephones(Some(region)), sentence.postcodes(region));
        }
        let _ = sentence.words(3, 20);
    }

    #[test]
    fn sentences_of_number_words_are_searched(
        words in prop::collection::vec(prop::sample::select(vec![
            "double", "triple", "oh", "for", "as", "in", "b", "bravo", "no", "sorry", "twenty", "hundred", "thousand",
            "and", "4", "45", "plus", "dash", "a", "i", "mean", "start", "again", "fives", "u", "point",
        ]), 0..30),
    ) {
        let text = words.join(" ");
        let found = Sentence::of(&text).codes(&code("*{2,12}", None));
        prop_assert!(found.iter().all(|s| text.get(s.span.clone()).is_some() && (letters(&s.value) || !s.value.is_empty())));
    }
}

#[test]
fn a_known_value_is_heard_through_its_sound() {
    for (said, known) in [
        ("four five one two a", "45128"),
        ("for five won too ate", "45128"),
        ("four nine one two eight", "45128"),
        ("four five one two", "45128"),
        ("b e seven one", "PD71"),
        ("m as in nancy four", "NN4"),
    ] {
        let found = Sentence::of(said).known(&[known, "99999"]);
        assert_eq!(found.first().map(|s| s.value.as_str()), Some(known), "{said}");
    }
}

#[test]
fn a_long_utterance_takes_bounded_time() {
    let text = "double b as in bravo twenty three hundred no sorry oh for to ".repeat(60);
    let found = Sentence::of(&text).codes(&code("*{2,10}", None));
    assert!(!found.is_empty());
}
