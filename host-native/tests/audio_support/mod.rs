//! WAV files with whatever faults a test wants.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::Write;
use std::path::PathBuf;

use auricle::audio::{AudioError, AudioReader, AudioWarning, read_all};
use tempfile::NamedTempFile;

/// The fields of a WAV file. `Default` is a sound, empty, 16-bit mono file at 16 kHz.
#[derive(Clone)]
pub(crate) struct Wav {
    pub(crate) magic: [u8; 4],
    pub(crate) riff_len: Option<u32>,
    pub(crate) tag: u16,
    pub(crate) channels: u16,
    pub(crate) rate_hz: u32,
    pub(crate) block_align: Option<u16>,
    pub(crate) bits: u16,
    /// Valid bits, channel mask and sub-format tag: makes the header extensible.
    pub(crate) extensible: Option<(u16, u32, u16)>,
    /// Chunks, complete with head and padding, between `fmt ` and `data`.
    pub(crate) before_data: Vec<u8>,
    pub(crate) data_len: Option<u32>,
    pub(crate) data: Vec<u8>,
    pub(crate) after_data: Vec<u8>,
}

impl Default for Wav {
    fn default() -> Self {
        Self {
            magic: *b"RIFF",
            riff_len: None,
            tag: 1,
            channels: 1,
            rate_hz: 16_000,
            block_align: None,
            bits: 16,
            extensible: None,
            before_data: Vec::new(),
            data_len: None,
            data: Vec::new(),
            after_data: Vec::new(),
        }
    }
}

impl Wav {
    /// 16-bit mono at 16 kHz.
    pub(crate) fn of_i16(samples: &[i16]) -> Self {
        Self { data: samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(), ..Self::default() }
    }

    /// 32-bit floating-point mono at 16 kHz.
    pub(crate) fn of_f32(samples: &[f32]) -> Self {
        let data = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        Self { tag: 3, bits: 32, data, ..Self::default() }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let block_align = self.block_align.unwrap_or_else(|| self.channels.wrapping_mul(self.bits.div_ceil(8)));
        let mut format = Vec::new();
        format.extend(if self.extensible.is_some() { 0xFFFE } else { self.tag }.to_le_bytes());
        format.extend(self.channels.to_le_bytes());
        format.extend(self.rate_hz.to_le_bytes());
        format.extend(self.rate_hz.wrapping_mul(u32::from(block_align)).to_le_bytes());
        format.extend(block_align.to_le_bytes());
        format.extend(self.bits.to_le_bytes());
        if let Some((valid_bits, mask, sub_tag)) = self.extensible {
            format.extend(22_u16.to_le_bytes());
            format.extend(valid_bits.to_le_bytes());
            format.extend(mask.to_le_bytes());
            format.extend(sub_tag.to_le_bytes());
            format.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
        }
        let mut body = b"WAVE".to_vec();
        body.extend(chunk(b"fmt ", &format));
        body.extend(&self.before_data);
        body.extend(b"data");
        body.extend(self.data_len.unwrap_or(self.data.len() as u32).to_le_bytes());
        body.extend(&self.data);
        body.extend(&self.after_data);
        let mut file = self.magic.to_vec();
        file.extend(self.riff_len.unwrap_or(body.len() as u32).to_le_bytes());
        file.extend(body);
        file
    }

    pub(crate) fn read(&self) -> Result<(Vec<f32>, Vec<AudioWarning>), AudioError> {
        read_bytes(&self.bytes())
    }

    /// The samples of a file with nothing wrong.
    pub(crate) fn samples(&self) -> Vec<f32> {
        let (samples, warnings) = self.read().unwrap();
        assert_eq!(warnings, []);
        samples
    }
}

pub(crate) fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut chunk = id.to_vec();
    chunk.extend((body.len() as u32).to_le_bytes());
    chunk.extend(body);
    chunk.resize(chunk.len() + body.len() % 2, 0);
    chunk
}

pub(crate) fn file_of(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file.flush().unwrap();
    file
}

/// Reads the bytes as a file and as a stream, which have to agree.
pub(crate) fn read_bytes(bytes: &[u8]) -> Result<(Vec<f32>, Vec<AudioWarning>), AudioError> {
    let from_file = read_all(file_of(bytes).path());
    let from_stream = read_stream(bytes);
    match (&from_file, &from_stream) {
        (Ok(file), Ok(stream)) => assert_eq!(file, stream, "file and stream differ"),
        (Err(file), Err(stream)) => assert_eq!(std::mem::discriminant(file), std::mem::discriminant(stream)),
        (file, stream) => panic!("the file gives {file:?}, the stream {stream:?}"),
    }
    from_file
}

fn read_stream(bytes: &[u8]) -> Result<(Vec<f32>, Vec<AudioWarning>), AudioError> {
    drain(AudioReader::from_reader(Box::new(std::io::Cursor::new(bytes.to_vec())), None)?)
}

pub(crate) fn drain(mut reader: AudioReader) -> Result<(Vec<f32>, Vec<AudioWarning>), AudioError> {
    let mut samples = Vec::new();
    while let Some(block) = reader.next_block()? {
        assert!(!block.is_empty(), "a block without samples");
        samples.extend(block);
    }
    assert!(matches!(reader.next_block(), Ok(None)), "something after the end");
    Ok((samples, reader.warnings().to_vec()))
}

/// A file in `testdata/`.
pub(crate) fn testdata(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata")).join(name)
}
