//! Samples to frames: three strided convolutions on raw audio, 41.7 frames a second.
//!
//! `conv1 → tanh → group norm → conv2 → GELU → conv3 → GELU`, as in `MoonshineEncoder.forward` of transformers
//! (`modeling_moonshine.py`). Everything is `[frames, channels]`, so that a window of frames lies in one piece and a
//! convolution is a linear layer over windows.

use super::config::{CONV1_STRIDE, CONV2_STRIDE, CONV3_STRIDE, Config};
use crate::error::Error;
use crate::kernels::activation::Activation;
use crate::nn::linear::{InputBuffer, Linear, Output, window_count};
use crate::nn::norm::GroupNorm;
use crate::weights::{Matrix, Weights};

/// Windows that are convolved at once: what they are quantized to stays in the cache.
const WINDOW_BLOCK: usize = 64;
/// The same where they are copied as floats: each product of floats first rearranges all weights.
const FLOAT_WINDOW_BLOCK: usize = 512;

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
        let (weight, bias) = (plain("groupnorm.weight")?, plain("groupnorm.bias")?);
        let group_norm = GroupNorm::new(&weight, &bias, f64::from(config.group_norm_epsilon))?;
        let (bias2, bias3) = (plain("conv2.bias")?, plain("conv3.bias")?);
        let conv2 = Linear::new(weights.take_matrix("model.encoder.conv2.weight")?, Some(&bias2))?;
        let conv3 = Linear::new(weights.take_matrix("model.encoder.conv3.weight")?, Some(&bias3))?;
        Ok(Self { conv1, group_norm, conv2, conv3, width: config.width })
    }

    /// Mono samples at 16 000 Hz to frames `[frames, width]`.
    ///
    /// # Errors
    /// [`Error::Internal`] where a layer's weights are not of its shape.
    pub fn forward(&self, samples: &[f32]) -> Result<Vec<f32>, Error> {
        let mut x = convolve(&self.conv1, samples, CONV1_STRIDE, Activation::Tanh)?;
        self.group_norm.forward(&mut x);
        let x = convolve(&self.conv2, &x, CONV2_STRIDE * self.width, Activation::Gelu)?;
        convolve(&self.conv3, &x, CONV3_STRIDE * self.conv2.outputs(), Activation::Gelu)
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

/// A convolution of frames that lie one after the other, with windows `step` values apart, and its activation.
fn convolve(conv: &Linear, x: &[f32], step: usize, activation: Activation) -> Result<Vec<f32>, Error> {
    let windows = window_count(x.len(), conv.inputs(), step);
    let mut out = vec![0.0; windows * conv.outputs()];
    let mut buffer = InputBuffer::default();
    let block_windows = if conv.is_int8() { WINDOW_BLOCK } else { FLOAT_WINDOW_BLOCK };
    for (block, out) in out.chunks_mut(block_windows * conv.outputs()).enumerate() {
        let input = buffer.windows(&x[block * block_windows * step..], out.len() / conv.outputs(), step, conv);
        conv.forward(input, Output::Replace, out)?;
        activation.apply(out);
    }
    Ok(out)
}
