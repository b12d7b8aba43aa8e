//! A scripted caller at audio level: hears the line, waits until it has finished, and answers with
//! recorded or synthesised speech, or with in-band keypad tones.
//!
//! It peeks at nothing: all it knows of the line is the line's sound.

use std::collections::VecDeque;
use std::time::Duration;

use super::session::Channel;
use crate::audio::{FRAME_SAMPLES, Frame, rms_dbfs, tone};
use crate::call::CallTime;
use crate::conversation::script::{Act, Script};

/// The line is held to have finished after this much silence: longer than a synthesiser's pause between
/// two sentences.
const LINE_HAS_FINISHED: Duration = Duration::from_millis(800);

/// What is louder than this is the line speaking, RMS in dBFS.
const LINE_SPEAKS_DBFS: f32 = -48.0;

/// A key is held, and the next follows, after this long: an unhurried caller.
const KEY_HELD: Duration = Duration::from_millis(120);
const KEY_GAP: Duration = Duration::from_millis(120);

/// Level of the keypad's tones: what a telephone sends (ITU-T Q.23 allows −7 to −10 dBm0 a tone).
const KEY_LEVEL_DBM0: f32 = -9.0;

/// A caller gives up when nothing more comes of a line.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a step sounds like.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Speech, 16 kHz mono.
    Speech {
        /// Samples.
        pcm: Vec<i16>,
        /// What is said in it; `None` where nobody could tell.
        text: Option<String>,
    },
    /// Silence, tones.
    Other(Vec<i16>),
    /// The end of the call.
    HangUp,
}

/// One step with its sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Cue {
    /// Begins this long after the line's next word instead of when it has finished.
    pub barge: Option<Duration>,
    /// What.
    pub part: Part,
}

/// Something that was said, and when, for measuring what was heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The words.
    pub text: String,
    /// When it began.
    pub from: CallTime,
    /// When it ended.
    pub to: CallTime,
}

/// Turns a script's steps into sound; `speak` gives the sound of the `n`th sentence (from 1), or of a
/// mumble (`None`).
///
/// # Errors
/// What `speak` says.
pub fn cues<E>(
    script: &Script,
    mut speak: impl FnMut(usize, Option<&str>) -> Result<Vec<i16>, E>,
) -> Result<Vec<Cue>, E> {
    let mut cues = Vec::new();
    let mut spoken = 0;
    for step in &script.steps {
        let part = match &step.act {
            Act::Say(speech) => {
                spoken += 1;
                Part::Speech { pcm: speak(spoken, Some(&speech.text))?, text: Some(speech.text.clone()) }
            }
            Act::Mumble(_) => {
                spoken += 1;
                Part::Speech { pcm: speak(spoken, None)?, text: None }
            }
            Act::Silence(time) => Part::Other(vec![0; samples(*time)]),
            Act::Keys(keys) => {
                let mut pcm = Vec::new();
                for key in keys {
                    pcm.extend(tone(*key, KEY_HELD, KEY_LEVEL_DBM0));
                    pcm.resize(pcm.len() + samples(KEY_GAP), 0);
                }
                Part::Other(pcm)
            }
            // Faults and the desk are a matter of the text level: at audio level the engines are real.
            Act::Fault(..) | Act::Slow(..) | Act::Desk(_) => continue,
            Act::HangUp(_) => Part::HangUp,
        };
        cues.push(Cue { barge: step.barge, part });
    }
    Ok(cues)
}

fn samples(time: Duration) -> usize {
    usize::try_from(time.as_millis()).unwrap_or(usize::MAX).saturating_mul(FRAME_SAMPLES / 20)
}

/// The caller's end of a scripted call.
#[derive(Debug)]
pub struct ScriptedCaller {
    cues: VecDeque<Cue>,
    /// Sound still to be sent of the current step.
    sending: VecDeque<i16>,
    saying: Option<Said>,
    said: Vec<Said>,
    /// Since when the line speaks, and since when it has stopped, this step counted.
    spoke: Option<CallTime>,
    stopped: Option<CallTime>,
    last_change: CallTime,
    /// Sound of the caller's surroundings, repeated for the whole call.
    background: Vec<i16>,
    heard_background: usize,
}

impl ScriptedCaller {
    /// A caller who will go through `cues`, in a room that sounds like `background` (empty: silence).
    pub fn new(cues: Vec<Cue>, background: Vec<i16>) -> ScriptedCaller {
        ScriptedCaller {
            cues: cues.into(),
            sending: VecDeque::new(),
            saying: None,
            said: Vec::new(),
            spoke: None,
            stopped: None,
            last_change: CallTime::ZERO,
            background,
            heard_background: 0,
        }
    }

    /// All that was said, with its times.
    pub fn into_said(self) -> Vec<Said> {
        self.said
    }

    fn listen(&mut self, now: CallTime, line: &Frame) {
        if rms_dbfs(line.samples()) > LINE_SPEAKS_DBFS {
            self.spoke = self.spoke.or(Some(now));
            self.stopped = None;
            self.last_change = now;
        } else if self.spoke.is_some() && self.stopped.is_none() {
            self.stopped = Some(now);
        }
    }

    fn may_begin(&self, now: CallTime, cue: &Cue) -> bool {
        match cue.barge {
            Some(after) => self.spoke.is_some_and(|at| now >= at + after),
            None => self.stopped.is_some_and(|at| now >= at + LINE_HAS_FINISHED),
        }
    }

    /// Begins the next step if its time has come; `false` once the caller hangs up.
    fn step(&mut self, now: CallTime) -> bool {
        let Some(cue) = self.cues.front() else { return now.since(self.last_change) < PATIENCE };
        if !self.may_begin(now, cue) {
            return now.since(self.last_change) < PATIENCE;
        }
        let Some(cue) = self.cues.pop_front() else { return true };
        self.spoke = None;
        self.stopped = None;
        self.last_change = now;
        match cue.part {
            Part::Speech { pcm, text } => {
                self.saying = text.map(|text| Said { text, from: now, to: now });
                self.sending = pcm.into();
            }
            Part::Other(pcm) => self.sending = pcm.into(),
            Part::HangUp => return false,
        }
        true
    }
}

impl Channel for ScriptedCaller {
    fn exchange(&mut self, now: CallTime, line: &Frame, _line_talks: bool) -> Option<Frame> {
        self.listen(now, line);
        if self.sending.is_empty() {
            if let Some(mut said) = self.saying.take() {
                said.to = now;
                self.said.push(said);
            }
            if !self.step(now) {
                return None;
            }
        }
        let take = self.sending.len().min(FRAME_SAMPLES);
        let mut pcm: Vec<i16> = self.sending.drain(..take).collect();
        pcm.resize(FRAME_SAMPLES, 0);
        if !self.background.is_empty() {
            for sample in &mut pcm {
                *sample = sample.saturating_add(self.background[self.heard_background]);
                self.heard_background = (self.heard_background + 1) % self.background.len();
            }
        }
        Some(Frame::from_padded(&pcm))
    }
}
