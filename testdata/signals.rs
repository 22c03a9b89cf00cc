//! Sounds that are not speech, as endless streams of 16 kHz samples: the same for the same seed. Shared by the tests of the
//! component and of the host, which include this file.
#![allow(dead_code)] // Each of them uses a part of it.

use std::f64::consts::TAU;

/// Samples per second of every signal.
pub(crate) const SAMPLE_RATE_HZ: u32 = 16_000;

/// A small generator (xorshift64*), so that every run sees the same numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// A sequence of its own for every seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 up to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From `low` up to `high`.
    pub(crate) fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// An index below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// White and nearly normal, with variance 1: a sum of four uniform numbers.
    pub(crate) fn noise(&mut self) -> f32 {
        let bits = self.next();
        let sum: u32 = (0..4).map(|part| (bits >> (16 * part)) as u32 & 0xffff).sum();
        (sum as f32 - 131_070.0) * (1.732_050_8 / 65_536.0)
    }
}

/// The amplitude of so many decibels of full scale.
pub(crate) fn amplitude(level_db: f64) -> f32 {
    10f64.powf(level_db / 20.0) as f32
}

/// An endless stream of samples.
pub(crate) type Signal = Box<dyn Iterator<Item = f32>>;

/// Nothing.
pub(crate) fn zeros() -> Signal {
    Box::new(std::iter::repeat(0.0))
}

/// Equal power at all frequencies; `rms_db` of full scale.
pub(crate) fn white_noise(seed: u64, rms_db: f64) -> Signal {
    let mut random = Random::new(seed);
    let scale = amplitude(rms_db);
    Box::new(std::iter::repeat_with(move || (random.noise() * scale).clamp(-1.0, 1.0)))
}

/// Equal power in all octaves, by Kellet's filter of white noise (`pk3`, musicdsp.org, 1999).
pub(crate) fn pink_noise(seed: u64, rms_db: f64) -> Signal {
    const POLES: [(f32, f32); 6] = [
        (0.998_86, 0.055_517_9),
        (0.993_32, 0.075_075_9),
        (0.969, 0.153_852),
        (0.866_5, 0.310_485_6),
        (0.55, 0.532_952_2),
        (-0.761_6, -0.016_898),
    ];
    /// Of what the filter makes of noise of variance 1.
    const RMS: f32 = 3.05;
    let mut random = Random::new(seed);
    let scale = amplitude(rms_db) / RMS;
    let mut states = [0.0f32; 6];
    let mut delayed = 0.0;
    Box::new(std::iter::repeat_with(move || {
        let white = random.noise();
        let mut sum = delayed + white * 0.536_2;
        for (state, (pole, gain)) in states.iter_mut().zip(POLES) {
            *state = pole * *state + gain * white;
            sum += *state;
        }
        delayed = white * 0.115_926;
        (sum * scale).clamp(-1.0, 1.0)
    }))
}

/// What mains make: 50 Hz and harmonics of it that fall off, with a little noise below; `rms_db` of full scale.
pub(crate) fn hum_50_hz(seed: u64, rms_db: f64) -> Signal {
    let mut random = Random::new(seed);
    // One period of 320 samples, with odd harmonics stronger than even ones.
    let mut period = vec![0.0f64; 320];
    for harmonic in 1..=24u32 {
        let strength = random.within(0.5, 1.5) / f64::from(harmonic) * if harmonic % 2 == 1 { 1.0 } else { 0.4 };
        let phase = random.within(0.0, TAU);
        for (at, value) in period.iter_mut().enumerate() {
            *value += strength * (TAU * f64::from(harmonic) * at as f64 / 320.0 + phase).sin();
        }
    }
    let power = period.iter().map(|x| x * x).sum::<f64>() / 320.0;
    let scale = f64::from(amplitude(rms_db)) / power.sqrt();
    let period: Vec<f32> = period.iter().map(|x| (x * scale) as f32).collect();
    let hiss = amplitude(rms_db - 40.0);
    let mut at = random.below(320);
    Box::new(std::iter::repeat_with(move || {
        at = (at + 1) % 320;
        (period[at] + hiss * random.noise()).clamp(-1.0, 1.0)
    }))
}

