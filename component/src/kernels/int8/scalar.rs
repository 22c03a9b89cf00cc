//! The inner loops without SIMD: what the vectors compute, one by one.

use super::rows::quantize_value;
use super::{CHANNEL_TILE, LANES};

/// [`quantize_value`] of 16 values.
pub(super) fn quantize_chunk(from: &[f32; LANES], inverse: f32, zero: f32) -> [u8; LANES] {
    from.map(|x| quantize_value(x, inverse, zero))
}

pub(super) fn dot_2x4(rows: &[u8], channels: &[i8]) -> [[i32; CHANNEL_TILE]; 2] {
    let (a, b) = rows.split_at(rows.len() / 2);
    [dot_1x4(a, channels), dot_1x4(b, channels)]
}

pub(super) fn dot_1x4(row: &[u8], channels: &[i8]) -> [i32; CHANNEL_TILE] {
    std::array::from_fn(|i| {
        let weights = &channels[i * row.len()..][..row.len()];
        row.iter().zip(weights).map(|(&q, &w)| i32::from(q) * i32::from(w)).sum()
    })
}
