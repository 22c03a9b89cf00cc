//! Reads the header field by field. A field that is cut by the end of a chunk is kept until the rest of it comes;
//! nothing is read twice, so the work is linear in the bytes, whatever the chunks.

use super::field::{
    ValueType, check_version, limited_bytes, limited_count, malformed, text_of, to_usize, u32_of, u64_of,
};
use super::metadata::Value;
use super::tensors::check;
use super::{
    ALIGNMENT_BYTES, DIMENSION_COUNT_LIMIT, FILE_BYTES_LIMIT, HEADER_BYTES_LIMIT, METADATA_COUNT_LIMIT, Metadata,
    NAME_BYTES_LIMIT, STRING_BYTES_LIMIT, Storage, StringList, TENSOR_COUNT_LIMIT, TensorInfo, aligned,
};
use crate::error::{Error, Limit};

const MAGIC: &[u8; 4] = b"GGUF";
const ALIGNMENT_KEY: &str = "general.alignment";
/// Elements of an array are taken in pieces of at most so many bytes.
const ARRAY_PIECE_BYTES: u64 = 4096;

/// A part of the header that is complete.
#[derive(Debug)]
pub enum Event {
    /// All metadata. Comes first, before any tensor info is looked at.
    Metadata(Metadata),
    /// All tensor infos, in the order of their data. Comes at the end of the header, its padding included.
    Tensors(Vec<TensorInfo>),
}

/// The header of a model file, as far as it has come.
#[derive(Debug)]
pub struct Parser {
    total_bytes: Option<u64>,
    /// Where the field begins that is being collected, in bytes from the start of the file.
    offset: u64,
    field: Vec<u8>,
    /// The length of that field.
    field_bytes: usize,
    next: Field,
    metadata_left: u64,
    metadata: Metadata,
    key: String,
    /// Where the value under `key` begins, after its type.
    value_offset: u64,
    array: Option<Array>,
    tensors_left: u64,
    tensors: Vec<TensorInfo>,
    tensor: Draft,
}

/// What the field is that is being collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// Before the first: of no bytes.
    Start,
    Magic,
    Version,
    TensorCount,
    MetadataCount,
    KeyLength,
    Key,
    ValueType,
    Number(ValueType),
    StringLength,
    String,
    ElementType,
    ElementCount(ValueType),
    Elements,
    NameLength,
    Name,
    DimensionCount,
    Dimension,
    StorageType,
    DataOffset,
    Padding,
    Data,
}

/// An array that is being read.
#[derive(Debug)]
struct Array {
    element: ValueType,
    elements_left: u64,
    value: Value,
}

/// A tensor info that is being read. Dimensions are innermost first here, as in the file.
#[derive(Debug, Default)]
struct Draft {
    offset: u64,
    name: String,
    shape: Vec<usize>,
    dimensions_left: u32,
    elements: u64,
    storage: Option<Storage>,
}

impl Parser {
    /// Begins a header. `total_bytes` is the length of the file, where it is known.
    #[must_use]
    pub fn new(total_bytes: Option<u64>) -> Self {
        Self {
            total_bytes,
            offset: 0,
            field: Vec::new(),
            field_bytes: 0,
            next: Field::Start,
            metadata_left: 0,
            metadata: Metadata::default(),
            key: String::new(),
            value_offset: 0,
            array: None,
            tensors_left: 0,
            tensors: Vec::new(),
            tensor: Draft::default(),
        }
    }

