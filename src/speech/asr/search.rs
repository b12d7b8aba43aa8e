//! Finds the likeliest word sequences of one encoded utterance.
//!
//! A greedy pass comes first and is, for clear speech, all there is. Then the likeliest forks off the
//! paths already walked are followed greedily too, most likely fork first: that yields the other
//! hypotheses, and where the greedy pass was unsure it is the fall-back, with more forks allowed. Nothing is
//! drawn at random (Whisper's own fall-back samples at rising temperatures), so the same sound always gives the
//! same answer. whisper.cpp keeps the decoder's cache, and a fork only recomputes what lies behind it.
//!
//! Pure: the decoder is behind [`Scorer`].

use super::AsrError;

/// whisper.cpp's token id.
pub(super) type Token = i32;

/// Forks remembered at each step. The third best token of a step is seldom worth a walk.
const RUNNERS_UP: usize = 3;

/// Gives the logits that follow a prefix.
pub(super) trait Scorer {
    /// Logits of every token of the vocabulary after the prompt and `text`.
    fn logits(&mut self, text: &[Token]) -> Result<&[f32], AsrError>;
}

/// What may be said, and how readily.
#[derive(Clone, Debug)]
pub(super) struct Policy<'a> {
    /// Added to the logits: 0 as heard, negative for words that were not asked for, negative infinity
    /// for what is no speech.
    pub(super) adjust: &'a [f32],
    /// End of the text.
    pub(super) eot: Token,
    /// Whisper's token for "no speech".
    pub(super) no_speech: Token,
    /// Tokens that a path may have.
    pub(super) max_tokens: usize,
}

impl Policy<'_> {
    /// A token's logit as it counts; `nothing_yet`, before the first word.
    fn adjusted(&self, id: usize, logit: f32, nothing_yet: bool) -> f32 {
        // An answer has at least one word; how likely none is has been asked before.
        let barred = nothing_yet && id as Token == self.eot;
        if barred { f32::NEG_INFINITY } else { logit + self.adjust.get(id).copied().unwrap_or(0.0) }
    }

    /// What the logarithms of probabilities are counted from; `top` is the greatest adjusted logit.
    fn log_sum(&self, logits: &[f32], top: f32, nothing_yet: bool) -> f32 {
        let parts = logits.iter().enumerate().map(|(id, l)| (self.adjusted(id, *l, nothing_yet) - top).exp());
        top + parts.sum::<f32>().ln()
    }
}

/// How much is searched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchOptions {
    /// Hypotheses looked for in clear speech, the first included.
    pub paths: usize,
    /// Hypotheses looked for where the greedy pass was unsure.
    pub wide_paths: usize,
    /// Below this confidence (geometric mean of the tokens' probabilities) the greedy pass was unsure.
    pub sure: f32,
    /// A fork is followed where the words up to and including it have at least this probability.
    pub min_fork: f32,
}

impl Default for SearchOptions {
    /// Figures: `docs/asr.md`.
    fn default() -> SearchOptions {
        SearchOptions { paths: 3, wide_paths: 6, sure: 0.6, min_fork: 0.02 }
    }
}

/// One way through the decoder.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    /// Tokens without the end of text.
    pub(super) tokens: Vec<Token>,
    /// Natural logarithm of each token's probability, the end of text's last.
    pub(super) log_probs: Vec<f32>,
    /// Why it ended.
    pub(super) end: End,
}

/// Why a path ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The model said that the text was over.
    Text,
    /// It went round in circles.
    Loop,
    /// It was still talking when it had said more than anybody can.
    Limit,
}

impl Path {
    /// Geometric mean of the probabilities, 0 to 1.
    pub(super) fn confidence(&self) -> f32 {
        let sum: f32 = self.log_probs.iter().sum();
        (sum / self.log_probs.len().max(1) as f32).exp()
    }
}

/// What the search found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    /// Best first.
    pub(super) paths: Vec<Path>,
    /// Probability that the text ends before it has begun, or that its first token says that there is
    /// none; before any adjustment.
    pub(super) empty: f32,
}

