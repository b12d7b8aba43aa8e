//! An encoder's files: `config.json` and `model.safetensors`.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, safetensors};
use serde::Deserialize;

use super::bert::{Bert, Dense, Dimensions, Embeddings, Layer, Norm};
use super::product::{Packed, View};

/// What is used of `config.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    layer_norm_eps: f32,
    hidden_act: String,
    #[serde(default = "absolute")]
    position_embedding_type: String,
}

fn absolute() -> String {
    "absolute".to_owned()
}

impl Config {
    /// Reads and checks it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Config, String> {
        let config: Config = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        for (what, found, expected) in [
            ("hidden_act", &config.hidden_act, "gelu"),
            ("position_embedding_type", &config.position_embedding_type, "absolute"),
        ] {
            if found != expected {
                return Err(format!("{what} is '{found}': expected '{expected}'"));
            }
        }
        if config.num_attention_heads == 0 || !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            return Err(format!(
                "hidden_size {} over {} heads: expected a whole number of at least 1",
                config.hidden_size, config.num_attention_heads
            ));
        }
        Ok(config)
    }
}

/// The tensors of a file, taken out one by one.
struct Tensors(HashMap<String, Tensor>);

impl Tensors {
    /// The values of the tensor `name`, which must have this shape.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        // Models that were saved with a task's head name their encoder.
        let found = self.0.remove(name).or_else(|| self.0.remove(&format!("bert.{name}")));
        let tensor = found.ok_or_else(|| format!("the tensor '{name}' is missing"))?;
        if tensor.dims() != shape {
            return Err(format!("the tensor '{name}' has the shape {:?}: expected {shape:?}", tensor.dims()));
        }
        let values = tensor.flatten_all().and_then(|t| t.to_dtype(DType::F32)).and_then(|t| t.to_vec1());
        values.map_err(|e| format!("the tensor '{name}': {e}"))
    }

    /// The first dimension of a tensor.
    fn rows(&self, name: &str) -> Result<usize, String> {
        let found = self.0.get(name).or_else(|| self.0.get(&format!("bert.{name}")));
        let tensor = found.ok_or_else(|| format!("the tensor '{name}' is missing"))?;
        tensor.dims().first().copied().ok_or_else(|| format!("the tensor '{name}' has no dimension"))
    }

    fn norm(&mut self, name: &str, width: usize) -> Result<Norm, String> {
        Ok(Norm {
            gain: self.take(&format!("{name}.weight"), &[width])?,
            shift: self.take(&format!("{name}.bias"), &[width])?,
        })
    }

    /// Several maps of one input beside one another.
    fn dense(&mut self, names: &[String], input: usize, output: usize) -> Result<Dense, String> {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            weight.extend(self.take(&format!("{name}.weight"), &[output, input])?);
            bias.extend(self.take(&format!("{name}.bias"), &[output])?);
        }
        Ok(Dense { weight: Packed::new(View::new(&weight, input).transposed()), bias })
    }
}

impl Bert {
    /// Reads an encoder's weights.
    pub(super) fn from_safetensors(bytes: &[u8], config: &Config) -> Result<Bert, String> {
        let loaded = safetensors::load_buffer(bytes, &Device::Cpu).map_err(|e| e.to_string())?;
        let mut tensors = Tensors(loaded);
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let layers = (0..config.num_hidden_layers).map(|i| layer(&mut tensors, i, width, inner));
        let layers = layers.collect::<Result<_, _>>()?;
        Ok(Bert {
            dimensions: Dimensions {
                width,
                inner,
                heads: config.num_attention_heads,
                epsilon: config.layer_norm_eps,
            },
            embeddings: embeddings(&mut tensors, width)?,
            layers,
        })
    }
}

fn embeddings(tensors: &mut Tensors, width: usize) -> Result<Embeddings, String> {
    let mut table = |name: &str| {
        let name = format!("embeddings.{name}_embeddings.weight");
        let rows = tensors.rows(&name)?;
        tensors.take(&name, &[rows, width])
    };
    let (words, mut positions, types) = (table("word")?, table("position")?, table("token_type")?);
    // Only ever one sentence at a time: its type belongs to the position.
    for row in positions.chunks_exact_mut(width) {
        row.iter_mut().zip(&types).for_each(|(p, t)| *p += t);
    }
    Ok(Embeddings {
        words: words.into(),
        positions: positions.into(),
        norm: tensors.norm("embeddings.LayerNorm", width)?,
    })
}

fn layer(tensors: &mut Tensors, index: usize, width: usize, inner: usize) -> Result<Layer, String> {
    let name = |part: &str| format!("encoder.layer.{index}.{part}");
    let qkv = ["query", "key", "value"].map(|p| name(&format!("attention.self.{p}")));
    Ok(Layer {
        qkv: tensors.dense(&qkv, width, width)?,
        attended: tensors.dense(&[name("attention.output.dense")], width, width)?,
        attended_norm: tensors.norm(&name("attention.output.LayerNorm"), width)?,
        inner: tensors.dense(&[name("intermediate.dense")], width, inner)?,
        output: tensors.dense(&[name("output.dense")], inner, width)?,
        output_norm: tensors.norm(&name("output.LayerNorm"), width)?,
    })
}
