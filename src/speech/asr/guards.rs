//! Guards against what Whisper invents in silence and noise.
//!
//! Each answers one question about one utterance or hypothesis; together they decide whether anything
//! intelligible was said at all. A refusal is a no-match for the dialogue, never an error.

use std::time::Duration;

use crate::call::Hypothesis;

/// Samples of 100 ms at 16 kHz: about one vowel.
const WINDOW: usize = 1600;

/// Limits beyond which a hypothesis is not believed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guards {
    /// The loudest 100 ms must reach this level, in dB of full scale (a full-scale square wave is 0).
    pub min_level_dbfs: f32,
    /// Above this probability of no speech, by the token right after the start, nothing was said. Whisper's own
    /// default is 0.6.
    pub max_no_speech: f32,
    /// The same for the probability that the text ends where it begins.
    pub max_empty: f32,
    /// A word takes at least so much voice, where it is known how much there was.
    pub min_voiced: Duration,
    /// Below this geometric mean of the tokens' probabilities the best hypothesis is a guess, and all
    /// others with it. Whisper's own default of -1 nat is 0.37.
    pub min_confidence: f32,
    /// The same for a hypothesis that fits the question: a number of the length asked for, a yes or a no.
    pub min_expected_confidence: f32,
    /// The same for a single word. What lies outside the vocabulary is seldom taken for one.
    pub min_word_confidence: f32,
    /// Natural logarithm of the odds that there were words at all, below which there were none: confidence
    /// and the probability of no text weighed against each other.
    pub min_evidence: f32,
    /// Words that can be said in any time at all.
    pub base_words: f32,
    /// Words a second beyond those. Hurried digits come at six a second.
    pub max_words_per_s: f32,
}

impl Default for Guards {
    /// Figures: `docs/asr.md`.
    fn default() -> Guards {
        Guards {
            min_level_dbfs: -60.0,
            max_no_speech: 0.6,
            max_empty: 0.2,
            min_voiced: Duration::from_millis(80),
            min_confidence: 0.6,
            min_expected_confidence: 0.55,
            min_word_confidence: 0.45,
            min_evidence: 1.6,
            base_words: 2.0,
            max_words_per_s: 7.0,
        }
    }
}

impl Guards {
    /// Believes everything: for measuring what the guards are worth.
    pub const NONE: Guards = Guards {
        min_level_dbfs: f32::NEG_INFINITY,
        max_no_speech: 1.0,
        max_empty: 1.0,
        min_voiced: Duration::ZERO,
        min_confidence: 0.0,
        min_expected_confidence: 0.0,
        min_word_confidence: 0.0,
        min_evidence: f32::NEG_INFINITY,
        base_words: f32::INFINITY,
        max_words_per_s: 0.0,
    };

    /// Whether there is sound enough for speech. 16 kHz mono.
    pub(super) fn is_loud_enough(&self, pcm: &[i16]) -> bool {
        level_dbfs(pcm) >= self.min_level_dbfs
    }

    /// Whether so much voice can be a word; none means that it is not known. A knock, a key, a plate are shorter.
    pub(super) fn is_long_enough(&self, voiced: Duration) -> bool {
        voiced.is_zero() || voiced >= self.min_voiced
    }

    /// Whether there is a text at all, by both probabilities that there is none.
    pub(super) fn is_speech(&self, no_speech: f32, empty: f32) -> bool {
        no_speech <= self.max_no_speech && empty <= self.max_empty
    }

    /// Whether a hypothesis says anything, where `no_speech` is how likely nothing was said, 0 to 1; `expected`, it
    /// fits the question.
    pub(super) fn is_sure_enough(&self, best: &Hypothesis, no_speech: f32, expected: bool) -> bool {
        let least = match best.text.expose().split_whitespace().count() {
            1 => self.min_word_confidence,
            _ if expected => self.min_expected_confidence,
            _ => self.min_confidence,
        };
        best.confidence >= least && evidence(best.confidence, no_speech) >= self.min_evidence
    }

