//! The desk's notes on their way into the store, and what agents say elsewhere on its way to the desk.
//!
//! One thread does both, so that a row is never read between two writes of its own. What the store does not take is
//! tried again, in order, until it does: each step may be written twice and counts once.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;

use super::{DeskDoor, MessageNote, Note, Order, Wish};
use crate::audio::{RATE_HZ, flac};
use crate::call::Fault;
use crate::desk::{CallbackPlan, DeskPlan, Presence};
use crate::store::{KeptVoicemail, QueueEntry, Store, StoreError};

/// How often the store is asked what agents have said elsewhere, and steps are tried again that it did not take.
const EVERY: Duration = Duration::from_secs(1);

/// Steps that wait for a store that takes nothing. Past that the oldest are given up, aloud.
const KEPT: usize = 10_000;

/// What the book needs.
pub struct Book {
    /// Where everything is kept.
    pub store: Arc<Store>,
    /// Where the store's work runs.
    pub runtime: Handle,
    /// Who this process is among several.
    pub node: String,
    /// What is declared.
    pub plan: Arc<DeskPlan>,
    /// Where messages' sound goes.
    pub messages: PathBuf,
}

struct Keeper {
    book: Book,
    door: DeskDoor,
    /// Agents' rows as they were last read or written.
    seen: BTreeMap<String, (Presence, Timestamp)>,
    waiting: VecDeque<Note>,
    is_down: bool,
}

impl Book {
    /// Does what a start needs: whoever waited in an earlier life of this node is promised a callback, and agents who
    /// were there are there again.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn open(
        self,
        notes: Receiver<Note>,
        door: DeskDoor,
    ) -> Result<std::thread::JoinHandle<()>, StoreError> {
        let now = Timestamp::now();
        let promises = self.runtime.block_on(async {
            self.store.write_skills(&self.plan, now).await?;
            self.store.recover_node(&self.node, &CallbackPlan::of(&self.plan), now).await
        })?;
        if !promises.is_empty() {
            tracing::warn!(
                callbacks = promises.len(),
                "callers waited when this node ended: they are called back"
            );
        }
        let mut keeper =
            Keeper { book: self, door, seen: BTreeMap::new(), waiting: VecDeque::new(), is_down: false };
        keeper.look()?;
        std::thread::Builder::new()
            .name("desk's book".to_owned())
            .spawn(move || keeper.run(&notes))
            .map_err(|source| StoreError::Spool { path: PathBuf::from("the desk's thread"), source })
    }
}

impl Keeper {
    fn run(mut self, notes: &Receiver<Note>) {
        loop {
            let ended = match notes.recv_timeout(EVERY) {
                Ok(note) => {
                    self.waiting.push_back(note);
                    false
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(error) = self.look() {
                        self.went_down(&error);
                    }
                    false
                }
                Err(RecvTimeoutError::Disconnected) => true,
            };
            self.write();
            if ended {
                if !self.waiting.is_empty() {
                    tracing::error!(steps = self.waiting.len(), "the store took nothing to the end");
                }
                return;
            }
            while self.waiting.len() > KEPT {
                self.waiting.pop_front();
                tracing::error!("the store takes nothing: a step of the desk is given up");
            }
        }
    }

    fn went_down(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.is_down, true) {
            tracing::warn!(%error, "the store does not take the desk's steps: they wait");
        }
    }

    fn write(&mut self) {
        while let Some(note) = self.waiting.pop_front() {
            match self.keep(&note) {
                Ok(()) => self.is_down = false,
                Err(error) => {
                    self.went_down(&error);
                    // Whoever hears that a message is kept must be told soon, either way.
                    if let Note::Message(message) = &note {
                        let (id, reply) = &message.reply;
                        let _ = reply.send(Order::Lost(*id, Fault::Failed(error.to_string())));
                    } else {
                        self.waiting.push_front(note);
                    }
                    return;
                }
            }
        }
    }

    fn keep(&mut self, note: &Note) -> Result<(), StoreError> {
        let Book { store, runtime, node, plan, .. } = &self.book;
        match note {
            Note::Queued { call, queue, ani, since, priority } => {
                let entry = QueueEntry {
                    call: call.clone(),
                    queue: queue.clone(),
                    node: node.clone(),
                    ani: ani.clone(),
                    since: *since,
                    priority: *priority,
                };
                runtime.block_on(store.enqueue(&entry, plan.age_seconds)).map(|_| ())
            }
            Note::Left { call, outcome, agent, at } => {
                runtime.block_on(store.end_entry(call, *outcome, agent.as_deref(), *at)).map(|_| ())
            }
            Note::Handled { queue, time, at } => runtime.block_on(store.count_handled(queue, *at, *time)),
            Note::Promised(promise) => {
                let callbacks = CallbackPlan::of(plan);
                let promised = store.promise_callback(&callbacks, promise.clone(), promise.promised);
                runtime.block_on(promised).map(|_| ())
            }
            Note::Agent { name, state, at } => {
                let seen = self.seen.get(name).map(|(_, at)| *at);
                // Where it was changed elsewhere, that is read next, and carried out.
                if let Some(kept) = runtime.block_on(store.write_agent(name, *state, seen, *at))? {
                    self.seen.insert(name.clone(), (kept.presence, kept.at));
                }
                Ok(())
            }
            Note::Message(message) => {
                self.message(message)?;
                let (id, reply) = &message.reply;
                let _ = reply.send(Order::Kept(*id));
                Ok(())
            }
        }
    }

    /// The sound first, whole, and then the row that says that it is a message.
    fn message(&self, message: &MessageNote) -> Result<(), StoreError> {
        let Book { store, runtime, messages, .. } = &self.book;
        let samples = u64::try_from(message.sound.len()).unwrap_or(u64::MAX);
        runtime.block_on(async {
            let sound = flac(&message.sound, RATE_HZ);
            let (file, sha256) = store.write_message(messages, &message.call, sound).await?;
            let kept = KeptVoicemail {
                call: message.call.clone(),
                queue: message.queue.clone(),
                ani: message.ani.clone(),
                at: message.at,
                duration: Duration::from_millis(samples.saturating_mul(1_000) / u64::from(RATE_HZ)),
                file: file.display().to_string(),
                sha256,
                transcript: None,
            };
            store.keep_voicemail(&kept).await.map(|_| ())
        })
    }

    /// What agents have said elsewhere since.
    fn look(&mut self) -> Result<(), StoreError> {
        let rows = self.book.runtime.block_on(self.book.store.agents())?;
        for row in rows {
            let before = self.seen.insert(row.name.clone(), (row.presence, row.at));
            if before == Some((row.presence, row.at)) || self.book.plan.agent(&row.name).is_none() {
                continue;
            }
            match row.presence {
                // Whoever was on a call when the line ended is not any more.
                Presence::Ready | Presence::Busy => self.door.wants(&row.name, Wish::Ready),
                Presence::Away(_) => self.door.wants(&row.name, Wish::Pause),
                Presence::SignedOut if before.is_some() => self.door.wants(&row.name, Wish::SignOut),
                Presence::SignedOut => {}
            }
        }
        Ok(())
    }
}
