//! What several nodes share: callbacks and messages, and how places in queues are claimed, too. Whoever claims one has it alone, for a
//! while; a node that dies loses its claims, and nothing else is lost.
//!
//! On PostgreSQL a claim is `SELECT … FOR UPDATE SKIP LOCKED`, so that nodes do not wait for each other. On
//! SQLite the one writer takes them in turn. Finishing names the claim: who has lost it changes nothing.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::figures::{number, text};
use super::outbox::put_out;
use super::record::KeptCall;
use super::seal::is_sealed;
use super::{Opened, Store, StoreError};
use crate::call::{Ani, CallId, Pii};
use crate::desk::{
    Callback, CallbackEnd, CallbackPlan, CallbackState, Caller, DeskPlan, Happened, News, Window,
};

/// A message that a caller left.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptVoicemail {
    /// The call in which it was left.
    pub call: CallId,
    /// The queue that it is for.
    pub queue: String,
    /// The caller's number.
    pub ani: Option<Ani>,
    /// When.
    pub at: Timestamp,
    /// How long it is.
    pub duration: Duration,
    /// The file with the sound.
    pub file: String,
    /// The sound's hash, in hexadecimal: a file that was not written whole is no message.
    pub sha256: String,
    /// What was understood of it.
    pub transcript: Option<Pii<String>>,
}

/// Ends a `SELECT` of what is to be claimed.
pub(super) fn for_update(opened: &Opened) -> &'static str {
    if opened.file.is_some() { "" } else { " FOR UPDATE SKIP LOCKED" }
}

pub(super) fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

pub(super) fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

