//! Models on disk: where they are, whether they are what they should be, and fetching them.
//!
//! Read [`ModelSet`] first. A model is never used unchecked: its files' SHA-256 stand in
//! `models/manifest.toml`, and a file that has another is refused by name, with both sums. Sums are
//! computed once; a stamp (size and time of change) spares them after that.

mod fetch;

mod manifest;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

pub use manifest::{FileEntry, ModelEntry, ModelKind, Source};

/// Why a model cannot be used or fetched.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The manifest is missing or wrong.
    #[error("{}: {why}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong, with the line where it is known.
        why: String,
    },
    /// No model of that name.
    #[error("there is no model '{name}' in the manifest: it has {}", known.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A file is not there.
    #[error("the model {name} is not there ({} is missing): run `attendant models pull {name}`", path.display())]
    Missing {
        /// The model.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// A file is another one than the manifest names.
    #[error("{} is not the file that the manifest names: expected SHA-256 {expected}, got {got}. {remedy}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The sum of the manifest.
        expected: String,
        /// The sum of the file.
        got: String,
        /// What to do.
        remedy: String,
    },
    /// No source gave it.
    #[error("the model {name} could not be fetched:{}", list(tried))]
    Unreachable {
        /// The model.
        name: String,
        /// Each source, and what went wrong.
        tried: Vec<(String, String)>,
    },
    /// The disk.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

fn list(tried: &[(String, String)]) -> String {
    tried.iter().map(|(source, why)| format!("\n  {source}: {why}")).collect()
}

/// What happens during a fetch, for progress bars.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A source is tried.
    Trying {
        /// The model.
        model: &'a str,
        /// The source.
        source: &'a Source,
    },
    /// Bytes have come in.
    Bytes {
        /// The file.
        file: &'a str,
        /// Bytes so far.
        done: u64,
        /// Bytes there will be, where that is known.
        total: Option<u64>,
    },
    /// A source gave nothing useful; the next is tried.
    Failed {
        /// The source.
        source: &'a Source,
        /// What went wrong.
        why: &'a str,
    },
}

/// How a pull came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// Everything was there, and right.
    AlreadyThere,
    /// Fetched and checked.
    Fetched {
        /// Where from.
        from: String,
    },
}

/// Size and sum of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Bytes.
    pub size: u64,
    /// SHA-256 in lower-case hexadecimal digits.
    pub sha256: String,
}

impl Measure {
    /// Reads and hashes a file.
    ///
    /// # Errors
    /// [`ModelError::Io`].
    pub fn of(path: &Path) -> Result<Measure, ModelError> {
        let io = |source| ModelError::Io { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(io)?;
        fetch::digest(&mut file, &mut |_, _| Ok(())).map_err(io)
    }

    /// The lines that pin the file in the manifest.
    pub fn as_pin(&self) -> String {
        format!("size = {}\nsha256 = \"{}\"", self.size, self.sha256)
    }
}

/// The models of one folder with its manifest.
#[derive(Clone, Debug)]
pub struct ModelSet {
    folder: PathBuf,
    models: Vec<ModelEntry>,
}

impl ModelSet {
    /// Reads `manifest.toml` of `folder`.
    ///
    /// # Errors
    /// [`ModelError::Manifest`].
    pub fn open(folder: &Path) -> Result<ModelSet, ModelError> {
        let path = folder.join("manifest.toml");
        let wrong = |why: String| ModelError::Manifest { path: path.clone(), why };
        let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let models = manifest::parse(&text).map_err(wrong)?;
        Ok(ModelSet { folder: folder.to_owned(), models })
    }

    /// All models, in the manifest's order.
    pub fn models(&self) -> &[ModelEntry] {
        &self.models
    }

    /// One model by name.
    ///
    /// # Errors
    /// [`ModelError::Unknown`].
    pub fn entry(&self, name: &str) -> Result<&ModelEntry, ModelError> {
        self.models.iter().find(|model| model.name == name).ok_or_else(|| ModelError::Unknown {
            name: name.to_owned(),
            known: self.models.iter().map(|model| model.name.clone()).collect(),
        })
    }

