//! Where segments begin and end: from how likely each hop is to be speech.
//!
//! ```text
//!            start ≥ 0.5          enough of it                    silence ≥ minimum-silence
//! silence ─────────────► onset ────────────────► speech ──────────────────────────────────► silence
//!    ▲                     │  a pause before that   │  ▲
//!    └─────────────────────┘                        └──┘ longest-segment: cut at the quietest place, and on
//! ```
//!
//! Every position is a multiple of a hop, but for a stream's end, and follows from the hops alone: not from how the audio
//! was cut into blocks, nor from when somebody asked.

use std::collections::VecDeque;
use std::ops::Range;

use crate::options::Endpointing;
use crate::segment::SegmentEnd;
use crate::vad::HOP_SAMPLES;

/// A hop at least so likely to be speech begins some. Silero's own default.
const START_PROBABILITY: f32 = 0.5;
/// A hop less likely than this is silence. Lower than what begins speech, so that it does not flicker; Silero's own default.
const END_PROBABILITY: f32 = 0.35;

/// Audio before the first hop of speech that belongs to the segment: weak onsets (f, th, h) are found late. 288 ms.
const PRE_ROLL_HOPS: u64 = 9;
/// Audio after the last hop of speech that belongs to the segment: a word's end fades below what counts as speech. 192 ms.
const POST_ROLL_HOPS: u64 = 6;
/// So long a pause before speech was long enough to count makes it noise: clicks do not add up. 256 ms.
const ONSET_PAUSE_HOPS: u64 = 8;

/// A segment is cut at the place that is quietest over so many hops on each side. 64 ms.
const QUIET_HOPS: usize = 2;

const HOP: u64 = HOP_SAMPLES as u64;

/// What a hop, or the end of the stream, brought about; positions are sample offsets in the stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Turn {
    /// Nothing.
    Nothing,
    /// Speech began here.
    Started(u64),
    /// A segment ended.
    Ended(Ended),
}

/// A segment that has ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    /// The audio of the segment: speech and some audio around it.
    pub(crate) span: Range<u64>,
    /// Where speech ended.
    pub(crate) speech_end: u64,
    /// Why.
    pub(crate) by: SegmentEnd,
    /// Whether another segment begins where this one ends.
    pub(crate) goes_on: bool,
    /// The mean probability of its hops, from the first to the last of speech; `None` where nobody asked what is speech.
    pub(crate) speech_probability: Option<f32>,
}

/// A segment under way.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Speech {
    /// The first sample of its audio.
    start: u64,
    /// Where speech began.
    onset: u64,
    /// Where speech ended, if it does not go on.
    end: u64,
    /// Sum of the hops' probabilities up to `end`, and up to now.
    probability_until_end: f32,
    probability_until_now: f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Silence,
    /// Perhaps speech: since `start`, with so many hops of it, and so many of silence since the last one.
    Onset {
        start: u64,
        speech_hops: u64,
        silent_hops: u64,
        probability: f32,
    },
    Speech(Speech),
}

/// Turns hops into segments.
#[derive(Debug)]
pub(crate) struct Endpointer {
    minimum_silence: u64,
    minimum_speech: u64,
    longest: u64,
    phase: Phase,
    /// Where the next hop begins.
    position: u64,
    /// Where the last segment ended: no later one reaches back before it.
    last_end: u64,
    /// Energies of the latest hops, as far back as a segment may be cut.
    energies: VecDeque<f32>,
}

impl Endpointer {
    /// Before the first hop.
    pub(crate) fn new(rules: &Endpointing) -> Self {
        // A hop is what there is to decide on: lengths are rounded up to hops, the longest segment down.
        let hops = |samples: u32| u64::from(samples).div_ceil(HOP).max(1);
        let longest = u64::from(rules.longest_segment) / HOP;
        Self {
            minimum_silence: hops(rules.minimum_silence) * HOP,
            minimum_speech: hops(rules.minimum_speech),
            longest: longest * HOP,
            phase: Phase::Silence,
            position: 0,
            last_end: 0,
            energies: VecDeque::with_capacity(longest as usize + 1),
        }
    }

    /// Where the next hop begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The first sample that some segment may still have.
    pub(crate) fn needed_from(&self) -> u64 {
        match self.phase {
            Phase::Silence => self.pre_roll(self.position),
            Phase::Onset { start, .. } => self.pre_roll(start),
            Phase::Speech(speech) => speech.start,
        }
    }

    /// The segment under way: the first sample of its audio, and where its speech began.
    pub(crate) fn under_way(&self) -> Option<(u64, u64)> {
        match self.phase {
            Phase::Speech(speech) => Some((speech.start, speech.onset)),
            _ => None,
        }
    }

    /// The audio that the segment under way will have had, if the silence after it lasts, and how many samples of silence
    /// are missing for that. `None` as long as some of that audio is still to come.
    pub(crate) fn foreseen(&self) -> Option<(Range<u64>, u64)> {
        let Phase::Speech(speech) = self.phase else { return None };
        let span = speech.start..self.post_roll(speech.end);
        let silence = self.position - speech.end;
        (silence > 0 && span.end <= self.position).then(|| (span, self.minimum_silence.saturating_sub(silence)))
    }

