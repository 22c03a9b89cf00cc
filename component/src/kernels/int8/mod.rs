//! Products of 8-bit weights with 7-bit activations, exact in integers on every engine.
//!
//! Weights are `i8`, symmetric, with one scale per output channel; activations are quantized row by row to `0..=127` with
//! a scale and a zero point. With seven bits on one side, the pairwise sums inside the relaxed dot products cannot overflow
//! (2 · 127 · 128 < 2¹⁵), which makes them give the same integers everywhere; plain `simd128` computes the same with
//! `i32x4.dot_i16x8_s`, and the reference with a loop.
//!
//! ```text
//! x ≈ (q − zero) · scale                               per row of activations
//! y[o] = (Σ q·w[o] − zero · Σ w[o]) · (scale · weight_scale[o]) + bias[o]
//! ```

pub mod attention;
mod excess;
mod job;
mod nibbles;
mod rows;
pub(in crate::kernels) mod tile;
pub mod variant;
mod vocabulary;

pub use rows::Int8Rows;
pub use vocabulary::Int8Vocabulary;

use excess::Excess;
use job::Job;
use tile::{CHUNK, FOUR_GROUPS, GROUP, LANES, LONG, ROW_PANELS, SHORT_SUMS, TILE_ROWS, TILE_ROWS_LONG, offset};

/// Output channels that are packed together.
const PANEL: usize = 16;
/// Vectors of sums in a panel.
const PANEL_VECTORS: usize = PANEL / LANES;
/// Activations that stay in the second-level cache while the weights stream past them, in bytes: the first holds the panel.
const ROW_BLOCK_BYTES: usize = 64 * 1024;

/// A matrix of weights `[rows = out, columns = in]`, packed for the kernels.
#[derive(Debug, Clone)]
pub struct Int8Matrix {
    rows: usize,
    columns: usize,
    /// Columns after padding to [`CHUNK`]; the padding is zero.
    stride: usize,
    /// Bytes of `i8`, a panel of `stride · PANEL` after the other; see [`tile`].
    weights: Vec<u8>,
    /// One per row, rows of padding zero.
    scales: Vec<f32>,
    /// Σ of each row's weights.
    sums: Vec<i32>,
    /// For each panel, what was taken off weights that would not fit short sums; none where it would have been too much,
    /// and the panel takes long sums.
    excess: Vec<Option<Vec<Excess>>>,
}

/// What a product does with what was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// It takes its place.
    Replace,
    /// Its GELU takes its place.
    Gelu,
    /// It is added to it.
    Add,
}

impl Int8Matrix {
    /// Packs row-major weights `[rows, columns]` with one scale per row.
    ///
    /// No copy is made when `columns` and `rows` are multiples of 16.
    ///
    /// # Panics
    /// If the lengths do not fit the shape: the loader makes them so.
    #[must_use]
    pub fn pack(rows: usize, columns: usize, weights: Vec<i8>, mut scales: Vec<f32>) -> Self {
        assert_eq!(weights.len(), rows * columns, "one weight per element");
        assert_eq!(scales.len(), rows, "one scale per output channel");
        let stride = columns.next_multiple_of(CHUNK);
        let padded_rows = rows.next_multiple_of(PANEL);
        let mut weights: Vec<u8> = if (stride, padded_rows) == (columns, rows) {
            weights.into_iter().map(i8::cast_unsigned).collect()
        } else {
            let mut padded = vec![0; padded_rows * stride];
            for (to, from) in padded.chunks_exact_mut(stride).zip(weights.chunks_exact(columns)) {
                to.iter_mut().zip(from).for_each(|(to, &from)| *to = from.cast_unsigned());
            }
            padded
        };
        let sum = |row: &[u8]| row.iter().map(|&w| i32::from(w.cast_signed())).sum();
        let sums = weights.chunks_exact(stride).map(sum).collect();
        let mut unpacked = vec![0; PANEL * stride];
        let mut excess = Vec::with_capacity(padded_rows / PANEL);
        for panel in weights.chunks_exact_mut(PANEL * stride) {
            unpacked.copy_from_slice(panel);
            let taken_off = if SHORT_SUMS { excess::take_off(&mut unpacked, stride) } else { None };
            if taken_off.is_none() {
                unpacked.copy_from_slice(panel);
            }
            excess.push(taken_off);
            for (channel, row) in unpacked.chunks_exact(stride).enumerate() {
                for (group, to) in row.as_chunks::<GROUP>().0.iter().zip(panel.as_chunks_mut::<{ PANEL * GROUP }>().0) {
                    to.as_chunks_mut::<GROUP>().0[channel] = *group;
                }
            }
        }
        scales.resize(padded_rows, 0.0);
        Self { rows, columns, stride, weights, scales, sums, excess }
    }

