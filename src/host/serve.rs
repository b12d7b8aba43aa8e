//! Calls from all listeners of a line: each on a thread of its own, counted, and drained at the end.
//!
//! A listener hands each call to [`Serving::take`] with what is known of it; who answers is an [`Answerer`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::desk::Package;
use super::metrics::Metrics;
#[cfg(feature = "host")]
use super::recorder::Recordings;
use super::session::{Arrival, Channel, Observer};
use crate::audio::Frame;
use crate::call::{
    Ani, CallId, CallRecord, CallTime, Dtmf, Event, Handoff, HangupCause, RequestId, TimeSpan, WayOut,
};
use crate::channel::gate::Gate;
use crate::channel::load::Punctuality;
use crate::desk::Spoken;

/// What callers are asked when an agent has hung up, and told after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// How content they are, by a key from 1 to 5.
    pub ask: String,
    /// After the answer.
    pub thanks: String,
}

/// Whoever answers calls.
pub trait Answerer: Send + Sync + 'static {
    /// Holds a call to its end, in real time. `None` where not even a record could be made.
    fn answer(&self, arrival: Arrival, channel: &mut dyn Channel) -> Option<CallRecord>;

    /// The sound of a sentence for an agent's ear, 16 kHz mono; empty where it cannot be spoken.
    fn speak(&self, sentence: &str) -> Vec<i16>;

    /// Tells an agent's screen of a call. Blocks, within bounds; whoever takes it knows nothing of a failure.
    fn tell_screen(&self, _package: &Package) {}

    /// What callers are asked after a call with an agent; `None` where nothing is.
    fn survey(&self) -> Option<Survey> {
        None
    }

    /// A caller has said how content they are, 1 to 5.
    fn rated(&self, _call: &CallId, _grade: u8) {}

    /// The agent whom a number spoke to last. May take as long as the store does.
    fn spoken_last(&self, _number: &Ani) -> Option<Spoken> {
        None
    }
}

/// A line with its engines.
#[cfg(feature = "host")]
pub struct LineAnswerer {
    line: Arc<super::line::Line>,
    gate: Arc<Gate>,
    recordings: Option<Recordings>,
    metrics: Arc<Metrics>,
}

#[cfg(feature = "host")]
impl LineAnswerer {
    /// Answers by this line, and tells the gate how long callers' sentences wait to be recognised.
    pub fn new(line: Arc<super::line::Line>, gate: Arc<Gate>) -> LineAnswerer {
        LineAnswerer { line, gate, recordings: None, metrics: Arc::default() }
    }

    /// Records all calls.
    #[must_use]
    pub fn recording(self, recordings: Recordings) -> LineAnswerer {
        LineAnswerer { recordings: Some(recordings), ..self }
    }

    /// Counts those waits, too.
    #[must_use]
    pub fn counted_by(self, metrics: &Arc<Metrics>) -> LineAnswerer {
        LineAnswerer { metrics: Arc::clone(metrics), ..self }
    }
}

#[cfg(feature = "host")]
impl Answerer for LineAnswerer {
    fn answer(&self, arrival: Arrival, channel: &mut dyn Channel) -> Option<CallRecord> {
        use super::{engines::RealTimeEngines, session::Session};

        let now = jiff::Timestamp::now();
        let begin = |to: &Recordings| to.recorder.begin(&arrival.id, arrival.ani.as_ref(), now);
        let recording = self.recordings.as_ref().map(begin);
        let mut milestones = Milestones { call: arrival.id.clone(), recording };
        let (gate, metrics) = (Arc::clone(&self.gate), Arc::clone(&self.metrics));
        let told = Arc::new(move |wait| {
            gate.load().waited(Instant::now(), wait);
            metrics.recognition_waited(wait);
        });
        let mut engines =
            RealTimeEngines::new(Arc::clone(&self.line), channel.is_paced()).telling_waits(told);
        let flow = self.line.live.current();
        let conversation = crate::conversation::Conversation::new(flow)
            .at(super::local_time())
            .keypad_only(arrival.keypad_only)
            .recorded(self.recordings.as_ref().is_some_and(|to| to.announced))
            .taking_messages(self.line.desk.voicemail.clone());
        let record = Session::new(conversation, &mut engines, &mut milestones).run(arrival, channel, true);
        if let Some(to) = &self.recordings {
            to.go_on(milestones.recording, channel);
        }
        record
    }

    fn tell_screen(&self, package: &Package) {
        if let Err(error) = super::webhook::tell(&self.line.desk.handoff, &package.key(), package) {
            tracing::warn!(call = %package.call, agent = package.agent, %error, "the agent's screen was not told");
        }
    }

