//! A bounded pool of recognisers, each on a thread of its own.
//!
//! The queue has a bound; beyond it [`RecognizerPool::submit`] refuses, so that a full house is heard
//! about at once instead of later and later. A recogniser that panics or fails is thrown away and made
//! anew. The pool reads no clock: whoever makes it brings a stopwatch.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{AsrError, Recognizer};
use crate::call::{Expect, Recognition, Utterance};

/// Called once with the answer, on the recogniser's thread; not at all after [`Ticket::cancel`].
pub type Reply = Box<dyn FnOnce(Result<Recognition, AsrError>) + Send>;

/// Makes one recogniser.
type Factory = dyn Fn() -> Result<Box<dyn Recognizer>, AsrError> + Send + Sync;

/// The size of a pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolOptions {
    /// Recognisers, each with its thread; at least one.
    pub states: usize,
    /// Utterances that may wait while all recognisers are busy.
    pub queue_bound: usize,
    /// Time since some fixed instant, for [`Recognition::compute`].
    pub stopwatch: fn() -> Duration,
}

/// Recognises utterances of many calls on a few threads.
pub struct RecognizerPool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Signalled when a job comes in and when the pool closes.
    changed: Condvar,
    factory: Box<Factory>,
    options: PoolOptions,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    /// Recognisers without work.
    idle: usize,
    next_id: u64,
    closed: bool,
}

struct Job {
    id: u64,
    utterance: Utterance,
    expect: Expect,
    reply: Reply,
    cancelled: Arc<AtomicBool>,
}

impl fmt::Debug for RecognizerPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecognizerPool")
            .field("options", &self.shared.options)
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

impl RecognizerPool {
    /// Makes all recognisers and starts their threads.
    ///
    /// # Errors
    /// What `factory` says where the first ones cannot be made; [`AsrError::Engine`] where a thread
    /// cannot be started.
    pub fn new(
        factory: impl Fn() -> Result<Box<dyn Recognizer>, AsrError> + Send + Sync + 'static,
        options: PoolOptions,
    ) -> Result<RecognizerPool, AsrError> {
        assert!(options.states > 0, "a pool has at least one recogniser");
        let recognizers = (0..options.states).map(|_| factory()).collect::<Result<Vec<_>, _>>()?;
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::default()),
            changed: Condvar::new(),
            factory: Box::new(factory),
            options,
        });
        let mut pool = RecognizerPool { shared, workers: Vec::new() };
        for (n, recognizer) in recognizers.into_iter().enumerate() {
            let shared = Arc::clone(&pool.shared);
            let worker = std::thread::Builder::new()
                .name(format!("recognizer-{n}"))
                .spawn(move || shared.work(recognizer))
                .map_err(|error| AsrError::Engine(format!("no thread for a recogniser: {error}")))?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }

    /// Utterances that wait for a recogniser.
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiting.len()
    }

    /// Queues an utterance. `reply` comes on another thread, and must be quick.
    ///
    /// # Errors
    /// [`AsrError::Overloaded`] where the queue is full; `reply` is then not called.
    pub fn submit(&self, utterance: Utterance, expect: Expect, reply: Reply) -> Result<Ticket, AsrError> {
        let mut queue = self.shared.lock();
        let waiting = queue.waiting.len();
        // A job that an idle recogniser is about to take does not wait.
        if waiting >= self.shared.options.queue_bound + queue.idle {
            return Err(AsrError::Overloaded { waiting });
        }
        let id = queue.next_id;
        queue.next_id += 1;
        let cancelled = Arc::new(AtomicBool::new(false));
        let ticket = Ticket { id, cancelled: Arc::clone(&cancelled), shared: Arc::downgrade(&self.shared) };
        queue.waiting.push_back(Job { id, utterance, expect, reply, cancelled });
        drop(queue);
        self.shared.changed.notify_one();
        Ok(ticket)
    }
}

impl Drop for RecognizerPool {
    /// Waits for utterances that are being recognised; whoever still waits gets an error.
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        self.shared.changed.notify_all();
        for job in waiting {
            job.answer(Err(AsrError::Engine("the recogniser is shutting down".to_owned())));
        }
        for worker in self.workers.drain(..) {
            // A worker catches all panics.
            worker.join().ok();
        }
    }
}

