//! Numbers in words and figures: "a hundred and five", "two and a half million", "1,234.56", "23rd".

use std::fmt;

use super::tokens::{Token, begins, text};
use crate::understanding::spoken::{Spoken, spoken};

/// A decimal number, exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// All its digits.
    units: i128,
    /// How many of them stand after the point.
    scale: u32,
}

/// Decimals beyond this are not said.
const FINEST: u32 = 9;

impl Decimal {
    pub(super) fn whole(units: i128) -> Decimal {
        Decimal { units, scale: 0 }
    }

    /// `units` hundredths.
    pub(super) fn hundredths(units: i128) -> Decimal {
        Decimal { units, scale: 2 }
    }

    /// The number where it has no fraction.
    pub(super) fn to_whole(self) -> Option<i128> {
        let reduced = self.reduced();
        (reduced.scale == 0).then_some(reduced.units)
    }

    fn reduced(mut self) -> Decimal {
        while self.scale > 0 && self.units % 10 == 0 {
            self.units /= 10;
            self.scale -= 1;
        }
        self
    }

    pub(super) fn times(self, factor: i128) -> Option<Decimal> {
        Some(Decimal { units: self.units.checked_mul(factor)?, ..self })
    }

    pub(super) fn plus(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        let at = |d: Decimal| d.units.checked_mul(10_i128.checked_pow(scale - d.scale)?);
        Some(Decimal { units: at(self)?.checked_add(at(other)?)?, scale })
    }

    /// With at least `places` digits after the point.
    pub(super) fn with_places(self, places: u32) -> String {
        let reduced = self.reduced();
        let places = places.max(reduced.scale);
        let sign = if reduced.units < 0 { "-" } else { "" };
        let digits = reduced.units.unsigned_abs().to_string();
        let zeros = usize::try_from(places - reduced.scale).unwrap_or_default();
        let digits = format!("{digits}{}", "0".repeat(zeros));
        let places = usize::try_from(places).unwrap_or_default();
        let digits = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_places(0))
    }
}

/// What a word multiplies by. The short scale; lakh and crore as India counts.
fn scale(word: &str) -> Option<i128> {
    Some(match word {
        "hundred" | "hundreds" => 100,
        "thousand" | "thousands" | "k" | "grand" => 1_000,
        "lakh" | "lakhs" => 100_000,
        "million" | "millions" | "mil" => 1_000_000,
        "crore" | "crores" => 10_000_000,
        "billion" | "billions" | "bn" => 1_000_000_000,
        "trillion" | "trillions" => 1_000_000_000_000,
        "quadrillion" => 1_000_000_000_000_000,
        "quintillion" => 1_000_000_000_000_000_000,
        "sextillion" => 1_000_000_000_000_000_000_000,
        "septillion" => 1_000_000_000_000_000_000_000_000,
        _ => return None,
    })
}

/// A number below 100 in words.
pub(super) fn below_hundred(tokens: &[Token], at: usize) -> Option<(i128, usize)> {
    match spoken(text(tokens, at))? {
        Spoken::Unit(n) | Spoken::Teen(n) => Some((n.into(), at + 1)),
        Spoken::Tens(tens) => {
            let next = if begins(tokens, at + 1, "-") { at + 2 } else { at + 1 };
            match spoken(text(tokens, next)) {
                Some(Spoken::Unit(unit @ 1..=9)) => Some((i128::from(tens + unit), next + 1)),
                Some(_) | None => Some((tens.into(), at + 1)),
            }
        }
        Spoken::Oh | Spoken::Hundred | Spoken::Thousand | Spoken::Times(_) | Spoken::Homophone(_) => None,
    }
}

/// A number in figures: "1,234.56", "1 234", ".5".
pub(super) fn figures(tokens: &[Token], at: usize) -> Option<(Decimal, usize)> {
    let mut digits = String::new();
    let mut next = at;
    if tokens.get(at)?.is_number() {
        digits.push_str(&tokens[at].text);
        next += 1;
        // Groups of three behind commas.
        while digits.len() <= 30
            && tokens.get(next).is_some_and(|t| t.glued && t.is(","))
            && tokens.get(next + 1).is_some_and(|t| t.glued && t.is_number() && t.text.len() == 3)
        {
            digits.push_str(&tokens[next + 1].text);
            next += 2;
        }
    } else if !(tokens[at].is(".") && tokens.get(at + 1).is_some_and(|t| t.glued && t.is_number())) {
        return None;
    }
    let mut scale = 0;
    let fraction = tokens.get(next + 1).filter(|t| {
        t.glued && t.is_number() && text(tokens, next) == "." && (next == at || tokens[next].glued)
    });
    // "12.05.2026" is no number.
    let dated =
        text(tokens, next + 2) == "." && tokens.get(next + 3).is_some_and(|t| t.glued && t.is_number());
    if let Some(fraction) =
        fraction.filter(|f| f.text.len() <= usize::try_from(FINEST).unwrap_or(9) && !dated)
    {
        digits.push_str(&fraction.text);
        scale = u32::try_from(fraction.text.len()).unwrap_or_default();
        next += 2;
    }
    Some((Decimal { units: digits.parse().ok()?, scale }, next))
}

