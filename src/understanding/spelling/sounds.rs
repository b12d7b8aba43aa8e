//! How alike symbols sound when their names are said: "B" and "P", "5" and "9", "M" and "N".
//!
//! The names are written in phonemes, phonemes have features, and the distance of two names is the
//! cheapest way to edit one into the other. On the telephone, where nothing above 3.4 kHz is left, it is
//! these near ones that are taken for each other.

use std::sync::LazyLock;

use super::symbols::{COUNT, index, symbol};

/// Names of `0` to `9` and `A` to `Z`, a letter for each phoneme.
///
/// Vowels: `i` see, `I` sit, `e` day, `E` set, `a` car, `V` cup, `O` law, `o` go, `u` too, `A` my.
/// Consonants as in English spelling, and `T` thin, `S` she, `C` chin, `J` gin, `y` yes.
const NAMES: [&str; COUNT - 1] = [
    "zIro", "wVn", "tu", "Tri", "fOr", "fAv", "sIks", "sEvVn", "et", "nAn", "e", "bi", "si", "di", "i", "Ef",
    "Ji", "eC", "A", "Je", "ke", "El", "Em", "En", "o", "pi", "kyu", "ar", "Es", "ti", "yu", "vi", "dVblyu",
    "Eks", "wA", "zEd",
];

/// Other names of the same symbols.
const OTHER_NAMES: [(u8, &str); 3] = [(b'0', "o"), (b'Z', "zi"), (b'H', "heC")];

/// Pairs that are confused more often than their phonemes say: the long vowel that "five" and "nine"
/// share drowns what is around it, and recognisers write "v" for a "five" cut short.
const CLOSER: [(u8, u8, f32); 3] = [(b'5', b'9', 0.5), (b'5', b'V', 0.3), (b'1', b'9', 0.7)];

/// Names further apart than this are not confused.
const FARTHEST: f32 = 0.95;

/// What a phoneme is made of.
#[derive(Clone, Copy)]
enum Phoneme {
    /// Openness and backness, 0 to 1.
    Vowel(f32, f32),
    /// Manner, place from the lips backwards, and whether the voice sounds.
    Consonant(Manner, f32, bool),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Stop,
    Affricate,
    Fricative,
    Nasal,
    Approximant,
}

fn phoneme(letter: u8) -> Phoneme {
    use Manner::{Affricate, Approximant, Fricative, Nasal, Stop};
    use Phoneme::{Consonant, Vowel};
    match letter {
        b'i' => Vowel(0.0, 0.0),
        b'I' => Vowel(0.2, 0.1),
        b'e' => Vowel(0.35, 0.05),
        b'E' => Vowel(0.5, 0.1),
        b'a' => Vowel(1.0, 0.6),
        b'V' => Vowel(0.6, 0.5),
        b'O' => Vowel(0.8, 0.9),
        b'o' => Vowel(0.5, 1.0),
        b'u' => Vowel(0.0, 1.0),
        b'A' => Vowel(0.8, 0.3),
        b'p' => Consonant(Stop, 0.0, false),
        b'b' => Consonant(Stop, 0.0, true),
        b't' => Consonant(Stop, 2.0, false),
        b'd' => Consonant(Stop, 2.0, true),
        b'k' => Consonant(Stop, 4.0, false),
        b'g' => Consonant(Stop, 4.0, true),
        b'f' => Consonant(Fricative, 0.0, false),
        b'v' => Consonant(Fricative, 0.0, true),
        b'T' => Consonant(Fricative, 1.0, false),
        b's' => Consonant(Fricative, 2.0, false),
        b'z' => Consonant(Fricative, 2.0, true),
        b'S' => Consonant(Fricative, 3.0, false),
        b'C' => Consonant(Affricate, 3.0, false),
        b'J' => Consonant(Affricate, 3.0, true),
        b'h' => Consonant(Fricative, 5.0, false),
        b'm' => Consonant(Nasal, 0.0, true),
        b'n' => Consonant(Nasal, 2.0, true),
        b'l' => Consonant(Approximant, 2.0, true),
        b'r' => Consonant(Approximant, 3.0, true),
        b'y' => Consonant(Approximant, 3.5, true),
        // "w"; nothing else is written in the names.
        _ => Consonant(Approximant, 0.0, true),
    }
}