    /// Takes the next hop: how likely it is speech, and its energy (any measure that grows with loudness).
    pub(crate) fn advance(&mut self, probability: f32, energy: f32) -> Turn {
        if self.energies.len() == self.energies.capacity() {
            self.energies.pop_front();
        }
        self.energies.push_back(energy);
        let hop_start = self.position;
        self.position += HOP;
        match self.phase {
            Phase::Silence => {
                if probability >= START_PROBABILITY {
                    self.phase = Phase::Onset { start: hop_start, speech_hops: 0, silent_hops: 0, probability: 0.0 };
                    return self.consider(probability);
                }
                Turn::Nothing
            }
            Phase::Onset { .. } => self.consider(probability),
            Phase::Speech(mut speech) => {
                speech.probability_until_now += probability;
                if probability >= END_PROBABILITY {
                    speech.end = self.position;
                    speech.probability_until_end = speech.probability_until_now;
                }
                self.phase = Phase::Speech(speech);
                if self.position - speech.end >= self.minimum_silence {
                    self.phase = Phase::Silence;
                    return self.ended(speech, self.post_roll(speech.end), SegmentEnd::Silence);
                }
                if self.position - speech.start >= self.longest {
                    return self.cut(speech);
                }
                Turn::Nothing
            }
        }
    }

    /// Says that the stream ends at `end`, within the last hop.
    pub(crate) fn finish(&mut self, end: u64) -> Turn {
        match std::mem::replace(&mut self.phase, Phase::Silence) {
            Phase::Speech(mut speech) => {
                speech.end = speech.end.min(end);
                let span_end = self.post_roll(speech.end).min(end);
                self.ended(speech, span_end, SegmentEnd::Finish)
            }
            _ => Turn::Nothing,
        }
    }

    /// Takes a hop of what is perhaps speech.
    fn consider(&mut self, hop_probability: f32) -> Turn {
        let Phase::Onset { start, mut speech_hops, mut silent_hops, mut probability } = self.phase else {
            return Turn::Nothing;
        };
        probability += hop_probability;
        if hop_probability >= END_PROBABILITY {
            (speech_hops, silent_hops) = (speech_hops + 1, 0);
        } else {
            silent_hops += 1;
        }
        // What has not become speech within the longest segment is scattered noise: no more audio than that is kept.
        let too_long = self.position - self.pre_roll(start) >= self.longest;
        if too_long || silent_hops >= ONSET_PAUSE_HOPS.min(self.minimum_silence / HOP) {
            self.phase = Phase::Silence;
            return Turn::Nothing;
        }
        if speech_hops < self.minimum_speech {
            self.phase = Phase::Onset { start, speech_hops, silent_hops, probability };
            return Turn::Nothing;
        }
        self.phase = Phase::Speech(Speech {
            start: self.pre_roll(start),
            onset: start,
            end: self.position,
            probability_until_end: probability,
            probability_until_now: probability,
        });
        Turn::Started(start)
    }

    /// Cuts a segment that has become too long at the quietest place of its second half, the latest of equals.
    fn cut(&mut self, speech: Speech) -> Turn {
        let hops = ((self.position - speech.start) / HOP) as usize;
        let energies = |index: usize| self.energies[self.energies.len() - hops + index];
        // What is next to the cut counts twice: the middle of a pause is better than its edge.
        let around =
            |at: usize| (at - QUIET_HOPS..at + QUIET_HOPS).map(energies).sum::<f32>() + energies(at - 1) + energies(at);
        let mut best = (f32::INFINITY, hops - QUIET_HOPS);
        for at in (hops / 2).max(QUIET_HOPS)..=hops - QUIET_HOPS {
            let energy = around(at);
            if energy <= best.0 {
                best = (energy, at);
            }
        }
        let at = speech.start + best.1 as u64 * HOP;
        if speech.end <= at {
            // Nothing but silence is left after it.
            self.phase = Phase::Silence;
            return self.ended(speech, at, SegmentEnd::LongestSegment);
        }
        // What each part has of the probability is not known hop by hop: it is taken for the mean.
        let mean = speech.probability_until_end / ((speech.end - speech.onset) / HOP) as f32;
        let first = Speech { end: at, probability_until_end: mean * ((at - speech.onset) / HOP) as f32, ..speech };
        let Turn::Ended(mut ended) = self.ended(first, at, SegmentEnd::LongestSegment) else { return Turn::Nothing };
        ended.goes_on = true;
        let until = |position: u64| mean * ((position - at) / HOP) as f32;
        self.phase = Phase::Speech(Speech {
            start: at,
            onset: at,
            end: speech.end,
            probability_until_end: until(speech.end),
            probability_until_now: until(self.position),
        });
        Turn::Ended(ended)
    }

    fn ended(&mut self, speech: Speech, span_end: u64, by: SegmentEnd) -> Turn {
        self.last_end = span_end;
        let hops = (speech.end - speech.onset).div_ceil(HOP).max(1);
        Turn::Ended(Ended {
            span: speech.start..span_end,
            speech_end: speech.end,
            by,
            goes_on: false,
            speech_probability: Some((speech.probability_until_end / hops as f32).min(1.0)),
        })
    }

    /// Where a segment begins whose speech begins at `onset`.
    fn pre_roll(&self, onset: u64) -> u64 {
        onset.saturating_sub(PRE_ROLL_HOPS * HOP).max(self.last_end)
    }

    /// Where a segment ends whose speech ends at `end`.
    fn post_roll(&self, end: u64) -> u64 {
        end + (POST_ROLL_HOPS * HOP).min(self.minimum_silence)
    }
}

#[cfg(test)]
mod tests;
