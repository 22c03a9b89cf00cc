//! Exponential, tanh, GELU and SiLU, four values at a time and without branches.
//!
//! They are compiled into the engine, so every host computes the same bits.

use super::constants;
use super::lanes::{F32x4, ROUNDING};

/// Below this, e^x counts as 0: not far above it, e^x is less than the smallest normal float.
const EXP_MIN: f32 = -87.0;
/// Above this, e^x is more than the largest float.
const EXP_MAX: f32 = 88.722_83;

/// e^x, within 2 units in the last place; 0 below −87, and the largest power of the range above 88.7: the numbers it computes
/// with.
///
/// x = k · ln 2 + r with |r| ≤ ln 2 / 2, and e^r by Cephes' polynomial (`expf.c`).
pub(crate) struct Exp([F32x4; 13]);

impl Exp {
    /// Reads the numbers, which a loop does once.
    #[inline(always)]
    #[must_use]
    pub(crate) fn read() -> Self {
        Self(constants::read(&[
            EXP_MIN,
            EXP_MAX,
            std::f32::consts::LOG2_E,
            ROUNDING,
            // ln 2 in two parts, the first exact in few bits, so that its product with k has no rounding.
            355.0 / 512.0,
            -2.121_944_4e-4,
            // Of the polynomial, from the highest degree down.
            1.987_569_1e-4,
            1.398_199_9e-3,
            8.333_452e-3,
            4.166_579_6e-2,
            1.666_666_5e-1,
            5.000_000_3e-1,
            1.0,
        ]))
    }

    /// e^x of four values.
    #[inline(always)]
    #[must_use]
    pub(crate) fn of(&self, x: F32x4) -> F32x4 {
        let [min, max, log2_e, rounding, ln2_high, ln2_low, p5, p4, p3, p2, p1, p0, one] = self.0;
        let clamped = x.max(min).min(max);
        // The integer nearest to x / ln 2 is in the low bits of `shifted`.
        let shifted = clamped.mul(log2_e).add(rounding);
        let k = shifted.sub(rounding);
        let r = clamped.sub(k.mul(ln2_high)).sub(k.mul(ln2_low));
        let p = [p4, p3, p2, p1, p0].into_iter().fold(p5, |p, next| next.add_product(p, r));
        let p = r.add_product(p, r.mul(r)).add(one);
        // Adds k to the exponent. Within the range above it stays an exponent of a normal float.
        let power = p.to_bits().add(shifted.to_bits().shift_left::<23>()).as_f32_bits();
        power.zero_where_less(x, min)
    }

    /// 1 / (1 + e^−x), within 2 · 10⁻⁷ of it.
    #[inline(always)]
    #[must_use]
    pub(crate) fn sigmoid(&self, x: F32x4) -> F32x4 {
        self.one().div(self.one_and_inverse(x))
    }

    /// x / (1 + e^−x).
    #[inline(always)]
    #[must_use]
    pub(crate) fn silu(&self, x: F32x4) -> F32x4 {
        x.div(self.one_and_inverse(x))
    }

    /// 1 + e^−x.
    #[inline(always)]
    fn one_and_inverse(&self, x: F32x4) -> F32x4 {
        self.one().add(self.of(F32x4::splat(0.0).sub(x)))
    }

    #[inline(always)]
    fn one(&self) -> F32x4 {
        self.0[12]
    }
}

/// tanh x, within 6 · 10⁻⁷ of it: the numbers it computes with.
///
/// An odd rational function of degrees 7 and 8 over −8.3..=8.3, minimax but for being 1 where it ends, in the form of Eigen's
/// `generic_fast_tanh_float` (`MathFunctionsImpl.h`): it needs no exponential, and its two polynomials do not wait for each
/// other.
pub(crate) struct Tanh([F32x4; 11]);

impl Tanh {
    /// Reads the numbers, which a loop does once.
    #[inline(always)]
    #[must_use]
    pub(crate) fn read() -> Self {
        Self(constants::read(&[
            -8.3,
            8.3,
            // Of the numerator, from the highest degree down.
            1.079_825_8e-5,
            2.890_17e-3,
            1.286_776_2e-1,
            9.999_989e-1,
            // Of the denominator.
            2.263_046_8e-7,
            2.302_316_1e-4,
            2.356_312_6e-2,
            4.620_072_5e-1,
            1.0,
        ]))
    }

    /// tanh of four values.
    #[inline(always)]
    #[must_use]
    pub(crate) fn of(&self, x: F32x4) -> F32x4 {
        let [lowest, highest, p3, p2, p1, p0, q4, q3, q2, q1, q0] = self.0;
        let x = x.max(lowest).min(highest);
        let square = x.mul(x);
        let p = [p2, p1, p0].into_iter().fold(p3, |p, next| next.add_product(p, square));
        let q = [q3, q2, q1, q0].into_iter().fold(q4, |q, next| next.add_product(q, square));
        x.mul(p).div(q)
    }
}

