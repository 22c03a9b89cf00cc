//! Eight integers of 16 bits at a time: a `v128` in WebAssembly, an array elsewhere, with the same results.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vector {
    use core::arch::wasm32::*;

    use crate::kernels::lanes::I32x4;

    /// Eight integers of 16 bits; sums and products wrap around.
    #[derive(Clone, Copy)]
    pub(crate) struct I16x8(v128);

    #[allow(unsafe_code)] // There is no safe load or store of a vector; the arrays' types keep both in bounds.
    impl I16x8 {
        /// The same integer eight times.
        #[inline(always)]
        pub(crate) fn splat(value: i16) -> Self {
            Self(i16x8_splat(value))
        }

        /// All of `values`.
        #[inline(always)]
        pub(crate) fn load(values: &[i16; 8]) -> Self {
            // SAFETY: the array is 16 readable bytes, and the load takes any alignment.
            Self(unsafe { v128_load(values.as_ptr().cast()) })
        }

        /// The integers of two vectors, each the nearest that 16 bits hold.
        #[inline(always)]
        pub(crate) fn narrow(low: I32x4, high: I32x4) -> Self {
            Self(i16x8_narrow_i32x4(low.0, high.0))
        }

        #[inline(always)]
        pub(crate) fn add(self, other: Self) -> Self {
            Self(i16x8_add(self.0, other.0))
        }

        #[inline(always)]
        pub(crate) fn sub(self, other: Self) -> Self {
            Self(i16x8_sub(self.0, other.0))
        }

        #[inline(always)]
        pub(crate) fn mul(self, other: Self) -> Self {
            Self(i16x8_mul(self.0, other.0))
        }

        /// `self · other / 2¹⁵`, rounded half up. Not both are −2¹⁵.
        #[inline(always)]
        pub(crate) fn mul_fractions(self, other: Self) -> Self {
            #[cfg(target_feature = "relaxed-simd")]
            return Self(i16x8_relaxed_q15mulr(self.0, other.0));
            #[cfg(not(target_feature = "relaxed-simd"))]
            return Self(i16x8_q15mulr_sat(self.0, other.0));
        }

        #[inline(always)]
        pub(crate) fn min(self, other: Self) -> Self {
            Self(i16x8_min(self.0, other.0))
        }

        #[inline(always)]
        pub(crate) fn and(self, other: Self) -> Self {
            Self(v128_and(self.0, other.0))
        }

        /// Shifted left by `BITS`.
        #[inline(always)]
        pub(crate) fn shift_left<const BITS: u32>(self) -> Self {
            Self(i16x8_shl(self.0, BITS))
        }

        /// Shifted right by `BITS`, filled up with zeros.
        #[inline(always)]
        pub(crate) fn shift_right<const BITS: u32>(self) -> Self {
            Self(u16x8_shr(self.0, BITS))
        }

        /// For each byte of `indexes`, the byte of this vector at that index, and 0 from 16 on.
        #[inline(always)]
        pub(crate) fn bytes_at(self, indexes: Self) -> Self {
            Self(i8x16_swizzle(self.0, indexes.0))
        }

        /// Whether any of the eight is less than its counterpart.
        #[inline(always)]
        pub(crate) fn any_less(self, other: Self) -> bool {
            v128_any_true(i16x8_lt(self.0, other.0))
        }

        /// Sums of neighbours.
        #[inline(always)]
        pub(crate) fn add_neighbours(self) -> I32x4 {
            I32x4(i32x4_extadd_pairwise_i16x8(self.0))
        }

        /// Writes the eight integers.
        #[inline(always)]
        pub(crate) fn store(self, to: &mut [i16; 8]) {
            // SAFETY: the array is 16 writable bytes, and the store takes any alignment.
            unsafe { v128_store(to.as_mut_ptr().cast(), self.0) };
        }

        /// One pair of neighbours, four times.
        #[inline(always)]
        pub(crate) fn spread_pair<const PAIR: usize>(self) -> Self {
            Self(i32x4_shuffle::<PAIR, PAIR, PAIR, PAIR>(self.0, self.0))
        }

        /// Sums of the products of neighbours.
        #[inline(always)]
        pub(crate) fn dot(self, other: Self) -> I32x4 {
            I32x4(i32x4_dot_i16x8(self.0, other.0))
        }

        /// Writes 16 integers as the nearest that bytes hold.
        #[inline(always)]
        pub(crate) fn store_bytes([low, high]: [Self; 2], to: &mut [u8; 16]) {
            // SAFETY: the array is 16 writable bytes, and the store takes any alignment.
            unsafe { v128_store(to.as_mut_ptr().cast(), u8x16_narrow_i16x8(low.0, high.0)) };
        }

        /// The same for bytes with a sign.
        #[inline(always)]
        pub(crate) fn store_signed_bytes([low, high]: [Self; 2], to: &mut [u8; 16]) {
            // SAFETY: as above.
            unsafe { v128_store(to.as_mut_ptr().cast(), i8x16_narrow_i16x8(low.0, high.0)) };
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod vector {
    use std::array::from_fn;

    use crate::kernels::lanes::I32x4;

    /// Eight integers of 16 bits; sums and products wrap around.
    #[derive(Clone, Copy)]
    pub(crate) struct I16x8([i16; 8]);

    impl I16x8 {
        /// The same integer eight times.
        #[inline(always)]
        pub(crate) fn splat(value: i16) -> Self {
            Self([value; 8])
        }

        /// All of `values`.
        #[inline(always)]
        pub(crate) fn load(values: &[i16; 8]) -> Self {
            Self(*values)
        }

        /// The integers of two vectors, each the nearest that 16 bits hold.
        #[inline(always)]
        pub(crate) fn narrow(low: I32x4, high: I32x4) -> Self {
            let nearest = |x: i32| x.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            Self(from_fn(|i| nearest(if i < 4 { low.0[i] } else { high.0[i - 4] })))
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

        /// `self · other / 2¹⁵`, rounded half up. Not both are −2¹⁵.
        #[inline(always)]
        pub(crate) fn mul_fractions(self, other: Self) -> Self {
            Self(from_fn(|i| ((i32::from(self.0[i]) * i32::from(other.0[i]) + (1 << 14)) >> 15) as i16))
        }

        #[inline(always)]
        pub(crate) fn min(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i].min(other.0[i])))
        }

        #[inline(always)]
        pub(crate) fn and(self, other: Self) -> Self {
            Self(from_fn(|i| self.0[i] & other.0[i]))
        }

        /// Shifted left by `BITS`.
        #[inline(always)]
        pub(crate) fn shift_left<const BITS: u32>(self) -> Self {
            Self(self.0.map(|x| x << BITS))
        }

        /// Shifted right by `BITS`, filled up with zeros.
        #[inline(always)]
        pub(crate) fn shift_right<const BITS: u32>(self) -> Self {
            Self(self.0.map(|x| (x.cast_unsigned() >> BITS).cast_signed()))
        }

        /// For each byte of `indexes`, the byte of this vector at that index, and 0 from 16 on.
        #[inline(always)]
        pub(crate) fn bytes_at(self, indexes: Self) -> Self {
            let bytes = self.0.map(i16::to_le_bytes);
            let at = |index: u8| bytes.as_flattened().get(usize::from(index)).copied().unwrap_or(0);
            Self(indexes.0.map(|indexes| i16::from_le_bytes(indexes.to_le_bytes().map(at))))
        }

        /// Whether any of the eight is less than its counterpart.
        #[inline(always)]
        pub(crate) fn any_less(self, other: Self) -> bool {
            self.0.iter().zip(other.0).any(|(&a, b)| a < b)
        }

        /// Sums of neighbours.
        #[inline(always)]
        pub(crate) fn add_neighbours(self) -> I32x4 {
            I32x4(from_fn(|i| i32::from(self.0[2 * i]) + i32::from(self.0[2 * i + 1])))
        }

        /// Writes the eight integers.
        #[inline(always)]
        pub(crate) fn store(self, to: &mut [i16; 8]) {
            *to = self.0;
        }

        /// One pair of neighbours, four times.
        #[inline(always)]
        pub(crate) fn spread_pair<const PAIR: usize>(self) -> Self {
            Self(from_fn(|i| self.0[2 * PAIR + i % 2]))
        }

        /// Sums of the products of neighbours.
        #[inline(always)]
        pub(crate) fn dot(self, other: Self) -> I32x4 {
            let product = |i: usize| i32::from(self.0[i]) * i32::from(other.0[i]);
            I32x4(from_fn(|i| product(2 * i).wrapping_add(product(2 * i + 1))))
        }

        /// Writes 16 integers as the nearest that bytes hold.
        #[inline(always)]
        pub(crate) fn store_bytes(vectors: [Self; 2], to: &mut [u8; 16]) {
            let integers = vectors.iter().flat_map(|vector| vector.0);
            to.iter_mut().zip(integers).for_each(|(to, x)| *to = x.clamp(0, 255) as u8);
        }

        /// The same for bytes with a sign.
        #[inline(always)]
        pub(crate) fn store_signed_bytes(vectors: [Self; 2], to: &mut [u8; 16]) {
            let integers = vectors.iter().flat_map(|vector| vector.0);
            to.iter_mut().zip(integers).for_each(|(to, x)| *to = (x.clamp(-128, 127) as i8).cast_unsigned());
        }
    }
}

pub(crate) use vector::I16x8;

use super::lanes::F32x4;

impl I16x8 {
    /// The integers that two vectors of floats stand for to which `rounding`, [`ROUNDING`](super::lanes::ROUNDING), was added;
    /// what is not near it is the largest or the smallest integer.
    #[inline(always)]
    pub(crate) fn rounded(low: F32x4, high: F32x4, rounding: F32x4) -> Self {
        Self::narrow(low.to_bits().sub(rounding.to_bits()), high.to_bits().sub(rounding.to_bits()))
    }

    /// The same for 16 floats.
    #[inline(always)]
    pub(crate) fn both_rounded([a, b, c, d]: [F32x4; 4], rounding: F32x4) -> [Self; 2] {
        [Self::rounded(a, b, rounding), Self::rounded(c, d, rounding)]
    }
}
