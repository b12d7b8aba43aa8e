//! Amounts: "twelve pounds fifty", "a fiver", "$1,234.56", "nineteen ninety nine".

use super::cardinal::{Decimal, below_hundred, factor, full_cardinal as cardinal};
use super::tokens::{Token, text};
use super::{Said, scan};

/// What a word or sign says about a currency.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// This one.
    Major(&'static str),
    /// Dollars of whichever country.
    Dollar,
    /// Hundredths of this one.
    Minor(&'static str),
    /// Cents of whichever.
    Cent,
}

/// Currencies whose unit is called a dollar, and whose hundredth a cent.
const DOLLARS: [&str; 6] = ["USD", "CAD", "AUD", "NZD", "SGD", "HKD"];
/// Currencies without hundredths (ISO 4217, column "minor unit").
const WHOLE: [&str; 5] = ["JPY", "KRW", "VND", "CLP", "ISK"];
/// Currencies that are named by their code.
const CODES: [&str; 34] = [
    "usd", "eur", "gbp", "jpy", "chf", "cad", "aud", "nzd", "sek", "nok", "dkk", "pln", "czk", "huf", "inr",
    "cny", "krw", "sgd", "hkd", "zar", "brl", "mxn", "try", "ils", "aed", "sar", "kwd", "myr", "thb", "egp",
    "qar", "bgn", "uah", "lbp",
];

fn unit(tokens: &[Token], at: usize) -> Option<(Unit, usize)> {
    let word = text(tokens, at);
    let two = |second: &str| text(tokens, at + 1) == second;
    let nation = |code, words| Some((Unit::Major(code), at + words));
    // A country before its currency.
    match word {
        "c" if text(tokens, at + 1) != "$" => {}
        "us" | "american" | "canadian" | "australian" | "hong" | "hk" | "c" | "united" | "singapore"
        | "swiss" | "british" | "japanese" | "indian" | "chinese" | "turkish" | "malaysian" | "malaysia"
        | "kuwaiti" | "qatari" | "saudi" | "egyptian" | "lebanese" | "mexican" | "brazilian" => {
            let after = if matches!(word, "hong" | "united") { at + 2 } else { at + 1 };
            let sign = text(tokens, after);
            let dollars = matches!(sign, "dollar" | "dollars" | "$" | "buck" | "bucks");
            let code = match (word, dollars) {
                ("us" | "american" | "united", true) => "USD",
                ("canadian" | "c", true) => "CAD",
                ("australian", true) => "AUD",
                ("hong" | "hk", true) => "HKD",
                ("singapore", true) => "SGD",
                ("swiss", false) if sign.starts_with("franc") => "CHF",
                ("british", false) if sign.starts_with("pound") => "GBP",
                ("japanese", false) if sign == "yen" => "JPY",
                ("indian", false) if sign.starts_with("rupee") => "INR",
                ("chinese", false) if sign == "yuan" => "CNY",
                ("turkish", false) if sign.starts_with("lira") => "TRY",
                ("malaysian" | "malaysia", false) if sign.starts_with("ringgit") => "MYR",
                ("kuwaiti", false) if sign.starts_with("dinar") => "KWD",
                ("qatari", false) if sign.starts_with("riyal") => "QAR",
                ("saudi", false) if sign.starts_with("riyal") => "SAR",
                ("egyptian" | "lebanese", false) if sign.starts_with("pound") => {
                    if word == "egyptian" {
                        "EGP"
                    } else {
                        "LBP"
                    }
                }
                ("mexican", false) if sign.starts_with("peso") => "MXN",
                ("brazilian", false) if matches!(sign, "real" | "reais") => "BRL",
                _ => return None,
            };
            return nation(code, after + 1 - at);
        }
        _ => {}
    }
    let found = match word {
        "pound" | "pounds" if two("sterling") => return nation("GBP", 2),
        "pound" | "pounds" | "quid" | "sterling" | "£" => Unit::Major("GBP"),
        "dollar" | "dollars" | "buck" | "bucks" | "$" => Unit::Dollar,
        "euro" | "euros" | "€" => Unit::Major("EUR"),
        "yen" | "¥" => Unit::Major("JPY"),
        "yuan" | "renminbi" | "rmb" => Unit::Major("CNY"),
        "rupee" | "rupees" | "₹" | "rs" => Unit::Major("INR"),
        "won" if at > 0 && cardinal(tokens, at - 1).is_some() => Unit::Major("KRW"),
        "₩" => Unit::Major("KRW"),
        "franc" | "francs" => Unit::Major("CHF"),
        "shekel" | "shekels" | "₪" => Unit::Major("ILS"),
        "zloty" | "zlotys" => Unit::Major("PLN"),
        "rand" => Unit::Major("ZAR"),
        "dirham" | "dirhams" => Unit::Major("AED"),
        "riyal" | "riyals" => Unit::Major("SAR"),
        "dinar" | "dinars" => Unit::Major("KWD"),
        "ringgit" | "ringgits" | "rm" => Unit::Major("MYR"),
        "lira" | "liras" => Unit::Major("TRY"),
        "pence" | "penny" | "pennies" | "p" => Unit::Minor("GBP"),
        "paise" | "paisa" => Unit::Minor("INR"),
        "cent" | "cents" | "c" | "¢" => Unit::Cent,
        _ => {
            let code = CODES.iter().position(|c| *c == word)?;
            // "AUD$ 15".
            return nation(
                ISO[code],
                1 + usize::from(tokens.get(at + 1).is_some_and(|t| t.glued && t.is("$"))),
            );
        }
    };
    Some((found, at + 1))
}

/// [`CODES`] as they are written.
const ISO: [&str; 34] = [
    "USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "INR",
    "CNY", "KRW", "SGD", "HKD", "ZAR", "BRL", "MXN", "TRY", "ILS", "AED", "SAR", "KWD", "MYR", "THB", "EGP",
    "QAR", "BGN", "UAH", "LBP",
];

/// How sure an amount is that names no currency.
const BARE: f32 = 0.8;

/// Amounts; those that name no currency, or only "dollars", are of `currency`.
pub(crate) fn money(text: &str, currency: &str) -> Vec<Said> {
    let mut found = scan(text, |tokens, at| amount(tokens, at, currency));
    // Beside an amount that names its currency, other numbers are none.
    if found.iter().any(|f| f.confidence > BARE) {
        found.retain(|f| f.confidence > BARE);
    }
    found
}

fn amount(tokens: &[Token], at: usize, currency: &str) -> Option<(String, usize, f32)> {
    if let Some((note, next)) = note(tokens, at) {
        return Some((write(Decimal::whole(note), "GBP"), next, 1.0));
    }
    // "$1,234.56", "EUR 20".
    if let Some((unit, from)) = unit(tokens, at).filter(|(u, _)| matches!(u, Unit::Major(_) | Unit::Dollar))
        && let Some((number, next)) = cardinal(tokens, from)
    {
        // "$20 and 43c".
        let (number, next) = with_hundredths(tokens, number, next);
        return Some((write(number, code(unit, currency)), next, 1.0));
    }
    let (mut number, mut next) = match text(tokens, at) {
        "a" | "an" if cardinal(tokens, at).is_none() => {
            // "A $5 note" is no dollar.
            let (_, after) = unit(tokens, at + 1).filter(|_| text(tokens, at + 1) != "p")?;
            if tokens.get(after).is_some_and(|t| t.is_number() || t.is("$")) {
                return None;
            }
            (Decimal::whole(1), at + 1)
        }
        _ => cardinal(tokens, at)?,
    };
    let mut groups = 1;
    // "Three forty five sixty": groups of two digits behind the first.
    let mut hundredths = None;
    while let Some((group, after)) = two_digits(tokens, next) {
        if groups == 3 || unit_is_minor(tokens, after) {
            break;
        }
        if let Some(before) = hundredths.replace(group) {
            let head = number.to_whole().filter(|n| (1..10).contains(n))?;
            number = Decimal::whole(head * 100 + before);
        }
        groups += 1;
        next = after;
    }
    let with_cents =
        |number: Decimal| hundredths.map_or(Some(number), |c| number.plus(Decimal::hundredths(c)));
    match unit(tokens, next) {
        Some((Unit::Minor(_) | Unit::Cent, after)) => {
            let (unit, _) = unit(tokens, next)?;
            let cents = with_cents(number)?.to_whole()?;
            Some((write(Decimal::hundredths(cents), code(unit, currency)), after, 1.0))
        }
        Some((found, after)) => {
            // "Twelve fifty pounds" are 1250, "twelve pounds fifty" 12.50.
            let number = match hundredths {
                Some(low) if groups == 2 => Decimal::whole(number.to_whole()? * 100 + low),
                Some(_) | None => with_cents(number)?,
            };
            // "75 USD million".
            let (number, after) = match factor(text(tokens, after)) {
                Some(factor) => (number.times(factor)?, after + 1),
                None => (number, after),
            };
            let (number, next) = with_hundredths(tokens, number, after);
            let next = next + usize::from(text(tokens, next) == "even");
            Some((write(number, code(found, currency)), next, 1.0))
        }
        None => Some((write(with_cents(number)?, currency), next, BARE)),
    }
}

fn unit_is_minor(tokens: &[Token], at: usize) -> bool {
    matches!(unit(tokens, at), Some((Unit::Minor(_) | Unit::Cent, _)))
}

/// "[and] fifty [pence]" behind whole units.
fn with_hundredths(tokens: &[Token], number: Decimal, at: usize) -> (Decimal, usize) {
    let from = at + usize::from(text(tokens, at) == "and");
    let said = two_digits(tokens, from)
        .or_else(|| cardinal(tokens, from).and_then(|(n, next)| Some((n.to_whole()?, next))));
    let Some((hundredths, after)) = said.filter(|(n, _)| (0..100).contains(n)) else { return (number, at) };
    // "Five pounds, two shirts": a single digit counts only where its unit is said, or after "and".
    let minor = unit_is_minor(tokens, after);
    let glued_to_other = !minor && (hundredths < 10 && text(tokens, from) != "oh" && from == at);
    let again = !minor && unit(tokens, after).is_some();
    if glued_to_other || again || number.to_whole().is_none() {
        return (number, at);
    }
    let sum = number.plus(Decimal::hundredths(hundredths)).unwrap_or(number);
    (sum, after + usize::from(minor))
}

/// 10 to 99, or "oh five", in words or two figures, alone.
fn two_digits(tokens: &[Token], at: usize) -> Option<(i128, usize)> {
    let (group, next) = if matches!(text(tokens, at), "oh" | "o" | "zero") {
        let (n, next) = below_hundred(tokens, at + 1)?;
        (n, next)
    } else if tokens.get(at)?.is_number() {
        (tokens[at].text.parse().ok().filter(|_| tokens[at].text.len() == 2)?, at + 1)
    } else {
        below_hundred(tokens, at).filter(|(n, _)| *n >= 10)?
    };
    // "One twenty thousand" is something else.
    let more = matches!(text(tokens, next), "hundred" | "thousand" | "million" | "billion" | "point");
    (!more).then_some((group, next))
}

/// British notes have names.
fn note(tokens: &[Token], at: usize) -> Option<(i128, usize)> {
    let (count, at) = match text(tokens, at) {
        "a" => (1, at + 1),
        _ => match cardinal(tokens, at) {
            Some((n, next)) => (n.to_whole()?, next),
            None => return None,
        },
    };
    match text(tokens, at) {
        "fiver" | "fivers" => Some((5 * count, at + 1)),
        "tenner" | "tenners" => Some((10 * count, at + 1)),
        "grand" => Some((1000 * count, at + 1)).filter(|_| count == 1),
        _ => None,
    }
}

fn code(unit: Unit, currency: &str) -> &str {
    match unit {
        Unit::Major(code) | Unit::Minor(code) => code,
        Unit::Dollar if DOLLARS.contains(&currency) => currency,
        Unit::Dollar => "USD",
        Unit::Cent if DOLLARS.contains(&currency) || currency == "EUR" => currency,
        Unit::Cent => "USD",
    }
}

fn write(number: Decimal, currency: &str) -> String {
    let places = if WHOLE.contains(&currency) { 0 } else { 2 };
    format!("{} {currency}", number.with_places(places))
}
