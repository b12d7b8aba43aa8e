//! Sentences' vectors on disk, by sentence: after a change only what is new is encoded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ClassifierError;
use super::encoder::Encoder;

/// Begins every file; grows with its layout.
const MAGIC: &[u8; 8] = b"ATTVEC01";
const FILE: &str = "embeddings.bin";

/// A sentence's key: sixteen bytes of its SHA-256.
type Key = [u8; 16];

/// The vectors of sentences, for one encoder. A file that is missing, damaged or another encoder's is an
/// empty cache: everything is encoded again.
pub(super) struct Embeddings {
    path: PathBuf,
    /// What was there.
    known: BTreeMap<Key, Vec<f32>>,
    /// What has been asked for.
    used: BTreeMap<Key, Vec<f32>>,
    encoder: String,
}

impl Embeddings {
    /// Opens the cache in `folder`.
    pub(super) fn open(folder: &Path, encoder: &Encoder) -> Embeddings {
        let path = folder.join(FILE);
        let bytes = fs::read(&path).unwrap_or_default();
        let known = parse(&bytes, encoder.sha256(), encoder.width()).unwrap_or_default();
        Embeddings { path, known, used: BTreeMap::new(), encoder: encoder.sha256().to_owned() }
    }

    /// The vectors of `sentences`. `progress` gets how many of the new ones are encoded, and how many
    /// there are.
    pub(super) fn embed(
        &mut self,
        sentences: &[&str],
        encoder: &Encoder,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Vec<f32>>, ClassifierError> {
        let keys: Vec<Key> = sentences.iter().map(|s| key(s)).collect();
        let mut new: BTreeMap<Key, &str> = BTreeMap::new();
        for (key, sentence) in keys.iter().zip(sentences) {
            if let Some(vector) = self.known.get(key) {
                self.used.entry(*key).or_insert_with(|| vector.clone());
            } else if !self.used.contains_key(key) {
                new.insert(*key, sentence);
            }
        }
        let texts: Vec<&str> = new.values().copied().collect();
        let vectors = encoder.embed(&texts, &mut |done| progress(done, texts.len()))?;
        self.used.extend(new.into_keys().zip(vectors));
        Ok(keys.iter().map(|k| self.used[k].clone()).collect())
    }

    /// Writes what was asked for, and nothing else: sentences that are gone are forgotten.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(super) fn save(&self) -> Result<(), ClassifierError> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.encoder.as_bytes());
        for (key, vector) in &self.used {
            bytes.extend(key);
            vector.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
        }
        let part = self.path.with_extension("part");
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&part, bytes))
            .and_then(|()| fs::rename(&part, &self.path))
            .map_err(|e| ClassifierError::Head { path: self.path.display().to_string(), why: e.to_string() })
    }
}

fn key(sentence: &str) -> Key {
    let digest = Sha256::digest(sentence.as_bytes());
    std::array::from_fn(|i| digest[i])
}

fn parse(bytes: &[u8], encoder: &str, width: usize) -> Option<BTreeMap<Key, Vec<f32>>> {
    let records = bytes.strip_prefix(MAGIC)?.strip_prefix(encoder.as_bytes())?;
    let length = size_of::<Key>() + width * size_of::<f32>();
    if !records.len().is_multiple_of(length) {
        return None;
    }
    let record = |bytes: &[u8]| {
        let (key, values) = bytes.split_first_chunk::<16>().expect("a record begins with its key");
        let (values, _) = values.as_chunks::<4>();
        (*key, values.iter().map(|v| f32::from_le_bytes(*v)).collect())
    };
    Some(records.chunks_exact(length).map(record).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_cache_is_an_empty_one() {
        let record = |n: u8| [vec![n; 16], 1.5_f32.to_le_bytes().to_vec(), (-2.0_f32).to_le_bytes().to_vec()];
        let whole = [MAGIC.to_vec(), b"abc".to_vec(), record(1).concat(), record(2).concat()].concat();
        let found = parse(&whole, "abc", 2).unwrap();
        assert_eq!(found[&[2; 16]], [1.5, -2.0]);
        assert_eq!(found.len(), 2);
        assert!(parse(&whole, "abd", 2).is_none(), "another encoder");
        assert!(parse(&whole[..whole.len() - 1], "abc", 2).is_none(), "cut off");
        assert!(parse(b"", "abc", 2).is_none());
        assert!(parse(b"ATTVEC00abc", "abc", 2).is_none(), "another layout");
    }
}
