//! The output projection: logits of all tokens from half the weights' bits, and of those that could be the best from all.
//!
//! A token's weights are `w = v + e`, where `v = (n − 7.5) · step` has 4 bits, and `e` is what is left. For activations `x`
//! (less their zero point) the logit is `(v·x + e·x) · scale`, and `|e·x| ≤ ‖e‖ · ‖x‖` (Cauchy and Schwarz). So the
//! products with `v`, of half as many bytes as those with `w`, tell which tokens cannot have the largest logit; nearly all
//! cannot. The others' logits are computed from `w`, and are those of [`Int8Matrix`](super::Int8Matrix), bit for bit.
//!
//! The logits of tokens that cannot be the best count in log-probabilities and entropies only, by the sum of their
//! exponentials. For that, each stands for `v·x + σ²/2`, where `σ² = ‖e‖² · ‖x‖² / columns` is the variance that `e·x` would
//! have by chance: the mean of the exponential of a normal variable. Those within [`NEAR`] of what could be the best are
//! computed from `w` too.

use super::nibbles::{self, NIBBLE_MAX};
use super::tile::{CHUNK, LANES, ROW_PANELS};
use super::{Int8Rows, PANEL, PANEL_VECTORS};
use crate::kernels::lanes::{F32x4, I32x4};

/// Logits that could be so near the largest are exact. In speech that leaves log-probabilities within 0.002 of what all exact
/// logits give, and entropies within 0.02, for some twenty tokens of 32 768.
const NEAR: f32 = 1.0;
/// Half of the numbers of 4 bits, in steps: they stand around 0.
const MIDDLE: f32 = 7.5;
/// The largest magnitude of a row's weights, in steps: the few beyond 8 are cut.
const STEPS_MAX: u32 = 12;
/// More than what rounding takes from a bound.
const SLACK: f32 = 1.001;

/// Token embeddings `[tokens, width]` that are the output projection too.
#[derive(Debug, Clone)]
pub struct Int8Vocabulary {
    tokens: usize,
    width: usize,
    /// Columns after padding to [`CHUNK`]; the padding is zero.
    stride: usize,
    /// Row-major `[tokens, width]`, with a scale per token.
    weights: Vec<i8>,
    scales: Vec<f32>,
    /// The numbers `n` of 4 bits, a panel of tokens after the other, tokens of padding zero.
    nibbles: Vec<u8>,
    /// Σ n of each token.
    sums: Vec<i32>,
    /// `step · scale` of each token.
    step_scales: Vec<f32>,
    /// The largest `‖e‖ · scale` of each panel's tokens.
    rests: Vec<f32>,
}

/// A row of activations.
struct Row<'a> {
    values: &'a [u8],
    zero: i32,
    scale: f32,
    /// Σ x.
    sum: i32,
    /// ‖x‖ · scale.
    length: f32,
}

impl Int8Vocabulary {
    /// Takes row-major weights `[tokens, width]` with one scale per token.
    ///
    /// # Panics
    /// If the lengths do not fit the shape: the loader makes them so.
    #[must_use]
    pub fn new(tokens: usize, width: usize, weights: Vec<i8>, scales: Vec<f32>) -> Self {
        assert_eq!(weights.len(), tokens * width, "one weight per element");
        assert_eq!(scales.len(), tokens, "one scale per token");
        let stride = width.next_multiple_of(CHUNK);
        let padded = tokens.next_multiple_of(PANEL);
        let mut vocabulary = Self {
            tokens,
            width,
            stride,
            nibbles: vec![0; padded / PANEL * nibbles::panel_bytes(stride)],
            sums: vec![0; padded],
            step_scales: vec![0.0; padded],
            rests: vec![0.0; padded / PANEL],
            weights,
            scales,
        };
        let mut numbers = vec![0; stride];
        for (token, (weights, &scale)) in vocabulary.weights.chunks_exact(width).zip(&vocabulary.scales).enumerate() {
            let coarse = Coarse::of(weights, &mut numbers[..width]);
            let (panel, channel) = (token / PANEL, token % PANEL);
            let bytes = nibbles::panel_bytes(stride);
            nibbles::pack(&numbers, channel, &mut vocabulary.nibbles[panel * bytes..][..bytes]);
            vocabulary.sums[token] = coarse.sum;
            vocabulary.step_scales[token] = coarse.step * scale;
            vocabulary.rests[panel] = vocabulary.rests[panel].max(coarse.rest * scale);
        }
        vocabulary
    }

