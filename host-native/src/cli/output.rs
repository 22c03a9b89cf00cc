//! Where transcripts go: to standard output, or each to a file of its own.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::formats::{Format, SubtitleOptions, Transcript};
use super::input;

/// Where transcripts go.
pub(crate) struct Output {
    formats: Vec<Format>,
    subtitles: SubtitleOptions,
    folder: Option<PathBuf>,
    /// What was written in this run, and for which recording.
    written: HashMap<PathBuf, PathBuf>,
}

impl Output {
    /// Makes the folder, where one is named.
    pub(crate) fn new(formats: Vec<Format>, subtitles: SubtitleOptions, folder: Option<PathBuf>) -> Result<Self> {
        if let Some(folder) = &folder {
            let failed = |error| anyhow!("{}: cannot be made: {error}; name another --output-dir", folder.display());
            fs::create_dir_all(folder).map_err(failed)?;
        }
        Ok(Self { formats, subtitles, folder, written: HashMap::new() })
    }

    /// Fails where the transcript of `file` would replace one that this run has written.
    pub(crate) fn check(&self, file: &Path) -> Result<()> {
        for path in self.formats.iter().filter_map(|format| self.path(file, *format)) {
            if let Some(earlier) = self.written.get(&path) {
                bail!(
                    "{}: its transcript would replace that of {} in {}; transcribe one of them into another folder",
                    file.display(),
                    earlier.display(),
                    path.display()
                );
            }
        }
        Ok(())
    }

    /// Writes the transcript of `file`, which was [checked](Output::check), in every format.
    pub(crate) fn write(&mut self, file: &Path, transcript: &Transcript) -> Result<()> {
        for &format in &self.formats {
            let mut bytes = Vec::new();
            format.write(transcript, &self.subtitles, &mut bytes)?;
            if let Some(path) = self.path(file, format) {
                let failed =
                    |error| anyhow!("{}: cannot be written: {error}; name another --output-dir", path.display());
                fs::write(&path, &bytes).map_err(failed)?;
                self.written.insert(path, file.to_owned());
                continue;
            }
            // JSON ends without a line feed, by whisper's custom; on a shared stream the next one needs it.
            if bytes.last().is_some_and(|&last| last != b'\n') {
                bytes.push(b'\n');
            }
            let mut out = io::stdout().lock();
            out.write_all(&bytes).and_then(|()| out.flush()).context("standard output: cannot be written to")?;
        }
        Ok(())
    }

    /// The file for the transcript of `file`, unless that goes to standard output.
    fn path(&self, file: &Path, format: Format) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        let stem = if input::is_stdin(file) { "stdin".as_ref() } else { file.file_stem().unwrap_or_default() };
        let mut path = folder.join(stem).into_os_string();
        path.push(".");
        path.push(format.extension());
        Some(path.into())
    }
}
