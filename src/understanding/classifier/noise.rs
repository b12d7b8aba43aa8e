//! Sentences as a recogniser may miswrite them: a word lost, a word misspelt by its sound, a word cut
//! in two, a small word too many.
//!
//! The head is trained on one such copy of every sentence beside the sentence itself, so that it does
//! not lean on one word, and the gate learns that a slip does not put a sentence out of scope.

/// Letters that sound alike on a telephone line, whose 300-3400 Hz cut off what tells them apart.
const ALIKE: [&str; 7] = ["bpdt", "fvs", "szc", "mn", "ckg", "iey", "aou"];
/// Small words that recognisers hear in a breath or a hum.
const INSERTED: [&str; 6] = ["a", "the", "and", "oh", "in", "it"];

/// SplitMix64 (G. Steele, D. Lea, C. Flood, Fast splittable pseudorandom number generators, 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below 1.
    pub(super) fn unit(&mut self) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "24 bits")]
        let parts = (self.next() >> 40) as f32;
        parts / 16_777_216.0
    }

    /// Below `bound`, which is not zero. The bias of the remainder is beyond notice for small bounds.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits") % bound
    }
}

/// `sentence` (normalised, not empty) with one slip.
pub(super) fn misheard(sentence: &str, random: &mut Random) -> String {
    let mut words: Vec<String> = sentence.split_whitespace().map(str::to_owned).collect();
    let at = random.below(words.len());
    match random.below(6) {
        0 | 1 if words.len() > 2 => {
            words.remove(at);
        }
        2 if words[at].len() > 4 => {
            let letters: Vec<char> = words[at].chars().collect();
            let (left, right) = letters.split_at(1 + random.below(letters.len() - 2));
            words[at] = format!("{} {}", String::from_iter(left), String::from_iter(right));
        }
        3 => words.insert(at, INSERTED[random.below(INSERTED.len())].to_owned()),
        _ => misspell(&mut words, random),
    }
    words.join(" ")
}

/// Replaces one letter of the longest of three words taken at random by one that sounds alike.
fn misspell(words: &mut [String], random: &mut Random) {
    let picks: [usize; 3] = std::array::from_fn(|_| random.below(words.len()));
    let at = picks.into_iter().max_by_key(|&i| words[i].len()).unwrap_or_default();
    let mut letters: Vec<char> = words[at].chars().collect();
    let from = random.below(letters.len());
    let places: Vec<usize> = (from..letters.len()).chain(0..from).collect();
    for place in places {
        let Some(group) = ALIKE.iter().find(|g| g.contains(letters[place])) else { continue };
        let others: Vec<char> = group.chars().filter(|c| *c != letters[place]).collect();
        letters[place] = others[random.below(others.len())];
        break;
    }
    words[at] = String::from_iter(letters);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_slip_is_small_and_repeatable(sentence in "[a-z']{1,9}( [a-z']{1,9}){0,7}", seed in any::<u64>()) {
            let once = misheard(&sentence, &mut Random(seed));
            prop_assert_eq!(&once, &misheard(&sentence, &mut Random(seed)));
            prop_assert!(!once.trim().is_empty());
            let count = |s: &str| s.split_whitespace().count();
            prop_assert!(count(&once).abs_diff(count(&sentence)) <= 1);
        }
    }

    #[test]
    fn most_slips_change_something() {
        let mut random = Random(1);
        let changed =
            (0..100).filter(|_| misheard("where is my order", &mut random) != "where is my order").count();
        assert!(changed > 90, "{changed}");
    }
}
