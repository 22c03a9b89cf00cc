//! Four floats at a time: a `v128` in WebAssembly, an array elsewhere, with the same results.
//!
//! Multiplication and addition are never fused, so that every engine gives the same bits.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vector {
    use core::arch::wasm32::*;

    /// Four floats.
    #[derive(Clone, Copy)]
    pub(crate) struct F32x4(v128);

    impl F32x4 {
        /// The same float four times.
        #[inline(always)]
        pub(crate) fn splat(value: f32) -> Self {
            Self(f32x4_splat(value))
        }

        /// The first four of `values`.
        #[inline(always)]
        #[allow(unsafe_code)] // There is no safe load of a vector; the array's type keeps it in bounds.
        pub(crate) fn load(values: &[f32; 4]) -> Self {
            // SAFETY: the array is 16 readable bytes, and the load takes any alignment.
            Self(unsafe { v128_load(values.as_ptr().cast()) })
        }

        /// `self + a · b`, rounded twice.
        #[inline(always)]
        pub(crate) fn add_product(self, a: Self, b: Self) -> Self {
            Self(f32x4_add(self.0, f32x4_mul(a.0, b.0)))
        }

        /// The four floats.
        #[inline(always)]
        #[allow(unsafe_code)] // There is no safe store of a vector; the array's type keeps it in bounds.
        pub(crate) fn to_array(self) -> [f32; 4] {
            let mut values = [0.0; 4];
            // SAFETY: the array is 16 writable bytes, and the store takes any alignment.
            unsafe { v128_store(values.as_mut_ptr().cast(), self.0) };
            values
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod vector {
    /// Four floats.
    #[derive(Clone, Copy)]
    pub(crate) struct F32x4([f32; 4]);

    impl F32x4 {
        /// The same float four times.
        pub(crate) fn splat(value: f32) -> Self {
            Self([value; 4])
        }

        /// The first four of `values`.
        pub(crate) fn load(values: &[f32; 4]) -> Self {
            Self(*values)
        }

        /// `self + a · b`, rounded twice.
        pub(crate) fn add_product(self, a: Self, b: Self) -> Self {
            Self(std::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
        }

        /// The four floats.
        pub(crate) fn to_array(self) -> [f32; 4] {
            self.0
        }
    }
}

pub(crate) use vector::F32x4;
