//! WAV samples, decoded through hound.

use std::io::{self, BufReader, Cursor, Read};

use hound::SampleFormat;

use super::wav_header::{Coding, DataLen, WavHeader, looks_like_chunk, read_fully, read_header};
use super::{AudioError, AudioWarning, Frames, Mixdown};

/// About how many samples, of all channels together, are decoded at once.
const BLOCK_SAMPLES: usize = 1 << 15;

/// Whether a file that begins with `prefix`, of at least its first 12 bytes, is WAV.
///
/// Fails with `Unsupported` and `MalformedWav` where it is nearly so.
pub fn is_wav(prefix: &[u8], name: &str) -> Result<bool, AudioError> {
    if ![&b"RIFF"[..], b"RF64", b"BW64"].iter().any(|magic| prefix.starts_with(magic)) {
        return Ok(false);
    }
    match prefix.get(8..12) {
        Some(b"WAVE") => Ok(true),
        Some(other) => {
            let format = format!("a RIFF file of type '{}'", other.escape_ascii());
            Err(AudioError::Unsupported { name: name.to_owned(), format })
        }
        None => Err(AudioError::MalformedWav {
            name: name.to_owned(),
            offset: prefix.len() as u64,
            problem: "the file ends within its first 12 bytes".to_owned(),
        }),
    }
}

/// Reads a whole WAV file that is in memory: mono samples at 16 000 Hz, and what was wrong with the file.
///
/// Fails with `MalformedWav`, `Unsupported`, `NoChannels` and `SampleRate` where the header cannot be made sense of, with
/// `NotFinite` and `TooLoud` where a sample is no usable number, and with `Resample`.
pub fn read_wav(bytes: Vec<u8>, name: &str) -> Result<(Vec<f32>, Vec<AudioWarning>), AudioError> {
    let len = bytes.len() as u64;
    let mut decoder = WavDecoder::open(Box::new(Cursor::new(bytes)), Some(len), name)?;
    let mut mixdown = Mixdown::new(name);
    let mut frames = Frames::default();
    let mut samples = Vec::new();
    loop {
        let position = decoder.position();
        if !decoder.next_frames(&mut frames)? {
            break;
        }
        mixdown.push(&frames, position, &mut samples)?;
    }
    mixdown.flush(&mut samples)?;
    Ok((samples, decoder.warnings().to_vec()))
}

/// Decodes a WAV file as it comes. Samples that are there are given, also where the header lies or the file is cut short.
pub struct WavDecoder {
    reader: Box<dyn Read + Send>,
    header: WavHeader,
    name: String,
    /// Bytes of samples that the header promises and that have not been read; `None` reads to the end of the file.
    remaining: Option<u64>,
    /// Length of the whole file, where known.
    file_len: Option<u64>,
    /// Bytes of samples read so far.
    read_bytes: u64,
    frames_given: u64,
    bytes: Vec<u8>,
    done: bool,
    warnings: Vec<AudioWarning>,
    /// Whether the header says that there is no audio, and there is.
    length_was_zero: bool,
}

impl WavDecoder {
    /// Reads the header. `reader` stands at the start of the file, and `file_len` is the whole file's length, where known.
    ///
    /// Fails with `MalformedWav`, `Unsupported`, `NoChannels`, `SampleRate` and `Read`.
    pub fn open(reader: Box<dyn Read + Send>, file_len: Option<u64>, name: &str) -> Result<Self, AudioError> {
        let mut reader: Box<dyn Read + Send> = Box::new(BufReader::new(reader));
        let header = read_header(&mut reader, name)?;
        let mut decoder = Self {
            remaining: match header.data_len {
                DataLen::Bytes(bytes) => Some(bytes),
                DataLen::Unknown => None,
            },
            reader,
            name: name.to_owned(),
            file_len,
            read_bytes: 0,
            frames_given: 0,
            bytes: vec![0; (BLOCK_SAMPLES / header.channels).max(1) * header.frame_bytes],
            done: false,
            warnings: Vec::new(),
            length_was_zero: false,
            header,
        };
        if decoder.remaining == Some(0) {
            decoder.doubt_empty()?;
        }
        Ok(decoder)
    }

    /// What the file says of itself.
    pub fn header(&self) -> &WavHeader {
        &self.header
    }

    /// Frames in the file, where the header or the file's length tells.
    pub fn frames(&self) -> Option<u64> {
        let available = self.file_len.map(|len| len.saturating_sub(self.header.data_offset));
        let promised = self.remaining.map(|bytes| bytes + self.read_bytes);
        let bytes = match (promised, available) {
            (Some(promised), Some(available)) => promised.min(available),
            (known, None) | (None, known) => known?,
        };
        Some(bytes / self.header.frame_bytes as u64)
    }

    /// What was wrong with the file. Complete once [`WavDecoder::next_frames`] has given false.
    pub fn warnings(&self) -> &[AudioWarning] {
        &self.warnings
    }

    /// Index of the first frame that the next call gives.
    pub fn position(&self) -> u64 {
        self.frames_given
    }

