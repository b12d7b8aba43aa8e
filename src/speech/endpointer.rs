//! Where an utterance begins and where it is over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Voice;
use crate::audio::{FRAME_DURATION, FRAME_SAMPLES, Frame, RATE_HZ};
use crate::call::{CallTime, Utterance};

/// Sound kept from before the first voiced frame: soft onsets, which voice activity detection misses.
pub const PRE_ROLL: Duration = Duration::from_millis(300);

/// Silence kept after the last voiced frame, at most: a recogniser hears a word's end better with some.
pub const POST_ROLL: Duration = Duration::from_millis(200);

/// Voiced frames within [`RESUME_SPAN`] that count as the voice coming back. One alone is a click or
/// the detector's mistake, and would cost a recognition.
const RESUME_FRAMES: usize = 2;

/// Frames in which they have to be.
const RESUME_SPAN: usize = 3;

/// How long a caller may take, in VoiceXML 2.1's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Nothing said since [`Endpointer::listen`].
    pub no_input: Duration,
    /// Silence after what was declared a complete answer.
    pub complete: Duration,
    /// Silence after anything else.
    pub incomplete: Duration,
    /// Longest utterance, which also bounds the memory: 32 kB a second.
    pub max_speech: Duration,
    /// Silence from which recognition is worth a try.
    pub speculate_after: Duration,
    /// Voiced sound, within twice its length, that begins an utterance; shorter is a click.
    pub min_speech: Duration,
}

impl Default for Timeouts {
    /// No input as peers have it; VoiceXML 2.1 leaves the silences to the platform, and the dialogue sets
    /// them for each question; `min_speech` is from `docs/vad.md`.
    fn default() -> Timeouts {
        Timeouts {
            no_input: Duration::from_secs(5),
            complete: Duration::from_millis(400),
            incomplete: Duration::from_millis(1_200),
            max_speech: Duration::from_secs(15),
            speculate_after: Duration::from_millis(200),
            min_speech: Duration::from_millis(80),
        }
    }
}

/// What an [`Endpointer`] noticed.
///
/// An utterance is `SpeechStarted`, then one or more `Speculate` with `SpeechResumed` between them,
/// then one `SpeechEnded` or `MaxSpeech`, whose sound is that of the last `Speculate`: the same
/// allocation, so that whoever began to recognise at `Speculate` needs no second try.
#[derive(Clone, Debug)]
pub enum Turn {
    /// The caller began to speak.
    SpeechStarted {
        /// When the first voiced frame came in.
        at: CallTime,
    },
    /// The caller may have finished: what was said so far.
    Speculate {
        /// The sound.
        utterance: Utterance,
    },
    /// The caller had not: the last speculation is void.
    SpeechResumed,
    /// The caller has finished.
    SpeechEnded {
        /// The sound, as in the last `Speculate`.
        utterance: Utterance,
        /// Since the last voiced frame.
        silence: Duration,
    },
    /// The caller has spoken for as long as may be.
    MaxSpeech {
        /// The sound, as in the last `Speculate`.
        utterance: Utterance,
    },
    /// Nothing was said in time.
    NoInput,
}

/// What an [`Endpointer`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerReason {
    /// The caller says nothing.
    NoInput,
    /// The caller may have finished.
    Speculate,
    /// The caller has finished a complete answer.
    Complete,
    /// The caller has finished, with whatever it is.
    Incomplete,
    /// The caller goes on and on.
    MaxSpeech,
}

/// Cuts a caller's sound into utterances. Reads no clock: `now` never runs backwards, and is when the
/// frame had come in. Feed every frame, also while nobody is asked: barge-in is speech like any other.
pub struct Endpointer {
    timeouts: Timeouts,
    no_input_at: Option<CallTime>,
    /// The latest frames, oldest first.
    heard: VecDeque<Heard>,
    speech: Option<Speech>,
    complete: bool,
    turns: VecDeque<Turn>,
}

struct Heard {
    at: CallTime,
    voiced: bool,
    frame: Frame,
}

/// An utterance in the making.
struct Speech {
    pcm: Vec<i16>,
    started: CallTime,
    /// The last voiced frame that counts, and where it ends in `pcm`.
    voiced_at: CallTime,
    voiced_len: usize,
    /// Voiced frames after a speculation that do not amount to a voice yet.
    blip_at: Option<CallTime>,
    speculation: Option<Utterance>,
}

