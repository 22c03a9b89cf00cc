//! Attention of many heads in 8 bits, a few queries at a time: the whole score matrix never stands in memory.
//!
//! Queries are −63..=63 and keys 1..=127 around 64, each with a scale per frame and head; probabilities are `0..=127`,
//! relative to the largest; values are −63..=63 with a scale per channel. Sums are integers, so that neither the order nor
//! the tiles matter to the result.
//!
//! ```text
//! score[t] = (Σ q·k[t] − 64 · Σ q) · scale[t] · (query_scale / √head_size)
//! p[t]     = round(127 · e^(score[t] − highest))
//! out[d]   = Σ p·v[d] / Σ p · value_scale[d]
//! ```

mod quantize;
mod softmax;
mod weigh;

use std::ops::Range;

use super::tile::{
    CHUNK, FOUR_GROUPS, GROUP, LANES, LONG, QUAD, ROWS_SIGNED, TILE_ROWS, TILE_ROWS_LONG, TILE_VECTORS, TWO_GROUPS,
    tile,
};
use super::variant;
use crate::kernels::attention::softmax;
use crate::kernels::lanes::{F32x4, I32x4};
use quantize::quantize_query;
use softmax::probabilities_of;

/// Frames whose keys are packed together.
const FRAMES: usize = 16;
/// Vectors of scores of so many frames.
const FRAME_VECTORS: usize = FRAMES / LANES;
/// Queries that are handled before the next ones: their scores stay in the first-level cache.
const QUERY_BLOCK: usize = 4;
/// Vectors of a value that are summed at once.
const VALUE_VECTORS: usize = 3;
/// The largest magnitude of a quantized query, key or value: two groups' products with 0..=127 then fit 16 bits.
const SIGNED_MAX: f32 = 63.0;
/// What stands for 0 in a quantized key.
const KEY_ZERO: i32 = 64;

/// Keys and values of all frames, for any number of heads.
#[derive(Debug, Clone, Default)]
pub struct Int8KeyValues {
    heads: usize,
    head_size: usize,
    frames: usize,
    /// Frames in whole groups of [`FRAMES`].
    padded_frames: usize,
    /// Head size in whole quads, as keys are padded.
    padded_size: usize,
    /// For each head, panels of [`FRAMES`] frames by `padded_size` dimensions.
    keys: Vec<u8>,
    /// `[heads, padded_frames]`.
    key_scales: Vec<f32>,
    /// For each head, panels of [`VALUE_VECTORS`] vectors of dimensions (the last of what is left) by `padded_frames`
    /// frames.
    values: Vec<u8>,
    /// `[heads, padded_size]`.
    value_scales: Vec<f32>,
    /// What values are multiplied with, `[heads, head_size]`: only while they are filled in.
    value_factors: Vec<f32>,
}

/// What [`Int8KeyValues::attend`] works in, kept from call to call so that nothing is allocated.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    /// `[QUERY_BLOCK, padded_frames]`.
    scores: Vec<f32>,
    /// `[QUERY_BLOCK, padded_frames]`.
    probabilities: Vec<u8>,
    /// `[QUERY_BLOCK, head size in whole chunks]`.
    queries: Vec<u8>,
    /// What is known of each.
    quantized: [Query; QUERY_BLOCK],
    /// Frames that some queries give weight to.
    weighed: Vec<Range<usize>>,
}

/// A quantized query.
#[derive(Debug, Clone, Copy, Default)]
struct Query {
    /// The largest magnitude before.
    largest: f32,
    /// Σ q.
    sum: i32,
    /// Whether it fits [`FOUR_GROUPS`], as nearly all do.
    fits_four_groups: bool,
    /// The largest score of all frames.
    highest: f32,
}

impl Int8KeyValues {
    /// Nothing yet, for heads of this shape.
    #[must_use]
    pub fn new(heads: usize, head_size: usize) -> Self {
        Self { heads, head_size, padded_size: head_size.next_multiple_of(QUAD), ..Self::default() }
    }

