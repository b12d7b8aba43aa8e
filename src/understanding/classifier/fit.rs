//! Softmax regression: the head's weights, by L-BFGS over the whole set at once.
//!
//! The loss is convex and every step is in a fixed order, so the same set gives the same bits.

use std::collections::VecDeque;

use super::encoder::product::{Onto, Packed, Room, View, product};
use super::encoder::vector::{self, softmax};

/// Pairs of steps that L-BFGS remembers (J. Nocedal and S. Wright, Numerical Optimization, section
/// 7.2: between 3 and 20 serve).
const MEMORY: usize = 8;
/// Sufficient decrease in the line search (same book, section 3.1).
const ARMIJO: f64 = 1e-4;
/// Steps after which it ends in any case.
const MAX_STEPS: usize = 60;
/// Ends where a step gains less than this share of the loss.
const TOLERANCE: f64 = 1e-4;

/// A linear map to one logit a class.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Linear {
    /// For each feature a row of classes.
    pub(super) weight: Vec<f32>,
    /// One a class.
    pub(super) bias: Vec<f32>,
}

impl Linear {
    /// Logits of `rows`, for each row one a class.
    pub(super) fn logits(&self, rows: Rows<'_>) -> Vec<f32> {
        let classes = self.bias.len();
        match rows {
            Rows::Dense { values, width } => {
                let mut logits = vec![0.0; values.len() / width * classes];
                let weight = Packed::new(View::new(&self.weight, classes));
                let onto = Onto::Bias(&self.bias);
                product(View::new(values, width), &weight, onto, &mut logits, &mut Room::default());
                logits
            }
            Rows::Sparse(rows) => {
                let mut logits = self.bias.repeat(rows.len());
                pulp::Arch::new().dispatch(|| {
                    for (row, into) in rows.iter().zip(logits.chunks_exact_mut(classes)) {
                        for (place, value) in *row {
                            let weights = &self.weight[*place as usize * classes..][..classes];
                            into.iter_mut().zip(weights).for_each(|(l, w)| *l += value * w);
                        }
                    }
                });
                logits
            }
        }
    }
}

/// Sentences as a head is fitted to them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rows<'a> {
    /// One row after another.
    Dense {
        /// The rows.
        values: &'a [f32],
        /// Their length.
        width: usize,
    },
    /// For each row its places and values.
    Sparse(&'a [&'a [(u32, f32)]]),
}

/// What is fitted to.
pub(super) struct Problem<'a> {
    rows: Rows<'a>,
    /// Length of a row.
    features: usize,
    /// Each sentence's class and weight; the weights add up to 1.
    labels: Vec<(usize, f32)>,
    classes: usize,
    /// Penalty on the squared weights; the bias goes free.
    decay: f64,
}

/// How strongly classes with few sentences are raised: 0 not at all, 1 until every class counts alike.
/// Measured on public sets whose classes differ in size up to a hundredfold.
const BALANCE: f32 = 0.5;

