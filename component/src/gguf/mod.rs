//! The container of a model file: GGUF version 3, read front to back in chunks of any size.
//!
//! Nothing that a file says is believed before it is checked: counts and lengths are held against the length of the
//! file where that is known, against the limits below, and memory grows only with the bytes that have really come.

mod field;
mod metadata;
mod parser;
mod tensors;

pub use metadata::{Metadata, StringList};
pub use parser::{Event, Parser};
pub use tensors::{Storage, TensorInfo};

/// The version of GGUF that is read.
pub const VERSION: u32 = 3;
/// The most bytes that a model file may have.
pub const FILE_BYTES_LIMIT: u64 = 1 << 30;
/// The most bytes that everything before the tensor data may have.
pub const HEADER_BYTES_LIMIT: u64 = 64 << 20;
/// The most bytes that a string among the metadata may have.
pub const STRING_BYTES_LIMIT: u64 = 1 << 20;
/// The most bytes that a metadata key or the name of a tensor may have.
pub const NAME_BYTES_LIMIT: u64 = (1 << 16) - 1;
/// The most metadata entries.
pub const METADATA_COUNT_LIMIT: u64 = 1 << 16;
/// The most tensors.
pub const TENSOR_COUNT_LIMIT: u64 = 1 << 16;
/// The most dimensions of a tensor.
pub const DIMENSION_COUNT_LIMIT: u32 = 4;
/// Tensor data stands at multiples of this many bytes.
pub const ALIGNMENT_BYTES: u64 = 32;

/// The next multiple of [`ALIGNMENT_BYTES`], for offsets within a file.
#[must_use]
pub fn aligned(offset: u64) -> u64 {
    offset.saturating_add(ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES
}
