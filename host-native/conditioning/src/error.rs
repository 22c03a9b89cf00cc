//! What can go wrong with a file of audio, and what was wrong with one that could still be read.

use std::io;

use thiserror::Error;

use super::{MAX_SOURCE_RATE_HZ, MAX_STREAM_BYTES, MIN_SOURCE_RATE_HZ};

/// Why a file, or the rest of it, cannot be turned into samples.
///
/// `name` is the path, or what the caller called the stream. Byte offsets count from the start of the file. A *frame* is
/// one sample of each channel, so a frame's index divided by the source's rate is its time.
#[derive(Debug, Error)]
pub enum AudioError {
    /// There is no such file.
    #[error("{name}: no such file; check the path")]
    NotFound {
        /// What was read.
        name: String,
    },
    /// The path leads to a directory.
    #[error("{name}: is a directory; name the files in it")]
    IsDirectory {
        /// What was read.
        name: String,
    },
    /// The operating system does not let the file be opened.
    #[error("{name}: cannot be opened: {source}; check its permissions")]
    Open {
        /// What was read.
        name: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operating system failed while the file was read.
    #[error("{name}: reading failed at byte {offset}: {source}; check the disk or connection and try again")]
    Read {
        /// What was read.
        name: String,
        /// How many bytes had been read.
        offset: u64,
        /// What the operating system says.
        source: io::Error,
    },
    /// A stream whose format needs seeking could not be kept in a temporary file.
    #[error("{name}: cannot be kept in a temporary file: {source}; make room there, or save the audio to a file first")]
    Spool {
        /// What was read.
        name: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// A stream whose format needs seeking is longer than will be kept in a temporary file.
    #[error(
        "{name}: longer than {} bytes, the most that is kept of a stream; save it to a file first",
        MAX_STREAM_BYTES
    )]
    StreamTooLong {
        /// What was read.
        name: String,
    },
    /// The file has no bytes at all.
    #[error("{name}: the file is empty (0 bytes); check that the recording or download finished")]
    Empty {
        /// What was read.
        name: String,
    },
    /// The bytes are not of any audio format known here.
    #[error(
        "{name}: not audio: begins with {found}; give a WAV, MP3, FLAC, Ogg Vorbis, M4A or AAC file, or convert it: \
         ffmpeg -i INPUT -ac 1 -ar 16000 OUTPUT.wav"
    )]
    NotAudio {
        /// What was read.
        name: String,
        /// What stands at the beginning instead.
        found: String,
    },
    /// A container or codec that is known, but not read here.
    #[error("{name}: {format} is not supported; convert it: ffmpeg -i INPUT -ac 1 -ar 16000 OUTPUT.wav")]
    Unsupported {
        /// What was read.
        name: String,
        /// The container or codec, by its usual name.
        format: String,
    },
    /// A WAV file whose header cannot be made sense of.
    #[error("{name}: malformed WAV at byte {offset}: {problem}; export or download it again")]
    MalformedWav {
        /// What was read.
        name: String,
        /// Where in the file the fault lies.
        offset: u64,
        /// What is wrong there.
        problem: String,
    },
    /// A compressed file that cannot be made sense of.
    #[error("{name}: malformed {format} data: {problem}; export or download it again")]
    Malformed {
        /// What was read.
        name: String,
        /// The container or codec, by its usual name.
        format: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The header says that there are no channels.
    #[error("{name}: the header (byte {offset}) says 0 channels; export it again as mono or stereo")]
    NoChannels {
        /// What was read.
        name: String,
        /// Where in the file the number stands.
        offset: u64,
    },
    /// The header gives a sample rate at which there is no speech to be had, 0 included.
    #[error(
        "{name}: a sample rate of {rate_hz} Hz is outside {} to {} Hz; check the header, or convert it to 16000 Hz",
        MIN_SOURCE_RATE_HZ,
        MAX_SOURCE_RATE_HZ
    )]
    SampleRate {
        /// What was read.
        name: String,
        /// What the header says, in Hz.
        rate_hz: u32,
    },
    /// A sample is NaN or infinite.
    #[error(
        "{name}: sample {frame} of channel {channel} is {value}, not a number that sound can have; \
         export the file again, or convert it to 16-bit integers"
    )]
    NotFinite {
        /// What was read.
        name: String,
        /// Index of the frame, from 0.
        frame: u64,
        /// Index of the channel, from 0.
        channel: usize,
        /// What stands there.
        value: f64,
    },
    /// A floating-point sample is finite, but far outside −1 to 1: not even a file whose full scale is that of 16-bit
    /// integers would have it.
    #[error(
        "{name}: sample {frame} is {value} after mixing to mono, and full scale is 1; \
         scale the file down, or convert it to 16-bit integers"
    )]
    TooLoud {
        /// What was read.
        name: String,
        /// Index of the frame, from 0.
        frame: u64,
        /// What the mix comes to.
        value: f64,
    },
    /// The resampler failed. This is a fault of this library.
    #[error("{name}: resampling from {rate_hz} Hz failed: {problem}; convert the file to 16000 Hz and report this")]
    Resample {
        /// What was read.
        name: String,
        /// The source's rate in Hz.
        rate_hz: u32,
        /// What the resampler says.
        problem: String,
    },
}

/// What was wrong with a file that was read all the same. Samples that were there have been given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AudioWarning {
    /// The WAV header promises more than the file holds: it was cut short, or written by a program that could not know.
    #[error(
        "the header promises {promised_bytes} bytes of audio, but only {present_bytes} are there: the end is missing"
    )]
    Truncated {
        /// Length of the audio by the header.
        promised_bytes: u64,
        /// Length of the audio that is there.
        present_bytes: u64,
    },
    /// The WAV header says that there is no audio, yet something follows that is not another chunk.
    #[error("the header promises no audio, but {present_bytes} bytes follow it: they were read as audio")]
    LengthZero {
        /// How many bytes were read as audio.
        present_bytes: u64,
    },
    /// After the audio that the WAV header promises comes something that is not another chunk.
    #[error("after the audio that the header promises, something unreadable follows at byte {offset}: it was left out")]
    UnreadBytes {
        /// Where it begins.
        offset: u64,
    },
    /// The last frame is incomplete.
    #[error("the last {bytes} bytes are less than one sample of every channel: they were left out")]
    PartialFrame {
        /// How many bytes are left over.
        bytes: u64,
    },
    /// Packets of a compressed file could not be decoded; silence of the same length stands in their place.
    #[error("{packets} damaged packets were replaced with silence, the first at {first_ms} ms")]
    DamagedPackets {
        /// How many.
        packets: u64,
        /// Where the first begins, in milliseconds.
        first_ms: u64,
    },
    /// A compressed file breaks off, or cannot be followed any further.
    #[error("the file cannot be read beyond {at_ms} ms: {problem}")]
    BrokenOff {
        /// Where, in milliseconds.
        at_ms: u64,
        /// Why.
        problem: String,
    },
}