/// A whole number in words without a sign or a fraction, and the token after it.
fn in_words(tokens: &[Token], at: usize) -> Option<(i128, usize)> {
    let mut total: i128 = 0;
    let mut group: i128 = 0;
    // What may still follow must be smaller than this.
    let mut below: i128 = i128::MAX;
    let mut room: i128 = i128::MAX;
    let mut next = at;
    let mut end = None;
    if matches!(text(tokens, at), "a" | "an") && scale(text(tokens, at + 1)).is_some() {
        group = 1;
        room = 0;
        next += 1;
    }
    loop {
        let mut from = next;
        if end.is_some() && matches!(text(tokens, from), "and" | "-") {
            from += 1;
        }
        if let Some((n, after)) =
            below_hundred(tokens, from).filter(|(n, _)| *n < room && (*n > 0 || end.is_none()))
        {
            // "One hundred zero" and "twenty fifteen" are two numbers.
            group += n;
            room = 0;
            next = after;
            end = Some(next);
        } else if text(tokens, from) == "hundred" || text(tokens, from) == "hundreds" {
            if group >= 100 || (group == 0 && end.is_some() && (room == 0 || total == 0)) {
                break;
            }
            group = group.max(1) * 100;
            room = 100;
            next = from + 1;
            end = Some(next);
        } else if let Some(factor) = scale(text(tokens, from)).filter(|f| *f >= 1000 && *f < below) {
            if end.is_some() && group == 0 {
                break;
            }
            total = total.checked_add(group.max(1).checked_mul(factor)?)?;
            group = 0;
            below = factor;
            room = factor.min(1000);
            next = from + 1;
            end = Some(next);
        } else {
            break;
        }
        // "five zero" are two.
        if total == 0 && group == 0 {
            break;
        }
    }
    end.map(|end| (total + group, end))
}

/// What stands after "point": digits one by one, or a number.
fn after_point(tokens: &[Token], at: usize) -> Option<(String, usize)> {
    let mut digits = String::new();
    let mut next = at;
    while digits.len() < 9 {
        let word = text(tokens, next);
        match spoken(word) {
            Some(Spoken::Unit(n)) => digits.push_str(&n.to_string()),
            Some(Spoken::Oh) => digits.push('0'),
            Some(Spoken::Teen(_) | Spoken::Tens(_)) => {
                let (n, after) = below_hundred(tokens, next)?;
                digits.push_str(&n.to_string());
                next = after;
                continue;
            }
            Some(Spoken::Hundred | Spoken::Thousand | Spoken::Times(_) | Spoken::Homophone(_)) | None => {
                if !tokens.get(next).is_some_and(|t| t.is_number() && t.text.len() < 9) {
                    break;
                }
                digits.push_str(word);
            }
        }
        next += 1;
    }
    (!digits.is_empty()).then_some((digits, next))
}

/// A fraction of something: "half", "a quarter", "three quarters", in hundredths.
fn fraction(tokens: &[Token], at: usize) -> Option<(Decimal, usize)> {
    let (count, at) = match text(tokens, at) {
        "a" | "one" => (1, at + 1),
        "two" => (2, at + 1),
        "three" => (3, at + 1),
        "half" => return Some((Decimal::hundredths(50), at + 1)),
        "quarter" => return Some((Decimal::hundredths(25), at + 1)),
        _ => return None,
    };
    match text(tokens, at) {
        "half" if count == 1 => Some((Decimal::hundredths(50), at + 1)),
        "quarter" | "quarters" => Some((Decimal::hundredths(25 * count), at + 1)),
        _ => None,
    }
}

