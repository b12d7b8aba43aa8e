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
use super::fit::Linear;
use super::head::{Examples, Head, HeadMeta, Model};
use super::report::TrainingReport;

/// Grows with every change of the files or of the features.
pub(super) const FORMAT: u32 = 2;

const TENSORS: &str = "head.safetensors";
const DESCRIPTION: &str = "head.json";
const EXAMPLES: &str = "examples.json";

#[derive(Serialize, Deserialize)]
struct Description {
    #[serde(flatten)]
    meta: HeadMeta,
    temperature: f32,
    gate: Gate,
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
        let mut tensors: HashMap<String, Tensor> = HashMap::from([
            ("weight".to_owned(), self.model.linear.weight.clone()),
            ("bias".to_owned(), self.model.linear.bias.clone()),
            ("examples".to_owned(), self.model.examples.clone()),
        ]);
        if let Some(negatives) = &self.model.negatives {
            tensors.insert("negatives".to_owned(), negatives.clone());
        }
        let part = dir.join(format!("{TENSORS}.part"));
        safetensors::save(&tensors, &part).map_err(|e| fail(TENSORS, e.to_string()))?;
        fs::rename(&part, dir.join(TENSORS)).map_err(|e| fail(TENSORS, e.to_string()))?;
        write("report.txt", report.to_string().as_bytes())?;
        write("report.json", json(report)?.as_bytes())?;
        write(EXAMPLES, json(&self.examples)?.as_bytes())?;
        let description =
            Description { meta: self.meta.clone(), temperature: self.temperature, gate: self.gate.clone() };
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
        let Description { meta, temperature, gate } =
            serde_json::from_str(&text).map_err(|e| fail(DESCRIPTION, e.to_string()))?;
        if let Some(why) = stale(&meta, fingerprint, encoder) {
            return Err(ClassifierError::Stale { path: dir.display().to_string(), why });
        }
        let mut tensors =
            safetensors::load(dir.join(TENSORS), &Device::Cpu).map_err(|e| fail(TENSORS, e.to_string()))?;
        let negatives = tensors.remove("negatives");
        let mut take = |name: &str| {
            tensors.remove(name).ok_or_else(|| fail(TENSORS, format!("the tensor '{name}' is missing")))
        };
        let linear = Linear { weight: take("weight")?, bias: take("bias")? };
        let model = Model { linear, examples: take("examples")?, negatives };
        let text = fs::read_to_string(dir.join(EXAMPLES)).map_err(|e| fail(EXAMPLES, e.to_string()))?;
        let examples: Examples = serde_json::from_str(&text).map_err(|e| fail(EXAMPLES, e.to_string()))?;
        let head = Head { meta, model, temperature, gate, examples };
        head.check_shapes().map_err(|why| fail(TENSORS, why))?;
        Ok(head)
    }

    /// Whether the tensors fit the description.
    fn check_shapes(&self) -> Result<(), String> {
        let length = super::features::row_length(self.meta.width);
        let classes = self.meta.intents.len() + usize::from(self.model.negatives.is_some());
        let dims = |t: &Tensor| t.dims().to_vec();
        let wanted = [
            (dims(&self.model.linear.weight), vec![classes, length]),
            (dims(&self.model.linear.bias), vec![classes]),
        ];
        let negatives = self.model.negatives.as_ref().map_or(Ok(0), |n| n.dim(0));
        let vectors =
            self.model.examples.dim(0).and_then(|n| Ok(n + negatives?)).map_err(|e| e.to_string())?;
        let Examples { sentences, labels } = &self.examples;
        if sentences.len() != vectors || labels.len() != vectors {
            return Err(format!("expected {vectors} examples, {EXAMPLES} has {}", sentences.len()));
        }
        match wanted.into_iter().find(|(got, expected)| got != expected) {
            Some((got, expected)) => Err(format!("expected a tensor of shape {expected:?}, got {got:?}")),
            None => Ok(()),
        }
    }
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
