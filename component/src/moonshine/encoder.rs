//! Frames to encoder states: pre-norm transformer layers with full, bidirectional attention.

use std::ops::Range;

use super::budget::{ATTENTION_COST, Budget, FLOAT_COST, VALUE_COST};
use super::config::Config;
use crate::error::Error;
use crate::nn::attention::{KeyValues, Scratch};
use crate::nn::linear::{InputBuffer, Linear, Output};
use crate::nn::norm::LayerNorm;
use crate::nn::rope::{Angles, RotaryEmbedding};
use crate::weights::Weights;

/// Frames that go through a feed-forward layer at once: what lies between its two matrices stays in the cache.
const FEED_FORWARD_ROWS: usize = 16;
/// The most frames that go through a pass before the budget is looked at; a multiple of [`FEED_FORWARD_ROWS`].
const ROWS: usize = 128;

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

/// How far an utterance has come in the encoder, and what it works in.
#[derive(Debug)]
pub struct EncoderState {
    frames: usize,
    layer: usize,
    pass: Pass,
    /// Frames that this pass is done with.
    done: usize,
    angles: Angles,
    /// `[FEED_FORWARD_ROWS, inner]`.
    expanded: Vec<f32>,
    input: InputBuffer,
    memory: KeyValues,
    scratch: Scratch,
}

/// What a layer does with one frame after the other.
#[derive(Debug, Clone, Copy)]
enum Pass {
    /// Queries, keys and values.
    Project,
    /// Keys and values into the memory, all at once.
    Remember,
    Attend,
    /// What was attended to is added to the states.
    Output,
    FeedForward,
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

    /// What an utterance works in, still empty.
    #[must_use]
    pub fn state(&self) -> EncoderState {
        let int8 = self.layers.first().is_some_and(|layer| layer.attention.query.is_int8());
        EncoderState {
            frames: 0,
            layer: 0,
            pass: Pass::Project,
            done: 0,
            angles: Angles::default(),
            expanded: Vec::new(),
            input: InputBuffer::default(),
            memory: KeyValues::new(self.heads, self.head_size, int8),
            scratch: Scratch::default(),
        }
    }

    /// Makes room for so many frames.
    pub fn make_room(&self, frames: usize, state: &mut EncoderState) {
        state.memory.make_room(frames);
        self.rope.turn(0, frames, &mut state.angles);
    }

    /// Begins with so many frames, for which there is room.
    pub fn begin(&self, frames: usize, state: &mut EncoderState) {
        (state.frames, state.layer, state.pass, state.done) = (frames, 0, Pass::Project, 0);
    }

    /// Does what the budget allows and says whether that was the last of it. `values` begin with the frames,
    /// `[frames, width]`, which become encoder states, and are at least four times as long: what a layer works in.
    ///
    /// # Errors
    /// [`Error::Internal`] where a layer's weights are not of its shape.
    pub fn advance(&self, state: &mut EncoderState, values: &mut [f32], budget: &mut Budget) -> Result<bool, Error> {
        while state.layer < self.layers.len() {
            let rows = state.done..state.done + self.rows(state, budget);
            let multiply_adds = rows.len() as u64 * self.frame_multiply_adds(state);
            if !budget.allows(multiply_adds, rows.len() as u64 * self.frame_cost(state)) {
                return Ok(false);
            }
            self.forward(rows.clone(), state, values)?;
            state.done = rows.end;
            if state.done == state.frames {
                state.done = 0;
                state.pass = match state.pass {
                    Pass::Project => Pass::Remember,
                    Pass::Remember => Pass::Attend,
                    Pass::Attend => Pass::Output,
                    Pass::Output => Pass::FeedForward,
                    Pass::FeedForward => {
                        state.layer += 1;
                        Pass::Project
                    }
                };
            }
        }
        Ok(true)
    }

