//! What was said, as sound and as the recogniser's guesses.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CallTime, Pii};

/// One stretch of the caller's speech: 16-bit mono PCM at 16 kHz, with up to 300 ms before the first
/// voiced frame and whatever silence had passed when it was cut.
#[derive(Clone)]
pub struct Utterance {
    /// Samples, 16 kHz mono.
    pub pcm: Arc<[i16]>,
    /// When the first voiced frame came in.
    pub started: CallTime,
    /// When the last voiced frame came in.
    pub ended: CallTime,
}

impl fmt::Debug for Utterance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Utterance({}..{}, {} samples)", self.started, self.ended, self.pcm.len())
    }
}

/// What the line asked for, which decides when an answer is complete, and to which the recogniser may
/// bias its decoding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Anything: "how can I help you?"
    #[default]
    Open,
    /// A number of `min` to `max` digits, in any spoken form.
    Digits {
        /// Fewest digits of a valid answer.
        min: u8,
        /// Most digits of a valid answer.
        max: u8,
    },
    /// Letters and digits: a code, a postcode.
    Spelled,
    /// One of a few things, such as a menu's.
    Choice {
        /// Every word of every way to say one of them, lower case.
        words: Vec<String>,
    },
    /// Yes, no, or neither.
    YesNo,
}

/// One guess of the recogniser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hypothesis {
    /// Lower-case words without punctuation, as the recogniser wrote them.
    pub text: Pii<String>,
    /// 0 to 1: geometric mean of the tokens' probabilities.
    pub confidence: f32,
}

/// The recogniser's answer about one utterance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recognition {
    /// Best first. Empty when nothing intelligible was said: that is a no-match, not a failure.
    pub hypotheses: Vec<Hypothesis>,
    /// Probability that there was no speech at all, 0 to 1.
    pub no_speech: f32,
    /// Time the recogniser computed.
    pub compute: Duration,
}

impl Recognition {
    /// The best guess, if there is one.
    pub fn best(&self) -> Option<&Hypothesis> {
        self.hypotheses.first()
    }
}
