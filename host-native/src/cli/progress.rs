//! How far the work has come, for whoever waits at a terminal.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use super::transcript::seconds_of;

/// With the estimated time, where the length is known.
const BAR: &str = "{spinner} {wide_msg} {bar:24} {percent:>3}% {elapsed} + {eta}";
const SPINNER: &str = "{spinner} {msg} {elapsed}";

/// A bar for each file under way, on standard error if it is a terminal.
pub(crate) struct Progress {
    bars: MultiProgress,
}

/// How far one file has come. The bar is cleared when it is dropped.
pub(crate) struct FileProgress {
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let shown = !quiet && io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target) }
    }

    /// Adds a file, of so many seconds where that is known.
    pub(crate) fn file(&self, name: &str, duration_s: Option<f64>) -> FileProgress {
        let (bar, template) = match duration_s {
            // In milliseconds of audio.
            Some(duration_s) => (ProgressBar::new((duration_s * 1_000.0) as u64), BAR),
            None => (ProgressBar::new_spinner(), SPINNER),
        };
        let bar = self.bars.add(bar.with_message(name.to_owned()).with_finish(ProgressFinish::AndClear));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        FileProgress { bar }
    }

    /// Takes the bars away while something else is printed.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bars.suspend(print)
    }
}

impl FileProgress {
    /// Says how many samples are done.
    pub(crate) fn set(&self, samples: u64) {
        // What a file says of its length may be wrong.
        let done_ms = (seconds_of(samples) * 1_000.0) as u64;
        let length_ms = self.bar.length().unwrap_or(done_ms);
        self.bar.set_position(done_ms.min(length_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_well_formed() {
        for template in [BAR, SPINNER] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn a_file_longer_than_it_says_is_done_and_no_more() {
        let progress = Progress::new(true).file("x", Some(1.5));
        progress.set(12_000);
        assert_eq!((progress.bar.position(), progress.bar.length()), (750, Some(1_500)));
        progress.set(80_000);
        assert_eq!(progress.bar.position(), 1_500);
    }
}