/// x · Φ(x), the error-function form of GELU (Hendrycks and Gimpel, 2016), within 2.3 · 10⁻⁶ · max(3, |x|) of it: the numbers
/// it computes with.
///
/// Φ − ½, half an error function, by an odd rational function of degrees 7 and 6 over −4.81..=4.81, minimax in what it does to
/// the GELU but for being ½ where it ends. Eigen's `generic_fast_erf_float` has degrees 13 and 8: what is read here is rounded
/// to 7 bits, and products wait for it.
pub(crate) struct Gelu([F32x4; 11]);

impl Gelu {
    /// Reads the numbers, which a loop does once.
    #[inline(always)]
    #[must_use]
    pub(crate) fn read() -> Self {
        Self(constants::read(&[
            -4.808_326,
            4.808_326,
            0.5,
            // Of the numerator, from the highest degree down.
            3.130_94e-5,
            3.782_782e-3,
            2.852_663_2e-2,
            3.989_024_5e-1,
            // Of the denominator.
            1.122_806_7e-3,
            2.425_761_5e-2,
            2.379_810_4e-1,
            1.0,
        ]))
    }

    /// The GELU of four values.
    #[inline(always)]
    #[must_use]
    pub(crate) fn of(&self, x: F32x4) -> F32x4 {
        let [lowest, highest, half, p3, p2, p1, p0, q3, q2, q1, q0] = self.0;
        let near = x.max(lowest).min(highest);
        let square = near.mul(near);
        let p = [p2, p1, p0].into_iter().fold(p3, |p, next| next.add_product(p, square));
        let q = [q2, q1, q0].into_iter().fold(q3, |q, next| next.add_product(q, square));
        x.mul(half.add(near.mul(p).div(q)))
    }
}

/// A function of every value by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// [`Tanh`].
    Tanh,
    /// [`Gelu`].
    Gelu,
}

impl Activation {
    /// Applies it to every value.
    pub fn apply(self, values: &mut [f32]) {
        match self {
            Self::Tanh => {
                let tanh = Tanh::read();
                map(values, |x| tanh.of(x));
            }
            Self::Gelu => {
                let gelu = Gelu::read();
                map(values, |x| gelu.of(x));
            }
        }
    }
}

/// The gate of a gated layer: `out = value · silu(gate)`, for as many values as gates.
#[inline(never)]
pub fn gate(values: &[f32], gates: &[f32], out: &mut [f32]) {
    // Sixteen at a time, as `map` does.
    let (value_chunks, values_rest) = values.as_chunks::<16>();
    let (gate_chunks, gates_rest) = gates.as_chunks::<16>();
    let (out_chunks, out_rest) = out.as_chunks_mut::<16>();
    let exp = Exp::read();
    for ((values, gates), out) in value_chunks.iter().zip(gate_chunks).zip(out_chunks) {
        let (values, gates) = (values.as_chunks::<4>().0, gates.as_chunks::<4>().0);
        for ((values, gates), out) in values.iter().zip(gates).zip(out.as_chunks_mut::<4>().0) {
            F32x4::load(values).mul(exp.silu(F32x4::load(gates))).store(out);
        }
    }
    for ((value, &gate), out) in values_rest.iter().zip(gates_rest).zip(out_rest) {
        *out = value * exp.silu(F32x4::splat(gate)).to_array()[0];
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
        *value = function(F32x4::splat(*value)).to_array()[0];
    }
}

#[cfg(test)]
mod tests {
    use super::{Activation, Exp, F32x4, Gelu, Tanh};

    fn exp(x: F32x4) -> F32x4 {
        Exp::read().of(x)
    }

    fn tanh(x: F32x4) -> F32x4 {
        Tanh::read().of(x)
    }

    fn gelu(x: F32x4) -> F32x4 {
        Gelu::read().of(x)
    }

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
            near(one(tanh, x), wide.tanh(), 6e-7);
            // An error of erf counts x times.
            let bound = 2.3e-6 * x.abs().max(3.0);
            let want = 0.5 * wide * (1.0 + erf(wide / std::f64::consts::SQRT_2));
            assert!(
                (f64::from(one(gelu, x)) - want).abs() <= f64::from(bound),
                "gelu({x}): {} and {want}",
                one(gelu, x)
            );
            near(one(|x| Exp::read().silu(x), x), wide / (1.0 + (-wide).exp()), 5e-7);
            near(one(|x| Exp::read().sigmoid(x), x), 1.0 / (1.0 + (-wide).exp()), 2e-7);
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
