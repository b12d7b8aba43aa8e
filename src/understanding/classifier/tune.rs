//! Fine-tuning: the encoder learns together with the map on top of it.
//!
//! The map starts from its best fit to the frozen encoder, so the encoder is not pulled about by a map that
//! knows nothing yet. Then both are trained by AdamW (I. Loshchilov and F. Hutter, Decoupled weight decay
//! regularization, 2019) over a rate that rises quickly and falls slowly, as BERT's authors do.

use super::ClassifierError;
use super::encoder::Encoder;
use super::encoder::backward::Values;
use super::encoder::bert::{Ragged, Tape};
use super::encoder::vector::{dot, softmax};
use super::fit::{Linear, Rows};
use super::noise::{Random, misheard};

/// Sentences of a step.
const BATCH: usize = 32;
/// Highest rates, of the encoder and of the map.
const RATES: (f32, f32) = (1e-4, 1e-3);
/// Share of the steps over which the rates rise.
const WARM_UP: f32 = 0.1;
/// AdamW's: memory of slopes and of their squares, and decay of the weights.
const MEMORY: (f32, f32) = (0.9, 0.999);
const DECAY: f32 = 0.01;
/// Slopes longer than this are shortened to it (the BERT authors' choice).
const LONGEST_SLOPE: f32 = 1.0;
/// Share of values left out of each map's output while training (theirs too).
const LEFT_OUT: f32 = 0.1;
/// Share of the sentences that are trained with a slip, another one each time.
const SLIPS: f32 = 0.2;
/// Steps that a training has at least, and how many passes at least and at most.
const STEPS: usize = 1200;
const PASSES: (usize, usize) = (3, 16);
/// Passes without gain on the held-out sentences after which training ends.
const PATIENCE: usize = 2;

/// What fine-tuning learnt.
#[derive(Clone, Debug)]
pub(super) struct Tuned {
    /// The encoder's weights.
    pub(super) weights: Vec<Values>,
    /// The map on top, for vectors of unit length.
    pub(super) map: Linear,
    /// Passes over the sentences.
    pub(super) passes: usize,
}

/// What to learn from.
pub(super) struct Lesson<'a> {
    pub(super) sentences: &'a [&'a str],
    /// Each sentence's class and what it counts.
    pub(super) labels: &'a [(usize, f32)],
    /// Sentences that tell when to stop; none where the number of passes is known.
    pub(super) held: (&'a [&'a str], &'a [usize]),
    /// Where the map begins.
    pub(super) start: Linear,
    pub(super) seed: u64,
}

/// How far a fine-tuning has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) done: usize,
    pub(super) total: usize,
}

/// Passes over so many sentences.
pub(super) fn passes(sentences: usize) -> usize {
    STEPS.div_ceil(sentences.div_ceil(BATCH).max(1)).clamp(PASSES.0, PASSES.1)
}

/// Trains encoder and map on a lesson, at most `passes` times over it; the best pass is kept.
pub(super) fn tune(
    encoder: &Encoder,
    lesson: &Lesson<'_>,
    passes: usize,
    progress: &mut dyn FnMut(Step),
) -> Result<Tuned, ClassifierError> {
    let steps = lesson.sentences.len().div_ceil(BATCH);
    let mut trainer = Trainer::new(encoder, lesson, steps * passes)?;
    let mut random = Random(lesson.seed);
    let mut best: Option<(usize, Tuned)> = None;
    for pass in 1..=passes {
        let mut order: Vec<(u64, usize)> = (0..lesson.sentences.len()).map(|i| (random.next(), i)).collect();
        order.sort_unstable();
        for (step, batch) in order.chunks(BATCH).enumerate() {
            progress(Step { done: (pass - 1) * steps + step, total: steps * passes });
            let batch: Vec<usize> = batch.iter().map(|(_, i)| *i).collect();
            trainer.step(lesson, &batch, &mut random)?;
        }
        let right = trainer.right(lesson.held.0, lesson.held.1)?;
        let better = best.as_ref().is_none_or(|(most, _)| lesson.held.0.is_empty() || right > *most);
        if better {
            best = Some((right, trainer.learnt(pass)));
        } else if best.as_ref().is_some_and(|(_, b)| pass - b.passes >= PATIENCE) {
            break;
        }
    }
    progress(Step { done: steps * passes, total: steps * passes });
    Ok(best.expect("at least one pass").1)
}

