//! The container of a model file: GGUF version 3, read front to back in chunks of any size.
//!
//! Nothing that a file says is believed before it is checked: counts and lengths are held against the length of the file
//! where that is known, against the limits below, and memory grows only with the bytes that have really come.

mod field;
mod metadata;
mod parser;

pub use metadata::{Metadata, StringList};
pub use parser::{Event, Parser};

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

/// How the numbers of a tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point.
    F16,
    /// 8-bit signed integers.
    I8,
}

impl Storage {
    /// From the number that GGUF has for it, where the engine reads it.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(Self::F32),
            1 => Some(Self::F16),
            24 => Some(Self::I8),
            _ => None,
        }
    }

    /// Bytes that a number takes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::I8 => 1,
        }
    }
}

/// Where a tensor stands, and what it is. All sizes have been checked: they fit the file and the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name; no other tensor of the file has it.
    pub name: String,
    /// Its dimensions, outermost first: one to four, none of them zero.
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub storage: Storage,
    /// Where its info stands, in bytes from the start of the file.
    pub info_offset: u64,
    /// Where its data stands, in bytes from the start of the file.
    pub start: u64,
    /// Bytes of its data.
    pub bytes: u64,
}

impl TensorInfo {
    /// Where its data ends, in bytes from the start of the file.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start + self.bytes
    }
}