    /// Frames it holds.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Where the panel that begins with four dimensions of a head begins in [`Int8KeyValues::values`].
    fn value_panel(&self, head: usize, vector: usize) -> usize {
        (head * self.padded_size + vector * LANES) * self.padded_frames
    }

    /// `softmax(q · Kᵀ / √head_size) · V` for queries `[n, heads · head_size]`, written to `out` in the same shape.
    ///
    /// # Panics
    /// If there are no frames or the shapes differ.
    pub fn attend(&self, queries: &[f32], scratch: &mut Scratch, out: &mut [f32]) {
        let channels = self.heads * self.head_size;
        assert!(self.frames > 0 && queries.len() == out.len() && queries.len().is_multiple_of(channels));
        self.fit(scratch);
        // Head by head, so that a head's keys and values stay in the cache for all queries.
        for head in 0..self.heads {
            let blocks = queries.chunks(QUERY_BLOCK * channels).zip(out.chunks_mut(QUERY_BLOCK * channels));
            for (queries, out) in blocks {
                if variant::short_sums() {
                    self.attend_block::<TILE_ROWS, TWO_GROUPS>(head, queries, scratch, out);
                } else {
                    self.attend_block::<TILE_ROWS_LONG, LONG>(head, queries, scratch, out);
                }
            }
        }
    }

    /// One head's `softmax(q · Kᵀ / √head_size)` for a query `[head_size]`, written to `out` `[frames]`: the probabilities
    /// that [`Int8KeyValues::attend`] rounds.
    ///
    /// # Panics
    /// If there are no frames or the shapes differ.
    pub fn probabilities(&self, head: usize, query: &[f32], scratch: &mut Scratch, out: &mut [f32]) {
        assert!(self.frames > 0 && query.len() == self.head_size, "frames to attend to, and a query of this shape");
        self.fit(scratch);
        let row_bytes = self.head_size.next_multiple_of(CHUNK);
        scratch.quantized[0] = quantize_query(query, &mut scratch.queries[..row_bytes]);
        if variant::short_sums() {
            self.score_rows::<1, FRAME_VECTORS, TWO_GROUPS>(head, 0, scratch);
        } else {
            self.score_rows::<1, FRAME_VECTORS, LONG>(head, 0, scratch);
        }
        out.copy_from_slice(&scratch.scores[..self.frames]);
        softmax(out, scratch.quantized[0].largest / SIGNED_MAX / (self.head_size as f32).sqrt());
    }

    /// Makes room for all that is worked in.
    fn fit(&self, scratch: &mut Scratch) {
        scratch.scores.resize(QUERY_BLOCK * self.padded_frames, 0.0);
        scratch.probabilities.resize(QUERY_BLOCK * self.padded_frames, 0);
        scratch.queries.resize(QUERY_BLOCK * self.head_size.next_multiple_of(CHUNK), 0);
        scratch.weighed.clear();
        scratch.weighed.reserve(self.padded_frames / CHUNK);
    }

    /// One head's part of up to [`QUERY_BLOCK`] queries.
    fn attend_block<const ROWS: usize, const TOGETHER: usize>(
        &self,
        head: usize,
        queries: &[f32],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let channels = self.heads * self.head_size;
        let count = queries.len() / channels;
        let row_bytes = self.head_size.next_multiple_of(CHUNK);
        let to = scratch.queries.chunks_exact_mut(row_bytes).zip(&mut scratch.quantized);
        for (query, (to, quantized)) in queries.chunks_exact(channels).zip(to) {
            *quantized = quantize_query(&query[head * self.head_size..][..self.head_size], to);
        }
        let tiled = count / ROWS * ROWS;
        for row in (0..tiled).step_by(ROWS) {
            self.score_rows::<ROWS, TILE_VECTORS, TOGETHER>(head, row, scratch);
        }
        for row in tiled..count {
            self.score_rows::<1, FRAME_VECTORS, TOGETHER>(head, row, scratch);
        }
        // What a query's scores are multiplied with to be exponents of 2, but for its own scale.
        let exponent_scale = std::f32::consts::LOG2_E / (self.head_size as f32).sqrt();
        let mut sums = [0; QUERY_BLOCK];
        for (row, sum) in sums.iter_mut().enumerate().take(count) {
            let scores = &mut scratch.scores[row * self.padded_frames..][..self.padded_frames];
            let probabilities = &mut scratch.probabilities[row * self.padded_frames..][..self.padded_frames];
            let Query { largest, highest, .. } = scratch.quantized[row];
            let exponent_scale = largest / SIGNED_MAX * exponent_scale;
            *sum = probabilities_of(scores, self.frames, highest, exponent_scale, probabilities);
        }
        for row in (0..tiled).step_by(ROWS) {
            self.weigh_rows::<ROWS, TOGETHER>(head, row, &sums, scratch, out);
        }
        for row in tiled..count {
            self.weigh_rows::<1, TOGETHER>(head, row, &sums, scratch, out);
        }
    }