    /// Where a model is: its file, or the folder of its files where it has several. They are what the
    /// manifest names.
    ///
    /// # Errors
    /// [`ModelError::Unknown`], [`ModelError::Missing`], [`ModelError::Damaged`], [`ModelError::Io`].
    pub fn locate(&self, name: &str) -> Result<PathBuf, ModelError> {
        let model = self.entry(name)?;
        for file in &model.files {
            self.verify(model, file)?;
        }
        let folder = self.folder_of(model);
        match model.files.as_slice() {
            [file] => Ok(folder.join(&file.name)),
            [..] => Ok(folder),
        }
    }

    /// Fetches a model's files that are missing or wrong, from the first source that gives them.
    ///
    /// # Errors
    /// [`ModelError::Unknown`]; [`ModelError::Unreachable`] with each source's fault. A file with the
    /// wrong sum is never installed.
    pub fn pull(&self, name: &str, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Pulled, ModelError> {
        let model = self.entry(name)?;
        let folder = self.folder_of(model);
        let lacking = |set: &ModelSet| -> Vec<&FileEntry> {
            model.files.iter().filter(|file| set.verify(model, file).is_err()).collect()
        };
        if model.in_repository {
            return self.locate(name).map(|_| Pulled::AlreadyThere);
        }
        if lacking(self).is_empty() {
            return Ok(Pulled::AlreadyThere);
        }
        let mut tried = Vec::new();
        for source in &model.sources {
            progress(Progress::Trying { model: name, source });
            let fetched = fetch::fetch(source, &lacking(self), &folder, progress);
            match fetched {
                Ok(()) => {
                    self.locate(name)?;
                    return Ok(Pulled::Fetched { from: source.to_string() });
                }
                Err(why) => {
                    progress(Progress::Failed { source, why: &why });
                    tried.push((source.to_string(), why));
                }
            }
        }
        Err(ModelError::Unreachable { name: name.to_owned(), tried })
    }

    fn folder_of(&self, model: &ModelEntry) -> PathBuf {
        if model.in_repository { self.folder.clone() } else { self.folder.join("cache").join(&model.name) }
    }

    fn verify(&self, model: &ModelEntry, file: &FileEntry) -> Result<(), ModelError> {
        let path = self.folder_of(model).join(&file.name);
        let Ok(stamp) = Stamp::of(&path) else {
            return Err(ModelError::Missing { name: model.name.clone(), path });
        };
        let Some(expected) = &file.sha256 else { return Ok(()) };
        let mut checked = self.checked();
        let key = format!("{}/{}", model.name, file.name);
        let known = checked.get(&key).filter(|(then, _)| *then == stamp).map(|(_, sum)| sum.clone());
        let got = match known {
            Some(sum) => sum,
            None => {
                let Measure { sha256, .. } = Measure::of(&path)?;
                checked.insert(key, (stamp, sha256.clone()));
                self.remember(&checked);
                sha256
            }
        };
        if got == *expected {
            return Ok(());
        }
        let name = &model.name;
        let remedy = if model.in_repository {
            format!("Restore it with git, or pin it anew: `attendant models hash {}`.", path.display())
        } else {
            format!("`attendant models pull {name}` fetches it again.")
        };
        Err(ModelError::Damaged { path, expected: expected.clone(), got, remedy })
    }

    fn stamps(&self) -> PathBuf {
        self.folder.join("cache").join("checked.json")
    }

    fn checked(&self) -> BTreeMap<String, (Stamp, String)> {
        let text = fs::read_to_string(self.stamps()).unwrap_or_default();
        // A damaged list costs one more hashing, no more.
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// On a disk that cannot be written everything is hashed at every start, and works.
    fn remember(&self, checked: &BTreeMap<String, (Stamp, String)>) {
        let path = self.stamps();
        let partial = path.with_extension(format!("{}.part", std::process::id()));
        let text = serde_json::to_string_pretty(checked).expect("strings and numbers");
        let written = fs::create_dir_all(self.folder.join("cache"))
            .and_then(|()| fs::write(&partial, text))
            .and_then(|()| fs::rename(&partial, &path));
        if let Err(error) = written {
            tracing::debug!(%error, "the list of checked models cannot be written");
        }
    }
}

/// Tells whether a file has changed since it was hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    modified_ns: u64,
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Stamp> {
        let metadata = fs::metadata(path)?;
        let since = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Stamp { size: metadata.len(), modified_ns: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX) })
    }
}

#[cfg(test)]
mod tests;
