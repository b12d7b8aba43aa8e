//! Whether a frame holds a voice.

use std::collections::VecDeque;

use earshot::Detector;

use crate::audio::{FRAME_SAMPLES, Frame, rms_dbfs};

/// Samples that the network takes at a time: 16 ms (earshot's interface).
const BLOCK: usize = 256;

/// Probability from which silence turns into voice. This and the numbers below are `docs/vad.md`'s.
const ON: f32 = 0.5;

/// Probability below which voice turns into silence: lower, so that a consonant does not cut a word.
const OFF: f32 = 0.4;

/// Quieter frames are never voiced, in dBFS RMS: the smallest steps of G.711 lie below, faint callers
/// above.
const MIN_LEVEL_DBFS: f32 = -64.0;

/// How far above the background a frame must be to turn into voice, in dB: steady noise is louder than
/// itself by less. The network alone takes loud street noise for a voice.
const ON_ABOVE_DB: f32 = 6.0;

/// How far above it voice must stay, in dB.
const OFF_ABOVE_DB: f32 = 3.0;

/// Frames from which the background is taken: 5 s, in which every speaker pauses.
const BACKGROUND_FRAMES: usize = 250;

/// The background is the level that this share of them does not exceed.
const BACKGROUND_SHARE: f32 = 0.2;

/// Frames before anything is said about the background, and so about a voice: 200 ms. A line that comes
/// on with noise looks like an onset.
const BACKGROUND_MIN_FRAMES: usize = 10;

/// What the detector says about one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Voice {
    /// 0 to 1, as the network sees it, before hysteresis and the level gate.
    pub probability: f32,
    /// The decision.
    pub voiced: bool,
}

impl Voice {
    /// A frame without a voice, such as one that belongs to a key.
    pub const SILENT: Voice = Voice { probability: 0.0, voiced: false };
}

/// A small neural network (earshot, weights embedded), with hysteresis and a gate that follows the
/// background's level. One a call.
pub struct VoiceDetector {
    network: Box<Detector>,
    /// Samples that have not filled a block yet.
    waiting: Vec<i16>,
    background: Background,
    last: Voice,
}

impl Default for VoiceDetector {
    fn default() -> VoiceDetector {
        VoiceDetector::new()
    }
}

impl VoiceDetector {
    /// A detector that has heard nothing yet.
    pub fn new() -> VoiceDetector {
        VoiceDetector {
            network: Box::default(),
            waiting: Vec::with_capacity(BLOCK + FRAME_SAMPLES),
            background: Background::default(),
            last: Voice::SILENT,
        }
    }

    /// The next 20 ms. The network works in blocks of 16 ms: the answer is the highest of the one or
    /// two blocks that this frame completes, so it looks up to 16 ms less far than the frame does.
    pub fn handle_frame(&mut self, frame: &Frame) -> Voice {
        self.waiting.extend_from_slice(frame.samples());
        let blocks = self.waiting.chunks_exact(BLOCK);
        let left = blocks.remainder().len();
        let probability =
            blocks.map(|block| self.network.predict_i16(block)).fold(0.0, f32::max).clamp(0.0, 1.0);
        self.waiting.drain(..self.waiting.len() - left);
        let level = rms_dbfs(frame.samples());
        self.background.push(level);
        let (threshold, above) = if self.last.voiced { (OFF, OFF_ABOVE_DB) } else { (ON, ON_ABOVE_DB) };
        let is_loud = |background: f32| level >= MIN_LEVEL_DBFS.max(background + above);
        let voiced = probability >= threshold && self.background.level().is_some_and(is_loud);
        self.last = Voice { probability, voiced };
        self.last
    }
}

/// The levels of the latest frames, in order of time and in order of size.
#[derive(Default)]
struct Background {
    latest: VecDeque<f32>,
    sorted: Vec<f32>,
}

