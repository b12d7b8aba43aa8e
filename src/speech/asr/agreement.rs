//! One utterance heard several times, at other paces: what all hearings together make of it.
//!
//! A short word leaves a small network in doubt, and the doubt falls differently when it is said a little faster
//! or slower. So what any hearing offers is asked of all of them, and the mean of their logarithms decides. What was no speech is taken for words less often too: chance seldom says the same thing three times.
//!
//! Pure: the decoders are behind [`Scorer`].

use super::AsrError;
use super::search::{End, Found, Path, Policy, Scorer, Token, log_probs};

/// The hypotheses of all hearings, each with the geometric mean of its probabilities in them. `heard` pairs each
/// scorer with what a search found in it; there is at least one.
pub(super) fn agreed<S: Scorer>(heard: &mut [(S, Found)], policy: &Policy<'_>) -> Result<Found, AsrError> {
    let mut texts: Vec<Vec<Token>> = Vec::new();
    for path in heard.iter().flat_map(|(_, found)| &found.paths) {
        if path.end == End::Text && !texts.contains(&path.tokens) {
            texts.push(path.tokens.clone());
        }
    }
    let count = heard.len() as f32;
    let empty = heard.iter().map(|(_, found)| found.empty.max(f32::MIN_POSITIVE).ln()).sum::<f32>() / count;
    let mut paths = Vec::new();
    for tokens in texts {
        let mut mean = vec![0.0; tokens.len() + 1];
        for (scorer, found) in heard.iter_mut() {
            let known = found.paths.iter().find(|p| p.end == End::Text && p.tokens == tokens);
            let own = match known {
                Some(path) => path.log_probs.clone(),
                None => log_probs(scorer, policy, &tokens)?,
            };
            mean.iter_mut().zip(own).for_each(|(sum, log_prob)| *sum += log_prob / count);
        }
        paths.push(Path { log_probs: mean, tokens, end: End::Text });
    }
    if paths.is_empty() {
        // Nobody came to an end: any of them shows that as well as all.
        return Ok(heard.first().map(|(_, found)| found.clone()).unwrap_or_default());
    }
    paths.sort_by(|a, b| b.confidence().total_cmp(&a.confidence()));
    Ok(Found { paths, empty: empty.exp() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::asr::search::{SearchOptions, search};

    const POLICY: Policy<'_> = Policy { adjust: &[], eot: 0, no_speech: -1, max_tokens: 40 };

    /// Says one of the tokens 1 to 3 with these logits, then ends.
    struct Says([f32; 3]);

    impl Says {
        fn row(&self, text: &[Token]) -> Vec<f32> {
            match text {
                [] => [&[-9.0], self.0.as_slice()].concat(),
                [..] => vec![9.0, -9.0, -9.0, -9.0],
            }
        }
    }

    struct Table(Says, Vec<f32>);

    impl Scorer for Table {
        fn logits(&mut self, text: &[Token]) -> Result<&[f32], AsrError> {
            self.1 = self.0.row(text);
            Ok(&self.1)
        }
    }

    fn heard(logits: [f32; 3]) -> (Table, Found) {
        let mut table = Table(Says(logits), Vec::new());
        let found = search(&mut table, &POLICY, &SearchOptions::default()).expect("no failure");
        (table, found)
    }

    fn first(found: &Found) -> (Token, f32) {
        (found.paths[0].tokens[0], found.paths[0].confidence())
    }

    #[test]
    fn one_hearing_alone_stays_as_it_was() {
        let (table, found) = heard([3.0, 1.0, -2.0]);
        let (token, confidence) = first(&found);
        let all = agreed(&mut [(table, found)], &POLICY).expect("no failure");
        assert_eq!(first(&all).0, token);
        assert!((first(&all).1 - confidence).abs() < 1e-5);
    }

    #[test]
    fn two_that_are_in_no_doubt_outvote_one_that_is() {
        let doubtful = heard([1.2, 1.0, -9.0]);
        assert_eq!(first(&doubtful.1).0, 1);
        let all = agreed(&mut [doubtful, heard([0.0, 3.0, -9.0]), heard([-1.0, 3.0, -9.0])], &POLICY);
        assert_eq!(first(&all.expect("no failure")).0, 2);
    }

    #[test]
    fn hearings_that_contradict_each_other_are_believed_less_than_each() {
        let hearings = || [[6.0, 0.0, 0.0], [0.0, 6.0, 0.0], [0.0, 0.0, 6.0]].map(heard);
        let each = first(&hearings()[0].1).1;
        let all = agreed(&mut hearings(), &POLICY).expect("no failure");
        assert_eq!(all.paths.len(), 3);
        assert!(first(&all).1 < 0.7 * each, "{} of {each}", first(&all).1);
    }
}
