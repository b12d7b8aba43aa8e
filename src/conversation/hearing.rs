//! From the endpointer's turns to one answer for the dialogue: speculative recognition, its
//! interpretation, and the moment when both the caller and the engines are done.

use std::time::Duration;

use super::timers::RECOGNIZER_DEADLINE;
use super::{Conversation, TimerReason};
use crate::audio::rms_dbfs;
use crate::call::{
    Action, Expect, Fault, Interpretation, Note, Pii, Recognition, RequestId, TurnRecord, Utterance,
};
use crate::dialogue::Input;
use crate::speech::Turn;

/// Speech shorter than this in which nothing was recognised is a cough or a door, not an answer.
const SHORTEST_ANSWER: Duration = Duration::from_millis(400);

/// One utterance on its way to the dialogue.
#[derive(Debug)]
pub(super) struct Hearing {
    /// The recognition's request.
    pub(super) id: RequestId,
    utterance: Utterance,
    recognition: Option<Recognition>,
    interpretation: Reply,
    /// Whether the caller has finished.
    ended: bool,
}

#[derive(Debug)]
enum Reply {
    /// Nothing to interpret yet.
    None,
    Awaited(RequestId),
    There(Option<Interpretation>),
}

impl Conversation {
    pub(super) fn take_turns(&mut self) {
        while let Some(turn) = self.endpointer.poll_turn() {
            if self.ended {
                return;
            }
            if self.keypad_only {
                self.take_unheard(turn);
                continue;
            }
            match turn {
                Turn::SpeechStarted { .. } => {
                    self.actions.push_back(Action::Note(Note::SpeechStarted));
                    self.barge_in();
                }
                Turn::Speculate { utterance } => self.recognize(utterance),
                Turn::SpeechResumed => self.forget_speculation(),
                Turn::SpeechEnded { utterance, .. } | Turn::MaxSpeech { utterance } => {
                    self.speech_ended(utterance)
                }
                Turn::NoInput => self.no_input(),
            }
        }
    }

    /// Where only keys count: speech over a prompt is let pass, and to an answer in speech the line says that
    /// it takes keys.
    fn take_unheard(&mut self, turn: Turn) {
        match turn {
            Turn::SpeechStarted { .. } | Turn::Speculate { .. } | Turn::SpeechResumed => {}
            Turn::SpeechEnded { utterance, .. } | Turn::MaxSpeech { utterance } => {
                if !self.awaiting {
                    return;
                }
                let spoken = utterance.ended.since(utterance.started);
                if spoken < SHORTEST_ANSWER { self.wait_on() } else { self.hearing_fault(Fault::Overloaded) }
            }
            Turn::NoInput => self.no_input(),
        }
    }

    fn recognize(&mut self, utterance: Utterance) {
        self.forget_speculation();
        let id = self.next_id();
        let expect = self.question.as_ref().map_or(Expect::Open, |q| q.expect.clone());
        self.actions.push_back(Action::Recognize { id, utterance: utterance.clone(), expect });
        self.hearing =
            Some(Hearing { id, utterance, recognition: None, interpretation: Reply::None, ended: false });
    }

    fn forget_speculation(&mut self) {
        if let Some(hearing) = self.hearing.take_if(|h| !h.ended) {
            self.endpointer.set_complete(false);
            self.actions.push_back(Action::CancelRecognition { id: hearing.id });
        }
    }

    fn speech_ended(&mut self, utterance: Utterance) {
        self.actions.push_back(Action::Note(Note::SpeechEnded { at: utterance.ended }));
        if self.hearing.is_none() {
            self.recognize(utterance);
        }
        if let Some(hearing) = &mut self.hearing {
            hearing.ended = true;
        }
        self.timers.set(TimerReason::Recognizer, self.now + RECOGNIZER_DEADLINE);
        self.conclude();
    }

    pub(super) fn recognized(&mut self, id: RequestId, recognition: Recognition) {
        let Some(hearing) = self.hearing.as_mut().filter(|h| h.id == id) else { return };
        let hypotheses = recognition.hypotheses.clone();
        hearing.recognition = Some(recognition);
        if hypotheses.is_empty() {
            hearing.interpretation = Reply::There(None);
        } else {
            let id = self.next_id();
            if let Some(hearing) = &mut self.hearing {
                hearing.interpretation = Reply::Awaited(id);
            }
            self.actions.push_back(Action::Interpret { id, hypotheses });
        }
        self.weigh_completeness();
        self.conclude();
    }

    pub(super) fn interpreted(&mut self, id: RequestId, interpretation: Option<Interpretation>) {
        let Some(hearing) = &mut self.hearing else { return };
        if !matches!(hearing.interpretation, Reply::Awaited(awaited) if awaited == id) {
            return;
        }
        hearing.interpretation = Reply::There(interpretation);
        self.weigh_completeness();
        self.conclude();
    }

    /// Whether what was heard so far answers the question decides how long the line waits for more.
    fn weigh_completeness(&mut self) {
        let Some(hearing) = &self.hearing else { return };
        let Some(recognition) = &hearing.recognition else { return };
        let meant = match &hearing.interpretation {
            Reply::There(meant) => meant.as_ref(),
            Reply::None | Reply::Awaited(_) => None,
        };
        let complete = self.dialogue.is_complete(recognition, meant);
        self.endpointer.set_complete(complete);
    }

