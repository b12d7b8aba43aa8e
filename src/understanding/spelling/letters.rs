//! Letters as callers say them and as recognisers write them: names, alphabets, homophones.

/// What a word says where values are being spelled, and what it costs to take it so: 0 is sure, 0.5 a
/// homophone, 1 a desperate reading.
pub(super) type Reading = (&'static str, f32);

/// Names of letters, and other words that sound like one, sorted.
const NAMES: &[(&str, &[Reading])] = &[
    ("age", &[("H", 0.5)]),
    ("aitch", &[("H", 0.0)]),
    ("all", &[("R", 0.9), ("L", 0.9)]),
    ("am", &[("M", 0.6)]),
    ("an", &[("N", 0.4)]),
    ("and", &[("N", 0.5)]),
    ("ar", &[("R", 0.05)]),
    ("are", &[("R", 0.2)]),
    ("as", &[("S", 0.8)]),
    ("ass", &[("S", 0.4)]),
    ("ate", &[("8", 0.4), ("A", 1.0)]),
    ("ay", &[("A", 0.05)]),
    ("aye", &[("I", 0.2), ("A", 0.4)]),
    ("be", &[("B", 0.25)]),
    ("bea", &[("B", 0.3)]),
    ("bee", &[("B", 0.05)]),
    ("by", &[("B", 0.9), ("Y", 0.9)]),
    ("case", &[("K", 0.8)]),
    ("cay", &[("K", 0.1)]),
    ("cee", &[("C", 0.05)]),
    ("cue", &[("Q", 0.05)]),
    ("dee", &[("D", 0.05)]),
    ("do", &[("2", 0.9)]),
    ("each", &[("H", 0.8)]),
    ("ee", &[("E", 0.05)]),
    ("ef", &[("F", 0.05)]),
    ("eff", &[("F", 0.05)]),
    ("eggs", &[("X", 0.6)]),
    ("eh", &[("A", 0.4)]),
    ("el", &[("L", 0.05)]),
    ("ell", &[("L", 0.05)]),
    ("elle", &[("L", 0.1)]),
    ("em", &[("M", 0.05)]),
    ("en", &[("N", 0.05)]),
    ("end", &[("N", 0.5)]),
    ("es", &[("S", 0.05)]),
    ("ess", &[("S", 0.05)]),
    ("ewe", &[("U", 0.2)]),
    ("ex", &[("X", 0.05)]),
    ("eye", &[("I", 0.05)]),
    ("far", &[("4", 0.9)]),
    ("fine", &[("5", 0.8), ("9", 0.9)]),
    ("full", &[("4", 0.8)]),
    ("gee", &[("G", 0.05)]),
    ("ghee", &[("G", 0.1)]),
    ("guy", &[("Y", 0.9)]),
    ("haitch", &[("H", 0.0)]),
    ("hate", &[("8", 0.6)]),
    ("have", &[("F", 1.0)]),
    ("hay", &[("A", 0.6)]),
    ("he", &[("E", 0.8)]),
    ("heaven", &[("7", 0.8)]),
    ("hell", &[("L", 0.5)]),
    ("hey", &[("A", 0.6)]),
    ("him", &[("M", 0.9)]),
    ("hugh", &[("U", 0.6)]),
    ("if", &[("F", 0.7)]),
    ("in", &[("N", 0.6)]),
    ("is", &[("S", 0.9)]),
    ("jade", &[("J", 0.5)]),
    ("jay", &[("J", 0.05)]),
    ("jee", &[("G", 0.05)]),
    ("kay", &[("K", 0.05)]),
    ("kew", &[("Q", 0.1)]),
    ("key", &[("K", 0.5)]),
    ("kiss", &[("X", 0.9)]),
    ("line", &[("9", 0.9)]),
    ("me", &[("E", 0.9), ("B", 1.0)]),
    ("mine", &[("9", 0.8)]),
    ("my", &[("Y", 1.0)]),
    ("nice", &[("9", 0.8)]),
    ("of", &[("F", 1.0)]),
    ("oh", &[("0", 0.0), ("O", 0.05)]),
    ("okay", &[("K", 0.6), ("OK", 0.7)]),
    ("on", &[("N", 1.0)]),
    ("or", &[("R", 0.8), ("4", 0.9)]),
    ("our", &[("R", 0.4)]),
    ("owe", &[("0", 0.1), ("O", 0.1)]),
    ("page", &[("H", 0.9)]),
    ("pay", &[("A", 1.0), ("P", 1.0)]),
    ("pea", &[("P", 0.05)]),
    ("pee", &[("P", 0.05)]),
    ("pi", &[("P", 0.5)]),
    ("que", &[("Q", 0.1)]),
    ("queue", &[("Q", 0.05)]),
    ("said", &[("Z", 0.6)]),
    ("sea", &[("C", 0.15)]),
    ("sed", &[("Z", 0.4)]),
    ("see", &[("C", 0.25)]),
    ("set", &[("Z", 0.6)]),
    ("she", &[("C", 0.8)]),
    ("si", &[("C", 0.3)]),
    ("sick", &[("6", 0.5)]),
    ("tea", &[("T", 0.1)]),
    ("tee", &[("T", 0.05)]),
    ("that", &[("Z", 1.0)]),
    ("the", &[("D", 0.8), ("V", 1.0)]),
    ("thee", &[("D", 0.5)]),
    ("them", &[("M", 0.9)]),
    ("then", &[("N", 0.9)]),
    ("they", &[("A", 0.9), ("8", 0.9)]),
    ("through", &[("3", 0.7)]),
    ("vee", &[("V", 0.05)]),
    ("we", &[("V", 0.7)]),
    ("well", &[("L", 0.9)]),
    ("who", &[("2", 0.9), ("U", 0.9)]),
    ("why", &[("Y", 0.15)]),
    ("wine", &[("9", 0.8)]),
    ("wye", &[("Y", 0.05)]),
    ("ye", &[("E", 0.8)]),
    ("yes", &[("S", 0.8)]),
    ("you", &[("U", 0.25)]),
    ("your", &[("U", 0.9)]),
    ("yu", &[("U", 0.1)]),
    ("zed", &[("Z", 0.0)]),
    ("zedd", &[("Z", 0.0)]),
    ("zee", &[("Z", 0.0)]),
    ("zen", &[("Z", 0.6)]),
];

/// The alphabet of ICAO and NATO (ICAO Annex 10, volume II, 5.2.1.3), with the spellings that recognisers
/// use. Sorted.
const NATO: &[&str] = &[
    "alfa", "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet",
    "juliett", "kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango",
    "uniform", "victor", "whiskey", "whisky", "xray", "yankee", "zulu",
];

/// Other words that callers spell with, from older alphabets and habit; each stands for its initial. Only
/// beside other letters does such a word say one. Sorted.
const SPELLING_WORDS: &[&str] = &[
    "adam",
    "able",
    "andrew",
    "apple",
    "baker",
    "banana",
    "benjamin",
    "bertie",
    "bobby",
    "boy",
    "cat",
    "charles",
    "david",
    "dog",
    "easy",
    "edward",
    "egg",
    "elephant",
    "england",
    "father",
    "frank",
    "fred",
    "freddie",
    "freddy",
    "george",
    "harry",
    "henry",
    "ida",
    "igloo",
    "isaac",
    "jack",
    "jerry",
    "john",
    "johnny",
    "king",
    "kite",
    "lemon",
    "lincoln",
    "london",
    "love",
    "lucy",
    "mary",
    "mother",
    "nancy",
    "nellie",
    "nora",
    "norman",
    "nuts",
    "ocean",
    "oliver",
    "orange",
    "paul",
    "peter",
    "queen",
    "robert",
    "roger",
    "sam",
    "samuel",
    "sugar",
    "susan",
    "thomas",
    "tom",
    "tommy",
    "uncle",
    "union",
    "umbrella",
    "victoria",
    "violet",
    "walter",
    "william",
    "xylophone",
    "yellow",
    "yesterday",
    "yoke",
    "young",
    "zebra",
];

/// What `word`, in lower case, may stand for as the name of a letter, or as a word that sounds like one.
pub(super) fn letter_names(word: &str) -> &'static [Reading] {
    match NAMES.binary_search_by_key(&word, |(w, _)| w) {
        Ok(at) => NAMES[at].1,
        Err(_) => &[],
    }
}

/// Whether `word` is one of an alphabet, and how sure that is where it stands alone.
pub(super) fn alphabet_cost(word: &str) -> Option<f32> {
    if NATO.binary_search(&word).is_ok() { Some(0.0) } else { SPELLING_WORDS.contains(&word).then_some(0.25) }
}

/// Words that nobody spells with although they follow "for": "four five one for my wife".
pub(super) fn is_function_word(word: &str) -> bool {
    matches!(
        word,
        "the"
            | "a"
            | "an"
            | "my"
            | "your"
            | "his"
            | "her"
            | "our"
            | "their"
            | "it"
            | "this"
            | "that"
            | "these"
            | "me"
            | "you"
            | "him"
            | "us"
            | "them"
            | "and"
            | "or"
            | "is"
            | "are"
            | "was"
            | "please"
            | "to"
            | "in"
    )
}

/// The initial of `word` as a symbol.
pub(super) fn initial(word: &str) -> Option<u8> {
    word.bytes().next().filter(u8::is_ascii_lowercase).map(|b| b.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_that_are_searched_by_halves_are_sorted() {
        assert!(NAMES.is_sorted_by_key(|(w, _)| *w));
        assert!(NATO.is_sorted());
    }
}
