//! Numbers that loops compute with in every round.
//!
//! V8 makes a vector that it knows anew wherever it is used, also within a loop, by three instructions, of which two take the
//! ports that computations take. One that was read from memory it keeps. So these are read, once before a loop, and hidden
//! from the compiler, which would put what it knows in their place.

use std::hint::black_box;

use super::lanes::F32x4;
use super::lanes16::I16x8;

/// Each number in all lanes of a vector.
#[inline(always)]
#[must_use]
pub(in crate::kernels) fn read<const N: usize>(numbers: &'static [f32; N]) -> [F32x4; N] {
    let numbers = black_box(numbers);
    std::array::from_fn(|i| F32x4::splat(numbers[i]))
}

/// The same for integers of 16 bits.
#[inline(always)]
#[must_use]
pub(in crate::kernels) fn read16<const N: usize>(numbers: &'static [i16; N]) -> [I16x8; N] {
    let numbers = black_box(numbers);
    std::array::from_fn(|i| I16x8::splat(numbers[i]))
}

/// Vectors that are not the same in all lanes.
#[inline(always)]
#[must_use]
pub(in crate::kernels) fn read_vectors<const N: usize>(vectors: &'static [[i16; 8]; N]) -> [I16x8; N] {
    black_box(vectors).each_ref().map(I16x8::load)
}
