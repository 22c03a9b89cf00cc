//! A bank of filters over windows of samples, in 16 bits, exact in integers on every engine.
//!
//! Each window's samples are relative to its largest, with a scale, and each filter's weights to what its sum has room for:
//! no sum of products, whole or partial, passes 31 bits. That leaves samples 14 bits and weights about 13, against 8 of all
//! layers after them.
//!
//! ```text
//! y[o] = Σ q·w[o] · (scale · weight_scale[o])
//! ```

mod tile;

use super::lanes::{F32x4, I32x4, ROUNDING};
use tile::{LANES, PAIR, PAIRS_LOADED, tile};

/// Filters that are packed together: four vectors.
const PANEL: usize = PANEL_VECTORS * LANES;
/// Vectors of sums in a panel.
const PANEL_VECTORS: usize = 4;
/// Windows that share each load of a weight.
const WINDOW_TILE: usize = 2;
/// The largest magnitude of a quantized sample.
const SAMPLE_MAX: i32 = 8191;
/// The most that the magnitudes of a filter's quantized weights may sum to.
const WEIGHTS_MAX: i32 = i32::MAX / SAMPLE_MAX;
/// Taps that a window is padded to a multiple of.
const CHUNK: usize = PAIR * PAIRS_LOADED;

/// Filters of one length.
#[derive(Debug, Clone)]
pub struct Filters {
    outputs: usize,
    taps: usize,
    /// For each [`PANEL`] of filters, pair by pair of taps, every filter's two weights side by side. Padding is zero.
    weights: Vec<i16>,
    /// One per filter, those of padding zero.
    scales: Vec<f32>,
}

/// Windows of samples, quantized. Kept from call to call, so that nothing is allocated.
#[derive(Debug, Clone, Default)]
pub struct Windows {
    taps: usize,
    /// Rows of whole [`CHUNK`]s.
    samples: Vec<i16>,
    scales: Vec<f32>,
}

impl Windows {
    /// Quantizes `count` windows of `taps` samples, which begin `step` samples apart, in place of what was there.
    ///
    /// # Panics
    /// If there are fewer samples than that.
    pub fn fill(&mut self, samples: &[f32], count: usize, step: usize, taps: usize) {
        let stride = taps.next_multiple_of(CHUNK);
        self.taps = taps;
        self.samples.resize(count * stride, 0);
        self.scales.resize(count, 0.0);
        let rows = self.samples.chunks_exact_mut(stride).zip(&mut self.scales);
        for (window, (row, scale)) in rows.enumerate() {
            *scale = quantize(&samples[window * step..][..taps], row);
        }
    }

    fn row(&self, window: usize) -> &[i16] {
        let stride = self.taps.next_multiple_of(CHUNK);
        &self.samples[window * stride..][..stride]
    }
}

/// Quantizes the samples of a window relative to the largest, pads them with 0, and gives their scale.
#[inline(never)]
fn quantize(from: &[f32], to: &mut [i16]) -> f32 {
    let (vectors, rest) = from.as_chunks::<LANES>();
    let largest = vectors.iter().fold(F32x4::load_some(rest).abs(), |a, samples| a.max(F32x4::load(samples).abs()));
    let largest = largest.highest_lane();
    let factor = F32x4::splat(if largest > 0.0 { SAMPLE_MAX as f32 / largest } else { 0.0 });
    let lanes = |samples: F32x4| samples.mul(factor).add(F32x4::splat(ROUNDING)).to_bits();
    for (chunk, to) in to.as_chunks_mut::<CHUNK>().0.iter_mut().enumerate() {
        let half = |half: usize| F32x4::load_some(from.get(chunk * CHUNK + half * LANES..).unwrap_or_default());
        I32x4::low_halves([lanes(half(0)), lanes(half(1))], to);
    }
    largest / SAMPLE_MAX as f32
}

