//! What can be wrong with a database, and what to do about it.

use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

/// Why the store gave no answer. Holds no caller's data.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address names another kind of database.
    #[error(
        "'{0}' is no database that the line knows: expected a file's path, sqlite:PATH or postgresql://…"
    )]
    Unsupported(String),
    /// Another program holds it.
    #[error("the database {} is locked by another program: close that program", .0.display())]
    Locked(PathBuf),
    /// The file is no longer there.
    #[error("the database {} is gone: put the file back, or start again to create an empty one", .0.display())]
    Gone(PathBuf),
    /// Something else, or damaged.
    #[error("{} is not a database, or it is damaged: restore it from a backup, or move it away and start again to create an empty one", .0.display())]
    NotADatabase(PathBuf),
    /// A later release wrote it.
    #[error("the database {} was written by a newer attendant (schema {version}): update attendant", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema's version that this release does not know.
        version: i64,
    },
    /// The server cannot be reached, or has no time.
    #[error("the database {} does not answer: {why}; check that PostgreSQL runs there and that its address is right", path.display())]
    Unreachable {
        /// Its address.
        path: PathBuf,
        /// What the network or the server said.
        why: String,
    },
    /// The server lets nobody in.
    #[error("the database {} lets nobody in: {why}; check user and password, and that the database was created", path.display())]
    Refused {
        /// Its address.
        path: PathBuf,
        /// What the server said.
        why: String,
    },
    /// Somebody else has taken it over meanwhile.
    #[error("'{0}' is no longer this node's: another has taken it over")]
    ClaimLost(String),
    /// It may not be opened or written, or its disk is full.
    #[error("the database {} cannot be used: {why}; check that the folder exists, that both may be written, and that the disk is not full", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system said.
        why: String,
    },
    /// The look-up has no such name.
    #[error("no look-up is named '{0}': expected one of {names}", names = look_up_names())]
    UnknownQuery(String),
    /// The look-up lacks an argument.
    #[error("the look-up '{query}' needs the argument '{argument}'")]
    MissingArgument {
        /// The look-up.
        query: String,
        /// The argument.
        argument: &'static str,
    },
    /// A query that a team declares does not fit, or cannot be asked.
    #[error("[sql.{name}] of line.toml: {why}")]
    Declared {
        /// The look-up.
        name: String,
        /// What the database, or whoever asks, has against it.
        why: String,
    },
    /// A kept record that this release cannot read.
    #[error("the record of call '{id}' cannot be read: {why}")]
    Record {
        /// The call.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// The folder for records that wait cannot be used.
    #[error("records cannot be spooled in {}: {source}", path.display())]
    Spool {
        /// The folder or the file in it.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Anything else.
    #[error("the database {} failed: {why}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        why: String,
    },
}

impl StoreError {
    /// Whether it is about the one thing that was asked, so that others may go through: not about a database that is
    /// gone, locked, full, or does not let anybody in.
    pub fn is_about_what_was_asked(&self) -> bool {
        match self {
            StoreError::Locked(_)
            | StoreError::Gone(_)
            | StoreError::NotADatabase(_)
            | StoreError::NewerSchema { .. }
            | StoreError::Unreachable { .. }
            | StoreError::Refused { .. }
            | StoreError::Unusable { .. }
            | StoreError::Spool { .. }
            | StoreError::Unsupported(_) => false,
            StoreError::ClaimLost(_)
            | StoreError::UnknownQuery(_)
            | StoreError::MissingArgument { .. }
            | StoreError::Declared { .. }
            | StoreError::Record { .. }
            | StoreError::Failed { .. } => true,
        }
    }

    /// Sorts SQLite's answer by what can be done about it (result codes: sqlite.org/rescode.html).
    pub(super) fn new(path: &Path, error: &sqlx::Error) -> StoreError {
        if path.to_string_lossy().starts_with(super::SERVER) {
            return StoreError::of_server(path, error);
        }
        let path = path.to_owned();
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return StoreError::Locked(path);
        }
        let why = error.to_string();
        let code = error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<i32>().ok());
        match code {
            // SQLITE_READONLY_DBMOVED
            Some(1032) => StoreError::Gone(path),
            Some(code) => match code & 0xff {
                // SQLITE_BUSY, SQLITE_LOCKED
                5 | 6 => StoreError::Locked(path),
                // SQLITE_CORRUPT, SQLITE_NOTADB
                11 | 26 => StoreError::NotADatabase(path),
                // SQLITE_PERM, SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN
                3 | 8 | 10 | 13 | 14 => StoreError::Unusable { path, why },
                _ => StoreError::Failed { path, why },
            },
            None => StoreError::Failed { path, why },
        }
    }

    /// Sorts a server's answer by what can be done about it (PostgreSQL's manual, appendix A).
    fn of_server(path: &Path, error: &sqlx::Error) -> StoreError {
        let (path, why) = (path.to_owned(), error.to_string());
        let Some(database) = error.as_database_error() else {
            let is_network =
                matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut);
            return if is_network {
                StoreError::Unreachable { path, why }
            } else {
                StoreError::Failed { path, why }
            };
        };
        // What the server says of a value may quote it.
        let why = database.message().lines().next().unwrap_or_default().to_owned();
        match database.code().as_deref().unwrap_or_default() {
            code if code.starts_with("08") || code.starts_with("57P") || code == "53300" => {
                StoreError::Unreachable { path, why }
            }
            code if code.starts_with("28") || code == "3D000" || code == "42501" => {
                StoreError::Refused { path, why }
            }
            code if code.starts_with("53") => StoreError::Unusable { path, why },
            _ => StoreError::Failed { path, why },
        }
    }

    pub(super) fn from_migration(path: &Path, error: MigrateError) -> StoreError {
        if let MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) = error {
            return StoreError::NewerSchema { path: path.to_owned(), version };
        }
        if let MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) = &error {
            return StoreError::new(path, e);
        }
        StoreError::Failed { path: path.to_owned(), why: error.to_string() }
    }
}

fn look_up_names() -> String {
    let names: Vec<&str> = crate::call::LOOK_UPS.iter().map(|spec| spec.name).collect();
    names.join(", ")
}
