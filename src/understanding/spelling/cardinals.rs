//! Numbers in words among symbols: every stretch that is one, since the shape of the value decides which
//! was meant.

use crate::understanding::normalize::Word;
use crate::understanding::spoken::{Spoken, spoken};

/// Every number that begins with the first of `rest`, and how many words it takes: "one hundred and five"
/// is 1, 100 and 105.
pub(super) fn cardinals(rest: &[Word]) -> Vec<(String, usize)> {
    let mut found: Vec<(String, usize)> = Vec::new();
    for (head, taken) in below_thousand(rest) {
        found.push((head.to_string(), taken));
        if head > 0 && is(rest.get(taken), Spoken::Thousand) {
            found.push((format!("{head}000"), taken + 1));
            let skip = usize::from(rest.get(taken + 1).is_some_and(|w| w.text == "and"));
            for (low, more) in below_thousand(rest.get(taken + 1 + skip..).unwrap_or_default()) {
                // What is written after a scale is a group of its own.
                let spoken_low = rest.get(taken + 1 + skip).is_some_and(|w| spoken(&w.text).is_some());
                if (1..1000).contains(&low) && spoken_low && head < 1000 {
                    found.push((format!("{head}{low:03}"), taken + 1 + skip + more));
                }
            }
        }
    }
    if found.is_empty() && is(rest.first(), Spoken::Hundred) {
        // "Hundred" alone: the caller dropped the article, or the recogniser did.
        found.push(("100".to_owned(), 1));
    }
    found
}

fn is(word: Option<&Word>, what: Spoken) -> bool {
    word.and_then(|w| spoken(&w.text)) == Some(what)
}

/// Numbers below 10,000 of the form "[forty-five hundred] [and] [twelve]".
fn below_thousand(rest: &[Word]) -> Vec<(u32, usize)> {
    let mut found = below_hundred(rest);
    for (head, taken) in found.clone() {
        if head == 0 || !is(rest.get(taken), Spoken::Hundred) {
            continue;
        }
        found.push((head * 100, taken + 1));
        let skip = usize::from(rest.get(taken + 1).is_some_and(|w| w.text == "and"));
        let after = rest.get(taken + 1 + skip..).unwrap_or_default();
        if after.first().is_none_or(|w| spoken(&w.text).is_none()) {
            continue;
        }
        for (low, more) in below_hundred(after).into_iter().filter(|(low, _)| (1..100).contains(low)) {
            found.push((head * 100 + low, taken + 1 + skip + more));
        }
    }
    // "A" alone is no number, "a hundred" is.
    if rest.first().is_some_and(|w| matches!(w.text.as_str(), "a" | "an")) {
        found.retain(|(_, taken)| *taken > 1);
    }
    found
}

fn below_hundred(rest: &[Word]) -> Vec<(u32, usize)> {
    let Some(word) = rest.first().map(|w| w.text.as_str()) else { return Vec::new() };
    match spoken(word) {
        Some(Spoken::Unit(n) | Spoken::Teen(n)) => vec![(u32::from(n), 1)],
        Some(Spoken::Tens(tens)) => {
            let mut found = vec![(u32::from(tens), 1)];
            if let Some(Spoken::Unit(unit @ 1..=9)) = rest.get(1).and_then(|w| spoken(&w.text)) {
                found.push((u32::from(tens + unit), 2));
            }
            found
        }
        Some(Spoken::Oh | Spoken::Hundred | Spoken::Thousand | Spoken::Times(_) | Spoken::Homophone(_)) => {
            Vec::new()
        }
        None if matches!(word, "a" | "an") => vec![(1, 1)],
        None => word.parse().ok().filter(|n| (1..1000).contains(n)).map(|n| (n, 1)).into_iter().collect(),
    }
}
