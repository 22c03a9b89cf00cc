//! From measures to a score: what speaks for speech now and in the last 60 ms, 300 ms and second, weighted and summed.

use crate::kernels::activation::Exp;
use crate::kernels::lanes::F32x4;

use super::measures::Measures;

/// What a running mean keeps at each hop: it forgets within 63, 304 and 1050 ms.
const FAST: f32 = 0.6;
const SLOW: f32 = 0.9;
const SLOWEST: f32 = 0.97;
/// What is left of a voiced sound's evidence after a hop: a half after 430 ms. Between two vowels there is seldom more.
const VOICING_KEPT: f32 = 0.95;

/// Weight of each term, by logistic regression on every other recording of read speech, clean and in white noise, pink noise and babble
/// at 20, 10 and 5 dB, against an independent detector's decisions on the clean recordings; and on music-like tones, steady
/// and modulated noise, wind, bursts and hum. Terms are between 0 and 1, so weights can be compared.
mod weight {
    /// A score of a half needs so much in sum.
    pub(super) const BIAS: f32 = -6.9;
    // Likelihood of more than noise, as in Sohn, Kim and Sung (1999): the mean over bands of the log ratio of powers. The
    // loudest bands alone tell it in noise; that all bands are loud, and long, is what bangs and swelling noise do.
    pub(super) const TOP: f32 = 0.8;
    pub(super) const TOP_FAST: f32 = 1.0;
    pub(super) const MEAN: f32 = -1.4;
    pub(super) const MEAN_SLOW: f32 = -2.2;
    // Without anything above the floor it is over. One more than the regression says, so that pauses are found sooner.
    pub(super) const PRESENT_FAST: f32 = 3.5;
    // The spectrum moves while one speaks, four to eight sounds in a second.
    pub(super) const FLUX_FAST: f32 = 2.2;
    // Tones that stay where they are for 64 ms and more are notes and hum. Voices glide.
    pub(super) const ALIKE_NEXT_FAST: f32 = -1.9;
    pub(super) const ALIKE_NEXT_LONG: f32 = -1.5;
    pub(super) const ALIKE_NEXT_SLOWEST: f32 = -4.5;
    pub(super) const ALIKE_LATER_SLOWEST: f32 = -3.6;
    pub(super) const ALIKE_LATEST_SLOWEST: f32 = -3.6;
    // Energy that lasts for milliseconds is a click.
    pub(super) const OCCUPANCY_FAST: f32 = 0.7;
    pub(super) const OCCUPANCY_SLOW: f32 = 2.2;
    // Speech is neither flat nor without its fricatives.
    pub(super) const SPARSENESS_SLOW: f32 = -1.2;
    pub(super) const HIGH_SLOW: f32 = 1.7;
    // Nothing is speech without a voice of the last second: at all, and clearly.
    pub(super) const VOICING: f32 = 3.4;
    pub(super) const VOICING_CLEAR: f32 = 2.7;
}

/// Where a value is between `low` (0) and `high` (1).
fn between(value: f32, low: f32, high: f32) -> f32 {
    ((value - low) / (high - low)).clamp(0.0, 1.0)
}

/// A running mean.
#[derive(Debug, Clone, Copy, Default)]
struct Mean(f32);

impl Mean {
    fn update(&mut self, kept: f32, value: f32) -> f32 {
        self.0 = kept * self.0 + (1.0 - kept) * value;
        self.0
    }
}

/// What has been measured of late.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Evidence {
    top_fast: Mean,
    present_fast: Mean,
    mean_slow: Mean,
    flux_fast: Mean,
    alike_next_fast: Mean,
    alike_next_slowest: Mean,
    alike_later_slowest: Mean,
    alike_latest_slowest: Mean,
    occupancy_fast: Mean,
    occupancy_slow: Mean,
    sparseness_slow: Mean,
    high_slow: Mean,
    voiced: Mean,
    /// The strongest of late, fading.
    voicing: f32,
}

impl Evidence {
    /// Takes the next hop's measures and gives its score, 0..=1.
    pub(super) fn score(&mut self, measures: &Measures) -> f32 {
        let top = between(measures.top_snr_db, 0.0, 25.0);
        let mean = between(measures.mean_snr_db, 0.0, 15.0);
        // What is not above the floor has no properties.
        let present = between(measures.top_snr_db, 4.0, 10.0);
        let present_fast = self.present_fast.update(FAST, between(measures.top_snr_db, 2.0, 8.0));
        let alike_next = present * measures.alike_next.clamp(0.0, 1.0);
        let alike_later = present * measures.alike_later.clamp(0.0, 1.0);
        let alike_latest = present * measures.alike_latest.clamp(0.0, 1.0);
        let flux = present * between(measures.flux_db, 2.0, 12.0);
        let occupancy = present * between(measures.occupancy, 0.0, 0.4);
        let sparseness = present * between(measures.sparseness, 0.0, 0.3);
        let high = present * between(measures.high_over_low_db, -20.0, 5.0);
        // Noise has 0.32 and less, and no pitch that goes on; two clicks have a distance, but do not fill the frame; a sine
        // has a period, but no harmonics.
        let voice = present * between(measures.harmonicity, 0.33, 0.6) * measures.continuity;
        let voice = voice * between(measures.occupancy, 0.3, 0.5) * between(measures.sparseness, 0.015, 0.045);
        self.voicing = (VOICING_KEPT * self.voicing).max(self.voiced.update(0.5, voice));

        let alike_next_fast = self.alike_next_fast.update(FAST, alike_next);
        let sum = weight::BIAS
            + weight::TOP * top
            + weight::TOP_FAST * self.top_fast.update(FAST, top)
            + weight::PRESENT_FAST * between(present_fast, 0.0, 0.3)
            + weight::MEAN * mean
            + weight::MEAN_SLOW * self.mean_slow.update(SLOW, mean)
            + weight::FLUX_FAST * self.flux_fast.update(FAST, flux)
            + weight::ALIKE_NEXT_FAST * alike_next_fast
            + weight::ALIKE_NEXT_LONG * between(alike_next_fast, 0.5, 0.9)
            + weight::ALIKE_NEXT_SLOWEST * self.alike_next_slowest.update(SLOWEST, alike_next)
            + weight::ALIKE_LATER_SLOWEST * self.alike_later_slowest.update(SLOWEST, alike_later)
            + weight::ALIKE_LATEST_SLOWEST * self.alike_latest_slowest.update(SLOWEST, alike_latest)
            + weight::OCCUPANCY_FAST * self.occupancy_fast.update(FAST, occupancy)
            + weight::OCCUPANCY_SLOW * self.occupancy_slow.update(SLOW, occupancy)
            + weight::SPARSENESS_SLOW * self.sparseness_slow.update(SLOW, sparseness)
            + weight::HIGH_SLOW * self.high_slow.update(SLOW, high)
            + weight::VOICING * between(self.voicing, 0.02, 0.1)
            + weight::VOICING_CLEAR * between(self.voicing, 0.1, 0.6);
        1.0 / (1.0 + Exp::read().of(F32x4::splat(-sum)).to_array()[0])
    }
}
