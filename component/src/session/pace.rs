//! When work is worth beginning: partials as often as their budget allows, and finals in time but not before.
//!
//! This reads what work has cost, in time. No final segment depends on it: only how often a segment is given before it is
//! final, and whether a final is ready at the moment it is due or shortly after.

use std::ops::Range;

use crate::options::Partials;
use crate::vad::HOP_SAMPLES;

/// Samples in a second, and nanoseconds in a sample.
const SAMPLE_RATE_HZ: u64 = 16_000;
const NANOSECONDS_PER_SAMPLE: u64 = 1_000_000_000 / SAMPLE_RATE_HZ;

/// How much longer than expected work may take without being late: other processes run, too.
const LATENESS_MARGIN: f64 = 1.5;

/// What a budget for partials allows.
#[derive(Debug, Clone, Copy)]
struct Budget {
    /// Speech before the first partial of a segment, in samples.
    first: u64,
    /// Speech between two partials, in samples, where they cost nothing.
    interval: u64,
    /// The part of real time that partials may take.
    share: f64,
}

const EAGER: Budget = Budget { first: 7_200, interval: 6_400, share: 0.2 };
const ECONOMICAL: Budget = Budget { first: 9_600, interval: 32_000, share: 0.05 };

impl Budget {
    fn of(partials: Partials) -> Option<Self> {
        match partials {
            Partials::None => None,
            Partials::Economical => Some(ECONOMICAL),
            Partials::Eager => Some(EAGER),
        }
    }
}

/// Decides when work begins.
#[derive(Debug)]
pub(super) struct Pace {
    budget: Option<Budget>,
    /// Where the segment under way began.
    onset: u64,
    /// Where the stream was when work was last done for that segment, and what it took, in samples of real time.
    worked: Option<(u64, f64)>,
    /// Work for a sample of audio, in samples of real time: what transcribing has cost last. `None` before the first time.
    cost_per_sample: Option<f64>,
    /// The position in the stream at which the next partial is due.
    next_partial: u64,
}

impl Pace {
    pub(super) fn new(partials: Partials) -> Self {
        Self { budget: Budget::of(partials), onset: 0, worked: None, cost_per_sample: None, next_partial: 0 }
    }

    /// Goes on with another budget, as if it had been that of the segment under way from its beginning.
    pub(super) fn set_partials(&mut self, partials: Partials) {
        self.budget = Budget::of(partials);
        let worked = self.worked;
        self.segment_began(self.onset);
        if let Some((position, cost)) = worked {
            self.put_off(position, cost);
        }
    }

    /// Whether there are any partials.
    pub(super) fn has_partials(&self) -> bool {
        self.budget.is_some()
    }

    /// A segment began with speech at `onset`.
    pub(super) fn segment_began(&mut self, onset: u64) {
        self.onset = onset;
        self.worked = None;
        self.next_partial = onset + self.budget.map_or(0, |budget| budget.first);
    }

    /// Whether a partial is due, now that the stream is at `position`.
    pub(super) fn partial_is_due(&self, position: u64) -> bool {
        self.has_partials() && position >= self.next_partial
    }

    /// Audio was transcribed, in so much time, for a partial or a final.
    pub(super) fn transcribed(&mut self, audio: &Range<u64>, elapsed_ns: u64) {
        let cost = (elapsed_ns / NANOSECONDS_PER_SAMPLE) as f64;
        let samples = (audio.end - audio.start).max(1) as f64;
        // A clock that stands still tells nothing.
        self.cost_per_sample = (elapsed_ns > 0).then_some(cost / samples);
        self.spent(audio.end, elapsed_ns);
    }

    /// Puts off the next partial until the time that was spent before `position`, in vain or not, is within the budget.
    pub(super) fn spent(&mut self, position: u64, elapsed_ns: u64) {
        self.put_off(position, (elapsed_ns / NANOSECONDS_PER_SAMPLE) as f64);
    }

    fn put_off(&mut self, position: u64, cost: f64) {
        self.worked = Some((position, cost));
        if let Some(Budget { interval, share, .. }) = self.budget {
            self.next_partial = self.next_partial.max(position + interval.max((cost / share) as u64));
        }
    }

