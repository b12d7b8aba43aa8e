//! Functions over rows of floats, in the widest vectors that the processor has.

use pulp::Arch;

/// Sums kept beside one another: a sum of floats has an order, and this one fits any vector.
const LANES: usize = 16;

#[inline(always)]
fn sum_of(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += term(*value);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|v| term(*v)).sum::<f32>()
}

/// Sum of the products of two slices of one length.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// `e` to the `x`, to a relative 2e-7: a power of two times a polynomial (the coefficients are those of
/// Cephes' expf, S. Moshier). Below -87 it is next to zero, above 88 it stays as at 88.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding and taking away 1.5 * 2^23 rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    // ln 2 in two parts, so that nothing of x is lost.
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        p = p * r + c;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "n lies between -126 and 127"
    )]
    let power = f32::from_bits((((n as i32) + 127) as u32) << 23);
    (p * r * r + r + 1.0) * power
}

/// The error function, to 2e-7 (M. Abramowitz and I. Stegun, Handbook of Mathematical Functions, 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let mut p = 1.061_405_4;
    for c in [-1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        p = p * t + c;
    }
    (1.0 - p * t * exp(-x * x)).copysign(x)
}

/// Share of a standard normal distribution below `x`.
#[inline(always)]
fn normal_below(x: f32) -> f32 {
    0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// `to` gets the GELU of `from` (D. Hendrycks and K. Gimpel, Gaussian Error Linear Units, 2016).
pub(crate) fn gelu(from: &[f32], to: &mut [f32]) {
    Arch::new().dispatch(|| from.iter().zip(to).for_each(|(x, y)| *y = x * normal_below(*x)));
}

/// Multiplies `gradient` by the slope of GELU at `from`.
pub(crate) fn gelu_slope(from: &[f32], gradient: &mut [f32]) {
    /// 1 / sqrt(2 pi).
    const PEAK: f32 = 0.398_942_3;
    Arch::new().dispatch(|| {
        for (x, g) in from.iter().zip(gradient) {
            *g *= normal_below(*x) + x * PEAK * exp(-0.5 * x * x);
        }
    });
}

/// Normalises each row of `width` in `rows` to mean 0 and deviation 1, keeps that in `normal` and one
/// over the deviation in `scale`, and writes it times `gain` plus `shift` back to `rows`.
pub(crate) fn layer_norm(
    rows: &mut [f32],
    (gain, shift): (&[f32], &[f32]),
    epsilon: f32,
    (normal, scale): (&mut [f32], &mut [f32]),
) {
    let width = gain.len();
    let count = as_f32(width);
    Arch::new().dispatch(|| {
        let kept = normal.chunks_exact_mut(width).zip(scale);
        for (row, (normal, scale)) in rows.chunks_exact_mut(width).zip(kept) {
            let mean = sum_of(row, |v| v) / count;
            let variance = sum_of(row, |v| (v - mean) * (v - mean)) / count;
            *scale = 1.0 / (variance + epsilon).sqrt();
            for (n, v) in normal.iter_mut().zip(row.iter()) {
                *n = (v - mean) * *scale;
            }
            for ((v, n), (g, s)) in row.iter_mut().zip(normal.iter()).zip(gain.iter().zip(shift)) {
                *v = n * g + s;
            }
        }
    });
}

/// Turns a row of scores into probabilities.
#[inline(always)]
pub(crate) fn softmax(row: &mut [f32]) {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|v| *v = exp(*v - top));
    let total = sum_of(row, |v| v);
    row.iter_mut().for_each(|v| *v /= total);
}

#[expect(clippy::cast_precision_loss, reason = "lengths far below 2^24")]
pub(crate) fn as_f32(n: usize) -> f32 {
    n as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_a_few_units() {
        for i in -870_i16..=880 {
            let x = f32::from(i) / 10.0 + 0.037;
            let x = x.min(88.0);
            assert!((exp(x) / x.exp() - 1.0).abs() < 5e-7, "{x}: {} {}", exp(x), x.exp());
        }
    }

    #[test]
    fn erf_meets_its_table() {
        // The same handbook, table 7.1.
        for (x, wanted) in [(0.0, 0.0), (0.1, 0.112_463), (0.5, 0.520_5), (1.0, 0.842_701), (2.0, 0.995_322)]
        {
            assert!((erf(x) - wanted).abs() < 2e-6 && (erf(-x) + wanted).abs() < 2e-6, "{x}: {}", erf(x));
        }
    }

    #[test]
    fn the_slope_is_that_of_gelu() {
        let value = |x: f32| {
            let mut y = [0.0];
            gelu(&[x], &mut y);
            y[0]
        };
        for i in -30_i8..30 {
            let x = f32::from(i) / 10.0;
            let mut slope = [1.0];
            gelu_slope(&[x], &mut slope);
            let measured = (value(x + 0.01) - value(x - 0.01)) / 0.02;
            assert!((slope[0] - measured).abs() < 1e-3, "{x}: {} {measured}", slope[0]);
        }
    }

    #[test]
    fn a_normalised_row_has_mean_zero_and_deviation_one() {
        let mut rows: Vec<f32> = (0_u8..40).map(|i| f32::from(i % 7) * 3.0 - 1.0).collect();
        let (mut normal, mut scale) = (vec![0.0; 40], vec![0.0; 2]);
        layer_norm(&mut rows, (&[2.0; 20], &[1.0; 20]), 1e-12, (&mut normal, &mut scale));
        for (normal, row) in normal.chunks(20).zip(rows.chunks(20)) {
            assert!(normal.iter().sum::<f32>().abs() < 1e-5);
            assert!((dot(normal, normal) / 20.0 - 1.0).abs() < 1e-5);
            assert!(normal.iter().zip(row).all(|(n, r)| (r - (2.0 * n + 1.0)).abs() < 1e-6));
        }
    }

    #[test]
    fn softmax_adds_up() {
        let mut row: Vec<f32> = (0_u8..37).map(|i| f32::from(i) * 0.5 - 700.0).collect();
        softmax(&mut row);
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5 && row.is_sorted());
    }
}
