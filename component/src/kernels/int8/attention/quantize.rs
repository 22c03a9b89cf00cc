//! Keys and values into the form in which they are attended to.

use std::ops::Range;

use super::{FRAMES, Int8KeyValues, KEY_ZERO, Query, SIGNED_MAX, VALUE_VECTORS};
use crate::kernels::constants;
use crate::kernels::int8::tile::{CHUNK, FOUR_GROUPS_LIMIT, GROUP, LANES, QUAD};
use crate::kernels::lanes::{F32x4, I32x4, ROUNDING};
use crate::kernels::lanes16::I16x8;

impl Int8KeyValues {
    /// Makes room for so many frames, so that filling in as many allocates nothing.
    pub fn make_room(&mut self, frames: usize) {
        let frames = self.heads * frames.next_multiple_of(FRAMES);
        for bytes in [&mut self.keys, &mut self.values] {
            bytes.clear();
            bytes.reserve_exact(frames * self.padded_size);
        }
        self.frames = 0;
        self.key_scales.clear();
        self.key_scales.reserve_exact(frames);
    }

    /// Quantizes keys and values `[frames, heads · head_size]` in place of what was there. Allocates only where there were
    /// never so many frames.
    ///
    /// # Panics
    /// If the two do not have the same whole number of frames.
    pub fn fill(&mut self, keys: &[f32], values: &[f32]) {
        let channels = self.heads * self.head_size;
        assert!(keys.len() == values.len() && keys.len().is_multiple_of(channels), "a key and a value for every frame");
        self.frames = keys.len() / channels;
        self.padded_frames = self.frames.next_multiple_of(FRAMES);
        let frames = self.heads * self.padded_frames;
        for bytes in [&mut self.keys, &mut self.values] {
            bytes.clear();
            bytes.resize(frames * self.padded_size, 0);
        }
        self.key_scales.clear();
        self.key_scales.resize(frames, 0.0);
        self.value_scales.clear();
        self.value_scales.resize(self.heads * self.padded_size, 0.0);
        self.fill_keys(keys);
        self.fill_values(values);
    }

    fn fill_keys(&mut self, keys: &[f32]) {
        let channels = self.heads * self.head_size;
        let panel_bytes = FRAMES * self.padded_size;
        for (quad, keys) in keys.chunks(QUAD * channels).enumerate() {
            let first = quad * QUAD;
            for head in 0..self.heads {
                let mut frames = keys.chunks_exact(channels);
                // Frames that are not there are empty, which is 0 throughout.
                let rows: [&[f32]; QUAD] = std::array::from_fn(|_| {
                    frames.next().map_or(&[][..], |keys| &keys[head * self.head_size..][..self.head_size])
                });
                let panel = (head * self.padded_frames + first) / FRAMES;
                let panel = &mut self.keys[panel * panel_bytes..][..panel_bytes];
                let at = head * self.padded_frames + first;
                let largest = fill_quad(rows, first % FRAMES, panel);
                self.key_scales[at..][..QUAD].copy_from_slice(&largest.map(|largest| largest / SIGNED_MAX));
            }
        }
    }

    fn fill_values(&mut self, values: &[f32]) {
        let channels = self.heads * self.head_size;
        let mut factors = std::mem::take(&mut self.value_factors);
        factors.clear();
        factors.resize(channels, 0.0f32);
        largest_of_each(values, &mut factors);
        for (channel, factor) in factors.iter_mut().enumerate() {
            let (head, dimension) = (channel / self.head_size, channel % self.head_size);
            let largest = *factor;
            self.value_scales[head * self.padded_size + dimension] = largest / SIGNED_MAX;
            *factor = if largest > 0.0 { SIGNED_MAX / largest } else { 0.0 };
        }
        for head in 0..self.heads {
            for vector in 0..self.padded_size / LANES {
                let first = vector / VALUE_VECTORS * VALUE_VECTORS;
                let width = (self.padded_size / LANES - first).min(VALUE_VECTORS);
                let dimensions = head * self.head_size + vector * LANES..(head + 1) * self.head_size;
                let vector_factors = F32x4::load_some(&factors[dimensions.clone()]);
                let panel = self.value_panel(head, first);
                let panel = &mut self.values[panel..][..width * LANES * self.padded_frames];
                fill_vector(values, channels, dimensions, vector_factors, vector - first, width, panel);
            }
        }
        self.value_factors = factors;
    }
}

/// The nearest integers, within −127..=127, in the low bytes.
#[inline(always)]
fn signed_lanes(x: F32x4) -> I32x4 {
    x.add(F32x4::splat(ROUNDING)).to_bits()
}

/// Raises each channel's largest magnitude to that of its values, `[frames, channels]`.
#[inline(never)]
fn largest_of_each(values: &[f32], largest: &mut [f32]) {
    for values in values.chunks_exact(largest.len()) {
        let (vectors, rest) = values.as_chunks::<LANES>();
        let (largest_vectors, largest_rest) = largest.as_chunks_mut::<LANES>();
        for (largest, values) in largest_vectors.iter_mut().zip(vectors) {
            F32x4::load(largest).max(F32x4::load(values).abs()).store(largest);
        }
        for (largest, &value) in largest_rest.iter_mut().zip(rest) {
            *largest = if value.abs() > *largest { value.abs() } else { *largest };
        }
    }
}

