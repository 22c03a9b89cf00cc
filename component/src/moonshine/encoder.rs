//! Frames to encoder states: pre-norm transformer layers with full, bidirectional attention.

use candle_core::Tensor;

use super::config::Config;
use crate::error::Error;
use crate::kernels::activation::gelu;
use crate::kernels::attention::KvCache;
use crate::nn::linear::{Linear, project};
use crate::nn::norm::LayerNorm;
use crate::nn::rope::RotaryEmbedding;
use crate::nn::{activate, attend, remember};
use crate::weights::Weights;

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

    /// Layer `index` (of [`Encoder::layers`]) on states `[frames, width]`; the last one also applies the final norm.
    ///
    /// # Errors
    /// [`Error::Internal`] where the shapes do not fit.
    pub fn forward_layer(&self, index: usize, x: &Tensor) -> Result<Tensor, Error> {
        let layer = &self.layers[index];
        let normal = layer.attention_norm.forward(x)?;
        let Attention { query, key, value, output } = &layer.attention;
        let [queries, keys, values] = project([query, key, value], &normal)?;
        let keys = self.rope.forward(&keys, self.head_size, 0)?;
        let mut cache = KvCache::with_capacity(self.heads, self.head_size, x.dims()[0]);
        remember(&mut cache, &keys, &values)?;
        let queries = self.rope.forward(&queries, self.head_size, 0)?;
        let x = (x + output.forward(&attend(&queries, &cache)?)?)?;
        let normal = layer.feed_forward_norm.forward(&x)?;
        let x = (&x + layer.contract.forward(&activate(&layer.expand.forward(&normal)?, gelu)?)?)?;
        if index + 1 == self.layers.len() { self.norm.forward(&x) } else { Ok(x) }
    }

    /// Multiply-accumulate operations of one layer for so many frames.
    #[must_use]
    pub fn layer_multiply_adds(&self, index: usize, frames: usize) -> u64 {
        let layer = &self.layers[index];
        let linear = layer.attention.multiply_adds() + layer.expand.multiply_adds() + layer.contract.multiply_adds();
        let frames = frames as u64;
        frames * linear + 2 * frames * frames * (self.heads * self.head_size) as u64
    }
}
