//! Who is at the desk: what agents want, from wherever they say it, and what the line knows of them.
//!
//! Both write the same row. Whoever changes it names the time of the row that they have seen, so that neither wipes
//! out what the other has just written.

use jiff::Timestamp;
use sqlx::Row as _;

use super::figures::{number, text};
use super::{Store, StoreError};
use crate::desk::{DeskPlan, Presence};

/// An agent's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAgent {
    /// Who, as in `intents/desk.toml`.
    pub name: String,
    /// What they do.
    pub presence: Presence,
    /// Since when; no two changes of one agent have the same time.
    pub at: Timestamp,
}

const WRITE: &str = "
    UPDATE agents SET state = $2, why = $3, at_unix_ms = $4 WHERE name = $1 AND at_unix_ms = $5";

const INSERT: &str = "
    INSERT INTO agents (name, state, why, at_unix_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING";

impl Store {
    /// All agents who were ever there, by name.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn agents(&self) -> Result<Vec<KeptAgent>, StoreError> {
        let opened = self.current().await?;
        let rows = sqlx::query("SELECT name, state, why, at_unix_ms FROM agents ORDER BY name");
        let rows = rows.fetch_all(&opened.readers).await.map_err(self.fail())?;
        let agent = |row: &sqlx::any::AnyRow| KeptAgent {
            name: text(row, "name"),
            presence: Presence::of_words(
                &text(row, "state"),
                row.try_get::<Option<String>, _>("why").ok().flatten().as_deref(),
            ),
            at: Timestamp::from_millisecond(number(row, "at_unix_ms")).unwrap_or_default(),
        };
        Ok(rows.iter().map(agent).collect())
    }

    /// Writes what an agent does, where the row is still the one that was seen last (`None`: there was none). Gives
    /// the new row; `None` where somebody else has changed it meanwhile.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn write_agent(
        &self,
        name: &str,
        presence: Presence,
        seen: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<KeptAgent>, StoreError> {
        let opened = self.current().await?;
        let (state, why) = presence.words();
        let seen_ms = seen.map(Timestamp::as_millisecond);
        let at_ms = now.as_millisecond().max(seen_ms.map_or(i64::MIN, |seen| seen + 1));
        let query = sqlx::query(if seen.is_some() { WRITE } else { INSERT });
        let mut query = query.bind(name).bind(state).bind(why).bind(at_ms);
        if let Some(seen) = seen_ms {
            query = query.bind(seen);
        }
        let done = query.execute(&opened.writer).await.map_err(self.fail())?;
        let at = Timestamp::from_millisecond(at_ms).unwrap_or(now);
        Ok((done.rows_affected() > 0).then(|| KeptAgent { name: name.to_owned(), presence, at }))
    }

    /// What an agent wants, whatever stood there before; for the trail, `who` has said so.
    ///
    /// # Errors
    /// Where the database cannot be written, or changes under every attempt.
    pub async fn sign_agent(
        &self,
        name: &str,
        presence: Presence,
        who: &str,
        now: Timestamp,
    ) -> Result<KeptAgent, StoreError> {
        // The line writes a row when an agent's call begins or ends: not three times within milliseconds.
        for _ in 0..3 {
            let seen = self.agents().await?.into_iter().find(|agent| agent.name == name);
            if let Some(kept) = self.write_agent(name, presence, seen.map(|seen| seen.at), now).await? {
                self.audit(who, presence.words().0, name, now).await?;
                return Ok(kept);
            }
        }
        Err(StoreError::Locked(self.path.clone()))
    }

    /// Repeats what the desk declares of its agents, for other systems to read; who left it has no skills.
    ///
    /// # Errors
    /// Where the database cannot be written; then nothing has changed.
    pub async fn write_skills(&self, plan: &DeskPlan, now: Timestamp) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        sqlx::query("DELETE FROM agent_skills").execute(&mut *transaction).await.map_err(self.fail())?;
        for agent in &plan.agents {
            let row = sqlx::query(INSERT).bind(&agent.spec.name).bind("signed_out").bind(None::<String>);
            row.bind(now.as_millisecond()).execute(&mut *transaction).await.map_err(self.fail())?;
            for (skill, level) in &agent.spec.skills {
                sqlx::query("INSERT INTO agent_skills (agent, skill, level) VALUES ($1, $2, $3)")
                    .bind(&agent.spec.name)
                    .bind(skill)
                    .bind(i64::from(*level))
                    .execute(&mut *transaction)
                    .await
                    .map_err(self.fail())?;
            }
        }
        transaction.commit().await.map_err(self.fail())
    }
}
