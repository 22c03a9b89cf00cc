//! Scores into quantized probabilities, in lanes of 16 bits.
//!
//! A score's distance from the largest is an integer, of [`STEPS_PER_OCTAVE`] steps for each octave: a factor of two in its
//! probability. For `j` octaves and a fraction `f` of one, the probability is `127 · 2^−f · 2^−j`.

use crate::kernels::constants;
use crate::kernels::lanes::{F32x4, I32x4, ROUNDING};
use crate::kernels::lanes16::I16x8;

/// Steps of a distance in which the probability halves.
const STEPS_PER_OCTAVE: f32 = 2048.0;
/// Bits of a distance below its octaves.
const FRACTION_BITS: u32 = 11;
/// Octaves after which a probability rounds to 0.
const OCTAVES: i16 = 8;
/// The largest score, in steps, with which sums with [`ROUNDING`] are integers.
const NEAR: f32 = 2_097_152.0;
/// The least number of steps for a score of 1: the lowest score is then as far from the largest as 16 bits hold.
const STEPS_MIN: f32 = 1e-30;
/// Scores, a multiple of 16, whose probabilities sum to what 16 bits hold in each of eight lanes.
const SHORT_SUM: usize = 2048;

/// Probabilities of scores relative to the largest, `highest`, as `0..=127`, and their sum. Scores from `frames` on are padding
/// and get 0.
#[inline(never)]
pub(super) fn probabilities_of(
    scores: &mut [f32],
    frames: usize,
    mut highest: f32,
    exponent_scale: f32,
    probabilities: &mut [u8],
) -> i32 {
    // Not 0, so that what is far stays so.
    let steps = (exponent_scale * STEPS_PER_OCTAVE).max(STEPS_MIN);
    if (highest * steps).abs() > NEAR {
        scores.iter_mut().for_each(|score| *score -= highest);
        highest = 0.0;
    }
    scores[frames..].fill(f32::MIN);
    // A float of this size is an integer; and those of larger ones, which are no distances, are larger as integers too.
    let top = F32x4::splat(ROUNDING + highest * steps);
    let steps = F32x4::splat(steps);
    let [rounding] = constants::read(&[ROUNDING]);
    let distance = |scores: &[f32; 4]| top.sub(F32x4::load(scores).mul(steps));
    let power = Power::read();
    let mut sums = I32x4::splat(0);
    for (scores, to) in scores.chunks(SHORT_SUM).zip(probabilities.chunks_mut(SHORT_SUM)) {
        let mut short = I16x8::splat(0);
        for (scores, to) in scores.as_chunks::<16>().0.iter().zip(to.as_chunks_mut::<16>().0) {
            let (quarters, _) = scores.as_chunks::<4>();
            let halves = I16x8::both_rounded(std::array::from_fn(|i| distance(&quarters[i])), rounding);
            // A third of all chunks in ten seconds of speech, and half of them in thirty, are far below the largest.
            if power.is_nothing(halves) {
                *to = [0; 16];
                continue;
            }
            let halves = halves.map(|distances| power.of(distances));
            short = short.add(halves[0].add(halves[1]));
            I16x8::store_bytes(halves, to);
        }
        sums = sums.add(short.add_neighbours());
    }
    sums.to_array().into_iter().sum()
}

/// `round(127 · 2^−x)` for distances ≥ 0: the numbers it is computed with.
///
/// 127 · 2^(8−f) is a polynomial in `f`, `c₀ − f · (c₁ − f · c₂)`, within 0.13 % (minimax of degree 2, and then the best of the
/// integers around). Nine bits of it are multiplied with 2^(7−j), of which a table has the bytes, and rounded. So a probability
/// is within 0.8 of what it stands for, where steps of 1/127 leave 0.5.
struct Power {
    polynomial: [I16x8; 3],
    fraction: I16x8,
    whole_octaves: I16x8,
    no_byte: I16x8,
    half: I16x8,
    nothing: I16x8,
}

impl Power {
    /// Bits of 127 · 2^(8−f).
    const POLYNOMIAL_BITS: u32 = 15;
    /// Bits of it that are multiplied: sixteen hold the products.
    const MULTIPLIED_BITS: u32 = 9;
    /// Bits that a product is rounded by.
    const ROUNDED_BITS: u32 = 9;

