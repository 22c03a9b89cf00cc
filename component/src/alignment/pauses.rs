//! Where words end and the next begin, by the level of the sound.
//!
//! All is decided by levels in dB, at every [`HOP_SAMPLES`], between the utterance's noise floor and the louder part of the
//! quieter one of two neighbouring words. Constants were chosen for the smallest error on 128 sentences of espeak-ng and
//! flite, each as words apart and as fluent speech, as they are and with coloured noise at 30, 20 and 10 dB, and looked at on
//! recordings of people.

use std::ops::Range;

/// From one level to the next: 5 ms.
const HOP_SAMPLES: usize = 80;
/// A level is measured over twice as long as a hop, so much before and after it.
const OVERLAP_SAMPLES: usize = HOP_SAMPLES / 2;
/// Below what any microphone gives, and so for silence, in dB.
const SILENCE_DB: f32 = -90.0;
/// The share of an utterance's levels that lie below its noise floor. Some do in any noise, and there is some pause in any
/// utterance.
const FLOOR_SHARE: f32 = 0.05;

/// What is so much quieter than the word beside it is a pause, in dB, whatever the noise.
const QUIET_DB: f32 = 40.0;
/// What lies in this part of the way from the floor up to the word is a pause.
const PAUSE_PART: f32 = 0.3;
/// Before the first word and after the last, noises must be louder to be speech: by so many dB over the floor,
const NOISE_DB: f32 = 15.0;
/// or, in louder noise, by this part of the way.
const NOISE_PART: f32 = 0.5;
/// A pause is trimmed at both ends by what is above this part of the way: the soft beginnings and ends of words,
const SOFT_PART: f32 = 0.1;
/// for at most 100 ms.
const SOFT_HOPS: usize = 20;
/// In speech that is so little above the floor no pause is looked for, in dB.
const CLEARANCE_DB: f32 = 9.0;

/// A pause within an utterance is at least this long, 50 ms: shorter is many a closure within a word.
const PAUSE_HOPS: usize = 10;
/// A pause lies at the boundary, or no further from it than half its length,
const REACH_SHARE: f32 = 0.5;
/// for which at least 30 ms
const REACH_HOPS_MIN: usize = 6;
/// and at most 150 ms are taken;
const REACH_HOPS_MAX: usize = 30;
/// and the silence before the first word and after the last no further than 300 ms.
const EDGE_REACH_HOPS: usize = 60;
/// Of several pauses, the longer one is taken, up to 200 ms, and each hop away from the boundary weighs as much as two.
const LENGTH_HOPS_MAX: usize = 40;
/// See [`LENGTH_HOPS_MAX`].
const DISTANCE_WEIGHT: isize = 2;
/// A word is at least 40 ms long, where there is so much room.
const WORD_HOPS: usize = 8;

/// Parts words at their boundaries, in samples: a word lies between each two of them, of which the first and the last are
/// the utterance's. Gives each word its span within `samples`.
pub(super) fn part(boundaries: &[usize], samples: &[f32]) -> Vec<Range<usize>> {
    let levels = Levels::new(samples);
    let hops = levels.db.len();
    let mut least = 0;
    let rising: Vec<usize> = boundaries
        .iter()
        .map(|boundary| {
            least = least.max(boundary / HOP_SAMPLES).min(hops);
            least
        })
        .collect();
    let last = rising.len() - 1;
    let mut spans: Vec<Range<usize>> = Vec::with_capacity(last);
    let mut word_start = 0;
    for (index, &boundary) in rising.iter().enumerate() {
        let from = if index == 0 { 0 } else { (word_start + WORD_HOPS).min(hops) };
        let to = if index == last { hops } else { rising[index + 1].max(from) };
        let place = match index {
            0 => Place::Start,
            _ if index == last => Place::End,
            _ => Place::Within,
        };
        let pause = levels.pause(from..to, boundary.clamp(from, to), place);
        if index > 0 {
            let end = |hop: usize| (hop * HOP_SAMPLES).min(samples.len());
            spans.push(end(word_start)..end(pause.start));
        }
        word_start = pause.end;
    }
    spans
}

/// Where in an utterance a boundary is.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Start,
    Within,
    End,
}

/// The level of the sound, hop by hop.
struct Levels {
    db: Vec<f32>,
    floor: f32,
}

impl Levels {
    fn new(samples: &[f32]) -> Self {
        let level = |start: usize| {
            let window =
                start.saturating_sub(OVERLAP_SAMPLES)..(start + HOP_SAMPLES + OVERLAP_SAMPLES).min(samples.len());
            let window = &samples[window];
            let energy: f64 = window.iter().map(|&sample| f64::from(sample) * f64::from(sample)).sum();
            let silence = 10f64.powi(SILENCE_DB as i32 / 10);
            (10.0 / std::f64::consts::LN_10 * (energy / window.len() as f64 + silence).ln()) as f32
        };
        let db: Vec<f32> = (0..samples.len()).step_by(HOP_SAMPLES).map(level).collect();
        let mut sorted = db.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let floor = sorted.get((FLOOR_SHARE * sorted.len() as f32) as usize).copied().unwrap_or(SILENCE_DB);
        Self { db, floor }
    }

