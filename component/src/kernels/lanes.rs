//! Four floats or integers at a time: a `v128` in WebAssembly, an array elsewhere, with the same results.
//!
//! Multiplication and addition are never fused, and the larger and smaller of two are chosen by one comparison, so that
//! every engine gives the same bits.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vector {
    use core::arch::wasm32::*;

    /// Four floats.
    #[derive(Clone, Copy)]
    pub(crate) struct F32x4(v128);

    /// Four integers of 32 bits; sums and products wrap around.
    #[derive(Clone, Copy)]
    pub(crate) struct I32x4(pub(in crate::kernels) v128);

    #[allow(unsafe_code)] // There is no safe load or store of a vector; the arrays' types keep both in bounds.
    impl F32x4 {
        /// The same float four times.
        #[inline(always)]
        pub(crate) fn splat(value: f32) -> Self {
            Self(f32x4_splat(value))
        }

        /// All of `values`.
        #[inline(always)]
        pub(crate) fn load(values: &[f32; 4]) -> Self {
            // SAFETY: the array is 16 readable bytes, and the load takes any alignment.
            Self(unsafe { v128_load(values.as_ptr().cast()) })
        }

        /// Writes the four floats.
        #[inline(always)]
        pub(crate) fn store(self, values: &mut [f32; 4]) {
            // SAFETY: the array is 16 writable bytes, and the store takes any alignment.
            unsafe { v128_store(values.as_mut_ptr().cast(), self.0) };
        }

        #[inline(always)]
        pub(crate) fn add(self, other: Self) -> Self {
            Self(f32x4_add(self.0, other.0))
        }

        #[inline(always)]
        pub(crate) fn sub(self, other: Self) -> Self {
            Self(f32x4_sub(self.0, other.0))
        }

        #[inline(always)]
        pub(crate) fn mul(self, other: Self) -> Self {
            Self(f32x4_mul(self.0, other.0))
        }

        /// `other` where it is larger, else `self`.
        #[inline(always)]
        pub(crate) fn max(self, other: Self) -> Self {
            Self(f32x4_pmax(self.0, other.0))
        }

        /// `other` where it is smaller, else `self`.
        #[inline(always)]
        pub(crate) fn min(self, other: Self) -> Self {
            Self(f32x4_pmin(self.0, other.0))
        }

        #[inline(always)]
        pub(crate) fn div(self, other: Self) -> Self {
            Self(f32x4_div(self.0, other.0))
        }

        /// The square roots, correctly rounded, as both WebAssembly and IEEE 754 ask for.
        #[inline(always)]
        pub(crate) fn sqrt(self) -> Self {
            Self(f32x4_sqrt(self.0))
        }

        #[inline(always)]
        pub(crate) fn abs(self) -> Self {
            Self(f32x4_abs(self.0))
        }

        /// 0 where `a < b`, else `self`.
        #[inline(always)]
        pub(crate) fn zero_where_less(self, a: Self, b: Self) -> Self {
            Self(v128_andnot(self.0, f32x4_lt(a.0, b.0)))
        }

        /// Whether any of the four is at least as large as its counterpart.
        #[inline(always)]
        pub(crate) fn any_at_least(self, other: Self) -> bool {
            v128_any_true(f32x4_ge(self.0, other.0))
        }

        /// One of the four, four times.
        #[inline(always)]
        pub(crate) fn spread<const LANE: usize>(self) -> Self {
            Self(i32x4_shuffle::<LANE, LANE, LANE, LANE>(self.0, self.0))
        }

        /// Neighbours changed places: 1, 0, 3, 2.
        #[inline(always)]
        pub(crate) fn swap_pairs(self) -> Self {
            Self(i32x4_shuffle::<1, 0, 3, 2>(self.0, self.0))
        }

        /// The bits of the four floats.
        #[inline(always)]
        pub(crate) fn to_bits(self) -> I32x4 {
            I32x4(self.0)
        }
    }

    #[allow(unsafe_code)] // There is no safe load or store of a vector; the arrays' types keep both in bounds.
    impl I32x4 {
        /// The same integer four times.
        #[inline(always)]
        pub(crate) fn splat(value: i32) -> Self {
            Self(i32x4_splat(value))
        }

        /// All of `values`.
        #[inline(always)]
        pub(crate) fn load(values: &[i32; 4]) -> Self {
            // SAFETY: the array is 16 readable bytes, and the load takes any alignment.
            Self(unsafe { v128_load(values.as_ptr().cast()) })
        }

        #[inline(always)]
        pub(crate) fn add(self, other: Self) -> Self {
            Self(i32x4_add(self.0, other.0))
        }

        #[inline(always)]
        pub(crate) fn sub(self, other: Self) -> Self {
            Self(i32x4_sub(self.0, other.0))
        }

        #[inline(always)]
        pub(crate) fn mul(self, other: Self) -> Self {
            Self(i32x4_mul(self.0, other.0))
        }

        /// Shifted left by `BITS`.
        #[inline(always)]
        pub(crate) fn shift_left<const BITS: u32>(self) -> Self {
            Self(i32x4_shl(self.0, BITS))
        }

        /// The nearest floats.
        #[inline(always)]
        pub(crate) fn to_f32(self) -> F32x4 {
            F32x4(f32x4_convert_i32x4(self.0))
        }

        /// The floats of these bits.
        #[inline(always)]
        pub(crate) fn as_f32_bits(self) -> F32x4 {
            F32x4(self.0)
        }

        /// The low bytes of `[a, b, c, d]`, lane by lane: the first lanes' four, the second lanes', …
        #[inline(always)]
        pub(crate) fn interleave_low_bytes([a, b, c, d]: [Self; 4]) -> [[u8; 4]; 4] {
            let byte = |x: Self| v128_and(x.0, i32x4_splat(0xff));
            let low = v128_or(byte(a), i32x4_shl(byte(b), 8));
            let high = v128_or(i32x4_shl(byte(c), 16), i32x4_shl(d.0, 24));
            Self(v128_or(low, high)).to_array().map(i32::to_le_bytes)
        }

        /// The four integers.
        #[inline(always)]
        pub(crate) fn to_array(self) -> [i32; 4] {
            let mut values = [0; 4];
            // SAFETY: the array is 16 writable bytes, and the store takes any alignment.
            unsafe { v128_store(values.as_mut_ptr().cast(), self.0) };
            values
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod vector {
    use std::array::from_fn;

    /// Four floats.
    #[derive(Clone, Copy)]
    pub(crate) struct F32x4([f32; 4]);

    /// Four integers of 32 bits; sums and products wrap around.
    #[derive(Clone, Copy)]
    pub(crate) struct I32x4(pub(in crate::kernels) [i32; 4]);

    impl F32x4 {
        /// The same float four times.
        #[inline(always)]
        pub(crate) fn splat(value: f32) -> Self {
            Self([value; 4])
        }

        /// All of `values`.
        #[inline(always)]
        pub(crate) fn load(values: &[f32; 4]) -> Self {
            Self(*values)
        }

        /// Writes the four floats.
        #[inline(always)]
        pub(crate) fn store(self, values: &mut [f32; 4]) {
            *values = self.0;
        }

        #[inline(always)]
        pub(crate) fn add(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] + other.0[i]))
        }

        #[inline(always)]
        pub(crate) fn sub(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] - other.0[i]))
        }

        #[inline(always)]
        pub(crate) fn mul(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] * other.0[i]))
        }

        /// `other` where it is larger, else `self`.
        #[inline(always)]
        pub(crate) fn max(self, other: Self) -> Self {
            Self(from_fn(|i| if self.0[i] < other.0[i] { other.0[i] } else { self.0[i] }))
        }

        /// `other` where it is smaller, else `self`.
        #[inline(always)]
        pub(crate) fn min(self, other: Self) -> Self {
            Self(from_fn(|i| if other.0[i] < self.0[i] { other.0[i] } else { self.0[i] }))
        }

        #[inline(always)]
        pub(crate) fn div(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] / other.0[i]))
        }

        /// The square roots, correctly rounded, as both WebAssembly and IEEE 754 ask for.
        #[inline(always)]
        pub(crate) fn sqrt(self) -> Self {
            Self(self.0.map(f32::sqrt))
        }

        #[inline(always)]
        pub(crate) fn abs(self) -> Self {
            Self(self.0.map(f32::abs))
        }

        /// 0 where `a < b`, else `self`.
        #[inline(always)]
        pub(crate) fn zero_where_less(self, a: Self, b: Self) -> Self {
            Self(from_fn(|i| if a.0[i] < b.0[i] { 0.0 } else { self.0[i] }))
        }

        /// Whether any of the four is at least as large as its counterpart.
        #[inline(always)]
        pub(crate) fn any_at_least(self, other: Self) -> bool {
            self.0.iter().zip(other.0).any(|(&a, b)| a >= b)
        }

        /// One of the four, four times.
        #[inline(always)]
        pub(crate) fn spread<const LANE: usize>(self) -> Self {
            Self([self.0[LANE]; 4])
        }

        /// Neighbours changed places: 1, 0, 3, 2.
        #[inline(always)]
        pub(crate) fn swap_pairs(self) -> Self {
            let [a, b, c, d] = self.0;
            Self([b, a, d, c])
        }

        /// The bits of the four floats.
        #[inline(always)]
        pub(crate) fn to_bits(self) -> I32x4 {
            I32x4(self.0.map(|x| i32::from_ne_bytes(x.to_ne_bytes())))
        }
    }

    impl I32x4 {
        /// The same integer four times.
        #[inline(always)]
        pub(crate) fn splat(value: i32) -> Self {
            Self([value; 4])
        }

        /// All of `values`.
        #[inline(always)]
        pub(crate) fn load(values: &[i32; 4]) -> Self {
            Self(*values)
        }

        #[inline(always)]
        pub(crate) fn add(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i].wrapping_add(other.0[i])))
        }

        #[inline(always)]
        pub(crate) fn sub(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i].wrapping_sub(other.0[i])))
        }

        #[inline(always)]
        pub(crate) fn mul(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i].wrapping_mul(other.0[i])))
        }

        /// Shifted left by `BITS`.
        #[inline(always)]
        pub(crate) fn shift_left<const BITS: u32>(self) -> Self {
            Self(self.0.map(|x| x << BITS))
        }

        /// The nearest floats.
        #[inline(always)]
        pub(crate) fn to_f32(self) -> F32x4 {
            F32x4(self.0.map(|x| x as f32))
        }

        /// The floats of these bits.
        #[inline(always)]
        pub(crate) fn as_f32_bits(self) -> F32x4 {
            F32x4(self.0.map(|x| f32::from_ne_bytes(x.to_ne_bytes())))
        }

        /// The low bytes of `[a, b, c, d]`, lane by lane: the first lanes' four, the second lanes', …
        #[inline(always)]
        pub(crate) fn interleave_low_bytes(vectors: [Self; 4]) -> [[u8; 4]; 4] {
            from_fn(|lane| vectors.map(|vector| vector.0[lane] as u8))
        }

        /// The four integers.
        #[inline(always)]
        pub(crate) fn to_array(self) -> [i32; 4] {
            self.0
        }
    }
}

