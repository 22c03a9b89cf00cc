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

/// Adds products of `ROWS` rows with the first `VECTORS` vectors of four channels of each of `PANELS` panels that are `WIDTH`
/// vectors wide, over `columns` (a multiple of 4) columns, to the sums of each panel for each row.
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
    sums: &mut [[[I32x4; VECTORS]; PANELS]; ROWS],
) {
    assert!(fits(&panels, VECTORS, WIDTH, &rows, columns));
    for (row, sums) in rows.iter().zip(sums) {
        for (panel, sums) in panels.iter().zip(sums) {
            for (group, row) in row[..columns].chunks_exact(GROUP).enumerate() {
                for (vector, I32x4(sums)) in sums.iter_mut().enumerate() {
                    let channels = &panel[(group * WIDTH + vector) * LANES * GROUP..][..LANES * GROUP];
                    for (sum, channel) in sums.iter_mut().zip(channels.chunks_exact(GROUP)) {
                        let products = row
                            .iter()
                            .zip(channel)
                            .map(|(q, w)| i32::from(q.cast_signed()) * i32::from(w.cast_signed()));
                        *sum = sum.wrapping_add(products.sum());
                    }
                }
            }
        }
    }
}
