//! Streams of speech with pauses, cut out of a recording.

use std::ops::Range;

use crate::support::Random;
use crate::support::files::{beside, samples};

/// A stream, and where somebody speaks in it.
pub(crate) struct Stream {
    pub(crate) samples: Vec<f32>,
    pub(crate) spoken: Vec<Range<u64>>,
}

/// The recording's first words, "And so my fellow Americans": spoken without a long pause.
const PHRASE: Range<usize> = 4_800..35_200;

fn recording() -> Vec<f32> {
    samples(&beside("../testdata/jfk.wav"))
}

/// So many phrases with pauses of 0.8 to 2.3 s, over faint noise.
pub(crate) fn speech(seed: u64, phrases: usize) -> Stream {
    let recording = recording();
    let mut random = Random::new(seed);
    let mut stream = Stream { samples: Vec::new(), spoken: Vec::new() };
    pause(&mut stream.samples, &mut random);
    for _ in 0..phrases {
        let start = PHRASE.start + random.below(800);
        let gain = 0.5 + random.below(100) as f32 / 100.0;
        let phrase = &recording[start..PHRASE.end];
        let from = stream.samples.len() as u64;
        stream.samples.extend(phrase.iter().map(|sample| gain * sample + 1e-4 * random.weight()));
        stream.spoken.push(from..from + phrase.len() as u64);
        pause(&mut stream.samples, &mut random);
    }
    stream
}

fn pause(samples: &mut Vec<f32>, random: &mut Random) {
    let length = 12_800 + random.below(24_000);
    samples.extend((0..length).map(|_| 1e-4 * random.weight()));
}

/// So many samples of the phrase again and again, without a pause.
pub(crate) fn unbroken(seed: u64, samples: usize) -> Vec<f32> {
    let recording = recording();
    let mut random = Random::new(seed);
    let mut stream: Vec<f32> = (0..16_000).map(|_| 1e-4 * random.weight()).collect();
    while stream.len() < samples {
        stream.extend_from_slice(&recording[PHRASE.start + random.below(800)..PHRASE.end - random.below(800)]);
    }
    stream.truncate(samples);
    stream
}