    /// Output channels.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Input channels.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// `out[m, o] = activations[m] · self[o] + bias[o]`, its GELU, or that added to it; `out` row-major
    /// `[activations.rows(), self.rows()]`.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    pub fn multiply(&self, activations: &Int8Rows, bias: Option<&[f32]>, output: Output, out: &mut [f32]) {
        assert_eq!(activations.stride, self.stride, "activations and weights have the same columns");
        assert_eq!(out.len(), activations.rows() * self.rows, "one output per row and channel");
        assert!(bias.is_none_or(|bias| bias.len() == self.rows), "one bias per output channel");
        if activations.rows() == 1 {
            self.multiply_row(activations, bias, output, out);
            return;
        }
        let short_sums = variant::short_sums();
        let block = (ROW_BLOCK_BYTES / self.stride).max(TILE_ROWS_LONG) / TILE_ROWS_LONG * TILE_ROWS_LONG;
        for first in (0..activations.rows()).step_by(block) {
            let rows = first..(first + block).min(activations.rows());
            for panel in 0..self.excess.len() {
                let job = Job { matrix: self, panel, activations, bias, output };
                match (self.excess[panel].is_some(), short_sums) {
                    (true, true) => job.run::<TILE_ROWS, FOUR_GROUPS, FOUR_GROUPS>(rows.clone(), out),
                    (true, false) => job.run::<TILE_ROWS_LONG, LONG, FOUR_GROUPS>(rows.clone(), out),
                    (false, _) => job.run::<TILE_ROWS_LONG, LONG, LONG>(rows.clone(), out),
                }
            }
        }
    }

    /// [`Int8Matrix::multiply`] of one row, which takes as long as reading the weights: memory gives a third more where it
    /// is read in places that are far from each other.
    fn multiply_row(&self, activations: &Int8Rows, bias: Option<&[f32]>, output: Output, out: &mut [f32]) {
        let apart = self.excess.len() / ROW_PANELS;
        let job = |panel| Job { matrix: self, panel, activations, bias, output };
        for panel in 0..apart {
            // A row alone is faster with short sums in every engine.
            if (0..ROW_PANELS).all(|i| self.excess[panel + i * apart].is_some()) {
                job(panel).row::<ROW_PANELS, FOUR_GROUPS>(apart, out);
            } else {
                job(panel).row::<ROW_PANELS, LONG>(apart, out);
            }
        }
        for panel in ROW_PANELS * apart..self.excess.len() {
            job(panel).row::<1, LONG>(0, out);
        }
    }

    /// The naive reference of [`Int8Matrix::multiply`] that replaces, with which every kernel agrees bit for bit.
    pub fn multiply_reference(&self, activations: &Int8Rows, bias: Option<&[f32]>, out: &mut [f32]) {
        for (row, out) in out.chunks_exact_mut(self.rows).enumerate() {
            for (channel, out) in out.iter_mut().enumerate() {
                let panel = self.panel_bytes(channel / PANEL);
                let weight = |column| i32::from(panel[offset(column, channel % PANEL, PANEL)].cast_signed());
                let mut dot: i32 =
                    activations.row(row).iter().enumerate().map(|(column, &q)| i32::from(q) * weight(column)).sum();
                for excess in self.excess(channel / PANEL).iter().filter(|excess| excess.channel() == channel % PANEL) {
                    dot += i32::from(activations.row(row)[excess.column()]) * excess.weight();
                }
                let centred = dot - activations.zeros[row] * self.sums[channel];
                let scale = activations.scales[row] * self.scales[channel];
                *out = centred as f32 * scale + bias.map_or(0.0, |bias| bias[channel]);
            }
        }
    }

    fn excess(&self, panel: usize) -> &[Excess] {
        self.excess[panel].as_deref().unwrap_or_default()
    }

    fn panel_bytes(&self, panel: usize) -> &[u8] {
        &self.weights[panel * PANEL * self.stride..][..PANEL * self.stride]
    }
}

#[cfg(test)]
mod tests {
    use super::{Int8Matrix, Int8Rows, Output, variant};
    use crate::kernels::activation::Activation;
    use crate::kernels::testing::Noise;

    /// Rows, columns and output channels around every boundary of the tiles, and the shapes of Moonshine Tiny.
    const SHAPES: [(usize, usize, usize); 13] = [
        (1, 1, 1),
        (1, 16, 4),
        (2, 15, 3),
        (3, 17, 5),
        (5, 31, 7),
        (4, 288, 288),
        (7, 288, 1152),
        (1, 1152, 288),
        (3, 2016, 576),
        (129, 48, 9),
        (2, 1728, 13),
        (1, 288, 2304),
        (1, 48, 75),
    ];

    fn weights(noise: &mut Noise, channels: usize, columns: usize) -> Int8Matrix {
        // To the fifth, so that most are small, as a trained layer's are: short sums then fit but for some.
        let values =
            (0..channels * columns).map(|_| (noise.next().powi(5) * 128.0).clamp(-128.0, 127.0) as i8).collect();
        Int8Matrix::pack(channels, columns, values, (0..channels).map(|_| noise.next().abs() * 0.01).collect())
    }

