//! The way back through the encoder: from the slope at the words' vectors to that of every weight.
//!
//! Word pieces' and positions' vectors are not trained: a team's few sentences touch a few hundred of the
//! thirty thousand, and would pull those away from the others.

use pulp::Arch;

use super::bert::{Bert, Dense, Dimensions, Layer, LayerTape, Norm, Ragged, Tape};
use super::product::{Onto, Packed, Room, View, product};
use super::vector::{as_f32, dot, gelu_slope};

/// One set of weights, or of slopes: row by row as in `[input, output]`.
pub(crate) type Values = Vec<f32>;

impl Bert {
    /// All weights that are trained, in a fixed order.
    pub(crate) fn weights(&self) -> Vec<Values> {
        let mut all = vec![self.embeddings.norm.gain.clone(), self.embeddings.norm.shift.clone()];
        for layer in &self.layers {
            for dense in layer.dense() {
                all.extend([dense.weight.values(), dense.bias.clone()]);
            }
            for norm in layer.norms() {
                all.extend([norm.gain.clone(), norm.shift.clone()]);
            }
        }
        all
    }

    /// The lengths of [`Bert::weights`].
    fn lengths(&self) -> Vec<usize> {
        let norm = |norm: &Norm| [norm.gain.len(), norm.shift.len()];
        let mut all = norm(&self.embeddings.norm).to_vec();
        for layer in &self.layers {
            all.extend(layer.dense().iter().flat_map(|d| [d.weight.len(), d.bias.len()]));
            all.extend(layer.norms().into_iter().flat_map(norm));
        }
        all
    }

    /// Takes weights in the order of [`Bert::weights`].
    ///
    /// # Errors
    /// Where their number or a length is another.
    pub(crate) fn set_weights(&mut self, weights: &[Values]) -> Result<(), String> {
        let expected = self.lengths();
        if !weights.iter().map(Vec::len).eq(expected.iter().copied()) {
            return Err(format!("{} tuned tensors do not fit: expected {}", weights.len(), expected.len()));
        }
        let mut rest = weights.iter();
        let mut next = || rest.next().expect("as many as there are weights").as_slice();
        self.embeddings.norm = Norm { gain: next().to_vec(), shift: next().to_vec() };
        for layer in &mut self.layers {
            for dense in [&mut layer.qkv, &mut layer.attended, &mut layer.inner, &mut layer.output] {
                let columns = dense.bias.len();
                dense.weight = Packed::new(View::new(next(), columns));
                dense.bias = next().to_vec();
            }
            for norm in [&mut layer.attended_norm, &mut layer.output_norm] {
                *norm = Norm { gain: next().to_vec(), shift: next().to_vec() };
            }
        }
        Ok(())
    }

    /// The slopes of all weights, in the order of [`Bert::weights`], where `slope` is that of the words'
    /// vectors and `tape` what the forward pass kept.
    pub(crate) fn backward(&self, sentences: &Ragged, tape: &mut Tape, mut slope: Vec<f32>) -> Vec<Values> {
        let mut layers = Vec::with_capacity(self.layers.len());
        let Tape { layers: tapes, room, .. } = tape;
        for (layer, tape) in self.layers.iter().zip(tapes).rev() {
            layers.push(layer.backward(&self.dimensions, &sentences.lengths, tape, &mut slope, room));
        }
        let norm = &self.embeddings.norm;
        let mut all = norm_back(norm, &tape.embedded_normal, &tape.embedded_scale, &mut slope);
        all.extend(layers.into_iter().rev().flatten());
        all
    }
}

impl Layer {
    fn dense(&self) -> [&Dense; 4] {
        [&self.qkv, &self.attended, &self.inner, &self.output]
    }

    fn norms(&self) -> [&Norm; 2] {
        [&self.attended_norm, &self.output_norm]
    }

    /// `slope` is that of the layer's output and becomes that of its input.
    fn backward(
        &self,
        dimensions: &Dimensions,
        lengths: &[usize],
        tape: &LayerTape,
        slope: &mut Vec<f32>,
        room: &mut Room,
    ) -> Vec<Values> {
        let output_norm = norm_back(&self.output_norm, &tape.output_normal, &tape.output_scale, slope);
        // What was added goes both ways.
        let mut middle = slope.clone();
        mask(slope, &tape.output_mask);
        let (output, mut inner) = self.output.backward(&tape.active, slope, room);
        gelu_slope(&tape.inner, &mut inner);
        let (inner, through) = self.inner.backward(&tape.middle, &inner, room);
        add(&mut middle, &through);
        let attended_norm =
            norm_back(&self.attended_norm, &tape.attended_normal, &tape.attended_scale, &mut middle);
        let mut input = middle.clone();
        mask(&mut middle, &tape.attended_mask);
        let (attended, context) = self.attended.backward(&tape.context, &middle, room);
        let qkv = attend_back(dimensions, lengths, tape, &context);
        let (qkv, through) = self.qkv.backward(&tape.input, &qkv, room);
        add(&mut input, &through);
        *slope = input;
        [qkv, attended, inner, output, attended_norm, output_norm].concat()
    }
}

