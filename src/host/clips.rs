//! Manifests of recordings: who says what in which file.
//!
//! A manifest is a table of tab-separated values with a heading: `path` (relative to the manifest's
//! folder, FLAC or WAV), and, where they are known, `transcript`, `speaker` and `source`. Other columns
//! are left alone. A transcript that is empty or begins with `LABEL:` says nothing about the words.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::channel::flac::{self, FlacError};
use crate::channel::wav::{self, WavError};
use crate::understanding::normalize;

/// Sets of recordings that `models/starter-en/people.py` trains on, one speaker in four excepted.
const TRAINED_SETS: [&str; 4] = ["speech_commands", "speechocean762", "train", "vctk_p239"];

/// Why recordings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// The manifest as a whole.
    #[error("cannot read the manifest {path}: {why}")]
    Manifest {
        /// The file.
        path: String,
        /// Why, and what to do.
        why: String,
    },
    /// A line of it.
    #[error("{path}:{line}: {why}")]
    Line {
        /// The file.
        path: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong and what was expected.
        why: String,
    },
    /// A recording.
    #[error(transparent)]
    Flac(#[from] FlacError),
    /// A recording.
    #[error(transparent)]
    Wav(#[from] WavError),
}

/// One recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// The file.
    pub file: PathBuf,
    /// The words, lower case without punctuation; `None` where they are not known.
    pub words: Option<String>,
    /// Who speaks; "-" where that is not known.
    pub speaker: String,
    /// The first folder of the path, or where there is none, the manifest's source.
    pub set: String,
    /// Where it stands in the manifest.
    pub line: usize,
}

impl Clip {
    /// Whether the project's own ear was trained on this speaker, by the rule in
    /// `models/starter-en/people.py`: of the sets that it trains on, all speakers but those whose
    /// name's SHA-256 begins with a byte that four divides.
    pub fn is_trained_on(&self) -> bool {
        TRAINED_SETS.contains(&self.set.as_str())
            && !Sha256::digest(self.speaker.as_bytes())[0].is_multiple_of(4)
    }

    /// 16-bit mono PCM at 16 kHz.
    ///
    /// # Errors
    /// The file is missing, broken, or of a kind that cannot be read.
    pub fn read(&self) -> Result<Vec<i16>, ClipError> {
        let extension = self.file.extension().map(|e| e.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("flac") => Ok(flac::read(&self.file)?),
            Some("wav") => Ok(wav::read(&self.file)?),
            _ => Err(FlacError {
                name: self.file.display().to_string(),
                why: "expected a FLAC or a WAV file; convert it with `sox IN -b 16 OUT.flac`".to_owned(),
            }
            .into()),
        }
    }
}

/// Where the manifest is, when none is named: `$ATTENDANT_SPEECH`, else `../shared/speech`.
pub fn default_manifest() -> PathBuf {
    let folder =
        std::env::var_os("ATTENDANT_SPEECH").map_or_else(|| PathBuf::from("../shared/speech"), PathBuf::from);
    folder.join("manifest.tsv")
}

/// Reads a manifest.
///
/// # Errors
/// The file is missing, has no column `path`, or a line of it has fewer cells than that takes.
pub fn read(path: &Path) -> Result<Vec<Clip>, ClipError> {
    let text = std::fs::read_to_string(path).map_err(|e| ClipError::Manifest {
        path: path.display().to_string(),
        why: format!("{e}; name one with --manifest, or the folder of recordings in $ATTENDANT_SPEECH"),
    })?;
    parse(&text, path)
}

fn parse(text: &str, manifest: &Path) -> Result<Vec<Clip>, ClipError> {
    let shown = manifest.display().to_string();
    let fail = |line: usize, why: String| ClipError::Line { path: shown.clone(), line, why };
    let folder = manifest.parent().unwrap_or(Path::new("."));
    let mut lines = text.lines().enumerate();
    let heading: Vec<&str> =
        lines.next().map(|(_, l)| l.split('\t').map(str::trim).collect()).unwrap_or_default();
    let column = |name: &str| heading.iter().position(|h| *h == name);
    let path_column = column("path").ok_or_else(|| {
        fail(1, "expected a heading with the column path, and best transcript, speaker and source, parted by tabs".to_owned())
    })?;
    let (said, who, whence) = (column("transcript"), column("speaker"), column("source"));
    let mut clips = Vec::new();
    for (at, line) in lines.filter(|(_, l)| !l.trim().is_empty()) {
        let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
        let cell = |column: Option<usize>| column.and_then(|c| cells.get(c)).copied().unwrap_or_default();
        let path = cell(Some(path_column));
        if path.is_empty() {
            return Err(fail(at + 1, "expected a file's path in the column path".to_owned()));
        }
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let set = path.split_once('/').map_or_else(|| or_dash(cell(whence)), |(first, _)| first.to_owned());
        clips.push(Clip {
            file: folder.join(path),
            words: words(cell(said)),
            speaker: or_dash(cell(who)),
            set,
            line: at + 1,
        });
    }
    Ok(clips)
}

fn words(transcript: &str) -> Option<String> {
    let known = !transcript.is_empty() && !transcript.starts_with("LABEL:");
    known.then(|| normalize(transcript)).filter(|w| !w.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<Clip>, ClipError> {
        parse(text, Path::new("folder/manifest.tsv"))
    }

    #[test]
    fn columns_are_found_by_their_heading() {
        let clips = of("speaker\tpath\ttranscript\nanna\tset/a.flac\tI don't know.\n\n\tb.wav\tLABEL:{}\n")
            .expect("a manifest");
        assert_eq!(clips.len(), 2);
        assert_eq!(clips[0].file, Path::new("folder/set/a.flac"));
        assert_eq!((clips[0].set.as_str(), clips[0].speaker.as_str()), ("set", "anna"));
        assert_eq!(clips[0].words.as_deref(), Some("i don't know"));
        assert_eq!((clips[1].words.as_deref(), clips[1].speaker.as_str(), clips[1].line), (None, "-", 4));
    }

    #[test]
    fn mistakes_name_file_and_line() {
        let error = of("a\tb\n").expect_err("no path").to_string();
        assert!(error.starts_with("folder/manifest.tsv:1: ") && error.contains("column path"), "{error}");
        let error = of("transcript\tpath\nyes\n").expect_err("no file").to_string();
        assert!(error.starts_with("folder/manifest.tsv:2: "), "{error}");
        let missing = read(Path::new("no/such.tsv")).expect_err("missing").to_string();
        assert!(missing.contains("ATTENDANT_SPEECH"), "{missing}");
    }

    /// The same names as `people.held_out` in `models/starter-en/tests.py`.
    #[test]
    fn speakers_are_parted_as_the_recipe_parts_them() {
        let clip = |set: &str, speaker: &str| Clip {
            file: PathBuf::new(),
            words: None,
            speaker: speaker.to_owned(),
            set: set.to_owned(),
            line: 1,
        };
        assert!(clip("train", "anna").is_trained_on() && clip("vctk_p239", "bert").is_trained_on());
        assert!(!clip("train", "finn").is_trained_on());
        assert!(!clip("fsdd", "anna").is_trained_on());
    }
}