/// A place to leave a path for another token.
struct Fork {
    /// Tokens up to and including the fork.
    tokens: Vec<Token>,
    log_probs: Vec<f32>,
}

impl Fork {
    fn log_prob(&self) -> f32 {
        self.log_probs.iter().sum()
    }
}

/// Searches one utterance.
pub(super) fn search(
    scorer: &mut dyn Scorer,
    policy: &Policy<'_>,
    options: &SearchOptions,
) -> Result<Found, AsrError> {
    let first = scorer.logits(&[])?;
    let empty = share_of(first, policy.eot) + share_of(first, policy.no_speech);
    let mut forks = Vec::new();
    let greedy = walk(scorer, policy, Fork { tokens: Vec::new(), log_probs: Vec::new() }, &mut forks)?;
    let sure = greedy.confidence() >= options.sure && greedy.end == End::Text;
    let wanted = if sure { options.paths } else { options.wide_paths };
    let mut paths = vec![greedy];
    while paths.len() < wanted {
        let Some(fork) = take_likeliest(&mut forks, options.min_fork.ln()) else { break };
        paths.push(walk(scorer, policy, fork, &mut forks)?);
    }
    // Stable, so that the greedy path wins a tie.
    paths.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
    Ok(Found { paths, empty })
}

/// A path that does not end by itself is no answer, however sure its tokens are: a loop always is.
fn rank(path: &Path) -> f32 {
    match path.end {
        End::Text => path.confidence(),
        End::Loop | End::Limit => path.confidence() - 1.0,
    }
}

fn take_likeliest(forks: &mut Vec<Fork>, least: f32) -> Option<Fork> {
    let best = (0..forks.len()).max_by(|a, b| forks[*a].log_prob().total_cmp(&forks[*b].log_prob()))?;
    let fork = forks.swap_remove(best);
    (fork.log_prob() >= least).then_some(fork)
}

/// Follows the likeliest token from a fork to the end, and notes the forks passed on the way.
fn walk(
    scorer: &mut dyn Scorer,
    policy: &Policy<'_>,
    from: Fork,
    forks: &mut Vec<Fork>,
) -> Result<Path, AsrError> {
    let Fork { mut tokens, mut log_probs } = from;
    if tokens.last() == Some(&policy.eot) {
        tokens.pop();
        return Ok(Path { tokens, log_probs, end: End::Text });
    }
    loop {
        if loops(&tokens) {
            return Ok(Path { tokens, log_probs, end: End::Loop });
        }
        if tokens.len() >= policy.max_tokens {
            return Ok(Path { tokens, log_probs, end: End::Limit });
        }
        let nothing_yet = tokens.is_empty();
        let [best, others @ ..] = likeliest(scorer.logits(&tokens)?, policy, nothing_yet);
        for (token, log_prob) in others {
            let mut fork = Fork { tokens: tokens.clone(), log_probs: log_probs.clone() };
            fork.tokens.push(token);
            fork.log_probs.push(log_prob);
            forks.push(fork);
        }
        log_probs.push(best.1);
        if best.0 == policy.eot {
            return Ok(Path { tokens, log_probs, end: End::Text });
        }
        tokens.push(best.0);
    }
}

/// The likeliest tokens and the logarithms of their probabilities, best first.
fn likeliest(logits: &[f32], policy: &Policy<'_>, nothing_yet: bool) -> [(Token, f32); 1 + RUNNERS_UP] {
    let mut best = [(policy.eot, f32::NEG_INFINITY); 1 + RUNNERS_UP];
    for (id, logit) in logits.iter().enumerate() {
        let value = policy.adjusted(id, *logit, nothing_yet);
        if value > best[RUNNERS_UP].1 {
            let place = best.iter().position(|(_, other)| value > *other).unwrap_or(RUNNERS_UP);
            best[place..].rotate_right(1);
            best[place] = (id as Token, value);
        }
    }
    let all = policy.log_sum(logits, best[0].1, nothing_yet);
    best.map(|(id, value)| (id, value - all))
}

