//! The innermost loops: products of a few rows with a few vectors of channels, in integers.
//!
//! A panel holds neighbouring channels side by side: for every [`GROUP`] columns, each channel's bytes of those columns, so
//! that a lane sums one channel and sums never need to be added up across lanes. The bytes of one side are 0..=127 and of
//! the other side −128..=127.
//!
//! A tile is inlined into a function that does little else and is not inlined itself: within a large one, the engine's
//! compiler keeps the sums in memory.

#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod relaxed;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128", not(target_feature = "relaxed-simd")))]
mod simd128;

#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
pub(in crate::kernels) use relaxed::{GROUP, TILE_ROWS, TILE_VECTORS, tile};
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(in crate::kernels) use scalar::{GROUP, TILE_ROWS, TILE_VECTORS, tile};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128", not(target_feature = "relaxed-simd")))]
pub(in crate::kernels) use simd128::{GROUP, TILE_ROWS, TILE_VECTORS, tile};

/// Channels in a vector of sums.
pub(in crate::kernels) const LANES: usize = 4;
/// Columns that a row is padded to a multiple of.
pub(in crate::kernels) const CHUNK: usize = 16;
/// Columns that a panel is padded to a multiple of.
pub(in crate::kernels) const QUAD: usize = 4;

/// Which operand is signed; the other is 0..=127.
pub(in crate::kernels) const PANEL_SIGNED: bool = false;
/// See [`PANEL_SIGNED`].
pub(in crate::kernels) const ROWS_SIGNED: bool = true;

/// Whether all `columns` of some vectors of a panel that is `width` vectors wide, and of some rows, can be read.
fn fits(panel: &[u8], vectors: usize, width: usize, rows: &[&[u8]], columns: usize) -> bool {
    let last_group = (columns / GROUP).saturating_sub(1) * width * LANES * GROUP;
    columns > 0
        && columns.is_multiple_of(QUAD)
        && last_group + vectors * LANES * GROUP <= panel.len()
        && rows.iter().all(|row| row.len() >= columns.next_multiple_of(CHUNK))
}

/// Offset of a column of a channel in a panel of `channels` channels.
#[inline(always)]
pub(in crate::kernels) const fn offset(column: usize, channel: usize, channels: usize) -> usize {
    column / GROUP * channels * GROUP + channel * GROUP + column % GROUP
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::Noise;

    /// One product after the other, from unpacked bytes.
    fn reference(rows: &[u8], row_length: usize, channels: &[Vec<u8>], rows_signed: bool) -> Vec<i32> {
        let signed = |byte: u8, is: bool| if is { i32::from(byte.cast_signed()) } else { i32::from(byte) };
        let dot = |row: &[u8], channel: &[u8]| -> i32 {
            row.iter().zip(channel).map(|(&a, &b)| signed(a, rows_signed) * signed(b, !rows_signed)).sum()
        };
        rows.chunks(row_length).flat_map(|row| channels.iter().map(move |channel| dot(row, channel))).collect()
    }

    fn check<const ROWS: usize, const VECTORS: usize, const SIGNED: bool, const PAIRS: bool>(
        columns: usize,
        limit: i32,
        noise: &mut Noise,
    ) {
        let row_length = columns.next_multiple_of(CHUNK);
        let mut byte = |signed: bool| {
            // Often the extremes, so that a sum that does not fit its lane shows.
            let value = (noise.next() * 1.5).clamp(-1.0, 1.0);
            let value = if signed { value * limit as f32 } else { value.abs() * 127.0 };
            (value as i8).cast_unsigned()
        };
        let mut rows = vec![0; ROWS * row_length];
        for row in rows.chunks_mut(row_length) {
            row[..columns].fill_with(|| byte(SIGNED));
        }
        let channels: Vec<Vec<u8>> =
            (0..VECTORS * LANES).map(|_| (0..columns).map(|_| byte(!SIGNED)).collect()).collect();
        let mut packed = vec![0; VECTORS * LANES * columns];
        for (channel, values) in channels.iter().enumerate() {
            for (column, &value) in values.iter().enumerate() {
                packed[offset(column, channel, VECTORS * LANES)] = value;
            }
        }
        let slices: [&[u8]; ROWS] = std::array::from_fn(|row| &rows[row * row_length..][..row_length]);
        let sums = tile::<ROWS, VECTORS, VECTORS, SIGNED, PAIRS>(slices, &packed, columns);
        let sums: Vec<i32> = sums.iter().flatten().flat_map(|sum| sum.to_array()).collect();
        assert_eq!(sums, reference(&rows, row_length, &channels, SIGNED), "{ROWS} × {VECTORS} × {columns}");
    }

    #[test]
    fn tiles_of_every_shape_give_the_sums_of_products() {
        let mut noise = Noise::new(23);
        for columns in [4, 8, 12, 16, 20, 36, 48, 52, 64, 288] {
            check::<1, 4, PANEL_SIGNED, false>(columns, 128, &mut noise);
            check::<1, 4, PANEL_SIGNED, true>(columns, 64, &mut noise);
            check::<2, 4, PANEL_SIGNED, false>(columns, 128, &mut noise);
            check::<2, 4, PANEL_SIGNED, true>(columns, 64, &mut noise);
            check::<4, 2, PANEL_SIGNED, false>(columns, 128, &mut noise);
            check::<2, 3, PANEL_SIGNED, false>(columns, 128, &mut noise);
            check::<2, 4, ROWS_SIGNED, true>(columns, 63, &mut noise);
            check::<1, 1, ROWS_SIGNED, true>(columns, 63, &mut noise);
        }
    }
}
