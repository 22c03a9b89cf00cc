//! What is measured of one hop, against the floor and against the hops before: nothing here knows what speech is.

use super::floor::LOWEST_POWER;
use super::math::log2;
use super::spectrum::{BIN_HZ, BINS, FRAME_SAMPLES, Spectrum};

/// Edges of the bands, in Hz: about one critical band each (Zwicker, 1961), from the lowest voice to the highest fricative.
const BAND_EDGES_HZ: [f32; BANDS + 1] = [
    80.0, 180.0, 280.0, 380.0, 490.0, 610.0, 740.0, 880.0, 1040.0, 1220.0, 1430.0, 1670.0, 1950.0, 2280.0, 2670.0,
    3130.0, 3680.0, 4350.0, 5300.0, 7000.0,
];
const BANDS: usize = 19;
/// The loudest bands that tell whether there is anything at all: a vowel far off has its first formants only.
const LOUDEST_BANDS: usize = 4;

/// Floors that are taken off before structure is sought in what is left (over-subtraction: Berouti, Schwartz and Makhoul,
/// 1979): single bins of noise rise far above its mean.
const OVER_SUBTRACTION: f32 = 2.5;

/// Bins whose fine structure is looked at, 94 to 3500 Hz: where voices have harmonics that 64 ms can tell apart.
const FINE_BINS: std::ops::Range<usize> = 6..224;
/// Those in which a common spacing is sought, up to 3200 Hz.
const COMB_BINS: std::ops::Range<usize> = 6..205;
/// The mean over so many bins on either side, 94 Hz, is the envelope that is taken off.
const ENVELOPE_REACH_BINS: usize = 6;
/// Periods of voices, in samples: 421 down to 70 Hz.
const PERIOD_SAMPLES: std::ops::Range<usize> = 38..228;
/// Octaves by which the pitch of a voice may move in 32 ms and still go on.
const PITCH_STEP_OCTAVES: f32 = 0.2;

/// Where the purity of the spectrum is measured, 94 to 4000 Hz.
const SPARSENESS_BINS: std::ops::Range<usize> = 6..256;

/// Hops whose fine structure is kept.
const HISTORY_HOPS: usize = 9;
/// Hops after which a frame shares no sample with this one.
const NEXT_FRAME_HOPS: usize = 2;
/// Hops among which the most alike is sought, 128 to 256 ms: one period of vibrato is in there.
const LATER_HOPS: std::ops::Range<usize> = 4..9;

/// Parts of a frame, of 2 ms each, whose energies are compared.
const PARTS: usize = 32;
/// A part counts if it has this share of the loudest one's energy.
const PART_SHARE: f32 = 0.03;

/// What there is to say about one hop. Ratios of powers are in dB.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Measures {
    /// Power over the floor, the mean of all bands, each between 0 and 30 dB.
    pub(super) mean_snr_db: f32,
    /// The same of the loudest four bands.
    pub(super) top_snr_db: f32,
    /// How alike the fine structure is to that of the frame before, −1..=1: 1 for tones that stay.
    pub(super) alike_next: f32,
    /// The same, of the frame 128 ms earlier.
    pub(super) alike_later: f32,
    /// The same, of the most alike frame 128 to 256 ms earlier.
    pub(super) alike_latest: f32,
    /// How far the bands' levels have moved in 64 ms, their mean, each at most 20 dB.
    pub(super) flux_db: f32,
    /// 1 if all bins from 94 to 4000 Hz are above the floor alike, towards 0 if a few of them have all the power.
    pub(super) sparseness: f32,
    /// Share of the 2 ms parts of the frame that carry its energy, 0..=1.
    pub(super) occupancy: f32,
    /// Power of 3.7 to 7.5 kHz over that of 0.1 to 2 kHz.
    pub(super) high_over_low_db: f32,
    /// How well equally spaced peaks explain the fine structure, 0..=1.
    pub(super) harmonicity: f32,
    /// 1 if their spacing is that of the hop before, 0 if it is [`PITCH_STEP_OCTAVES`] away or more.
    pub(super) continuity: f32,
}