impl Endpointer {
    /// Hears, but expects nothing until [`listen`](Self::listen).
    pub fn new(timeouts: Timeouts) -> Endpointer {
        Endpointer {
            timeouts,
            no_input_at: None,
            heard: VecDeque::new(),
            speech: None,
            complete: false,
            turns: VecDeque::new(),
        }
    }

    /// Whether an utterance is under way.
    pub fn is_speech_active(&self) -> bool {
        self.speech.is_some()
    }

    /// The next frame and what voice activity detection says about it.
    pub fn handle_frame(&mut self, now: CallTime, frame: &Frame, voice: Voice) {
        self.heard.push_back(Heard { at: now, voiced: voice.voiced, frame: frame.clone() });
        let kept = frames_in(PRE_ROLL) + self.onset_span();
        while self.heard.len() > kept {
            self.heard.pop_front();
        }
        if self.speech.is_some() {
            self.go_on(now, frame, voice.voiced);
        } else {
            self.begin_if_voiced();
        }
        self.handle_timeout(now);
    }

    /// Does what is due at `now`; nothing is, where [`poll_timeout`](Self::poll_timeout) lies ahead.
    pub fn handle_timeout(&mut self, now: CallTime) {
        while let Some((due, reason)) = self.poll_timeout() {
            if due > now {
                return;
            }
            match reason {
                TimerReason::NoInput => {
                    self.no_input_at = None;
                    self.turns.push_back(Turn::NoInput);
                }
                TimerReason::Speculate => {
                    self.speculate();
                }
                TimerReason::Complete | TimerReason::Incomplete => self.end(Some(now)),
                TimerReason::MaxSpeech => self.end(None),
            }
        }
    }

