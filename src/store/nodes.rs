//! One queue over several nodes: which of them live, who has which agent, and what all of them see.
//!
//! An agent is had by one call at a time over all nodes, because having one is a row that one transaction writes. Who
//! takes more than one lock takes them in this order, so that none waits for another that waits for it: the node, the
//! place, the agent, the figures, the promise. An agent's row is never waited for while a place is locked: it is
//! skipped, and whoever wanted it asks again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::postgres::PgListener;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::agents::{AGENTS, KeptAgent, agent_of};
use super::claims::{for_update, ms};
use super::figures::{self, number, text};
use super::places::{QueueEntry, entry_of};
use super::{Opened, Place, Store, StoreError};
use crate::call::CallId;
use crate::desk::{Callback, CallbackPlan, Denial, DeskPlan};

/// Handle times that are kept of a queue: what waits are told from.
const TIMES: i64 = 100;

/// What a node shares with the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Shared {
    /// Places of other nodes that live, first served first.
    pub entries: Vec<QueueEntry>,
    /// Agents who were ever there, by name.
    pub agents: Vec<KeptAgent>,
    /// The last handle times by queue, oldest first: ringing; and talking and writing up.
    pub times: BTreeMap<String, Vec<(Duration, Duration)>>,
    /// Nodes that live, and the fingerprint of the desk that each goes by.
    pub nodes: BTreeMap<String, String>,
}

/// Whom a node wants to ring, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentClaim {
    /// Who asks.
    pub node: String,
    /// For which place.
    pub call: CallId,
    /// Whom.
    pub agent: String,
}

/// What others have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// An agent's row.
    Agents,
    /// A place in a queue.
    Queue,
    /// A promise to call back.
    Callbacks,
    /// Nobody was listening for a while: anything.
    Anything,
}

/// Hears of what others change, on PostgreSQL.
#[derive(Debug)]
pub struct Listener {
    /// There until it is dropped.
    notes: Option<PgListener>,
    name: std::path::PathBuf,
    /// Where it gives its connection back, wherever it is dropped.
    runtime: tokio::runtime::Handle,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.notes = None;
    }
}

/// The channel of the triggers.
const CHANNEL: &str = "attendant";

impl Listener {
    /// Waits until somebody has changed something.
    ///
    /// # Errors
    /// Where the server does not answer any more.
    pub async fn changed(&mut self) -> Result<Change, StoreError> {
        let notes = self.notes.as_mut().expect("it is there until it is dropped");
        let told = notes.try_recv().await.map_err(|e| StoreError::new(&self.name, &e))?;
        Ok(match told.as_ref().map(sqlx::postgres::PgNotification::payload) {
            Some("agents") => Change::Agents,
            Some("queue_entries") => Change::Queue,
            Some("callbacks") => Change::Callbacks,
            // The connection was lost, and with it what was said meanwhile.
            Some(_) | None => Change::Anything,
        })
    }
}

const JOIN: &str = "
    INSERT INTO nodes (name, beat_unix_ms, desk) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET beat_unix_ms = excluded.beat_unix_ms, desk = excluded.desk";

const MINE: &str = "SELECT * FROM queue_entries WHERE call_id = $1 AND node = $2 AND state = 'waiting'";

const FREE: &str = "
    SELECT name FROM agents WHERE name = $1 AND state = 'ready' AND (held_by IS NULL OR held_by = $2)";

const AHEAD: &str = "
    SELECT q.* FROM queue_entries q JOIN nodes n ON n.name = q.node
    WHERE q.state = 'waiting' AND q.call_id <> $1 AND q.rank_ms <= $2 AND n.beat_unix_ms > $3
    ORDER BY q.rank_ms, q.call_id";

const HOLD: &str = "
    UPDATE agents SET held_by = $2, held_for = $3, held_unix_ms = $4, rung_unix_ms = $4
    WHERE name = $1 AND (held_by IS NULL OR held_by = $2)";

const RING: &str = "
    UPDATE queue_entries SET state = 'claimed', claimed_by = $2, claim_until_unix_ms = NULL, agent = $3
    WHERE call_id = $1";

const WAIT_AGAIN: &str = "
    UPDATE queue_entries SET state = 'waiting', claimed_by = NULL, agent = NULL
    WHERE call_id = $1 AND node = $2 AND state = 'claimed' AND agent = $3";

