//! What an importer hands over: named tensors, as the source has them.

use std::borrow::Cow;

use crate::models::error::SourceError;

/// The numbers of a tensor, row-major, outermost dimension first.
#[derive(Clone, Debug)]
pub(crate) enum Values<'a> {
    /// As they are.
    Float(Vec<f32>),
    /// `value = (integer − zero_point) · scale`, one scale for the whole tensor.
    Affine {
        /// The stored integers.
        integers: Cow<'a, [u8]>,
        /// Finite and above zero.
        scale: f32,
        /// The integer that stands for zero.
        zero_point: u8,
    },
}

/// A tensor of the source, already in PyTorch's orientation (`[out, in]` for a linear layer).
#[derive(Clone, Debug)]
pub(crate) struct SourceTensor<'a> {
    /// Outermost first.
    pub(crate) shape: Vec<usize>,
    /// As many as the shape says.
    pub(crate) values: Values<'a>,
}

impl SourceTensor<'_> {
    /// All values as floats.
    pub(crate) fn floats(&self) -> Cow<'_, [f32]> {
        match &self.values {
            Values::Float(values) => Cow::Borrowed(values),
            Values::Affine { integers, scale, zero_point } => {
                Cow::Owned(integers.iter().map(|q| f32::from(i16::from(*q) - i16::from(*zero_point)) * scale).collect())
            }
        }
    }
}

/// Somewhere that named tensors come from.
pub(crate) trait WeightSource {
    /// The tensor with this Hugging Face name.
    ///
    /// # Errors
    ///
    /// [`SourceError::MissingTensor`], or what makes the stored tensor unusable.
    fn tensor(&self, name: &str) -> Result<SourceTensor<'_>, SourceError>;

    /// The names of all tensors that carry weights, in no particular order.
    fn names(&self) -> Vec<&str>;
}
