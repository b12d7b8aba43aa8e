//! The one decision about what was heard: believe it, ask whether it is right, or ask again.

use super::spec::Thresholds;
use crate::call::{Hypothesis, IntentName, Interpretation};

/// What to do with what was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Take it.
    Accept,
    /// Ask whether it is right.
    Confirm,
    /// Ask again.
    Reject,
}

impl Decision {
    /// The word that timelines and records use.
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::Accept => "accept",
            Decision::Confirm => "confirm",
            Decision::Reject => "no_match",
        }
    }
}

/// Whether an intent may be taken: the recogniser's confidence, the classifier's probability, its
/// margin, and its doubt that any intent fits. Returns the scores in words besides.
pub fn decide_intent(heard: &Hypothesis, meant: &Interpretation, limits: &Thresholds) -> (Decision, String) {
    let probability = meant.best().map_or(0.0, |s| s.probability);
    let why = format!(
        "hearing {:.2} of {:.2}, intent {probability:.2} of {:.2}, margin {:.2} of {:.2}, out of scope {:.2}",
        heard.confidence,
        limits.hearing,
        limits.accept,
        meant.margin(),
        limits.margin,
        meant.out_of_scope
    );
    let decision =
        if heard.confidence < limits.reject || meant.is_out_of_scope() || probability < limits.confirm {
            Decision::Reject
        } else if heard.confidence >= limits.hearing
            && probability >= limits.accept
            && meant.margin() >= limits.margin
        {
            Decision::Accept
        } else {
            Decision::Confirm
        };
    (decision, why)
}

/// The two likeliest intents, where both are likely enough to be asked about and neither leads: "is it
/// about the delivery, or about the bill?" `None` where one leads, or where nothing was heard well.
pub(super) fn close_pair(
    heard: &Hypothesis,
    meant: &Interpretation,
    limits: &Thresholds,
) -> Option<(IntentName, IntentName)> {
    let [first, second, ..] = meant.ranked.as_slice() else { return None };
    let heard_well = heard.confidence >= limits.hearing && !meant.is_out_of_scope();
    let close = meant.margin() < limits.margin && second.probability >= limits.choose;
    (heard_well && close).then(|| (first.intent.clone(), second.intent.clone()))
}

/// Whether a value may be taken, by the confidence with which it was heard and read.
pub fn decide_value(confidence: f32, limits: &Thresholds) -> Decision {
    if confidence < limits.reject {
        Decision::Reject
    } else if confidence < limits.value {
        Decision::Confirm
    } else {
        Decision::Accept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{IntentScore, Pii};

    fn decide(confidence: f32, probabilities: &[f32], out_of_scope: f32) -> Decision {
        let heard = Hypothesis { text: Pii::from("x"), confidence };
        let ranked = probabilities
            .iter()
            .enumerate()
            .map(|(i, p)| IntentScore { intent: format!("i{i}").parse().expect("a name"), probability: *p })
            .collect();
        decide_intent(&heard, &Interpretation { ranked, out_of_scope }, &Thresholds::default()).0
    }

    #[test]
    fn two_close_intents_are_both_offered() {
        let pair = |confidence: f32, probabilities: &[f32]| {
            let heard = Hypothesis { text: Pii::from("x"), confidence };
            let ranked = probabilities
                .iter()
                .enumerate()
                .map(|(i, p)| IntentScore {
                    intent: format!("i{i}").parse().expect("a name"),
                    probability: *p,
                })
                .collect();
            let meant = Interpretation { ranked, out_of_scope: 0.1 };
            close_pair(&heard, &meant, &Thresholds::default()).is_some()
        };
        assert!(pair(0.9, &[0.45, 0.35, 0.1]));
        assert!(!pair(0.9, &[0.6, 0.3]), "one leads");
        assert!(!pair(0.9, &[0.3, 0.2, 0.2]), "neither is likely");
        assert!(!pair(0.4, &[0.45, 0.35]), "badly heard");
    }

    #[test]
    fn a_value_in_doubt_is_asked_about() {
        let decide = |confidence| decide_value(confidence, &Thresholds::default());
        assert_eq!([0.2, 0.7, 0.8].map(decide), [Decision::Reject, Decision::Confirm, Decision::Accept]);
    }

    #[test]
    fn every_doubt_counts() {
        assert_eq!(decide(0.9, &[0.95, 0.02], 0.1), Decision::Accept);
        assert_eq!(decide(0.4, &[0.95, 0.02], 0.1), Decision::Confirm, "badly heard");
        assert_eq!(decide(0.9, &[0.5, 0.1], 0.1), Decision::Confirm, "unlikely intent");
        assert_eq!(decide(0.9, &[0.67, 0.5], 0.1), Decision::Confirm, "two close intents");
        assert_eq!(decide(0.9, &[0.95, 0.02], 0.9), Decision::Reject, "out of scope");
        assert_eq!(decide(0.1, &[0.95, 0.02], 0.1), Decision::Reject, "not heard");
        assert_eq!(decide(0.9, &[], 0.1), Decision::Reject, "no view at all");
    }
}
