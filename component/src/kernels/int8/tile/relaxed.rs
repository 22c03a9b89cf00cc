//! Tiles with the relaxed dot products, exact because one side is 0..=127.

use core::arch::wasm32::*;

use super::{CHUNK, LANES, fits};
use crate::kernels::lanes::I32x4;

/// Columns that one lane sums in one instruction.
pub(in crate::kernels) const GROUP: usize = 4;
/// Rows of the tile that is fastest.
pub(in crate::kernels) const TILE_ROWS: usize = 2;
/// Vectors of the tile that is fastest.
pub(in crate::kernels) const TILE_VECTORS: usize = 4;

/// The same four bytes in every lane.
#[inline(always)]
fn spread(quads: v128, quad: usize) -> v128 {
    match quad {
        0 => i32x4_shuffle::<0, 0, 0, 0>(quads, quads),
        1 => i32x4_shuffle::<1, 1, 1, 1>(quads, quads),
        2 => i32x4_shuffle::<2, 2, 2, 2>(quads, quads),
        _ => i32x4_shuffle::<3, 3, 3, 3>(quads, quads),
    }
}

#[inline(always)]
fn dot_add<const ROWS_SIGNED: bool>(row: v128, channels: v128, sum: v128) -> v128 {
    if ROWS_SIGNED {
        i32x4_relaxed_dot_i8x16_i7x16_add(row, channels, sum)
    } else {
        i32x4_relaxed_dot_i8x16_i7x16_add(channels, row, sum)
    }
}

#[inline(always)]
fn dot_pairs<const ROWS_SIGNED: bool>(row: v128, channels: v128) -> v128 {
    if ROWS_SIGNED {
        i16x8_relaxed_dot_i8x16_i7x16(row, channels)
    } else {
        i16x8_relaxed_dot_i8x16_i7x16(channels, row)
    }
}

/// Products of `ROWS` rows with the first `VECTORS` vectors of four channels of a panel that is `WIDTH` vectors wide, over
/// `columns` (a multiple of 4) columns.
///
/// With `PAIRS`, the products of two neighbouring groups are first added in 16 bits, which must not overflow: the caller
/// knows that any two pairs' worth of the signed side, times 127, stays within 32 767. Engines that compute the long dot
/// product in three instructions save one in six so; engines that have it in one instruction are faster without.
#[inline(always)]
#[allow(unsafe_code)] // A checked load costs a branch per 16 products.
pub(in crate::kernels) fn tile<
    const ROWS: usize,
    const VECTORS: usize,
    const WIDTH: usize,
    const ROWS_SIGNED: bool,
    const PAIRS: bool,
>(
    rows: [&[u8]; ROWS],
    panel: &[u8],
    columns: usize,
) -> [[I32x4; VECTORS]; ROWS] {
    assert!(fits(panel, VECTORS, WIDTH, &rows, columns));
    let mut sums = [[i32x4_splat(0); VECTORS]; ROWS];
    let bytes = panel.as_ptr();
    // SAFETY: the panel holds all groups of these columns and vectors, and the rows whole chunks; see the assertion.
    let channels =
        |group: usize, vector: usize| unsafe { v128_load(bytes.add((group * WIDTH + vector) * LANES * GROUP).cast()) };
    let chunk = |row: usize, column: usize| unsafe { v128_load(rows[row].as_ptr().add(column).cast()) };
    let mut column = 0;
    while column + CHUNK <= columns {
        let row: [v128; ROWS] = std::array::from_fn(|row| chunk(row, column));
        let group = column / GROUP;
        // Vector by vector: a vector's sums and 16-bit sums are all that must stay in registers beside the rows.
        for vector in 0..VECTORS {
            if PAIRS {
                for half in [0, 2] {
                    let (first, second) = (channels(group + half, vector), channels(group + half + 1, vector));
                    for r in 0..ROWS {
                        let pairs = i16x8_add(
                            dot_pairs::<ROWS_SIGNED>(spread(row[r], half), first),
                            dot_pairs::<ROWS_SIGNED>(spread(row[r], half + 1), second),
                        );
                        sums[r][vector] = i32x4_add(sums[r][vector], i32x4_extadd_pairwise_i16x8(pairs));
                    }
                }
            } else {
                for quad in 0..CHUNK / GROUP {
                    let channels = channels(group + quad, vector);
                    for r in 0..ROWS {
                        sums[r][vector] = dot_add::<ROWS_SIGNED>(spread(row[r], quad), channels, sums[r][vector]);
                    }
                }
            }
        }
        column += CHUNK;
    }
    if column < columns {
        let row: [v128; ROWS] = std::array::from_fn(|row| chunk(row, column));
        for quad in 0..CHUNK / GROUP {
            if column + quad * GROUP >= columns {
                break;
            }
            for vector in 0..VECTORS {
                let channels = channels(column / GROUP + quad, vector);
                for r in 0..ROWS {
                    sums[r][vector] = dot_add::<ROWS_SIGNED>(spread(row[r], quad), channels, sums[r][vector]);
                }
            }
        }
    }
    const { assert!(LANES * GROUP == CHUNK) };
    sums.map(|row| row.map(I32x4))
}
