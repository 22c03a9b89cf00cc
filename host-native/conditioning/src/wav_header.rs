//! The chunks of a WAV file up to its samples.
//!
//! hound reads headers too, but trusts them: a length that was never filled in, or one beyond the file, makes it give
//! nothing or fail. So the chunks are read here, forgivingly, and hound decodes the samples.

use std::io::{self, Read};

use super::{AudioError, MAX_SOURCE_RATE_HZ, MIN_SOURCE_RATE_HZ};

/// How a sample is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Integers (unsigned where they have 8 bits) of `bits` bits in `bytes` bytes, little-endian.
    Int {
        /// Bits that carry the value.
        bits: u16,
        /// Bytes that hold it.
        bytes: u16,
    },
    /// IEEE floating point of 32 bits, little-endian.
    Float32,
    /// IEEE floating point of 64 bits, little-endian.
    Float64,
}

/// How long the audio is by the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataLen {
    /// So many bytes.
    Bytes(u64),
    /// 0xFFFFFFFF, as programs write that stream and cannot know.
    Unknown,
}

/// What a WAV file says of itself before its samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WavHeader {
    /// How a sample is stored.
    pub coding: Coding,
    /// How many channels, at least one.
    pub channels: usize,
    /// Frames a second, in Hz, within the bounds of [`check_rate`].
    pub sample_rate_hz: u32,
    /// Bytes of one sample of every channel.
    pub frame_bytes: usize,
    /// Index of the low-frequency channel, where the file tells.
    pub lfe_channel: Option<usize>,
    /// Where the samples begin in the file.
    pub data_offset: u64,
    /// How long the samples are by the header.
    pub data_len: DataLen,
}

/// What the `fmt ` chunk says.
struct Format {
    coding: Coding,
    channels: usize,
    sample_rate_hz: u32,
    frame_bytes: usize,
    lfe_channel: Option<usize>,
}

/// The length that means "not known": 32 bits cannot say it, or the writer could not go back to fill it in.
const LEN_UNKNOWN: u32 = u32::MAX;

const TAG_PCM: u16 = 0x0001;
const TAG_FLOAT: u16 = 0x0003;
const TAG_EXTENSIBLE: u16 = 0xFFFE;
/// What follows the format tag in an extensible header's sub-format (KSDATAFORMAT_SUBTYPE_*).
const SUBFORMAT_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
/// SPEAKER_LOW_FREQUENCY in an extensible header's channel mask.
const MASK_LOW_FREQUENCY: u32 = 1 << 3;
/// Lengths of the `fmt ` chunk in its plain and in its extensible form.
const FMT_LEN: usize = 16;
const FMT_EXTENSIBLE_LEN: usize = 40;

/// Reads up to the first sample. `reader` stands at the start of the file and then at the first sample.
pub(super) fn read_header(reader: &mut dyn Read, name: &str) -> Result<WavHeader, AudioError> {
    let mut chunks = Chunks { reader, name, offset: 0 };
    let riff: [u8; 12] = chunks.read_array("the file's first 12 bytes")?;
    let wide = matches!(&riff[..4], b"RF64" | b"BW64");
    let mut wide_data_len = None;
    let mut format = None;
    loop {
        let chunk_offset = chunks.offset;
        let head: [u8; 8] = match chunks.read_array("a chunk's head") {
            Err(AudioError::MalformedWav { offset, .. }) => {
                let problem = "the file ends before any 'data' chunk".to_owned();
                return Err(AudioError::MalformedWav { name: name.to_owned(), offset, problem });
            }
            head => head?,
        };
        let len = le_u32(&head[4..]);
        match &head[..4] {
            b"fmt " if format.is_none() => format = Some(chunks.read_format(len)?),
            b"ds64" if wide && len >= 16 => {
                let body: [u8; 16] = chunks.read_array("the 'ds64' chunk")?;
                wide_data_len = Some(u64::from(le_u32(&body[12..])) << 32 | u64::from(le_u32(&body[8..])));
                chunks.skip(u64::from(len) - 16 + u64::from(len % 2), "ds64", chunk_offset)?;
            }
            b"data" => {
                let Some(format) = format else {
                    return Err(chunks.malformed(chunk_offset, "the 'data' chunk comes before any 'fmt ' chunk"));
                };
                let data_len = match (len, wide_data_len) {
                    (LEN_UNKNOWN, Some(bytes)) => DataLen::Bytes(bytes),
                    (LEN_UNKNOWN, None) => DataLen::Unknown,
                    (bytes, _) => DataLen::Bytes(u64::from(bytes)),
                };
                return Ok(WavHeader {
                    coding: format.coding,
                    channels: format.channels,
                    sample_rate_hz: format.sample_rate_hz,
                    frame_bytes: format.frame_bytes,
                    lfe_channel: format.lfe_channel,
                    data_offset: chunks.offset,
                    data_len,
                });
            }
            id => chunks.skip(u64::from(len) + u64::from(len % 2), &id.escape_ascii().to_string(), chunk_offset)?,
        }
    }
}

