//! What is said in messages, by the line's own ear, when it has time for it.
//!
//! A message is heard in pieces, cut where it is quietest, and a piece is begun only while no caller waits to be heard.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::desk::book::Ear;
use super::line::Line;
use crate::audio::RATE_HZ;
use crate::call::{CallId, CallTime, Expect, Utterance};
use crate::speech::pieces;

/// Messages that may wait; more are announced without their words.
const WAITING: usize = 16;

/// Longest piece: what the ear hears at once is an utterance, and those it was made for are short.
const LONGEST_PIECE: Duration = Duration::from_secs(12);

/// Between two looks at whether a caller waits to be heard.
const BETWEEN: Duration = Duration::from_millis(500);

/// A message that has found no quiet moment by then is announced without its words.
const PATIENCE: Duration = Duration::from_secs(150);

type Job = (CallId, Arc<[i16]>);

/// The line's ear for messages.
pub struct Transcriber {
    jobs: SyncSender<Job>,
}

impl Transcriber {
    /// Hears messages from now on, on a thread of its own that ends with this.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn open(line: Arc<Line>) -> std::io::Result<Transcriber> {
        let (jobs, work) = sync_channel(WAITING);
        std::thread::Builder::new().name("transcriber".to_owned()).spawn(move || run(&line, &work))?;
        Ok(Transcriber { jobs })
    }
}

impl Ear for Transcriber {
    fn take(&self, call: &CallId, sound: &Arc<[i16]>) -> bool {
        self.jobs.try_send((call.clone(), Arc::clone(sound))).is_ok()
    }
}

fn run(line: &Line, work: &Receiver<Job>) {
    while let Ok((call, sound)) = work.recv() {
        let words = words(line, &sound);
        if words.is_none() {
            tracing::warn!(%call, "a message is announced without its words: the ear has no time, or does not work");
        }
        let written = line.store.write_transcript(&call, words.as_deref(), Timestamp::now());
        if let Err(error) = line.runtime.block_on(written) {
            tracing::warn!(%call, %error, "what a message says could not be written");
        }
    }
}

/// What was understood; `None` where the ear did not hear all of it.
fn words(line: &Line, sound: &Arc<[i16]>) -> Option<String> {
    let began = Instant::now();
    let mut all: Vec<String> = Vec::new();
    for piece in pieces(sound, LONGEST_PIECE) {
        while line.pool.waiting() > 0 {
            if began.elapsed() > PATIENCE {
                return None;
            }
            std::thread::sleep(BETWEEN);
        }
        let at = |sample: usize| {
            let ms = u64::try_from(sample).unwrap_or(u64::MAX).saturating_mul(1_000) / u64::from(RATE_HZ);
            CallTime::from_millis(ms)
        };
        let pcm = sound.get(piece.clone())?.into();
        let utterance = Utterance { pcm, started: at(piece.start), ended: at(piece.end) };
        let (to_us, heard) = channel();
        let reply = Box::new(move |result| {
            // Whoever waited longer than the patience has gone.
            let _ = to_us.send(result);
        });
        line.pool.submit(utterance, Expect::Open, reply).ok()?;
        let recognition = heard.recv_timeout(PATIENCE.saturating_sub(began.elapsed())).ok()?.ok()?;
        all.extend(recognition.hypotheses.first().map(|best| best.text.expose().trim().to_owned()));
    }
    all.retain(|words| !words.is_empty());
    Some(all.join(" "))
}