    /// The pause at `boundary` and within `region`, all in hops; where there is none, nothing at the boundary.
    fn pause(&self, region: Range<usize>, boundary: usize, place: Place) -> Range<usize> {
        let loudest = |hops: Range<usize>| self.db[hops].iter().copied().fold(SILENCE_DB, f32::max);
        let before = loudest(region.start..boundary);
        let after = loudest(boundary..region.end);
        let speech = match place {
            Place::Start => after,
            Place::Within => before.min(after),
            Place::End => before,
        };
        let range = speech - self.floor;
        if range <= CLEARANCE_DB {
            return boundary..boundary;
        }
        let threshold = |over_floor: f32| (self.floor + over_floor).max(speech - QUIET_DB);
        let pause_db = threshold(match place {
            Place::Within => PAUSE_PART * range,
            Place::Start | Place::End => (PAUSE_PART * range).max(NOISE_DB.min(NOISE_PART * range)),
        });
        let mut found = boundary..boundary;
        let mut highest = isize::MIN;
        for run in self.runs_below(pause_db, region.clone()) {
            let at_edge = match place {
                Place::Start => run.start == region.start,
                Place::Within => false,
                Place::End => run.end == region.end,
            };
            let distance = run.start.saturating_sub(boundary).max(boundary.saturating_sub(run.end));
            let by_length = (REACH_SHARE * run.len() as f32) as usize;
            let reach = if at_edge { EDGE_REACH_HOPS } else { by_length.clamp(REACH_HOPS_MIN, REACH_HOPS_MAX) };
            let score = run.len().min(LENGTH_HOPS_MAX) as isize - DISTANCE_WEIGHT * distance as isize;
            if distance <= reach && (at_edge || run.len() >= PAUSE_HOPS) && score > highest {
                highest = score;
                found = run;
            }
        }
        self.trimmed(found, threshold(SOFT_PART * range))
    }

    /// The stretches of a region that are all below a level.
    fn runs_below(&self, db: f32, region: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let mut start = region.start;
        // What ends a run: a louder hop, or the end.
        (region.start..=region.end).filter_map(move |hop| {
            let quiet = hop < region.end && self.db[hop] < db;
            let run = start..hop;
            if !quiet {
                start = hop + 1;
            }
            (!quiet && !run.is_empty()).then_some(run)
        })
    }

    /// A pause without the soft end and beginning of the words beside it.
    fn trimmed(&self, pause: Range<usize>, soft_db: f32) -> Range<usize> {
        let (first, second) = self.db[pause.clone()].split_at(pause.len() / 2);
        let soft = |db: &&f32| **db >= soft_db;
        let at_start = first.iter().take(SOFT_HOPS).take_while(soft).count();
        let at_end = second.iter().rev().take(SOFT_HOPS).take_while(soft).count();
        pause.start + at_start..pause.end - at_end
    }
}

#[cfg(test)]
mod tests {
    use super::{HOP_SAMPLES, part};
    use crate::kernels::testing::Noise;

    /// Noise of this amplitude, in which a louder one stands wherever a word does.
    fn speech(length: usize, words: &[std::ops::Range<usize>], noise: f32) -> Vec<f32> {
        let mut samples: Vec<f32> = Noise::new(7).take(length).iter().map(|x| noise * x).collect();
        for word in words {
            let loud = Noise::new(9).take(word.len());
            samples[word.clone()].iter_mut().zip(loud).for_each(|(sample, loud)| *sample += 0.3 * loud);
        }
        samples
    }

    #[test]
    fn words_end_where_silence_begins_however_rough_the_boundaries() {
        let words = [4000..9000, 11_000..14_600, 15_800..22_000, 30_000..36_000];
        for noise in [0.0, 1e-4, 1e-2] {
            let samples = speech(40_000, &words, noise);
            for off in [-800, -300, 0, 300, 800] {
                let boundaries = [4000, 10_000, 15_200, 26_000, 37_000].map(|at: usize| at.strict_add_signed(off));
                let spans = part(&boundaries, &samples);
                assert_eq!(spans.len(), words.len());
                for (is, want) in spans.iter().zip(&words) {
                    let error = is.start.abs_diff(want.start).max(is.end.abs_diff(want.end));
                    assert!(error <= 2 * HOP_SAMPLES, "{spans:?} in noise of {noise}, boundaries off by {off}");
                }
            }
        }
    }

    #[test]
    fn boundaries_within_sound_stay_where_they_are_and_short_gaps_are_no_pauses() {
        // Gaps of 20 and of 200 ms, the long one far from the boundary.
        let samples = speech(40_000, &[2000..12_000, 12_320..22_000, 25_200..38_000], 1e-3);
        let spans = part(&[2000, 12_160, 16_000, 38_000], &samples);
        assert_eq!(spans[0].end, 12_160);
        assert_eq!(spans[1], 12_160..16_000);
        assert_eq!(spans[2].start, 16_000);
    }

    #[test]
    fn spans_never_overlap_nor_leave_the_samples_whatever_the_boundaries() {
        let mut noise = Noise::new(21);
        let mut below = |limit: usize| ((noise.next() + 1.0) / 2.0 * limit as f32) as usize;
        for round in 0..400 {
            let length = [0, 1, 79, 81, 700, 20_000][round % 6];
            let start = below(length + 1);
            let end = start + below(length + 1 - start);
            let samples = speech(length, &[start..end], [0.0, 0.01][round % 2]);
            let words = 1 + below(12);
            // Not even rising, and beyond the end.
            let boundaries: Vec<usize> = (0..=words).map(|_| below(length + 400)).collect();
            let spans = part(&boundaries, &samples);
            assert_eq!(spans.len(), words);
            let mut least = 0;
            for span in &spans {
                assert!(least <= span.start && span.start <= span.end && span.end <= length, "{spans:?} of {length}");
                least = span.end;
            }
        }
    }
}
