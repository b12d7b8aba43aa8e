//! How loud: levels in dBFS and dBm0, gain in dB.
//!
//! 0 dBFS is a root mean square of 32,768, so a sine that just fits reads −3.01 dBFS.

/// Level of a sine that just fits sixteen bits, in dBm0: the overload point of µ-law (ITU-T G.711,
/// table 5: 3.17 dBm0; A-law's is 3.14).
pub const FULL_SCALE_SINE_DBM0: f32 = 3.17;

/// What silence reads instead of minus infinity, in dB.
pub const FLOOR_DB: f32 = -120.0;

/// Root mean square, in dBFS; [`FLOOR_DB`] for silence and for nothing at all.
pub fn rms_dbfs(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return FLOOR_DB;
    }
    let sum: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    amplitude_db((sum / samples.len() as f64).sqrt())
}

/// Highest magnitude, in dBFS; [`FLOOR_DB`] for silence and for nothing at all.
pub fn peak_dbfs(samples: &[i16]) -> f32 {
    let peak = samples.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
    amplitude_db(f64::from(peak))
}

/// Amplifies in place by `gain_db`, rounding and clipping.
pub fn apply_gain(samples: &mut [i16], gain_db: f32) {
    let factor = 10f32.powf(gain_db / 20.0);
    for sample in samples {
        *sample = to_sample(f32::from(*sample) * factor);
    }
}

/// Amplitude of a sine at `dbm0`, in units of one sixteen-bit step.
pub(crate) fn sine_amplitude(dbm0: f32) -> f32 {
    32_768.0 * 10f32.powf((dbm0 - FULL_SCALE_SINE_DBM0) / 20.0)
}

/// Rounds and clips.
pub(crate) fn to_sample(value: f32) -> i16 {
    // A float-to-integer `as` saturates, and makes NaN zero.
    value.round() as i16
}

fn amplitude_db(amplitude: f64) -> f32 {
    if amplitude < f64::MIN_POSITIVE {
        return FLOOR_DB;
    }
    (20.0 * (amplitude / 32_768.0).log10()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_known_signals() {
        let square: Vec<i16> = (0..320).map(|i| if i % 2 == 0 { 16_384 } else { -16_384 }).collect();
        assert!((rms_dbfs(&square) + 6.02).abs() < 0.01);
        assert!((peak_dbfs(&square) + 6.02).abs() < 0.01);
        let sine: Vec<i16> =
            (0..320).map(|i| to_sample(32_767.0 * (i as f32 * std::f32::consts::TAU / 32.0).sin())).collect();
        assert!((rms_dbfs(&sine) + 3.01).abs() < 0.01);
        assert_eq!(rms_dbfs(&[0; 320]), FLOOR_DB);
        assert_eq!(peak_dbfs(&[]), FLOOR_DB);
        assert!(peak_dbfs(&[i16::MIN]).abs() < 0.001);
    }

    #[test]
    fn gain_rounds_and_clips() {
        let mut samples = [1000, -1000, 30_000, i16::MIN];
        apply_gain(&mut samples, 6.0206);
        assert_eq!(samples, [2000, -2000, i16::MAX, i16::MIN]);
    }
}
