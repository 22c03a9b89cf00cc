//! Activations, quantized row by row.

use super::LANES;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
use super::scalar::quantize_chunk;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::simd::quantize_chunk;

/// The largest quantized activation.
pub(super) const ACTIVATION_MAX: f32 = 127.0;

/// Rows of activations, quantized to `0..=127` with a scale and a zero point each.
#[derive(Debug, Clone, Default)]
pub struct Int8Rows {
    pub(super) rows: usize,
    pub(super) stride: usize,
    values: Vec<u8>,
    pub(super) scales: Vec<f32>,
    pub(super) zeros: Vec<i32>,
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

    pub(super) fn row(&self, row: usize) -> &[u8] {
        &self.values[row * self.stride..][..self.stride]
    }

    pub(super) fn pair(&self, row: usize) -> &[u8] {
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
pub(super) fn quantize_value(x: f32, inverse: f32, zero: f32) -> u8 {
    (x * inverse + zero).round_ties_even().clamp(0.0, ACTIVATION_MAX) as u8
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
