//! What is still to be told of calls and messages: written in the transaction that writes what it tells of, and told by
//! whichever node claims it.
//!
//! Nothing is lost: news that were written are tried until somebody has taken them, or their attempts are over, which is
//! logged and kept. A node that dies between telling and writing that it has told tells once more, by the same key: that
//! much no protocol can spare the one who is told.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::claims::{after, for_update, ms, time, unreadable};
use super::figures::{number, text};
use super::record::KeptCall;
use super::{Store, StoreError};
use crate::call::CallId;
use crate::desk::{Caller, DeskPlan, Happened, News};

/// Something that is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Names it among all.
    pub key: String,
    /// What.
    pub news: News,
    /// Of which call.
    pub call: CallId,
    /// To whom: a `[[notify]]` by name.
    pub target: String,
    /// Since when.
    pub created: Timestamp,
    /// How often it was tried, this time included where it is in hand.
    pub attempts: u32,
    /// Where it stands.
    pub state: OutgoingState,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// Where something stands that is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutgoingState {
    /// It is tried at this time.
    Waiting(Timestamp),
    /// Somebody is telling it.
    InHand,
    /// It was told then.
    Told(Timestamp),
    /// Nobody took it.
    GivenUp,
}

const PUT: &str = "
    INSERT INTO outbox (key, news, call_id, target, created_unix_ms, due_unix_ms, attempts, state)
    VALUES ($1, $2, $3, $4, $5, $6, 0, 'waiting') ON CONFLICT (key) DO NOTHING";

const NEXT: &str = "
    SELECT * FROM outbox WHERE (state = 'waiting' AND due_unix_ms <= $1)
        OR (state = 'in_hand' AND claim_until_unix_ms <= $1)
    ORDER BY due_unix_ms, key LIMIT 1";

const CLAIM: &str = "
    UPDATE outbox SET state = 'in_hand', claimed_by = $2, claim_until_unix_ms = $3, attempts = attempts + 1
    WHERE key = $1";

const SETTLE: &str = "
    UPDATE outbox SET state = $3, announced_at_unix_ms = $4, due_unix_ms = coalesce($5, due_unix_ms), error = $6
    WHERE key = $1 AND claimed_by = $2 AND state = 'in_hand'";

impl Store {
    /// Takes the next news that are due, for as long as the lease; also those of a node that has let its lease run out.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn claim_news(
        &self,
        by: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<Outgoing>, StoreError> {
        let opened = self.current().await?;
        let sql = format!("{NEXT}{}", for_update(&opened));
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let found = sqlx::query(AssertSqlSafe(sql)).bind(ms(now));
        let Some(row) = found.fetch_optional(&mut *transaction).await.map_err(self.fail())? else {
            return Ok(None);
        };
        let mut news = outgoing_of(&row)?;
        news.attempts += 1;
        news.state = OutgoingState::InHand;
        let claim = sqlx::query(CLAIM).bind(&news.key).bind(by).bind(after(now, lease));
        claim.execute(&mut *transaction).await.map_err(self.fail())?;
        transaction.commit().await.map_err(self.fail())?;
        Ok(Some(news))
    }

    /// Writes what became of news that this node has in hand: told, to be tried again, or given up, and why.
    ///
    /// # Errors
    /// Where another node has them by now, or the database cannot be written.
    pub async fn settle_news(
        &self,
        key: &str,
        by: &str,
        state: OutgoingState,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        let (word, told, due) = match state {
            OutgoingState::Waiting(due) => ("waiting", None, Some(ms(due))),
            OutgoingState::InHand => return Ok(()),
            OutgoingState::Told(at) => ("told", Some(ms(at)), None),
            OutgoingState::GivenUp => ("given_up", None, None),
        };
        let opened = self.current().await?;
        let query = sqlx::query(SETTLE).bind(key).bind(by).bind(word).bind(told).bind(due);
        let done = query.bind(error.map(str::to_owned)).execute(&opened.writer).await.map_err(self.fail())?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::ClaimLost(key.to_owned())) }
    }

    /// Writes what was understood of a message, and lets those know of it who wait for that.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn write_transcript(
        &self,
        call: &CallId,
        transcript: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let heard = sqlx::query("UPDATE voicemails SET transcript = $2 WHERE call_id = $1");
        let heard = heard.bind(call.as_str()).bind(transcript.map(str::to_owned));
        heard.execute(&mut *transaction).await.map_err(self.fail())?;
        let sql = "UPDATE outbox SET due_unix_ms = $2
                   WHERE call_id = $1 AND news = 'voicemail' AND state = 'waiting' AND attempts = 0";
        let due = sqlx::query(sql).bind(call.as_str()).bind(ms(now));
        due.execute(&mut *transaction).await.map_err(self.fail())?;
        transaction.commit().await.map_err(self.fail())
    }

    /// All that is to be told and was, oldest first.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn outbox(&self) -> Result<Vec<Outgoing>, StoreError> {
        let opened = self.current().await?;
        let sql = "SELECT * FROM outbox ORDER BY created_unix_ms, key";
        let rows = sqlx::query(sql).fetch_all(&opened.readers).await.map_err(self.fail())?;
        rows.iter().map(outgoing_of).collect()
    }
}

