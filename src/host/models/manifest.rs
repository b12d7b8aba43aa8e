//! `models/manifest.toml`, read and checked.

use std::fmt;

use serde::Deserialize;

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// A GGML Whisper model.
    Speech,
    /// A sentence encoder for the classifier.
    Encoder,
}

/// One model of the manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// By which it is asked for.
    pub name: String,
    /// What it is for.
    pub kind: ModelKind,
    /// Whether `attendant models pull` without a name fetches it.
    #[serde(default)]
    pub default: bool,
    /// One line about it.
    pub about: String,
    /// SPDX expression.
    pub licence: String,
    /// Whether it lies in `models/` itself.
    #[serde(default)]
    pub in_repository: bool,
    /// Where to fetch it, most wanted first.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// Its files.
    #[serde(rename = "file")]
    pub files: Vec<FileEntry>,
}

/// One file of a model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// A plain name, in the model's folder.
    pub name: String,
    /// Bytes.
    pub size: Option<u64>,
    /// SHA-256, 64 lower-case hexadecimal digits. Only files that come with the checkout may go without.
    pub sha256: Option<String>,
}

/// Where a model's files come from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Source {
    /// Over HTTP; `{file}` stands for the file's name.
    Url {
        /// The address.
        url: String,
    },
    /// Out of a Python package.
    Wheel {
        /// The package.
        wheel: String,
        /// Its version.
        version: String,
        /// The folder in it.
        folder: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Url { url } => f.write_str(url.replace("{file}", "").trim_end_matches('/')),
            Source::Wheel { wheel, version, .. } => write!(f, "Python package {wheel} {version}"),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "model", default)]
    models: Vec<ModelEntry>,
}

/// Reads a manifest.
///
/// # Errors
/// A sentence with the line where it is known.
pub(super) fn parse(text: &str) -> Result<Vec<ModelEntry>, String> {
    let File { models } = toml::from_str(text).map_err(|error| error.to_string())?;
    for (n, model) in models.iter().enumerate() {
        let name = &model.name;
        if !is_plain(name) {
            return Err(format!(
                "'{name}' is no name for a model: expected letters, digits, '.', '-' and '_'"
            ));
        }
        if models[..n].iter().any(|other| other.name == *name) {
            return Err(format!("there are two models called {name}"));
        }
        if model.files.is_empty() {
            return Err(format!("{name} has no [[model.file]]"));
        }
        if !model.in_repository && model.sources.is_empty() {
            return Err(format!("{name} is not in the repository and has no sources"));
        }
        for file in &model.files {
            check_file(model, file)?;
        }
    }
    Ok(models)
}

fn check_file(model: &ModelEntry, file: &FileEntry) -> Result<(), String> {
    let place = format!("{}, file {}", model.name, file.name);
    if !is_plain(&file.name) {
        return Err(format!("{place}: expected a plain file name"));
    }
    match &file.sha256 {
        Some(sum)
            if sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) => {}
        Some(sum) => {
            return Err(format!("{place}: sha256 = '{sum}': expected 64 lower-case hexadecimal digits"));
        }
        None if model.in_repository => {}
        None => return Err(format!("{place} has no sha256: what is fetched must be pinned")),
    }
    Ok(())
}

/// Whether a name can be a folder's or a file's, and only that.
fn is_plain(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projects_own_manifest_is_valid() {
        let models = parse(include_str!("../../../models/manifest.toml")).expect("a valid manifest");
        let of = |kind| models.iter().filter(|m| m.kind == kind && m.default).count();
        assert_eq!((of(ModelKind::Speech), of(ModelKind::Encoder)), (1, 1));
    }

    fn check(text: &str, expected: &str) {
        let why = parse(text).expect_err("it is wrong");
        assert!(why.contains(expected), "{why}");
    }

    #[test]
    fn mistakes_are_named() {
        let model = |name: &str, more: &str| {
            format!("[[model]]\nname = '{name}'\nkind = 'speech'\nabout = ''\nlicence = 'MIT'\n{more}\n")
        };
        let source = "sources = [{ url = 'http://x/{file}' }]\n";
        check("[[model]\n", "line 1");
        check(&model("a", "files = 1"), "files");
        check(&model("../a", "in_repository = true\n[[model.file]]\nname = 'x'"), "no name for a model");
        check(&model("a", "[[model.file]]\nname = 'x'"), "no sources");
        check(&model("a", &format!("{source}[[model.file]]\nname = 'x'")), "must be pinned");
        check(&model("a", &format!("{source}[[model.file]]\nname = 'x'\nsha256 = 'ABC'")), "64 lower-case");
        check(&model("a", "in_repository = true\n[[model.file]]\nname = '../x'"), "plain file name");
    }
}