    /// Scores of `ROWS` queries from `row` on with every frame, in units of the query's scale, and the largest of each query.
    #[inline(always)]
    fn score_rows<const ROWS: usize, const VECTORS: usize, const TOGETHER: usize>(
        &self,
        head: usize,
        row: usize,
        scratch: &mut Scratch,
    ) {
        if TOGETHER == TWO_GROUPS && scratch.quantized[row..][..ROWS].iter().all(|query| query.fits_four_groups) {
            self.score::<ROWS, VECTORS, FOUR_GROUPS>(head, row, scratch);
        } else {
            self.score::<ROWS, VECTORS, TOGETHER>(head, row, scratch);
        }
    }

    /// [`Int8KeyValues::score_rows`], in one of the ways to add up.
    #[inline(never)]
    fn score<const ROWS: usize, const VECTORS: usize, const TOGETHER: usize>(
        &self,
        head: usize,
        row: usize,
        scratch: &mut Scratch,
    ) {
        let row_bytes = self.head_size.next_multiple_of(CHUNK);
        let rows: [&[u8]; ROWS] = std::array::from_fn(|r| &scratch.queries[(row + r) * row_bytes..][..row_bytes]);
        let keys = &self.keys[head * self.padded_frames * self.padded_size..][..self.padded_frames * self.padded_size];
        let first_frame = head * self.padded_frames;
        let scales = self.key_scales[first_frame..][..self.padded_frames].as_chunks::<FRAMES>().0;
        let to = &mut scratch.scores[row * self.padded_frames..][..ROWS * self.padded_frames];
        let queries = &mut scratch.quantized[row..][..ROWS];
        let zeros: [I32x4; ROWS] = std::array::from_fn(|r| I32x4::splat(-KEY_ZERO * queries[r].sum));
        let panels = keys.chunks_exact(FRAMES * self.padded_size).zip(scales);
        let mut most = [F32x4::splat(f32::MIN); ROWS];
        let whole = self.frames / FRAMES;
        for (panel, (keys, scales)) in panels.enumerate() {
            for vector in (0..FRAME_VECTORS).step_by(VECTORS) {
                let keys = &keys[vector * LANES * GROUP..];
                let mut dots = zeros.map(|zero| [[zero; VECTORS]]);
                tile::<_, _, _, FRAME_VECTORS, TOGETHER, ROWS_SIGNED>(rows, [keys], self.padded_size, &mut dots);
                let scales = &scales.as_chunks::<LANES>().0[vector..];
                for (r, [dots]) in dots.iter().enumerate() {
                    let to = &mut to[r * self.padded_frames + panel * FRAMES + vector * LANES..][..VECTORS * LANES];
                    for (v, to) in to.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                        let scores = dots[v].to_f32().mul(F32x4::load(&scales[v]));
                        scores.store(to);
                        // Padding is not looked at.
                        if panel < whole {
                            most[r] = most[r].max(scores);
                        }
                    }
                }
            }
        }
        for (r, most) in most.iter().enumerate() {
            let rest = &to[r * self.padded_frames..][whole * FRAMES..self.frames];
            queries[r].highest = rest.iter().fold(most.highest_lane(), |a, &b| if b > a { b } else { a });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Int8KeyValues, Scratch, variant};
    use crate::kernels::testing::{Noise, attention as reference, probabilities};

