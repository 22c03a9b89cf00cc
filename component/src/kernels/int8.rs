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

/// Weights and activations are padded to whole vectors of this many columns.
const LANES: usize = 16;
/// Output channels that are computed together.
const CHANNEL_TILE: usize = 4;
/// Activations that stay in the first-level cache while the weights stream past them, in bytes.
const ROW_BLOCK_BYTES: usize = 16 * 1024;

/// The largest quantized activation.
const ACTIVATION_MAX: f32 = 127.0;

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

/// Rows of activations, quantized to `0..=127` with a scale and a zero point each.
#[derive(Debug, Clone, Default)]
pub struct Int8Rows {
    rows: usize,
    stride: usize,
    values: Vec<u8>,
    scales: Vec<f32>,
    zeros: Vec<i32>,
}

impl Int8Rows {
    /// Quantizes `rows` rows of `columns` values; row `r` begins at `data[r * step]`, so that overlapping windows of a
    /// convolution need no copy.
    ///
    /// # Panics
    /// If `data` is shorter than that.
    #[must_use]
    pub fn quantize(data: &[f32], rows: usize, columns: usize, step: usize) -> Self {
        let stride = columns.next_multiple_of(LANES);
        let mut values = vec![0; rows * stride];
        let mut scales = Vec::with_capacity(rows);
        let mut zeros = Vec::with_capacity(rows);
        for (row, to) in values.chunks_exact_mut(stride).enumerate() {
            let (scale, zero) = quantize_row(&data[row * step..][..columns], to);
            scales.push(scale);
            zeros.push(zero);
        }
        Self { rows, stride, values, scales, zeros }
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.values[row * self.stride..][..self.stride]
    }

    fn pair(&self, row: usize) -> &[u8] {
        &self.values[row * self.stride..][..2 * self.stride]
    }
}

/// Quantizes one row into `to` and gives its scale and zero point. The range always includes 0, so that 0 is exact.
fn quantize_row(from: &[f32], to: &mut [u8]) -> (f32, i32) {
    // Eight running extremes, so that the compiler can keep them in vectors; the order does not matter to min and max.
    let mut low = [0.0f32; 8];
    let mut high = [0.0f32; 8];
    let chunks = from.chunks_exact(8);
    let tail = chunks.remainder();
    for chunk in chunks {
        for i in 0..8 {
            low[i] = if chunk[i] < low[i] { chunk[i] } else { low[i] };
            high[i] = if chunk[i] > high[i] { chunk[i] } else { high[i] };
        }
    }
    let low = low.iter().chain(tail).fold(0.0f32, |a, &b| if b < a { b } else { a });
    let high = high.iter().chain(tail).fold(0.0f32, |a, &b| if b > a { b } else { a });
    let range = high - low;
    if range <= 0.0 {
        to.fill(0);
        return (0.0, 0);
    }
    let inverse = ACTIVATION_MAX / range;
    let zero = (-low * inverse).round_ties_even();
    let (to, padding) = to.split_at_mut(from.len());
    padding.fill(0);
    let (from, rest) = from.as_chunks::<LANES>();
    let (to, to_rest) = to.as_chunks_mut::<LANES>();
    for (to, from) in to.iter_mut().zip(from) {
        *to = quantize_chunk(from, inverse, zero);
    }
    for (to, &x) in to_rest.iter_mut().zip(rest) {
        *to = quantize_value(x, inverse, zero);
    }
    (range / ACTIVATION_MAX, zero as i32)
}

