//! Sentences as vectors: a BERT encoder, mean pooling, unit length (all-MiniLM-L6-v2 and its kin).

use std::fmt::Write;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;

use super::ClassifierError;

pub(super) mod backward;
pub(super) mod bert;
pub(super) mod product;
pub(super) mod vector;
mod weights;

use backward::Values;
use bert::{Bert, Ragged, Tape};

/// Most tokens that are looked at, the two special ones included. A spoken turn of 15 s has about 45
/// words; attention's cost grows with the square.
const MAX_TOKENS: usize = 64;
/// Words encoded at once: enough to keep the kernel busy, few enough for the second-level cache.
const BATCH_TOKENS: usize = 384;

/// A sentence encoder on the CPU, in 32-bit floats, on the thread that calls it.
pub struct Encoder {
    bert: Bert,
    tokenizer: Tokenizer,
    sha256: String,
}

impl Encoder {
    /// Loads `config.json`, `tokenizer.json` and `model.safetensors` from a directory (about 0.1 s and
    /// 100 MB for all-MiniLM-L6-v2).
    ///
    /// # Errors
    /// Where a file is missing or is not what its name says.
    pub fn load(dir: &Path) -> Result<Encoder, ClassifierError> {
        let fail = |what: &str, why: String| ClassifierError::Encoder {
            path: dir.display().to_string(),
            why: format!("{what}: {why}; `attendant models pull` fetches it again"),
        };
        let read = |name: &str| fs::read(dir.join(name)).map_err(|e| fail(name, e.to_string()));
        let (config_bytes, tokenizer_bytes) = (read("config.json")?, read("tokenizer.json")?);
        let weights = read("model.safetensors")?;
        let mut hash = Sha256::new();
        for bytes in [&config_bytes, &tokenizer_bytes, &weights] {
            hash.update(bytes.len().to_le_bytes());
            hash.update(bytes);
        }
        let config = weights::Config::parse(&config_bytes).map_err(|e| fail("config.json", e))?;
        let mut tokenizer =
            Tokenizer::from_bytes(&tokenizer_bytes).map_err(|e| fail("tokenizer.json", e.to_string()))?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(tokenizers::TruncationParams {
                max_length: MAX_TOKENS,
                ..Default::default()
            }))
            .map_err(|e| fail("tokenizer.json", e.to_string()))?;
        let bert = Bert::from_safetensors(&weights, &config).map_err(|e| fail("model.safetensors", e))?;
        let (words, known) = (tokenizer.get_vocab_size(true), bert.words());
        if words > known {
            return Err(fail(
                "tokenizer.json",
                format!("{words} words: expected at most {known}, as in the model"),
            ));
        }
        Ok(Encoder { bert, tokenizer, sha256: hex(&hash.finalize()) })
    }

    /// Length of a sentence's vector.
    pub fn width(&self) -> usize {
        self.bert.dimensions.width
    }

    /// SHA-256 over the three files, as 64 hexadecimal digits; a tuned encoder has that of the one before.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The weights that fine-tuning changes.
    pub(super) fn weights(&self) -> Vec<Values> {
        self.bert.weights()
    }

    /// The same encoder with other weights, in the order of [`Encoder::weights`].
    pub(super) fn tuned(&self, weights: &[Values]) -> Result<Encoder, ClassifierError> {
        let (bert, tokenizer) = (self.bert.clone(), self.tokenizer.clone());
        let mut tuned = Encoder { bert, tokenizer, sha256: self.sha256.clone() };
        tuned.set_weights(weights)?;
        Ok(tuned)
    }

    /// Takes other weights.
    pub(super) fn set_weights(&mut self, weights: &[Values]) -> Result<(), ClassifierError> {
        self.bert.set_weights(weights).map_err(ClassifierError::Engine)
    }

    /// The layers, for whoever trains them.
    pub(super) fn bert(&self) -> &Bert {
        &self.bert
    }

    /// A sentence's word pieces.
    pub(super) fn tokens(&self, sentence: &str) -> Result<Vec<u32>, ClassifierError> {
        let encoding = self.tokenizer.encode_fast(sentence, true);
        let encoding = encoding.map_err(|e| ClassifierError::Engine(format!("tokenizer: {e}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The vectors of `sentences`, each of length 1. `progress` gets the number done so far.
    ///
    /// # Errors
    /// Only for faults of the engine.
    pub fn embed(
        &self,
        sentences: &[&str],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<f32>>, ClassifierError> {
        let mut vectors = Vec::with_capacity(sentences.len());
        let (mut batch, mut tape) = (Ragged::default(), Tape::default());
        for sentence in sentences {
            let ids = self.tokens(sentence)?;
            if batch.ids.len() + ids.len() > BATCH_TOKENS && !batch.lengths.is_empty() {
                self.embed_batch(&mut batch, &mut tape, &mut vectors);
                progress(vectors.len());
            }
            batch.push(&ids);
        }
        self.embed_batch(&mut batch, &mut tape, &mut vectors);
        progress(vectors.len());
        Ok(vectors)
    }

    fn embed_batch(&self, batch: &mut Ragged, tape: &mut Tape, vectors: &mut Vec<Vec<f32>>) {
        self.bert.forward(batch, false, tape);
        let mut words = tape.hidden.chunks_exact(self.width());
        for &length in &batch.lengths {
            let mut pooled = vec![0.0; self.width()];
            for word in words.by_ref().take(length) {
                pooled.iter_mut().zip(word).for_each(|(p, w)| *p += w);
            }
            let norm = vector::dot(&pooled, &pooled).sqrt().max(f32::MIN_POSITIVE);
            pooled.iter_mut().for_each(|v| *v /= norm);
            vectors.push(pooled);
        }
        *batch = Ragged::default();
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
    }
    text
}

#[cfg(test)]
mod tests;