/// How an instrument sounds.
struct Instrument {
    /// Power of the harmonics falls with their number to the power of minus this.
    tilt: f64,
    /// Strength of the even harmonics.
    even: f64,
    attack_seconds: f64,
    /// To a half, while the note is held; infinite for what is blown or bowed.
    half_life_seconds: f64,
    /// The harmonics above the second die so many times faster.
    dulling: f64,
    release_seconds: f64,
    vibrato_cents: f64,
    tremolo: f64,
    /// Lowest and highest note, as MIDI numbers.
    range: (i32, i32),
}

const ORGAN: Instrument = Instrument {
    tilt: 1.5,
    even: 1.0,
    attack_seconds: 0.02,
    half_life_seconds: f64::INFINITY,
    dulling: 1.0,
    release_seconds: 0.06,
    vibrato_cents: 0.0,
    tremolo: 0.0,
    range: (36, 84),
};
const PIANO: Instrument = Instrument {
    tilt: 2.2,
    attack_seconds: 0.004,
    half_life_seconds: 0.5,
    dulling: 3.0,
    release_seconds: 0.12,
    ..ORGAN
};
const GUITAR: Instrument = Instrument {
    tilt: 1.6,
    even: 0.8,
    attack_seconds: 0.002,
    half_life_seconds: 0.25,
    dulling: 4.0,
    release_seconds: 0.08,
    vibrato_cents: 4.0,
    range: (40, 76),
    ..ORGAN
};
const FLUTE: Instrument =
    Instrument { tilt: 4.0, attack_seconds: 0.06, vibrato_cents: 15.0, tremolo: 0.15, range: (60, 91), ..ORGAN };
const CLARINET: Instrument = Instrument { tilt: 1.8, even: 0.1, attack_seconds: 0.04, range: (50, 86), ..ORGAN };
const STRINGS: Instrument = Instrument {
    tilt: 2.0,
    attack_seconds: 0.12,
    release_seconds: 0.2,
    vibrato_cents: 25.0,
    tremolo: 0.1,
    range: (43, 88),
    ..ORGAN
};
const MARIMBA: Instrument =
    Instrument { tilt: 5.0, even: 0.05, half_life_seconds: 0.12, dulling: 2.0, range: (48, 90), ..PIANO };
/// The test tone, the microwave oven.
const SINE: Instrument =
    Instrument { tilt: 60.0, even: 0.0, attack_seconds: 0.01, release_seconds: 0.01, range: (45, 96), ..ORGAN };

const INSTRUMENTS: [Instrument; 8] = [PIANO, GUITAR, ORGAN, FLUTE, CLARINET, STRINGS, MARIMBA, SINE];

/// Samples of one period that a voice is read from.
const TABLE: usize = 2048;

/// A note that sounds: two tables of one period, of which the brighter fades faster.
struct Voice {
    tables: [Vec<f32>; 2],
    levels: [f32; 2],
    decays: [f32; 2],
    phase: f32,
    step: f32,
    envelope: f32,
    attack_step: f32,
    release_step: f32,
    held_samples: u32,
    vibrato_phase: f32,
    vibrato_depth: f32,
    tremolo: f32,
}

