//! The encoder against the same formulas written out in candle's primitive operations.

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{D, DType, Device, Tensor, safetensors};

use super::bert::{Ragged, Tape};
use super::*;

/// An encoder's tensors, for the reference.
pub(super) struct Reference {
    pub(super) tensors: HashMap<String, Tensor>,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) epsilon: f64,
}

impl Reference {
    fn get(&self, name: &str) -> &Tensor {
        &self.tensors[name]
    }

    fn dense(&self, name: &str, x: &Tensor) -> Tensor {
        let weight = self.get(&format!("{name}.weight")).t().unwrap();
        x.matmul(&weight).unwrap().broadcast_add(self.get(&format!("{name}.bias"))).unwrap()
    }

    fn norm(&self, name: &str, x: &Tensor) -> Tensor {
        let off = x.broadcast_sub(&x.mean_keepdim(1).unwrap()).unwrap();
        let deviation = (off.sqr().unwrap().mean_keepdim(1).unwrap() + self.epsilon).unwrap().sqrt().unwrap();
        let normal = off.broadcast_div(&deviation).unwrap();
        let scaled = normal.broadcast_mul(self.get(&format!("{name}.weight"))).unwrap();
        scaled.broadcast_add(self.get(&format!("{name}.bias"))).unwrap()
    }

    /// The words' vectors after the last layer, `[words, width]`.
    pub(super) fn forward(&self, ids: &[u32]) -> Tensor {
        let ids_tensor = Tensor::new(ids, &Device::Cpu).unwrap();
        let table = |name: &str| self.get(&format!("embeddings.{name}_embeddings.weight"));
        let words = table("word").index_select(&ids_tensor, 0).unwrap();
        let positions = table("position").narrow(0, 0, ids.len()).unwrap();
        let types = table("token_type").narrow(0, 0, 1).unwrap();
        let mut x = ((words + positions).unwrap()).broadcast_add(&types).unwrap();
        x = self.norm("embeddings.LayerNorm", &x);
        let width = x.dim(1).unwrap();
        let size = width / self.heads;
        for i in 0..self.layers {
            let name = |part: &str| format!("encoder.layer.{i}.{part}");
            let part = |p: &str| self.dense(&name(&format!("attention.self.{p}")), &x);
            let (q, k, v) = (part("query"), part("key"), part("value"));
            let heads: Vec<Tensor> = (0..self.heads)
                .map(|h| {
                    let of = |t: &Tensor| t.narrow(1, h * size, size).unwrap().contiguous().unwrap();
                    let scores = of(&q).matmul(&of(&k).t().unwrap()).unwrap();
                    #[expect(clippy::cast_precision_loss, reason = "a small size")]
                    let scores = (scores / (size as f64).sqrt()).unwrap();
                    let raised = scores.broadcast_sub(&scores.max_keepdim(D::Minus1).unwrap()).unwrap();
                    let raised = raised.exp().unwrap();
                    let total = raised.sum_keepdim(D::Minus1).unwrap();
                    raised.broadcast_div(&total).unwrap().matmul(&of(&v)).unwrap()
                })
                .collect();
            let context = Tensor::cat(&heads, 1).unwrap();
            let attended = (self.dense(&name("attention.output.dense"), &context) + &x).unwrap();
            let middle = self.norm(&name("attention.output.LayerNorm"), &attended);
            let inner = self.dense(&name("intermediate.dense"), &middle);
            let active = inner.gelu_erf().unwrap();
            let output = (self.dense(&name("output.dense"), &active) + &middle).unwrap();
            x = self.norm(&name("output.LayerNorm"), &output);
        }
        x
    }
}

/// A small encoder with weights that look like any.
pub(super) fn small() -> (Bert, Reference) {
    let (width, inner, heads, layers) = (8, 20, 2, 3);
    let mut tensors = HashMap::new();
    let mut state = 1_u64;
    let mut add = |name: String, shape: &[usize], centre: f32| {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                #[expect(clippy::cast_precision_loss, reason = "24 bits")]
                let unit = (state >> 40) as f32 / 16_777_216.0;
                centre + (unit - 0.5) * 0.8
            })
            .collect();
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
    };
    for (table, rows) in [("word", 11), ("position", 7), ("token_type", 2)] {
        add(format!("embeddings.{table}_embeddings.weight"), &[rows, width], 0.0);
    }
    let mut norms = vec!["embeddings.LayerNorm".to_owned()];
    for i in 0..layers {
        for (part, output, input) in [
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
            ("attention.output.dense", width, width),
            ("intermediate.dense", inner, width),
            ("output.dense", width, inner),
        ] {
            add(format!("encoder.layer.{i}.{part}.weight"), &[output, input], 0.0);
            add(format!("encoder.layer.{i}.{part}.bias"), &[output], 0.0);
        }
        norms.extend(["attention.output", "output"].map(|p| format!("encoder.layer.{i}.{p}.LayerNorm")));
    }
    for name in norms {
        add(format!("{name}.weight"), &[width], 1.0);
        add(format!("{name}.bias"), &[width], 0.0);
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    safetensors::save(&tensors, &path).unwrap();
    let bytes = fs::read(path).unwrap();
    let config = format!(
        r#"{{"hidden_size": {width}, "intermediate_size": {inner}, "num_attention_heads": {heads},
            "num_hidden_layers": {layers}, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}}"#
    );
    let config = weights::Config::parse(config.as_bytes()).unwrap();
    let bert = Bert::from_safetensors(&bytes, &config).unwrap();
    (bert, Reference { tensors, layers, heads, epsilon: 1e-12 })
}

