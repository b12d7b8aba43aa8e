//! The record of each call, written once and read back.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sqlx::AnyConnection;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Store, StoreError, claims, figures, outbox, unmatched};
use crate::call::{CallId, CallRecord, CallTime, Handoff, Pii};

/// A call's record and when the call arrived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptCall {
    /// Milliseconds since 1970-01-01 UTC at which the call arrived.
    pub started_at_unix_ms: u64,
    /// The line's zone then, by its IANA name; `None` where it has none, and of calls before it was kept.
    #[serde(default)]
    pub zone: Option<String>,
    /// Everything else.
    pub record: CallRecord,
}

/// Where a record went.
#[derive(Debug)]
pub enum Written {
    /// Into the database.
    Stored,
    /// Nowhere: the call's record had been written before.
    AlreadyThere,
    /// Into the spool, since the database did not take it.
    Spooled(StoreError),
}

const INSERT_CALL: &str = "
    INSERT INTO calls (id, started_at_unix_ms, duration_ms, ani, dnis, intent, slots, turns, disposition, cause,
                       stage, reference, rating, callback, look_ups, zone)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (id) DO NOTHING";

const INSERT_HANDOFF: &str = "
    INSERT INTO handoffs (call_id, skill, reason, intent, facts, last_heard) VALUES ($1, $2, $3, $4, $5, $6)";

macro_rules! select_calls {
    () => {
        "SELECT c.*, h.call_id, h.skill, h.reason, h.intent AS handoff_intent, h.facts, h.last_heard
         FROM calls c LEFT JOIN handoffs h ON h.call_id = c.id "
    };
}

const SELECT_ALL: &str = concat!(select_calls!(), "ORDER BY c.started_at_unix_ms, c.id");

const SELECT_ONE: &str = concat!(select_calls!(), "WHERE c.id = $1");

impl KeptCall {
    /// When the call arrived, as clocks where the line is said it; in UTC where its zone is not known.
    pub fn local(&self) -> Zoned {
        let at =
            i64::try_from(self.started_at_unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let zone = self.zone.as_deref().and_then(|name| TimeZone::get(name).ok());
        at.unwrap_or(Timestamp::MAX).to_zoned(zone.unwrap_or(TimeZone::UTC))
    }
}

impl Store {
    /// Writes a call's record, whole or not at all, and once however often it is asked to; with it the callback
    /// that was promised, and its figures. Where the
    /// database does not take it (locked, gone, full …), the record goes to the spool and is written by
    /// [`Store::flush_spool`].
    ///
    /// # Errors
    /// Where the spool does not take it either.
    pub async fn write_record(
        &self,
        record: &CallRecord,
        started_at_unix_ms: u64,
    ) -> Result<Written, StoreError> {
        let zone = self.desk.zone.iana_name().map(str::to_owned);
        let kept = KeptCall { started_at_unix_ms, zone, record: record.clone() };
        let refused = match self.insert(&kept).await {
            Ok(true) => return Ok(Written::Stored),
            Ok(false) => return Ok(Written::AlreadyThere),
            Err(refused) => refused,
        };
        tracing::warn!(call = %record.id, error = %refused, "the call's record is spooled");
        self.spool.put(kept).await?;
        Ok(Written::Spooled(refused))
    }

    /// Keeps how content a caller was, 1 to 5, who was asked after the record was written, counts it, and puts it out to
    /// whoever is told of that; false where there is no such record, or one that has a rating.
    ///
    /// # Errors
    /// Where the database cannot be written, or holds a record that this release cannot read.
    pub async fn rate(&self, call: &CallId, grade: u8, now: Timestamp) -> Result<bool, StoreError> {
        let Some(kept) = self.record(call).await? else { return Ok(false) };
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let rated = sqlx::query("UPDATE calls SET rating = $2 WHERE id = $1 AND rating IS NULL");
        let rated = rated.bind(call.as_str()).bind(i64::from(grade)).execute(&mut *transaction).await;
        if rated.map_err(self.fail())?.rows_affected() == 0 {
            return Ok(false);
        }
        figures::count_rating(&mut transaction, call, grade).await.map_err(self.fail())?;
        outbox::put_out_rating(&mut transaction, &self.desk, &kept, now).await.map_err(self.fail())?;
        transaction.commit().await.map_err(self.fail())?;
        Ok(true)
    }

    /// All records, oldest call first.
    ///
    /// # Errors
    /// Where the database does not answer, or holds a record that this release cannot read.
    pub async fn records(&self) -> Result<Vec<KeptCall>, StoreError> {
        let opened = self.current().await?;
        let rows = sqlx::query(SELECT_ALL).fetch_all(&opened.readers).await;
        rows.map_err(|e| StoreError::new(&self.path, &e))?.iter().map(read_back).collect()
    }

    /// The record of one call, if there is one.
    ///
    /// # Errors
    /// As [`Store::records`].
    pub async fn record(&self, id: &CallId) -> Result<Option<KeptCall>, StoreError> {
        let opened = self.current().await?;
        let row = sqlx::query(SELECT_ONE).bind(id.as_str()).fetch_optional(&opened.readers).await;
        row.map_err(|e| StoreError::new(&self.path, &e))?.as_ref().map(read_back).transpose()
    }

