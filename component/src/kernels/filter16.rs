//! A bank of filters over samples in 16-bit integers, for models whose other layers are in 8.
//!
//! Every window of samples has a scale, and so has every filter. Samples are within −8191..=8191, and a filter's weights have
//! the length 22 500 at most, so that no sum of products leaves 32 bits: it is at most the product of both lengths (Cauchy
//! and Schwarz). Rounding changes an output by some two parts in ten thousand of the window's level, where the layers after it
//! round to 1/127.

use std::hint::black_box;

use super::constants;
use super::lanes::{F32x4, I32x4, ROUNDING};
use super::lanes16::I16x8;

/// The largest magnitude of a sample.
const SAMPLE_MAX: f32 = 8191.0;
/// The longest window, in samples: its length is then at most √128 · 8191.
const TAPS_MAX: usize = 128;
/// The length of a filter: 2³¹ less what rounding adds, over the length of the longest window.
const FILTER_LENGTH: f32 = 22_500.0;
/// Taps that are read together.
const OCTET: usize = 8;
/// Pairs of taps in an octet.
const PAIRS: usize = OCTET / 2;
/// Filters that are computed together.
const PANEL: usize = 16;
/// Vectors of sums in a panel.
const VECTORS: usize = PANEL / 4;
/// Windows that share each load of a weight.
const WINDOW_TILE: usize = 2;

/// The weights of an octet of taps: for each pair of taps a vector after the other, of which each has four filters' pairs.
type OctetWeights = [[[i16; 8]; VECTORS]; PAIRS];

/// Filters of one length.
#[derive(Debug, Clone)]
pub struct Int16Filters {
    outputs: usize,
    taps: usize,
    /// For each [`PANEL`] of filters, the octets of its taps; what pads taps and the last panel is zero.
    weights: Vec<OctetWeights>,
    /// One per filter, and per one of padding.
    scales: Vec<f32>,
}

/// Windows of samples, quantized with a scale each; kept from call to call so that nothing is allocated.
#[derive(Debug, Clone, Default)]
pub struct Windows {
    /// `[windows, octets]`.
    samples: Vec<[i16; OCTET]>,
    scales: Vec<f32>,
}

impl Windows {
    /// Quantizes `count` windows of `taps` samples that begin `step` samples apart, in place of what was there.
    ///
    /// # Panics
    /// If there are fewer samples than that.
    pub fn fill(&mut self, samples: &[f32], count: usize, taps: usize, step: usize) {
        let octets = taps.div_ceil(OCTET);
        self.samples.resize(count * octets, [0; OCTET]);
        self.scales.resize(count, 0.0);
        for (window, (to, scale)) in self.samples.chunks_exact_mut(octets).zip(&mut self.scales).enumerate() {
            *scale = quantize(&samples[window * step..][..taps], to);
        }
    }
}

impl Int16Filters {
    /// Packs weights `[outputs, taps]`.
    ///
    /// # Panics
    /// If the length does not fit the shape, or there are more than 128 taps: the loader makes it so.
    #[must_use]
    pub fn pack(outputs: usize, taps: usize, weights: &[f32]) -> Self {
        assert_eq!(weights.len(), outputs * taps, "one weight per element");
        assert!(taps <= TAPS_MAX, "no sum leaves 32 bits");
        let octets = taps.div_ceil(OCTET);
        let mut packed = vec![[[[0; 8]; VECTORS]; PAIRS]; outputs.div_ceil(PANEL) * octets];
        let mut scales = vec![0.0; outputs.next_multiple_of(PANEL)];
        for (output, filter) in weights.chunks_exact(taps).enumerate() {
            let length = filter.iter().map(|&w| f64::from(w) * f64::from(w)).sum::<f64>().sqrt() as f32;
            let factor = if length > 0.0 { FILTER_LENGTH / length } else { 0.0 };
            scales[output] = length / FILTER_LENGTH;
            let (panel, channel) = (output / PANEL, output % PANEL);
            for (tap, &weight) in filter.iter().enumerate() {
                let pair = &mut packed[panel * octets + tap / OCTET][tap % OCTET / 2][channel / 4];
                pair[channel % 4 * 2 + tap % 2] = (weight * factor).round_ties_even() as i16;
            }
        }
        Self { outputs, taps, weights: packed, scales }
    }

