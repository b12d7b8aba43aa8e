//! What is forgotten: by age, and on a customer's request. And the trail of who did what.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row as _;

use super::figures::text;
use super::{Store, StoreError};
use crate::call::Ani;

/// How long each kind of data is kept; `None` for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Records of calls, with their handoffs.
    pub calls: Option<Duration>,
    /// Places in queues that are given up, and promises that are over.
    pub desk: Option<Duration>,
    /// Messages.
    pub voicemails: Option<Duration>,
    /// Recordings of calls.
    pub recordings: Option<Duration>,
    /// The trail itself.
    pub audit: Option<Duration>,
}

/// What was forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Calls whose records are gone.
    pub calls: Vec<String>,
    /// Messages' files, which whoever called for it removes.
    pub files: Vec<PathBuf>,
    /// Recordings, which whoever called for it removes.
    pub recordings: Vec<PathBuf>,
    /// Rows of all kinds.
    pub rows: u64,
}

/// An entry of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub who: String,
    /// What.
    pub what: String,
    /// To what; never a caller's number or name.
    pub subject: String,
}

impl Store {
    /// Forgets what is older than it may be. Figures stay: they hold nobody's data.
    ///
    /// # Errors
    /// Where the database cannot be written; then nothing is forgotten.
    pub async fn forget_old(&self, keep: &Retention, now: Timestamp) -> Result<Forgotten, StoreError> {
        let before = |age: Option<Duration>| {
            let age = age.and_then(|age| i64::try_from(age.as_millis()).ok());
            age.map_or(i64::MIN, |age| now.as_millisecond().saturating_sub(age))
        };
        let steps: [(&'static str, i64); 11] = [
            (
                "DELETE FROM handoffs WHERE call_id IN (SELECT id FROM calls WHERE started_at_unix_ms < $1) RETURNING 1 AS one",
                before(keep.calls),
            ),
            (
                "DELETE FROM unmatched WHERE call_id IN (SELECT id FROM calls WHERE started_at_unix_ms < $1) RETURNING 1 AS one",
                before(keep.calls),
            ),
            (
                "DELETE FROM wrap_ups WHERE call_id IN (SELECT id FROM calls WHERE started_at_unix_ms < $1) RETURNING 1 AS one",
                before(keep.calls),
            ),
            ("DELETE FROM calls WHERE started_at_unix_ms < $1 RETURNING id AS call_id", before(keep.calls)),
            (
                "DELETE FROM queue_entries WHERE state = 'over' AND ended_unix_ms < $1 RETURNING 1 AS one",
                before(keep.desk),
            ),
            (
                "DELETE FROM callbacks WHERE state = 'over' AND promised_unix_ms < $1 RETURNING 1 AS one",
                before(keep.desk),
            ),
            (
                "DELETE FROM outbox WHERE state IN ('told', 'given_up') AND created_unix_ms < $1 RETURNING 1 AS one",
                before(keep.desk),
            ),
            ("DELETE FROM voicemails WHERE at_unix_ms < $1 RETURNING file", before(keep.voicemails)),
            (
                "DELETE FROM recordings WHERE at_unix_ms < $1 RETURNING file AS recording",
                before(keep.recordings),
            ),
            ("DELETE FROM audit WHERE at_unix_ms < $1 RETURNING 1 AS one", before(keep.audit)),
            ("DELETE FROM wrong_proofs WHERE at_unix_ms < $1 RETURNING 1 AS one", before(keep.calls)),
        ];
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let mut forgotten = Forgotten::default();
        for (sql, before) in steps {
            let rows =
                sqlx::query(sql).bind(before).fetch_all(&mut *transaction).await.map_err(self.fail())?;
            forgotten.note(&rows);
        }
        transaction.commit().await.map_err(self.fail())?;
        Ok(forgotten)
    }

    /// Forgets all that is known of a number: records, recordings, handoffs, places, promises, messages, proofs,
    /// and the customer with orders where the number is one's. The trail says that it was done, not to whom.
    ///
    /// # Errors
    /// Where the database cannot be written; then nothing is forgotten.
    pub async fn erase(&self, number: &Ani, who: &str, now: Timestamp) -> Result<Forgotten, StoreError> {
        const STEPS: &[&str] = &[
            "DELETE FROM handoffs WHERE call_id IN (SELECT id FROM calls WHERE ltrim(ani, '+') = $1) RETURNING 1 AS one",
            "DELETE FROM unmatched WHERE call_id IN (SELECT id FROM calls WHERE ltrim(ani, '+') = $1) RETURNING 1 AS one",
            "DELETE FROM wrap_ups WHERE call_id IN (SELECT id FROM calls WHERE ltrim(ani, '+') = $1) RETURNING 1 AS one",
            "DELETE FROM outbox WHERE call_id IN (SELECT id FROM calls WHERE ltrim(ani, '+') = $1
             UNION SELECT call_id FROM voicemails WHERE ltrim(ani, '+') = $1) RETURNING 1 AS one",
            "DELETE FROM calls WHERE ltrim(ani, '+') = $1 RETURNING id AS call_id",
            "DELETE FROM queue_entries WHERE ltrim(ani, '+') = $1 RETURNING 1 AS one",
            "DELETE FROM callbacks WHERE same_as = $1 RETURNING 1 AS one",
            "DELETE FROM voicemails WHERE ltrim(ani, '+') = $1 RETURNING file",
            "DELETE FROM recordings WHERE ltrim(ani, '+') = $1 RETURNING file AS recording",
            "DELETE FROM wrong_proofs WHERE ltrim(ani, '+') = $1 \
             OR account IN (SELECT CAST(id AS TEXT) FROM customers WHERE phone = $1) RETURNING 1 AS one",
            "DELETE FROM orders WHERE customer_id IN (SELECT id FROM customers WHERE phone = $1) RETURNING 1 AS one",
            "DELETE FROM customers WHERE phone = $1 RETURNING 1 AS one",
        ];
        let digits = number.expose().trim_start_matches('+').to_owned();
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let mut forgotten = Forgotten::default();
        for sql in STEPS {
            let query = sqlx::query(*sql).bind(digits.clone());
            let rows = query.fetch_all(&mut *transaction).await.map_err(self.fail())?;
            forgotten.note(&rows);
        }
        let (calls, files, recordings) =
            (forgotten.calls.len(), forgotten.files.len(), forgotten.recordings.len());
        let subject = format!("{calls} calls, {files} messages, {recordings} recordings");
        audit(&mut transaction, who, "erase", &subject, now).await.map_err(self.fail())?;
        transaction.commit().await.map_err(self.fail())?;
        // What waits in the spool is a caller's, too.
        for path in self.spool.waiting()? {
            if self.spool.is_of(&path, &digits) {
                forgotten.recordings.extend(self.spool.file_of(&path).map(PathBuf::from));
                std::fs::remove_file(&path)
                    .map_err(|source| StoreError::Spool { path: path.clone(), source })?;
                forgotten.rows += 1;
            }
        }
        self.compact().await?;
        Ok(forgotten)
    }

