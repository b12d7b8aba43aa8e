//! The other nodes, as the desk's book keeps in touch with them by the store: claims, heartbeats, news.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::DeskDoor;
use super::book::{Book, Keeper};
use super::notes::Note;
use super::sharing::{AgentRow, Told};
use crate::call::CallId;
use crate::desk::{AgentId, CallbackPlan, Denial, Presence, QueueId, Standing, View};
use crate::store::{AgentClaim, Change, KeptAgent, QueueEntry, Shared, Store, StoreError};

/// How often a node says that it lives.
const BEAT: Duration = Duration::from_secs(2);

/// A node that has not been heard of for so long is dead: seven beats missed, and longer than a store may take to
/// answer. Nodes' clocks have to agree better than that.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// Between two attempts to listen to a server that does not answer.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// What the book knows of the other nodes.
#[derive(Debug)]
pub(super) struct Peers {
    /// Nodes that lived when that was last known.
    nodes: Vec<String>,
    /// By agent: the row's time where this node has written it.
    own: BTreeMap<AgentId, Timestamp>,
    /// Notes that were written.
    pub(super) written: u64,
    beat: Instant,
    /// Something has changed.
    pub(super) must_look: bool,
    /// Nodes of which the log has said that they go by another desk, and which.
    named: BTreeMap<String, String>,
}

impl Peers {
    pub(super) fn new() -> Peers {
        Peers {
            nodes: Vec::new(),
            own: BTreeMap::new(),
            written: 0,
            beat: Instant::now(),
            must_look: true,
            named: BTreeMap::new(),
        }
    }

    /// Nodes that go by another desk than this one, each named once.
    fn strangers(&mut self, own: &str, nodes: &BTreeMap<String, String>) -> Vec<String> {
        self.named.retain(|name, desk| nodes.get(name) == Some(desk));
        let others = nodes.iter().filter(|(_, desk)| *desk != own);
        others
            .filter(|(name, desk)| {
                self.named.insert((*name).clone(), (*desk).clone()).as_ref() != Some(*desk)
            })
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Whether an agent is this node's to ring while nobody can be asked: each agent is one node's of those that were
    /// last known, so that no two ring the same.
    fn is_ours(&self, node: &str, agent: AgentId) -> bool {
        match self.nodes.iter().position(|name| name == node) {
            Some(at) => agent.0 % self.nodes.len() == at,
            None => self.nodes.is_empty(),
        }
    }
}

impl Book {
    /// A node of its own among those that share the store, from now on.
    pub(super) fn join(&self, door: &DeskDoor) -> Result<(), StoreError> {
        let (plan, now) = (CallbackPlan::of(&self.plan), Timestamp::now());
        let promises = self.runtime.block_on(async {
            self.store.join_node(&self.node, &self.plan.fingerprint, now).await?;
            self.store.recover_dead(&plan, now, LEASE).await
        })?;
        told_of(promises.len());
        self.runtime.spawn(listen(Arc::clone(&self.store), door.clone()));
        Ok(())
    }

