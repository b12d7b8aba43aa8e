//! How values are said: the filters of prompts' templates.

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind};

use crate::understanding::number_words::{UNITS, cardinal, ordinal};

/// The filters that a template may use beside the template engine's own.
pub(super) const FILTERS: &[&str] =
    &["digits", "last_two", "last_four", "spell", "date", "time", "money", "number", "plural", "said_list"];

pub(super) fn add_filters(env: &mut Environment<'static>) {
    env.add_filter("digits", |s: String| spoken_digits(&s));
    env.add_filter("last_two", |s: String| spoken_digits(&tail(&s, 2)));
    env.add_filter("last_four", |s: String| spoken_digits(&tail(&s, 4)));
    env.add_filter("spell", |s: String| spelled(&s));
    env.add_filter("date", |s: String| spoken_date(&s));
    env.add_filter("time", |s: String| spoken_time(&s));
    env.add_filter("money", |s: String, currency: Option<String>| money(&s, currency.as_deref()));
    env.add_filter("number", |s: String| s.trim().parse().map_or(s, spoken_number));
    env.add_filter("plural", plural);
    env.add_filter("said_list", said_list);
}

fn refuse(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.into())
}

/// Digits in groups of two (three where the count is odd and divides by three), with a comma's pause
/// between groups: "four five, one two, eight eight".
pub fn spoken_digits(number: &str) -> String {
    let words: Vec<&str> = number.chars().filter_map(|c| c.to_digit(10)).map(|d| UNITS[d as usize]).collect();
    let group = if !words.len().is_multiple_of(2) && words.len().is_multiple_of(3) { 3 } else { 2 };
    words.chunks(group).map(|g| g.join(" ")).collect::<Vec<_>>().join(", ")
}

fn tail(s: &str, n: usize) -> String {
    let count = s.chars().count();
    s.chars().skip(count.saturating_sub(n)).collect()
}

/// The ICAO's spelling alphabet (Annex 10, volume II, 5.2.1.3), spelled as its letters are read.
const ALPHABET: [&str; 26] = [
    "Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliet", "Kilo",
    "Lima", "Mike", "November", "Oscar", "Papa", "Quebec", "Romeo", "Sierra", "Tango", "Uniform", "Victor",
    "Whiskey", "X-ray", "Yankee", "Zulu",
];

/// Letters and digits one by one: "B as in Bravo, seven".
pub fn spelled(code: &str) -> String {
    let mut said = Vec::new();
    for c in code.chars() {
        match (c.to_digit(10), c.to_ascii_uppercase()) {
            (Some(digit), _) => said.push(UNITS[digit as usize].to_owned()),
            (None, letter @ 'A'..='Z') => {
                said.push(format!("{letter} as in {}", ALPHABET[usize::from(letter as u8 - b'A')]));
            }
            (None, _) => {}
        }
    }
    said.join(", ")
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// An ISO 8601 date as "the third of May"; anything else unchanged.
pub fn spoken_date(date: &str) -> String {
    let day = date.split(['T', ' ']).next().unwrap_or(date);
    let mut parts = day.split('-').skip(1).map(|p| p.parse::<u8>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(month @ 1..=12), Some(day @ 1..=31)) => {
            format!("the {} of {}", ordinal(day.into()), MONTHS[usize::from(month) - 1])
        }
        _ => date.to_owned(),
    }
}

/// A time of day, `HH:MM`, as "half past nine" is not: "nine thirty a m"; anything else unchanged.
pub fn spoken_time(time: &str) -> String {
    let clock = time.rsplit(['T', ' ']).next().unwrap_or(time);
    let mut parts = clock.split(':').map(|p| p.parse::<i64>().ok());
    let (Some(hour @ 0..=23), Some(minute @ 0..=59)) = (parts.next().flatten(), parts.next().flatten())
    else {
        return time.to_owned();
    };
    let half = if hour < 12 { "a m" } else { "p m" };
    match (hour, minute) {
        (0, 0) => "midnight".to_owned(),
        (12, 0) => "noon".to_owned(),
        (_, 0) => format!("{} {half}", spoken_number((hour + 11) % 12 + 1)),
        (_, 1..=9) => format!("{} oh {} {half}", spoken_number((hour + 11) % 12 + 1), spoken_number(minute)),
        _ => format!("{} {} {half}", spoken_number((hour + 11) % 12 + 1), spoken_number(minute)),
    }
}

/// A whole number in words: "one thousand two hundred and five".
pub fn spoken_number(n: i64) -> String {
    let said = cardinal(n.unsigned_abs(), "and ");
    if n < 0 { format!("minus {said}") } else { said }
}

/// Currencies by ISO 4217 code: the unit in singular and plural, and its hundredth.
const CURRENCIES: &[(&str, [&str; 4])] = &[
    ("USD", ["dollar", "dollars", "cent", "cents"]),
    ("EUR", ["euro", "euros", "cent", "cents"]),
    ("GBP", ["pound", "pounds", "penny", "pence"]),
    ("CAD", ["dollar", "dollars", "cent", "cents"]),
    ("AUD", ["dollar", "dollars", "cent", "cents"]),
];

