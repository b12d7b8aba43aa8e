//! BERT (J. Devlin and others, 2018) as a forward pass over sentences laid end to end.
//!
//! Nothing is padded: the layers' products run over all words at once, attention over one sentence after
//! the other. [`Tape`] keeps what the backward pass needs.

use std::sync::Arc;

use pulp::Arch;

use super::product::{Onto, Packed, Room, View, product};
use super::vector::{as_f32, gelu, layer_norm, softmax};

/// Sizes and constants of an encoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dimensions {
    /// Length of a word's vector.
    pub(crate) width: usize,
    /// Length within a feed-forward layer.
    pub(crate) inner: usize,
    /// Attention heads.
    pub(crate) heads: usize,
    /// Added to a variance before it divides.
    pub(crate) epsilon: f32,
}

/// A row of gains and one of shifts.
#[derive(Clone, Debug)]
pub(crate) struct Norm {
    pub(crate) gain: Vec<f32>,
    pub(crate) shift: Vec<f32>,
}

/// A linear map.
#[derive(Clone, Debug)]
pub(crate) struct Dense {
    pub(crate) weight: Packed,
    pub(crate) bias: Vec<f32>,
}

/// One layer: attention, then two dense maps, each with what came in added and normalised.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// Query, key and value beside one another.
    pub(crate) qkv: Dense,
    pub(crate) attended: Dense,
    pub(crate) attended_norm: Norm,
    pub(crate) inner: Dense,
    pub(crate) output: Dense,
    pub(crate) output_norm: Norm,
}

/// Vectors of word pieces, of positions and of the first sentence, and their normalisation.
#[derive(Clone, Debug)]
pub(crate) struct Embeddings {
    /// Shared by an encoder and those that were tuned from it.
    pub(crate) words: Arc<[f32]>,
    /// Of a position and the first sentence together.
    pub(crate) positions: Arc<[f32]>,
    pub(crate) norm: Norm,
}

/// All of an encoder.
#[derive(Clone, Debug)]
pub(crate) struct Bert {
    pub(crate) dimensions: Dimensions,
    pub(crate) embeddings: Embeddings,
    pub(crate) layers: Vec<Layer>,
}

/// What one layer computed. Rows are words, all sentences' one after another.
#[derive(Debug, Default)]
pub(crate) struct LayerTape {
    pub(crate) input: Vec<f32>,
    /// Query, key and value, `[words, 3 * width]`.
    pub(crate) qkv: Vec<f32>,
    /// For each sentence and head `[words, words]`.
    pub(crate) attention: Vec<f32>,
    pub(crate) context: Vec<f32>,
    pub(crate) attended_normal: Vec<f32>,
    pub(crate) attended_scale: Vec<f32>,
    /// After attention.
    pub(crate) middle: Vec<f32>,
    /// Before GELU and after it, `[words, inner]`.
    pub(crate) inner: Vec<f32>,
    pub(crate) active: Vec<f32>,
    pub(crate) output_normal: Vec<f32>,
    pub(crate) output_scale: Vec<f32>,
    /// What is left out of the two maps' outputs while training, times what the rest is raised by; empty
    /// where nothing is.
    pub(crate) attended_mask: Vec<f32>,
    pub(crate) output_mask: Vec<f32>,
}

/// What a forward pass computed. Without training one layer's is enough.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    pub(crate) embedded_normal: Vec<f32>,
    pub(crate) embedded_scale: Vec<f32>,
    pub(crate) layers: Vec<LayerTape>,
    /// The words' vectors after the last layer.
    pub(crate) hidden: Vec<f32>,
    pub(crate) room: Room,
}

/// Sentences' word pieces, end to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ragged {
    pub(crate) ids: Vec<u32>,
    pub(crate) lengths: Vec<usize>,
}

impl Ragged {
    pub(crate) fn push(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
        self.lengths.push(ids.len());
    }
}

impl Bert {
    /// Word pieces that it knows.
    pub(crate) fn words(&self) -> usize {
        self.embeddings.words.len() / self.dimensions.width
    }

    /// Runs all layers; [`Tape::hidden`] is the result. With `keep` the tape holds every layer, and leaves
    /// out what its masks say.
    pub(crate) fn forward(&self, sentences: &Ragged, keep: bool, tape: &mut Tape) {
        let count = sentences.ids.len();
        let Dimensions { width, epsilon, .. } = self.dimensions;
        tape.layers.resize_with(if keep { self.layers.len() } else { 1 }, LayerTape::default);
        let hidden = &mut tape.hidden;
        hidden.clear();
        for sentence in sentences.rows() {
            for (position, id) in sentence.iter().enumerate() {
                let id = usize::try_from(*id).expect("32 bits fit");
                let word = &self.embeddings.words[id * width..][..width];
                let place = &self.embeddings.positions[position * width..][..width];
                hidden.extend(word.iter().zip(place).map(|(w, p)| w + p));
            }
        }
        tape.embedded_normal.resize(count * width, 0.0);
        tape.embedded_scale.resize(count, 0.0);
        let norm = &self.embeddings.norm;
        layer_norm(
            hidden,
            (&norm.gain, &norm.shift),
            epsilon,
            (&mut tape.embedded_normal, &mut tape.embedded_scale),
        );
        for (i, layer) in self.layers.iter().enumerate() {
            let kept = &mut tape.layers[if keep { i } else { 0 }];
            layer.forward(&self.dimensions, &sentences.lengths, hidden, kept, &mut tape.room);
        }
    }
}

