//! Matrices as 8-bit integers with one scale per output channel, or as 16-bit floats.

use half::f16;

use super::{SourceTensor, Values};
use crate::models::error::SourceError;

/// The range is symmetric: −128 is never used.
const MAX_INTEGER: f32 = 127.0;

/// How many output channels of the 8-bit matrices hold exactly the source's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounts {
    /// The source's integers and scale were kept.
    pub lossless: u64,
    /// Rounded to new integers with a scale of their own.
    pub requantized: u64,
}

/// A matrix as `integer · scale[output channel]`.
#[derive(Debug)]
pub(super) struct PerChannel {
    /// One for each index of the outermost dimension; finite, not negative.
    pub(super) scales: Vec<f32>,
    /// −127..=127, in the source's order.
    pub(super) integers: Vec<i8>,
}

/// Quantizes along the outermost dimension and adds to `counts`.
pub(super) fn per_channel(tensor: &SourceTensor<'_>, counts: &mut ChannelCounts) -> PerChannel {
    let channels = tensor.shape.first().copied().unwrap_or(0);
    let channel_len: usize = tensor.shape.iter().skip(1).product::<usize>().max(1);
    let mut result = PerChannel {
        scales: Vec::with_capacity(channels),
        integers: Vec::with_capacity(channels.saturating_mul(channel_len)),
    };
    match &tensor.values {
        Values::Float(values) => {
            for channel in values.chunks_exact(channel_len) {
                result.push_rounded(channel);
                counts.requantized += 1;
            }
        }
        Values::Affine { integers, scale, zero_point } => {
            for channel in integers.chunks_exact(channel_len) {
                let centred: Vec<i16> = channel.iter().map(|q| i16::from(*q) - i16::from(*zero_point)).collect();
                if centred.iter().all(|q| (-127..=127).contains(q)) {
                    result.scales.push(*scale);
                    // In range, as was just checked.
                    result.integers.extend(centred.iter().map(|q| *q as i8));
                    counts.lossless += 1;
                } else {
                    let values: Vec<f32> = centred.iter().map(|q| f32::from(*q) * scale).collect();
                    result.push_rounded(&values);
                    counts.requantized += 1;
                }
            }
        }
    }
    result
}

impl PerChannel {
    /// Rounds half to even, with the scale that takes the largest magnitude to 127; a channel of zeros has scale 0.
    fn push_rounded(&mut self, channel: &[f32]) {
        let largest = channel.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = largest / MAX_INTEGER;
        self.scales.push(scale);
        self.integers.extend(channel.iter().map(|value| {
            // The quotient of a scale that underflowed to zero says nothing.
            let quotient = if scale > 0.0 { value / scale } else { 0.0 };
            quotient.round_ties_even().clamp(-MAX_INTEGER, MAX_INTEGER) as i8
        }));
    }
}

/// Rounds to the nearest 16-bit float, ties to even.
///
/// # Errors
///
/// [`SourceError::TooLargeForF16`] for a value that would become infinite.
pub(super) fn f16_bytes(name: &str, values: &[f32]) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::with_capacity(values.len() * 2);
    for value in values {
        let rounded = f16::from_f32(*value);
        if rounded.is_infinite() {
            return Err(SourceError::TooLargeForF16 { name: name.to_owned(), value: *value });
        }
        bytes.extend_from_slice(&rounded.to_le_bytes());
    }
    Ok(bytes)
}
