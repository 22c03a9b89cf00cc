//! Samples to frames: three strided convolutions on raw audio, 41.7 frames a second.
//!
//! `conv1 → tanh → group norm → conv2 → GELU → conv3 → GELU`, as in `MoonshineEncoder.forward` of transformers
//! (`modeling_moonshine.py`). Everything is `[frames, channels]`, so that a window of frames lies in one piece and a
//! convolution is a linear layer over windows.

use candle_core::Tensor;

use super::config::{CONV1_STRIDE, CONV2_STRIDE, CONV3_STRIDE, Config};
use crate::error::Error;
use crate::kernels::activation::{gelu, tanh};
use crate::nn::linear::{Linear, window_count};
use crate::nn::norm::GroupNorm;
use crate::nn::{activate, with_slice};
use crate::weights::{Matrix, Weights};

/// The front end's weights.
#[derive(Debug)]
pub struct FrontEnd {
    conv1: Linear,
    group_norm: GroupNorm,
    conv2: Linear,
    conv3: Linear,
    width: usize,
}

impl FrontEnd {
    /// Takes its weights.
    ///
    /// # Errors
    /// [`Error::Internal`] where one is missing.
    pub fn new(config: &Config, weights: &mut Weights) -> Result<Self, Error> {
        let mut plain = |name: &str| weights.take_plain(&format!("model.encoder.{name}"));
        let conv1 = Linear::new(Matrix::Float(plain("conv1.weight")?.squeeze(1)?), None)?;
        let group_norm =
            GroupNorm::new(plain("groupnorm.weight")?, plain("groupnorm.bias")?, f64::from(config.group_norm_epsilon));
        let (bias2, bias3) = (plain("conv2.bias")?, plain("conv3.bias")?);
        let conv2 = Linear::new(weights.take_matrix("model.encoder.conv2.weight")?, Some(&bias2))?;
        let conv3 = Linear::new(weights.take_matrix("model.encoder.conv3.weight")?, Some(&bias3))?;
        Ok(Self { conv1, group_norm, conv2, conv3, width: config.width })
    }

    /// Mono samples at 16 000 Hz to frames `[frames, width]`.
    ///
    /// # Errors
    /// [`Error::Internal`] where there are fewer samples than one frame takes.
    pub fn forward(&self, samples: &[f32]) -> Result<Tensor, Error> {
        let x = self.conv1.forward_windows(samples, CONV1_STRIDE)?;
        let x = activate(&x, tanh)?;
        let x = self.group_norm.forward(&x)?;
        let x = activate(&with_slice(&x, |x| self.conv2.forward_windows(x, CONV2_STRIDE * self.width))??, gelu)?;
        let channels = self.conv2.outputs();
        activate(&with_slice(&x, |x| self.conv3.forward_windows(x, CONV3_STRIDE * channels))??, gelu)
    }

    /// Multiply-accumulate operations for so many samples.
    #[must_use]
    pub fn multiply_adds(&self, samples: usize) -> u64 {
        let frames1 = window_count(samples, self.conv1.inputs(), CONV1_STRIDE);
        let frames2 = window_count(frames1 * self.width, self.conv2.inputs(), CONV2_STRIDE * self.width);
        let channels = self.conv2.outputs();
        let frames3 = window_count(frames2 * channels, self.conv3.inputs(), CONV3_STRIDE * channels);
        frames1 as u64 * self.conv1.multiply_adds()
            + frames2 as u64 * self.conv2.multiply_adds()
            + frames3 as u64 * self.conv3.multiply_adds()
    }
}
