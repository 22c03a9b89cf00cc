//! Rotary position embedding of interleaved pairs, on the first dimensions of each head.
//!
//! Su et al., "RoFormer" (2021), eq. 34, with the pairs `(0, 1), (2, 3), …` as the paper has them.

use candle_core::Tensor;

use super::{matrix, with_slice};
use crate::error::Error;

/// The angles of every position, up to the longest sequence.
#[derive(Debug)]
pub struct RotaryEmbedding {
    /// Rotated dimensions of a head; even.
    dimensions: usize,
    frequencies: Vec<f32>,
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

    /// Rotates `x` `[frames, heads · head_size]`, whose first frame is at `position`.
    ///
    /// # Errors
    /// [`Error::Internal`] where the shapes do not fit.
    pub fn forward(&self, x: &Tensor, head_size: usize, position: usize) -> Result<Tensor, Error> {
        let (frames, channels) = x.dims2()?;
        let mut values = with_slice(x, <[f32]>::to_vec)?;
        for (frame, row) in values.chunks_exact_mut(channels).enumerate() {
            let angles = self.frequencies.iter().map(|&frequency| (position + frame) as f32 * frequency);
            let turns: Vec<_> = angles.map(f32::sin_cos).collect();
            for head in row.chunks_exact_mut(head_size) {
                for (pair, &(sin, cos)) in head[..self.dimensions].chunks_exact_mut(2).zip(&turns) {
                    let (even, odd) = (pair[0], pair[1]);
                    pair[0] = even * cos - odd * sin;
                    pair[1] = odd * cos + even * sin;
                }
            }
        }
        matrix(values, frames, channels)
    }
}

#[cfg(test)]
mod tests {
    use super::RotaryEmbedding;
    use crate::kernels::testing::Noise;
    use crate::nn::matrix;

    #[test]
    fn pairs_turn_by_position_and_the_rest_of_each_head_stays() {
        let x = Noise::new(4).take(3 * 2 * 6);
        let rope = RotaryEmbedding::new(4, 10_000.0);
        let out = rope.forward(&matrix(x.clone(), 3, 12).expect("a matrix"), 6, 5).expect("shapes fit");
        for (frame, row) in out.to_vec2::<f32>().expect("floats").iter().enumerate() {
            for head in 0..2 {
                let at = |i: usize| f64::from(x[frame * 12 + head * 6 + i]);
                for pair in 0..2 {
                    let angle = (5 + frame) as f64 / 10_000f64.powf(pair as f64 / 2.0);
                    let (a, b) = (at(2 * pair), at(2 * pair + 1));
                    let want = [a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()];
                    for (i, want) in want.into_iter().enumerate() {
                        let is = f64::from(row[head * 6 + 2 * pair + i]);
                        assert!((is - want).abs() < 1e-5, "{is}, {want}");
                    }
                }
                assert_eq!(row[head * 6 + 4..][..2], x[frame * 12 + head * 6 + 4..][..2]);
            }
        }
    }
}
