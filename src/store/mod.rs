//! The store: customers and orders, the record of each call, and what is promised to callers, in SQLite or in
//! PostgreSQL.
//!
//! Never makes a caller wait longer than the busy time-out, and never loses a record: what the database
//! cannot take goes to the [`Spool`] and is written later. Knows nothing of dialogues: a look-up has a
//! name and arguments. Read [`Store`] first.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Transaction};

use crate::call::Pii;
use crate::desk::DeskPlan;

mod agents;

mod claims;

mod declared;

mod error;

mod figures;

mod look_up;

mod nodes;

mod outbox;

mod places;

mod privacy;

mod proof;

mod record;

mod recordings;

pub mod report;

pub mod seal;

mod spool;

mod unmatched;

mod whole;

mod wrap_up;

pub use agents::KeptAgent;
pub use claims::KeptVoicemail;
pub use declared::{Declared, DeclaredQuery};
pub use error::StoreError;
pub use figures::{CallFigures, Figures, QueueFigures, TurnFigures};
pub use nodes::{AgentClaim, Change, Listener, Shared};
pub use outbox::{Outgoing, OutgoingState};
pub use places::QueueEntry;
pub use privacy::{AuditEntry, Forgotten, Retention};
pub use record::{KeptCall, Written};
pub use recordings::{KeptRecording, SealedAnew};
pub use seal::{Seal, SealError};
pub use spool::Spool;
pub use unmatched::UnmatchedFigures;
pub use whole::{UNFINISHED, Unfinished};

/// The schema, one file a step, part of the program.
static SQLITE: Migrator = sqlx::migrate!("./migrations/sqlite");

/// The same for PostgreSQL.
static POSTGRES: Migrator = sqlx::migrate!("./migrations/postgres");

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

/// Connections of one node to PostgreSQL: its default allows a hundred in all.
const CONNECTIONS: u32 = 8;

/// What may be set about a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Longest wait for a database that another program holds.
    pub busy_timeout: Duration,
    /// Where records wait that the database cannot take; `None` puts the folder `NAME.spool` beside a file, and
    /// `attendant.spool` into the working folder for a server.
    pub spool_folder: Option<PathBuf>,
    /// What promised callbacks go by: their queues, hours and attempts.
    pub desk: Arc<DeskPlan>,
    /// By what recordings and messages are sealed, and opened.
    pub seal: Arc<Seal>,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            busy_timeout: BUSY_TIMEOUT,
            spool_folder: None,
            desk: Arc::new(DeskPlan::empty()),
            seal: Arc::default(),
        }
    }
}

/// A database, shared by all calls: a file, or a server that several machines share.
///
/// To a file one connection writes and some read. When it is replaced while the line runs, the next use
/// opens the new one; when it is gone, uses say so.
#[derive(Debug)]
pub struct Store {
    /// The file; of a server its address, without a password.
    path: PathBuf,
    place: Place,
    busy_timeout: Duration,
    desk: Arc<DeskPlan>,
    seal: Arc<Seal>,
    spool: Spool,
    /// The file as it was last opened; the lock is held for a copy only.
    opened: Mutex<Arc<Opened>>,
    /// Held while a replaced file is opened, so that only one use does it.
    opening: tokio::sync::Mutex<()>,
}

/// Where the data is.
#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
    /// The whole address; it may hold a password, and is printed nowhere.
    Server(Pii<String>),
}

/// One open file, or the connections to a server.
#[derive(Debug)]
struct Opened {
    /// `None` for a server.
    file: Option<FileId>,
    readers: AnyPool,
    writer: AnyPool,
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

    /// Opens a database, creating a file and bringing the schema up to date where needed.
    /// `url_or_path` is a file's path, also as `sqlite:PATH` or `sqlite://PATH`, or `postgresql://…`.
    ///
    /// # Errors
    /// Where the file is held by another program, is no database, was written by a newer release or
    /// cannot be written; where the server does not answer or lets nobody in.
    pub async fn open_with(
        url_or_path: impl AsRef<Path>,
        options: StoreOptions,
    ) -> Result<Store, StoreError> {
        let place = parse_place(url_or_path.as_ref())?;
        let StoreOptions { busy_timeout, spool_folder, desk, seal } = options;
        let (path, beside) = match &place {
            Place::File(path) => {
                let mut name = path.clone().into_os_string();
                name.push(".spool");
                (path.clone(), PathBuf::from(name))
            }
            Place::Server(url) => (PathBuf::from(printable(url.expose())), PathBuf::from("attendant.spool")),
        };
        let spool = Spool::new(spool_folder.unwrap_or(beside));
        let opened = Opened::open(&place, &path, busy_timeout, true).await?;
        let opened = Mutex::new(Arc::new(opened));
        Ok(Store {
            path,
            place,
            busy_timeout,
            desk,
            seal,
            spool,
            opened,
            opening: tokio::sync::Mutex::new(()),
        })
    }

