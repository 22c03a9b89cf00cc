//! Scores into quantized probabilities.

use crate::kernels::lanes::{F32x4, I32x4, ROUNDING};
use vector::{Powers, Sums};

/// Steps into which a power of two is divided: exponents of 2 in such steps fill a byte, whose largest, −8.5, gives the
/// probability 0, as all below it do.
const STEPS: f32 = 30.0;
/// Chunks of 16 probabilities whose sums fit 16 bits in each of eight lanes.
const SUMMED: usize = 128;

/// Probabilities of scores relative to the largest, `highest`, as `0..=127`, and their sum. Scores from `frames` on are padding
/// and get 0.
///
/// `exponent_scale` is what scores are multiplied with to be exponents of 2, which are rounded to 1/30: the probability is
/// within 1.2 hundredths of what it would be, and half a step more.
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
    let scale = F32x4::splat(exponent_scale * STEPS);
    let rounding = F32x4::splat(ROUNDING);
    let powers = Powers::read();
    let mut sum = 0;
    let parts = scores.chunks(SUMMED * 16).zip(probabilities.chunks_mut(SUMMED * 16));
    for (scores, probabilities) in parts {
        let mut sums = Sums::default();
        for (scores, to) in scores.as_chunks::<16>().0.iter().zip(probabilities.as_chunks_mut::<16>().0) {
            let (quarters, _) = scores.as_chunks::<4>();
            let steps: [I32x4; 4] = std::array::from_fn(|i| {
                let below = highest.sub(F32x4::load(&quarters[i]));
                below.mul(scale).add(rounding).to_bits().sub(rounding.to_bits())
            });
            powers.of(steps, to, &mut sums);
        }
        sum += sums.total();
    }
    let padding = &mut probabilities[frames..];
    sum -= padding.iter().map(|&p| i32::from(p)).sum::<i32>();
    padding.fill(0);
    sum
}

/// 255 · 2^(−i · `steps` / [`STEPS`]) for i of 0..16, rounded.
const fn powers(steps: u32) -> [u8; 16] {
    /// 2^(−1/30).
    const STEP: f64 = 0.977_159_968_434_245_9;
    let mut powers = [0; 16];
    let (mut i, mut power) = (0, 255.0);
    while i < 16 {
        powers[i] = (power + 0.5) as u8;
        let mut step = 0;
        while step < steps {
            power *= STEP;
            step += 1;
        }
        i += 1;
    }
    powers
}

