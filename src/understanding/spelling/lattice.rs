//! What each word of a sentence may contribute to a value that is said symbol by symbol.
//!
//! A word is a node; an arc leads from it past the words that it takes and says which symbols they make:
//! "double eight", "b as in bravo", "one hundred and five". [`super::search`] finds the cheapest way
//! through that has the shape of a value.

use std::borrow::Cow;
use std::ops::Range;

use super::cardinals::cardinals;
use super::letters::{alphabet_cost, initial, is_function_word, letter_names};
use super::sounds::{as_symbols, symbol_distance};
use crate::understanding::normalize::{Word, is_filler, words};
use crate::understanding::spoken::{Spoken, beside_correction, corrects, spoken};

/// The symbols that some words may make.
#[derive(Clone, Debug)]
pub(super) struct Arc {
    /// How many words it takes.
    pub(super) words: usize,
    /// Digits, capital letters, `+`.
    pub(super) said: Cow<'static, str>,
    /// 0 where the words say just this.
    pub(super) cost: f32,
}

/// What a word is when it is no part of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strength {
    /// No symbol, or only by its sound.
    Weak,
    /// A zero, a letter or a sigh.
    Oh,
    /// Surely a letter.
    Letter,
    /// Surely a digit.
    Digit,
}

/// A word of the sentence.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) arcs: Vec<Arc>,
    /// What it costs to pass over the word within a value.
    pub(super) skip: f32,
    pub(super) strength: Strength,
    /// Whether it stands within something spelled out: "golf" of "g for golf" begins no value.
    pub(super) inner: bool,
    /// How many words from here on take back what was said before, where they do.
    pub(super) correction: Option<usize>,
    /// Bytes of the text.
    pub(super) span: Range<usize>,
}

/// A sentence as symbols.
#[derive(Debug)]
pub(super) struct Lattice {
    pub(super) nodes: Vec<Node>,
}

/// What words cost that stand in a value without belonging to it.
const SKIP_JOINT: f32 = 0.04;
const SKIP_ANNOUNCER: f32 = 0.12;
const SKIP_WEAK: f32 = 0.4;
const SKIP_OTHER: f32 = 0.75;
const SKIP_SYMBOL: f32 = 2.2;
/// A number read shorter than its words allow: "twenty three" as 20, 3.
const SHORTER: f32 = 0.5;
/// A word that only sounds like a digit.
const HOMOPHONE: f32 = 0.4;
/// A word that is taken for the symbols that it sounds like.
const MISHEARD: f32 = 0.5;
/// A word of no alphabet, taken for its initial, and the shortest such.
const ANY_INITIAL: f32 = 1.2;
const SHORTEST_SPELLING: usize = 4;
/// Below this, several words surely spell one symbol.
const SPELLED_OUT: f32 = 0.4;
/// A reading that costs no more is what the word says.
const SURE: f32 = 0.1;

impl Lattice {
    /// The sentence, with words that are no symbols taken for the symbols that they sound like.
    pub(super) fn by_sound(text: &str) -> Lattice {
        let said = words(text);
        let mut lattice = Lattice::of(text);
        let strong: Vec<bool> =
            lattice.nodes.iter().map(|n| matches!(n.strength, Strength::Letter | Strength::Digit)).collect();
        for (at, word) in said.iter().enumerate() {
            let node = &mut lattice.nodes[at];
            let known = node.arcs.iter().any(|a| a.cost <= MISHEARD) || is_filler(&word.text);
            let beside = strong[at.saturating_sub(2)..].iter().take(5).any(|s| *s);
            if known || !beside || !word.text.bytes().all(|b| b.is_ascii_lowercase()) {
                continue;
            }
            // Callers spell with whatever word comes to mind.
            let spelling = word.text.len() >= SHORTEST_SPELLING && !is_function_word(&word.text);
            if let Some(letter) = initial(&word.text).filter(|_| spelling) {
                let said = Cow::Owned(char::from(letter).to_string());
                node.arcs.push(Arc { words: 1, said, cost: ANY_INITIAL });
            }
            for (said, apart) in as_symbols(&word.text) {
                node.arcs.push(Arc { words: 1, said: Cow::Owned(said), cost: MISHEARD + apart });
            }
        }
        lattice
    }

