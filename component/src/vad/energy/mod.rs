//! A detector of voice activity that adapts to the noise and needs nothing of a model file.
//!
//! ```text
//! hop ─► spectrum ─┬─► floor ─┐
//!                  └──────────┴─► measures ─► evidence ─► score
//! ```
//!
//! The power of every bin is compared with a floor that follows noise, hum and held tones within two seconds (`floor`).
//! What stands above it is measured (`measures`): how far, whether it has a pitch that goes on from hop to hop, whether its
//! tones glide or stay, whether the spectrum moves. `evidence` sums that up over the last second. All of it is relative to
//! the floor, so that the gain of the microphone does not matter.
//!
//! Whispering has no pitch and is not found; who sings long notes may not be found either.

mod evidence;
mod floor;
mod math;
mod measures;
mod spectrum;

use super::HOP_SAMPLES;
use evidence::Evidence;
use floor::NoiseFloor;
use measures::Meter;
use spectrum::{BINS, Spectrum};

/// Samples are held within this: loud beyond reason, and its square is far from the end of the floats.
const LARGEST_SAMPLE: f32 = 16.0;

/// Tells speech from noise, hum, tones and bangs, hop by hop.
///
/// The same samples give the same scores, to the last bit, on every host. Nothing is allocated after [`Self::new`].
pub struct EnergyDetector {
    spectrum: Spectrum,
    floor: NoiseFloor,
    meter: Meter,
    evidence: Evidence,
    /// The hop before.
    old: Box<[f32; HOP_SAMPLES]>,
    new: Box<[f32; HOP_SAMPLES]>,
    power: Box<[f32; BINS]>,
}

impl Default for EnergyDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl EnergyDetector {
    /// A detector at the start of a stream, whose first sound counts as noise until it changes.
    #[must_use]
    pub fn new() -> Self {
        Self {
            spectrum: Spectrum::new(),
            floor: NoiseFloor::new(),
            meter: Meter::new(),
            evidence: Evidence::default(),
            old: Box::new([0.0; HOP_SAMPLES]),
            new: Box::new([0.0; HOP_SAMPLES]),
            power: Box::new([0.0; BINS]),
        }
    }

    /// Takes the next 32 ms of a stream, mono at 16 kHz and within −1..=1, and gives how much they are like speech: 0..=1.
    ///
    /// At 0.5 and above somebody speaks, below 0.35 nobody does, between the two it is as before. Speech is found some 30 ms
    /// after it began in quiet, 100 ms at 10 dB above noise, and up to 400 ms in more; the score of a bang or a note may be
    /// high for up to 200 ms.
    pub fn process(&mut self, hop: &[f32; HOP_SAMPLES]) -> f32 {
        std::mem::swap(&mut self.old, &mut self.new);
        for (new, &sample) in self.new.iter_mut().zip(hop) {
            // In this order a sample that is not a number becomes one.
            *new = sample.max(-LARGEST_SAMPLE).min(LARGEST_SAMPLE);
        }
        self.spectrum.power(&self.old, &self.new, &mut self.power);
        let floor = self.floor.update(&self.power);
        let measures = self.meter.measure([&self.old, &self.new], &self.power, floor, &mut self.spectrum);
        self.evidence.score(&measures)
    }

    /// Forgets the stream: as [`Self::new`], and allocates nothing.
    pub fn reset(&mut self) {
        self.floor.reset();
        self.meter.reset();
        self.evidence = Evidence::default();
        self.new.fill(0.0);
    }
}

#[cfg(test)]
mod tests;