    #[inline(always)]
    fn read() -> Self {
        /// 2^(7−j) for each octave; beyond, swizzles give 0.
        const WHOLE_OCTAVES: [i16; 8] = [0x4080, 0x1020, 0x0408, 0x0102, 0, 0, 0, 0];
        /// What rounds 127 · 2^(8−f) to the bits that are multiplied.
        const HALF: i16 = 1 << (Power::POLYNOMIAL_BITS - Power::MULTIPLIED_BITS - 1);
        let [c0, c1, c2, fraction, no_byte, half, nothing] = constants::read16(&[
            32_472 + HALF,
            21_768,
            5593,
            ((1 << FRACTION_BITS) - 1) << (15 - FRACTION_BITS),
            i16::MIN,
            1 << (Self::ROUNDED_BITS - 1),
            OCTAVES << FRACTION_BITS,
        ]);
        let [whole_octaves] = constants::read_vectors(&[WHOLE_OCTAVES]);
        Self { polynomial: [c0, c1, c2], fraction, whole_octaves, no_byte, half, nothing }
    }

    /// Whether all of these are so far that they give 0.
    #[inline(always)]
    fn is_nothing(&self, [a, b]: [I16x8; 2]) -> bool {
        !a.min(b).any_less(self.nothing)
    }

    #[inline(always)]
    fn of(&self, distances: I16x8) -> I16x8 {
        let [c0, c1, c2] = self.polynomial;
        let f = distances.shift_left::<{ 15 - FRACTION_BITS }>().and(self.fraction);
        let part = c0.sub(f.mul_fractions(c1.sub(f.mul_fractions(c2))));
        // The byte of an octave, and no byte above it.
        let octaves = self.whole_octaves.bytes_at(distances.shift_right::<FRACTION_BITS>().add(self.no_byte));
        let power = part.shift_right::<{ Self::POLYNOMIAL_BITS - Self::MULTIPLIED_BITS }>().mul(octaves);
        power.add(self.half).shift_right::<{ Self::ROUNDED_BITS }>()
    }
}

#[cfg(test)]
mod tests {
    use super::{Power, STEPS_PER_OCTAVE, probabilities_of};
    use crate::kernels::lanes16::I16x8;
    use crate::kernels::testing::Noise;

    fn probability(distance: i16) -> u8 {
        let mut bytes = [0; 16];
        I16x8::store_bytes([Power::read().of(I16x8::splat(distance)); 2], &mut bytes);
        bytes[0]
    }

    #[test]
    fn probabilities_are_rounded_powers_of_two() {
        for distance in 0..=i16::MAX {
            let is = f64::from(probability(distance));
            let want = 127.0 * (-f64::from(distance) / f64::from(STEPS_PER_OCTAVE)).exp2();
            assert!((is - want).abs() < 0.8, "{distance}: {is}, {want}");
            assert!(is == 0.0 || !Power::read().is_nothing([I16x8::splat(distance); 2]), "{distance}");
        }
    }

    #[test]
    fn chunks_of_all_heights_get_what_each_score_would() {
        let mut noise = Noise::new(8);
        for (spread, level) in [(1.0, 0.0), (6.0, -30.0), (12.0, 900.0), (40.0, 5000.0), (1e6, -1e6), (1e30, 0.0)] {
            // Some chunks are far below the largest, and the last of them is partly padding.
            let scores: Vec<f32> = (0..160).map(|i| level + spread * (noise.next() + (i / 16 % 5) as f32)).collect();
            let mut probabilities = [9; 160];
            let highest = scores[..150].iter().copied().fold(f32::MIN, f32::max);
            let sum = probabilities_of(&mut scores.clone(), 150, highest, 1.0, &mut probabilities);
            for (&is, score) in probabilities[..150].iter().zip(&scores) {
                let want = 127.0 * (f64::from(*score) - f64::from(highest)).exp2();
                assert!((f64::from(is) - want).abs() < 0.9, "{score} of {highest}: {is}, {want}");
                let mut alone = [9; 16];
                probabilities_of(&mut [*score; 16], 16, highest, 1.0, &mut alone);
                assert_eq!(alone, [is; 16], "{score} of {highest}");
            }
            assert_eq!(probabilities[150..], [0; 10]);
            assert_eq!(sum, probabilities.iter().map(|&p| i32::from(p)).sum::<i32>());
        }
    }

    #[test]
    fn as_many_scores_as_there_may_be_are_summed() {
        let frames = 16 * 1000;
        let mut probabilities = vec![0; frames];
        let sum = probabilities_of(&mut vec![3.0; frames], frames, 3.0, 1.0, &mut probabilities);
        assert!(probabilities.iter().all(|&p| p == 127));
        assert_eq!(usize::try_from(sum), Ok(127 * frames));
    }
}
