//! One token at a time: pre-norm transformer layers with causal self-attention, cross-attention and a gated feed-forward.

use candle_core::Tensor;

use super::config::Config;
use super::encoder::{Attention, biased};
use crate::error::Error;
use crate::kernels::activation::silu;
use crate::kernels::attention::KvCache;
use crate::nn::linear::{Linear, project};
use crate::nn::norm::LayerNorm;
use crate::nn::rope::RotaryEmbedding;
use crate::nn::{attend, matrix, remember, with_slice};
use crate::weights::Weights;

#[derive(Debug)]
struct Layer {
    self_norm: LayerNorm,
    self_attention: Attention,
    cross_norm: LayerNorm,
    cross_attention: Attention,
    feed_forward_norm: LayerNorm,
    /// Gives value and gate, one after the other.
    expand: Linear,
    contract: Linear,
}

/// The decoder's weights.
#[derive(Debug)]
pub struct Decoder {
    /// Token embedding and, transposed, output projection.
    embedding: Linear,
    layers: Vec<Layer>,
    norm: LayerNorm,
    rope: RotaryEmbedding,
    heads: usize,
    head_size: usize,
}

/// What the decoder remembers of an utterance.
#[derive(Debug)]
pub struct DecoderState {
    /// Keys and values of the encoder states, per layer.
    cross: Vec<KvCache>,
    /// Keys and values of the tokens so far, per layer.
    past: Vec<KvCache>,
    /// Tokens so far.
    position: usize,
}

impl Decoder {
    /// Takes its weights.
    ///
    /// # Errors
    /// [`Error::Internal`] where one is missing.
    pub fn new(config: &Config, weights: &mut Weights) -> Result<Self, Error> {
        let epsilon = config.layer_norm_epsilon;
        let mut layers = Vec::with_capacity(config.decoder_blocks);
        for block in 0..config.decoder_blocks {
            let root = format!("model.decoder.layers.{block}");
            let mut norm = |name: &str| -> Result<LayerNorm, Error> {
                LayerNorm::new(&weights.take_plain(&format!("{root}.{name}.weight"))?, epsilon)
            };
            layers.push(Layer {
                self_norm: norm("input_layernorm")?,
                cross_norm: norm("post_attention_layernorm")?,
                feed_forward_norm: norm("final_layernorm")?,
                self_attention: Attention::new(weights, &format!("{root}.self_attn"))?,
                cross_attention: Attention::new(weights, &format!("{root}.encoder_attn"))?,
                expand: biased(weights, &format!("{root}.mlp.fc1"))?,
                contract: biased(weights, &format!("{root}.mlp.fc2"))?,
            });
        }
        Ok(Self {
            embedding: Linear::new(weights.take_matrix("model.decoder.embed_tokens.weight")?, None)?,
            layers,
            norm: LayerNorm::new(&weights.take_plain("model.decoder.norm.weight")?, epsilon)?,
            rope: RotaryEmbedding::new(config.rope_dimensions, config.rope_base),
            heads: config.heads,
            head_size: config.head_size(),
        })
    }

    /// Computes the cross-attention's keys and values, once an utterance, from encoder states `[frames, width]`, and makes
    /// room for `max_tokens` steps.
    ///
    /// # Errors
    /// [`Error::Internal`] where the shapes do not fit.
    pub fn begin(&self, encoded: &Tensor, max_tokens: usize) -> Result<DecoderState, Error> {
        let cross = self
            .layers
            .iter()
            .map(|layer| {
                let mut cache = KvCache::with_capacity(self.heads, self.head_size, encoded.dims()[0]);
                let attention = &layer.cross_attention;
                let [keys, values] = project([&attention.key, &attention.value], encoded)?;
                remember(&mut cache, &keys, &values)?;
                Ok(cache)
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let empty = KvCache::with_capacity(self.heads, self.head_size, max_tokens);
        let past = vec![empty; self.layers.len()];
        Ok(DecoderState { cross, past, position: 0 })
    }

    /// Reads `token` and gives the logits of the next one, one per token of the vocabulary.
    ///
    /// # Errors
    /// [`Error::Internal`] where the state is another model's.
    pub fn step(&self, token: u32, state: &mut DecoderState) -> Result<Vec<f32>, Error> {
        let mut x = self.embedding.rows(&[token])?;
        for ((layer, cross), past) in self.layers.iter().zip(&state.cross).zip(&mut state.past) {
            let attention = &layer.self_attention;
            let normal = layer.self_norm.forward(&x)?;
            let rotate = |x: Tensor| self.rope.forward(&x, self.head_size, state.position);
            let [queries, keys, values] = project([&attention.query, &attention.key, &attention.value], &normal)?;
            remember(past, &rotate(keys)?, &values)?;
            let queries = rotate(queries)?;
            x = (x + attention.output.forward(&attend(&queries, past)?)?)?;

            let attention = &layer.cross_attention;
            let queries = attention.query.forward(&layer.cross_norm.forward(&x)?)?;
            x = (x + attention.output.forward(&attend(&queries, cross)?)?)?;

            let expanded = layer.expand.forward(&layer.feed_forward_norm.forward(&x)?)?;
            let width = layer.contract.inputs();
            let gated = with_slice(&expanded, |expanded| {
                let (values, gates) = expanded.split_at(width);
                values.iter().zip(gates).map(|(value, &gate)| value * silu(gate)).collect()
            })?;
            let gated = matrix(gated, 1, width)?;
            x = (x + layer.contract.forward(&gated)?)?;
        }
        state.position += 1;
        let logits = self.embedding.forward(&self.norm.forward(&x)?)?;
        with_slice(&logits, <[f32]>::to_vec)
    }

    /// Multiply-accumulate operations of [`Decoder::begin`] for so many frames.
    #[must_use]
    pub fn begin_multiply_adds(&self, frames: usize) -> u64 {
        let projections =
            |layer: &Layer| layer.cross_attention.key.multiply_adds() + layer.cross_attention.value.multiply_adds();
        frames as u64 * self.layers.iter().map(projections).sum::<u64>()
    }

    /// Multiply-accumulate operations of the next [`Decoder::step`].
    #[must_use]
    pub fn step_multiply_adds(&self, state: &DecoderState) -> u64 {
        let attended = (state.position + 1 + state.cross.first().map_or(0, KvCache::frames)) as u64;
        let width = (self.heads * self.head_size) as u64;
        let layers = self.layers.iter().map(|layer| {
            let cross = layer.cross_attention.query.multiply_adds() + layer.cross_attention.output.multiply_adds();
            let feed_forward = layer.expand.multiply_adds() + layer.contract.multiply_adds();
            layer.self_attention.multiply_adds() + cross + feed_forward + 2 * attended * width
        });
        layers.sum::<u64>() + self.embedding.multiply_adds()
    }
}
