//! All training files together.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::call::{IntentName, OUT_OF_SCOPE};

use super::numbers::mask_numbers;
use super::training_file::TrainingFile;

/// Fewest examples of an intent: with fewer than five folds' worth, cross-validation says nothing.
pub const MIN_EXAMPLES: usize = 5;

/// What a classifier is trained from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainingSet {
    intents: Vec<IntentName>,
    sentences: Vec<(String, usize)>,
    negatives: Vec<String>,
}

/// Why training files do not go together.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TrainingSetError {
    /// Two files of one intent.
    #[error("{first} and {second} both define the intent '{intent}': expected one file an intent")]
    SameIntent {
        /// The intent.
        intent: IntentName,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// One sentence in two intents.
    #[error(
        "{second_path}:{second_line}: '{text}' stands already in {first_path}:{first_line}: expected a sentence in one intent only"
    )]
    Duplicate {
        /// The sentence, normalised.
        text: String,
        /// Where it stands first.
        first_path: String,
        /// The line there.
        first_line: usize,
        /// Where it stands again.
        second_path: String,
        /// The line there.
        second_line: usize,
    },
    /// Too few examples of an intent.
    #[error("{path}: {found} examples: expected at least {MIN_EXAMPLES}, better 30 or more")]
    TooFew {
        /// The file.
        path: String,
        /// How many there are.
        found: usize,
    },
    /// Too few intents.
    #[error("{found} intent(s) with examples: expected at least two to tell apart")]
    TooFewIntents {
        /// How many there are.
        found: usize,
    },
}

impl TrainingSet {
    /// Puts files together; the order in which they come does not matter. The file `out_of_scope`
    /// holds what no intent covers; it may be missing.
    ///
    /// # Errors
    /// Where two files define one intent, one sentence stands in two intents, an intent has fewer than
    /// [`MIN_EXAMPLES`] examples, or there are fewer than two intents.
    pub fn from_files(mut files: Vec<TrainingFile>) -> Result<TrainingSet, TrainingSetError> {
        files.sort_by(|a, b| (&a.intent, &a.path).cmp(&(&b.intent, &b.path)));
        if let Some(pair) = files.windows(2).find(|p| p[0].intent == p[1].intent) {
            return Err(TrainingSetError::SameIntent {
                intent: pair[0].intent.clone(),
                first: pair[0].path.clone(),
                second: pair[1].path.clone(),
            });
        }
        check_duplicates(&files)?;
        let mut set = TrainingSet { intents: Vec::new(), sentences: Vec::new(), negatives: Vec::new() };
        for file in files {
            let texts = distinct(file.examples.iter().map(|e| mask_numbers(&e.text)));
            if file.intent.as_str() == OUT_OF_SCOPE {
                set.negatives = texts;
                continue;
            }
            if file.examples.len() < MIN_EXAMPLES {
                return Err(TrainingSetError::TooFew { path: file.path, found: file.examples.len() });
            }
            let index = set.intents.len();
            set.intents.push(file.intent);
            set.sentences.extend(texts.into_iter().map(|t| (t, index)));
        }
        set.checked()
    }

    /// A set from sentences in memory, each with its intent, and from those of no intent. A sentence that
    /// comes again for the same intent counts once; one that stands in two intents stays in both, as
    /// public sets have them.
    ///
    /// # Errors
    /// Where an intent has fewer than [`MIN_EXAMPLES`] sentences or there are fewer than two intents.
    pub fn from_sentences(
        sentences: impl IntoIterator<Item = (IntentName, String)>,
        negatives: impl IntoIterator<Item = String>,
    ) -> Result<TrainingSet, TrainingSetError> {
        let mut by_intent: BTreeMap<IntentName, Vec<String>> = BTreeMap::new();
        for (intent, text) in sentences {
            by_intent.entry(intent).or_default().push(text);
        }
        let mut set = TrainingSet { intents: Vec::new(), sentences: Vec::new(), negatives: Vec::new() };
        set.negatives = distinct(negatives.into_iter().map(|t| mask_numbers(&t)));
        for (intent, texts) in by_intent {
            if texts.len() < MIN_EXAMPLES {
                return Err(TrainingSetError::TooFew { path: intent.to_string(), found: texts.len() });
            }
            let index = set.intents.len();
            set.intents.push(intent);
            set.sentences
                .extend(distinct(texts.iter().map(|t| mask_numbers(t))).into_iter().map(|t| (t, index)));
        }
        set.checked()
    }

    fn checked(self) -> Result<TrainingSet, TrainingSetError> {
        if self.intents.len() < 2 {
            return Err(TrainingSetError::TooFewIntents { found: self.intents.len() });
        }
        Ok(self)
    }

    /// The intents, sorted by name, out of scope not among them.
    pub fn intents(&self) -> &[IntentName] {
        &self.intents
    }

    /// Sentences as the classifier sees them ([`mask_numbers`]), each with the index of its intent.
    pub fn sentences(&self) -> &[(String, usize)] {
        &self.sentences
    }

    /// Sentences that belong to no intent, as the classifier sees them.
    pub fn negatives(&self) -> &[String] {
        &self.negatives
    }

