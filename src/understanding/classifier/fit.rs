//! Softmax regression: the head's weights, by L-BFGS over the whole set at once.
//!
//! The loss is convex and every step is in a fixed order, so the same set gives the same bits.

use std::collections::VecDeque;

use candle_core::{D, Device, Tensor};
use candle_nn::ops::{log_softmax, softmax};

use super::ClassifierError;

/// Pairs of steps that L-BFGS remembers (J. Nocedal and S. Wright, Numerical Optimization, section
/// 7.2: between 3 and 20 serve).
const MEMORY: usize = 8;
/// Sufficient decrease in the line search (same book, section 3.1).
const ARMIJO: f64 = 1e-4;
/// Steps after which it ends in any case.
const MAX_STEPS: usize = 80;
/// Ends where a step gains less than this share of the loss.
const TOLERANCE: f64 = 1e-5;

/// A linear map to one logit a class.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    /// `[classes, row_length]`, f32.
    pub(super) weight: Tensor,
    /// `[classes]`, f32.
    pub(super) bias: Tensor,
}

impl Linear {
    /// Logits of `rows`, `[sentences, classes]`.
    pub(super) fn logits(&self, rows: &Tensor) -> Result<Tensor, ClassifierError> {
        Ok(rows.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?)
    }
}

/// What is fitted to.
pub(super) struct Problem {
    /// `[sentences, row_length]`.
    rows: Tensor,
    /// One-hot, `[sentences, classes]`, each row scaled by the sentence's weight.
    targets: Tensor,
    /// Each sentence's weight, `[sentences, 1]`; they add up to 1.
    weights: Tensor,
    /// `[classes, row_length]`.
    shape: (usize, usize),
    /// Penalty on the squared weights; the bias goes free.
    decay: f64,
}

impl Problem {
    /// Sentences as rows, each with its class and what it counts. Every class counts alike, however
    /// many sentences it has.
    pub(super) fn new(
        rows: Tensor,
        labels: &[(usize, f32)],
        classes: usize,
        decay: f64,
    ) -> Result<Problem, ClassifierError> {
        let mut totals = vec![0.0_f32; classes];
        for (label, count) in labels {
            totals[*label] += count;
        }
        let present: f32 = totals.iter().filter(|t| **t > 0.0).map(|_| 1.0).sum();
        let mut targets = vec![0.0_f32; labels.len() * classes];
        let mut weights = Vec::with_capacity(labels.len());
        for (row, (label, count)) in targets.chunks_mut(classes).zip(labels) {
            let weight = count / (present * totals[*label]);
            row[*label] = weight;
            weights.push(weight);
        }
        let shape = (classes, rows.dim(1)?);
        Ok(Problem {
            targets: Tensor::from_vec(targets, (labels.len(), classes), &Device::Cpu)?,
            weights: Tensor::from_vec(weights, (labels.len(), 1), &Device::Cpu)?,
            rows,
            shape,
            decay,
        })
    }

    fn linear(&self, point: &[f32]) -> Result<Linear, ClassifierError> {
        let (weight, bias) = point.split_at(self.shape.0 * self.shape.1);
        Ok(Linear {
            weight: Tensor::from_slice(weight, self.shape, &Device::Cpu)?,
            bias: Tensor::from_slice(bias, self.shape.0, &Device::Cpu)?,
        })
    }

    /// Loss and gradient at `point`. The gradient of softmax regression is known in closed form, which
    /// spares a tape.
    fn at(&self, point: &[f32]) -> Result<(f64, Vec<f32>), ClassifierError> {
        let logits = self.linear(point)?.logits(&self.rows)?;
        let cross_entropy =
            (&self.targets * log_softmax(&logits, D::Minus1)?)?.sum_all()?.to_scalar::<f32>()?;
        let weight_count = self.shape.0 * self.shape.1;
        let weight = &point[..weight_count];
        let loss = 0.5 * self.decay * dot(weight, weight) - f64::from(cross_entropy);
        let off = (softmax(&logits, D::Minus1)?.broadcast_mul(&self.weights)? - &self.targets)?;
        let mut gradient: Vec<f32> = off.t()?.matmul(&self.rows)?.flatten_all()?.to_vec1()?;
        for (g, w) in gradient.iter_mut().zip(weight) {
            *g += as_single(self.decay) * w;
        }
        gradient.extend(off.sum(0)?.to_vec1::<f32>()?);
        Ok((loss, gradient))
    }

    /// The weights that fit best.
    pub(super) fn solve(&self) -> Result<Linear, ClassifierError> {
        let mut point = vec![0.0_f32; self.shape.0 * self.shape.1 + self.shape.0];
        let (mut loss, mut gradient) = self.at(&point)?;
        let mut memory: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
        for _ in 0..MAX_STEPS {
            let direction = descent(&gradient, &memory);
            let slope = dot(&direction, &gradient);
            let Some((next, next_loss, next_gradient)) = self.search(&point, loss, &direction, slope)? else {
                break;
            };
            let pair = Pair::new(&point, &next, &gradient, &next_gradient);
            if pair.curvature > 0.0 {
                if memory.len() == MEMORY {
                    memory.pop_front();
                }
                memory.push_back(pair);
            }
            let gained = loss - next_loss;
            (point, loss, gradient) = (next, next_loss, next_gradient);
            if gained < TOLERANCE * loss.abs() {
                break;
            }
        }
        self.linear(&point)
    }