/// An amount as people say it: `12.50` is "twelve dollars and fifty cents". The currency is an ISO 4217
/// code, `USD` where none is given.
fn money(amount: &str, currency: Option<&str>) -> Result<String, Error> {
    let code = currency.unwrap_or("USD");
    let Some((_, [unit, units, part, parts])) = CURRENCIES.iter().find(|(c, _)| *c == code) else {
        let known: Vec<&str> = CURRENCIES.iter().map(|(c, _)| *c).collect();
        return Err(refuse(format!("money: no currency '{code}': expected one of {}", known.join(", "))));
    };
    let (negative, digits) = match amount.trim().strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, amount.trim()),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let hundredths = format!("{fraction:0<2}");
    let read = (whole.parse::<i64>(), hundredths.get(..2).map(str::parse::<i64>));
    let (Ok(whole), Some(Ok(hundredths))) = read else { return Ok(amount.to_owned()) };
    let unit = format!("{} {}", spoken_number(whole), if whole == 1 { unit } else { units });
    let part = format!("{} {}", spoken_number(hundredths), if hundredths == 1 { part } else { parts });
    let said = match (whole, hundredths) {
        (_, 0) => unit,
        (0, _) => part,
        _ => format!("{unit} and {part}"),
    };
    Ok(if negative { format!("minus {said}") } else { said })
}

/// "one order", "two orders": the number and the word in the right form.
fn plural(count: &Value, one: String, many: Option<String>) -> Result<String, Error> {
    let n = match count.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => i64::try_from(count.clone()).ok(),
    };
    let n = n.ok_or_else(|| refuse("plural: expected a whole number"))?;
    let word = if n == 1 { one } else { many.unwrap_or_else(|| format!("{one}s")) };
    Ok(format!("{} {word}", spoken_number(n)))
}

/// "a, b and c", of a list, or of a text with `;` between its parts.
fn said_list(list: &Value, word: Option<String>) -> Result<String, Error> {
    let word = word.unwrap_or_else(|| "and".to_owned());
    let parts: Vec<String> = match list.as_str() {
        Some(text) => text.split(';').map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).collect(),
        None => list.try_iter()?.map(|v| v.to_string()).collect(),
    };
    Ok(match parts.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} {word} {last}", before.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use minijinja::context;
    use proptest::prelude::*;

    use super::*;

    fn render(template: &str) -> Result<String, String> {
        let mut env = Environment::new();
        add_filters(&mut env);
        let values = context! { rows => [context! { item => "a lamp" }, context! { item => "a chair" }] };
        env.render_str(template, values).map_err(|e| e.to_string())
    }

    #[track_caller]
    fn check(template: &str, said: &str) {
        assert_eq!(render(template).as_deref(), Ok(said), "{template}");
    }

    #[test]
    fn digits_are_said_in_groups() {
        assert_eq!(spoken_digits("451288"), "four five, one two, eight eight");
        assert_eq!(spoken_digits("123"), "one two three");
        assert_eq!(spoken_digits("5"), "five");
        assert_eq!(spoken_digits(""), "");
        check("{{ '451288' | last_four }}", "one two, eight eight");
        check("{{ 'B7x' | spell }}", "B as in Bravo, seven, X as in X-ray");
    }

    #[test]
    fn dates_and_times_are_said_as_people_say_them() {
        assert_eq!(spoken_date("2026-05-03"), "the third of May");
        assert_eq!(spoken_date("2026-05-31T09:30"), "the thirty first of May");
        assert_eq!(spoken_date("2026-13-03"), "2026-13-03");
        assert_eq!(spoken_date("tomorrow"), "tomorrow");
        check("{{ '2026-05-31T09:30' | time }}", "nine thirty a m");
        check(
            "{{ '00:05' | time }}, {{ '12:00' | time }}, {{ '23:00' | time }}",
            "twelve oh five a m, noon, eleven p m",
        );
        check("{{ 'soon' | time }}", "soon");
    }

    #[test]
    fn money_and_numbers() {
        check("{{ '12.5' | money }}", "twelve dollars and fifty cents");
        check("{{ '1.01' | money('GBP') }}", "one pound and one penny");
        check("{{ '0.99' | money('EUR') }}", "ninety nine cents");
        check("{{ '-3' | money }}", "minus three dollars");
        check("{{ 'free' | money }}", "free");
        assert!(render("{{ '1' | money('XYZ') }}").is_err_and(|e| e.contains("expected one of USD")));
        check("{{ '1205' | number }}", "one thousand two hundred and five");
        check("{{ '2000013' | number }}", "two million and thirteen");
    }

    #[test]
    fn plurals_and_lists() {
        check("{{ '1' | plural('order') }}, {{ 3 | plural('box', 'boxes') }}", "one order, three boxes");
        assert!(render("{{ 'many' | plural('order') }}").is_err());
        check("{{ rows | map(attribute='item') | said_list }}", "a lamp and a chair");
        check("{{ 'a; b ;c' | said_list('or') }}", "a, b or c");
        check("{{ '' | said_list }}", "");
    }

    proptest! {
        #[test]
        fn any_value_is_said_or_refused(text in "\\PC{0,20}", n in any::<i64>()) {
            let _ = (spoken_digits(&text), spelled(&text), spoken_date(&text), spoken_time(&text));
            let _ = money(&text, None);
            prop_assert!(!spoken_number(n).contains("  "));
        }

        #[test]
        fn a_number_in_words_is_read_back(n in 0i64..1_000_000) {
            let words = spoken_number(n);
            let found = crate::understanding::digits(&words);
            if n < 100 {
                prop_assert!(found[0].readings().any(|(r, _)| r == n.to_string()), "{words}");
            }
        }
    }
}
