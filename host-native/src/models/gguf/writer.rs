//! Writes a model file front to back, one tensor at a time.

use std::io::{self, Write};

use super::{ALIGNMENT_BYTES, MAGIC, MetadataValue, TensorType, VERSION, value_type};

/// A tensor that is going to be written.
#[derive(Clone, Debug)]
pub(crate) struct WriterTensor {
    pub(crate) name: String,
    /// Outermost first; the file has it innermost first.
    pub(crate) shape: Vec<u64>,
    pub(crate) tensor_type: TensorType,
}

impl WriterTensor {
    fn size_bytes(&self) -> u64 {
        self.shape.iter().product::<u64>() * self.tensor_type.element_bytes()
    }
}

/// A model file under way: its header is written, its tensors follow in the order that was announced.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    out: W,
    /// The sizes of the tensors still to come, last first.
    pending_bytes: Vec<u64>,
    written_bytes: u64,
    total_bytes: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    pub(crate) fn start(
        mut out: W,
        metadata: &[(&'static str, MetadataValue)],
        tensors: Vec<WriterTensor>,
    ) -> io::Result<Self> {
        let mut header = Vec::new();
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&(tensors.len() as u64).to_le_bytes());
        header.extend_from_slice(&(metadata.len() as u64).to_le_bytes());
        for (key, value) in metadata {
            put_string(&mut header, key);
            put_value(&mut header, value);
        }
        let mut offset = 0_u64;
        let mut end = 0_u64;
        for tensor in &tensors {
            put_string(&mut header, &tensor.name);
            header.extend_from_slice(&(tensor.shape.len() as u32).to_le_bytes());
            for dim in tensor.shape.iter().rev() {
                header.extend_from_slice(&dim.to_le_bytes());
            }
            header.extend_from_slice(&(tensor.tensor_type as u32).to_le_bytes());
            header.extend_from_slice(&offset.to_le_bytes());
            end = offset + tensor.size_bytes();
            offset = end.next_multiple_of(ALIGNMENT_BYTES);
        }
        header.resize(header.len().next_multiple_of(ALIGNMENT_BYTES as usize), 0);
        out.write_all(&header)?;
        let pending_bytes = tensors.iter().rev().map(WriterTensor::size_bytes).collect();
        Ok(Self { out, pending_bytes, written_bytes: 0, total_bytes: end })
    }

    /// Writes the next tensor, padded in front to the alignment.
    ///
    /// # Errors
    ///
    /// Those of the sink, and [`io::ErrorKind::InvalidInput`] where the bytes are not those of the next tensor.
    pub(crate) fn tensor(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.pending_bytes.pop() != Some(bytes.len() as u64) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a tensor of another size was announced"));
        }
        let start = self.written_bytes.next_multiple_of(ALIGNMENT_BYTES);
        for _ in self.written_bytes..start {
            self.out.write_all(&[0])?;
        }
        self.out.write_all(bytes)?;
        self.written_bytes = start + bytes.len() as u64;
        Ok(())
    }

    /// Bytes of tensor data written.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Bytes of tensor data in all.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// Those of the sink, and [`io::ErrorKind::InvalidInput`] where a tensor was left out.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if !self.pending_bytes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an announced tensor was not written"));
        }
        self.out.flush()
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &MetadataValue) {
    let put_type = |out: &mut Vec<u8>, value_type: u32| out.extend_from_slice(&value_type.to_le_bytes());
    let put_array = |out: &mut Vec<u8>, element_type: u32, len: usize| {
        put_type(out, value_type::ARRAY);
        put_type(out, element_type);
        out.extend_from_slice(&(len as u64).to_le_bytes());
    };
    match value {
        MetadataValue::U32(number) => {
            put_type(out, value_type::U32);
            out.extend_from_slice(&number.to_le_bytes());
        }
        MetadataValue::F32(number) => {
            put_type(out, value_type::F32);
            out.extend_from_slice(&number.to_le_bytes());
        }
        MetadataValue::String(text) => {
            put_type(out, value_type::STRING);
            put_string(out, text);
        }
        MetadataValue::StringArray(texts) => {
            put_array(out, value_type::STRING, texts.len());
            texts.iter().for_each(|text| put_string(out, text));
        }
        MetadataValue::I32Array(numbers) => {
            put_array(out, value_type::I32, numbers.len());
            numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        }
    }
}
