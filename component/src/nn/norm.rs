//! Layer norm without bias, and the group norm of one group.

use candle_core::{D, Tensor};

use super::with_slice;
use crate::error::Error;

/// Layer norm over the channels of each frame, with a weight and no bias.
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    epsilon: f64,
}

impl LayerNorm {
    /// A norm with this weight, `[channels]`.
    #[must_use]
    pub fn new(weight: Tensor, epsilon: f64) -> Self {
        Self { weight, epsilon }
    }

    /// `[frames, channels]` to the same shape.
    ///
    /// # Errors
    /// [`Error::Internal`] where the shapes do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normal = centred.broadcast_div(&(variance + self.epsilon)?.sqrt()?)?;
        Ok(normal.broadcast_mul(&self.weight)?)
    }
}

/// Group norm of one group: over all frames and channels at once, with a weight and a bias per channel.
#[derive(Debug)]
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl GroupNorm {
    /// A norm with this weight and bias, `[channels]` each.
    #[must_use]
    pub fn new(weight: Tensor, bias: Tensor, epsilon: f64) -> Self {
        Self { weight, bias, epsilon }
    }

    /// `[frames, channels]` to the same shape.
    ///
    /// # Errors
    /// [`Error::Internal`] where the shapes do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        // Millions of values are summed here: in f32 the sum would lose digits that the mean needs.
        let (mean, variance) = with_slice(x, |x| {
            let count = x.len() as f64;
            let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
            let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
            (mean, variance)
        })?;
        let normal = x.affine(1.0 / (variance + self.epsilon).sqrt(), -mean / (variance + self.epsilon).sqrt())?;
        Ok(normal.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{GroupNorm, LayerNorm};
    use crate::kernels::testing::Noise;
    use crate::nn::matrix;
    use candle_core::{Device, Tensor};

    fn normal(values: &[f32], epsilon: f64) -> Vec<f64> {
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / values.len() as f64;
        values.iter().map(|&x| (f64::from(x) - mean) / (variance + epsilon).sqrt()).collect()
    }

    #[test]
    fn norms_follow_their_definitions_over_odd_shapes() {
        let mut noise = Noise::new(5);
        for (frames, channels) in [(1, 2), (3, 5), (7, 288), (130, 33)] {
            let x = noise.take(frames * channels);
            let (weight, bias) = (noise.take(channels), noise.take(channels));
            let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).expect("a vector");
            let input = matrix(x.clone(), frames, channels).expect("a matrix");

            let layer = LayerNorm::new(tensor(&weight), 1e-5).forward(&input).expect("shapes fit");
            let group = GroupNorm::new(tensor(&weight), tensor(&bias), 1e-5).forward(&input).expect("shapes fit");
            let flat = |tensor: Tensor| tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("floats");

            let rows: Vec<f64> = x.chunks(channels).flat_map(|row| normal(row, 1e-5)).collect();
            for (i, (&is, want)) in flat(layer).iter().zip(rows).enumerate() {
                let want = want * f64::from(weight[i % channels]);
                assert!((f64::from(is) - want).abs() < 1e-4, "layer norm of {frames} × {channels}: {is}, {want}");
            }
            for (i, (&is, want)) in flat(group).iter().zip(normal(&x, 1e-5)).enumerate() {
                let want = want * f64::from(weight[i % channels]) + f64::from(bias[i % channels]);
                assert!((f64::from(is) - want).abs() < 1e-4, "group norm of {frames} × {channels}: {is}, {want}");
            }
        }
    }
}
