//! One call: hearing turns, understanding's results and the dialogue, turned into actions.
//!
//! A [`Conversation`] is sans-IO. Its whole life is four verbs:
//!
//! ```text
//! handle_audio(now, &frame)   every 20 ms         handle_event(now, event)   replies, keys, the end
//! handle_timeout(now)         when it is due      poll_action()              until it gives None
//! poll_timeout()              when to call handle_timeout, and why
//! ```
//!
//! It never reads a clock, never blocks, and never waits for slow work: recognition, classification
//! and look-ups are actions answered later by events that echo the request's id; a reply that no longer
//! matters is dropped in `handle_event`, in one place.

mod hearing;

mod keypad;

mod message;

mod outcome;

pub mod script;

mod timers;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hearing::Hearing;
use jiff::civil::DateTime;
use message::Message;
pub use timers::TimerReason;
use timers::{Timers, Waiting};

use crate::audio::{DtmfDetector, Frame, KeyMerger, KeyWay};
use crate::call::{
    Action, Ani, CallId, CallTime, Dnis, Dtmf, Event, Expect, Fault, Handoff, HangupCause, LookUpRecord,
    Note, Prompt, Query, RequestId, Row, TimeSpan, TurnRecord, Waiting as News, WayOut,
};
use crate::desk::VoicemailSpec;
use crate::dialogue::{Arrival, Dialogue, Flow, Input, Move, Question};
use crate::speech::{Endpointer, Timeouts, Voice, VoiceDetector};

/// Silence after which recognition starts, long before the turn is known to be over.
pub const SPECULATE_AFTER: Duration = Duration::from_millis(200);

/// Voice that it takes to be an utterance rather than a click; also the time to stop a prompt, which
/// must stay under 100 ms.
pub const MIN_SPEECH: Duration = Duration::from_millis(60);

/// However long a caller has been waited for, so much time is left after a noise to begin to speak.
const SHORTEST_WAIT: Duration = Duration::from_millis(1_500);

/// The decision of a record's first turn, where the line was too busy to listen.
const KEYPAD_ONLY: &str = "keypad_only";

/// One caller's call, from arrival to its record.
pub struct Conversation {
    flow: Arc<Flow>,
    dialogue: Dialogue,
    detector: VoiceDetector,
    tones: DtmfDetector,
    presses: KeyMerger,
    /// Whether the tone that sounds belongs to a secret.
    secret_tone: bool,
    endpointer: Endpointer,
    now: CallTime,
    last_id: u32,
    party: Option<(CallId, Option<Ani>, Option<Dnis>)>,
    /// Moves that wait for the prompt that is playing.
    pending: VecDeque<Move>,
    playing: Option<Playing>,
    /// The question that is open, or that the prompt being played leads to.
    question: Option<Question>,
    /// Whether the question's prompts have been heard out, so that silence counts.
    awaiting: bool,
    /// When the question had been heard out.
    opened: CallTime,
    hearing: Option<Hearing>,
    look_up: Option<Waiting>,
    /// Look-ups of what may be said later; at most as many as the flow declares.
    known: Vec<Waiting>,
    /// The call's look-ups so far, for its record.
    look_ups: Vec<LookUpRecord>,
    local: Option<DateTime>,
    is_anonymous: bool,
    keypad_only: bool,
    is_recorded: bool,
    transfer: Option<(RequestId, Handoff)>,
    /// How messages are taken.
    voicemail: VoicemailSpec,
    message: Option<Message>,
    /// Whether the caller has left one.
    has_left_message: bool,
    /// Keys pressed so far for one answer.
    entry: String,
    timers: Timers,
    actions: VecDeque<Action>,
    turns: Vec<TurnRecord>,
    handoff: Option<Handoff>,
    ended: bool,
}

#[derive(Clone, Copy, Debug)]
struct Playing {
    id: RequestId,
    barge_in: bool,
}

