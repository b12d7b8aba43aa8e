//! Who is at the desk: what agents want, from wherever they say it, and what the line knows of them.
//!
//! Both write the same row. Whoever changes it names the time of the row that they have seen, so that neither wipes
//! out what the other has just written.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::figures::text;
use super::{Store, StoreError};
use crate::desk::{DeskPlan, Presence};

/// An agent's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAgent {
    /// Who, as in `intents/desk.toml`.
    pub name: String,
    /// What they do: who is ready and has a call is busy.
    pub presence: Presence,
    /// What they have said, or what was found out about them; where agents are claimed, a call does not show here.
    pub stated: Presence,
    /// When; no two changes of one agent have the same time.
    pub at: Timestamp,
    /// Since when they do what they do.
    pub since: Timestamp,
    /// The node that has a call with them.
    pub held_by: Option<String>,
    /// When their telephone last rang.
    pub rung: Option<Timestamp>,
}

pub(super) const AGENTS: &str = "
    SELECT name, state, why, at_unix_ms, held_by, held_unix_ms, rung_unix_ms FROM agents ORDER BY name";

pub(super) fn agent_of(row: &AnyRow) -> KeptAgent {
    let words = |column: &str| row.try_get::<Option<String>, _>(column).ok().flatten();
    let time = |column: &str| {
        let ms = row.try_get::<Option<i64>, _>(column).ok().flatten()?;
        Timestamp::from_millisecond(ms).ok()
    };
    let stated = Presence::of_words(&text(row, "state"), words("why").as_deref());
    let (at, held_by) = (time("at_unix_ms").unwrap_or_default(), words("held_by"));
    KeptAgent {
        name: text(row, "name"),
        presence: if stated == Presence::Ready && held_by.is_some() { Presence::Busy } else { stated },
        stated,
        at,
        since: time("held_unix_ms").map_or(at, |held| held.max(at)),
        held_by,
        rung: time("rung_unix_ms"),
    }
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
        let rows = sqlx::query(AGENTS).fetch_all(&opened.readers).await.map_err(self.fail())?;
        Ok(rows.iter().map(agent_of).collect())
    }

    /// Writes what an agent does, where the row is still the one that was seen last (`None`: there was none). Gives
    /// the new row's time; `None` where somebody else has changed it meanwhile.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn write_agent(
        &self,
        name: &str,
        presence: Presence,
        seen: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
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
        Ok((done.rows_affected() > 0).then_some(at))
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
    ) -> Result<(), StoreError> {
        // The line writes a row when an agent's call begins or ends: not three times within milliseconds.
        for _ in 0..3 {
            let seen = self.agents().await?.into_iter().find(|agent| agent.name == name);
            if self.write_agent(name, presence, seen.map(|seen| seen.at), now).await?.is_some() {
                return self.audit(who, presence.words().0, name, now).await;
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
        if opened.file.is_none() {
            // Nodes that start together take turns.
            let turns = sqlx::query("LOCK TABLE agent_skills IN EXCLUSIVE MODE");
            turns.execute(&mut *transaction).await.map_err(self.fail())?;
        }
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
