//! The inner loops in WebAssembly SIMD.

use core::arch::wasm32::*;

use super::rows::ACTIVATION_MAX;
use super::{CHANNEL_TILE, LANES};

/// Loads 16 bytes at `offset` of `bytes`.
///
/// # Safety
/// `offset + 16` must be within `bytes`.
#[inline(always)]
#[allow(unsafe_code)] // A checked load costs a branch per 16 products.
unsafe fn load<T>(bytes: &[T], offset: usize) -> v128 {
    debug_assert!(size_of::<T>() == 1 && offset + LANES <= bytes.len());
    // SAFETY: the caller keeps the range inside the slice; `v128_load` takes any alignment.
    unsafe { v128_load(bytes.as_ptr().add(offset).cast()) }
}

/// `sum + Σ q·w` over the lanes of each quarter, in some grouping of the 16 products.
#[cfg(target_feature = "relaxed-simd")]
#[inline(always)]
fn dot(q: v128, w: v128, sum: v128) -> v128 {
    i32x4_relaxed_dot_i8x16_i7x16_add(w, q, sum)
}

/// `sum + Σ q·w` over the lanes of each quarter, in some grouping of the 16 products.
#[cfg(not(target_feature = "relaxed-simd"))]
#[inline(always)]
fn dot(q: v128, w: v128, sum: v128) -> v128 {
    let low = i32x4_dot_i16x8(i16x8_extend_low_u8x16(q), i16x8_extend_low_i8x16(w));
    let high = i32x4_dot_i16x8(i16x8_extend_high_u8x16(q), i16x8_extend_high_i8x16(w));
    i32x4_add(sum, i32x4_add(low, high))
}

/// Adds up the lanes of four vectors: `[Σa, Σb, Σc, Σd]`.
#[inline(always)]
fn sums([a, b, c, d]: [v128; CHANNEL_TILE]) -> [i32; CHANNEL_TILE] {
    let ab = i32x4_add(i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
    let cd = i32x4_add(i32x4_shuffle::<0, 4, 1, 5>(c, d), i32x4_shuffle::<2, 6, 3, 7>(c, d));
    let all = i32x4_add(i32x4_shuffle::<0, 1, 4, 5>(ab, cd), i32x4_shuffle::<2, 3, 6, 7>(ab, cd));
    [
        i32x4_extract_lane::<0>(all),
        i32x4_extract_lane::<1>(all),
        i32x4_extract_lane::<2>(all),
        i32x4_extract_lane::<3>(all),
    ]
}

/// Products of `ROWS` rows of activations with a tile of channels, both row after row.
#[inline(always)]
#[allow(unsafe_code)] // For `load`; the lengths are asserted once, before the loop.
fn dot_tile<const ROWS: usize>(rows: &[u8], channels: &[i8]) -> [[i32; CHANNEL_TILE]; ROWS] {
    let stride = channels.len() / CHANNEL_TILE;
    assert!(rows.len() == ROWS * stride && channels.len() == CHANNEL_TILE * stride && stride.is_multiple_of(LANES));
    let mut sum = [[i32x4_splat(0); CHANNEL_TILE]; ROWS];
    let mut add = |column: usize| {
        // SAFETY: `column + LANES <= stride`, and the slices hold `ROWS` and `CHANNEL_TILE` rows of `stride` bytes.
        unsafe {
            let w: [v128; CHANNEL_TILE] = std::array::from_fn(|i| load(channels, i * stride + column));
            for (row, sum) in sum.iter_mut().enumerate() {
                let q = load(rows, row * stride + column);
                *sum = std::array::from_fn(|i| dot(q, w[i], sum[i]));
            }
        }
    };
    // Two vectors an iteration: the host may check its deadline in each.
    let mut column = 0;
    while column + 2 * LANES <= stride {
        add(column);
        add(column + LANES);
        column += 2 * LANES;
    }
    if column < stride {
        add(column);
    }
    sum.map(sums)
}

pub(super) fn dot_2x4(rows: &[u8], channels: &[i8]) -> [[i32; CHANNEL_TILE]; 2] {
    dot_tile::<2>(rows, channels)
}

/// [`super::rows::quantize_value`] of 16 values.
#[inline(always)]
#[allow(unsafe_code)] // There is no safe load or store of a vector; the arrays' types keep both in bounds.
pub(super) fn quantize_chunk(from: &[f32; LANES], inverse: f32, zero: f32) -> [u8; LANES] {
    let (inverse, zero) = (f32x4_splat(inverse), f32x4_splat(zero));
    let quarter = |i: usize| {
        // SAFETY: quarter `i` of four is 16 readable bytes, and the load takes any alignment.
        let x = unsafe { v128_load(from.as_ptr().add(4 * i).cast()) };
        let rounded = f32x4_nearest(f32x4_add(f32x4_mul(x, inverse), zero));
        // Narrowing clamps below at 0 only, and not above at 127.
        i32x4_trunc_sat_f32x4(f32x4_pmin(rounded, f32x4_splat(ACTIVATION_MAX)))
    };
    let low = i16x8_narrow_i32x4(quarter(0), quarter(1));
    let high = i16x8_narrow_i32x4(quarter(2), quarter(3));
    let mut to = [0; LANES];
    // SAFETY: the array is 16 writable bytes, and the store takes any alignment.
    unsafe { v128_store(to.as_mut_ptr().cast(), u8x16_narrow_i16x8(low, high)) };
    to
}

pub(super) fn dot_1x4(row: &[u8], channels: &[i8]) -> [i32; CHANNEL_TILE] {
    let [sum] = dot_tile::<1>(row, channels);
    sum
}
