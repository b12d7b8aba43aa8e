//! The desk of one node among several: what it asks of the store before it rings, and what the store tells it.
//!
//! The desk goes on deciding by itself, with the other nodes' callers in its line; but a telephone rings only once its
//! agent has been claimed. What agents say is kept apart from the calls they have: the one is written by whoever says
//! it, the other by the node that has the call.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

#[cfg(feature = "store")]
use super::Inbox;
use super::{Note, Order, Runner};
use crate::call::CallId;
use crate::desk::{AgentId, Denial, Event, Presence, Standing, View};

/// An agent's row, as the store told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct AgentRow {
    /// How it stands; whether it is news is for the desk to find out.
    pub(super) standing: Standing,
    /// When they said it.
    pub(super) at: Timestamp,
    /// Whether this node has written it.
    pub(super) is_own: bool,
}

/// What the store told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// Places of other nodes, and handle times.
    pub(super) view: View,
    /// Agents.
    pub(super) agents: Vec<AgentRow>,
    /// Notes of this desk's that had been written by then.
    pub(super) written: u64,
}

/// What a desk that shares its queue remembers.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    /// Rings that wait for their claims.
    claims: BTreeMap<CallId, (AgentId, Duration)>,
    /// By agent: for which call this node has them.
    held: Vec<Option<CallId>>,
    /// By agent: what the store has, and since when.
    stated: Vec<(Presence, Option<Timestamp>)>,
    /// By agent: how many notes there were when the last one about them was sent.
    noted: Vec<u64>,
    /// Notes that were sent.
    sent: u64,
}

impl Sharing {
    pub(super) fn new(agents: usize) -> Sharing {
        Sharing {
            held: vec![None; agents],
            stated: vec![(Presence::SignedOut, None); agents],
            noted: vec![0; agents],
            ..Sharing::default()
        }
    }

    pub(super) fn sent(&mut self) {
        self.sent += 1;
    }

    /// Nobody's telephone rings yet; whether that is so.
    pub(super) fn gives_up_claim(&mut self, call: &CallId) -> bool {
        self.claims.remove(call).is_some()
    }

    /// What the store knows better than this desk, which may have said more meanwhile: then it is asked again.
    fn news_of(&mut self, row: AgentRow, written: u64) -> Option<Standing> {
        let n = row.standing.agent.0;
        if *self.noted.get(n)? > written {
            return None;
        }
        let (presence, at) = self.stated[n];
        let is_later = at.is_none_or(|at| row.at > at) && !row.is_own;
        self.stated[n] = (row.standing.presence, Some(row.at));
        Some(Standing { is_news: presence != row.standing.presence || is_later, ..row.standing })
    }
}

impl Runner {
    /// Asks for an agent; the telephone rings once they are this call's.
    pub(super) fn claim(&mut self, now: Timestamp, call: CallId, agent: AgentId, patience: Duration) {
        let is_asked = self.note(Note::Claim { call: call.clone(), agent });
        match &mut self.sharing {
            Some(sharing) if is_asked => {
                sharing.claims.insert(call, (agent, patience));
            }
            _ => self.desk.handle_event(now, Event::Denied(call, Denial::NotFirst)),
        }
    }

    pub(super) fn claimed(
        &mut self,
        now: Timestamp,
        call: CallId,
        agent: AgentId,
        granted: Result<(), Denial>,
    ) {
        let Some(sharing) = &mut self.sharing else { return };
        let asked = sharing.claims.get(&call).copied().filter(|(asked, _)| *asked == agent);
        if asked.is_some() {
            sharing.claims.remove(&call);
        }
        match (granted, asked) {
            (Ok(()), Some((_, patience))) => {
                sharing.held[agent.0] = Some(call.clone());
                self.ring(now, &call, agent, patience);
            }
            // The caller is gone, or served, by now.
            (Ok(()), None) => {
                self.note(Note::Released { call, agent });
            }
            (Err(why), Some(_)) => {
                tracing::debug!(%call, agent = self.name(agent), ?why, "an agent was not this node's to ring");
                self.desk.handle_event(now, Event::Denied(call, why));
            }
            (Err(_), None) => {}
        }
    }

    pub(super) fn told(&mut self, now: Timestamp, told: Told) {
        let Told { mut view, agents, written } = told;
        if let Some(sharing) = &mut self.sharing {
            view.agents = agents.into_iter().filter_map(|row| sharing.news_of(row, written)).collect();
        }
        self.desk.handle_view(now, view);
    }

    /// This node was thought dead: what it holds is said once more.
    pub(super) fn rejoin(&mut self) {
        let places: Vec<_> = self.desk.callers().filter_map(|call| self.desk.place(call)).collect();
        for place in places {
            let ani = self.calls.get(&place.call).and_then(|known| known.ani.clone());
            self.note(Note::Queued { place, ani, again: true });
        }
        let held = self.sharing.as_ref().map(|sharing| sharing.held.clone()).unwrap_or_default();
        for (n, call) in held.into_iter().enumerate() {
            if let Some(call) = call {
                self.note(Note::Held { call, agent: AgentId(n) });
            }
        }
    }

    /// What agents say now, and whose calls are over, where that is something else than before.
    pub(super) fn share_agents(&mut self, now: Timestamp) {
        for n in 0..self.plan.agents.len() {
            let (agent, presence) = (AgentId(n), self.desk.stated(AgentId(n)));
            let Some((stated, seen)) = self.sharing.as_ref().map(|sharing| sharing.stated[n]) else { return };
            if stated != presence
                && self.note(Note::Stated { agent, presence, seen, at: now })
                && let Some(sharing) = &mut self.sharing
            {
                sharing.stated[n].0 = presence;
                sharing.noted[n] = sharing.sent;
            }
            // Who is away is that before they are free, lest somebody ring them in between.
            let call = self.desk.call_of(agent);
            let over = self
                .sharing
                .as_mut()
                .and_then(|sharing| sharing.held[n].take_if(|held| Some(&*held) != call));
            if let Some(call) = over {
                self.note(Note::Released { call, agent });
            }
        }
    }

    pub(super) fn ring(&mut self, now: Timestamp, call: &CallId, agent: AgentId, patience: Duration) {
        let (name, rings) = (self.name(agent), self.plan.agents[agent.0].spec.rings.clone());
        tracing::info!(%call, agent = name, "an agent is rung");
        self.order(now, call, Order::Ring { agent: name, rings, patience });
    }
}

impl super::DeskDoor {
    /// Whether the queue is shared with other nodes.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// What the store knows of the others.
    #[cfg(feature = "store")]
    pub(super) fn told(&self, told: Told) {
        let _ = self.inbox.send(Inbox::Told(Box::new(told)));
    }

    /// The answer to a [`Note::Claim`].
    #[cfg(feature = "store")]
    pub(super) fn claimed(&self, call: &CallId, agent: AgentId, granted: Result<(), Denial>) {
        let _ = self.inbox.send(Inbox::Claimed { call: call.clone(), agent, granted });
    }

    /// A place that was kept for a caller.
    #[cfg(feature = "store")]
    pub(super) fn came(&self, call: &CallId, since: Timestamp) {
        let _ = self.inbox.send(Inbox::Came(call.clone(), since));
    }

    /// The node was thought dead.
    #[cfg(feature = "store")]
    pub(super) fn rejoin(&self) {
        let _ = self.inbox.send(Inbox::Rejoin);
    }

    /// Somebody has changed agents or places; false where there is no desk any more.
    #[cfg(feature = "store")]
    pub(super) fn wake(&self) -> bool {
        self.inbox.send(Inbox::Wake).is_ok()
    }
}
