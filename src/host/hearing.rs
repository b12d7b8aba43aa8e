//! Recordings of people through the line's own hearing: the telephone, voice activity, end-pointing, the
//! recogniser and its guards.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::clips::Clip;
use super::suite::edit_distance;
use crate::audio::{
    DtmfDetector, FRAME_DURATION, FRAME_SAMPLES, Frame, Law, NoiseColor, RATE_HZ, add_noise, telephone,
};
use crate::call::{CallTime, Expect, Recognition, Utterance};
use crate::conversation::{MIN_SPEECH, SPECULATE_AFTER};
use crate::speech::asr::{AsrError, Recognizer};
use crate::speech::{Endpointer, Timeouts, Turn, VoiceDetector};
use crate::understanding::{answer, digits};

/// The line before the caller speaks, from which the detector takes the background.
const BEFORE: Duration = Duration::from_millis(1_000);

/// The line after the caller has spoken: longer than any end of a turn takes.
pub(super) const AFTER: Duration = Duration::from_millis(2_000);

/// What lies between the mouth and the line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// The telephone's law; `None` leaves the recording as wide as it is.
    pub law: Option<Law>,
    /// Pink noise so many decibels below the speech; `None` adds none.
    pub snr_db: Option<f32>,
}

/// What was heard of one recording.
#[derive(Clone, Debug, Serialize)]
pub struct ClipReport {
    /// The file.
    pub file: String,
    /// Its set.
    pub set: String,
    /// Who speaks.
    pub speaker: String,
    /// Whether the project's own ear was trained on that speaker.
    pub trained_on: bool,
    /// Speech to noise in dB, where noise was added.
    pub snr_db: Option<f32>,
    /// What was said.
    pub said: String,
    /// What was heard, in all turns.
    pub heard: String,
    /// Of the first turn: the likeliest hypotheses with their confidence, 0 to 1, best first.
    pub hypotheses: Vec<(String, f32)>,
    /// Of the first turn: the probability that nothing was said, 0 to 1.
    pub no_speech: f32,
    /// Of the first turn: seconds from the first voiced frame to the last.
    pub voiced_s: f64,
    /// Words said.
    pub words: usize,
    /// Words wrong: substituted, left out, invented.
    pub errors: usize,
    /// The same words.
    pub exact: bool,
    /// The same number, or the same answer, or the same words.
    pub right: bool,
    /// As `right`, with decoding constrained to what is expected; absent where it was not tried.
    pub right_constrained: Option<bool>,
    /// Turns that the end-pointer made of it.
    pub turns: usize,
    /// Seconds of sound that went to the recogniser.
    pub audio_s: f64,
    /// Seconds that the recogniser computed.
    pub compute_s: f64,
}

/// Shares of a group of recordings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Recordings.
    pub clips: usize,
    /// Word error rate, 0 upwards.
    pub word_error: f64,
    /// Share with exactly the words that were said.
    pub exact: f64,
    /// Share with the same number, answer or words.
    pub right: f64,
    /// The same with constrained decoding, of those where it was tried.
    pub right_constrained: Option<f64>,
    /// Share of which nothing was heard.
    pub silent: f64,
    /// Computing time a second of sound, on one core.
    pub real_time_factor: f64,
}

/// All figures.
#[derive(Debug, Serialize)]
pub struct HearingReport {
    /// Everything together.
    pub all: Figures,
    /// By set and what its speakers say: numbers, answers or sentences.
    pub sets: BTreeMap<String, Figures>,
    /// By set, and whether the ear was trained on the speakers.
    pub speakers_known: BTreeMap<String, Figures>,
    /// By speaker.
    pub speakers: BTreeMap<String, Figures>,
    /// By speech to noise.
    pub snr: BTreeMap<String, Figures>,
    /// Each recording.
    pub clips: Vec<ClipReport>,
}

