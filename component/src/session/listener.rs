//! Follows a stream hop by hop and finds its segments: at pauses, or one that is the whole stream.

use std::ops::Range;
use std::rc::Rc;

use crate::endpoint::{Ended, Endpointer, Turn};
use crate::options::Endpointing;
use crate::segment::SegmentEnd;
use crate::vad::silero::Silero;
use crate::vad::{Detector, HOP_SAMPLES};

/// Audio that never passes ±4 steps of 16-bit audio (−78 dB) is silence, dither included: no microphone's speech is so
/// faint, and a model that is made to write writes something even for silence.
const SILENCE_PEAK: f32 = 4.0 / 32_768.0;

/// Finds the segments of a stream.
pub(super) enum Listener {
    /// Segments end at pauses.
    Pauses { detector: Detector, rules: Endpointing, endpointer: Endpointer },
    /// The stream is one segment.
    Whole {
        /// Where the next hop begins.
        position: u64,
        /// Whether there was anything but silence.
        heard: bool,
        /// Whether the segment has begun.
        begun: bool,
        /// Shorter streams have no segment.
        shortest: u64,
    },
}

impl Listener {
    /// At a stream's beginning. `shortest` is the least samples that can be transcribed.
    pub(super) fn new(endpointing: Option<&Endpointing>, neural: Option<Rc<Silero>>, shortest: usize) -> Self {
        match endpointing {
            Some(rules) => Self::Pauses {
                detector: Detector::new(rules.voice_activity, neural),
                rules: rules.clone(),
                endpointer: Endpointer::new(rules),
            },
            None => Self::Whole { position: 0, heard: false, begun: false, shortest: shortest as u64 },
        }
    }

    /// At another stream's beginning.
    pub(super) fn reset(&mut self) {
        match self {
            Self::Pauses { detector, rules, endpointer } => {
                detector.reset();
                *endpointer = Endpointer::new(rules);
            }
            Self::Whole { position, heard, begun, .. } => (*position, *heard, *begun) = (0, false, false),
        }
    }

    /// Where the next hop begins.
    pub(super) fn position(&self) -> u64 {
        match self {
            Self::Pauses { endpointer, .. } => endpointer.position(),
            Self::Whole { position, .. } => *position,
        }
    }

    /// The first sample that some segment may still have.
    pub(super) fn needed_from(&self) -> u64 {
        match self {
            Self::Pauses { endpointer, .. } => endpointer.needed_from(),
            Self::Whole { .. } => 0,
        }
    }

    /// The segment under way: the first sample of its audio, and where its speech began.
    pub(super) fn under_way(&self) -> Option<(u64, u64)> {
        match self {
            Self::Pauses { endpointer, .. } => endpointer.under_way(),
            Self::Whole { begun, .. } => begun.then_some((0, 0)),
        }
    }

    /// As [`Endpointer::foreseen`].
    pub(super) fn foreseen(&self) -> Option<(Range<u64>, u64)> {
        match self {
            Self::Pauses { endpointer, .. } => endpointer.foreseen(),
            Self::Whole { .. } => None,
        }
    }

    /// Takes the next hop.
    pub(super) fn hear(&mut self, hop: &[f32; HOP_SAMPLES]) -> Turn {
        match self {
            Self::Pauses { detector, endpointer, .. } => endpointer.advance(detector.process(hop), energy(hop)),
            // To it, any number of samples is as good as a hop.
            Self::Whole { .. } => self.hear_rest(hop),
        }
    }

    /// Takes what is left after the last whole hop of a stream, as a hop that silence fills up.
    pub(super) fn hear_rest(&mut self, rest: &[f32]) -> Turn {
        match self {
            Self::Pauses { .. } if rest.is_empty() => Turn::Nothing,
            Self::Pauses { .. } => {
                let mut hop = [0.0; HOP_SAMPLES];
                hop[..rest.len()].copy_from_slice(rest);
                let end = self.position() + rest.len() as u64;
                clipped(self.hear(&hop), end)
            }
            Self::Whole { position, heard, begun, shortest } => {
                *position += rest.len() as u64;
                *heard |= is_heard(rest);
                // It begins when there is enough of it, and not only silence.
                let begins = !*begun && *heard && *position >= *shortest;
                *begun |= begins;
                if begins { Turn::Started(0) } else { Turn::Nothing }
            }
        }
    }

    /// The stream ends at `end`, and so does a segment under way.
    pub(super) fn finish(&mut self, end: u64) -> Turn {
        match self {
            Self::Pauses { endpointer, .. } => endpointer.finish(end),
            Self::Whole { begun: false, .. } => Turn::Nothing,
            Self::Whole { .. } => Turn::Ended(Ended {
                span: 0..end,
                speech_end: end,
                by: SegmentEnd::Finish,
                goes_on: false,
                speech_probability: None,
            }),
        }
    }
}

/// A turn that the last, filled up hop brought about, within the stream.
fn clipped(turn: Turn, end: u64) -> Turn {
    match turn {
        Turn::Ended(mut ended) => {
            ended.span.end = ended.span.end.min(end);
            ended.speech_end = ended.speech_end.min(end);
            Turn::Ended(ended)
        }
        turn => turn,
    }
}

fn is_heard(samples: &[f32]) -> bool {
    samples.iter().any(|sample| sample.abs() > SILENCE_PEAK)
}

/// The energy of a hop, without its mean: an offset is not loudness.
fn energy(hop: &[f32; HOP_SAMPLES]) -> f32 {
    let mut sums = [0.0f32; 4];
    let mut squares = [0.0f32; 4];
    for samples in hop.as_chunks::<4>().0 {
        for lane in 0..4 {
            sums[lane] += samples[lane];
            squares[lane] += samples[lane] * samples[lane];
        }
    }
    let add = |lanes: [f32; 4]| (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
    let mean = add(sums) / HOP_SAMPLES as f32;
    (add(squares) / HOP_SAMPLES as f32 - mean * mean).max(0.0)
}
