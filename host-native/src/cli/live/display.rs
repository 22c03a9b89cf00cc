//! Text as it is spoken, one line a segment.

use std::io::{self, Stdout, Write};

use anyhow::{Context, Result};
use auricle::types::{Event, Segment};
use console::{Term, measure_text_width};

const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";
const CLEAR_LINE: &str = "\r\x1b[2K";

/// Prints segments: finals anywhere; and on a terminal, in the last line, what is being said: settled words plain, and
/// those that may change dimmed.
pub(crate) struct Display<W> {
    out: W,
    /// The terminal's width, where there is one that colours.
    width: Option<fn() -> usize>,
    /// Whether the last line is not final.
    is_open: bool,
}

impl Display<Stdout> {
    /// On standard output.
    pub(crate) fn stdout() -> Self {
        let width: fn() -> usize = || usize::from(Term::stdout().size().1);
        // Not where NO_COLOR is set.
        let colours = Term::stdout().features().colors_supported();
        Self { out: io::stdout(), width: colours.then_some(width), is_open: false }
    }
}

impl<W: Write> Display<W> {
    /// Shows what the event changes.
    pub(crate) fn show(&mut self, event: &Event) -> Result<()> {
        let shown = match event {
            Event::PartialSegment(segment) => match self.width {
                Some(width) => {
                    self.is_open = true;
                    // A character in the last column would make some terminals begin another line.
                    Some(format!("{CLEAR_LINE}{}", partial_line(segment, width().saturating_sub(1))))
                }
                None => None,
            },
            Event::FinalSegment(segment) => {
                let clear = self.closing();
                let text = if self.width.is_some() { printable(&segment.text) } else { segment.text.clone() };
                let text = if text.is_empty() { text } else { text + "\n" };
                Some(format!("{clear}{text}"))
            }
            Event::SpeechStarted(_) | Event::SpeechEnded(_) | Event::EndOfStream(_) => None,
        };
        self.write(&shown.unwrap_or_default())
    }

    /// Takes away what is not final, so that something else can be printed.
    pub(crate) fn clear(&mut self) -> Result<()> {
        let clear = self.closing();
        self.write(clear)
    }

    fn closing(&mut self) -> &'static str {
        if std::mem::take(&mut self.is_open) { CLEAR_LINE } else { "" }
    }

    fn write(&mut self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        written.context("standard output: cannot be written to")
    }
}

/// The end of a segment's text that fits the width, with what may change dimmed.
fn partial_line(segment: &Segment, width: usize) -> String {
    let text = printable(&segment.text);
    let settled_end = settled_end(segment, &text);
    let mut start = 0;
    let mut left = measure_text_width(&text);
    let mut ellipsis = "";
    if left > width {
        ellipsis = "…";
        for (index, c) in text.char_indices() {
            if left < width {
                break;
            }
            left -= measure_text_width(c.encode_utf8(&mut [0; 4]));
            start = index + c.len_utf8();
        }
    }
    let settled = text.get(start..settled_end).unwrap_or_default();
    let unsettled = &text[settled_end.max(start)..];
    let ellipsis = if width == 0 { "" } else { ellipsis };
    if unsettled.is_empty() {
        format!("{ellipsis}{settled}")
    } else {
        format!("{ellipsis}{settled}{DIM}{unsettled}{PLAIN}")
    }
}

/// Where the last settled word ends in the text.
fn settled_end(segment: &Segment, text: &str) -> usize {
    let settled = segment.words.iter().take(segment.settled_words as usize);
    settled.fold(0, |end, word| {
        let word = printable(&word.text);
        text[end..].find(&word).map_or(end, |start| end + start + word.len())
    })
}

/// What a model writes must not command the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::segment;

    fn shown(width: Option<fn() -> usize>, events: &[Event]) -> String {
        let mut display = Display { out: Vec::new(), width, is_open: false };
        for event in events {
            display.show(event).unwrap();
        }
        String::from_utf8(display.out).unwrap()
    }

    fn said() -> [Event; 5] {
        [
            Event::SpeechStarted(0),
            Event::PartialSegment(segment("so be", 0)),
            Event::PartialSegment(segment("so be it", 2)),
            Event::FinalSegment(segment("So be it.", 3)),
            Event::SpeechEnded(9),
        ]
    }

    #[test]
    fn on_a_terminal_the_line_is_rewritten_with_what_may_change_dimmed() {
        let expected = "\r\x1b[2K\x1b[2mso be\x1b[0m\r\x1b[2Kso be\x1b[2m it\x1b[0m\r\x1b[2KSo be it.\n";
        assert_eq!(shown(Some(|| 80), &said()), expected);
    }

    #[test]
    fn elsewhere_only_finals_are_printed_and_nothing_that_commands() {
        assert_eq!(shown(None, &said()), "So be it.\n");
    }

    #[test]
    fn segment_without_text_leaves_no_line() {
        let events = [Event::PartialSegment(segment("hm", 0)), Event::FinalSegment(segment("", 0))];
        assert_eq!(shown(Some(|| 80), &events), "\r\x1b[2K\x1b[2mhm\x1b[0m\r\x1b[2K");
        assert_eq!(shown(None, &events), "");
    }

    #[test]
    fn a_line_is_cut_to_the_width_and_keeps_its_end() {
        let line = |text, settled, width| partial_line(&segment(text, settled), width);
        assert_eq!(line("one two three", 1, 13), "one\x1b[2m two three\x1b[0m");
        assert_eq!(line("one two three", 1, 12), "…e\x1b[2m two three\x1b[0m");
        assert_eq!(line("one two three", 3, 6), "…three");
        assert_eq!(line("one two three", 1, 6), "…\x1b[2mthree\x1b[0m");
        assert_eq!(line("one two three", 0, 0), "");
    }

    #[test]
    fn wide_characters_count_twice() {
        for width in 0..12 {
            let line = partial_line(&segment("日本語 日本語", 2), width);
            assert!(measure_text_width(&line) <= width, "{width}: {line}");
        }
        assert_eq!(partial_line(&segment("日本語", 1), 5), "…本語");
    }

    #[test]
    fn text_cannot_command_the_terminal() {
        let events = [Event::PartialSegment(segment("a\x1b[2Jb", 1)), Event::FinalSegment(segment("a\x1b[2Jb", 1))];
        assert_eq!(shown(Some(|| 80), &events), "\r\x1b[2Ka [2Jb\r\x1b[2Ka [2Jb\n");
    }
}
