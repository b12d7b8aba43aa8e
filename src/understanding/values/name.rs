//! People's names and addresses of houses: said, spelled, or among those that the store knows.

use super::Said;
use super::cardinal::cardinal;
use super::tokens::{Token, text, tokens};
use crate::understanding::answer;
use crate::understanding::spelling::{Sentence, word_distance};

/// Fewest letters that are a spelled name and not initials.
const LEAST_SPELLED: u8 = 3;
const MOST_SPELLED: u8 = 20;
/// Most words of a name.
const MOST_WORDS: usize = 4;
/// How sure a name is that was only said: recognisers know few of them.
const ONLY_SAID: f32 = 0.6;
/// What a known name may differ in from what was heard, of its own length in sounds.
const FARTHEST: f32 = 0.45;

/// Words that lead up to a name.
const LEAD_INS: [&str; 30] = [
    "my", "name", "name's", "is", "it's", "its", "this", "i'm", "i", "am", "the", "surname", "last", "first",
    "full", "under", "for", "mr", "mrs", "ms", "miss", "mister", "doctor", "dr", "called", "speaking", "yes",
    "yeah", "hi", "hello",
];

/// Names in `text`, as they are written at the head of a letter.
pub(crate) fn names(text: &str, sentence: &Sentence, known: &[&str]) -> Vec<Said> {
    let mut found = near_known(text, known);
    if let Some(spelled) = sentence.words(LEAST_SPELLED, MOST_SPELLED).into_iter().next() {
        let apostrophe = text[spelled.span.clone()].to_lowercase().find("apostrophe");
        let value = match apostrophe {
            // "O apostrophe b r i e n".
            Some(_) => format!("{}'{}", &spelled.value[..1], capital(&spelled.value[1..])),
            None => capital(&spelled.value),
        };
        found.push(Said { confidence: spelled.confidence(), value, span: spelled.span });
    } else if let Some(said) = plainly_said(text) {
        found.push(said);
    }
    found
}

/// What is left of a short sentence without the words that lead up to a name.
fn plainly_said(text: &str) -> Option<Said> {
    let all = tokens(text);
    let from = all.iter().position(|t| !LEAD_INS.contains(&t.text.as_str()))?;
    let rest: Vec<&Token> = all[from..]
        .iter()
        .take_while(|t| t.is_word() && !matches!(t.text.as_str(), "please" | "thanks" | "speaking"))
        .collect();
    let whole = from + rest.len() == all.len() || all[from + rest.len()..].iter().all(|t| t.is_word());
    if rest.is_empty() || rest.len() > MOST_WORDS || !whole || answer(text).is_some() {
        return None;
    }
    // A sentence is no name.
    const NONE: [&str; 24] = [
        "i'd", "not", "don't", "want", "have", "what", "where", "when", "why", "how", "can", "could", "you",
        "order", "number", "help", "agent", "speak", "rather", "say", "to", "need", "would", "do",
    ];
    if rest.iter().any(|t| NONE.contains(&t.text.as_str())) {
        return None;
    }
    let value: Vec<String> = rest.iter().map(|t| capital(&t.text)).collect();
    let span = rest.first()?.span.start..rest.last()?.span.end;
    Some(Said { value: value.join(" "), span, confidence: ONLY_SAID })
}

/// First letter large, the others small.
fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}", chars.as_str().to_lowercase())
}

/// Known values that sound like some words of `text`, as sure as they sound alike.
fn near_known(text: &str, known: &[&str]) -> Vec<Said> {
    let words: Vec<Token> = tokens(text).into_iter().filter(|t| t.is_word() || t.is_number()).collect();
    let mut found = Vec::new();
    for value in known {
        let spelled: String = value.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
        let count = value.split_whitespace().count();
        let mut best: Option<(f32, usize, usize)> = None;
        for from in 0..words.len() {
            for to in from + 1..=words.len().min(from + count + 1) {
                let said: String = words[from..to].iter().map(|t| t.text.as_str()).collect();
                let distance = word_distance(&said, &spelled);
                if best.is_none_or(|(d, ..)| distance < d) {
                    best = Some((distance, from, to));
                }
            }
        }
        if let Some((distance, from, to)) = best.filter(|(d, ..)| *d <= FARTHEST) {
            let span = words[from].span.start..words[to - 1].span.end;
            found.push(Said { value: (*value).to_owned(), span, confidence: (1.0 - distance).powi(2) });
        }
    }
    found
}

/// House numbers with their streets.
pub(crate) fn addresses(said: &str, known: &[&str]) -> Vec<Said> {
    const STREETS: [&str; 30] = [
        "street",
        "road",
        "avenue",
        "lane",
        "drive",
        "close",
        "way",
        "court",
        "place",
        "square",
        "crescent",
        "terrace",
        "gardens",
        "grove",
        "hill",
        "park",
        "boulevard",
        "highway",
        "parkway",
        "mews",
        "row",
        "walk",
        "view",
        "rise",
        "green",
        "st",
        "rd",
        "ave",
        "dr",
        "ln",
    ];
    let mut found = near_known(said, known);
    let all = tokens(said);
    let mut at = 0;
    while at < all.len() {
        let number = cardinal(&all, at).and_then(|(n, next)| Some((n.to_whole()?, next)));
        let Some((number, next)) = number.filter(|(n, _)| (1..100_000).contains(n)) else {
            at += 1;
            continue;
        };
        let street = (next..all.len().min(next + 5)).find(|i| STREETS.contains(&text(&all, *i)));
        let Some(street) = street.filter(|s| *s > next && all[next..*s].iter().all(Token::is_word)) else {
            at = next;
            continue;
        };
        let words: Vec<String> = all[next..=street].iter().map(|t| capital(&t.text)).collect();
        let span = all[at].span.start..all[street].span.end;
        found.push(Said { value: format!("{number} {}", words.join(" ")), span, confidence: 0.8 });
        at = street + 1;
    }
    found
}
