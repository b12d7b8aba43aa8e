//! Look-ups by queries that a team declares, on a database of its own: a file of SQLite or PostgreSQL, read and never
//! written.
//!
//! Whatever a query yields becomes text in the database itself, so that it may yield what it likes: dates, numbers and
//! truth values included.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, AssertSqlSafe, Row as _};

use super::{ACQUIRE_TIMEOUT, Place, StoreError, file_url, parse_place, printable};
use crate::call::{NumberedSql, Pii, Query, Row};

/// Queries at the same time.
const READERS: u32 = 4;

/// No query takes longer: a caller hears silence meanwhile, or music.
const LONGEST: Duration = Duration::from_secs(5);

/// More than anyone listens to.
const MOST_ROWS: u32 = 20;

/// What may be asked of the database.
#[derive(Clone, Copy, Debug)]
pub struct DeclaredQuery<'a> {
    /// The look-up's name.
    pub name: &'a str,
    /// The query, with `:name` for each parameter.
    pub sql: &'a str,
    /// The fields of its rows.
    pub fields: &'a [String],
}

/// A team's own database.
#[derive(Debug)]
pub struct Declared {
    /// The file; of a server its address, without a password.
    path: PathBuf,
    pub(super) pool: AnyPool,
}

impl Declared {
    /// Opens a database for reading.
    ///
    /// # Errors
    /// Where it is not there, or lets nobody in.
    pub async fn open(address: &Path) -> Result<Declared, StoreError> {
        sqlx::any::install_default_drivers();
        let pool = |setting: String| {
            AnyPoolOptions::new().max_connections(READERS).acquire_timeout(ACQUIRE_TIMEOUT).after_connect(
                move |connection, _| {
                    let setting = setting.clone();
                    Box::pin(async move {
                        sqlx::raw_sql(AssertSqlSafe(setting)).execute(connection).await.map(|_| ())
                    })
                },
            )
        };
        let ms = LONGEST.as_millis();
        let (path, url, setting) = match parse_place(address)? {
            Place::File(path) => {
                if !path.is_file() {
                    return Err(StoreError::Gone(path));
                }
                let url = file_url(&path, "ro");
                (path, url, format!("PRAGMA query_only = ON; PRAGMA busy_timeout = {ms};"))
            }
            Place::Server(url) => (
                PathBuf::from(printable(url.expose())),
                url.expose().clone(),
                format!(
                    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET statement_timeout = {ms};"
                ),
            ),
        };
        let opened = pool(setting).connect(&url).await;
        let pool = opened.map_err(|e| StoreError::new(&path, &e))?;
        Ok(Declared { path, pool })
    }

    /// Asks a query of the team's for no rows: whether the database understands it, and has its tables and fields.
    ///
    /// # Errors
    /// What the database has against it.
    pub async fn check(&self, query: &DeclaredQuery<'_>) -> Result<(), StoreError> {
        let numbered = self.numbered(query)?;
        let sql = wrapped(&numbered, query.fields, 0);
        let mut asked = sqlx::query(AssertSqlSafe(sql));
        for _ in &numbered.parameters {
            asked = asked.bind(None::<String>);
        }
        asked.fetch_all(&self.pool).await.map(|_| ()).map_err(|e| self.declared(query, &e))
    }

    /// Answers a look-up by a query of the team's: rows of field to text. A field without a value is left out.
    ///
    /// # Errors
    /// Where an argument is missing, or the database does not answer in time.
    pub async fn look_up(&self, query: &DeclaredQuery<'_>, asked: &Query) -> Result<Vec<Row>, StoreError> {
        let numbered = self.numbered(query)?;
        let mut bound = sqlx::query(AssertSqlSafe(wrapped(&numbered, query.fields, MOST_ROWS)));
        for name in &numbered.parameters {
            bound = bound.bind(argument(asked, name).ok_or_else(|| StoreError::Declared {
                name: query.name.to_owned(),
                why: format!("it needs the argument '{name}'"),
            })?);
        }
        let late = |_| StoreError::Unreachable {
            path: self.path.clone(),
            why: "the query takes too long".to_owned(),
        };
        let found = tokio::time::timeout(LONGEST, bound.fetch_all(&self.pool)).await.map_err(late)?;
        let found = found.map_err(|e| StoreError::new(&self.path, &e))?;
        let row = |row: &sqlx::any::AnyRow| {
            let value = |(n, name): (usize, &String)| {
                let text: Option<String> = row.try_get(n).ok().flatten();
                text.map(|text| (name.clone(), Pii::new(text)))
            };
            query.fields.iter().enumerate().filter_map(value).collect()
        };
        Ok(found.iter().map(row).collect())
    }

    fn numbered(&self, query: &DeclaredQuery<'_>) -> Result<NumberedSql, StoreError> {
        let parsed = NumberedSql::parse(query.sql);
        parsed.map_err(|why| StoreError::Declared { name: query.name.to_owned(), why })
    }

    /// A database's words about a query hold what is written in it, and no caller's value.
    fn declared(&self, query: &DeclaredQuery<'_>, error: &sqlx::Error) -> StoreError {
        match error.as_database_error() {
            Some(e) => StoreError::Declared { name: query.name.to_owned(), why: e.message().to_owned() },
            None => StoreError::new(&self.path, error),
        }
    }
}

/// The fields as text, of so many rows. Named by the query that they are of, lest SQLite take a name that is no field's
/// for a text.
fn wrapped(numbered: &NumberedSql, fields: &[String], most: u32) -> String {
    let fields: Vec<String> =
        fields.iter().map(|f| format!("CAST(declared.\"{f}\" AS TEXT) AS \"{f}\"")).collect();
    format!("SELECT {} FROM ({}) AS declared LIMIT {most}", fields.join(", "), numbered.sql)
}

/// An argument as the dialogue gives it; behind `_digits` its digits alone, as numbers are kept in many a table.
fn argument(asked: &Query, name: &str) -> Option<String> {
    let of = |name: &str| {
        asked.args.get(name).or_else(|| asked.secret.get(name)).map(|value| value.expose().clone())
    };
    of(name).or_else(|| {
        let value = of(name.strip_suffix("_digits")?)?;
        Some(value.chars().filter(char::is_ascii_digit).collect())
    })
}
