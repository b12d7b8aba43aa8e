//! Who carries out a conversation's actions: in measured time, one after another, or in real time, on
//! threads of their own.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::line::Line;
use super::session::{Engines, Reply, Sound};
use crate::call::{Action, CallTime, Event, Fault, Hypothesis, Prompt, Query, RequestId, Row, look_up_spec};
use crate::speech::asr::{AsrError, Ticket};
use crate::store::{DeclaredQuery, StoreError};
use crate::understanding::classifier::{Classifier as _, ClassifierError};

/// How long the demo's agent takes to pick up.
const AGENT_PICKS_UP: Duration = Duration::from_millis(1_500);

/// Jobs of one call that may wait for a worker: more means that something hangs.
const QUEUE: usize = 8;

fn asr_fault(error: &AsrError) -> Fault {
    match error {
        AsrError::Overloaded { .. } => Fault::Overloaded,
        AsrError::Engine(_) | AsrError::Model { .. } => Fault::Failed(error.to_string()),
    }
}

fn no_desk() -> Fault {
    Fault::Failed("there is no desk on this channel".to_owned())
}

fn recognized(id: RequestId, result: Result<crate::call::Recognition, AsrError>) -> Event {
    match result {
        Ok(recognition) => Event::Recognized { id, recognition },
        Err(error) => {
            tracing::warn!(%error, "recognition failed");
            Event::RecognitionFailed { id, fault: asr_fault(&error) }
        }
    }
}

fn interpreted(line: &Line, id: RequestId, hypotheses: &[Hypothesis]) -> Event {
    match line.classifier.interpret(hypotheses) {
        Ok(interpretation) => Event::Interpreted { id, interpretation },
        Err(error) => {
            tracing::warn!(%error, "classification failed");
            let fault = match &error {
                ClassifierError::Overloaded { .. } => Fault::Overloaded,
                ClassifierError::Engine(_)
                | ClassifierError::Encoder { .. }
                | ClassifierError::Head { .. }
                | ClassifierError::Stale { .. } => Fault::Failed(error.to_string()),
            };
            Event::InterpretationFailed { id, fault }
        }
    }
}

fn looked_up(line: &Line, id: RequestId, query: &Query) -> Event {
    if look_up_spec(&query.name).is_none()
        && let Some(webhook) = line.live.current().line.webhook.get(&query.name)
    {
        return match super::webhook::ask(webhook, query) {
            Ok(rows) => Event::LookedUp { id, rows },
            Err(error) => {
                tracing::warn!(%error, webhook = query.name, "webhook failed");
                Event::LookUpFailed { id, fault: Fault::Failed(error.to_string()) }
            }
        };
    }
    match line.runtime.block_on(asked(line, query)) {
        Ok(rows) => Event::LookedUp { id, rows },
        Err(error) => {
            tracing::warn!(%error, look_up = query.name, "look-up failed");
            Event::LookUpFailed { id, fault: Fault::Failed(error.to_string()) }
        }
    }
}

/// A query of the team's own goes before the store's of the same name.
async fn asked(line: &Line, query: &Query) -> Result<Vec<Row>, StoreError> {
    let flow = line.live.current();
    let Some(sql) = flow.line.sql.get(&query.name) else { return line.store.look_up(query).await };
    let declared = line.declared.as_ref().ok_or_else(|| StoreError::Declared {
        name: query.name.clone(),
        why: "it was declared while the line serves: start it again".to_owned(),
    })?;
    let named = DeclaredQuery { name: &query.name, sql: sql.query.get_ref(), fields: &sql.fields };
    declared.look_up(&named, query).await
}

/// Engines that run at once and whose replies arrive after the time that they took.
pub struct MeasuredEngines<'a> {
    line: &'a Line,
    replies: BTreeMap<(CallTime, u64), Reply>,
    made: u64,
}

impl<'a> MeasuredEngines<'a> {
    /// Engines of `line` for one call.
    pub fn new(line: &'a Line) -> MeasuredEngines<'a> {
        MeasuredEngines { line, replies: BTreeMap::new(), made: 0 }
    }

    fn at(&mut self, at: CallTime, reply: Reply) {
        self.made += 1;
        self.replies.insert((at, self.made), reply);
    }

    fn say(&mut self, now: CallTime, id: RequestId, prompt: &Prompt) {
        let began = Instant::now();
        let mut pieces = Vec::new();
        let result = self.line.voice.stream(prompt, &mut |piece| {
            pieces.push((began.elapsed(), piece.to_vec()));
            ControlFlow::Continue(())
        });
        if let Err(error) = result {
            tracing::warn!(%error, prompt = prompt.name, "a prompt could not be rendered");
        }
        for (after, pcm) in pieces {
            self.at(now + ceil_ms(after), Reply::Sound(id, Sound::Pcm(pcm)));
        }
        self.at(now + ceil_ms(began.elapsed()), Reply::Sound(id, Sound::End));
    }
}

/// Call time counts whole milliseconds: what took a part of one took one.
fn ceil_ms(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX))
}

