//! Real speech through the component in wasmtime: the golden clips, word errors, and the same bits whatever the way.
//!
//! Needs the model files and samples that `cargo xtask test` installs in `AURICLE_HOME`, and the recordings beside the
//! repository. Where either is absent these tests skip, except in CI.

mod support;

use std::path::Path;

use auricle::audio::read_all;
use auricle::types::{Event, Guards, Partials, Segment, SegmentEnd, SessionOptions};
use auricle::{Engine, Error, Flavour, Model, SAMPLE_RATE_HZ, Session};
use serde_json::Value;
use support::word_error::WordErrors;
use support::{model_path, sample_path, shared_path, testdata_path};

fn engine(flavour: Flavour) -> Engine {
    Engine::builder().flavour(flavour).build().expect("an engine")
}

fn model(quantization: &str) -> Option<Model> {
    let path = model_path(quantization)?;
    Some(engine(Flavour::RelaxedSimd).load_model(path).expect("a model"))
}

/// A session that takes the whole stream for one segment, and gives it once.
fn session(model: &Model) -> Session {
    let options = SessionOptions { endpointing: None, partials: Partials::None, ..model.default_options().clone() };
    model.session(&options).expect("a session")
}

fn samples(path: &Path) -> Vec<f32> {
    read_all(path).expect("audio").0
}

/// Everything that happens from the first push to the end of the stream.
fn events(session: &mut Session, samples: &[f32], block: usize, max_steps: u32) -> Vec<Event> {
    let mut events = Vec::new();
    for block in samples.chunks(block) {
        session.push_audio(block).expect("audio is taken");
    }
    session.finish().expect("the stream ends once");
    loop {
        let poll = session.poll(max_steps).expect("work is done");
        assert!(poll.steps <= max_steps);
        events.extend(poll.events);
        if !poll.more {
            return events;
        }
    }
}

/// The one final segment of a stream.
fn transcribe(session: &mut Session, samples: &[f32]) -> Segment {
    session.reset().expect("a new stream");
    let events = events(session, samples, samples.len(), 16);
    let [Event::SpeechStarted(0), Event::FinalSegment(segment), Event::SpeechEnded(end), Event::EndOfStream(all)] =
        &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!((*end, *all), (samples.len() as u64, samples.len() as u64));
    segment.clone()
}

/// A segment's scores to the last bit.
fn bits(segment: &Segment) -> Vec<(u32, u32, u32)> {
    let token = |token: &auricle::types::Token| (token.id, token.log_probability.to_bits(), token.entropy.to_bits());
    segment.tokens.iter().map(token).collect()
}

/// The clips of the reference outputs, with their samples.
fn golden() -> Option<Vec<(String, Vec<f32>, Value)>> {
    let text = std::fs::read_to_string(shared_path("golden/moonshine-tiny-en.json")?).expect("a readable file");
    let golden: Value = serde_json::from_str(&text).expect("JSON");
    let mut clips = Vec::new();
    for (name, clip) in golden["clips"].as_object().expect("clips by name") {
        let path = if name == "jfk" { testdata_path("jfk.wav") } else { sample_path(&format!("{name}.wav"))? };
        clips.push((name.clone(), samples(&path), clip.clone()));
    }
    Some(clips)
}

#[test]
fn f32_gives_the_tokens_and_log_probabilities_of_the_reference() {
    let (Some(clips), Some(model)) = (golden(), model("f32")) else { return };
    let mut session = session(&model);
    for (name, samples, clip) in clips {
        let segment = transcribe(&mut session, &samples);
        let ids: Vec<u64> = segment.tokens.iter().map(|token| u64::from(token.id)).collect();
        let want: Vec<u64> = clip["token_ids"].as_array().expect("ids").iter().filter_map(Value::as_u64).collect();
        // The reference also lists the start and the end token.
        assert_eq!(ids, want[1..want.len() - 1], "{name}");
        for (token, step) in segment.tokens.iter().zip(clip["steps"].as_array().expect("steps")) {
            let want = step["logprob"].as_f64().expect("a number");
            assert!((f64::from(token.log_probability) - want).abs() < 2e-2, "{name}: {token:?}, {want}");
        }
    }
}

#[test]
fn every_quantization_gives_the_text_of_the_reference_with_its_words_and_scores() {
    for quantization in ["q8", "f16", "f32"] {
        let (Some(clips), Some(model)) = (golden(), model(quantization)) else { return };
        let mut session = session(&model);
        for (name, samples, clip) in clips {
            let segment = transcribe(&mut session, &samples);
            assert_eq!(segment.text, clip["text"].as_str().expect("a text"), "{name}, {quantization}");
            let words: Vec<_> = segment.words.iter().map(|word| word.text.as_str()).collect();
            assert_eq!(words.join(" "), segment.text);
            assert!(segment.words.iter().all(|word| (0.0..=1.0).contains(&word.confidence) && word.span.is_none()));
            assert!(segment.tokens.iter().all(|token| token.log_probability <= 0.0 && token.entropy >= 0.0));
            assert_eq!((segment.id, segment.revision, segment.settled_changed), (0, 0, false));
            assert_eq!(segment.settled_words as usize, segment.words.len());
            assert_eq!(segment.language.as_deref(), Some("en"));
            assert_eq!((segment.guards, segment.ended_by), (Guards::empty(), Some(SegmentEnd::Finish)));
        }
    }
}