    /// Whether an address is a server's.
    pub fn is_server(address: &Path) -> bool {
        matches!(parse_place(address), Ok(Place::Server(_)))
    }

    /// Whether there is a database to be opened: a server is there, or says that it is not.
    pub fn is_there(address: &Path) -> bool {
        match parse_place(address) {
            Ok(Place::File(path)) => path.is_file(),
            Ok(Place::Server(_)) | Err(_) => true,
        }
    }

    /// The database's file; a server's address without its password.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// By what recordings and messages are sealed, and opened.
    pub fn seal(&self) -> &Arc<Seal> {
        &self.seal
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
        let mut transaction = opened.begin().await.map_err(failed)?;
        let demo = self.dialect(DEMO);
        sqlx::raw_sql(AssertSqlSafe(demo)).execute(&mut *transaction).await.map_err(failed)?;
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
        let known = sqlx::query_scalar::<_, Option<String>>("SELECT pin_hash FROM customers WHERE id = $1")
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

    /// The database that is meant, open: a file only while it still bears its name, since SQLite would go on
    /// writing to a file that nobody will find again.
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
        let fresh = Arc::new(Opened::open(&self.place, &self.path, self.busy_timeout, false).await?);
        tracing::warn!(path = %self.path.display(), "the database file was replaced; the new one is used");
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        Ok(fresh)
    }

    /// The few words that the two databases spell differently.
    fn dialect(&self, sql: &str) -> String {
        match self.place {
            Place::File(_) => sql.to_owned(),
            Place::Server(_) => {
                DIALECT.iter().fold(sql.to_owned(), |sql, (ours, theirs)| sql.replace(ours, theirs))
            }
        }
    }

    fn fail(&self) -> impl Fn(sqlx::Error) -> StoreError {
        let path = self.path.clone();
        move |e| StoreError::new(&path, &e)
    }

    fn is_current(&self, opened: &Opened) -> bool {
        opened.file.is_none() || FileId::of(&self.path) == opened.file
    }
}

/// What PostgreSQL spells differently.
const DIALECT: &[(&str, &str)] = &[
    ("date('now', 'localtime', placed)", "to_char(current_date + CAST(placed AS INTERVAL), 'YYYY-MM-DD')"),
    (
        "date('now', 'localtime', expected)",
        "to_char(current_date + CAST(expected AS INTERVAL), 'YYYY-MM-DD')",
    ),
];

impl Opened {
    async fn open(
        place: &Place,
        path: &Path,
        busy_timeout: Duration,
        create: bool,
    ) -> Result<Opened, StoreError> {
        sqlx::any::install_default_drivers();
        let opened = match place {
            Place::File(path) => Opened::file(path, busy_timeout, create).await,
            Place::Server(url) => Opened::server(path, url).await,
        }?;
        unmatched::number_sentences(&opened).await.map_err(|e| StoreError::new(path, &e))?;
        Ok(opened)
    }

