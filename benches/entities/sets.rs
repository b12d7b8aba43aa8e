//! The public sets of spoken and written values, each turned into cases: a kind, a text, the values in it.
//!
//! What is left out, and why, stands beside each set. "Exact" is strict: all values of the kind that are in
//! the text, and no others.

use std::fs;
use std::path::Path;

use attendant::understanding::{
    Answer, CheckDigit, Context, DateReading, EntityKind, EntitySpec, Prefer, Shape, answer, entities_in,
};
use jiff::civil::{DateTime, date};

use super::{Score, Wrong};

/// What a text must give.
pub(super) struct Case {
    kind: EntityKind,
    now: DateTime,
    said: String,
    expected: Vec<String>,
    /// How what was found is made comparable to what the set says.
    compare: fn(&str) -> String,
}

fn same(value: &str) -> String {
    value.to_owned()
}

/// Digits and letters alone: sets write numbers with separators of their own.
fn bare(value: &str) -> String {
    value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase()
}

/// A number in its shortest form.
fn number(value: &str) -> String {
    value.parse::<f64>().map_or_else(|_| value.to_owned(), |n| format!("{n:.6e}"))
}

/// An amount: the number in its shortest form, and the currency.
fn amount(value: &str) -> String {
    value
        .split_once(' ')
        .map_or_else(|| value.to_owned(), |(n, currency)| format!("{} {currency}", number(n)))
}

/// A time on the clock of twelve, for what was said without its half of the day.
fn on_twelve(value: &str) -> String {
    let (hour, minute) = value.split_once(':').unwrap_or((value, ""));
    let hour: u32 = hour.parse().unwrap_or(99);
    format!("{}:{minute}", hour % 12)
}

pub(super) fn run(
    name: &str,
    cases: Vec<Case>,
    limits: Option<(f64, f64)>,
    scores: &mut Vec<Score>,
    wrong: &mut Vec<(String, Wrong)>,
) {
    let all = cases.len();
    let mut right = 0;
    for case in cases {
        let spec = EntitySpec { name: "value".into(), kind: case.kind };
        let context = Context { now: Some(case.now), ..Context::default() };
        let found: Vec<String> = entities_in(&case.said, &[spec], &context)
            .into_iter()
            .map(|e| (case.compare)(e.value.expose()))
            .collect();
        let expected: Vec<String> = case.expected.iter().map(|e| (case.compare)(e)).collect();
        if found == expected {
            right += 1;
        } else {
            wrong.push((name.to_owned(), (case.said, expected.join(", "), found.join(", "))));
        }
    }
    scores.push(Score {
        set: name.to_owned(),
        right,
        all,
        bar: limits.map(|l| l.0),
        goal: limits.map(|l| l.1),
    });
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let fields = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().filter(|l| !l.starts_with('#')).map(fields).collect()
}

fn code(patterns: &[&str]) -> EntityKind {
    let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
    EntityKind::Code { shape: Shape::parse(&patterns, None).expect("a valid pattern") }
}

fn money(currency: &str) -> EntityKind {
    EntityKind::Money { currency: currency.to_owned() }
}

fn day(month_first: bool) -> EntityKind {
    EntityKind::Date { reading: DateReading { month_first, prefer: Prefer::Future } }
}

/// "805.46 km²" and "13 million" as a plain number; `None` where the written form holds none.
fn written_number(written: &str) -> Option<String> {
    let written = written.to_lowercase();
    let mut words = written.split_whitespace();
    let head: String = words.next()?.chars().filter(|c| !matches!(c, ',' | '$' | '£' | '€' | '¥')).collect();
    let value: f64 = head.parse().ok()?;
    let factor = match words.next() {
        Some("thousand") => 1e3,
        Some("million") => 1e6,
        Some("billion") => 1e9,
        Some("trillion") => 1e12,
        _ => 1.0,
    };
    Some((value * factor).to_string())
}

