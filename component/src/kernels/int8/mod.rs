//! Products of 8-bit weights with 7-bit activations, exact in integers on every engine.
//!
//! Weights are `i8`, symmetric, with one scale per output channel; activations are quantized row by row to `0..=127` with
//! a scale and a zero point. With seven bits on one side, the pairwise sums inside
//! `i32x4.relaxed_dot_i8x16_i7x16_add` cannot overflow (2 · 127 · 128 < 2¹⁵), which makes the relaxed instruction give the
//! same integers everywhere; plain `simd128` computes the same with `i32x4.dot_i16x8_s`, and the reference with a loop.
//!
//! ```text
//! x ≈ (q − zero) · scale                               per row of activations
//! y[o] = (Σ q·w[o] − zero · Σ w[o]) · (scale · weight_scale[o]) + bias[o]
//! ```

mod rows;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd;

pub use rows::Int8Rows;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
use scalar::{dot_1x4, dot_2x4};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use simd::{dot_1x4, dot_2x4};

/// Weights and activations are padded to whole vectors of this many columns.
const LANES: usize = 16;
/// Output channels that are computed together.
const CHANNEL_TILE: usize = 4;
/// Activations that stay in the first-level cache while the weights stream past them, in bytes.
const ROW_BLOCK_BYTES: usize = 16 * 1024;

/// A matrix of weights `[rows = out, columns = in]`, packed for the kernels.
#[derive(Debug, Clone)]
pub struct Int8Matrix {
    rows: usize,
    columns: usize,
    /// Columns after padding to [`LANES`]; the padding is zero.
    stride: usize,
    /// `[rows rounded up to CHANNEL_TILE, stride]`, rows of padding zero.
    weights: Vec<i8>,
    /// One per row, rows of padding zero.
    scales: Vec<f32>,
    /// Σ of each row's weights.
    sums: Vec<i32>,
}

impl Int8Matrix {
    /// Packs row-major weights `[rows, columns]` with one scale per row.
    ///
    /// No copy is made when `columns` is a multiple of 16 and `rows` of 4.
    ///
    /// # Panics
    /// If the lengths do not fit the shape: the loader makes them so.
    #[must_use]
    pub fn pack(rows: usize, columns: usize, weights: Vec<i8>, mut scales: Vec<f32>) -> Self {
        assert_eq!(weights.len(), rows * columns, "one weight per element");
        assert_eq!(scales.len(), rows, "one scale per output channel");
        let stride = columns.next_multiple_of(LANES);
        let padded_rows = rows.next_multiple_of(CHANNEL_TILE);
        let weights = if (stride, padded_rows) == (columns, rows) {
            weights
        } else {
            let mut padded = vec![0; padded_rows * stride];
            for (to, from) in padded.chunks_exact_mut(stride).zip(weights.chunks_exact(columns)) {
                to[..columns].copy_from_slice(from);
            }
            padded
        };
        let sums = weights.chunks_exact(stride).map(|row| row.iter().map(|&w| i32::from(w)).sum()).collect();
        scales.resize(padded_rows, 0.0);
        Self { rows, columns, stride, weights, scales, sums }
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

    /// Writes one row's weights as floats, as an embedding needs them. `out` holds [`Int8Matrix::columns`] values.
    pub fn dequantize_row(&self, row: usize, out: &mut [f32]) {
        let scale = self.scales[row];
        for (out, &w) in out.iter_mut().zip(&self.weights[row * self.stride..][..self.columns]) {
            *out = f32::from(w) * scale;
        }
    }

    /// `out[m, o] = activations[m] · self[o] + bias[o]`, `out` row-major `[activations.rows(), self.rows()]`.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    pub fn multiply(&self, activations: &Int8Rows, bias: Option<&[f32]>, out: &mut [f32]) {
        assert_eq!(activations.stride, self.stride, "activations and weights have the same columns");
        assert_eq!(out.len(), activations.rows * self.rows, "one output per row and channel");
        assert!(bias.is_none_or(|bias| bias.len() == self.rows), "one bias per output channel");
        let block = (ROW_BLOCK_BYTES / self.stride).max(1);
        for first in (0..activations.rows).step_by(block) {
            let last = (first + block).min(activations.rows);
            for channel in (0..self.rows).step_by(CHANNEL_TILE) {
                let bias = tile_bias(bias, channel);
                let mut row = first;
                while row + 2 <= last {
                    let [a, b] = dot_2x4(activations.pair(row), self.channels(channel));
                    self.finish(activations, row, channel, a, bias, out);
                    self.finish(activations, row + 1, channel, b, bias, out);
                    row += 2;
                }
                if row < last {
                    let a = dot_1x4(activations.row(row), self.channels(channel));
                    self.finish(activations, row, channel, a, bias, out);
                }
            }
        }
    }

