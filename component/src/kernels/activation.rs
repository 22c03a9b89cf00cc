//! Exponential, tanh, GELU and SiLU, four values at a time and without branches.
//!
//! They are compiled into the engine, so every host computes the same bits.

use super::lanes::{F32x4, ROUNDING};

/// Below this, e^x counts as 0: not far above it, e^x is less than the smallest normal float.
const EXP_MIN: f32 = -87.0;
/// Above this, e^x is more than the largest float.
const EXP_MAX: f32 = 88.722_83;

#[inline(always)]
fn all(value: f32) -> F32x4 {
    F32x4::splat(value)
}

/// e^x, within 2 units in the last place; 0 below −87, and the largest power of the range above 88.7.
///
/// x = k · ln 2 + r with |r| ≤ ln 2 / 2, and e^r by Cephes' polynomial (`expf.c`).
#[inline(always)]
#[must_use]
pub(crate) fn exp(x: F32x4) -> F32x4 {
    // ln 2 in two parts, the first exact in few bits, so that k · LN2_HIGH has no rounding.
    const LN2_HIGH: f32 = 355.0 / 512.0;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.max(all(EXP_MIN)).min(all(EXP_MAX));
    // The integer nearest to x / ln 2 is in the low bits of `shifted`.
    let shifted = clamped.mul(all(std::f32::consts::LOG2_E)).add(all(ROUNDING));
    let k = shifted.sub(all(ROUNDING));
    let r = clamped.sub(k.mul(all(LN2_HIGH))).sub(k.mul(all(LN2_LOW)));
    let p = all(1.987_569_1e-4);
    let p = all(1.398_199_9e-3).add_product(p, r);
    let p = all(8.333_452e-3).add_product(p, r);
    let p = all(4.166_579_6e-2).add_product(p, r);
    let p = all(1.666_666_5e-1).add_product(p, r);
    let p = all(5.000_000_3e-1).add_product(p, r);
    let p = r.add_product(p, r.mul(r)).add(all(1.0));
    // Adds k to the exponent. Within the range above it stays an exponent of a normal float.
    let power = p.to_bits().add(shifted.to_bits().shift_left::<23>()).as_f32_bits();
    power.zero_where_less(x, all(EXP_MIN))
}

/// tanh x, within 3 · 10⁻⁷ of it.
#[inline(always)]
#[must_use]
pub(crate) fn tanh(x: F32x4) -> F32x4 {
    // (e^2x − 1) / (e^2x + 1) loses digits near 0, where the polynomial of Cephes' `tanhf.c` takes over.
    let square = x.mul(x);
    let p = all(-5.704_988_6e-3);
    let p = all(2.063_909_6e-2).add_product(p, square);
    let p = all(-5.373_971_5e-2).add_product(p, square);
    let p = all(1.333_144_2e-1).add_product(p, square);
    let p = all(-3.333_328e-1).add_product(p, square);
    let small = x.add_product(p.mul(square), x);
    let magnitude = x.abs();
    let large = all(1.0).sub(all(2.0).div(exp(magnitude.add(magnitude)).add(all(1.0))));
    small.where_less(magnitude, all(0.625), large.with_sign_of(x))
}

/// x · Φ(x), the error-function form of GELU (Hendrycks and Gimpel, 2016), within 2 · 10⁻⁷ · max(3, |x|) of it.
///
/// erf by a rational function of degrees 13 and 8 over −4..=4, as in Eigen (`MathFunctionsImpl.h`, `generic_fast_erf_float`):
/// it needs no exponential, and its two polynomials do not wait for each other.
#[inline(always)]
#[must_use]
pub(crate) fn gelu(x: F32x4) -> F32x4 {
    let z = x.mul(all(std::f32::consts::FRAC_1_SQRT_2)).max(all(-4.0)).min(all(4.0));
    let square = z.mul(z);
    let p = all(-2.726_142_3e-10);
    let p = all(2.770_681_4e-8).add_product(p, square);
    let p = all(-2.101_024e-6).add_product(p, square);
    let p = all(-5.692_506_6e-5).add_product(p, square);
    let p = all(-7.349_906_5e-4).add_product(p, square);
    let p = all(-2.954_6e-3).add_product(p, square);
    let p = all(-1.609_603_3e-2).add_product(p, square);
    let q = all(-1.456_607_2e-5);
    let q = all(-2.133_740_6e-4).add_product(q, square);
    let q = all(-1.682_827e-3).add_product(q, square);
    let q = all(-7.373_329_2e-3).add_product(q, square);
    let q = all(-1.426_473_9e-2).add_product(q, square);
    let half = all(0.5).mul(x);
    half.add_product(half, z.mul(p).div(q))
}