impl Engines for MeasuredEngines<'_> {
    fn start(&mut self, now: CallTime, action: &Action) {
        let began = Instant::now();
        let event = match action {
            Action::Say { id, prompt } => return self.say(now, *id, prompt),
            Action::Recognize { id, utterance, expect } => {
                let recognizer =
                    self.line.recognizer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                recognized(*id, recognizer.recognize(utterance, expect))
            }
            Action::Interpret { id, hypotheses } => interpreted(self.line, *id, hypotheses),
            Action::LookUp { id, query } => looked_up(self.line, *id, query),
            Action::Transfer { id, .. } => {
                return self.at(now + AGENT_PICKS_UP, Reply::Event(Event::Transferred { id: *id }));
            }
            Action::WriteRecord { record } => return self.line.write_record(record),
            // No desk takes messages here.
            Action::KeepMessage { id, .. } => Event::MessageLost { id: *id, fault: no_desk() },
            Action::Leave { .. }
            | Action::Play { .. }
            | Action::Answer
            | Action::StopPrompt { .. }
            | Action::CancelRecognition { .. }
            | Action::HangUp { .. }
            | Action::Note(_) => return,
        };
        self.at(now + ceil_ms(began.elapsed()), Reply::Event(event));
    }

    fn poll(&mut self, _now: CallTime, until: CallTime) -> Option<(CallTime, Reply)> {
        let first = self.replies.first_entry().filter(|e| e.key().0 < until)?;
        let ((at, _), reply) = first.remove_entry();
        Some((at, reply))
    }
}

enum Job {
    Interpret(RequestId, Vec<Hypothesis>),
    LookUp(RequestId, Query),
}

/// Engines on their own threads. Dropping it ends them.
pub struct RealTimeEngines {
    line: Arc<Line>,
    began: Instant,
    /// Whether the channel paces the call, so that `poll` must not wait.
    paced: bool,
    replies: Receiver<Reply>,
    to_call: Sender<Reply>,
    jobs: SyncSender<Job>,
    prompts: SyncSender<(RequestId, Prompt)>,
    /// The prompt that may still speak; another id stops the voice.
    speaking: Arc<AtomicU32>,
    tickets: BTreeMap<RequestId, Ticket>,
    /// Who wants to know how long utterances wait.
    waits: Option<Waits>,
    /// Whether a transfer that the channel cannot carry out finds the demonstration's agent.
    pretends_agent: bool,
}

/// Told how long each utterance waited for a recogniser; [`Duration::MAX`] where it was not taken.
pub type Waits = Arc<dyn Fn(Duration) + Send + Sync>;

impl RealTimeEngines {
    /// Engines of `line` for one call that begins now.
    pub fn new(line: Arc<Line>, paced: bool) -> RealTimeEngines {
        line.head_watch.refresh(&line.classifier);
        let (to_call, replies) = channel();
        let speaking = Arc::new(AtomicU32::new(0));
        let (jobs, work) = sync_channel(QUEUE);
        let (prompts, said) = sync_channel(QUEUE);
        {
            let (line, replies) = (Arc::clone(&line), to_call.clone());
            std::thread::spawn(move || answer_jobs(&line, &work, &replies));
        }
        {
            let (line, replies, speaking) = (Arc::clone(&line), to_call.clone(), Arc::clone(&speaking));
            std::thread::spawn(move || speak_prompts(&line, &said, &replies, &speaking));
        }
        let began = Instant::now();
        RealTimeEngines {
            line,
            began,
            paced,
            replies,
            to_call,
            jobs,
            prompts,
            speaking,
            tickets: BTreeMap::new(),
            waits: None,
            pretends_agent: false,
        }
    }

    /// Tells how long each utterance waits for a recogniser.
    #[must_use]
    pub fn telling_waits(self, waits: Waits) -> RealTimeEngines {
        RealTimeEngines { waits: Some(waits), ..self }
    }

    /// Has an agent pick up who is none: for demonstrations, whose caller is one neither.
    #[must_use]
    pub fn pretending_an_agent(self) -> RealTimeEngines {
        RealTimeEngines { pretends_agent: true, ..self }
    }

    fn reply(&self, event: Event) {
        // The receiver is ours: it is there as long as we are.
        let _ = self.to_call.send(Reply::Event(event));
    }

