//! The low bytes of 16 integers, one after the other.
//!
//! Not by narrowing: with its saturation, it takes several times as many instructions.

use super::lanes::I32x4;

pub(in crate::kernels) use vector::LowBytes;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vector {
    use core::arch::wasm32::*;
    use core::hint::black_box;

    use super::I32x4;

    /// What stands for no byte in a swizzle.
    const NONE: u8 = 0x80;

    /// For each quarter, its low bytes where they are to be.
    static PLACES: [[u8; 16]; 4] = {
        let mut places = [[NONE; 16]; 4];
        let mut byte = 0;
        while byte < 16 {
            places[byte / 4][byte] = (byte % 4 * 4) as u8;
            byte += 1;
        }
        places
    };

    /// Where bytes go, read as [`constants`](crate::kernels::constants) has it: for a shuffle, V8 makes it anew.
    #[derive(Clone, Copy)]
    pub(in crate::kernels) struct LowBytes([v128; 4]);

    #[allow(unsafe_code)] // There is no safe load or store of a vector; the arrays' types keep both in bounds.
    impl LowBytes {
        #[inline(always)]
        pub(in crate::kernels) fn read() -> Self {
            // SAFETY: each is 16 readable bytes.
            Self(black_box(&PLACES).each_ref().map(|places| unsafe { v128_load(places.as_ptr().cast()) }))
        }

        /// Writes the low byte of each of 16 integers.
        #[inline(always)]
        pub(in crate::kernels) fn write(self, quarters: [I32x4; 4], to: &mut [u8; 16]) {
            let [a, b, c, d] = std::array::from_fn(|i| i8x16_swizzle(quarters[i].0, self.0[i]));
            // SAFETY: the array is 16 writable bytes, and the store takes any alignment.
            unsafe { v128_store(to.as_mut_ptr().cast(), v128_or(v128_or(a, b), v128_or(c, d))) };
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod vector {
    use super::I32x4;

    /// Nothing to be read.
    #[derive(Clone, Copy)]
    pub(in crate::kernels) struct LowBytes;

    impl LowBytes {
        #[inline(always)]
        pub(in crate::kernels) fn read() -> Self {
            Self
        }

        /// Writes the low byte of each of 16 integers.
        #[inline(always)]
        pub(in crate::kernels) fn write(self, quarters: [I32x4; 4], to: &mut [u8; 16]) {
            for (to, quarter) in to.as_chunks_mut::<4>().0.iter_mut().zip(quarters) {
                *to = quarter.0.map(|x| x as u8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{I32x4, LowBytes};

    #[test]
    fn each_integer_leaves_its_low_byte_in_its_place() {
        // The same in all four bytes: what stands above the low one is to be left out.
        let quarter = |first: i32| I32x4::load(&[0, 1, 2, 3].map(|lane| (first + lane).wrapping_mul(0x0101_0101)));
        let mut bytes = [0xff; 16];
        LowBytes::read().write([quarter(0), quarter(4), quarter(200), quarter(12)], &mut bytes);
        assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 7, 200, 201, 202, 203, 12, 13, 14, 15]);
    }
}
