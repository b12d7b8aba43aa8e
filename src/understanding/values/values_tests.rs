//! Amounts, dates and times said in every form and read back. The saying side knows nothing of the reading
//! side's tables.

use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::*;
use crate::understanding::number_words::{UNITS, below_hundred, cardinal, ordinal};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

fn year(year: i16, how: usize) -> String {
    let (high, low) = (u64::from(year.unsigned_abs()) / 100, u64::from(year.unsigned_abs()) % 100);
    match (how % 3, low) {
        (0, _) => year.to_string(),
        (1, _) if year >= 2000 && low == 0 => "two thousand".to_owned(),
        (1, _) if year >= 2000 => format!("two thousand and {}", below_hundred(low)),
        (_, 0) => format!("{} hundred", below_hundred(high)),
        (_, 1..10) => format!("{} oh {}", below_hundred(high), below_hundred(low)),
        _ => format!("{} {}", below_hundred(high), below_hundred(low)),
    }
}

fn only(found: Vec<Said>) -> Option<String> {
    (found.len() == 1).then(|| found[0].value.clone())
}

fn any_day() -> impl Strategy<Value = Date> {
    (1900i16..2030, 1i8..13, 1i8..29).prop_map(|(y, m, d)| date(y, m, d))
}

#[test]
fn days_and_times_in_rarer_words() {
    // A Wednesday.
    let now = Some(date(2026, 3, 11).at(10, 0, 0, 0));
    let day = |said: &str| only(dates(said, DateReading::default(), now));
    assert_eq!(day("on friday the fifteen").as_deref(), Some("2026-05-15"));
    assert_eq!(day("in four business days").as_deref(), Some("2026-03-17"));
    assert_eq!(day("within three working days").as_deref(), Some("2026-03-16"));
    assert_eq!(day("four business days"), None, "that is a while and no day");
    for (said, value) in [
        ("three quarters past nine pm", "21:45"),
        ("three minutes to five thirty", "05:27"),
        ("ten minutes past four twenty pm", "16:30"),
        ("mid morning", "10:00"),
        ("in the midafternoon", "14:00"),
    ] {
        assert_eq!(only(times(said, now)).as_deref(), Some(value), "{said}");
    }
}

#[test]
fn an_order_number_is_no_day_of_the_middle_ages() {
    for said in ["four five one two eight eight", "four five twelve eighty eight", "one two twelve hundred"] {
        assert_eq!(dates(said, DateReading::default(), None), [], "{said}");
    }
    assert_eq!(
        only(dates("four five one nine eight eight", DateReading::default(), None)).as_deref(),
        Some("1988-05-04")
    );
}

