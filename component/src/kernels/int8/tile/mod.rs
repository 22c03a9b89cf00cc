//! The innermost loops: products of a few rows with a few vectors of channels, in integers.
//!
//! A panel holds neighbouring channels side by side: for every [`GROUP`] columns, each channel's bytes of those columns, so
//! that a lane sums one channel and sums never need to be added up across lanes. The bytes of one side are `0..=127`, those of
//! the other −128..=127.
//!
//! A tile is inlined into a function that does little else and is not inlined itself: within a large one, the engine's
//! compiler runs out of registers.

#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod relaxed;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128", not(target_feature = "relaxed-simd")))]
mod simd128;

#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
pub(in crate::kernels) use relaxed::{GROUP, ROW_PANELS, SHORT_SUMS, TILE_ROWS, TILE_ROWS_LONG, TILE_VECTORS, tile};
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(in crate::kernels) use scalar::{GROUP, ROW_PANELS, SHORT_SUMS, TILE_ROWS, TILE_ROWS_LONG, TILE_VECTORS, tile};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128", not(target_feature = "relaxed-simd")))]
pub(in crate::kernels) use simd128::{GROUP, ROW_PANELS, SHORT_SUMS, TILE_ROWS, TILE_ROWS_LONG, TILE_VECTORS, tile};

/// Channels in a vector of sums.
pub(in crate::kernels) const LANES: usize = 4;
/// Columns that a row is padded to a multiple of.
pub(in crate::kernels) const CHUNK: usize = 16;
/// Columns that a panel is padded to a multiple of.
pub(in crate::kernels) const QUAD: usize = 4;

/// How sums are formed where a tile may add up in 16 bits first; see [`tile`].
///
/// Engines that compute the long dot product in three instructions save some of them by adding up in 16 bits first; engines
/// that have it in one are faster without.
pub(in crate::kernels) const LONG: usize = 1;
/// Two groups are added in 16 bits: the signed side is within −63..=63.
pub(in crate::kernels) const TWO_GROUPS: usize = 2;
/// Four groups are added in 16 bits: the caller has seen to it that they fit.
pub(in crate::kernels) const FOUR_GROUPS: usize = 4;

/// Which side has signs; see [`tile`]. The other side is `0..=127`.
pub(in crate::kernels) const PANELS_SIGNED: usize = 0;
/// See [`PANELS_SIGNED`].
pub(in crate::kernels) const ROWS_SIGNED: usize = 1;

/// The most that eight bytes of one sign may sum to whose products with `0..=127` are to fit 16 bits, as they must for
/// [`FOUR_GROUPS`]: a lane takes two columns of each. Every partial sum lies between those of the positive and of the negative.
pub(in crate::kernels) const FOUR_GROUPS_LIMIT: i32 = 32_767 / 127;

