//! Frames to encoder states: pre-norm transformer layers with full, bidirectional attention.

use super::config::Config;
use crate::error::Error;
use crate::kernels::activation::Activation;
use crate::nn::attention::{KeyValues, Scratch};
use crate::nn::linear::{InputBuffer, Linear, Output};
use crate::nn::norm::LayerNorm;
use crate::nn::rope::{Angles, RotaryEmbedding};
use crate::weights::Weights;

/// Frames that go through a feed-forward layer at once: what lies between its two matrices stays in the cache.
const FEED_FORWARD_ROWS: usize = 16;

/// The four projections of an attention.
#[derive(Debug)]
pub struct Attention {
    /// Queries.
    pub query: Linear,
    /// Keys.
    pub key: Linear,
    /// Values.
    pub value: Linear,
    /// What comes out of all heads.
    pub output: Linear,
}

impl Attention {
    /// Takes the weights under `root`.
    ///
    /// # Errors
    /// [`Error::Internal`] where one is missing.
    pub fn new(weights: &mut Weights, root: &str) -> Result<Self, Error> {
        let mut projection = |name| Linear::new(weights.take_matrix(&format!("{root}.{name}_proj.weight"))?, None);
        Ok(Self { query: projection("q")?, key: projection("k")?, value: projection("v")?, output: projection("o")? })
    }

    /// Multiply-accumulate operations of all four projections, for one frame.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        [&self.query, &self.key, &self.value, &self.output].map(Linear::multiply_adds).iter().sum()
    }
}

/// A linear layer with a bias.
///
/// # Errors
/// [`Error::Internal`] where a tensor is missing.
pub fn biased(weights: &mut Weights, root: &str) -> Result<Linear, Error> {
    let bias = weights.take_plain(&format!("{root}.bias"))?;
    Linear::new(weights.take_matrix(&format!("{root}.weight"))?, Some(&bias))
}

#[derive(Debug)]
struct Layer {
    attention_norm: LayerNorm,
    attention: Attention,
    feed_forward_norm: LayerNorm,
    expand: Linear,
    contract: Linear,
}

/// What an utterance is while it goes through the layers.
#[derive(Debug)]
pub struct EncoderState {
    /// `[frames, width]`: frames at first, encoder states after the last layer.
    pub states: Vec<f32>,
    angles: Angles,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    expanded: Vec<f32>,
    input: InputBuffer,
    memory: KeyValues,
    scratch: Scratch,
}

/// The encoder's weights.
#[derive(Debug)]
pub struct Encoder {
    layers: Vec<Layer>,
    norm: LayerNorm,
    rope: RotaryEmbedding,
    heads: usize,
    head_size: usize,
}

impl Encoder {
    /// Takes its weights.
    ///
    /// # Errors
    /// [`Error::Internal`] where one is missing.
    pub fn new(config: &Config, weights: &mut Weights) -> Result<Self, Error> {
        let epsilon = config.layer_norm_epsilon;
        let mut layers = Vec::with_capacity(config.encoder_blocks);
        for block in 0..config.encoder_blocks {
            let root = format!("model.encoder.layers.{block}");
            let mut norm = |name: &str| -> Result<LayerNorm, Error> {
                LayerNorm::new(&weights.take_plain(&format!("{root}.{name}.weight"))?, epsilon)
            };
            layers.push(Layer {
                attention_norm: norm("input_layernorm")?,
                feed_forward_norm: norm("post_attention_layernorm")?,
                attention: Attention::new(weights, &format!("{root}.self_attn"))?,
                expand: biased(weights, &format!("{root}.mlp.fc1"))?,
                contract: biased(weights, &format!("{root}.mlp.fc2"))?,
            });
        }
        Ok(Self {
            layers,
            norm: LayerNorm::new(&weights.take_plain("model.encoder.layer_norm.weight")?, epsilon)?,
            rope: RotaryEmbedding::new(config.rope_dimensions, config.rope_base),
            heads: config.heads,
            head_size: config.head_size(),
        })
    }

    /// How many layers there are.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Begins with frames `[frames, width]`.
    #[must_use]
    pub fn begin(&self, frames: Vec<f32>) -> EncoderState {
        let count = frames.len() / self.width();
        let mut angles = Angles::default();
        self.rope.turn(0, count, &mut angles);
        let int8 = self.layers.first().is_some_and(|layer| layer.attention.query.is_int8());
        EncoderState {
            angles,
            queries: vec![0.0; frames.len()],
            keys: vec![0.0; frames.len()],
            values: vec![0.0; frames.len()],
            states: frames,
            expanded: Vec::new(),
            input: InputBuffer::default(),
            memory: KeyValues::new(self.heads, self.head_size, int8),
            scratch: Scratch::default(),
        }
    }

    /// Takes the states through layer `index` (of [`Encoder::layers`]); the last one also applies the final norm.
    ///
    /// # Errors
    /// [`Error::Internal`] where a layer's weights are not of its shape.
    pub fn forward_layer(&self, index: usize, state: &mut EncoderState) -> Result<(), Error> {
        let Layer { attention_norm, attention, feed_forward_norm, expand, contract } = &self.layers[index];
        let EncoderState { states, angles, queries, keys, values, expanded, input, memory, scratch } = state;
        let width = self.width();

        let normal = input.normal(states, attention_norm, &attention.query);
        attention.query.forward(normal, Output::Replace, queries)?;
        attention.key.forward(normal, Output::Replace, keys)?;
        attention.value.forward(normal, Output::Replace, values)?;
        self.rope.rotate(queries, width, self.head_size, angles);
        self.rope.rotate(keys, width, self.head_size, angles);
        memory.fill(keys, values);
        // The values are in the memory now, and their place is free.
        let attended = values;
        memory.attend(queries, scratch, attended);
        attention.output.forward(input.rows(attended, &attention.output), Output::Add, states)?;

        let inner = expand.outputs();
        expanded.resize(FEED_FORWARD_ROWS * inner, 0.0);
        for states in states.chunks_mut(FEED_FORWARD_ROWS * width) {
            let expanded = &mut expanded[..states.len() / width * inner];
            expand.forward(input.normal(states, feed_forward_norm, expand), Output::Replace, expanded)?;
            Activation::Gelu.apply(expanded);
            contract.forward(input.rows(expanded, contract), Output::Add, states)?;
        }
        if index + 1 == self.layers.len() {
            self.norm.forward(states, queries);
            std::mem::swap(states, queries);
        }
        Ok(())
    }

    fn width(&self) -> usize {
        self.heads * self.head_size
    }

    /// Multiply-accumulate operations of layer `index` for the frames of `state`.
    #[must_use]
    pub fn layer_multiply_adds(&self, index: usize, state: &EncoderState) -> u64 {
        let layer = &self.layers[index];
        let linear = layer.attention.multiply_adds() + layer.expand.multiply_adds() + layer.contract.multiply_adds();
        let frames = (state.states.len() / self.width()) as u64;
        frames * linear + 2 * frames * frames * self.width() as u64
    }
}
