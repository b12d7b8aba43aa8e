//! A message that the caller leaves: the desk's [`Voicemail`] says what follows what, the dialogue has the words, and
//! the sound is here until it is kept.

use std::sync::Arc;
use std::time::Duration;

use super::{Conversation, Playing, TimerReason};
use crate::audio::{Frame, RATE_HZ};
use crate::call::{Action, Dtmf, Event, Fault, Handoff, RequestId};
use crate::desk::{Voicemail, VoicemailAction, VoicemailEnd, VoicemailEvent};
use crate::dialogue::{Input, MessageStep};

/// The tone after which a message is recorded: 1 kHz, as answering machines beep.
const BEEP_HZ: f32 = 1_000.0;

const BEEP: Duration = Duration::from_millis(400);

/// A quarter of full scale: audible on any telephone, painful on none.
const BEEP_PEAK: f32 = 8_192.0;

/// A message being left.
pub(super) struct Message {
    machine: Voicemail,
    handoff: Handoff,
    take: Vec<i16>,
    is_recording: bool,
    /// The request by which the take is being kept.
    keeping: Option<RequestId>,
}

fn beep() -> Arc<[i16]> {
    let samples = BEEP.as_millis() * u128::from(RATE_HZ) / 1_000;
    let sample = |n| (BEEP_PEAK * (n as f32 * BEEP_HZ / RATE_HZ as f32 * std::f32::consts::TAU).sin()) as i16;
    (0..u32::try_from(samples).unwrap_or(u32::MAX)).map(sample).collect()
}

impl Conversation {
    pub(super) fn take_message(&mut self, handoff: Handoff) {
        self.timers.clear(TimerReason::MaxCall);
        let machine = Voicemail::new(self.voicemail.clone());
        let message = Message { machine, handoff, take: Vec::new(), is_recording: false, keeping: None };
        self.message = Some(message);
        self.message_acts();
    }

    /// 20 ms while a message is being left; whether they belong to it.
    pub(super) fn message_heard(&mut self, frame: &Frame, voiced: bool) -> bool {
        let Some(message) = &mut self.message else { return false };
        if message.is_recording {
            message.take.extend(frame.samples());
        }
        let event = if voiced { VoicemailEvent::Speech } else { VoicemailEvent::Silence };
        self.message_event(event)
    }

    pub(super) fn message_key(&mut self, key: Dtmf) -> bool {
        self.message_event(VoicemailEvent::Key(key))
    }

    pub(super) fn message_played(&mut self) -> bool {
        self.message_event(VoicemailEvent::Played)
    }

    /// The caller is gone: what was said is kept.
    pub(super) fn message_hung_up(&mut self) {
        let Some(mut message) = self.message.take() else { return };
        message.machine.handle_event(self.now, VoicemailEvent::HungUp);
        let mut ends = std::iter::from_fn(|| message.machine.poll_action());
        if !ends.any(|action| action == VoicemailAction::Finish(VoicemailEnd::Kept)) {
            return;
        }
        if message.keeping.is_none() {
            let (id, sound) = (self.next_id(), message.take.into());
            let handoff = message.handoff.clone();
            self.actions.push_back(Action::KeepMessage { id, sound, handoff });
        }
        self.handoff = Some(message.handoff);
        self.has_left_message = true;
    }

    fn message_event(&mut self, event: VoicemailEvent) -> bool {
        let Some(message) = &mut self.message else { return false };
        message.machine.handle_event(self.now, event);
        self.message_acts();
        true
    }

    pub(super) fn message_timeout(&mut self) {
        if let Some(message) = &mut self.message {
            message.machine.handle_timeout(self.now);
            self.message_acts();
        }
    }

    /// The store's answer to a message.
    pub(super) fn message_kept(&mut self, id: RequestId, lost: Option<&Fault>) {
        if self.message.as_ref().is_none_or(|message| message.keeping != Some(id)) {
            return;
        }
        if lost.is_some() {
            self.end_message(MessageStep::Lost);
        } else {
            self.input(Input::Message(MessageStep::Kept));
        }
    }

    fn message_acts(&mut self) {
        while let Some(action) = self.message.as_mut().and_then(|message| message.machine.poll_action()) {
            self.message_act(action);
        }
        self.timers.clear(TimerReason::Message);
        if let Some(at) = self.message.as_ref().and_then(|message| message.machine.poll_timeout()) {
            self.timers.set(TimerReason::Message, at);
        }
    }

    fn message_act(&mut self, action: VoicemailAction) {
        let Some(message) = &mut self.message else { return };
        match action {
            VoicemailAction::SayInstructions => self.message_says(MessageStep::Instructions),
            VoicemailAction::SayTooShort => self.message_says(MessageStep::TooShort),
            VoicemailAction::SayReview => self.message_says(MessageStep::Review),
            VoicemailAction::Beep => self.play(beep()),
            VoicemailAction::StartRecording => {
                message.is_recording = true;
                message.take.clear();
            }
            VoicemailAction::StopRecording => message.is_recording = false,
            VoicemailAction::PlayBack => {
                let take = message.take.as_slice().into();
                self.play(take);
            }
            // It is said to be kept once it is.
            VoicemailAction::SayKept => self.keep_message(),
            VoicemailAction::Finish(VoicemailEnd::Kept) if message.keeping.is_none() => {
                self.keep_message();
                self.end_message(MessageStep::Done);
            }
            VoicemailAction::Finish(VoicemailEnd::Kept) => self.end_message(MessageStep::Done),
            VoicemailAction::Finish(VoicemailEnd::Nothing) => self.end_message(MessageStep::Nothing),
            VoicemailAction::Finish(VoicemailEnd::Person) => self.end_message(MessageStep::Person),
        }
    }

    /// Says the next thing; what was being said or played is over.
    fn message_says(&mut self, step: MessageStep) {
        self.silence();
        self.input(Input::Message(step));
    }

    fn play(&mut self, sound: Arc<[i16]>) {
        self.silence();
        let id = self.next_id();
        self.playing = Some(Playing { id, barge_in: false });
        self.actions.push_back(Action::Play { id, sound });
    }

    fn keep_message(&mut self) {
        self.silence();
        let id = self.next_id();
        if let Some(message) = &mut self.message {
            message.keeping = Some(id);
            let (sound, handoff) = (message.take.as_slice().into(), message.handoff.clone());
            self.actions.push_back(Action::KeepMessage { id, sound, handoff });
            self.timers.set(TimerReason::KeepMessage, self.now + super::timers::LOOK_UP_DEADLINE);
        }
    }

    fn end_message(&mut self, step: MessageStep) {
        let Some(message) = self.message.take() else { return };
        if step == MessageStep::Done {
            self.handoff = Some(message.handoff);
            self.has_left_message = true;
        }
        self.timers.clear(TimerReason::Message);
        self.timers.clear(TimerReason::KeepMessage);
        self.limit();
        self.silence();
        self.input(Input::Message(step));
    }

    /// Nobody has said whether the message is kept.
    pub(super) fn message_unanswered(&mut self) {
        if let Some(id) = self.message.as_ref().and_then(|message| message.keeping) {
            let event = Event::MessageLost { id, fault: Fault::TimedOut };
            self.handle_event(self.now, event);
        }
    }
}