impl Voice {
    fn new(instrument: &Instrument, midi: i32, gain: f64, seconds: f64, random: &mut Random) -> Self {
        let rate = f64::from(SAMPLE_RATE_HZ);
        let hz = 440.0 * 2f64.powf((f64::from(midi - 69) + random.within(-0.05, 0.05)) / 12.0);
        let mut tables = [vec![0.0f32; TABLE], vec![0.0f32; TABLE]];
        for harmonic in 1..=((7000.0 / hz) as usize).clamp(1, 24) {
            let strength = gain * (harmonic as f64).powf(-instrument.tilt / 2.0);
            let strength = strength * if harmonic % 2 == 0 { instrument.even } else { 1.0 };
            if strength < gain * 1e-4 {
                continue;
            }
            // By rotation: a sine by the library for each value would take most of the time.
            let (sin, cos) = (TAU * harmonic as f64 / TABLE as f64).sin_cos();
            let (mut y, mut x) = random.within(0.0, TAU).sin_cos();
            for value in &mut tables[usize::from(harmonic > 2)] {
                *value += (strength * y) as f32;
                (x, y) = (x * cos - y * sin, x * sin + y * cos);
            }
        }
        let decay = |speed: f64| 0.5f64.powf(speed / (instrument.half_life_seconds * rate)) as f32;
        Self {
            tables,
            levels: [1.0; 2],
            decays: [decay(1.0), decay(instrument.dulling)],
            phase: 0.0,
            step: (hz / rate) as f32 * TABLE as f32,
            envelope: 0.0,
            attack_step: (1.0 / (instrument.attack_seconds * rate)) as f32,
            release_step: (1.0 / (instrument.release_seconds * rate)) as f32,
            held_samples: (seconds * rate) as u32,
            vibrato_phase: 0.0,
            vibrato_depth: (2f64.powf(instrument.vibrato_cents / 1200.0) - 1.0) as f32,
            tremolo: instrument.tremolo as f32,
        }
    }

    /// The next sample, or `None` once the note is over.
    fn next(&mut self) -> Option<f32> {
        if self.held_samples > 0 {
            self.held_samples -= 1;
            self.envelope = (self.envelope + self.attack_step).min(1.0);
        } else {
            self.envelope -= self.release_step;
        }
        if self.envelope <= 0.0 || self.levels[0] < 1e-3 {
            return None;
        }
        // A triangle five and a half times a second is near enough to how players shake.
        self.vibrato_phase = (self.vibrato_phase + 5.5 / SAMPLE_RATE_HZ as f32).fract();
        let shake = 4.0 * (self.vibrato_phase - 0.5).abs() - 1.0;
        self.phase = (self.phase + self.step * (1.0 + self.vibrato_depth * shake)) % TABLE as f32;
        let (at, part) = (self.phase as usize % TABLE, self.phase.fract());
        let mut sum = 0.0;
        for ((table, level), decay) in self.tables.iter().zip(&mut self.levels).zip(self.decays) {
            sum += *level * (table[at] + part * (table[(at + 1) % TABLE] - table[at]));
            *level *= decay;
        }
        Some(sum * self.envelope * (1.0 + self.tremolo * shake))
    }
}

