//! Any sample rate to 16 kHz, in a stream.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Indexing, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
    calculate_cutoff,
};

use super::SAMPLE_RATE_HZ;
use super::mono::MAX_MAGNITUDE;

/// Filter length in samples at the lower of the two rates: 16 ms at 16 kHz. Passes 7 kHz untouched and leaves nothing of
/// 8.2 kHz (the tests measure both).
const FILTER_LEN: usize = 256;
const WINDOW: WindowFunction = WindowFunction::BlackmanHarris2;

/// The most filter coefficients to tabulate, 8 bytes each. Beyond that (rates that share no large factor with 16 000) a
/// coarser table is interpolated in.
const MAX_TABLE_LEN: usize = 1 << 20;
const MAX_INTERPOLATED_PHASES: usize = 256;

/// How much of a second the filter works on at a time. It has no influence on the result, but for when it comes: live
/// audio is held back for up to so long.
const CHUNKS_PER_SECOND: usize = 50;

/// Resamples a mono stream to 16 kHz.
///
/// Sample `k` of the output is the signal at exactly `k / 16000` seconds of the input, and `n` input samples give
/// `round(n · 16000 / rate)`: times are those of the source. The output does not depend on how the input is cut up: the
/// filter always works on chunks of the same size. Before the first and after the last sample the signal is taken to be
/// silent.
///
/// It calculates in 64 bits and rounds once at the end, so that the processor's choice of SIMD instructions, which
/// changes the order of summation, stays below what 32 bits can show, but for a sample in many millions.
pub(super) struct Resampler {
    filter: Async<f64>,
    source_rate_hz: u32,
    /// Input that does not fill a chunk yet.
    pending: Vec<f64>,
    /// Where the filter puts its output.
    output: Vec<f64>,
    /// Output samples that stand for the time before the first input sample, and are still to be dropped.
    to_drop: usize,
    taken_in: u64,
    given_out: u64,
}

impl Resampler {
    /// `source_rate_hz` is within `MIN_SOURCE_RATE_HZ..=MAX_SOURCE_RATE_HZ`. The error is rubato's, as text.
    pub(super) fn new(source_rate_hz: u32) -> Result<Self, String> {
        let source = source_rate_hz as usize;
        let target = SAMPLE_RATE_HZ as usize;
        let divisor = gcd(source, target);
        // Output k lies at input position k · step / phases.
        let (step, phases) = (source / divisor, target / divisor);
        // rubato counts taps at the input's rate.
        let taps = (FILTER_LEN * source.max(target) / target).next_multiple_of(8);
        let (interpolation, table_phases) = if taps * phases <= MAX_TABLE_LEN {
            // Every position that occurs is in the table.
            (SincInterpolationType::Nearest, phases)
        } else {
            // A divisor of `phases`, so that `align` finds an exact solution.
            let table_phases = (1..=MAX_INTERPOLATED_PHASES).rev().find(|&n| phases.is_multiple_of(n)).unwrap_or(1);
            (SincInterpolationType::Cubic, table_phases)
        };
        // Left to itself, rubato would suit the cutoff to the taps at the input's rate, and let through what aliases.
        let parameters = SincInterpolationParameters::new(taps, WINDOW)
            .f_cutoff(calculate_cutoff(FILTER_LEN, WINDOW))
            .oversampling_factor(table_phases)
            .interpolation(interpolation);
        let chunk_len = source / CHUNKS_PER_SECOND;
        let filter = Async::new_sinc(target as f64 / source as f64, 1.0, &parameters, chunk_len, 1, FixedAsync::Input)
            .map_err(|error| error.to_string())?;

        let (to_drop, lead_in) = align(step, phases, taps, table_phases);
        Ok(Self {
            output: vec![0.0; filter.output_frames_max()],
            filter,
            source_rate_hz,
            pending: vec![0.0; lead_in],
            to_drop,
            taken_in: 0,
            given_out: 0,
        })
    }

