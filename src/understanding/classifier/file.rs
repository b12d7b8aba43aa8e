//! A head on disk: `head.safetensors` for the numbers, `head.json` for what they mean, `examples.json`
//! for the sentences that it compares with, and `report.json` and `report.txt` for readers.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::{Device, Tensor, safetensors};
use serde::{Deserialize, Serialize};

use super::ClassifierError;
use super::calibration::Gate;
use super::encoder::Encoder;
use super::encoder::backward::Values;
use super::fit::Linear;
use super::head::{Head, HeadMeta, Sentences};
use super::model::{Examples, Fusion, Model};
use super::ngrams::{Ngrams, Vocabulary};
use super::report::TrainingReport;

/// Grows with every change of the files or of the features.
pub(super) const FORMAT: u32 = 3;

const TENSORS: &str = "head.safetensors";
const DESCRIPTION: &str = "head.json";
const EXAMPLES: &str = "examples.json";

#[derive(Serialize, Deserialize)]
struct Description {
    #[serde(flatten)]
    meta: HeadMeta,
    fusion: Fusion,
    gate: Gate,
    unknown_word: f32,
}

impl Head {
    /// Writes the head and its report into `dir`, which is made where it is missing. The description
    /// comes last, so that a head half written does not load.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn save(&self, dir: &Path, report: &TrainingReport) -> Result<(), ClassifierError> {
        let fail = |name: &str, why: String| ClassifierError::Head {
            path: dir.join(name).display().to_string(),
            why,
        };
        fs::create_dir_all(dir).map_err(|e| fail("", e.to_string()))?;
        let write = |name: &str, bytes: &[u8]| {
            // Renamed into place: a reader sees the old file or the new one.
            let part = dir.join(format!("{name}.part"));
            fs::write(&part, bytes)
                .and_then(|()| fs::rename(&part, dir.join(name)))
                .map_err(|e| fail(name, e.to_string()))
        };
        match fs::remove_file(dir.join(DESCRIPTION)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(fail(DESCRIPTION, e.to_string()));
            }
            Ok(()) | Err(_) => {}
        }
        let tensors = self.tensors()?;
        let part = dir.join(format!("{TENSORS}.part"));
        safetensors::save(&tensors, &part).map_err(|e| fail(TENSORS, e.to_string()))?;
        fs::rename(&part, dir.join(TENSORS)).map_err(|e| fail(TENSORS, e.to_string()))?;
        write("report.txt", report.to_string().as_bytes())?;
        write("report.json", json(report)?.as_bytes())?;
        write(EXAMPLES, json(&self.examples)?.as_bytes())?;
        let description = Description {
            meta: self.meta.clone(),
            fusion: self.fusion,
            gate: self.gate.clone(),
            unknown_word: self.model.vocabulary.unknown(),
        };
        write(DESCRIPTION, json(&description)?.as_bytes())
    }

    /// Loads a head that was trained from the set with this fingerprint and with this encoder.
    ///
    /// # Errors
    /// [`ClassifierError::Stale`] where set, encoder or format are others than at training,
    /// [`ClassifierError::Head`] where a file is missing or damaged.
    pub fn load(dir: &Path, fingerprint: &str, encoder: Option<&Encoder>) -> Result<Head, ClassifierError> {
        let fail = |name: &str, why: String| ClassifierError::Head {
            path: dir.join(name).display().to_string(),
            why: format!("{why}; run `attendant train`"),
        };
        let text = fs::read_to_string(dir.join(DESCRIPTION)).map_err(|e| fail(DESCRIPTION, e.to_string()))?;
        let Description { meta, fusion, gate, unknown_word } =
            serde_json::from_str(&text).map_err(|e| fail(DESCRIPTION, e.to_string()))?;
        if let Some(why) = stale(&meta, fingerprint, encoder) {
            return Err(ClassifierError::Stale { path: dir.display().to_string(), why });
        }
        let tensors =
            safetensors::load(dir.join(TENSORS), &Device::Cpu).map_err(|e| fail(TENSORS, e.to_string()))?;
        let text = fs::read_to_string(dir.join(EXAMPLES)).map_err(|e| fail(EXAMPLES, e.to_string()))?;
        let examples: Sentences = serde_json::from_str(&text).map_err(|e| fail(EXAMPLES, e.to_string()))?;
        let saved = Saved(tensors);
        let model = model(&saved, &meta, &examples, unknown_word).map_err(|why| fail(TENSORS, why))?;
        let tuned = meta.tuned.then(|| saved.tuned()).transpose().map_err(|why| fail(TENSORS, why))?;
        Ok(Head { meta, model, tuned, fusion, gate, examples })
    }

    fn tensors(&self) -> Result<HashMap<String, Tensor>, ClassifierError> {
        let Model { vocabulary, dense, grams, .. } = &self.model;
        let mut tensors = HashMap::new();
        let mut add = |name: &str, values: &[f32], columns: usize| {
            let shape = (values.len() / columns, columns);
            tensors.insert(name.to_owned(), Tensor::from_slice(values, shape, &Device::Cpu)?);
            Ok::<_, candle_core::Error>(())
        };
        for (name, linear) in dense.iter().map(|d| ("dense", d)).chain([("ngrams", grams)]) {
            add(&format!("{name}.weight"), &linear.weight, linear.bias.len())?;
            add(&format!("{name}.bias"), &linear.bias, linear.bias.len())?;
        }
        if self.meta.width > 0 {
            add("examples", &self.model.examples.embeddings(), self.meta.width)?;
        }
        add("vocabulary.worth", vocabulary.worth(), 1)?;
        let hashes = vocabulary.hashes();
        tensors
            .insert("vocabulary.hashes".to_owned(), Tensor::from_slice(hashes, hashes.len(), &Device::Cpu)?);
        for (i, values) in self.tuned.iter().flatten().enumerate() {
            let tensor = Tensor::from_slice(values, values.len(), &Device::Cpu)?;
            tensors.insert(format!("encoder.{i:03}"), tensor);
        }
        Ok(tensors)
    }
}

