//! Recordings as arguments: files, and standard input.

use std::io;
use std::path::Path;

use auricle::audio::{AudioError, AudioReader};

/// Standard input, as a file argument.
const STDIN: &str = "-";

/// Standard input in messages.
pub(crate) const STDIN_NAME: &str = "standard input";

pub(crate) fn is_stdin(file: &Path) -> bool {
    file == Path::new(STDIN)
}

/// What to call it in messages.
pub(crate) fn display_name(file: &Path) -> String {
    if is_stdin(file) { STDIN_NAME.to_owned() } else { file.display().to_string() }
}

pub(crate) fn open(file: &Path) -> Result<AudioReader, AudioError> {
    if is_stdin(file) {
        AudioReader::from_reader(Box::new(io::stdin()), Some(&display_name(file)))
    } else {
        AudioReader::open(file)
    }
}