    /// Takes the next input samples, and appends to `out` what they complete.
    pub(super) fn push(&mut self, input: &[f64], out: &mut Vec<f32>) -> Result<(), String> {
        self.taken_in += input.len() as u64;
        self.pending.extend_from_slice(input);
        self.run_full_chunks(u64::MAX, out)
    }

    /// Ends the stream: appends the rest to `out`. Nothing may be pushed after it.
    pub(super) fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), String> {
        let total = output_len(self.taken_in, self.source_rate_hz);
        while self.given_out < total {
            let silence = self.filter.input_frames_next() - self.pending.len() % self.filter.input_frames_next();
            self.pending.resize(self.pending.len() + silence, 0.0);
            self.run_full_chunks(total, out)?;
        }
        Ok(())
    }

    fn run_full_chunks(&mut self, total: u64, out: &mut Vec<f32>) -> Result<(), String> {
        let chunk_len = self.filter.input_frames_next();
        let mut done = 0;
        while self.pending.len() - done >= chunk_len {
            let input = InterleavedSlice::new(&self.pending[..], 1, self.pending.len()).map_err(|e| e.to_string())?;
            let capacity = self.output.len();
            let mut output = InterleavedSlice::new_mut(&mut self.output[..], 1, capacity).map_err(|e| e.to_string())?;
            let from = Indexing::new().input_offset(done);
            let (consumed, produced) =
                self.filter.process_into_buffer(&input, &mut output, Some(&from)).map_err(|error| error.to_string())?;
            done += consumed;

            let dropped = produced.min(self.to_drop);
            self.to_drop -= dropped;
            let wanted = usize::try_from(total - self.given_out).unwrap_or(usize::MAX);
            let fresh = &self.output[dropped..produced];
            let fresh = &fresh[..fresh.len().min(wanted)];
            self.given_out += fresh.len() as u64;
            // A filter overshoots at a step from one extreme to the other; the engine's limit must hold all the same.
            out.extend(fresh.iter().map(|&sample| sample.clamp(-MAX_MAGNITUDE, MAX_MAGNITUDE) as f32));
        }
        self.pending.drain(..done);
        Ok(())
    }
}

/// How many samples at 16 kHz stand for `frames` at `rate_hz`: the nearest whole number, halves upwards.
pub(super) fn output_len(frames: u64, rate_hz: u32) -> u64 {
    let rate = u128::from(rate_hz);
    let exact = u128::from(frames) * u128::from(SAMPLE_RATE_HZ) * 2 + rate;
    u64::try_from(exact / (2 * rate)).unwrap_or(u64::MAX)
}

/// Finds how many output samples to drop, and how many zeros to feed first, so that the output sample after the dropped
/// ones is the signal at the first input sample, with no fraction of a sample between them.
///
/// rubato's output `k` is the signal at input position `(k + 1) · step / phases − taps / 2 + 1 / table_phases`, as
/// follows from `InnerSinc::init_last_index`, `make_sincs` and `InnerResampler::process` of rubato 5.0.1. Its own
/// `output_delay` is rounded to a whole output sample, which is up to 60 µs off.
fn align(step: usize, phases: usize, taps: usize, table_phases: usize) -> (usize, usize) {
    let step_ratio = step as f64 / phases as f64;
    // The position of output `drop` before zeros are fed; as many zeros are needed.
    let position = |drop: usize| (drop + 1) as f64 * step_ratio - (taps / 2) as f64 + 1.0 / table_phases as f64;
    let fraction = |drop: usize| (position(drop) - position(drop).round()).abs();
    let first = (taps as f64 / 2.0 / step_ratio).ceil() as usize;
    // The fractions repeat after `phases` outputs, and one of them is 0: `step` and `phases` share no factor, and
    // `table_phases` divides `phases`.
    let best = (first..first + phases).min_by(|&a, &b| fraction(a).total_cmp(&fraction(b))).unwrap_or(first);
    (best, position(best).round().max(0.0) as usize)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests;
