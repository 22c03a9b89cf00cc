//! The power of what goes on all the time, for every bin: noise, hum, a held tone.

use super::spectrum::BINS;

/// Hops of one part of the window in which the minimum is sought.
const PART_HOPS: usize = 8;
/// Parts of that window: 1.5 s, longer than a voice stays on one pitch, and the time in which a noise that has begun or
/// grown is taken for the floor.
const PARTS: usize = 6;
/// What the smoothed power keeps of a hop's; with it, noise varies by a half of its mean.
const SMOOTHING: f32 = 0.7;
/// The mean of noise is so many times the minimum of its smoothed power in the window (measured on white noise).
const BIAS: f32 = 2.2;
/// Power of a bin below which nothing counts: about that of white noise at −84 dBFS, so that the last bits of 16 are silence.
pub(super) const LOWEST_POWER: f32 = 3.2e-11;

/// Minimum statistics (Martin, 2001): speech leaves every bin again and again, noise does not.
pub(super) struct NoiseFloor {
    smoothed: Box<[f32; BINS]>,
    /// Minima of whole parts, the oldest at `oldest`.
    parts: Box<[[f32; BINS]; PARTS]>,
    /// The minimum of the part under way.
    current: Box<[f32; BINS]>,
    /// Of all parts.
    floor: Box<[f32; BINS]>,
    oldest: usize,
    hops_in_part: usize,
    started: bool,
}

impl NoiseFloor {
    pub(super) fn new() -> Self {
        let bins = || Box::new([LOWEST_POWER; BINS]);
        Self {
            smoothed: bins(),
            parts: Box::new([[f32::MAX; BINS]; PARTS]),
            current: bins(),
            floor: bins(),
            oldest: 0,
            hops_in_part: 0,
            started: false,
        }
    }

    pub(super) fn reset(&mut self) {
        *self.parts = [[f32::MAX; BINS]; PARTS];
        *self.floor = [LOWEST_POWER; BINS];
        (self.oldest, self.hops_in_part, self.started) = (0, 0, false);
    }

    /// Takes the power of a hop and gives the floor.
    pub(super) fn update(&mut self, power: &[f32; BINS]) -> &[f32; BINS] {
        if !self.started {
            // What a stream begins with is noise until it changes.
            self.started = true;
            *self.smoothed = *power;
            *self.current = *power;
        }
        for (smoothed, &power) in self.smoothed.iter_mut().zip(power) {
            *smoothed = SMOOTHING * *smoothed + (1.0 - SMOOTHING) * power;
        }
        for (current, &smoothed) in self.current.iter_mut().zip(&*self.smoothed) {
            *current = current.min(smoothed);
        }
        let ends = self.hops_in_part + 1 == PART_HOPS;
        if ends {
            self.parts[self.oldest] = *self.current;
            *self.current = *self.smoothed;
            self.oldest = (self.oldest + 1) % PARTS;
        }
        self.hops_in_part = (self.hops_in_part + 1) % PART_HOPS;
        for (bin, floor) in self.floor.iter_mut().enumerate() {
            let least = self.parts.iter().fold(self.current[bin], |least, part| least.min(part[bin]));
            *floor = (BIAS * least).max(LOWEST_POWER);
        }
        &self.floor
    }
}
