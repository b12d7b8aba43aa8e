//! One call's driver: a conversation between a channel and the engines, tick by tick.
//!
//! The same driver runs in two kinds of time. In *real time* a tick waits for the clock, and engines
//! answer from their own threads. In *measured time* nothing waits: each engine runs at once, the time it
//! took is measured, and its reply arrives that much later on the call's own clock. The second kind gives
//! the delays that a caller would meet on an idle machine, as fast as the machine computes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audio::{FRAME_DURATION, FRAME_SAMPLES, Frame, HoldMusic};
use crate::call::{
    Action, Ani, CallId, CallRecord, CallTime, Dnis, Dtmf, Event, Handoff, HangupCause, Note, RequestId,
    TimeSpan, WayOut,
};
use crate::conversation::Conversation;
use crate::conversation::script::masked;
use crate::speech::Voice;

/// The caller's end of a call.
pub trait Channel {
    /// Gives the line's next 20 ms to the caller and takes the caller's 20 ms; `None` once the caller is
    /// gone. `line_talks` tells a half-duplex device to keep its ear shut.
    fn exchange(&mut self, now: CallTime, line: &Frame, line_talks: bool) -> Option<Frame>;

    /// Whether the channel itself paces the call (a sound card does), so that the driver must not.
    fn is_paced(&self) -> bool {
        false
    }

    /// Whether the caller's last frame was voice, where the channel knows it without listening: typed
    /// text makes no sound.
    fn voice(&self) -> Option<Voice> {
        None
    }

    /// A key that the channel signals by itself rather than as a tone in the sound.
    fn key(&mut self) -> Option<Dtmf> {
        None
    }

    /// Who ended the call, once [`Channel::exchange`] has given `None`.
    fn cause(&self) -> HangupCause {
        HangupCause::Caller
    }

    /// Hands the caller to a person by the channel's own means. `false` where it has none, so that somebody
    /// else must.
    fn transfer(&mut self, _id: RequestId, _handoff: &Handoff) -> bool {
        false
    }

    /// The caller waits for a person no longer: a way out was taken.
    fn leave(&mut self, _way: WayOut, _number: Option<&Ani>, _window: Option<TimeSpan>) {}

    /// Keeps the message that the caller left. `false` where the channel has no place for it.
    fn keep_message(&mut self, _id: RequestId, _sound: &Arc<[i16]>, _handoff: &Handoff) -> bool {
        false
    }

    /// What came of a transfer or a message: [`Event::Transferred`], [`Event::TransferFailed`],
    /// [`Event::Waiting`], [`Event::MessageKept`] or [`Event::MessageLost`].
    fn transferred(&mut self) -> Option<Event> {
        None
    }

    /// The caller is recorded: what is said once the conversation is over goes here, too. Dropping it says that the
    /// call is over.
    fn record_on(&mut self, _recording: Box<dyn Observer + Send>) {}

    /// The conversation is over. A channel that has joined the caller to a person stays with the two until one
    /// of them hangs up, or until `stopping` says so.
    fn finish(&mut self, _stopping: &dyn Fn() -> bool) {}

    /// Drops what the channel still holds of the line's sound: the caller barged in.
    fn flush(&mut self) {}
}

/// A piece of the line's voice on its way to the caller.
#[derive(Debug)]
pub enum Sound {
    /// Samples, 16 kHz mono.
    Pcm(Vec<i16>),
    /// The prompt is complete (or could not be rendered further).
    End,
}

/// What comes back from the engines.
#[derive(Debug)]
pub enum Reply {
    /// For the conversation.
    Event(Event),
    /// For the caller.
    Sound(RequestId, Sound),
}

/// Whoever carries out a conversation's actions.
pub trait Engines {
    /// Begins to carry out an action. Replies come from [`Engines::poll`].
    fn start(&mut self, now: CallTime, action: &Action);

    /// The next reply that is due by `until`, with its time. In real time this waits until then.
    fn poll(&mut self, now: CallTime, until: CallTime) -> Option<(CallTime, Reply)>;
}

/// Sees everything that happens in a call: prints it, measures it, records it.
pub trait Observer {
    /// Something happened to the conversation.
    fn event(&mut self, _now: CallTime, _event: &Event) {}

    /// The conversation wants something done.
    fn action(&mut self, _now: CallTime, _action: &Action) {}

    /// The first sound of an answer, `delay` after the end of the caller's speech.
    fn answered(&mut self, _now: CallTime, _delay: Duration) {}

    /// 20 ms of both sides.
    fn frames(&mut self, _caller: &Frame, _line: &Frame) {}

