//! Sound without a word in it through the line's own hearing, and what is made of it.
//!
//! Read [`invented`] first. Never: a sound of its own making beyond silence and noise.

use std::time::Duration;

use serde::Serialize;

use super::hearing::{AFTER, hypotheses, utterances, voiced_s};
use crate::audio::{Law, NoiseColor, RATE_HZ, apply_gain, noise, rms_dbfs, telephone};
use crate::call::{CallTime, Expect, Utterance};
use crate::speech::asr::{AsrError, Recognizer};

/// Sound that goes to the recogniser at once where nothing decides what is a turn.
const PIECE_SAMPLES: usize = 3 * RATE_HZ as usize;

/// What was made of sound without words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Invented {
    /// Seconds of sound.
    pub seconds: f64,
    /// Turns that the end-pointer took for speech.
    pub turns: usize,
    /// Turns that came to words.
    pub utterances: usize,
    /// Words.
    pub words: usize,
    /// Words an hour.
    pub words_an_hour: f64,
}

/// One turn without a word in it that came to words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Invention {
    /// What was asked before.
    pub expect: Expect,
    /// What was heard, with confidence, best first.
    pub hypotheses: Vec<(String, f32)>,
    /// The probability that nothing was said, 0 to 1.
    pub no_speech: f32,
    /// Seconds from the first voiced frame to the last.
    pub voiced_s: f64,
}

/// Levels at which sounds without words arrive, RMS in dB of full scale: a quiet room to a loud one.
const LEVELS_DBFS: [f32; 4] = [-55.0, -42.0, -32.0, -23.0];

/// Sound without words: the given recordings over and over, each time at another level, and silences and
/// noises between them, until there are `seconds` of it. 16 kHz mono, as it arrives at the line.
pub struct Wordless<'a> {
    recordings: &'a [Vec<i16>],
    law: Option<Law>,
    left_s: f64,
    turn: usize,
}

impl<'a> Wordless<'a> {
    /// Sounds made here after each round of the recordings: silence, white and pink noise.
    pub const GENERATED: usize = 3;

    /// `seconds` of it.
    pub fn new(recordings: &'a [Vec<i16>], law: Option<Law>, seconds: f64) -> Wordless<'a> {
        Wordless { recordings, law, left_s: seconds, turn: 0 }
    }

    fn next_sound(&self) -> Vec<i16> {
        let kinds = self.recordings.len() + Self::GENERATED;
        let (round, place) = (self.turn / kinds, self.turn % kinds);
        let len = 20 * RATE_HZ as usize;
        let rms = 32_768.0 * 10f32.powf(LEVELS_DBFS[self.turn % LEVELS_DBFS.len()] / 20.0);
        match self.recordings.get(place) {
            Some(pcm) => {
                let mut pcm = pcm.clone();
                let gain = LEVELS_DBFS[(place + round) % LEVELS_DBFS.len()] - rms_dbfs(&pcm);
                apply_gain(&mut pcm, gain);
                pcm
            }
            None if place == self.recordings.len() => vec![0; len],
            None if place == self.recordings.len() + 1 => {
                noise(len, NoiseColor::White, rms, self.turn as u64)
            }
            None => noise(len, NoiseColor::Pink, rms, self.turn as u64),
        }
    }
}

impl Iterator for Wordless<'_> {
    type Item = Vec<i16>;

    fn next(&mut self) -> Option<Vec<i16>> {
        if self.left_s <= 0.0 {
            return None;
        }
        let mut pcm = self.next_sound();
        self.turn += 1;
        pcm.truncate((self.left_s * f64::from(RATE_HZ)) as usize + 1);
        self.left_s -= pcm.len() as f64 / f64::from(RATE_HZ);
        Some(self.law.map_or_else(|| pcm.clone(), |law| telephone(&pcm, law)))
    }
}

/// What a call would make of it after a question: only what the end-pointer takes for speech is recognised.
///
/// # Errors
/// The recogniser failed.
pub fn invented(
    recognizer: &dyn Recognizer,
    pcm: &[i16],
    expect: &Expect,
) -> Result<(Invented, Vec<Invention>), AsrError> {
    let mut all = pcm.to_vec();
    all.extend(std::iter::repeat_n(0, AFTER.as_millis() as usize * RATE_HZ as usize / 1000));
    let turns = utterances(&all);
    let (sum, inventions) = words_of(recognizer, pcm.len(), &turns, expect)?;
    Ok((Invented { turns: turns.len(), ..sum }, inventions))
}

