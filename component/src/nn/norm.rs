//! Layer norm without bias, and the group norm of one group.

use candle_core::Tensor;

use crate::error::Error;
use crate::kernels::norm::{layer_norm, moments, scale_and_shift};

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

    /// The weight, `[channels]`.
    #[must_use]
    pub fn weight(&self) -> &[f32] {
        &self.weight
    }

    /// What is added to the variance.
    #[must_use]
    pub fn epsilon(&self) -> f32 {
        self.epsilon
    }

    /// `[frames, channels]` to `out` in the same shape.
    pub fn forward(&self, x: &[f32], out: &mut [f32]) {
        layer_norm(x, &self.weight, self.epsilon, out);
    }
}

/// Group norm of one group: over all frames and channels at once, with a weight and a bias per channel.
#[derive(Debug)]
pub struct GroupNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f64,
}

impl GroupNorm {
    /// A norm with this weight and bias, `[channels]` each.
    ///
    /// # Errors
    /// [`Error::Internal`] where one is not F32.
    pub fn new(weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Self, Error> {
        Ok(Self { weight: weight.to_vec1()?, bias: bias.to_vec1()?, epsilon })
    }

    /// Normalizes `[frames, channels]` in place. `factors` is kept from call to call, so that nothing is allocated.
    pub fn forward(&self, x: &mut [f32], factors: &mut Vec<f32>) {
        let (mean, variance) = moments(x);
        let inverse = 1.0 / (variance + self.epsilon).sqrt();
        let shift = |(&bias, &weight)| (f64::from(bias) - mean * inverse * f64::from(weight)) as f32;
        factors.clear();
        factors.extend(self.weight.iter().map(|&weight| (f64::from(weight) * inverse) as f32));
        factors.extend(self.bias.iter().zip(&self.weight).map(shift));
        let (scales, shifts) = factors.split_at(self.weight.len());
        scale_and_shift(x, scales, shifts);
    }
}

#[cfg(test)]
mod tests {
    use super::GroupNorm;
    use crate::kernels::testing::Noise;
    use candle_core::{Device, Tensor};

    #[test]
    fn group_norm_follows_its_definition_over_odd_shapes() {
        let mut noise = Noise::new(5);
        for (frames, channels) in [(1, 2), (3, 5), (7, 288), (130, 33)] {
            let x = noise.take(frames * channels);
            let (weight, bias) = (noise.take(channels), noise.take(channels));
            let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).expect("a vector");
            let mut group = x.clone();
            GroupNorm::new(&tensor(&weight), &tensor(&bias), 1e-5)
                .expect("floats")
                .forward(&mut group, &mut Vec::new());

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