    /// Changes the timeouts, also in the middle of an utterance.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) {
        self.timeouts = timeouts;
    }

    /// What has been heard so far is a complete answer, so that the complete timeout applies; or it is
    /// not. Forgotten when the voice comes back and when the next utterance begins.
    pub fn set_complete(&mut self, complete: bool) {
        self.complete = complete;
    }

    /// Starts the no-input timer, unless the caller is speaking already.
    pub fn listen(&mut self, now: CallTime) {
        self.no_input_at = self.speech.is_none().then(|| now + self.timeouts.no_input);
    }

    /// Stops the no-input timer, as while a prompt is playing.
    pub fn pause_no_input(&mut self) {
        self.no_input_at = None;
    }

    /// Forgets the utterance under way, the timer, and every turn that was not polled. What was heard
    /// before `now` begins no utterance any more.
    pub fn reset(&mut self, now: CallTime) {
        tracing::debug!(%now, speaking = self.speech.is_some(), "endpointer reset");
        *self = Endpointer::new(self.timeouts);
    }

    /// The next thing noticed; call until `None`.
    pub fn poll_turn(&mut self) -> Option<Turn> {
        self.turns.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, and what for. May lie in the past.
    pub fn poll_timeout(&self) -> Option<(CallTime, TimerReason)> {
        let Some(speech) = &self.speech else {
            return self.no_input_at.map(|due| (self.after_onset(due), TimerReason::NoInput));
        };
        let max_speech = (speech.started + self.timeouts.max_speech, TimerReason::MaxSpeech);
        let next = if speech.speculation.is_none() {
            (
                speech.voiced_at + self.timeouts.speculate_after.min(self.end_timeout().0),
                TimerReason::Speculate,
            )
        } else {
            let (timeout, reason) = self.end_timeout();
            // A voice that may just be coming back is given the time to show itself.
            let span = FRAME_DURATION * (RESUME_SPAN as u32 - 1);
            let shown = speech.blip_at.map_or(CallTime::ZERO, |at| at + span);
            ((speech.voiced_at + timeout).max(shown), reason)
        };
        Some(if max_speech.0 <= next.0 { max_speech } else { next })
    }

    fn end_timeout(&self) -> (Duration, TimerReason) {
        if self.complete {
            (self.timeouts.complete, TimerReason::Complete)
        } else {
            (self.timeouts.incomplete, TimerReason::Incomplete)
        }
    }

    /// Frames in which enough of them must be voiced to begin an utterance.
    fn onset_span(&self) -> usize {
        2 * frames_in(self.timeouts.min_speech).max(1)
    }

    /// No input, put off while an utterance may just be beginning; but not for ever.
    fn after_onset(&self, due: CallTime) -> CallTime {
        let last_voiced = self.heard.iter().rev().take(self.onset_span()).find(|heard| heard.voiced);
        let shown = last_voiced.map_or(CallTime::ZERO, |heard| heard.at + self.timeouts.min_speech);
        due.max(shown).min(due + self.timeouts.min_speech * 2)
    }

    fn begin_if_voiced(&mut self) {
        let span = self.heard.len().saturating_sub(self.onset_span());
        let voiced = self.heard.range(span..).filter(|heard| heard.voiced).count();
        if voiced < frames_in(self.timeouts.min_speech).max(1) {
            return;
        }
        let is_voiced = |heard: &&Heard| heard.voiced;
        let (Some(first), Some(last)) = (
            self.heard.range(span..).position(|heard| heard.voiced).map(|i| i + span),
            self.heard.iter().rev().find(is_voiced),
        ) else {
            return;
        };
        let voiced_at = last.at;
        let started = self.heard[first].at;
        let from = first.saturating_sub(frames_in(PRE_ROLL));
        let mut pcm = Vec::with_capacity(RATE_HZ as usize * 4);
        let mut voiced_len = 0;
        for heard in self.heard.range(from..) {
            pcm.extend_from_slice(heard.frame.samples());
            if heard.voiced {
                voiced_len = pcm.len();
            }
        }
        self.no_input_at = None;
        self.complete = false;
        self.speech = Some(Speech { pcm, started, voiced_at, voiced_len, blip_at: None, speculation: None });
        self.turns.push_back(Turn::SpeechStarted { at: started });
    }

    fn go_on(&mut self, now: CallTime, frame: &Frame, voiced: bool) {
        let returned = self.heard.iter().rev().take(RESUME_SPAN).filter(|heard| heard.voiced).count();
        // Frames that come in faster than `now` moves must not grow the buffer for ever.
        let max = samples_in(self.timeouts.max_speech + PRE_ROLL) + self.onset_span() * FRAME_SAMPLES;
        let Some(speech) = &mut self.speech else { return };
        speech.pcm.extend_from_slice(frame.samples());
        if voiced {
            if speech.speculation.is_some() && returned < RESUME_FRAMES {
                speech.blip_at = Some(now);
            } else {
                if speech.speculation.take().is_some() {
                    self.complete = false;
                    self.turns.push_back(Turn::SpeechResumed);
                }
                speech.blip_at = None;
                speech.voiced_at = now;
                speech.voiced_len = speech.pcm.len();
            }
        }
        if speech.pcm.len() >= max {
            self.end(None);
        }
    }

    /// The utterance so far; makes it, and says so, unless that has been done since the last voice.
    fn speculate(&mut self) -> Option<Utterance> {
        let speech = self.speech.as_mut()?;
        if speech.speculation.is_none() {
            let len = speech.pcm.len().min(speech.voiced_len + samples_in(POST_ROLL));
            let utterance = Utterance {
                pcm: Arc::from(&speech.pcm[..len]),
                started: speech.started,
                ended: speech.voiced_at,
            };
            speech.speculation = Some(utterance.clone());
            self.turns.push_back(Turn::Speculate { utterance });
        }
        speech.speculation.clone()
    }

    /// Ends the utterance: of itself at `now`, or because it is too long.
    fn end(&mut self, now: Option<CallTime>) {
        let Some(utterance) = self.speculate() else { return };
        self.turns.push_back(match now {
            Some(now) => {
                Turn::SpeechEnded { silence: now.since(utterance.ended), utterance: utterance.clone() }
            }
            None => Turn::MaxSpeech { utterance: utterance.clone() },
        });
        self.speech = None;
        self.complete = false;
        // What this utterance holds must not begin the next one.
        self.heard.retain(|heard| heard.at > utterance.ended);
    }
}

const fn samples_in(duration: Duration) -> usize {
    (duration.as_millis() * RATE_HZ as u128 / 1_000) as usize
}

