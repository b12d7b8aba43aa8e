//! What scores are worth: a temperature for the probabilities, and a gate for what is out of scope.
//! Both are fitted on scores of sentences that the head had not been trained on.

use serde::{Deserialize, Serialize};

/// Share of the in-scope sentences that the gate lets through where it stands at 0.5. Measured on the
/// demo's files: 0.96 and 0.98 catch 92 % and 90 % of CLINC150's out-of-scope sentences, this one 92 %.
const KEPT: f64 = 0.97;
/// Penalty on the gate's weights: with fewer than a hundred negatives it would trust one signal alone.
const GATE_DECAY: f64 = 0.02;
/// Number of signals.
pub(super) const SIGNALS: usize = 4;

/// `ln(sum(exp(x)))` without overflow.
pub(super) fn log_sum_exp(logits: &[f32]) -> f32 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    top + logits.iter().map(|l| (l - top).exp()).sum::<f32>().ln()
}

/// Probabilities of logits at a temperature.
pub(super) fn probabilities(logits: &[f32], temperature: f32) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let parts: Vec<f32> = logits.iter().map(|l| ((l - top) / temperature).exp()).collect();
    let total: f32 = parts.iter().sum();
    parts.iter().map(|p| p / total).collect()
}

/// The temperature at which the labels are likeliest (C. Guo and others, On calibration of modern neural
/// networks, 2017), between 0.05 and 20, by golden-section search over its logarithm.
pub(super) fn temperature(logits: &[Vec<f32>], labels: &[usize]) -> f32 {
    let loss = |log_t: f32| -> f64 {
        let t = log_t.exp();
        logits.iter().zip(labels).map(|(l, &y)| -f64::from(probabilities(l, t)[y].max(1e-12).ln())).sum()
    };
    let golden = 0.618_034_f32;
    let (mut low, mut high) = (-3.0_f32, 3.0_f32);
    // 30 steps leave a millionth of the range.
    for _ in 0..30 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        if loss(a) <= loss(b) {
            high = b;
        } else {
            low = a;
        }
    }
    f32::midpoint(low, high).exp()
}

/// Mean distance between confidence and accuracy over ten bins (the same paper's ECE).
pub(super) fn calibration_error(probabilities: &[Vec<f32>], labels: &[usize]) -> f32 {
    let mut bins = [(0.0_f32, 0.0_f32); 10];
    for (row, &label) in probabilities.iter().zip(labels) {
        let (best, confidence) = top(row);
        let bin = (0..10_u8).rev().find(|b| confidence * 10.0 >= f32::from(*b)).unwrap_or(0);
        let (sum, right) = &mut bins[usize::from(bin)];
        *sum += confidence;
        *right += if best == label { 1.0 } else { 0.0 };
    }
    bins.iter().map(|(sum, right)| (sum - right).abs()).sum::<f32>() / as_f32(labels.len().max(1))
}

/// Index and value of the largest; the first of equals.
pub(super) fn top(row: &[f32]) -> (usize, f32) {
    row.iter()
        .copied()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, (i, v)| if v > best.1 { (i, v) } else { best })
}

/// Signs that a sentence belongs to no intent; larger means more so.
pub(super) type Signals = [f32; SIGNALS];

/// A logistic judgement over [`Signals`], with 0.5 where [`KEPT`] of the in-scope sentences pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Gate {
    mean: Signals,
    deviation: Signals,
    weights: Signals,
    bias: f32,
}

impl Gate {
    /// Fits to the signals of sentences in scope and, where there are any, of negative ones, and puts
    /// 0.5 where [`KEPT`] of the `clean` sentences in scope pass. Without negatives every signal counts
    /// alike.
    pub(super) fn fit(in_scope: &[Signals], clean: &[Signals], negatives: &[Signals]) -> Gate {
        let (mean, deviation) = moments(in_scope);
        let mut gate = Gate { mean, deviation, weights: [1.0; SIGNALS], bias: 0.0 };
        if !negatives.is_empty() {
            gate.learn(in_scope, negatives);
        }
        let mut scores: Vec<f32> = clean.iter().map(|s| gate.score(s)).collect();
        scores.sort_by(f32::total_cmp);
        gate.bias -= quantile(&scores, KEPT);
        gate
    }

    /// How likely it is that a sentence with these signals belongs to no intent, 0 to 1.
    pub(super) fn out_of_scope(&self, signals: &Signals) -> f32 {
        1.0 / (1.0 + (-self.score(signals)).exp())
    }

    fn score(&self, signals: &Signals) -> f32 {
        self.bias + self.standard(signals).iter().zip(&self.weights).map(|(s, w)| s * w).sum::<f32>()
    }

    fn standard(&self, signals: &Signals) -> Signals {
        std::array::from_fn(|i| (signals[i] - self.mean[i]) / self.deviation[i])
    }

