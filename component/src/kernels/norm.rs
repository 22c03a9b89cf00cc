//! Layer norm without bias, row by row.

/// Running sums are kept in so many lanes, which the compiler keeps in vectors; their order is fixed.
const LANES: usize = 8;

/// `out = (x − mean) / √(variance + epsilon) · weight` for every row of `weight.len()` values of `x`.
///
/// # Panics
/// If `x` is not whole rows or `out` is not as long.
pub fn layer_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let width = weight.len();
    assert!(x.len() == out.len() && x.len().is_multiple_of(width), "whole rows, in and out");
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let mean = sum(x, |x| x) / width as f32;
        let variance = sum(x, |x| (x - mean) * (x - mean)) / width as f32;
        let scale = 1.0 / (variance + epsilon).sqrt();
        for ((out, &x), &weight) in out.iter_mut().zip(x).zip(weight) {
            *out = (x - mean) * scale * weight;
        }
    }
}

#[inline(always)]
fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += term(value);
        }
    }
    for (sum, &value) in sums.iter_mut().zip(rest) {
        *sum += term(value);
    }
    sums.iter().sum()
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
