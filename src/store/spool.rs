//! Records that the database could not take: one JSON file a call, and one where it was recorded, in a folder that only
//! the line's user may read, until the database takes them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::whole::Unfinished;
use super::{KeptCall, KeptRecording, Store, StoreError};
use crate::call::CallId;

/// What a waiting record's name ends in, and a waiting recording's.
const RECORD: &str = "json";
const RECORDING: &str = "recording";

/// A folder of records that wait.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
}

impl Spool {
    /// Names the folder; it is made with the first record.
    pub fn new(folder: PathBuf) -> Spool {
        Spool { folder }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts a record down so that it survives a power cut, whole or not at all. A second record of the
    /// same call replaces the first.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub async fn put(&self, kept: KeptCall) -> Result<(), StoreError> {
        let folder = self.folder.clone();
        blocking(move || {
            let name = format!("{}.{RECORD}", kept.record.id);
            put(&folder, &name, &kept).map_err(|source| StoreError::Spool { path: folder, source })
        })
        .await
    }

    /// Files of the records that wait, in the order of their calls' ids.
    ///
    /// # Errors
    /// Where the folder is there and cannot be read.
    pub fn waiting(&self) -> Result<Vec<PathBuf>, StoreError> {
        waiting(&self.folder).map_err(|source| StoreError::Spool { path: self.folder.clone(), source })
    }
}

/// What is in a file that waits.
enum Waiting {
    Call(Box<KeptCall>),
    Recording(KeptRecording),
}

impl Waiting {
    /// By its name's ending; `None` where it is neither.
    fn parse(path: &Path, bytes: &[u8]) -> Option<Waiting> {
        if path.extension().is_some_and(|e| e == RECORDING) {
            return serde_json::from_slice(bytes).ok().map(Waiting::Recording);
        }
        serde_json::from_slice(bytes).ok().map(|kept| Waiting::Call(Box::new(kept)))
    }

    fn read(path: &Path) -> Option<Waiting> {
        fs::read(path).ok().and_then(|bytes| Waiting::parse(path, &bytes))
    }
}

impl Spool {
    /// Whether a file that waits is of a caller of this number, digits only.
    pub(super) fn is_of(&self, path: &Path, digits: &str) -> bool {
        let ani = match Waiting::read(path) {
            Some(Waiting::Call(kept)) => kept.record.ani,
            Some(Waiting::Recording(recording)) => recording.ani,
            None => None,
        };
        ani.is_some_and(|ani| ani.expose().trim_start_matches('+') == digits)
    }

    /// The sound that a file tells of that waits, where it tells of one.
    pub(super) fn file_of(&self, path: &Path) -> Option<String> {
        match Waiting::read(path) {
            Some(Waiting::Recording(recording)) => Some(recording.file),
            Some(Waiting::Call(_)) | None => None,
        }
    }

    /// Puts down which file is a call's recording, as [`Spool::put`] does a record.
    pub(super) async fn put_recording(&self, recording: KeptRecording) -> Result<(), StoreError> {
        let folder = self.folder.clone();
        blocking(move || {
            let name = format!("{}.{RECORDING}", recording.call);
            put(&folder, &name, &recording).map_err(|source| StoreError::Spool { path: folder, source })
        })
        .await
    }
}

impl Store {
    /// Writes a message's sound, whole or not at all, before [`Store::keep_voicemail`] says that it is one.
    /// Gives the file and the SHA-256 of the sound in hexadecimal, which stays the same however it is sealed.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub async fn write_message(
        &self,
        folder: &Path,
        call: &CallId,
        sound: Vec<u8>,
    ) -> Result<(PathBuf, String), StoreError> {
        let seal = Arc::clone(&self.seal);
        let (path, name) = (folder.to_owned(), seal.name(&format!("{call}.flac")));
        blocking(move || {
            let hash = Sha256::digest(&sound).iter().map(|byte| format!("{byte:02x}")).collect();
            let written = write_whole(&path, &name, |file| {
                let mut sealing = seal.writer(file)?;
                sealing.write_all(&sound)?;
                sealing.finish().map(|_| ())
            });
            written.map(|file| (file, hash)).map_err(|source| StoreError::Spool { path, source })
        })
        .await
    }

    /// Writes what waits in the spool, and returns how many records left it. A record is removed once the
    /// database has it, so that a crash in between leaves it to be recognised as already there. A file
    /// that is no record is kept under the ending `.unreadable`.
    ///
    /// # Errors
    /// Where the database still does not take them, or the spool cannot be read; what waits stays.
    pub async fn flush_spool(&self) -> Result<usize, StoreError> {
        let mut written = 0;
        for path in self.spool.waiting()? {
            let file = path.clone();
            let read = blocking(move || fs::read(&file)).await;
            let bytes = match read {
                Ok(bytes) => bytes,
                // Another process flushes the same spool.
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(StoreError::Spool { path, source }),
            };
            match Waiting::parse(&path, &bytes) {
                Some(Waiting::Call(kept)) => drop(self.insert(&kept).await?),
                Some(Waiting::Recording(recording)) => self.insert_recording(&recording).await?,
                None => {
                    set_aside(&path)?;
                    continue;
                }
            }
            written += 1;
            remove(&path)?;
        }
        Ok(written)
    }
}

/// Runs file work where it does not hold up calls.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(e) => std::panic::resume_unwind(e.into_panic()),
    }
}

fn put(folder: &Path, name: &str, what: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(what)?;
    write_whole(folder, name, |mut file| file.write_all(&bytes)).map(|_| ())
}

/// Writes a file that its owner alone may read, whole or not at all, so that it survives a power cut.
fn write_whole(folder: &Path, name: &str, write: impl FnOnce(File) -> io::Result<()>) -> io::Result<PathBuf> {
    let path = folder.join(name);
    let mut unfinished = Unfinished::create(&path)?;
    write(unfinished.file()?)?;
    unfinished.keep()?;
    Ok(path)
}

fn waiting(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == RECORD || e == RECORDING) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::Spool { path: path.to_owned(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn set_aside(path: &Path) -> Result<(), StoreError> {
    tracing::warn!(path = %path.display(), "a spooled file is no record; it is set aside as .unreadable");
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    fs::rename(path, path.with_extension(format!("{ending}.unreadable")))
        .map_err(|source| StoreError::Spool { path: path.to_owned(), source })
}
