//! Words, their parts and their sounds, counted and weighed.
//!
//! What the encoder does not know (a brand, a spelling, a word misheard) still has letters and sounds
//! in common with the examples.

use std::collections::BTreeMap;

/// Groups of n-grams. Each has its own weight, and its own part of the unit length.
const GROUPS: usize = 4;
/// What the groups are worth: words, letters within them, words by their sound, and sounds across words.
/// Measured on recognised questions and on three public sets' held-out parts.
const WEIGHTS: [f32; GROUPS] = [1.0, 0.8, 0.4, 0.4];
/// Sentences that must hold an n-gram before it counts, where there are [`MANY`]: what comes once in
/// thousands of sentences is as often a typing error, and makes the head three times as large.
const REPEATED: u32 = 2;
/// Sentences from which [`REPEATED`] is asked for.
const MANY: usize = 2000;

/// The n-grams of one sentence: for each group, hashes and how often they stand there, by hash.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ngrams {
    groups: [BTreeMap<u32, u16>; GROUPS],
    /// Hashes of its words.
    words: Vec<u32>,
}

impl Ngrams {
    /// Of a normalised sentence.
    pub(super) fn of(sentence: &str) -> Ngrams {
        let words: Vec<&str> = sentence.split_whitespace().collect();
        let sounds: Vec<String> = words.iter().map(|w| sound(w)).collect();
        let sounds: Vec<&str> = sounds.iter().map(String::as_str).collect();
        let mut found = Ngrams::default();
        let mut add = |group: usize, feature: &str| {
            let count = found.groups[group].entry(hash(group, feature)).or_default();
            *count = count.saturating_add(1);
        };
        one_and_two(&words, &mut |f| add(0, f));
        for word in &words {
            letters(word, &mut |f| add(1, f));
        }
        one_and_two(&sounds, &mut |f| add(2, f));
        across(&words, &mut |f| add(3, f));
        found.words = words.iter().map(|w| hash(0, w)).collect();
        found
    }
}

/// The n-grams that count, what each is worth, and its place in a vector.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Vocabulary {
    /// Hashes in rising order; the index is the place.
    hashes: Vec<u32>,
    /// The rarer, the more: inverse document frequency (K. Sparck Jones, 1972), smoothed.
    worth: Vec<f32>,
    /// What a word is worth that no sentence had.
    unknown: f32,
}

impl Vocabulary {
    /// From the sentences of a training set.
    pub(super) fn of<'a>(all: impl ExactSizeIterator<Item = &'a Ngrams>) -> Vocabulary {
        let total = all.len();
        let least = if total >= MANY { REPEATED } else { 1 };
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        for hash in all.flat_map(|n| n.groups.iter().flat_map(BTreeMap::keys)) {
            *counts.entry(*hash).or_default() += 1;
        }
        counts.retain(|_, count| *count >= least);
        let worth = |count: u32| {
            #[expect(clippy::cast_precision_loss, reason = "counts of sentences, far below 2^24")]
            let ratio = (1.0 + total as f32) / (1.0 + count as f32);
            1.0 + ratio.ln()
        };
        Vocabulary {
            worth: counts.values().map(|count| worth(*count)).collect(),
            hashes: counts.into_keys().collect(),
            unknown: worth(0),
        }
    }

    /// How many n-grams count.
    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// From what [`Vocabulary::hashes`], [`Vocabulary::worth`] and [`Vocabulary::unknown`] gave; `None`
    /// where that is no vocabulary.
    pub(super) fn from_parts(hashes: Vec<u32>, worth: Vec<f32>, unknown: f32) -> Option<Vocabulary> {
        let sound = hashes.len() == worth.len() && hashes.windows(2).all(|w| w[0] < w[1]);
        sound.then_some(Vocabulary { hashes, worth, unknown })
    }

    /// The n-grams that count, by their hashes, in rising order.
    pub(super) fn hashes(&self) -> &[u32] {
        &self.hashes
    }

    /// What each is worth.
    pub(super) fn worth(&self) -> &[f32] {
        &self.worth
    }

    /// What a word is worth that no sentence had.
    pub(super) fn unknown(&self) -> f32 {
        self.unknown
    }

    /// A sentence as a sparse vector of unit length: place and value. Empty where nothing is known.
    pub(super) fn vector(&self, ngrams: &Ngrams) -> Vec<(u32, f32)> {
        let mut vector = Vec::new();
        for (group, weight) in ngrams.groups.iter().zip(WEIGHTS) {
            let known = |(hash, count): (&u32, &u16)| {
                let place = self.hashes.binary_search(hash).ok()?;
                let value = (1.0 + f32::from(*count).ln()) * self.worth[place];
                Some((u32::try_from(place).expect("hashes have 32 bits"), value))
            };
            let part: Vec<(u32, f32)> = group.iter().filter_map(known).collect();
            let norm = length(&part);
            vector.extend(part.into_iter().map(|(place, value)| (place, value * weight / norm)));
        }
        let norm = length(&vector);
        vector.iter_mut().for_each(|(_, value)| *value /= norm);
        vector.sort_unstable_by_key(|(place, _)| *place);
        vector
    }

    /// Share of a sentence's words that no training sentence had, by their worth, 0 to 1.
    pub(super) fn strangeness(&self, ngrams: &Ngrams) -> f32 {
        let (mut strange, mut total) = (0.0, 0.0);
        for word in &ngrams.words {
            let known = self.hashes.binary_search(word).ok().map(|place| self.worth[place]);
            strange += if known.is_none() { self.unknown } else { 0.0 };
            total += known.unwrap_or(self.unknown);
        }
        if total > 0.0 { strange / total } else { 0.0 }
    }
}