/// 0 for the same phoneme, 1 and more for ones that have nothing in common.
fn between(a: u8, b: u8) -> f32 {
    if a == b {
        return 0.0;
    }
    match (phoneme(a), phoneme(b)) {
        (Phoneme::Vowel(open, back), Phoneme::Vowel(other_open, other_back)) => {
            0.9 * (open - other_open).hypot(back - other_back)
        }
        (Phoneme::Consonant(manner, place, voice), Phoneme::Consonant(other, other_place, other_voice)) => {
            let noisy = |m: Manner| matches!(m, Manner::Stop | Manner::Affricate | Manner::Fricative);
            let manner = match (manner == other, noisy(manner) && noisy(other)) {
                (true, _) => 0.0,
                (false, true) => 0.35,
                (false, false) => 0.6,
            };
            let voice = if voice == other_voice { 0.0 } else { 0.25 };
            (manner + voice + (0.25 * (place - other_place).abs()).min(0.5)).min(1.1)
        }
        (Phoneme::Vowel(..), Phoneme::Consonant(..)) | (Phoneme::Consonant(..), Phoneme::Vowel(..)) => 1.4,
    }
}

/// What a phoneme more or less costs.
fn alone(letter: u8) -> f32 {
    match phoneme(letter) {
        Phoneme::Consonant(Manner::Approximant, ..) => 0.45,
        Phoneme::Consonant(Manner::Fricative, place, _) if place >= 5.0 => 0.3,
        Phoneme::Consonant(..) => 0.65,
        Phoneme::Vowel(..) => 0.9,
    }
}

/// The cheapest way to make `a` into `b`.
fn distance(a: &[u8], b: &[u8]) -> f32 {
    let mut row: Vec<f32> = std::iter::once(0.0)
        .chain(b.iter().scan(0.0, |sum, p| {
            *sum += alone(*p);
            Some(*sum)
        }))
        .collect();
    for from in a {
        let mut diagonal = row[0];
        row[0] += alone(*from);
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + between(*from, *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + alone(*to)).min(diagonal + alone(*from));
        }
    }
    row[b.len()]
}

fn names(i: usize) -> impl Iterator<Item = &'static str> {
    let others = OTHER_NAMES.iter().filter(move |(s, _)| *s == symbol(i)).map(|(_, n)| *n);
    NAMES.get(i).copied().into_iter().chain(others)
}

static DISTANCES: LazyLock<Vec<Vec<f32>>> = LazyLock::new(|| {
    let apart = |a: usize, b: usize| {
        if a == b {
            return 0.0;
        }
        let pairs = names(a).flat_map(|x| names(b).map(move |y| distance(x.as_bytes(), y.as_bytes())));
        let pair = (symbol(a), symbol(b));
        let closer = CLOSER.iter().find(|(x, y, _)| pair == (*x, *y) || pair == (*y, *x));
        pairs.chain(closer.map(|c| c.2)).fold(f32::INFINITY, f32::min)
    };
    (0..COUNT).map(|a| (0..COUNT).map(|b| apart(a, b)).collect()).collect()
});

static NEAR: LazyLock<Vec<Vec<(u8, f32)>>> = LazyLock::new(|| {
    let near = |a: usize| {
        let mut near: Vec<(u8, f32)> = (0..COUNT)
            .filter(|b| *b != a && DISTANCES[a][*b] <= FARTHEST)
            .map(|b| (symbol(b), DISTANCES[a][b]))
            .collect();
        near.sort_by(|x, y| x.1.total_cmp(&y.1).then(x.0.cmp(&y.0)));
        near
    };
    (0..COUNT).map(near).collect()
});

/// How far apart the names of two symbols are: 0 for the same, below 1 for those that are confused.
/// Infinite where one has no name.
pub(super) fn symbol_distance(a: u8, b: u8) -> f32 {
    match (index(a), index(b)) {
        (Some(a), Some(b)) => DISTANCES[a][b],
        (None, _) | (_, None) => f32::INFINITY,
    }
}

