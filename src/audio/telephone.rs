//! What a telephone line does to a voice, for tests and audio suites.

use std::f64::consts::{PI, TAU};

use super::level::to_sample;
use super::{Law, RATE_HZ, resample};

/// Samples a second on a telephone line.
pub const LINE_RATE_HZ: u32 = 8_000;

/// The band that a telephone passes, in Hz (ITU-T G.120's reference band; G.712 measures in it).
const BAND_HZ: (f64, f64) = (300.0, 3_400.0);

/// 16 kHz in, 16 kHz out, as it sounds after 8 kHz, the 300 to 3,400 Hz band and G.711. In step with
/// the input, but for the filters' group delay, which is below 2 ms in the middle of the band.
pub fn telephone(samples: &[i16], law: Law) -> Vec<i16> {
    let mut line: Vec<f64> = resample(samples, RATE_HZ, LINE_RATE_HZ).into_iter().map(f64::from).collect();
    for mut section in band_filter() {
        section.run(&mut line);
    }
    let coded: Vec<i16> = line.into_iter().map(|v| law.decode(law.encode(to_sample(v as f32)))).collect();
    let mut out = resample(&coded, LINE_RATE_HZ, RATE_HZ);
    // Halving an odd length rounds up.
    out.truncate(samples.len());
    out
}

/// Fourth-order Butterworth at either end. The quality factors are those of the two pole pairs,
/// 1 / (2 cos(π/8)) and 1 / (2 cos(3π/8)).
fn band_filter() -> [Section; 4] {
    let qualities = [0.5 / (PI / 8.0).cos(), 0.5 / (3.0 * PI / 8.0).cos()];
    [
        Section::high_pass(BAND_HZ.0, qualities[0]),
        Section::high_pass(BAND_HZ.0, qualities[1]),
        Section::low_pass(BAND_HZ.1, qualities[0]),
        Section::low_pass(BAND_HZ.1, qualities[1]),
    ]
}

/// A second-order filter section at 8 kHz, with the coefficients of Robert Bristow-Johnson's "Cookbook
/// formulae for audio equalizer biquad filter coefficients", in transposed direct form II.
struct Section {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

impl Section {
    fn high_pass(corner_hz: f64, quality: f64) -> Section {
        Section::with(corner_hz, quality, |cos| [(1.0 + cos) / 2.0, -(1.0 + cos), (1.0 + cos) / 2.0])
    }

    fn low_pass(corner_hz: f64, quality: f64) -> Section {
        Section::with(corner_hz, quality, |cos| [(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0])
    }

    fn with(corner_hz: f64, quality: f64, numerator: impl Fn(f64) -> [f64; 3]) -> Section {
        let angle = TAU * corner_hz / f64::from(LINE_RATE_HZ);
        let alpha = angle.sin() / (2.0 * quality);
        let a0 = 1.0 + alpha;
        Section {
            b: numerator(angle.cos()).map(|b| b / a0),
            a: [-2.0 * angle.cos() / a0, (1.0 - alpha) / a0],
            state: [0.0; 2],
        }
    }

    fn run(&mut self, samples: &mut [f64]) {
        for sample in samples {
            let x = *sample;
            let y = self.b[0] * x + self.state[0];
            self.state = [self.b[1] * x - self.a[0] * y + self.state[1], self.b[2] * x - self.a[1] * y];
            *sample = y;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::rms_dbfs;

    fn loss_db(hz: f64) -> f32 {
        let tone: Vec<i16> = (0..16_000)
            .map(|i| (8_000.0 * (f64::from(i) * TAU * hz / 16_000.0).sin()).round() as i16)
            .collect();
        let out = telephone(&tone, Law::Mu);
        assert_eq!(out.len(), tone.len());
        rms_dbfs(&tone[4_000..12_000]) - rms_dbfs(&out[4_000..12_000])
    }

    #[test]
    fn the_band_passes_and_the_rest_does_not() {
        for hz in [500.0, 1_000.0, 2_000.0, 3_000.0] {
            assert!(loss_db(hz).abs() < 1.0, "{hz} Hz: {} dB", loss_db(hz));
        }
        assert!((loss_db(300.0) - 3.0).abs() < 0.5);
        assert!(loss_db(100.0) > 30.0);
        assert!(loss_db(5_000.0) > 35.0);
    }

    #[test]
    fn odd_lengths_and_nothing_at_all() {
        for len in [0, 1, 321, 999] {
            assert_eq!(telephone(&vec![100; len], Law::A).len(), len);
        }
    }
}