/// What measuring needs to remember of earlier hops.
pub(super) struct Meter {
    /// Fourth roots of what is above the floor, without their envelope; the newest at `newest`.
    fine: Box<[[f32; BINS]; HISTORY_HOPS]>,
    band_levels_db: [[f32; BANDS]; NEXT_FRAME_HOPS + 1],
    newest: usize,
    hops: usize,
    /// In samples; 0 before there was any.
    period: usize,
    excess: Box<[f32; BINS]>,
    scratch: Box<[f32; BINS]>,
    lags: Box<[f32; BINS]>,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            fine: Box::new([[0.0; BINS]; HISTORY_HOPS]),
            band_levels_db: [[0.0; BANDS]; NEXT_FRAME_HOPS + 1],
            newest: 0,
            hops: 0,
            period: 0,
            excess: Box::new([0.0; BINS]),
            scratch: Box::new([0.0; BINS]),
            lags: Box::new([0.0; BINS]),
        }
    }

    pub(super) fn reset(&mut self) {
        *self.fine = [[0.0; BINS]; HISTORY_HOPS];
        (self.newest, self.hops, self.period) = (0, 0, 0);
    }

    /// Measures a hop: the frame `[old, new]` that it ends, that frame's power and the floor.
    pub(super) fn measure(
        &mut self,
        [old, new]: [&[f32; BINS]; 2],
        power: &[f32; BINS],
        floor: &[f32; BINS],
        spectrum: &mut Spectrum,
    ) -> Measures {
        for ((excess, &power), &floor) in self.excess.iter_mut().zip(power).zip(floor) {
            *excess = (power - OVER_SUBTRACTION * floor).max(0.0);
        }
        self.newest = (self.newest + 1) % HISTORY_HOPS;
        self.write_fine_structure();
        let (mean_snr_db, top_snr_db, flux_db) = self.bands(power, floor);
        let (harmonicity, continuity) = self.comb(spectrum);
        let measures = Measures {
            mean_snr_db,
            top_snr_db,
            alike_next: self.alike(NEXT_FRAME_HOPS),
            alike_later: self.alike(LATER_HOPS.start),
            alike_latest: LATER_HOPS.fold(0.0, |most, hops| self.alike(hops).max(most)),
            flux_db,
            sparseness: self.sparseness(),
            occupancy: occupancy(old, new),
            high_over_low_db: high_over_low_db(power),
            harmonicity,
            continuity,
        };
        self.hops = (self.hops + 1).min(HISTORY_HOPS);
        measures
    }

    /// Mean and top signal-to-noise ratio, and flux.
    fn bands(&mut self, power: &[f32; BINS], floor: &[f32; BINS]) -> (f32, f32, f32) {
        self.band_levels_db.rotate_right(1);
        let mut snrs_db = [0.0; BANDS];
        for (band, snr_db) in snrs_db.iter_mut().enumerate() {
            let bins = bin_of(BAND_EDGES_HZ[band])..bin_of(BAND_EDGES_HZ[band + 1]);
            let signal: f32 = power[bins.clone()].iter().sum();
            let noise: f32 = floor[bins].iter().sum();
            *snr_db = decibels(signal / noise + 1e-9);
            self.band_levels_db[0][band] = decibels(signal + 30.0 * LOWEST_POWER);
        }
        let mean = snrs_db.iter().map(|snr_db| snr_db.clamp(0.0, 30.0)).sum::<f32>() / BANDS as f32;
        let flux = if self.hops < NEXT_FRAME_HOPS {
            0.0
        } else {
            let [now, .., before] = &self.band_levels_db;
            now.iter().zip(before).map(|(now, before)| (now - before).abs().min(20.0)).sum::<f32>() / BANDS as f32
        };
        snrs_db.sort_unstable_by(|a, b| b.total_cmp(a));
        let top = snrs_db[..LOUDEST_BANDS].iter().sum::<f32>() / LOUDEST_BANDS as f32;
        (mean, top, flux)
    }

    /// The fourth root makes strong and weak harmonics count nearly alike (as in Tolonen and Karjalainen, 2000), and taking
    /// the envelope off leaves the harmonics and not the formants.
    fn write_fine_structure(&mut self) {
        for (root, excess) in self.scratch.iter_mut().zip(&*self.excess) {
            *root = excess.sqrt().sqrt();
        }
        let fine = &mut self.fine[self.newest];
        const WIDTH: usize = 2 * ENVELOPE_REACH_BINS + 1;
        for bin in FINE_BINS {
            let near = &self.scratch[bin - ENVELOPE_REACH_BINS..][..WIDTH];
            fine[bin] = self.scratch[bin] - near.iter().sum::<f32>() / WIDTH as f32;
        }
    }

    /// Correlation of the fine structure with that of so many hops ago; 0 if there was none.
    fn alike(&self, hops: usize) -> f32 {
        if self.hops < hops {
            return 0.0;
        }
        let now = &self.fine[self.newest][FINE_BINS];
        let then = &self.fine[(self.newest + HISTORY_HOPS - hops) % HISTORY_HOPS][FINE_BINS];
        let (mut both, mut of_now, mut of_then) = (0.0, 0.0, 0.0);
        for (now, then) in now.iter().zip(then) {
            both += now * then;
            of_now += now * now;
            of_then += then * then;
        }
        both / (of_now * of_then).sqrt().max(1e-12)
    }

    /// Harmonicity and continuity. Autocorrelation of the fine structure is the cepstrum's peak (Noll, 1967) with another
    /// root for the logarithm, and so without its noise where there is no signal.
    fn comb(&mut self, spectrum: &mut Spectrum) -> (f32, f32) {
        self.scratch.fill(0.0);
        self.scratch[COMB_BINS].copy_from_slice(&self.fine[self.newest][COMB_BINS]);
        // What the sum would be at a period of which every bin has the right sign.
        let whole = 2.0 * self.scratch[COMB_BINS].iter().map(|value| value.abs()).sum::<f32>();
        spectrum.autocorrelation(&self.scratch, &mut self.lags);
        let (mut most, mut period) = (0.0, 0);
        for lag in PERIOD_SAMPLES {
            if self.lags[lag] > most {
                (most, period) = (self.lags[lag], lag);
            }
        }
        let before = std::mem::replace(&mut self.period, period);
        let continuity = if period > 0 && before > 0 {
            (1.0 - log2(period as f32 / before as f32).abs() / PITCH_STEP_OCTAVES).max(0.0)
        } else {
            0.0
        };
        (most / whole.max(1e-12), continuity)
    }

    /// (Σ a)² / n Σ a² of the amplitudes: 1 for equal ones, 1/n for one alone.
    fn sparseness(&self) -> f32 {
        let (mut amplitudes, mut powers) = (0.0, 0.0);
        for &excess in &self.excess[SPARSENESS_BINS] {
            amplitudes += excess.sqrt();
            powers += excess;
        }
        amplitudes * amplitudes / (SPARSENESS_BINS.len() as f32 * powers.max(1e-20))
    }
}

fn occupancy(old: &[f32; BINS], new: &[f32; BINS]) -> f32 {
    let mut energies = [0.0f32; PARTS];
    let parts = old.chunks_exact(FRAME_SAMPLES / PARTS).chain(new.chunks_exact(FRAME_SAMPLES / PARTS));
    for (energy, part) in energies.iter_mut().zip(parts) {
        *energy = part.iter().map(|sample| sample * sample).sum();
    }
    let least = PART_SHARE * energies.iter().copied().fold(0.0, f32::max);
    energies.iter().filter(|&&energy| energy > least).count() as f32 / PARTS as f32
}

fn high_over_low_db(power: &[f32; BINS]) -> f32 {
    let sum = |low_hz, high_hz| power[bin_of(low_hz)..bin_of(high_hz)].iter().sum::<f32>() + 1e-12;
    decibels(sum(3700.0, 7500.0) / sum(100.0, 2000.0))
}

/// The bin nearest to a frequency.
fn bin_of(hz: f32) -> usize {
    (hz / BIN_HZ + 0.5) as usize
}

/// 10 log₁₀ of a ratio of powers, which is a positive normal number.
fn decibels(ratio: f32) -> f32 {
    3.010_3 * log2(ratio)
}