/// The symbols that `symbol` may be confused with, nearest first, and how far they are.
pub(super) fn near(symbol: u8) -> &'static [(u8, f32)] {
    index(symbol).map_or(&[], |i| &NEAR[i])
}

/// Groups of letters and the phonemes that they usually are, longest first. Rough: it serves to say how
/// alike two words sound, not to speak them.
const GRAPHEMES: [(&str, &str); 48] = [
    ("tch", "C"),
    ("dge", "J"),
    ("igh", "A"),
    ("sch", "S"),
    ("eau", "o"),
    ("ough", "o"),
    ("ph", "f"),
    ("th", "T"),
    ("sh", "S"),
    ("ch", "C"),
    ("ck", "k"),
    ("wh", "w"),
    ("wr", "r"),
    ("kn", "n"),
    ("gh", ""),
    ("qu", "kw"),
    ("ee", "i"),
    ("ea", "i"),
    ("ie", "i"),
    ("ey", "i"),
    ("oo", "u"),
    ("ou", "u"),
    ("ew", "yu"),
    ("ai", "e"),
    ("ay", "e"),
    ("ei", "e"),
    ("oa", "o"),
    ("ow", "o"),
    ("au", "O"),
    ("aw", "O"),
    ("oy", "Oi"),
    ("oi", "Oi"),
    ("er", "Vr"),
    ("ce", "se"),
    ("ci", "sI"),
    ("cy", "si"),
    ("ge", "JE"),
    ("gi", "JI"),
    ("gy", "Ji"),
    ("x", "ks"),
    ("c", "k"),
    ("q", "k"),
    ("j", "J"),
    ("a", "a"),
    ("e", "E"),
    ("i", "I"),
    ("o", "O"),
    ("u", "V"),
];

/// How `word` probably sounds, a letter for each phoneme; digits by their names.
fn phonemes(word: &str) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some(c) = rest.chars().next() {
        if let Some((spelled, sounds)) = GRAPHEMES.iter().find(|(g, _)| rest.starts_with(g)) {
            // An "e" at the end is silent and makes the vowel before it long.
            if *spelled == "e" && rest.len() == 1 && out.len() > 1 {
                let vowel = out.len() - 2;
                if let Some(long) = [(b'a', b'e'), (b'I', b'A'), (b'O', b'o'), (b'V', b'u')]
                    .iter()
                    .find(|(short, _)| *short == out[vowel])
                {
                    out[vowel] = long.1;
                }
            } else {
                out.extend(sounds.bytes());
            }
            rest = &rest[spelled.len()..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            'y' => out.push(if out.is_empty() { b'y' } else { b'i' }),
            '0'..='9' => out.extend(NAMES[c as usize - '0' as usize].bytes()),
            'a'..='z' if out.last() != Some(&(c as u8)) => out.push(c as u8),
            _ => {}
        }
    }
    out
}

/// How far apart two words sound, of the longer one's length: 0 the same, 1 nothing in common.
pub(in crate::understanding) fn word_distance(a: &str, b: &str) -> f32 {
    let (a, b) = (phonemes(a), phonemes(b));
    let all = |word: &[u8]| word.iter().map(|p| alone(*p)).sum::<f32>();
    let longest = all(&a).max(all(&b));
    if longest == 0.0 { 1.0 } else { (distance(&a, &b) / longest).min(1.0) }
}

/// Most symbols that a misheard word is taken for, the most that they may sound apart from it, and the most
/// ways that are kept.
const MOST_IN_WORD: usize = 3;
const APART_IN_WORD: f32 = 1.0;
const MOST_WAYS: usize = 4;
/// Words with more phonemes are words.
const LONGEST_WORD: usize = 9;