/// A number that begins at `at`, and the token after it.
pub(super) fn cardinal(tokens: &[Token], at: usize) -> Option<(Decimal, usize)> {
    let short = one_twenty(tokens, at).map(|(n, next)| (Decimal::whole(n), next));
    short.or_else(|| grouped(tokens, at)).or_else(|| full_cardinal(tokens, at))
}

/// The same without "one twenty" for 120: of money that is 1.20.
pub(super) fn full_cardinal(tokens: &[Token], at: usize) -> Option<(Decimal, usize)> {
    let word = text(tokens, at);
    if matches!(word, "minus" | "negative") || (word == "-" && !tokens[at].glued) {
        let (number, next) = full_cardinal(tokens, at + 1)?;
        return Some((number.times(-1)?, next));
    }
    if let Some(collective) = collective(tokens, at) {
        return Some(collective);
    }
    // "Half a million", "a quarter million".
    if let Some((part, next)) = fraction(tokens, at) {
        let next = if matches!(text(tokens, next), "a" | "an" | "of") { next + 1 } else { next };
        let next = if matches!(text(tokens, next), "a") { next + 1 } else { next };
        if let Some(factor) = factor(text(tokens, next)) {
            return Some((part.times(factor)?, next + 1));
        }
    }
    let (mut number, mut next) = match figures(tokens, at) {
        Some(found) => found,
        None => match in_words(tokens, at) {
            Some((whole, next)) => (Decimal::whole(whole), next),
            None if word == "point" => (Decimal::whole(0), at),
            None => return None,
        },
    };
    if text(tokens, next) == "point" {
        match after_point(tokens, next + 1) {
            Some((digits, after)) => {
                let scale = u32::try_from(digits.len()).ok()?;
                number = number.plus(Decimal { units: digits.parse().ok()?, scale })?;
                next = after;
            }
            None if next == at => return None,
            None => {}
        }
    }
    if text(tokens, next) == "and"
        && let Some((part, after)) = fraction(tokens, next + 1)
    {
        number = number.plus(part)?;
        next = after;
    }
    while let Some(factor) = factor(text(tokens, next)) {
        number = number.times(factor)?;
        next += 1;
    }
    // "1.2M" as recognisers write it; apart, "m" is a letter or a metre.
    let written = tokens.get(next).filter(|t| next > at && t.glued && tokens[next - 1].is_number());
    let factor = match written.map(|t| t.text.as_str()) {
        Some("m") => 1_000_000,
        Some("b") => 1_000_000_000,
        Some(_) | None => return Some((number, next)),
    };
    Some((number.times(factor)?, next + 1))
}

/// "1 234 567": groups of three behind spaces.
fn grouped(tokens: &[Token], at: usize) -> Option<(Decimal, usize)> {
    let group = |i: usize| tokens.get(i).is_some_and(|t| t.is_number() && t.text.len() == 3 && !t.glued);
    let head = tokens.get(at).filter(|t| t.is_number() && t.text.len() <= 3 && !t.text.starts_with('0'))?;
    let end = (at + 1..).find(|i| !group(*i)).filter(|end| *end > at + 1 && *end < at + 8)?;
    let before = at > 0 && tokens[at - 1].is_number();
    let after = tokens.get(end).is_some_and(Token::is_number);
    let digits: String = tokens[at + 1..end].iter().fold(head.text.clone(), |all, t| all + &t.text);
    (!before && !after).then(|| Some((Decimal::whole(digits.parse().ok()?), end)))?
}

/// "One twenty two" is 122 where no other number stands before it.
fn one_twenty(tokens: &[Token], at: usize) -> Option<(i128, usize)> {
    let (head, next) = below_hundred(tokens, at).filter(|(n, _)| (1..10).contains(n))?;
    let (low, end) = below_hundred(tokens, next).filter(|(n, _)| *n >= 20)?;
    let before = at > 0 && (below_hundred(tokens, at - 1).is_some() || tokens[at - 1].is_number());
    let after = below_hundred(tokens, end).is_some() || factor(text(tokens, end)).is_some();
    (!before && !after).then_some((head * 100 + low, end))
}

/// What a word after a number multiplies it by.
pub(super) fn factor(word: &str) -> Option<i128> {
    match word {
        "dozen" | "dozens" => Some(12),
        _ => scale(word),
    }
}

/// "A couple", "none", "single".
fn collective(tokens: &[Token], at: usize) -> Option<(Decimal, usize)> {
    let article = usize::from(matches!(text(tokens, at), "a" | "the"));
    let (n, words) = match text(tokens, at + article) {
        "couple" | "pair" => (2, 1),
        "dozen" => (12, 1),
        "single" => (1, 1),
        "none" if article == 0 => (0, 1),
        _ => return None,
    };
    let next = at + article + words;
    let of = usize::from(text(tokens, next) == "of");
    Some((Decimal::whole(n), next + of))
}

