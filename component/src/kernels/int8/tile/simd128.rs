//! Tiles with the 16-bit dot product that every engine has.

use core::arch::wasm32::*;
use core::hint::black_box;

use super::{CHUNK, LANES, fits};
use crate::kernels::lanes::I32x4;

/// Columns that one lane sums in one instruction.
pub(in crate::kernels) const GROUP: usize = 2;
/// Whether adding up in 16 bits makes a difference here.
pub(in crate::kernels) const SHORT_SUMS: bool = false;
/// Rows of the tile that is fastest.
pub(in crate::kernels) const TILE_ROWS: usize = 2;
/// See [`TILE_ROWS`].
pub(in crate::kernels) const TILE_ROWS_LONG: usize = TILE_ROWS;
/// Panels that a row alone is multiplied with at once: memory gives more when it is read in several places.
pub(in crate::kernels) const ROW_PANELS: usize = 2;
/// Vectors of the tile that is fastest.
pub(in crate::kernels) const TILE_VECTORS: usize = 4;

/// The same two 16-bit values in every lane.
#[inline(always)]
fn spread<const PAIR: usize>(pairs: v128) -> v128 {
    i32x4_shuffle::<PAIR, PAIR, PAIR, PAIR>(pairs, pairs)
}

/// Adds products of `ROWS` rows with the first `VECTORS` vectors of four channels of each of `PANELS` panels that are `WIDTH`
/// vectors wide, over `columns` (a multiple of 4) columns, to the sums of each panel for each row.
///
/// Both sides fit 16 signed bits, whichever is `SIGNED`, and all sums are of 32 bits, whatever `TOGETHER` allows.
#[inline(always)]
#[allow(unsafe_code)] // A checked load costs a branch per 8 products.
pub(in crate::kernels) fn tile<
    const ROWS: usize,
    const PANELS: usize,
    const VECTORS: usize,
    const WIDTH: usize,
    const TOGETHER: usize,
    const SIGNED: usize,
>(
    rows: [&[u8]; ROWS],
    panels: [&[u8]; PANELS],
    columns: usize,
    sums: &mut [[[I32x4; VECTORS]; PANELS]; ROWS],
) {
    const HALF: usize = CHUNK / 2;
    /// Pairs of columns in a round. The more, the less it costs that Cranelift keeps all sums in memory from one round to
    /// the next, since it asks between them whether the time is up.
    const ROUND: usize = 24;
    assert!(fits(&panels, VECTORS, WIDTH, &rows, columns));
    const { assert!(LANES * GROUP == HALF) };
    let to = sums;
    let mut sums = to.map(|row| row.map(|panel| panel.map(|sum| sum.0)));
    let mut rows = rows.map(<[u8]>::as_ptr);
    let mut panels = panels.map(<[u8]>::as_ptr);
    // SAFETY: the panels hold all groups of these columns and vectors, and the rows whole chunks; see the assertion.
    let load = |from: *const u8, offset: usize| unsafe { i16x8_load_extend_i8x8(from.add(offset).cast()) };
    // Pair by pair, and unrolled by hand: `spread` must know its lane. After each pair it may end, and there the sums must be:
    // else Cranelift, which puts off every computation until something that cannot wait needs it, would load all weights of a
    // round and spill most of them. Columns are whole quads, so that it never ends after an odd pair; but were that known, the
    // compiler would take two pairs together, and every engine would spill sums: that costs a tenth.
    let mut left = black_box(columns / GROUP);
    macro_rules! round {
        ($(($first:literal $($next:literal)*))*) => {
            loop {
                $(
                    if left == $first {
                        break;
                    }
                    let row: [v128; ROWS] = std::array::from_fn(|r| load(rows[r], GROUP * $first));
                    round!(row, $first, 0);
                    $(
                        if left == $first + $next {
                            break;
                        }
                        round!(row, $first + $next, $next);
                    )*
                )*
                left -= ROUND;
                // SAFETY: as many groups are left as there were more than a round has; at most the end is passed to.
                unsafe {
                    rows = rows.map(|row| row.add(GROUP * ROUND));
                    panels = panels.map(|panel| panel.add(ROUND * WIDTH * LANES * GROUP));
                }
            }
        };
        ($row:ident, $pair:expr, $lane:literal) => {
            let channels: [[v128; VECTORS]; PANELS] = panels.map(|panel| {
                std::array::from_fn(|vector| load(panel, ($pair * WIDTH + vector) * LANES * GROUP))
            });
            for r in 0..ROWS {
                let row = spread::<$lane>($row[r]);
                for panel in 0..PANELS {
                    for vector in 0..VECTORS {
                        let sum = &mut sums[r][panel][vector];
                        *sum = i32x4_add(*sum, i32x4_dot_i16x8(row, channels[panel][vector]));
                    }
                }
            }
        };
    }
    round!((0 1 2 3) (4 1 2 3) (8 1 2 3) (12 1 2 3) (16 1 2 3) (20 1 2 3));
    *to = sums.map(|row| row.map(|panel| panel.map(I32x4)));
}