    /// How many tokens there are.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Values of an embedding.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Writes a token's embedding as floats. `out` holds [`Int8Vocabulary::width`] values.
    pub fn embed(&self, token: usize, out: &mut [f32]) {
        let weights = &self.weights[token * self.width..][..self.width];
        out.iter_mut().zip(weights).for_each(|(out, &weight)| *out = f32::from(weight) * self.scales[token]);
    }

    /// Logits of all tokens for each row of activations, `[rows, tokens]`. The largest of a row, and all that may be within
    /// 1 of it, are exact; the others are as the module has them, and less than the largest.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    pub fn logits(&self, activations: &Int8Rows, out: &mut [f32]) {
        assert_eq!(activations.stride, self.stride, "activations and embeddings have the same width");
        assert_eq!(out.len(), activations.rows() * self.tokens, "one logit per row and token");
        for (row, out) in out.chunks_exact_mut(self.tokens).enumerate() {
            let row = Row::of(activations, row, self.width);
            let apart = self.rests.len() / ROW_PANELS;
            let mut highest = F32x4::splat(f32::NEG_INFINITY);
            for panel in 0..apart {
                self.coarse::<ROW_PANELS>(&row, panel, apart, out, &mut highest);
            }
            for panel in ROW_PANELS * apart..self.rests.len() {
                self.coarse::<1>(&row, panel, 0, out, &mut highest);
            }
            self.refine(&row, highest.highest_lane(), out);
        }
    }

    /// The naive reference of [`Int8Vocabulary::logits`]: all of them exact.
    pub fn logits_reference(&self, activations: &Int8Rows, out: &mut [f32]) {
        for (row, out) in out.chunks_exact_mut(self.tokens).enumerate() {
            let row = Row::of(activations, row, self.width);
            out.iter_mut().enumerate().for_each(|(token, out)| *out = self.exact(&row, token));
        }
    }

    /// The logit of a token from all bits of its weights.
    fn exact(&self, row: &Row, token: usize) -> f32 {
        let weights = &self.weights[token * self.width..][..self.width];
        let product = |(&w, &q): (&i8, &u8)| i32::from(w) * (i32::from(q) - row.zero);
        weights.iter().zip(row.values).map(product).sum::<i32>() as f32 * (row.scale * self.scales[token])
    }

    /// How far a token of the panel may be from what its 4 bits give, and what stands for it.
    fn rest(&self, row: &Row, panel: usize) -> (f32, f32) {
        let bound = self.rests[panel] * row.length * SLACK;
        // No more than the bound, so that what cannot be the best does not look so.
        (bound, (bound * bound / (2.0 * self.width as f32)).min(bound))
    }

    /// What 4 bits give of the tokens of `PANELS` panels that are `apart` from each other: memory gives more where it is read
    /// in places that are far from each other. Keeps the largest in `highest`.
    #[inline(never)]
    fn coarse<const PANELS: usize>(&self, row: &Row, first: usize, apart: usize, out: &mut [f32], highest: &mut F32x4) {
        let panel = |i: usize| first + i * apart;
        let bytes = nibbles::panel_bytes(self.stride);
        let panels: [&[u8]; PANELS] = std::array::from_fn(|i| &self.nibbles[panel(i) * bytes..][..bytes]);
        let vectors = |i: usize, v: usize| panel(i) * PANEL + v * LANES..panel(i) * PANEL + (v + 1) * LANES;
        let zero = I32x4::splat(-row.zero);
        let mut sums: [[I32x4; PANEL_VECTORS]; PANELS] = std::array::from_fn(|i| {
            std::array::from_fn(|v| zero.mul(I32x4::load(self.sums[vectors(i, v)].first_chunk().expect("four"))))
        });
        nibbles::add_products(row.values, panels, self.stride, &mut sums);
        let (scale, middle) = (F32x4::splat(row.scale), F32x4::splat(MIDDLE * row.sum as f32));
        for (i, sums) in sums.iter().enumerate() {
            let (_, by_chance) = self.rest(row, panel(i));
            let by_chance = F32x4::splat(by_chance);
            let logits: [F32x4; PANEL_VECTORS] = std::array::from_fn(|v| {
                let scales = F32x4::load(self.step_scales[vectors(i, v)].first_chunk().expect("four"));
                sums[v].to_f32().sub(middle).mul(scales.mul(scale)).add(by_chance)
            });
            // What pads the last panel is not looked at.
            for (v, logits) in logits.into_iter().enumerate() {
                match out.get_mut(vectors(i, v)).and_then(|out| out.as_mut_array()) {
                    Some(out) => {
                        logits.store(out);
                        *highest = highest.max(logits);
                    }
                    None => {
                        let there = out.get_mut(vectors(i, v).start..).unwrap_or_default();
                        for (to, logit) in there.iter_mut().zip(logits.to_array()) {
                            *to = logit;
                            *highest = highest.max(F32x4::splat(logit));
                        }
                    }
                }
            }
        }
    }

    /// Puts the exact logits of all tokens that could have the largest, or come near it, in their places; `highest` is the
    /// largest of what is there.
    #[inline(never)]
    fn refine(&self, row: &Row, highest: f32, out: &mut [f32]) {
        // The token whose 4 bits give most is nearly always the best.
        let panel = out.chunks(PANEL).position(|logits| any_at_least(logits, highest)).unwrap_or(0);
        let first = panel * PANEL;
        let likeliest = first + out[first..].iter().position(|&logit| logit == highest).unwrap_or(0);
        let mut best = self.exact(row, likeliest);
        for (panel, logits) in out.chunks_mut(PANEL).enumerate() {
            let (bound, by_chance) = self.rest(row, panel);
            let above = bound - by_chance + NEAR;
            if !any_at_least(logits, best - above) {
                continue;
            }
            for (i, logit) in logits.iter_mut().enumerate() {
                if *logit >= best - above {
                    *logit = self.exact(row, panel * PANEL + i);
                    best = best.max(*logit);
                }
            }
        }
    }
}