    fn claim_of(&self, call: &CallId, agent: AgentId) -> AgentClaim {
        let agent = self.plan.agents[agent.0].spec.name.clone();
        AgentClaim { node: self.node.clone(), call: call.clone(), agent }
    }
}

fn told_of(callbacks: usize) {
    if callbacks > 0 {
        tracing::warn!(callbacks, "callers waited at a node that is dead: they are called back");
    }
}

/// Wakes the desk and whoever calls back as soon as anything changes, for as long as there is a desk. What is not
/// heard is looked up within a second.
async fn listen(store: Arc<Store>, door: DeskDoor) {
    loop {
        match store.listen().await {
            Ok(None) => return,
            Ok(Some(mut listener)) => loop {
                match listener.changed().await {
                    Ok(change) => {
                        if change != Change::Callbacks && !door.wake() {
                            return;
                        }
                        if change != Change::Queue {
                            door.bell.ring();
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the store is not listened to");
                        break;
                    }
                }
            },
            Err(error) => tracing::debug!(%error, "the store cannot be listened to"),
        }
        tokio::time::sleep(LISTEN_AGAIN).await;
        if !door.wake() {
            return;
        }
    }
}

impl Keeper {
    /// Says that this node lives, and declares dead who does not; does nothing before that is due.
    pub(super) fn beat(&mut self) -> Result<(), StoreError> {
        let Some(peers) = self.peers.as_mut().filter(|peers| peers.beat.elapsed() >= BEAT) else {
            return Ok(());
        };
        peers.beat = Instant::now();
        let Book { store, runtime, node, plan, .. } = &self.book;
        let (callbacks, now) = (CallbackPlan::of(plan), Timestamp::now());
        let (lives, promises) = runtime.block_on(async {
            let lives = store.beat(node, now).await?;
            if !lives {
                store.join_node(node, &plan.fingerprint, now).await?;
            }
            Ok::<_, StoreError>((lives, store.recover_dead(&callbacks, now, LEASE).await?))
        })?;
        told_of(promises.len());
        if !lives {
            tracing::warn!("this node was thought dead: it takes its callers and agents back");
            self.door.rejoin();
        }
        Ok(())
    }

    /// The node ends.
    pub(super) fn leave(&self) {
        if self.peers.is_none() {
            return;
        }
        let Book { store, runtime, node, plan, .. } = &self.book;
        let plan = CallbackPlan::of(plan);
        if let Err(error) = runtime.block_on(store.leave_node(node, &plan, Timestamp::now())) {
            // Its time runs out.
            tracing::warn!(%error, "the other nodes do not know yet that this one is gone");
        }
    }

    /// Tells the desk what all nodes share.
    pub(super) fn look_at_peers(&mut self) -> Result<(), StoreError> {
        let Book { store, runtime, node, plan, .. } = &self.book;
        let shared = runtime.block_on(store.shared(node, Timestamp::now(), LEASE))?;
        let Some(peers) = &mut self.peers else { return Ok(()) };
        peers.must_look = false;
        let Shared { entries, agents, times, nodes } = shared;
        for other in peers.strangers(&plan.fingerprint, &nodes) {
            tracing::error!(
                node = other,
                "another node goes by another intents/desk.toml: put the same file on all nodes, and start again those \
                 that have the old one"
            );
        }
        peers.nodes = nodes.into_keys().collect();
        let queue = |name: &str| plan.queues.iter().position(|queue| queue.spec.name == name).map(QueueId);
        let view = View {
            places: entries.iter().filter_map(|entry| entry.place(plan)).collect(),
            agents: Vec::new(),
            times: times.into_iter().filter_map(|(name, times)| Some((queue(&name)?, times))).collect(),
        };
        let row = |row: KeptAgent| {
            let agent = plan.agent(&row.name)?;
            let standing = Standing {
                agent,
                presence: row.stated,
                since: row.since,
                rung: row.rung,
                is_elsewhere: row.held_by.is_some_and(|by| by != *node),
                is_news: false,
            };
            Some(AgentRow { standing, at: row.at, is_own: peers.own.get(&agent) == Some(&row.at) })
        };
        let agents = agents.into_iter().filter_map(row).collect();
        self.door.told(Told { view, agents, written: peers.written });
        Ok(())
    }

    pub(super) fn keep_place(&self, entry: &QueueEntry, again: bool) -> Result<(), StoreError> {
        let Book { store, runtime, plan, .. } = &self.book;
        if again {
            return runtime.block_on(store.revive_place(entry, plan.age_seconds));
        }
        // Where it is written already, the desk knows.
        if let Some(since) = runtime.block_on(store.take_place(entry, plan.age_seconds))?
            && since < entry.since
        {
            self.door.came(&entry.call, since);
        }
        Ok(())
    }

    pub(super) fn claim(&mut self, call: &CallId, agent: AgentId) -> Result<(), StoreError> {
        let claim = self.book.claim_of(call, agent);
        let Book { store, runtime, plan, .. } = &self.book;
        let granted = runtime.block_on(store.claim_agent(&claim, plan, Timestamp::now(), LEASE))?;
        if granted.is_err() {
            // What stood in the way is known before the answer is.
            self.look_at_peers()?;
        }
        self.door.claimed(call, agent, granted);
        Ok(())
    }

    pub(super) fn hold(&self, call: &CallId, agent: AgentId) -> Result<(), StoreError> {
        let claim = self.book.claim_of(call, agent);
        self.book.runtime.block_on(self.book.store.hold_agent(&claim, Timestamp::now()))
    }

    pub(super) fn release(&self, call: &CallId, agent: AgentId) -> Result<(), StoreError> {
        let claim = self.book.claim_of(call, agent);
        self.book.runtime.block_on(self.book.store.release_agent(&claim, Timestamp::now()))
    }

    /// What an agent has said at this node. Where they have said something else elsewhere since, that stands.
    pub(super) fn state(
        &mut self,
        agent: AgentId,
        presence: Presence,
        seen: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(peers) = &mut self.peers else { return Ok(()) };
        let seen = seen.max(peers.own.get(&agent).copied());
        let name = &self.book.plan.agents[agent.0].spec.name;
        let written = self.book.store.write_agent(name, presence, seen, now);
        if let Some(at) = self.book.runtime.block_on(written)? {
            peers.own.insert(agent, at);
        }
        peers.must_look = true;
        Ok(())
    }

    /// While the store does not answer, nobody can be asked: callers are served all the same, by agents that no other
    /// node takes meanwhile.
    pub(super) fn decide_alone(&mut self) {
        let Some(peers) = &self.peers else { return };
        for note in &mut self.waiting {
            let Note::Claim { call, agent } = note else { continue };
            let (call, agent) = (call.clone(), *agent);
            let granted = peers.is_ours(&self.book.node, agent);
            self.door.claimed(&call, agent, if granted { Ok(()) } else { Err(Denial::Taken) });
            *note = if granted { Note::Held { call, agent } } else { Note::Released { call, agent } };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_by_another_desk_is_named_once_and_again_when_that_changes() {
        let mut peers = Peers::new();
        let nodes = |theirs: &[(&str, &str)]| {
            theirs.iter().map(|(name, desk)| ((*name).to_owned(), (*desk).to_owned())).collect()
        };
        let mut named = |theirs: &[(&str, &str)]| peers.strangers("ours", &nodes(theirs));
        assert_eq!(named(&[("a", "ours"), ("b", "old")]), ["b"]);
        assert_eq!(named(&[("a", "ours"), ("b", "old")]), [""; 0]);
        assert_eq!(named(&[("b", "older"), ("c", "old")]), ["b", "c"]);
        assert_eq!(named(&[("b", "ours"), ("c", "old")]), [""; 0]);
        assert_eq!(named(&[("b", "older")]), ["b"]);
    }
}
