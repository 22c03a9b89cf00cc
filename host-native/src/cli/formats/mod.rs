//! Transcripts as files, byte for byte as openai-whisper writes them, so that what reads its output reads this.
//!
//! The formats follow `whisper/utils.py` at commit c0d2f624c09dc18e709e37c2ad90c039a4eb72a2 (25 June 2025), on a
//! system whose lines end in `\n`. Two things differ, on purpose:
//! - what a model cannot give is `null` in JSON, where whisper always has a number;
//! - `-->` in a word becomes `->` in subtitles, as it does there only in text without word times: a cue that has it
//!   cannot be read.

mod json;
mod python;
mod subtitles;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// What was said in one file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Transcript {
    /// The segments' texts, one after the other, each with the space it begins with.
    pub(crate) text: String,
    /// The segments, in the order in which they were said.
    pub(crate) segments: Vec<TranscriptSegment>,
    /// The language's code, such as `en`, where the model tells or has only one.
    pub(crate) language: Option<String>,
}

/// A stretch of speech and its text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TranscriptSegment {
    /// Counts from 0.
    pub(crate) id: u64,
    /// Where the model's window began, in hundredths of a second, where it has windows.
    pub(crate) seek: Option<u64>,
    /// When it begins, in seconds, at least 0.
    pub(crate) start_s: f64,
    /// When it ends, in seconds, at least `start_s`.
    pub(crate) end_s: f64,
    /// The text. By whisper's convention it begins with a space where a word begins, so that texts can be joined.
    pub(crate) text: String,
    /// The model's tokens for it.
    pub(crate) tokens: Vec<u32>,
    /// The sampling temperature, 0 for greedy decoding.
    pub(crate) temperature: Option<f64>,
    /// Mean of the tokens' natural log-probabilities.
    pub(crate) avg_logprob: Option<f64>,
    /// How repetitive the text is; [`compression_ratio`] gives it.
    pub(crate) compression_ratio: Option<f64>,
    /// Probability that there was no speech, 0 to 1.
    pub(crate) no_speech_prob: Option<f64>,
    /// The text word by word, where word times were asked for.
    pub(crate) words: Option<Vec<TranscriptWord>>,
}

/// One word.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TranscriptWord {
    /// The word with its punctuation and, by whisper's convention, the space before it.
    pub(crate) word: String,
    /// When it begins, in seconds, at least 0.
    pub(crate) start_s: f64,
    /// When it ends, in seconds, at least `start_s`.
    pub(crate) end_s: f64,
    /// How sure the model is of it, 0 to 1.
    pub(crate) probability: f64,
}

/// How subtitles are laid out where words have times: whisper's options of these names. Without any, a cue is a segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SubtitleOptions {
    /// Most characters of a line, at least 1.
    pub(crate) max_line_width: Option<usize>,
    /// Most lines of a cue, at least 1. Has no effect without `max_line_width`.
    pub(crate) max_line_count: Option<usize>,
    /// Most words of a cue, at least 1. Has no effect with `max_line_width` and `max_line_count`.
    pub(crate) max_words_per_line: Option<usize>,
    /// Whether there is a cue for every word, which is underlined in it.
    pub(crate) highlight_words: bool,
}

/// A format to write a [`Transcript`] in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Plain text, a line for each segment.
    Txt,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
    /// Tab-separated values: start and end in milliseconds, and text.
    Tsv,
    /// Everything that is known, as JSON.
    Json,
}

impl Format {
    /// All of them, in the order in which whisper writes them.
    pub(crate) const ALL: [Self; 5] = [Self::Txt, Self::Vtt, Self::Srt, Self::Tsv, Self::Json];

    /// What a file of this format is called after the dot.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Txt => "txt",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Tsv => "tsv",
            Self::Json => "json",
        }
    }

    /// Writes the whole file, in UTF-8. Fails only where `out` does.
    pub(crate) fn write(
        self,
        transcript: &Transcript,
        options: &SubtitleOptions,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self {
            Self::Txt => write_txt(transcript, out),
            Self::Srt => subtitles::write_srt(transcript, options, out),
            Self::Vtt => subtitles::write_vtt(transcript, options, out),
            Self::Tsv => write_tsv(transcript, out),
            Self::Json => json::write(transcript, out),
        }
    }
}

fn write_txt(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    for segment in &transcript.segments {
        writeln!(out, "{}", python::strip(&segment.text))?;
    }
    Ok(())
}

fn write_tsv(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "start\tend\ttext")?;
    for segment in &transcript.segments {
        let (start_ms, end_ms) = (python::milliseconds(segment.start_s), python::milliseconds(segment.end_s));
        writeln!(out, "{start_ms}\t{end_ms}\t{}", python::strip(&segment.text).replace('\t', " "))?;
    }
    Ok(())
}

/// How many times shorter zlib makes a text: whisper's measure of repetition, which is above 2.4 where a model has caught
/// itself in a loop. 0 for no text. The deflate implementation here is not zlib's own: lengths differ by a byte or two.
pub(crate) fn compression_ratio(text: &str) -> f64 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail.
    let compressed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    compressed.map_or(0.0, |compressed| text.len() as f64 / compressed.len() as f64)
}