    /// Writes a record; false where it was there already.
    pub(super) async fn insert(&self, kept: &KeptCall) -> Result<bool, StoreError> {
        let opened = self.current().await?;
        let failed = |e| StoreError::new(&self.path, &e);
        let mut transaction = opened.begin().await.map_err(failed)?;
        let is_new = insert_call(&mut transaction, kept).await.map_err(failed)?;
        if let (true, Some(handoff)) = (is_new, &kept.record.handoff) {
            insert_handoff(&mut transaction, &kept.record.id, handoff).await.map_err(failed)?;
        }
        if is_new {
            figures::count_call(&mut transaction, kept).await.map_err(failed)?;
            unmatched::count(&mut transaction, kept).await.map_err(failed)?;
            claims::keep_callback(&mut transaction, &self.desk, kept).await.map_err(failed)?;
            outbox::put_out_call(&mut transaction, &self.desk, kept).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        // The file may have lost its name since `current` looked; then what was written is lost with it.
        if self.is_current(&opened) { Ok(is_new) } else { Err(StoreError::Gone(self.path.clone())) }
    }
}

async fn insert_call(connection: &mut AnyConnection, kept: &KeptCall) -> Result<bool, sqlx::Error> {
    let record = &kept.record;
    let done = sqlx::query(INSERT_CALL)
        .bind(record.id.as_str())
        .bind(i64::try_from(kept.started_at_unix_ms).unwrap_or(i64::MAX))
        .bind(i64::try_from(record.duration.as_millis()).unwrap_or(i64::MAX))
        .bind(record.ani.as_ref().map(|ani| ani.expose()))
        .bind(record.dnis.as_ref().map(|dnis| dnis.as_str()))
        .bind(record.intent.as_ref().map(|intent| intent.as_str()))
        .bind(json(&record.slots))
        .bind(json(&record.turns))
        .bind(record.disposition.to_string())
        .bind(record.cause.to_string())
        .bind(record.stage.to_string())
        .bind(record.reference.as_deref())
        .bind(record.rating.map(i64::from))
        .bind(record.callback.as_ref().map(json))
        .bind(json(&record.look_ups))
        .bind(&kept.zone)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

async fn insert_handoff(
    connection: &mut AnyConnection,
    id: &CallId,
    handoff: &Handoff,
) -> Result<(), sqlx::Error> {
    sqlx::query(INSERT_HANDOFF)
        .bind(id.as_str())
        .bind(&handoff.skill)
        .bind(handoff.reason.to_string())
        .bind(handoff.intent.as_ref().map(|intent| intent.as_str()))
        .bind(json(&handoff.facts))
        // PostgreSQL's text holds no NUL.
        .bind(handoff.last_heard.as_ref().map(|heard| heard.expose().replace('\0', " ")))
        .execute(connection)
        .await?;
    Ok(())
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a record has text keys and no failing serializer")
}

fn read_back(row: &AnyRow) -> Result<KeptCall, StoreError> {
    let id: String = row.try_get("id").unwrap_or_default();
    Fields { row }.call().map_err(|why| StoreError::Record { id, why })
}

/// A row of the joined tables; every reader says what is wrong in words.
struct Fields<'a> {
    row: &'a AnyRow,
}

impl Fields<'_> {
    fn call(&self) -> Result<KeptCall, String> {
        let record = CallRecord {
            id: self.word("id")?,
            ani: self.optional_word("ani")?,
            dnis: self.optional_word("dnis")?,
            duration: CallTime::from_millis(self.millis("duration_ms")?),
            intent: self.optional_word("intent")?,
            slots: self.json("slots")?,
            turns: self.json("turns")?,
            handoff: self.handoff()?,
            disposition: self.word("disposition")?,
            cause: self.word("cause")?,
            stage: self.word("stage")?,
            reference: self.text("reference")?,
            rating: self.rating()?,
            callback: self.text("callback")?.map(|_| self.json("callback")).transpose()?,
            look_ups: self.json("look_ups")?,
        };
        let started_at_unix_ms = self.millis("started_at_unix_ms")?;
        Ok(KeptCall { started_at_unix_ms, zone: self.text("zone")?, record })
    }

    fn handoff(&self) -> Result<Option<Handoff>, String> {
        if self.text("call_id")?.is_none() {
            return Ok(None);
        }
        Ok(Some(Handoff {
            skill: self.text("skill")?.unwrap_or_default(),
            reason: self.word("reason")?,
            intent: self.optional_word("handoff_intent")?,
            facts: self.json("facts")?,
            last_heard: self.text("last_heard")?.map(Pii::new),
        }))
    }

    fn rating(&self) -> Result<Option<u8>, String> {
        let rating: Option<i64> = self.row.try_get("rating").map_err(|e| e.to_string())?;
        rating.map(u8::try_from).transpose().map_err(|_| "'rating' is out of range".to_owned())
    }

    fn millis(&self, column: &str) -> Result<u64, String> {
        let millis: i64 = self.row.try_get(column).map_err(|e| e.to_string())?;
        u64::try_from(millis).map_err(|_| format!("'{column}' is negative"))
    }

    fn text(&self, column: &str) -> Result<Option<String>, String> {
        self.row.try_get(column).map_err(|e| e.to_string())
    }

    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, String> {
        let text = self.text(column)?.ok_or_else(|| format!("'{column}' is empty"))?;
        // serde's own message may quote the value.
        serde_json::from_str(&text).map_err(|e| format!("'{column}', character {}", e.column()))
    }

    /// A value that is written as one word: an id, a number, a variant's name.
    fn optional_word<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, String> {
        let word = self.text(column)?.map(serde_json::Value::String);
        word.map(serde_json::from_value).transpose().map_err(|_| format!("'{column}' is not understood"))
    }

    fn word<T: DeserializeOwned>(&self, column: &str) -> Result<T, String> {
        self.optional_word(column)?.ok_or_else(|| format!("'{column}' is empty"))
    }
}