#[test]
fn the_longest_utterance_comes_out_as_text_and_one_sample_more_is_refused() {
    let (Some(path), Some(model)) = (sample_path("two_cities.wav"), model("q8")) else { return };
    let samples = samples(&path);
    let longest = model.info().longest_segment_samples as usize;
    assert_eq!(longest, 30 * SAMPLE_RATE_HZ as usize);
    let mut session = session(&model);
    let segment = transcribe(&mut session, &samples[..longest]);
    println!("two_cities, 30 s: {}", segment.text);
    assert!(segment.text.starts_with("It was the best of times, it was the worst of times"), "{}", segment.text);
    assert!(segment.words.len() > 80 && segment.guards == Guards::empty(), "{segment:?}");

    session.reset().expect("a new stream");
    session.push_audio(&samples[..longest]).expect("just as long as it may be");
    let error = session.push_audio(&samples[..1]).expect_err("one sample too many");
    assert!(matches!(&error, Error::LimitExceeded(fault) if fault.requested == longest as u64 + 1), "{error}");
    // The refused block has left no trace: the stream goes on as it was.
    session.finish().expect("the stream ends");
    let mut texts = Vec::new();
    session
        .drain(|event| {
            if let Event::FinalSegment(segment) = event {
                texts.push(segment.text);
            }
        })
        .expect("work is done");
    assert_eq!(texts, [segment.text]);
}

#[test]
fn word_errors_of_q8_on_human_speech_are_at_most_three_tenths_of_a_point_above_those_of_f32() {
    let (Some(audio), Some(q8), Some(f32)) = (shared_path("audio"), model("q8"), model("f32")) else { return };
    let table = std::fs::read_to_string(audio.join("transcripts.tsv")).expect("a readable file");
    let (mut q8, mut f32) = (session(&q8), session(&f32));
    let (mut q8_errors, mut f32_errors) = (WordErrors::default(), WordErrors::default());
    for line in table.lines().skip(1) {
        let columns: Vec<_> = line.split('\t').collect();
        let (file, reference) = (columns[0], columns[columns.len() - 1]);
        let samples = samples(&audio.join(file));
        let [q8_text, f32_text] = [&mut q8, &mut f32].map(|session| transcribe(session, &samples).text);
        q8_errors.add(reference, &q8_text);
        f32_errors.add(reference, &f32_text);
        if q8_text != f32_text {
            println!("{file}\n  q8:  {q8_text}\n  f32: {f32_text}");
        }
    }
    println!("word errors: q8 {q8_errors}, f32 {f32_errors}");
    assert!(q8_errors.percent() - f32_errors.percent() <= 0.3, "q8 {q8_errors}, f32 {f32_errors}");
    assert!(f32_errors.percent() < 12.0, "f32 {f32_errors}");
}

#[test]
fn any_cut_any_polling_and_either_flavour_give_the_same_bits() {
    for quantization in ["q8", "f32"] {
        let Some(path) = model_path(quantization) else { return };
        let samples = samples(&testdata_path("jfk.wav"));
        let mut all = Vec::new();
        for flavour in [Flavour::RelaxedSimd, Flavour::Simd128] {
            let model = engine(flavour).load_model(&path).expect("a model");
            let mut session = session(&model);
            for (block, max_steps) in [(1, 64), (160, 1), (16_000, 7), (samples.len(), u32::MAX)] {
                session.reset().expect("a new stream");
                all.push((flavour, block, events(&mut session, &samples, block, max_steps)));
            }
        }
        let final_segment = |events: &[Event]| match &events[1] {
            Event::FinalSegment(segment) => segment.clone(),
            other => panic!("{other:?}"),
        };
        let want = final_segment(&all[0].2);
        for (flavour, block, events) in &all {
            let segment = final_segment(events);
            assert_eq!(bits(&segment), bits(&want), "{quantization}, {flavour}, blocks of {block}");
            assert_eq!(segment.text, want.text);
            let confidences =
                |segment: &Segment| segment.words.iter().map(|w| w.confidence.to_bits()).collect::<Vec<_>>();
            assert_eq!(confidences(&segment), confidences(&want), "{quantization}, {flavour}, blocks of {block}");
            assert_eq!(events.len(), all[0].2.len());
        }
    }
}

#[test]
fn silence_and_audio_too_short_for_a_frame_give_no_segment() {
    let Some(model) = model("q8") else { return };
    let mut session = session(&model);
    for samples in [vec![], vec![0.5], vec![0.3; 160], vec![0.0; 5 * 16_000], vec![1e-5; 16_000]] {
        session.reset().expect("a new stream");
        let events = events(&mut session, &samples, samples.len().max(1), 8);
        assert!(matches!(&events[..], [Event::EndOfStream(end)] if *end == samples.len() as u64), "{events:?}");
    }
}

#[test]
fn two_sessions_of_one_model_do_not_disturb_each_other() {
    let Some(model) = model("q8") else { return };
    let speech = samples(&testdata_path("jfk.wav"));
    let alone = transcribe(&mut session(&model), &speech);
    let (mut one, mut other) = (session(&model), session(&model));
    for session in [&mut one, &mut other] {
        session.push_audio(&speech).expect("audio is taken");
        session.finish().expect("the stream ends");
    }
    let mut segments = Vec::new();
    let mut more = true;
    while more {
        more = false;
        for session in [&mut one, &mut other] {
            let poll = session.poll(1).expect("work is done");
            more |= poll.more;
            segments.extend(poll.events.into_iter().filter_map(|event| match event {
                Event::FinalSegment(segment) => Some(segment),
                _ => None,
            }));
        }
    }
    assert_eq!(segments.iter().map(bits).collect::<Vec<_>>(), [bits(&alone), bits(&alone)]);
}
