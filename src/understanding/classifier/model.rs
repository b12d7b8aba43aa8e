//! Two views of a sentence, each with a linear map, and the examples that it is compared with.

use super::calibration::{SIGNALS, Signals, log_sum_exp};
use super::encoder::product::{Onto, Packed, Room, View, product};
use super::encoder::vector;
use super::features::Features;
use super::fit::{Linear, Rows};
use super::ngrams::Vocabulary;

/// Examples that a sentence's nearness is the mean over.
const NEAREST: usize = 5;

/// What cross-validation trains for each fold, and once for good.
#[derive(Debug)]
pub(super) struct Model {
    /// How many intents there are; the class after them, where there is one, is that of the negatives.
    pub(super) intents: usize,
    pub(super) vocabulary: Vocabulary,
    /// From the encoder's vector; `None` without an encoder.
    pub(super) dense: Option<Linear>,
    /// From the n-grams.
    pub(super) grams: Linear,
    pub(super) examples: Examples,
}

/// The examples' vectors and classes.
#[derive(Debug)]
pub(super) struct Examples {
    vectors: Vectors,
    labels: Vec<usize>,
    /// For each intent the direction of its examples' mean; empty without an encoder.
    centres: Vec<f32>,
}

#[derive(Debug)]
enum Vectors {
    /// Of unit length, as the right-hand side of a product: one column an example.
    Dense { columns: Packed, width: usize },
    /// The n-grams where there is no encoder.
    Sparse(Vec<Vec<(u32, f32)>>),
}

/// Each view's logits, and what the examples say.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    /// From the encoder's vector, one a class; empty without an encoder.
    pub(super) dense: Vec<f32>,
    /// From the n-grams, one a class.
    pub(super) grams: Vec<f32>,
    strangeness: f32,
    near: Near,
    /// The same, as if the sentence's own intent did not exist.
    near_without: Near,
    /// Cosine with each intent's centre; empty without an encoder.
    centres: Vec<f32>,
    intents: usize,
}

/// Mean cosine with the nearest examples.
#[derive(Clone, Copy, Debug, Default)]
struct Near {
    intents: f32,
    negatives: f32,
}

/// What each view's logits are worth in their sum; so that the sum's softmax tells true probabilities.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Fusion {
    pub(super) dense: f32,
    pub(super) grams: f32,
}

impl Examples {
    /// Of the embeddings `[examples, width]`.
    pub(super) fn dense(embeddings: &[f32], width: usize, labels: Vec<usize>, intents: usize) -> Examples {
        let mut centres = vec![0.0; intents * width];
        for (row, label) in embeddings.chunks_exact(width).zip(&labels) {
            if let Some(centre) = centres.chunks_exact_mut(width).nth(*label) {
                centre.iter_mut().zip(row).for_each(|(c, v)| *c += v);
            }
        }
        for centre in centres.chunks_exact_mut(width) {
            let norm = vector::dot(centre, centre).sqrt().max(f32::MIN_POSITIVE);
            centre.iter_mut().for_each(|v| *v /= norm);
        }
        let columns = Packed::new(View::new(embeddings, width).transposed());
        Examples { vectors: Vectors::Dense { columns, width }, labels, centres }
    }

    /// Of the n-grams, where there is no encoder.
    pub(super) fn sparse(vectors: Vec<Vec<(u32, f32)>>, labels: Vec<usize>) -> Examples {
        Examples { vectors: Vectors::Sparse(vectors), labels, centres: Vec::new() }
    }

    /// The embeddings, one row after another; none without an encoder.
    pub(super) fn embeddings(&self) -> Vec<f32> {
        match &self.vectors {
            Vectors::Dense { columns, .. } => columns.columns(),
            Vectors::Sparse(_) => Vec::new(),
        }
    }

    /// Cosine of each sentence with each example, one sentence's after another's.
    fn cosines(&self, embeddings: &[f32], grams: &[&[(u32, f32)]]) -> Vec<f32> {
        match &self.vectors {
            Vectors::Dense { columns, width } => {
                let mut cosines = vec![0.0; grams.len() * self.labels.len()];
                let rows = View::new(embeddings, *width);
                product(rows, columns, Onto::Nothing, &mut cosines, &mut Room::default());
                cosines
            }
            Vectors::Sparse(examples) => {
                grams.iter().flat_map(|s| examples.iter().map(|e| sparse_dot(s, e))).collect()
            }
        }
    }
}

