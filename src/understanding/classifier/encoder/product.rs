//! Products of matrices in 32-bit floats, for one thread and few rows.
//!
//! A sentence of ten words is a matrix of twelve rows, and a general library spends more time on laying
//! out the weights than on multiplying. Here they are laid out once, in the order in which the kernel
//! reads them.

use pulp::{Arch, Simd, WithSimd};

/// A matrix in memory, in any order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// `values` holds `columns` for one row after another.
    pub(crate) fn new(values: &'a [f32], columns: usize) -> View<'a> {
        View { values, rows: values.len() / columns, columns, row_stride: columns, column_stride: 1 }
    }

    /// Rows as columns.
    pub(crate) fn transposed(self) -> View<'a> {
        View {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    fn at(&self, row: usize, column: usize) -> f32 {
        self.values[row * self.row_stride + column * self.column_stride]
    }
}

/// Floats that begin where a cache line does: a vector then never lies across two.
#[derive(Debug, Default)]
struct Aligned {
    values: Vec<f32>,
    from: usize,
    length: usize,
}

/// Floats in a cache line.
const LINE: usize = 16;

impl Aligned {
    fn resize(&mut self, length: usize) {
        if self.values.len() < length + LINE {
            self.values = vec![0.0; length + LINE];
        }
        // A Vec does not move its values as long as it does not grow.
        self.from = self.values.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        self.length = length;
    }

    fn get(&self) -> &[f32] {
        &self.values[self.from..][..self.length]
    }

    fn get_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.from..][..self.length]
    }
}

impl Clone for Aligned {
    /// The copy lies elsewhere, and is aligned there.
    fn clone(&self) -> Aligned {
        let mut copy = Aligned::default();
        copy.resize(self.length);
        copy.get_mut().copy_from_slice(self.get());
        copy
    }
}

/// The right-hand side of a product: panels of [`Shape::panel`] columns, each row by row.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    rows: usize,
    columns: usize,
    panel: usize,
    values: Aligned,
}

impl Packed {
    /// Lays a matrix out.
    pub(crate) fn new(matrix: View<'_>) -> Packed {
        let panel = shape().panel;
        let mut values = Aligned::default();
        values.resize(matrix.columns.div_ceil(panel) * panel * matrix.rows);
        let into = values.get_mut();
        for (p, into) in into.chunks_mut(panel * matrix.rows).enumerate() {
            let columns = panel.min(matrix.columns - p * panel);
            for (row, into) in into.chunks_mut(panel).enumerate() {
                if matrix.column_stride == 1 {
                    let from = &matrix.values[row * matrix.row_stride + p * panel..][..columns];
                    into[..columns].copy_from_slice(from);
                    continue;
                }
                for (column, into) in into[..columns].iter_mut().enumerate() {
                    *into = matrix.at(row, p * panel + column);
                }
            }
        }
        Packed { rows: matrix.rows, columns: matrix.columns, panel, values }
    }

    /// The same matrix with rows as columns, laid out anew in squares that stay in the cache.
    pub(crate) fn transposed(&self) -> Packed {
        let (rows, columns, panel) = (self.columns, self.rows, self.panel);
        let mut values = Aligned::default();
        values.resize(columns.div_ceil(panel) * panel * rows);
        let from = self.values.get();
        for (p, into) in values.get_mut().chunks_mut((panel * rows).max(1)).enumerate() {
            let width = panel.min(columns - p * panel);
            for (q, into) in into.chunks_mut(panel * panel).enumerate() {
                // Panel q of this matrix holds the rows from q * panel on of the new one.
                let square = &from[q * panel * columns + p * panel * panel..][..width * panel];
                for (row, into) in into.chunks_mut(panel).enumerate() {
                    into[..width].iter_mut().zip(square.chunks(panel)).for_each(|(i, from)| *i = from[row]);
                }
            }
        }
        Packed { rows, columns, panel, values }
    }