/// One submitted utterance.
#[derive(Debug)]
pub struct Ticket {
    id: u64,
    cancelled: Arc<AtomicBool>,
    shared: Weak<Shared>,
}

impl Ticket {
    /// The answer no longer matters: a waiting utterance leaves the queue, the result of a running one
    /// is dropped. `reply` is not called unless it is running at this very moment.
    ///
    /// A running recognition is not interrupted: whisper.cpp asks only between whole encodings and
    /// words, and an utterance takes less time than that would save.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        if let Some(shared) = self.shared.upgrade() {
            shared.lock().waiting.retain(|job| job.id != self.id);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// Nothing that holds the lock can panic half-way through a change.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, recognizer: Box<dyn Recognizer>) {
        let mut recognizer = Some(recognizer);
        while let Some(job) = self.next_job() {
            let result = self.recognize(&mut recognizer, &job);
            job.answer(result);
        }
    }

    /// Waits for a job; `None` once the pool is closed.
    fn next_job(&self) -> Option<Job> {
        let mut queue = self.lock();
        queue.idle += 1;
        while queue.waiting.is_empty() && !queue.closed {
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.idle -= 1;
        queue.waiting.pop_front()
    }

    /// Leaves `recognizer` empty after a failure; it is made anew for the next utterance.
    fn recognize(
        &self,
        recognizer: &mut Option<Box<dyn Recognizer>>,
        job: &Job,
    ) -> Result<Recognition, AsrError> {
        let begun = (self.options.stopwatch)();
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            let engine = match recognizer.take() {
                Some(engine) => engine,
                None => (self.factory)()?,
            };
            let recognition = engine.recognize(&job.utterance, &job.expect)?;
            *recognizer = Some(engine);
            Ok(recognition)
        }));
        let result = attempt.unwrap_or_else(|panic| {
            let why = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let why = why.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Err(AsrError::Engine(format!("it panicked: {why}")))
        });
        match result {
            Ok(recognition) => {
                let compute = (self.options.stopwatch)().saturating_sub(begun);
                Ok(Recognition { compute, ..recognition })
            }
            Err(error) => {
                tracing::warn!(%error, "a recogniser failed and is made anew");
                Err(error)
            }
        }
    }
}

