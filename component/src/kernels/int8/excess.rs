//! What is taken off the few weights that are too large for short sums, and put back after them.
//!
//! Trained weights nearly always keep to [`FOUR_GROUPS_LIMIT`](super::tile::FOUR_GROUPS_LIMIT). Where they do not, the largest
//! are made smaller, and what was taken off is multiplied by itself: the result is the same integer.

use super::tile::{CHUNK, FOUR_GROUPS_LIMIT as LIMIT, LANES, QUAD};
use crate::kernels::lanes::I32x4;

/// A part of a weight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Excess {
    column: u32,
    channel: u32,
    /// It in the lane of its channel, and 0 in the others.
    lanes: [i32; LANES],
}

impl Excess {
    /// The weight's column.
    pub(super) fn column(self) -> usize {
        self.column as usize
    }

    /// The weight's channel within its panel.
    pub(super) fn channel(self) -> usize {
        self.channel as usize
    }

    /// What was taken off it.
    pub(super) fn weight(self) -> i32 {
        self.lanes[self.channel() % LANES]
    }
}

/// One part in so many weights may be taken off, at most: more would take too much memory and time.
const WEIGHTS_PER_EXCESS: usize = 128;

/// Makes the weights of a panel, row-major with `stride` columns, fit short sums, and gives what was taken off; none where
/// it is too much, and the panel is left half done.
pub(super) fn take_off(panel: &mut [u8], stride: usize) -> Option<Vec<Excess>> {
    let most = panel.len() / WEIGHTS_PER_EXCESS;
    let mut excess = Vec::new();
    for (channel, row) in panel.chunks_exact_mut(stride).enumerate() {
        for (chunk, weights) in row.as_chunks_mut::<CHUNK>().0.iter_mut().enumerate() {
            // Nearly always all of them are small enough, whatever their signs.
            if weights.iter().map(|w| u32::from(w.cast_signed().unsigned_abs())).sum::<u32>() <= LIMIT.unsigned_abs() {
                continue;
            }
            for pair in [0, 2] {
                // Two columns of each of the four groups.
                let columns: [usize; 8] = std::array::from_fn(|i| i / 2 * QUAD + pair + i % 2);
                for sign in [1, -1] {
                    while let Some((column, weight)) = too_much(weights, columns, sign) {
                        if excess.len() == most {
                            return None;
                        }
                        weights[column] = (weights[column].cast_signed() - weight as i8).cast_unsigned();
                        let mut lanes = [0; LANES];
                        lanes[channel % LANES] = i32::from(weight);
                        excess.push(Excess { column: (chunk * CHUNK + column) as u32, channel: channel as u32, lanes });
                    }
                }
            }
        }
    }
    excess.shrink_to_fit();
    Some(excess)
}

/// Which of the weights of this sign in these columns is to be made smaller, and by how much: the largest, until they fit.
fn too_much(weights: &[u8; CHUNK], columns: [usize; 8], sign: i32) -> Option<(usize, i16)> {
    let magnitude = |column: usize| (sign * i32::from(weights[column].cast_signed())).max(0);
    let over = columns.map(magnitude).iter().sum::<i32>() - LIMIT;
    let largest = columns.into_iter().max_by_key(|&column| magnitude(column)).filter(|_| over > 0)?;
    // At most 127, so that it is a weight itself.
    Some((largest, (sign * over.min(magnitude(largest)).min(127)) as i16))
}

/// Adds the products of what was taken off to the sums of some vectors from `vector` on.
#[inline(never)]
pub(super) fn put_back<const ROWS: usize, const VECTORS: usize>(
    excess: &[Excess],
    rows: [&[u8]; ROWS],
    vector: usize,
    mut sums: [&mut [I32x4; VECTORS]; ROWS],
) {
    for excess in excess {
        // Whole vectors: one of which a lane was just written is slow to read.
        let (weights, at) = (I32x4::load(&excess.lanes), excess.channel() / LANES - vector);
        for (row, sums) in rows.iter().zip(&mut sums) {
            sums[at] = sums[at].add(weights.mul(I32x4::splat(i32::from(row[excess.column()]))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LIMIT, take_off};
    use crate::kernels::testing::Noise;

    #[test]
    fn what_is_left_fits_and_what_was_taken_off_is_what_was_there() {
        let mut noise = Noise::new(31);
        for magnitude in [40.0, 127.0] {
            // To the fifth, so that most are small, as a trained layer's are.
            let mut weight = || (noise.next().powi(5) * magnitude).clamp(-128.0, 127.0) as i8;
            let weights: Vec<i8> = (0..16 * 288).map(|_| weight()).collect();
            let mut left: Vec<u8> = weights.iter().map(|w| w.cast_unsigned()).collect();
            let excess = take_off(&mut left, 288).expect("few are too large");
            let mut restored: Vec<i32> = left.iter().map(|w| i32::from(w.cast_signed())).collect();
            for excess in &excess {
                restored[excess.channel() * 288 + excess.column()] += excess.weight();
            }
            assert_eq!(restored, weights.iter().map(|&w| i32::from(w)).collect::<Vec<_>>());
            for chunk in left.chunks(16) {
                for pair in [0, 2] {
                    let lane = || (0..8).map(|i| i32::from(chunk[i / 2 * 4 + pair + i % 2].cast_signed()));
                    assert!(lane().map(|w| w.max(0)).sum::<i32>() <= LIMIT);
                    assert!(lane().map(|w| w.min(0)).sum::<i32>() >= -LIMIT);
                }
            }
            assert_eq!(excess.is_empty(), magnitude == 40.0, "{} at {magnitude}", excess.len());
        }
    }

    #[test]
    fn where_most_weights_are_too_large_nothing_is_kept() {
        assert!(take_off(&mut [127; 16 * 48], 48).is_none());
        assert!(take_off(&mut [(-128i8).cast_unsigned(); 16 * 48], 48).is_none());
    }
}