    fn survey(&self) -> Option<Survey> {
        let flow = self.line.live.current();
        flow.line.rating.as_ref()?;
        let line = std::collections::BTreeMap::from([("line", flow.line.name.clone())]);
        let worded = |name| flow.wording.render(name, 0, &minijinja::Value::from(line.clone()));
        match (worded("rating.ask"), worded("rating.thanks")) {
            (Ok(ask), Ok(thanks)) => {
                Some(Survey { ask: ask.text.expose().clone(), thanks: thanks.text.expose().clone() })
            }
            (Err(why), _) | (_, Err(why)) => {
                tracing::warn!(why, "callers are not asked how content they are");
                None
            }
        }
    }

    fn rated(&self, call: &CallId, grade: u8) {
        match self.line.runtime.block_on(self.line.store.rate(call, grade, jiff::Timestamp::now())) {
            Ok(true) => tracing::info!(%call, grade, "a caller has rated"),
            Ok(false) => tracing::warn!(%call, "a rating without a record, or a second one, is not kept"),
            Err(error) => tracing::warn!(%call, %error, "a rating is not kept"),
        }
    }

    fn spoken_last(&self, number: &Ani) -> Option<Spoken> {
        self.line.runtime.block_on(self.line.store.spoken_last(number)).unwrap_or_else(|error| {
            tracing::warn!(%error, "the agent whom a caller spoke to last is not known");
            None
        })
    }

    fn speak(&self, sentence: &str) -> Vec<i16> {
        let prompt = crate::call::Prompt {
            name: "briefing".to_owned(),
            text: crate::call::Pii::from(sentence),
            evergreen: false,
            barge_in: false,
            slow: false,
        };
        let mut pcm = Vec::new();
        let spoken = self.line.voice.stream(&prompt, &mut |piece| {
            pcm.extend_from_slice(piece);
            std::ops::ControlFlow::Continue(())
        });
        if let Err(error) = spoken {
            tracing::warn!(%error, "the agent gets no briefing");
        }
        pcm
    }
}

/// Tells the log of a call's decisions and delays; what is said and heard stays out of it, and goes to the recording
/// where there is one.
#[cfg(feature = "host")]
struct Milestones {
    call: CallId,
    recording: Option<super::recorder::Recording>,
}

#[cfg(feature = "host")]
impl Observer for Milestones {
    fn action(&mut self, now: CallTime, action: &crate::call::Action) {
        if let crate::call::Action::Note(crate::call::Note::Decided { decision, .. }) = action {
            tracing::debug!(call = %self.call, at = %now, decision, "decided");
        }
    }

    fn answered(&mut self, now: CallTime, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(call = %self.call, at = %now, ms, "the answer's first sound");
    }

    fn frames(&mut self, caller: &Frame, line: &Frame) {
        if let Some(recording) = &mut self.recording {
            recording.frames(caller, line);
        }
    }

    fn recording_refused(&mut self) {
        if let Some(recording) = &mut self.recording {
            recording.recording_refused();
        }
    }
}

/// Takes a call that has ended, and when it began.
pub type Traced = Box<dyn Fn(&CallRecord, SystemTime) + Send + Sync>;

/// A line that serves.
pub struct Serving {
    answerer: Arc<dyn Answerer>,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    /// Who is told of each call that has ended, and when it began.
    traced: OnceLock<Traced>,
    /// Calls in progress end now.
    stopping: Arc<AtomicBool>,
    going_on: Mutex<usize>,
    ended: Condvar,
}

impl Serving {
    /// Serving by `answerer`, through a gate that all its listeners share.
    pub fn new(answerer: Arc<dyn Answerer>, gate: Arc<Gate>) -> Arc<Serving> {
        Serving::counted(answerer, gate, Arc::default())
    }

    /// The same, counted beside what the answerer counts.
    pub fn counted(answerer: Arc<dyn Answerer>, gate: Arc<Gate>, metrics: Arc<Metrics>) -> Arc<Serving> {
        Arc::new(Serving {
            answerer,
            gate,
            metrics,
            traced: OnceLock::new(),
            stopping: Arc::default(),
            going_on: Mutex::default(),
            ended: Condvar::new(),
        })
    }

    /// The gate that each listener asks before it answers.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// What is counted of its calls.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Tells somebody of each call that has ended from now on; whoever was named first stays.
    pub fn traced_by(&self, traced: Traced) {
        let _ = self.traced.set(traced);
    }