/// Whether `bytes` can be the head of a chunk that ends by `room` bytes after the head, where that is known: four
/// printable characters and a length. Samples rarely look like that; silence never does.
pub(super) fn looks_like_chunk(bytes: &[u8], room: Option<u64>) -> bool {
    let Some((id, len)) = bytes.get(..8).map(|head| head.split_at(4)) else {
        return false;
    };
    id.iter().all(|byte| (b' '..=b'~').contains(byte)) && room.is_none_or(|room| u64::from(le_u32(len)) <= room)
}

/// A reader that knows where it is.
struct Chunks<'a> {
    reader: &'a mut dyn Read,
    name: &'a str,
    offset: u64,
}

impl Chunks<'_> {
    fn malformed(&self, offset: u64, problem: impl Into<String>) -> AudioError {
        AudioError::MalformedWav { name: self.name.to_owned(), offset, problem: problem.into() }
    }

    fn read_array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], AudioError> {
        let mut bytes = [0; N];
        let count = read_fully(self.reader, &mut bytes).map_err(|source| AudioError::Read {
            name: self.name.to_owned(),
            offset: self.offset,
            source,
        })?;
        self.offset += count as u64;
        if count == N { Ok(bytes) } else { Err(self.malformed(self.offset, format!("the file ends within {what}"))) }
    }

    /// Reads over a chunk's body, which takes no memory however long it says it is.
    fn skip(&mut self, bytes: u64, id: &str, chunk_offset: u64) -> Result<(), AudioError> {
        let skipped = io::copy(&mut (&mut *self.reader).take(bytes), &mut io::sink())
            .map_err(|source| AudioError::Read { name: self.name.to_owned(), offset: self.offset, source })?;
        self.offset += skipped;
        if skipped == bytes {
            return Ok(());
        }
        let problem = format!("the chunk '{id}' says it has {bytes} bytes, but the file ends after {skipped} of them");
        Err(self.malformed(chunk_offset, problem))
    }

    fn read_format(&mut self, len: u32) -> Result<Format, AudioError> {
        let start = self.offset;
        let len = u64::from(len);
        if len < FMT_LEN as u64 {
            return Err(self.malformed(start, format!("the 'fmt ' chunk has {len} bytes, and needs {FMT_LEN}")));
        }
        let base: [u8; FMT_LEN] = self.read_array("the 'fmt ' chunk")?;
        let mut tag = le_u16(&base);
        let mut channel_mask = 0;
        if tag == TAG_EXTENSIBLE {
            if len < FMT_EXTENSIBLE_LEN as u64 {
                let problem = format!("the extensible 'fmt ' chunk has {len} bytes, and needs {FMT_EXTENSIBLE_LEN}");
                return Err(self.malformed(start, problem));
            }
            let extension: [u8; FMT_EXTENSIBLE_LEN - FMT_LEN] = self.read_array("the 'fmt ' chunk")?;
            channel_mask = le_u32(&extension[4..]);
            if extension[10..] != SUBFORMAT_TAIL {
                let format = "WAV with a vendor's own codec".to_owned();
                return Err(AudioError::Unsupported { name: self.name.to_owned(), format });
            }
            tag = le_u16(&extension[8..]);
        }
        let rest = len - (self.offset - start) + len % 2;
        self.skip(rest, "fmt ", start - 8)?;
        self.interpret_format(&base, tag, channel_mask, start)
    }

    fn interpret_format(
        &self,
        base: &[u8; FMT_LEN],
        tag: u16,
        channel_mask: u32,
        start: u64,
    ) -> Result<Format, AudioError> {
        let channels = usize::from(le_u16(&base[2..]));
        let sample_rate_hz = le_u32(&base[4..]);
        let block_align = usize::from(le_u16(&base[12..]));
        let bits = le_u16(&base[14..]);
        let unsupported = |format: String| AudioError::Unsupported {
            name: self.name.to_owned(),
            format: format!("WAV with {format}"),
        };

        if tag != TAG_PCM && tag != TAG_FLOAT {
            return Err(unsupported(codec_name(tag)));
        }
        if channels == 0 {
            return Err(AudioError::NoChannels { name: self.name.to_owned(), offset: start + 2 });
        }
        check_rate(sample_rate_hz, self.name)?;
        // Odd widths are stored in the upper bits of whole bytes (WAVEFORMATEX), so reading all of them is right. Some
        // writers leave the block length 0; it follows from the rest.
        let value_bits = bits.next_multiple_of(8);
        let bytes = if block_align == 0 { usize::from(value_bits / 8) } else { block_align / channels };
        let coding = match (tag, value_bits, bytes) {
            (TAG_PCM, 8 | 16 | 24 | 32, _) if bytes == usize::from(value_bits / 8) => {
                Coding::Int { bits: value_bits, bytes: value_bits / 8 }
            }
            // 24 bits in the lower part of 4 bytes, without an extensible header to say so.
            (TAG_PCM, 24, 4) => Coding::Int { bits: 24, bytes: 4 },
            (TAG_FLOAT, 32, 4) => Coding::Float32,
            (TAG_FLOAT, 64, 8) => Coding::Float64,
            (TAG_PCM, _, _) => {
                return Err(unsupported(format!("{bits}-bit integers in {bytes} bytes")));
            }
            (_, _, _) => {
                return Err(unsupported(format!("{bits}-bit floating point in {bytes} bytes")));
            }
        };
        if block_align != 0 && block_align != bytes * channels {
            let problem = format!("a frame of {block_align} bytes does not hold {channels} channels of {bits} bits");
            return Err(self.malformed(start + 12, problem));
        }
        // Channels are stored in the order of the mask's bits, lowest first.
        let lfe_channel = (channel_mask & MASK_LOW_FREQUENCY != 0)
            .then(|| (channel_mask & (MASK_LOW_FREQUENCY - 1)).count_ones() as usize);
        Ok(Format { coding, channels, sample_rate_hz, frame_bytes: bytes * channels, lfe_channel })
    }
}