    /// Where the field begins that comes next, in bytes from the start of the file; after [`Event::Tensors`] that is
    /// where the data of the first tensor begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads from the front of `chunk` and leaves there what it has not read: up to the next part of the header that is
    /// complete, or to the end of the chunk where that gives none. After [`Event::Tensors`] it takes no byte.
    ///
    /// # Errors
    /// [`Error::MalformedModel`], [`Error::UnsupportedModel`] or [`Error::LimitExceeded`] as soon as a field shows it.
    /// The parser is of no use then.
    pub fn read(&mut self, chunk: &mut &[u8]) -> Result<Option<Event>, Error> {
        while self.next != Field::Data {
            let taken = chunk.len().min(self.field_bytes - self.field.len());
            self.field.extend_from_slice(&chunk[..taken]);
            *chunk = &chunk[taken..];
            if self.field.len() < self.field_bytes {
                return Ok(None);
            }
            let mut field = std::mem::take(&mut self.field);
            let event = self.finish_field(&field)?;
            field.clear();
            self.field = field;
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    /// Says which field comes next, after the one that ends at `self.offset`.
    fn expect(&mut self, next: Field, bytes: u64) -> Result<(), Error> {
        let end = self.offset.saturating_add(bytes);
        if end > HEADER_BYTES_LIMIT {
            return Err(Error::LimitExceeded {
                limit: Limit::ModelBytes,
                allowed: HEADER_BYTES_LIMIT,
                requested: end,
                message: format!("the header of the model file, at byte {}", self.offset),
            });
        }
        if let Some(total) = self.total_bytes.filter(|&total| end > total) {
            let message = format!("the header goes on for {bytes} bytes or more, and the file ends at byte {total}");
            return Err(malformed(self.offset, message));
        }
        self.next = next;
        self.field_bytes = to_usize(bytes)?;
        Ok(())
    }

    /// Takes a field that is complete.
    fn finish_field(&mut self, field: &[u8]) -> Result<Option<Event>, Error> {
        let start = self.offset;
        self.offset += self.field_bytes as u64;
        match self.next {
            Field::Start => self.expect(Field::Magic, MAGIC.len() as u64)?,
            Field::Magic => {
                if field != MAGIC {
                    return Err(malformed(start, "it is no GGUF file: it does not begin with `GGUF`"));
                }
                self.expect(Field::Version, 4)?;
            }
            Field::Version => {
                check_version(u32_of(field)?, start)?;
                self.expect(Field::TensorCount, 8)?;
            }
            Field::TensorCount => {
                self.tensors_left = limited_count(u64_of(field)?, TENSOR_COUNT_LIMIT, "the number of tensors")?;
                self.expect(Field::MetadataCount, 8)?;
            }
            Field::MetadataCount => {
                self.metadata_left =
                    limited_count(u64_of(field)?, METADATA_COUNT_LIMIT, "the number of metadata entries")?;
                return self.next_entry();
            }
            Field::KeyLength => {
                let bytes = limited_bytes(u64_of(field)?, NAME_BYTES_LIMIT, "a metadata key", start)?;
                self.expect(Field::Key, bytes)?;
            }
            Field::Key => {
                self.key = text_of(field, start, "a metadata key")?.to_owned();
                if self.metadata.contains(&self.key) {
                    return Err(malformed(start, format!("the key `{}` is there twice", self.key)));
                }
                self.expect(Field::ValueType, 4)?;
            }
            Field::ValueType => {
                self.value_offset = self.offset;
                match ValueType::from_code(u32_of(field)?, start, &self.key)? {
                    ValueType::String => self.expect(Field::StringLength, 8)?,
                    ValueType::Array => self.expect(Field::ElementType, 4)?,
                    number => self.expect(Field::Number(number), number.least_bytes())?,
                }
            }
            Field::Number(number) => {
                let value = match number {
                    ValueType::U32 => Value::U32(u32_of(field)?),
                    ValueType::F32 => Value::F32(f32::from_bits(u32_of(field)?)),
                    other => Value::Other(other.name()),
                };
                return self.finish_entry(value);
            }
            Field::StringLength => {
                let what = format_args!("a string of `{}`", self.key);
                let bytes = limited_bytes(u64_of(field)?, STRING_BYTES_LIMIT, what, start)?;
                self.expect(Field::String, bytes)?;
            }
            Field::String => return self.finish_string(field, start),
            Field::ElementType => {
                let element = ValueType::from_code(u32_of(field)?, start, &self.key)?;
                if element == ValueType::Array {
                    let message = format!("`{}` is an array of arrays (byte {start})", self.key);
                    return Err(Error::UnsupportedModel(message));
                }
                self.expect(Field::ElementCount(element), 8)?;
            }
            Field::ElementCount(element) => {
                let elements_left = u64_of(field)?;
                // Refuses at once what the rest of the header, or of the file, cannot hold.
                self.expect(Field::Elements, elements_left.saturating_mul(element.least_bytes()))?;
                let value = match element {
                    ValueType::String => Value::Strings(StringList::default()),
                    ValueType::I32 => Value::I32s(Vec::new()),
                    other => Value::Other(other.array_name()),
                };
                self.array = Some(Array { element, elements_left, value });
                return self.next_elements();
            }
            Field::Elements => return self.finish_elements(field),
            Field::NameLength => {
                self.tensor = Draft { offset: start, elements: 1, ..Draft::default() };
                let bytes = limited_bytes(u64_of(field)?, NAME_BYTES_LIMIT, "the name of a tensor", start)?;
                self.expect(Field::Name, bytes)?;
            }
            Field::Name => {
                self.tensor.name = text_of(field, start, "the name of a tensor")?.to_owned();
                self.expect(Field::DimensionCount, 4)?;
            }
            Field::DimensionCount => {
                let count = u32_of(field)?;
                if !(1..=DIMENSION_COUNT_LIMIT).contains(&count) {
                    let name = &self.tensor.name;
                    let message =
                        format!("tensor `{name}` has {count} dimensions; 1 to {DIMENSION_COUNT_LIMIT} can be");
                    return Err(malformed(start, message));
                }
                self.tensor.dimensions_left = count;
                self.expect(Field::Dimension, 8)?;
            }
            Field::Dimension => self.finish_dimension(u64_of(field)?, start)?,
            Field::StorageType => {
                let code = u32_of(field)?;
                self.tensor.storage = Storage::from_code(code);
                if self.tensor.storage.is_none() {
                    let name = &self.tensor.name;
                    let message = format!("tensor `{name}` is of type {code}; known are F32 (0), F16 (1) and I8 (24)");
                    return Err(malformed(start, message));
                }
                self.expect(Field::DataOffset, 8)?;
            }
            Field::DataOffset => {
                self.finish_tensor(u64_of(field)?, start)?;
                self.next_tensor()?;
            }
            Field::Padding => {
                self.next = Field::Data;
                return Ok(Some(Event::Tensors(std::mem::take(&mut self.tensors))));
            }
            Field::Data => return Err(Error::Internal("the header was read beyond its end".to_owned())),
        }
        Ok(None)
    }

    /// Goes on to the next metadata entry, or to the tensor infos.
    fn next_entry(&mut self) -> Result<Option<Event>, Error> {
        if self.metadata_left > 0 {
            self.expect(Field::KeyLength, 8)?;
            return Ok(None);
        }
        let mut metadata = std::mem::take(&mut self.metadata);
        metadata.set_end(self.offset);
        let alignment = metadata.optional_u32(ALIGNMENT_KEY)?.map_or(ALIGNMENT_BYTES, u64::from);
        if alignment != ALIGNMENT_BYTES {
            let offset = metadata.offset(ALIGNMENT_KEY);
            let place = format!("`{ALIGNMENT_KEY}`, byte {offset}");
            return Err(Error::UnsupportedModel(format!(
                "its tensors are aligned to {alignment} bytes ({place}); {ALIGNMENT_BYTES} is read"
            )));
        }
        self.next_tensor()?;
        Ok(Some(Event::Metadata(metadata)))
    }

    fn finish_entry(&mut self, value: Value) -> Result<Option<Event>, Error> {
        self.metadata.insert(std::mem::take(&mut self.key), self.value_offset, value);
        self.metadata_left -= 1;
        self.next_entry()
    }

    fn finish_string(&mut self, field: &[u8], start: u64) -> Result<Option<Event>, Error> {
        let text = text_of(field, start, format_args!("a string of `{}`", self.key))?;
        match &mut self.array {
            None => self.finish_entry(Value::String(text.to_owned())),
            Some(array) => {
                if let Value::Strings(strings) = &mut array.value {
                    strings.push(text)?;
                }
                array.elements_left -= 1;
                self.next_elements()
            }
        }
    }

    fn finish_elements(&mut self, field: &[u8]) -> Result<Option<Event>, Error> {
        if let Some(array) = &mut self.array {
            if let Value::I32s(numbers) = &mut array.value {
                let (elements, _) = field.as_chunks::<4>();
                numbers.extend(elements.iter().map(|&bytes| i32::from_le_bytes(bytes)));
            }
            array.elements_left -= field.len() as u64 / array.element.least_bytes();
        }
        self.next_elements()
    }

    /// Goes on to the next elements of the array, or to what comes after it.
    fn next_elements(&mut self) -> Result<Option<Event>, Error> {
        match self.array.take() {
            Some(array) if array.elements_left == 0 => self.finish_entry(array.value),
            Some(array) => {
                let bytes = array.element.least_bytes();
                let next = match array.element {
                    ValueType::String => (Field::StringLength, bytes),
                    _ => (Field::Elements, array.elements_left.min(ARRAY_PIECE_BYTES / bytes) * bytes),
                };
                self.array = Some(array);
                self.expect(next.0, next.1)?;
                Ok(None)
            }
            None => Err(Error::Internal("elements without an array".to_owned())),
        }
    }

    /// Goes on to the next tensor info, or to the padding after the last.
    fn next_tensor(&mut self) -> Result<(), Error> {
        if self.tensors_left > 0 {
            self.tensors_left -= 1;
            return self.expect(Field::NameLength, 8);
        }
        if self.tensors.is_empty() {
            return self.expect(Field::Padding, 0);
        }
        let header_end = aligned(self.offset);
        for tensor in &mut self.tensors {
            tensor.start += header_end;
        }
        check(&self.tensors, self.total_bytes)?;
        self.expect(Field::Padding, header_end - self.offset)
    }

    fn finish_dimension(&mut self, dimension: u64, start: u64) -> Result<(), Error> {
        let tensor = &mut self.tensor;
        if dimension == 0 {
            return Err(malformed(start, format!("tensor `{}` has a dimension of 0", tensor.name)));
        }
        tensor.elements = tensor.elements.saturating_mul(dimension);
        // Every element takes a byte at least. This bounds the dimension as well, so that it fits 32 bits.
        if tensor.elements > FILE_BYTES_LIMIT {
            return Err(Error::LimitExceeded {
                limit: Limit::ModelDimension,
                allowed: FILE_BYTES_LIMIT,
                requested: tensor.elements,
                message: format!("the number of elements of tensor `{}` (byte {start})", tensor.name),
            });
        }
        tensor.shape.push(to_usize(dimension)?);
        tensor.dimensions_left -= 1;
        if tensor.dimensions_left > 0 {
            return self.expect(Field::Dimension, 8);
        }
        self.expect(Field::StorageType, 4)
    }

    /// Takes a tensor whose info ends with `data_offset`, which stands at `start` and counts from the end of the
    /// header.
    fn finish_tensor(&mut self, data_offset: u64, start: u64) -> Result<(), Error> {
        let Draft { offset, name, mut shape, elements, storage, .. } = std::mem::take(&mut self.tensor);
        let storage = storage.ok_or_else(|| Error::Internal("a tensor without a type".to_owned()))?;
        shape.reverse();
        // Until the end of the header is known, offsets are relative to it.
        let expected = self.tensors.last().map_or(0, |last| aligned(last.end()));
        if data_offset != expected {
            let message =
                format!("tensor `{name}` is said to stand at {data_offset}; after the one before it comes {expected}");
            return Err(malformed(start, message));
        }
        let tensor = TensorInfo {
            name,
            shape,
            storage,
            info_offset: offset,
            start: expected,
            bytes: elements * storage.bytes(),
        };
        tensor.check_end()?;
        self.tensors.push(tensor);
        Ok(())
    }
}