    /// Samples in a window.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.taps
    }

    /// Filters windows of so many taps, writing `out` `[windows, outputs]`.
    ///
    /// # Panics
    /// If `out` is not of this shape.
    pub fn forward(&self, windows: &Windows, out: &mut [f32]) {
        let count = windows.scales.len();
        assert_eq!(out.len(), count * self.outputs, "one output per window and filter");
        let tiled = count / WINDOW_TILE * WINDOW_TILE;
        for panel in 0..self.scales.len() / PANEL {
            for window in (0..tiled).step_by(WINDOW_TILE) {
                self.tile::<WINDOW_TILE>(panel, window, windows, out);
            }
            for window in tiled..count {
                self.tile::<1>(panel, window, windows, out);
            }
        }
    }

    /// The naive reference of [`Int16Filters::forward`], with which it agrees bit for bit.
    pub fn forward_reference(&self, windows: &Windows, out: &mut [f32]) {
        let octets = self.taps.div_ceil(OCTET);
        let each = windows.samples.chunks_exact(octets).zip(&windows.scales);
        for (out, (window, scale)) in out.chunks_exact_mut(self.outputs).zip(each) {
            for (output, out) in out.iter_mut().enumerate() {
                let weights = &self.weights[output / PANEL * octets..][..octets];
                let channel = output % PANEL;
                let weight = |tap: usize| weights[tap / OCTET][tap % OCTET / 2][channel / 4][channel % 4 * 2 + tap % 2];
                let samples = window.as_flattened().iter().enumerate();
                let sum: i32 = samples.map(|(tap, &x)| i32::from(x) * i32::from(weight(tap))).sum();
                *out = sum as f32 * (scale * self.scales[output]);
            }
        }
    }

    /// One panel's outputs of `ROWS` windows from `first` on.
    #[inline(never)]
    fn tile<const ROWS: usize>(&self, panel: usize, first: usize, windows: &Windows, out: &mut [f32]) {
        let octets = self.taps.div_ceil(OCTET);
        let rows: [&[[i16; OCTET]]; ROWS] =
            std::array::from_fn(|row| &windows.samples[(first + row) * octets..][..octets]);
        let sums = products(rows, &self.weights[panel * octets..][..octets]);
        let scales = self.scales[panel * PANEL..][..PANEL].as_chunks::<4>().0;
        for (row, sums) in sums.iter().enumerate() {
            let scale = F32x4::splat(windows.scales[first + row]);
            let out = &mut out[(first + row) * self.outputs..][..self.outputs];
            for (vector, (sums, scales)) in sums.iter().zip(scales).enumerate() {
                let values = sums.to_f32().mul(scale.mul(F32x4::load(scales)));
                values.store_some(out.get_mut(panel * PANEL + vector * 4..).unwrap_or_default());
            }
        }
    }
}

/// Sums of the products of each row with each filter of a panel.
#[inline(always)]
#[allow(unsafe_code)] // A checked load costs a branch per 8 products.
fn products<const ROWS: usize>(rows: [&[[i16; OCTET]]; ROWS], weights: &[OctetWeights]) -> [[I32x4; VECTORS]; ROWS] {
    assert!(rows.iter().all(|row| row.len() == weights.len()), "as many octets as the weights have");
    let mut sums = [[I32x4::splat(0); VECTORS]; ROWS];
    // As in the `simd128` tile, it may end after each pair, and the compiler does not know that it does not: it would take
    // pairs together, and run out of registers.
    let mut left = black_box(weights.len() * PAIRS);
    let mut octet = 0;
    macro_rules! pairs {
        ($($pair:literal)*) => {
            loop {
                if left == 0 {
                    break;
                }
                // SAFETY: the rows have as many octets as the weights, of which some are left.
                let samples = rows.map(|row| I16x8::load(unsafe { row.get_unchecked(octet) }));
                // SAFETY: as above.
                let octet_weights = unsafe { weights.get_unchecked(octet) };
                $(
                    if left == $pair {
                        break;
                    }
                    let weights = octet_weights[$pair].each_ref().map(I16x8::load);
                    for (sums, samples) in sums.iter_mut().zip(samples) {
                        let pair = samples.spread_pair::<$pair>();
                        for (sum, weights) in sums.iter_mut().zip(weights) {
                            *sum = sum.add(pair.dot(weights));
                        }
                    }
                )*
                left -= PAIRS;
                octet += 1;
            }
        };
    }
    pairs!(0 1 2 3);
    sums
}

