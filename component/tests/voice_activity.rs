//! The neural voice activity detector: what the loader makes of its tensors, and its probabilities against those of ONNX
//! Runtime.
//!
//! The latter needs a model file and a sample that `cargo xtask test` installs in `AURICLE_HOME`, and recordings beside
//! the repository. Where they are absent that test skips, except in CI.

mod support;

use auricle_component::error::Error;
use auricle_component::loader::Loader;
use auricle_component::vad::silero::{Silero, SileroDetector};
use serde_json::Value as Json;

use support::files::{beside, found, home, samples};
use support::gguf::{F16, F32, GgufFile, Tensor, Value};
use support::{Random, assert_malformed, assert_unsupported, load, refusal, tiny};

const KEY: &str = "auricle.voice_activity";

/// A tiny model with a detector whose weights mean nothing.
fn file() -> GgufFile {
    let mut file = tiny::file("q8");
    file.set(KEY, Value::String("silero-vad-16k".into()));
    let mut random = Random::new(8);
    for spec in Silero::tensors() {
        let count = spec.shape.iter().product();
        let data = std::iter::repeat_with(|| random.weight().to_le_bytes()).take(count).flatten().collect();
        let shape = spec.shape.iter().map(|&size| size as u64).collect();
        file.tensors.push(Tensor { name: spec.name, shape, type_code: F32, data, claimed_offset: None });
    }
    file
}

/// The error that a file is refused with: as [`refusal`], in larger chunks, since the detector is not tiny.
fn refused(file: &GgufFile) -> Error {
    let bytes = file.bytes();
    let error = |total_bytes, chunk_bytes| load(&bytes, total_bytes, chunk_bytes).map(|_| ()).expect_err("refused");
    let whole = error(None, bytes.len());
    assert_eq!(error(None, 1021), whole);
    assert_eq!(error(Some(bytes.len() as u64), bytes.len()), whole);
    whole
}

#[test]
fn a_file_has_a_detector_where_it_says_so_and_none_where_it_does_not() {
    let loaded = load(&file().bytes(), None, 4096).expect("well formed");
    let mut detector = SileroDetector::new(loaded.voice_activity.expect("a detector"));
    assert!((0.0..=1.0).contains(&detector.process(&[0.1; 512])));
    // The family gets what it asked for, and nothing of the detector.
    let mut weights = tiny::take_weights();
    assert!(weights.take_plain("norm").is_ok());
    assert!(weights.take_plain("vad.silero.conv1.bias").is_err());

    assert!(load(&tiny::file("q8").bytes(), None, 4096).expect("well formed").voice_activity.is_none());
}

#[test]
fn the_detector_may_stand_anywhere_among_the_tensors() {
    let mut file = file();
    file.tensors.rotate_right(7);
    assert!(load(&file.bytes(), None, 4096).expect("well formed").voice_activity.is_some());
}

#[test]
fn every_tensor_of_the_detector_that_is_missing_is_named() {
    for spec in Silero::tensors() {
        let mut file = file();
        file.tensors.remove(file.index(&spec.name));
        let header_end = file.header().len() as u64;
        let Error::MalformedModel { offset, message } = refused(&file) else { panic!("not malformed") };
        assert!(offset < header_end && message.contains(&format!("no tensor `{}`", spec.name)), "{message}");
    }
}

#[test]
fn a_tensor_of_the_detector_of_a_wrong_shape_or_type_is_named() {
    for spec in Silero::tensors() {
        let mut file = file();
        let tensor = file.tensor(&spec.name);
        tensor.shape[0] += 1;
        tensor.data = vec![0; 4 * tensor.shape.iter().product::<u64>() as usize];
        let at = file.info_offset(&spec.name);
        let needed = format!("{:?} is needed", spec.shape);
        assert_malformed(&refused(&file), at, &[&format!("`{}`", spec.name), "has the shape", &needed]);

        let mut file = self::file();
        let tensor = file.tensor(&spec.name);
        tensor.type_code = F16;
        tensor.data.truncate(tensor.data.len() / 2);
        let at = file.info_offset(&spec.name);
        assert_malformed(&refused(&file), at, &[&format!("`{}`", spec.name), "F16", "F32 is needed"]);
    }
}