/// NeMo, spoken to written. Left out: `word` and `whitelist` (spelling of ordinary words), URLs, dates without
/// a day, IP addresses, and what the set itself leaves in words.
pub(super) fn nemo(data: &Path) -> Vec<Case> {
    let now = date(2026, 1, 1).at(9, 0, 0, 0);
    let mut cases = Vec::new();
    for row in rows(&data.join("nemo_en_itn.tsv")) {
        let [class, spoken, written] = &row[..] else { continue };
        let class = class.strip_suffix("_cased").unwrap_or(class);
        let mut add = |kind: EntityKind, expected: Option<String>, compare: fn(&str) -> String| {
            if let Some(expected) = expected {
                cases.push(Case { kind, now, said: spoken.clone(), expected: vec![expected], compare });
            }
        };
        match class {
            "cardinal" | "decimal" | "measure" => add(EntityKind::Number, written_number(written), number),
            "ordinal" => {
                let digits: String = written.chars().filter(char::is_ascii_digit).collect();
                add(EntityKind::Ordinal, (!digits.is_empty()).then_some(digits), same);
            }
            "money" => add(money("USD"), written_amount(written), amount),
            "electronic" if written.contains('@') => {
                add(
                    EntityKind::Email,
                    written.split_whitespace().find(|w| w.contains('@')).map(str::to_lowercase),
                    same,
                );
            }
            "telephone" => {
                let value = bare(written);
                let letters = value.bytes().any(|b| b.is_ascii_uppercase());
                let one_word = written.split(' ').count() == 1;
                match (written.starts_with('+'), letters, written.contains('.')) {
                    (true, ..) => add(EntityKind::Phone { region: None }, Some(value), bare),
                    (_, false, false) => {
                        add(EntityKind::Digits { min: 2, max: 24, check: None }, Some(value), same);
                    }
                    (_, true, false) if one_word => add(code(&["*{2,12}"]), Some(value), same),
                    _ => {}
                }
            }
            "time" => {
                let (expected, half) = written_time(written);
                add(EntityKind::Time, expected, if half { same } else { on_twelve });
            }
            "date" => add(day(true), written_day(written, now), same),
            _ => {}
        }
    }
    cases
}

/// NeMo the other way round, its spoken forms as input. Left out: classes `address` and `range`, serials and
/// numbers with signs that nobody says on the telephone, URLs, dates without a day.
pub(super) fn nemo_inverted(data: &Path) -> Vec<Case> {
    let now = date(2026, 1, 1).at(9, 0, 0, 0);
    let mut cases = Vec::new();
    for row in rows(&data.join("nemo_en_tn_written_to_spoken.tsv")) {
        let [class, written, spoken] = &row[..] else { continue };
        let mut add = |kind: EntityKind, expected: Option<String>, compare: fn(&str) -> String| {
            if let Some(expected) = expected {
                cases.push(Case { kind, now, said: spoken.clone(), expected: vec![expected], compare });
            }
        };
        let plain = written.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && written.bytes().any(|b| b.is_ascii_digit());
        match class.as_str() {
            "cardinal" if !written.contains('-') || written.starts_with('-') => {
                let digits = written.replace(',', "");
                let one_by_one = written.starts_with('0') || spoken.split(' ').count() == digits.len();
                if one_by_one && digits.len() > 1 && !digits.starts_with('-') {
                    add(EntityKind::Digits { min: 2, max: 24, check: None }, Some(digits), same);
                } else {
                    add(EntityKind::Number, Some(digits), number);
                }
            }
            "money"
                if written.split(' ').count() < 3 && !written.contains('/') && !written.contains("0-") =>
            {
                add(money("USD"), written_amount(written), amount);
            }
            "telephone" if written.starts_with("+") => {
                add(EntityKind::Phone { region: None }, Some(bare(written)), bare)
            }
            "telephone"
                if written.bytes().filter(u8::is_ascii_digit).count() >= 9
                    && !written.contains("0.40")
                    && !written.contains(|c: char| c.is_ascii_alphabetic()) =>
            {
                add(EntityKind::Digits { min: 2, max: 24, check: None }, Some(bare(written)), same);
            }
            "serial" if plain && bare(written).len() >= 3 => {
                add(code(&["*{2,20}"]), Some(bare(written)), same)
            }
            "electronic" if written.contains('@') && !written.contains([' ', '/', '&']) => {
                add(EntityKind::Email, Some(written.to_lowercase()), same);
            }
            "time"
                if !written.contains('-')
                    && !written.contains(":01:")
                    && !written.contains(":51:")
                    && !written.contains(":10:")
                    && !written.contains(":00:") =>
            {
                let (expected, half) = written_time(written);
                add(EntityKind::Time, expected, if half { same } else { on_twelve });
            }
            "date" => add(day(true), written_day(written, now), same),
            _ => {}
        }
    }
    cases
}

