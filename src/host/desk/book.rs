//! The desk's notes on their way into the store, and what agents say elsewhere on its way to the desk.
//!
//! One thread does both, so that a row is never read between two writes of its own. What the store does not take is
//! tried again, in order, until it does: each step may be written twice and counts once. A step that a store refuses
//! which answers is given up after some tries, aloud, lest all others wait behind it.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::runtime::Handle;

use super::peers::Peers;
use super::{DeskDoor, MessageNote, Note, Order, Wish};
use crate::audio::{RATE_HZ, flac};
use crate::call::{CallId, Fault};
use crate::desk::{CallbackPlan, DeskPlan, Presence};
use crate::store::{KeptVoicemail, QueueEntry, Store, StoreError};

/// How often the store is asked what agents have said elsewhere, and steps are tried again that it did not take.
const EVERY: Duration = Duration::from_secs(1);

/// How often a step is tried that a store refuses which answers. Two that lock each other out are through before that.
const TRIES: u32 = 5;

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
    /// Who finds out what is said in messages, where anybody can.
    pub ear: Option<Box<dyn Ear>>,
}

/// Finds out what was said in a message, in its own time.
pub trait Ear: Send {
    /// Takes a message that is kept; what was understood goes to [`Store::write_transcript`]. False where it has no time.
    fn take(&self, call: &CallId, sound: &Arc<[i16]>) -> bool;
}

/// A message is announced without its transcript where that takes longer.
const TRANSCRIBED_WITHIN: Duration = Duration::from_secs(180);

pub(super) struct Keeper {
    pub(super) book: Book,
    pub(super) door: DeskDoor,
    /// Where the queue is shared.
    pub(super) peers: Option<Peers>,
    /// Agents' rows as they were last read or written.
    seen: BTreeMap<String, (Presence, Timestamp)>,
    pub(super) waiting: VecDeque<Note>,
    /// How often the first of these was refused.
    refused: u32,
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
        self.runtime.block_on(self.store.write_skills(&self.plan, now))?;
        let peers = door.is_shared().then(Peers::new);
        if peers.is_some() {
            self.join(&door)?;
        } else {
            self.recover(now)?;
        }
        let (seen, waiting) = (BTreeMap::new(), VecDeque::new());
        let mut keeper = Keeper { book: self, door, peers, seen, waiting, refused: 0, is_down: false };
        keeper.look()?;
        std::thread::Builder::new()
            .name("desk's book".to_owned())
            .spawn(move || keeper.run(&notes))
            .map_err(|source| StoreError::Spool { path: PathBuf::from("the desk's thread"), source })
    }
}

impl Book {
    /// This node had the queue to itself in an earlier life.
    fn recover(&self, now: Timestamp) -> Result<(), StoreError> {
        let plan = CallbackPlan::of(&self.plan);
        let promises = self.runtime.block_on(self.store.recover_node(&self.node, &plan, now))?;
        if !promises.is_empty() {
            tracing::warn!(
                callbacks = promises.len(),
                "callers waited when this node ended: they are called back"
            );
        }
        Ok(())
    }
}

