//! Layer norm without bias, and the group norm of one group.

use candle_core::Tensor;

use super::{matrix, with_slice};
use crate::error::Error;
use crate::kernels::norm::layer_norm;

/// Layer norm over the channels of each frame, with a weight and no bias.
#[derive(Debug)]
pub struct LayerNorm {
    weight: Vec<f32>,
    epsilon: f32,
}

impl LayerNorm {
    /// A norm with this weight, `[channels]`.
    ///
    /// # Errors
    /// [`Error::Internal`] where the weight is not F32.
    pub fn new(weight: &Tensor, epsilon: f32) -> Result<Self, Error> {
        Ok(Self { weight: weight.to_vec1()?, epsilon })
    }

    /// `[frames, channels]` to the same shape.
    ///
    /// # Errors
    /// [`Error::Internal`] where the shapes do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        let (frames, channels) = x.dims2()?;
        let mut out = vec![0.0; frames * channels];
        with_slice(x, |x| layer_norm(x, &self.weight, self.epsilon, &mut out))?;
        matrix(out, frames, channels)
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
    use super::GroupNorm;
    use crate::kernels::testing::Noise;
    use crate::nn::matrix;
    use candle_core::{Device, Tensor};

    #[test]
    fn group_norm_follows_its_definition_over_odd_shapes() {
        let mut noise = Noise::new(5);
        for (frames, channels) in [(1, 2), (3, 5), (7, 288), (130, 33)] {
            let x = noise.take(frames * channels);
            let (weight, bias) = (noise.take(channels), noise.take(channels));
            let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).expect("a vector");
            let input = matrix(x.clone(), frames, channels).expect("a matrix");
            let group = GroupNorm::new(tensor(&weight), tensor(&bias), 1e-5).forward(&input).expect("shapes fit");
            let group = group.flatten_all().and_then(|values| values.to_vec1::<f32>()).expect("floats");

            let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / x.len() as f64;
            for (i, (&x, is)) in x.iter().zip(group).enumerate() {
                let normal = (f64::from(x) - mean) / (variance + 1e-5).sqrt();
                let want = normal * f64::from(weight[i % channels]) + f64::from(bias[i % channels]);
                assert!((f64::from(is) - want).abs() < 1e-4, "{frames} × {channels}: {is}, {want}");
            }
        }
    }
}