/// Natural logarithm of each token's probability on the way through a text to its end, the end's last.
pub(super) fn log_probs(
    scorer: &mut dyn Scorer,
    policy: &Policy<'_>,
    text: &[Token],
) -> Result<Vec<f32>, AsrError> {
    let steps = (0..=text.len()).map(|at| {
        let logits = scorer.logits(&text[..at])?;
        let next = usize::try_from(text.get(at).copied().unwrap_or(policy.eot)).unwrap_or(usize::MAX);
        let values = logits.iter().enumerate().map(|(id, logit)| policy.adjusted(id, *logit, at == 0));
        let top = values.fold(f32::NEG_INFINITY, f32::max);
        let own = logits.get(next).map_or(f32::NEG_INFINITY, |l| policy.adjusted(next, *l, at == 0));
        Ok(own - policy.log_sum(logits, top, at == 0))
    });
    steps.collect()
}

/// Probability of one token, before any adjustment.
pub(super) fn share_of(logits: &[f32], token: Token) -> f32 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - top).exp()).sum();
    let own = usize::try_from(token).ok().and_then(|id| logits.get(id));
    own.map_or(0.0, |logit| (logit - top).exp() / sum)
}

/// Whether the tokens end in a pattern of one to six tokens, said too often to be an answer. People
/// say "zero" up to eight times on end; nobody repeats a phrase four times.
fn loops(tokens: &[Token]) -> bool {
    (1..=6).any(|period| {
        let times = if period == 1 { 9 } else { 4 };
        let Some(start) = tokens.len().checked_sub(period * times) else { return false };
        let tail = &tokens[start..];
        let repeats = tail.iter().zip(&tail[period..]).all(|(a, b)| a == b);
        // Eight zeros are not four times two zeros.
        repeats && (period == 1 || tail[1..period].iter().any(|token| *token != tail[0]))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const EOT: Token = 0;

    /// A text so far, and what may follow it.
    type Row<'a> = (&'a [Token], &'a [(Token, f32)]);

    /// A table of continuations with their logits; everything else ends the text.
    struct Table(BTreeMap<Vec<Token>, Vec<(Token, f32)>>, Vec<f32>);

    impl Table {
        fn new(rows: &[Row<'_>]) -> Table {
            Table(rows.iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect(), Vec::new())
        }
    }

    impl Scorer for Table {
        fn logits(&mut self, text: &[Token]) -> Result<&[f32], AsrError> {
            self.1 = vec![-20.0; 10];
            match self.0.get(text) {
                Some(row) => row.iter().for_each(|(token, logit)| self.1[*token as usize] = *logit),
                None => self.1[EOT as usize] = 10.0,
            }
            Ok(&self.1)
        }
    }

    fn check(table: &mut Table, adjust: &[f32], expected: &[&[Token]]) -> Found {
        let policy = Policy { adjust, eot: EOT, no_speech: -1, max_tokens: 40 };
        let found = search(table, &policy, &SearchOptions::default()).expect("the table never fails");
        let paths: Vec<&[Token]> = found.paths.iter().map(|p| p.tokens.as_slice()).collect();
        assert_eq!(paths, expected);
        found
    }

    #[test]
    fn clear_speech_has_one_hypothesis() {
        let found = check(&mut Table::new(&[(&[], &[(1, 10.0)]), (&[1], &[(2, 10.0)])]), &[], &[&[1, 2]]);
        assert!(found.paths[0].confidence() > 0.99);
        assert!(found.empty < 0.01);
    }

    #[test]
    fn a_fork_can_win_over_the_greedy_path() {
        // 1 looks better than 2, but nothing clear follows it.
        let rows: &[Row<'_>] = &[
            (&[], &[(1, 2.2), (2, 2.0)]),
            (&[1], &[(3, 1.0), (4, 0.9), (5, 0.9), (6, 0.9)]),
            (&[2], &[(7, 9.0)]),
        ];
        let policy = Policy { adjust: &[], eot: EOT, no_speech: -1, max_tokens: 40 };
        let found = search(&mut Table::new(rows), &policy, &SearchOptions::default()).expect("no failure");
        assert_eq!(found.paths[0].tokens, [2, 7]);
        assert!(found.paths.len() > 3, "an unsure pass is searched more widely");
    }

    #[test]
    fn the_expected_is_favoured_and_the_barred_is_never_said() {
        let table = || Table::new(&[(&[], &[(1, 3.0), (2, 2.0), (3, 9.0)])]);
        check(&mut table(), &[], &[&[3]]);
        let mut adjust = [0.0; 10];
        adjust[3] = f32::NEG_INFINITY;
        check(&mut table(), &adjust, &[&[1], &[2]]);
        adjust[1] = -4.0;
        check(&mut table(), &adjust, &[&[2], &[1]]);
    }

    #[test]
    fn a_text_that_was_found_scores_as_it_did_in_the_search() {
        let rows: &[Row<'_>] = &[(&[], &[(1, 2.2), (2, 2.0)]), (&[1], &[(3, 1.0)]), (&[2], &[(7, 9.0)])];
        let mut table = Table::new(rows);
        let mut adjust = [0.0; 10];
        adjust[3] = -0.5;
        let policy = Policy { adjust: &adjust, eot: EOT, no_speech: -1, max_tokens: 40 };
        let found = search(&mut table, &policy, &SearchOptions::default()).expect("no failure");
        for path in found.paths {
            assert_eq!(log_probs(&mut table, &policy, &path.tokens).expect("no failure"), path.log_probs);
        }
    }

    #[test]
    fn an_empty_answer_shows_as_such() {
        let found = check(&mut Table::new(&[(&[], &[(EOT, 5.0), (1, 1.0)])]), &[], &[&[1]]);
        assert!(found.empty > 0.9);
    }

    #[test]
    fn circles_are_left_and_rank_last() {
        /// Says 1 for ever, or 2 and stops.
        struct Stuck(Vec<f32>);
        impl Scorer for Stuck {
            fn logits(&mut self, text: &[Token]) -> Result<&[f32], AsrError> {
                self.0 = match text {
                    [] => vec![-20.0, 5.0, 4.0],
                    [.., 2] => vec![9.0, 0.0, 0.0],
                    [..] => vec![-20.0, 9.0, -20.0],
                };
                Ok(&self.0)
            }
        }
        let policy = Policy { adjust: &[], eot: EOT, no_speech: -1, max_tokens: 40 };
        let found = search(&mut Stuck(Vec::new()), &policy, &SearchOptions::default()).expect("no failure");
        assert_eq!(found.paths[0].tokens, [2]);
        assert_eq!(found.paths.last().map(|p| p.end), Some(End::Loop));
    }

    #[test]
    fn eight_zeros_are_a_number_nine_are_a_loop() {
        assert!(!loops(&[5; 8]));
        assert!(loops(&[5; 9]));
        assert!(!loops(&[1, 2, 1, 2, 1, 2]));
        assert!(loops(&[7, 1, 2, 1, 2, 1, 2, 1, 2]));
    }

    proptest! {
        #[test]
        fn probabilities_are_probabilities(logits in prop::collection::vec(-30.0_f32..30.0, 2..40)) {
            let policy = Policy { adjust: &[], eot: EOT, no_speech: -1, max_tokens: 40 };
            let best = likeliest(&logits, &policy, false);
            prop_assert!(best.windows(2).all(|w| w[0].1 >= w[1].1));
            prop_assert!(best.iter().all(|(_, p)| *p <= 1e-4));
            let sum: f32 = (0..logits.len()).map(|id| share_of(&logits, id as Token)).sum();
            prop_assert!((sum - 1.0).abs() < 1e-3);
        }
    }
}
