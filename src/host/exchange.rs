//! Training data in and out of `intents/`: what [`crate::understanding::exchange`] reads and writes, with
//! the files. All is checked before the first file is touched, and each file is replaced as a whole.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::call::IntentName;
use crate::understanding::exchange::{Bundle, ExchangeError, Part, entity_toml, intent_toml, unmarked};
use crate::understanding::{EntityFileError, EntitySpec, TrainingFile, TrainingFileError, normalize};

/// Endings of the files of an export that hold training data.
const ENDINGS: [&str; 5] = ["csv", "json", "tsv", "yaml", "yml"];

/// The file of all entities.
const ENTITIES: &str = "entities.toml";

/// Largest file of an export, unpacked, in bytes: a hundred thousand sentences are a tenth of it.
const LARGEST: u64 = 64 << 20;

/// Most files of an export.
const MOST_FILES: usize = 20_000;

/// Why nothing was taken over.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A file or folder cannot be read or written.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// An export does not hold what it should.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// An intent's file that is there already is broken.
    #[error(transparent)]
    Training(#[from] TrainingFileError),
    /// `entities.toml` is broken.
    #[error(transparent)]
    Entities(#[from] EntityFileError),
    /// Intents are there already.
    #[error(
        "{} would be changed: {}; add --merge to add what is new to them, or remove them first",
        if .0.len() == 1 { "a file" } else { "files" },
        .0.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    Exists(Vec<PathBuf>),
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// The file.
    pub path: PathBuf,
    /// Whether it was not there before.
    pub new: bool,
    /// Examples (or, in `entities.toml`, entities) that were added.
    pub added: usize,
    /// The file's new text.
    #[serde(skip)]
    text: String,
}

impl Change {
    /// Whether it is `entities.toml`, where entities and not examples are counted.
    pub fn is_of_entities(&self) -> bool {
        self.path.file_name().is_some_and(|name| name == ENTITIES)
    }
}

fn failed(path: &Path, why: impl std::fmt::Display) -> TransferError {
    TransferError::File { path: path.to_owned(), why: why.to_string() }
}

/// The training files of an export: files, folders and zip archives.
///
/// # Errors
/// What cannot be read, is not UTF-8, is too large, or holds nothing of the kind.
pub fn read_export(paths: &[PathBuf]) -> Result<Vec<Part>, TransferError> {
    let mut parts = Vec::new();
    for path in paths {
        if path.is_dir() {
            read_folder(path, path, &mut parts)?;
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip")) {
            read_zip(path, &mut parts)?;
        } else {
            let size = fs::metadata(path).map_err(|e| failed(path, e))?.len();
            let bytes =
                if size > LARGEST { Vec::new() } else { fs::read(path).map_err(|e| failed(path, e))? };
            parts.push(part(path, path.display().to_string(), bytes, size)?);
        }
    }
    if parts.is_empty() {
        let first = paths.first().cloned().unwrap_or_default();
        return Err(failed(&first, format!("no file that ends in {}", ENDINGS.join(", "))));
    }
    // One order, whatever the file system's.
    parts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(parts)
}

fn part(of: &Path, path: String, bytes: Vec<u8>, size: u64) -> Result<Part, TransferError> {
    if size > LARGEST {
        return Err(failed(of, format!("{path} is larger than {} MiB: split it", LARGEST >> 20)));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        failed(of, format!("{path}: line {line} is not UTF-8: save the file as UTF-8"))
    })?;
    Ok(Part { path: path.replace('\\', "/"), text })
}

fn is_wanted(path: &Path) -> bool {
    path.extension().is_some_and(|e| ENDINGS.iter().any(|w| e.eq_ignore_ascii_case(w)))
}

fn read_folder(root: &Path, folder: &Path, parts: &mut Vec<Part>) -> Result<(), TransferError> {
    for entry in fs::read_dir(folder).map_err(|e| failed(folder, e))? {
        let entry = entry.map_err(|e| failed(folder, e))?;
        let path = entry.path();
        // Links are not followed: they may go round.
        let kind = entry.file_type().map_err(|e| failed(&path, e))?;
        if kind.is_dir() {
            read_folder(root, &path, parts)?;
        } else if kind.is_file() && is_wanted(&path) {
            if parts.len() >= MOST_FILES {
                return Err(failed(root, format!("more than {MOST_FILES} files: name a folder further in")));
            }
            let size = entry.metadata().map_err(|e| failed(&path, e))?.len();
            let bytes =
                if size > LARGEST { Vec::new() } else { fs::read(&path).map_err(|e| failed(&path, e))? };
            let inside = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            parts.push(part(&path, inside, bytes, size)?);
        }
    }
    Ok(())
}