/// What somebody says who is asked for it, as the dialogue would tell the recogniser.
fn expectation(said: &str) -> Expect {
    let words: Vec<&str> = said.split_whitespace().collect();
    let is_digit = |w: &&str| *w == "oh" || matches!(digits(w).as_slice(), [run] if run.value.len() == 1);
    if words.iter().all(is_digit) {
        let count = u8::try_from(words.len()).unwrap_or(u8::MAX);
        return Expect::Digits { min: count, max: count };
    }
    // Single letters but "a" and "i", which are words.
    let is_letter = |w: &&str| w.len() == 1 && !matches!(*w, "a" | "i");
    if words.iter().any(is_letter) && words.iter().all(|w| w.len() == 1 || is_digit(w)) {
        return Expect::Spelled;
    }
    if answer(said).is_some_and(|a| a.whole) { Expect::YesNo } else { Expect::Open }
}

fn kind(said: &str) -> &'static str {
    match expectation(said) {
        Expect::Digits { max: 1, .. } => "single digits",
        Expect::Digits { .. } => "numbers",
        Expect::YesNo => "answers",
        Expect::Spelled => "codes",
        Expect::Open | Expect::Choice { .. } => "sentences",
    }
}

/// Whether a caller would be served as well by what was heard as by what they said.
fn is_right(said: &str, heard: &str) -> bool {
    match expectation(said) {
        Expect::Digits { .. } => {
            let value = |text: &str| digits(text).into_iter().map(|run| run.value).collect::<String>();
            value(said) == value(heard) || said == heard
        }
        Expect::YesNo => answer(said).map(|a| a.answer) == answer(heard).map(|a| a.answer),
        Expect::Open | Expect::Spelled | Expect::Choice { .. } => said == heard,
    }
}

/// Cuts what arrives at the line into utterances, as a call does. `pcm` is 16 kHz mono.
pub fn utterances(pcm: &[i16]) -> Vec<Utterance> {
    let (mut detector, mut tones) = (VoiceDetector::new(), DtmfDetector::new());
    let timeouts =
        Timeouts { min_speech: MIN_SPEECH, speculate_after: SPECULATE_AFTER, ..Timeouts::default() };
    let mut endpointer = Endpointer::new(timeouts);
    let mut now = CallTime::ZERO;
    let mut found = Vec::new();
    for chunk in pcm.chunks(FRAME_SAMPLES) {
        let frame = Frame::from_padded(chunk);
        let _ = tones.handle_frame(&frame);
        let mut voice = detector.handle_frame(&frame);
        voice.voiced &= !tones.is_tone_active();
        now = now + FRAME_DURATION;
        endpointer.handle_frame(now, &frame, voice);
        while let Some(turn) = endpointer.poll_turn() {
            match turn {
                Turn::SpeechEnded { utterance, .. } | Turn::MaxSpeech { utterance } => found.push(utterance),
                Turn::SpeechStarted { .. } | Turn::Speculate { .. } | Turn::SpeechResumed | Turn::NoInput => {
                }
            }
        }
    }
    found
}

/// A recording as it arrives at the line: silence around it, noise, the telephone. 16 kHz mono.
pub fn arrives(pcm: &[i16], conditions: Conditions, seed: u64) -> Vec<i16> {
    let silence = |time: Duration| vec![0; time.as_millis() as usize * RATE_HZ as usize / 1000];
    let mut all = silence(BEFORE);
    all.extend_from_slice(pcm);
    all.extend(silence(AFTER));
    if let Some(snr_db) = conditions.snr_db {
        add_noise(&mut all, NoiseColor::Pink, snr_db, seed);
    }
    match conditions.law {
        Some(law) => telephone(&all, law),
        None => all,
    }
}

