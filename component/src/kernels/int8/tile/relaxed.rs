//! Tiles with the relaxed dot products, exact because one side is `0..=127`.

use core::arch::wasm32::*;
use core::hint::black_box;

use super::{CHUNK, FOUR_GROUPS, LANES, LONG, PANELS_SIGNED, QUAD, fits};
use crate::kernels::lanes::I32x4;

/// Columns that one lane sums in one instruction.
pub(in crate::kernels) const GROUP: usize = 4;
/// Whether adding up in 16 bits makes a difference here.
pub(in crate::kernels) const SHORT_SUMS: bool = true;
/// Rows of the tile that is fastest when sums are added up in 16 bits first.
pub(in crate::kernels) const TILE_ROWS: usize = 2;
/// Rows of the tile that is fastest with [`LONG`] dot products.
pub(in crate::kernels) const TILE_ROWS_LONG: usize = 4;
/// Panels that a row alone is multiplied with at once: memory gives more when it is read in several places.
pub(in crate::kernels) const ROW_PANELS: usize = 2;
/// Vectors of the tile that is fastest.
pub(in crate::kernels) const TILE_VECTORS: usize = 4;

/// What pairs of sums of 16 bits are multiplied with to be added up in 32.
static ONES: [i16; 8] = [1; 8];

/// The same four bytes in every lane.
#[inline(always)]
fn spread<const QUAD: usize>(quads: v128) -> v128 {
    i32x4_shuffle::<QUAD, QUAD, QUAD, QUAD>(quads, quads)
}

/// A row's four groups of four bytes, each in every lane.
#[inline(always)]
fn spread_all(quads: v128) -> [v128; CHUNK / QUAD] {
    [spread::<0>(quads), spread::<1>(quads), spread::<2>(quads), spread::<3>(quads)]
}

/// Adds products of `ROWS` rows with the first `VECTORS` vectors of four channels of each of `PANELS` panels that are `WIDTH`
/// vectors wide, over `columns` (a multiple of 4) columns, to the sums of each panel for each row.
///
/// `TOGETHER` groups are added up in 16 bits before they are added up in 32; the caller knows that they fit. A lane of 16
/// bits takes two columns of each group. `SIGNED` tells which side has signs.
#[inline(always)]
#[allow(unsafe_code)] // A checked load costs a branch per 16 products.
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
    assert!(fits(&panels, VECTORS, WIDTH, &rows, columns));
    const { assert!(LANES * GROUP == CHUNK) };
    // The sums are kept in memory on purpose, by reads and writes that the compiler may not move. Cranelift puts off every
    // computation until something that cannot wait needs it: with sums in variables it first loads all channels of a round,
    // and spills most of them.
    let sums_at = sums.as_mut_ptr().cast::<v128>();
    // Read, as `constants` has it: `i32x4.extadd_pairwise_i16x8_s`, which is a multiplication with ones everywhere, has V8 look
    // up where it has them each time.
    // SAFETY: 16 readable bytes.
    let ones = unsafe { v128_load(black_box(&ONES).as_ptr().cast()) };
    let mut panels = panels.map(<[u8]>::as_ptr);
    // SAFETY: the panels hold all groups of these columns and vectors, and the rows whole chunks; see the assertion.
    let load = |from: *const u8, offset: usize| unsafe { v128_load(from.add(offset).cast()) };
    let rows = rows.map(<[u8]>::as_ptr);
    // Unrolled by hand, so that offsets are constants from the start: of a loop, LLVM makes additions of which it no longer
    // knows that they do not wrap around, and each load takes an instruction more.
    macro_rules! vectors {
        ($row:ident, $panel:ident, $at:ident, $($vector:literal)*) => {
            $(
                if $vector < VECTORS {
                    let channels = [
                        load($at, $vector * LANES * GROUP),
                        load($at, (WIDTH + $vector) * LANES * GROUP),
                        load($at, (2 * WIDTH + $vector) * LANES * GROUP),
                        load($at, (3 * WIDTH + $vector) * LANES * GROUP),
                    ];
                    for r in 0..ROWS {
                        // SAFETY: `sums` has `ROWS · PANELS · VECTORS` vectors, and is written to through this pointer alone.
                        let sum = unsafe { sums_at.add((r * PANELS + $panel) * VECTORS + $vector) };
                        // SAFETY: a vector of `sums`, as above.
                        let before = unsafe { sum.read_volatile() };
                        let after = add_products::<TOGETHER, SIGNED>(before, channels, $row[r], ones);
                        // SAFETY: a vector of `sums`, as above.
                        unsafe { sum.write_volatile(after) };
                    }
                }
            )*
        };
    }
    const { assert!(VECTORS <= 4) };
    let mut column = 0;
    while column + CHUNK <= columns {
        let row: [[v128; CHUNK / QUAD]; ROWS] = std::array::from_fn(|row| spread_all(load(rows[row], column)));
        for (panel, at) in panels.into_iter().enumerate() {
            vectors!(row, panel, at, 0 1 2 3);
        }
        column += CHUNK;
        // Where the panel is wider than what is taken of it, this may be past its end, and nothing is read there.
        panels = panels.map(|panel| panel.wrapping_add(CHUNK / GROUP * WIDTH * LANES * GROUP));
    }
    if column < columns {
        let row: [[v128; CHUNK / QUAD]; ROWS] = std::array::from_fn(|row| spread_all(load(rows[row], column)));
        let quads: [[v128; ROWS]; CHUNK / QUAD] = std::array::from_fn(|quad| row.map(|quads| quads[quad]));
        for (quad, rows) in quads.into_iter().enumerate().take((columns - column) / QUAD) {
            for (panel, at) in panels.into_iter().enumerate() {
                for vector in 0..VECTORS {
                    let channels = load(at, (quad * WIDTH + vector) * LANES * GROUP);
                    for (r, row) in rows.into_iter().enumerate() {
                        // SAFETY: as above.
                        unsafe {
                            let sum = sums_at.add((r * PANELS + panel) * VECTORS + vector);
                            sum.write_volatile(add_group::<TOGETHER, SIGNED>(sum.read_volatile(), channels, row, ones));
                        }
                    }
                }
            }
        }
    }
}

