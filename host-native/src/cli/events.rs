//! Events as JSON, one object a line.

use std::io::Write;

use anyhow::{Context, Result};
use auricle::types::{Event, Guards, Segment, SegmentEnd, Token, Word};
use serde::Serialize;

use super::transcript::seconds_of;

/// A line of `--json-lines`. Times are in samples at 16 kHz, and with `_s` in seconds.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    SpeechStarted(Start),
    Partial(SegmentLine<'a>),
    Final(SegmentLine<'a>),
    SpeechEnded(End),
    EndOfStream(End),
}

#[derive(Serialize)]
struct Start {
    start: u64,
    start_s: f64,
}

#[derive(Serialize)]
struct End {
    end: u64,
    end_s: f64,
}

#[derive(Serialize)]
struct SegmentLine<'a> {
    id: u64,
    revision: u32,
    start: u64,
    end: u64,
    start_s: f64,
    end_s: f64,
    text: &'a str,
    words: Vec<WordLine<'a>>,
    settled_words: u32,
    settled_changed: bool,
    /// Of a final only: those of a partial will not last.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Vec<TokenLine>>,
    language: Option<&'a str>,
    no_speech_probability: Option<f32>,
    guards: Vec<&'static str>,
    ended_by: Option<&'static str>,
}

/// A word's times are null where `--word-timestamps` did not ask for them.
#[derive(Serialize)]
struct WordLine<'a> {
    text: &'a str,
    start: Option<u64>,
    end: Option<u64>,
    start_s: Option<f64>,
    end_s: Option<f64>,
    confidence: f32,
}

#[derive(Serialize)]
struct TokenLine {
    id: u32,
    log_probability: f32,
    entropy: f32,
}

/// A line, and the file it is about, which stands first.
#[derive(Serialize)]
struct InFile<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(flatten)]
    line: T,
}

/// Gives the line for an event, without a line feed.
pub(crate) fn line(file: Option<&str>, event: &Event) -> Result<String> {
    let start = |start: u64| Start { start, start_s: seconds_of(start) };
    let end = |end: u64| End { end, end_s: seconds_of(end) };
    let line = match event {
        Event::SpeechStarted(at) => Line::SpeechStarted(start(*at)),
        Event::PartialSegment(segment) => Line::Partial(segment_line(segment, false)),
        Event::FinalSegment(segment) => Line::Final(segment_line(segment, true)),
        Event::SpeechEnded(at) => Line::SpeechEnded(end(*at)),
        Event::EndOfStream(at) => Line::EndOfStream(end(*at)),
    };
    line_of(file, line)
}

/// Gives the line for anything that tells its own type.
pub(crate) fn line_of(file: Option<&str>, line: impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(&InFile { file, line })?)
}

/// Writes a line at once, so that whoever reads it has it when it happens.
pub(crate) fn write(out: &mut impl Write, line: &str) -> Result<()> {
    writeln!(out, "{line}").and_then(|()| out.flush()).context("standard output: cannot be written to")
}

fn segment_line(segment: &Segment, with_tokens: bool) -> SegmentLine<'_> {
    let token =
        |token: &Token| TokenLine { id: token.id, log_probability: token.log_probability, entropy: token.entropy };
    SegmentLine {
        id: segment.id,
        revision: segment.revision,
        start: segment.span.start,
        end: segment.span.end,
        start_s: seconds_of(segment.span.start),
        end_s: seconds_of(segment.span.end),
        text: &segment.text,
        words: segment.words.iter().map(word_line).collect(),
        settled_words: segment.settled_words,
        settled_changed: segment.settled_changed,
        tokens: with_tokens.then(|| segment.tokens.iter().map(token).collect()),
        language: segment.language.as_deref(),
        no_speech_probability: segment.no_speech_probability,
        guards: guards(segment.guards),
        ended_by: segment.ended_by.map(|end| match end {
            SegmentEnd::Silence => "silence",
            SegmentEnd::LongestSegment => "longest_segment",
            SegmentEnd::Finish => "finish",
        }),
    }
}

