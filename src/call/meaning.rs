//! What was meant: intents with scores, entities with spans.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Pii;

/// The name under which the classifier reports that no intent fits.
pub const OUT_OF_SCOPE: &str = "out_of_scope";

/// An intent's name: the file `intents/NAME.toml`. Letters, digits and `_`, at most 64.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IntentName(String);

impl IntentName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IntentName {
    type Err = String;

    fn from_str(s: &str) -> Result<IntentName, String> {
        let fits = (1..=64).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if fits {
            Ok(IntentName(s.to_owned()))
        } else {
            Err(format!("'{s}' is no intent name: expected 1 to 64 letters, digits or '_'"))
        }
    }
}

impl TryFrom<String> for IntentName {
    type Error = String;

    fn try_from(s: String) -> Result<IntentName, String> {
        s.parse()
    }
}

impl From<IntentName> for String {
    fn from(name: IntentName) -> String {
        name.0
    }
}

impl fmt::Display for IntentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An intent and how likely it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntentScore {
    /// Which intent.
    pub intent: IntentName,
    /// Calibrated probability, 0 to 1. The probabilities of one interpretation add up to 1 over all
    /// intents, out of scope not among them.
    pub probability: f32,
}

/// A value found in what was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// What kind of value: `order_number`, `date` …
    pub kind: String,
    /// The canonical form: `451288` for "forty-five twelve double eight".
    pub value: Pii<String>,
    /// Bytes of the hypothesis's text that it was read from.
    pub span: Range<usize>,
    /// 0 to 1.
    pub confidence: f32,
}

/// The classifier's view of one utterance, all hypotheses considered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interpretation {
    /// Best first; never empty once a classifier has spoken.
    pub ranked: Vec<IntentScore>,
    /// How likely it is that no intent fits, 0 to 1; above 0.5 the classifier holds it for out of scope.
    pub out_of_scope: f32,
}

impl Interpretation {
    /// The most likely intent.
    pub fn best(&self) -> Option<&IntentScore> {
        self.ranked.first()
    }

    /// Probability of the first intent less that of the second.
    pub fn margin(&self) -> f32 {
        let first = self.ranked.first().map_or(0.0, |s| s.probability);
        let second = self.ranked.get(1).map_or(0.0, |s| s.probability);
        first - second
    }

    /// Whether the classifier holds the sentence for out of scope.
    pub fn is_out_of_scope(&self) -> bool {
        self.out_of_scope > 0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_cannot_be_named_like_a_path() {
        assert!("../etc".parse::<IntentName>().is_err());
        assert!("order_status".parse::<IntentName>().is_ok());
    }
}