/// What a recogniser makes of it that gets all of it, three seconds at a time.
///
/// # Errors
/// The recogniser failed.
pub fn invented_unguarded(recognizer: &dyn Recognizer, pcm: &[i16]) -> Result<Invented, AsrError> {
    let whole = |piece: &[i16]| Utterance {
        pcm: piece.into(),
        started: CallTime::ZERO,
        ended: CallTime::ZERO + Duration::from_secs_f64(piece.len() as f64 / f64::from(RATE_HZ)),
    };
    let pieces: Vec<Utterance> = pcm.chunks(PIECE_SAMPLES).map(whole).collect();
    Ok(words_of(recognizer, pcm.len(), &pieces, &Expect::Open)?.0)
}

fn words_of(
    recognizer: &dyn Recognizer,
    samples: usize,
    turns: &[Utterance],
    expect: &Expect,
) -> Result<(Invented, Vec<Invention>), AsrError> {
    let mut sum = Invented { seconds: samples as f64 / f64::from(RATE_HZ), ..Invented::default() };
    let mut inventions = Vec::new();
    for utterance in turns {
        let recognition = recognizer.recognize(utterance, expect)?;
        let words = recognition.best().map_or(0, |h| h.text.expose().split_whitespace().count());
        sum.words += words;
        if words > 0 {
            sum.utterances += 1;
            inventions.push(Invention {
                expect: expect.clone(),
                hypotheses: hypotheses(&recognition),
                no_speech: recognition.no_speech,
                voiced_s: voiced_s(utterance),
            });
        }
    }
    Ok((sum.with_rate(), inventions))
}

impl Invented {
    fn with_rate(self) -> Invented {
        let hours = (self.seconds / 3600.0).max(f64::MIN_POSITIVE);
        Invented { words_an_hour: self.words as f64 / hours, ..self }
    }

    /// Both together.
    pub fn and(self, other: Invented) -> Invented {
        Invented {
            seconds: self.seconds + other.seconds,
            turns: self.turns + other.turns,
            utterances: self.utterances + other.utterances,
            words: self.words + other.words,
            words_an_hour: 0.0,
        }
        .with_rate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::two_tones;
    use crate::host::hearing::tests::{Parrot, voice};

    #[test]
    fn nothing_but_a_voice_reaches_the_recogniser() {
        let parrot = Parrot::new("hello there");
        for quiet in [vec![0; 64_000], two_tones([440.0, 480.0], [-12.0, -12.0], Duration::from_secs(4))] {
            let heard = invented(&parrot, &quiet, &Expect::Open).expect("it hears").0;
            assert_eq!((heard.turns, heard.words), (0, 0));
            let believed = invented_unguarded(&parrot, &quiet).expect("it hears");
            // Four seconds are two pieces.
            assert_eq!((believed.utterances, believed.words), (2, 4));
            assert!((believed.words_an_hour - 3600.0).abs() < 1.0, "{believed:?}");
        }
    }

    #[test]
    fn sound_without_words_lasts_as_long_as_was_asked_and_repeats() {
        let recordings = vec![vec![500_i16; 16_000], voice(2.0)];
        let all: Vec<Vec<i16>> = Wordless::new(&recordings, None, 70.0).collect();
        let seconds = all.iter().map(Vec::len).sum::<usize>() as f64 / 16_000.0;
        assert!((seconds - 70.0).abs() < 0.01, "{seconds}");
        assert!((rms_dbfs(&all[0]) - LEVELS_DBFS[0]).abs() < 0.2);
        assert!(all[2].iter().all(|s| *s == 0), "silence follows the recordings");
        assert_eq!(all, Wordless::new(&recordings, None, 70.0).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_made_of_a_sound_is_told_with_what_was_asked() {
        let parrot = Parrot::new("yes");
        let (sum, inventions) = invented(&parrot, &voice(1.0), &Expect::YesNo).expect("it hears");
        assert_eq!((sum.turns, sum.words, inventions.len()), (1, 1, 1));
        assert_eq!(inventions[0].expect, Expect::YesNo);
        assert_eq!(inventions[0].hypotheses, [("yes".to_owned(), 0.9)]);
        assert!((0.5..1.3).contains(&inventions[0].voiced_s), "{inventions:?}");
    }
}
