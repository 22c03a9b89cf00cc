//! Where the events of a live stream go.

use std::io;

use anyhow::Result;
use auricle::types::{Event, Segment};

use super::display::Display;
use crate::cli::{events, report};

/// Where events go as they come.
pub(crate) enum Sink {
    /// To standard output as text.
    Text(Display<io::Stdout>),
    /// To standard output as JSON, with the name of the file they are about.
    JsonLines(Option<String>),
    /// Nowhere yet: the final segments are kept.
    Keep(Vec<Segment>),
}

impl Sink {
    /// Text on standard output.
    pub(crate) fn text() -> Self {
        Self::Text(Display::stdout())
    }

    /// Takes an event. Fails where standard output does.
    pub(crate) fn take(&mut self, event: Event) -> Result<()> {
        match self {
            Self::Text(display) => display.show(&event),
            Self::JsonLines(file) => events::write(&mut io::stdout().lock(), &events::line(file.as_deref(), &event)?),
            Self::Keep(segments) => {
                if let Event::FinalSegment(segment) = event {
                    segments.push(segment);
                }
                Ok(())
            }
        }
    }

    /// Writes a line to standard error, which may be the terminal that text is shown on.
    pub(crate) fn notice(&mut self, line: &str) -> Result<()> {
        if let Self::Text(display) = self {
            display.clear()?;
        }
        report::line(line);
        Ok(())
    }
}
