//! Speech and what is not speech, an hour of each kind, heard by the detector that needs no model.
//!
//! Recordings of people are beside the repository; where they are absent, only the one in `testdata` is heard, except in CI.

#[path = "../../testdata/signals.rs"]
mod signals;

use std::path::{Path, PathBuf};

use auricle_component::vad::HOP_SAMPLES;
use auricle_component::vad::energy::EnergyDetector;
use signals::{SAMPLE_RATE_HZ, Signal, mix, with_gain};

const HOP_MS: usize = HOP_SAMPLES * 1000 / SAMPLE_RATE_HZ as usize;
/// Speech that is shorter is none.
const MINIMUM_SPEECH_HOPS: usize = 6;
/// Silence that ends a segment: 512 ms.
const MINIMUM_SILENCE_HOPS: usize = 16;

/// Speech from the first to before the second, in hops.
type Segment = (usize, usize);

/// The simplest rules that make segments of scores.
fn segments(scores: impl IntoIterator<Item = f32>) -> Vec<Segment> {
    let mut found = Vec::new();
    // The first hop of speech, and the first after the last.
    let (mut speech, mut start, mut end, mut hops) = (false, 0, 0, 0);
    for score in scores {
        match (speech, score) {
            (false, 0.5..) => {
                if end != hops {
                    start = hops;
                }
                end = hops + 1;
                speech = end - start >= MINIMUM_SPEECH_HOPS;
            }
            (true, 0.35..) => end = hops + 1,
            (true, _) if hops + 1 - end >= MINIMUM_SILENCE_HOPS => {
                found.push((start, end));
                speech = false;
            }
            _ => {}
        }
        hops += 1;
    }
    if speech {
        found.push((start, end));
    }
    found
}

/// Scores of a stream, as they come.
fn scores(samples: impl IntoIterator<Item = f32>) -> impl Iterator<Item = f32> {
    let mut samples = samples.into_iter();
    let mut detector = EnergyDetector::new();
    std::iter::from_fn(move || {
        let mut hop = [0.0; HOP_SAMPLES];
        for value in &mut hop {
            *value = samples.next()?;
        }
        Some(detector.process(&hop))
    })
}

struct Clip {
    name: String,
    samples: Vec<f32>,
}

fn read(path: &Path) -> Clip {
    let mut reader = hound::WavReader::open(path).expect("a WAV file");
    assert_eq!((reader.spec().sample_rate, reader.spec().channels), (SAMPLE_RATE_HZ, 1), "{}", path.display());
    let samples = reader.samples::<i16>().map(|sample| f32::from(sample.expect("a sample")) / 32_768.0).collect();
    Clip { name: path.file_stem().expect("a name").to_string_lossy().into_owned(), samples }
}

/// Recordings of people, in order of their names.
fn clips() -> Vec<Clip> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let beside = root.join("../shared/audio");
    let mut paths: Vec<PathBuf> = match std::fs::read_dir(&beside) {
        Ok(entries) => entries.map(|entry| entry.expect("an entry").path()).collect(),
        Err(_) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{} must be there in CI", beside.display());
            println!("there is no {}; only one recording is heard", beside.display());
            vec![root.join("testdata/jfk.wav")]
        }
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wav"));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// Where there is speech in a recording without noise, by its energy alone: hops within 30 dB of the loudest.
fn loud(clip: &Clip) -> Vec<Segment> {
    let powers: Vec<f32> =
        clip.samples.chunks_exact(HOP_SAMPLES).map(|hop| hop.iter().map(|sample| sample * sample).sum()).collect();
    let loudest = powers.iter().copied().fold(0.0, f32::max);
    segments(powers.iter().map(|&power| if power > loudest * 1e-3 { 1.0 } else { 0.0 }))
}

/// Recorded where it was quiet.
fn quiet_clips() -> impl Iterator<Item = Clip> {
    clips().into_iter().filter(|clip| !clip.name.starts_with("vb_noisy"))
}

/// What became of the speech in recordings.
#[derive(Default)]
struct Outcome {
    segments: usize,
    missed: Vec<String>,
    /// From the beginning of speech to where it was found to begin, of every segment.
    late_ms: Vec<usize>,
    false_segments: usize,
    covered_hops: usize,
    speech_hops: usize,
}

impl Outcome {
    fn add(&mut self, clip: &Clip, found: &[Segment]) {
        /// What is transcribed besides: before the segment, and after it.
        const ROLL_HOPS: (usize, usize) = (8, 2);
        let wanted = loud(clip);
        for &(start, end) in &wanted {
            self.segments += 1;
            match found.iter().find(|found| found.0 < end && found.1 > start) {
                Some(found) => self.late_ms.push(found.0.saturating_sub(start) * HOP_MS),
                None => self.missed.push(format!("{} at {} ms", clip.name, start * HOP_MS)),
            }
            self.speech_hops += end - start;
            let rolled = |hop: usize| {
                found.iter().any(|found| (found.0.saturating_sub(ROLL_HOPS.0)..found.1 + ROLL_HOPS.1).contains(&hop))
            };
            self.covered_hops += (start..end).filter(|&hop| rolled(hop)).count();
        }
        self.false_segments +=
            found.iter().filter(|found| !wanted.iter().any(|wanted| found.0 < wanted.1 && found.1 > wanted.0)).count();
        self.late_ms.sort_unstable();
    }

    /// So many percent of the segments began to be found no later than this.
    fn late_ms(&self, percent: usize) -> usize {
        self.late_ms[(self.late_ms.len() - 1) * percent / 100]
    }

    fn covered(&self) -> f64 {
        self.covered_hops as f64 / self.speech_hops as f64
    }

