//! Power spectra of 64 ms of audio, and their autocorrelation: a transform of the engine's own, with the same bits everywhere.

use super::math::{FFT_TWIDDLES, SPLIT_TWIDDLES, WINDOW};

/// Samples of one spectrum: two hops, half of them new. Voices of 70 Hz have four periods in it, and the harmonics of all
/// voices are apart.
pub(super) const FRAME_SAMPLES: usize = 1024;
/// Bins of one spectrum, without the one of half the sample rate.
pub(super) const BINS: usize = FRAME_SAMPLES / 2;
/// From one bin to the next.
pub(super) const BIN_HZ: f32 = 16_000.0 / FRAME_SAMPLES as f32;

/// Real transforms of [`FRAME_SAMPLES`] values.
pub(super) struct Spectrum {
    /// [BINS] complex values.
    values: Box<[[f32; 2]; BINS]>,
}

impl Spectrum {
    pub(super) fn new() -> Self {
        Self { values: Box::new([[0.0; 2]; BINS]) }
    }

    /// Writes the power of every bin of the Hann-windowed frame `[old, new]`: a full-scale sine has 1/4 in its bin.
    pub(super) fn power(&mut self, old: &[f32; BINS], new: &[f32; BINS], power: &mut [f32; BINS]) {
        // Sums of the window's values, so that a sine's amplitude is what comes out.
        const SCALE: f32 = 1.0 / (BINS * BINS) as f32;
        for (index, value) in self.values.iter_mut().enumerate() {
            let at = 2 * index;
            let samples = if at < BINS { [old[at], old[at + 1]] } else { [new[at - BINS], new[at + 1 - BINS]] };
            *value = [samples[0] * WINDOW[at], samples[1] * WINDOW[at + 1]];
        }
        self.transform();
        power[0] = 0.0;
        for bin in 1..BINS {
            let [re, im] = self.split(bin);
            power[bin] = (re * re + im * im) * SCALE;
        }
    }

    /// Writes the circular autocorrelation at lags below [`BINS`] samples of a signal whose power spectrum is `power` up to
    /// [`BINS`], and 0 in the constant and at half the sample rate. The scale is arbitrary.
    pub(super) fn autocorrelation(&mut self, power: &[f32; BINS], lags: &mut [f32; BINS]) {
        let mirrored = |at: usize| match at {
            0 | BINS => 0.0,
            _ if at < BINS => power[at],
            _ => power[FRAME_SAMPLES - at],
        };
        for (index, value) in self.values.iter_mut().enumerate() {
            *value = [mirrored(2 * index), mirrored(2 * index + 1)];
        }
        self.transform();
        lags[0] = self.values[0][0] + self.values[0][1];
        for lag in 1..BINS {
            lags[lag] = self.split(lag)[0];
        }
    }

    /// Bin `bin` (not 0) of the real transform, of the complex one of its even and odd values.
    fn split(&self, bin: usize) -> [f32; 2] {
        let [a, b] = self.values[bin];
        let [c, d] = self.values[BINS - bin];
        let (even, odd) = ([0.5 * (a + c), 0.5 * (b - d)], [0.5 * (b + d), 0.5 * (c - a)]);
        let [cos, sin] = SPLIT_TWIDDLES[bin];
        [even[0] + cos * odd[0] - sin * odd[1], even[1] + cos * odd[1] + sin * odd[0]]
    }

    /// The complex transform in place: bits of the index reversed, then radix 2 (Cooley and Tukey, 1965).
    fn transform(&mut self) {
        let values = &mut self.values[..];
        for index in 0..BINS {
            let reversed = index.reverse_bits() >> (usize::BITS - BINS.trailing_zeros());
            if index < reversed {
                values.swap(index, reversed);
            }
        }
        for pair in values.as_chunks_mut::<2>().0 {
            let [a, b] = *pair;
            *pair = [[a[0] + b[0], a[1] + b[1]], [a[0] - b[0], a[1] - b[1]]];
        }
        let mut half = 2;
        while half < BINS {
            // The twiddles of this stage, one after another: e^(−πi j / half).
            let twiddles = &FFT_TWIDDLES[half..2 * half];
            for block in values.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                for ((low, high), &[cos, sin]) in low.iter_mut().zip(high).zip(twiddles) {
                    let turned = [cos * high[0] - sin * high[1], cos * high[1] + sin * high[0]];
                    let kept = *low;
                    *low = [kept[0] + turned[0], kept[1] + turned[1]];
                    *high = [kept[0] - turned[0], kept[1] - turned[1]];
                }
            }
            half *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BINS, FRAME_SAMPLES, Spectrum};
    use crate::kernels::testing::Noise;

    #[test]
    fn power_is_that_of_the_plain_sum_of_the_definition() {
        let samples = Noise::new(3).take(FRAME_SAMPLES);
        let (old, new) = samples.split_at(BINS);
        let mut power = [0.0; BINS];
        Spectrum::new().power(old.try_into().unwrap(), new.try_into().unwrap(), &mut power);
        for bin in [1, 2, 77, 255, 256, 400, 511] {
            let (mut re, mut im) = (0.0, 0.0);
            for (at, &sample) in samples.iter().enumerate() {
                let turn = std::f64::consts::TAU / FRAME_SAMPLES as f64 * at as f64;
                let windowed = f64::from(sample) * 0.5 * (1.0 - turn.cos());
                re += windowed * (turn * bin as f64).cos();
                im -= windowed * (turn * bin as f64).sin();
            }
            let want = (re * re + im * im) / (BINS * BINS) as f64;
            assert!((f64::from(power[bin]) - want).abs() < 1e-5 * want + 1e-9, "bin {bin}: {} and {want}", power[bin]);
        }
    }

    #[test]
    fn autocorrelation_is_the_cosine_sum_of_the_power() {
        let power: Vec<f32> = Noise::new(5).take(BINS).iter().map(|x| x * x).collect();
        let mut lags = [0.0; BINS];
        Spectrum::new().autocorrelation(power[..].try_into().unwrap(), &mut lags);
        for lag in [0, 1, 40, 228, 511] {
            let turn = std::f64::consts::TAU / FRAME_SAMPLES as f64 * lag as f64;
            let want: f64 = (1..BINS).map(|bin| 2.0 * f64::from(power[bin]) * (turn * bin as f64).cos()).sum();
            assert!((f64::from(lags[lag]) - want).abs() < 1e-3, "lag {lag}: {} and {want}", lags[lag]);
        }
    }
}
