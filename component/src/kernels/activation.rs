//! Exponential, tanh, GELU and SiLU as straight-line code, which the compiler turns into vectors.
//!
//! They are compiled into the engine, so every host computes the same bits.

/// Below this, e^x is less than the smallest normal float and counts as 0.
const EXP_MIN: f32 = -87.336_54;
/// Above this, e^x is more than the largest float.
const EXP_MAX: f32 = 88.722_83;

/// e^x, within 2 units in the last place; 0 below −87.3, and the largest power of the range above 88.7.
///
/// x = k · ln 2 + r with |r| ≤ ln 2 / 2, and e^r by Cephes' polynomial (`expf.c`).
#[inline(always)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    // ln 2 in two parts, the first exact in few bits, so that k · LN2_HIGH has no rounding.
    const LN2_HIGH: f32 = 355.0 / 512.0;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x < EXP_MIN { EXP_MIN } else { x };
    let clamped = if clamped > EXP_MAX { EXP_MAX } else { clamped };
    let k = (clamped * std::f32::consts::LOG2_E).round_ties_even();
    let r = clamped - k * LN2_HIGH - k * LN2_LOW;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 5.000_000_3e-1;
    let p = p * (r * r) + r + 1.0;
    // 2^k in two factors: k goes up to 128, whose power alone is no float.
    let half = (k as i32) >> 1;
    let rest = k as i32 - half;
    let power = |k: i32| f32::from_bits(((k + 127) << 23) as u32);
    let y = p * power(half) * power(rest);
    if x < EXP_MIN { 0.0 } else { y }
}

/// tanh x, within 3 · 10⁻⁷ of it.
#[inline(always)]
#[must_use]
pub fn tanh(x: f32) -> f32 {
    // (e^2x − 1) / (e^2x + 1) loses digits near 0, where the polynomial of Cephes' `tanhf.c` takes over.
    let square = x * x;
    let p = -5.704_988_6e-3;
    let p = p * square + 2.063_909_6e-2;
    let p = p * square - 5.373_971_5e-2;
    let p = p * square + 1.333_144_2e-1;
    let p = p * square - 3.333_328e-1;
    let small = p * square * x + x;
    let magnitude = x.abs();
    let large = 1.0 - 2.0 / (exp(2.0 * magnitude) + 1.0);
    let large = if x < 0.0 { -large } else { large };
    if magnitude < 0.625 { small } else { large }
}

/// x · Φ(x), the error-function form of GELU (Hendrycks and Gimpel, 2016), within 5 · 10⁻⁷ of it.
#[inline(always)]
#[must_use]
pub fn gelu(x: f32) -> f32 {
    // erf by Abramowitz and Stegun 7.1.26, off by at most 1.5 · 10⁻⁷.
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (0.327_591_1 * z + 1.0);
    let p = 1.061_405_4;
    let p = p * t - 1.453_152;
    let p = p * t + 1.421_413_7;
    let p = p * t - 0.284_496_74;
    let p = p * t + 0.254_829_6;
    let tail = p * t * exp(-z * z);
    // 2 Φ(|x|) = 2 − tail; for negative x it is tail.
    let twice = if x < 0.0 { tail } else { 2.0 - tail };
    0.5 * x * twice
}

/// x / (1 + e^−x).
#[inline(always)]
#[must_use]
pub fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// Applies one of the functions above to every value.
#[inline(always)]
pub fn map(values: &mut [f32], function: impl Fn(f32) -> f32) {
    for value in values {
        *value = function(*value);
    }
}

#[cfg(test)]
mod tests {
    use super::{exp, gelu, silu, tanh};

    /// Every 1/64 from −100 to 100, and neighbours of the points where a formula changes.
    fn points() -> impl Iterator<Item = f32> {
        let corners = [0.0, -0.0, 0.625, -0.625, -87.33, -87.34, 88.72, 1e-30, -1e-30, 1e-5];
        (-6400..=6400).map(|i| i as f32 / 64.0).chain(corners)
    }

    /// erf by its Taylor series and, far out, by its continued fraction: slow, and exact to 12 digits.
    fn erf(x: f64) -> f64 {
        if x.abs() < 3.0 {
            let (mut term, mut sum) = (x, x);
            for n in 1..200 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            return sum * 2.0 / std::f64::consts::PI.sqrt();
        }
        let z = x.abs();
        let fraction = (1..200).rev().fold(0.0, |fraction, n| f64::from(n) / 2.0 / (z + fraction));
        (1.0 - (-z * z).exp() / (z + fraction) / std::f64::consts::PI.sqrt()).copysign(x)
    }

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        for x in points().filter(|x| (-87.33..=88.72).contains(x)) {
            let want = f64::from(x).exp();
            let unit = f64::from((want as f32).next_up() - want as f32);
            assert!((f64::from(exp(x)) - want).abs() <= 2.0 * unit, "exp({x}): {} and {want}", exp(x));
        }
        assert_eq!([exp(-88.0), exp(-1e30), exp(f32::NEG_INFINITY)], [0.0; 3]);
        assert!(exp(1e30) > 3e38 && exp(1e30).is_finite());
    }

    #[test]
    fn tanh_gelu_and_silu_are_within_their_bounds() {
        for x in points() {
            let wide = f64::from(x);
            let near = |is: f32, want: f64, bound: f64| {
                assert!((f64::from(is) - want).abs() <= bound * want.abs().max(1.0), "f({x}): {is} and {want}");
            };
            near(tanh(x), wide.tanh(), 3e-7);
            near(gelu(x), 0.5 * wide * (1.0 + erf(wide / std::f64::consts::SQRT_2)), 5e-7);
            near(silu(x), wide / (1.0 + (-wide).exp()), 5e-7);
        }
    }
}