    pub(super) fn recognition_failed(&mut self, id: RequestId, fault: Fault) {
        if self.hearing.as_ref().is_some_and(|h| h.id == id) {
            self.hearing_fault(fault);
        }
    }

    pub(super) fn recognizer_late(&mut self) {
        let Some(hearing) = &mut self.hearing else { return };
        if hearing.recognition.is_some() {
            // Only the classifier is late: what was heard may answer the question without it.
            hearing.interpretation = Reply::There(None);
            self.conclude();
        } else {
            self.hearing_fault(Fault::TimedOut);
        }
    }

    fn hearing_fault(&mut self, fault: Fault) {
        if self.question.is_none() {
            // Nothing was asked: nothing is lost, and what is on its way (an agent, an answer) goes on.
            self.hearing = None;
            self.timers.clear(TimerReason::Recognizer);
            return;
        }
        self.silence();
        let stage = self.dialogue.stage();
        let decision = self.input(Input::HearingFault(fault));
        self.turns.push(TurnRecord {
            at: self.now,
            ended: self.now,
            decision: decision.to_owned(),
            stage,
            ..TurnRecord::default()
        });
    }

    fn no_input(&mut self) {
        if !self.awaiting || self.hearing.is_some() {
            return;
        }
        self.actions.push_back(Action::Note(Note::NoInput));
        self.close();
        let stage = self.dialogue.stage();
        let decision = self.input(Input::NoInput);
        let word = if decision.is_empty() { "no_input" } else { decision };
        self.turns.push(TurnRecord {
            at: self.now,
            ended: self.now,
            decision: word.to_owned(),
            stage,
            ..TurnRecord::default()
        });
    }

    /// Once the caller has finished and the engines have answered, the dialogue hears of it.
    fn conclude(&mut self) {
        let done = self.hearing.as_ref().is_some_and(|h| {
            let Some(recognition) = h.recognition.as_ref().filter(|_| h.ended) else { return false };
            // Where the words alone answer the question, a slow classifier keeps nobody waiting.
            matches!(h.interpretation, Reply::There(_)) || self.dialogue.is_complete(recognition, None)
        });
        if !done {
            return;
        }
        let Some(hearing) = self.hearing.take() else { return };
        let recognition = hearing.recognition.unwrap_or_default();
        let meant = match hearing.interpretation {
            Reply::There(meant) => meant,
            Reply::None | Reply::Awaited(_) => None,
        };
        let spoken = hearing.utterance.ended.since(hearing.utterance.started);
        if recognition.best().is_none() && spoken < SHORTEST_ANSWER {
            self.actions.push_back(Action::Note(Note::Decided {
                decision: "noise",
                why: format!("{} ms without a word", spoken.as_millis()),
            }));
            self.timers.clear(TimerReason::Recognizer);
            if self.awaiting {
                self.wait_on();
            }
            return;
        }
        self.record_speech(&hearing.utterance, &recognition, meant.as_ref());
        // Speech while nothing was asked: only a command matters, so that nothing queued is dropped.
        if self.question.is_some() {
            self.close();
            // A prompt that cannot be interrupted plays on; what it led to is answered.
            self.pending.clear();
        } else {
            self.timers.clear(TimerReason::Recognizer);
        }
        let level_dbfs = level_of(&hearing.utterance);
        let interpretation = meant.as_ref();
        let decision = self.input(Input::Heard { recognition: &recognition, interpretation, level_dbfs });
        self.decide_turn(decision);
    }

    fn record_speech(&mut self, utterance: &Utterance, heard: &Recognition, meant: Option<&Interpretation>) {
        let best = meant.and_then(Interpretation::best);
        self.turns.push(TurnRecord {
            at: utterance.started,
            ended: utterance.ended,
            heard: heard.best().filter(|_| !self.dialogue.is_secret()).map(|h| h.text.clone()),
            confidence: heard.best().map(|h| h.confidence),
            keys: None,
            intent: best.map(|s| s.intent.clone()),
            probability: best.map(|s| s.probability),
            second: meant.and_then(|m| m.ranked.get(1)).cloned(),
            decision: String::new(),
            decided_after_ms: 0,
            stage: self.dialogue.stage(),
        });
    }

    /// Keys that were pressed; `None` where they are a secret.
    pub(super) fn record_keys(&mut self, keys: Option<&str>) {
        self.turns.push(TurnRecord {
            at: self.now,
            ended: self.now,
            keys: keys.map(Pii::from),
            stage: self.dialogue.stage(),
            ..TurnRecord::default()
        });
    }

    /// Completes the last turn's record.
    pub(super) fn decide_turn(&mut self, decision: &str) {
        let now = self.now;
        if let Some(turn) = self.turns.last_mut() {
            turn.decision = decision.to_owned();
            turn.decided_after_ms = u64::try_from(now.since(turn.ended).as_millis()).unwrap_or(u64::MAX);
        }
    }
}

/// How loud an utterance was, RMS in dBFS; `None` where it is digital silence, as in a script.
fn level_of(utterance: &Utterance) -> Option<f32> {
    let voiced = utterance.pcm.iter().any(|s| *s != 0);
    voiced.then(|| rms_dbfs(&utterance.pcm))
}
