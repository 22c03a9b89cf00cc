//! How far it is, and how fast.

use std::collections::VecDeque;

/// Over how long the rate is measured, in milliseconds.
const WINDOW_MS: f64 = 3_000.0;

/// How often progress is told, in milliseconds: often enough for the eye, too seldom to cost anything.
const PACE_MS: f64 = 50.0;

/// What progress is told of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Report {
    pub(crate) loaded_bytes: u64,
    pub(crate) bytes_per_second: f64,
}

/// Follows a download. What it tells never goes back, also where the download begins anew.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    furthest: u64,
    /// When how many bytes had come in all.
    window: VecDeque<(f64, u64)>,
    come: u64,
    told_ms: Option<f64>,
}

impl Progress {
    /// `bytes` more have come, from wherever, and the file is there up to `loaded`. Gives what to tell, if it is time again.
    pub(crate) fn add(&mut self, now_ms: f64, bytes: u64, loaded: u64) -> Option<Report> {
        self.come += bytes;
        self.furthest = self.furthest.max(loaded);
        self.window.push_back((now_ms, self.come));
        while self.window.len() > 2 && self.window.get(1).is_some_and(|(then, _)| now_ms - then > WINDOW_MS) {
            self.window.pop_front();
        }
        if self.told_ms.is_some_and(|told| now_ms - told < PACE_MS) {
            return None;
        }
        self.told_ms = Some(now_ms);
        Some(self.report())
    }

    /// What to tell now, whatever was told before.
    pub(crate) fn report(&self) -> Report {
        let rate = match (self.window.front(), self.window.back()) {
            (Some((from, before)), Some((to, after))) if to > from => (after - before) as f64 * 1000.0 / (to - from),
            _ => 0.0,
        };
        Report { loaded_bytes: self.furthest, bytes_per_second: rate }
    }

    /// Another tab tells that it has got so far.
    pub(crate) fn heard(&mut self, loaded: u64) -> u64 {
        self.furthest = self.furthest.max(loaded);
        self.furthest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_never_goes_back() {
        let mut progress = Progress::default();
        assert_eq!(progress.add(0.0, 100, 100).map(|report| report.loaded_bytes), Some(100));
        assert_eq!(progress.add(100.0, 10, 10).map(|report| report.loaded_bytes), Some(100));
        assert_eq!(progress.add(200.0, 110, 120).map(|report| report.loaded_bytes), Some(120));
        assert_eq!((progress.heard(50), progress.heard(150)), (120, 150));
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut progress = Progress::default();
        for second in 0..10_u64 {
            progress.add(second as f64 * 1000.0, 1000, second * 1000);
        }
        assert_eq!(progress.report().bytes_per_second, 1000.0);
        for second in 10..20_u64 {
            progress.add(second as f64 * 1000.0, 5000, second * 1000);
        }
        assert_eq!(progress.report().bytes_per_second, 5000.0);
    }

    #[test]
    fn progress_is_told_at_the_pace_of_the_eye() {
        let mut progress = Progress::default();
        let told = (0..1000).filter(|&ms| progress.add(f64::from(ms), 1, 1).is_some()).count();
        assert_eq!(told, 20);
    }
}
