//! The voice activity detector in model files: exactly as the format describes, or a typed error.

mod models_support;

use std::fs;
use std::path::PathBuf;

use auricle::models::{ImportOptions, Installed, ModelsError, Quantization, SourceError};
use models_support::{Place, all_quantizations, assert_same_bytes, files_in, gguf, hugging_face, sha256, silero, tiny};

/// Packs the detector's wheel beside the home folder.
fn detector_wheel(place: &Place, onnx: &[u8]) -> PathBuf {
    let path = place.path("silero.whl");
    silero::pack(&path, onnx);
    path
}

fn card<'a>(name: &'a str, source: &'a str) -> gguf::Card<'a> {
    gguf::Card { name, languages: &["und"], source }
}

#[test]
fn an_import_with_a_detector_becomes_exactly_the_file_that_the_format_describes() {
    let place = Place::new();
    let (model, detector) = (tiny::tensors_of(6, 6), silero::tensors());
    let detector_path = detector_wheel(&place, &silero::onnx(&detector));
    let detector_source = format!("silero_vad-1.0 wheel, sha256:{}", sha256(&fs::read(&detector_path).unwrap()));
    let options = ImportOptions { voice_activity: Some(detector_path), ..all_quantizations() };

    let wheel = place.wheel(&model);
    let wheel_source = format!("some_voice-1.2.3 wheel, sha256:{}", sha256(&fs::read(&wheel).unwrap()));
    let folder = place.path("my-moonshine");
    let weights = hugging_face::weights(&model);
    hugging_face::write(&folder, &hugging_face::config(), &hugging_face::tokenizer(), &weights);
    let folder_source = format!("MoonshineForConditionalGeneration, model.safetensors sha256:{}", sha256(&weights));
    let floats: Vec<_> = model
        .iter()
        .map(|tensor| tiny::Tensor { numbers: tiny::Numbers::Float(tensor.floats()), ..tensor.clone() })
        .collect();
    let sources = [
        (wheel, &model, card(models_support::wheel::NAME, &wheel_source)),
        (folder, &floats, card("my-moonshine", &folder_source)),
    ];
    for (path, model, card) in sources {
        let installed = place.import(&path, &options).unwrap();
        for (quantization, file) in Quantization::ALL.into_iter().zip(&installed) {
            let detector = Some((detector_source.as_str(), detector.as_slice()));
            let expected = gguf::model_with(model, quantization.as_str(), &card, detector);
            assert_same_bytes(&fs::read(&file.path).unwrap(), &expected);
        }
    }
}

#[test]
fn a_model_file_with_a_detector_is_checked_and_copied() {
    let detector = silero::tensors();
    let whole = gguf::model_with(&tiny::tensors(), "q8", &card("anything", "made up"), Some(("x", &detector)));
    let import = |bytes: &[u8], options: &ImportOptions| -> Result<Vec<u8>, String> {
        let place = Place::new();
        let path = place.path("download.gguf");
        fs::write(&path, bytes).unwrap();
        match place.import(&path, options) {
            Ok(installed) => Ok(fs::read(&installed[0].path).unwrap()),
            Err(error) => {
                assert_eq!(files_in(&place.home), [""; 0]);
                Err(error.to_string())
            }
        }
    };
    let plain = ImportOptions::default();
    assert_same_bytes(&import(&whole, &plain).unwrap(), &whole);

    let replaced = |from: &str, to: &str| {
        let at = whole.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&whole[..at], to.as_bytes(), &whole[at + from.len()..]].concat()
    };
    let with = |detector| gguf::model_with(&tiny::tensors(), "q8", &card("anything", "made up"), Some(("x", detector)));
    let mut reshaped = silero::tensors();
    reshaped[2].2 = vec![64, 2];
    let cases = [
        (replaced("silero-vad-16k", "silero-vad-08k"), "silero-vad-08k"),
        (replaced("auricle.voice_activity\u{8}", "auricle.voice_activitx\u{8}"), "tensors"),
        (replaced("vad.silero.conv1.bias", "vad.silero.conv9.bias"), "conv9.bias"),
        (with(&detector[..14]), "tensors"),
        (with(&reshaped), "vad.silero.conv1.bias"),
    ];
    for (bytes, expected) in cases {
        let error = import(&bytes, &plain).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let adding = ImportOptions { voice_activity: Some(PathBuf::from("silero.whl")), ..plain };
    assert!(import(&whole, &adding).unwrap_err().contains("copied as it is"));
}

#[test]
fn a_detector_that_is_not_whole_is_refused_and_named() {
    let import = |onnx: &[u8]| -> Result<Vec<Installed>, ModelsError> {
        let place = Place::new();
        let voice_activity = Some(detector_wheel(&place, onnx));
        let result =
            place.import(&place.wheel(&tiny::tensors()), &ImportOptions { voice_activity, ..Default::default() });
        assert_eq!(files_in(&place.home).is_empty(), result.is_err());
        result
    };
    let problem = |onnx: &[u8]| match import(onnx).unwrap_err() {
        ModelsError::Source { path, problem } if path.ends_with("silero.whl") => problem,
        other => panic!("{other:?}"),
    };
    let tensors = silero::tensors();
    let whole = silero::onnx(&tensors);
    assert_eq!(import(&whole).unwrap().len(), 1);
    for (index, (_, name, shape, _)) in tensors.iter().enumerate() {
        let mut missing = tensors.clone();
        missing.remove(index);
        let found = problem(&silero::onnx(&missing));
        assert!(matches!(&found, SourceError::MissingTensor { name: found } if found == name), "{found}");

        let mut wrong = tensors.clone();
        wrong[index].2.push(1);
        let found = problem(&silero::onnx(&wrong));
        assert!(matches!(&found, SourceError::WrongShape { expected, .. } if expected == shape), "{found}");
    }
    let mut infinite = tensors;
    infinite[5].3[77] = f32::INFINITY;
    assert!(matches!(problem(&silero::onnx(&infinite)), SourceError::NotFinite { index: 77, .. }));
    for cut in [0, 1, 1000, whole.len() / 2, whole.len() - 1] {
        assert!(matches!(problem(&whole[..cut]), SourceError::Corrupt { .. }), "cut at {cut}");
    }
}

#[test]
fn a_file_that_is_no_wheel_of_the_detector_is_refused() {
    let place = Place::new();
    let model = place.wheel(&tiny::tensors());
    let text = place.path("text.whl");
    fs::write(&text, "no zip").unwrap();
    let import = |path: PathBuf| {
        let options = ImportOptions { voice_activity: Some(path), ..ImportOptions::default() };
        place.import(&model, &options).unwrap_err()
    };
    let error = import(text);
    assert!(matches!(error, ModelsError::Source { problem: SourceError::Corrupt { .. }, .. }), "{error:?}");
    // The model's own wheel, given twice.
    let error = import(model.clone()).to_string();
    assert!(error.contains(&format!("it has no {}", silero::ONNX)), "{error}");
    assert!(matches!(import(place.path("absent")), ModelsError::Io { .. }));
    assert_eq!(files_in(&place.home), [""; 0]);
}