struct Trainer {
    encoder: Encoder,
    /// The encoder's, then the map's weight and bias.
    weights: Vec<Values>,
    adam: Adam,
    total: usize,
    classes: usize,
    tape: Tape,
}

impl Trainer {
    fn new(encoder: &Encoder, lesson: &Lesson<'_>, total: usize) -> Result<Trainer, ClassifierError> {
        let mut weights = encoder.weights();
        let encoder = encoder.tuned(&weights)?;
        let classes = lesson.start.bias.len();
        weights.extend([lesson.start.weight.clone(), lesson.start.bias.clone()]);
        let adam = Adam::new(&weights);
        Ok(Trainer { encoder, weights, adam, total, classes, tape: Tape::default() })
    }

    /// One step over the sentences of these indices.
    fn step(
        &mut self,
        lesson: &Lesson<'_>,
        batch: &[usize],
        random: &mut Random,
    ) -> Result<(), ClassifierError> {
        let mut sentences = Ragged::default();
        for &i in batch {
            let text = lesson.sentences[i];
            let slip = random.unit() < SLIPS;
            let text = if slip { misheard(text, random) } else { text.to_owned() };
            sentences.push(&self.encoder.tokens(&text)?);
        }
        let (width, inner) = (self.encoder.width(), self.weights.len() - 2);
        self.leave_out(sentences.ids.len() * width, random);
        self.encoder.bert().forward(&sentences, true, &mut self.tape);
        let (vectors, norms) = pooled(&self.tape.hidden, &sentences.lengths, width);

        let map = self.map();
        let mut off = map.logits(Rows::Dense { values: &vectors, width });
        let total: f32 = batch.iter().map(|&i| lesson.labels[i].1).sum();
        for (row, &i) in off.chunks_exact_mut(self.classes).zip(batch) {
            let (label, weight) = lesson.labels[i];
            softmax(row);
            row[label] -= 1.0;
            row.iter_mut().for_each(|p| *p *= weight / total);
        }
        let mut by_map = vec![0.0; map.weight.len()];
        let mut by_bias = vec![0.0; self.classes];
        let mut slope = Vec::with_capacity(self.tape.hidden.len());
        let sentences_of = vectors.chunks_exact(width).zip(off.chunks_exact(self.classes));
        for ((vector, off), (norm, length)) in sentences_of.zip(norms.iter().zip(&sentences.lengths)) {
            by_bias.iter_mut().zip(off).for_each(|(b, o)| *b += o);
            let maps = map.weight.chunks_exact(self.classes).zip(by_map.chunks_exact_mut(self.classes));
            let mut by_vector: Vec<f32> = Vec::with_capacity(width);
            for (value, (weights, by)) in vector.iter().zip(maps) {
                by.iter_mut().zip(off).for_each(|(b, o)| *b += value * o);
                by_vector.push(dot(weights, off));
            }
            // Through the division by the length: what points along the vector has no effect.
            let along = dot(vector, &by_vector);
            by_vector.iter_mut().zip(vector).for_each(|(s, v)| *s = (*s - along * v) / norm);
            (0..*length).for_each(|_| slope.extend_from_slice(&by_vector));
        }
        let mut slopes = self.encoder.bert().backward(&sentences, &mut self.tape, slope);
        slopes.extend([by_map, by_bias]);
        let shortened = shortened(&slopes);
        let (rate, map_rate) = self.rates();
        let rate = |i| if i < inner { rate } else { map_rate };
        self.adam.update(&mut self.weights, &slopes, shortened, rate);
        self.encoder.set_weights(&self.weights[..inner])
    }

    fn map(&self) -> Linear {
        let [.., weight, bias] = self.weights.as_slice() else { unreachable!("the map comes last") };
        Linear { weight: weight.clone(), bias: bias.clone() }
    }

    /// The rates of this step.
    fn rates(&self) -> (f32, f32) {
        let share = as_f32(self.adam.steps) / as_f32(self.total.max(1));
        let factor = (share / WARM_UP).min((1.0 - share) / (1.0 - WARM_UP)).max(0.0);
        (RATES.0 * factor, RATES.1 * factor)
    }

