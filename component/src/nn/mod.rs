//! Layers over candle tensors: activations are `[frames, channels]`, F32, contiguous.

pub mod linear;
pub mod norm;
pub mod rope;

use candle_core::{CpuStorage, Device, Storage, Tensor};

use crate::error::Error;
use crate::kernels::activation;
use crate::kernels::attention::KvCache;

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
///
/// # Errors
/// [`Error::Internal`] where there are not so many values.
pub fn matrix(values: Vec<f32>, rows: usize, columns: usize) -> Result<Tensor, Error> {
    Ok(Tensor::from_vec(values, (rows, columns), &Device::Cpu)?)
}

/// Applies one of [`crate::kernels::activation`]'s functions to every value of `[rows, columns]`.
///
/// # Errors
/// [`Error::Internal`] where the tensor is not contiguous F32.
pub fn activate(x: &Tensor, function: impl Fn(f32) -> f32) -> Result<Tensor, Error> {
    let (rows, columns) = x.dims2()?;
    let mut values = with_slice(x, <[f32]>::to_vec)?;
    activation::map(&mut values, function);
    matrix(values, rows, columns)
}

/// Attention of queries `[n, channels]` over the frames of a cache, in the same shape.
///
/// # Errors
/// [`Error::Internal`] where the tensor is not contiguous F32.
pub fn attend(queries: &Tensor, cache: &KvCache) -> Result<Tensor, Error> {
    let (rows, columns) = queries.dims2()?;
    let mut out = vec![0.0; rows * columns];
    with_slice(queries, |queries| cache.attend(queries, &mut out))?;
    matrix(out, rows, columns)
}

/// Appends keys and values `[n, channels]` to a cache that has room for them.
///
/// # Errors
/// [`Error::Internal`] where a tensor is not contiguous F32.
pub fn remember(cache: &mut KvCache, keys: &Tensor, values: &Tensor) -> Result<(), Error> {
    with_slice(keys, |keys| with_slice(values, |values| cache.append(keys, values)))?
}