    #[test]
    fn the_kernel_agrees_with_its_reference_bit_for_bit_over_odd_shapes() {
        let mut noise = Noise::new(7);
        for (rows, columns, channels) in SHAPES {
            let matrix = weights(&mut noise, channels, columns);
            let data: Vec<f32> = (0..rows * columns).map(|_| noise.next() * 3.0 + 0.5).collect();
            let bias: Vec<f32> = (0..channels).map(|_| noise.next()).collect();
            let activations = Int8Rows::quantize(&data, rows, columns, columns);
            for bias in [None, Some(bias.as_slice())] {
                let mut fast = vec![f32::NAN; rows * channels];
                let mut naive = vec![f32::NAN; rows * channels];
                matrix.multiply_reference(&activations, bias, &mut naive);
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                for short_sums in [false, true] {
                    variant::set_short_sums(short_sums);
                    matrix.multiply(&activations, bias, Output::Replace, &mut fast);
                    assert_eq!(bits(&fast), bits(&naive), "{rows} × {columns} × {channels}, {short_sums}");
                }
            }
        }
    }

    #[test]
    fn extreme_weights_and_activations_do_not_overflow() {
        // −128 · 127 in every product is the largest magnitude that pairs and sums can reach.
        let columns = 1728;
        let matrix = Int8Matrix::pack(4, columns, vec![-128; 4 * columns], vec![1.0; 4]);
        let activations = Int8Rows::quantize(&vec![127.0; columns], 1, columns, columns);
        let mut out = [0.0; 4];
        for short_sums in [false, true] {
            variant::set_short_sums(short_sums);
            matrix.multiply(&activations, None, Output::Replace, &mut out);
            assert_eq!(out, [-128.0 * 127.0 * columns as f32; 4]);
        }
    }

    #[test]
    fn quantized_products_stay_close_to_the_product_of_floats() {
        let mut noise = Noise::new(3);
        let (rows, columns, channels) = (5, 288, 64);
        let values: Vec<i8> = noise.take(channels * columns).iter().map(|x| (x * 127.0) as i8).collect();
        let matrix = Int8Matrix::pack(channels, columns, values.clone(), vec![0.01; channels]);
        let data: Vec<f32> = (0..rows * columns).map(|_| noise.next()).collect();
        let mut out = vec![0.0; rows * channels];
        matrix.multiply(&Int8Rows::quantize(&data, rows, columns, columns), None, Output::Replace, &mut out);
        let (mut error, mut power) = (0.0f64, 0.0f64);
        for channel in 0..channels {
            let row_weights = &values[channel * columns..][..columns];
            for row in 0..rows {
                let exact: f64 = data[row * columns..][..columns]
                    .iter()
                    .zip(row_weights)
                    .map(|(&x, &w)| f64::from(x) * f64::from(w) * 0.01)
                    .sum();
                error += (exact - f64::from(out[row * channels + channel])).powi(2);
                power += exact.powi(2);
            }
        }
        // Rounding to 1/127 of a range of 2 leaves an error of 2/127/√12 a value against a root mean square of 1/√3.
        assert!((error / power).sqrt() < 0.012, "relative error {}", (error / power).sqrt());
    }

    #[test]
    fn a_product_and_its_activation_give_the_bits_that_they_give_one_after_the_other() {
        let mut noise = Noise::new(9);
        for (rows, columns, channels) in SHAPES {
            let matrix = weights(&mut noise, channels, columns);
            let activations = Int8Rows::quantize(&noise.take(rows * columns), rows, columns, columns);
            let bias = noise.take(channels);
            let [mut together, mut apart] = [(); 2].map(|()| vec![f32::NAN; rows * channels]);
            matrix.multiply(&activations, Some(&bias), Output::Gelu, &mut together);
            matrix.multiply(&activations, Some(&bias), Output::Replace, &mut apart);
            Activation::Gelu.apply(&mut apart);
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&together), bits(&apart), "{rows} × {columns} × {channels}");
        }
    }

    #[test]
    fn rows_of_zeros_give_the_bias() {
        let matrix = weights(&mut Noise::new(1), 6, 20);
        let bias = [1.0, -2.0, 3.0, -4.0, 5.0, -6.0];
        let mut out = [0.0; 6];
        let zeros = Int8Rows::quantize(&[0.0; 20], 1, 20, 20);
        matrix.multiply(&zeros, Some(&bias), Output::Replace, &mut out);
        assert_eq!(out, bias);
        matrix.multiply(&zeros, Some(&bias), Output::Add, &mut out);
        assert_eq!(out, bias.map(|bias| 2.0 * bias));
    }
}