proptest! {
    #[test]
    fn cardinals_are_read_back(n in prop_oneof![0u64..2000, 0u64..1_000_000, 0u64..1_000_000_000_000], and in any::<bool>()) {
        let said = cardinal(n, if and { "and " } else { "" });
        prop_assert_eq!(only(numbers(&said)), Some(n.to_string()), "{}", said);
        let said = format!("minus {said}");
        prop_assert_eq!(only(numbers(&said)), Some(if n == 0 { "0".to_owned() } else { format!("-{n}") }));
    }

    #[test]
    fn decimals_are_read_back(whole in 0u64..10_000, digits in "[0-9]{0,5}[1-9]") {
        let after: Vec<&str> = digits.bytes().map(|d| UNITS[usize::from(d - b'0')]).collect();
        let said = format!("{} point {}", cardinal(whole, ""), after.join(" "));
        prop_assert_eq!(only(numbers(&said)), Some(format!("{whole}.{digits}")), "{}", said);
        let written = format!("{whole}.{digits}");
        prop_assert_eq!(only(numbers(&written)), Some(written));
    }

    #[test]
    fn ordinals_are_read_back(n in 1u64..1000) {
        prop_assume!(!n.is_multiple_of(100) || n == 100);
        prop_assume!(n != 100);
        let said = ordinal(n);
        prop_assert_eq!(only(ordinals(&said)), Some(n.to_string()), "{}", said);
    }

    #[test]
    fn amounts_are_read_back(pounds in 1u64..100_000, pence in 1u64..100, how in 0usize..3) {
        let whole = cardinal(pounds, "and ");
        let said = match how {
            0 => format!("{whole} pounds and {} pence", below_hundred(pence)),
            1 if pence >= 10 => format!("{whole} pounds {}", below_hundred(pence)),
            _ => format!("£{pounds}.{pence:02}"),
        };
        prop_assert_eq!(only(money(&said, "GBP")), Some(format!("{pounds}.{pence:02} GBP")), "{}", said);
    }

    #[test]
    fn dates_are_read_back(day in any_day(), how in 0usize..5, years in 0usize..3, past in any::<bool>()) {
        let number = u64::try_from(day.day()).expect("a day");
        let month = MONTHS[usize::try_from(day.month() - 1).expect("a month")];
        let year = year(day.year(), years);
        let said = match how {
            0 => format!("the {} of {month} {year}", ordinal(number)),
            1 => format!("{month} the {} {year}", ordinal(number)),
            2 => format!("{number} {month} {}", day.year()),
            3 => format!("{:02}/{:02}/{}", day.day(), day.month(), day.year()),
            _ => day.to_string(),
        };
        let reading = DateReading { month_first: false, prefer: if past { Prefer::Past } else { Prefer::Future } };
        let now = Some(date(2026, 3, 11).at(10, 0, 0, 0));
        prop_assert_eq!(only(dates(&said, reading, now)), Some(day.to_string()), "{}", said);
        // With its year a date needs no clock.
        prop_assert_eq!(only(dates(&said, reading, None)), Some(day.to_string()), "{}", said);
    }

    #[test]
    fn counted_days_are_read_back(n in 2u64..1000, ahead in any::<bool>()) {
        let today = date(2026, 3, 11);
        let days = i64::try_from(n).expect("small");
        let said = if ahead { format!("in {} days", cardinal(n, "")) } else { format!("{} days ago", cardinal(n, "")) };
        let span = jiff::Span::new().days(if ahead { days } else { -days });
        let expected = today.checked_add(span).expect("near").to_string();
        let now = Some(today.at(10, 0, 0, 0));
        prop_assert_eq!(only(dates(&said, DateReading::default(), now)), Some(expected), "{}", said);
    }

    #[test]
    fn times_are_read_back(hour in 1u64..13, minute in 0u64..60, pm in any::<bool>(), how in 0usize..4) {
        let half = if pm { "p m" } else { "in the morning" };
        let h = below_hundred(hour);
        let next = below_hundred(hour % 12 + 1);
        let said = match (how, minute) {
            (0, 0) => format!("{h} o'clock {half}"),
            (0, 15) => format!("quarter past {h} {half}"),
            (0, 30) => format!("half past {h} {half}"),
            (0, 1..30) => format!("{} minutes past {h} {half}", below_hundred(minute)),
            // "Ten to twelve pm" is in doubt whatever is done.
            (0, 31..) if hour < 11 => format!("{} to {next} {half}", below_hundred(60 - minute)),
            (1, _) => format!("{hour}:{minute:02} {}", if pm { "PM" } else { "a.m." }),
            (_, 0) => format!("{h} {half}"),
            (_, 1..10) => format!("{h} oh {} {half}", below_hundred(minute)),
            _ => format!("{h} {} {half}", below_hundred(minute)),
        };
        let hour = hour % 12 + if pm { 12 } else { 0 };
        prop_assert_eq!(only(times(&said, None)), Some(format!("{hour:02}:{minute:02}")), "{}", said);
    }

    #[test]
    fn addresses_of_mail_are_read_back(local in "[a-z]{3,8}", number in 0u64..100, domain in "[a-z]{4,9}", sign in 0usize..4) {
        prop_assume!(numbers(&local).is_empty() && numbers(&domain).is_empty());
        let (word, written) = [("dot", "."), ("underscore", "_"), ("dash", "-"), ("", "")][sign];
        let said = format!("q{local} {word} {} at q{domain} dot co dot uk", below_hundred(number));
        let expected = format!("q{local}{written}{number}@q{domain}.co.uk");
        prop_assert_eq!(only(emails(&said)), Some(expected.clone()), "{}", said);
        prop_assert_eq!(only(emails(&expected)), Some(expected.clone()));
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,60}") {
        let now = Some(date(2026, 3, 11).at(10, 0, 0, 0));
        let sentence = super::super::spelling::Sentence::of(&text);
        let all = [
            numbers(&text), ordinals(&text), money(&text, "EUR"), dates(&text, DateReading::default(), now),
            times(&text, now), emails(&text), names(&text, &sentence, &["Miller"]), addresses(&text, &["1 High Street"]),
        ];
        for said in all.iter().flatten() {
            prop_assert!(text.get(said.span.clone()).is_some());
            prop_assert!((0.0..=1.0).contains(&said.confidence));
        }
    }

    #[test]
    fn sentences_of_such_words_are_read(
        words in prop::collection::vec(prop::sample::select(vec![
            "one", "twenty", "hundred", "thousand", "million", "and", "a", "half", "quarter", "past", "to", "pm", "of",
            "the", "third", "may", "friday", "next", "week", "ago", "in", "days", "pounds", "$", "£", "12", "2026", "-",
            ".", "/", ":", "at", "dot", "com", "no", "sorry", "point", "oh", "999999999999999999999999999999999999999",
            "septillion", "minus", "31", "february", "last", "from", "now",
        ]), 0..24),
    ) {
        let text = words.join(" ");
        let now = Some(date(2026, 3, 11).at(10, 0, 0, 0));
        for past in [Prefer::Past, Prefer::Future] {
            let reading = DateReading { month_first: past == Prefer::Past, prefer: past };
            let _ = (dates(&text, reading, now), dates(&text, reading, None));
        }
        let _ = (numbers(&text), ordinals(&text), money(&text, "USD"), times(&text, now), emails(&text));
    }
}