/// By the high four bits of a number of steps, and by the low four: a power is the product of both.
static POWERS: [[u8; 16]; 2] = [powers(16), powers(1)];
/// What a product of two powers is multiplied with, as a shift, to be a probability: 255 · 255 / 2⁹ is 127.
const SHIFT: u32 = 9;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vector {
    use core::arch::wasm32::*;
    use core::hint::black_box;

    use super::{I32x4, POWERS, SHIFT};

    /// Read as [`constants`](crate::kernels::constants) has it.
    #[derive(Clone, Copy)]
    pub(super) struct Powers {
        coarse: v128,
        fine: v128,
        low_bits: v128,
        half: v128,
    }

    /// Sums of probabilities, eight of 16 bits.
    pub(super) struct Sums(v128);

    impl Default for Sums {
        fn default() -> Self {
            Self(i16x8_splat(0))
        }
    }

    impl Sums {
        pub(super) fn total(self) -> i32 {
            let sums = I32x4(u32x4_extadd_pairwise_u16x8(self.0));
            sums.to_array().into_iter().sum()
        }
    }

    #[allow(unsafe_code)] // There is no safe load or store of a vector; the arrays' types keep both in bounds.
    impl Powers {
        #[inline(always)]
        pub(super) fn read() -> Self {
            static LOW_BITS: [u8; 16] = [15; 16];
            static HALF: [u16; 8] = [1 << (SHIFT - 1); 8];
            let [coarse, fine] = black_box(&POWERS);
            // SAFETY: each is 16 readable bytes.
            unsafe {
                Self {
                    coarse: v128_load(coarse.as_ptr().cast()),
                    fine: v128_load(fine.as_ptr().cast()),
                    low_bits: v128_load(black_box(&LOW_BITS).as_ptr().cast()),
                    half: v128_load(black_box(&HALF).as_ptr().cast()),
                }
            }
        }

        /// Writes the probabilities so many steps below the largest, and adds them to `sums`.
        #[inline(always)]
        pub(super) fn of(self, [a, b, c, d]: [I32x4; 4], to: &mut [u8; 16], sums: &mut Sums) {
            let steps = u8x16_narrow_i16x8(i16x8_narrow_i32x4(a.0, b.0), i16x8_narrow_i32x4(c.0, d.0));
            let coarse = i8x16_swizzle(self.coarse, v128_and(u16x8_shr(steps, 4), self.low_bits));
            let fine = i8x16_swizzle(self.fine, v128_and(steps, self.low_bits));
            let rounded = |product| u16x8_shr(i16x8_add(product, self.half), SHIFT);
            let low = rounded(u16x8_extmul_low_u8x16(coarse, fine));
            let high = rounded(u16x8_extmul_high_u8x16(coarse, fine));
            sums.0 = i16x8_add(sums.0, i16x8_add(low, high));
            // SAFETY: the array is 16 writable bytes, and the store takes any alignment.
            unsafe { v128_store(to.as_mut_ptr().cast(), u8x16_narrow_i16x8(low, high)) };
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod vector {
    use super::{I32x4, POWERS, SHIFT};

    /// Nothing to be read.
    #[derive(Clone, Copy)]
    pub(super) struct Powers;

    /// A sum of probabilities.
    #[derive(Default)]
    pub(super) struct Sums(i32);

    impl Sums {
        pub(super) fn total(self) -> i32 {
            self.0
        }
    }

    impl Powers {
        #[inline(always)]
        pub(super) fn read() -> Self {
            Self
        }

        /// Writes the probabilities so many steps below the largest, and adds them to `sums`.
        #[inline(always)]
        pub(super) fn of(self, steps: [I32x4; 4], to: &mut [u8; 16], sums: &mut Sums) {
            for (to, steps) in to.iter_mut().zip(steps.iter().flat_map(|steps| steps.0)) {
                let steps = steps.clamp(0, 255) as usize;
                let [coarse, fine] = [POWERS[0][steps >> 4], POWERS[1][steps & 15]].map(u32::from);
                let probability = (coarse * fine + (1 << (SHIFT - 1))) >> SHIFT;
                *to = probability as u8;
                sums.0 += probability.cast_signed();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SUMMED, probabilities_of};
    use crate::kernels::testing::Noise;

    #[test]
    fn probabilities_are_powers_of_two_within_their_bound() {
        let scores: Vec<f32> = (0..4000).map(|i| 50.0 - i as f32 / 160.0).collect();
        let mut probabilities = vec![9; scores.len()];
        let sum = probabilities_of(&mut scores.clone(), scores.len(), 50.0, 1.0, &mut probabilities);
        assert_eq!(probabilities[0], 127);
        for (&is, score) in probabilities.iter().zip(&scores) {
            let want = 127.0 * f64::from(score - 50.0).exp2();
            assert!((f64::from(is) - want).abs() < 0.012 * want + 1.0, "2^{}: {is}, {want}", score - 50.0);
            assert!(is == 0 || want > 0.25, "2^{}: {is}, {want}", score - 50.0);
        }
        assert_eq!(sum, probabilities.iter().map(|&p| i32::from(p)).sum::<i32>());
    }

    #[test]
    fn padding_gets_nothing_and_scores_however_low_get_nothing() {
        let mut noise = Noise::new(8);
        // More than are summed up at once, the last of them partly padding.
        let frames = 2 * SUMMED * 16 + 150;
        for spread in [1e-3, 6.0, 40.0, 1e9] {
            let mut scores: Vec<f32> = (0..frames + 10).map(|_| spread * (noise.next() - 1.0)).collect();
            scores[7] = 0.0;
            let mut probabilities = vec![9; frames + 10];
            let sum = probabilities_of(&mut scores, frames, 0.0, 1.0, &mut probabilities);
            assert_eq!(probabilities[frames..], [0; 10]);
            assert_eq!(sum, probabilities.iter().map(|&p| i32::from(p)).sum::<i32>());
            assert!(scores.iter().zip(&probabilities).all(|(&score, &p)| score > -9.0 || p == 0), "{spread}");
        }
    }
}