pub(crate) use vector::{F32x4, I32x4};

/// 1.5 · 2²³: added to a float of small magnitude, it leaves the nearest integer, ties to even, in the low bits.
pub(crate) const ROUNDING: f32 = 12_582_912.0;

impl F32x4 {
    /// The first values of a slice, and 0 where it ends before the fourth.
    #[inline(always)]
    pub(crate) fn load_some(values: &[f32]) -> Self {
        match values.first_chunk() {
            Some(values) => Self::load(values),
            // Not copied as a slice: for so few values a host's copy costs more than all else.
            None => Self::load(&std::array::from_fn(|i| values.get(i).copied().unwrap_or(0.0))),
        }
    }

    /// `self + a · b`, rounded twice.
    #[inline(always)]
    pub(crate) fn add_product(self, a: Self, b: Self) -> Self {
        self.add(a.mul(b))
    }

    /// The largest of the four.
    #[inline(always)]
    pub(crate) fn highest_lane(self) -> f32 {
        let pairs = self.max(self.swap_pairs()).to_array();
        if pairs[2] > pairs[0] { pairs[2] } else { pairs[0] }
    }

    /// The largest magnitude of a slice's values, and of 0.
    #[inline(always)]
    pub(crate) fn largest_magnitude(values: &[f32]) -> f32 {
        let (vectors, rest) = values.as_chunks::<4>();
        let largest = vectors.iter().fold(Self::load_some(rest).abs(), |most, x| most.max(Self::load(x).abs()));
        largest.highest_lane()
    }

    /// Writes as many of the four as there is room for.
    #[inline(always)]
    pub(crate) fn store_some(self, values: &mut [f32]) {
        match values.first_chunk_mut() {
            Some(values) => self.store(values),
            None => values.iter_mut().zip(self.to_array()).for_each(|(to, value)| *to = value),
        }
    }

    /// The four floats.
    #[inline(always)]
    pub(crate) fn to_array(self) -> [f32; 4] {
        let mut values = [0.0; 4];
        self.store(&mut values);
        values
    }
}