    /// The caller does not want to be recorded; told once. What was recorded is not wanted either.
    fn recording_refused(&mut self) {}
}

/// What is known of a call before it begins.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The call's id.
    pub id: CallId,
    /// The caller's number.
    pub ani: Option<Ani>,
    /// The number dialled.
    pub dnis: Option<Dnis>,
    /// Whether the line is too busy to listen: whoever answers takes keys alone.
    pub keypad_only: bool,
}

/// No call of the driver's goes on for longer, whatever the conversation thinks: a last resort. An hour beside the
/// longest wait for a person that a desk can declare.
const LONGEST: CallTime = CallTime::from_millis(5 * 60 * 60_000);

/// The frame of the line's sound that counts as audible, as RMS in dBFS.
const AUDIBLE_DBFS: f32 = -50.0;

/// Drives one call to its end.
pub struct Session<'a> {
    conversation: Conversation,
    engines: &'a mut dyn Engines,
    observer: &'a mut dyn Observer,
    /// Prompt being played, and its samples still to come.
    prompt: Option<RequestId>,
    samples: VecDeque<i16>,
    complete: bool,
    flush: bool,
    /// End of the caller's last utterance, until its answer is heard.
    unanswered: Option<CallTime>,
    record: Option<CallRecord>,
    hung_up: bool,
    is_recording_refused: bool,
    /// For the channel, with the next tick.
    for_channel: VecDeque<Action>,
    /// What callers hear who wait for a person.
    music: HoldMusic,
}

