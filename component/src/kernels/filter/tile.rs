//! The innermost loop: products of a few windows with a few vectors of filters, in 16 bits, added up in 32.

use crate::kernels::lanes::I32x4;

/// Filters in a vector of sums.
pub(super) const LANES: usize = 4;
/// Taps that a lane sums in one instruction.
pub(super) const PAIR: usize = 2;
/// Pairs of samples that are loaded at once.
pub(super) const PAIRS_LOADED: usize = 4;

/// Products of `ROWS` windows, whole loads each, with `VECTORS` vectors of four filters, over `pairs` pairs of taps: pair by
/// pair, every filter's two weights side by side. No partial sum may pass 31 bits.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
#[allow(unsafe_code)] // A checked load costs a branch per 8 products.
pub(super) fn tile<const ROWS: usize, const VECTORS: usize>(
    rows: [&[i16]; ROWS],
    weights: &[i16],
    pairs: usize,
) -> [[I32x4; VECTORS]; ROWS] {
    use core::arch::wasm32::{i32x4_add, i32x4_dot_i16x8, i32x4_shuffle, i32x4_splat, v128, v128_load};

    /// Pairs in a round: the host may check its deadline in each.
    const ROUND: usize = 16;
    let mut left = pairs;
    assert!(rows.iter().all(|row| row.len() >= pairs.next_multiple_of(PAIRS_LOADED) * PAIR));
    assert!(weights.len() >= pairs * VECTORS * LANES * PAIR);
    let mut sums = [[i32x4_splat(0); VECTORS]; ROWS];
    let mut rows = rows.map(<[i16]>::as_ptr);
    let mut weights = weights.as_ptr();
    // SAFETY: there are so many windows and weights; it ends before more are asked for.
    let load = |from: *const i16, vector: usize| unsafe { v128_load(from.cast::<v128>().add(vector)) };
    // Pair by pair, and unrolled by hand, as in the plain tile of `int8`, which tells why.
    macro_rules! round {
        ($(($first:literal $($next:literal)*))*) => {
            loop {
                $(
                    if left == $first {
                        break;
                    }
                    let row: [v128; ROWS] = std::array::from_fn(|r| load(rows[r], $first / PAIRS_LOADED));
                    round!(row, $first, 0);
                    $(
                        if left == $first + $next {
                            break;
                        }
                        round!(row, $first + $next, $next);
                    )*
                )*
                left -= ROUND;
                // SAFETY: as many pairs are left as there were more than a round has; at most the end is passed to.
                unsafe {
                    rows = rows.map(|row| row.add(PAIR * ROUND));
                    weights = weights.add(ROUND * VECTORS * LANES * PAIR);
                }
            }
        };
        ($row:ident, $pair:expr, $lane:literal) => {
            let filters: [v128; VECTORS] = std::array::from_fn(|vector| load(weights, $pair * VECTORS + vector));
            for r in 0..ROWS {
                let row = i32x4_shuffle::<$lane, $lane, $lane, $lane>($row[r], $row[r]);
                for vector in 0..VECTORS {
                    sums[r][vector] = i32x4_add(sums[r][vector], i32x4_dot_i16x8(row, filters[vector]));
                }
            }
        };
    }
    round!((0 1 2 3) (4 1 2 3) (8 1 2 3) (12 1 2 3));
    sums.map(|row| row.map(I32x4))
}

/// The same without vectors.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(super) fn tile<const ROWS: usize, const VECTORS: usize>(
    rows: [&[i16]; ROWS],
    weights: &[i16],
    pairs: usize,
) -> [[I32x4; VECTORS]; ROWS] {
    let mut sums = [[[0; LANES]; VECTORS]; ROWS];
    for (pair, weights) in weights.chunks_exact(VECTORS * LANES * PAIR).enumerate().take(pairs) {
        for (row, sums) in rows.iter().zip(&mut sums) {
            for (sum, weights) in sums.as_flattened_mut().iter_mut().zip(weights.as_chunks::<PAIR>().0) {
                let products = row[pair * PAIR..].iter().zip(weights).map(|(&x, &w)| i32::from(x) * i32::from(w));
                *sum += products.sum::<i32>();
            }
        }
    }
    sums.map(|row| row.map(|sums| I32x4::load(&sums)))
}
