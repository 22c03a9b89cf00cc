//! Writes GGUF files, well formed or not: what a test does not set is as it should be.

/// A metadata value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    U32(u32),
    F32(f32),
    String(String),
    Strings(Vec<String>),
    I32s(Vec<i32>),
    /// A type number and the bytes after it.
    Raw(u32, Vec<u8>),
}

/// A tensor; its shape is outermost first.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<u64>,
    pub(crate) type_code: u32,
    pub(crate) data: Vec<u8>,
    /// Where its data is said to be, where that is not where it is.
    pub(crate) claimed_offset: Option<u64>,
}

/// A file.
#[derive(Debug, Clone, Default)]
pub(crate) struct GgufFile {
    pub(crate) metadata: Vec<(String, Value)>,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) claimed_version: Option<u32>,
    pub(crate) claimed_tensors: Option<u64>,
    pub(crate) claimed_entries: Option<u64>,
}

pub(crate) const F32: u32 = 0;
pub(crate) const F16: u32 = 1;
pub(crate) const I8: u32 = 24;
pub(crate) const STRING: u32 = 8;
pub(crate) const ARRAY: u32 = 9;

impl GgufFile {
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        match self.metadata.iter_mut().find(|entry| entry.0 == key) {
            Some(entry) => entry.1 = value,
            None => self.metadata.push((key.to_owned(), value)),
        }
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.metadata.retain(|entry| entry.0 != key);
    }

    pub(crate) fn tensor(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|tensor| tensor.name == name).expect("the file has the tensor")
    }

    pub(crate) fn index(&self, name: &str) -> usize {
        self.tensors.iter().position(|tensor| tensor.name == name).expect("the file has the tensor")
    }

    /// Everything before the tensor data, padding included.
    pub(crate) fn header(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.claimed_version.unwrap_or(3).to_le_bytes());
        out.extend(self.claimed_tensors.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.claimed_entries.unwrap_or(self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            put_string(&mut out, key);
            put_value(&mut out, value);
        }
        let mut offset = 0_u64;
        for tensor in &self.tensors {
            put_string(&mut out, &tensor.name);
            out.extend(u32::try_from(tensor.shape.len()).expect("few dimensions").to_le_bytes());
            for dimension in tensor.shape.iter().rev() {
                out.extend(dimension.to_le_bytes());
            }
            out.extend(tensor.type_code.to_le_bytes());
            out.extend(tensor.claimed_offset.unwrap_or(offset).to_le_bytes());
            offset = (offset + tensor.data.len() as u64).next_multiple_of(32);
        }
        out.resize(out.len().next_multiple_of(32), 0);
        out
    }

    /// The whole file, without padding after the last tensor.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(32), 0);
            out.extend(&tensor.data);
        }
        out
    }

    /// Where the data of a tensor begins.
    pub(crate) fn data_offset(&self, name: &str) -> u64 {
        let before = self.tensors.iter().take(self.index(name));
        before
            .fold(self.header().len() as u64, |offset, tensor| (offset + tensor.data.len() as u64).next_multiple_of(32))
    }

    /// Where the info of a tensor begins: at the length of its name.
    pub(crate) fn info_offset(&self, name: &str) -> u64 {
        self.position(&length_and_text(name))
    }

    /// Where the value of a key begins: after its type.
    pub(crate) fn value_offset(&self, key: &str) -> u64 {
        self.position(&length_and_text(key)) + 8 + key.len() as u64 + 4
    }

    fn position(&self, needle: &[u8]) -> u64 {
        let header = self.header();
        header.windows(needle.len()).position(|window| window == needle).expect("the header has the text") as u64
    }
}

fn length_and_text(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_string(&mut out, text);
    out
}

pub(crate) fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U32(number) => {
            out.extend(4_u32.to_le_bytes());
            out.extend(number.to_le_bytes());
        }
        Value::F32(number) => {
            out.extend(6_u32.to_le_bytes());
            out.extend(number.to_le_bytes());
        }
        Value::String(text) => {
            out.extend(STRING.to_le_bytes());
            put_string(out, text);
        }
        Value::Strings(texts) => {
            out.extend(ARRAY.to_le_bytes());
            out.extend(STRING.to_le_bytes());
            out.extend((texts.len() as u64).to_le_bytes());
            texts.iter().for_each(|text| put_string(out, text));
        }
        Value::I32s(numbers) => {
            out.extend(ARRAY.to_le_bytes());
            out.extend(5_u32.to_le_bytes());
            out.extend((numbers.len() as u64).to_le_bytes());
            numbers.iter().for_each(|number| out.extend(number.to_le_bytes()));
        }
        Value::Raw(code, bytes) => {
            out.extend(code.to_le_bytes());
            out.extend(bytes);
        }
    }
}