/// Frames that `duration` takes, rounded up.
const fn frames_in(duration: Duration) -> usize {
    samples_in(duration).div_ceil(FRAME_SAMPLES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Plays a pattern, one character a 20 ms frame: `#` voiced, `.` not, `c` declares the answer
    /// complete and takes no time. The frame at index i is filled with i + 1 and comes in at
    /// 20 (i + 1) ms. Gives each turn as `time name`.
    fn play(endpointer: &mut Endpointer, pattern: &str) -> Vec<(u64, Turn)> {
        let mut turns = Vec::new();
        let mut frames = 0i16;
        for c in pattern.chars() {
            if c == 'c' {
                endpointer.set_complete(true);
                continue;
            }
            frames += 1;
            let now = CallTime::from_millis(20 * u64::from(frames.unsigned_abs()));
            let voice = Voice { probability: 0.5, voiced: c == '#' };
            endpointer.handle_frame(now, &Frame::from([frames; FRAME_SAMPLES]), voice);
            turns.extend(std::iter::from_fn(|| endpointer.poll_turn()).map(|turn| (now.as_millis(), turn)));
        }
        turns
    }

    fn name(turn: &Turn) -> String {
        match turn {
            Turn::SpeechStarted { at } => format!("started@{}", at.as_millis()),
            Turn::Speculate { utterance } => format!("speculate..{}", utterance.ended.as_millis()),
            Turn::SpeechResumed => "resumed".to_owned(),
            Turn::SpeechEnded { silence, .. } => format!("ended+{}", silence.as_millis()),
            Turn::MaxSpeech { .. } => "max_speech".to_owned(),
            Turn::NoInput => "no_input".to_owned(),
        }
    }

    /// Run lengths for readability: `".20 #10"` is 20 silent frames, then 10 voiced ones.
    fn pattern(runs: &str) -> String {
        runs.split_whitespace().map(|run| run[..1].repeat(run[1..].parse().unwrap_or(1))).collect()
    }

    fn check(runs: &str, expected: &[&str]) {
        let mut endpointer = Endpointer::new(Timeouts::default());
        endpointer.listen(CallTime::ZERO);
        let turns: Vec<String> = play(&mut endpointer, &pattern(runs))
            .iter()
            .map(|(at, turn)| format!("{at} {}", name(turn)))
            .collect();
        assert_eq!(turns, expected, "{runs}");
    }

    #[test]
    fn an_incomplete_answer_waits_and_a_complete_one_does_not() {
        check(".20 #20 .70", &["480 started@420", "1000 speculate..800", "2000 ended+1200"]);
        check(".20 #20 .12 c .40", &["480 started@420", "1000 speculate..800", "1200 ended+400"]);
        // Declared complete when that timeout has passed already: over at the next frame.
        check(".20 #20 .30 c .40", &["480 started@420", "1000 speculate..800", "1420 ended+620"]);
    }

    #[test]
    fn a_pause_is_speculated_upon_and_taken_back() {
        check(
            "#20 .15 c #10 .70",
            &[
                "80 started@20",
                "600 speculate..400",
                "740 resumed",
                "1100 speculate..900",
                // The declaration was about what had been said before.
                "2100 ended+1200",
            ],
        );
    }

    #[test]
    fn clicks_neither_begin_nor_resume_nor_delay() {
        check(".20 #2 .30 #3 .30", &[]);
        check(".20 #3 .2 #1", &["520 started@420"]);
        check("#10 .15 # .60", &["80 started@20", "400 speculate..200", "1400 ended+1200"]);
        // A blip at the very end has two frames to become a voice.
        check("#10 .59 # .10", &["80 started@20", "400 speculate..200", "1440 ended+1240"]);
        check("#10 .59 #2", &["80 started@20", "400 speculate..200", "1420 resumed"]);
    }

    #[test]
    fn nothing_said_in_time() {
        check(".300", &["5000 no_input"]);
        check(".248 #10", &["5040 started@4980"]);
        // A click at the last moment does not put it off by more than the time to begin to speak.
        check(".249 # .20", &["5080 no_input"]);
        let mut endpointer = Endpointer::new(Timeouts::default());
        endpointer.listen(CallTime::ZERO);
        endpointer.pause_no_input();
        assert_eq!(play(&mut endpointer, &".".repeat(400)).len(), 0);
        assert_eq!(endpointer.poll_timeout(), None);
    }

    #[test]
    fn a_monologue_is_cut_and_goes_on_as_another_utterance() {
        let mut endpointer = Endpointer::new(Timeouts::default());
        let turns: Vec<String> =
            play(&mut endpointer, &"#".repeat(760)).iter().map(|(_, t)| name(t)).collect();
        assert_eq!(turns, ["started@20", "speculate..15020", "max_speech", "started@15040"]);
    }

    #[test]
    fn frames_faster_than_the_clock_stay_bounded() {
        let mut endpointer = Endpointer::new(Timeouts::default());
        for _ in 0..2_000 {
            let voice = Voice { probability: 1.0, voiced: true };
            endpointer.handle_frame(CallTime::ZERO, &Frame::SILENCE, voice);
        }
        let longest = std::iter::from_fn(|| endpointer.poll_turn())
            .filter_map(|turn| {
                if let Turn::MaxSpeech { utterance } = turn { Some(utterance.pcm.len()) } else { None }
            })
            .max();
        assert!(longest.is_some_and(|len| len <= 16 * 16_000), "{longest:?}");
    }

    #[test]
    fn the_sound_has_its_pre_roll_and_little_silence_at_its_end() {
        let mut endpointer = Endpointer::new(Timeouts::default());
        let turns = play(&mut endpointer, &pattern(".40 #20 .70"));
        let Some((_, Turn::SpeechEnded { utterance, .. })) = turns.last() else { panic!("{turns:?}") };
        // Frames 41 to 60 are voiced; 15 before and 10 after make 300 and 200 ms.
        assert_eq!(utterance.pcm.first(), Some(&26));
        assert_eq!(utterance.pcm.last(), Some(&70));
        assert_eq!(utterance.pcm.len(), 45 * FRAME_SAMPLES);
        assert_eq!((utterance.started.as_millis(), utterance.ended.as_millis()), (820, 1200));
    }

    #[test]
    fn a_channel_that_falls_silent_ends_the_utterance_all_the_same() {
        let mut endpointer = Endpointer::new(Timeouts::default());
        play(&mut endpointer, &pattern("#20"));
        let mut turns = Vec::new();
        while let Some((due, _)) = endpointer.poll_timeout() {
            endpointer.handle_timeout(due);
            turns.extend(std::iter::from_fn(|| endpointer.poll_turn()).map(|turn| name(&turn)));
        }
        assert_eq!(turns, ["speculate..400", "ended+1200"]);
    }

    #[test]
    fn a_reset_forgets() {
        let mut endpointer = Endpointer::new(Timeouts::default());
        endpointer.listen(CallTime::ZERO);
        play(&mut endpointer, &pattern("#20"));
        endpointer.reset(CallTime::from_millis(400));
        assert!(!endpointer.is_speech_active());
        assert_eq!(endpointer.poll_timeout(), None);
        assert!(endpointer.poll_turn().is_none());
    }

    proptest! {
        /// Whatever is heard, and whenever an answer is declared complete or the timers run late: turns
        /// come in the order that [`Turn`] promises.
        #[test]
        fn every_utterance_ends_once_with_the_sound_of_its_last_speculation(
            runs in prop::collection::vec((0usize..40, 0usize..80, any::<bool>()), 1..20),
            min_speech in 0u64..200, complete in 0u64..1_000, speculate_after in 0u64..1_000,
            max_speech in 200u64..3_000,
        ) {
            let ms = Duration::from_millis;
            let mut endpointer = Endpointer::new(Timeouts {
                complete: ms(complete), max_speech: ms(max_speech), speculate_after: ms(speculate_after),
                min_speech: ms(min_speech), ..Timeouts::default()
            });
            let mut pattern: String = runs
                .iter()
                .map(|&(on, off, c)| "#".repeat(on) + &".".repeat(off / 2) + if c { "c" } else { "" } + &".".repeat(off / 2))
                .collect();
            pattern.push_str(&".".repeat(70));
            let (mut speaking, mut speculation) = (false, None::<Utterance>);
            for (at, turn) in play(&mut endpointer, &pattern) {
                match turn {
                    Turn::SpeechStarted { .. } => {
                        prop_assert!(!speaking, "{at}");
                        (speaking, speculation) = (true, None);
                    }
                    Turn::Speculate { utterance } => {
                        prop_assert!(speaking && speculation.is_none(), "{at}");
                        prop_assert!(utterance.started <= utterance.ended && utterance.ended.as_millis() <= at);
                        speculation = Some(utterance);
                    }
                    Turn::SpeechResumed => prop_assert!(speaking && speculation.take().is_some(), "{at}"),
                    Turn::SpeechEnded { utterance, .. } | Turn::MaxSpeech { utterance } => {
                        prop_assert!(speaking, "{at}");
                        let last = speculation.take().expect("a speculation comes first");
                        prop_assert!(Arc::ptr_eq(&last.pcm, &utterance.pcm), "{at}");
                        speaking = false;
                    }
                    Turn::NoInput => prop_assert!(false, "nobody listened"),
                }
            }
            prop_assert!(!speaking, "the last utterance never ended");
        }
    }
}