impl Job {
    fn answer(self, result: Result<Recognition, AsrError>) {
        if self.cancelled.load(Ordering::Acquire) {
            return;
        }
        let reply = self.reply;
        // The caller's fault must not cost the recogniser's thread.
        if catch_unwind(AssertUnwindSafe(|| reply(result))).is_err() {
            tracing::warn!("whoever asked for a recognition panicked over the answer");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::call::{CallTime, Hypothesis};

    /// Waits for a word on a channel before each answer; the word says how to answer.
    struct Fake(Mutex<Receiver<&'static str>>);

    impl Recognizer for Fake {
        fn recognize(&self, _: &Utterance, _: &Expect) -> Result<Recognition, AsrError> {
            // Let go of the lock before a panic, so that the next fake can still listen.
            let word = self.0.lock().unwrap().recv();
            match word {
                Ok("panic") => panic!("as told"),
                Ok("fail") => Err(AsrError::Engine("as told".to_owned())),
                Ok(word) => Ok(Recognition {
                    hypotheses: vec![Hypothesis { text: word.into(), confidence: 1.0 }],
                    ..Recognition::default()
                }),
                Err(_) => Ok(Recognition::default()),
            }
        }
    }

    /// Shares one channel between the fakes of a pool.
    struct Shared(Arc<Fake>);

    impl Recognizer for Shared {
        fn recognize(&self, utterance: &Utterance, expect: &Expect) -> Result<Recognition, AsrError> {
            self.0.recognize(utterance, expect)
        }
    }

    struct Bench {
        pool: RecognizerPool,
        says: Sender<&'static str>,
        made: Arc<AtomicUsize>,
        answers: Receiver<Result<String, String>>,
        answer: Sender<Result<String, String>>,
    }

    fn bench(states: usize, queue_bound: usize) -> Bench {
        let (says, words) = channel();
        let fake = Arc::new(Fake(Mutex::new(words)));
        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let factory = move || -> Result<Box<dyn Recognizer>, AsrError> {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(Shared(Arc::clone(&fake))))
        };
        let options = PoolOptions { states, queue_bound, stopwatch: || Duration::ZERO };
        let (answer, answers) = channel();
        Bench { pool: RecognizerPool::new(factory, options).unwrap(), says, made, answers, answer }
    }

    impl Bench {
        fn submit(&self) -> Result<Ticket, AsrError> {
            let answer = self.answer.clone();
            let utterance =
                Utterance { pcm: Arc::from([0_i16; 4]), started: CallTime::ZERO, ended: CallTime::ZERO };
            self.pool.submit(
                utterance,
                Expect::Open,
                Box::new(move |result| {
                    let text = |r: Recognition| r.best().map_or(String::new(), |h| h.text.expose().clone());
                    answer.send(result.map(text).map_err(|e| e.to_string())).unwrap();
                }),
            )
        }

        fn next(&self) -> Result<String, String> {
            self.answers.recv().unwrap()
        }

        /// Until the worker has taken what was submitted.
        fn drained(&self) {
            while self.pool.waiting() > 0 {
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn answers_come_to_whoever_asked() {
        let bench = bench(2, 4);
        for word in ["yes", "no", "agent"] {
            bench.submit().unwrap();
            bench.says.send(word).unwrap();
            assert_eq!(bench.next(), Ok(word.to_owned()));
        }
    }

    #[test]
    fn beyond_the_bound_it_refuses_and_says_so() {
        let bench = bench(1, 2);
        bench.submit().unwrap();
        bench.drained();
        bench.submit().unwrap();
        bench.submit().unwrap();
        assert!(matches!(bench.submit(), Err(AsrError::Overloaded { waiting: 2 })));
        for _ in 0..3 {
            bench.says.send("ok").unwrap();
            bench.next().unwrap();
        }
        bench.submit().expect("there is room again");
        bench.says.send("ok").unwrap();
    }

    #[test]
    fn a_panic_and_a_failure_are_answers_and_the_recogniser_is_made_anew() {
        let bench = bench(1, 4);
        for (word, why) in [("panic", "it panicked: as told"), ("fail", "as told")] {
            bench.submit().unwrap();
            bench.says.send(word).unwrap();
            let error = bench.next().expect_err("it was told to");
            assert!(error.contains(why), "{error}");
        }
        bench.submit().unwrap();
        bench.says.send("yes").unwrap();
        assert_eq!(bench.next(), Ok("yes".to_owned()));
        assert_eq!(bench.made.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_cancelled_utterance_leaves_the_queue() {
        let bench = bench(1, 1);
        bench.submit().unwrap();
        bench.drained();
        let waiting = bench.submit().unwrap();
        waiting.cancel();
        assert_eq!(bench.pool.waiting(), 0);
        bench.submit().expect("its place is free");
        bench.says.send("first").unwrap();
        bench.says.send("third").unwrap();
        assert_eq!(bench.next(), Ok("first".to_owned()));
        assert_eq!(bench.next(), Ok("third".to_owned()));
    }

    #[test]
    fn the_result_of_a_cancelled_running_utterance_is_dropped() {
        let bench = bench(1, 2);
        let running = bench.submit().unwrap();
        bench.drained();
        running.cancel();
        bench.says.send("too late").unwrap();
        bench.submit().unwrap();
        bench.says.send("yes").unwrap();
        assert_eq!(bench.next(), Ok("yes".to_owned()));
    }

    #[test]
    fn whoever_waits_when_it_closes_is_told() {
        let Bench { pool, says, answers, answer, made } = bench(1, 4);
        let bench = Bench { pool, says, made, answers, answer };
        bench.submit().unwrap();
        bench.drained();
        bench.submit().unwrap();
        let Bench { pool, says, answers, .. } = bench;
        let closing = std::thread::spawn(move || drop(pool));
        let waiting = answers.recv().unwrap().expect_err("it was never recognised");
        assert!(waiting.contains("shutting down"), "{waiting}");
        says.send("yes").unwrap();
        assert_eq!(answers.recv().unwrap(), Ok("yes".to_owned()));
        closing.join().unwrap();
    }

    #[test]
    fn a_recogniser_that_cannot_be_made_is_an_error_at_once() {
        let options = PoolOptions { states: 1, queue_bound: 1, stopwatch: || Duration::ZERO };
        let made = RecognizerPool::new(|| Err(AsrError::Engine("no memory".to_owned())), options);
        assert!(made.is_err());
    }
}
