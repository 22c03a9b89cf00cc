//! Reads and checks the header of any GGUF file of version 3, without its tensor data.

use std::collections::HashSet;
use std::io::{self, BufReader, Read};

use super::header::{Header, MetadataItem, TensorInfo, Value};
use super::{ALIGNMENT_BYTES, MAGIC, VERSION, value_type};

/// As many elements of an array are kept.
const KEPT_ELEMENTS: usize = 6;
/// The least that a metadata item and a tensor info can take, which bounds their number by the file's length.
const LEAST_ITEM_BYTES: u64 = 8 + 4 + 1;
const LEAST_TENSOR_BYTES: u64 = 8 + 4 + 8 + 4 + 8;
const MAX_DIMS: u32 = 4;
const MAX_ALIGNMENT_BYTES: u64 = 1 << 16;

/// What is wrong with a file, and where.
#[derive(Debug, thiserror::Error)]
#[error("at byte {offset}: {problem}")]
pub struct GgufError {
    /// Offset of the faulty item from the start of the file.
    pub offset: u64,
    /// What is wrong.
    pub problem: GgufProblem,
}

/// Ways in which a header can be wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what the names leave open")]
pub enum GgufProblem {
    #[error("the file could not be read: {0}")]
    Io(io::Error),
    #[error("not a GGUF file: it does not start with \"GGUF\"")]
    Magic,
    #[error("GGUF version {0}; only version 3 is read")]
    Version(u32),
    #[error("{what} needs {needed} bytes, but the file has {left} left: it was cut off or its header is damaged")]
    Truncated { what: &'static str, needed: u64, left: u64 },
    #[error("{what} is not UTF-8")]
    Text { what: &'static str },
    #[error("metadata key `{0}` is there twice")]
    DuplicateKey(String),
    #[error("tensor `{0}` is there twice")]
    DuplicateTensor(String),
    #[error("metadata `{key}` has the unknown value type {value_type}")]
    ValueType { key: String, value_type: u32 },
    #[error("metadata `{key}` is an array of arrays, which is not supported")]
    NestedArray { key: String },
    #[error("metadata `{key}` should be {expected}")]
    WrongValue { key: String, expected: &'static str },
    #[error("tensor `{name}` has {dims} dimensions; 1 to 4 are possible")]
    DimCount { name: String, dims: u32 },
    #[error("tensor `{name}` of shape {shape:?} has no possible size")]
    Size { name: String, shape: Vec<u64> },
    #[error("tensor `{name}` starts at {start} in the tensor data, which is not a multiple of {alignment}")]
    Alignment { name: String, start: u64, alignment: u64 },
    #[error("tensor `{name}` ends after the file's {file_len} bytes: the file was cut off or its header is damaged")]
    OutOfFile { name: String, file_len: u64 },
}

impl Header {
    /// Reads the header of a file of `file_bytes` bytes from its start. Memory is bounded by that length.
    ///
    /// # Errors
    ///
    /// [`GgufError`], with the offset of the first fault.
    pub fn read(file: impl Read, file_bytes: u64) -> Result<Self, GgufError> {
        Cursor { file: BufReader::new(file), position: 0, file_bytes }.header()
    }
}

/// ggml's types: number, name, elements in a block, bytes of a block.
const TENSOR_TYPES: &[(u32, &str, u64, u64)] = &[
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (30, "BF16", 1, 2),
];

struct Cursor<R> {
    file: BufReader<R>,
    position: u64,
    file_bytes: u64,
}

impl<R: Read> Cursor<R> {
    fn header(mut self) -> Result<Header, GgufError> {
        // A file too short for the magic is not one that was cut off.
        if self.file_bytes < 4 || self.bytes::<4>("the magic")? != *MAGIC {
            return Err(GgufError { offset: 0, problem: GgufProblem::Magic });
        }
        let version = self.u32("the version")?;
        if version != VERSION {
            return Err(self.fault(4, GgufProblem::Version(version)));
        }
        let tensor_count = self.u64("the number of tensors")?;
        let metadata_count = self.u64("the number of metadata items")?;
        let metadata = self.metadata(metadata_count)?;
        let mut tensors = self.tensors(tensor_count)?;
        let alignment = match metadata.iter().find(|item| item.key == "general.alignment").map(|item| &item.value) {
            None => ALIGNMENT_BYTES,
            Some(Value::Unsigned(bytes)) if bytes.is_power_of_two() && *bytes <= MAX_ALIGNMENT_BYTES => *bytes,
            Some(_) => {
                let key = "general.alignment".to_owned();
                return Err(self.fault(0, GgufProblem::WrongValue { key, expected: "a power of two up to 65536" }));
            }
        };
        let data_offset = self.position.next_multiple_of(alignment);
        for (tensor, info_offset) in &mut tensors {
            self.place(tensor, data_offset, alignment).map_err(|problem| self.fault(*info_offset, problem))?;
        }
        let tensors = tensors.into_iter().map(|(tensor, _)| tensor).collect();
        Ok(Header { version, metadata, tensors, data_offset, file_bytes: self.file_bytes })
    }

    /// Makes the tensor's offset one from the start of the file, and checks that its data are in the file.
    fn place(&self, tensor: &mut TensorInfo, data_offset: u64, alignment: u64) -> Result<(), GgufProblem> {
        let start = tensor.offset;
        let name = || tensor.name.clone();
        if !start.is_multiple_of(alignment) {
            return Err(GgufProblem::Alignment { name: name(), start, alignment });
        }
        let offset = data_offset.checked_add(start);
        let end = offset.and_then(|offset| offset.checked_add(tensor.size_bytes.unwrap_or(0)));
        match (offset, end) {
            (Some(offset), Some(end)) if end <= self.file_bytes => tensor.offset = offset,
            _ => {
                return Err(GgufProblem::OutOfFile { name: name(), file_len: self.file_bytes });
            }
        }
        Ok(())
    }

    fn metadata(&mut self, count: u64) -> Result<Vec<MetadataItem>, GgufError> {
        self.need("the metadata", count.checked_mul(LEAST_ITEM_BYTES))?;
        let mut keys = HashSet::new();
        let mut items = Vec::new();
        for _ in 0..count {
            let offset = self.position;
            let key = self.string("a metadata key")?;
            if !keys.insert(key.clone()) {
                return Err(self.fault(offset, GgufProblem::DuplicateKey(key)));
            }
            let value_type = self.u32("a value type")?;
            let value = self.value(&key, value_type, true)?;
            items.push(MetadataItem { key, value });
        }
        Ok(items)
    }

    fn value(&mut self, key: &str, number: u32, array_allowed: bool) -> Result<Value, GgufError> {
        let what = "a metadata value";
        Ok(match number {
            value_type::U8 => Value::Unsigned(self.bytes::<1>(what)?[0].into()),
            value_type::I8 => Value::Signed(i8::from_le_bytes(self.bytes(what)?).into()),
            value_type::U16 => Value::Unsigned(u16::from_le_bytes(self.bytes(what)?).into()),
            value_type::I16 => Value::Signed(i16::from_le_bytes(self.bytes(what)?).into()),
            value_type::U32 => Value::Unsigned(self.u32(what)?.into()),
            value_type::I32 => Value::Signed(i32::from_le_bytes(self.bytes(what)?).into()),
            value_type::F32 => Value::Float(f32::from_le_bytes(self.bytes(what)?)),
            value_type::BOOL => Value::Bool(self.bytes::<1>(what)?[0] != 0),
            value_type::STRING => Value::String(self.string(what)?),
            value_type::U64 => Value::Unsigned(self.u64(what)?),
            value_type::I64 => Value::Signed(i64::from_le_bytes(self.bytes(what)?)),
            value_type::F64 => Value::Double(f64::from_le_bytes(self.bytes(what)?)),
            value_type::ARRAY if array_allowed => return self.array(key),
            value_type::ARRAY => {
                return Err(self.fault(self.position, GgufProblem::NestedArray { key: key.to_owned() }));
            }
            value_type => {
                let problem = GgufProblem::ValueType { key: key.to_owned(), value_type };
                return Err(self.fault(self.position.saturating_sub(4), problem));
            }
        })
    }

    fn array(&mut self, key: &str) -> Result<Value, GgufError> {
        let element_type = self.u32("an array's element type")?;
        let len = self.u64("an array's length")?;
        // Every element takes a byte at least, so that this bounds the loop by the file.
        self.need("an array", Some(len))?;
        let mut first = Vec::new();
        for _ in 0..len {
            let element = self.value(key, element_type, false)?;
            if first.len() < KEPT_ELEMENTS {
                first.push(element);
            }
        }
        Ok(Value::Array { len, first })
    }

    /// With the offset of each info. Offsets in them are still those in the tensor data.
    fn tensors(&mut self, count: u64) -> Result<Vec<(TensorInfo, u64)>, GgufError> {
        self.need("the tensor infos", count.checked_mul(LEAST_TENSOR_BYTES))?;
        let mut names = HashSet::new();
        let mut tensors = Vec::new();
        for _ in 0..count {
            let info_offset = self.position;
            let name = self.string("a tensor's name")?;
            if !names.insert(name.clone()) {
                return Err(self.fault(info_offset, GgufProblem::DuplicateTensor(name)));
            }
            let dims = self.u32("a tensor's number of dimensions")?;
            if !(1..=MAX_DIMS).contains(&dims) {
                return Err(self.fault(info_offset, GgufProblem::DimCount { name, dims }));
            }
            let mut shape = (0..dims).map(|_| self.u64("a tensor's dimension")).collect::<Result<Vec<_>, _>>()?;
            let type_number = self.u32("a tensor's type")?;
            let offset = self.u64("a tensor's offset")?;
            let elements = shape.iter().try_fold(1_u64, |product, dim| product.checked_mul(*dim));
            let known = TENSOR_TYPES.iter().find(|(number, ..)| *number == type_number);
            let row = shape[0];
            shape.reverse();
            // Blocks do not reach across rows.
            let size = |elements: u64| match known {
                None => Some(None),
                Some((_, _, block, _)) if !row.is_multiple_of(*block) => None,
                Some((_, _, block, bytes)) => (elements / block).checked_mul(*bytes).map(Some),
            };
            let Some(size_bytes) = elements.and_then(size) else {
                return Err(self.fault(info_offset, GgufProblem::Size { name, shape }));
            };
            let type_name = known.map_or_else(|| type_number.to_string(), |(_, name, ..)| (*name).to_owned());
            tensors.push((TensorInfo { name, shape, type_name, type_number, offset, size_bytes }, info_offset));
        }
        Ok(tensors)
    }

    fn string(&mut self, what: &'static str) -> Result<String, GgufError> {
        let offset = self.position;
        let len = self.u64(what)?;
        self.need(what, Some(len))?;
        let mut bytes = Vec::new();
        let read = self.file.by_ref().take(len).read_to_end(&mut bytes);
        let read = read.map_err(|error| self.fault(offset, GgufProblem::Io(error)))? as u64;
        if read < len {
            return Err(self.fault(offset, GgufProblem::Truncated { what, needed: len, left: read }));
        }
        self.position += len;
        String::from_utf8(bytes).map_err(|_| self.fault(offset, GgufProblem::Text { what }))
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, GgufError> {
        self.bytes(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, GgufError> {
        self.bytes(what).map(u64::from_le_bytes)
    }

    fn bytes<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], GgufError> {
        self.need(what, Some(N as u64))?;
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(|error| self.fault(self.position, GgufProblem::Io(error)))?;
        self.position += N as u64;
        Ok(bytes)
    }

    /// Whether the file still has that many bytes; `None` stands for more than 64 bits can say.
    fn need(&self, what: &'static str, bytes: Option<u64>) -> Result<(), GgufError> {
        let left = self.file_bytes.saturating_sub(self.position);
        match bytes.unwrap_or(u64::MAX) {
            needed if needed > left => Err(self.fault(self.position, GgufProblem::Truncated { what, needed, left })),
            _ => Ok(()),
        }
    }

    fn fault(&self, offset: u64, problem: GgufProblem) -> GgufError {
        GgufError { offset, problem }
    }
}