pub(super) fn after(now: Timestamp, lease: Duration) -> i64 {
    ms(now).saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

pub(super) fn number_of(row: &AnyRow, column: &str) -> Option<Ani> {
    row.try_get::<Option<String>, _>(column).ok().flatten().and_then(|ani| ani.parse().ok())
}

pub(super) fn unreadable(id: String) -> StoreError {
    StoreError::Record { id, why: "its call id or its number is none".to_owned() }
}

/// Marks a row that this transaction holds. `table` and `state` are words of ours.
pub(super) async fn claim(
    connection: &mut AnyConnection,
    table: &str,
    state: &str,
    call: &CallId,
    by: &str,
    until_ms: i64,
) -> Result<(), sqlx::Error> {
    let sql = format!(
        "UPDATE {table} SET state = '{state}', claimed_by = $2, claim_until_unix_ms = $3 WHERE call_id = $1"
    );
    let claim = sqlx::query(AssertSqlSafe(sql)).bind(call.as_str()).bind(by).bind(until_ms);
    claim.execute(connection).await.map(|_| ())
}

const WRITE_CALLBACK: &str = "
    INSERT INTO callbacks (call_id, number, same_as, queue, since_unix_ms, promised_unix_ms, window_from_unix_ms,
                           window_until_unix_ms, attempts, state, due_unix_ms, outcome)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (call_id) DO UPDATE SET
        since_unix_ms = excluded.since_unix_ms, promised_unix_ms = excluded.promised_unix_ms,
        window_from_unix_ms = excluded.window_from_unix_ms, window_until_unix_ms = excluded.window_until_unix_ms,
        attempts = excluded.attempts, state = excluded.state, due_unix_ms = excluded.due_unix_ms,
        outcome = excluded.outcome";

const NEXT_CALLBACK: &str = "
    SELECT * FROM callbacks WHERE ((state = 'waiting' AND due_unix_ms <= $1)
        OR (state = 'in_hand' AND claim_until_unix_ms <= $1))
        AND NOT EXISTS (SELECT 1 FROM queue_entries
            WHERE queue_entries.same_as = callbacks.same_as AND queue_entries.state <> 'over')
    ORDER BY since_unix_ms, call_id LIMIT 1";

impl Store {
    /// Keeps a promise to call back. Where the number has an open one already, the two become one: the earlier
    /// place, the later window. Asked for again with the same call, it changes nothing. Gives what stands.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn promise_callback(
        &self,
        plan: &CallbackPlan,
        promise: Callback,
        now: Timestamp,
    ) -> Result<Callback, StoreError> {
        // Two nodes that promise the same number at once meet in the index: who comes second joins.
        let mut tries = 0;
        loop {
            let opened = self.current().await?;
            let mut transaction = opened.begin().await.map_err(self.fail())?;
            match keep_promise(&mut transaction, plan, now, promise.clone()).await {
                Ok(kept) => {
                    transaction.commit().await.map_err(self.fail())?;
                    return Ok(kept);
                }
                Err(e) if tries < 3 && e.as_database_error().is_some_and(|e| e.is_unique_violation()) => {
                    tries += 1;
                }
                Err(e) => return Err(StoreError::new(&self.path, &e)),
            }
        }
    }

    /// Takes a promise that is due, unless whoever is to be called waits in a queue just then, for as long as the lease; also one whose node has let its lease run out.
    /// `None` where nothing is due.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn claim_callback(
        &self,
        plan: &CallbackPlan,
        by: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<Callback>, StoreError> {
        let opened = self.current().await?;
        let sql = format!("{NEXT_CALLBACK}{}", for_update(&opened));
        loop {
            let mut transaction = opened.begin().await.map_err(self.fail())?;
            let found = sqlx::query(AssertSqlSafe(sql.clone())).bind(ms(now));
            let Some(row) = found.fetch_optional(&mut *transaction).await.map_err(self.fail())? else {
                return Ok(None);
            };
            let mut promise = callback_of(&row)?;
            promise.let_go(plan, now);
            let is_taken = promise.take_in_hand(now);
            write_callback(&mut transaction, &promise).await.map_err(self.fail())?;
            if is_taken {
                claim(&mut transaction, "callbacks", "in_hand", &promise.call, by, after(now, lease))
                    .await
                    .map_err(self.fail())?;
            }
            transaction.commit().await.map_err(self.fail())?;
            if is_taken {
                return Ok(Some(promise));
            }
            // It has expired, or is due at another hour: the next one.
        }
    }

    /// Holds a claim for longer.
    ///
    /// # Errors
    /// Where another node has it by now, or the database cannot be written.
    pub async fn renew_callback(
        &self,
        call: &CallId,
        by: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let sql = "UPDATE callbacks SET claim_until_unix_ms = $3
                   WHERE call_id = $1 AND claimed_by = $2 AND state = 'in_hand'";
        let done = sqlx::query(sql).bind(call.as_str()).bind(by).bind(after(now, lease));
        let done = done.execute(&opened.writer).await.map_err(self.fail())?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::ClaimLost(call.to_string())) }
    }

    /// Writes what became of a promise that this node has in hand.
    ///
    /// # Errors
    /// Where another node has it by now, or the database cannot be written.
    pub async fn settle_callback(&self, promise: &Callback, by: &str) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let sql = "UPDATE callbacks SET claim_until_unix_ms = claim_until_unix_ms
                   WHERE call_id = $1 AND claimed_by = $2 AND state = 'in_hand'";
        let mine = sqlx::query(sql).bind(promise.call.as_str()).bind(by);
        if mine.execute(&mut *transaction).await.map_err(self.fail())?.rows_affected() == 0 {
            return Err(StoreError::ClaimLost(promise.call.to_string()));
        }
        write_callback(&mut transaction, promise).await.map_err(self.fail())?;
        transaction.commit().await.map_err(self.fail())
    }

    /// Ends a promise that nobody has in hand; false where somebody has, or where it is over.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn cancel_callback(&self, call: &CallId) -> Result<bool, StoreError> {
        let opened = self.current().await?;
        let sql = "UPDATE callbacks SET state = 'over', outcome = 'cancelled', due_unix_ms = NULL
                   WHERE call_id = $1 AND state = 'waiting'";
        let done = sqlx::query(sql).bind(call.as_str()).execute(&opened.writer).await;
        Ok(done.map_err(self.fail())?.rows_affected() > 0)
    }

    /// All promises, oldest place first.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn callbacks(&self) -> Result<Vec<Callback>, StoreError> {
        let opened = self.current().await?;
        let sql = "SELECT * FROM callbacks ORDER BY since_unix_ms, call_id";
        let rows = sqlx::query(sql).fetch_all(&opened.readers).await.map_err(self.fail())?;
        rows.iter().map(callback_of).collect()
    }
}