impl Filters {
    /// Quantizes and packs weights `[outputs, taps]`.
    ///
    /// # Panics
    /// If the length does not fit the shape: the loader makes it so.
    #[must_use]
    pub fn pack(outputs: usize, taps: usize, weights: &[f32]) -> Self {
        assert_eq!(weights.len(), outputs * taps, "one weight per element");
        let pairs = taps.div_ceil(PAIR);
        let mut packed = vec![0; outputs.next_multiple_of(PANEL) * pairs * PAIR];
        let mut scales = vec![0.0; outputs.next_multiple_of(PANEL)];
        for (output, filter) in weights.chunks_exact(taps).enumerate() {
            let sum: f64 = filter.iter().map(|&weight| f64::from(weight.abs())).sum();
            let largest = filter.iter().fold(0.0f32, |a, weight| a.max(weight.abs()));
            if sum <= 0.0 {
                continue;
            }
            // Rounding may add a half for each.
            let room = f64::from(WEIGHTS_MAX) - taps as f64;
            let factor = (room / sum).min(f64::from(i16::MAX) / f64::from(largest));
            scales[output] = (1.0 / factor) as f32;
            let panel = &mut packed[output / PANEL * PANEL * pairs * PAIR..];
            for (tap, &weight) in filter.iter().enumerate() {
                let at = (tap / PAIR * PANEL + output % PANEL) * PAIR + tap % PAIR;
                panel[at] = (f64::from(weight) * factor).round_ties_even() as i16;
            }
        }
        Self { outputs, taps, weights: packed, scales }
    }