impl Conversation {
    /// A conversation that waits for its call.
    pub fn new(flow: Arc<Flow>) -> Conversation {
        let timeouts = timeouts_of(&flow, &Expect::Open);
        Conversation {
            dialogue: Dialogue::new(Arc::clone(&flow)),
            detector: VoiceDetector::new(),
            tones: DtmfDetector::new(),
            presses: KeyMerger::default(),
            secret_tone: false,
            endpointer: Endpointer::new(timeouts),
            now: CallTime::ZERO,
            last_id: 0,
            party: None,
            pending: VecDeque::new(),
            playing: None,
            question: None,
            awaiting: false,
            opened: CallTime::ZERO,
            hearing: None,
            look_up: None,
            known: Vec::new(),
            look_ups: Vec::new(),
            local: None,
            is_anonymous: false,
            keypad_only: false,
            is_recorded: false,
            transfer: None,
            voicemail: VoicemailSpec::default(),
            message: None,
            has_left_message: false,
            entry: String::new(),
            timers: Timers::default(),
            actions: VecDeque::new(),
            turns: Vec::new(),
            handoff: None,
            ended: false,
            flow,
        }
    }

    /// Tells the line's day and hour, for greetings that go by them.
    pub fn at(self, local: DateTime) -> Conversation {
        Conversation { local: Some(local), ..self }
    }

    /// Takes messages as the desk declares.
    pub fn taking_messages(self, voicemail: VoicemailSpec) -> Conversation {
        Conversation { voicemail, ..self }
    }

    /// Whether the caller waits for a person, and hears nothing else than music meanwhile.
    pub fn is_on_hold(&self) -> bool {
        self.transfer.is_some() && self.playing.is_none() && self.dialogue.is_on_hold()
    }

    /// Takes the caller for nobody: an earlier call of the same number is not theirs. For suites and
    /// demonstrations, where one number rings again and again.
    pub fn anonymous(self) -> Conversation {
        Conversation { is_anonymous: true, ..self }
    }

    /// Recognises nothing: the line is too busy to listen, and the caller gets the keypad menu at once.
    pub fn keypad_only(self, keypad_only: bool) -> Conversation {
        Conversation { keypad_only, ..self }
    }

    /// Tells the caller first of all that the call is recorded, where it is.
    pub fn recorded(self, is_recorded: bool) -> Conversation {
        Conversation { is_recorded, ..self }
    }

    /// Whether the caller has refused to be recorded: what was recorded so far is not wanted either.
    pub fn is_recording_refused(&self) -> bool {
        self.dialogue.is_recording_refused()
    }

    /// Whether what the caller says and keys now must not be shown, logged or recorded.
    pub fn is_secret(&self) -> bool {
        self.dialogue.is_secret()
    }

    /// Whether the caller's next 20 ms must not be recorded. The last key of a secret is known, and may be
    /// checked, while the thumb is still on it: its tone stays secret to its end.
    pub fn is_sound_secret(&self) -> bool {
        self.is_secret() || self.secret_tone
    }

    /// Whether the call is over and its record given out.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether a question is open, so that a caller's silence counts.
    pub fn is_listening(&self) -> bool {
        self.awaiting
    }

    /// What the open question expects, for a front end that shows it.
    pub fn expected(&self) -> Option<&Expect> {
        self.question.as_ref().map(|q| &q.expect)
    }

    /// Takes 20 ms of the caller's sound.
    pub fn handle_audio(&mut self, now: CallTime, frame: &Frame) {
        let was_secret = self.is_sound_secret();
        if let Some(key) = self.tones.handle_frame(frame) {
            self.now = now;
            self.pressed(key, KeyWay::Tone);
        }
        let mut voice = self.detector.handle_frame(frame);
        let tone = self.tones.is_tone_active();
        if tone {
            voice.voiced = false;
        }
        self.secret_tone = tone && was_secret;
        self.handle_voice(now, frame, voice);
    }

