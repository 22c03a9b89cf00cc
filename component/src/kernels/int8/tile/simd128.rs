//! Tiles with the 16-bit dot product that every engine has.

use core::arch::wasm32::*;

use super::{CHUNK, LANES, fits};
use crate::kernels::lanes::I32x4;

/// Columns that one lane sums in one instruction.
pub(in crate::kernels) const GROUP: usize = 2;
/// Whether adding up in 16 bits makes a difference here.
pub(in crate::kernels) const SHORT_SUMS: bool = false;
/// Rows of the tile that is fastest.
pub(in crate::kernels) const TILE_ROWS: usize = 4;
/// See [`TILE_ROWS`].
pub(in crate::kernels) const TILE_ROWS_LONG: usize = TILE_ROWS;
/// Vectors of the tile that is fastest.
pub(in crate::kernels) const TILE_VECTORS: usize = 2;

/// The same two 16-bit values in every lane.
#[inline(always)]
fn spread<const PAIR: usize>(pairs: v128) -> v128 {
    i32x4_shuffle::<PAIR, PAIR, PAIR, PAIR>(pairs, pairs)
}

/// Products of `ROWS` rows with the first `VECTORS` vectors of four channels of a panel that is `WIDTH` vectors wide, over
/// `columns` (a multiple of 4) columns.
///
/// Both sides fit 16 signed bits, and all sums are of 32 bits, whatever `TOGETHER` allows.
#[inline(always)]
#[allow(unsafe_code)] // A checked load costs a branch per 8 products.
pub(in crate::kernels) fn tile<const ROWS: usize, const VECTORS: usize, const WIDTH: usize, const TOGETHER: usize>(
    rows: [&[u8]; ROWS],
    panel: &[u8],
    columns: usize,
) -> [[I32x4; VECTORS]; ROWS] {
    const HALF: usize = CHUNK / 2;
    assert!(fits(panel, VECTORS, WIDTH, &rows, columns));
    const { assert!(LANES * GROUP == HALF) };
    let mut sums = [[i32x4_splat(0); VECTORS]; ROWS];
    let bytes = panel.as_ptr();
    // SAFETY: the panel holds all groups of these columns and vectors, and the rows whole chunks; see the assertion.
    let channels = |group: usize, vector: usize| unsafe {
        i16x8_load_extend_i8x8(bytes.add((group * WIDTH + vector) * LANES * GROUP).cast())
    };
    // SAFETY: as above.
    let half = |row: usize, column: usize| unsafe { i16x8_load_extend_i8x8(rows[row].as_ptr().add(column).cast()) };
    // Vector by vector, and unrolled by hand: `spread` must know its lane.
    macro_rules! add {
        ($column:expr, $($pair:literal)*) => {{
            let row: [v128; ROWS] = std::array::from_fn(|row| half(row, $column));
            for vector in 0..VECTORS {
                $(
                    let channel = channels($column / GROUP + $pair, vector);
                    for r in 0..ROWS {
                        let products = i32x4_dot_i16x8(spread::<$pair>(row[r]), channel);
                        sums[r][vector] = i32x4_add(sums[r][vector], products);
                    }
                )*
            }
        }};
    }
    let mut column = 0;
    while column + HALF <= columns {
        add!(column, 0 1 2 3);
        column += HALF;
    }
    if column < columns {
        add!(column, 0 1);
    }
    sums.map(|row| row.map(I32x4))
}
