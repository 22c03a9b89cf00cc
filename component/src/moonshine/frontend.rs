//! Samples to frames: three strided convolutions on raw audio, 41.7 frames a second.
//!
//! `conv1 → tanh → group norm → conv2 → GELU → conv3 → GELU`, as in `MoonshineEncoder.forward` of transformers
//! (`modeling_moonshine.py`). Everything is `[frames, channels]`, so that a window of frames lies in one piece and a
//! convolution is a linear layer over windows.
//!
//! All of it happens in one place: samples lie at its end, and each convolution writes to its beginning what it has made of
//! values that it has read and that no later window needs.

use super::budget::{Budget, FLOAT_COST, INT16_COST, VALUE_COST};
use super::config::{CONV1_KERNEL, CONV1_STRIDE, CONV2_STRIDE, CONV3_STRIDE, Config};
use crate::error::Error;
use crate::kernels::activation::Activation;
use crate::kernels::filter::Filters;
use crate::kernels::filter16::{Int16Filters, Windows};
use crate::nn::linear::{InputBuffer, Linear, Output, window_count};
use crate::nn::norm::GroupNorm;
use crate::weights::Weights;

/// Windows that are convolved at once: what they are quantized to stays in the cache.
const WINDOW_BLOCK: usize = 64;
/// The same where they are copied as floats: each product of floats first rearranges all weights.
const FLOAT_WINDOW_BLOCK: usize = 512;

/// The front end's weights.
#[derive(Debug)]
pub struct FrontEnd {
    conv1: Conv1,
    group_norm: GroupNorm,
    conv2: Linear,
    conv3: Linear,
    width: usize,
}

/// The first convolution: in 16 bits where those after it are in 8.
#[derive(Debug)]
enum Conv1 {
    Float(Filters),
    Int16(Int16Filters),
}

/// How far an utterance has come in the front end, and what it works in.
#[derive(Debug, Default)]
pub struct FrontEndState {
    pass: Pass,
    /// Windows of this pass that are done.
    done: usize,
    /// Windows of each convolution.
    windows: [usize; 3],
    /// Values that the utterance has room in.
    room: usize,
    /// The samples of a block of windows, as floats or in 16 bits.
    samples: Vec<f32>,
    quantized: Windows,
    /// What the group norm multiplies with and adds.
    factors: Vec<f32>,
    input: InputBuffer,
}

#[derive(Debug, Clone, Copy, Default)]
enum Pass {
    #[default]
    Conv1,
    GroupNorm,
    Conv2,
    Conv3,
}

impl FrontEndState {
    /// Whether nothing was done yet.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        matches!(self.pass, Pass::Conv1) && self.done == 0
    }

    /// Frames that come out.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.windows[2]
    }
}

impl FrontEnd {
    /// Takes its weights.
    ///
    /// # Errors
    /// [`Error::Internal`] where one is missing.
    pub fn new(config: &Config, weights: &mut Weights) -> Result<Self, Error> {
        let mut plain = |name: &str| weights.take_plain(&format!("model.encoder.{name}"));
        let filters = plain("conv1.weight")?.flatten_all()?.to_vec1()?;
        let (weight, bias) = (plain("groupnorm.weight")?, plain("groupnorm.bias")?);
        let group_norm = GroupNorm::new(&weight, &bias, f64::from(config.group_norm_epsilon))?;
        let (bias2, bias3) = (plain("conv2.bias")?, plain("conv3.bias")?);
        let conv2 = Linear::new(weights.take_matrix("model.encoder.conv2.weight")?, Some(&bias2))?;
        let conv3 = Linear::new(weights.take_matrix("model.encoder.conv3.weight")?, Some(&bias3))?;
        let conv1 = match conv2.is_int8() {
            true => Conv1::Int16(Int16Filters::pack(config.width, CONV1_KERNEL, &filters)),
            false => Conv1::Float(Filters::pack(config.width, CONV1_KERNEL, &filters)),
        };
        Ok(Self { conv1, group_norm, conv2, conv3, width: config.width })
    }

    /// Frames of so many samples.
    #[must_use]
    pub fn frames(&self, samples: usize) -> usize {
        self.windows(samples)[2]
    }

    /// Windows of each convolution in so many samples.
    fn windows(&self, samples: usize) -> [usize; 3] {
        let frames1 = window_count(samples, CONV1_KERNEL, CONV1_STRIDE);
        let frames2 = window_count(frames1 * self.width, self.conv2.inputs(), CONV2_STRIDE * self.width);
        let channels = self.conv2.outputs();
        [frames1, frames2, window_count(frames2 * channels, self.conv3.inputs(), CONV3_STRIDE * channels)]
    }

    /// Values that so many samples, and what becomes of them, need room for. More than six times as many as the frames that
    /// come out have.
    #[must_use]
    pub fn room(&self, samples: usize) -> usize {
        let [windows, ..] = self.windows(samples);
        // A window's outputs may take the place of all samples before the next window, but not of the next one's.
        (windows * self.width + CONV1_KERNEL - CONV1_STRIDE).max(samples)
    }

