//! What the benchmark and its sides say to each other: JSON objects, one a line. `js/side.mjs` has the same types.
//!
//! A side says [`Message::Ready`] once, then answers each [`Request`] with [`Message::Reply`]. It ends when its standard
//! input does.

use std::collections::BTreeMap;
use std::path::PathBuf;

use auricle::types::Segment;
use serde::{Deserialize, Serialize};

/// What a side is asked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// A file of mono samples at 16 kHz: 32-bit floats, little-endian.
    pub clip: PathBuf,
}

/// What a side says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// It can transcribe.
    Ready(Ready),
    /// What a transcription gave.
    Reply(Reply),
    /// What went wrong; it ends after that.
    Error(String),
}

/// What a side tells of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// Time to compile and instantiate the engine, in milliseconds.
    pub engine_ms: f64,
    /// Time to load the model, in milliseconds; for Auricle as the engine measures it.
    pub load_ms: f64,
    /// Versions of everything that takes part, by name.
    pub versions: BTreeMap<String, String>,
}

/// What a transcription gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// Time from samples to what the decoder reads, in milliseconds.
    pub encode_ms: f64,
    /// Time in the decoder, in milliseconds.
    pub decode_ms: f64,
    /// Time from the first sample handed over to the last word, in milliseconds.
    pub total_ms: f64,
    /// Decoder passes, that of the end token included.
    pub tokens: u64,
    /// What was decoded, without start and end tokens, where the side gives no segments.
    #[serde(default)]
    pub token_ids: Vec<u32>,
    /// The final segments, where the side has such.
    #[serde(default)]
    pub segments: Vec<SegmentBits>,
    /// The most WebAssembly memory there was, in bytes.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
}

/// A final segment, with every float as its bits, so that JSON changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentBits {
    /// First sample.
    pub start: u64,
    /// The sample after the last.
    pub end: u64,
    /// The transcript.
    pub text: String,
    /// Of each token the id and the bits of log-probability and entropy.
    pub tokens: Vec<(u32, u32, u32)>,
    /// Of each word the bits of its confidence.
    pub word_confidences: Vec<u32>,
}

impl From<&Segment> for SegmentBits {
    fn from(segment: &Segment) -> Self {
        let tokens = segment.tokens.iter();
        Self {
            start: segment.span.start,
            end: segment.span.end,
            text: segment.text.clone(),
            tokens: tokens.map(|t| (t.id, t.log_probability.to_bits(), t.entropy.to_bits())).collect(),
            word_confidences: segment.words.iter().map(|word| word.confidence.to_bits()).collect(),
        }
    }
}