const RELEASE: &str = "
    UPDATE agents SET held_by = NULL, held_for = NULL, held_unix_ms = $4
    WHERE name = $1 AND held_by = $2 AND held_for = $3";

const OTHERS: &str = "
    SELECT q.* FROM queue_entries q JOIN nodes n ON n.name = q.node
    WHERE q.state <> 'over' AND q.node <> $1 AND n.beat_unix_ms > $2
    ORDER BY q.rank_ms, q.call_id";

/// A place that nobody keeps alive.
pub(super) const ORPHAN: &str = "
    SELECT * FROM queue_entries WHERE state <> 'over' AND node NOT IN (SELECT name FROM nodes)
    ORDER BY rank_ms, call_id LIMIT 1";

const FREE_ORPHANS: &str = "
    UPDATE agents SET held_by = NULL, held_for = NULL, held_unix_ms = $1
    WHERE held_by IS NOT NULL AND held_by NOT IN (SELECT name FROM nodes)";

const REVIVE: &str = "
    UPDATE queue_entries SET state = 'waiting', node = $2, claimed_by = NULL, claim_until_unix_ms = NULL,
        outcome = NULL, agent = NULL, waited_ms = NULL, ended_unix_ms = NULL
    WHERE call_id = $1";

fn cutoff(now: Timestamp, lease: Duration) -> i64 {
    ms(now).saturating_sub(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

impl Store {
    /// Whether several machines may share it: then who rings whom is decided here.
    pub fn is_shared(&self) -> bool {
        matches!(self.place, Place::Server(_))
    }

    /// Begins to hear of what others change; `None` where there are no others, with a file.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub async fn listen(&self) -> Result<Option<Listener>, StoreError> {
        let Place::Server(url) = &self.place else { return Ok(None) };
        let mut notes = PgListener::connect(url.expose()).await.map_err(self.fail())?;
        notes.listen(CHANNEL).await.map_err(self.fail())?;
        let runtime = tokio::runtime::Handle::current();
        Ok(Some(Listener { notes: Some(notes), name: self.path.clone(), runtime }))
    }

    /// A node begins, or begins anew after it was thought dead. `desk` is the fingerprint of the desk that it goes by.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn join_node(&self, node: &str, desk: &str, now: Timestamp) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let done = sqlx::query(JOIN).bind(node).bind(ms(now)).bind(desk).execute(&opened.writer).await;
        done.map(|_| ()).map_err(self.fail())
    }

    /// A node lives; false where it was thought dead, and has lost what it held.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn beat(&self, node: &str, now: Timestamp) -> Result<bool, StoreError> {
        let opened = self.current().await?;
        let done = sqlx::query("UPDATE nodes SET beat_unix_ms = $2 WHERE name = $1").bind(node).bind(ms(now));
        Ok(done.execute(&opened.writer).await.map_err(self.fail())?.rows_affected() > 0)
    }

    /// A node ends, and holds nothing any more; see [`Store::recover_dead`].
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn leave_node(
        &self,
        node: &str,
        plan: &CallbackPlan,
        now: Timestamp,
    ) -> Result<Vec<Callback>, StoreError> {
        let opened = self.current().await?;
        let gone = sqlx::query("DELETE FROM nodes WHERE name = $1").bind(node).execute(&opened.writer).await;
        gone.map_err(self.fail())?;
        self.recover_orphans(plan, now).await
    }

    /// Declares nodes dead that have not been heard of for as long as the lease: their callers have lost the
    /// connection, and are promised a callback, with the place kept, where the number is known; their agents are free.
    /// Gives the promises.
    ///
    /// # Errors
    /// Where the database cannot be written; what was done by then stays done, and the next node does the rest.
    pub async fn recover_dead(
        &self,
        plan: &CallbackPlan,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Vec<Callback>, StoreError> {
        let opened = self.current().await?;
        let sql = format!(
            "DELETE FROM nodes WHERE name IN (SELECT name FROM nodes WHERE beat_unix_ms <= $1{})",
            for_update(&opened)
        );
        let dead = sqlx::query(AssertSqlSafe(sql)).bind(cutoff(now, lease)).execute(&opened.writer).await;
        if dead.map_err(self.fail())?.rows_affected() == 0 && !self.has_orphans(&opened).await? {
            return Ok(Vec::new());
        }
        self.recover_orphans(plan, now).await
    }

    /// Whoever declared a node dead may have died over it.
    async fn has_orphans(&self, opened: &Opened) -> Result<bool, StoreError> {
        let sql = "SELECT 1 AS one FROM queue_entries WHERE state <> 'over' AND node NOT IN (SELECT name FROM nodes)
                   UNION ALL SELECT 1 FROM agents
                   WHERE held_by IS NOT NULL AND held_by NOT IN (SELECT name FROM nodes) LIMIT 1";
        let found = sqlx::query(sql).fetch_optional(&opened.readers).await.map_err(self.fail())?;
        Ok(found.is_some())
    }

    async fn recover_orphans(
        &self,
        plan: &CallbackPlan,
        now: Timestamp,
    ) -> Result<Vec<Callback>, StoreError> {
        let promises = self.recover(ORPHAN, None, plan, now).await?;
        let opened = self.current().await?;
        let freed = sqlx::query(FREE_ORPHANS).bind(ms(now)).execute(&opened.writer).await;
        freed.map_err(self.fail())?;
        Ok(promises)
    }

    /// Takes an agent for a caller of this node: granted where the agent is free, the caller still waits, and nobody
    /// whom the agent could take waits before them on a node that was heard of within the lease.
    ///
    /// # Errors
    /// Where the database cannot be written; then nothing was granted.
    pub async fn claim_agent(
        &self,
        claim: &AgentClaim,
        plan: &DeskPlan,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Result<(), Denial>, StoreError> {
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let granted = self.grant(&mut transaction, &opened, claim, plan, (now, lease)).await?;
        if granted.is_ok() {
            transaction.commit().await.map_err(self.fail())?;
        }
        Ok(granted)
    }

    /// The place is locked first, and the agent's row is skipped where somebody else has it.
    async fn grant(
        &self,
        connection: &mut AnyConnection,
        opened: &Opened,
        claim: &AgentClaim,
        plan: &DeskPlan,
        (now, lease): (Timestamp, Duration),
    ) -> Result<Result<(), Denial>, StoreError> {
        let mine = AssertSqlSafe(format!("{MINE}{}", if opened.file.is_some() { "" } else { " FOR UPDATE" }));
        let mine = sqlx::query(mine).bind(claim.call.as_str()).bind(&claim.node);
        let mine = mine.fetch_optional(&mut *connection).await.map_err(self.fail())?;
        let Some(mine) = mine else { return Ok(Err(Denial::NotFirst)) };
        let free = sqlx::query(AssertSqlSafe(format!("{FREE}{}", for_update(opened))));
        let free = free.bind(&claim.agent).bind(&claim.node).fetch_optional(&mut *connection).await;
        if free.map_err(self.fail())?.is_none() {
            return Ok(Err(Denial::Taken));
        }
        if let (Some(place), Some(agent)) = (entry_of(&mine)?.place(plan), plan.agent(&claim.agent)) {
            let order = place.order(plan);
            let ahead = sqlx::query(AHEAD).bind(claim.call.as_str()).bind(order.0).bind(cutoff(now, lease));
            for row in ahead.fetch_all(&mut *connection).await.map_err(self.fail())? {
                let other = entry_of(&row)?.place(plan);
                if other.is_some_and(|other| other.order(plan) < order && other.wants(plan, agent, now)) {
                    return Ok(Err(Denial::NotFirst));
                }
            }
        }
        ring(connection, claim, now).await.map_err(self.fail())?;
        Ok(Ok(()))
    }

    /// An agent has a call of a node's already, which could not ask before.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn hold_agent(&self, claim: &AgentClaim, now: Timestamp) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        ring(&mut transaction, claim, now).await.map_err(self.fail())?;
        transaction.commit().await.map_err(self.fail())
    }

    /// An agent is done with a call, or was rung in vain: the place, where the caller still has one, waits again.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn release_agent(&self, claim: &AgentClaim, now: Timestamp) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let place = sqlx::query(WAIT_AGAIN).bind(claim.call.as_str()).bind(&claim.node).bind(&claim.agent);
        place.execute(&mut *transaction).await.map_err(self.fail())?;
        let agent = sqlx::query(RELEASE).bind(&claim.agent).bind(&claim.node).bind(claim.call.as_str());
        agent.bind(ms(now)).execute(&mut *transaction).await.map_err(self.fail())?;
        transaction.commit().await.map_err(self.fail())
    }

    /// A node that was thought dead still has this caller: the place is theirs again, and is not counted as given up.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn revive_place(&self, entry: &QueueEntry, age_seconds: u32) -> Result<(), StoreError> {
        self.enqueue(entry, age_seconds).await?;
        let opened = self.current().await?;
        let mut transaction = opened.begin().await.map_err(self.fail())?;
        let sql = format!(
            "SELECT * FROM queue_entries WHERE call_id = $1{}",
            if opened.file.is_some() { "" } else { " FOR UPDATE" }
        );
        let found = sqlx::query(AssertSqlSafe(sql)).bind(entry.call.as_str());
        let row = found.fetch_one(&mut *transaction).await.map_err(self.fail())?;
        let outcome = text(&row, "outcome");
        if text(&row, "node") != entry.node || text(&row, "state") == "over" {
            sqlx::query(REVIVE)
                .bind(entry.call.as_str())
                .bind(&entry.node)
                .execute(&mut *transaction)
                .await
                .map_err(self.fail())?;
        }
        if text(&row, "state") == "over" && !entry.call_back {
            let waited = Duration::from_millis(number(&row, "waited_ms").max(0).unsigned_abs());
            let (queue, at) = (text(&row, "queue"), number(&row, "ended_unix_ms"));
            figures::uncount_entry(&mut transaction, &queue, &outcome, at, waited)
                .await
                .map_err(self.fail())?;
        }
        transaction.commit().await.map_err(self.fail())
    }

    /// Keeps how long a call took an agent, for what callers are told of their wait.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn keep_time(&self, queue: &str, ring: Duration, handle: Duration) -> Result<(), StoreError> {
        let opened = self.current().await?;
        let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let new = sqlx::query("INSERT INTO handle_times (queue, ring_ms, handle_ms) VALUES ($1, $2, $3)");
        let new = new.bind(queue).bind(ms(ring)).bind(ms(handle)).execute(&opened.writer).await;
        new.map_err(self.fail())?;
        let old = "DELETE FROM handle_times WHERE queue = $1 AND id <= (
                       SELECT id FROM handle_times WHERE queue = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
        let old = sqlx::query(old).bind(queue).bind(TIMES).execute(&opened.writer).await;
        old.map(|_| ()).map_err(self.fail())
    }

    /// What a node is to know of the others that were heard of within the lease.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn shared(&self, node: &str, now: Timestamp, lease: Duration) -> Result<Shared, StoreError> {
        let opened = self.current().await?;
        let alive = cutoff(now, lease);
        let rows = sqlx::query(OTHERS).bind(node).bind(alive).fetch_all(&opened.readers).await;
        let entries = rows.map_err(self.fail())?.iter().map(entry_of).collect::<Result<_, _>>()?;
        let rows = sqlx::query(AGENTS).fetch_all(&opened.readers).await.map_err(self.fail())?;
        let agents = rows.iter().map(agent_of).collect();
        let rows = sqlx::query("SELECT queue, ring_ms, handle_ms FROM handle_times ORDER BY id");
        let mut times: BTreeMap<String, Vec<(Duration, Duration)>> = BTreeMap::new();
        let time = |row: &AnyRow, column| Duration::from_millis(number(row, column).max(0).unsigned_abs());
        for row in rows.fetch_all(&opened.readers).await.map_err(self.fail())? {
            let one = (time(&row, "ring_ms"), time(&row, "handle_ms"));
            times.entry(text(&row, "queue")).or_default().push(one);
        }
        let rows = sqlx::query("SELECT name, desk FROM nodes WHERE beat_unix_ms > $1").bind(alive);
        let rows = rows.fetch_all(&opened.readers).await.map_err(self.fail())?;
        let nodes = rows.iter().map(|row| (text(row, "name"), text(row, "desk"))).collect();
        Ok(Shared { entries, agents, times, nodes })
    }
}

async fn ring(connection: &mut AnyConnection, claim: &AgentClaim, now: Timestamp) -> Result<(), sqlx::Error> {
    let place = sqlx::query(RING).bind(claim.call.as_str()).bind(&claim.node).bind(&claim.agent);
    place.execute(&mut *connection).await?;
    let agent = sqlx::query(HOLD).bind(&claim.agent).bind(&claim.node).bind(claim.call.as_str());
    agent.bind(ms(now)).execute(connection).await.map(|_| ())
}
