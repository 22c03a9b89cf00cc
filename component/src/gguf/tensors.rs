//! What a header says of tensors, and what must be true of it.

use super::FILE_BYTES_LIMIT;
use super::field::malformed;
use crate::error::{Error, Limit};

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

    /// Refuses what ends beyond the largest file.
    pub(super) fn check_end(&self) -> Result<(), Error> {
        if self.end() <= FILE_BYTES_LIMIT {
            return Ok(());
        }
        Err(Error::LimitExceeded {
            limit: Limit::ModelBytes,
            allowed: FILE_BYTES_LIMIT,
            requested: self.end(),
            message: format!("the model file, up to the end of tensor `{}`", self.name),
        })
    }
}

/// Refuses names that are there twice, and data beyond the end of the file, where that is known, or of the largest
/// file.
pub(super) fn check(tensors: &[TensorInfo], total_bytes: Option<u64>) -> Result<(), Error> {
    let mut by_name: Vec<_> = tensors.iter().collect();
    by_name.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = by_name.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(malformed(pair[1].info_offset, format!("tensor `{}` is there twice", pair[1].name)));
    }
    for tensor in tensors {
        tensor.check_end()?;
        if let Some(total) = total_bytes.filter(|&total| tensor.end() > total) {
            let (name, end) = (&tensor.name, tensor.end());
            let message = format!("tensor `{name}` ends at byte {end}, and the file at byte {total}");
            return Err(malformed(tensor.info_offset, message));
        }
    }
    Ok(())
}