/// Products of the bytes of some channels with those of a row, of which one side is `0..=127`, in pairs.
#[inline(always)]
fn pairs<const SIGNED: usize>(channels: v128, row: v128) -> v128 {
    if SIGNED == PANELS_SIGNED {
        i16x8_relaxed_dot_i8x16_i7x16(channels, row)
    } else {
        i16x8_relaxed_dot_i8x16_i7x16(row, channels)
    }
}

/// A vector of sums, and the products of a group of columns of its channels with those of a row.
#[inline(always)]
fn add_group<const TOGETHER: usize, const SIGNED: usize>(before: v128, channels: v128, row: v128, ones: v128) -> v128 {
    if TOGETHER != LONG {
        return i32x4_add(before, i32x4_dot_i16x8(pairs::<SIGNED>(channels, row), ones));
    }
    if SIGNED == PANELS_SIGNED {
        i32x4_relaxed_dot_i8x16_i7x16_add(channels, row, before)
    } else {
        i32x4_relaxed_dot_i8x16_i7x16_add(row, channels, before)
    }
}

/// A vector of sums, and the products of a chunk of columns of its channels with those of a row.
#[inline(always)]
fn add_products<const TOGETHER: usize, const SIGNED: usize>(
    before: v128,
    channels: [v128; CHUNK / QUAD],
    row: [v128; CHUNK / QUAD],
    ones: v128,
) -> v128 {
    if TOGETHER == LONG {
        let add = |sum, (&channels, row)| add_group::<TOGETHER, SIGNED>(sum, channels, row, ones);
        return channels.iter().zip(row).fold(before, add);
    }
    let pairs = |quad: usize| pairs::<SIGNED>(channels[quad], row[quad]);
    let (low, high) = (i16x8_add(pairs(0), pairs(1)), i16x8_add(pairs(2), pairs(3)));
    let widened = if TOGETHER == FOUR_GROUPS {
        i32x4_dot_i16x8(i16x8_add(low, high), ones)
    } else {
        // Here the look-up costs V8 nothing, and Cranelift, which has it in the instruction, would be slower with `ones`.
        i32x4_add(i32x4_extadd_pairwise_i16x8(low), i32x4_extadd_pairwise_i16x8(high))
    };
    i32x4_add(before, widened)
}
