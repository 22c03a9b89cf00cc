//! How late text comes, measured on a stream that is replayed as if it were spoken now.

use std::collections::HashMap;

use auricle::SAMPLE_RATE_HZ;
use auricle::types::{Event, Segment, SegmentEnd};
use serde::Serialize;

/// Takes the events of a stream with the time at which each arrived, and tells how late they were.
///
/// Both clocks begin with the stream: sample `n` is due at `n / 16000` seconds, and cannot be known before.
#[derive(Debug, Default)]
pub(crate) struct LatencyMeter {
    /// Of the options; `None` where no silence ends a segment.
    minimum_silence: Option<u32>,
    /// Where speech began whose first partial has not come.
    speech_started: Option<u64>,
    /// Whether the last segment was cut, and where.
    was_cut: bool,
    cut_at: Option<u64>,
    /// When the segment that silence ended became final.
    final_s: Option<f64>,
    first_partial_ms: Vec<f64>,
    final_ms: Vec<f64>,
    partials: u64,
    /// Of the segments under way: the text of each word when it was first called settled, by its place.
    settled: HashMap<u64, Vec<String>>,
    settled_words: u64,
    settled_unchanged: u64,
}

/// Of some latencies, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Distribution {
    /// How many there were.
    pub(crate) count: usize,
    /// The middle one; of an even number, the lower of the two.
    pub(crate) median_ms: f64,
    /// 95 % are at most so much (nearest rank).
    pub(crate) p95_ms: f64,
    /// The largest.
    pub(crate) max_ms: f64,
}

/// What a stream came to.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Latency {
    /// From where speech began to its first partial's arrival; `None` where there was no partial.
    pub(crate) first_partial: Option<Distribution>,
    /// From the sample with which the silence was long enough to the final's arrival, over segments that ended so.
    #[serde(rename = "final")]
    pub(crate) last: Option<Distribution>,
    /// Partial segments in all.
    pub(crate) partials: u64,
    /// Words that a partial called settled, each once.
    pub(crate) settled_words: u64,
    /// Those of them that stand in the final in the same place, the same.
    pub(crate) settled_unchanged: u64,
    /// Their share, where there are any.
    pub(crate) settled_unchanged_share: Option<f64>,
}

impl LatencyMeter {
    /// For a session whose segments end after so many samples of silence.
    pub(crate) fn new(minimum_silence: Option<u32>) -> Self {
        Self { minimum_silence, ..Self::default() }
    }

    /// Takes an event that arrived so many seconds after the stream had begun.
    pub(crate) fn event(&mut self, event: &Event, arrival_s: f64) {
        match event {
            // Where a segment was cut, nobody has begun to speak.
            Event::SpeechStarted(start) if self.cut_at == Some(*start) => {}
            Event::SpeechStarted(start) => self.speech_started = Some(*start),
            Event::PartialSegment(segment) => {
                self.partials += 1;
                if let Some(start) = self.speech_started.take() {
                    self.first_partial_ms.push(late_ms(arrival_s, start));
                }
                self.settle(segment);
            }
            Event::FinalSegment(segment) => {
                // What has no partial before its final has none at all.
                self.speech_started = None;
                self.was_cut = segment.ended_by == Some(SegmentEnd::LongestSegment);
                self.final_s = (segment.ended_by == Some(SegmentEnd::Silence)).then_some(arrival_s);
                self.compare(segment);
            }
            Event::SpeechEnded(end) => {
                self.cut_at = self.was_cut.then_some(*end);
                if let (Some(final_s), Some(silence)) = (self.final_s.take(), self.minimum_silence) {
                    self.final_ms.push(late_ms(final_s, end + u64::from(silence)));
                }
            }
            Event::EndOfStream(_) => {}
        }
    }

    /// Tells what the events came to.
    pub(crate) fn finish(self) -> Latency {
        let Self { first_partial_ms, final_ms, partials, settled_words, settled_unchanged, .. } = self;
        Latency {
            first_partial: Distribution::of(first_partial_ms),
            last: Distribution::of(final_ms),
            partials,
            settled_words,
            settled_unchanged,
            settled_unchanged_share: (settled_words > 0).then(|| settled_unchanged as f64 / settled_words as f64),
        }
    }

    fn settle(&mut self, segment: &Segment) {
        let settled = self.settled.entry(segment.id).or_default();
        let words = segment.words.iter().take(segment.settled_words as usize);
        settled.extend(words.skip(settled.len()).map(|word| word.text.clone()));
    }

