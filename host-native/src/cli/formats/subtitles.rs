//! SubRip and WebVTT.

use std::io::{self, Write};

use super::python::{is_space, milliseconds, strip};
use super::{SubtitleOptions, Transcript, TranscriptWord};

/// What whisper takes for a limit where none is given, of words as of characters.
const NO_LIMIT: usize = 1_000;

/// A pause so long ends a cue, where cues may reach across segments.
const LONG_PAUSE_S: f64 = 3.0;

/// One subtitle.
struct Cue {
    start_ms: u64,
    end_ms: u64,
    text: String,
}

pub(super) fn write_srt(transcript: &Transcript, options: &SubtitleOptions, out: &mut dyn Write) -> io::Result<()> {
    for (index, cue) in cues(transcript, options).iter().enumerate() {
        let (start, end) = (timestamp(cue.start_ms, true, ','), timestamp(cue.end_ms, true, ','));
        write!(out, "{}\n{start} --> {end}\n{}\n\n", index + 1, cue.text)?;
    }
    Ok(())
}

pub(super) fn write_vtt(transcript: &Transcript, options: &SubtitleOptions, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "WEBVTT\n\n")?;
    for cue in cues(transcript, options) {
        let (start, end) = (timestamp(cue.start_ms, false, '.'), timestamp(cue.end_ms, false, '.'));
        write!(out, "{start} --> {end}\n{}\n\n", cue.text)?;
    }
    Ok(())
}

/// `HH:MM:SS` and the milliseconds after `decimal_marker`; hours are left out while they are 0, unless `hours_always`.
fn timestamp(total_ms: u64, hours_always: bool, decimal_marker: char) -> String {
    let (hours, minutes) = (total_ms / 3_600_000, total_ms / 60_000 % 60);
    let (seconds, milliseconds) = (total_ms / 1_000 % 60, total_ms % 1_000);
    let hours = if hours_always || hours > 0 { format!("{hours:02}:") } else { String::new() };
    format!("{hours}{minutes:02}:{seconds:02}{decimal_marker}{milliseconds:03}")
}

/// A cue for each segment, or, where there are words, for each group of them. A segment without words is no cue then.
/// Whether there are words is decided by the first segment, as whisper does.
fn cues(transcript: &Transcript, options: &SubtitleOptions) -> Vec<Cue> {
    if transcript.segments.first().is_some_and(|segment| segment.words.is_some()) {
        let groups = grouped(transcript, options);
        return groups
            .iter()
            .flat_map(|words| if options.highlight_words { highlighted(words) } else { plain(words) })
            .collect();
    }
    let cue = |start_s, end_s, text| Cue { start_ms: milliseconds(start_s), end_ms: milliseconds(end_s), text };
    let segments = transcript.segments.iter();
    segments.map(|segment| cue(segment.start_s, segment.end_s, cue_text(strip(&segment.text)))).collect()
}

/// Groups words to cues, with line feeds before those that begin another line, as `SubtitlesWriter.iterate_result` does:
/// a cue ends with its segment, unless both the width and the number of lines are limited; those then decide, and long
/// pauses.
fn grouped(transcript: &Transcript, options: &SubtitleOptions) -> Vec<Vec<TranscriptWord>> {
    let keeps_segments = options.max_line_count.is_none() || options.max_line_width.is_none();
    let max_line_chars = options.max_line_width.unwrap_or(NO_LIMIT);
    let max_words = options.max_words_per_line.unwrap_or(NO_LIMIT);
    let chunks = transcript.segments.iter().filter_map(|segment| segment.words.as_deref());
    let chunks = chunks.flat_map(|words| words.chunks(max_words));

    let mut groups = Vec::new();
    let mut group: Vec<TranscriptWord> = Vec::new();
    let mut line_chars = 0;
    let mut lines = 1;
    let mut last_start_s = None;
    for chunk in chunks {
        for (index, word) in chunk.iter().enumerate() {
            let mut word = word.clone();
            let since_s = word.start_s - last_start_s.unwrap_or(word.start_s);
            last_start_s = Some(word.start_s);
            let long_pause = !keeps_segments && since_s > LONG_PAUSE_S;
            let segment_ends = keeps_segments && index == 0 && !group.is_empty();
            let chars = word.word.chars().count();
            if line_chars > 0 && line_chars + chars <= max_line_chars && !long_pause && !segment_ends {
                line_chars += chars;
                group.push(word);
                continue;
            }
            let stripped = strip(&word.word).to_owned();
            let full = options.max_line_count.is_some_and(|most| long_pause || lines >= most);
            let ends_cue = segment_ends || (full && !group.is_empty());
            let breaks_line = !ends_cue && line_chars > 0;
            line_chars = stripped.chars().count();
            word.word = if breaks_line { format!("\n{stripped}") } else { stripped };
            if ends_cue {
                groups.push(std::mem::take(&mut group));
                lines = 1;
            } else if breaks_line {
                lines += 1;
            }
            group.push(word);
        }
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

/// One cue for all words.
fn plain(words: &[TranscriptWord]) -> Vec<Cue> {
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return Vec::new() };
    let text: String = words.iter().map(|word| word.word.as_str()).collect();
    vec![Cue { start_ms: milliseconds(first.start_s), end_ms: milliseconds(last.end_s), text: cue_text(&text) }]
}

/// One cue for each word, with all of them and that one underlined, and one with none underlined for each pause.
fn highlighted(words: &[TranscriptWord]) -> Vec<Cue> {
    let mut cues = Vec::new();
    let mut last_ms = words.first().map_or(0, |first| milliseconds(first.start_s));
    for (spoken, word) in words.iter().enumerate() {
        let (start_ms, end_ms) = (milliseconds(word.start_s), milliseconds(word.end_s));
        if last_ms != start_ms {
            let text: String = words.iter().map(|word| word.word.as_str()).collect();
            cues.push(Cue { start_ms: last_ms, end_ms: start_ms, text: cue_text(&text) });
        }
        let shown = words
            .iter()
            .enumerate()
            .map(|(index, word)| if index == spoken { underlined(&word.word) } else { word.word.clone() });
        cues.push(Cue { start_ms, end_ms, text: cue_text(&shown.collect::<String>()) });
        last_ms = end_ms;
    }
    cues
}

/// Underlines what stands after the white space that a word begins with.
fn underlined(word: &str) -> String {
    let body = word.trim_start_matches(is_space);
    let space = &word[..word.len() - body.len()];
    format!("{space}<u>{body}</u>")
}

/// An arrow within the text would end the cue.
fn cue_text(text: &str) -> String {
    text.replace("-->", "->")
}
