//! Tiles without SIMD: what the vectors compute, one product after the other.

use super::{LANES, fits};
use crate::kernels::lanes::I32x4;

/// Columns of a channel that lie beside each other.
pub(in crate::kernels) const GROUP: usize = 4;
/// Whether adding up in 16 bits makes a difference; here it does not, but the weights are packed as if it did.
pub(in crate::kernels) const SHORT_SUMS: bool = true;
/// Rows of a tile.
pub(in crate::kernels) const TILE_ROWS: usize = 2;
/// See [`TILE_ROWS`].
pub(in crate::kernels) const TILE_ROWS_LONG: usize = 4;
/// Vectors of a tile.
pub(in crate::kernels) const TILE_VECTORS: usize = 4;

/// Products of `ROWS` rows with the first `VECTORS` vectors of four channels of a panel that is `WIDTH` vectors wide, over
/// `columns` (a multiple of 4) columns.
#[inline(always)]
pub(in crate::kernels) fn tile<const ROWS: usize, const VECTORS: usize, const WIDTH: usize, const TOGETHER: usize>(
    rows: [&[u8]; ROWS],
    panel: &[u8],
    columns: usize,
) -> [[I32x4; VECTORS]; ROWS] {
    assert!(fits(panel, VECTORS, WIDTH, &rows, columns));
    let mut sums = [[[0; LANES]; VECTORS]; ROWS];
    for group in 0..columns / GROUP {
        for vector in 0..VECTORS {
            let channels = &panel[(group * WIDTH + vector) * LANES * GROUP..][..LANES * GROUP];
            for (row, sums) in rows.iter().zip(&mut sums) {
                let row = &row[group * GROUP..][..GROUP];
                for (sum, channel) in sums[vector].iter_mut().zip(channels.chunks_exact(GROUP)) {
                    *sum +=
                        row.iter().zip(channel).map(|(&q, w)| i32::from(q) * i32::from(w.cast_signed())).sum::<i32>();
                }
            }
        }
    }
    sums.map(|row| row.map(|sums| I32x4::load(&sums)))
}