impl<'a> Row<'a> {
    fn of(activations: &'a Int8Rows, row: usize, width: usize) -> Self {
        let (values, zero, scale) = (activations.row(row), activations.zeros[row], activations.scales[row]);
        let centred = || values[..width].iter().map(|&q| i32::from(q) - zero);
        let squares: i32 = centred().map(|x| x * x).sum();
        Self { values, zero, scale, sum: centred().sum(), length: (squares as f32).sqrt() * scale }
    }
}

/// Whether any of up to [`PANEL`] logits is at least this large.
#[inline(always)]
fn any_at_least(logits: &[f32], least: f32) -> bool {
    match logits.as_chunks::<LANES>() {
        ([a, b, c, d], []) => {
            let [a, b, c, d] = [a, b, c, d].map(F32x4::load);
            a.max(b).max(c.max(d)).any_at_least(F32x4::splat(least))
        }
        _ => logits.iter().any(|&logit| logit >= least),
    }
}

/// A token's weights in 4 bits.
struct Coarse {
    /// Σ n.
    sum: i32,
    step: f32,
    /// ‖e‖.
    rest: f32,
}

impl Coarse {
    /// Writes the numbers `n`.
    fn of(weights: &[i8], numbers: &mut [u8]) -> Self {
        let largest = weights.iter().map(|w| w.unsigned_abs()).max().unwrap_or(0);
        // A power of two, so that its multiples are shifts.
        let shift = (0..4).find(|shift| u32::from(largest) <= STEPS_MAX << shift).unwrap_or(4);
        let (mut sum, mut squares) = (0, 0);
        for (number, &weight) in numbers.iter_mut().zip(weights) {
            let n = ((weight >> shift) + 8).clamp(0, NIBBLE_MAX.cast_signed());
            *number = n.cast_unsigned();
            sum += i32::from(n);
            // Twice what is left, which has a half in it.
            let rest = 2 * i32::from(weight) - ((2 * i32::from(n) - 15) << shift);
            squares += rest * rest;
        }
        Self { sum, step: f32::from(1u8 << shift), rest: (squares as f32).sqrt() / 2.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::Int8Vocabulary;
    use crate::kernels::int8::{Int8Matrix, Int8Rows, Output};
    use crate::kernels::testing::Noise;

    fn best(logits: &[f32]) -> (usize, f32) {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        (logits.iter().position(|&logit| logit == largest).expect("one of them"), largest)
    }

    /// The vocabulary, its weights and scales.
    fn vocabulary(noise: &mut Noise, tokens: usize, width: usize) -> (Int8Vocabulary, Vec<i8>, Vec<f32>) {
        // Rows of all magnitudes, some with few large weights.
        let weights: Vec<i8> = (0..tokens * width)
            .map(|i| {
                let magnitude = [20.0, 60.0, 90.0, 128.0][i / width % 4];
                (noise.next().powi(3) * magnitude).clamp(-128.0, 127.0) as i8
            })
            .collect();
        let scales: Vec<f32> = (0..tokens).map(|_| 0.01 + 0.002 * noise.next()).collect();
        (Int8Vocabulary::new(tokens, width, weights.clone(), scales.clone()), weights, scales)
    }

    #[test]
    fn the_best_logits_are_those_of_the_matrix_bit_for_bit_and_no_other_reaches_them() {
        let mut noise = Noise::new(5);
        for (rows, tokens, width) in [(1, 1, 1), (2, 17, 5), (3, 70, 24), (1, 640, 288), (8, 1000, 48), (2, 300, 300)] {
            let (vocabulary, weights, scales) = vocabulary(&mut noise, tokens, width);
            let matrix = Int8Matrix::pack(tokens, width, weights, scales);
            for spread in [0.0, 0.1, 3.0, 30.0] {
                let data: Vec<f32> = noise.take(rows * width).iter().map(|x| x * spread + 0.2 * spread).collect();
                let activations = Int8Rows::quantize(&data, rows, width, width);
                let [mut logits, mut exact, mut of_matrix] = [(); 3].map(|()| vec![f32::NAN; rows * tokens]);
                vocabulary.logits(&activations, &mut logits);
                vocabulary.logits_reference(&activations, &mut exact);
                matrix.multiply(&activations, None, Output::Replace, &mut of_matrix);
                assert_eq!(exact, of_matrix);
                for (logits, exact) in logits.chunks(tokens).zip(exact.chunks(tokens)) {
                    assert_eq!(best(logits), best(exact), "{tokens} × {width}, {spread}");
                    let near = best(exact).1 - super::NEAR;
                    assert!(logits.iter().zip(exact).all(|(is, exact)| *exact < near || is == exact));
                }
            }
        }
    }

    #[test]
    fn most_logits_are_not_computed_from_all_bits_and_the_sum_of_exponentials_hardly_differs() {
        let mut noise = Noise::new(9);
        let (tokens, width) = (4000, 288);
        let (vocabulary, weights, _) = vocabulary(&mut noise, tokens, width);
        // What a token's own embedding leads to, as in a trained model.
        let row: Vec<f32> =
            weights[77 * width..][..width].iter().map(|&w| f32::from(w) * 0.05 + noise.next()).collect();
        let activations = Int8Rows::quantize(&row, 1, width, width);
        let [mut logits, mut exact] = [(); 2].map(|()| vec![f32::NAN; tokens]);
        vocabulary.logits(&activations, &mut logits);
        vocabulary.logits_reference(&activations, &mut exact);
        assert_eq!(best(&logits).0, 77);
        let same = logits.iter().zip(&exact).filter(|(is, exact)| is == exact).count();
        assert!(same < tokens / 4, "{same} logits are exact");
        let sum = |logits: &[f32]| logits.iter().map(|&logit| f64::from(logit).exp()).sum::<f64>().ln();
        assert!((sum(&logits) - sum(&exact)).abs() < 0.01, "{} and {}", sum(&logits), sum(&exact));
    }

    #[test]
    fn the_first_of_equal_tokens_stays_the_first_wherever_it_stands() {
        let width = 32;
        for (tokens, first, second) in [(40, 3, 4), (40, 15, 39), (500, 100, 499)] {
            let mut weights = vec![1i8; tokens * width];
            for token in [first, second] {
                weights[token * width..][..width].fill(127);
            }
            let vocabulary = Int8Vocabulary::new(tokens, width, weights, vec![0.01; tokens]);
            let mut logits = vec![f32::NAN; tokens];
            vocabulary.logits(&Int8Rows::quantize(&vec![1.0; width], 1, width, width), &mut logits);
            assert_eq!(best(&logits).0, first);
            assert_eq!(logits[first].to_bits(), logits[second].to_bits());
        }
    }

    #[test]
    fn an_embedding_is_its_weights_times_its_scale() {
        let (vocabulary, weights, scales) = vocabulary(&mut Noise::new(4), 33, 20);
        let mut out = [0.0; 20];
        for token in [0, 16, 32] {
            vocabulary.embed(token, &mut out);
            assert!(out.iter().zip(&weights[token * 20..]).all(|(&is, &w)| is == f32::from(w) * scales[token]));
        }
    }
}