impl Keeper {
    fn run(mut self, notes: &Receiver<Note>) {
        let mut looked = Instant::now();
        loop {
            let ended = match notes.recv_timeout(EVERY.saturating_sub(looked.elapsed())) {
                Ok(note) => {
                    self.receive(note);
                    notes.try_iter().for_each(|note| self.receive(note));
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if self.is_down {
                // Each attempt takes as long as the store is given to answer: no caller waits for that.
                self.decide_alone();
            }
            let is_written = self.write();
            if ended {
                if !self.waiting.is_empty() {
                    tracing::error!(steps = self.waiting.len(), "the store took nothing to the end");
                }
                self.leave();
                return;
            }
            let is_told = self.peers.as_ref().is_some_and(|peers| peers.must_look);
            if is_told || looked.elapsed() >= EVERY {
                looked = Instant::now();
                // What was not written cannot be read.
                if is_written {
                    match self.beat().and_then(|()| self.look()) {
                        Ok(()) => self.is_down = false,
                        Err(error) => self.went_down(&error),
                    }
                }
            }
            while self.waiting.len() > KEPT {
                self.waiting.pop_front();
                self.is_written();
                tracing::error!("the store takes nothing: a step of the desk is given up");
            }
        }
    }

    fn receive(&mut self, note: Note) {
        match (&note, &mut self.peers) {
            (Note::Changed, Some(peers)) => peers.must_look = true,
            _ => self.waiting.push_back(note),
        }
    }

    fn is_written(&mut self) {
        if let Some(peers) = &mut self.peers {
            peers.written += 1;
        }
    }

    fn went_down(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.is_down, true) {
            tracing::warn!(%error, "the store does not take the desk's steps: they wait");
        }
    }

    /// Whether all of it is written.
    fn write(&mut self) -> bool {
        while let Some(note) = self.waiting.pop_front() {
            match self.keep(&note) {
                Ok(()) => {
                    self.is_down = false;
                    self.refused = 0;
                    self.is_written();
                }
                Err(error) => {
                    // A message is told lost at once.
                    let counts = error.is_about_what_was_asked() && !matches!(note, Note::Message(_));
                    self.refused = if counts { self.refused + 1 } else { 0 };
                    if self.refused >= TRIES {
                        self.give_up(&note, &error);
                        continue;
                    }
                    self.went_down(&error);
                    // Whoever hears that a message is kept must be told soon, either way.
                    if let Note::Message(message) = &note {
                        let (id, reply) = &message.reply;
                        let _ = reply.send(Order::Lost(*id, Fault::Failed(error.to_string())));
                        self.is_written();
                    } else {
                        self.waiting.push_front(note);
                    }
                    self.decide_alone();
                    return false;
                }
            }
        }
        true
    }

    /// The store refuses a step for good: the log and the trail say so, and the next has its turn.
    fn give_up(&mut self, note: &Note, why: &StoreError) {
        let (step, of) = note.about(&self.book.plan);
        tracing::error!(step, of, %why, "the store refuses a step of the desk: it is given up, and not written");
        self.refused = 0;
        self.is_written();
        let Book { store, runtime, .. } = &self.book;
        if let Err(error) = runtime.block_on(store.give_up_step(step, &of, Timestamp::now())) {
            tracing::warn!(%error, "the trail does not say so");
        }
    }

    fn keep(&mut self, note: &Note) -> Result<(), StoreError> {
        let Book { store, runtime, node, plan, .. } = &self.book;
        match note {
            Note::Queued { place, ani, again } => {
                self.keep_place(&QueueEntry::of(place, plan, node, ani.clone()), *again)
            }
            Note::Claim { call, agent } => self.claim(call, *agent),
            Note::Held { call, agent } => self.hold(call, *agent),
            Note::Released { call, agent } => self.release(call, *agent),
            Note::Stated { agent, presence, seen, at } => self.state(*agent, *presence, *seen, *at),
            // Without others there is nobody to tell of.
            Note::Changed => Ok(()),
            Note::Left { call, outcome, agent, at } => {
                runtime.block_on(store.end_entry(call, *outcome, agent.as_deref(), *at)).map(|_| ())
            }
            Note::Handled { queue, ring, time, at } => runtime.block_on(async {
                store.keep_time(queue, *ring, *time).await?;
                store.count_handled(queue, *at, *time).await
            }),
            Note::Promised(promise) => {
                let callbacks = CallbackPlan::of(plan);
                let promised = store.promise_callback(&callbacks, promise.clone(), promise.promised);
                runtime.block_on(promised)?;
                self.door.bell.ring();
                Ok(())
            }
            Note::Agent { name, state, at } => {
                let seen = self.seen.get(name).map(|(_, at)| *at);
                // Where it was changed elsewhere, that is read next, and carried out.
                if let Some(kept_at) = runtime.block_on(store.write_agent(name, *state, seen, *at))? {
                    self.seen.insert(name.clone(), (*state, kept_at));
                    self.door.bell.ring();
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
        let Book { store, runtime, messages, ear, .. } = &self.book;
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
            let wait = if ear.is_some() { TRANSCRIBED_WITHIN } else { Duration::ZERO };
            store.keep_voicemail(&kept, message.at.checked_add(wait).unwrap_or(message.at)).await?;
            match ear {
                Some(ear) if !ear.take(&message.call, &message.sound) => {
                    store.write_transcript(&message.call, None, message.at).await
                }
                Some(_) | None => Ok(()),
            }
        })
    }

    /// What agents have said elsewhere since.
    fn look(&mut self) -> Result<(), StoreError> {
        if self.peers.is_some() {
            return self.look_at_peers();
        }
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

#[cfg(test)]
mod tests {
    use super::super::DeskHost;
    use super::*;
    use crate::desk::Outcome;

    /// A book on a database that refuses to end the place of one call.
    fn keeper(folder: &std::path::Path) -> (tokio::runtime::Runtime, Keeper) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let file = folder.join("desk.db");
        let plan = Arc::new(DeskPlan::empty());
        let store = runtime.block_on(async {
            let store = Store::open(&file).await.expect("it opens");
            let refuses = "CREATE TRIGGER refuses BEFORE UPDATE ON queue_entries WHEN NEW.call_id = 'bad'
                           BEGIN SELECT RAISE(ABORT, 'no'); END";
            let pool =
                sqlx::AnyPool::connect(&format!("sqlite://{}", file.display())).await.expect("it opens");
            sqlx::raw_sql(refuses).execute(&pool).await.expect("it is written");
            pool.close().await;
            store
        });
        let (desk, _notes) = DeskHost::open(Arc::clone(&plan));
        let book = Book {
            store: Arc::new(store),
            runtime: runtime.handle().clone(),
            node: "here".to_owned(),
            plan,
            messages: folder.join("voicemail"),
            ear: None,
        };
        let (seen, waiting) = (BTreeMap::new(), VecDeque::new());
        let keeper =
            Keeper { book, door: desk.door(), peers: None, seen, waiting, refused: 0, is_down: false };
        (runtime, keeper)
    }

    fn calls(runtime: &tokio::runtime::Runtime, store: &Store) -> Vec<String> {
        let open = runtime.block_on(store.open_entries()).expect("it answers");
        open.into_iter().map(|entry| entry.call.to_string()).collect()
    }

    #[test]
    fn a_step_that_is_refused_for_good_holds_up_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let (runtime, mut keeper) = keeper(folder.path());
        let store = Arc::clone(&keeper.book.store);
        for call in ["bad", "good"] {
            let call: CallId = call.parse().expect("an id");
            let entry = QueueEntry::new(call.clone(), "everyone", "here", Timestamp::UNIX_EPOCH);
            assert!(runtime.block_on(store.enqueue(&entry, 60)).expect("it is written"));
            let outcome = Outcome::Abandoned;
            keeper.receive(Note::Left { call, outcome, agent: None, at: Timestamp::UNIX_EPOCH });
        }
        for _ in 1..TRIES {
            assert!(!keeper.write(), "it may pass");
        }
        assert_eq!(calls(&runtime, &store), ["bad", "good"]);
        assert_eq!(runtime.block_on(store.given_up_steps()).expect("it answers"), 0);
        assert!(keeper.write(), "all others are written");
        assert_eq!(calls(&runtime, &store), ["bad"]);
        assert_eq!(runtime.block_on(store.given_up_steps()).expect("it answers"), 1);
        let trail = runtime.block_on(store.audit_trail(1)).expect("it answers");
        assert_eq!((trail[0].what.as_str(), trail[0].subject.as_str()), ("left", "bad"));
    }

    #[test]
    fn a_store_that_is_gone_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_runtime, mut keeper) = keeper(folder.path());
        std::fs::remove_file(folder.path().join("desk.db")).expect("it is there");
        let (outcome, at) = (Outcome::Abandoned, Timestamp::UNIX_EPOCH);
        keeper.receive(Note::Left { call: "good".parse().expect("an id"), outcome, agent: None, at });
        for _ in 0..3 * TRIES {
            assert!(!keeper.write());
        }
        assert_eq!(keeper.waiting.len(), 1);
    }
}
