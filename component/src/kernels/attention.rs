//! Attention of many heads over keys and values, a few queries at a time: the whole score matrix never stands in memory.
//!
//! Keys and values lie in the order in which the loops read them, a head after the other. Keys lie transposed in tiles of
//! neighbouring frames, whose scores are computed side by side. What pads the last tile is zero and weighs nothing.

use super::activation::Exp;
use super::lanes::F32x4;

/// Frames that are handled at once, in each iteration of the inner loops.
const FRAME_TILE: usize = 8;
/// Queries that share each load of a key or a value.
const QUERY_TILE: usize = 4;
/// Dimensions of a value that are summed at once, in vectors of four.
const VALUE_TILE: usize = 3;

/// Keys and values of frames, for any number of heads.
#[derive(Debug, Clone)]
pub struct KvCache {
    heads: usize,
    head_size: usize,
    /// Head size in whole vectors of four.
    padded_size: usize,
    frames: usize,
    /// Frames there is room for; a multiple of [`FRAME_TILE`].
    capacity: usize,
    /// `[heads, capacity / FRAME_TILE, head_size, FRAME_TILE]`.
    keys: Vec<f32>,
    /// `[heads, capacity, padded_size]`.
    values: Vec<f32>,
}

impl KvCache {
    /// A cache without frames and with room for `capacity` of them.
    #[must_use]
    pub fn with_capacity(heads: usize, head_size: usize, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(FRAME_TILE);
        let padded_size = head_size.next_multiple_of(4);
        let keys = vec![0.0; heads * head_size * capacity];
        let values = vec![0.0; heads * padded_size * capacity];
        Self { heads, head_size, padded_size, frames: 0, capacity, keys, values }
    }

    /// Frames it holds.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Forgets all frames, and makes room for `capacity` of them where there is less.
    pub fn make_room(&mut self, capacity: usize) {
        self.frames = 0;
        if capacity > self.capacity {
            // What is too small goes first.
            (self.keys, self.values) = (Vec::new(), Vec::new());
            *self = Self::with_capacity(self.heads, self.head_size, capacity);
        }
    }

    /// Takes keys and values `[frames, heads · head_size]` in place of what was there, and makes room for them.
    pub fn fill(&mut self, keys: &[f32], values: &[f32]) {
        self.make_room(keys.len() / (self.heads * self.head_size));
        self.append(keys, values);
    }

    /// Appends frames: keys and values `[frames, heads · head_size]`.
    ///
    /// # Panics
    /// If there is no room for them.
    pub fn append(&mut self, keys: &[f32], values: &[f32]) {
        let channels = self.heads * self.head_size;
        assert_eq!(keys.len(), values.len(), "a value for every key");
        for (key, value) in keys.chunks_exact(channels).zip(values.chunks_exact(channels)) {
            assert!(self.frames < self.capacity, "room was made for all frames");
            let (tile, lane) = (self.frames / FRAME_TILE, self.frames % FRAME_TILE);
            if lane == 0 {
                self.clear_tile(tile);
            }
            let keys = self.keys.chunks_exact_mut(self.head_size * self.capacity);
            for (keys, key) in keys.zip(key.chunks_exact(self.head_size)) {
                let (rows, _) = keys[tile * self.head_size * FRAME_TILE..].as_chunks_mut::<FRAME_TILE>();
                for (row, &key) in rows.iter_mut().zip(key) {
                    row[lane] = key;
                }
            }
            let values = self.values.chunks_exact_mut(self.padded_size * self.capacity);
            for (values, value) in values.zip(value.chunks_exact(self.head_size)) {
                values[self.frames * self.padded_size..][..self.head_size].copy_from_slice(value);
            }
            self.frames += 1;
        }
    }

    /// Makes a tile zero: frames that were there before leave nothing.
    fn clear_tile(&mut self, tile: usize) {
        let (keys, values) = (self.head_size * FRAME_TILE, self.padded_size * FRAME_TILE);
        for head in self.keys.chunks_exact_mut(self.head_size * self.capacity) {
            head[tile * keys..][..keys].fill(0.0);
        }
        for head in self.values.chunks_exact_mut(self.padded_size * self.capacity) {
            head[tile * values..][..values].fill(0.0);
        }
    }

    /// Forgets all frames from `frames` on.
    pub fn truncate(&mut self, frames: usize) {
        self.frames = self.frames.min(frames);
    }

