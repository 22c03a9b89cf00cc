//! Scores into quantized probabilities.

use super::PROBABILITY_MAX;
use crate::kernels::constants;
use crate::kernels::lanes::{F32x4, I32x4, ROUNDING};
use crate::kernels::low_bytes::LowBytes;

/// Exponents of 2 below this, of which 127 times the power is 0.36, give the probability 0.
const NOTHING: f32 = -8.5;

/// Probabilities of scores relative to the largest, `highest`, as `0..=127`, and their sum. Scores from `frames` on are padding
/// and get 0.
#[inline(never)]
pub(super) fn probabilities_of(
    scores: &mut [f32],
    frames: usize,
    highest: f32,
    exponent_scale: f32,
    probabilities: &mut [u8],
) -> i32 {
    // Padding gets the largest probability, which is known, and is taken off again.
    scores[frames..].fill(highest);
    let highest = F32x4::splat(highest);
    let scale = F32x4::splat(exponent_scale);
    let power = Power::read();
    let [nothing] = constants::read(&[NOTHING]);
    let low_bytes = LowBytes::read();
    let mut sums = I32x4::splat(0);
    let mut vectors = 0;
    for (scores, to) in scores.as_chunks::<16>().0.iter().zip(probabilities.as_chunks_mut::<16>().0) {
        let (quarters, _) = scores.as_chunks::<4>();
        let quarters: [F32x4; 4] = std::array::from_fn(|i| F32x4::load(&quarters[i]).sub(highest).mul(scale));
        // A third of all chunks in ten seconds of speech, and half of them in thirty, are far below the largest.
        let most = quarters[0].max(quarters[1]).max(quarters[2].max(quarters[3]));
        if !most.any_at_least(nothing) {
            *to = [0; 16];
            continue;
        }
        let quarters = quarters.map(|x| power.of(x));
        vectors += 4;
        sums = sums.add(quarters[0].add(quarters[1])).add(quarters[2].add(quarters[3]));
        low_bytes.write(quarters, to);
    }
    // What stands above the low bits in every lane is known, and is taken off all at once; sums wrap around.
    sums = sums.sub(F32x4::splat(ROUNDING).to_bits().mul(I32x4::splat(vectors)));
    let padding = &mut probabilities[frames..];
    let taken_off: i32 = padding.iter().map(|&p| i32::from(p)).sum();
    padding.fill(0);
    sums.to_array().into_iter().sum::<i32>() - taken_off
}

/// `round(127 · 2^x)` for x ≤ 0, in the low bits of [`ROUNDING`]: the numbers it is computed with.
///
/// 2^x = 2^k · 2^f with |f| ≤ 1/2, and 2^f by a polynomial that is within 1.1 · 10⁻⁴ of it (minimax of degree 3), far
/// within half a step of 1/127.
struct Power([F32x4; 7]);

impl Power {
    #[inline(always)]
    fn read() -> Self {
        // Below the first, everything rounds to 0.
        Self(constants::read(&[
            -24.0,
            ROUNDING,
            0.055_171_66,
            0.242_611_12,
            0.693_260_99,
            0.999_928_07,
            PROBABILITY_MAX,
        ]))
    }

    #[inline(always)]
    fn of(&self, x: F32x4) -> I32x4 {
        let [lowest, rounding, p3, p2, p1, p0, most] = self.0;
        let x = x.max(lowest);
        let rounded = x.add(rounding);
        let f = x.sub(rounded.sub(rounding));
        let p = [p2, p1, p0].into_iter().fold(p3, |p, next| next.add_product(p, f));
        // The integer k lies in the low bits of `rounded`; the others are shifted out.
        let power = p.to_bits().add(rounded.to_bits().shift_left::<23>()).as_f32_bits();
        power.mul(most).add(rounding).to_bits()
    }
}

#[cfg(test)]
mod tests {
    use super::{NOTHING, Power, probabilities_of};
    use crate::kernels::lanes::{F32x4, I32x4, ROUNDING};
    use crate::kernels::testing::Noise;

    fn probability(x: f32) -> i32 {
        let bits: I32x4 = Power::read().of(F32x4::splat(x)).sub(F32x4::splat(ROUNDING).to_bits());
        bits.to_array()[0]
    }

    #[test]
    fn chunks_far_below_the_largest_get_what_each_score_would() {
        assert_eq!(probability(NOTHING), 0);
        let mut noise = Noise::new(8);
        for spread in [1.0, 6.0, 12.0, 40.0] {
            // Chunks of all heights, the last of them partly padding.
            let scores: Vec<f32> = (0..160).map(|i| spread * (noise.next() + (i / 16 % 5) as f32)).collect();
            let mut probabilities = [9; 160];
            let highest = scores[..150].iter().copied().fold(f32::MIN, f32::max);
            let sum = probabilities_of(&mut scores.clone(), 150, highest, 1.0, &mut probabilities);
            let want = scores[..150].iter().map(|x| probability(x - highest));
            let want: Vec<i32> = want.chain([0; 10]).collect();
            assert_eq!(probabilities.map(i32::from).as_slice(), want);
            assert_eq!(sum, want.iter().sum::<i32>());
        }
    }

    #[test]
    fn probabilities_are_rounded_powers_of_two() {
        for i in 0..4000 {
            let x = -(i as f32) / 160.0;
            let is = probability(x);
            let want = 127.0 * f64::from(x).exp2();
            assert!((f64::from(is) - want).abs() < 0.52, "2^{x}: {is}, {want}");
        }
    }
}