    /// SQLite writes deleted pages over only in time, and keeps them in its log: both are done now.
    async fn compact(&self) -> Result<(), StoreError> {
        let opened = self.current().await?;
        if opened.file.is_some() {
            let sql = "VACUUM; PRAGMA wal_checkpoint(TRUNCATE);";
            sqlx::raw_sql(sql).execute(&opened.writer).await.map_err(self.fail())?;
        }
        Ok(())
    }

    /// Adds to the trail.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn audit(
        &self,
        who: &str,
        what: &str,
        subject: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let mut connection = opened.writer.acquire().await.map_err(self.fail())?;
        audit(&mut connection, who, what, subject, now).await.map_err(self.fail())
    }

    /// Writes into the trail that a step of the desk's is not written, since the database refuses it.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn give_up_step(&self, step: &str, of: &str, now: Timestamp) -> Result<(), StoreError> {
        self.audit(GAVE_UP, step, of, now).await
    }

    /// How many steps of the desk's were given up and are still in the trail.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn given_up_steps(&self) -> Result<u64, StoreError> {
        let opened = self.current().await?;
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM audit WHERE who = $1").bind(GAVE_UP);
        let count = count.fetch_one(&opened.readers).await.map_err(self.fail())?;
        Ok(count.max(0).unsigned_abs())
    }

    /// The trail, the latest first.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn audit_trail(&self, most: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let opened = self.current().await?;
        let sql = "SELECT at_unix_ms, who, what, subject FROM audit ORDER BY id DESC LIMIT $1";
        let rows = sqlx::query(sql).bind(i64::from(most)).fetch_all(&opened.readers).await;
        let entry = |row: &sqlx::any::AnyRow| AuditEntry {
            at: Timestamp::from_millisecond(row.try_get("at_unix_ms").unwrap_or(0)).unwrap_or_default(),
            who: text(row, "who"),
            what: text(row, "what"),
            subject: text(row, "subject"),
        };
        Ok(rows.map_err(self.fail())?.iter().map(entry).collect())
    }
}

/// Who gives steps of the desk's up, in the trail.
const GAVE_UP: &str = "desk gave up";

impl Forgotten {
    fn note(&mut self, rows: &[sqlx::any::AnyRow]) {
        self.rows += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        for row in rows {
            if let Ok(call) = row.try_get::<String, _>("call_id") {
                self.calls.push(call);
            } else if let Ok(file) = row.try_get::<String, _>("recording") {
                self.recordings.push(PathBuf::from(file));
            } else if let Ok(file) = row.try_get::<String, _>("file") {
                self.files.push(PathBuf::from(file));
            }
        }
    }
}

async fn audit(
    connection: &mut sqlx::AnyConnection,
    who: &str,
    what: &str,
    subject: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO audit (at_unix_ms, who, what, subject) VALUES ($1, $2, $3, $4)")
        .bind(now.as_millisecond())
        .bind(who)
        .bind(what)
        .bind(subject)
        .execute(connection)
        .await
        .map(|_| ())
}