fn length(part: &[(u32, f32)]) -> f32 {
    part.iter().map(|(_, v)| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE)
}

/// Every word and every pair of neighbours, the sentence's edges being words too.
fn one_and_two(words: &[&str], add: &mut dyn FnMut(&str)) {
    words.iter().for_each(|w| add(w));
    let mut before = "^";
    for word in words.iter().copied().chain(["$"]) {
        add(&format!("{before} {word}"));
        before = word;
    }
}

/// Three to five letters in a row, the word's edges being letters too.
fn letters(word: &str, add: &mut dyn FnMut(&str)) {
    let edged = format!("^{word}$");
    let starts: Vec<usize> = edged.char_indices().map(|(at, _)| at).chain([edged.len()]).collect();
    for n in 3..=5 {
        starts.windows(n + 1).for_each(|w| add(&edged[w[0]..w[n]]));
    }
}

/// Four and five sounds in a row, wherever words begin: recognisers cut words in two and join others.
fn across(words: &[&str], add: &mut dyn FnMut(&str)) {
    let mut line = String::new();
    for c in words.iter().flat_map(|w| w.chars()) {
        let class = class(c).unwrap_or('a');
        if !line.ends_with(class) {
            line.push(class);
        }
    }
    for n in 4..=5 {
        // Classes are ASCII, but a foreign digit may stand for itself.
        let starts: Vec<usize> = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect();
        starts.windows(n + 1).for_each(|w| add(&line[w[0]..w[n]]));
    }
}

/// Consonants by the classes of Soundex (R. Russell, US patent 1,261,167 of 1918); digits stand for
/// themselves.
fn class(c: char) -> Option<char> {
    match c {
        'b' | 'p' | 'f' | 'v' => Some('B'),
        'c' | 'g' | 'j' | 'k' | 'q' | 's' | 'x' | 'z' => Some('S'),
        'd' | 't' => Some('T'),
        'l' => Some('L'),
        'm' | 'n' => Some('N'),
        'r' => Some('R'),
        '0'..='9' => Some(c),
        _ => None,
    }
}

/// A key that words of similar sound share: Soundex without its limit of four, with a mute h at the
/// beginning and any vowel there taken for the same.
fn sound(word: &str) -> String {
    let word = word.strip_prefix('h').unwrap_or(word);
    let mut key = String::new();
    for c in word.chars() {
        let class = match class(c) {
            Some(class) => class,
            None if key.is_empty() => 'a',
            None => continue,
        };
        if !key.ends_with(class) {
            key.push(class);
        }
    }
    key
}

fn hash(group: usize, feature: &str) -> u32 {
    // FNV-1a, 64 bits, with a final mix: its low bits alone are too regular for short keys. Of tens of
    // thousands of features next to none share 32 bits.
    let group = u8::try_from(group).expect("four groups");
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in std::iter::once(group).chain(feature.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u32::try_from(hash >> 32).expect("32 bits")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: [&str; 4] =
        ["where is my order", "i want my money back", "where is my refund", "a hoarder is in my house"];

    fn vocabulary() -> (Vocabulary, Vec<Ngrams>) {
        let all: Vec<Ngrams> = KNOWN.iter().map(|s| Ngrams::of(s)).collect();
        (Vocabulary::of(all.iter()), all)
    }

    fn cosine(a: &str, b: &str) -> f32 {
        let (vocabulary, _) = vocabulary();
        let b: BTreeMap<u32, f32> = vocabulary.vector(&Ngrams::of(b)).into_iter().collect();
        let a = vocabulary.vector(&Ngrams::of(a));
        a.into_iter().map(|(k, v)| v * b.get(&k).copied().unwrap_or_default()).sum()
    }

    #[test]
    fn similar_sounds_share_a_key() {
        assert_eq!(sound("order"), sound("hoarder"));
        assert_eq!(sound("billing"), sound("filing"));
        assert_ne!(sound("refund"), sound("order"));
    }

    #[test]
    fn a_misheard_word_stays_nearer_than_another_sentence() {
        let heard = cosine("where is my hoarder", "where is my order");
        assert!(heard > 2.0 * cosine("where is my hoarder", "i want my money back"), "{heard}");
        assert!(
            cosine("i want a re fund", "where is my refund") > cosine("i want a re", "where is my refund")
        );
    }

    #[test]
    fn strange_words_are_counted_by_what_they_would_be_worth() {
        let (vocabulary, _) = vocabulary();
        assert_eq!(vocabulary.strangeness(&Ngrams::of("where is my money")), 0.0);
        assert_eq!(vocabulary.strangeness(&Ngrams::of("zebras galore")), 1.0);
        let half = vocabulary.strangeness(&Ngrams::of("my zebra"));
        assert!((0.5..1.0).contains(&half), "{half}");
    }

    proptest! {
        #[test]
        fn every_known_sentence_has_unit_length(sentence in "[a-z\u{e9}]{1,8}( [a-z0-9]{1,8}){0,9}") {
            let ngrams = Ngrams::of(&sentence);
            let vocabulary = Vocabulary::of([ngrams.clone()].iter());
            let again = Vocabulary::from_parts(vocabulary.hashes.clone(), vocabulary.worth.clone(), vocabulary.unknown);
            prop_assert_eq!(again.as_ref(), Some(&vocabulary));
            let vector = vocabulary.vector(&ngrams);
            prop_assert!((length(&vector) - 1.0).abs() < 1e-4 );
            prop_assert!(vector.windows(2).all(|w| w[0].0 < w[1].0));
            prop_assert!(vector.iter().all(|(place, _)| (*place as usize) < vocabulary.len()));
        }
    }
}