    /// Samples in a window.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.taps
    }

    /// Multiply-accumulate operations for one window.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        self.outputs as u64 * self.taps as u64
    }

    /// Filters.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Filters all windows: `out` is `[windows, outputs]`.
    ///
    /// # Panics
    /// If the windows are of another length or `out` has another shape.
    pub fn forward(&self, windows: &Windows, out: &mut [f32]) {
        let count = windows.scales.len();
        assert_eq!(windows.taps, self.taps, "windows as long as the filters");
        assert_eq!(out.len(), count * self.outputs, "one output per window and filter");
        let tiled = count / WINDOW_TILE * WINDOW_TILE;
        for panel in 0..self.scales.len() / PANEL {
            for first in (0..tiled).step_by(WINDOW_TILE) {
                self.tile::<WINDOW_TILE>(panel, windows, first, out);
            }
            for first in tiled..count {
                self.tile::<1>(panel, windows, first, out);
            }
        }
    }

    /// The naive reference of [`Filters::forward`], with which it agrees bit for bit.
    pub fn forward_reference(&self, windows: &Windows, out: &mut [f32]) {
        for (window, out) in out.chunks_exact_mut(self.outputs).enumerate() {
            for (output, out) in out.iter_mut().enumerate() {
                let panel = self.panel(output / PANEL);
                let weight = |tap: usize| panel[(tap / PAIR * PANEL + output % PANEL) * PAIR + tap % PAIR];
                let samples = windows.row(window)[..self.taps].iter().enumerate();
                let sum: i32 = samples.map(|(tap, &sample)| i32::from(sample) * i32::from(weight(tap))).sum();
                *out = sum as f32 * (windows.scales[window] * self.scales[output]);
            }
        }
    }

    fn panel(&self, panel: usize) -> &[i16] {
        let length = PANEL * self.taps.next_multiple_of(PAIR);
        &self.weights[panel * length..][..length]
    }

    /// One panel's outputs of `ROWS` windows from `first` on.
    #[inline(never)]
    fn tile<const ROWS: usize>(&self, panel: usize, windows: &Windows, first: usize, out: &mut [f32]) {
        let rows: [&[i16]; ROWS] = std::array::from_fn(|row| windows.row(first + row));
        let sums = tile::<ROWS, PANEL_VECTORS>(rows, self.panel(panel), self.taps.div_ceil(PAIR));
        let scales = self.scales[panel * PANEL..][..PANEL].as_chunks::<LANES>().0;
        for (row, sums) in sums.iter().enumerate() {
            let scale = F32x4::splat(windows.scales[first + row]);
            let out = &mut out[(first + row) * self.outputs..][..self.outputs][panel * PANEL..];
            for (vector, (sums, scales)) in sums.iter().zip(scales).enumerate() {
                let to = out.get_mut(vector * LANES..).unwrap_or_default();
                sums.to_f32().mul(scale.mul(F32x4::load(scales))).store_some(to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Filters, SAMPLE_MAX, Windows};
    use crate::kernels::testing::Noise;

    /// Windows, step, filters and taps.
    const SHAPES: [(usize, usize, usize, usize); 6] =
        [(1, 1, 1, 1), (3, 2, 7, 5), (4, 64, 16, 127), (9, 3, 17, 8), (13, 5, 37, 24), (2, 64, 288, 127)];

    fn both(filters: &Filters, windows: &Windows, outputs: usize) -> [Vec<f32>; 2] {
        let mut fast = vec![f32::NAN; outputs];
        let mut naive = fast.clone();
        filters.forward(windows, &mut fast);
        filters.forward_reference(windows, &mut naive);
        [fast, naive]
    }

    #[test]
    fn filters_agree_with_their_reference_bit_for_bit_over_odd_shapes() {
        let mut noise = Noise::new(31);
        for (count, step, outputs, taps) in SHAPES {
            let filters = Filters::pack(outputs, taps, &noise.take(outputs * taps));
            let mut windows = Windows::default();
            // Filled with longer ones before: what was there is gone.
            windows.fill(&[1.0; 500], 2, 1, 200);
            windows.fill(&noise.take((count - 1) * step + taps), count, step, taps);
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            let [fast, naive] = both(&filters, &windows, count * outputs);
            assert_eq!(bits(&fast), bits(&naive), "{count} × {step} × {outputs} × {taps}");
        }
    }

    #[test]
    fn filters_stay_close_to_those_of_floats_at_any_loudness() {
        let mut noise = Noise::new(5);
        for (count, step, outputs, taps) in SHAPES {
            for loudness in [1e-4, 1.0, 100.0] {
                let weights = noise.take(outputs * taps);
                let samples: Vec<f32> = noise.take((count - 1) * step + taps).iter().map(|x| x * loudness).collect();
                let mut windows = Windows::default();
                windows.fill(&samples, count, step, taps);
                let [fast, _] = both(&Filters::pack(outputs, taps, &weights), &windows, count * outputs);
                for (window, out) in fast.chunks(outputs).enumerate() {
                    for (&is, filter) in out.iter().zip(weights.chunks(taps)) {
                        let products = samples[window * step..].iter().zip(filter);
                        let want: f64 = products.map(|(&x, &weight)| f64::from(x) * f64::from(weight)).sum();
                        // Steps of 1/8191 of the largest sample, and of about as much of the largest weight.
                        let error = (f64::from(is) - want).abs() / f64::from(loudness);
                        assert!(error < 3e-4 * (taps as f64).sqrt().max(2.0), "{count} × {outputs} × {taps}: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_loudest_samples_and_weights_do_not_overflow() {
        for (taps, weight) in [(1, 0.5), (2, -1.0), (127, 3.0)] {
            let mut windows = Windows::default();
            windows.fill(&vec![-SAMPLE_MAX as f32; taps], 1, 1, taps);
            let [fast, naive] = both(&Filters::pack(3, taps, &vec![weight; 3 * taps]), &windows, 3);
            assert_eq!(fast, naive);
            let want = -(SAMPLE_MAX as f32) * weight * taps as f32;
            assert!(fast.iter().all(|is| (is - want).abs() <= 1e-3 * want.abs()), "{fast:?}, {want}");
        }
    }

    #[test]
    fn silence_and_filters_of_zeros_give_zero() {
        let mut windows = Windows::default();
        windows.fill(&[0.0; 9], 2, 2, 7);
        assert_eq!(both(&Filters::pack(3, 7, &[0.5; 21]), &windows, 6)[0], [0.0; 6]);
        windows.fill(&[1.0; 9], 2, 2, 7);
        assert_eq!(both(&Filters::pack(3, 7, &[0.0; 21]), &windows, 6)[0], [0.0; 6]);
    }
}