/// Refuses a rate that cannot carry speech, or that no recorder has: `SampleRate`.
pub fn check_rate(rate_hz: u32, name: &str) -> Result<(), AudioError> {
    if (MIN_SOURCE_RATE_HZ..=MAX_SOURCE_RATE_HZ).contains(&rate_hz) {
        Ok(())
    } else {
        Err(AudioError::SampleRate { name: name.to_owned(), rate_hz })
    }
}

/// Reads until `buffer` is full or the stream ends; gives how much was read.
pub(super) fn read_fully(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The usual names of the format tags that turn up in WAV files (`mmreg.h`).
fn codec_name(tag: u16) -> String {
    let name = match tag {
        0x0002 => "Microsoft ADPCM",
        0x0006 => "A-law (G.711)",
        0x0007 => "µ-law (G.711)",
        0x0011 => "IMA ADPCM",
        0x0031 => "GSM 6.10",
        0x0040 | 0x0045 | 0x0064 | 0x0065 => "G.72x ADPCM",
        0x0050 => "MPEG layer 1 or 2",
        0x0055 => "MP3",
        0x00FF | 0x1600 | 0x1610 => "AAC",
        0x0160..=0x0163 => "Windows Media Audio",
        _ => "an unknown codec",
    };
    format!("{name} (format tag 0x{tag:04X})")
}

fn le_u16(bytes: &[u8]) -> u16 {
    u16::from_le_bytes([bytes[0], bytes[1]])
}

fn le_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
