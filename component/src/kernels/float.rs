//! A few rows of floats times a matrix of floats, in vectors over the output channels: for models so small that a vector
//! of inputs meets every weight once.

use std::array::from_fn;

use super::lanes::F32x4;

/// A matrix `[out, in]` with a bias for each output channel, packed for `ROWS` rows of input at a time.
///
/// Every weight that is loaded meets all rows, and `VECTORS` vectors of four output channels share the inputs: `ROWS ·
/// VECTORS` sums are under way at once, and 8 of them is what a processor with 16 vector registers can hold.
#[derive(Debug, Clone)]
pub(crate) struct FloatMatrix<const ROWS: usize, const VECTORS: usize> {
    /// `[out / (4 · VECTORS), in, VECTORS, 4]`.
    weights: Vec<[[f32; 4]; VECTORS]>,
    /// `[out / (4 · VECTORS), VECTORS, 4]`.
    bias: Vec<[[f32; 4]; VECTORS]>,
    columns: usize,
}

impl<const ROWS: usize, const VECTORS: usize> FloatMatrix<ROWS, VECTORS> {
    /// Packs `outputs` channels over `columns` inputs, each weight and bias asked for by its place. `outputs` is a multiple
    /// of `4 · VECTORS`.
    pub(crate) fn pack(
        outputs: usize,
        columns: usize,
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Self {
        assert!(outputs.is_multiple_of(4 * VECTORS), "whole blocks of output channels");
        let output = |block: usize, vector: usize, lane: usize| (block * VECTORS + vector) * 4 + lane;
        let blocks = outputs / (4 * VECTORS);
        let places = (0..blocks).flat_map(|block| (0..columns).map(move |column| (block, column)));
        let weights =
            places.map(|(block, column)| from_fn(|vector| from_fn(|lane| weight(output(block, vector, lane), column))));
        let bias = (0..blocks).map(|block| from_fn(|vector| from_fn(|lane| bias(output(block, vector, lane)))));
        Self { weights: weights.collect(), bias: bias.collect(), columns }
    }

    /// `out[r, o] = f(bias[o] + Σᵢ weight[o, i] · x[r, i])`, summed in the order of `i` from the bias on.
    ///
    /// Row `r` of the input is the `in` values from `x[r · x_step]` on, so that rows may overlap, as the windows of a
    /// convolution do; row `r` of the output begins at `out[r · out_step]`.
    #[inline(always)]
    pub(crate) fn multiply(
        &self,
        x: &[f32],
        x_step: usize,
        out: &mut [f32],
        out_step: usize,
        f: impl Fn(F32x4) -> F32x4,
    ) {
        let rows: [&[f32]; ROWS] = from_fn(|row| &x[row * x_step..][..self.columns]);
        for (block, (weights, bias)) in self.weights.chunks_exact(self.columns).zip(&self.bias).enumerate() {
            let bias: [F32x4; VECTORS] = from_fn(|vector| F32x4::load(&bias[vector]));
            let mut sums = [bias; ROWS];
            for (column, weights) in weights.iter().enumerate() {
                let weights: [F32x4; VECTORS] = from_fn(|vector| F32x4::load(&weights[vector]));
                for (sums, row) in sums.iter_mut().zip(rows) {
                    let x = F32x4::splat(row[column]);
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = sum.add_product(weight, x);
                    }
                }
            }
            for (row, sums) in sums.into_iter().enumerate() {
                let out = &mut out[row * out_step + block * 4 * VECTORS..][..4 * VECTORS];
                for (out, sum) in out.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
                    f(sum).store(out);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FloatMatrix;
    use crate::kernels::testing::Noise;

    /// The same by its definition, one product at a time.
    fn naive(weights: &[f32], bias: &[f32], rows: &[&[f32]]) -> Vec<f32> {
        let outputs = |row: &[f32]| -> Vec<f32> {
            let channels = weights.chunks_exact(row.len()).zip(bias);
            channels.map(|(weights, bias)| weights.iter().zip(row).fold(*bias, |sum, (w, x)| sum + w * x)).collect()
        };
        rows.iter().flat_map(|row| outputs(row)).collect()
    }

    fn compare<const ROWS: usize, const VECTORS: usize>(outputs: usize, columns: usize, x_step: usize) {
        let mut noise = Noise::new(31);
        let (weights, bias) = (noise.take(outputs * columns), noise.take(outputs));
        let x = noise.take((ROWS - 1) * x_step + columns);
        let matrix = FloatMatrix::<ROWS, VECTORS>::pack(outputs, columns, |o, i| weights[o * columns + i], |o| bias[o]);
        let out_step = outputs + 3;
        let mut out = vec![7.0; ROWS * out_step];
        matrix.multiply(&x, x_step, &mut out, out_step, |y| y);
        let rows: Vec<&[f32]> = (0..ROWS).map(|row| &x[row * x_step..][..columns]).collect();
        let want = naive(&weights, &bias, &rows);
        for (row, want) in out.chunks_exact(out_step).zip(want.chunks_exact(outputs)) {
            for (is, want) in row.iter().zip(want) {
                assert_eq!(is.to_bits(), want.to_bits(), "{ROWS} rows, {VECTORS} vectors, {outputs} × {columns}");
            }
            assert_eq!(row[outputs..], [7.0; 3], "what lies between the rows is not touched");
        }
    }

    #[test]
    fn a_product_of_floats_has_the_bits_of_its_definition_however_the_rows_lie() {
        compare::<4, 2>(24, 37, 37);
        compare::<4, 2>(8, 5, 2);
        compare::<2, 4>(32, 9, 6);
        compare::<1, 8>(64, 33, 0);
        compare::<1, 8>(32, 1, 0);
    }
}
