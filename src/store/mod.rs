//! The store: customers and orders, and the record of each call, in SQLite.
//!
//! Never makes a caller wait longer than the busy time-out, and never loses a record: what the database
//! cannot take goes to the [`Spool`] and is written later. Knows nothing of dialogues: a look-up has a
//! name and arguments. Read [`Store`] first.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::call::Pii;

mod error;

mod look_up;

mod proof;

mod record;

mod spool;

pub use error::StoreError;
pub use record::{KeptCall, Written};
pub use spool::Spool;

/// The schema, one file a step, part of the program.
static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// The demo shop's customers and orders.
const DEMO: &str = include_str!("demo.sql");

/// Customers of the demo shop who have a PIN. Numbers and PINs of nobody.
const DEMO_PINS: &[(i64, &str)] = &[(1, "4711"), (8, "2580")];

/// How long a caller may wait for a database that another program holds: long enough for a backup's
/// checkpoint, short of a silence that makes callers hang up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long opening a connection, or waiting for a free one, may take. Both are a matter of milliseconds
/// unless the machine itself is stalled.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Look-ups at the same time. SQLite answers one in well under a millisecond.
const READERS: u32 = 4;

/// What may be set about a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Longest wait for a database that another program holds.
    pub busy_timeout: Duration,
    /// Where records wait that the database cannot take; `None` puts the folder `NAME.spool` beside it.
    pub spool_folder: Option<PathBuf>,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions { busy_timeout: BUSY_TIMEOUT, spool_folder: None }
    }
}

/// A database file, shared by all calls.
///
/// One connection writes and some read. When the file is replaced while the line runs, the next use
/// opens the new one; when it is gone, uses say so.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    busy_timeout: Duration,
    spool: Spool,
    /// The file as it was last opened; the lock is held for a copy only.
    opened: Mutex<Arc<Opened>>,
    /// Held while a replaced file is opened, so that only one use does it.
    opening: tokio::sync::Mutex<()>,
}

/// One open file.
#[derive(Debug)]
struct Opened {
    file: FileId,
    readers: SqlitePool,
    writer: SqlitePool,
}

/// Tells a file from another that has taken its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

impl FileId {
    /// Of the file that bears the name now; `None` where there is none.
    #[cfg(unix)]
    fn of(path: &Path) -> Option<FileId> {
        use std::os::unix::fs::MetadataExt;

        std::fs::metadata(path).ok().map(|m| FileId { device: m.dev(), inode: m.ino() })
    }

    /// Elsewhere an open file cannot be replaced.
    #[cfg(not(unix))]
    fn of(path: &Path) -> Option<FileId> {
        path.exists().then_some(FileId {})
    }
}

impl Store {
    /// Opens the database with the default [`StoreOptions`]; see [`Store::open_with`].
    ///
    /// # Errors
    /// As [`Store::open_with`].
    pub async fn open(url_or_path: impl AsRef<Path>) -> Result<Store, StoreError> {
        Store::open_with(url_or_path, StoreOptions::default()).await
    }