    /// Begins a call on a thread of its own. Returns at once.
    pub fn take<C: Channel + Send + 'static>(self: &Arc<Self>, arrival: Arrival, channel: C) {
        let serving = Arc::clone(self);
        *self.going_on.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let name = arrival.id.to_string();
        let spawned = std::thread::Builder::new().name(name).spawn(move || {
            let _counted = Counted(&serving);
            serving.hold(arrival, channel);
        });
        if let Err(error) = spawned {
            // The channel was dropped with the closure, which hangs up.
            tracing::error!(%error, "no thread for a call");
            self.one_less();
        }
    }

    /// Does something else with a call, on a thread of its own that counts as one. Returns at once.
    pub fn lend(self: &Arc<Self>, name: &str, work: impl FnOnce(&dyn Fn() -> bool) + Send + 'static) {
        let serving = Arc::clone(self);
        *self.going_on.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _counted = Counted(&serving);
            work(&|| serving.stopping.load(Ordering::Relaxed));
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread for a call");
            self.one_less();
        }
    }

    /// Holds a call to its end on this thread.
    pub fn hold(&self, arrival: Arrival, channel: impl Channel) {
        let id = arrival.id.clone();
        tracing::info!(call = %id, keypad_only = arrival.keypad_only, "a call begins");
        let (began, began_at) = (Instant::now(), SystemTime::now());
        let mut watched = Watched {
            channel,
            stopping: Arc::clone(&self.stopping),
            gate: Arc::clone(&self.gate),
            metrics: Arc::clone(&self.metrics),
            punctuality: Punctuality::default(),
        };
        let record = self.answerer.answer(arrival, &mut watched);
        watched.channel.finish(&|| self.stopping.load(Ordering::Relaxed));
        let seconds = began.elapsed().as_secs_f32();
        if let Some(record) = &record {
            self.metrics.call(record);
            if let Some(traced) = self.traced.get() {
                traced(record, began_at);
            }
        }
        match record {
            Some(record) => tracing::info!(
                call = %id, seconds, disposition = %record.disposition, cause = %record.cause,
                intent = record.intent.as_ref().map(|i| i.as_str()), turns = record.turns.len(), "a call ended"
            ),
            None => tracing::error!(call = %id, seconds, "a call ended without a record"),
        }
    }

    fn one_less(&self) {
        *self.going_on.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.ended.notify_all();
    }

    /// Whoever answers the calls.
    pub fn answerer(&self) -> &Arc<dyn Answerer> {
        &self.answerer
    }

    /// Calls that are going on.
    pub fn going_on(&self) -> usize {
        *self.going_on.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more calls, waits for those that are going on, and ends those that take longer. Blocks.
    pub fn drain(&self, patience: Duration) {
        self.gate.close();
        tracing::info!(going_on = self.going_on(), "no more calls are taken");
        if !self.wait(patience) {
            tracing::warn!(going_on = self.going_on(), "calls are ended: the line has waited long enough");
            self.stopping.store(true, Ordering::Relaxed);
            // Each call notices with its next frame.
            self.wait(Duration::from_secs(5));
        }
    }

    /// Whether all calls ended in time.
    fn wait(&self, patience: Duration) -> bool {
        let going_on = self.going_on.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ended.wait_timeout_while(going_on, patience, |n| *n > 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0 == 0
    }
}

/// Counts a call out, even if its thread panics.
struct Counted<'a>(&'a Serving);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.one_less();
    }
}

/// A channel that ends when the line stops, and whose punctuality is watched.
struct Watched<C> {
    channel: C,
    stopping: Arc<AtomicBool>,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    punctuality: Punctuality,
}

impl<C: Channel> Channel for Watched<C> {
    fn exchange(&mut self, now: CallTime, line: &Frame, line_talks: bool) -> Option<Frame> {
        if self.stopping.load(Ordering::Relaxed) {
            return None;
        }
        let real = Instant::now();
        self.punctuality.tick(real, now);
        if let Some((ticks, late)) = self.punctuality.take() {
            self.gate.load().ticked(real, ticks, late);
            self.metrics.ticked(ticks, late);
        }
        self.channel.exchange(now, line, line_talks)
    }

    fn is_paced(&self) -> bool {
        self.channel.is_paced()
    }

    fn voice(&self) -> Option<crate::speech::Voice> {
        self.channel.voice()
    }

    fn key(&mut self) -> Option<Dtmf> {
        self.channel.key()
    }

    fn flush(&mut self) {
        self.channel.flush();
    }

    fn transfer(&mut self, id: RequestId, handoff: &Handoff) -> bool {
        self.channel.transfer(id, handoff)
    }

    fn transferred(&mut self) -> Option<Event> {
        self.channel.transferred()
    }

    fn leave(&mut self, way: WayOut, number: Option<&Ani>, window: Option<TimeSpan>) {
        self.channel.leave(way, number, window);
    }

    fn keep_message(&mut self, id: RequestId, sound: &Arc<[i16]>, handoff: &Handoff) -> bool {
        self.channel.keep_message(id, sound, handoff)
    }

    fn record_on(&mut self, recording: Box<dyn Observer + Send>) {
        self.channel.record_on(recording);
    }

    fn finish(&mut self, stopping: &dyn Fn() -> bool) {
        self.channel.finish(stopping);
    }

    fn cause(&self) -> HangupCause {
        if self.stopping.load(Ordering::Relaxed) { HangupCause::Shutdown } else { self.channel.cause() }
    }
}