    /// Logistic regression by plain descent; both sides count alike.
    fn learn(&mut self, in_scope: &[Signals], negatives: &[Signals]) {
        let side = |signals: &[Signals], label: f64| -> Vec<(Signals, f64, f64)> {
            let weight = 0.5 / f64::from(as_f32(signals.len()));
            signals.iter().map(|s| (self.standard(s), label, weight)).collect()
        };
        let points = [side(in_scope, 0.0), side(negatives, 1.0)].concat();
        let (mut weights, mut bias) = ([0.0_f64; SIGNALS], 0.0_f64);
        for _ in 0..1500 {
            let mut gradient: [f64; SIGNALS] = std::array::from_fn(|i| GATE_DECAY * weights[i]);
            let mut bias_gradient = 0.0;
            for (signals, label, weight) in &points {
                let score = bias + signals.iter().zip(&weights).map(|(s, w)| f64::from(*s) * w).sum::<f64>();
                let off = weight * (1.0 / (1.0 + (-score).exp()) - label);
                gradient.iter_mut().zip(signals).for_each(|(g, s)| *g += off * f64::from(*s));
                bias_gradient += off;
            }
            // Signals grow with being out of scope: a weight below zero would be an accident.
            weights.iter_mut().zip(gradient).for_each(|(w, g)| *w = (*w - 0.3 * g).max(0.0));
            bias -= 0.3 * bias_gradient;
        }
        self.weights = weights.map(as_single);
        self.bias = as_single(bias);
    }
}

/// Mean and standard deviation of each signal; the deviation is never zero.
fn moments(all: &[Signals]) -> (Signals, Signals) {
    let count = as_f32(all.len().max(1));
    let mean: Signals = std::array::from_fn(|i| all.iter().map(|s| s[i]).sum::<f32>() / count);
    let deviation = std::array::from_fn(|i| {
        let variance = all.iter().map(|s| (s[i] - mean[i]).powi(2)).sum::<f32>() / count;
        variance.sqrt().max(1e-3)
    });
    (mean, deviation)
}

/// The value below which `share` of the sorted values lie.
fn quantile(sorted: &[f32], share: f64) -> f32 {
    let last = sorted.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the last index"
    )]
    let at = (f64::from(as_f32(last)) * share).ceil() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "counts of sentences, far below 2^24")]
fn as_f32(n: usize) -> f32 {
    n as f32
}

#[expect(clippy::cast_possible_truncation, reason = "weights are single precision")]
fn as_single(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits whose probabilities at temperature 1 are true, told `sharpness` times too boldly.
    fn told(sharpness: f32) -> (Vec<Vec<f32>>, Vec<usize>) {
        let mut logits = Vec::new();
        let mut labels = Vec::new();
        for (right, of) in [(9_u8, 10_u8), (3, 4), (6, 10)] {
            let p = f32::from(right) / f32::from(of);
            for i in 0..of {
                logits.push(vec![(p / (1.0 - p)).ln() * sharpness, 0.0]);
                labels.push(usize::from(i >= right));
            }
        }
        (logits, labels)
    }

    #[test]
    fn the_temperature_undoes_boldness() {
        for sharpness in [0.5, 1.0, 3.0] {
            let (logits, labels) = told(sharpness);
            let found = temperature(&logits, &labels);
            assert!((found / sharpness - 1.0).abs() < 0.05, "{sharpness}: {found}");
        }
    }

    #[test]
    fn calibration_error_falls_with_the_right_temperature() {
        let (logits, labels) = told(4.0);
        let at = |t: f32| {
            calibration_error(&logits.iter().map(|l| probabilities(l, t)).collect::<Vec<_>>(), &labels)
        };
        assert!(at(temperature(&logits, &labels)) < 0.02, "{}", at(4.0));
        assert!(at(1.0) > 0.1);
    }

    fn cloud(centre: f32, count: u8) -> Vec<Signals> {
        (0..count)
            .map(|i| [centre + f32::from(i % 10) * 0.1, centre * 0.5 + f32::from(i % 7) * 0.1, 0.0, 1.0])
            .collect()
    }

    #[test]
    fn the_gate_keeps_its_share_and_catches_the_rest() {
        let (inside, outside) = (cloud(0.0, 200), cloud(3.0, 50));
        for negatives in [outside.as_slice(), &[]] {
            let gate = Gate::fit(&inside, &inside, negatives);
            let kept = inside.iter().filter(|s| gate.out_of_scope(s) <= 0.5).count();
            assert!(kept >= 190, "{kept}");
            assert!(outside.iter().all(|s| gate.out_of_scope(s) > 0.5));
        }
    }

    #[test]
    fn probabilities_add_up() {
        let p = probabilities(&[900.0, 899.0, -5000.0], 1.0);
        assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-5 && p[0] > p[1]);
    }
}