    fn print(&self, condition: &str) {
        println!(
            "{condition:>16}: {} segments, {} missed, {} false, late by {}/{}/{} ms (median, 90 %, most), {:.1} % of speech kept",
            self.segments,
            self.missed.len(),
            self.false_segments,
            self.late_ms(50),
            self.late_ms(90),
            self.late_ms(100),
            100.0 * self.covered(),
        );
    }
}

#[test]
fn speech_is_found_in_quiet_at_every_gain_and_its_onset_within_the_preroll() {
    for gain_db in [-30, -12, 0, 6] {
        let mut outcome = Outcome::default();
        for clip in quiet_clips() {
            outcome.add(&clip, &segments(scores(with_gain(&clip.samples, f64::from(gain_db)))));
        }
        outcome.print(&format!("gain {gain_db} dB"));
        assert!(outcome.missed.is_empty(), "missed with {gain_db} dB: {:?}", outcome.missed);
        assert!(outcome.late_ms(90) <= 100 && outcome.late_ms(100) <= 320, "late with {gain_db} dB");
        assert!(outcome.covered() > 0.99 && outcome.false_segments <= 1, "with {gain_db} dB");
    }
}

#[test]
fn speech_is_found_in_noise() {
    let babble: Vec<f32> = clips()
        .iter()
        .flat_map(|clip| with_gain(&clip.samples, -20.0 * f64::from(signals::active_rms(&clip.samples)).log10()))
        .collect();
    for (snr_db, least_covered) in [(20, 0.98), (10, 0.96), (5, 0.9)] {
        for kind in ["white", "pink", "babble"] {
            let mut outcome = Outcome::default();
            for (seed, clip) in (40..).zip(quiet_clips()) {
                let noise: Signal = match kind {
                    "white" => signals::white_noise(seed, -30.0),
                    "pink" => signals::pink_noise(seed, -30.0),
                    _ => Box::new(signals::babble(seed, &babble).map(|sample| sample * signals::amplitude(-30.0))),
                };
                outcome.add(&clip, &segments(scores(mix(&clip.samples, noise, -30.0, f64::from(snr_db)))));
            }
            outcome.print(&format!("{kind} {snr_db} dB"));
            assert!(outcome.missed.len() * 100 <= outcome.segments, "missed: {:?}", outcome.missed);
            assert!(outcome.covered() > least_covered, "{kind} {snr_db} dB: {}", outcome.covered());
        }
    }
}

#[test]
fn a_pause_is_found_between_two_stretches_of_speech() {
    let jfk = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/jfk.wav"));
    for noise_db in [-90.0, -55.0] {
        let noise = signals::pink_noise(5, noise_db);
        let pause = vec![0.0; SAMPLE_RATE_HZ as usize];
        let twice =
            jfk.samples.iter().chain(&pause).chain(&jfk.samples).zip(noise).map(|(sample, noise)| sample + noise);
        let found = segments(scores(twice));
        let (end, start) = (jfk.samples.len() / HOP_SAMPLES, (jfk.samples.len() + pause.len()) / HOP_SAMPLES);
        assert!(found.iter().all(|found| found.1 <= end + 8 || found.0 + 4 >= start), "{noise_db} dB: {found:?}");
        assert!(found.iter().any(|found| found.1 <= end + 8) && found.last().expect("speech").1 > start + 250);
    }
}

/// Segments that are found in an hour.
fn segments_in_an_hour(signal: Signal) -> Vec<Segment> {
    segments(scores(signal.take(3600 * SAMPLE_RATE_HZ as usize)))
}

#[test]
fn an_hour_of_silence_noise_or_hum_has_no_speech_from_its_first_sample_on() {
    let kinds: [(&str, Signal); 8] = [
        ("zeros", signals::zeros()),
        ("the last bit and an offset", signals::dither(1, 0.1)),
        ("white noise, soft", signals::white_noise(301, -60.0)),
        ("white noise, loud", signals::white_noise(302, -12.0)),
        ("pink noise, soft", signals::pink_noise(303, -60.0)),
        ("pink noise, loud", signals::pink_noise(304, -15.0)),
        ("hum, soft", signals::hum_50_hz(305, -50.0)),
        ("hum, loud", signals::hum_50_hz(306, -9.0)),
    ];
    for (kind, signal) in kinds {
        assert_eq!(segments_in_an_hour(signal), [], "{kind}");
    }
}

#[test]
fn an_hour_of_sounds_that_come_and_go_has_little_speech() {
    let kinds: [(&str, Signal, usize); 6] = [
        ("music-like tones", signals::music_like_tones(401), 90),
        ("swinging noise", signals::modulated_noise(402, -30.0), 2),
        ("wind", signals::wind(403, -25.0), 12),
        ("bursts", signals::bursts(404, -6.0), 8),
        ("isolated samples", signals::isolated_samples(405), 12),
        ("machines", signals::starting_noise(406), 6),
    ];
    for (kind, signal, most) in kinds {
        let found = segments_in_an_hour(signal);
        let hops: usize = found.iter().map(|found| found.1 - found.0).sum();
        println!("{kind}: {} segments an hour, {} s of them", found.len(), hops * HOP_MS / 1000);
        assert!(found.len() <= most, "{kind}: {}", found.len());
    }
}

#[test]
fn a_hum_or_noise_whose_level_steps_is_not_speech() {
    let second = SAMPLE_RATE_HZ as usize;
    for step_db in [-40.0, -20.0, -6.0] {
        for (kind, signal) in [("hum", signals::hum_50_hz(7, -20.0)), ("noise", signals::white_noise(8, -20.0))] {
            let gains = [signals::amplitude(step_db), 1.0];
            let stepped = (0..60 * second).zip(signal).map(|(at, sample)| sample * gains[at / (4 * second) % 2]);
            assert_eq!(segments(scores(stepped)), [], "{kind} by {step_db} dB");
        }
    }
}
