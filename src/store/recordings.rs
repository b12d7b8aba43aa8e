//! Recordings of calls, and sealing sound anew: which file is whose, and for whom it is sealed.
//!
//! A recording is a file that has its name, and a row that knows it; the row is written last. Sound that no row knows
//! is nobody's, and [`Store::sweep`] removes it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

use super::figures::{number, text};
use super::spool::blocking;
use super::{SealError, Store, StoreError};
use crate::call::{Ani, CallId};

/// Sound that no row knows is left alone for so long: its row may be on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(24 * 3_600);

/// The recording of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptRecording {
    /// Which call.
    pub call: CallId,
    /// The caller's number.
    pub ani: Option<Ani>,
    /// When it began, in milliseconds since 1970 UTC.
    pub at_unix_ms: i64,
    /// How long it is.
    pub duration_ms: i64,
    /// The file with the sound: FLAC, the caller left, the line right.
    pub file: String,
    /// For whom it is sealed; empty where it lies open.
    pub sealed_to: String,
}

/// What became of sealing anew.
#[derive(Debug, Default)]
pub struct SealedAnew {
    /// Files that are sealed for those for whom new files are.
    pub done: u64,
    /// Files that stay as they were, and why. One that is not there is another machine's.
    pub failed: Vec<SealError>,
}

const KEEP: &str = "
    INSERT INTO recordings (call_id, ani, at_unix_ms, duration_ms, file, sealed_to)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (call_id) DO NOTHING";

/// The tables whose rows know a file, and what is sealed otherwise in them.
const OF_SOUND: [(&str, &str, &str); 2] = [
    (
        "SELECT call_id, file FROM recordings WHERE sealed_to <> $1 ORDER BY call_id",
        "UPDATE recordings SET file = $2, sealed_to = $3 WHERE call_id = $1",
        "SELECT file FROM recordings",
    ),
    (
        "SELECT call_id, file FROM voicemails WHERE sealed_to <> $1 ORDER BY call_id",
        "UPDATE voicemails SET file = $2, sealed_to = $3 WHERE call_id = $1",
        "SELECT file FROM voicemails",
    ),
];

impl Store {
    /// Keeps a recording whose file is whole; where the database does not take it, in the spool.
    ///
    /// # Errors
    /// Where the spool does not take it either.
    pub async fn keep_recording(&self, recording: &KeptRecording) -> Result<(), StoreError> {
        let Err(refused) = self.insert_recording(recording).await else { return Ok(()) };
        tracing::warn!(call = %recording.call, error = %refused, "the call's recording is spooled");
        self.spool.put_recording(recording.clone()).await
    }

    pub(super) async fn insert_recording(&self, recording: &KeptRecording) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let done = sqlx::query(KEEP)
            .bind(recording.call.as_str())
            .bind(recording.ani.as_ref().map(|ani| ani.expose().to_owned()))
            .bind(recording.at_unix_ms)
            .bind(recording.duration_ms)
            .bind(&recording.file)
            .bind(&recording.sealed_to)
            .execute(&opened.writer)
            .await;
        done.map(|_| ()).map_err(self.fail())
    }

    /// All recordings, oldest first.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn recordings(&self) -> Result<Vec<KeptRecording>, StoreError> {
        let opened = self.current().await?;
        let sql = "SELECT * FROM recordings ORDER BY at_unix_ms, call_id";
        let rows = sqlx::query(sql).fetch_all(&opened.readers).await.map_err(self.fail())?;
        let recording = |row: &sqlx::any::AnyRow| {
            let id = text(row, "call_id");
            let ani = row.try_get::<Option<String>, _>("ani").ok().flatten();
            Ok(KeptRecording {
                call: id
                    .parse()
                    .map_err(|_| StoreError::Record { id, why: "its call id is none".to_owned() })?,
                ani: ani.and_then(|ani| ani.parse().ok()),
                at_unix_ms: number(row, "at_unix_ms"),
                duration_ms: number(row, "duration_ms"),
                file: text(row, "file"),
                sealed_to: text(row, "sealed_to"),
            })
        };
        rows.iter().map(recording).collect()
    }

    /// Seals all sound for those for whom new files are sealed, one file after another, each whole or as it was: it may
    /// be ended at any moment and begun again. A line may serve meanwhile.
    ///
    /// # Errors
    /// Where the database does not answer. What a file has against it is among the results.
    pub async fn seal_anew(&self, now: Timestamp) -> Result<SealedAnew, StoreError> {
        let opened = self.current().await?;
        let mut all = SealedAnew::default();
        for (select, update, _) in OF_SOUND {
            let to = self.seal.to().to_owned();
            let rows = sqlx::query(select).bind(&to).fetch_all(&opened.readers).await.map_err(self.fail())?;
            for row in &rows {
                let old = PathBuf::from(text(row, "file"));
                let (seal, path) = (Arc::clone(&self.seal), old.clone());
                let fresh = match blocking(move || seal.seal_anew(&path)).await {
                    Ok(fresh) => fresh,
                    Err(error) => {
                        all.failed.push(error);
                        continue;
                    }
                };
                let query = sqlx::query(update).bind(text(row, "call_id")).bind(fresh.display().to_string());
                let written = query.bind(&to).execute(&opened.writer).await.map_err(self.fail())?;
                // Whoever erased it meanwhile meant both.
                let gone = if written.rows_affected() == 0 {
                    [Some(&fresh), Some(&old)]
                } else {
                    [Some(&old).filter(|o| **o != fresh), None]
                };
                for path in gone.into_iter().flatten() {
                    if let Err(source) = remove(path) {
                        all.failed.push(SealError::Io { path: path.clone(), source });
                    }
                }
                all.done += 1;
            }
        }
        if all.done > 0 {
            self.audit("command line", "seal anew", &format!("{} files", all.done), now).await?;
        }
        Ok(all)
    }

    /// Removes sound in a folder of this machine's that no row knows: what a process that died had not finished, and
    /// what was erased or forgotten on another machine. What is younger than a day stays. Gives what was removed.
    ///
    /// # Errors
    /// Where the database or the folder cannot be read, or a file cannot be removed.
    pub async fn sweep(&self, folder: &Path, now: SystemTime) -> Result<Vec<PathBuf>, StoreError> {
        let opened = self.current().await?;
        let mut known: BTreeSet<String> = BTreeSet::new();
        for (_, _, select) in OF_SOUND {
            let rows = sqlx::query(select).fetch_all(&opened.readers).await.map_err(self.fail())?;
            known.extend(rows.iter().map(|row| name_of(Path::new(&text(row, "file")))));
        }
        for path in self.spool.waiting()? {
            known.extend(self.spool.file_of(&path).map(|file| name_of(Path::new(&file))));
        }
        let failed = |source| StoreError::Spool { path: folder.to_owned(), source };
        let entries = match fs::read_dir(folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut removed = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let written = fs::metadata(&path).and_then(|m| m.modified()).map_err(failed)?;
            let is_old = now.duration_since(written).is_ok_and(|age| age > ON_ITS_WAY);
            if path.is_file() && is_old && !known.contains(&name_of(&path)) {
                remove(&path).map_err(failed)?;
                removed.push(path);
            }
        }
        Ok(removed)
    }
}

/// The name alone: the folder may be said in another way.
fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
