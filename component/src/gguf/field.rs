//! What stands in the fields of a header: numbers, text and types.

use std::fmt::Display;

use super::VERSION;
use crate::error::{Error, Limit};

/// The types of metadata values, by the numbers that GGUF has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

/// Of each type: itself, the fewest bytes a value takes (a string: those of its length), its name, the name of an
/// array.
const VALUE_TYPES: [(ValueType, u64, &str, &str); 13] = [
    (ValueType::U8, 1, "u8", "array of u8"),
    (ValueType::I8, 1, "i8", "array of i8"),
    (ValueType::U16, 2, "u16", "array of u16"),
    (ValueType::I16, 2, "i16", "array of i16"),
    (ValueType::U32, 4, "u32", "array of u32"),
    (ValueType::I32, 4, "i32", "array of i32"),
    (ValueType::F32, 4, "f32", "array of f32"),
    (ValueType::Bool, 1, "bool", "array of bool"),
    (ValueType::String, 8, "string", "array of string"),
    (ValueType::Array, 12, "array", "array of array"),
    (ValueType::U64, 8, "u64", "array of u64"),
    (ValueType::I64, 8, "i64", "array of i64"),
    (ValueType::F64, 8, "f64", "array of f64"),
];

impl ValueType {
    /// The type with GGUF's number `code`, which stands at `offset`.
    pub(super) fn from_code(code: u32, offset: u64, key: &str) -> Result<Self, Error> {
        usize::try_from(code)
            .ok()
            .and_then(|code| VALUE_TYPES.get(code))
            .map(|row| row.0)
            .ok_or_else(|| malformed(offset, format!("`{key}` is of type {code}, which GGUF has not")))
    }

    /// The fewest bytes that a value takes.
    pub(super) fn least_bytes(self) -> u64 {
        VALUE_TYPES[self as usize].1
    }

    /// Its name, for messages.
    pub(super) fn name(self) -> &'static str {
        VALUE_TYPES[self as usize].2
    }

    /// The name of an array of such values, for messages.
    pub(super) fn array_name(self) -> &'static str {
        VALUE_TYPES[self as usize].3
    }
}

pub(super) fn malformed(offset: u64, message: impl Into<String>) -> Error {
    Error::MalformedModel { offset, message: message.into() }
}

pub(super) fn check_version(version: u32, offset: u64) -> Result<(), Error> {
    if version == VERSION {
        return Ok(());
    }
    if version.swap_bytes() == VERSION {
        let message = format!("it is a big-endian GGUF file (byte {offset}); little-endian is read");
        return Err(Error::UnsupportedModel(message));
    }
    Err(Error::UnsupportedModel(format!("it is of GGUF version {version} (byte {offset}); version {VERSION} is read")))
}

pub(super) fn limited_count(count: u64, allowed: u64, what: &str) -> Result<u64, Error> {
    if count > allowed {
        let message = what.to_owned();
        return Err(Error::LimitExceeded { limit: Limit::ModelDimension, allowed, requested: count, message });
    }
    Ok(count)
}

pub(super) fn limited_bytes(bytes: u64, allowed: u64, what: impl Display, offset: u64) -> Result<u64, Error> {
    if bytes > allowed {
        let message = format!("the length of {what} (byte {offset})");
        return Err(Error::LimitExceeded { limit: Limit::ModelBytes, allowed, requested: bytes, message });
    }
    Ok(bytes)
}

pub(super) fn text_of(field: &[u8], offset: u64, what: impl Display) -> Result<&str, Error> {
    std::str::from_utf8(field).map_err(|error| {
        let offset = offset + error.valid_up_to() as u64;
        malformed(offset, format!("{what} is not well-formed UTF-8"))
    })
}

pub(super) fn u32_of(field: &[u8]) -> Result<u32, Error> {
    field.try_into().map(u32::from_le_bytes).map_err(|_| field_fault())
}

pub(super) fn u64_of(field: &[u8]) -> Result<u64, Error> {
    field.try_into().map(u64::from_le_bytes).map_err(|_| field_fault())
}

fn field_fault() -> Error {
    Error::Internal("a field of the header was collected with a wrong length".to_owned())
}

pub(super) fn to_usize(number: u64) -> Result<usize, Error> {
    usize::try_from(number).map_err(|_| Error::Internal(format!("{number} passed the limits and does not fit memory")))
}