    pub(super) fn of(text: &str) -> Lattice {
        let said = words(text);
        // "KLM" is spelled, "FOUR FIVE ONE" is shouted.
        let shouted = !text.chars().any(char::is_lowercase) && said.iter().any(|w| spoken(&w.text).is_some());
        let reader = Reader { text, said: &said, shouted };
        let mut nodes: Vec<Node> = (0..said.len()).map(|at| reader.node(at)).collect();
        for at in 0..nodes.len() {
            let spelled = nodes[at].arcs.iter().filter(|a| a.cost < SPELLED_OUT && a.said.len() == 1);
            let end = spelled.map(|a| at + a.words).max().unwrap_or(at);
            for inner in nodes.iter_mut().take(end).skip(at + 1) {
                inner.inner = true;
            }
        }
        reader.repeat(&mut nodes);
        Lattice { nodes }
    }
}

struct Reader<'a> {
    text: &'a str,
    said: &'a [Word],
    /// Whether the text is written in capitals, so that capitals mean nothing.
    shouted: bool,
}

impl Reader<'_> {
    fn word(&self, at: usize) -> &str {
        self.said.get(at).map_or("", |w| w.text.as_str())
    }

    /// Whether a word is surely a letter's name.
    fn is_letter(&self, at: usize) -> bool {
        let word = self.word(at);
        (word.len() == 1 && initial(word).is_some())
            || letter_names(word)
                .first()
                .is_some_and(|(said, cost)| *cost <= SURE && said.as_bytes()[0].is_ascii_uppercase())
            || alphabet_cost(word).is_some()
    }

    fn node(&self, at: usize) -> Node {
        let word = self.word(at);
        let mut arcs = Vec::new();
        self.written(at, &mut arcs);
        self.numbers(at, &mut arcs);
        self.letters(at, &mut arcs);
        self.spelled_out(at, &mut arcs);
        let strength = strength(word, &arcs);
        let skip = match strength {
            Strength::Digit | Strength::Letter => SKIP_SYMBOL,
            Strength::Oh => SKIP_WEAK,
            Strength::Weak if is_filler(word) => 0.0,
            Strength::Weak if is_joint(word) => SKIP_JOINT,
            Strength::Weak if announces(word) => SKIP_ANNOUNCER,
            Strength::Weak if !arcs.is_empty() => SKIP_WEAK,
            Strength::Weak => SKIP_OTHER,
        };
        Node {
            arcs,
            skip,
            strength,
            correction: self.correction(at),
            inner: false,
            span: self.said[at].span.clone(),
        }
    }

    /// Words that are written as symbols: "4512", "7x", "AB12", "tj".
    fn written(&self, at: usize, arcs: &mut Vec<Arc>) {
        let word = self.word(at);
        if word == "plus" {
            arcs.push(Arc { words: 1, said: Cow::Borrowed("+"), cost: 0.0 });
        }
        // What is written with an apostrophe is a word, but for a letter's plural: "two b's".
        if !word.bytes().all(|b| b.is_ascii_alphanumeric()) || word.len() > 34 {
            return;
        }
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let raw = &self.text[self.said[at].span.clone()];
        let capitals = !self.shouted && raw.len() > 1 && raw.bytes().all(|b| !b.is_ascii_lowercase());
        let cost = match (digits, word.len()) {
            (0, 1) => return,
            (0, _) if capitals => 0.05,
            (0, length) => spelling_cost(word, length),
            // "1st" and "2nd" are numbers of another kind.
            (1.., _)
                if ["st", "nd", "rd", "th"].iter().any(|e| word.ends_with(e)) && digits + 2 == word.len() =>
            {
                0.6
            }
            (1.., _) => 0.0,
        };
        let mut said = word.to_ascii_uppercase();
        if self.text[..self.said[at].span.start].ends_with('+') {
            said.insert(0, '+');
        }
        if word.len() == 2 && word.ends_with('0') && digits == 2 {
            tens_written(&said, self.word(at + 1), arcs);
        }
        arcs.push(Arc { words: 1, said: Cow::Owned(said), cost });
    }

    /// Digits and numbers in words.
    fn numbers(&self, at: usize, arcs: &mut Vec<Arc>) {
        let word = self.word(at);
        match spoken(word) {
            Some(Spoken::Homophone(digit)) => {
                arcs.push(Arc { words: 1, said: Cow::Owned(digit.to_string()), cost: HOMOPHONE });
            }
            Some(Spoken::Oh) => {
                // Between letters it is one, beside a digit a zero.
                let lettered =
                    at > 0 && self.is_letter(at - 1) && (at + 1 == self.said.len() || self.is_letter(at + 1))
                        || at == 0 && self.is_letter(1);
                let (zero, letter) = if lettered { (0.05, 0.0) } else { (0.0, 0.05) };
                arcs.push(Arc { words: 1, said: Cow::Borrowed("0"), cost: zero });
                arcs.push(Arc { words: 1, said: Cow::Borrowed("O"), cost: letter });
            }
            Some(_) | None => {
                let mut found = cardinals(&self.said[at..]);
                let longest = found.iter().map(|(_, taken)| *taken).max().unwrap_or(0);
                for (value, taken) in found.drain(..) {
                    let cost = match (word, at > 0 && spoken(self.word(at - 1)).is_some()) {
                        // After a number it belongs to that.
                        ("hundred", true) => 3.0 * SHORTER,
                        ("hundred", false) => SHORTER,
                        _ if taken == longest => 0.0,
                        _ => SHORTER,
                    };
                    // Written alone it is there already.
                    if taken > 1 || !word.bytes().all(|b| b.is_ascii_digit()) {
                        arcs.push(Arc { words: taken, said: Cow::Owned(value), cost });
                    }
                }
            }
        }
    }

    fn letters(&self, at: usize, arcs: &mut Vec<Arc>) {
        let word = self.word(at);
        if let (1, Some(letter)) = (word.len(), initial(word)) {
            let cost = if matches!(word, "a" | "i") { 0.04 } else { 0.0 };
            // "o" is there as a number.
            if word != "o" {
                arcs.push(Arc { words: 1, said: Cow::Owned(char::from(letter).to_string()), cost });
            }
            if let Some(digit) = match word {
                "a" => Some("8"),
                "v" => Some("5"),
                "b" => None,
                _ => None,
            } {
                arcs.push(Arc { words: 1, said: Cow::Borrowed(digit), cost: 0.6 });
            }
        }
        for (said, cost) in letter_names(word) {
            if word != "oh" {
                arcs.push(Arc { words: 1, said: Cow::Borrowed(said), cost: *cost });
            }
        }
        if let (Some(cost), Some(letter)) = (alphabet_cost(word), initial(word)) {
            arcs.push(Arc { words: 1, said: Cow::Owned(char::from(letter).to_string()), cost });
        }
        if word == "x" && self.word(at + 1) == "ray" {
            arcs.push(Arc { words: 2, said: Cow::Borrowed("X"), cost: 0.0 });
        }
        if word == "double" && matches!(self.word(at + 1), "u" | "you" | "yu" | "ewe") {
            arcs.push(Arc { words: 2, said: Cow::Borrowed("W"), cost: 0.0 });
        }
        if word == "apostrophe" {
            arcs.push(Arc { words: 1, said: Cow::Borrowed(""), cost: 0.0 });
        }
    }

    /// "B as in bravo", "m for mother", "n like nancy".
    fn spelled_out(&self, at: usize, arcs: &mut Vec<Arc>) {
        let mut next = at + 1;
        while is_filler(self.word(next)) && next < self.said.len() {
            next += 1;
        }
        let (joint, taken) = match (self.word(next), self.word(next + 1)) {
            ("as", "in" | "an" | "and" | "for" | "it") | ("is", "for" | "in") | ("for", "for") => (0.0, 2),
            ("as" | "like", _) => (0.0, 1),
            ("for" | "4" | "four", _) => (0.1, 1),
            _ => return,
        };
        let mut spelled = next + taken;
        if taken == 1 && self.word(spelled) == "the" {
            spelled += 1;
        }
        let word = self.word(spelled);
        let known = alphabet_cost(word).is_some();
        let Some(letter) = initial(word).filter(|_| word.len() > 1 && (known || !is_function_word(word)))
        else {
            return;
        };
        // "a b four one two": a number stays one.
        if !known && (spoken(word).is_some() || is_joint(word)) {
            return;
        }
        let mut add = |letter: u8, cost: f32| {
            let said = Cow::Owned(char::from(letter).to_string());
            arcs.push(Arc {
                words: spelled + 1 - at,
                said,
                cost: cost + joint * f32::from(u8::from(!known)),
            });
        };
        let heard = self.heard_letter(at);
        match heard {
            Some(heard) if heard == letter => add(letter, 0.0),
            // The letter says it and the word does not begin with it: "x for extra", or one was misheard.
            Some(heard) => {
                let apart = symbol_distance(heard, letter).min(1.0);
                add(letter, 0.2 + 0.2 * apart);
                add(heard, 0.45);
            }
            // The letter itself was not heard as one: "all for Raja".
            None if known || joint == 0.0 => add(letter, 0.6),
            None => {}
        }
    }

    /// The letter that the word at `at` surely is.
    fn heard_letter(&self, at: usize) -> Option<u8> {
        let word = self.word(at);
        if word.len() == 1 {
            return initial(word);
        }
        if matches!(word, "oh") {
            return Some(b'O');
        }
        let (said, cost) = letter_names(word).first()?;
        (said.len() == 1 && *cost <= 0.5).then(|| said.as_bytes()[0])
    }

    /// "Double", "triple" and "two fives": the arcs behind such a word, repeated. From the last word to the
    /// first, so that what is repeated is there.
    fn repeat(&self, nodes: &mut [Node]) {
        for at in (0..nodes.len()).rev() {
            let times = match spoken(self.word(at)) {
                Some(Spoken::Times(n)) => usize::from(n),
                Some(Spoken::Unit(n @ 2..=9)) => {
                    if let Some((said, cost)) = plural(self.word(at + 1)) {
                        let said = Cow::Owned(char::from(said).to_string().repeat(usize::from(n)));
                        nodes[at].arcs.push(Arc { words: 2, said, cost });
                    }
                    continue;
                }
                _ if self.word(at) == "quadruple" => 4,
                _ => continue,
            };
            let mut next = at + 1;
            while next < nodes.len() && is_filler(self.word(next)) {
                next += 1;
            }
            let Some(node) = nodes.get(next) else { continue };
            let repeated: Vec<Arc> = node
                .arcs
                .iter()
                .filter(|arc| arc.said.len() == 1)
                .map(|arc| Arc {
                    words: arc.words + next - at,
                    said: Cow::Owned(arc.said.repeat(times)),
                    cost: arc.cost,
                })
                .collect();
            if repeated.is_empty() {
                continue;
            }
            let strength = node.strength;
            let w = nodes[at].arcs.iter().any(|a| a.said == "W");
            // "double u" is one letter unless nothing else fits.
            nodes[at]
                .arcs
                .extend(repeated.into_iter().map(|a| Arc { cost: a.cost + if w { 0.8 } else { 0.0 }, ..a }));
            nodes[at].strength = if w { Strength::Letter } else { strength };
            if matches!(strength, Strength::Digit | Strength::Letter) {
                nodes[at].skip = SKIP_SYMBOL;
            }
        }
    }

    /// How many words from `at` on take something back: "no", "sorry i mean", "let me start again".
    fn correction(&self, at: usize) -> Option<usize> {
        let mut taken = 0;
        let mut corrected = false;
        while at + taken < self.said.len() {
            let word = self.word(at + taken);
            let again = word == "start" && matches!(self.word(at + taken + 1), "again" | "over");
            if corrects(word) || again {
                corrected = true;
            } else if !(beside_correction(word)
                || is_filler(word)
                || matches!(
                    word,
                    "let" | "me" | "i'll" | "again" | "over" | "should" | "be" | "try" | "um" | "the"
                ))
            {
                break;
            }
            taken += 1;
        }
        // The words beside it may be missing, the one that corrects may not; nothing is taken back by words
        // that begin with what only stands beside: that is found one word on.
        let first = self.word(at);
        let begins = corrects(first) || matches!(first, "let" | "i'll" | "i" | "start" | "oh");
        (corrected && begins).then_some(taken)
    }
}

