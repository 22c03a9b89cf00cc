//! Products of numbers of 4 bits, two in a byte, with 7-bit activations: a row of activations times panels of 16 channels.
//!
//! For every eight columns, a panel has four bytes of each of its channels. Their nibbles lie where the engine's instructions
//! take them from with the fewest masks and shifts.

use super::{PANEL, PANEL_VECTORS};
use crate::kernels::lanes::I32x4;

/// The largest number.
pub(super) const NIBBLE_MAX: u8 = 15;
/// Columns that lie together.
const OCTET: usize = 8;
/// Bytes of a panel for so many columns.
const OCTET_BYTES: usize = PANEL * OCTET / 2;

/// Bytes of a panel of `columns` (a multiple of 16) columns.
#[inline(always)]
pub(super) const fn panel_bytes(columns: usize) -> usize {
    columns / OCTET * OCTET_BYTES
}

/// Packs a channel's numbers, whole octets of columns, into its panel.
pub(super) fn pack(numbers: &[u8], channel: usize, panel: &mut [u8]) {
    for (numbers, bytes) in numbers.as_chunks::<OCTET>().0.iter().zip(panel.as_chunks_mut::<OCTET_BYTES>().0) {
        let place = |word: u32, (&number, shift): (&u8, u32)| word | u32::from(number) << shift;
        let word = numbers.iter().zip(kernel::SHIFTS).fold(0, place);
        bytes.as_chunks_mut::<4>().0[channel] = word.to_le_bytes();
    }
}

/// Adds the products of a row of activations (`0..=127`) with `PANELS` panels over `columns` (a multiple of 16) columns to the
/// sums of each panel.
///
/// # Panics
/// If a panel or the row is shorter than that.
#[inline(always)]
pub(super) fn add_products<const PANELS: usize>(
    row: &[u8],
    panels: [&[u8]; PANELS],
    columns: usize,
    sums: &mut [[I32x4; PANEL_VECTORS]; PANELS],
) {
    assert!(columns.is_multiple_of(2 * OCTET) && row.len() >= columns, "whole chunks of columns");
    assert!(panels.iter().all(|panel| panel.len() >= panel_bytes(columns)), "panels of all columns");
    kernel::add_products(row, panels, columns, sums);
}

