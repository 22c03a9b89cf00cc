//! Layer norm without bias, row by row.

use super::lanes::F32x4;

/// Running sums in f64; their order is fixed.
const LANES: usize = 8;

/// `out = (x − mean) / √(variance + epsilon) · weight` for every row of `weight.len()` values of `x`.
///
/// # Panics
/// If `x` is not whole rows or `out` is not as long.
#[inline(never)]
pub fn layer_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let width = weight.len();
    assert!(x.len() == out.len() && x.len().is_multiple_of(width), "whole rows, in and out");
    // Sixteen at a time, since each round of a loop costs a look at the deadline.
    let (weights, weights_rest) = weight.as_chunks::<16>();
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let mean = sum(x, |x| x) / width as f32;
        let means = F32x4::splat(mean);
        let variance = sum(x, |x| x.sub(means).mul(x.sub(means))) / width as f32;
        let scale = 1.0 / (variance + epsilon).sqrt();
        let scales = F32x4::splat(scale);
        let (values, values_rest) = x.as_chunks::<16>();
        let (out, out_rest) = out.as_chunks_mut::<16>();
        for ((out, x), weights) in out.iter_mut().zip(values).zip(weights) {
            let (x, weights) = (x.as_chunks::<4>().0, weights.as_chunks::<4>().0);
            for ((out, x), weights) in out.as_chunks_mut::<4>().0.iter_mut().zip(x).zip(weights) {
                F32x4::load(x).sub(means).mul(scales).mul(F32x4::load(weights)).store(out);
            }
        }
        for ((out, &x), &weight) in out_rest.iter_mut().zip(values_rest).zip(weights_rest) {
            *out = (x - mean) * scale * weight;
        }
    }
}

#[inline(always)]
fn sum(values: &[f32], term: impl Fn(F32x4) -> F32x4) -> f32 {
    let mut sums = [F32x4::splat(0.0); 4];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for (sum, values) in sums.iter_mut().zip(chunk.as_chunks::<4>().0) {
            *sum = sum.add(term(F32x4::load(values)));
        }
    }
    let lanes = sums[0].add(sums[1]).add(sums[2].add(sums[3])).to_array();
    lanes.iter().sum::<f32>() + rest.iter().map(|&value| term(F32x4::splat(value)).to_array()[0]).sum::<f32>()
}

/// Mean and variance of all values.
///
/// Millions of values are summed here: in f32 the sums would lose digits that the mean needs.
#[must_use]
pub fn moments(values: &[f32]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = wide_sum(values, |x| x) / count;
    (mean, wide_sum(values, |x| (x - mean) * (x - mean)) / count)
}

#[inline(always)]
fn wide_sum(values: &[f32], term: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += term(f64::from(value));
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&value| term(f64::from(value))).sum::<f64>()
}

/// `x · scale + shift` for every row of `scales.len()` values of `x`, in place.
pub fn scale_and_shift(x: &mut [f32], scales: &[f32], shifts: &[f32]) {
    for row in x.chunks_exact_mut(scales.len()) {
        for ((x, &scale), &shift) in row.iter_mut().zip(scales).zip(shifts) {
            *x = *x * scale + shift;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::layer_norm;
    use crate::kernels::testing::Noise;

    #[test]
    fn layer_norm_follows_its_definition_over_odd_shapes() {
        let mut noise = Noise::new(5);
        for (rows, width) in [(1, 2), (3, 5), (7, 288), (130, 33)] {
            let (x, weight) = (noise.take(rows * width), noise.take(width));
            let mut out = vec![f32::NAN; x.len()];
            layer_norm(&x, &weight, 1e-5, &mut out);
            for (x, out) in x.chunks_exact(width).zip(out.chunks_exact(width)) {
                let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / width as f64;
                let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / width as f64;
                for ((&x, &is), &weight) in x.iter().zip(out).zip(&weight) {
                    let want = (f64::from(x) - mean) / (variance + 1e-5).sqrt() * f64::from(weight);
                    assert!((f64::from(is) - want).abs() < 2e-5, "{rows} × {width}: {is}, {want}");
                }
            }
        }
    }
}