/// "20" before "3" may be how "twenty-three" was written, and "90" how "nine T" was.
fn tens_written(said: &str, next: &str, arcs: &mut Vec<Arc>) {
    let tens = &said[..said.len() - 1];
    if next.len() == 1 && next.bytes().all(|b| matches!(b, b'1'..=b'9')) {
        arcs.push(Arc { words: 2, said: Cow::Owned(format!("{tens}{next}")), cost: 0.7 });
    }
    if !tens.ends_with('1') {
        arcs.push(Arc { words: 1, said: Cow::Owned(format!("{tens}T")), cost: 0.5 });
    }
}

/// A word of letters taken letter by letter: the likelier, the less it looks like a word.
fn spelling_cost(word: &str, length: usize) -> f32 {
    const COMMON: [&str; 22] = [
        "is", "it", "my", "to", "of", "in", "on", "so", "no", "me", "he", "we", "do", "if", "or", "at", "by",
        "the", "and", "you", "for", "are",
    ];
    let vowels = word.bytes().any(|b| matches!(b, b'a' | b'e' | b'i' | b'o' | b'u'));
    let letters = f32::from(u8::try_from(length).unwrap_or(u8::MAX));
    let common = if COMMON.contains(&word) { 0.7 } else { 0.0 };
    common
        + match (vowels, length) {
            (false, _) => 0.1 * letters,
            (true, 2) => 0.3,
            (true, 3) => 0.6,
            (true, _) => 0.4 * letters,
        }
}