    /// Draws what this step leaves out.
    fn leave_out(&mut self, values: usize, random: &mut Random) {
        let layers = self.encoder.bert().layers.len();
        self.tape.layers.resize_with(layers, Default::default);
        for layer in &mut self.tape.layers {
            for mask in [&mut layer.attended_mask, &mut layer.output_mask] {
                mask.clear();
                while mask.len() < values {
                    // Eight draws of a byte from each number.
                    for byte in random.next().to_le_bytes() {
                        mask.push(if f32::from(byte) < LEFT_OUT * 256.0 {
                            0.0
                        } else {
                            1.0 / (1.0 - LEFT_OUT)
                        });
                    }
                }
                mask.truncate(values);
            }
        }
    }

    /// How many sentences are taken for what they are.
    fn right(&self, sentences: &[&str], labels: &[usize]) -> Result<usize, ClassifierError> {
        let vectors = self.encoder.embed(sentences, &mut |_| {})?.concat();
        let rows = Rows::Dense { values: &vectors, width: self.encoder.width() };
        let logits = self.map().logits(rows);
        let best = |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
        Ok(logits.chunks_exact(self.classes).zip(labels).filter(|(row, l)| best(row) == Some(**l)).count())
    }

    fn learnt(&self, passes: usize) -> Tuned {
        let weights = self.weights[..self.weights.len() - 2].to_vec();
        Tuned { weights, map: self.map(), passes }
    }
}

/// Each sentence's mean over its words, of unit length; and by what its sum was divided.
fn pooled(hidden: &[f32], lengths: &[usize], width: usize) -> (Vec<f32>, Vec<f32>) {
    let mut words = hidden.chunks_exact(width);
    let (mut vectors, mut norms) = (Vec::with_capacity(lengths.len() * width), Vec::new());
    for &length in lengths {
        let mut sum = vec![0.0; width];
        for word in words.by_ref().take(length) {
            sum.iter_mut().zip(word).for_each(|(s, w)| *s += w);
        }
        let norm = dot(&sum, &sum).sqrt().max(f32::MIN_POSITIVE);
        vectors.extend(sum.iter().map(|s| s / norm));
        norms.push(norm);
    }
    (vectors, norms)
}

/// What shortens all slopes together to [`LONGEST_SLOPE`].
fn shortened(slopes: &[Values]) -> f32 {
    let square: f32 = pulp::Arch::new().dispatch(|| slopes.iter().map(|s| dot(s, s)).sum());
    (LONGEST_SLOPE / square.sqrt().max(f32::MIN_POSITIVE)).min(1.0)
}

struct Adam {
    slopes: Vec<Values>,
    squares: Vec<Values>,
    steps: usize,
}

impl Adam {
    fn new(weights: &[Values]) -> Adam {
        let zeros: Vec<Values> = weights.iter().map(|w| vec![0.0; w.len()]).collect();
        Adam { slopes: zeros.clone(), squares: zeros, steps: 0 }
    }

    /// One step along `slopes`, each times `shortened`.
    fn update(
        &mut self,
        weights: &mut [Values],
        slopes: &[Values],
        shortened: f32,
        rate: impl Fn(usize) -> f32,
    ) {
        self.steps += 1;
        let power = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let (first, second) = (1.0 - MEMORY.0.powi(power), 1.0 - MEMORY.1.powi(power));
        let state = self.slopes.iter_mut().zip(&mut self.squares);
        for (i, ((weights, slopes), (mean, square))) in weights.iter_mut().zip(slopes).zip(state).enumerate()
        {
            let rate = rate(i);
            pulp::Arch::new().dispatch(|| {
                let state = mean.iter_mut().zip(square.iter_mut());
                for ((w, g), (m, s)) in weights.iter_mut().zip(slopes).zip(state) {
                    let g = shortened * g;
                    *m = MEMORY.0 * *m + (1.0 - MEMORY.0) * g;
                    *s = MEMORY.1 * *s + (1.0 - MEMORY.1) * g * g;
                    let step = (*m / first) / ((*s / second).sqrt() + 1e-8);
                    *w -= rate * (step + DECAY * *w);
                }
            });
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of steps, far below 2^24")]
fn as_f32(n: usize) -> f32 {
    n as f32
}