    /// How many values the matrix has.
    pub(crate) fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// The matrix's rows, one after another.
    pub(crate) fn values(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows * self.columns];
        let panels = self.values.get().chunks(self.panel * self.rows.max(1));
        for (p, panel) in panels.enumerate() {
            let columns = self.panel.min(self.columns - p * self.panel);
            for (row, from) in panel.chunks(self.panel).enumerate() {
                values[row * self.columns + p * self.panel..][..columns].copy_from_slice(&from[..columns]);
            }
        }
        values
    }

    /// The matrix's columns, one after another.
    pub(crate) fn columns(&self) -> Vec<f32> {
        let mut columns = Vec::with_capacity(self.rows * self.columns);
        let panels = self.values.get().chunks(self.panel * self.rows.max(1));
        for (p, panel) in panels.enumerate() {
            for column in 0..self.panel.min(self.columns - p * self.panel) {
                columns.extend(panel.chunks(self.panel).map(|row| row[column]));
            }
        }
        columns
    }

    /// Length of a left-hand side's rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }
}

/// What a product does with what stands in the output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Onto<'a> {
    /// Replaces it by the product and this row.
    Bias(&'a [f32]),
    /// Replaces it by the product.
    Nothing,
}

/// Room for a left-hand side as the kernel reads it.
#[derive(Debug, Default)]
pub(crate) struct Room(Aligned);

/// `out`, row by row, gets `left` times `right`.
pub(crate) fn product(left: View<'_>, right: &Packed, onto: Onto<'_>, out: &mut [f32], room: &mut Room) {
    assert_eq!(left.columns, right.rows, "the sizes of a product's sides fit");
    assert_eq!(out.len(), left.rows * right.columns, "the output has the product's size");
    if out.is_empty() {
        return;
    }
    let blocks = blocks(left.rows, shape().rows);
    room.0.resize(left.rows * left.columns);
    let mut rest = room.0.get_mut();
    let mut first = 0;
    for &count in &blocks {
        let (block, after) = rest.split_at_mut(count * left.columns);
        for (k, into) in block.chunks_mut(count).enumerate() {
            into.iter_mut().enumerate().for_each(|(r, into)| *into = left.at(first + r, k));
        }
        first += count;
        rest = after;
    }
    Arch::new().dispatch(Product { left: room.0.get(), blocks: &blocks, right, onto, out });
}

/// `rows` in as few blocks as possible, of nearly the same size.
fn blocks(rows: usize, most: usize) -> Vec<usize> {
    let count = rows.div_ceil(most);
    (0..count).map(|i| rows * (i + 1) / count - rows * i / count).collect()
}

/// How the kernel cuts a product up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    /// Columns of a panel: two vectors.
    panel: usize,
    /// Most rows at once: as many sums as there are registers for.
    rows: usize,
}

fn shape() -> Shape {
    struct Ask;
    impl WithSimd for Ask {
        type Output = Shape;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _simd: S) -> Shape {
            // AVX-512 and NEON have 32 registers, AVX2 has 16.
            let rows = if S::F32_LANES == 16 || cfg!(target_arch = "aarch64") { 12 } else { 6 };
            Shape { panel: 2 * S::F32_LANES, rows }
        }
    }
    Arch::new().dispatch(Ask)
}

struct Product<'a> {
    left: &'a [f32],
    blocks: &'a [usize],
    right: &'a Packed,
    onto: Onto<'a>,
    out: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Packed { rows, panel, ref values, .. } = *self.right;
        // The panel stays in the cache while all rows pass.
        for (p, weights) in values.get().chunks_exact(panel * rows).enumerate() {
            let (weights, _) = S::as_simd_f32s(weights);
            let (mut left, mut first) = (self.left, 0);
            for &count in self.blocks {
                let block;
                (block, left) = left.split_at(count * rows);
                let at = (first, p * panel);
                match count {
                    1 => self.tile::<S, 1>(simd, block, weights, at),
                    2 => self.tile::<S, 2>(simd, block, weights, at),
                    3 => self.tile::<S, 3>(simd, block, weights, at),
                    4 => self.tile::<S, 4>(simd, block, weights, at),
                    5 => self.tile::<S, 5>(simd, block, weights, at),
                    6 => self.tile::<S, 6>(simd, block, weights, at),
                    7 => self.tile::<S, 7>(simd, block, weights, at),
                    8 => self.tile::<S, 8>(simd, block, weights, at),
                    9 => self.tile::<S, 9>(simd, block, weights, at),
                    10 => self.tile::<S, 10>(simd, block, weights, at),
                    11 => self.tile::<S, 11>(simd, block, weights, at),
                    _ => self.tile::<S, 12>(simd, block, weights, at),
                }
                first += count;
            }
        }
    }
}