/// What an ordinal's last word says: "third" is 3, "twentieth" 20, "hundredth" 100.
fn ordinal_word(word: &str) -> Option<i128> {
    Some(match word {
        "first" => 1,
        "second" => 2,
        "third" => 3,
        "fourth" | "forth" => 4,
        "fifth" => 5,
        "sixth" => 6,
        "seventh" => 7,
        "eighth" => 8,
        "ninth" => 9,
        "tenth" => 10,
        "eleventh" => 11,
        "twelfth" => 12,
        "thirteenth" => 13,
        "fourteenth" => 14,
        "fifteenth" => 15,
        "sixteenth" => 16,
        "seventeenth" => 17,
        "eighteenth" => 18,
        "nineteenth" => 19,
        "twentieth" => 20,
        "thirtieth" => 30,
        "fortieth" => 40,
        "fiftieth" => 50,
        "sixtieth" => 60,
        "seventieth" => 70,
        "eightieth" => 80,
        "ninetieth" => 90,
        "hundredth" => 100,
        "thousandth" => 1_000,
        "millionth" => 1_000_000,
        "billionth" => 1_000_000_000,
        "trillionth" => 1_000_000_000_000,
        _ => return None,
    })
}

/// An ordinal that begins at `at`, and the token after it: "twenty-third", "23rd", "one hundred and first".
pub(super) fn ordinal(tokens: &[Token], at: usize) -> Option<(i128, usize)> {
    if tokens.get(at)?.is_number() {
        let (number, next) = figures(tokens, at)?;
        let ends = matches!(text(tokens, next), "st" | "nd" | "rd" | "th");
        return number.to_whole().filter(|_| ends).map(|n| (n, next + 1));
    }
    if let Some(n) = ordinal_word(text(tokens, at)) {
        return Some((n, at + 1));
    }
    // "Fortysecond", as some recognisers write it.
    const TENS: [(&str, i128); 8] = [
        ("twenty", 20),
        ("thirty", 30),
        ("forty", 40),
        ("fifty", 50),
        ("sixty", 60),
        ("seventy", 70),
        ("eighty", 80),
        ("ninety", 90),
    ];
    let glued = TENS.iter().find_map(|(tens, n)| {
        let unit = ordinal_word(text(tokens, at).strip_prefix(tens)?).filter(|u| *u < 10)?;
        Some((n + unit, at + 1))
    });
    if glued.is_some() {
        return glued;
    }
    // A cardinal whose end is an ordinal: every stretch of it is tried, the longest first.
    let (head, next) = in_words(tokens, at)?;
    let skip = usize::from(matches!(text(tokens, next), "and" | "-"));
    let last = ordinal_word(text(tokens, next + skip))?;
    let whole = match last {
        100 | 1_000 | 1_000_000 | 1_000_000_000 | 1_000_000_000_000 => head.checked_mul(last)?,
        1..10 if head % 10 == 0 && head % 100 != 10 => head + last,
        10..100 if head % 100 == 0 => head + last,
        _ => return None,
    };
    Some((whole, next + skip + 1))
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn check(said: &str, expected: &str) {
        let tokens = tokens(said);
        let found = cardinal(&tokens, 0).map(|(n, next)| (n.to_string(), next == tokens.len()));
        assert_eq!(found, Some((expected.to_owned(), true)), "{said}");
    }

    #[test]
    fn numbers_in_words_and_figures() {
        check("one hundred and five", "105");
        check("nineteen hundred seventy-three", "1973");
        check("two and a half", "2.5");
        check("half a million", "500000");
        check("1,234.56", "1234.56");
        check("minus two point zero five", "-2.05");
        check("2.5 million", "2500000");
        check("thousand and nine hundred twenty", "1920");
        check("half a dozen", "6");
        check("five hundred thousand", "500000");
        check("one million and one", "1000001");
        check("three dozen", "36");
    }

    #[test]
    fn ordinals_in_words_and_figures() {
        for (said, expected) in [
            ("twenty-third", 23),
            ("23rd", 23),
            ("one hundred and first", 101),
            ("two hundredth", 200),
            ("fortieth", 40),
        ] {
            assert_eq!(ordinal(&tokens(said), 0).map(|o| o.0), Some(expected), "{said}");
        }
    }
}
