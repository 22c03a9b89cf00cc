//! Hours through the component in wasmtime: an hour of speech in changing noise, and hours of what is no speech.
//!
//! Needs the model files and samples that `cargo xtask test` installs in `AURICLE_HOME`, and the recordings beside the
//! repository. Where either is absent these tests skip, except in CI.

#[path = "../../testdata/signals.rs"]
mod signals;
mod support;

use std::path::Path;

use auricle::audio::read_all;
use auricle::types::{Event, Guards, Partials, Segment, SessionOptions, VoiceActivity};
use auricle::{Engine, Flavour, Model, SAMPLE_RATE_HZ, Session};
use signals::{Random, Signal};
use support::word_error::WordErrors;
use support::{model_path, shared_path};

const SECOND: usize = SAMPLE_RATE_HZ as usize;
const MINUTE: usize = 60 * SECOND;

fn model() -> Option<Model> {
    let engine = Engine::builder().flavour(Flavour::RelaxedSimd).build().expect("an engine");
    Some(engine.load_model(model_path("q8")?).expect("a model"))
}

/// A recording and what is said in it.
struct Clip {
    samples: Vec<f32>,
    said: String,
}

fn clips(folder: &Path) -> Vec<Clip> {
    let table = std::fs::read_to_string(folder.join("transcripts.tsv")).expect("a readable file");
    let clip = |line: &str| {
        let columns: Vec<_> = line.split('\t').collect();
        let samples = read_all(folder.join(columns[0])).expect("audio").0;
        Clip { samples, said: columns[columns.len() - 1].to_owned() }
    };
    table.lines().skip(1).map(clip).collect()
}

/// What a part of the hour is like: all clips once, with noise behind them and the pauses between them.
#[derive(Debug, Clone, Copy)]
struct Condition {
    /// Speech over noise, in dB; `None` for hardly any noise.
    snr_db: Option<f64>,
    gain_db: f64,
}

const CONDITIONS: [Condition; 6] = [
    Condition { snr_db: None, gain_db: 0.0 },
    Condition { snr_db: Some(20.0), gain_db: 3.0 },
    Condition { snr_db: Some(10.0), gain_db: -6.0 },
    Condition { snr_db: Some(5.0), gain_db: 0.0 },
    Condition { snr_db: None, gain_db: -18.0 },
    Condition { snr_db: Some(20.0), gain_db: -12.0 },
];

/// The level that clips are brought to, in dB below full scale, before the gain.
const SPEECH_DB: f64 = -23.0;

/// A clip as it sounds in the stream, and where it stands there.
struct Sounding<'a> {
    clip: &'a Clip,
    samples: Vec<f32>,
    start: usize,
}

/// A part of the stream: its samples, and the clips in them.
fn part<'a>(clips: &'a [Clip], condition: Condition, seed: u64, start: usize) -> (Vec<f32>, Vec<Sounding<'a>>) {
    let mut random = Random::new(seed);
    let noise_db = SPEECH_DB - condition.snr_db.unwrap_or(60.0);
    let mut noise =
        if seed.is_multiple_of(2) { signals::pink_noise(seed, noise_db) } else { signals::white_noise(seed, noise_db) };
    let gain = signals::amplitude(condition.gain_db);
    let (mut samples, mut sounding) = (Vec::new(), Vec::new());
    // The first pause is long: whoever adapts to noise needs a while.
    let mut pause = 3 * SECOND;
    for clip in clips {
        samples.extend(noise.by_ref().take(pause).map(|noise| gain * noise));
        let level = signals::amplitude(SPEECH_DB) / signals::active_rms(&clip.samples);
        let mix = |(sample, noise): (&f32, f32)| gain * (level * sample + noise);
        let sound: Vec<f32> = clip.samples.iter().zip(noise.by_ref()).map(mix).collect();
        let at = start + samples.len();
        samples.extend_from_slice(&sound);
        sounding.push(Sounding { clip, samples: sound, start: at });
        pause = SECOND + random.below(2 * SECOND);
    }
    (samples, sounding)
}

fn finals(session: &mut Session, finals: &mut Vec<Segment>) {
    session
        .drain(|event| {
            if let Event::FinalSegment(segment) = event {
                finals.push(segment);
            }
        })
        .expect("work is done");
}

/// The clips of one part, transcribed one by one.
fn one_by_one(session: &mut Session, sounding: &[Sounding], errors: &mut WordErrors) {
    for Sounding { clip, samples, .. } in sounding {
        session.reset().expect("a new stream");
        session.push_audio(samples).expect("it is short");
        session.finish().expect("the stream ends once");
        let mut segments = Vec::new();
        finals(session, &mut segments);
        errors.add(&clip.said, &text(&segments));
    }
}