/// What `word` may be as names of symbols in a row, and how far it is from them: "angie" is "NG" misheard.
pub(super) fn as_symbols(word: &str) -> Vec<(String, f32)> {
    let sounds = phonemes(word);
    if !(2..=LONGEST_WORD).contains(&sounds.len()) {
        return Vec::new();
    }
    // Ways to say the first `n` sounds, by `n`.
    let mut ways: Vec<Vec<(String, f32)>> = vec![Vec::new(); sounds.len() + 1];
    ways[0].push((String::new(), 0.0));
    for from in 0..sounds.len() {
        let here = std::mem::take(&mut ways[from]);
        if here.is_empty() {
            continue;
        }
        for (symbol, name) in MISHEARD_NAMES.iter() {
            let most = sounds.len().min(from + name.len() + 1);
            let least = name.len().saturating_sub(1).max(1);
            for (len, apart) in prefix_distances(name, &sounds[from..most]).enumerate().skip(least) {
                if apart > APART_IN_WORD {
                    continue;
                }
                for (said, before) in &here {
                    if said.len() < MOST_IN_WORD && before + apart <= APART_IN_WORD {
                        let mut said = said.clone();
                        said.push(char::from(*symbol));
                        ways[from + len].push((said, before + apart));
                    }
                }
            }
        }
        for some in &mut ways[from + 1..] {
            keep_best(some);
        }
    }
    ways.pop().unwrap_or_default()
}

/// The likeliest ways, one for each spelling.
fn keep_best(ways: &mut Vec<(String, f32)>) {
    ways.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    ways.dedup_by(|a, b| a.0 == b.0);
    ways.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    ways.truncate(MOST_WAYS);
}

/// All names, but for "W": it is three words long and never misheard as one.
static MISHEARD_NAMES: LazyLock<Vec<(u8, &'static [u8])>> = LazyLock::new(|| {
    (0..COUNT - 1)
        .flat_map(|i| names(i).map(move |name| (symbol(i), name.as_bytes())))
        .filter(|(symbol, _)| *symbol != b'W')
        .collect()
});

/// How far `name` is from the first none, one, two … of `sounds`.
fn prefix_distances(name: &[u8], sounds: &[u8]) -> impl Iterator<Item = f32> {
    // Names and words are short: a row of the table fits.
    let mut row = [0.0_f32; LONGEST_WORD + 1];
    for (j, to) in sounds.iter().enumerate() {
        row[j + 1] = row[j] + alone(*to);
    }
    for from in name {
        let mut diagonal = row[0];
        row[0] += alone(*from);
        for (j, to) in sounds.iter().enumerate() {
            let replaced = diagonal + between(*from, *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + alone(*to)).min(diagonal + alone(*from));
        }
    }
    row.into_iter().take(sounds.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callers_confuse_is_near_and_what_they_do_not_is_far() {
        for (a, b) in
            ["BP", "BD", "BV", "DT", "MN", "FS", "AJ", "59", "A8", "8H", "GJ", "IY", "QU", "OO", "0O"]
                .map(|p| (p.as_bytes()[0], p.as_bytes()[1]))
        {
            assert!(symbol_distance(a, b) < 0.8, "{} {}", char::from(a), char::from(b));
        }
        for (a, b) in ["BX", "17", "WA", "6O", "RK", "3S"].map(|p| (p.as_bytes()[0], p.as_bytes()[1])) {
            assert!(symbol_distance(a, b) > FARTHEST, "{} {}", char::from(a), char::from(b));
        }
    }

    #[test]
    fn words_that_sound_alike_are_near() {
        for (a, b) in [
            ("smith", "smyth"),
            ("clark", "clarke"),
            ("philips", "phillips"),
            ("max", "maks"),
            ("steven", "stephen"),
        ] {
            assert!(word_distance(a, b) < 0.2, "{a} {b} {}", word_distance(a, b));
        }
        for (a, b) in [("smith", "jones"), ("miller", "kowalski"), ("", "a")] {
            assert!(word_distance(a, b) > 0.5, "{a} {b}");
        }
    }

    #[test]
    fn a_distance_is_the_same_both_ways() {
        for a in 0..COUNT {
            for b in 0..COUNT {
                let (there, back) = (DISTANCES[a][b], DISTANCES[b][a]);
                assert!(there == back || (there - back).abs() < 1e-5, "{a} {b}");
            }
        }
        assert!(near(b'B').iter().any(|(s, _)| *s == b'P'));
    }
}