#[test]
fn tensors_of_a_detector_that_the_file_does_not_speak_of_are_refused() {
    let mut file = file();
    file.remove(KEY);
    let at = file.info_offset("vad.silero.stft_conv.weight");
    assert_malformed(&refused(&file), at, &["`vad.silero.stft_conv.weight`", "no use for it"]);
}

#[test]
fn another_detector_is_unsupported_and_one_that_is_no_string_is_malformed() {
    let mut file = tiny::file("f32");
    file.set(KEY, Value::String("silero-vad-8k".into()));
    assert_unsupported(&refusal(&file.bytes()), &["silero-vad-8k", "silero-vad-16k"]);
    file.set(KEY, Value::U32(16));
    assert_malformed(&refusal(&file.bytes()), file.value_offset(KEY), &[KEY, "u32", "string"]);
}

#[test]
fn weights_that_are_not_finite_or_could_overflow_are_refused() {
    let name = "vad.silero.conv3.weight";
    let mut damaged = file();
    damaged.tensor(name).data[8..12].copy_from_slice(&f32::NAN.to_le_bytes());
    assert_malformed(&refused(&damaged), damaged.data_offset(name) + 8, &[name, "NaN"]);
    damaged.tensor(name).data[8..12].copy_from_slice(&(-2000.0_f32).to_le_bytes());
    assert_unsupported(&refused(&damaged), &[name, "-2000", "1024"]);
}

#[test]
fn a_file_cut_within_the_detector_is_incomplete() {
    let file = file();
    let (bytes, detector) = (file.bytes(), file.data_offset("vad.silero.stft_conv.weight") as usize);
    let total = bytes.len() as u64;
    for cut in (detector..bytes.len()).step_by(9973) {
        let error = load(&bytes[..cut], Some(total), 1 << 16).err();
        assert_eq!(error, Some(Error::IncompleteModel { received_bytes: cut as u64, expected_bytes: Some(total) }));
    }
}

#[test]
fn the_probabilities_and_decisions_are_those_of_onnx_runtime_in_every_hop() {
    let path = home("models/moonshine-tiny-en-q8.gguf");
    if !found(&path) {
        return;
    }
    let model = std::fs::read(path).expect("a readable file");
    let mut loader = Loader::new(Some(model.len() as u64));
    model.chunks(1 << 20).for_each(|chunk| loader.write(chunk).expect("the model file is well formed"));
    let weights = loader.finish().expect("the model file is whole").voice_activity;
    let mut detector = SileroDetector::new(weights.expect("the installed model has no detector: pull it again"));

    let golden = std::fs::read(beside("../testdata/voice-activity/silero.json")).expect("a readable file");
    let golden: Json = serde_json::from_slice(&golden).expect("JSON");
    let (mut hops, mut largest) = (0, 0.0_f64);
    for (name, probabilities) in golden["clips"].as_object().expect("clips by name") {
        let path = match name.as_str() {
            "jfk" => beside("../testdata/jfk.wav"),
            "beckett" => home("samples/beckett.wav"),
            other => beside(&format!("../../shared/audio/{other}.wav")),
        };
        if !found(&path) {
            continue;
        }
        let samples = samples(&path);
        let probabilities = probabilities.as_array().expect("a list");
        assert_eq!(samples.as_chunks::<512>().0.len(), probabilities.len(), "{name}");
        detector.reset();
        for (hop, (samples, want)) in samples.as_chunks::<512>().0.iter().zip(probabilities).enumerate() {
            let (is, want) = (f64::from(detector.process(samples)), want.as_f64().expect("a number"));
            assert!((is - want).abs() < 2e-5, "{name}, hop {hop}: {is} and {want}");
            assert_eq!(is >= 0.5, want >= 0.5, "{name}, hop {hop}: {is} and {want}");
            largest = largest.max((is - want).abs());
        }
        hops += probabilities.len();
    }
    println!("{hops} hops, and no probability is off by more than {largest:.1e}");
}
