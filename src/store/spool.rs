//! Records that the database could not take: one JSON file a call, in a folder that only the line's user
//! may read, until the database takes them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{KeptCall, Store, StoreError};
use crate::call::CallId;

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
        blocking(move || put(&folder, &kept).map_err(|source| StoreError::Spool { path: folder, source }))
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

impl Spool {
    /// Whether a file that waits is the record of a caller of this number, digits only.
    pub(super) fn is_of(&self, path: &Path, digits: &str) -> bool {
        let kept = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<KeptCall>(&bytes).ok());
        let ani = kept.and_then(|kept| kept.record.ani);
        ani.is_some_and(|ani| ani.expose().trim_start_matches('+') == digits)
    }
}

impl Store {
    /// Writes a message's sound, whole or not at all, before [`Store::keep_voicemail`] says that it is one.
    /// Gives the file and its SHA-256 in hexadecimal.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub async fn write_message(
        &self,
        folder: &Path,
        call: &CallId,
        sound: Vec<u8>,
    ) -> Result<(PathBuf, String), StoreError> {
        let (path, name) = (folder.to_owned(), format!("{call}.flac"));
        blocking(move || {
            let hash = Sha256::digest(&sound).iter().map(|byte| format!("{byte:02x}")).collect();
            let written = write_whole(&path, &name, &sound);
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
            match serde_json::from_slice::<KeptCall>(&bytes) {
                Ok(kept) => {
                    self.insert(&kept).await?;
                    written += 1;
                    remove(&path)?;
                }
                Err(_) => set_aside(&path)?,
            }
        }
        Ok(written)
    }
}

/// Runs file work where it does not hold up calls.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(e) => std::panic::resume_unwind(e.into_panic()),
    }
}

fn put(folder: &Path, kept: &KeptCall) -> io::Result<()> {
    let bytes = serde_json::to_vec(kept)?;
    write_whole(folder, &format!("{}.json", kept.record.id), &bytes).map(|_| ())
}

/// Writes a file that its owner alone may read, whole or not at all, so that it survives a power cut.
fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    create_private(folder)?;
    let unfinished = folder.join(format!("{name}.{}.tmp", std::process::id()));
    let mut file = private_file(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let path = folder.join(name);
    fs::rename(&unfinished, &path)?;
    // The new name itself must survive, too.
    File::open(folder)?.sync_all()?;
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
        if path.extension().is_some_and(|e| e == "json") {
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
    fs::rename(path, path.with_extension("json.unreadable"))
        .map_err(|source| StoreError::Spool { path: path.to_owned(), source })
}

/// Makes the folder; only its owner may look in, since records hold what callers said.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;

        builder.mode(0o700);
    }
    builder.create(folder)
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        options.mode(0o600);
    }
    options.open(path)
}
