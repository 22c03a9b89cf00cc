//! One token at a time: pre-norm transformer layers with causal self-attention, cross-attention and a gated feed-forward.

use super::alignment::{AligningHead, CrossQueries, aligning_heads};
use super::budget::{Budget, FLOAT_COST, VALUE_COST};
use super::config::Config;
use super::encoder::{Attention, biased};
use crate::error::Error;
use crate::family::Token;
use crate::greedy;
use crate::kernels::activation::gate;
use crate::kernels::attention::KvCache;
use crate::nn::attention::{KeyValues, Scratch};
use crate::nn::linear::{InputBuffer, Linear, Output};
use crate::nn::norm::LayerNorm;
use crate::nn::rope::{Angles, RotaryEmbedding};
use crate::weights::Weights;

/// The most tokens that go through the layers at once, so that a step stays short.
const TOKENS_AT_ONCE: usize = 8;

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
    /// Those by whose cross-attention tokens are found in the audio.
    aligning: Vec<AligningHead>,
}

/// What the decoder remembers of an utterance.
#[derive(Debug)]
pub struct DecoderState {
    /// Keys and values of the encoder states, per layer.
    cross: Vec<KeyValues>,
    /// Layers whose cross-attention has them.
    prepared: usize,
    /// Keys and values of the tokens so far, per layer.
    past: Vec<KvCache>,
    /// Tokens so far.
    position: usize,
    /// What the aligning heads asked for, token by token.
    queries: CrossQueries,
    work: Work,
}

/// What the decoder works in, kept from step to step so that nothing is allocated.
#[derive(Debug, Default)]
struct Work {
    /// `[tokens, width]`, as are the next four.
    states: Vec<f32>,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    attended: Vec<f32>,
    /// `[tokens, 2 · inner]`.
    expanded: Vec<f32>,
    /// `[tokens, inner]`.
    gated: Vec<f32>,
    /// `[tokens, vocabulary]`.
    logits: Vec<f32>,
    angles: Angles,
    input: InputBuffer,
    scratch: Scratch,
}

impl Work {
    /// What is as wide as the states.
    fn rows(&mut self) -> [&mut Vec<f32>; 5] {
        [&mut self.states, &mut self.queries, &mut self.keys, &mut self.values, &mut self.attended]
    }
}

impl DecoderState {
    /// How many tokens it has read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Forgets all tokens from `position` on.
    pub fn truncate(&mut self, position: usize) {
        self.position = self.position.min(position);
        self.past.iter_mut().for_each(|past| past.truncate(position));
    }