fn outgoing_of(row: &AnyRow) -> Result<Outgoing, StoreError> {
    let id = text(row, "call_id");
    let word = text(row, "news");
    let news = News::ALL.into_iter().find(|news| news.to_string() == word);
    let optional = |column: &str| row.try_get::<Option<i64>, _>(column).ok().flatten();
    Ok(Outgoing {
        key: text(row, "key"),
        news: news.ok_or_else(|| StoreError::Record {
            id: id.clone(),
            why: "its news are of no kind".to_owned(),
        })?,
        target: text(row, "target"),
        created: time(number(row, "created_unix_ms")),
        attempts: u32::try_from(number(row, "attempts")).unwrap_or(u32::MAX),
        state: match text(row, "state").as_str() {
            "waiting" => OutgoingState::Waiting(time(number(row, "due_unix_ms"))),
            "in_hand" => OutgoingState::InHand,
            "told" => OutgoingState::Told(time(optional("announced_at_unix_ms").unwrap_or(0))),
            _ => OutgoingState::GivenUp,
        },
        error: row.try_get::<Option<String>, _>("error").ok().flatten(),
        call: id.parse().map_err(|_| unreadable(id))?,
    })
}

/// Puts out what happened to whoever is told of it. `which` tells news of one kind and call apart.
pub(super) async fn put_out(
    connection: &mut AnyConnection,
    plan: &DeskPlan,
    happened: &Happened<'_>,
    call: &CallId,
    which: &str,
    (now, due): (Timestamp, Timestamp),
) -> Result<(), sqlx::Error> {
    for target in plan.notify.iter().filter(|target| target.is_told(happened)) {
        let put = sqlx::query(PUT)
            .bind(format!("{}-{call}-{}{which}", happened.news, target.name))
            .bind(happened.news.to_string())
            .bind(call.as_str())
            .bind(&target.name)
            .bind(ms(now))
            .bind(ms(due));
        put.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Puts out that a call is over whose record is written in the same transaction.
pub(super) async fn put_out_call(
    connection: &mut AnyConnection,
    plan: &DeskPlan,
    kept: &KeptCall,
) -> Result<(), sqlx::Error> {
    let began = time(i64::try_from(kept.started_at_unix_ms).unwrap_or(i64::MAX));
    let ended = began.checked_add(Duration::from_millis(kept.record.duration.as_millis())).unwrap_or(began);
    put_out_record(connection, plan, kept, News::Call, ended).await
}

/// Puts out that a caller has said how it was, whose record was written before.
pub(super) async fn put_out_rating(
    connection: &mut AnyConnection,
    plan: &DeskPlan,
    kept: &KeptCall,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    put_out_record(connection, plan, kept, News::Rating, now).await
}

async fn put_out_record(
    connection: &mut AnyConnection,
    plan: &DeskPlan,
    kept: &KeptCall,
    news: News,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    let record = &kept.record;
    let queue = queue_of(plan, kept);
    let disposition = record.disposition.to_string();
    let happened = Happened {
        news,
        queue: queue.as_deref(),
        intent: record.intent.as_ref().map(|intent| intent.as_str()),
        disposition: Some(&disposition),
    };
    put_out(connection, plan, &happened, &record.id, "", (at, at)).await
}

/// The queue of a call that needed a person.
pub(super) fn queue_of(plan: &DeskPlan, kept: &KeptCall) -> Option<String> {
    let record = &kept.record;
    let handoff = record.handoff.as_ref()?;
    let caller = Caller {
        intent: record.intent.clone(),
        dnis: record.dnis.clone(),
        ..Caller::handed_over(record.id.clone(), handoff)
    };
    Some(plan.queue_of(&caller).to_owned())
}
