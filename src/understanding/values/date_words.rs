//! Words of the calendar, and years as they are said.

use super::cardinal::below_hundred;
use super::tokens::{Token, text};

/// The month that a word names, from 1.
pub(super) fn month(word: &str) -> Option<i8> {
    Some(match word {
        "january" | "jan" => 1,
        "february" | "feb" | "febuary" => 2,
        "march" | "mar" => 3,
        "april" | "apr" => 4,
        "may" => 5,
        "june" | "jun" => 6,
        "july" | "jul" => 7,
        "august" | "aug" => 8,
        "september" | "sep" | "sept" => 9,
        "october" | "oct" => 10,
        "november" | "nov" => 11,
        "december" | "dec" => 12,
        _ => return None,
    })
}

/// The day of the week that a word names, Monday being 0.
pub(super) fn weekday(word: &str) -> Option<i8> {
    let word = word.strip_suffix("'s").unwrap_or(word);
    Some(match word {
        "monday" | "mon" => 0,
        "tuesday" | "tue" | "tues" => 1,
        "wednesday" | "wed" | "weds" => 2,
        "thursday" | "thu" | "thur" | "thurs" => 3,
        "friday" | "fri" => 4,
        "saturday" | "sat" => 5,
        "sunday" | "sun" => 6,
        _ => return None,
    })
}

/// Days that have a name and the same date every year: the words, the month and the day.
const NAMED: [(&str, i8, i8); 16] = [
    ("christmas day", 12, 25),
    ("christmas eve", 12, 24),
    ("christmas", 12, 25),
    ("xmas", 12, 25),
    ("boxing day", 12, 26),
    ("new year's day", 1, 1),
    ("new years day", 1, 1),
    ("new year's eve", 12, 31),
    ("new years eve", 12, 31),
    ("new year", 1, 1),
    ("valentine's day", 2, 14),
    ("valentines day", 2, 14),
    ("halloween", 10, 31),
    ("saint patrick's day", 3, 17),
    ("st patrick's day", 3, 17),
    ("independence day", 7, 4),
];

/// The named day that begins at `at`: month, day, and the token after it.
pub(super) fn named_day(tokens: &[Token], at: usize) -> Option<(i8, i8, usize)> {
    NAMED.iter().find_map(|(words, month, day)| {
        super::tokens::begins(tokens, at, words).then(|| (*month, *day, at + words.split(' ').count()))
    })
}

/// A year as it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Year {
    Whole(i16),
    /// "Eighty two".
    Short(i16),
}

impl Year {
    /// The year meant: a short one is the last that has come, or, where dates to come are asked for, one
    /// of this century up to twenty years ahead.
    pub(super) fn resolve(self, this_year: i16, past: bool) -> i16 {
        match self {
            Year::Whole(year) => year,
            Year::Short(short) => {
                let latest = if past { this_year } else { this_year + 20 };
                let candidate = latest - latest % 100 + short;
                if candidate > latest { candidate - 100 } else { candidate }
            }
        }
    }
}

/// The year that begins at `at`, and the token after it.
pub(super) fn year(tokens: &[Token], at: usize) -> Option<(Year, usize)> {
    let token = tokens.get(at)?;
    if token.is("'") {
        return year(tokens, at + 1).filter(|(y, _)| matches!(y, Year::Short(_)));
    }
    if token.is_number() {
        let n: i16 = token.text.parse().ok()?;
        return match token.text.len() {
            4 if (1000..3000).contains(&n) => Some((Year::Whole(n), at + 1)),
            // "1920 9" is how a recogniser may write "nineteen twenty-nine".
            2 => {
                let low = tokens
                    .get(at + 1)
                    .filter(|t| t.is_number() && t.text.len() == 2 && (19..21).contains(&n));
                match low.and_then(|t| t.text.parse::<i16>().ok()) {
                    Some(low) => Some((Year::Whole(n * 100 + low), at + 2)),
                    None => Some((Year::Short(n), at + 1)),
                }
            }
            _ => None,
        };
    }
    // Of other centuries nobody speaks on the telephone: what sounds like them is another number.
    spoken_year(tokens, at).filter(|(year, _)| !matches!(year, Year::Whole(n) if !(1900..2100).contains(n)))
}

fn spoken_year(tokens: &[Token], at: usize) -> Option<(Year, usize)> {
    let small = |at| below_hundred(tokens, at).and_then(|(n, next)| Some((i16::try_from(n).ok()?, next)));
    if matches!(text(tokens, at), "oh" | "o" | "zero") {
        let (n, next) = small(at + 1).filter(|(n, _)| *n < 10)?;
        return Some((Year::Short(n), next));
    }
    let (head, next) = small(at)?;
    match text(tokens, next) {
        "thousand" if (1..3).contains(&head) => {
            let from = next + 1 + usize::from(text(tokens, next + 1) == "and");
            Some(match small(from) {
                Some((low, after)) => (Year::Whole(head * 1000 + low), after),
                None => (Year::Whole(head * 1000), next + 1),
            })
        }
        "hundred" if (10..30).contains(&head) => {
            let from = next + 1 + usize::from(text(tokens, next + 1) == "and");
            Some(match small(from) {
                Some((low, after)) => (Year::Whole(head * 100 + low), after),
                None => (Year::Whole(head * 100), next + 1),
            })
        }
        "oh" | "o" | "zero" if (10..30).contains(&head) => {
            let (low, after) = small(next + 1).filter(|(n, _)| *n < 10)?;
            Some((Year::Whole(head * 100 + low), after))
        }
        _ => match small(next) {
            Some((low, after)) if (10..30).contains(&head) && low >= 10 => {
                Some((Year::Whole(head * 100 + low), after))
            }
            // Digit by digit: "one nine eight two", "eight two".
            Some((second, after)) if head < 10 && second < 10 => match (small(after), small(after + 1)) {
                (Some((third, _)), Some((fourth, end)))
                    if third < 10 && fourth < 10 && (1..3).contains(&head) =>
                {
                    Some((Year::Whole(head * 1000 + second * 100 + third * 10 + fourth), end))
                }
                _ => Some((Year::Short(head * 10 + second), after)),
            },
            Some(_) | None if head >= 10 => Some((Year::Short(head), next)),
            Some(_) | None => None,
        },
    }
}