    async fn file(path: &Path, busy_timeout: Duration, create: bool) -> Result<Opened, StoreError> {
        let failed = |e: sqlx::Error| StoreError::new(path, &e);
        // A connection is a file handle: it is kept, and needs no test. WAL lets look-ups go on while something
        // is written; FULL keeps a record that was acknowledged through a power cut.
        let busy = format!("PRAGMA busy_timeout = {};", busy_timeout.as_millis());
        let writing = format!("{busy} PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
        let pool = |most, setting: String| {
            AnyPoolOptions::new()
                .max_connections(most)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                .after_connect(move |connection, _| {
                    let setting = setting.clone();
                    Box::pin(async move {
                        sqlx::raw_sql(AssertSqlSafe(setting)).execute(connection).await.map(|_| ())
                    })
                })
        };
        let url = file_url(path, if create { "rwc" } else { "rw" });
        // A pool tries again what fails on its new connections, until it is out of time: what is wrong with the
        // file is found out before.
        let mut first = AnyConnection::connect(&url).await.map_err(failed)?;
        set_up(&mut first, &writing, busy_timeout).await.map_err(failed)?;
        first.close().await.map_err(failed)?;
        let writer = pool(1, writing).connect(&url).await.map_err(failed)?;
        migrate(path, &writer).await?;
        let readers = pool(READERS, busy).connect(&file_url(path, "ro")).await.map_err(failed)?;
        let file = FileId::of(path).ok_or_else(|| StoreError::Gone(path.to_owned()))?;
        Ok(Opened { file: Some(file), readers, writer })
    }

    async fn server(name: &Path, url: &Pii<String>) -> Result<Opened, StoreError> {
        let pool = AnyPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(ACQUIRE_TIMEOUT);
        let pool = pool.connect(url.expose()).await.map_err(|e| StoreError::new(name, &e))?;
        // Nodes that start together take turns: the migrator holds a lock of the server's.
        POSTGRES.run(&pool).await.map_err(|e| StoreError::from_migration(name, e))?;
        Ok(Opened { file: None, readers: pool.clone(), writer: pool })
    }

    /// Begins to write. SQLite's one writer says so at once, lest it find out only when it is too late.
    async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.file {
            Some(_) => self.writer.begin_with("BEGIN IMMEDIATE").await,
            None => self.writer.begin().await,
        }
    }
}

/// Sets a connection up. Where two turn an empty file to WAL at once, SQLite tells one of them that it is
/// locked without waiting as it is told to (<https://sqlite.org/c3ref/busy_handler.html>): that one asks again.
async fn set_up(connection: &mut AnyConnection, sql: &str, patience: Duration) -> Result<(), sqlx::Error> {
    const BETWEEN_TRIES: Duration = Duration::from_millis(10);
    let is_busy = |e: &sqlx::Error| matches!(StoreError::new(Path::new(""), e), StoreError::Locked(_));
    let mut left = patience.as_millis() / BETWEEN_TRIES.as_millis();
    loop {
        match sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *connection).await {
            Ok(_) => return Ok(()),
            Err(e) if is_busy(&e) && left > 0 => {
                left -= 1;
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            Err(e) => return Err(e),
        }
    }
}

/// Brings a file's schema up to date. SQLite has no lock for that: of two programs that do it at once, one finds
/// a step done already, and looks again.
async fn migrate(path: &Path, writer: &AnyPool) -> Result<(), StoreError> {
    let mut tries = SQLITE.iter().count();
    loop {
        match SQLITE.run(writer).await {
            Ok(()) => return Ok(()),
            Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..)) if tries > 0 => tries -= 1,
            Err(e) => return Err(StoreError::from_migration(path, e)),
        }
    }
}

/// What sqlx calls a file; a space or a `?` in its name is no part of an address.
fn file_url(path: &Path, mode: &str) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut url = "sqlite://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                url.push(char::from(*byte))
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("{url}?mode={mode}")
}

/// The path in `sqlite://PATH`, `sqlite:PATH` or `PATH`, or a server's address.
fn parse_place(url_or_path: &Path) -> Result<Place, StoreError> {
    // A path that is no text is no address either.
    let Some(text) = url_or_path.to_str() else { return Ok(Place::File(url_or_path.to_owned())) };
    let unsupported = || StoreError::Unsupported(text.split('@').next_back().unwrap_or("").to_owned());
    let path = match text.split_once(':') {
        Some(("sqlite", rest)) => rest.strip_prefix("//").unwrap_or(rest),
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
            return Ok(Place::Server(Pii::from(text)));
        }
        Some((_, rest)) if rest.starts_with("//") => return Err(unsupported()),
        Some(_) | None => text,
    };
    // A database in memory would be a different one on each connection.
    let is_file = !path.is_empty() && !path.contains(":memory:");
    if is_file { Ok(Place::File(PathBuf::from(path))) } else { Err(unsupported()) }
}

/// A server's address without who enters and with what; anything else as it is.
pub fn printable(url: &str) -> String {
    if !Store::is_server(Path::new(url)) {
        return url.to_owned();
    }
    let rest = url.split_once("//").map_or(url, |(_, rest)| rest);
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.split('?').next().unwrap_or(rest);
    format!("{SERVER}{rest}")
}

/// How the name of a server's database begins.
const SERVER: &str = "postgresql://";

#[cfg(test)]
mod tests;