    /// `softmax(q · Kᵀ / √head_size) · V` for queries `[n, heads · head_size]`, written to `out` in the same shape.
    /// `scores` is kept from call to call, so that nothing is allocated.
    ///
    /// # Panics
    /// If the cache is empty or the shapes differ.
    pub fn attend(&self, queries: &[f32], scores: &mut Vec<f32>, out: &mut [f32]) {
        let channels = self.heads * self.head_size;
        // Head by head, so that a head's keys and values stay in the cache for all queries.
        for head in 0..self.heads {
            let mut query = 0;
            while query + QUERY_TILE <= queries.len() / channels {
                self.attend_rows::<QUERY_TILE>(head, query, self.frames, queries, scores, out);
                query += QUERY_TILE;
            }
            for query in query..queries.len() / channels {
                self.attend_rows::<1>(head, query, self.frames, queries, scores, out);
            }
        }
    }

    /// [`KvCache::attend`] where the last query belongs to the last frame, and no query sees the frames after its own.
    ///
    /// # Panics
    /// If there are fewer frames than queries or the shapes differ.
    pub fn attend_causal(&self, queries: &[f32], scores: &mut Vec<f32>, out: &mut [f32]) {
        let rows = queries.len() / (self.heads * self.head_size);
        for head in 0..self.heads {
            for query in 0..rows {
                self.attend_rows::<1>(head, query, self.frames - (rows - 1 - query), queries, scores, out);
            }
        }
    }

    /// One head's `softmax(q · Kᵀ / √head_size)` for a query `[head_size]`, written to `out` `[frames]`.
    ///
    /// # Panics
    /// If the cache is empty or the shapes differ.
    pub fn probabilities(&self, head: usize, query: &[f32], scores: &mut Vec<f32>, out: &mut [f32]) {
        assert!(self.frames > 0 && query.len() == self.head_size, "frames to attend to, and a query of this shape");
        scores.resize(QUERY_TILE * self.capacity, 0.0);
        self.score::<1>(head, self.frames.next_multiple_of(FRAME_TILE), [query], scores);
        out.copy_from_slice(&scores[..self.frames]);
        softmax(out, 1.0 / (self.head_size as f32).sqrt());
    }

    /// One head's part of `ROWS` queries from `first` on, over the first `frames` frames.
    fn attend_rows<const ROWS: usize>(
        &self,
        head: usize,
        first: usize,
        frames: usize,
        queries: &[f32],
        scores: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        assert!(frames > 0 && queries.len() == out.len(), "frames to attend to, and an output for every query");
        scores.resize(QUERY_TILE * self.capacity, 0.0);
        let used = frames.next_multiple_of(FRAME_TILE);
        let channels = self.heads * self.head_size;
        let start = |row: usize| (first + row) * channels + head * self.head_size;
        let queries: [&[f32]; ROWS] = std::array::from_fn(|row| &queries[start(row)..][..self.head_size]);
        self.score::<ROWS>(head, used, queries, scores);
        let scale = 1.0 / (self.head_size as f32).sqrt();
        let sums: [f32; ROWS] = std::array::from_fn(|row| {
            let (frames, padding) = scores[row * self.capacity..][..used].split_at_mut(frames);
            padding.fill(0.0);
            exponentials(frames, scale)
        });
        for dimension in (0..self.padded_size).step_by(4 * VALUE_TILE) {
            let tile = match (self.padded_size - dimension) / 4 {
                1 => self.weigh::<ROWS, 1>(head, used, dimension, scores),
                2 => self.weigh::<ROWS, 2>(head, used, dimension, scores),
                _ => self.weigh::<ROWS, VALUE_TILE>(head, used, dimension, scores),
            };
            for row in 0..ROWS {
                let out = &mut out[start(row)..][..self.head_size];
                for (out, value) in out[dimension..].iter_mut().zip(tile[row].as_flattened()) {
                    *out = value / sums[row];
                }
            }
        }
    }