fn text(segments: &[Segment]) -> String {
    segments.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_hour_of_speech_in_changing_noise_loses_and_doubles_nothing_in_steady_memory() {
    let (Some(folder), Some(live), Some(other)) = (shared_path("audio"), model(), model()) else { return };
    let clips = clips(&folder);
    let options = SessionOptions { partials: Partials::None, ..live.default_options().clone() };
    let whole = SessionOptions { endpointing: None, ..options.clone() };
    let mut session = live.session(&options).expect("a session");
    let mut clip_session = other.session(&whole).expect("a session");

    let mut by_condition: Vec<_> = CONDITIONS.iter().map(|_| (WordErrors::default(), WordErrors::default())).collect();
    let (mut pushed, mut memory_at_minute_5, mut last_end, mut missed) = (0, None, 0, Vec::new());
    let mut number = 0;
    while pushed < 60 * MINUTE {
        let index = number as usize % CONDITIONS.len();
        let (samples, sounding) = part(&clips, CONDITIONS[index], 100 + number, pushed);
        // Side by side, on a core each.
        let segments = std::thread::scope(|scope| {
            let alone = &mut by_condition[index].1;
            let (session, sounding, clip_session) = (&mut session, &sounding, &mut clip_session);
            scope.spawn(move || one_by_one(clip_session, sounding, alone));
            let mut segments = Vec::new();
            for block in samples.chunks(10 * SECOND) {
                session.push_audio(block).expect("there is room");
                finals(session, &mut segments);
            }
            segments
        });
        pushed += samples.len();
        for segment in &segments {
            assert!(last_end <= segment.span.start && segment.span.end <= pushed as u64, "{:?}", segment.span);
            last_end = segment.span.end;
        }
        for Sounding { clip, start, samples } in &sounding {
            let (from, to) = (*start as u64, (start + samples.len()) as u64);
            let heard = segments.iter().any(|s| s.span.start < to && from < s.span.end && !s.text.is_empty());
            if !heard {
                missed.push((CONDITIONS[index], clip.said.clone()));
            }
        }
        let said: Vec<_> = sounding.iter().map(|sounding| sounding.clip.said.as_str()).collect();
        by_condition[index].0.add(&said.join(" "), &text(&segments));
        number += 1;
        if pushed > 5 * MINUTE && memory_at_minute_5.is_none() {
            memory_at_minute_5 = Some(session.metrics().expect("they are there").peak_memory_bytes);
        }
    }
    let (mut streamed, mut alone) = (WordErrors::default(), WordErrors::default());
    for (condition, errors) in CONDITIONS.iter().zip(&by_condition) {
        println!("{condition:?}: word errors streamed {}, one by one {}", errors.0, errors.1);
        streamed += &errors.0;
        alone += &errors.1;
    }
    let memory = session.metrics().expect("they are there").peak_memory_bytes;
    let memory_at_minute_5 = memory_at_minute_5.expect("the stream is longer than that");
    println!("{} min: word errors streamed {streamed}, one by one {alone}", pushed / MINUTE);
    println!("memory: {memory_at_minute_5} bytes after 5 min, {memory} after {} min", pushed / MINUTE);
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(streamed.percent() - alone.percent() <= 1.0, "streamed {streamed}, one by one {alone}");
    assert!(memory - memory_at_minute_5 <= 1 << 20, "{memory_at_minute_5} and {memory} bytes");
}

/// A signal's name, how many words an hour of it may give, and what makes it.
type NonSpeech = (&'static str, usize, fn() -> Signal);

#[test]
fn an_hour_of_what_is_no_speech_gives_hardly_a_word() {
    let (Some(one), Some(other)) = (model(), model()) else { return };
    let signals: [NonSpeech; 6] = [
        ("zeros", 0, signals::zeros),
        ("white noise", 5, || signals::white_noise(11, -30.0)),
        ("pink noise", 5, || signals::pink_noise(12, -25.0)),
        ("hum of 50 Hz", 5, || signals::hum_50_hz(13, -20.0)),
        ("music-like tones", 5, || signals::music_like_tones(14)),
        ("more music-like tones", 5, || signals::music_like_tones(15)),
    ];
    std::thread::scope(|scope| {
        for (model, detector) in [(&one, VoiceActivity::Neural), (&other, VoiceActivity::Energy)] {
            scope.spawn(move || {
                let mut options = SessionOptions { partials: Partials::None, ..model.default_options().clone() };
                options.endpointing.as_mut().expect("segments end at pauses").voice_activity = detector;
                let mut session = model.session(&options).expect("a session");
                for (name, most_words, signal) in signals {
                    session.reset().expect("a new stream");
                    let (mut signal, mut segments) = (signal(), Vec::new());
                    for _ in 0..60 {
                        let block: Vec<f32> = signal.by_ref().take(MINUTE).collect();
                        session.push_audio(&block).expect("there is room");
                        finals(&mut session, &mut segments);
                    }
                    session.finish().expect("the stream ends once");
                    finals(&mut session, &mut segments);
                    let words: usize = segments.iter().map(|segment| segment.words.len()).sum();
                    let dropped = segments.iter().filter(|segment| segment.guards.contains(Guards::NO_SPEECH)).count();
                    println!(
                        "{name}, {detector:?}: {words} words an hour; {} segments, {dropped} dropped",
                        segments.len()
                    );
                    assert!(words <= most_words, "{name}, {detector:?}: {:#?}", text(&segments));
                }
            });
        }
    });
}
