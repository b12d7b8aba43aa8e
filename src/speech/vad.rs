//! Whether a frame holds a voice.

use earshot::Detector;

use crate::audio::{FRAME_SAMPLES, Frame, rms_dbfs};

/// Samples that the network takes at a time: 16 ms (earshot's interface).
const BLOCK: usize = 256;

/// Probability from which silence turns into voice. Chosen by `docs/vad.md`.
const ON: f32 = 0.6;

/// Probability below which voice turns into silence: lower, so that a consonant does not cut a word.
const OFF: f32 = 0.35;

/// Quieter frames are never voiced, in dBFS RMS: line noise after G.711 lies below, the softest
/// syllables of the development speech above. Chosen by `docs/vad.md`.
const MIN_LEVEL_DBFS: f32 = -58.0;

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

/// A small neural network (earshot, weights embedded) with hysteresis and a level gate. One a call.
pub struct VoiceDetector {
    network: Box<Detector>,
    /// Samples that have not filled a block yet.
    waiting: Vec<i16>,
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
        let threshold = if self.last.voiced { OFF } else { ON };
        let voiced = probability >= threshold && rms_dbfs(frame.samples()) >= MIN_LEVEL_DBFS;
        self.last = Voice { probability, voiced };
        self.last
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
    fn syllables_are_voice_unless_too_quiet_to_be_meant() {
        let loud = voiced(&syllables(8_000.0));
        assert!(loud.iter().filter(|&&v| v).count() > loud.len() / 2, "{loud:?}");
        assert!(!voiced(&syllables(8.0)).contains(&true));
    }
}