impl Background {
    fn push(&mut self, dbfs: f32) {
        if self.latest.len() == BACKGROUND_FRAMES
            && let Some(oldest) = self.latest.pop_front()
        {
            let place = self.sorted.partition_point(|&level| level < oldest);
            self.sorted.remove(place);
        }
        self.latest.push_back(dbfs);
        let place = self.sorted.partition_point(|&level| level < dbfs);
        self.sorted.insert(place, dbfs);
    }

    /// In dBFS, once there is enough to say.
    fn level(&self) -> Option<f32> {
        let place = (self.sorted.len() as f32 * BACKGROUND_SHARE) as usize;
        (self.sorted.len() >= BACKGROUND_MIN_FRAMES).then(|| self.sorted[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{NoiseColor, SplitMix64, noise};

    fn voiced(samples: &[i16]) -> Vec<bool> {
        let mut detector = VoiceDetector::new();
        samples.chunks(FRAME_SAMPLES).map(|c| detector.handle_frame(&Frame::from_padded(c)).voiced).collect()
    }

    /// A vowel as a voice makes it: a gliding comb of harmonics under three formants, in syllables of
    /// 200 ms.
    fn syllables(amplitude: f32) -> Vec<i16> {
        let mut phase = 0.0f32;
        (0..32_000)
            .map(|i| {
                let t = i as f32 / 16_000.0;
                let pitch = 120.0 + 25.0 * (t * 9.0).sin();
                phase = (phase + pitch / 16_000.0).fract();
                let envelope = (std::f32::consts::PI * (t * 5.0).fract()).sin();
                let comb: f32 = (1..30)
                    .map(|k| {
                        let hz = pitch * k as f32;
                        let formants: f32 = [600.0f32, 1_200.0, 2_500.0]
                            .iter()
                            .zip([1.0, 0.5, 0.2])
                            .map(|(f, a)| a / (1.0 + ((hz - f) / 90.0).powi(2)))
                            .sum();
                        formants * (std::f32::consts::TAU * phase * k as f32).sin()
                    })
                    .sum();
                (amplitude * envelope * comb) as i16
            })
            .collect()
    }

    #[test]
    fn silence_hiss_and_clicks_are_no_voice() {
        assert!(!voiced(&vec![0; 16_000]).contains(&true));
        assert!(!voiced(&noise(16_000, NoiseColor::White, 300.0, 1)).contains(&true));
        let mut click = noise(16_000, NoiseColor::White, 5.0, 2);
        let mut random = SplitMix64::new(3);
        for sample in &mut click[8_000..8_080] {
            *sample = (random.next_normal() * 8_000.0) as i16;
        }
        assert!(voiced(&click).iter().filter(|&&v| v).count() <= 3);
    }

    #[test]
    fn a_steady_background_is_no_voice_and_hides_none() {
        let mut line = noise(48_000, NoiseColor::Pink, 900.0, 4);
        for (sample, voice) in line[16_000..].iter_mut().zip(syllables(8_000.0)) {
            *sample = sample.saturating_add(voice);
        }
        let decisions = voiced(&line);
        assert!(!decisions[20..50].contains(&true));
        assert!(decisions[50..].iter().filter(|&&v| v).count() > 40, "{decisions:?}");
    }

    #[test]
    fn the_background_is_that_of_the_last_seconds() {
        let mut background = Background::default();
        for _ in 0..BACKGROUND_FRAMES {
            background.push(-30.0);
        }
        assert_eq!(background.level(), Some(-30.0));
        for i in 0..BACKGROUND_FRAMES {
            background.push(if i % 4 == 0 { -60.0 } else { -20.0 });
        }
        assert_eq!(background.level(), Some(-60.0));
        assert_eq!(background.sorted.len(), BACKGROUND_FRAMES);
    }

    #[test]
    fn syllables_are_voice_unless_too_quiet_to_be_meant() {
        let loud = voiced(&syllables(8_000.0));
        assert!(loud.iter().filter(|&&v| v).count() > loud.len() / 2, "{loud:?}");
        assert!(!voiced(&syllables(8.0)).contains(&true));
    }
}