    /// Takes 20 ms of sound of which it is already known whether it is voice: for scripts that have no
    /// sound at all.
    pub fn handle_voice(&mut self, now: CallTime, frame: &Frame, voice: Voice) {
        self.now = now;
        if self.ended || self.party.is_none() || self.message_heard(frame, voice.voiced) {
            return;
        }
        self.endpointer.handle_frame(now, frame, voice);
        self.take_turns();
    }

    /// Takes what happened.
    pub fn handle_event(&mut self, now: CallTime, event: Event) {
        self.now = now;
        if self.ended {
            return;
        }
        match event {
            Event::CallArrived { id, ani, dnis } => self.arrived(id, ani, dnis),
            Event::Key(key) => self.pressed(key, KeyWay::Event),
            Event::Recognized { id, recognition } => self.recognized(id, recognition),
            Event::RecognitionFailed { id, fault } => self.recognition_failed(id, fault),
            Event::Interpreted { id, interpretation } => self.interpreted(id, Some(interpretation)),
            Event::InterpretationFailed { id, .. } => self.interpreted(id, None),
            Event::PromptFinished { id } => self.prompt_finished(id),
            Event::LookedUp { id, rows } => self.looked_up(id, Ok(rows)),
            Event::LookUpFailed { id, fault } => self.looked_up(id, Err(fault)),
            Event::Transferred { id } => self.transferred(id),
            Event::TransferFailed { id, fault } => self.transfer_failed(id, fault),
            Event::Waiting { id, news } => self.desk_news(id, news),
            Event::MessageKept { id } => self.message_kept(id, None),
            Event::MessageLost { id, fault } => self.message_kept(id, Some(&fault)),
            Event::HungUp { cause } => self.finish(cause),
        }
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: CallTime) {
        self.now = now;
        if self.ended {
            return;
        }
        self.endpointer.handle_timeout(now);
        self.take_turns();
        while let Some(reason) = self.timers.pop_due(now) {
            self.timer_fired(reason);
        }
    }