    /// Products of `ROWS` queries with a head's first `used` keys (whole tiles), in rows of `capacity`.
    #[inline]
    fn score<const ROWS: usize>(&self, head: usize, used: usize, queries: [&[f32]; ROWS], scores: &mut [f32]) {
        let keys = &self.keys[head * self.head_size * self.capacity..][..self.head_size * used];
        for (tile, keys) in keys.chunks_exact(self.head_size * FRAME_TILE).enumerate() {
            let (keys, _) = keys.as_chunks::<FRAME_TILE>();
            let mut sums = [[F32x4::splat(0.0); 2]; ROWS];
            let (quads, rest) = keys.as_chunks::<4>();
            // Four dimensions an iteration: the host may check its deadline in each.
            for (quad, keys) in quads.iter().enumerate() {
                let queries: [&[f32; 4]; ROWS] =
                    std::array::from_fn(|row| queries[row][4 * quad..].first_chunk().expect("a query for every key"));
                for (dimension, keys) in keys.iter().enumerate() {
                    add_scores(&mut sums, keys, queries.map(|query| query[dimension]));
                }
            }
            for (dimension, keys) in (4 * quads.len()..).zip(rest) {
                add_scores(&mut sums, keys, queries.map(|query| query[dimension]));
            }
            for (row, sums) in sums.iter().enumerate() {
                let to = &mut scores[row * self.capacity + tile * FRAME_TILE..][..FRAME_TILE];
                to.copy_from_slice([sums[0].to_array(), sums[1].to_array()].as_flattened());
            }
        }
    }

    /// Sums of a head's first `used` values (whole tiles) weighted by `scores`, for `4 · VECTORS` dimensions from `dimension` on.
    #[inline]
    fn weigh<const ROWS: usize, const VECTORS: usize>(
        &self,
        head: usize,
        used: usize,
        dimension: usize,
        scores: &[f32],
    ) -> [[[f32; 4]; VALUE_TILE]; ROWS] {
        let mut sums = [[F32x4::splat(0.0); VECTORS]; ROWS];
        let values = &self.values[head * self.padded_size * self.capacity..][..self.padded_size * used];
        for (tile, values) in values.chunks_exact(self.padded_size * FRAME_TILE).enumerate() {
            let weights: [&[f32; FRAME_TILE]; ROWS] = std::array::from_fn(|row| {
                scores[row * self.capacity + tile * FRAME_TILE..].first_chunk().expect("scores in whole tiles")
            });
            for (frame, values) in values.chunks_exact(self.padded_size).enumerate().take(FRAME_TILE) {
                let (values, _) = values[dimension..].as_chunks::<4>();
                let values: [F32x4; VECTORS] = std::array::from_fn(|i| F32x4::load(&values[i]));
                for (sums, weights) in sums.iter_mut().zip(&weights) {
                    let weight = F32x4::splat(weights[frame]);
                    *sums = std::array::from_fn(|i| sums[i].add_product(weight, values[i]));
                }
            }
        }
        let mut out = [[[0.0; 4]; VALUE_TILE]; ROWS];
        for (out, sums) in out.iter_mut().zip(sums) {
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = sum.to_array();
            }
        }
        out
    }
}

/// Adds one dimension's products to the scores of a tile.
#[inline(always)]
fn add_scores<const ROWS: usize>(sums: &mut [[F32x4; 2]; ROWS], keys: &[f32; FRAME_TILE], queries: [f32; ROWS]) {
    let (quarters, _) = keys.as_chunks::<4>();
    let (low, high) = (F32x4::load(&quarters[0]), F32x4::load(&quarters[1]));
    for (sums, query) in sums.iter_mut().zip(queries) {
        let query = F32x4::splat(query);
        *sums = [sums[0].add_product(query, low), sums[1].add_product(query, high)];
    }
}

/// Turns scores into probabilities, e^(scale · score) over their sum, in place.
pub(crate) fn softmax(scores: &mut [f32], scale: f32) {
    let sum = exponentials(scores, scale);
    scores.iter_mut().for_each(|score| *score /= sum);
}

