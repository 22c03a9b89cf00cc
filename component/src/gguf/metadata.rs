//! What a model file says of itself, by key.

use std::collections::BTreeMap;

use crate::error::Error;

/// Strings, one after the other in one piece of memory: a vocabulary is tens of thousands of very short ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StringList {
    text: String,
    /// Where each string ends in `text`.
    ends: Vec<u32>,
}

impl StringList {
    /// The number of strings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A string by its index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[start as usize..end as usize])
    }

    /// All strings, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Adds a string. A list comes out of one header, so its bytes fit 32 bits: see
    /// [`HEADER_BYTES_LIMIT`](super::HEADER_BYTES_LIMIT).
    pub(super) fn push(&mut self, string: &str) -> Result<(), Error> {
        let end = u32::try_from(self.text.len() + string.len())
            .map_err(|_| Error::Internal("a list of strings is larger than a header can be".to_owned()))?;
        self.text.push_str(string);
        self.ends.push(end);
        Ok(())
    }

    /// The strings without separators, and where each of them ends.
    #[must_use]
    pub fn into_parts(self) -> (String, Vec<u32>) {
        (self.text, self.ends)
    }
}

/// A value of the kinds that the engine asks for. Others are read over and only their kind is kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    U32(u32),
    F32(f32),
    String(String),
    Strings(StringList),
    I32s(Vec<i32>),
    /// Its type, for messages.
    Other(&'static str),
}

impl Value {
    fn type_name(&self) -> &'static str {
        match self {
            Self::U32(_) => "u32",
            Self::F32(_) => "f32",
            Self::String(_) => "string",
            Self::Strings(_) => "array of string",
            Self::I32s(_) => "array of i32",
            Self::Other(name) => name,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    offset: u64,
    value: Value,
}

/// What a model file says of itself, by key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    entries: BTreeMap<String, Entry>,
    end: u64,
}

/// One pair of getters for a type. Each fails with [`Error::MalformedModel`] where the value is of another type, and
/// the one that is not optional also where there is none.
macro_rules! getters {
    ($variant:ident, $name:literal, $get:ident, $optional:ident, $result:ty, $value:ident => $give:expr) => {
        #[doc = concat!("The ", $name, " under a key.\n\n# Errors\n",
                                            "[`Error::MalformedModel`] where there is none or it is of another type.")]
        pub fn $get(&self, key: &str) -> Result<$result, Error> {
            self.$optional(key)?.ok_or_else(|| self.missing(key, $name))
        }

        #[doc = concat!("The ", $name, " under a key, where there is one.\n\n# Errors\n",
                                            "[`Error::MalformedModel`] where it is of another type.")]
        pub fn $optional(&self, key: &str) -> Result<Option<$result>, Error> {
            match self.entries.get(key).map(|entry| &entry.value) {
                None => Ok(None),
                Some(Value::$variant($value)) => Ok(Some($give)),
                Some(other) => Err(self.mistyped(key, $name, other)),
            }
        }
    };
}

impl Metadata {
    getters!(U32, "u32", u32, optional_u32, u32, value => *value);
    getters!(F32, "f32", f32, optional_f32, f32, value => *value);
    getters!(String, "string", string, optional_string, &str, value => value);
    getters!(Strings, "array of string", strings, optional_strings, &StringList, value => value);
    getters!(I32s, "array of i32", i32s, optional_i32s, &[i32], value => value);

    /// Takes the array of string under a key out, so that a large one need not be there twice.
    ///
    /// # Errors
    /// [`Error::MalformedModel`] where there is none or it is of another type.
    pub fn take_strings(&mut self, key: &str) -> Result<StringList, Error> {
        self.strings(key)?;
        match self.entries.remove(key) {
            Some(Entry { value: Value::Strings(strings), .. }) => Ok(strings),
            _ => Err(self.missing(key, "array of string")),
        }
    }

    /// Where the value under a key stands, in bytes from the start of the file; the end of the metadata where there is
    /// none.
    #[must_use]
    pub fn offset(&self, key: &str) -> u64 {
        self.entries.get(key).map_or(self.end, |entry| entry.offset)
    }

    /// The error for a value that is of the right type and still wrong.
    #[must_use]
    pub fn malformed(&self, key: &str, message: impl std::fmt::Display) -> Error {
        Error::MalformedModel { offset: self.offset(key), message: format!("`{key}` {message}") }
    }

    fn missing(&self, key: &str, expected: &str) -> Error {
        self.malformed(key, format_args!("is missing, and a model needs it ({expected})"))
    }

    fn mistyped(&self, key: &str, expected: &str, found: &Value) -> Error {
        self.malformed(key, format_args!("is of type {}, and {expected} is needed", found.type_name()))
    }

    /// Adds an entry. The parser has seen to it that the key is new.
    pub(super) fn insert(&mut self, key: String, offset: u64, value: Value) {
        self.entries.insert(key, Entry { offset, value });
    }

    /// Whether there is a value under a key.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Where the metadata ends, in bytes from the start of the file.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Sets where the metadata ends, in bytes from the start of the file.
    pub(super) fn set_end(&mut self, offset: u64) {
        self.end = offset;
    }
}
