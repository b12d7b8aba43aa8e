//! Between a line's sample rate and ours.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use super::level::to_sample;

/// Rates that a [`Resampler`] takes, in Hz: from half a telephone's to the highest of sound cards.
/// Whoever reads a rate from a file or a peer checks it against this.
pub const RATES_HZ: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// Blocks a second: 20 ms, so that a frame in gives a frame out.
const BLOCKS_PER_SECOND: u32 = 50;

/// A stream of mono samples at one rate, turned into another.
///
/// Works in blocks of 20 ms (40 ms from and to 22.05 kHz, longer between rates without a common divisor): whole blocks in
/// give whole blocks out, and what is left over waits for the next call. Output lags input by half a
/// block, as [`Resampler::delay_samples`] says. Between equal rates samples pass unchanged.
pub struct Resampler {
    from_hz: u32,
    to_hz: u32,
    fft: Option<Fft<f32>>,
    waiting: Vec<f32>,
    block_out: Vec<f32>,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// A resampler from `from_hz` to `to_hz`.
    ///
    /// # Panics
    ///
    /// Where a rate is outside [`RATES_HZ`].
    pub fn new(from_hz: u32, to_hz: u32) -> Resampler {
        for rate in [from_hz, to_hz] {
            assert!(RATES_HZ.contains(&rate), "a sample rate of {rate} Hz is not one of {RATES_HZ:?}");
        }
        let fft = (from_hz != to_hz).then(|| {
            // Half a block has to be a whole number of samples on either side, or the filter's middle
            // falls between two: 22.05 kHz gets 40 ms.
            let is_odd = |rate: u32| rate / BLOCKS_PER_SECOND % 2 == 1;
            let blocks =
                if is_odd(from_hz) || is_odd(to_hz) { BLOCKS_PER_SECOND / 2 } else { BLOCKS_PER_SECOND };
            let block = (from_hz / blocks) as usize;
            Fft::new(from_hz as usize, to_hz as usize, block, 1, FixedSync::Both)
                .expect("rates and block are above zero")
        });
        let block_out = fft.as_ref().map_or_else(Vec::new, |fft| vec![0.0; fft.output_frames_max()]);
        Resampler { from_hz, to_hz, fft, waiting: Vec::new(), block_out, taken: 0, given: 0 }
    }

    /// How much later a sound stands in the output than in the input, in output samples.
    pub fn delay_samples(&self) -> usize {
        self.fft.as_ref().map_or(0, |fft| fft.output_delay())
    }

    /// Takes any number of samples; gives what can be given by now.
    pub fn process(&mut self, samples: &[i16]) -> Vec<i16> {
        self.taken += samples.len() as u64;
        if self.fft.is_none() {
            self.given += samples.len() as u64;
            return samples.to_vec();
        }
        self.waiting.extend(samples.iter().map(|&sample| f32::from(sample)));
        self.convert_whole_blocks()
    }

    /// The rest: everything that was put in, the delay included. The resampler then starts anew.
    pub fn finish(&mut self) -> Vec<i16> {
        let due = self.output_len() + self.delay_samples() as u64;
        let mut rest = Vec::new();
        while self.given < due {
            let Some(fft) = &self.fft else { break };
            let given_before = self.given;
            let silence = fft.input_frames_next() - self.waiting.len();
            self.waiting.extend(std::iter::repeat_n(0.0, silence));
            let mut block = self.convert_whole_blocks();
            block.truncate(usize::try_from(due - given_before).unwrap_or(usize::MAX));
            rest.append(&mut block);
        }
        if let Some(fft) = &mut self.fft {
            fft.reset();
        }
        self.waiting.clear();
        (self.taken, self.given) = (0, 0);
        rest
    }

    /// Samples that everything taken so far is worth, delay aside.
    fn output_len(&self) -> u64 {
        let (from, to) = (u64::from(self.from_hz), u64::from(self.to_hz));
        (self.taken * to + from / 2) / from
    }

    fn convert_whole_blocks(&mut self) -> Vec<i16> {
        let Some(fft) = &mut self.fft else { return Vec::new() };
        let mut out = Vec::new();
        let mut used = 0;
        while self.waiting.len() - used >= fft.input_frames_next() {
            let (take, give) = (fft.input_frames_next(), fft.output_frames_next());
            let block_in = InterleavedSlice::new(&self.waiting[used..used + take], 1, take)
                .expect("the slice has that length");
            let mut block_out = InterleavedSlice::new_mut(&mut self.block_out, 1, give)
                .expect("the buffer was made for the longest block");
            fft.process_into_buffer(&block_in, &mut block_out, None)
                .expect("both blocks have the lengths that were asked for");
            out.extend(self.block_out[..give].iter().map(|&value| to_sample(value)));
            used += take;
        }
        self.waiting.drain(..used);
        self.given += out.len() as u64;
        out
    }
}