impl Ragged {
    fn rows(&self) -> impl Iterator<Item = &[u32]> {
        let mut rest = self.ids.as_slice();
        self.lengths.iter().map(move |length| {
            let (sentence, after) = rest.split_at(*length);
            rest = after;
            sentence
        })
    }
}

impl Layer {
    /// `hidden` goes in and comes out.
    fn forward(
        &self,
        dimensions: &Dimensions,
        lengths: &[usize],
        hidden: &mut Vec<f32>,
        tape: &mut LayerTape,
        room: &mut Room,
    ) {
        let Dimensions { width, inner, epsilon, .. } = *dimensions;
        let count = hidden.len() / width;
        std::mem::swap(&mut tape.input, hidden);
        for (buffer, length) in [
            (&mut tape.qkv, 3 * width),
            (&mut tape.context, width),
            (&mut tape.middle, width),
            (&mut tape.attended_normal, width),
            (&mut tape.attended_scale, 1),
            (&mut tape.inner, inner),
            (&mut tape.active, inner),
            (&mut tape.output_normal, width),
            (&mut tape.output_scale, 1),
            (&mut *hidden, width),
        ] {
            buffer.resize(count * length, 0.0);
        }
        self.qkv.apply(&tape.input, &mut tape.qkv, room);
        attend(dimensions, lengths, &tape.qkv, &mut tape.attention, &mut tape.context);
        self.attended.apply(&tape.context, &mut tape.middle, room);
        mask(&mut tape.middle, &tape.attended_mask);
        add(&mut tape.middle, &tape.input);
        self.attended_norm.apply(
            &mut tape.middle,
            epsilon,
            (&mut tape.attended_normal, &mut tape.attended_scale),
        );
        self.inner.apply(&tape.middle, &mut tape.inner, room);
        gelu(&tape.inner, &mut tape.active);
        self.output.apply(&tape.active, hidden, room);
        mask(hidden, &tape.output_mask);
        add(hidden, &tape.middle);
        self.output_norm.apply(hidden, epsilon, (&mut tape.output_normal, &mut tape.output_scale));
    }
}

impl Dense {
    fn apply(&self, from: &[f32], to: &mut [f32], room: &mut Room) {
        product(View::new(from, self.weight.rows()), &self.weight, Onto::Bias(&self.bias), to, room);
    }
}

impl Norm {
    fn apply(&self, rows: &mut [f32], epsilon: f32, kept: (&mut [f32], &mut [f32])) {
        layer_norm(rows, (&self.gain, &self.shift), epsilon, kept);
    }
}

/// Leaves values out; an empty mask leaves none out.
fn mask(values: &mut [f32], mask: &[f32]) {
    values.iter_mut().zip(mask).for_each(|(v, m)| *v *= m);
}

fn add(to: &mut [f32], what: &[f32]) {
    to.iter_mut().zip(what).for_each(|(t, w)| *t += w);
}

/// Every word looks at all words of its sentence, in each head.
fn attend(
    dimensions: &Dimensions,
    lengths: &[usize],
    qkv: &[f32],
    attention: &mut Vec<f32>,
    context: &mut [f32],
) {
    let Dimensions { width, heads, .. } = *dimensions;
    let size = width / heads;
    attention.resize(lengths.iter().map(|l| heads * l * l).sum(), 0.0);
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let mut keys = vec![0.0; size * longest];
    Arch::new().dispatch(|| {
        let (mut first, mut scores) = (0, attention.as_mut_slice());
        for &length in lengths {
            let qkv = &qkv[first * 3 * width..][..length * 3 * width];
            let context = &mut context[first * width..][..length * width];
            for head in 0..heads {
                let here;
                (here, scores) = std::mem::take(&mut scores).split_at_mut(length * length);
                attend_head(qkv, width, head * size..(head + 1) * size, &mut keys, here, context);
            }
            first += length;
        }
    });
}

/// One head of one sentence. `keys` is room for its keys, turned so that the words lie side by side.
#[inline(always)]
fn attend_head(
    qkv: &[f32],
    width: usize,
    part: std::ops::Range<usize>,
    keys: &mut [f32],
    scores: &mut [f32],
    context: &mut [f32],
) {
    let length = context.len() / width;
    let size = part.len();
    let scale = 1.0 / as_f32(size).sqrt();
    for (word, row) in qkv.chunks_exact(3 * width).enumerate() {
        for (d, key) in row[width..][part.clone()].iter().enumerate() {
            keys[d * length + word] = key * scale;
        }
    }
    let rows = qkv.chunks_exact(3 * width).zip(scores.chunks_exact_mut(length));
    for ((row, scores), context) in rows.zip(context.chunks_exact_mut(width)) {
        scores.fill(0.0);
        for (query, keys) in row[part.clone()].iter().zip(keys.chunks_exact(length)) {
            scores.iter_mut().zip(keys).for_each(|(s, k)| *s += query * k);
        }
        softmax(scores);
        let context = &mut context[part.clone()];
        context.fill(0.0);
        for (weight, row) in scores.iter().zip(qkv.chunks_exact(3 * width)) {
            let value = &row[2 * width..][part.clone()];
            context.iter_mut().zip(value).for_each(|(c, v)| *c += weight * v);
        }
    }
}