/// Turns scores into e^(scale · (score − largest)), in place, and gives their sum.
#[inline(never)]
fn exponentials(scores: &mut [f32], scale: f32) -> f32 {
    let (chunks, rest) = scores.as_chunks_mut::<4>();
    let mut highest = F32x4::splat(f32::NEG_INFINITY);
    for chunk in chunks.iter() {
        highest = highest.max(F32x4::load(chunk));
    }
    let highest = highest.to_array().iter().chain(&*rest).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
    let (highest, scale) = (F32x4::splat(highest), F32x4::splat(scale));
    let exp = Exp::read();
    let mut sums = F32x4::splat(0.0);
    for chunk in chunks {
        let exponential = exp.of(F32x4::load(chunk).sub(highest).mul(scale));
        sums = sums.add(exponential);
        exponential.store(chunk);
    }
    let mut sum: f32 = sums.to_array().iter().sum();
    for score in rest {
        *score = exp.of(F32x4::splat(*score).sub(highest).mul(scale)).to_array()[0];
        sum += *score;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::KvCache;
    use crate::kernels::testing::{Noise, attention as reference, probabilities};

    #[test]
    fn attention_follows_its_definition_over_odd_shapes() {
        let mut noise = Noise::new(11);
        let shapes = [(1, 1, 1, 2), (1, 5, 2, 3), (4, 9, 8, 36), (17, 17, 3, 5), (7, 130, 2, 64), (5, 8, 2, 52)];
        for (queries, frames, heads, size) in shapes {
            let channels = heads * size;
            let [q, k, v] = [queries, frames, frames].map(|count| noise.take(count * channels));
            let mut cache = KvCache::with_capacity(heads, size, frames);
            cache.append(&k, &v);
            let mut out = vec![f32::NAN; q.len()];
            cache.attend(&q, &mut Vec::new(), &mut out);
            for (is, want) in out.iter().zip(reference(&q, &k, &v, heads, size)) {
                assert!((f64::from(*is) - want).abs() < 2e-6, "{queries} × {frames}, {heads} × {size}: {is}, {want}");
            }
        }
    }

    #[test]
    fn probabilities_follow_their_definition_over_odd_shapes() {
        let mut noise = Noise::new(4);
        for (frames, heads, size) in [(1, 1, 2), (5, 2, 3), (9, 8, 36), (130, 3, 52)] {
            let [k, v] = [frames, frames].map(|count| noise.take(count * heads * size));
            // Room for more leaves no trace.
            let mut cache = KvCache::with_capacity(heads, size, frames + 20);
            cache.append(&k, &v);
            let mut out = vec![f32::NAN; frames];
            for head in 0..heads {
                let query = noise.take(size);
                cache.probabilities(head, &query, &mut Vec::new(), &mut out);
                for (is, want) in out.iter().zip(probabilities(&query, &k, heads, head)) {
                    assert!((f64::from(*is) - want).abs() < 1e-6, "{frames}, head {head} of {heads} × {size}");
                }
            }
        }
    }

    #[test]
    fn queries_give_the_same_bits_alone_and_together_and_frames_one_by_one() {
        let mut noise = Noise::new(5);
        let [q, k, v] = [6, 11, 11].map(|count| noise.take(count * 12));
        let mut whole = KvCache::with_capacity(3, 4, 11);
        whole.append(&k, &v);
        let mut together = vec![0.0; q.len()];
        whole.attend(&q, &mut Vec::new(), &mut together);

        // More room than frames, filled frame by frame.
        let mut grown = KvCache::with_capacity(3, 4, 40);
        for (k, v) in k.chunks(12).zip(v.chunks(12)) {
            grown.append(k, v);
        }
        assert_eq!(grown.frames(), 11);
        for (query, want) in q.chunks(12).zip(together.chunks(12)) {
            let mut alone = [0.0; 12];
            grown.attend(query, &mut Vec::new(), &mut alone);
            assert_eq!(alone.map(f32::to_bits).as_slice(), want.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn causal_queries_give_the_bits_that_they_give_as_frames_come() {
        let mut noise = Noise::new(8);
        let [q, k, v] = [11, 11, 11].map(|count| noise.take(count * 12));
        let mut scores = Vec::new();
        let mut grown = KvCache::with_capacity(3, 4, 20);
        let mut one_by_one = vec![0.0; q.len()];
        for ((q, out), (k, v)) in q.chunks(12).zip(one_by_one.chunks_mut(12)).zip(k.chunks(12).zip(v.chunks(12))) {
            grown.append(k, v);
            grown.attend(q, &mut scores, out);
        }
        // Frames that were there and are forgotten leave no trace.
        let mut whole = KvCache::with_capacity(3, 4, 20);
        whole.append(&k, &v);
        whole.truncate(3);
        whole.append(&k[3 * 12..], &v[3 * 12..]);
        let mut together = vec![0.0; 8 * 12];
        whole.attend_causal(&q[3 * 12..], &mut scores, &mut together);
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&together), bits(&one_by_one[3 * 12..]));
    }

    #[test]
    fn large_scores_do_not_overflow() {
        let mut cache = KvCache::with_capacity(1, 4, 2);
        cache.append(&[1e4, 0.0, 0.0, 0.0, -1e4, 0.0, 0.0, 0.0], &[1.0, 2.0, 3.0, 4.0, 9.0, 9.0, 9.0, 9.0]);
        let mut out = [0.0; 4];
        cache.attend(&[1e4, 0.0, 0.0, 0.0], &mut Vec::new(), &mut out);
        assert_eq!(out, [1.0, 2.0, 3.0, 4.0]);
    }
}