/// Quantizes a window, pads it with 0, and gives its scale.
#[inline(never)]
fn quantize(samples: &[f32], to: &mut [[i16; OCTET]]) -> f32 {
    let largest = F32x4::largest_magnitude(samples);
    let factor = F32x4::splat(if largest > 0.0 { SAMPLE_MAX / largest } else { 0.0 });
    let [rounding] = constants::read(&[ROUNDING]);
    let scale = |x: F32x4| x.mul(factor).add(rounding);
    let (octets, rest) = samples.as_chunks::<OCTET>();
    let (whole, last) = to.split_at_mut(octets.len());
    for (to, octet) in whole.iter_mut().zip(octets) {
        let [low, high] = octet.as_chunks::<4>().0.first_chunk().expect("two quads").each_ref().map(F32x4::load);
        I16x8::rounded(scale(low), scale(high), rounding).store(to);
    }
    if let [last] = last {
        let high = F32x4::load_some(rest.get(4..).unwrap_or_default());
        I16x8::rounded(scale(F32x4::load_some(rest)), scale(high), rounding).store(last);
    }
    largest / SAMPLE_MAX
}

#[cfg(test)]
mod tests {
    use super::{Int16Filters, TAPS_MAX, Windows};
    use crate::kernels::filter::Filters;
    use crate::kernels::testing::Noise;

    fn filtered(filters: &Int16Filters, samples: &[f32], windows: usize, step: usize) -> Vec<f32> {
        let mut quantized = Windows::default();
        quantized.fill(samples, windows, filters.taps(), step);
        let mut fast = vec![f32::NAN; windows * filters.outputs];
        let mut naive = fast.clone();
        filters.forward(&quantized, &mut fast);
        filters.forward_reference(&quantized, &mut naive);
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&fast), bits(&naive), "{windows} × {step} × {} × {}", filters.outputs, filters.taps);
        fast
    }

    #[test]
    fn filters_agree_with_their_reference_bit_for_bit_over_odd_shapes() {
        let mut noise = Noise::new(31);
        for (windows, step, outputs, taps) in
            [(1, 1, 1, 1), (3, 2, 7, 5), (4, 64, 8, 127), (9, 3, 17, 4), (13, 5, 24, 6), (2, 8, 33, 16)]
        {
            let filters = Int16Filters::pack(outputs, taps, &noise.take(outputs * taps));
            filtered(&filters, &noise.take((windows - 1) * step + taps), windows, step);
        }
    }

    #[test]
    fn filters_stay_close_to_those_in_floats_at_every_level() {
        let mut noise = Noise::new(7);
        let (windows, step, outputs, taps) = (10, 64, 48, 127);
        let weights = noise.take(outputs * taps);
        let (quantized, exact) = (Int16Filters::pack(outputs, taps, &weights), Filters::pack(outputs, taps, &weights));
        for level in [1e-6, 0.01, 1.0, 1000.0] {
            let samples: Vec<f32> =
                noise.take((windows - 1) * step + exact.reach()).iter().map(|x| level * x).collect();
            let is = filtered(&quantized, &samples, windows, step);
            let mut want = vec![f32::NAN; windows * outputs];
            exact.forward(&samples, step, &mut want);
            let error = is.iter().zip(&want).map(|(is, want)| (is - want).powi(2)).sum::<f32>();
            let power = want.iter().map(|want| want.powi(2)).sum::<f32>();
            assert!((error / power).sqrt() < 3e-4, "{level}: {}", (error / power).sqrt());
        }
    }

    #[test]
    fn no_sum_leaves_32_bits() {
        // The longest windows, of the shape of the filters.
        for shape in [|_: usize| 1.0, |tap: usize| 1.0 - 2.0 * (tap % 2) as f32] {
            let taps: Vec<f32> = (0..TAPS_MAX).map(shape).collect();
            let out = filtered(&Int16Filters::pack(1, TAPS_MAX, &taps), &taps, 1, 1);
            assert!((out[0] - TAPS_MAX as f32).abs() < 0.1, "{}", out[0]);
        }
    }

    #[test]
    fn silence_stays_silent() {
        let filters = Int16Filters::pack(2, 8, &[0.5; 16]);
        assert_eq!(filtered(&filters, &[0.0; 16], 2, 8), [0.0; 4]);
    }
}