/// Whether all `columns` of some vectors of panels that are `width` vectors wide, and of some rows, can be read.
fn fits(panels: &[&[u8]], vectors: usize, width: usize, rows: &[&[u8]], columns: usize) -> bool {
    let last_group = (columns / GROUP).saturating_sub(1) * width * LANES * GROUP;
    columns > 0
        && columns.is_multiple_of(QUAD)
        && panels.iter().all(|panel| last_group + vectors * LANES * GROUP <= panel.len())
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
    use crate::kernels::lanes::I32x4;
    use crate::kernels::testing::Noise;

    /// One product after the other, from unpacked bytes.
    fn reference(rows: &[u8], row_length: usize, channels: &[Vec<u8>]) -> Vec<i32> {
        let dot = |row: &[u8], channel: &[u8]| -> i32 {
            row.iter().zip(channel).map(|(a, b)| i32::from(a.cast_signed()) * i32::from(b.cast_signed())).sum()
        };
        rows.chunks(row_length).flat_map(|row| channels.iter().map(move |channel| dot(row, channel))).collect()
    }

    fn check<const ROWS: usize, const PANELS: usize, const VECTORS: usize, const TOGETHER: usize>(
        columns: usize,
        limit: f32,
        noise: &mut Noise,
    ) {
        check_side::<ROWS, PANELS, VECTORS, TOGETHER, PANELS_SIGNED>(columns, limit, noise);
        check_side::<ROWS, PANELS, VECTORS, TOGETHER, ROWS_SIGNED>(columns, limit, noise);
    }

    fn check_side<
        const ROWS: usize,
        const PANELS: usize,
        const VECTORS: usize,
        const TOGETHER: usize,
        const SIGNED: usize,
    >(
        columns: usize,
        limit: f32,
        noise: &mut Noise,
    ) {
        let row_length = columns.next_multiple_of(CHUNK);
        // Often the extremes, so that a sum that does not fit its lane shows.
        let mut value = |signed: bool| {
            let extreme = (noise.next() * 1.5).clamp(-1.0, 1.0);
            if signed { ((extreme * limit) as i8).cast_unsigned() } else { (extreme.abs() * 127.0) as u8 }
        };
        let mut rows = vec![0; ROWS * row_length];
        for row in rows.chunks_mut(row_length) {
            row[..columns].fill_with(|| value(SIGNED == ROWS_SIGNED));
        }
        let mut channel = || (0..columns).map(|_| value(SIGNED == PANELS_SIGNED)).collect();
        let channels: Vec<Vec<u8>> = (0..PANELS * VECTORS * LANES).map(|_| channel()).collect();
        let panel = VECTORS * LANES;
        let mut packed = vec![0; PANELS * panel * columns];
        for (channel, values) in channels.iter().enumerate() {
            for (column, &value) in values.iter().enumerate() {
                packed[channel / panel * panel * columns + offset(column, channel % panel, panel)] = value;
            }
        }
        let slices: [&[u8]; ROWS] = std::array::from_fn(|row| &rows[row * row_length..][..row_length]);
        let panels: [&[u8]; PANELS] = std::array::from_fn(|i| &packed[i * panel * columns..][..panel * columns]);
        // To what was there.
        let mut sums = [[[I32x4::splat(5); VECTORS]; PANELS]; ROWS];
        tile::<ROWS, PANELS, VECTORS, VECTORS, TOGETHER, SIGNED>(slices, panels, columns, &mut sums);
        let sums: Vec<i32> = sums.as_flattened().iter().flatten().flat_map(|sum| sum.to_array()).collect();
        let want: Vec<i32> = reference(&rows, row_length, &channels).into_iter().map(|sum| 5 + sum).collect();
        assert_eq!(sums, want, "{ROWS} × {PANELS} × {VECTORS} × {columns}, {TOGETHER}, {SIGNED}");
    }

    #[test]
    fn tiles_of_every_shape_give_the_sums_of_products() {
        let mut noise = Noise::new(23);
        for columns in [4, 8, 12, 16, 20, 36, 48, 52, 64, 288] {
            check::<1, 1, 4, LONG>(columns, 128.0, &mut noise);
            check::<1, 1, 4, TWO_GROUPS>(columns, 63.0, &mut noise);
            check::<1, 1, 4, FOUR_GROUPS>(columns, 32.0, &mut noise);
            check::<2, 1, 4, LONG>(columns, 128.0, &mut noise);
            check::<2, 1, 4, TWO_GROUPS>(columns, 63.0, &mut noise);
            check::<2, 1, 4, FOUR_GROUPS>(columns, 32.0, &mut noise);
            check::<4, 1, 4, LONG>(columns, 128.0, &mut noise);
            check::<4, 1, 2, LONG>(columns, 128.0, &mut noise);
            check::<2, 1, 3, TWO_GROUPS>(columns, 63.0, &mut noise);
            check::<1, ROW_PANELS, 4, LONG>(columns, 128.0, &mut noise);
            check::<1, ROW_PANELS, 4, FOUR_GROUPS>(columns, 32.0, &mut noise);
            check::<1, 1, 1, TWO_GROUPS>(columns, 63.0, &mut noise);
        }
    }
}