fn read_zip(path: &Path, parts: &mut Vec<Part>) -> Result<(), TransferError> {
    let file = fs::File::open(path).map_err(|e| failed(path, e))?;
    let broken =
        |e: zip::result::ZipError| failed(path, format!("{e}: expected the zip archive of an export"));
    let mut archive = zip::ZipArchive::new(file).map_err(broken)?;
    for index in 0..archive.len().min(MOST_FILES) {
        let mut entry = archive.by_index(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        if entry.is_dir() || !is_wanted(Path::new(&name)) {
            continue;
        }
        let mut bytes = Vec::new();
        // The archive's own word on the size is not to be trusted.
        entry.by_ref().take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| failed(path, e))?;
        let size = bytes.len() as u64;
        parts.push(part(path, name, bytes, size)?);
    }
    Ok(())
}

/// What taking `bundle` over would change in the folder `intents`; nothing is written yet.
///
/// # Errors
/// An intent that is there already without `merge`, or a file there that is broken.
pub fn plan(intents: &Path, bundle: &Bundle, merge: bool) -> Result<Vec<Change>, TransferError> {
    let mut changes = Vec::new();
    let mut there = Vec::new();
    for (intent, examples) in &bundle.intents {
        let path = intents.join(format!("{intent}.toml"));
        if !path.exists() {
            let text = intent_toml(intent, examples);
            changes.push(Change { path, new: true, added: examples.len(), text });
        } else if merge {
            changes.extend(added(&path, examples)?);
        } else {
            there.push(path);
        }
    }
    if !there.is_empty() {
        return Err(TransferError::Exists(there));
    }
    for change in &changes {
        TrainingFile::parse(&change.path.display().to_string(), &change.text)?;
    }
    changes.extend(entities_added(intents, bundle)?);
    Ok(changes)
}

/// Writes what [`plan`] found, each file as a whole.
///
/// # Errors
/// A file that cannot be written; those before it are.
pub fn apply(changes: &[Change]) -> Result<(), TransferError> {
    for change in changes {
        if let Some(folder) = change.path.parent() {
            fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
        }
        let draft = change.path.with_extension("toml.new");
        fs::write(&draft, &change.text).map_err(|e| failed(&draft, e))?;
        fs::rename(&draft, &change.path).map_err(|e| failed(&change.path, e))?;
    }
    Ok(())
}

/// An intent's file with the examples that it does not hold yet; all else in it stays as it is.
fn added(path: &Path, examples: &[String]) -> Result<Option<Change>, TransferError> {
    let text = fs::read_to_string(path).map_err(|e| failed(path, e))?;
    let file = TrainingFile::parse(&path.display().to_string(), &text)?;
    let mut known: BTreeSet<String> = file.examples.iter().map(|e| normalize(&e.text)).collect();
    let mut document: toml_edit::DocumentMut = text.parse().map_err(|e| failed(path, e))?;
    let Some(list) = document.get_mut("examples").and_then(|item| item.as_array_mut()) else {
        return Err(failed(path, "expected examples = [\"…\", …]"));
    };
    // A remark behind the last example stays behind it.
    let remark = list.trailing().as_str().unwrap_or_default().trim_end().to_owned();
    let mut added = 0;
    for example in examples {
        let plain = normalize(&unmarked(example));
        if known.insert(plain) {
            let mut value = toml_edit::Value::from(example.as_str());
            value.decor_mut().set_prefix(if added == 0 {
                format!("{remark}\n  ")
            } else {
                "\n  ".to_owned()
            });
            list.push_formatted(value);
            added += 1;
        }
    }
    list.set_trailing_comma(true);
    list.set_trailing("\n");
    let text = document.to_string();
    Ok((added > 0).then(|| Change { path: path.to_owned(), new: false, added, text }))
}

fn entities_added(intents: &Path, bundle: &Bundle) -> Result<Option<Change>, TransferError> {
    let path = intents.join(ENTITIES);
    let mut text =
        if path.exists() { fs::read_to_string(&path).map_err(|e| failed(&path, e))? } else { String::new() };
    let known: BTreeSet<String> = if text.is_empty() {
        BTreeSet::new()
    } else {
        EntitySpec::parse_all(&path.display().to_string(), &text)?.into_iter().map(|s| s.name).collect()
    };
    let mut added = 0;
    for (name, values) in bundle.lists.iter().filter(|(name, _)| !known.contains(*name)) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&entity_toml(name, values));
        added += 1;
    }
    if added == 0 {
        return Ok(None);
    }
    EntitySpec::parse_all(&path.display().to_string(), &text)?;
    let new = !path.exists();
    Ok(Some(Change { path, new, added, text }))
}