    /// Forgets what was measured.
    pub(super) fn reset(&mut self) {
        *self = Self { budget: self.budget, onset: 0, worked: None, cost_per_sample: None, next_partial: 0 };
    }

    /// Whether it is time to transcribe ahead the audio of a segment that ends if `missing` more samples are silent. As late
    /// as possible: most pauses in speech are too short to end a segment, and work begun in one is done in vain.
    pub(super) fn final_is_due(&self, audio: &Range<u64>, missing: u64) -> bool {
        let Some(cost_per_sample) = self.cost_per_sample else { return true };
        let needed = cost_per_sample * (audio.end - audio.start) as f64 * LATENESS_MARGIN;
        missing as f64 <= needed + 2.0 * HOP_SAMPLES as f64
    }
}

#[cfg(test)]
mod tests {
    use super::{Pace, Partials};

    const SECOND: u64 = 16_000;
    const MILLISECOND_NS: u64 = 1_000_000;

    #[test]
    fn partials_come_as_often_as_their_cost_allows() {
        let mut pace = Pace::new(Partials::Eager);
        pace.segment_began(SECOND);
        assert!(!pace.partial_is_due(SECOND + 7_199) && pace.partial_is_due(SECOND + 7_200));
        pace.transcribed(&(SECOND..2 * SECOND), 10 * MILLISECOND_NS);
        assert!(!pace.partial_is_due(2 * SECOND + 6_399) && pace.partial_is_due(2 * SECOND + 6_400));
        // A second of work, at a fifth of real time, is to be followed by five seconds of speech.
        pace.transcribed(&(SECOND..3 * SECOND), 1000 * MILLISECOND_NS);
        assert!(!pace.partial_is_due(8 * SECOND - 1) && pace.partial_is_due(8 * SECOND));
        // Work in vain counts as well.
        pace.spent(8 * SECOND, 1000 * MILLISECOND_NS);
        assert!(!pace.partial_is_due(13 * SECOND - 1) && pace.partial_is_due(13 * SECOND));
    }

    #[test]
    fn another_budget_holds_for_the_segment_under_way() {
        let mut pace = Pace::new(Partials::Economical);
        pace.segment_began(SECOND);
        pace.transcribed(&(SECOND..2 * SECOND), 10 * MILLISECOND_NS);
        assert!(!pace.partial_is_due(4 * SECOND - 1) && pace.partial_is_due(4 * SECOND));
        pace.set_partials(Partials::Eager);
        assert!(!pace.partial_is_due(2 * SECOND + 6_399) && pace.partial_is_due(2 * SECOND + 6_400));
        pace.set_partials(Partials::None);
        assert!(!pace.has_partials() && !pace.partial_is_due(u64::MAX));
        // What was spent without a budget counts against the next one.
        pace.transcribed(&(SECOND..3 * SECOND), 1000 * MILLISECOND_NS);
        pace.set_partials(Partials::Eager);
        assert!(!pace.partial_is_due(8 * SECOND - 1) && pace.partial_is_due(8 * SECOND));
        pace.segment_began(9 * SECOND);
        pace.set_partials(Partials::Economical);
        assert!(!pace.partial_is_due(9 * SECOND + 9_599) && pace.partial_is_due(9 * SECOND + 9_600));
    }

    #[test]
    fn without_partials_none_is_ever_due() {
        let mut pace = Pace::new(Partials::None);
        pace.segment_began(0);
        pace.transcribed(&(0..SECOND), MILLISECOND_NS);
        assert!(!pace.has_partials() && !pace.partial_is_due(u64::MAX));
    }

    #[test]
    fn a_final_is_begun_as_late_as_its_expected_cost_allows() {
        let mut pace = Pace::new(Partials::None);
        assert!(pace.final_is_due(&(0..SECOND), u64::MAX), "what is not known is begun at once");
        pace.transcribed(&(0..SECOND), 20 * MILLISECOND_NS);
        // Four seconds take 80 ms, half as much again for safety, and two hops.
        let latest = 4 * SECOND * 3 / 100 + 1024;
        assert!(pace.final_is_due(&(0..4 * SECOND), latest) && !pace.final_is_due(&(0..4 * SECOND), latest + 1));
        pace.transcribed(&(0..SECOND), 0);
        assert!(pace.final_is_due(&(0..SECOND), u64::MAX), "a clock that stands still tells nothing");
    }
}