    /// Replaces `frames` with the next ones, integers scaled to −1..1. Gives whether there were any.
    ///
    /// Fails with `Read`.
    pub fn next_frames(&mut self, frames: &mut Frames) -> Result<bool, AudioError> {
        let Frames { interleaved, channels, lfe_channel, sample_rate_hz } = frames;
        (*channels, *lfe_channel) = (self.header.channels, self.header.lfe_channel);
        *sample_rate_hz = self.header.sample_rate_hz;
        interleaved.clear();
        if self.done {
            return Ok(false);
        }
        let wanted = match self.remaining {
            Some(remaining) => usize::try_from(remaining).map_or(self.bytes.len(), |n| n.min(self.bytes.len())),
            None => self.bytes.len(),
        };
        let count = self.read(wanted)?;
        let whole = count - count % self.header.frame_bytes;
        self.remaining = self.remaining.map(|remaining| remaining - count as u64);
        if count < self.bytes.len() || self.remaining == Some(0) {
            self.end(count < wanted, count - whole)?;
        }
        decode(&self.bytes[..whole], self.header.coding, interleaved).map_err(|source| self.read_error(source))?;
        self.frames_given += (whole / self.header.frame_bytes) as u64;
        Ok(whole > 0)
    }

    fn read(&mut self, wanted: usize) -> Result<usize, AudioError> {
        let count =
            read_fully(&mut self.reader, &mut self.bytes[..wanted]).map_err(|source| self.read_error(source))?;
        self.read_bytes += count as u64;
        Ok(count)
    }

    fn read_error(&self, source: io::Error) -> AudioError {
        let offset = self.header.data_offset + self.read_bytes;
        AudioError::Read { name: self.name.clone(), offset, source }
    }

    /// The header says that there is no audio: either that is so, or the writer never came back to fill in the length.
    fn doubt_empty(&mut self) -> Result<(), AudioError> {
        let mut head = [0; 8];
        let count = read_fully(&mut self.reader, &mut head).map_err(|source| self.read_error(source))?;
        let room = self.file_len.map(|len| len.saturating_sub(self.header.data_offset + head.len() as u64));
        if count == 0 || looks_like_chunk(&head[..count], room) {
            return Ok(());
        }
        let rest = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        self.reader = Box::new(Cursor::new(head[..count].to_vec()).chain(rest));
        self.remaining = None;
        self.length_was_zero = true;
        Ok(())
    }

    /// Notes what was wrong, now that the samples are through. `left_over` bytes were read that are no whole frame.
    fn end(&mut self, cut_short: bool, left_over: usize) -> Result<(), AudioError> {
        self.done = true;
        if self.length_was_zero {
            self.warnings.push(AudioWarning::LengthZero { present_bytes: self.read_bytes });
        }
        if let (true, DataLen::Bytes(promised_bytes)) = (cut_short && !self.length_was_zero, self.header.data_len) {
            self.warnings.push(AudioWarning::Truncated { promised_bytes, present_bytes: self.read_bytes });
        }
        if left_over > 0 {
            self.warnings.push(AudioWarning::PartialFrame { bytes: left_over as u64 });
        }
        if self.remaining == Some(0) {
            self.look_behind()?;
        }
        Ok(())
    }

    /// Looks whether what follows the samples is a chunk, or the end. Where it is neither, the header's length was too
    /// small: 32 bits overflow at 4 GiB, and some writers go on.
    fn look_behind(&mut self) -> Result<(), AudioError> {
        let mut head = [0; 9];
        let count = read_fully(&mut self.reader, &mut head).map_err(|source| self.read_error(source))?;
        let offset = self.header.data_offset + self.read_bytes;
        let room = self.file_len.map(|len| len.saturating_sub(offset + 8));
        // A chunk of odd length has a byte of padding; not every writer knows.
        let padding = usize::from(self.read_bytes % 2 == 1);
        let chunk = [padding, 0].iter().any(|&skip| looks_like_chunk(&head[skip..count.max(skip)], room));
        if count >= 8 + padding && !chunk {
            self.warnings.push(AudioWarning::UnreadBytes { offset });
        }
        Ok(())
    }
}

/// Appends the samples in `bytes`, a whole number of them.
fn decode(bytes: &[u8], coding: Coding, samples: &mut Vec<f64>) -> io::Result<()> {
    let mut rest = bytes;
    match coding {
        Coding::Int { bits, bytes } => {
            let full_scale = f64::from(1_u32 << (bits - 1));
            while !rest.is_empty() {
                let value = <i32 as hound::Sample>::read(&mut rest, SampleFormat::Int, bytes, bits).map_err(to_io)?;
                samples.push(f64::from(value) / full_scale);
            }
        }
        Coding::Float32 => {
            while !rest.is_empty() {
                let value = <f32 as hound::Sample>::read(&mut rest, SampleFormat::Float, 4, 32).map_err(to_io)?;
                samples.push(f64::from(value));
            }
        }
        // hound has no 64-bit samples.
        Coding::Float64 => {
            let (values, _) = rest.as_chunks::<8>();
            samples.extend(values.iter().map(|&value| f64::from_le_bytes(value)));
        }
    }
    Ok(())
}

/// hound's errors on single samples from memory cannot happen with the codings above; they are passed on all the same.
fn to_io(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(source) => source,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}
