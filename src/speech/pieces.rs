//! Long speech cut into pieces that an ear takes at once.

use std::ops::Range;
use std::time::Duration;

use crate::audio::{FRAME_SAMPLES, RATE_HZ, rms_dbfs};

/// A cut is looked for in the last third of a piece.
const LOOKED_FOR: usize = 3;

/// The samples of each piece, none longer than `longest`, cut in the middle of the quietest 20 ms before that; together
/// they are the whole.
pub fn pieces(pcm: &[i16], longest: Duration) -> Vec<Range<usize>> {
    let ms = usize::try_from(longest.as_millis()).unwrap_or(usize::MAX);
    let most = ms.saturating_mul(RATE_HZ as usize / 1_000).max(FRAME_SAMPLES * LOOKED_FOR);
    let mut all = Vec::new();
    let mut start = 0;
    while pcm.len() - start > most {
        let from = start + most - most / LOOKED_FOR;
        let window = pcm.get(from..start + most).unwrap_or_default();
        let cut = from + quietest(window);
        all.push(start..cut);
        start = cut;
    }
    if start < pcm.len() {
        all.push(start..pcm.len());
    }
    all
}

/// The middle of the quietest frame; where several are alike, of the first.
fn quietest(window: &[i16]) -> usize {
    let levels = window.chunks_exact(FRAME_SAMPLES).map(rms_dbfs).enumerate();
    let frame = levels.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(n, _)| n);
    frame * FRAME_SAMPLES + FRAME_SAMPLES / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONGEST: Duration = Duration::from_secs(3);

    #[test]
    fn it_is_cut_where_it_is_quiet() {
        let second = RATE_HZ as usize;
        let mut pcm = vec![5_000_i16; 7 * second];
        // Two pauses of a tenth of a second: 2.5 s, and 4.9 s.
        for at in [second * 5 / 2, second * 49 / 10] {
            pcm[at..at + second / 10].fill(0);
        }
        let all = pieces(&pcm, LONGEST);
        let cuts: Vec<f64> = all.iter().map(|piece| piece.end as f64 / f64::from(RATE_HZ)).collect();
        assert_eq!(cuts.len(), 3);
        assert!((2.5..2.6).contains(&cuts[0]) && (4.9..5.0).contains(&cuts[1]), "{cuts:?}");
        let whole = pieces(&pcm[..second], LONGEST);
        assert_eq!((whole.len(), whole[0].clone()), (1, 0..second));
        assert!(pieces(&[], LONGEST).is_empty());
    }

    proptest! {
        #[test]
        fn pieces_are_the_whole_and_short_enough(length in 0..200_000_usize, seed in any::<u64>()) {
            let mut random = fastrand::Rng::with_seed(seed);
            let pcm: Vec<i16> = (0..length).map(|_| random.i16(..)).collect();
            let all = pieces(&pcm, LONGEST);
            let mut end = 0;
            for piece in &all {
                prop_assert_eq!(piece.start, end);
                prop_assert!(!piece.is_empty() && piece.len() <= 3 * RATE_HZ as usize);
                end = piece.end;
            }
            prop_assert_eq!(end, length);
        }
    }
}