/// Melodies and chords on changing instruments, with onsets, decays, vibrato and rests, at changing levels from −60 to
/// −6 dBFS.
pub(crate) fn music_like_tones(seed: u64) -> Signal {
    let mut random = Random::new(seed);
    let mut voices: Vec<Voice> = Vec::new();
    let mut until_next = 0u32;
    let mut notes_left = 0;
    let (mut instrument, mut beat_seconds, mut level, mut chords, mut root, mut degree) =
        (0, 0.5, 0.1, false, 60, 0i32);
    const SCALE: [i32; 7] = [0, 2, 4, 5, 7, 9, 11];
    Box::new(std::iter::repeat_with(move || {
        if until_next == 0 {
            if notes_left == 0 {
                notes_left = 16 + random.below(48);
                instrument = random.below(INSTRUMENTS.len());
                beat_seconds = 60.0 / random.within(60.0, 160.0);
                level = f64::from(amplitude(random.within(-56.0, -10.0)));
                chords = random.below(3) == 0;
                let (low, high) = INSTRUMENTS[instrument].range;
                root = low + 5 + random.below((high - low - 16) as usize) as i32;
            }
            notes_left -= 1;
            let beats = [0.25, 0.5, 0.5, 1.0, 1.0, 2.0][random.below(6)];
            let seconds = beats * beat_seconds;
            until_next = (seconds * f64::from(SAMPLE_RATE_HZ)) as u32;
            degree = (degree + random.below(7) as i32 - 3).clamp(-4, 9);
            let pitch = |degree: i32| root + 12 * degree.div_euclid(7) + SCALE[degree.rem_euclid(7) as usize];
            if random.below(8) != 0 {
                let loudness = level * random.within(0.5, 1.2);
                let held = seconds * random.within(0.6, 1.05);
                let count = if chords { 2 + random.below(3) } else { 1 };
                for third in 0..count {
                    let midi = pitch(degree + 2 * third as i32);
                    let gain = loudness / (count as f64).sqrt();
                    voices.push(Voice::new(&INSTRUMENTS[instrument], midi, gain, held, &mut random));
                }
            }
        }
        until_next -= u32::from(until_next > 0);
        let mut sum = 0.0;
        voices.retain_mut(|voice| {
            let sample = voice.next();
            sum += sample.unwrap_or(0.0);
            sample.is_some()
        });
        sum.clamp(-1.0, 1.0)
    }))
}

/// Noise whose loudness swings as often as syllables do, 2 to 8 times a second.
pub(crate) fn modulated_noise(seed: u64, rms_db: f64) -> Signal {
    let mut random = Random::new(seed);
    let scale = amplitude(rms_db);
    let (mut phase, mut hz) = (0.0, 4.0);
    Box::new(std::iter::repeat_with(move || {
        phase += hz / f64::from(SAMPLE_RATE_HZ);
        if phase >= 1.0 {
            phase -= 1.0;
            hz = random.within(2.0, 8.0);
        }
        // Of RMS 1.
        let swing = ((1.0 - (TAU * phase).cos()) / 1.5f64.sqrt()) as f32;
        (scale * swing * random.noise()).clamp(-1.0, 1.0)
    }))
}

/// Fans and machines that go on and off every few seconds: noise of several colours that starts at once, from −50 to −10 dBFS,
/// in a room at −60 dBFS.
pub(crate) fn starting_noise(seed: u64) -> Signal {
    let mut random = Random::new(seed);
    let room = amplitude(-60.0);
    let (mut left, mut runs, mut level, mut smooth, mut value) = (48_000u32, false, 0.0f32, 1.0f32, 0.0f32);
    Box::new(std::iter::repeat_with(move || {
        if left == 0 {
            left = 32_000 + random.below(80_000) as u32;
            runs = !runs;
            level = if runs { amplitude(random.within(-50.0, -10.0)) } else { 0.0 };
            smooth = [1.0, 0.5, 0.2, 0.1][random.below(4)];
        }
        left -= 1;
        value += smooth * (random.noise() - value);
        // The filter leaves smooth / (2 − smooth) of the power.
        let noise = value * ((2.0 - smooth) / smooth).sqrt();
        (level * noise + room * random.noise()).clamp(-1.0, 1.0)
    }))
}

/// Wind in a microphone: noise below some 300 Hz in gusts.
pub(crate) fn wind(seed: u64, rms_db: f64) -> Signal {
    let mut random = Random::new(seed);
    let scale = amplitude(rms_db) * 6.3;
    let (mut low, mut lower, mut gust, mut target) = (0.0f32, 0.0f32, 0.0f32, 1.0f32);
    Box::new(std::iter::repeat_with(move || {
        if random.below(8000) == 0 {
            target = random.within(0.05, 2.0) as f32;
        }
        gust += (target - gust) * 2e-4;
        low += 0.08 * (random.noise() - low);
        lower += 0.08 * (low - lower);
        (scale * gust * lower).clamp(-1.0, 1.0)
    }))
}

