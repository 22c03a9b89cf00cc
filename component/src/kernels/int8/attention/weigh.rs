//! Probabilities into means of the values.

use std::ops::Range;

use super::{Int8KeyValues, QUERY_BLOCK, Scratch, VALUE_VECTORS};
use crate::kernels::int8::tile::{CHUNK, LANES, PANELS_SIGNED, tile};
use crate::kernels::lanes::{F32x4, I32x4};

/// So many chunks of frames without any weight are passed over together; to stop for fewer takes as long as they do.
const CHUNKS_PASSED: usize = 2;

impl Int8KeyValues {
    /// Means of the values, weighted by the probabilities of `ROWS` queries.
    #[inline(always)]
    pub(super) fn weigh_rows<const ROWS: usize, const TOGETHER: usize>(
        &self,
        head: usize,
        row: usize,
        sums: &[i32; QUERY_BLOCK],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let rows: [&[u8]; ROWS] =
            std::array::from_fn(|r| &scratch.probabilities[(row + r) * self.padded_frames..][..self.padded_frames]);
        find_weighed(rows, &mut scratch.weighed);
        for vector in (0..self.padded_size / LANES).step_by(VALUE_VECTORS) {
            match self.padded_size / LANES - vector {
                1 => self.weigh::<ROWS, 1, TOGETHER>(head, vector, row, sums, scratch, out),
                2 => self.weigh::<ROWS, 2, TOGETHER>(head, vector, row, sums, scratch, out),
                _ => self.weigh::<ROWS, VALUE_VECTORS, TOGETHER>(head, vector, row, sums, scratch, out),
            }
        }
    }

    /// Means of the values, weighted by the probabilities of `ROWS` queries, for `VECTORS` vectors of dimensions.
    #[inline(never)]
    fn weigh<const ROWS: usize, const VECTORS: usize, const TOGETHER: usize>(
        &self,
        head: usize,
        vector: usize,
        row: usize,
        sums: &[i32; QUERY_BLOCK],
        scratch: &Scratch,
        out: &mut [f32],
    ) {
        let rows: [&[u8]; ROWS] =
            std::array::from_fn(|r| &scratch.probabilities[(row + r) * self.padded_frames..][..self.padded_frames]);
        let values = &self.values[self.value_panel(head, vector)..];
        let mut totals = [[[I32x4::splat(0); VECTORS]]; ROWS];
        for frames in &scratch.weighed {
            let rows = rows.map(|row| &row[frames.clone()]);
            let values = &values[frames.start * VECTORS * LANES..];
            tile::<_, _, _, VECTORS, TOGETHER, PANELS_SIGNED>(rows, [values], frames.len(), &mut totals);
        }
        for (r, [totals]) in totals.iter().enumerate() {
            let row = row + r;
            let inverse = F32x4::splat(1.0 / sums[row] as f32);
            let out = &mut out[(row * self.heads + head) * self.head_size..][..self.head_size];
            for (v, total) in totals.iter().enumerate() {
                let dimension = (vector + v) * LANES;
                let scales = self.value_scales[head * self.padded_size + dimension..].first_chunk();
                let scales = F32x4::load(scales.expect("a head's dimensions are whole vectors"));
                total.to_f32().mul(scales).mul(inverse).store_some(&mut out[dimension..]);
            }
        }
    }
}

/// Finds the frames that any of some rows of probabilities gives weight to, in whole chunks.
#[inline(never)]
fn find_weighed<const ROWS: usize>(rows: [&[u8]; ROWS], weighed: &mut Vec<Range<usize>>) {
    weighed.clear();
    let rows = rows.map(|row| row.as_chunks::<CHUNK>().0);
    for (chunk, first_row) in rows[0].iter().enumerate() {
        let others = rows[1..].iter().map(|row| u128::from_ne_bytes(row[chunk]));
        if others.fold(u128::from_ne_bytes(*first_row), |any, other| any | other) == 0 {
            continue;
        }
        let first = chunk * CHUNK;
        match weighed.last_mut() {
            Some(last) if first < last.end + CHUNKS_PASSED * CHUNK => last.end = first + CHUNK,
            _ => weighed.push(first..first + CHUNK),
        }
    }
}