    /// Begins with mono samples at 16 000 Hz, enough for a frame; `values` are at least [`FrontEnd::room`].
    pub fn begin(&self, samples: &[f32], state: &mut FrontEndState, values: &mut [f32]) {
        state.windows = self.windows(samples.len());
        state.room = self.room(samples.len());
        (state.pass, state.done) = (Pass::Conv1, 0);
        let heard = (state.windows[0] - 1) * CONV1_STRIDE + CONV1_KERNEL;
        values[state.room - heard..state.room].copy_from_slice(&samples[..heard]);
    }

    /// Does what the budget allows and says whether that was the last of it: the frames, `[frames, width]`, are then the
    /// first of `values`, which are those of [`FrontEnd::begin`].
    ///
    /// # Errors
    /// [`Error::Internal`] where a layer's weights are not of its shape.
    pub fn advance(&self, state: &mut FrontEndState, values: &mut [f32], budget: &mut Budget) -> Result<bool, Error> {
        let values = &mut values[..state.room];
        let [windows1, windows2, windows3] = state.windows;
        loop {
            let next = match state.pass {
                Pass::Conv1 => self.filter(state, values, budget).then_some(Pass::GroupNorm),
                Pass::GroupNorm => {
                    let values = &mut values[..windows1 * self.width];
                    if !budget.allows(0, VALUE_COST * values.len() as u64) {
                        return Ok(false);
                    }
                    self.group_norm.forward(values, &mut state.factors);
                    Some(Pass::Conv2)
                }
                Pass::Conv2 => convolve(&self.conv2, windows2, CONV2_STRIDE * self.width, state, values, budget)?
                    .then_some(Pass::Conv3),
                Pass::Conv3 => {
                    let step = CONV3_STRIDE * self.conv2.outputs();
                    return convolve(&self.conv3, windows3, step, state, values, budget);
                }
            };
            let Some(next) = next else { return Ok(false) };
            (state.pass, state.done) = (next, 0);
        }
    }

    /// The first convolution, which reads samples, and its activation; whether it is done.
    fn filter(&self, state: &mut FrontEndState, values: &mut [f32], budget: &mut Budget) -> bool {
        let total = state.windows[0];
        let first_sample = state.room - ((total - 1) * CONV1_STRIDE + CONV1_KERNEL);
        while state.done < total {
            let count = WINDOW_BLOCK.min(total - state.done);
            let multiply_adds = (count * CONV1_KERNEL * self.width) as u64;
            let cost = match self.conv1 {
                Conv1::Float(_) => FLOAT_COST,
                Conv1::Int16(_) => INT16_COST,
            };
            if !budget.allows(multiply_adds, cost * multiply_adds) {
                return false;
            }
            let (there, samples) = (state.done * self.width, first_sample + state.done * CONV1_STRIDE);
            // Read before anything is written: outputs may take the place of these samples.
            match &self.conv1 {
                Conv1::Float(filters) => {
                    state.samples.clear();
                    let heard = (count - 1) * CONV1_STRIDE + CONV1_KERNEL;
                    state.samples.extend_from_slice(&values[samples..][..heard]);
                    state.samples.resize((count - 1) * CONV1_STRIDE + filters.reach(), 0.0);
                    let out = &mut values[there..][..count * self.width];
                    filters.forward(&state.samples, CONV1_STRIDE, out);
                }
                Conv1::Int16(filters) => {
                    state.quantized.fill(&values[samples..], count, CONV1_KERNEL, CONV1_STRIDE);
                    filters.forward(&state.quantized, &mut values[there..][..count * self.width]);
                }
            }
            let out = &mut values[there..][..count * self.width];
            Activation::Tanh.apply(out);
            state.done += count;
        }
        true
    }
}

/// A convolution of frames that lie one after the other, `total` windows `step` values apart, and its activation; whether it
/// is done. Its outputs take the place of its inputs.
fn convolve(
    conv: &Linear,
    total: usize,
    step: usize,
    state: &mut FrontEndState,
    values: &mut [f32],
    budget: &mut Budget,
) -> Result<bool, Error> {
    let (block, cost) = if conv.is_int8() { (WINDOW_BLOCK, 1) } else { (FLOAT_WINDOW_BLOCK, FLOAT_COST) };
    while state.done < total {
        let count = block.min(total - state.done);
        let multiply_adds = count as u64 * conv.multiply_adds();
        if !budget.allows(multiply_adds, cost * multiply_adds) {
            return Ok(false);
        }
        let input = state.input.windows(&values[state.done * step..], count, step, conv);
        let out = &mut values[state.done * conv.outputs()..][..count * conv.outputs()];
        conv.forward(input, Output::Gelu, out)?;
        state.done += count;
    }
    Ok(true)
}