    /// The next thing to do, in order.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Conversation::handle_timeout`] is due next, and why.
    pub fn poll_timeout(&self) -> Option<(CallTime, TimerReason)> {
        if self.ended {
            return None;
        }
        let turn = self.endpointer.poll_timeout().map(|(at, _)| (at, TimerReason::Turn));
        [turn, self.timers.next()].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// A key by one of its ways; a press counts once.
    fn pressed(&mut self, key: Dtmf, way: KeyWay) {
        if !self.ended && self.presses.is_new(self.now, key, way) {
            self.key(key);
        }
    }

    fn arrived(&mut self, id: CallId, ani: Option<Ani>, dnis: Option<Dnis>) {
        if self.party.is_some() {
            return;
        }
        self.party = Some((id.clone(), ani.clone(), dnis.clone()));
        self.limit();
        self.actions.push_back(Action::Answer);
        if self.keypad_only {
            // So that the record says why nobody was heard.
            self.turns.push(TurnRecord { decision: KEYPAD_ONLY.to_owned(), ..TurnRecord::default() });
        }
        self.dialogue.handle_arrival(Arrival {
            id: Some(id),
            ani,
            dnis,
            local: self.local,
            is_anonymous: self.is_anonymous,
            keypad_only: self.keypad_only,
            is_recorded: self.is_recorded,
        });
        self.carry_out();
    }

    /// From now on the line talks for no longer than it may; waiting for a person does not count.
    fn limit(&mut self) {
        let longest = Duration::from_millis(self.flow.line.timeouts.max_call_ms);
        self.timers.set(TimerReason::MaxCall, self.now + longest);
    }

    fn next_id(&mut self) -> RequestId {
        self.last_id += 1;
        RequestId(self.last_id)
    }

    /// Hands an input to the dialogue and carries out what follows. The first decision it notes is
    /// returned, for the turn's record.
    fn input(&mut self, input: Input<'_>) -> &'static str {
        self.dialogue.handle(input);
        self.carry_out()
    }

    /// Takes the dialogue's moves: what can be done at once is done, the rest waits for the prompts.
    fn carry_out(&mut self) -> &'static str {
        let mut decision = "";
        while let Some(next) = self.dialogue.poll_move() {
            match next {
                Move::LookUp(query) => self.ask(query),
                Move::LookKnownUp(query) => self.ask_known(query),
                Move::Note(note) => {
                    if let Note::Decided { decision: word, .. } = &note
                        && decision.is_empty()
                    {
                        decision = word;
                    }
                    self.actions.push_back(Action::Note(note));
                }
                Move::Leave { way, number, window } => self.leave(way, number, window),
                later @ (Move::Say(_) | Move::Listen(_) | Move::Transfer(_) | Move::HangUp(_)) => {
                    self.pending.push_back(later);
                }
            }
        }
        self.prepare();
        self.pump();
        decision
    }

    /// Asks the store or a webhook.
    fn ask(&mut self, query: Query) {
        let patience = Duration::from_millis(self.flow.line.timeouts.patience_ms);
        let deadline = self.flow.look_up_deadline(&query.name).unwrap_or(timers::LOOK_UP_DEADLINE);
        self.timers.set(TimerReason::LookUpSlow, self.now + patience);
        self.timers.set(TimerReason::LookUpDeadline, self.now + deadline);
        self.look_up = Some(self.send(query));
    }

    /// Asks for what may be said later: nobody waits for it, so no time runs.
    fn ask_known(&mut self, query: Query) {
        let waiting = self.send(query);
        self.known.push(waiting);
    }

    fn send(&mut self, mut query: Query) -> Waiting {
        let id = self.next_id();
        query.call = self.party.as_ref().map(|(call, _, _)| call.clone());
        query.key = format!("{}-{id}", query.call.as_ref().map(CallId::as_str).unwrap_or_default());
        let waiting = Waiting { id, name: query.name.clone(), args: query.args.clone() };
        self.actions.push_back(Action::LookUp { id, query });
        waiting
    }

    /// Sets the ear to the question that the pending prompts lead to, so that it can be answered
    /// before they have been heard out.
    fn prepare(&mut self) {
        let upcoming = self.pending.iter().find_map(|m| match m {
            Move::Listen(question) => Some(question.clone()),
            Move::Say(_)
            | Move::LookUp(_)
            | Move::LookKnownUp(_)
            | Move::Transfer(_)
            | Move::Leave { .. }
            | Move::HangUp(_)
            | Move::Note(_) => None,
        });
        if let Some(question) = upcoming {
            // Speech that is under way was no answer to a question that had not been asked.
            if let Some(hearing) = self.hearing.take() {
                self.actions.push_back(Action::CancelRecognition { id: hearing.id });
                self.timers.clear(TimerReason::Recognizer);
            }
            self.endpointer.reset(self.now);
            self.awaiting = false;
            self.endpointer.set_timeouts(timeouts(&self.flow, &question));
            self.question = Some(question);
            self.entry.clear();
        }
    }

    /// Carries out pending moves until a prompt plays.
    fn pump(&mut self) {
        while self.playing.is_none() && !self.ended {
            let Some(next) = self.pending.pop_front() else { return };
            match next {
                Move::Say(prompt) => self.say(prompt),
                Move::Listen(question) => self.open(question),
                Move::Transfer(handoff) => self.call_agent(handoff),
                Move::HangUp(cause) => {
                    self.actions.push_back(Action::HangUp { cause });
                    self.finish(cause);
                }
                Move::LookUp(_) | Move::LookKnownUp(_) | Move::Leave { .. } | Move::Note(_) => {}
            }
        }
    }

    fn say(&mut self, prompt: Prompt) {
        let id = self.next_id();
        self.playing = Some(Playing { id, barge_in: prompt.barge_in });
        self.actions.push_back(Action::Say { id, prompt });
    }

    /// Listens on after a noise: the caller is not kept waiting from the start because a door fell shut.
    fn wait_on(&mut self) {
        let Some(question) = &self.question else { return };
        let usual = timeouts(&self.flow, question);
        let waited = self.now.since(self.opened);
        let no_input = usual.no_input.saturating_sub(waited).max(SHORTEST_WAIT);
        self.endpointer.set_timeouts(Timeouts { no_input, ..usual });
        self.endpointer.listen(self.now);
    }

    fn open(&mut self, question: Question) {
        self.opened = self.now;
        self.question = Some(question);
        self.awaiting = true;
        if self.hearing.is_none() && self.entry.is_empty() {
            self.endpointer.listen(self.now);
        }
    }

    fn prompt_finished(&mut self, id: RequestId) {
        if self.playing.is_some_and(|p| p.id == id) {
            self.playing = None;
            if !self.message_played() {
                self.pump();
            }
        }
    }

    /// The caller speaks or presses a key: what is playing stops, if it leads to a question.
    fn barge_in(&mut self) {
        let leads_to_question = self.pending.iter().any(|m| matches!(m, Move::Listen(_)));
        let Some(playing) = self.playing.filter(|p| p.barge_in && leads_to_question) else { return };
        self.playing = None;
        self.actions.push_back(Action::StopPrompt { id: playing.id });
        while let Some(skipped) = self.pending.pop_front() {
            if let Move::Listen(question) = skipped {
                self.question = Some(question);
                self.awaiting = true;
                return;
            }
        }
    }

    /// Drops what was to be said: something more important comes.
    fn silence(&mut self) {
        if let Some(playing) = self.playing.take() {
            self.actions.push_back(Action::StopPrompt { id: playing.id });
        }
        self.pending.clear();
        self.close();
    }

    /// The question is answered, or overtaken.
    fn close(&mut self) {
        if let Some(hearing) = self.hearing.take() {
            self.actions.push_back(Action::CancelRecognition { id: hearing.id });
        }
        self.timers.clear(TimerReason::Recognizer);
        self.timers.clear(TimerReason::InterDigit);
        self.entry.clear();
        self.awaiting = false;
        self.question = None;
        self.endpointer.reset(self.now);
    }

    fn timer_fired(&mut self, reason: TimerReason) {
        match reason {
            TimerReason::Turn => {}
            TimerReason::InterDigit => self.submit_entry(),
            TimerReason::Recognizer => self.recognizer_late(),
            TimerReason::LookUpSlow => {
                let again = Duration::from_millis(self.flow.line.timeouts.patience_again_ms);
                self.timers.set(TimerReason::LookUpSlow, self.now + again);
                self.input(Input::LookUpSlow);
            }
            TimerReason::LookUpDeadline => {
                if let Some(id) = self.look_up.as_ref().map(|waiting| waiting.id) {
                    self.looked_up(id, Err(Fault::TimedOut));
                }
            }
            TimerReason::TransferSlow => {
                self.timers.set(TimerReason::TransferSlow, self.now + timers::TRANSFER_PATIENCE);
                self.input(Input::TransferSlow);
            }
            TimerReason::Transfer => {
                if let Some((id, _)) = self.transfer {
                    self.transfer_failed(id, Fault::TimedOut);
                }
            }
            TimerReason::Message => self.message_timeout(),
            TimerReason::KeepMessage => self.message_unanswered(),
            TimerReason::MaxCall => {
                self.silence();
                self.abandon_look_up();
                self.input(Input::TooLong);
            }
        }
    }

    fn abandon_look_up(&mut self) {
        self.look_up = None;
        self.timers.clear(TimerReason::LookUpSlow);
        self.timers.clear(TimerReason::LookUpDeadline);
    }

    fn looked_up(&mut self, id: RequestId, result: Result<Vec<Row>, Fault>) {
        if let Some(at) = self.known.iter().position(|waiting| waiting.id == id) {
            let Waiting { name, args, .. } = self.known.swap_remove(at);
            self.input(Input::Known { look_up: &name, rows: result.as_deref().unwrap_or_default() });
            self.look_ups.push(LookUpRecord { at: self.now, name, args, rows: result.ok() });
            return;
        }
        let Some(Waiting { name, args, .. }) = self.look_up.take_if(|waiting| waiting.id == id) else {
            return;
        };
        self.abandon_look_up();
        self.look_ups.push(LookUpRecord { at: self.now, name, args, rows: result.as_ref().ok().cloned() });
        match result {
            Ok(rows) => self.input(Input::LookedUp(rows)),
            Err(fault) => self.input(Input::LookUpFailed(fault)),
        };
    }

    fn call_agent(&mut self, handoff: Handoff) {
        let id = self.next_id();
        self.transfer = Some((id, handoff.clone()));
        self.timers.set(TimerReason::Transfer, self.now + timers::TRANSFER_DEADLINE);
        self.timers.set(TimerReason::TransferSlow, self.now + timers::TRANSFER_PATIENCE);
        self.actions.push_back(Action::Transfer { id, handoff });
    }

    /// The desk has a place for the caller, or news of it.
    fn desk_news(&mut self, id: RequestId, news: News) {
        if self.transfer.as_ref().is_none_or(|(waiting, _)| *waiting != id) {
            return;
        }
        self.timers.clear(TimerReason::Transfer);
        self.timers.clear(TimerReason::TransferSlow);
        self.timers.clear(TimerReason::MaxCall);
        self.input(Input::Waiting(news));
    }

    fn leave(&mut self, way: WayOut, number: Option<Ani>, window: Option<TimeSpan>) {
        let Some((id, handoff)) = self.transfer.take() else { return };
        self.timers.clear(TimerReason::Transfer);
        self.timers.clear(TimerReason::TransferSlow);
        self.limit();
        self.actions.push_back(Action::Leave { id, way, number, window });
        match way {
            WayOut::Line => {}
            // Whoever calls back has what an agent would have got.
            WayOut::Callback => self.handoff = Some(handoff),
            WayOut::Voicemail => self.take_message(handoff),
        }
    }

    fn transferred(&mut self, id: RequestId) {
        if let Some((_, handoff)) = self.transfer.take_if(|(waiting, _)| *waiting == id) {
            self.handoff = Some(handoff);
            self.actions.push_back(Action::HangUp { cause: HangupCause::Transferred });
            self.finish(HangupCause::Transferred);
        }
    }

    fn transfer_failed(&mut self, id: RequestId, fault: Fault) {
        if self.transfer.take_if(|(waiting, _)| *waiting == id).is_some() {
            self.timers.clear(TimerReason::Transfer);
            self.timers.clear(TimerReason::TransferSlow);
            self.limit();
            self.silence();
            self.input(Input::TransferFailed(fault));
        }
    }
}

/// VoiceXML's timeouts for a question: a number's digits come with pauses, so that an incomplete one
/// waits longer than an incomplete sentence.
fn timeouts(flow: &Flow, question: &Question) -> Timeouts {
    let usual = timeouts_of(flow, &question.expect);
    match question.no_input_ms {
        Some(ms) => Timeouts { no_input: Duration::from_millis(ms), ..usual },
        None => usual,
    }
}

fn timeouts_of(flow: &Flow, expect: &Expect) -> Timeouts {
    let spec = &flow.line.timeouts;
    let incomplete = match expect {
        Expect::Digits { .. } | Expect::Spelled => spec.incomplete_digits_ms,
        Expect::Open | Expect::Choice { .. } | Expect::YesNo => spec.incomplete_ms,
    };
    Timeouts {
        no_input: Duration::from_millis(spec.no_input_ms),
        complete: Duration::from_millis(spec.complete_ms),
        incomplete: Duration::from_millis(incomplete),
        max_speech: Duration::from_millis(spec.max_speech_ms),
        speculate_after: SPECULATE_AFTER,
        min_speech: MIN_SPEECH,
    }
}
