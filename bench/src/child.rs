//! A side as a process of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::protocol::{Message, Ready, Reply, Request};

/// The longest that a side may take for one answer: a scalar build needs most of a minute for half a minute of audio.
const ANSWER_DEADLINE: Duration = Duration::from_secs(600);

/// The longest that a side may take to end once it is not needed any more.
const END_DEADLINE: Duration = Duration::from_secs(20);

/// How much of what a side wrote to standard error is shown where it fails, in characters.
const SHOWN_LOG_CHARS: usize = 1500;

/// A running side.
#[derive(Debug)]
pub struct Child {
    process: Process,
    /// `None` once the side has been told to end.
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    log: PathBuf,
}

impl Child {
    /// Starts a side and waits until it is ready. Gives also what it told and how long it took from the start of the
    /// process, in milliseconds. What it writes to standard error goes into the file `log`.
    ///
    /// # Errors
    ///
    /// Where it cannot be started, ends early, or says that something went wrong.
    pub fn start(mut command: Command, log: &Path) -> Result<(Self, Ready, f64)> {
        if let Some(folder) = log.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        let errors = File::create(log).with_context(|| format!("writing {}", log.display()))?;
        let start = Instant::now();
        let program = PathBuf::from(command.get_program());
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("{} could not be started", program.display()))?;
        let (input, output) = (process.stdin.take(), process.stdout.take().context("a pipe was asked for")?);
        let (sender, lines) = channel();
        // Ends with the process, or when nobody listens any more.
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(|line| line.ok()).try_for_each(|line| sender.send(line))
        });
        let child = Self { process, input, lines, log: log.to_owned() };
        match child.answer()? {
            Message::Ready(ready) => Ok((child, ready, start.elapsed().as_secs_f64() * 1e3)),
            Message::Reply(_) => bail!("it answered before it was asked"),
            Message::Error(error) => bail!("{error}"),
        }
    }

    /// Has a clip transcribed.
    ///
    /// # Errors
    ///
    /// Where the side fails, ends, or takes too long.
    pub fn transcribe(&mut self, clip: &Path) -> Result<Reply> {
        let request = serde_json::to_string(&Request { clip: clip.to_owned() })?;
        let input = self.input.as_mut().context("the side was told to end")?;
        // Where it has ended, its answer tells more than the broken pipe.
        let _ = writeln!(input, "{request}").and_then(|()| input.flush());
        match self.answer()? {
            Message::Reply(reply) => Ok(reply),
            Message::Ready(_) => bail!("it became ready twice"),
            Message::Error(error) => bail!("{error}"),
        }
    }

    /// The most memory the process has had resident so far, in bytes, where the system tells.
    #[must_use]
    pub fn peak_resident_bytes(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        peak_resident_bytes(&status)
    }

    fn answer(&self) -> Result<Message> {
        match self.lines.recv_timeout(ANSWER_DEADLINE) {
            Ok(line) => serde_json::from_str(&line).with_context(|| format!("it said: {line}")),
            Err(RecvTimeoutError::Timeout) => bail!("it gave no answer in {} s", ANSWER_DEADLINE.as_secs()),
            Err(RecvTimeoutError::Disconnected) => {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                let skipped = log.chars().count().saturating_sub(SHOWN_LOG_CHARS);
                bail!("it ended: {}", log.chars().skip(skipped).collect::<String>().trim())
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // A side ends with its input, and its output ends with it: a browser is closed in an orderly way.
        drop(self.input.take());
        let deadline = Instant::now() + END_DEADLINE;
        while let Ok(_late_answer) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {}
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Linux's high-water mark of resident memory, out of a process's `status` file.
fn peak_resident_bytes(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read_in_bytes() {
        let status = "Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t   132 kB\nVmRSS:\t 7 kB\n";
        assert_eq!(peak_resident_bytes(status), Some(132 * 1024));
        assert_eq!(peak_resident_bytes("Name:\tx\n"), None);
    }

    #[test]
    fn a_program_that_does_not_speak_the_protocol_is_an_error_that_shows_what_it_wrote() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.arg("--no-such-flag");
        let error = Child::start(command, &folder.path().join("log")).expect_err("it ends at once");
        assert!(format!("{error:#}").contains("no-such-flag"), "{error:#}");
    }
}
