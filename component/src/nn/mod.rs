//! Layers: activations are rows of F32, `[frames, channels]`, one after the other.

pub mod attention;
pub mod linear;
pub mod norm;
pub mod rope;

use candle_core::{CpuStorage, Storage, Tensor};

use crate::error::Error;

/// Hands the values of a contiguous F32 tensor to `read`, without a copy.
///
/// # Errors
/// [`Error::Internal`] where it is not contiguous F32 on the CPU.
pub fn with_slice<T>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> T) -> Result<T, Error> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => Ok(read(&values[start..end])),
        _ => Err(Error::Internal("a layer was given a tensor that is not contiguous f32".into())),
    }
}

/// A tensor `[rows, columns]` of these values.
#[cfg(test)]
pub(crate) fn matrix(values: Vec<f32>, rows: usize, columns: usize) -> Result<Tensor, Error> {
    Ok(Tensor::from_vec(values, (rows, columns), &candle_core::Device::Cpu)?)
}