/// Both by rising place.
fn sparse_dot(a: &[(u32, f32)], b: &[(u32, f32)]) -> f32 {
    let mut b = b.iter().peekable();
    let mut sum = 0.0;
    for (place, value) in a {
        while b.next_if(|(other, _)| other < place).is_some() {}
        if let Some((_, other)) = b.next_if(|(other, _)| other == place) {
            sum += value * other;
        }
    }
    sum
}

/// Sentences looked at together: their cosines with all examples take megabytes.
const TOGETHER: usize = 256;

impl Model {
    /// What the model says of sentences. `own` names each sentence's class, or is empty.
    pub(super) fn raw(&self, all: &[&Features], own: &[usize]) -> Vec<Raw> {
        let mut said = Vec::with_capacity(all.len());
        for (i, some) in all.chunks(TOGETHER).enumerate() {
            self.raw_some(some, own.get(i * TOGETHER..).unwrap_or_default(), &mut said);
        }
        said
    }

    fn raw_some(&self, all: &[&Features], own: &[usize], said: &mut Vec<Raw>) {
        let seen = self.seen(all);
        let (embeddings, vectors) = (&seen.embeddings, &seen.vectors());
        let grams = self.grams.logits(Rows::Sparse(vectors));
        let width = all.first().map_or(0, |f| f.embedding.len());
        let dense = self.dense.as_ref().map(|d| d.logits(Rows::Dense { values: embeddings, width }));
        let cosines = self.examples.cosines(embeddings, vectors);
        let classes = self.grams.bias.len();
        for (i, features) in all.iter().enumerate() {
            let row = |values: &[f32], length: usize| values[i * length..][..length].to_vec();
            let cosines = row(&cosines, self.examples.labels.len());
            let centres = self.examples.centres.chunks_exact(width.max(1));
            said.push(Raw {
                dense: dense.as_ref().map(|d| row(d, classes)).unwrap_or_default(),
                grams: row(&grams, classes),
                strangeness: self.vocabulary.strangeness(&features.ngrams),
                near: self.near(&cosines, None),
                near_without: own.get(i).map(|o| self.near(&cosines, Some(*o))).unwrap_or_default(),
                centres: centres.map(|c| vector::dot(c, &features.embedding)).collect(),
                intents: self.intents,
            });
        }
    }

    /// The indices of the `count` examples most like each sentence, with their cosines, the most like
    /// first.
    pub(super) fn nearest(&self, all: &[&Features], count: usize) -> Vec<Vec<(usize, f32)>> {
        let examples = self.examples.labels.len();
        let of_some = |some: &[&Features]| -> Vec<Vec<(usize, f32)>> {
            let seen = self.seen(some);
            let cosines = self.examples.cosines(&seen.embeddings, &seen.vectors());
            cosines.chunks_exact(examples.max(1)).map(|row| first(row, count)).collect()
        };
        all.chunks(TOGETHER).flat_map(of_some).collect()
    }

    fn seen(&self, all: &[&Features]) -> Seen {
        Seen {
            embeddings: all.iter().flat_map(|f| f.embedding.iter().copied()).collect(),
            vectors: all.iter().map(|f| self.vocabulary.vector(&f.ngrams)).collect(),
        }
    }

    /// Nearness to the examples, without those of one class.
    fn near(&self, cosines: &[f32], without: Option<usize>) -> Near {
        let mut best = [[f32::NEG_INFINITY; NEAREST]; 2];
        for (cosine, label) in cosines.iter().zip(&self.examples.labels) {
            let best = &mut best[usize::from(*label >= self.intents)];
            if Some(*label) != without && *cosine > best[NEAREST - 1] {
                let at = best.partition_point(|b| b >= cosine);
                best[at..].rotate_right(1);
                best[at] = *cosine;
            }
        }
        let [intents, negatives] = best.map(|best| {
            let found = best.iter().filter(|b| b.is_finite());
            let count: f32 = found.clone().map(|_| 1.0).sum();
            if count > 0.0 { found.sum::<f32>() / count } else { 0.0 }
        });
        Near { intents, negatives }
    }
}

