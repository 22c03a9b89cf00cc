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
/// Panels that a row alone is multiplied with at once.
pub(in crate::kernels) const ROW_PANELS: usize = 2;
/// Vectors of a tile.
pub(in crate::kernels) const TILE_VECTORS: usize = 4;

/// Products of `ROWS` rows with the first `VECTORS` vectors of four channels of each of `PANELS` panels that are `WIDTH`
/// vectors wide, over `columns` (a multiple of 4) columns: for each row, the sums of each panel.
#[inline(always)]
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
) -> [[[I32x4; VECTORS]; PANELS]; ROWS] {
    assert!(fits(&panels, VECTORS, WIDTH, &rows, columns));
    let mut sums = [[[[0; LANES]; VECTORS]; PANELS]; ROWS];
    for (row, sums) in rows.iter().zip(&mut sums) {
        for (panel, sums) in panels.iter().zip(sums) {
            for (group, row) in row[..columns].chunks_exact(GROUP).enumerate() {
                for (vector, sums) in sums.iter_mut().enumerate() {
                    let channels = &panel[(group * WIDTH + vector) * LANES * GROUP..][..LANES * GROUP];
                    for (sum, channel) in sums.iter_mut().zip(channels.chunks_exact(GROUP)) {
                        let products = row
                            .iter()
                            .zip(channel)
                            .map(|(q, w)| i32::from(q.cast_signed()) * i32::from(w.cast_signed()));
                        *sum += products.sum::<i32>();
                    }
                }
            }
        }
    }
    sums.map(|row| row.map(|panel| panel.map(|sums| I32x4::load(&sums))))
}