/// 1 / (1 + e^−x), within 2 · 10⁻⁷ of it.
#[inline(always)]
#[must_use]
pub(crate) fn sigmoid(x: F32x4) -> F32x4 {
    all(1.0).div(all(1.0).add(exp(all(0.0).sub(x))))
}

/// x / (1 + e^−x).
#[inline(always)]
#[must_use]
pub(crate) fn silu(x: F32x4) -> F32x4 {
    x.div(all(1.0).add(exp(all(0.0).sub(x))))
}

/// A function of every value by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// [`tanh`].
    Tanh,
    /// [`gelu`].
    Gelu,
}

impl Activation {
    /// Applies it to every value.
    pub fn apply(self, values: &mut [f32]) {
        match self {
            Self::Tanh => map(values, tanh),
            Self::Gelu => map(values, gelu),
        }
    }
}

/// The gate of a gated layer: `out = value · silu(gate)`, for as many values as gates.
#[inline(never)]
pub fn gate(values: &[f32], gates: &[f32], out: &mut [f32]) {
    let (value_chunks, values_rest) = values.as_chunks::<4>();
    let (gate_chunks, gates_rest) = gates.as_chunks::<4>();
    let (out_chunks, out_rest) = out.as_chunks_mut::<4>();
    for ((values, gates), out) in value_chunks.iter().zip(gate_chunks).zip(out_chunks) {
        F32x4::load(values).mul(silu(F32x4::load(gates))).store(out);
    }
    for ((value, &gate), out) in values_rest.iter().zip(gates_rest).zip(out_rest) {
        *out = value * silu(all(gate)).to_array()[0];
    }
}

/// Applies a function to every value. Of its own for every function, and sixteen values at a time: within a larger function
/// the engine's compiler keeps the constants in memory, and each round of a loop costs a look at the deadline.
#[inline(never)]
fn map(values: &mut [f32], function: impl Fn(F32x4) -> F32x4) {
    let (chunks, rest) = values.as_chunks_mut::<16>();
    for chunk in chunks {
        for quarter in chunk.as_chunks_mut::<4>().0 {
            function(F32x4::load(quarter)).store(quarter);
        }
    }
    for value in rest {
        *value = function(all(*value)).to_array()[0];
    }
}

#[cfg(test)]
mod tests {
    use super::{Activation, F32x4, exp, gelu, sigmoid, silu, tanh};

    fn one(function: impl Fn(F32x4) -> F32x4, x: f32) -> f32 {
        function(F32x4::splat(x)).to_array()[0]
    }

    /// Every 1/64 from −100 to 100, and neighbours of the points where a formula changes.
    fn points() -> impl Iterator<Item = f32> {
        let corners = [0.0, -0.0, 0.625, -0.625, -86.99, -87.01, 88.72, 1e-30, -1e-30, 1e-5];
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
        for x in points().filter(|x| (-87.0..=88.72).contains(x)) {
            let want = f64::from(x).exp();
            let unit = f64::from((want as f32).next_up() - want as f32);
            assert!((f64::from(one(exp, x)) - want).abs() <= 2.0 * unit, "exp({x}): {} and {want}", one(exp, x));
        }
        assert_eq!([-88.0, -1e30, f32::NEG_INFINITY].map(|x| one(exp, x)), [0.0; 3]);
        assert!(one(exp, 1e30) > 3e38 && one(exp, 1e30).is_finite());
    }

    #[test]
    fn tanh_gelu_silu_and_sigmoid_are_within_their_bounds() {
        for x in points() {
            let wide = f64::from(x);
            let near = |is: f32, want: f64, bound: f64| {
                assert!((f64::from(is) - want).abs() <= bound * want.abs().max(1.0), "f({x}): {is} and {want}");
            };
            near(one(tanh, x), wide.tanh(), 3e-7);
            // An error of erf counts x times.
            let bound = 2e-7 * x.abs().max(3.0);
            let want = 0.5 * wide * (1.0 + erf(wide / std::f64::consts::SQRT_2));
            assert!(
                (f64::from(one(gelu, x)) - want).abs() <= f64::from(bound),
                "gelu({x}): {} and {want}",
                one(gelu, x)
            );
            near(one(silu, x), wide / (1.0 + (-wide).exp()), 5e-7);
            near(one(sigmoid, x), 1.0 / (1.0 + (-wide).exp()), 2e-7);
        }
    }

    #[test]
    fn every_value_gets_the_same_bits_wherever_it_stands() {
        let values: Vec<f32> = points().take(1003).collect();
        for (activation, function) in [(Activation::Tanh, tanh as fn(F32x4) -> F32x4), (Activation::Gelu, gelu)] {
            for first in 0..5 {
                let mut mapped = values[first..].to_vec();
                activation.apply(&mut mapped);
                for (mapped, &x) in mapped.iter().zip(&values[first..]) {
                    assert_eq!(mapped.to_bits(), one(function, x).to_bits());
                }
            }
        }
    }
}
