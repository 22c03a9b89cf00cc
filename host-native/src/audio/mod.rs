//! Audio files to what the engine takes: mono, 16 000 Hz, 32-bit floats, block by block.
//!
//! ```text
//! path or stream ─► source (what is it?) ─► wav (hound) or compressed (symphonia) ─► mono ─► resample ─► blocks
//!                                                   microphone or pipe: frames ─► mono ─► resample ─► blocks
//! ```
//!
//! WAV, `mono` and `resample` are in `auricle-conditioning`, which the host in the browser has too.
//!
//! A file of hours is never in memory: a block is at most a few seconds. The content tells the format, never the name.
//! Samples that are there are always given, also where the header lies or the file is cut short; what was wrong is then
//! in [`AudioReader::warnings`].

mod compressed;
mod mp4_edits;
mod source;

use std::io::Read;
use std::path::Path;

pub use auricle_conditioning::{
    AudioError, AudioWarning, FrameConverter, MAX_SOURCE_RATE_HZ, MAX_STREAM_BYTES, MIN_SOURCE_RATE_HZ, SAMPLE_RATE_HZ,
};

use auricle_conditioning::{Coding, Frames, Mixdown, WavDecoder};

use compressed::CompressedDecoder;
use source::Source;

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioInfo {
    /// Codec and container, for people: `16-bit WAV`, `MP3`, `AAC in MP4`.
    pub format: String,
    /// Samples a second of each channel, in Hz; 0 for a compressed file without any audio.
    pub sample_rate_hz: u32,
    /// How many channels; 0 for a compressed file without any audio.
    pub channels: usize,
    /// Length in seconds, where the file tells. The file may be wrong.
    pub duration_s: Option<f64>,
}

/// Reads a file as mono samples at 16 kHz.
///
/// Channels are averaged. Audio that already is at 16 kHz is not resampled: 16-bit mono comes out as exactly
/// `value / 32768`. Otherwise `n` samples become `round(n · 16000 / rate)`, and sample `k` is the sound at `k / 16000`
/// seconds of the file. All samples are finite and at most 32 768 in magnitude.
///
/// ```no_run
/// let mut reader = auricle::audio::AudioReader::open("meeting.mp3")?;
/// while let Some(block) = reader.next_block()? {
///     println!("{} more samples", block.len());
/// }
/// for warning in reader.warnings() {
///     eprintln!("meeting.mp3: {warning}");
/// }
/// # Ok::<(), auricle::audio::AudioError>(())
/// ```
pub struct AudioReader {
    decoder: Decoder,
    frames: Frames,
    mixdown: Mixdown,
    /// Whether the end, or an error, has been given.
    ended: bool,
}

enum Decoder {
    Wav(Box<WavDecoder>),
    Compressed(Box<CompressedDecoder>),
}

impl AudioReader {
    /// Opens a file and reads its header.
    ///
    /// Fails with the errors of the file system (`NotFound`, `IsDirectory`, `Open`, `Read`), with `Empty`, `NotAudio`
    /// and `Unsupported` where the content is not audio that is read here, and with `MalformedWav`, `Malformed`,
    /// `NoChannels` and `SampleRate` where it cannot be made sense of. A named pipe is read as a stream is.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AudioError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        Self::new(source::open(path, &name)?, name)
    }

    /// Reads a stream that cannot be seeked in, such as standard input.
    ///
    /// `name` stands for it in messages (`standard input` where it is `None`). WAV is decoded as it comes. Everything else
    /// is first read to its end, into an unnamed temporary file that the operating system deletes when the reader is
    /// dropped.
    ///
    /// Fails like [`AudioReader::open`], and with `Spool` and `StreamTooLong` where the temporary file cannot hold it.
    pub fn from_reader(reader: Box<dyn Read + Send>, name: Option<&str>) -> Result<Self, AudioError> {
        let name = name.unwrap_or("standard input").to_owned();
        Self::new(source::from_reader(reader, &name)?, name)
    }

    fn new(source: Source, name: String) -> Result<Self, AudioError> {
        let decoder = match source {
            Source::Wav { reader, len } => Decoder::Wav(Box::new(WavDecoder::open(reader, len, &name)?)),
            Source::Other { file, prefix } => {
                Decoder::Compressed(Box::new(CompressedDecoder::open(file, &prefix, &name)?))
            }
        };
        Ok(Self { decoder, frames: Frames::default(), mixdown: Mixdown::new(&name), ended: false })
    }

    /// What the file says of itself.
    pub fn info(&self) -> AudioInfo {
        match &self.decoder {
            Decoder::Wav(wav) => {
                let header = wav.header();
                let format = match header.coding {
                    Coding::Int { bits, .. } => format!("{bits}-bit WAV"),
                    Coding::Float32 => "32-bit floating-point WAV".to_owned(),
                    Coding::Float64 => "64-bit floating-point WAV".to_owned(),
                };
                AudioInfo {
                    format,
                    sample_rate_hz: header.sample_rate_hz,
                    channels: header.channels,
                    duration_s: wav.frames().map(|frames| frames as f64 / f64::from(header.sample_rate_hz)),
                }
            }
            Decoder::Compressed(compressed) => AudioInfo {
                format: compressed.format().to_owned(),
                sample_rate_hz: compressed.sample_rate_hz(),
                channels: compressed.channels(),
                duration_s: compressed.duration_s(),
            },
        }
    }

    /// Gives the next samples: mono, 16 000 Hz, never none; `None` at the end. Blocks are as long as is convenient here,
    /// at most some seconds; how the audio is cut has no influence on the samples.
    ///
    /// Fails with `Read`, with `NotFinite` and `TooLoud` where a sample is no usable number, with `SampleRate` where a
    /// stream that is made of several goes on at an impossible rate, and with `Resample`. After an error comes `None`.
    pub fn next_block(&mut self) -> Result<Option<Vec<f32>>, AudioError> {
        while !self.ended {
            // Whatever goes wrong below, the stream is over; where nothing does, it is not.
            self.ended = true;
            let mut block = Vec::new();
            let more = self.decode_block(&mut block)?;
            self.ended = !more;
            if !block.is_empty() {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    /// What was wrong with the file. Complete once [`AudioReader::next_block`] has given `None`.
    pub fn warnings(&self) -> &[AudioWarning] {
        match &self.decoder {
            Decoder::Wav(wav) => wav.warnings(),
            Decoder::Compressed(compressed) => compressed.warnings(),
        }
    }

    /// Decodes one block and appends what it gives to `out`. Gives whether there may be more.
    fn decode_block(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioError> {
        let frames = &mut self.frames;
        let (position, any) = match &mut self.decoder {
            Decoder::Wav(wav) => (wav.position(), wav.next_frames(frames)?),
            Decoder::Compressed(compressed) => (compressed.position(), compressed.next_frames(frames)?),
        };
        if any {
            self.mixdown.push(frames, position, out)?
        } else {
            self.mixdown.flush(out)?
        }
        Ok(any)
    }
}

/// Reads a whole file into memory: mono samples at 16 000 Hz, and what was wrong with the file. For files whose length is
/// known to be small; an hour takes 230 MB.
///
/// Fails like [`AudioReader::open`] and [`AudioReader::next_block`].
pub fn read_all(path: impl AsRef<Path>) -> Result<(Vec<f32>, Vec<AudioWarning>), AudioError> {
    let mut reader = AudioReader::open(path)?;
    let mut samples = Vec::new();
    while let Some(block) = reader.next_block()? {
        samples.extend_from_slice(&block);
    }
    Ok((samples, reader.warnings().to_vec()))
}
