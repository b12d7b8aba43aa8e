//! Callers who are upset get a person sooner: declared words, questions asked again and again, and a
//! sentence said once more, louder.

use super::Dialogue;
use crate::call::HandoffReason;
use crate::understanding::words;

/// Share of words that makes a sentence the same as the last one.
const SAME: f32 = 0.6;

impl Dialogue {
    /// Counts what a sentence shows; whether a person is being called because of it.
    pub(super) fn grows_upset(&mut self, text: &str, level_dbfs: Option<f32>) -> bool {
        let Some(spec) = self.flow.line.upset.clone() else { return false };
        let mut signs = 0;
        let mut why = Vec::new();
        if let Some(found) = self.flow.commands.upset.find(text) {
            signs += spec.word;
            why.push(format!("'{}'", found.phrase));
        }
        if let (Some(before), Some(now), Some(last)) = (self.last_level_dbfs, level_dbfs, &self.last_heard)
            && now - before >= spec.raised_db
            && is_repetition(last.expose(), text)
        {
            signs += spec.raised;
            why.push(format!("said again, {:.0} dB louder", now - before));
        }
        if !self.is_secret() {
            self.last_level_dbfs = level_dbfs;
        }
        signs > 0 && self.shows(signs, &why.join(", "))
    }

    /// A question that has to be asked again; whether a person is being called because of it.
    pub(super) fn failed_again(&mut self) -> bool {
        let Some(spec) = &self.flow.line.upset else { return false };
        // Without a word of theirs it is the ladder's business, not a sign.
        let signs = if self.signs > 0 { spec.failure } else { 0 };
        signs > 0 && self.shows(signs, "asked again")
    }

    fn shows(&mut self, signs: u8, why: &str) -> bool {
        let limit = self.flow.line.upset.as_ref().map_or(u8::MAX, |u| u.limit);
        self.signs = self.signs.saturating_add(signs);
        self.decided("upset", format!("{why}: {} of {limit} signs", self.signs));
        if self.signs < limit || self.is_leaving() {
            return false;
        }
        self.signs = 0;
        self.hand_over(HandoffReason::CallerUpset);
        true
    }
}

/// Whether most words of the shorter sentence are in the other.
fn is_repetition(before: &str, now: &str) -> bool {
    let of = |text: &str| words(text).into_iter().map(|w| w.text).collect::<std::collections::BTreeSet<_>>();
    let (before, now) = (of(before), of(now));
    let shorter = before.len().min(now.len());
    shorter > 0 && before.intersection(&now).count() as f32 >= SAME * shorter as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_again() {
        assert!(is_repetition("where is my order", "i said where is my order"));
        assert!(!is_repetition("where is my order", "i want a refund"));
        assert!(!is_repetition("", "no"));
    }
}