fn strength(word: &str, arcs: &[Arc]) -> Strength {
    let sure = arcs.iter().filter(|a| a.cost <= SURE && !a.said.is_empty());
    let mut strength = Strength::Weak;
    for arc in sure {
        if arc.said.bytes().any(|b| b.is_ascii_digit()) && word != "oh" && word != "o" {
            return Strength::Digit;
        }
        strength = Strength::Letter;
    }
    match word {
        "oh" | "o" => Strength::Oh,
        "a" | "i" | "plus" => Strength::Weak,
        _ => strength,
    }
}

/// Words that stand between symbols of one value.
fn is_joint(word: &str) -> bool {
    matches!(
        word,
        "and"
            | "dash"
            | "hyphen"
            | "then"
            | "minus"
            | "space"
            | "slash"
            | "stroke"
            | "dot"
            | "comma"
            | "point"
            | "capital"
            | "uppercase"
            | "upper"
            | "lowercase"
            | "lower"
            | "case"
            | "letter"
            | "digit"
            | "plus"
            | "apostrophe"
    )
}

/// Words that announce what follows: symbols before and after them need not be of one value.
fn announces(word: &str) -> bool {
    matches!(
        word,
        "letters"
            | "number"
            | "numbers"
            | "digits"
            | "followed"
            | "by"
            | "next"
            | "after"
            | "that's"
            | "it's"
            | "is"
            | "the"
            | "are"
            | "rest"
            | "code"
            | "area"
            | "okay"
            | "yeah"
            | "yes"
    )
}

/// "Fives", "zeros", "b's": a symbol that stands more than once.
fn plural(word: &str) -> Option<(u8, f32)> {
    Some(match word {
        "zeros" | "zeroes" | "ohs" | "noughts" => (b'0', 0.0),
        "ones" => (b'1', 0.0),
        "twos" => (b'2', 0.0),
        "threes" => (b'3', 0.0),
        "fours" => (b'4', 0.0),
        "fives" => (b'5', 0.0),
        "sixes" => (b'6', 0.0),
        "sevens" => (b'7', 0.0),
        "eights" => (b'8', 0.0),
        "nines" => (b'9', 0.0),
        _ => {
            let singular = word.strip_suffix("'s").or_else(|| word.strip_suffix('s'))?;
            let symbol = match singular.as_bytes() {
                [digit @ b'0'..=b'9'] => *digit,
                [letter @ b'b'..=b'z'] if *letter != b'i' => letter.to_ascii_uppercase(),
                _ => return None,
            };
            (symbol, 0.05)
        }
    })
}
