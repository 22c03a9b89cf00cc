//! Attention over frames that are all there: the encoder's own, and the decoder's over the encoder's.

use crate::kernels::attention::KvCache;
use crate::kernels::int8::attention::{Int8KeyValues, Scratch as Int8Scratch};

/// Keys and values of all frames, in 8 bits where the weights that made them are.
#[derive(Debug)]
pub enum KeyValues {
    /// For weights of F32 or F16.
    Float(KvCache),
    /// For weights in 8 bits.
    Int8(Int8KeyValues),
}

/// What attention works in, kept from call to call so that nothing is allocated.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Scores of the float path.
    pub scores: Vec<f32>,
    int8: Int8Scratch,
}

impl KeyValues {
    /// Nothing yet, for heads of this shape.
    #[must_use]
    pub fn new(heads: usize, head_size: usize, int8: bool) -> Self {
        if int8 {
            Self::Int8(Int8KeyValues::new(heads, head_size))
        } else {
            Self::Float(KvCache::with_capacity(heads, head_size, 0))
        }
    }

    /// Frames it holds.
    #[must_use]
    pub fn frames(&self) -> usize {
        match self {
            Self::Float(memory) => memory.frames(),
            Self::Int8(memory) => memory.frames(),
        }
    }

    /// Makes room for so many frames, in place of what was there, so that filling in as many allocates nothing.
    pub fn make_room(&mut self, frames: usize) {
        match self {
            Self::Float(memory) => memory.make_room(frames),
            Self::Int8(memory) => memory.make_room(frames),
        }
    }

    /// Takes keys and values `[frames, heads · head_size]` in place of what was there.
    pub fn fill(&mut self, keys: &[f32], values: &[f32]) {
        match self {
            Self::Float(memory) => memory.fill(keys, values),
            Self::Int8(memory) => memory.fill(keys, values),
        }
    }

    /// Attention of queries `[n, heads · head_size]` over all frames, to `out` in the same shape.
    pub fn attend(&self, queries: &[f32], scratch: &mut Scratch, out: &mut [f32]) {
        match self {
            Self::Float(memory) => memory.attend(queries, &mut scratch.scores, out),
            Self::Int8(memory) => memory.attend(queries, &mut scratch.int8, out),
        }
    }

    /// One head's `softmax(q · Kᵀ / √head_size)` for a query `[head_size]`, to `out` `[frames]`.
    pub fn probabilities(&self, head: usize, query: &[f32], scratch: &mut Scratch, out: &mut [f32]) {
        match self {
            Self::Float(memory) => memory.probabilities(head, query, &mut scratch.scores, out),
            Self::Int8(memory) => memory.probabilities(head, query, &mut scratch.int8, out),
        }
    }
}