    /// Whether a text can have been said in that time.
    pub(super) fn is_sayable(&self, text: &str, spoken: Duration) -> bool {
        let words = text.split_whitespace().count() as f32;
        let most = self.base_words + self.max_words_per_s * spoken.as_secs_f32();
        (1.0..=most).contains(&words)
    }
}

/// How much speaks for words against noise, as the natural logarithm of their odds.
///
/// `confidence` is the geometric mean of the best hypothesis's probabilities; `no_speech`, how likely there is no
/// text at all. The constants are those of a logistic regression on the right answers of people whom the ear was
/// trained on and on turns without words (`docs/asr.md`).
fn evidence(confidence: f32, no_speech: f32) -> f32 {
    let sure = (confidence / (1.0 - confidence)).ln().clamp(-3.0, 4.0);
    1.04 * sure - 1.45 * (no_speech + 1e-5).log10() - 2.19
}

/// Level of the loudest 100 ms, in dB of full scale; negative infinity for silence.
pub(super) fn level_dbfs(pcm: &[i16]) -> f32 {
    let power = |window: &[i16]| {
        let sum: f64 = window.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
        sum / window.len() as f64
    };
    // Half-overlapping windows, the last one short.
    let loudest = (0..pcm.len())
        .step_by(WINDOW / 2)
        .map(|start| power(&pcm[start..pcm.len().min(start + WINDOW)]))
        .fold(0.0, f64::max);
    (10.0 * (loudest / (32_768.0 * 32_768.0)).log10()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Pii;

    #[test]
    fn levels_are_those_of_the_loudest_stretch() {
        assert_eq!(level_dbfs(&[]), f32::NEG_INFINITY);
        assert_eq!(level_dbfs(&[0; 5000]), f32::NEG_INFINITY);
        assert!((level_dbfs(&[-32_768; 10]) - 0.0).abs() < 0.01);
        let mut pcm = vec![0_i16; 16_000];
        pcm[8_000..9_600].fill(3277);
        assert!((level_dbfs(&pcm) + 20.0).abs() < 0.1, "{}", level_dbfs(&pcm));
    }

    #[test]
    fn nobody_says_ten_words_in_half_a_second() {
        let guards = Guards::default();
        let half_second = Duration::from_millis(500);
        assert!(guards.is_sayable("i don't know", half_second));
        assert!(!guards.is_sayable("thank you for watching and see you next time", half_second));
        assert!(guards.is_sayable("four five one two eight eight", Duration::from_secs(1)));
        assert!(!guards.is_sayable("", Duration::from_secs(1)));
    }

    #[test]
    fn a_knock_is_no_word_and_an_empty_text_none() {
        let guards = Guards::default();
        assert!(!guards.is_long_enough(Duration::from_millis(60)));
        assert!(guards.is_long_enough(Duration::from_millis(80)));
        assert!(guards.is_long_enough(Duration::ZERO), "not known");
        assert!(guards.is_speech(0.5, 0.1) && !guards.is_speech(0.7, 0.1) && !guards.is_speech(0.0, 0.3));
    }

    #[test]
    fn a_guess_is_not_believed() {
        let guards = Guards::default();
        let believed = |text: &str, confidence: f32, no_speech: f32, expected: bool| {
            let best = Hypothesis { text: Pii::new(text.to_owned()), confidence };
            guards.is_sure_enough(&best, no_speech, expected)
        };
        assert!(believed("where is it", 0.9, 0.01, false));
        assert!(!believed("one two", 0.1, 1e-4, true));
        assert!(!believed("one two", f32::NAN, 1e-4, true));
        // What was asked for needs less, and so does a single word.
        assert!(believed("one two", 0.58, 1e-4, true) && !believed("one two", 0.58, 1e-4, false));
        assert!(believed("two", 0.5, 1e-4, false) && !believed("two", 0.4, 1e-4, true));
        // The less sure, the less may speak for silence.
        assert!(believed("two", 0.95, 0.1, false) && !believed("two", 0.5, 0.1, false));
    }
}