/// All of a recording at another rate, in step with the original: a sound at second `t` stays at
/// second `t`, and the length is the old one times `to_hz / from_hz`, rounded.
///
/// # Panics
///
/// Where a rate is outside [`RATES_HZ`].
pub fn resample(samples: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    let mut resampler = Resampler::new(from_hz, to_hz);
    let delay = resampler.delay_samples();
    let mut out = resampler.process(samples);
    out.append(&mut resampler.finish());
    out.drain(..delay.min(out.len()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [u32; 6] = [8_000, 16_000, 22_050, 32_000, 44_100, 48_000];

    fn pairs() -> impl Iterator<Item = (u32, u32)> {
        RATES.into_iter().flat_map(|rate| [(rate, 16_000), (16_000, rate)])
    }

    /// 100 ms of silence, then a 1 kHz tone of half a second, then silence again.
    fn burst(rate_hz: u32) -> Vec<i16> {
        (0..rate_hz * 7 / 10)
            .map(|i| {
                let t = f64::from(i) / f64::from(rate_hz);
                let inside = (0.1..0.6).contains(&t);
                if inside {
                    (10_000.0 * (t * 1000.0 * std::f64::consts::TAU).sin()).round() as i16
                } else {
                    0
                }
            })
            .collect()
    }

    #[test]
    fn a_tone_keeps_its_place_its_level_and_its_length() {
        for (from, to) in pairs() {
            let got = resample(&burst(from), from, to);
            let wanted = burst(to);
            assert_eq!(got.len(), wanted.len(), "{from} -> {to}");
            // Away from the edges, where band limits ring.
            let inside = to as usize * 2 / 10..to as usize / 2;
            let (mut error, mut power) = (0.0, 0.0);
            for (&g, &w) in got[inside.clone()].iter().zip(&wanted[inside]) {
                error += (f64::from(g) - f64::from(w)).powi(2);
                power += f64::from(w).powi(2);
            }
            let snr_db = 10.0 * (power / error.max(1e-9)).log10();
            assert!(snr_db > 60.0, "{from} -> {to}: {snr_db:.1} dB");
        }
    }

    #[test]
    fn a_stream_gives_a_frame_for_a_frame_and_the_same_samples_however_it_is_cut() {
        for (from, to) in pairs() {
            let input = burst(from);
            let mut frames = Resampler::new(from, to);
            let per_frame = from as usize / 50;
            let mut whole = Vec::new();
            for frame in input.chunks(per_frame) {
                let out = frames.process(frame);
                if from != 22_050 && to != 22_050 {
                    assert_eq!(out.len(), to as usize / 50, "{from} -> {to}");
                }
                whole.extend(out);
            }
            whole.extend(frames.finish());
            let mut crumbs = Resampler::new(from, to);
            let mut pieces: Vec<i16> = input.chunks(77).flat_map(|piece| crumbs.process(piece)).collect();
            pieces.extend(crumbs.finish());
            assert_eq!(whole, pieces, "{from} -> {to}");
            assert_eq!(whole.len(), burst(to).len() + frames.delay_samples(), "{from} -> {to}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_gone() {
        let hiss: Vec<i16> =
            (0..16_000).map(|i| (10_000.0 * (f64::from(i) * 2.5).sin()).round() as i16).collect();
        // 2.5 radians a sample are 6.4 kHz.
        let narrow = resample(&hiss, 16_000, 8_000);
        assert!(crate::audio::rms_dbfs(&narrow[400..7600]) < -70.0);
    }

    #[test]
    fn nothing_gives_nothing_and_a_finished_resampler_starts_anew() {
        assert!(resample(&[], 8_000, 16_000).is_empty());
        let mut resampler = Resampler::new(8_000, 16_000);
        let first: Vec<i16> = [resampler.process(&burst(8_000)), resampler.finish()].concat();
        let second: Vec<i16> = [resampler.process(&burst(8_000)), resampler.finish()].concat();
        assert_eq!(first, second);
    }
}