/// Keeps the callback that was promised in a call, in the transaction that writes the call's record: a record that
/// was spooled brings its promise when it is written. The place is the time at which the call came.
pub(super) async fn keep_callback(
    connection: &mut AnyConnection,
    desk: &DeskPlan,
    kept: &KeptCall,
) -> Result<(), sqlx::Error> {
    let record = &kept.record;
    let Some(callback) = &record.callback else { return Ok(()) };
    let skill = record.handoff.as_ref().map_or("", |handoff| handoff.skill.as_str());
    let caller = Caller {
        intent: callback.intent.clone(),
        dnis: record.dnis.clone(),
        ..Caller::new(record.id.clone(), skill)
    };
    let since = time(i64::try_from(kept.started_at_unix_ms).unwrap_or(i64::MAX));
    let plan = CallbackPlan::of(desk);
    let promised = since.checked_add(Duration::from_millis(record.duration.as_millis())).unwrap_or(since);
    let place = (record.id.clone(), desk.queue_of(&caller), since);
    let window = Window { from: promised, until: None };
    let promise = Callback::promise(&plan, promised, place, callback.number.clone(), window);
    keep_promise(connection, &plan, promised, promise).await.map(|_| ())
}

pub(super) async fn keep_promise(
    connection: &mut AnyConnection,
    plan: &CallbackPlan,
    now: Timestamp,
    promise: Callback,
) -> Result<Callback, sqlx::Error> {
    let known =
        sqlx::query("SELECT * FROM callbacks WHERE call_id = $1 OR (same_as = $2 AND state <> 'over')")
            .bind(promise.call.as_str())
            .bind(promise.same_as())
            .fetch_optional(&mut *connection)
            .await?;
    let known = known.and_then(|row| callback_of(&row).ok());
    let kept = match known {
        Some(known) if known.call == promise.call => return Ok(known),
        Some(mut known) => {
            known.renew(plan, now, &promise);
            known
        }
        None => promise,
    };
    write_callback(connection, &kept).await?;
    Ok(kept)
}

async fn write_callback(connection: &mut AnyConnection, promise: &Callback) -> Result<(), sqlx::Error> {
    let (state, due, outcome) = match promise.state {
        CallbackState::Waiting { due } => ("waiting", Some(ms(due)), None),
        CallbackState::InHand => ("in_hand", None, None),
        CallbackState::Over(end) => ("over", None, Some(end.to_string())),
    };
    sqlx::query(WRITE_CALLBACK)
        .bind(promise.call.as_str())
        .bind(promise.number.expose())
        .bind(promise.same_as())
        .bind(&promise.queue)
        .bind(ms(promise.since))
        .bind(ms(promise.promised))
        .bind(ms(promise.window.from))
        .bind(promise.window.until.map(ms))
        .bind(i64::from(promise.attempts))
        .bind(state)
        .bind(due)
        .bind(outcome)
        .execute(connection)
        .await
        .map(|_| ())
}

