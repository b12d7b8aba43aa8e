//! One thread that encodes for all calls: what waits is encoded together, and too much waiting is a fault.
//!
//! A sentence alone uses a processor badly, since every weight is read for a dozen words; several together
//! share that. So the thread takes what has come in while it was busy, and never waits for more.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::ClassifierError;

/// Requests that may wait. A request takes about ten milliseconds: past that a caller is better served by
/// being asked again than by an answer a second late.
const WAITING: usize = 64;
/// Most sentences encoded at once.
const TOGETHER: usize = 32;

/// Vectors of sentences, or why not.
type Vectors = Result<Vec<Vec<f32>>, ClassifierError>;

/// What the thread does with sentences.
pub(super) type Encode = Box<dyn Fn(&[&str]) -> Vectors + Send>;

struct Job {
    sentences: Vec<String>,
    reply: SyncSender<Vectors>,
}

/// The thread. Dropping it lets the thread finish what waits, and ends it.
pub(super) struct Batcher {
    /// `None` only while it is dropped.
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Batcher {
    /// Starts the thread.
    pub(super) fn new(encode: Encode) -> Result<Batcher, ClassifierError> {
        let (jobs, waiting) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("encoder".to_owned());
        let thread = thread
            .spawn(move || run(&waiting, &encode))
            .map_err(|e| ClassifierError::Engine(format!("the encoder's thread does not start: {e}")))?;
        Ok(Batcher { jobs: Some(jobs), thread: Some(thread) })
    }

    /// The vectors of `sentences`, waiting for them.
    ///
    /// # Errors
    /// [`ClassifierError::Overloaded`] at once where too many wait already; and the engine's faults.
    pub(super) fn embed(&self, sentences: Vec<String>) -> Vectors {
        self.submit(sentences)?.recv().map_err(|_| ended())?
    }

    fn submit(&self, sentences: Vec<String>) -> Result<Receiver<Vectors>, ClassifierError> {
        let (reply, answer) = sync_channel(1);
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        match jobs.try_send(Job { sentences, reply }) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => Err(ClassifierError::Overloaded { waiting: WAITING }),
            Err(TrySendError::Disconnected(_)) => Err(ended()),
        }
    }
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been told to whoever waited.
            let _ = thread.join();
        }
    }
}

fn ended() -> ClassifierError {
    ClassifierError::Engine("the encoder's thread has ended".to_owned())
}

fn run(waiting: &Receiver<Job>, encode: &Encode) {
    while let Ok(first) = waiting.recv() {
        let mut count = first.sentences.len();
        let mut batch = vec![first];
        while count < TOGETHER
            && let Ok(job) = waiting.try_recv()
        {
            count += job.sentences.len();
            batch.push(job);
        }
        let sentences: Vec<&str> =
            batch.iter().flat_map(|j| j.sentences.iter().map(String::as_str)).collect();
        let mut vectors = encode(&sentences).map(Vec::into_iter);
        for job in batch {
            let part = match &mut vectors {
                Ok(vectors) => Ok(vectors.by_ref().take(job.sentences.len()).collect()),
                Err(error) => Err(ClassifierError::Engine(error.to_string())),
            };
            // Whoever does not wait any more has hung up.
            let _ = job.reply.send(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// An encoder that begins a batch only when it is told to, and tells what it gets.
    fn held_back() -> (Batcher, std::sync::mpsc::Sender<()>, Receiver<Vec<String>>) {
        let (go, wait) = channel();
        let (tell, told) = channel();
        let encode: Encode = Box::new(move |sentences: &[&str]| {
            tell.send(sentences.iter().map(|s| (*s).to_owned()).collect()).unwrap();
            wait.recv().unwrap();
            if sentences.contains(&"bad") {
                return Err(ClassifierError::Engine("no".to_owned()));
            }
            #[expect(clippy::cast_precision_loss, reason = "short words")]
            let vectors = sentences.iter().map(|s| vec![s.len() as f32]).collect();
            Ok(vectors)
        });
        (Batcher::new(encode).unwrap(), go, told)
    }

    fn said(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn what_waits_is_encoded_together_and_each_gets_its_own() {
        let (batcher, go, told) = held_back();
        let first = batcher.submit(said(&["a"])).unwrap();
        assert_eq!(told.recv().unwrap(), ["a"]);
        let second = batcher.submit(said(&["bb", "ccc"])).unwrap();
        let third = batcher.submit(said(&["dddd"])).unwrap();
        go.send(()).unwrap();
        assert_eq!(told.recv().unwrap(), ["bb", "ccc", "dddd"]);
        go.send(()).unwrap();
        assert_eq!(first.recv().unwrap().unwrap(), [[1.0]]);
        assert_eq!(second.recv().unwrap().unwrap(), [[2.0], [3.0]]);
        assert_eq!(third.recv().unwrap().unwrap(), [[4.0]]);
    }

    #[test]
    fn too_much_waiting_is_named() {
        let (batcher, go, told) = held_back();
        let first = batcher.submit(said(&["a"])).unwrap();
        told.recv().unwrap();
        let waiting: Vec<_> = (0..WAITING).map(|_| batcher.submit(said(&["b"])).unwrap()).collect();
        assert!(matches!(batcher.submit(said(&["c"])), Err(ClassifierError::Overloaded { .. })));
        for _ in 0..=WAITING.div_ceil(TOGETHER) {
            go.send(()).unwrap();
        }
        assert!(first.recv().unwrap().is_ok() && waiting.into_iter().all(|w| w.recv().unwrap().is_ok()));
    }

    #[test]
    fn a_fault_reaches_everyone_who_waits_and_ends_nothing() {
        let (batcher, go, told) = held_back();
        let first = batcher.submit(said(&["bad"])).unwrap();
        told.recv().unwrap();
        go.send(()).unwrap();
        assert!(first.recv().unwrap().is_err());
        let second = batcher.submit(said(&["good"])).unwrap();
        go.send(()).unwrap();
        assert!(second.recv().unwrap().is_ok());
    }

    #[test]
    fn what_waits_is_finished_before_the_end() {
        let (batcher, go, _told) = held_back();
        let first = batcher.submit(said(&["a"])).unwrap();
        go.send(()).unwrap();
        drop(batcher);
        assert!(first.recv().unwrap().is_ok());
    }
}
