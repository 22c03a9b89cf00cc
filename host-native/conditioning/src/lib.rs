//! What every host does to audio before the engine takes it: WAV files, and interleaved frames of any rate and number of
//! channels, to mono at 16 000 Hz in 32-bit floats.
//!
//! ```text
//! WAV ─► wav (hound) ─► mono ─► resample ─► samples
//!    microphone: frames ─► mono ─► resample ─► samples
//! ```
//!
//! Nothing here asks anything of an operating system, so that hosts with and without one give the same samples.

mod error;
mod frames;
mod mixdown;
mod mono;
mod resample;
mod wav;
mod wav_header;

pub use error::{AudioError, AudioWarning};
pub use frames::FrameConverter;
pub use mixdown::{Frames, Mixdown};
pub use wav::{WavDecoder, is_wav, read_wav};
pub use wav_header::{Coding, DataLen, WavHeader, check_rate};

/// The rate of the samples that come out, in Hz.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// The lowest rate of a source that is read, in Hz. Below it there is no speech, and each byte would become seconds.
pub const MIN_SOURCE_RATE_HZ: u32 = 1_000;

/// The highest rate of a source that is read, in Hz: twice that of any common recorder.
pub const MAX_SOURCE_RATE_HZ: u32 = 768_000;

/// The most bytes of a stream that a host keeps in a temporary file, where its format needs seeking: 4 GiB, which is days
/// of compressed audio. WAV streams are not kept, and have no bound.
pub const MAX_STREAM_BYTES: u64 = 4 << 30;
