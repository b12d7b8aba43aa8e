//! Words, their parts and their sounds as a sparse vector of unit length.
//!
//! What the encoder does not know (a brand, a spelling, a word misheard) still has letters and sounds
//! in common with the examples.

use std::collections::BTreeMap;

/// Length of the vector: the demo's files hold about as many different features.
pub(super) const BUCKETS: usize = 4096;

/// What each group of features is worth: the norm of its part of the vector.
const WORDS: f32 = 1.0;
const LETTERS: f32 = 0.7;
const SOUNDS: f32 = 0.6;

/// The features of a normalised sentence: bucket and value, by bucket.
pub(super) fn ngrams(sentence: &str) -> Vec<(usize, f32)> {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let sounds: Vec<String> = words.iter().map(|w| sound(w)).collect();
    let sounds: Vec<&str> = sounds.iter().map(String::as_str).collect();
    let mut total: BTreeMap<usize, f32> = BTreeMap::new();
    let mut group = |weight: f32, features: Vec<String>| {
        let mut part: BTreeMap<usize, f32> = BTreeMap::new();
        for feature in features {
            let (bucket, sign) = bucket(&feature);
            *part.entry(bucket).or_default() += sign;
        }
        let norm = part.values().map(|v| v * v).sum::<f32>().sqrt();
        if norm > 0.0 {
            for (bucket, value) in part {
                *total.entry(bucket).or_default() += value * weight / norm;
            }
        }
    };
    group(WORDS, one_and_two("w", &words));
    group(LETTERS, words.iter().flat_map(|w| letters(w)).collect());
    group(SOUNDS, one_and_two("s", &sounds));
    let norm = total.values().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    total.into_iter().map(|(bucket, value)| (bucket, value / norm)).collect()
}

/// Every word and every pair of neighbours, the sentence's edges being words too.
fn one_and_two(kind: &str, words: &[&str]) -> Vec<String> {
    let mut features: Vec<String> = words.iter().map(|w| format!("{kind}:{w}")).collect();
    let mut before = "^";
    for word in words.iter().copied().chain(["$"]) {
        features.push(format!("{kind}:{before} {word}"));
        before = word;
    }
    features
}

/// Three to five letters in a row, the word's edges being letters too.
fn letters(word: &str) -> Vec<String> {
    let edged: Vec<char> = std::iter::once('^').chain(word.chars()).chain(std::iter::once('$')).collect();
    (3..=5).flat_map(|n| edged.windows(n)).map(|w| format!("c:{}", w.iter().collect::<String>())).collect()
}

/// A key that words of similar sound share: consonants by the classes of Soundex (R. Russell,
/// US patent 1,261,167 of 1918), without its limit of four, with a mute h at the beginning and any
/// vowel there taken for the same.
fn sound(word: &str) -> String {
    let word = word.strip_prefix('h').unwrap_or(word);
    let mut key = String::new();
    for c in word.chars() {
        let class = match c {
            'b' | 'p' | 'f' | 'v' => '1',
            'c' | 'g' | 'j' | 'k' | 'q' | 's' | 'x' | 'z' => '2',
            'd' | 't' => '3',
            'l' => '4',
            'm' | 'n' => '5',
            'r' => '6',
            '0'..='9' => c,
            _ if key.is_empty() => 'a',
            _ => continue,
        };
        if !key.ends_with(class) {
            key.push(class);
        }
    }
    key
}

/// Where a feature goes, and with which sign, so that features that share a bucket cancel on average
/// (K. Weinberger and others, Feature hashing for large scale multitask learning, 2009).
fn bucket(feature: &str) -> (usize, f32) {
    // FNV-1a, 64 bits, with a final mix: its low bits alone are too regular for short keys.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in feature.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bucket = usize::try_from(hash >> 40).expect("24 bits") % BUCKETS;
    (bucket, if hash & (1 << 20) == 0 { 1.0 } else { -1.0 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        let b: BTreeMap<usize, f32> = ngrams(b).into_iter().collect();
        ngrams(a).into_iter().map(|(k, v)| v * b.get(&k).copied().unwrap_or_default()).sum()
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
        assert!(heard > cosine("where is my refund", "where is my order"), "{heard}");
        assert!(heard > 2.0 * cosine("where is my hoarder", "i want my money back"), "{heard}");
    }

    proptest! {
        #[test]
        fn every_sentence_has_unit_length(sentence in "[a-z]{1,8}( [a-z0-9]{1,8}){0,9}") {
            let features = ngrams(&sentence);
            let norm: f32 = features.iter().map(|(_, v)| v * v).sum();
            prop_assert!((norm - 1.0).abs() < 1e-4, "{norm}");
            prop_assert!(features.windows(2).all(|w| w[0].0 < w[1].0) && features.iter().all(|f| f.0 < BUCKETS));
        }
    }
}
