//! What a GGUF file says before its tensor data.

use std::fmt;

use serde::Serialize;

/// A metadata value; of arrays the length and the first elements.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Any unsigned type.
    Unsigned(u64),
    /// Any signed type.
    Signed(i64),
    /// 32-bit.
    Float(f32),
    /// 64-bit.
    Double(f64),
    /// One byte, 0 or not.
    Bool(bool),
    /// UTF-8.
    String(String),
    /// Of one element type.
    Array {
        /// Number of elements in the file.
        len: u64,
        /// At most six.
        first: Vec<Value>,
    },
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(value) => write!(f, "{value}"),
            Self::Signed(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::String(value) => write!(f, "{value:?}"),
            Self::Array { len, first } => {
                f.write_str("[")?;
                for (index, value) in first.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "" } else { ", " })?;
                }
                match len.saturating_sub(first.len() as u64) {
                    0 => f.write_str("]"),
                    _ => write!(f, ", …] ({len} elements)"),
                }
            }
        }
    }
}

/// One metadata item.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetadataItem {
    /// Unique in the file.
    pub key: String,
    /// Its value.
    pub value: Value,
}

/// One tensor's place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorInfo {
    /// Unique in the file.
    pub name: String,
    /// Outermost dimension first, as PyTorch has it (the file has it innermost first).
    pub shape: Vec<u64>,
    /// ggml's name of the type, such as `F32`; its number where the type is not known here.
    #[serde(rename = "type")]
    pub type_name: String,
    /// ggml's number of the type.
    pub type_number: u32,
    /// From the start of the file.
    pub offset: u64,
    /// Size of its data; `None` for a type that is not known here.
    pub size_bytes: Option<u64>,
}

/// Everything before the tensor data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Header {
    /// Always 3.
    pub version: u32,
    /// In the order of the file.
    pub metadata: Vec<MetadataItem>,
    /// In the order of the file.
    pub tensors: Vec<TensorInfo>,
    /// Where the tensor data start, from the start of the file.
    pub data_offset: u64,
    /// Length of the whole file.
    pub file_bytes: u64,
}

impl Header {
    /// The value of a metadata key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.iter().find(|item| item.key == key).map(|item| &item.value)
    }

    /// The value of a metadata key that holds text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}