/// Sentences as the model's maps take them.
struct Seen {
    embeddings: Vec<f32>,
    vectors: Vec<Vec<(u32, f32)>>,
}

impl Seen {
    fn vectors(&self) -> Vec<&[(u32, f32)]> {
        self.vectors.iter().map(Vec::as_slice).collect()
    }
}

fn first(cosines: &[f32], count: usize) -> Vec<(usize, f32)> {
    let mut order: Vec<usize> = (0..cosines.len()).collect();
    order.sort_by(|&a, &b| cosines[b].total_cmp(&cosines[a]));
    order.into_iter().take(count).map(|i| (i, cosines[i])).collect()
}

impl Raw {
    /// The views' logits of the intents; the encoder's are empty without one.
    pub(super) fn views(&self) -> (&[f32], &[f32]) {
        (self.dense.get(..self.intents).unwrap_or_default(), &self.grams[..self.intents])
    }

    /// The weighed sum of the views' logits, one an intent.
    pub(super) fn logits(&self, fusion: Fusion) -> Vec<f32> {
        (0..self.intents).map(|i| self.logit(fusion, i)).collect()
    }

    fn logit(&self, fusion: Fusion, class: usize) -> f32 {
        fusion.dense * self.dense.get(class).copied().unwrap_or_default() + fusion.grams * self.grams[class]
    }

    /// Signs of being out of scope; `without` an intent, as if it did not exist.
    pub(super) fn signals(&self, fusion: Fusion, without: Option<usize>) -> Signals {
        let others = || (0..self.intents).filter(|i| Some(*i) != without);
        let logits: Vec<f32> = others().map(|i| self.logit(fusion, i)).collect();
        let top = |values: &mut dyn Iterator<Item = f32>| values.fold(f32::NEG_INFINITY, f32::max);
        let energy = log_sum_exp(&logits);
        let beyond =
            if self.grams.len() > self.intents { self.logit(fusion, self.intents) - energy } else { 0.0 };
        let near = if without.is_some() { self.near_without } else { self.near };
        let centre = if self.centres.is_empty() { 0.0 } else { top(&mut others().map(|i| self.centres[i])) };
        let signals: [f32; SIGNALS] = [
            -energy,
            energy - top(&mut logits.iter().copied()),
            -top(&mut others().map(|i| self.grams[i])),
            -near.intents,
            -centre,
            self.strangeness,
            beyond,
            if near.negatives == 0.0 { 0.0 } else { near.negatives - near.intents },
        ];
        signals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_vectors_multiply_like_dense_ones() {
        let (a, b) = ([(1, 2.0), (4, 3.0), (9, 1.0)], [(0, 5.0), (4, 2.0), (8, 1.0), (9, 4.0)]);
        assert!((sparse_dot(&a, &b) - 10.0).abs() < 1e-6);
        assert!((sparse_dot(&b, &a) - 10.0).abs() < 1e-6);
        assert!(sparse_dot(&a, &[]).abs() < 1e-6);
    }

    #[test]
    fn nearness_leaves_one_class_out() {
        let vectors: Vec<Vec<(u32, f32)>> = vec![vec![(0, 1.0)], vec![(1, 1.0)], vec![(2, 1.0)]];
        let model = Model {
            intents: 2,
            vocabulary: Vocabulary::default(),
            dense: None,
            grams: Linear { weight: Vec::new(), bias: vec![0.0; 3] },
            examples: Examples::sparse(vectors, vec![0, 1, 2]),
        };
        let cosines = [0.9, 0.5, 0.2];
        let near = model.near(&cosines, None);
        assert!((near.intents - 0.7).abs() < 1e-6 && (near.negatives - 0.2).abs() < 1e-6);
        assert!((model.near(&cosines, Some(0)).intents - 0.5).abs() < 1e-6);
        assert_eq!(first(&[0.1, 0.3, 0.2], 2), [(1, 0.3), (2, 0.2)]);
    }
}
