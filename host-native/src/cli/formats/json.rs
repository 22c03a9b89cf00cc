//! JSON in the style of Python's `json.dump`: a space after each comma and colon, ASCII only, floats as Python has them.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::{Transcript, TranscriptSegment, TranscriptWord, python};

/// Fields in whisper's order (`transcribe.py`: what `transcribe` returns, and `new_segment`).
#[derive(Serialize)]
struct Document<'a> {
    text: &'a str,
    segments: Vec<Segment<'a>>,
    language: Option<&'a str>,
}

#[derive(Serialize)]
struct Segment<'a> {
    id: u64,
    seek: Option<u64>,
    start: f64,
    end: f64,
    text: &'a str,
    tokens: &'a [u32],
    temperature: Option<f64>,
    avg_logprob: Option<f64>,
    compression_ratio: Option<f64>,
    no_speech_prob: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<Word<'a>>>,
}

#[derive(Serialize)]
struct Word<'a> {
    word: &'a str,
    start: f64,
    end: f64,
    probability: f64,
}

impl<'a> From<&'a TranscriptSegment> for Segment<'a> {
    fn from(segment: &'a TranscriptSegment) -> Self {
        Self {
            id: segment.id,
            seek: segment.seek,
            start: segment.start_s,
            end: segment.end_s,
            text: &segment.text,
            tokens: &segment.tokens,
            temperature: segment.temperature,
            avg_logprob: segment.avg_logprob,
            compression_ratio: segment.compression_ratio,
            no_speech_prob: segment.no_speech_prob,
            words: segment.words.as_ref().map(|words| words.iter().map(Word::from).collect()),
        }
    }
}

impl<'a> From<&'a TranscriptWord> for Word<'a> {
    fn from(word: &'a TranscriptWord) -> Self {
        Self { word: &word.word, start: word.start_s, end: word.end_s, probability: word.probability }
    }
}

pub(super) fn write(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        text: &transcript.text,
        segments: transcript.segments.iter().map(Segment::from).collect(),
        language: transcript.language.as_deref(),
    };
    let mut serializer = serde_json::Serializer::with_formatter(out, PythonStyle);
    document.serialize(&mut serializer).map_err(io::Error::from)
}

struct PythonStyle;

impl Formatter for PythonStyle {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        out.write_all(python::float(value).as_bytes())
    }

    /// What needs no escape in JSON, but does in ASCII: everything from DEL on, in halves of UTF-16.
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        for c in fragment.chars() {
            if (' '..='~').contains(&c) {
                out.write_all(&[c as u8])?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}
