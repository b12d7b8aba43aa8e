//! Files that are there whole or not at all, and that their owner alone may read.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What the name of a file ends in that is not written to its end yet.
pub const UNFINISHED: &str = ".part";

/// A file that its owner alone may read, and that has its name only once it is whole. Dropped before, it is removed; of
/// a process that dies it stays under a name that is nobody's.
#[derive(Debug)]
pub struct Unfinished {
    path: PathBuf,
    part: PathBuf,
    file: File,
    is_kept: bool,
}

impl Unfinished {
    /// Begins a file, and its folder where that is missing.
    ///
    /// # Errors
    /// Where neither can be made.
    pub fn create(path: &Path) -> io::Result<Unfinished> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_private(folder)?;
        }
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".{}{UNFINISHED}", std::process::id()));
        let part = PathBuf::from(part);
        Ok(Unfinished { path: path.to_owned(), file: private_file(&part)?, part, is_kept: false })
    }

    /// To write into.
    ///
    /// # Errors
    /// Where the system gives no second handle.
    pub fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// It is whole: from now on it bears its name, through a power cut, too.
    ///
    /// # Errors
    /// Where the disk does not take it; then there is no such file.
    pub fn keep(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.part, &self.path)?;
        self.is_kept = true;
        match self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed bears no sound's name.
            let _ = fs::remove_file(&self.part);
        }
    }
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

pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        options.mode(0o600);
    }
    options.open(path)
}
