//! What the benchmark and its sides say to each other: JSON objects, one a line. `js/side.mjs` has the same types.
//!
//! A side says [`Message::Ready`] once, then answers each [`Request`] with [`Message::Reply`]. It ends when its standard
//! input does.

use std::collections::BTreeMap;
use std::path::PathBuf;

use auricle::types::{Guards, Segment, SegmentEnd};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How a side of Auricle takes a clip: `--stream`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stream {
    /// At once, as one segment without partials: as the peers take it.
    Whole,
    /// In blocks of 20 ms that are worked on as they come, with the model's default options and word times.
    Live,
    /// The same, with the detector of voice activity that needs no model.
    LiveEnergy,
}

impl Stream {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Whole, Self::Live, Self::LiveEnergy];

    /// Its name, also on command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Live => "live",
            Self::LiveEnergy => "live-energy",
        }
    }
}

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
    /// How often a segment was given before it was final.
    #[serde(default)]
    pub partials: u64,
    /// The most WebAssembly memory there was, in bytes.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// What each stage took, where the side tells it.
    #[serde(default)]
    pub stages: Vec<StageFigures>,
}

/// What a stage of the engine took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageFigures {
    /// As the contract calls it.
    pub stage: String,
    /// Time spent in it, in milliseconds.
    pub ms: f64,
    /// Its multiply-accumulate operations.
    pub multiply_adds: u64,
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
    /// Of each word first sample and the sample after the last, where word times were asked for.
    pub word_spans: Vec<Option<(u64, u64)>>,
    /// Why it ended, as the contract calls it.
    pub ended_by: Option<String>,
    /// The bits of the probability that there was no speech, where that was judged.
    pub no_speech_probability: Option<u32>,
    /// Guards that fired, as the contract calls them and in its order.
    pub guards: Vec<String>,
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
            word_spans: segment.words.iter().map(|word| word.span.map(|span| (span.start, span.end))).collect(),
            ended_by: segment.ended_by.map(|end| name(end).to_owned()),
            no_speech_probability: segment.no_speech_probability.map(f32::to_bits),
            guards: names(segment.guards),
        }
    }
}

fn name(end: SegmentEnd) -> &'static str {
    match end {
        SegmentEnd::Silence => "silence",
        SegmentEnd::LongestSegment => "longest-segment",
        SegmentEnd::Finish => "finish",
    }
}

fn names(guards: Guards) -> Vec<String> {
    let all =
        [(Guards::TOKEN_RATE, "token-rate"), (Guards::REPETITION, "repetition"), (Guards::NO_SPEECH, "no-speech")];
    all.into_iter().filter(|(guard, _)| guards.contains(*guard)).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_as_on_the_command_line() {
        for stream in Stream::ALL {
            assert_eq!(Stream::from_str(stream.name(), false), Ok(stream));
        }
        assert_eq!(Stream::ALL.len(), Stream::value_variants().len());
    }

    #[test]
    fn guards_are_named_in_the_order_of_the_contract() {
        assert_eq!(names(Guards::NO_SPEECH | Guards::TOKEN_RATE), ["token-rate", "no-speech"]);
        assert!(names(Guards::empty()).is_empty());
    }
}
