//! A bank of filters over samples, in floats: every output is the sum of its products in the order of the taps, however
//! many windows are filtered together.

use super::lanes::F32x4;

/// Values in a vector.
const LANES: usize = 4;
/// Vectors of filters that are computed together.
const VECTORS: usize = 4;
/// Filters that are computed together.
const PANEL: usize = VECTORS * LANES;
/// Windows that share each load of a weight.
const WINDOW_TILE: usize = 2;

/// Filters of one length.
#[derive(Debug, Clone)]
pub struct Filters {
    outputs: usize,
    taps: usize,
    /// For each [`PANEL`] of filters, their weights side by side, tap by tap; what pads the last panel is zero.
    weights: Vec<[f32; PANEL]>,
}

impl Filters {
    /// Packs weights `[outputs, taps]`.
    ///
    /// # Panics
    /// If the length does not fit the shape: the loader makes it so.
    #[must_use]
    pub fn pack(outputs: usize, taps: usize, weights: &[f32]) -> Self {
        assert_eq!(weights.len(), outputs * taps, "one weight per element");
        let mut packed = vec![[0.0; PANEL]; outputs.div_ceil(PANEL) * taps];
        for (output, filter) in weights.chunks_exact(taps).enumerate() {
            for (packed, &weight) in packed[output / PANEL * taps..].iter_mut().zip(filter) {
                packed[output % PANEL] = weight;
            }
        }
        Self { outputs, taps, weights: packed }
    }

    /// Samples that are read for a window: its own, and some that do not matter.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.taps.next_multiple_of(LANES)
    }

    /// Filters windows that begin `step` samples apart, as many as `out`, `[windows, outputs]`, has room for.
    ///
    /// # Panics
    /// If there are fewer samples than that, with the whole [`Filters::reach`] of the last window.
    pub fn forward(&self, samples: &[f32], step: usize, out: &mut [f32]) {
        let windows = out.len() / self.outputs;
        let tiled = windows / WINDOW_TILE * WINDOW_TILE;
        for (panel, weights) in self.weights.chunks_exact(self.taps).enumerate() {
            for window in (0..tiled).step_by(WINDOW_TILE) {
                self.tile::<WINDOW_TILE>(panel, weights, window, samples, step, out);
            }
            for window in tiled..windows {
                self.tile::<1>(panel, weights, window, samples, step, out);
            }
        }
    }

    /// The naive reference of [`Filters::forward`], with which it agrees bit for bit.
    pub fn forward_reference(&self, samples: &[f32], step: usize, out: &mut [f32]) {
        for (window, out) in out.chunks_exact_mut(self.outputs).enumerate() {
            for (output, out) in out.iter_mut().enumerate() {
                let weights = self.weights[output / PANEL * self.taps..].iter().map(|panel| panel[output % PANEL]);
                let products = samples[window * step..][..self.taps].iter().zip(weights).map(|(x, weight)| x * weight);
                *out = products.fold(0.0, |sum, product| sum + product);
            }
        }
    }

    /// One panel's outputs of `ROWS` windows from `first` on.
    #[inline(never)]
    #[allow(unsafe_code)] // A checked load costs a branch per product.
    fn tile<const ROWS: usize>(
        &self,
        panel: usize,
        weights: &[[f32; PANEL]],
        first: usize,
        samples: &[f32],
        step: usize,
        out: &mut [f32],
    ) {
        /// Taps in a round: the host may check its deadline in each.
        const ROUND: usize = 16;
        let reach = self.reach();
        let rows: [&[f32]; ROWS] = std::array::from_fn(|row| &samples[(first + row) * step..][..reach]);
        let weights = &weights[..self.taps];
        let mut sums = [[F32x4::splat(0.0); VECTORS]; ROWS];
        let mut done = 0;
        // Unrolled by hand: `spread` must know its lane; and where it may end all sums must be there: Cranelift, which puts off
        // every computation until something that cannot wait needs it, would else load what several taps need, and spill most
        // of it.
        macro_rules! round {
            ($(($first:literal $($next:literal)*))*) => {
                loop {
                    $(
                        let tap = done + $first;
                        if tap >= self.taps {
                            break;
                        }
                        // Read together and then spread: Cranelift makes three instructions of reading one into all lanes.
                        let quads = rows.map(|row| {
                            // SAFETY: each row has all taps in whole quads, and it ends before more are asked for.
                            F32x4::load(unsafe { row.as_ptr().add(tap).cast::<[f32; LANES]>().as_ref_unchecked() })
                        });
                        round!(quads, tap, 0);
                        $(
                            if tap + $next == self.taps {
                                break;
                            }
                            round!(quads, tap + $next, $next);
                        )*
                    )*
                    done += ROUND;
                }
            };
            ($quads:ident, $tap:expr, $lane:literal) => {
                // SAFETY: there are `taps` weights, and it ends before more are asked for.
                let filters = unsafe { weights.get_unchecked($tap) };
                add_products(&mut sums, filters, $quads.map(F32x4::spread::<$lane>));
            };
        }
        round!((0 1 2 3) (4 1 2 3) (8 1 2 3) (12 1 2 3));
        for (row, sums) in sums.iter().enumerate() {
            let out = &mut out[(first + row) * self.outputs..][..self.outputs][panel * PANEL..];
            match out.first_chunk_mut::<PANEL>() {
                Some(out) => {
                    let (vectors, _) = out.as_chunks_mut::<LANES>();
                    vectors.iter_mut().zip(sums).for_each(|(out, sum)| sum.store(out));
                }
                None => out.iter_mut().zip(sums.iter().flat_map(|sum| sum.to_array())).for_each(|(out, y)| *out = y),
            }
        }
    }
}

/// Adds the products of one tap's weights with a sample of each window, in all lanes.
#[inline(always)]
fn add_products<const ROWS: usize>(
    sums: &mut [[F32x4; VECTORS]; ROWS],
    weights: &[f32; PANEL],
    samples: [F32x4; ROWS],
) {
    let (vectors, _) = weights.as_chunks::<LANES>();
    let weights: [F32x4; VECTORS] = std::array::from_fn(|vector| F32x4::load(&vectors[vector]));
    for (sums, sample) in sums.iter_mut().zip(samples) {
        *sums = std::array::from_fn(|vector| sums[vector].add_product(sample, weights[vector]));
    }
}

#[cfg(test)]
mod tests {
    use super::Filters;
    use crate::kernels::testing::Noise;

    #[test]
    fn filters_agree_with_their_reference_bit_for_bit_over_odd_shapes() {
        let mut noise = Noise::new(31);
        for (windows, step, outputs, taps) in
            [(1, 1, 1, 1), (3, 2, 7, 5), (4, 64, 8, 127), (9, 3, 17, 4), (13, 5, 24, 6)]
        {
            let filters = Filters::pack(outputs, taps, &noise.take(outputs * taps));
            let samples = noise.take((windows - 1) * step + filters.reach());
            let mut fast = vec![f32::NAN; windows * outputs];
            let mut naive = fast.clone();
            filters.forward(&samples, step, &mut fast);
            filters.forward_reference(&samples, step, &mut naive);
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&fast), bits(&naive), "{windows} × {step} × {outputs} × {taps}");
        }
    }
}