    /// Opens a database, creating the file and bringing its schema up to date where needed.
    /// `url_or_path` is a file's path, also as `sqlite:PATH` or `sqlite://PATH`.
    ///
    /// # Errors
    /// Where the file is held by another program, is no database, was written by a newer release or
    /// cannot be written.
    pub async fn open_with(
        url_or_path: impl AsRef<Path>,
        options: StoreOptions,
    ) -> Result<Store, StoreError> {
        let path = parse_path(url_or_path.as_ref())?;
        let StoreOptions { busy_timeout, spool_folder } = options;
        let spool = Spool::new(spool_folder.unwrap_or_else(|| {
            let mut name = path.clone().into_os_string();
            name.push(".spool");
            PathBuf::from(name)
        }));
        let opened = Opened::open(&path, busy_timeout, true).await?;
        let opened = Mutex::new(Arc::new(opened));
        Ok(Store { path, busy_timeout, spool, opened, opening: tokio::sync::Mutex::new(()) })
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where records wait that the database could not take.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Puts the demo shop in: eight customers, fourteen orders with dates around today. Doing it again
    /// moves the dates of those orders to today and touches nothing else.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn seed_demo(&self) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let failed = |e| StoreError::new(&self.path, &e);
        let mut transaction = opened.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::raw_sql(DEMO).execute(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        for (account, pin) in DEMO_PINS {
            if self.has_no_pin(*account).await? {
                self.set_pin(*account, Some(&Pii::from(*pin))).await?;
            }
        }
        Ok(())
    }

    async fn has_no_pin(&self, account: i64) -> Result<bool, StoreError> {
        let opened = self.current().await?;
        let known = sqlx::query_scalar::<_, Option<String>>("SELECT pin_hash FROM customers WHERE id = ?1")
            .bind(account)
            .fetch_optional(&opened.readers)
            .await;
        Ok(known.map_err(|e| StoreError::new(&self.path, &e))?.is_some_and(|hash| hash.is_none()))
    }

    /// Closes the connections. Not needed for the data's safety.
    pub async fn close(self) {
        let opened = self.opened.into_inner().unwrap_or_else(PoisonError::into_inner);
        opened.readers.close().await;
        opened.writer.close().await;
    }

    fn opened(&self) -> Arc<Opened> {
        Arc::clone(&self.opened.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The open file, provided that it still bears its name: SQLite would go on writing to a file that
    /// nobody will find again.
    async fn current(&self) -> Result<Arc<Opened>, StoreError> {
        let opened = self.opened();
        if self.is_current(&opened) {
            return Ok(opened);
        }
        let _opening = self.opening.lock().await;
        let opened = self.opened();
        if self.is_current(&opened) {
            return Ok(opened);
        }
        if FileId::of(&self.path).is_none() {
            return Err(StoreError::Gone(self.path.clone()));
        }
        let fresh = Arc::new(Opened::open(&self.path, self.busy_timeout, false).await?);
        tracing::warn!(path = %self.path.display(), "the database file was replaced; the new one is used");
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        Ok(fresh)
    }

    fn is_current(&self, opened: &Opened) -> bool {
        FileId::of(&self.path) == Some(opened.file)
    }
}

impl Opened {
    async fn open(path: &Path, busy_timeout: Duration, create: bool) -> Result<Opened, StoreError> {
        let failed = |e: sqlx::Error| StoreError::new(path, &e);
        let common = SqliteConnectOptions::new().filename(path).busy_timeout(busy_timeout).foreign_keys(true);
        // WAL lets look-ups go on while something is written; FULL keeps a record that was
        // acknowledged through a power cut.
        let writing = common
            .clone()
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = |most| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        let writer = pool(1).connect_with(writing).await.map_err(failed)?;
        MIGRATOR.run(&writer).await.map_err(|e| StoreError::from_migration(path, e))?;
        let readers = pool(READERS).connect_with(common.read_only(true)).await.map_err(failed)?;
        let file = FileId::of(path).ok_or_else(|| StoreError::Gone(path.to_owned()))?;
        Ok(Opened { file, readers, writer })
    }
}

/// The path in `sqlite://PATH`, `sqlite:PATH` or `PATH`.
fn parse_path(url_or_path: &Path) -> Result<PathBuf, StoreError> {
    // A path that is no text is no address either.
    let Some(text) = url_or_path.to_str() else { return Ok(url_or_path.to_owned()) };
    let unsupported = || StoreError::Unsupported(text.split('@').next_back().unwrap_or("").to_owned());
    let path = match text.split_once(':') {
        Some(("sqlite", rest)) => rest.strip_prefix("//").unwrap_or(rest),
        Some((_, rest)) if rest.starts_with("//") => return Err(unsupported()),
        Some(_) | None => text,
    };
    // A database in memory would be a different one on each connection.
    if path.is_empty() || path.contains(":memory:") { Err(unsupported()) } else { Ok(PathBuf::from(path)) }
}

#[cfg(test)]
mod tests;
