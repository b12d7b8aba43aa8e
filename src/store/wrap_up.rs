//! How agents wrote calls up.

use jiff::Timestamp;
use sqlx::Row as _;

use super::figures::text;
use super::outbox::{put_out, queue_of};
use super::{Store, StoreError};
use crate::call::CallId;
use crate::desk::{Happened, News, WrittenUp};

const WRITE: &str = "
    INSERT INTO wrap_ups (call_id, agent, disposition, remark, at_unix_ms) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (call_id) DO UPDATE SET agent = excluded.agent, disposition = excluded.disposition,
        remark = excluded.remark, at_unix_ms = excluded.at_unix_ms";

impl Store {
    /// Writes a call up, in place of what was written before, and puts it out to whoever is told of that; false where
    /// there is no record of such a call.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn write_up(
        &self,
        call: &CallId,
        written: &WrittenUp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(kept) = self.record(call).await? else { return Ok(false) };
        let queue = queue_of(&self.desk, &kept);
        let happened = Happened {
            news: News::WrapUp,
            queue: queue.as_deref(),
            intent: kept.record.intent.as_ref().map(|intent| intent.as_str()),
            disposition: Some(&written.disposition),
        };
        let which = format!("-{}", now.as_millisecond());
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let write = sqlx::query(WRITE)
            .bind(call.as_str())
            .bind(&written.agent)
            .bind(&written.disposition)
            .bind(&written.remark)
            .bind(now.as_millisecond());
        write.execute(&mut *transaction).await.map_err(self.fail())?;
        put_out(&mut transaction, &self.desk, &happened, call, &which, (now, now))
            .await
            .map_err(self.fail())?;
        transaction.commit().await.map_err(self.fail())?;
        Ok(true)
    }

    /// How a call was written up, where it was.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn written_up(&self, call: &CallId) -> Result<Option<WrittenUp>, StoreError> {
        let opened = self.current().await?;
        let sql = "SELECT agent, disposition, remark FROM wrap_ups WHERE call_id = $1";
        let row = sqlx::query(sql).bind(call.as_str()).fetch_optional(&opened.readers).await;
        let row = row.map_err(self.fail())?;
        Ok(row.map(|row| WrittenUp {
            agent: text(&row, "agent"),
            disposition: text(&row, "disposition"),
            remark: row.try_get("remark").unwrap_or_default(),
        }))
    }
}