    fn recognize(&mut self, id: RequestId, utterance: &crate::call::Utterance, expect: &crate::call::Expect) {
        let to_call = self.to_call.clone();
        let (waits, since) = (self.waits.clone(), Instant::now());
        let reply = Box::new(move |result: Result<crate::call::Recognition, AsrError>| {
            if let (Some(waits), Ok(recognition)) = (waits, &result) {
                waits(since.elapsed().saturating_sub(recognition.compute));
            }
            let _ = to_call.send(Reply::Event(recognized(id, result)));
        });
        match self.line.pool.submit(utterance.clone(), expect.clone(), reply) {
            Ok(ticket) => {
                self.tickets.insert(id, ticket);
            }
            Err(error) => {
                let fault = asr_fault(&error);
                if let Some(waits) = self.waits.as_ref().filter(|_| fault == Fault::Overloaded) {
                    waits(Duration::MAX);
                }
                self.reply(Event::RecognitionFailed { id, fault });
            }
        }
    }

    fn job(&self, job: Job) {
        match self.jobs.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => self.reply(match job {
                Job::Interpret(id, _) => Event::InterpretationFailed { id, fault: Fault::Overloaded },
                Job::LookUp(id, _) => Event::LookUpFailed { id, fault: Fault::Overloaded },
            }),
        }
    }
}

fn answer_jobs(line: &Line, jobs: &Receiver<Job>, replies: &Sender<Reply>) {
    while let Ok(job) = jobs.recv() {
        let event = match job {
            Job::Interpret(id, hypotheses) => interpreted(line, id, &hypotheses),
            Job::LookUp(id, query) => looked_up(line, id, &query),
        };
        if replies.send(Reply::Event(event)).is_err() {
            return;
        }
    }
}

fn speak_prompts(
    line: &Line,
    prompts: &Receiver<(RequestId, Prompt)>,
    replies: &Sender<Reply>,
    speaking: &AtomicU32,
) {
    while let Ok((id, prompt)) = prompts.recv() {
        let result = line.voice.stream(&prompt, &mut |piece| {
            let wanted = speaking.load(Ordering::Relaxed) == id.0;
            let sent = wanted && replies.send(Reply::Sound(id, Sound::Pcm(piece.to_vec()))).is_ok();
            if sent { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if let Err(error) = result {
            tracing::warn!(%error, prompt = prompt.name, "a prompt could not be rendered");
        }
        if replies.send(Reply::Sound(id, Sound::End)).is_err() {
            return;
        }
    }
}

impl Engines for RealTimeEngines {
    fn start(&mut self, _now: CallTime, action: &Action) {
        match action {
            Action::Say { id, prompt } => {
                self.speaking.store(id.0, Ordering::Relaxed);
                if self.prompts.try_send((*id, prompt.clone())).is_err() {
                    let _ = self.to_call.send(Reply::Sound(*id, Sound::End));
                }
            }
            Action::StopPrompt { .. } => self.speaking.store(0, Ordering::Relaxed),
            Action::Recognize { id, utterance, expect } => self.recognize(*id, utterance, expect),
            Action::CancelRecognition { id } => {
                if let Some(ticket) = self.tickets.remove(id) {
                    ticket.cancel();
                }
            }
            Action::Interpret { id, hypotheses } => self.job(Job::Interpret(*id, hypotheses.clone())),
            Action::LookUp { id, query } => self.job(Job::LookUp(*id, query.clone())),
            Action::Transfer { id, .. } if !self.pretends_agent => {
                // The channel would have carried it out if it could: the dialogue goes on from there.
                let fault = Fault::Failed("this channel has no way to a person".to_owned());
                self.reply(Event::TransferFailed { id: *id, fault });
            }
            Action::Transfer { id, .. } => {
                let (id, to_call) = (*id, self.to_call.clone());
                std::thread::spawn(move || {
                    std::thread::sleep(AGENT_PICKS_UP);
                    let _ = to_call.send(Reply::Event(Event::Transferred { id }));
                });
            }
            Action::WriteRecord { record } => self.line.write_record(record),
            Action::KeepMessage { id, .. } => {
                self.reply(Event::MessageLost { id: *id, fault: no_desk() });
            }
            Action::Leave { .. }
            | Action::Play { .. }
            | Action::Answer
            | Action::HangUp { .. }
            | Action::Note(_) => {}
        }
    }

    fn poll(&mut self, now: CallTime, until: CallTime) -> Option<(CallTime, Reply)> {
        let reply = if self.paced {
            self.replies.try_recv().ok()?
        } else {
            let due = self.began + Duration::from_millis(until.as_millis());
            match self.replies.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(reply) => reply,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        };
        let elapsed = if self.paced { now } else { CallTime::ZERO + self.began.elapsed() };
        Some((elapsed.max(now).min(until), reply))
    }
}

/// A recogniser for measured time, where one call runs after another.
pub(super) type OneRecognizer = Mutex<Box<dyn crate::speech::asr::Recognizer>>;