/// Adds sentences to intents' files, as [`plan`] and [`apply`] do. Each goes to its intent.
///
/// # Errors
/// As for [`plan`] and [`apply`].
pub fn append(intents: &Path, sentences: &[(IntentName, String)]) -> Result<Vec<Change>, TransferError> {
    let mut bundle = Bundle::default();
    for (intent, sentence) in sentences {
        bundle.intents.entry(intent.clone()).or_default().push(sentence.clone());
    }
    let changes = plan(intents, &bundle, true)?;
    apply(&changes)?;
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::understanding::exchange::Format;

    fn part(path: &str, text: &str) -> Part {
        Part { path: path.to_owned(), text: text.to_owned() }
    }

    fn bundle(rows: &str) -> Bundle {
        Bundle::read(Format::Csv, &[part("a.csv", rows)]).expect("a table")
    }

    #[test]
    fn new_intents_are_written_and_known_ones_only_added_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = "# ours\nlabel = \"x\"\nexamples = [\n  \"where is it\", # the plain one\n]\n\n[fulfil]\nanswer = \"y\"\n";
        let ours = folder.path().join("order.toml");
        fs::write(&ours, before).expect("written");
        let incoming = bundle("Where is it?,order\nwhere is [45](number),order\nbye,leave\n");

        let refused = plan(folder.path(), &incoming, false).expect_err("it is there");
        assert!(refused.to_string().contains("--merge"), "{refused}");
        assert_eq!(fs::read_to_string(&ours).expect("there"), before, "nothing was touched");

        let changes = plan(folder.path(), &incoming, true).expect("it fits");
        assert!(!folder.path().join("leave.toml").exists(), "a plan writes nothing");
        apply(&changes).expect("written");
        let text = fs::read_to_string(&ours).expect("there");
        let wanted = before.replace("one\n]", "one\n  \"where is [45](number)\",\n]");
        assert_eq!(text, wanted);
        assert!(folder.path().join("leave.toml").exists());
        assert!(
            plan(folder.path(), &incoming, true).expect("again").is_empty(),
            "a second time adds nothing"
        );
    }

    #[test]
    fn lists_are_declared_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut incoming = bundle("a,b\n");
        let values = [("small".to_owned(), vec!["little \"one\"".to_owned()])];
        incoming.lists.insert("size".to_owned(), values.into_iter().collect());
        apply(&plan(folder.path(), &incoming, true).expect("new")).expect("written");
        let text = fs::read_to_string(folder.path().join("entities.toml")).expect("there");
        assert_eq!(EntitySpec::parse_all("e", &text).expect("valid").len(), 1, "{text}");
        assert!(plan(folder.path(), &incoming, true).expect("again").is_empty());
    }

    #[test]
    fn folders_and_archives_are_unpacked_and_bad_ones_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("agent/intents");
        fs::create_dir_all(&inside).expect("made");
        let phrases = r#"[{"data": [{"text": "hello"}]}]"#;
        fs::write(inside.join("hi_usersays_en.json"), phrases).expect("written");
        fs::write(inside.join("picture.png"), [0, 159]).expect("written");
        let parts = read_export(&[folder.path().to_owned()]).expect("read");
        assert_eq!(parts, [part("agent/intents/hi_usersays_en.json", phrases)]);

        let archive = folder.path().join("agent.zip");
        let mut zip = zip::ZipWriter::new(fs::File::create(&archive).expect("made"));
        zip.start_file("intents/hi_usersays_en.json", zip::write::SimpleFileOptions::default())
            .expect("begun");
        zip.write_all(phrases.as_bytes()).expect("written");
        zip.finish().expect("whole");
        let parts = read_export(std::slice::from_ref(&archive)).expect("read");
        assert_eq!(Format::detect(&parts), Some(Format::DialogflowEs));

        for (name, bytes, told) in [
            ("no.zip", &b"no archive"[..], "expected the zip archive"),
            ("no.csv", &b"a,b\n\xff,c\n"[..], "line 2 is not UTF-8"),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, bytes).expect("written");
            let error = read_export(&[path]).expect_err("broken").to_string();
            assert!(error.contains(told), "{error}");
        }
        assert!(read_export(&[folder.path().join("nothing")]).is_err());
    }
}