    /// Goes along `direction`, half as far each time, until the loss falls enough.
    #[expect(clippy::type_complexity, reason = "point, loss and gradient, used once")]
    fn search(
        &self,
        point: &[f32],
        loss: f64,
        direction: &[f32],
        slope: f64,
    ) -> Result<Option<(Vec<f32>, f64, Vec<f32>)>, ClassifierError> {
        let mut step = 1.0_f64;
        for _ in 0..20 {
            let length = as_single(step);
            let next: Vec<f32> = point.iter().zip(direction).map(|(p, d)| p + length * d).collect();
            let (next_loss, gradient) = self.at(&next)?;
            if next_loss <= loss + ARMIJO * step * slope {
                return Ok(Some((next, next_loss, gradient)));
            }
            step *= 0.5;
        }
        Ok(None)
    }
}

/// A step and how the gradient changed along it.
struct Pair {
    step: Vec<f32>,
    change: Vec<f32>,
    /// Their product.
    curvature: f64,
}

impl Pair {
    fn new(from: &[f32], to: &[f32], gradient_from: &[f32], gradient_to: &[f32]) -> Pair {
        let less = |a: &[f32], b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let (step, change) = (less(to, from), less(gradient_to, gradient_from));
        let curvature = dot(&step, &change);
        Pair { step, change, curvature }
    }
}

/// The two-loop recursion (Nocedal and Wright, algorithm 7.4), downhill.
fn descent(gradient: &[f32], memory: &VecDeque<Pair>) -> Vec<f32> {
    let mut q: Vec<f32> = gradient.iter().map(|g| -g).collect();
    let mut alphas = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let alpha = dot(&pair.step, &q) / pair.curvature;
        add(&mut q, -alpha, &pair.change);
        alphas.push(alpha);
    }
    if let Some(last) = memory.back() {
        let scale = as_single(last.curvature / dot(&last.change, &last.change));
        q.iter_mut().for_each(|v| *v *= scale);
    }
    for (pair, alpha) in memory.iter().zip(alphas.into_iter().rev()) {
        let beta = dot(&pair.change, &q) / pair.curvature;
        add(&mut q, alpha - beta, &pair.step);
    }
    q
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn add(to: &mut [f32], factor: f64, what: &[f32]) {
    let factor = as_single(factor);
    to.iter_mut().zip(what).for_each(|(t, w)| *t += factor * w);
}

#[expect(clippy::cast_possible_truncation, reason = "weights are single precision")]
fn as_single(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(decay: f64) -> Problem {
        // Two clouds and a third class between them, in the plane.
        let points = vec![2.0_f32, 0.1, 1.8, -0.2, -2.0, 0.3, -1.7, 0.0, 0.1, 2.0, -0.1, 1.9];
        let rows = Tensor::from_vec(points, (6, 2), &Device::Cpu).unwrap();
        Problem::new(rows, &[0, 0, 1, 1, 2, 2].map(|label| (label, 1.0)), 3, decay).unwrap()
    }

    #[test]
    fn clouds_are_told_apart() {
        let problem = problem(1e-3);
        let logits: Vec<Vec<f32>> =
            problem.solve().unwrap().logits(&problem.rows).unwrap().to_vec2().unwrap();
        for (row, label) in logits.iter().zip([0, 0, 1, 1, 2, 2]) {
            assert!(row.iter().all(|l| *l <= row[label]), "{row:?} {label}");
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let problem = problem(0.1);
        let point: Vec<f32> = (0_u8..9).map(|i| 0.3 * f32::from(i) - 1.0).collect();
        let (_, gradient) = problem.at(&point).unwrap();
        for i in 0..point.len() {
            let shifted = |by: f32| {
                let mut p = point.clone();
                p[i] += by;
                problem.at(&p).unwrap().0
            };
            let measured = (shifted(0.01) - shifted(-0.01)) / 0.02;
            assert!((measured - f64::from(gradient[i])).abs() < 1e-3, "{i}: {measured} {}", gradient[i]);
        }
    }

    #[test]
    fn at_the_solution_the_gradient_vanishes() {
        let problem = problem(0.05);
        let solved = problem.solve().unwrap();
        let mut point: Vec<f32> = solved.weight.flatten_all().unwrap().to_vec1().unwrap();
        point.extend(solved.bias.to_vec1::<f32>().unwrap());
        let (_, gradient) = problem.at(&point).unwrap();
        assert!(dot(&gradient, &gradient).sqrt() < 0.01);
    }
}
