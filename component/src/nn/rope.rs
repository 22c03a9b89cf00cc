//! Rotary position embedding of interleaved pairs, on the first dimensions of each head.
//!
//! Su et al., "RoFormer" (2021), eq. 34, with the pairs `(0, 1), (2, 3), …` as the paper has them.

use crate::kernels::lanes::F32x4;

/// How fast each pair turns.
#[derive(Debug)]
pub struct RotaryEmbedding {
    /// Rotated dimensions of a head; even.
    dimensions: usize,
    /// Radians a position, one per pair.
    frequencies: Vec<f32>,
}

/// Sines and cosines of consecutive positions, which all heads and layers share.
#[derive(Debug, Default)]
pub struct Angles {
    /// For each position and pair, the cosine twice: what each of the two is multiplied with.
    cosines: Vec<[f32; 2]>,
    /// For each position and pair, the sine, negative and positive: what the other of the two is multiplied with.
    sines: Vec<[f32; 2]>,
}

impl RotaryEmbedding {
    /// Rotates the first `dimensions` (an even number) of each head with angles `position / base^(2i / dimensions)`.
    #[must_use]
    pub fn new(dimensions: usize, base: f32) -> Self {
        let frequencies = (0..dimensions / 2)
            .map(|pair| (f64::from(base).powf(-((2 * pair) as f64) / dimensions as f64)) as f32)
            .collect();
        Self { dimensions, frequencies }
    }

    /// Computes the angles of `count` positions from `first` on, in place of what was there.
    pub fn turn(&self, first: usize, count: usize, angles: &mut Angles) {
        angles.cosines.clear();
        angles.sines.clear();
        for position in first..first + count {
            for &frequency in &self.frequencies {
                let (sin, cos) = (position as f32 * frequency).sin_cos();
                angles.cosines.push([cos, cos]);
                angles.sines.push([-sin, sin]);
            }
        }
    }

    /// Rotates `x` `[frames, heads · head_size]` in place; `angles` holds those of its frames.
    #[inline(never)]
    pub fn rotate(&self, x: &mut [f32], channels: usize, head_size: usize, angles: &Angles) {
        // No dimension turns: there is nothing to split the angles by.
        if self.dimensions == 0 {
            return;
        }
        let pairs = self.dimensions / 2;
        let turns = angles.cosines.chunks_exact(pairs).zip(angles.sines.chunks_exact(pairs));
        for (row, (cosines, sines)) in x.chunks_exact_mut(channels).zip(turns) {
            let (cosines, cosines_rest) = cosines.as_flattened().as_chunks::<4>();
            let (sines, sines_rest) = sines.as_flattened().as_chunks::<4>();
            for head in row.chunks_exact_mut(head_size) {
                let (x, rest) = head[..self.dimensions].as_chunks_mut::<4>();
                for ((x, cosines), sines) in x.iter_mut().zip(cosines).zip(sines) {
                    let pairs = F32x4::load(x);
                    pairs.mul(F32x4::load(cosines)).add(pairs.swap_pairs().mul(F32x4::load(sines))).store(x);
                }
                if let ([even, odd], [cos, _], [_, sin]) = (rest, cosines_rest, sines_rest) {
                    (*even, *odd) = (*even * cos - *odd * sin, *odd * cos + *even * sin);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Angles, RotaryEmbedding};
    use crate::kernels::testing::Noise;

    #[test]
    fn pairs_turn_by_position_and_the_rest_of_each_head_stays() {
        for dimensions in [2, 4, 6] {
            check(dimensions);
        }
    }

    fn check(dimensions: usize) {
        let x = Noise::new(4).take(3 * 2 * 6);
        let rope = RotaryEmbedding::new(dimensions, 10_000.0);
        let mut angles = Angles::default();
        rope.turn(0, 9, &mut angles);
        rope.turn(5, 3, &mut angles);
        let mut out = x.clone();
        rope.rotate(&mut out, 12, 6, &angles);
        for (frame, row) in out.chunks(12).enumerate() {
            for head in 0..2 {
                let at = |i: usize| f64::from(x[frame * 12 + head * 6 + i]);
                for pair in 0..dimensions / 2 {
                    let angle = (5 + frame) as f64 / 10_000f64.powf(2.0 * pair as f64 / dimensions as f64);
                    let (a, b) = (at(2 * pair), at(2 * pair + 1));
                    let want = [a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()];
                    for (i, want) in want.into_iter().enumerate() {
                        let is = f64::from(row[head * 6 + 2 * pair + i]);
                        assert!((is - want).abs() < 1e-5, "{is}, {want}");
                    }
                }
                let still = dimensions..6;
                assert_eq!(row[head * 6..][still.clone()], x[frame * 12 + head * 6..][still]);
            }
        }
    }

    #[test]
    fn without_dimensions_nothing_turns() {
        let mut x = [1.0, 2.0];
        let rope = RotaryEmbedding::new(0, 10_000.0);
        let mut angles = Angles::default();
        rope.turn(3, 1, &mut angles);
        rope.rotate(&mut x, 2, 2, &angles);
        assert_eq!(x, [1.0, 2.0]);
    }
}
