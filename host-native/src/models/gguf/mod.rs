//! GGUF version 3: the container of the model file.

mod header;
mod reader;
mod writer;

pub use header::{Header, MetadataItem, TensorInfo, Value};
pub use reader::{GgufError, GgufProblem};
pub(crate) use writer::{Writer, WriterTensor};

pub(crate) const MAGIC: &[u8; 4] = b"GGUF";
const VERSION: u32 = 3;
const ALIGNMENT_BYTES: u64 = 32;

/// The numbers of the metadata's value types.
mod value_type {
    pub(super) const U8: u32 = 0;
    pub(super) const I8: u32 = 1;
    pub(super) const U16: u32 = 2;
    pub(super) const I16: u32 = 3;
    pub(super) const U32: u32 = 4;
    pub(super) const I32: u32 = 5;
    pub(super) const F32: u32 = 6;
    pub(super) const BOOL: u32 = 7;
    pub(super) const STRING: u32 = 8;
    pub(super) const ARRAY: u32 = 9;
    pub(super) const U64: u32 = 10;
    pub(super) const I64: u32 = 11;
    pub(super) const F64: u32 = 12;
}

/// Metadata that a model file of ours has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MetadataValue {
    U32(u32),
    F32(f32),
    String(String),
    StringArray(Vec<String>),
    I32Array(Vec<i32>),
}

/// Tensor types that a model file of ours has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TensorType {
    F32 = 0,
    F16 = 1,
    I8 = 24,
}

impl TensorType {
    fn element_bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::I8 => 1,
        }
    }
}