impl Dense {
    /// The slopes of weight and bias, and that of the input.
    fn backward(&self, input: &[f32], slope: &[f32], room: &mut Room) -> (Vec<Values>, Vec<f32>) {
        let (inputs, outputs) = (self.weight.rows(), self.bias.len());
        let mut weight = vec![0.0; inputs * outputs];
        let packed = Packed::new(View::new(slope, outputs));
        product(View::new(input, inputs).transposed(), &packed, Onto::Nothing, &mut weight, room);
        let mut bias = vec![0.0; outputs];
        slope.chunks_exact(outputs).for_each(|row| add(&mut bias, row));
        let mut through = vec![0.0; input.len()];
        product(View::new(slope, outputs), &self.weight.transposed(), Onto::Nothing, &mut through, room);
        (vec![weight, bias], through)
    }
}

/// Through a normalisation; the slopes of gain and shift.
fn norm_back(norm: &Norm, normal: &[f32], scale: &[f32], slope: &mut [f32]) -> Vec<Values> {
    let width = norm.gain.len();
    let count = as_f32(width);
    let (mut gain, mut shift) = (vec![0.0; width], vec![0.0; width]);
    Arch::new().dispatch(|| {
        let rows = slope.chunks_exact_mut(width).zip(normal.chunks_exact(width)).zip(scale);
        for ((slope, normal), scale) in rows {
            for i in 0..width {
                gain[i] += slope[i] * normal[i];
                shift[i] += slope[i];
                slope[i] *= norm.gain[i];
            }
            let mean = slope.iter().sum::<f32>() / count;
            let along = dot(slope, normal) / count;
            for (s, n) in slope.iter_mut().zip(normal) {
                *s = scale * (*s - mean - n * along);
            }
        }
    });
    vec![gain, shift]
}

/// Through attention: from the slope of the context to that of query, key and value.
fn attend_back(dimensions: &Dimensions, lengths: &[usize], tape: &LayerTape, context: &[f32]) -> Vec<f32> {
    let Dimensions { width, heads, .. } = *dimensions;
    let size = width / heads;
    let scale = 1.0 / as_f32(size).sqrt();
    let mut slopes = vec![0.0; tape.qkv.len()];
    Arch::new().dispatch(|| {
        let (mut first, mut attention) = (0, tape.attention.as_slice());
        for &length in lengths {
            let words = first * 3 * width..(first + length) * 3 * width;
            let (qkv, slopes) = (&tape.qkv[words.clone()], &mut slopes[words]);
            let context = &context[first * width..][..length * width];
            for head in 0..heads {
                let here;
                (here, attention) = attention.split_at(length * length);
                let part = head * size..(head + 1) * size;
                attend_head_back(qkv, context, here, (width, part, scale), slopes);
            }
            first += length;
        }
    });
    slopes
}

/// One head of one sentence.
#[inline(always)]
fn attend_head_back(
    qkv: &[f32],
    context: &[f32],
    attention: &[f32],
    (width, part, scale): (usize, std::ops::Range<usize>, f32),
    slopes: &mut [f32],
) {
    let length = context.len() / width;
    let of = |word: usize, which: usize| {
        let from = word * 3 * width + which * width;
        from + part.start..from + part.end
    };
    for i in 0..length {
        let weights = &attention[i * length..][..length];
        let context = &context[i * width..][part.clone()];
        // Slope of each weight, then through the softmax.
        let mut by_weight: Vec<f32> = (0..length).map(|j| dot(context, &qkv[of(j, 2)])).collect();
        let mean = dot(weights, &by_weight);
        by_weight.iter_mut().zip(weights).for_each(|(s, w)| *s = w * (*s - mean) * scale);
        for (j, (weight, score)) in weights.iter().zip(&by_weight).enumerate() {
            axpy(&mut slopes[of(j, 2)], *weight, context);
            axpy(&mut slopes[of(i, 0)], *score, &qkv[of(j, 1)]);
            axpy(&mut slopes[of(j, 1)], *score, &qkv[of(i, 0)]);
        }
    }
}

#[inline(always)]
fn axpy(to: &mut [f32], factor: f32, what: &[f32]) {
    to.iter_mut().zip(what).for_each(|(t, w)| *t += factor * w);
}

fn add(to: &mut [f32], what: &[f32]) {
    to.iter_mut().zip(what).for_each(|(t, w)| *t += w);
}

/// Where the forward pass left values out, so does the way back; an empty mask leaves none out.
fn mask(slope: &mut [f32], mask: &[f32]) {
    slope.iter_mut().zip(mask).for_each(|(s, m)| *s *= m);
}
