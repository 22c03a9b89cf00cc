//! SubRip and WebVTT.

use std::io::{self, Write};

use super::python::{milliseconds, strip};
use super::{Transcript, TranscriptWord};

/// One subtitle.
struct Cue {
    start_s: f64,
    end_s: f64,
    text: String,
}

pub(super) fn write_srt(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    for (index, cue) in cues(transcript).iter().enumerate() {
        let (start, end) = (timestamp(cue.start_s, true, ','), timestamp(cue.end_s, true, ','));
        write!(out, "{}\n{start} --> {end}\n{}\n\n", index + 1, cue.text)?;
    }
    Ok(())
}

pub(super) fn write_vtt(transcript: &Transcript, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "WEBVTT\n\n")?;
    for cue in cues(transcript) {
        let (start, end) = (timestamp(cue.start_s, false, '.'), timestamp(cue.end_s, false, '.'));
        write!(out, "{start} --> {end}\n{}\n\n", cue.text)?;
    }
    Ok(())
}

/// `HH:MM:SS` and the milliseconds after `decimal_marker`; hours are left out while they are 0, unless `hours_always`.
fn timestamp(seconds: f64, hours_always: bool, decimal_marker: char) -> String {
    let total_ms = milliseconds(seconds);
    let (hours, minutes) = (total_ms / 3_600_000, total_ms / 60_000 % 60);
    let (seconds, milliseconds) = (total_ms / 1_000 % 60, total_ms % 1_000);
    let hours = if hours_always || hours > 0 { format!("{hours:02}:") } else { String::new() };
    format!("{hours}{minutes:02}:{seconds:02}{decimal_marker}{milliseconds:03}")
}

/// A cue for each segment: with its own times, or, where there are words, with those of its first and last word. A
/// segment without words is no cue then. Whether there are words is decided by the first segment, as whisper does.
fn cues(transcript: &Transcript) -> Vec<Cue> {
    if transcript.segments.first().is_some_and(|segment| segment.words.is_some()) {
        let words = transcript.segments.iter().filter_map(|segment| segment.words.as_deref());
        return words.flat_map(|words| words.chunks(MAX_CUE_WORDS)).filter_map(cue_of_words).collect();
    }
    let segments = transcript.segments.iter();
    segments
        .map(|segment| Cue { start_s: segment.start_s, end_s: segment.end_s, text: cue_text(strip(&segment.text)) })
        .collect()
}

/// Whisper's limits where none is given: a cue has at most so many words, and a line at most so many characters.
const MAX_CUE_WORDS: usize = 1_000;
const MAX_LINE_CHARS: usize = 1_000;

fn cue_of_words(words: &[TranscriptWord]) -> Option<Cue> {
    let (first, last) = (words.first()?, words.last()?);
    let mut text = String::new();
    let mut line_chars = 0;
    for word in words {
        let chars = word.word.chars().count();
        if line_chars > 0 && line_chars + chars <= MAX_LINE_CHARS {
            text.push_str(&word.word);
            line_chars += chars;
        } else {
            let stripped = strip(&word.word);
            if line_chars > 0 {
                text.push('\n');
            }
            text.push_str(stripped);
            line_chars = stripped.chars().count();
        }
    }
    Some(Cue { start_s: first.start_s, end_s: last.end_s, text: cue_text(&text) })
}

/// An arrow within the text would end the cue.
fn cue_text(text: &str) -> String {
    text.replace("-->", "->")
}