fn callback_of(row: &AnyRow) -> Result<Callback, StoreError> {
    let id = text(row, "call_id");
    let optional = |column: &str| row.try_get::<Option<i64>, _>(column).ok().flatten();
    let state = match text(row, "state").as_str() {
        "waiting" => CallbackState::Waiting { due: time(optional("due_unix_ms").unwrap_or(0)) },
        "in_hand" => CallbackState::InHand,
        _ => CallbackState::Over(match text(row, "outcome").as_str() {
            "reached" => CallbackEnd::Reached,
            "given_up" => CallbackEnd::GivenUp,
            "cancelled" => CallbackEnd::Cancelled,
            _ => CallbackEnd::Expired,
        }),
    };
    Ok(Callback {
        number: number_of(row, "number").ok_or_else(|| unreadable(id.clone()))?,
        call: id.parse().map_err(|_| unreadable(id))?,
        queue: text(row, "queue"),
        since: time(number(row, "since_unix_ms")),
        promised: time(number(row, "promised_unix_ms")),
        window: Window {
            from: time(number(row, "window_from_unix_ms")),
            until: optional("window_until_unix_ms").map(time),
        },
        attempts: u8::try_from(number(row, "attempts")).unwrap_or(u8::MAX),
        state,
    })
}

const KEEP_VOICEMAIL: &str = "
    INSERT INTO voicemails (call_id, queue, ani, at_unix_ms, duration_ms, file, sha256, transcript, sealed_to)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (call_id) DO NOTHING";

impl Store {
    /// Keeps a message whose file is written whole, and puts it out to whoever is told of that, at `due`, which leaves
    /// time for its transcript; false where the call's is kept already.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn keep_voicemail(&self, message: &KeptVoicemail, due: Timestamp) -> Result<bool, StoreError> {
        let sealed_to = if is_sealed(Path::new(&message.file)) { self.seal.to() } else { "" };
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let done = sqlx::query(KEEP_VOICEMAIL)
            .bind(message.call.as_str())
            .bind(&message.queue)
            .bind(message.ani.as_ref().map(|ani| ani.expose().to_owned()))
            .bind(ms(message.at))
            .bind(i64::try_from(message.duration.as_millis()).unwrap_or(i64::MAX))
            .bind(&message.file)
            .bind(&message.sha256)
            .bind(message.transcript.as_ref().map(|text| text.expose().clone()))
            .bind(sealed_to)
            .execute(&mut *transaction)
            .await;
        let is_new = done.map_err(self.fail())?.rows_affected() > 0;
        if is_new {
            let happened = Happened {
                news: News::Voicemail,
                queue: Some(&message.queue),
                intent: None,
                disposition: None,
            };
            put_out(&mut transaction, &self.desk, &happened, &message.call, "", (message.at, due))
                .await
                .map_err(self.fail())?;
        }
        transaction.commit().await.map_err(self.fail())?;
        Ok(is_new)
    }

    /// The message that was left in a call.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn voicemail(&self, call: &CallId) -> Result<Option<KeptVoicemail>, StoreError> {
        let opened = self.current().await?;
        let found = sqlx::query("SELECT * FROM voicemails WHERE call_id = $1").bind(call.as_str());
        let row = found.fetch_optional(&opened.readers).await.map_err(self.fail())?;
        row.as_ref().map(voicemail_of).transpose()
    }

    /// All messages, oldest first.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn voicemails(&self) -> Result<Vec<KeptVoicemail>, StoreError> {
        let opened = self.current().await?;
        let sql = "SELECT * FROM voicemails ORDER BY at_unix_ms, call_id";
        let rows = sqlx::query(sql).fetch_all(&opened.readers).await.map_err(self.fail())?;
        rows.iter().map(voicemail_of).collect()
    }
}

fn voicemail_of(row: &AnyRow) -> Result<KeptVoicemail, StoreError> {
    let id = text(row, "call_id");
    let transcript = row.try_get::<Option<String>, _>("transcript").ok().flatten();
    Ok(KeptVoicemail {
        call: id.parse().map_err(|_| unreadable(id))?,
        queue: text(row, "queue"),
        ani: number_of(row, "ani"),
        at: time(number(row, "at_unix_ms")),
        duration: Duration::from_millis(u64::try_from(number(row, "duration_ms")).unwrap_or(0)),
        file: text(row, "file"),
        sha256: text(row, "sha256"),
        transcript: transcript.map(Pii::new),
    })
}
