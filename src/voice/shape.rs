//! What every prompt goes through before it is heard: one loudness for the whole line, and no silence
//! at either end that the caller would have to wait for.

use crate::audio::RATE_HZ;

/// Level of speech while someone speaks, dBFS: what the line's prompts are brought to. Networks plan
/// for about −20 (ITU-T P.56 levels in ITU-T G.100.1's terms are within a few dB of it).
const SPEECH_DBFS: f32 = -20.0;

/// Most that a prompt is turned up or down, dB: beyond it, noise would be what is made louder.
const MOST_GAIN_DB: f32 = 18.0;

/// Share of full scale up to which nothing is bent (−3 dBFS).
const KNEE: f32 = 0.708;

/// Share of full scale that is never passed (−1 dBFS): room for the G.711 and resampling that follow.
const CEILING: f32 = 0.891;

/// Samples in a block, 5 ms: the grain of the cut at either end.
const BLOCK: usize = RATE_HZ as usize / 200;

/// Samples kept before the first audible block, 20 ms: a soft onset lies in them.
const LEAD: usize = RATE_HZ as usize / 50;

/// Samples kept after the last audible block, 100 ms: a prompt must not sound bitten off.
const TAIL: usize = RATE_HZ as usize / 10;

/// RMS from which a block counts as audible: −46 dBFS, 26 dB below speech.
const AUDIBLE: f32 = 164.0;

/// Samples in a frame of the level measurement, 20 ms.
const LEVEL_FRAME: usize = RATE_HZ as usize / 50;

fn mean_square(samples: &[i16]) -> f32 {
    samples.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / samples.len().max(1) as f32
}

/// The factor that brings `pcm`'s speech to −20 dBFS; 1 where there is no speech.
///
/// Frames more than 20 dB below the loudest are pauses and do not count.
pub(super) fn gain_for(pcm: &[i16]) -> f32 {
    let powers: Vec<f32> = pcm.chunks(LEVEL_FRAME).map(mean_square).collect();
    let loudest = powers.iter().copied().fold(0.0, f32::max);
    if loudest < 1.0 {
        return 1.0;
    }
    let speech: Vec<f32> = powers.into_iter().filter(|p| *p > loudest / 100.0).collect();
    let level = (speech.iter().sum::<f32>() / speech.len() as f32).sqrt();
    let most = 10_f32.powf(MOST_GAIN_DB / 20.0);
    let wanted = 32_768.0 * 10_f32.powf(SPEECH_DBFS / 20.0);
    (wanted / level).clamp(1.0 / most, most)
}

/// Turns a sample up or down; bends it softly above the knee, so that it never clips.
fn limited(sample: i16, gain: f32) -> i16 {
    let x = f32::from(sample) * gain / 32_768.0;
    let over = (x.abs() - KNEE) / (CEILING - KNEE);
    let bent = if over > 0.0 { KNEE + (CEILING - KNEE) * over.tanh() } else { x.abs() };
    (bent.copysign(x) * 32_768.0).round() as i16
}

/// Shapes one prompt piece by piece. What comes out does not depend on where the pieces were cut.
pub(super) struct Shaper {
    gain: f32,
    heard_any: bool,
    /// Samples that fill no block yet.
    partial: Vec<i16>,
    /// Before the first audible block the lead; after it the silence that may turn out to be the end.
    held: Vec<i16>,
}

impl Shaper {
    /// `gain` is a factor, from [`gain_for`].
    pub(super) fn new(gain: f32) -> Shaper {
        Shaper { gain, heard_any: false, partial: Vec::with_capacity(BLOCK), held: Vec::new() }
    }

    /// Takes the next samples and appends to `out` what may be heard now.
    pub(super) fn push(&mut self, piece: &[i16], out: &mut Vec<i16>) {
        for sample in piece {
            self.partial.push(limited(*sample, self.gain));
            if self.partial.len() == BLOCK {
                self.take_block(out);
            }
        }
    }