/// Keys, clicks and doors: bursts of noise of 2 to 400 ms that die away, over a quiet room.
pub(crate) fn bursts(seed: u64, peak_db: f64) -> Signal {
    let mut random = Random::new(seed);
    let scale = amplitude(peak_db);
    let room = amplitude(peak_db - 50.0);
    let (mut level, mut decay, mut smooth, mut value) = (0.0f32, 0.99f32, 1.0f32, 0.0f32);
    Box::new(std::iter::repeat_with(move || {
        if random.below(8000) == 0 {
            let seconds = 0.002 * 200f64.powf(random.unit());
            decay = (-6.9 / (seconds * f64::from(SAMPLE_RATE_HZ))).exp() as f32;
            level = random.within(0.1, 1.0) as f32;
            // Doors are dull, keys are bright.
            smooth = if seconds > 0.1 { 0.1 } else { 1.0 };
        }
        level *= decay;
        value += smooth * (random.noise() - value);
        (0.3 * scale * level * value / smooth.sqrt() + room * random.noise()).clamp(-1.0, 1.0)
    }))
}

/// Full-scale samples by themselves in digital silence, some of them close together.
pub(crate) fn isolated_samples(seed: u64) -> Signal {
    let mut random = Random::new(seed);
    let mut crowd = 4000;
    Box::new(std::iter::repeat_with(move || {
        if random.below(16_000) == 0 {
            crowd = [100, 1000, 20_000][random.below(3)];
        }
        if random.below(crowd) == 0 { random.within(-1.0, 1.0) as f32 } else { 0.0 }
    }))
}

/// The last bit of 16, at random, and a constant offset.
pub(crate) fn dither(seed: u64, offset: f32) -> Signal {
    let mut random = Random::new(seed);
    Box::new(std::iter::repeat_with(move || offset + (random.below(3) as f32 - 1.0) / 32_768.0))
}

/// Many voices at once: `clip` with itself at eight places, forever. The level is that of the clip.
pub(crate) fn babble(seed: u64, clip: &[f32]) -> Signal {
    const VOICES: usize = 8;
    let mut random = Random::new(seed);
    let clip = clip.to_vec();
    let mut places: Vec<usize> = (0..VOICES).map(|_| random.below(clip.len())).collect();
    Box::new(std::iter::repeat_with(move || {
        let mut sum = 0.0;
        for place in &mut places {
            *place = (*place + 1) % clip.len();
            sum += clip[*place];
        }
        sum / (VOICES as f32).sqrt()
    }))
}

/// Root mean square of the samples that are within 30 dB of the loudest 20 ms: of the speech in a clip with pauses.
pub(crate) fn active_rms(samples: &[f32]) -> f32 {
    let powers: Vec<f32> = samples.chunks(320).map(|part| part.iter().map(|x| x * x).sum::<f32>() / 320.0).collect();
    let loudest = powers.iter().copied().fold(0.0, f32::max);
    let active: Vec<f32> = powers.into_iter().filter(|&power| power > loudest * 1e-3).collect();
    (active.iter().sum::<f32>() / active.len().max(1) as f32).sqrt()
}

/// Adds noise of RMS 1 · 10^(`noise_rms_db` / 20) to the clip so that speech is `snr_db` above it.
pub(crate) fn mix(clip: &[f32], noise: Signal, noise_rms_db: f64, snr_db: f64) -> Vec<f32> {
    let gain = active_rms(clip) / amplitude(noise_rms_db + snr_db);
    clip.iter().zip(noise).map(|(sample, noise)| sample + gain * noise).collect()
}

/// The samples `gain_db` louder, clipped at full scale.
pub(crate) fn with_gain(samples: &[f32], gain_db: f64) -> Vec<f32> {
    let gain = amplitude(gain_db);
    samples.iter().map(|sample| (sample * gain).clamp(-1.0, 1.0)).collect()
}