    #[test]
    fn attention_in_eight_bits_stays_close_to_its_definition_over_odd_shapes() {
        let mut noise = Noise::new(11);
        let mut scratch = Scratch::default();
        let shapes = [(1, 1, 1, 2), (1, 5, 2, 3), (4, 9, 8, 36), (17, 17, 3, 5), (7, 130, 2, 64), (5, 33, 2, 52)];
        for (queries, frames, heads, size) in shapes {
            let channels = heads * size;
            let q: Vec<f32> = noise.take(queries * channels).iter().map(|x| 3.0 * x).collect();
            let [k, v] = [frames, frames].map(|count| noise.take(count * channels));
            let mut memory = Int8KeyValues::new(heads, size);
            memory.fill(&k, &v);
            assert_eq!(memory.frames(), frames);
            let mut out = vec![f32::NAN; q.len()];
            memory.attend(&q, &mut scratch, &mut out);
            for (is, want) in out.iter().zip(reference(&q, &k, &v, heads, size)) {
                assert!((f64::from(*is) - want).abs() < 0.03, "{queries} × {frames}, {heads} × {size}: {is}, {want}");
            }
        }
    }

    #[test]
    fn queries_whose_sums_do_not_fit_16_bits_give_what_32_bits_do() {
        let mut noise = Noise::new(13);
        let (frames, size) = (40, 36);
        let [k, v] = [1.0, 0.3].map(|low| noise.take(frames * size).iter().map(|x| low + 0.1 * x).collect::<Vec<_>>());
        let mut memory = Int8KeyValues::new(1, size);
        memory.fill(&k, &v);
        // All of one sign, which do not fit; by turns, which just do; and few that are large.
        let signs: [fn(usize) -> f32; 4] =
            [|_| 1.0, |_| -1.0, |i| 1.0 - 2.0 * (i % 2) as f32, |i| if i % 16 < 4 { 1.0 } else { -0.2 }];
        let fits = [false, false, true, true];
        let queries = signs.map(|sign| std::array::from_fn::<f32, 36, _>(|i| 0.7 * sign(i)));
        for (query, fits) in queries.iter().zip(fits) {
            assert_eq!(super::quantize_query(query, &mut [0; 48]).fits_four_groups, fits, "{query:?}");
        }
        let [mut short, mut long] = [[[f32::NAN; 36]; 4]; 2];
        for (short_sums, out) in [(true, &mut short), (false, &mut long)] {
            variant::set_short_sums(short_sums);
            memory.attend(queries.as_flattened(), &mut Scratch::default(), out.as_flattened_mut());
        }
        assert_eq!(short, long);
        for (is, want) in short.as_flattened().iter().zip(reference(queries.as_flattened(), &k, &v, 1, size)) {
            assert!((f64::from(*is) - want).abs() < 0.02, "{is}, {want}");
        }
    }