impl<'a> Problem<'a> {
    /// Sentences as rows of `features`, each with its class and what it counts. `cost` is what one
    /// sentence's error costs beside half the squared weights (the C of support vector machines).
    pub(super) fn new(
        rows: Rows<'a>,
        features: usize,
        labels: &[(usize, f32)],
        classes: usize,
        cost: f64,
    ) -> Problem<'a> {
        let mut totals = vec![0.0_f32; classes];
        for (label, count) in labels {
            totals[*label] += count;
        }
        let whole: f32 = totals.iter().sum();
        let raised: Vec<(usize, f32)> =
            labels.iter().map(|(label, count)| (*label, count / totals[*label].powf(BALANCE))).collect();
        let total: f32 = raised.iter().map(|(_, w)| w).sum();
        let labels = raised.into_iter().map(|(label, w)| (label, w / total)).collect();
        Problem { rows, features, labels, classes, decay: 1.0 / (cost * f64::from(whole)) }
    }

    fn linear(&self, point: &[f32]) -> Linear {
        let (weight, bias) = point.split_at(self.features * self.classes);
        Linear { weight: weight.to_vec(), bias: bias.to_vec() }
    }

    /// Loss and gradient at `point`. The gradient of softmax regression is known in closed form, which
    /// spares a tape.
    fn at(&self, point: &[f32]) -> (f64, Vec<f32>) {
        let linear = self.linear(point);
        let mut off = linear.logits(self.rows);
        let mut loss = 0.5 * self.decay * dot(&linear.weight, &linear.weight);
        let mut gradient = vec![0.0; point.len()];
        let (by_weight, by_bias) = gradient.split_at_mut(linear.weight.len());
        pulp::Arch::new().dispatch(|| {
            for (row, (label, weight)) in off.chunks_exact_mut(self.classes).zip(&self.labels) {
                softmax(row);
                loss -= f64::from(*weight) * f64::from(row[*label].max(f32::MIN_POSITIVE).ln());
                row[*label] -= 1.0;
                row.iter_mut().for_each(|p| *p *= weight);
                by_bias.iter_mut().zip(row).for_each(|(g, p)| *g += *p);
            }
        });
        self.by_weight(&off, by_weight);
        let decay = as_single(self.decay);
        by_weight.iter_mut().zip(&linear.weight).for_each(|(g, w)| *g += decay * w);
        (loss, gradient)
    }

    /// The rows' products with how far each probability is off.
    fn by_weight(&self, off: &[f32], gradient: &mut [f32]) {
        match self.rows {
            Rows::Dense { values, width } => {
                let off = Packed::new(View::new(off, self.classes));
                let rows = View::new(values, width).transposed();
                product(rows, &off, Onto::Nothing, gradient, &mut Room::default());
            }
            Rows::Sparse(rows) => pulp::Arch::new().dispatch(|| {
                for (row, off) in rows.iter().zip(off.chunks_exact(self.classes)) {
                    for (place, value) in *row {
                        let into = &mut gradient[*place as usize * self.classes..][..self.classes];
                        into.iter_mut().zip(off).for_each(|(g, o)| *g += value * o);
                    }
                }
            }),
        }
    }

    /// The weights that fit best.
    pub(super) fn solve(&self) -> Linear {
        let mut point = vec![0.0_f32; self.features * self.classes + self.classes];
        let (mut loss, mut gradient) = self.at(&point);
        let mut memory: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
        for _ in 0..MAX_STEPS {
            let direction = descent(&gradient, &memory);
            let slope = dot(&direction, &gradient);
            let Some((next, next_loss, next_gradient)) = self.search(&point, loss, &direction, slope) else {
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
    fn search(
        &self,
        point: &[f32],
        loss: f64,
        direction: &[f32],
        slope: f64,
    ) -> Option<(Vec<f32>, f64, Vec<f32>)> {
        let mut step = 1.0_f64;
        for _ in 0..20 {
            let length = as_single(step);
            let next: Vec<f32> = point.iter().zip(direction).map(|(p, d)| p + length * d).collect();
            let (next_loss, gradient) = self.at(&next);
            if next_loss <= loss + ARMIJO * step * slope {
                return Some((next, next_loss, gradient));
            }
            step *= 0.5;
        }
        None
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

/// Sums within short stretches in single precision and over them in double: exact enough, and as wide as
/// the processor's vectors.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    const STRETCH: usize = 4096;
    pulp::Arch::new().dispatch(|| {
        a.chunks(STRETCH).zip(b.chunks(STRETCH)).map(|(a, b)| f64::from(vector::dot(a, b))).sum()
    })
}

fn add(to: &mut [f32], factor: f64, what: &[f32]) {
    let factor = as_single(factor);
    pulp::Arch::new().dispatch(|| to.iter_mut().zip(what).for_each(|(t, w)| *t += factor * w));
}

#[expect(clippy::cast_possible_truncation, reason = "weights are single precision")]
fn as_single(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clouds and a third class between them, in the plane.
    const POINTS: [f32; 12] = [2.0, 0.1, 1.8, -0.2, -2.0, 0.3, -1.7, 0.1, 0.1, 2.0, -0.1, 1.9];

    fn sparse() -> Vec<Vec<(u32, f32)>> {
        POINTS.chunks(2).map(|p| vec![(0, p[0]), (1, p[1])]).collect()
    }

    fn problem(rows: Rows<'_>, cost: f64) -> Problem<'_> {
        Problem::new(rows, 2, &[0, 0, 1, 1, 2, 2].map(|label| (label, 1.0)), 3, cost)
    }

    fn check(cost: f64, test: &dyn Fn(Problem<'_>)) {
        let sparse = sparse();
        let sparse: Vec<&[(u32, f32)]> = sparse.iter().map(Vec::as_slice).collect();
        test(problem(Rows::Dense { values: &POINTS, width: 2 }, cost));
        test(problem(Rows::Sparse(&sparse), cost));
    }

    #[test]
    fn clouds_are_told_apart() {
        check(100.0, &|problem| {
            let logits = problem.solve().logits(problem.rows);
            for (row, label) in logits.chunks(3).zip([0, 0, 1, 1, 2, 2]) {
                assert!(row.iter().all(|l| *l <= row[label]), "{row:?} {label}");
            }
        });
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        check(1.0, &|problem| {
            let point: Vec<f32> = (0_u8..9).map(|i| 0.3 * f32::from(i) - 1.0).collect();
            let (_, gradient) = problem.at(&point);
            for i in 0..point.len() {
                let shifted = |by: f32| {
                    let mut p = point.clone();
                    p[i] += by;
                    problem.at(&p).0
                };
                let measured = (shifted(0.01) - shifted(-0.01)) / 0.02;
                assert!((measured - f64::from(gradient[i])).abs() < 1e-3, "{i}: {measured} {}", gradient[i]);
            }
        });
    }

    #[test]
    fn at_the_solution_the_gradient_vanishes() {
        check(5.0, &|problem| {
            let solved = problem.solve();
            let (_, gradient) = problem.at(&[solved.weight, solved.bias].concat());
            assert!(dot(&gradient, &gradient).sqrt() < 0.01);
        });
    }

    #[test]
    fn a_large_class_weighs_more_but_not_by_its_size() {
        let labels: Vec<(usize, f32)> = [0, 0, 0, 0, 1].map(|label| (label, 1.0)).to_vec();
        let problem = Problem::new(Rows::Dense { values: &[0.0; 5], width: 1 }, 1, &labels, 2, 1.0);
        let of = |class: usize| problem.labels.iter().filter(|l| l.0 == class).map(|l| l.1).sum::<f32>();
        assert!((of(0) / of(1) - 2.0).abs() < 1e-5);
    }
}
