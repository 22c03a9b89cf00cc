//! Attention of many heads over keys and values, a few queries at a time: the whole score matrix never stands in memory.
//!
//! Keys and values lie in the order in which the loops read them, a head after the other. Keys lie transposed in tiles of
//! neighbouring frames, whose scores are computed side by side. What pads the last tile is zero and weighs nothing.

use super::activation::exp;
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

    /// `softmax(q · Kᵀ / √head_size) · V` for queries `[n, heads · head_size]`, written to `out` in the same shape.
    ///
    /// # Panics
    /// If the cache is empty or the shapes differ.
    pub fn attend(&self, queries: &[f32], out: &mut [f32]) {
        assert!(self.frames > 0 && queries.len() == out.len(), "frames to attend to, and an output for every query");
        let channels = self.heads * self.head_size;
        let mut scores = vec![0.0; QUERY_TILE * self.capacity];
        // Head by head, so that a head's keys and values stay in the cache for all queries.
        for head in 0..self.heads {
            let mut query = 0;
            while query + QUERY_TILE <= queries.len() / channels {
                self.attend_rows::<QUERY_TILE>(head, query, queries, out, &mut scores);
                query += QUERY_TILE;
            }
            for query in query..queries.len() / channels {
                self.attend_rows::<1>(head, query, queries, out, &mut scores);
            }
        }
    }

    /// One head's part of `ROWS` queries from `first` on. `scores` is room for `ROWS · capacity` values.
    fn attend_rows<const ROWS: usize>(
        &self,
        head: usize,
        first: usize,
        queries: &[f32],
        out: &mut [f32],
        scores: &mut [f32],
    ) {
        let channels = self.heads * self.head_size;
        let start = |row: usize| (first + row) * channels + head * self.head_size;
        let queries: [&[f32]; ROWS] = std::array::from_fn(|row| &queries[start(row)..][..self.head_size]);
        self.score::<ROWS>(head, queries, scores);
        let scale = 1.0 / (self.head_size as f32).sqrt();
        let sums: [f32; ROWS] = std::array::from_fn(|row| {
            let (frames, padding) = scores[row * self.capacity..][..self.used()].split_at_mut(self.frames);
            padding.fill(0.0);
            exponentials(frames, scale)
        });
        for dimension in (0..self.padded_size).step_by(4 * VALUE_TILE) {
            let tile = match (self.padded_size - dimension) / 4 {
                1 => self.weigh::<ROWS, 1>(head, dimension, scores),
                2 => self.weigh::<ROWS, 2>(head, dimension, scores),
                _ => self.weigh::<ROWS, VALUE_TILE>(head, dimension, scores),
            };
            for row in 0..ROWS {
                let out = &mut out[start(row)..][..self.head_size];
                for (out, value) in out[dimension..].iter_mut().zip(tile[row].as_flattened()) {
                    *out = value / sums[row];
                }
            }
        }
    }

    /// Frames in whole tiles.
    fn used(&self) -> usize {
        self.frames.next_multiple_of(FRAME_TILE)
    }

    /// Products of `ROWS` queries with every key of a head, in rows of `capacity`.
    #[inline]
    fn score<const ROWS: usize>(&self, head: usize, queries: [&[f32]; ROWS], scores: &mut [f32]) {
        let keys = &self.keys[head * self.head_size * self.capacity..][..self.head_size * self.used()];
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

    /// Sums of a head's values weighted by `scores`, for `4 · VECTORS` dimensions from `dimension` on.
    #[inline]
    fn weigh<const ROWS: usize, const VECTORS: usize>(
        &self,
        head: usize,
        dimension: usize,
        scores: &[f32],
    ) -> [[[f32; 4]; VALUE_TILE]; ROWS] {
        let mut sums = [[F32x4::splat(0.0); VECTORS]; ROWS];
        let values = &self.values[head * self.padded_size * self.capacity..][..self.padded_size * self.used()];
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

/// Turns scores into e^(scale · (score − largest)), in place, and gives their sum.
fn exponentials(scores: &mut [f32], scale: f32) -> f32 {
    const LANES: usize = 8;
    let mut highest = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = scores.as_chunks_mut::<LANES>();
    for chunk in chunks.iter() {
        for (highest, &score) in highest.iter_mut().zip(chunk) {
            *highest = if score > *highest { score } else { *highest };
        }
    }
    let highest = highest.iter().chain(rest.iter()).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for (sum, score) in sums.iter_mut().zip(chunk) {
            *score = exp((*score - highest) * scale);
            *sum += *score;
        }
    }
    for (sum, score) in sums.iter_mut().zip(rest) {
        *score = exp((*score - highest) * scale);
        *sum += *score;
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::KvCache;
    use crate::kernels::testing::Noise;

    /// Attention by its definition, one query, head and dimension at a time, in f64.
    fn reference(q: &[f32], k: &[f32], v: &[f32], heads: usize, size: usize) -> Vec<f64> {
        let channels = heads * size;
        let mut out = Vec::new();
        for query in q.chunks_exact(channels) {
            for channel in 0..channels {
                let head = channel / size * size;
                let score = |key: &[f32]| {
                    let products = (head..head + size).map(|i| f64::from(query[i]) * f64::from(key[i]));
                    (products.sum::<f64>() / (size as f64).sqrt()).exp()
                };
                let weights: Vec<f64> = k.chunks_exact(channels).map(score).collect();
                let values = v.chunks_exact(channels).map(|value| f64::from(value[channel]));
                let sum: f64 = weights.iter().zip(values).map(|(weight, value)| weight * value).sum();
                out.push(sum / weights.iter().sum::<f64>());
            }
        }
        out
    }

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
            cache.attend(&q, &mut out);
            for (is, want) in out.iter().zip(reference(&q, &k, &v, heads, size)) {
                assert!((f64::from(*is) - want).abs() < 2e-6, "{queries} × {frames}, {heads} × {size}: {is}, {want}");
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
        whole.attend(&q, &mut together);

        // More room than frames, filled frame by frame.
        let mut grown = KvCache::with_capacity(3, 4, 40);
        for (k, v) in k.chunks(12).zip(v.chunks(12)) {
            grown.append(k, v);
        }
        assert_eq!(grown.frames(), 11);
        for (query, want) in q.chunks(12).zip(together.chunks(12)) {
            let mut alone = [0.0; 12];
            grown.attend(query, &mut alone);
            assert_eq!(alone.map(f32::to_bits).as_slice(), want.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn large_scores_do_not_overflow() {
        let mut cache = KvCache::with_capacity(1, 4, 2);
        cache.append(&[1e4, 0.0, 0.0, 0.0, -1e4, 0.0, 0.0, 0.0], &[1.0, 2.0, 3.0, 4.0, 9.0, 9.0, 9.0, 9.0]);
        let mut out = [0.0; 4];
        cache.attend(&[1e4, 0.0, 0.0, 0.0], &mut out);
        assert_eq!(out, [1.0, 2.0, 3.0, 4.0]);
    }
}