    /// SHA-256 of the content as 64 hexadecimal digits: the same for files that train the same.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let mut line = |parts: [&str; 2]| {
            for part in parts {
                // Lengths keep neighbouring parts apart.
                hash.update(part.len().to_le_bytes());
                hash.update(part.as_bytes());
            }
        };
        for (text, intent) in &self.sentences {
            line([self.intents[*intent].as_str(), text]);
        }
        for text in &self.negatives {
            line([OUT_OF_SCOPE, text]);
        }
        let mut hex = String::with_capacity(64);
        for byte in hash.finalize() {
            write!(hex, "{byte:02x}").expect("writing to a String does not fail");
        }
        hex
    }
}

/// Sentences as the classifier sees them; those that differ only in a number are one, and those without a
/// word are none.
fn distinct(sentences: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    sentences.filter(|t| !t.is_empty() && seen.insert(t.clone())).collect()
}

fn check_duplicates(files: &[TrainingFile]) -> Result<(), TrainingSetError> {
    let mut seen: BTreeMap<String, (&TrainingFile, usize)> = BTreeMap::new();
    for file in files {
        for example in &file.examples {
            let text = mask_numbers(&example.text);
            match seen.get(&text) {
                Some((first, line)) if first.intent != file.intent => {
                    return Err(TrainingSetError::Duplicate {
                        text,
                        first_path: first.path.clone(),
                        first_line: *line,
                        second_path: file.path.clone(),
                        second_line: example.line,
                    });
                }
                Some(_) => {}
                None => {
                    seen.insert(text, (file, example.line));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [&str; 5] = ["one a", "two a", "three a", "four a", "five a"];
    const B: [&str; 5] = ["one b", "two b", "three b", "four b", "five b"];

    #[test]
    fn intents_are_sorted_and_negatives_apart() {
        let set = TrainingSet::from_files(vec![
            TrainingFile::with_examples("b", &B),
            TrainingFile::with_examples("out_of_scope", &["nice weather"]),
            TrainingFile::with_examples("a", &A),
        ]);
        let set = set.expect("valid");
        let names: Vec<&str> = set.intents().iter().map(IntentName::as_str).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(set.sentences()[0], ("one a".to_owned(), 0));
        assert_eq!(set.negatives(), ["nice weather"]);
    }

    #[test]
    fn sentences_in_memory_make_the_same_set_as_files() {
        let name = |n: &str| n.parse::<IntentName>().expect("a name");
        let listed = B.iter().map(|t| (name("b"), *t)).chain(A.iter().map(|t| (name("a"), *t)));
        let owned: Vec<(IntentName, String)> = listed.map(|(i, t)| (i, t.to_uppercase())).collect();
        let again = owned[0].clone();
        let set = TrainingSet::from_sentences(owned.into_iter().chain([again]), ["Nice!".to_owned()]);
        let files = vec![
            TrainingFile::with_examples("a", &A),
            TrainingFile::with_examples("b", &B),
            TrainingFile::with_examples("out_of_scope", &["nice"]),
        ];
        assert_eq!(set, TrainingSet::from_files(files));
        let few = TrainingSet::from_sentences([(name("a"), "x".to_owned())], []);
        assert_eq!(few, Err(TrainingSetError::TooFew { path: "a".to_owned(), found: 1 }));
    }

    #[test]
    fn the_fingerprint_follows_the_content_alone() {
        let both = |a: &[&str]| {
            TrainingSet::from_files(vec![
                TrainingFile::with_examples("a", a),
                TrainingFile::with_examples("b", &B),
            ])
            .expect("valid")
        };
        let turned = TrainingSet::from_files(vec![
            TrainingFile::with_examples("b", &B),
            TrainingFile::with_examples("a", &A),
        ])
        .expect("valid");
        assert_eq!(both(&A).fingerprint(), turned.fingerprint());
        assert_eq!(
            both(&A).fingerprint(),
            both(&["One A!", "two a", "three a", "four a", "five a"]).fingerprint()
        );
        assert_ne!(
            both(&A).fingerprint(),
            both(&["one aa", "two a", "three a", "four a", "five a"]).fingerprint()
        );
        assert_eq!(both(&A).fingerprint().len(), 64);
    }

    #[test]
    fn a_sentence_in_two_intents_is_named_with_both_places() {
        let error = TrainingSet::from_files(vec![
            TrainingFile::with_examples("a", &A),
            TrainingFile::with_examples("b", &["x", "y", "z", "v", "Two A"]),
        ]);
        let text = error.expect_err("a mistake").to_string();
        assert!(text.contains("b.toml:6") && text.contains("a.toml:3"), "{text}");
    }

    #[test]
    fn what_cannot_be_trained_is_refused() {
        let few = TrainingSet::from_files(vec![
            TrainingFile::with_examples("a", &A),
            TrainingFile::with_examples("b", &["x", "y"]),
        ])
        .expect_err("too few");
        assert_eq!(few, TrainingSetError::TooFew { path: "b.toml".to_owned(), found: 2 });
        let one =
            TrainingSet::from_files(vec![TrainingFile::with_examples("a", &A)]).expect_err("one intent");
        assert_eq!(one, TrainingSetError::TooFewIntents { found: 1 });
        let twice = TrainingSet::from_files(vec![
            TrainingFile::with_examples("a", &A),
            TrainingFile::with_examples("a", &B),
        ])
        .expect_err("two files");
        assert!(matches!(twice, TrainingSetError::SameIntent { .. }));
    }
}
