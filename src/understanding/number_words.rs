//! Whole numbers as words: what the line says, and what the tests of the reading side have said to them.
//!
//! The saying side knows nothing of the reading side's tables, so that each can show the other's mistakes.

/// The words below twenty, each at its number's place.
pub const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];

/// The tens; the first two have no word of their own.
pub const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

const ORDINALS: [&str; 20] = [
    "",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];

fn index(n: u64) -> usize {
    usize::try_from(n).expect("a table's index is below a hundred")
}

/// A number below a hundred: "forty five".
///
/// # Panics
///
/// From a hundred on.
pub fn below_hundred(n: u64) -> String {
    match n {
        0..20 => UNITS[index(n)].to_owned(),
        _ if n.is_multiple_of(10) => TENS[index(n / 10)].to_owned(),
        _ => format!("{} {}", TENS[index(n / 10)], UNITS[index(n % 10)]),
    }
}

fn below_thousand(n: u64, and: &str) -> String {
    match (n / 100, n % 100) {
        (0, low) => below_hundred(low),
        (hundreds, 0) => format!("{} hundred", UNITS[index(hundreds)]),
        (hundreds, low) => format!("{} hundred {and}{}", UNITS[index(hundreds)], below_hundred(low)),
    }
}

/// A cardinal: "one thousand two hundred and five". `and` stands before the last two digits: "and " as the
/// British say it, or nothing.
pub fn cardinal(n: u64, and: &str) -> String {
    let mut parts = Vec::new();
    let mut rest = n;
    for (scale, name) in [(1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand")] {
        if rest >= scale {
            parts.push(format!("{} {name}", cardinal(rest / scale, and)));
            rest %= scale;
        }
    }
    if rest > 0 || n == 0 {
        // "A thousand and five", never "a thousand five hundred and".
        let joint = if rest < 100 && !parts.is_empty() { and } else { "" };
        parts.push(format!("{joint}{}", below_thousand(rest, and)));
    }
    parts.join(" ")
}

/// An ordinal: "twenty first", "one hundred and fifth".
pub fn ordinal(n: u64) -> String {
    let (head, low) = (n - n % 100, n % 100);
    let last = match low {
        0 => return format!("{}th", cardinal(n, "")),
        1..20 => ORDINALS[index(low)].to_owned(),
        _ if low.is_multiple_of(10) => TENS[index(low / 10)].replace("ty", "tieth"),
        _ => format!("{} {}", TENS[index(low / 10)], ORDINALS[index(low % 10)]),
    };
    if head == 0 { last } else { format!("{} and {last}", cardinal(head, "")) }
}
