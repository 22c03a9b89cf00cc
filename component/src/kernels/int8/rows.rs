//! Activations, quantized row by row.

use std::ops::Range;

use super::tile::CHUNK;
use crate::kernels::constants;
use crate::kernels::lanes::{F32x4, ROUNDING};
use crate::kernels::lanes16::I16x8;
use crate::kernels::norm::layer_norm;

/// The largest quantized activation.
const ACTIVATION_MAX: f32 = 127.0;
/// Rows of activations, quantized to `0..=127` with a scale and a zero point each.
#[derive(Debug, Clone, Default)]
pub struct Int8Rows {
    pub(super) stride: usize,
    values: Vec<u8>,
    pub(super) scales: Vec<f32>,
    pub(super) zeros: Vec<i32>,
    /// A row between norm and quantization.
    normal: Vec<f32>,
}

impl Int8Rows {
    /// [`Int8Rows::fill`] of new rows.
    ///
    /// # Panics
    /// If `data` is shorter than that.
    #[must_use]
    pub fn quantize(data: &[f32], rows: usize, columns: usize, step: usize) -> Self {
        let mut quantized = Self::default();
        quantized.fill(data, rows, columns, step);
        quantized
    }

    /// Quantizes `rows` rows of `columns` values in place of what was there; row `r` begins at `data[r * step]`, so that
    /// overlapping windows of a convolution need no copy. Allocates only where there were never so many.
    ///
    /// # Panics
    /// If `data` is shorter than that.
    pub fn fill(&mut self, data: &[f32], rows: usize, columns: usize, step: usize) {
        self.make_room(rows, columns);
        for row in 0..rows {
            self.set(row, &data[row * step..][..columns]);
        }
    }

    /// Quantizes the layer norm of every row of `x`, `weight.len()` values each, in place of what was there.
    ///
    /// # Panics
    /// If `x` is not whole rows.
    pub fn fill_normal(&mut self, x: &[f32], weight: &[f32], epsilon: f32) {
        let columns = weight.len();
        assert!(x.len().is_multiple_of(columns), "whole rows");
        self.make_room(x.len() / columns, columns);
        let mut normal = std::mem::take(&mut self.normal);
        normal.resize(columns, 0.0);
        for (row, x) in x.chunks_exact(columns).enumerate() {
            layer_norm(x, weight, epsilon, &mut normal);
            self.set(row, &normal);
        }
        self.normal = normal;
    }

    /// Makes room for so many rows, in place of what was there.
    pub fn make_room(&mut self, rows: usize, columns: usize) {
        self.stride = columns.next_multiple_of(CHUNK);
        self.values.resize(rows * self.stride, 0);
        self.scales.resize(rows, 0.0);
        self.zeros.resize(rows, 0);
    }

    fn set(&mut self, row: usize, from: &[f32]) {
        let to = &mut self.values[row * self.stride..][..self.stride];
        (self.scales[row], self.zeros[row]) = quantize_row(from, to);
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.scales.len()
    }

    /// A row with its padding.
    pub(super) fn row(&self, row: usize) -> &[u8] {
        self.rows_of(row..row + 1)
    }

    /// Rows, each with its padding.
    pub(super) fn rows_of(&self, rows: Range<usize>) -> &[u8] {
        &self.values[rows.start * self.stride..rows.end * self.stride]
    }
}

/// The smallest and the largest of the values and 0.
#[inline(always)]
fn range(values: &[f32]) -> (f32, f32) {
    // The order does not matter to the extremes.
    let (mut low, mut high) = ([F32x4::splat(0.0); 2], [F32x4::splat(0.0); 2]);
    let (chunks, rest) = values.as_chunks::<{ 2 * CHUNK }>();
    for chunk in chunks {
        for (i, values) in chunk.as_chunks::<4>().0.iter().enumerate() {
            let values = F32x4::load(values);
            low[i % 2] = low[i % 2].min(values);
            high[i % 2] = high[i % 2].max(values);
        }
    }
    let low = low[0].min(low[1]).to_array();
    let high = high[0].max(high[1]).to_array();
    let low = low.iter().chain(rest).fold(0.0f32, |a, &b| if b < a { b } else { a });
    let high = high.iter().chain(rest).fold(0.0f32, |a, &b| if b > a { b } else { a });
    (low, high)
}

/// Quantizes one row into `to`, pads it with 0, and gives its scale and zero point. The range always includes 0, so that 0
/// is exact.
#[inline(never)]
fn quantize_row(from: &[f32], to: &mut [u8]) -> (f32, i32) {
    let (low, high) = range(from);
    let range = high - low;
    if range <= 0.0 {
        to.fill(0);
        return (0.0, 0);
    }
    let inverse = ACTIVATION_MAX / range;
    let zero = (-low * inverse).round_ties_even();
    let (to, padding) = to.split_at_mut(from.len());
    padding.fill(0);
    let (inverses, zeros) = (F32x4::splat(inverse), F32x4::splat(zero));
    let [rounding] = constants::read(&[ROUNDING]);
    let [most] = constants::read16(&[ACTIVATION_MAX as i16]);
    let quantize = |from: &[f32; CHUNK], to: &mut [u8; CHUNK]| {
        let (quarters, _) = from.as_chunks::<4>();
        let scaled = std::array::from_fn(|i| F32x4::load(&quarters[i]).mul(inverses).add(zeros).add(rounding));
        let halves = I16x8::both_rounded(scaled, rounding);
        // What is less than 0 is 0 as a byte.
        I16x8::store_bytes(halves.map(|half| half.min(most)), to);
    };
    let (from, rest) = from.as_chunks::<CHUNK>();
    let (to, to_rest) = to.as_chunks_mut::<CHUNK>();
    // Two chunks a round: the host may check its deadline in each.
    let (pairs, last) = from.as_chunks::<2>();
    let (to_pairs, to_last) = to.as_chunks_mut::<2>();
    for ([first, second], [to_first, to_second]) in pairs.iter().zip(to_pairs) {
        quantize(first, to_first);
        quantize(second, to_second);
    }
    for (from, to) in last.iter().zip(to_last) {
        quantize(from, to);
    }
    for (to, &x) in to_rest.iter_mut().zip(rest) {
        *to = quantize_value(x, inverse, zero);
    }
    (range / ACTIVATION_MAX, zero as i32)
}

/// The quantized value of `x`.
#[inline(always)]
fn quantize_value(x: f32, inverse: f32, zero: f32) -> u8 {
    (x * inverse + zero).clamp(0.0, ACTIVATION_MAX).round_ties_even() as u8
}

#[cfg(test)]
mod tests {
    use super::{Int8Rows, quantize_value};
    use crate::kernels::testing::Noise;

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