fn word_line(word: &Word) -> WordLine<'_> {
    WordLine {
        text: &word.text,
        start: word.span.map(|span| span.start),
        end: word.span.map(|span| span.end),
        start_s: word.span.map(|span| seconds_of(span.start)),
        end_s: word.span.map(|span| seconds_of(span.end)),
        confidence: word.confidence,
    }
}

fn guards(guards: Guards) -> Vec<&'static str> {
    let names =
        [(Guards::TOKEN_RATE, "token_rate"), (Guards::REPETITION, "repetition"), (Guards::NO_SPEECH, "no_speech")];
    names.into_iter().filter(|(guard, _)| guards.contains(*guard)).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use auricle::types::SampleSpan;
    use serde_json::{Value, json};

    use super::*;

    fn parsed(file: Option<&str>, event: &Event) -> Value {
        let line = line(file, event).unwrap();
        assert!(!line.contains('\n'), "{line}");
        serde_json::from_str(&line).unwrap()
    }

    fn segment(ended_by: Option<SegmentEnd>) -> Segment {
        let span = |start, end| Some(SampleSpan { start, end });
        Segment {
            id: 2,
            revision: 5,
            span: SampleSpan { start: 8_000, end: 24_000 },
            text: "so\n\"it\"".to_owned(),
            words: vec![
                Word { text: "so".to_owned(), span: span(8_000, 12_000), confidence: 0.25 },
                Word { text: "\"it\"".to_owned(), span: None, confidence: 1.0 },
            ],
            settled_words: 1,
            settled_changed: true,
            tokens: vec![Token { id: 9, log_probability: -0.5, entropy: 0.75 }],
            language: None,
            no_speech_probability: Some(0.125),
            guards: Guards::REPETITION | Guards::TOKEN_RATE,
            ended_by,
        }
    }

    #[test]
    fn events_without_text_tell_when_in_samples_and_in_seconds() {
        assert_eq!(
            parsed(None, &Event::SpeechStarted(8_000)),
            json!({"type": "speech_started", "start": 8000, "start_s": 0.5})
        );
        assert_eq!(
            parsed(Some("a.wav"), &Event::SpeechEnded(24_000)),
            json!({"file": "a.wav", "type": "speech_ended", "end": 24000, "end_s": 1.5})
        );
        assert_eq!(parsed(None, &Event::EndOfStream(0)), json!({"type": "end_of_stream", "end": 0, "end_s": 0.0}));
    }

    #[test]
    fn a_final_has_all_that_the_contract_has_of_a_segment() {
        let expected = json!({
            "type": "final", "id": 2, "revision": 5, "start": 8000, "end": 24000, "start_s": 0.5, "end_s": 1.5,
            "text": "so\n\"it\"",
            "words": [
                {"text": "so", "start": 8000, "end": 12000, "start_s": 0.5, "end_s": 0.75, "confidence": 0.25},
                {"text": "\"it\"", "start": null, "end": null, "start_s": null, "end_s": null, "confidence": 1.0},
            ],
            "settled_words": 1, "settled_changed": true,
            "tokens": [{"id": 9, "log_probability": -0.5, "entropy": 0.75}],
            "language": null, "no_speech_probability": 0.125, "guards": ["token_rate", "repetition"],
            "ended_by": "silence",
        });
        assert_eq!(parsed(None, &Event::FinalSegment(segment(Some(SegmentEnd::Silence)))), expected);
    }

    #[test]
    fn a_partial_has_no_tokens_and_no_end() {
        let partial = parsed(Some("x"), &Event::PartialSegment(segment(None)));
        assert_eq!((&partial["type"], &partial["file"]), (&json!("partial"), &json!("x")));
        assert!(partial.get("tokens").is_none() && partial["ended_by"].is_null(), "{partial}");
    }
}