impl<'a> Session<'a> {
    /// A session that has not begun.
    pub fn new(
        conversation: Conversation,
        engines: &'a mut dyn Engines,
        observer: &'a mut dyn Observer,
    ) -> Session<'a> {
        Session {
            conversation,
            engines,
            observer,
            prompt: None,
            samples: VecDeque::new(),
            complete: false,
            flush: false,
            unanswered: None,
            record: None,
            hung_up: false,
            is_recording_refused: false,
            for_channel: VecDeque::new(),
            music: HoldMusic::default(),
        }
    }

    /// Runs the call. Returns its record; every call has one.
    pub fn run(mut self, arrival: Arrival, channel: &mut dyn Channel, real_time: bool) -> Option<CallRecord> {
        let began = Instant::now();
        let Arrival { id, ani, dnis, keypad_only: _ } = arrival;
        self.event(CallTime::ZERO, Event::CallArrived { id, ani, dnis });
        let mut now = CallTime::ZERO;
        while !self.is_over() && now < LONGEST {
            let next = now + FRAME_DURATION;
            self.between_ticks(now, next);
            now = next;
            if real_time && !channel.is_paced() {
                let due = began + Duration::from_millis(now.as_millis());
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            self.tick(now, channel);
        }
        // What a caller said who has hung up.
        self.for_channel(now, channel);
        self.record.take()
    }

    fn is_over(&self) -> bool {
        self.conversation.is_ended() && (self.hung_up || self.prompt.is_none())
    }

    /// Replies and timers that are due before the next tick, in the order of their times.
    fn between_ticks(&mut self, from: CallTime, until: CallTime) {
        let mut now = from;
        loop {
            let timer = self.conversation.poll_timeout().map(|(at, _)| at.max(now)).filter(|at| *at < until);
            match self.engines.poll(now, timer.unwrap_or(until)) {
                Some((at, reply)) => {
                    now = at.max(now);
                    self.reply(now, reply);
                }
                None => {
                    let Some(at) = timer else { return };
                    now = at;
                    self.conversation.handle_timeout(now);
                    self.carry_out(now);
                }
            }
        }
    }

    fn reply(&mut self, now: CallTime, reply: Reply) {
        match reply {
            Reply::Event(event) => self.event(now, event),
            Reply::Sound(id, sound) if self.prompt == Some(id) => match sound {
                Sound::Pcm(samples) => self.samples.extend(samples),
                Sound::End => self.complete = true,
            },
            // A prompt that was barged into.
            Reply::Sound(..) => {}
        }
    }

    fn event(&mut self, now: CallTime, event: Event) {
        let hidden = if self.conversation.is_secret() { masked(&event) } else { None };
        self.observer.event(now, hidden.as_ref().unwrap_or(&event));
        self.conversation.handle_event(now, event);
        self.carry_out(now);
    }

    fn carry_out(&mut self, now: CallTime) {
        while let Some(action) = self.conversation.poll_action() {
            self.observer.action(now, &action);
            match &action {
                Action::Say { id, .. } => {
                    self.prompt = Some(*id);
                    self.samples.clear();
                    self.complete = false;
                }
                Action::StopPrompt { id } if self.prompt == Some(*id) => {
                    self.prompt = None;
                    self.samples.clear();
                    self.flush = true;
                }
                Action::Note(Note::SpeechEnded { at }) => self.unanswered = Some(*at),
                Action::HangUp { .. } => self.hung_up = true,
                Action::WriteRecord { record } => self.record = Some((**record).clone()),
                Action::StopPrompt { .. }
                | Action::Answer
                | Action::Recognize { .. }
                | Action::CancelRecognition { .. }
                | Action::Interpret { .. }
                | Action::LookUp { .. }
                | Action::Note(_) => {}
                Action::Play { id, sound } => {
                    self.prompt = Some(*id);
                    self.samples = sound.iter().copied().collect();
                    self.complete = true;
                    continue;
                }
                Action::Transfer { .. } | Action::Leave { .. } | Action::KeepMessage { .. } => {
                    self.for_channel.push_back(action);
                    continue;
                }
            }
            self.engines.start(now, &action);
        }
    }

    /// One exchange of frames.
    fn tick(&mut self, now: CallTime, channel: &mut dyn Channel) {
        if std::mem::take(&mut self.flush) {
            channel.flush();
        }
        self.hand_over(now, channel);
        let line = self.next_line_frame(now);
        let talks = self.prompt.is_some();
        let Some(caller) = channel.exchange(now, &line, talks) else {
            return self.event(now, Event::HungUp { cause: channel.cause() });
        };
        // A PIN's tones are as good as the PIN.
        let kept = if self.conversation.is_sound_secret() { &Frame::SILENCE } else { &caller };
        self.observer.frames(kept, &line);
        if !self.is_recording_refused && self.conversation.is_recording_refused() {
            self.is_recording_refused = true;
            self.observer.recording_refused();
        }
        while let Some(key) = channel.key() {
            self.event(now, Event::Key(key));
        }
        match channel.voice() {
            Some(voice) => self.conversation.handle_voice(now, &caller, voice),
            None => self.conversation.handle_audio(now, &caller),
        }
        self.carry_out(now);
        if let Some(id) = self.prompt.filter(|_| self.complete && self.samples.is_empty()) {
            self.prompt = None;
            self.event(now, Event::PromptFinished { id });
        }
    }

    /// A transfer begins, or has come to something.
    fn hand_over(&mut self, now: CallTime, channel: &mut dyn Channel) {
        self.for_channel(now, channel);
        while let Some(event) = channel.transferred() {
            self.event(now, event);
        }
    }

    fn for_channel(&mut self, now: CallTime, channel: &mut dyn Channel) {
        while let Some(action) = self.for_channel.pop_front() {
            let done = match &action {
                Action::Transfer { id, handoff } => channel.transfer(*id, handoff),
                Action::KeepMessage { id, sound, handoff } => channel.keep_message(*id, sound, handoff),
                Action::Leave { way, number, window, .. } => {
                    channel.leave(*way, number.as_ref(), *window);
                    true
                }
                Action::Say { .. }
                | Action::Play { .. }
                | Action::StopPrompt { .. }
                | Action::Answer
                | Action::Recognize { .. }
                | Action::CancelRecognition { .. }
                | Action::Interpret { .. }
                | Action::LookUp { .. }
                | Action::WriteRecord { .. }
                | Action::HangUp { .. }
                | Action::Note(_) => true,
            };
            if !done {
                self.engines.start(now, &action);
            }
        }
    }

    fn next_line_frame(&mut self, now: CallTime) -> Frame {
        // A piece shorter than a frame is only played when nothing follows it, so that a slow synthesiser
        // does not tear words apart more than it must.
        let enough = self.samples.len() >= FRAME_SAMPLES || (self.complete && !self.samples.is_empty());
        if !enough {
            let is_held = self.prompt.is_none() && self.conversation.is_on_hold();
            return if is_held { self.music.next_frame() } else { Frame::SILENCE };
        }
        let take = self.samples.len().min(FRAME_SAMPLES);
        let samples: Vec<i16> = self.samples.drain(..take).collect();
        let frame = Frame::from_padded(&samples);
        if let Some(ended) = self.unanswered
            && crate::audio::rms_dbfs(frame.samples()) > AUDIBLE_DBFS
        {
            self.unanswered = None;
            self.observer.answered(now, now.since(ended));
        }
        frame
    }
}
