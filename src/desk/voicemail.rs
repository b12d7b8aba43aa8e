//! Taking a message: beep, recording, and whether it is to be kept.
//!
//! [`Voicemail`] says what to play and record and when to stop; whoever drives it has the sound. Whatever ends
//! the call once something was said, the message is kept: a caller who hangs up after speaking has left one.

use std::time::Duration;

use super::spec::VoicemailSpec;
use crate::call::{CallTime, Dtmf};

/// How long the caller may think about keeping it; then it is kept.
const REVIEW: Duration = Duration::from_secs(8);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoicemailEvent {
    /// What was to be said, beeped or played has been heard.
    Played,
    /// The caller speaks.
    Speech,
    /// The caller has stopped speaking.
    Silence,
    /// A key.
    Key(Dtmf),
    /// The caller is gone.
    HungUp,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoicemailAction {
    /// Say that a message can be left and how it is ended.
    SayInstructions,
    /// Beep.
    Beep,
    /// Record from now on; an earlier take is thrown away.
    StartRecording,
    /// Record no longer.
    StopRecording,
    /// Say that nothing was heard.
    SayTooShort,
    /// Play the message.
    PlayBack,
    /// Say: 1 to keep it, 2 to record it anew, 3 to hear it again.
    SayReview,
    /// Say that it is kept, and when somebody will hear it.
    SayKept,
    /// It is over.
    Finish(VoicemailEnd),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoicemailEnd {
    /// There is a message.
    Kept,
    /// There is none.
    Nothing,
    /// The caller wants a person.
    Person,
}

/// One caller leaving a message.
#[derive(Clone, Debug)]
pub struct Voicemail {
    spec: VoicemailSpec,
    state: State,
    retakes: u8,
    /// Whether there is a message, until the next recording begins.
    has_take: bool,
    actions: std::collections::VecDeque<VoicemailAction>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Instructions,
    Beep,
    Recording { since: CallTime, silent: Option<CallTime>, spoke: Duration },
    PlayBack,
    Review { until: Option<CallTime> },
    Kept,
    Over,
}

impl Voicemail {
    /// Begins with the instructions.
    pub fn new(spec: VoicemailSpec) -> Voicemail {
        let actions = [VoicemailAction::SayInstructions].into();
        Voicemail { spec, state: State::Instructions, retakes: 0, has_take: false, actions }
    }

    /// Takes note of what happened.
    pub fn handle_event(&mut self, now: CallTime, event: VoicemailEvent) {
        match event {
            VoicemailEvent::Played => self.played(now),
            VoicemailEvent::Key(key) => self.key(now, key),
            VoicemailEvent::HungUp => self.hung_up(now),
            VoicemailEvent::Speech | VoicemailEvent::Silence => self.voice(now, event),
        }
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: CallTime) {
        if self.poll_timeout().is_none_or(|due| due > now) {
            return;
        }
        match self.state {
            State::Recording { .. } => self.stop(now),
            State::Review { .. } => self.keep(),
            State::Instructions | State::Beep | State::PlayBack | State::Kept | State::Over => {}
        }
    }

    /// When [`Voicemail::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<CallTime> {
        match self.state {
            State::Recording { since, silent, .. } => {
                let longest = since + secs(self.spec.max_seconds);
                let silent = silent.map(|from| from + secs(self.spec.silence_seconds));
                Some(silent.map_or(longest, |end| end.min(longest)))
            }
            State::Review { until } => until,
            State::Instructions | State::Beep | State::PlayBack | State::Kept | State::Over => None,
        }
    }

    /// What is to be done, in order.
    pub fn poll_action(&mut self) -> Option<VoicemailAction> {
        self.actions.pop_front()
    }

    fn act(&mut self, action: VoicemailAction) {
        self.actions.push_back(action);
    }

    fn finish(&mut self, end: VoicemailEnd) {
        self.state = State::Over;
        self.act(VoicemailAction::Finish(end));
    }

    fn played(&mut self, now: CallTime) {
        match self.state {
            State::Instructions => self.beep(),
            State::Beep => {
                // Silence counts from the beep on: who says nothing at all is not recorded for two minutes.
                self.state = State::Recording { since: now, silent: Some(now), spoke: Duration::ZERO };
                self.has_take = false;
                self.act(VoicemailAction::StartRecording);
            }
            State::PlayBack => {
                self.state = State::Review { until: None };
                self.act(VoicemailAction::SayReview);
            }
            State::Review { .. } => self.state = State::Review { until: Some(now + REVIEW) },
            State::Kept => self.finish(VoicemailEnd::Kept),
            State::Recording { .. } | State::Over => {}
        }
    }

    fn beep(&mut self) {
        self.state = State::Beep;
        self.act(VoicemailAction::Beep);
    }

    fn key(&mut self, now: CallTime, key: Dtmf) {
        match (self.state, key.as_char()) {
            (State::Over | State::Kept, _) => {}
            (State::Recording { .. }, '#') => self.stop(now),
            // Any other key belongs to the message.
            (State::Recording { .. }, _) => {}
            (State::Instructions, '#') => self.beep(),
            (State::Instructions | State::Beep, '0') => self.finish(VoicemailEnd::Person),
            (State::Instructions | State::Beep, _) => {}
            // The message stays, and a person is asked for besides.
            (State::Review { .. } | State::PlayBack, '0') => {
                self.finish(VoicemailEnd::Kept);
            }
            (State::Review { .. } | State::PlayBack, '1' | '#') => self.keep(),
            (State::Review { .. } | State::PlayBack, '2') if self.retakes < self.spec.retakes => {
                self.retakes += 1;
                self.beep();
            }
            (State::Review { .. } | State::PlayBack, '3') => {
                self.state = State::PlayBack;
                self.act(VoicemailAction::PlayBack);
            }
            (State::Review { .. } | State::PlayBack, _) => {
                self.state = State::Review { until: None };
                self.act(VoicemailAction::SayReview);
            }
        }
    }

    fn voice(&mut self, now: CallTime, event: VoicemailEvent) {
        let State::Recording { since, silent, spoke } = self.state else { return };
        let heard_from = match (event, silent) {
            // Speech that goes on, or silence that does.
            (VoicemailEvent::Speech, None) | (VoicemailEvent::Silence, Some(_)) => return,
            (VoicemailEvent::Speech, Some(_)) => None,
            _ => Some(now),
        };
        // The first speech counts from its own beginning, not from the beep.
        let spoke = if heard_from.is_some() { spoke.max(now.since(since)) } else { spoke };
        self.state = State::Recording { since, silent: heard_from, spoke };
    }

    /// Whether enough was said to be a message.
    fn is_message(&self, now: CallTime) -> bool {
        let State::Recording { since, silent, spoke } = self.state else { return false };
        let spoken = if silent.is_none() { now.since(since) } else { spoke };
        spoken > Duration::ZERO && spoken >= secs(self.spec.min_seconds)
    }

    fn stop(&mut self, now: CallTime) {
        let is_message = self.is_message(now);
        self.act(VoicemailAction::StopRecording);
        if is_message {
            self.has_take = true;
            self.state = State::PlayBack;
            self.act(VoicemailAction::PlayBack);
        } else if self.retakes < self.spec.retakes {
            self.retakes += 1;
            self.state = State::Instructions;
            self.act(VoicemailAction::SayTooShort);
        } else {
            self.finish(VoicemailEnd::Nothing);
        }
    }

    fn keep(&mut self) {
        self.state = State::Kept;
        self.act(VoicemailAction::SayKept);
    }

    fn hung_up(&mut self, now: CallTime) {
        let end = match self.state {
            State::Over => return,
            State::Recording { .. } => {
                let is_message = self.is_message(now);
                self.act(VoicemailAction::StopRecording);
                if is_message { VoicemailEnd::Kept } else { VoicemailEnd::Nothing }
            }
            State::PlayBack | State::Review { .. } | State::Kept => VoicemailEnd::Kept,
            // The new take has not begun: the earlier one stands.
            State::Instructions | State::Beep if self.has_take => VoicemailEnd::Kept,
            State::Instructions | State::Beep => VoicemailEnd::Nothing,
        };
        self.finish(end);
    }
}

fn secs(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Plays `script`, one word an event: `played`, `speech`, `silence`, a key, `hangup`, or milliseconds that
    /// pass; gives the actions.
    fn play(script: &str) -> Vec<VoicemailAction> {
        let mut voicemail = Voicemail::new(VoicemailSpec::default());
        let (mut now, mut actions) = (CallTime::ZERO, Vec::new());
        for word in script.split_whitespace() {
            let event = match word {
                "played" => VoicemailEvent::Played,
                "speech" => VoicemailEvent::Speech,
                "silence" => VoicemailEvent::Silence,
                "hangup" => VoicemailEvent::HungUp,
                key if key.len() == 1 => {
                    let key = key.chars().next().and_then(|c| Dtmf::try_from(c).ok());
                    VoicemailEvent::Key(key.expect("a key"))
                }
                ms => {
                    now = now + Duration::from_millis(ms.parse().expect("milliseconds"));
                    voicemail.handle_timeout(now);
                    actions.extend(std::iter::from_fn(|| voicemail.poll_action()));
                    continue;
                }
            };
            voicemail.handle_event(now, event);
            actions.extend(std::iter::from_fn(|| voicemail.poll_action()));
        }
        actions
    }

    #[track_caller]
    fn check(script: &str, end: &[VoicemailAction]) {
        let actions = play(script);
        assert!(actions.ends_with(end), "{script}: {actions:?}");
    }

    use VoicemailAction::{
        Beep, Finish, PlayBack, SayInstructions, SayKept, SayReview, SayTooShort, StartRecording,
        StopRecording,
    };

    #[test]
    fn a_message_is_ended_by_pound_and_kept() {
        let whole = play("played played 500 speech 4000 # played played 1 played");
        let expected = [
            SayInstructions,
            Beep,
            StartRecording,
            StopRecording,
            PlayBack,
            SayReview,
            SayKept,
            Finish(VoicemailEnd::Kept),
        ];
        assert_eq!(whole, expected);
    }

    #[test]
    fn it_ends_on_silence_and_at_the_limit() {
        check("played played 500 speech 3000 silence 4999", &[StartRecording]);
        check("played played 500 speech 3000 silence 5000", &[StopRecording, PlayBack]);
        check("played played 500 speech 119500", &[StopRecording, PlayBack]);
    }

    #[test]
    fn nothing_said_is_no_message() {
        check("played played 5000", &[StopRecording, SayTooShort]);
        let thrice = "played played 5000 played played 5000 played played 5000 played played 5000";
        check(thrice, &[StopRecording, Finish(VoicemailEnd::Nothing)]);
        check("played played 300 hangup", &[StopRecording, Finish(VoicemailEnd::Nothing)]);
    }

    #[test]
    fn who_hangs_up_has_left_a_message() {
        check("played played 500 speech 3000 hangup", &[StopRecording, Finish(VoicemailEnd::Kept)]);
        check("played played 500 speech 3000 # hangup", &[PlayBack, Finish(VoicemailEnd::Kept)]);
        check("played played 500 speech 3000 # played played 8000", &[SayKept]);
    }

    #[test]
    fn a_take_stands_until_the_next_begins() {
        check("played played 500 speech 3000 # 2 hangup", &[Beep, Finish(VoicemailEnd::Kept)]);
        check(
            "played played 500 speech 3000 # 2 played hangup",
            &[StopRecording, Finish(VoicemailEnd::Nothing)],
        );
    }

    #[test]
    fn it_can_be_recorded_anew_and_heard_again() {
        check("played played 500 speech 3000 # 2 played", &[Beep, StartRecording]);
        check("played played 500 speech 3000 # played 3 played", &[PlayBack, SayReview]);
        check("0", &[Finish(VoicemailEnd::Person)]);
    }

    proptest! {
        /// A message ends, whatever callers do, and nothing follows its end.
        #[test]
        fn every_message_ends(words in prop::collection::vec(
            prop::sample::select(vec!["played", "speech", "silence", "#", "1", "2", "3", "5", "900", "5000"]), 0..60,
        )) {
            let actions = play(&format!("{} hangup", words.join(" ")));
            let ends = actions.iter().filter(|a| matches!(a, Finish(_))).count();
            prop_assert_eq!(ends, 1);
            prop_assert!(matches!(actions.last(), Some(Finish(_))));
            let starts = actions.iter().filter(|a| **a == StartRecording).count();
            prop_assert_eq!(starts, actions.iter().filter(|a| **a == StopRecording).count());
        }
    }
}