    /// The naive reference of [`Int8Matrix::multiply`], with which every kernel agrees bit for bit.
    pub fn multiply_reference(&self, activations: &Int8Rows, bias: Option<&[f32]>, out: &mut [f32]) {
        for (row, out) in out.chunks_exact_mut(self.rows).enumerate() {
            for (channel, out) in out.iter_mut().enumerate() {
                let weights = &self.weights[channel * self.stride..][..self.stride];
                let dot: i32 =
                    activations.row(row).iter().zip(weights).map(|(&q, &w)| i32::from(q) * i32::from(w)).sum();
                let centred = dot - activations.zeros[row] * self.sums[channel];
                let scale = activations.scales[row] * self.scales[channel];
                *out = centred as f32 * scale + bias.map_or(0.0, |bias| bias[channel]);
            }
        }
    }

    /// The weights of [`CHANNEL_TILE`] output channels.
    fn channels(&self, first: usize) -> &[i8] {
        &self.weights[first * self.stride..][..CHANNEL_TILE * self.stride]
    }

    /// Turns the integer products of one row with a tile of channels into outputs.
    #[inline(always)]
    fn finish(
        &self,
        activations: &Int8Rows,
        row: usize,
        channel: usize,
        dots: [i32; CHANNEL_TILE],
        bias: [f32; CHANNEL_TILE],
        out: &mut [f32],
    ) {
        let zero = activations.zeros[row];
        let scale = activations.scales[row];
        let sums = self.sums[channel..].first_chunk::<CHANNEL_TILE>().expect("rows are padded to whole tiles");
        let scales = self.scales[channel..].first_chunk::<CHANNEL_TILE>().expect("rows are padded to whole tiles");
        let tile: [f32; CHANNEL_TILE] =
            std::array::from_fn(|i| (dots[i] - zero * sums[i]) as f32 * (scale * scales[i]) + bias[i]);
        let out = &mut out[row * self.rows + channel..(row + 1) * self.rows];
        match out.first_chunk_mut::<CHANNEL_TILE>() {
            Some(out) => *out = tile,
            None => out.copy_from_slice(&tile[..out.len()]),
        }
    }
}

/// The biases of a tile of channels, zero where there are none.
fn tile_bias(bias: Option<&[f32]>, channel: usize) -> [f32; CHANNEL_TILE] {
    let mut tile = [0.0; CHANNEL_TILE];
    if let Some(bias) = bias {
        let there = bias.len().min(channel + CHANNEL_TILE) - channel;
        tile[..there].copy_from_slice(&bias[channel..][..there]);
    }
    tile
}

#[cfg(test)]
mod tests {
    use super::{Int8Matrix, Int8Rows};
    use crate::kernels::testing::Noise;

    /// Rows, columns and output channels around every boundary of the tiles, and the shapes of Moonshine Tiny.
    const SHAPES: [(usize, usize, usize); 12] = [
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
    ];

    fn weights(noise: &mut Noise, channels: usize, columns: usize) -> Int8Matrix {
        let values = (0..channels * columns).map(|_| (noise.next() * 128.0).clamp(-128.0, 127.0) as i8).collect();
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
                matrix.multiply(&activations, bias, &mut fast);
                matrix.multiply_reference(&activations, bias, &mut naive);
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&fast), bits(&naive), "{rows} × {columns} × {channels}");
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
        matrix.multiply(&activations, None, &mut out);
        assert_eq!(out, [-128.0 * 127.0 * columns as f32; 4]);
    }

    #[test]
    fn quantized_products_stay_close_to_the_product_of_floats() {
        let mut noise = Noise::new(3);
        let (rows, columns, channels) = (5, 288, 64);
        let matrix = weights(&mut noise, channels, columns);
        let data: Vec<f32> = (0..rows * columns).map(|_| noise.next()).collect();
        let mut out = vec![0.0; rows * channels];
        matrix.multiply(&Int8Rows::quantize(&data, rows, columns, columns), None, &mut out);
        let mut row_weights = vec![0.0; columns];
        let (mut error, mut power) = (0.0f64, 0.0f64);
        for channel in 0..channels {
            matrix.dequantize_row(channel, &mut row_weights);
            for row in 0..rows {
                let exact: f64 = data[row * columns..][..columns]
                    .iter()
                    .zip(&row_weights)
                    .map(|(&x, &w)| f64::from(x) * f64::from(w))
                    .sum();
                error += (exact - f64::from(out[row * channels + channel])).powi(2);
                power += exact.powi(2);
            }
        }
        // Rounding to 1/127 of a range of 2 leaves an error of 2/127/√12 a value against a root mean square of 1/√3.
        assert!((error / power).sqrt() < 0.012, "relative error {}", (error / power).sqrt());
    }

    #[test]
    fn rows_of_zeros_give_the_bias() {
        let matrix = weights(&mut Noise::new(1), 6, 20);
        let bias = [1.0, -2.0, 3.0, -4.0, 5.0, -6.0];
        let mut out = [0.0; 6];
        matrix.multiply(&Int8Rows::quantize(&[0.0; 20], 1, 20, 20), Some(&bias), &mut out);
        assert_eq!(out, bias);
    }
}