impl Product<'_> {
    /// `ROWS` rows times one panel.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize>(
        &mut self,
        simd: S,
        left: &[f32],
        weights: &[S::f32s],
        (row, column): (usize, usize),
    ) {
        let mut sums = [[simd.splat_f32s(0.0); 2]; ROWS];
        for (left, weights) in left.as_chunks::<ROWS>().0.iter().zip(weights.as_chunks::<2>().0) {
            for (sums, value) in sums.iter_mut().zip(left) {
                let value = simd.splat_f32s(*value);
                sums[0] = simd.mul_add_e_f32s(value, weights[0], sums[0]);
                sums[1] = simd.mul_add_e_f32s(value, weights[1], sums[1]);
            }
        }
        let columns = self.right.panel.min(self.right.columns - column);
        for (r, sums) in sums.into_iter().enumerate() {
            let out = &mut self.out[(row + r) * self.right.columns + column..][..columns];
            let mut values = [0.0_f32; 2 * LINE];
            let (vectors, _) = S::as_mut_simd_f32s(&mut values);
            vectors[0] = sums[0];
            vectors[1] = sums[1];
            match self.onto {
                Onto::Bias(bias) => {
                    let bias = &bias[column..][..columns];
                    out.iter_mut().zip(values).zip(bias).for_each(|((o, v), b)| *o = v + b);
                }
                Onto::Nothing => out.copy_from_slice(&values[..columns]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        (0..count).map(|i| ((i * 7 + seed * 13) % 23) as f32 - 11.0).collect()
    }

    proptest! {
        #[test]
        fn a_product_is_what_the_definition_says(
            (rows, inner, columns) in (0_usize..30, 1_usize..40, 1_usize..70),
            (turn_left, turn_right) in any::<(bool, bool)>(),
        ) {
            let (left, right) = (numbers(rows * inner, 1), numbers(inner * columns, 2));
            let view = |values, (rows, columns), turn: bool| {
                if turn { View::new(values, rows).transposed() } else { View::new(values, columns) }
            };
            let a = view(&left, (rows.max(1), inner), turn_left && rows > 0);
            let b = view(&right, (inner, columns), turn_right);
            let bias = numbers(columns, 3);
            let mut out = vec![1.0; rows * columns];
            let packed = Packed::new(b);
            let turned: Vec<f32> =
                (0..columns).flat_map(|c| (0..inner).map(move |k| b.at(k, c))).collect();
            prop_assert_eq!(packed.columns(), turned.clone());
            prop_assert_eq!(packed.transposed().values(), turned);
            let upright: Vec<f32> =
                (0..inner).flat_map(|k| (0..columns).map(move |c| b.at(k, c))).collect();
            prop_assert_eq!(packed.values(), upright);
            let mut room = Room::default();
            let mut wanted = Vec::new();
            for row in 0..rows {
                for column in 0..columns {
                    wanted.push((0..inner).map(|k| a.at(row, k) * b.at(k, column)).sum::<f32>());
                }
            }
            product(a, &packed, Onto::Nothing, &mut out, &mut room);
            prop_assert_eq!(&out, &wanted);
            product(a, &packed, Onto::Bias(&bias), &mut out, &mut room);
            prop_assert!(out.iter().zip(&wanted).enumerate().all(|(i, (o, w))| *o == w + bias[i % columns]));
        }

        #[test]
        fn blocks_are_full_and_even(rows in 0_usize..200, most in 1_usize..13) {
            let blocks = blocks(rows, most);
            prop_assert_eq!(blocks.iter().sum::<usize>(), rows);
            prop_assert_eq!(blocks.len(), rows.div_ceil(most));
            prop_assert!(blocks.iter().all(|b| (1..=most).contains(b)));
        }
    }
}
