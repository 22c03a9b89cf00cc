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