    #[test]
    fn frames_without_weight_are_passed_over_wherever_they_are() {
        let mut noise = Noise::new(6);
        let (frames, size) = (150, 4);
        let values = noise.take(frames * size);
        let cases: [&[[usize; 2]]; 5] =
            [&[[0, 16]], &[[5, 6], [20, 30], [100, 101]], &[[33, 34], [145, 150]], &[[0, 150]], &[[149, 150]]];
        for near in cases {
            let is_near = |frame: usize| near.iter().any(|&[first, end]| (first..end).contains(&frame));
            let keys: Vec<f32> =
                (0..frames).flat_map(|frame| [if is_near(frame) { 1.0 } else { -1.0 }, 0.0, 0.0, 0.0]).collect();
            let mut memory = Int8KeyValues::new(1, size);
            memory.fill(&keys, &values);
            // Two queries share a tile, and the third is alone; the second looks at the frames that the others do not.
            let queries = [40.0, -40.0, 40.0].map(|first| [first, 0.0, 0.0, 0.0]);
            let mut out = [[f32::NAN; 4]; 3];
            for short_sums in [false, true] {
                variant::set_short_sums(short_sums);
                memory.attend(queries.as_flattened(), &mut Scratch::default(), out.as_flattened_mut());
                for (out, looks_near) in out.iter().zip([true, false, true]) {
                    // Where there is no frame to look at, all are as far away.
                    let all = near == [[0, frames]];
                    let seen = (0..frames).filter(|&frame| all || is_near(frame) == looks_near);
                    for (dimension, is) in out.iter().enumerate() {
                        let seen: Vec<f32> = seen.clone().map(|frame| values[frame * size + dimension]).collect();
                        let want = seen.iter().sum::<f32>() / seen.len() as f32;
                        assert!((is - want).abs() < 0.5 / 63.0 + 1e-5, "{near:?}, {short_sums}: {is}, {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn probabilities_stay_close_to_their_definition_and_have_the_same_bits_in_every_variant() {
        let mut noise = Noise::new(4);
        let mut scratch = Scratch::default();
        for (frames, heads, size) in [(1, 1, 2), (5, 2, 3), (17, 8, 36), (130, 3, 52)] {
            let [k, v] = [frames, frames].map(|count| noise.take(count * heads * size));
            let mut memory = Int8KeyValues::new(heads, size);
            memory.fill(&k, &v);
            let [mut short, mut long] = [(); 2].map(|()| vec![f32::NAN; frames]);
            for head in 0..heads {
                let query: Vec<f32> = noise.take(size).iter().map(|x| 3.0 * x).collect();
                variant::set_short_sums(true);
                memory.probabilities(head, &query, &mut scratch, &mut short);
                variant::set_short_sums(false);
                memory.probabilities(head, &query, &mut scratch, &mut long);
                assert_eq!(short, long);
                for (is, want) in short.iter().zip(probabilities(&query, &k, heads, head)) {
                    assert!((f64::from(*is) - want).abs() < 0.03, "{frames}, head {head} of {heads} × {size}");
                }
            }
        }
    }

    #[test]
    fn queries_give_the_same_bits_alone_and_together_in_every_variant() {
        let mut noise = Noise::new(5);
        let (heads, size) = (3, 12);
        let channels = heads * size;
        let [q, k, v] = [7, 37, 37].map(|count| noise.take(count * channels));
        let mut memory = Int8KeyValues::new(heads, size);
        // Filled with more before: what was there is gone.
        memory.fill(&[1.0; 100 * 36], &[1.0; 100 * 36]);
        memory.fill(&k, &v);
        let mut together = vec![0.0; q.len()];
        memory.attend(&q, &mut Scratch::default(), &mut together);
        for short_sums in [false, true] {
            variant::set_short_sums(short_sums);
            let mut scratch = Scratch::default();
            for (query, want) in q.chunks(channels).zip(together.chunks(channels)) {
                let mut alone = vec![0.0; channels];
                memory.attend(query, &mut scratch, &mut alone);
                let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&alone), bits(want));
            }
        }
    }

    #[test]
    fn large_scores_choose_one_frame_and_zeros_choose_all() {
        let mut memory = Int8KeyValues::new(1, 4);
        memory.fill(&[1e4, 0.0, 0.0, 0.0, -1e4, 0.0, 0.0, 0.0], &[1.0, 2.0, 3.0, 4.0, 9.0, 9.0, 9.0, 9.0]);
        let mut out = [0.0; 4];
        let mut scratch = Scratch::default();
        memory.attend(&[1e4, 0.0, 0.0, 0.0], &mut scratch, &mut out);
        for (is, want) in out.into_iter().zip([1.0, 2.0, 3.0, 4.0]) {
            assert!((is - want).abs() < 9.0 / 127.0, "{is}, {want}");
        }
        memory.attend(&[0.0; 4], &mut scratch, &mut out);
        for (is, want) in out.into_iter().zip([5.0, 5.5, 6.0, 6.5]) {
            assert!((is - want).abs() < 9.0 / 127.0, "{is}, {want}");
        }
    }
}
