//! Attention of many heads over keys and values, a few queries at a time: the whole score matrix never stands in memory.
//!
//! Keys lie transposed, one row per dimension, so that the scores of neighbouring frames are computed side by side.

use super::activation::exp;
use super::lanes::F32x4;

/// Scores are computed for so many frames at once.
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
    /// `[heads, head_size, capacity]`.
    keys: Vec<f32>,
    /// `[capacity, heads, padded_size]`.
    values: Vec<f32>,
}

impl KvCache {
    /// A cache without frames and with room for `capacity` of them.
    #[must_use]
    pub fn with_capacity(heads: usize, head_size: usize, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(FRAME_TILE);
        let padded_size = head_size.next_multiple_of(4);
        let keys = vec![0.0; heads * head_size * capacity];
        let values = vec![0.0; capacity * heads * padded_size];
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
            for (row, &key) in self.keys.chunks_exact_mut(self.capacity).zip(key) {
                row[self.frames] = key;
            }
            let width = self.heads * self.padded_size;
            let to = &mut self.values[self.frames * width..][..width];
            for (to, from) in to.chunks_exact_mut(self.padded_size).zip(value.chunks_exact(self.head_size)) {
                to[..self.head_size].copy_from_slice(from);
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
        let block = QUERY_TILE * channels;
        let whole = queries.len() / block * block;
        for (queries, out) in queries[..whole].chunks_exact(block).zip(out[..whole].chunks_exact_mut(block)) {
            self.attend_rows::<QUERY_TILE>(queries, out, &mut scores);
        }
        let rest = out[whole..].chunks_exact_mut(channels);
        for (query, out) in queries[whole..].chunks_exact(channels).zip(rest) {
            self.attend_rows::<1>(query, out, &mut scores);
        }
    }

    /// [`KvCache::attend`] for `ROWS` queries. `scores` is room for `ROWS · capacity` values.
    fn attend_rows<const ROWS: usize>(&self, queries: &[f32], out: &mut [f32], scores: &mut [f32]) {
        let channels = self.heads * self.head_size;
        let scale = 1.0 / (self.head_size as f32).sqrt();
        for head in 0..self.heads {
            let first = head * self.head_size;
            let queries: [&[f32]; ROWS] =
                std::array::from_fn(|row| &queries[row * channels + first..][..self.head_size]);
            self.score::<ROWS>(head, queries, scores);
            let sums: [f32; ROWS] =
                std::array::from_fn(|row| exponentials(&mut scores[row * self.capacity..][..self.frames], scale));
            for dimension in (0..self.padded_size).step_by(4 * VALUE_TILE) {
                let tile = match (self.padded_size - dimension) / 4 {
                    1 => self.weigh::<ROWS, 1>(head, dimension, scores),
                    2 => self.weigh::<ROWS, 2>(head, dimension, scores),
                    _ => self.weigh::<ROWS, VALUE_TILE>(head, dimension, scores),
                };
                for row in 0..ROWS {
                    let out = &mut out[row * channels + first..][..self.head_size];
                    for (out, value) in out[dimension..].iter_mut().zip(tile[row].as_flattened()) {
                        *out = value / sums[row];
                    }
                }
            }
        }
    }

    /// Products of `ROWS` queries with every key of a head, in rows of `capacity`.
    #[inline]
    fn score<const ROWS: usize>(&self, head: usize, queries: [&[f32]; ROWS], scores: &mut [f32]) {
        let keys = &self.keys[head * self.head_size * self.capacity..][..self.head_size * self.capacity];
        for frame in (0..self.frames).step_by(FRAME_TILE) {
            let mut sums = [[F32x4::splat(0.0); 2]; ROWS];
            for (dimension, row) in keys.chunks_exact(self.capacity).enumerate() {
                let tile = row[frame..].first_chunk::<FRAME_TILE>().expect("the capacity is whole tiles");
                let [low, high] = halves(tile);
                for (sums, query) in sums.iter_mut().zip(&queries) {
                    let query = F32x4::splat(query[dimension]);
                    sums[0] = sums[0].add_product(query, low);
                    sums[1] = sums[1].add_product(query, high);
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                let to = &mut scores[row * self.capacity + frame..][..FRAME_TILE];
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
        let first = head * self.padded_size + dimension;
        let width = self.heads * self.padded_size;
        let rows: [&[f32]; ROWS] = std::array::from_fn(|row| &scores[row * self.capacity..][..self.frames]);
        for (frame, values) in self.values.chunks_exact(width).take(self.frames).enumerate() {
            let (values, _) = values[first..].as_chunks::<4>();
            let values: [F32x4; VECTORS] = std::array::from_fn(|i| F32x4::load(&values[i]));
            for (sums, row) in sums.iter_mut().zip(&rows) {
                let weight = F32x4::splat(row[frame]);
                *sums = std::array::from_fn(|i| sums[i].add_product(weight, values[i]));
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

fn halves(tile: &[f32; FRAME_TILE]) -> [F32x4; 2] {
    let (quarters, _) = tile.as_chunks::<4>();
    [F32x4::load(&quarters[0]), F32x4::load(&quarters[1])]
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