    fn take_block(&mut self, out: &mut Vec<i16>) {
        let audible = mean_square(&self.partial) >= AUDIBLE * AUDIBLE;
        if audible {
            self.heard_any = true;
            out.append(&mut self.held);
            out.append(&mut self.partial);
            return;
        }
        self.held.append(&mut self.partial);
        if !self.heard_any {
            let surplus = self.held.len().saturating_sub(LEAD);
            self.held.drain(..surplus);
        }
    }

    /// Appends to `out` what belongs to the end. A prompt without any audible block ends empty.
    pub(super) fn finish(mut self, out: &mut Vec<i16>) {
        if !self.partial.is_empty() {
            self.take_block(out);
        }
        if self.heard_any {
            self.held.truncate(TAIL);
            out.append(&mut self.held);
        }
    }
}

/// Shapes a whole recording at its own loudness.
pub(super) fn shaped(pcm: &[i16]) -> Vec<i16> {
    let mut shaper = Shaper::new(gain_for(pcm));
    let mut out = Vec::with_capacity(pcm.len());
    shaper.push(pcm, &mut out);
    shaper.finish(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A tone of `ms` milliseconds at `peak`.
    fn tone(ms: usize, peak: f32) -> Vec<i16> {
        let samples = ms * RATE_HZ as usize / 1000;
        (0..samples).map(|i| ((i as f32 * 0.2).sin() * peak) as i16).collect()
    }

    fn silence(ms: usize) -> Vec<i16> {
        vec![0; ms * RATE_HZ as usize / 1000]
    }

    fn level_dbfs(pcm: &[i16]) -> f32 {
        10.0 * (mean_square(pcm) / 32_768.0_f32.powi(2)).log10()
    }

    #[test]
    fn quiet_and_loud_prompts_come_out_alike() {
        for peak in [600.0, 3_000.0, 30_000.0] {
            let pcm = [silence(500), tone(1000, peak), silence(500), tone(1000, peak)].concat();
            let gain = gain_for(&pcm);
            let speech: Vec<i16> = tone(1000, peak).iter().map(|s| limited(*s, gain)).collect();
            assert!((level_dbfs(&speech) - SPEECH_DBFS).abs() < 1.5, "{peak}: {}", level_dbfs(&speech));
        }
        assert_eq!(gain_for(&silence(100)), 1.0);
    }

    #[test]
    fn silence_at_the_ends_goes_and_in_the_middle_stays() {
        let pcm = [silence(300), tone(200, 5_000.0), silence(400), tone(200, 5_000.0), silence(700)].concat();
        let mut out = Vec::new();
        let mut shaper = Shaper::new(1.0);
        shaper.push(&pcm, &mut out);
        shaper.finish(&mut out);
        let ms = out.len() * 1000 / RATE_HZ as usize;
        assert_eq!(ms, 20 + 200 + 400 + 200 + 100);
        assert!(out[..LEAD].iter().all(|s| *s == 0) && out[LEAD..LEAD + BLOCK].iter().any(|s| *s != 0));
    }

    #[test]
    fn the_first_word_waits_for_nothing() {
        let mut shaper = Shaper::new(1.0);
        let mut out = Vec::new();
        shaper.push(&tone(10, 5_000.0), &mut out);
        assert_eq!(out.len(), 160);
    }

    proptest! {
        #[test]
        fn pieces_do_not_change_the_prompt(
            pcm in prop::collection::vec(any::<i16>(), 0..2000),
            cuts in prop::collection::vec(1..400_usize, 1..20),
            gain in 0.1..8.0_f32,
        ) {
            let mut whole = Vec::new();
            let mut shaper = Shaper::new(gain);
            shaper.push(&pcm, &mut whole);
            shaper.finish(&mut whole);
            let mut shaper = Shaper::new(gain);
            let (mut out, mut rest) = (Vec::new(), &pcm[..]);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                shaper.push(piece, &mut out);
                rest = after;
            }
            shaper.finish(&mut out);
            prop_assert_eq!(whole, out);
        }

        #[test]
        fn nothing_passes_the_ceiling(sample in any::<i16>(), gain in 0.0..20.0_f32) {
            let peak = f32::from(limited(sample, gain)).abs();
            prop_assert!(peak <= CEILING * 32_768.0 + 1.0, "{}", peak);
        }
    }
}