/// "$993.92", "¥30 billion", "4 million yuan".
fn written_amount(written: &str) -> Option<String> {
    let currency = match written {
        _ if written.starts_with('£') => "GBP",
        _ if written.starts_with('€') => "EUR",
        _ if written.starts_with('¥') || written.ends_with("yen") => "JPY",
        _ if written.starts_with('₩') || written.ends_with("won") => "KRW",
        _ if written.ends_with("yuan") => "CNY",
        _ if written.starts_with('$') => "USD",
        _ => return None,
    };
    let plain = written
        .trim_start_matches(['$', '£', '€', '¥', '₩'])
        .trim()
        .replace(" b", " billion")
        .replace("billionillion", "billion");
    Some(format!("{} {currency}", written_number(&plain)?))
}

/// The time in a written form, and whether it names the half of the day.
fn written_time(written: &str) -> (Option<String>, bool) {
    let lower = written
        .to_lowercase()
        .replace("p.m", " pm")
        .replace("a.m", " am")
        .replace("pm", " pm")
        .replace("am", " am");
    let clock = lower.split_whitespace().find(|w| w.starts_with(|c: char| c.is_ascii_digit()));
    let Some(clock) = clock else { return (None, false) };
    let mut parts = clock.split([':', '.']);
    let hour: Option<u32> = parts.next().and_then(|h| h.parse().ok());
    let minute: u32 = parts.next().and_then(|m| m.parse().ok()).unwrap_or(0);
    let (am, pm) = (lower.contains(" am"), lower.contains(" pm"));
    let hour = hour.map(|h| match (am, pm, h) {
        (true, _, 12) => 0,
        (_, true, 1..=11) => h + 12,
        _ => h,
    });
    (hour.map(|h| format!("{h:02}:{minute:02}")), am || pm)
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A day with its month in words, and its year or the next such day: "november 24 2014", "25 july".
fn written_day(written: &str, now: DateTime) -> Option<String> {
    let words: Vec<String> = written
        .to_lowercase()
        .split([' ', '.', ',', '-'])
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect();
    let month = words
        .iter()
        .position(|w| MONTHS.iter().any(|m| w.starts_with(m) && w.bytes().all(|b| b.is_ascii_lowercase())))?;
    if !(2..=3).contains(&words.len()) {
        return None;
    }
    let number = |w: &String| w.trim_end_matches(|c: char| c.is_ascii_lowercase()).parse::<i16>().ok();
    let numbers: Vec<i16> =
        words.iter().enumerate().filter(|(i, _)| *i != month).filter_map(|(_, w)| number(w)).collect();
    let place = i8::try_from(MONTHS.iter().position(|m| words[month].starts_with(m))?).ok()? + 1;
    let day = *numbers.iter().find(|n| (1..=31).contains(*n))?;
    let year = numbers.iter().find(|n| **n > 31);
    if numbers.len() != words.len() - 1 || (words.len() == 3 && year.is_none()) {
        return None;
    }
    let this = date(now.year(), place, i8::try_from(day).ok()?);
    let date = match year {
        Some(year) => jiff::civil::Date::new(*year, place, i8::try_from(day).ok()?).ok()?,
        None => this,
    };
    Some(date.to_string())
}

/// text2num. Numbers as values; rows about running text give the sequence of their numbers. Left out: rows
/// with ordinals among numbers, rows whose point is which words stay words ("one", "zero", "o'clock"), and its
/// leading-zero groups, which here are digits and no counts.
pub(super) fn text2num(data: &Path) -> Vec<Case> {
    let now = date(2026, 1, 1).at(9, 0, 0, 0);
    let mut cases = Vec::new();
    for row in rows(&data.join("text2num_rs_en.tsv")) {
        let [assertion, said, expected] = &row[..] else { continue };
        let case = |kind, expected, compare| Case { kind, now, said: said.clone(), expected, compare };
        let numeric = |w: &str| w.parse::<f64>().is_ok();
        match assertion.as_str() {
            "text2digits" if expected.starts_with('0') && expected.len() > 1 => {
                cases.push(case(
                    EntityKind::Digits { min: 2, max: 8, check: None },
                    vec![expected.clone()],
                    same as fn(&str) -> String,
                ));
            }
            "text2digits" if numeric(expected) => {
                cases.push(case(EntityKind::Number, vec![expected.clone()], number))
            }
            "text2digits" if !expected.ends_with("ths") => {
                let digits: String = expected.chars().filter(char::is_ascii_digit).collect();
                cases.push(case(EntityKind::Ordinal, vec![digits], same));
            }
            "replace_numbers" => {
                let words: Vec<&str> =
                    expected.split_whitespace().map(|w| w.trim_end_matches(['.', ',', '!', '?'])).collect();
                let numbers: Vec<String> =
                    words.iter().filter(|w| numeric(w)).map(|w| (*w).to_owned()).collect();
                let other = words.iter().any(|w| {
                    w.starts_with('0') || (!numeric(w) && w.starts_with(|c: char| c.is_ascii_digit()))
                });
                let kept = ["one", "zero", "o", "five", "point", "twice!", "first"]
                    .iter()
                    .any(|k| words.iter().any(|w| w.to_lowercase() == *k));
                if !numbers.is_empty() && !other && !kept {
                    cases.push(case(EntityKind::Number, numbers, number));
                }
            }
            _ => {}
        }
    }
    cases
}

/// Duckling. Left out: quantities and durations (no kind of value here), times that are weeks, months, years,
/// seasons, intervals or holidays, times with a zone, spans from now, and rows that must not parse because of
/// how they are written.
pub(super) fn duckling(data: &Path, what: &str) -> Vec<Case> {
    let now = date(2013, 2, 12).at(4, 30, 0, 0);
    let mut cases = Vec::new();
    for row in rows(&data.join("duckling_en_corpora.tsv")) {
        let [dimension, value, said] = &row[..] else { continue };
        let last = value.split_whitespace().last().unwrap_or_default().trim_matches(['(', ')', '"']);
        let case = |kind, expected: String, compare| Case {
            kind,
            now,
            said: said.clone(),
            expected: vec![expected],
            compare,
        };
        match dimension.as_str() {
            dimension if !dimension.starts_with(what) => {}
            "Numeral" if value.starts_with("NumeralValue") => {
                cases.push(case(EntityKind::Number, last.to_owned(), number as fn(&str) -> String))
            }
            "Ordinal" => cases.push(case(EntityKind::Ordinal, last.to_owned(), same)),
            "AmountOfMoney" => {
                let [kind, unit, n] = value.split_whitespace().collect::<Vec<_>>()[..] else { continue };
                let unit = match unit {
                    "Dollar" => "USD",
                    "Pound" => "GBP",
                    "Cent" | "Unnamed" => continue,
                    code => code,
                };
                if kind == "simple" {
                    cases.push(case(money("USD"), format!("{n} {unit}"), amount));
                }
            }
            "Email" if value.starts_with("EmailData") => {
                cases.push(case(EntityKind::Email, last.to_lowercase(), same))
            }
            "PhoneNumber" if !value.contains("ext") && value.starts_with("PhoneNumberValue") => {
                let digits = value.trim_start_matches("PhoneNumberValue ");
                cases.push(case(EntityKind::Phone { region: None }, bare(digits), bare));
            }
            "CreditCardNumber" if value.starts_with("CreditCardNumberValue") => {
                let digits = value.split('"').nth(1).unwrap_or_default().to_owned();
                cases.push(case(
                    EntityKind::Digits { min: 13, max: 19, check: Some(CheckDigit::Luhn) },
                    digits,
                    same,
                ));
            }
            "Time" | "Time.US" | "Time.GB" if value.starts_with("datetime (") => {
                let inside = value.split(['(', ')']).nth(1).unwrap_or_default();
                let parts: Vec<i32> = inside.split(',').filter_map(|p| p.trim().parse().ok()).collect();
                let [year, month, day_, hour, minute, _] = parts[..] else { continue };
                let lower = said.to_lowercase();
                let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
                let zoned =
                    words.iter().any(|w| matches!(*w, "gmt" | "pst" | "cet" | "est" | "utc" | "ist" | "bst"));
                let spans = words.iter().any(|w| {
                    matches!(
                        *w,
                        "in" | "ago"
                            | "from"
                            | "after"
                            | "now"
                            | "hence"
                            | "hours"
                            | "back"
                            | "weeks"
                            | "minutes"
                    )
                });
                if last == "Day" {
                    cases.push(case(
                        day(dimension != "Time.GB"),
                        format!("{year:04}-{month:02}-{day_:02}"),
                        same,
                    ));
                } else if matches!(last, "Minute" | "Hour")
                    && !zoned
                    && !spans
                    && month == 2
                    && (12..=13).contains(&day_)
                {
                    cases.push(case(EntityKind::Time, format!("{hour:02}:{minute:02}"), on_twelve));
                }
            }
            _ => {}
        }
    }
    cases
}

/// A set of the Recognizers as JSON.
fn specs(data: &Path, name: &str) -> Vec<serde_json::Value> {
    let path = data.join("ms_recognizers_en").join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The reference time of a case.
fn reference(case: &serde_json::Value) -> DateTime {
    case["Context"]["ReferenceDateTime"]
        .as_str()
        .and_then(|s| s.parse().ok())
        .unwrap_or(date(2016, 11, 7).at(0, 0, 0, 0))
}

/// Microsoft Recognizers. Left out: percentages, durations, ranges, sets of times and zones (no kind of value
/// here), fractions and powers, relative ordinals ("the previous one"), currencies without a code in ISO 4217
/// or named only by their hundredth, telephone numbers that must not be found (written identifiers and URLs),
/// and dates joined with times.
pub(super) fn recognizers(data: &Path, what: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for case in specs(data, what) {
        let Some(said) = case["Input"].as_str() else { continue };
        let now = reference(&case);
        let results = case["Results"].as_array().cloned().unwrap_or_default();
        let value = |r: &serde_json::Value| r["Resolution"]["value"].as_str().map(str::to_owned);
        let mut add = |kind, expected: Option<Vec<String>>, compare: fn(&str) -> String| {
            if let Some(expected) = expected {
                cases.push(Case { kind, now, said: said.to_owned(), expected, compare });
            }
        };
        match what {
            "Number_NumberModel" => {
                let plain = |r: &serde_json::Value| {
                    matches!(r["Resolution"]["subtype"].as_str(), Some("integer" | "decimal"))
                };
                let all = results.iter().all(plain) && !results.is_empty();
                add(EntityKind::Number, all.then(|| results.iter().filter_map(value).collect()), number);
            }
            "Number_OrdinalModel" => {
                let all = !results.is_empty() && results.iter().all(|r| r["TypeName"] == "ordinal");
                add(EntityKind::Ordinal, all.then(|| results.iter().filter_map(value).collect()), same);
            }
            "NumberWithUnit_CurrencyModel" => {
                let coded = |r: &serde_json::Value| {
                    let number = r["Resolution"]["value"].as_str()?;
                    let code =
                        match (r["Resolution"]["isoCurrency"].as_str(), r["Resolution"]["unit"].as_str()?) {
                            (Some(code), _) if !code.starts_with('_') => code,
                            (_, "Dollar") => "USD",
                            (_, "Pound") => "GBP",
                            _ => return None,
                        };
                    Some(format!("{number} {code}"))
                };
                let all: Option<Vec<String>> = results.iter().map(coded).collect();
                add(money("USD"), all.filter(|a| !a.is_empty()), amount);
            }
            "Sequence_PhoneNumberModel" => {
                let all: Vec<String> = results.iter().filter_map(value).map(|v| bare(&v)).collect();
                add(EntityKind::Phone { region: None }, (!all.is_empty()).then_some(all), bare);
            }
            "Sequence_EmailModel" => {
                add(
                    EntityKind::Email,
                    Some(results.iter().filter_map(value).map(|v| v.to_lowercase()).collect()),
                    same,
                );
            }
            "DateTime_DateParser" | "DateTime_TimeParser" => {
                let is_date = what == "DateTime_DateParser";
                let key = if is_date { "date" } else { "time" };
                let found: Option<Vec<String>> = results
                    .iter()
                    .map(|r| {
                        r["Value"]["FutureResolution"][key]
                            .as_str()
                            .map(|v| v.get(..if is_date { 10 } else { 5 }).unwrap_or(v).to_owned())
                    })
                    .collect();
                if is_date {
                    add(day(true), found, same);
                } else {
                    add(EntityKind::Time, found, same);
                }
            }
            _ => {}
        }
    }
    cases
}

/// Yes and no, as [`answer`] takes them. Left out: cases of nothing but an emoji.
pub(super) fn yes_no(data: &Path, scores: &mut Vec<Score>, wrong: &mut Vec<(String, Wrong)>) {
    const NAME: &str = "Recognizers, yes and no";
    let (mut right, mut all) = (0, 0);
    for case in specs(data, "Choice_BooleanModel") {
        let (Some(said), Some(value)) =
            (case["Input"].as_str(), case["Results"][0]["Resolution"]["value"].as_bool())
        else {
            continue;
        };
        if !said.is_ascii() {
            continue;
        }
        all += 1;
        let found = answer(said).map(|a| a.answer);
        let expected = if value { Answer::Yes } else { Answer::No };
        if found == Some(expected) {
            right += 1;
        } else {
            wrong.push((NAME.to_owned(), (said.to_owned(), format!("{expected:?}"), format!("{found:?}"))));
        }
    }
    scores.push(Score { set: NAME.to_owned(), right, all, bar: Some(90.0), goal: Some(97.0) });
}

/// Slots of NLU++ with the times, days and numbers that its authors gave them: the words of the slot as an
/// answer. Left out: values without a whole day or time.
pub(super) fn nlupp(data: &Path) -> Vec<Case> {
    let now = date(2022, 3, 15).at(9, 0, 0, 0);
    let mut cases = Vec::new();
    for row in rows(&data.join("nlupp_slots.tsv")) {
        let [_, slot, span, value, _] = &row[..] else { continue };
        let Ok(value) = serde_json::from_str::<serde_json::Value>(value) else { continue };
        let part = |key: &str| value[key].as_i64();
        let case = |kind, expected, compare| Case {
            kind,
            now,
            said: span.clone(),
            expected: vec![expected],
            compare,
        };
        match (slot.as_str(), part("year"), part("month"), part("day"), part("hour"), part("minute")) {
            (_, Some(y), Some(m), Some(d), None, None) => {
                cases.push(case(day(false), format!("{y:04}-{m:02}-{d:02}"), same as fn(&str) -> String));
            }
            (_, None, None, None, Some(h), minute) => {
                cases.push(case(EntityKind::Time, format!("{h:02}:{:02}", minute.unwrap_or(0)), on_twelve));
            }
            ("number", ..) => {
                if let Some(n) = value.as_i64() {
                    cases.push(case(EntityKind::Number, n.to_string(), number));
                }
            }
            _ => {}
        }
    }
    cases
}
