//! Sentences as vectors: a BERT encoder, mean pooling, unit length (all-MiniLM-L6-v2 and its kin).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;

use super::ClassifierError;

/// Most tokens that are looked at, the two special ones included. A spoken turn of 15 s has about 45
/// words; attention's cost grows with the square.
const MAX_TOKENS: usize = 64;
/// Sentences encoded at once: more fall out of the second-level cache and gain nothing.
const BATCH: usize = 32;

/// A sentence encoder on the CPU, in 32-bit floats.
pub struct Encoder {
    model: BertModel,
    tokenizer: Tokenizer,
    width: usize,
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
        let config: Config =
            serde_json::from_slice(&config_bytes).map_err(|e| fail("config.json", e.to_string()))?;
        let mut tokenizer =
            Tokenizer::from_bytes(&tokenizer_bytes).map_err(|e| fail("tokenizer.json", e.to_string()))?;
        // Sentences of one length are encoded together, so nothing is ever padded.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(tokenizers::TruncationParams {
                max_length: MAX_TOKENS,
                ..Default::default()
            }))
            .map_err(|e| fail("tokenizer.json", e.to_string()))?;
        let device = Device::Cpu;
        let vars = VarBuilder::from_buffered_safetensors(weights, DType::F32, &device)
            .map_err(|e| fail("model.safetensors", e.to_string()))?;
        let model = BertModel::load(vars, &config).map_err(|e| fail("model.safetensors", e.to_string()))?;
        Ok(Encoder { model, tokenizer, width: config.hidden_size, sha256: hex(&hash.finalize()) })
    }

    /// Length of a sentence's vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// SHA-256 over the three files, as 64 hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
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
        let mut by_length: BTreeMap<usize, Vec<(usize, Vec<u32>)>> = BTreeMap::new();
        for (index, sentence) in sentences.iter().enumerate() {
            let encoding = self
                .tokenizer
                .encode(*sentence, true)
                .map_err(|e| ClassifierError::Engine(format!("tokenizer: {e}")))?;
            let ids = encoding.get_ids().to_vec();
            by_length.entry(ids.len()).or_default().push((index, ids));
        }
        let mut vectors = vec![Vec::new(); sentences.len()];
        let mut done = 0;
        for (length, group) in by_length {
            for batch in group.chunks(BATCH) {
                for ((index, _), vector) in batch.iter().zip(self.embed_batch(batch, length)?) {
                    vectors[*index] = vector;
                }
                done += batch.len();
                progress(done);
            }
        }
        Ok(vectors)
    }

    /// Encodes sentences of `length` tokens each.
    fn embed_batch(
        &self,
        batch: &[(usize, Vec<u32>)],
        length: usize,
    ) -> Result<Vec<Vec<f32>>, ClassifierError> {
        let ids: Vec<u32> = batch.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
        let ids = Tensor::from_vec(ids, (batch.len(), length), &self.model.device)?;
        let types = ids.zeros_like()?;
        let hidden = self.model.forward(&ids, &types, None)?;
        let pooled = hidden.mean(1)?;
        let norms = pooled.sqr()?.sum_keepdim(1)?.sqrt()?;
        Ok(pooled.broadcast_div(&norms)?.to_vec2()?)
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
    }
    text
}
