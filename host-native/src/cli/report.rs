//! What the command says on standard error.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line. Where standard error is closed nobody is left to be told, and the work goes on.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says what went wrong, and why.
pub(crate) fn failure(error: &anyhow::Error) {
    line(format_args!("auricle: {}", with_causes(error)));
}

/// Puts the place before an error that does not name it.
pub(crate) fn at(place: &str, error: auricle::Error) -> anyhow::Error {
    match error {
        error @ auricle::Error::Io { .. } => error.into(),
        error => anyhow::Error::new(error).context(place.to_owned()),
    }
}

/// The error and its causes. Most errors tell the cause themselves, and also give it as their source: it is told once.
fn with_causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Whether the reader of what this command writes has had enough, as `head` has. Nobody is left to be told.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = match (error.downcast_ref::<io::Error>(), error.downcast_ref::<serde_json::Error>()) {
        (Some(error), _) => Some(error.kind()),
        (None, Some(error)) => error.io_error_kind(),
        (None, None) => None,
    };
    kind == Some(io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn cause_that_an_error_tells_itself_is_told_once() {
        let source = io::Error::other("the disk is on fire");
        let error = anyhow::Error::new(auricle::Error::Io { path: PathBuf::from("a.gguf"), source });
        assert_eq!(with_causes(&error).matches("the disk is on fire").count(), 1, "{}", with_causes(&error));
    }

    #[test]
    fn cause_that_only_the_source_tells_is_told_after_its_error() {
        let error = anyhow::Error::new(io::Error::other("no room")).context("cannot write a.txt");
        assert_eq!(with_causes(&error), "cannot write a.txt: no room");
    }

    #[test]
    fn closed_pipe_is_known_under_its_context_and_within_json() {
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_broken_pipe(&anyhow::Error::new(closed()).context("cannot write to standard output")));
        assert!(is_broken_pipe(&anyhow::Error::new(serde_json::Error::io(closed()))));
        assert!(!is_broken_pipe(&anyhow::Error::new(io::Error::other("no room"))));
        assert!(!is_broken_pipe(&anyhow::anyhow!("something else")));
    }
}