    /// Frames it attends to.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.cross.first().map_or(0, KeyValues::frames)
    }

    /// What the aligning heads asked for.
    #[must_use]
    pub fn queries(&self) -> &CrossQueries {
        &self.queries
    }

    /// Makes room to keep what the aligning heads ask for when the first `max_tokens` tokens are read; 0 keeps nothing.
    pub fn keep_queries(&mut self, max_tokens: usize) {
        self.queries.make_room(max_tokens);
    }

    /// Where aligning head `index` looked when token `token` was read: a probability for each frame, written to `out`.
    ///
    /// # Panics
    /// If there is no such head, its query was not kept, or `out` is not as long as there are frames.
    pub fn probabilities(&mut self, index: usize, token: usize, out: &mut [f32]) {
        assert!(token < self.position, "only where a token was read has a head looked anywhere");
        let head = self.queries.heads()[index];
        self.cross[head.layer].probabilities(head.head, self.queries.of(index, token), &mut self.work.scratch, out);
    }

    /// Multiply-accumulate operations of [`DecoderState::probabilities`].
    #[must_use]
    pub fn query_multiply_adds(&self) -> u64 {
        (self.frames() * self.queries.head_size()) as u64
    }
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
            aligning: aligning_heads(config),
        })
    }

    /// What the decoder remembers of an utterance: nothing yet, and with room for nothing.
    #[must_use]
    pub fn state(&self) -> DecoderState {
        let memory = |layer: &Layer| KeyValues::new(self.heads, self.head_size, layer.cross_attention.key.is_int8());
        DecoderState {
            cross: self.layers.iter().map(memory).collect(),
            prepared: 0,
            past: vec![KvCache::with_capacity(self.heads, self.head_size, 0); self.layers.len()],
            position: 0,
            queries: CrossQueries::new(self.aligning.clone(), self.head_size),
            work: Work::default(),
        }
    }

    /// Makes room for so many frames and tokens, and for steps of [`Decoder::tokens_at_once`].
    pub fn make_room(&self, frames: usize, max_tokens: usize, state: &mut DecoderState) {
        state.cross.iter_mut().for_each(|memory| memory.make_room(frames));
        state.past.iter_mut().for_each(|past| past.make_room(max_tokens));
        let count = self.tokens_at_once();
        state.work.logits.resize(count * self.embedding.outputs(), 0.0);
        for Layer { expand, contract, .. } in &self.layers {
            state.work.expanded.resize(count * expand.outputs(), 0.0);
            state.work.gated.resize(count * contract.inputs(), 0.0);
            state.work.input.make_room(count, contract);
        }
        for rows in state.work.rows() {
            rows.resize(count * self.heads * self.head_size, 0.0);
        }
        self.rope.turn(0, count, &mut state.work.angles);
    }

    /// Forgets the utterance.
    pub fn begin(&self, state: &mut DecoderState) {
        state.truncate(0);
        state.prepared = 0;
    }

    /// Computes the cross-attention's keys and values from encoder states `[frames, width]`, once an utterance: as many
    /// layers as the budget allows. Says whether those were the last. `room` is twice as long as `encoded`.
    ///
    /// # Errors
    /// [`Error::Internal`] where a layer's weights are not of its shape.
    pub fn prepare(
        &self,
        encoded: &[f32],
        room: &mut [f32],
        state: &mut DecoderState,
        budget: &mut Budget,
    ) -> Result<bool, Error> {
        let (keys, values) = room.split_at_mut(encoded.len());
        let frames = (encoded.len() / (self.heads * self.head_size)) as u64;
        while let (Some(layer), Some(memory)) = (self.layers.get(state.prepared), state.cross.get_mut(state.prepared)) {
            let Attention { key, value, .. } = &layer.cross_attention;
            let multiply_adds = frames * (key.multiply_adds() + value.multiply_adds());
            let cost = if key.is_int8() { multiply_adds } else { FLOAT_COST * multiply_adds };
            if !budget.allows(multiply_adds, cost + VALUE_COST * encoded.len() as u64) {
                return Ok(false);
            }
            let input = state.work.input.rows(encoded, key);
            key.forward(input, Output::Replace, keys)?;
            value.forward(input, Output::Replace, values)?;
            memory.fill(keys, values);
            state.prepared += 1;
        }
        Ok(true)
    }

    /// How many tokens may go through the layers at once. In floats it is one: there, the order of a sum depends on how many
    /// rows are multiplied together, and so would the last bits.
    #[must_use]
    pub fn tokens_at_once(&self) -> usize {
        if self.embedding.is_int8() { TOKENS_AT_ONCE } else { 1 }
    }

    /// Reads `tokens`, one after the other, and adds to `next` what follows each: up to [`Decoder::tokens_at_once`] go
    /// through the layers together, with the results that each would give alone.
    ///
    /// # Errors
    /// [`Error::Internal`] where the state is another model's or a token is not in the vocabulary.
    pub fn step(&self, tokens: &[u32], state: &mut DecoderState, next: &mut Vec<Token>) -> Result<(), Error> {
        let DecoderState { cross, past, position, queries: kept, work, .. } = state;
        let (width, count) = (self.heads * self.head_size, tokens.len());
        work.rows().into_iter().for_each(|rows| rows.resize(count * width, 0.0));
        let Work { states, queries, keys, values, attended, expanded, gated, logits, angles, input, scratch } = work;
        for (&token, row) in tokens.iter().zip(states.chunks_exact_mut(width)) {
            self.embedding.embed(token, row)?;
        }
        self.rope.turn(*position, count, angles);
        for (index, ((layer, cross), past)) in self.layers.iter().zip(cross).zip(past).enumerate() {
            let attention = &layer.self_attention;
            let normal = input.normal(states, &layer.self_norm, &attention.query);
            attention.query.forward(normal, Output::Replace, queries)?;
            attention.key.forward(normal, Output::Replace, keys)?;
            attention.value.forward(normal, Output::Replace, values)?;
            self.rope.rotate(queries, width, self.head_size, angles);
            self.rope.rotate(keys, width, self.head_size, angles);
            past.append(keys, values);
            past.attend_causal(queries, &mut scratch.scores, attended);
            attention.output.forward(input.rows(attended, &attention.output), Output::Add, states)?;

            let attention = &layer.cross_attention;
            let normal = input.normal(states, &layer.cross_norm, &attention.query);
            attention.query.forward(normal, Output::Replace, queries)?;
            kept.keep(index, *position, queries, width);
            cross.attend(queries, scratch, attended);
            attention.output.forward(input.rows(attended, &attention.output), Output::Add, states)?;

            let (expand, contract) = (&layer.expand, &layer.contract);
            let inner = contract.inputs();
            expanded.resize(count * 2 * inner, 0.0);
            gated.resize(count * inner, 0.0);
            expand.forward(input.normal(states, &layer.feed_forward_norm, expand), Output::Replace, expanded)?;
            for (expanded, gated) in expanded.chunks_exact(2 * inner).zip(gated.chunks_exact_mut(inner)) {
                let (values, gates) = expanded.split_at(inner);
                gate(values, gates, gated);
            }
            contract.forward(input.rows(gated, contract), Output::Add, states)?;
        }
        *position += count;
        logits.resize(count * self.embedding.outputs(), 0.0);
        self.embedding.forward(input.normal(states, &self.norm, &self.embedding), Output::Replace, logits)?;
        next.extend(logits.chunks_exact(self.embedding.outputs()).map(greedy::pick));
        Ok(())
    }

    /// Multiply-accumulate operations of the next [`Decoder::step`] with `count` tokens.
    #[must_use]
    pub fn step_multiply_adds(&self, count: usize, state: &DecoderState) -> u64 {
        let width = (self.heads * self.head_size) as u64;
        let linear = self.layers.iter().map(|layer| {
            let cross = layer.cross_attention.query.multiply_adds() + layer.cross_attention.output.multiply_adds();
            layer.self_attention.multiply_adds() + cross + layer.expand.multiply_adds() + layer.contract.multiply_adds()
        });
        let linear = linear.sum::<u64>() + self.embedding.multiply_adds();
        let frames = state.cross.first().map_or(0, KeyValues::frames);
        let attended: usize = (1..=count).map(|token| state.position + token + frames).sum();
        count as u64 * linear + 2 * attended as u64 * width * self.layers.len() as u64
    }
}