#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod kernel {
    use core::arch::wasm32::*;
    use core::hint::black_box;

    use super::{I32x4, NIBBLE_MAX, OCTET, OCTET_BYTES, PANEL_VECTORS};

    /// Where each column's nibble is in the four bytes of an octet: those of four columns below those of the next four.
    pub(super) const SHIFTS: [u32; OCTET] = [0, 8, 16, 24, 4, 12, 20, 28];
    /// Octets that are added up in 16 bits: a lane takes four columns of each, and 16 · 15 · 127 fits.
    const ROUND: usize = 4;

    static ONES: [i16; 8] = [1; 8];
    static LOW_BITS: [u8; 16] = [NIBBLE_MAX; 16];

    #[inline(always)]
    #[allow(unsafe_code)] // A checked load costs a branch per 32 products.
    pub(super) fn add_products<const PANELS: usize>(
        row: &[u8],
        panels: [&[u8]; PANELS],
        columns: usize,
        sums: &mut [[I32x4; PANEL_VECTORS]; PANELS],
    ) {
        // SAFETY: whatever is loaded below is within the row and the panels, which the caller has checked.
        let load = |from: *const u8, offset: usize| unsafe { v128_load(from.add(offset).cast()) };
        // Read, as `constants` has it.
        let ones = load(black_box(&ONES).as_ptr().cast(), 0);
        let low_bits = load(black_box(&LOW_BITS).as_ptr(), 0);
        // In memory on purpose, as in `tile`.
        let sums_at = sums.as_mut_ptr().cast::<v128>();
        let row = row.as_ptr();
        let mut panels = panels.map(<[u8]>::as_ptr);
        let octet = |bytes: v128, [low, high]: [v128; 2]| {
            let first = i16x8_relaxed_dot_i8x16_i7x16(v128_and(bytes, low_bits), low);
            let second = i16x8_relaxed_dot_i8x16_i7x16(v128_and(u16x8_shr(bytes, 4), low_bits), high);
            i16x8_add(first, second)
        };
        let quads = |column: usize| {
            let quads = load(row, column);
            [
                [i32x4_shuffle::<0, 0, 0, 0>(quads, quads), i32x4_shuffle::<1, 1, 1, 1>(quads, quads)],
                [i32x4_shuffle::<2, 2, 2, 2>(quads, quads), i32x4_shuffle::<3, 3, 3, 3>(quads, quads)],
            ]
        };
        let add = |at: usize, short: v128| {
            // SAFETY: `at` counts the vectors of `sums`, which is written to through this pointer alone.
            unsafe {
                let sum = sums_at.add(at);
                sum.write_volatile(i32x4_add(sum.read_volatile(), i32x4_dot_i16x8(short, ones)));
            }
        };
        let mut column = 0;
        while column + ROUND * OCTET <= columns {
            let ([a, b], [c, d]) = (quads(column), quads(column + 2 * OCTET));
            for (panel, &at) in panels.iter().enumerate() {
                for vector in 0..PANEL_VECTORS {
                    let bytes = |octet: usize| load(at, octet * OCTET_BYTES + vector * 16);
                    let (low, high) = (
                        i16x8_add(octet(bytes(0), a), octet(bytes(1), b)),
                        i16x8_add(octet(bytes(2), c), octet(bytes(3), d)),
                    );
                    add(panel * PANEL_VECTORS + vector, i16x8_add(low, high));
                }
            }
            column += ROUND * OCTET;
            panels = panels.map(|panel| panel.wrapping_add(ROUND * OCTET_BYTES));
        }
        if column < columns {
            let [a, b] = quads(column);
            for (panel, &at) in panels.iter().enumerate() {
                for vector in 0..PANEL_VECTORS {
                    let bytes = |octet: usize| load(at, octet * OCTET_BYTES + vector * 16);
                    add(panel * PANEL_VECTORS + vector, i16x8_add(octet(bytes(0), a), octet(bytes(1), b)));
                }
            }
        }
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128", not(target_feature = "relaxed-simd")))]
mod kernel {
    use core::arch::wasm32::*;
    use core::hint::black_box;

    use super::{I32x4, OCTET, OCTET_BYTES, PANEL_VECTORS};

    /// Where each column's nibble is in the four bytes of an octet: every second one in the upper two bytes.
    pub(super) const SHIFTS: [u32; OCTET] = [0, 16, 4, 20, 8, 24, 12, 28];
    /// Nibbles stay where they are, and activations make up for it: all products are so many bits higher.
    const HIGHER: u32 = 8;

    static MASKS: [[u16; 8]; 3] = [[0x000f; 8], [0x00f0; 8], [0x0f00; 8]];

    #[inline(always)]
    #[allow(unsafe_code)] // A checked load costs a branch per 32 products.
    pub(super) fn add_products<const PANELS: usize>(
        row: &[u8],
        panels: [&[u8]; PANELS],
        columns: usize,
        sums: &mut [[I32x4; PANEL_VECTORS]; PANELS],
    ) {
        // SAFETY: whatever is loaded below is within the row and the panels, which the caller has checked.
        let load = |from: *const u8, offset: usize| unsafe { v128_load(from.add(offset).cast()) };
        // Read, as `constants` has it.
        let masks = black_box(&MASKS).each_ref().map(|mask| load(mask.as_ptr().cast(), 0));
        for sum in sums.as_flattened_mut() {
            sum.0 = i32x4_shl(sum.0, HIGHER);
        }
        // In memory on purpose, as in `tile`.
        let sums_at = sums.as_mut_ptr().cast::<v128>();
        let mut row = row.as_ptr();
        let mut panels = panels.map(<[u8]>::as_ptr);
        for _ in 0..columns / (2 * OCTET) {
            for _ in 0..2 {
                // SAFETY: eight activations, which the row has.
                let activations = unsafe { i16x8_load_extend_u8x8(row.cast()) };
                let highest = i16x8_shl(activations, HIGHER);
                let higher = i16x8_shl(activations, HIGHER / 2);
                let pairs = [
                    i32x4_shuffle::<0, 0, 0, 0>(highest, highest),
                    i32x4_shuffle::<1, 1, 1, 1>(higher, higher),
                    i32x4_shuffle::<2, 2, 2, 2>(activations, activations),
                    i32x4_shuffle::<3, 3, 3, 3>(highest, highest),
                ];
                for (panel, &at) in panels.iter().enumerate() {
                    for vector in 0..PANEL_VECTORS {
                        let bytes = load(at, vector * 16);
                        let nibbles = |i: usize| if i < 3 { v128_and(bytes, masks[i]) } else { u16x8_shr(bytes, 12) };
                        let dot = |i: usize| i32x4_dot_i16x8(nibbles(i), pairs[i]);
                        let products = i32x4_add(i32x4_add(dot(0), dot(1)), i32x4_add(dot(2), dot(3)));
                        // SAFETY: a vector of `sums`, which is written to through this pointer alone.
                        unsafe {
                            let sum = sums_at.add(panel * PANEL_VECTORS + vector);
                            sum.write_volatile(i32x4_add(sum.read_volatile(), products));
                        }
                    }
                }
                row = row.wrapping_add(OCTET);
                panels = panels.map(|panel| panel.wrapping_add(OCTET_BYTES));
            }
        }
        for sum in sums.as_flattened_mut() {
            sum.0 = i32x4_shr(sum.0, HIGHER);
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod kernel {
    use super::super::tile::LANES;
    use super::{I32x4, NIBBLE_MAX, OCTET, OCTET_BYTES, PANEL_VECTORS};

    /// Where each column's nibble is in the four bytes of an octet.
    pub(super) const SHIFTS: [u32; OCTET] = [0, 8, 16, 24, 4, 12, 20, 28];

    pub(super) fn add_products<const PANELS: usize>(
        row: &[u8],
        panels: [&[u8]; PANELS],
        columns: usize,
        sums: &mut [[I32x4; PANEL_VECTORS]; PANELS],
    ) {
        for (panel, sums) in panels.iter().zip(sums) {
            for (activations, bytes) in
                row[..columns].as_chunks::<OCTET>().0.iter().zip(panel.as_chunks::<OCTET_BYTES>().0)
            {
                for (channel, bytes) in bytes.as_chunks::<4>().0.iter().enumerate() {
                    let word = u32::from_le_bytes(*bytes);
                    let nibble = |shift: u32| (word >> shift) as u8 & NIBBLE_MAX;
                    let products =
                        activations.iter().zip(SHIFTS).map(|(&q, shift)| i32::from(q) * i32::from(nibble(shift)));
                    sums[channel / LANES].0[channel % LANES] += products.sum::<i32>();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::Noise;

    #[test]
    fn products_of_nibbles_are_those_of_their_numbers() {
        let mut noise = Noise::new(3);
        for columns in [16, 32, 48, 288, 304] {
            // Often the extremes, so that a sum that does not fit its lane shows.
            let mut number = |most: u8| ((noise.next() * 2.0).clamp(-1.0, 1.0) * 0.5 + 0.5) * f32::from(most);
            let row: Vec<u8> = (0..columns).map(|_| number(127) as u8).collect();
            let numbers: Vec<u8> = (0..2 * PANEL * columns).map(|_| number(NIBBLE_MAX) as u8).collect();
            let mut panels = vec![0; 2 * panel_bytes(columns)];
            for (channel, numbers) in numbers.chunks(columns).enumerate() {
                pack(
                    numbers,
                    channel % PANEL,
                    &mut panels[channel / PANEL * panel_bytes(columns)..][..panel_bytes(columns)],
                );
            }
            let dot =
                |numbers: &[u8]| numbers.iter().zip(&row).map(|(&n, &q)| i32::from(n) * i32::from(q)).sum::<i32>();
            let want: Vec<i32> = numbers.chunks(columns).map(dot).collect();
            let (first, second) = panels.split_at(panel_bytes(columns));
            let flat = |sums: &[I32x4]| sums.iter().flat_map(|sum| sum.to_array()).collect::<Vec<i32>>();
            // To what was there.
            let want: Vec<i32> = want.into_iter().map(|sum| sum - 7).collect();
            let mut sums = [[I32x4::splat(-7); PANEL_VECTORS]; 2];
            add_products(&row, [first, second], columns, &mut sums);
            assert_eq!(flat(sums.as_flattened()), want, "{columns}");
            let mut sums = [[I32x4::splat(-7); PANEL_VECTORS]];
            add_products(&row, [second], columns, &mut sums);
            assert_eq!(flat(&sums[0]), want[PANEL..], "{columns}");
        }
    }
}
