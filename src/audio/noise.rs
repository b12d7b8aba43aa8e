//! Seeded noise for tests and audio suites: the same seed gives the same samples on every machine.

use super::level::to_sample;

/// Sebastiano Vigna's SplitMix64 (2015, public domain; the mixing of Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators", OOPSLA 2014). Small and good enough for noise; never
/// for secrets.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// Starts from `seed`; every seed is as good as any other.
    pub const fn new(seed: u64) -> SplitMix64 {
        SplitMix64(seed)
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in 0 (included) to 1 (excluded), in steps of 2⁻²⁴.
    pub fn next_f32(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Roughly normal with mean 0 and variance 1: the sum of twelve uniforms, less six.
    pub fn next_normal(&mut self) -> f32 {
        (0..12).map(|_| self.next_f32()).sum::<f32>() - 6.0
    }
}

/// The spectrum of a noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseColor {
    /// Equal power in each hertz.
    White,
    /// Equal power in each octave, as rooms and traffic roughly have.
    Pink,
}

/// Adds noise `snr_db` below the signal, in place. The signal's level is taken over its active parts
/// (20 ms at 16 kHz within 30 dB of the loudest), so that padding with silence changes nothing.
/// Leaves silence as it is: there is no level to be below.
pub fn add_noise(samples: &mut [i16], color: NoiseColor, snr_db: f32, seed: u64) {
    let Some(signal) = active_power(samples) else { return };
    let mut noise = noise_samples(samples.len(), color, seed);
    let power = mean_power(&noise);
    let gain = (signal / power / 10f32.powf(snr_db / 10.0)).sqrt();
    for (sample, noise) in samples.iter_mut().zip(&mut noise) {
        *sample = to_sample(f32::from(*sample) + *noise * gain);
    }
}

/// `len` samples of noise whose root mean square is `rms`, in sixteen-bit steps.
pub fn noise(len: usize, color: NoiseColor, rms: f32, seed: u64) -> Vec<i16> {
    let raw = noise_samples(len, color, seed);
    let gain = rms / mean_power(&raw).sqrt();
    raw.into_iter().map(|value| to_sample(value * gain)).collect()
}

/// Octaves of the pink noise: from half the sample rate down to 4 Hz at 16 kHz.
const OCTAVES: usize = 12;

fn noise_samples(len: usize, color: NoiseColor, seed: u64) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    match color {
        NoiseColor::White => (0..len).map(|_| random.next_normal()).collect(),
        // Voss and McCartney: one random value an octave, each renewed half as often as the one
        // before it, which the count's trailing zeros say.
        NoiseColor::Pink => {
            let mut held: [f32; OCTAVES] = std::array::from_fn(|_| random.next_normal());
            (1..=len)
                .map(|i| {
                    let octave = (i.trailing_zeros() as usize).min(OCTAVES - 1);
                    held[octave] = random.next_normal();
                    held.iter().sum::<f32>() + random.next_normal()
                })
                .collect()
        }
    }
}

fn mean_power(values: &[f32]) -> f32 {
    let sum: f64 = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
    ((sum / values.len().max(1) as f64) as f32).max(f32::MIN_POSITIVE)
}

fn active_power(samples: &[i16]) -> Option<f32> {
    let powers: Vec<f32> = samples
        .chunks(super::FRAME_SAMPLES)
        .map(|chunk| mean_power(&chunk.iter().map(|&s| f32::from(s)).collect::<Vec<_>>()))
        .collect();
    let loudest = powers.iter().copied().fold(0.0, f32::max);
    let active: Vec<f32> = powers.into_iter().filter(|&power| power >= loudest / 1000.0).collect();
    (loudest > 0.5).then(|| active.iter().sum::<f32>() / active.len() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::rms_dbfs;

    /// The first outputs for seed 1234567 in Vigna's reference code.
    #[test]
    fn the_generator_is_the_published_one() {
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn noise_stands_where_it_was_asked_for() {
        let tone: Vec<i16> =
            (0..32_000).map(|i| (8_000.0 * (f64::from(i) * 0.2).sin()).round() as i16).collect();
        for color in [NoiseColor::White, NoiseColor::Pink] {
            let mut padded = tone.clone();
            padded.extend([0; 32_000]);
            add_noise(&mut padded, color, 15.0, 7);
            let below = rms_dbfs(&tone) - rms_dbfs(&padded[32_000..]);
            assert!((below - 15.0).abs() < 1.0, "{color:?}: {below}");
        }
    }

    #[test]
    fn pink_falls_three_decibels_an_octave() {
        // The difference of neighbours weighs a spectrum by the square of the frequency: it takes far
        // more from pink noise than from white.
        let rough = |color| {
            let samples = noise(64_000, color, 4_000.0, 3);
            let steps: Vec<i16> = samples.windows(2).map(|w| w[1].saturating_sub(w[0])).collect();
            rms_dbfs(&steps) - rms_dbfs(&samples)
        };
        assert!((rough(NoiseColor::White) - 3.0).abs() < 0.3);
        assert!(rough(NoiseColor::Pink) < -2.0);
    }

    #[test]
    fn silence_stays_silent_and_seeds_repeat() {
        let mut silence = [0; 640];
        add_noise(&mut silence, NoiseColor::White, 0.0, 1);
        assert_eq!(silence, [0; 640]);
        assert_eq!(noise(100, NoiseColor::Pink, 100.0, 5), noise(100, NoiseColor::Pink, 100.0, 5));
        assert_ne!(noise(100, NoiseColor::Pink, 100.0, 5), noise(100, NoiseColor::Pink, 100.0, 6));
    }
}