/// The tensors of a file.
struct Saved(HashMap<String, Tensor>);

impl Saved {
    fn get(&self, name: &str) -> Result<&Tensor, String> {
        self.0.get(name).ok_or_else(|| format!("the tensor '{name}' is missing"))
    }

    fn values(&self, name: &str, rows: usize, columns: usize) -> Result<Vec<f32>, String> {
        let tensor = self.get(name)?;
        if tensor.dims() != [rows, columns] {
            let found = tensor.dims();
            return Err(format!("the tensor '{name}' has the shape {found:?}: expected [{rows}, {columns}]"));
        }
        tensor.flatten_all().and_then(|t| t.to_vec1()).map_err(|e| format!("the tensor '{name}': {e}"))
    }

    /// The encoder's weights, in their order.
    fn tuned(&self) -> Result<Vec<Values>, String> {
        let mut names: Vec<&String> = self.0.keys().filter(|n| n.starts_with("encoder.")).collect();
        names.sort();
        let values =
            |name: &String| self.get(name)?.to_vec1().map_err(|e| format!("the tensor '{name}': {e}"));
        names.into_iter().map(values).collect()
    }

    fn linear(&self, name: &str, features: usize, classes: usize) -> Result<Linear, String> {
        Ok(Linear {
            weight: self.values(&format!("{name}.weight"), features, classes)?,
            bias: self.values(&format!("{name}.bias"), 1, classes)?,
        })
    }
}

fn model(saved: &Saved, meta: &HeadMeta, examples: &Sentences, unknown_word: f32) -> Result<Model, String> {
    let Sentences { sentences, labels } = examples;
    let intents = meta.intents.len();
    let classes = intents + usize::from(labels.contains(&intents));
    if sentences.len() != labels.len() || labels.iter().any(|l| *l >= classes) {
        return Err(format!("{EXAMPLES} does not fit: expected one of {classes} classes for each sentence"));
    }
    let hashes = saved.get("vocabulary.hashes")?.to_vec1::<u32>().map_err(|e| e.to_string())?;
    let worth = saved.values("vocabulary.worth", hashes.len(), 1)?;
    let vocabulary = Vocabulary::from_parts(hashes, worth, unknown_word)
        .ok_or("the vocabulary's hashes are not in rising order")?;
    let grams = saved.linear("ngrams", vocabulary.len(), classes)?;
    let (dense, examples) = if meta.width > 0 {
        let embeddings = saved.values("examples", sentences.len(), meta.width)?;
        let examples = Examples::dense(&embeddings, meta.width, labels.clone(), intents);
        (Some(saved.linear("dense", meta.width, classes)?), examples)
    } else {
        let vectors = sentences.iter().map(|s| vocabulary.vector(&Ngrams::of(s))).collect();
        (None, Examples::sparse(vectors, labels.clone()))
    };
    Ok(Model { intents, vocabulary, dense, grams, examples })
}

impl TrainingReport {
    /// Reads the report of the head in `dir`.
    ///
    /// # Errors
    /// Where it is missing or damaged.
    pub fn load(dir: &Path) -> Result<TrainingReport, ClassifierError> {
        let path = dir.join("report.json");
        let fail = |why: String| ClassifierError::Head { path: path.display().to_string(), why };
        let text = fs::read_to_string(&path).map_err(|e| fail(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| fail(e.to_string()))
    }
}

fn stale(meta: &HeadMeta, fingerprint: &str, encoder: Option<&Encoder>) -> Option<String> {
    if meta.format != FORMAT {
        return Some(format!("its format is {}, this program's is {FORMAT}", meta.format));
    }
    if meta.fingerprint != fingerprint {
        return Some("the examples in the intents' files have changed since".to_owned());
    }
    match (&meta.encoder_sha256, encoder) {
        (Some(_), None) => {
            Some("it needs the sentence encoder, which is not there (`attendant models pull`)".to_owned())
        }
        (Some(then), Some(now)) if then != now.sha256() => {
            Some("the sentence encoder is another one".to_owned())
        }
        (None, Some(_)) => Some("it was trained without the sentence encoder, which is there now".to_owned()),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, ClassifierError> {
    serde_json::to_string_pretty(value)
        .map_err(|e| ClassifierError::Engine(format!("cannot be written as JSON: {e}")))
}