/// Quantizes four dimensions of all frames, at most `dimensions`, as vector `vector` of a panel that is `width` wide.
#[inline(never)]
fn fill_vector(
    values: &[f32],
    channels: usize,
    dimensions: Range<usize>,
    factors: F32x4,
    vector: usize,
    width: usize,
    panel: &mut [u8],
) {
    let quantize = |values: &[f32]| signed_lanes(F32x4::load_some(&values[dimensions.clone()]).mul(factors));
    for (quad, frames) in values.chunks(QUAD * channels).enumerate() {
        let mut frames = frames.chunks_exact(channels);
        // Frames that are not there are 0.
        let lanes: [I32x4; QUAD] = std::array::from_fn(|_| frames.next().map_or(I32x4::splat(0), quantize));
        for (lane, bytes) in I32x4::interleave_low_bytes(lanes).iter().enumerate() {
            for (group, bytes) in bytes.chunks_exact(GROUP).enumerate() {
                let group = quad * (QUAD / GROUP) + group;
                panel[((group * width + vector) * LANES + lane) * GROUP..][..GROUP].copy_from_slice(bytes);
            }
        }
    }
}

/// Quantizes the keys of four frames, each relative to its largest magnitude, into a panel from frame `first` on, and gives
/// those magnitudes.
#[inline(never)]
fn fill_quad(rows: [&[f32]; QUAD], first: usize, panel: &mut [u8]) -> [f32; QUAD] {
    let largest = rows.map(F32x4::largest_magnitude);
    let factors = largest.map(signed_factor);
    let [zero, rounding] = constants::read(&[KEY_ZERO as f32 + ROUNDING, ROUNDING]);
    for (quad, stretch) in panel.as_chunks_mut::<{ FRAMES * QUAD }>().0.iter_mut().enumerate() {
        let dimensions = std::array::from_fn(|row| {
            let there = rows[row].get(quad * QUAD..).unwrap_or_default();
            F32x4::load_some(there).mul(factors[row]).add(zero)
        });
        // Frame by frame four dimensions: one group, or two that are not beside each other.
        let mut bytes = [0; QUAD * QUAD];
        I16x8::store_bytes(I16x8::both_rounded(dimensions, rounding), &mut bytes);
        for (row, bytes) in bytes.as_chunks::<QUAD>().0.iter().enumerate() {
            for (group, bytes) in bytes.as_chunks::<GROUP>().0.iter().enumerate() {
                stretch.as_chunks_mut::<GROUP>().0[group * FRAMES + first + row] = *bytes;
            }
        }
    }
    largest
}

/// What values are multiplied with so that the largest magnitude becomes [`SIGNED_MAX`].
#[inline(always)]
fn signed_factor(largest: f32) -> F32x4 {
    F32x4::splat(if largest > 0.0 { SIGNED_MAX / largest } else { 0.0 })
}

/// Quantizes a query to −63..=63 relative to its largest magnitude. What is left of `to`, whole chunks, becomes 0.
#[inline(never)]
pub(super) fn quantize_query(query: &[f32], to: &mut [u8]) -> Query {
    // What the numbers of a lane add up to before they are rounded, each by half at most; see [`FOUR_GROUPS_LIMIT`].
    const LIMIT: f32 = (FOUR_GROUPS_LIMIT - 4) as f32;
    let largest = F32x4::largest_magnitude(query);
    let factor = signed_factor(largest);
    let [none, rounding] = constants::read(&[0.0, ROUNDING]);
    let (whole, rest) = query.as_chunks::<CHUNK>();
    let (to, to_rest) = to.as_chunks_mut::<CHUNK>().0.split_at_mut(whole.len());
    let (mut sums, mut most) = (I32x4::splat(0), none);
    let mut put = |values: [F32x4; QUAD], to: &mut [u8; CHUNK]| {
        let halves = I16x8::both_rounded(values.map(|values| values.add(rounding)), rounding);
        sums = sums.add(halves[0].add(halves[1]).add_neighbours());
        I16x8::store_signed_bytes(halves, to);
    };
    for (values, to) in whole.iter().zip(to) {
        let values: [F32x4; QUAD] = std::array::from_fn(|i| F32x4::load(&values.as_chunks::<LANES>().0[i]).mul(factor));
        put(values, to);
        let positive = values.into_iter().fold(none, |sum, values| sum.add(values.max(none)));
        let negative = values.into_iter().fold(positive, F32x4::sub);
        for lanes in [positive, negative] {
            most = most.max(lanes.add(lanes.swap_pairs()));
        }
    }
    for to in to_rest.iter_mut() {
        let there = |quarter: usize| rest.get(quarter * LANES..).unwrap_or_default();
        put(std::array::from_fn(|i| F32x4::load_some(there(i)).mul(factor)), to);
    }
    let sum = sums.to_array().iter().sum();
    Query { largest, sum, fits_four_groups: !most.any_at_least(F32x4::splat(LIMIT)), highest: f32::MIN }
}