/// Hears one recording; `constrained`, once more with decoding turned to what is expected.
///
/// # Errors
/// The recogniser failed.
pub fn hear(
    recognizer: &dyn Recognizer,
    clip: &Clip,
    pcm: &[i16],
    conditions: Conditions,
    constrained: bool,
) -> Result<ClipReport, AsrError> {
    let said = clip.words.clone().unwrap_or_default();
    let turns = utterances(&arrives(pcm, conditions, clip.line as u64));
    let (open, compute) = recognize(recognizer, &turns, &Expect::Open)?;
    let heard = text(&open);
    let expect = expectation(&said);
    let right_constrained = if constrained && expect != Expect::Open {
        Some(is_right(&said, &text(&recognize(recognizer, &turns, &expect)?.0)))
    } else {
        None
    };
    let (reference, words): (Vec<&str>, Vec<&str>) =
        (said.split_whitespace().collect(), heard.split_whitespace().collect());
    Ok(ClipReport {
        file: clip.file.display().to_string(),
        set: clip.set.clone(),
        speaker: clip.speaker.clone(),
        trained_on: clip.is_trained_on(),
        snr_db: conditions.snr_db,
        words: reference.len(),
        errors: edit_distance(&reference, &words),
        exact: said == heard,
        right: is_right(&said, &heard),
        right_constrained,
        hypotheses: open.first().map(hypotheses).unwrap_or_default(),
        no_speech: open.first().map_or(1.0, |r| r.no_speech),
        voiced_s: turns.first().map_or(0.0, voiced_s),
        turns: turns.len(),
        audio_s: turns.iter().map(|u| u.pcm.len() as f64 / f64::from(RATE_HZ)).sum(),
        compute_s: compute.as_secs_f64(),
        said,
        heard,
    })
}

/// Seconds from the first voiced frame to the last.
pub(super) fn voiced_s(utterance: &Utterance) -> f64 {
    utterance.ended.since(utterance.started).as_secs_f64()
}

pub(super) fn hypotheses(recognition: &Recognition) -> Vec<(String, f32)> {
    recognition.hypotheses.iter().map(|h| (h.text.expose().clone(), h.confidence)).collect()
}

fn recognize(
    recognizer: &dyn Recognizer,
    turns: &[Utterance],
    expect: &Expect,
) -> Result<(Vec<Recognition>, Duration), AsrError> {
    let began = Instant::now();
    let all = turns.iter().map(|u| recognizer.recognize(u, expect)).collect::<Result<Vec<_>, _>>()?;
    Ok((all, began.elapsed()))
}

fn text(all: &[Recognition]) -> String {
    let best = all.iter().filter_map(Recognition::best).map(|h| h.text.expose().as_str());
    best.filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Puts figures together.
pub fn summarize(clips: Vec<ClipReport>) -> HearingReport {
    let by = |key: &dyn Fn(&ClipReport) -> String| -> BTreeMap<String, Figures> {
        let mut groups: BTreeMap<String, Vec<&ClipReport>> = BTreeMap::new();
        for clip in &clips {
            groups.entry(key(clip)).or_default().push(clip);
        }
        groups.into_iter().map(|(name, group)| (name, figures(&group))).collect()
    };
    let known = |c: &ClipReport| if c.trained_on { "trained on" } else { "never heard" };
    let noise = |c: &ClipReport| c.snr_db.map_or("as recorded".to_owned(), |db| format!("{db:+} dB"));
    HearingReport {
        all: figures(&clips.iter().collect::<Vec<_>>()),
        sets: by(&|c| format!("{}, {}", c.set, kind(&c.said))),
        speakers_known: by(&|c| format!("{}, {}, {}", c.set, kind(&c.said), known(c))),
        speakers: by(&|c| c.speaker.clone()),
        snr: by(&noise),
        clips,
    }
}

fn figures(group: &[&ClipReport]) -> Figures {
    let count = group.len().max(1) as f64;
    let share = |of: &dyn Fn(&ClipReport) -> bool| group.iter().filter(|c| of(c)).count() as f64 / count;
    let tried: Vec<bool> = group.iter().filter_map(|c| c.right_constrained).collect();
    let (words, errors): (usize, usize) = group.iter().fold((0, 0), |(w, e), c| (w + c.words, e + c.errors));
    let (audio, compute): (f64, f64) =
        group.iter().fold((0.0, 0.0), |(a, t), c| (a + c.audio_s, t + c.compute_s));
    Figures {
        clips: group.len(),
        word_error: errors as f64 / words.max(1) as f64,
        exact: share(&|c| c.exact),
        right: share(&|c| c.right),
        right_constrained: (!tried.is_empty())
            .then(|| tried.iter().filter(|r| **r).count() as f64 / tried.len() as f64),
        silent: share(&|c| c.heard.is_empty()),
        real_time_factor: if audio > 0.0 { compute / audio } else { 0.0 },
    }
}

#[cfg(test)]
#[path = "hearing_tests.rs"]
pub(super) mod tests;