    /// How many frames go through this pass next.
    fn rows(&self, state: &EncoderState, budget: &Budget) -> usize {
        let left = state.frames - state.done;
        let int8 = self.layers[state.layer].attention.query.is_int8();
        let together = match state.pass {
            Pass::Remember => true,
            // The order of a sum of floats depends on how many rows are multiplied together, and so do its last bits.
            Pass::Project | Pass::Output => !int8,
            Pass::Attend | Pass::FeedForward => false,
        };
        if together {
            return left;
        }
        let affordable = (budget.limit() / self.frame_cost(state).max(1)).clamp(1, ROWS as u64) as usize;
        left.min(affordable.next_multiple_of(FEED_FORWARD_ROWS))
    }

    /// Takes some frames through a pass of a layer.
    fn forward(&self, rows: Range<usize>, state: &mut EncoderState, values: &mut [f32]) -> Result<(), Error> {
        let Layer { attention_norm, attention, feed_forward_norm, expand, contract } = &self.layers[state.layer];
        let EncoderState { frames, layer, pass, angles, expanded, input, memory, scratch, .. } = state;
        let width = self.width();
        let (states, values) = values.split_at_mut(*frames * width);
        let (queries, values) = values.split_at_mut(*frames * width);
        let (keys, values) = values.split_at_mut(*frames * width);
        let values = &mut values[..*frames * width];
        let some = rows.start * width..rows.end * width;
        match pass {
            Pass::Project => {
                let normal = input.normal(&states[some.clone()], attention_norm, &attention.query);
                attention.query.forward(normal, Output::Replace, &mut queries[some.clone()])?;
                attention.key.forward(normal, Output::Replace, &mut keys[some.clone()])?;
                attention.value.forward(normal, Output::Replace, &mut values[some])?;
            }
            Pass::Remember => {
                self.rope.rotate(queries, width, self.head_size, angles);
                self.rope.rotate(keys, width, self.head_size, angles);
                memory.fill(keys, values);
            }
            Pass::Attend => {
                // The values are in the memory now, and their place is free.
                memory.attend(&queries[some.clone()], scratch, &mut values[some]);
            }
            Pass::Output => {
                let attended = input.rows(&values[some.clone()], &attention.output);
                attention.output.forward(attended, Output::Add, &mut states[some])?;
            }
            Pass::FeedForward => {
                let inner = expand.outputs();
                expanded.resize(FEED_FORWARD_ROWS * inner, 0.0);
                for states in states[some.clone()].chunks_mut(FEED_FORWARD_ROWS * width) {
                    let expanded = &mut expanded[..states.len() / width * inner];
                    expand.forward(input.normal(states, feed_forward_norm, expand), Output::Gelu, expanded)?;
                    contract.forward(input.rows(expanded, contract), Output::Add, states)?;
                }
                if *layer + 1 == self.layers.len() {
                    let normal = &mut queries[some.clone()];
                    self.norm.forward(&states[some.clone()], normal);
                    states[some].copy_from_slice(normal);
                }
            }
        }
        Ok(())
    }

    fn width(&self) -> usize {
        self.heads * self.head_size
    }

    /// Multiply-accumulate operations of this pass for one frame.
    fn frame_multiply_adds(&self, state: &EncoderState) -> u64 {
        let Layer { attention, expand, contract, .. } = &self.layers[state.layer];
        match state.pass {
            Pass::Project => {
                [&attention.query, &attention.key, &attention.value].map(Linear::multiply_adds).iter().sum()
            }
            Pass::Remember => 0,
            Pass::Attend => 2 * state.frames as u64 * self.width() as u64,
            Pass::Output => attention.output.multiply_adds(),
            Pass::FeedForward => expand.multiply_adds() + contract.multiply_adds(),
        }
    }

    /// What this pass costs for one frame; see [`Budget`].
    fn frame_cost(&self, state: &EncoderState) -> u64 {
        let int8 = self.layers[state.layer].attention.query.is_int8();
        let cost = match state.pass {
            Pass::Remember => return VALUE_COST * self.width() as u64,
            Pass::Attend => ATTENTION_COST * self.frame_multiply_adds(state),
            Pass::Project | Pass::Output | Pass::FeedForward => self.frame_multiply_adds(state),
        };
        if int8 { cost } else { FLOAT_COST * cost }
    }
}