/// The quantized value of `x`.
#[inline(always)]
fn quantize_value(x: f32, inverse: f32, zero: f32) -> u8 {
    (x * inverse + zero).round_ties_even().clamp(0.0, ACTIVATION_MAX) as u8
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd {
    use core::arch::wasm32::*;

    use super::{ACTIVATION_MAX, CHANNEL_TILE, LANES};

    /// Loads 16 bytes at `offset` of `bytes`.
    ///
    /// # Safety
    /// `offset + 16` must be within `bytes`.
    #[inline(always)]
    #[allow(unsafe_code)] // A checked load costs a branch per 16 products.
    unsafe fn load<T>(bytes: &[T], offset: usize) -> v128 {
        debug_assert!(size_of::<T>() == 1 && offset + LANES <= bytes.len());
        // SAFETY: the caller keeps the range inside the slice; `v128_load` takes any alignment.
        unsafe { v128_load(bytes.as_ptr().add(offset).cast()) }
    }

    /// `sum + Σ q·w` over the lanes of each quarter, in some grouping of the 16 products.
    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn dot(q: v128, w: v128, sum: v128) -> v128 {
        i32x4_relaxed_dot_i8x16_i7x16_add(w, q, sum)
    }

    /// `sum + Σ q·w` over the lanes of each quarter, in some grouping of the 16 products.
    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn dot(q: v128, w: v128, sum: v128) -> v128 {
        let low = i32x4_dot_i16x8(i16x8_extend_low_u8x16(q), i16x8_extend_low_i8x16(w));
        let high = i32x4_dot_i16x8(i16x8_extend_high_u8x16(q), i16x8_extend_high_i8x16(w));
        i32x4_add(sum, i32x4_add(low, high))
    }

    /// Adds up the lanes of four vectors: `[Σa, Σb, Σc, Σd]`.
    #[inline(always)]
    fn sums([a, b, c, d]: [v128; CHANNEL_TILE]) -> [i32; CHANNEL_TILE] {
        let ab = i32x4_add(i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
        let cd = i32x4_add(i32x4_shuffle::<0, 4, 1, 5>(c, d), i32x4_shuffle::<2, 6, 3, 7>(c, d));
        let all = i32x4_add(i32x4_shuffle::<0, 1, 4, 5>(ab, cd), i32x4_shuffle::<2, 3, 6, 7>(ab, cd));
        [
            i32x4_extract_lane::<0>(all),
            i32x4_extract_lane::<1>(all),
            i32x4_extract_lane::<2>(all),
            i32x4_extract_lane::<3>(all),
        ]
    }

    /// Products of `ROWS` rows of activations with a tile of channels, both row after row.
    #[inline(always)]
    #[allow(unsafe_code)] // For `load`; the lengths are asserted once, before the loop.
    fn dot_tile<const ROWS: usize>(rows: &[u8], channels: &[i8]) -> [[i32; CHANNEL_TILE]; ROWS] {
        let stride = channels.len() / CHANNEL_TILE;
        assert!(rows.len() == ROWS * stride && channels.len() == CHANNEL_TILE * stride && stride.is_multiple_of(LANES));
        let mut sum = [[i32x4_splat(0); CHANNEL_TILE]; ROWS];
        let mut column = 0;
        while column < stride {
            // SAFETY: `column + LANES <= stride`, since both are multiples of `LANES`, and the slices hold `ROWS` and
            // `CHANNEL_TILE` rows of `stride` bytes.
            unsafe {
                let w: [v128; CHANNEL_TILE] = std::array::from_fn(|i| load(channels, i * stride + column));
                for (row, sum) in sum.iter_mut().enumerate() {
                    let q = load(rows, row * stride + column);
                    *sum = std::array::from_fn(|i| dot(q, w[i], sum[i]));
                }
            }
            column += LANES;
        }
        sum.map(sums)
    }

    pub(super) fn dot_2x4(rows: &[u8], channels: &[i8]) -> [[i32; CHANNEL_TILE]; 2] {
        dot_tile::<2>(rows, channels)
    }

    /// [`super::quantize_value`] of 16 values.
    #[inline(always)]
    #[allow(unsafe_code)] // There is no safe load or store of a vector; the arrays' types keep both in bounds.
    pub(super) fn quantize_chunk(from: &[f32; LANES], inverse: f32, zero: f32) -> [u8; LANES] {
        let (inverse, zero) = (f32x4_splat(inverse), f32x4_splat(zero));
        let quarter = |i: usize| {
            // SAFETY: quarter `i` of four is 16 readable bytes, and the load takes any alignment.
            let x = unsafe { v128_load(from.as_ptr().add(4 * i).cast()) };
            let rounded = f32x4_nearest(f32x4_add(f32x4_mul(x, inverse), zero));
            // Narrowing clamps below at 0 only, and not above at 127.
            i32x4_trunc_sat_f32x4(f32x4_pmin(rounded, f32x4_splat(ACTIVATION_MAX)))
        };
        let low = i16x8_narrow_i32x4(quarter(0), quarter(1));
        let high = i16x8_narrow_i32x4(quarter(2), quarter(3));
        let mut to = [0; LANES];
        // SAFETY: the array is 16 writable bytes, and the store takes any alignment.
        unsafe { v128_store(to.as_mut_ptr().cast(), u8x16_narrow_i16x8(low, high)) };
        to
    }

    pub(super) fn dot_1x4(row: &[u8], channels: &[i8]) -> [i32; CHANNEL_TILE] {
        let [sum] = dot_tile::<1>(row, channels);
        sum
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod scalar {
    use super::{CHANNEL_TILE, LANES, quantize_value};

    /// [`quantize_value`] of 16 values.
    pub(super) fn quantize_chunk(from: &[f32; LANES], inverse: f32, zero: f32) -> [u8; LANES] {
        from.map(|x| quantize_value(x, inverse, zero))
    }

    pub(super) fn dot_2x4(rows: &[u8], channels: &[i8]) -> [[i32; CHANNEL_TILE]; 2] {
        let (a, b) = rows.split_at(rows.len() / 2);
        [dot_1x4(a, channels), dot_1x4(b, channels)]
    }

    pub(super) fn dot_1x4(row: &[u8], channels: &[i8]) -> [i32; CHANNEL_TILE] {
        std::array::from_fn(|i| {
            let weights = &channels[i * row.len()..][..row.len()];
            row.iter().zip(weights).map(|(&q, &w)| i32::from(q) * i32::from(w)).sum()
        })
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
use scalar::{dot_1x4, dot_2x4, quantize_chunk};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use simd::{dot_1x4, dot_2x4, quantize_chunk};

#[cfg(test)]
mod tests {
    use super::{Int8Matrix, Int8Rows, quantize_value};
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
    fn values_are_quantized_alike_in_vectors_and_one_by_one() {
        let mut noise = Noise::new(17);
        for columns in [1, 15, 16, 17, 100] {
            let row: Vec<f32> = noise.take(columns).iter().map(|x| x * 5.0 + 1.0).collect();
            let quantized = Int8Rows::quantize(&row, 1, columns, columns);
            let low = row.iter().copied().fold(0.0f32, f32::min);
            let range = row.iter().copied().fold(0.0f32, f32::max) - low;
            let (inverse, zero) = (127.0 / range, (-low * (127.0 / range)).round_ties_even());
            for (&x, &is) in row.iter().zip(quantized.row(0)) {
                assert_eq!(is, quantize_value(x, inverse, zero));
                let back = (f32::from(is) - zero) * quantized.scales[0];
                assert!((back - x).abs() <= 1.01 * range / 127.0, "{x} came back as {back}");
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

    #[test]
    fn overlapping_windows_are_quantized_each_on_its_own() {
        let data: Vec<f32> = (0..100).map(|i| (i as f32 * 0.37).sin()).collect();
        let windows = Int8Rows::quantize(&data, 9, 20, 10);
        for row in 0..9 {
            let alone = Int8Rows::quantize(&data[row * 10..], 1, 20, 20);
            assert_eq!(windows.row(row), alone.row(0));
            assert_eq!((windows.scales[row], windows.zeros[row]), (alone.scales[0], alone.zeros[0]));
        }
    }
}