fn check(bert: &Bert, reference: &Reference, sentences: &[&[u32]], tolerance: f32) {
    let mut batch = Ragged::default();
    sentences.iter().for_each(|s| batch.push(s));
    let mut tape = Tape::default();
    bert.forward(&batch, false, &mut tape);
    let wanted: Vec<f32> = sentences
        .iter()
        .flat_map(|s| reference.forward(s).flatten_all().unwrap().to_vec1::<f32>().unwrap())
        .collect();
    assert_eq!(tape.hidden.len(), wanted.len());
    let worst = tape.hidden.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < tolerance, "{worst}");
}

#[test]
fn small_encoders_agree_with_the_formulas() {
    let (bert, reference) = small();
    check(&bert, &reference, &[&[1, 2, 3, 4, 5], &[10], &[7, 7, 0, 9, 3, 2, 1]], 1e-5);
}

#[test]
fn the_real_encoder_agrees_with_the_formulas() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/cache/all-MiniLM-L6-v2");
    let Ok(bytes) = fs::read(dir.join("model.safetensors")) else {
        println!("skipped: no sentence encoder in {}; `attendant models pull` fetches it", dir.display());
        return;
    };
    let tensors = safetensors::load_buffer(&bytes, &Device::Cpu).unwrap();
    let tensors = tensors.into_iter().filter(|(_, t)| t.dtype() == DType::F32).collect();
    let reference = Reference { tensors, layers: 6, heads: 12, epsilon: 1e-12 };
    let config = weights::Config::parse(&fs::read(dir.join("config.json")).unwrap()).unwrap();
    let bert = Bert::from_safetensors(&bytes, &config).unwrap();
    let sentence = [101, 2073, 2003, 2026, 2344, 1010, 2009, 2001, 2404, 2006, 6928, 102];
    check(&bert, &reference, &[&sentence, &[101, 2393, 102]], 2e-4);
}

#[test]
fn sentences_do_not_see_one_another() {
    let (bert, _) = small();
    let hidden = |sentences: &[&[u32]]| {
        let mut batch = Ragged::default();
        sentences.iter().for_each(|s| batch.push(s));
        let mut tape = Tape::default();
        bert.forward(&batch, true, &mut tape);
        tape.hidden
    };
    let both = hidden(&[&[1, 2, 3], &[4, 5]]);
    assert_eq!(both[3 * 8..], hidden(&[&[4, 5]])[..]);
    assert!(hidden(&[]).is_empty());
}

/// The slope of a sum over the words' vectors, by the backward pass and by candle's tape.
#[test]
fn slopes_are_those_that_candle_finds() {
    let (bert, reference) = small();
    let sentences: [&[u32]; 3] = [&[1, 2, 3, 4, 5], &[10], &[7, 7, 0, 9, 3, 2, 1]];
    let weigh = |i: usize| f32::from(u8::try_from(i * 37 % 11).unwrap()) - 5.0;

    let mut batch = Ragged::default();
    sentences.iter().for_each(|s| batch.push(s));
    let mut tape = Tape::default();
    bert.forward(&batch, true, &mut tape);
    let slope: Vec<f32> = (0..tape.hidden.len()).map(weigh).collect();
    let ours = bert.backward(&batch, &mut tape, slope.clone());

    let vars: HashMap<String, candle_core::Var> = reference
        .tensors
        .iter()
        .map(|(n, t)| (n.clone(), candle_core::Var::from_tensor(t).unwrap()))
        .collect();
    let tensors = vars.iter().map(|(n, v)| (n.clone(), v.as_tensor().clone())).collect();
    let traced = Reference { tensors, ..reference };
    let words: Vec<Tensor> = sentences.iter().map(|s| traced.forward(s)).collect();
    let words = Tensor::cat(&words, 0).unwrap();
    let weights = Tensor::from_vec(slope, words.dims(), &Device::Cpu).unwrap();
    let found = (words * weights).unwrap().sum_all().unwrap().backward().unwrap();
    let slope_of = |name: &str| found.get(vars[name].as_tensor()).unwrap().clone();
    let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();

    let norm =
        |name: &str| vec![flat(slope_of(&format!("{name}.weight"))), flat(slope_of(&format!("{name}.bias")))];
    let dense = |names: &[String]| {
        let of = |end: &str| names.iter().map(|n| slope_of(&format!("{n}.{end}"))).collect::<Vec<_>>();
        let weight = Tensor::cat(&of("weight"), 0).unwrap().t().unwrap().contiguous().unwrap();
        vec![flat(weight), flat(Tensor::cat(&of("bias"), 0).unwrap())]
    };
    let mut wanted = norm("embeddings.LayerNorm");
    for i in 0..traced.layers {
        let name = |part: &str| format!("encoder.layer.{i}.{part}");
        wanted.extend(dense(&["query", "key", "value"].map(|p| name(&format!("attention.self.{p}")))));
        for part in ["attention.output.dense", "intermediate.dense", "output.dense"] {
            wanted.extend(dense(&[name(part)]));
        }
        for part in ["attention.output.LayerNorm", "output.LayerNorm"] {
            wanted.extend(norm(&name(part)));
        }
    }
    assert_eq!(ours.len(), wanted.len());
    for (i, (ours, wanted)) in ours.iter().zip(&wanted).enumerate() {
        assert_eq!(ours.len(), wanted.len(), "{i}");
        let size = wanted.iter().map(|v| v.abs()).fold(1.0, f32::max);
        let worst = ours.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 2e-4 * size, "{i}: {worst} of {size}");
    }
}

#[test]
fn weights_go_out_and_in_again() {
    let (mut bert, reference) = small();
    let weights = bert.weights();
    bert.set_weights(&weights).unwrap();
    assert_eq!(bert.weights(), weights);
    check(&bert, &reference, &[&[1, 2, 3]], 1e-5);
    assert!(bert.set_weights(&weights[1..]).is_err());
}