    fn compare(&mut self, last: &Segment) {
        for (place, settled) in self.settled.remove(&last.id).unwrap_or_default().into_iter().enumerate() {
            self.settled_words += 1;
            let is_unchanged = last.words.get(place).is_some_and(|word| word.text == settled);
            self.settled_unchanged += u64::from(is_unchanged);
        }
    }
}

impl Distribution {
    fn of(mut values_ms: Vec<f64>) -> Option<Self> {
        values_ms.sort_by(f64::total_cmp);
        let rank = |percent: usize| values_ms.get((values_ms.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(Self { count: values_ms.len(), median_ms: rank(50)?, p95_ms: rank(95)?, max_ms: rank(100)? })
    }
}

/// How long after sample `due` something arrived, in milliseconds.
fn late_ms(arrival_s: f64, due: u64) -> f64 {
    rounded((arrival_s - due as f64 / f64::from(SAMPLE_RATE_HZ)) * 1_000.0)
}

/// To three decimals: what is beyond them was not measured.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::segment;

    fn partial(id: u64, text: &str, settled: u32) -> Event {
        Event::PartialSegment(Segment { id, ..segment(text, settled) })
    }

    fn last(id: u64, text: &str, end: SegmentEnd) -> Event {
        let words = text.split_whitespace().count() as u32;
        Event::FinalSegment(Segment { id, ended_by: Some(end), ..segment(text, words) })
    }

    fn measured(events: &[(f64, Event)]) -> Latency {
        let mut meter = LatencyMeter::new(Some(8_000));
        for (arrival_s, event) in events {
            meter.event(event, *arrival_s);
        }
        meter.finish()
    }

    #[test]
    fn latencies_count_from_the_sample_that_something_is_told_about() {
        let latency = measured(&[
            (1.25, Event::SpeechStarted(16_000)),
            (1.75, partial(0, "a", 0)),
            (2.0, partial(0, "a b", 1)),
            // Silence from 3 s on is long enough at 3.5 s.
            (3.75, last(0, "a b", SegmentEnd::Silence)),
            (3.8, Event::SpeechEnded(48_000)),
            (5.0, Event::SpeechStarted(72_000)),
            (5.0, partial(1, "c", 0)),
            (6.0, last(1, "c", SegmentEnd::Finish)),
            (6.0, Event::SpeechEnded(90_000)),
        ]);
        let distribution = |count, median_ms, max_ms| Some(Distribution { count, median_ms, p95_ms: max_ms, max_ms });
        assert_eq!(latency.first_partial, distribution(2, 500.0, 750.0));
        assert_eq!(latency.last, distribution(1, 250.0, 250.0));
        assert_eq!(latency.partials, 3);
    }

    #[test]
    fn a_segment_without_partials_says_nothing_of_the_next_ones() {
        let latency = measured(&[
            (1.0, Event::SpeechStarted(0)),
            (1.5, last(0, "a", SegmentEnd::LongestSegment)),
            (1.5, Event::SpeechEnded(16_000)),
            // It goes on where the first was cut.
            (1.5, Event::SpeechStarted(16_000)),
            (3.0, partial(1, "b", 0)),
        ]);
        assert_eq!((latency.first_partial, latency.last), (None, None));
    }

    #[test]
    fn settled_words_are_compared_by_place_as_they_were_first_settled() {
        let latency = measured(&[
            (1.0, partial(0, "the cat sat", 2)),
            (1.1, partial(0, "the bat sat on", 4)),
            (1.2, partial(0, "the bat sat on it", 1)),
            // `cat` was settled first; `on` has moved.
            (2.0, last(0, "the bat sat upon it", SegmentEnd::Silence)),
            (3.0, partial(1, "one two", 2)),
            (4.0, last(1, "one", SegmentEnd::Silence)),
        ]);
        assert_eq!((latency.settled_words, latency.settled_unchanged), (6, 3));
        assert_eq!(latency.settled_unchanged_share, Some(0.5));
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let values = (1..=100).rev().map(f64::from).collect();
        let expected = Distribution { count: 100, median_ms: 50.0, p95_ms: 95.0, max_ms: 100.0 };
        assert_eq!(Distribution::of(values), Some(expected));
        let one = Distribution { count: 1, median_ms: 7.0, p95_ms: 7.0, max_ms: 7.0 };
        assert_eq!(Distribution::of(vec![7.0]), Some(one));
        assert_eq!(Distribution::of(vec![]), None);
    }
}
