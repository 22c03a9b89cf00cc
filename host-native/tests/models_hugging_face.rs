//! Hugging Face folders: the same file as from a wheel, and no wrong text from what the engine cannot do.

mod models_support;

use std::fs;

use auricle::models::{ImportOptions, ModelsError, Quantization, SourceError};
use models_support::tiny::{self, Numbers};
use models_support::{Place, all_quantizations, assert_same_bytes, files_in, gguf, hugging_face, sha256};

#[test]
fn a_hugging_face_folder_gives_the_same_tokenizer_and_weights() {
    let place = Place::new();
    let tensors = tiny::tensors_of(6, 6);
    let weights = hugging_face::weights(&tensors);
    let folder = place.path("My-Moonshine");
    hugging_face::write(&folder, &hugging_face::config(), &hugging_face::tokenizer(), &weights);
    let options = ImportOptions { languages: vec!["de".to_owned(), "en".to_owned()], ..all_quantizations() };
    let installed = place.import(&folder, &options).unwrap();
    let source = format!("MoonshineForConditionalGeneration, model.safetensors sha256:{}", sha256(&weights));
    let card = gguf::Card { name: "my-moonshine", languages: &["de", "en"], source: &source };
    // Of floats, so that every channel is rounded.
    let floats: Vec<_> = tensors
        .iter()
        .map(|tensor| tiny::Tensor { numbers: Numbers::Float(tensor.floats()), ..tensor.clone() })
        .collect();
    for (quantization, file) in Quantization::ALL.into_iter().zip(&installed) {
        assert_same_bytes(&fs::read(&file.path).unwrap(), &gguf::model(&floats, quantization.as_str(), &card));
    }
}

#[test]
fn the_newer_place_of_rotary_parameters_and_a_tied_output_are_understood() {
    let place = Place::new();
    let mut tensors = tiny::tensors_of(6, 6);
    let folder = place.path("newer");
    let mut config = hugging_face::config();
    let keys = config.as_object_mut().unwrap();
    keys.remove("partial_rotary_factor");
    keys.remove("rope_theta");
    keys.insert("rope_parameters".into(), serde_json::json!({"rope_theta": 10_000.0, "partial_rotary_factor": 1.0}));
    let embedding = tiny::get(&mut tensors, "model.decoder.embed_tokens.weight").clone();
    tensors.push(tiny::Tensor { name: "proj_out.weight".to_owned(), ..embedding });
    hugging_face::write(&folder, &config, &hugging_face::tokenizer(), &hugging_face::weights(&tensors));
    assert_eq!(place.import(&folder, &ImportOptions::default()).unwrap().len(), 1);
}

#[test]
fn folders_that_the_engine_would_get_wrong_are_refused() {
    let change_config = |key: &str, value: serde_json::Value| {
        let mut config = hugging_face::config();
        config.as_object_mut().unwrap().insert(key.to_owned(), value);
        config
    };
    let configs = [
        ("architectures", serde_json::json!(["WhisperForConditionalGeneration"]), "WhisperForConditionalGeneration"),
        ("encoder_num_key_value_heads", serde_json::json!(2), "numbers of heads"),
        ("decoder_hidden_act", serde_json::json!("gelu"), "activations"),
        ("attention_bias", serde_json::json!(true), "biases in attention"),
        ("rope_scaling", serde_json::json!({"type": "linear"}), "rotary frequencies"),
        ("partial_rotary_factor", serde_json::json!(0.6), "1 rotary dimensions"),
        ("encoder_num_attention_heads", serde_json::json!(0), "numbers of heads"),
        ("hidden_size", serde_json::json!(0), "embedding length is 0"),
        ("vocab_size", serde_json::json!(4_000_000_000_u32), "vocabulary"),
        ("rope_theta", serde_json::json!(-1.0), "rotary base"),
    ];
    for (key, value, expected) in configs {
        let place = Place::new();
        let weights = hugging_face::weights(&tiny::tensors_of(6, 6));
        let folder = place.path("folder");
        hugging_face::write(&folder, &change_config(key, value), &hugging_face::tokenizer(), &weights);
        let error = place.import(&folder, &ImportOptions::default()).unwrap_err();
        assert!(
            matches!(&error, ModelsError::Source { problem: SourceError::Unsupported { .. }, .. }),
            "{key}: {error:?}"
        );
        assert!(error.to_string().contains(expected), "{key}: {error}");
        assert_eq!(files_in(&place.home), [""; 0]);
    }
}

#[test]
fn folders_with_tensors_missing_left_over_or_wrong_are_refused() {
    type Change = fn(&mut Vec<tiny::Tensor>);
    type Check = fn(&SourceError) -> bool;
    let cases: [(Change, Check); 6] = [
        (
            |tensors| tensors.retain(|tensor| tensor.name != "model.decoder.norm.weight"),
            |error| matches!(error, SourceError::MissingTensor { name } if name == "model.decoder.norm.weight"),
        ),
        (
            |tensors| tensors.push(tiny::Tensor { name: "adapter.weight".to_owned(), ..tensors[0].clone() }),
            |error| matches!(error, SourceError::Unsupported { what } if what.contains("adapter.weight")),
        ),
        (
            |tensors| tiny::get(tensors, "model.encoder.conv3.weight").shape = vec![16, 3, 32],
            |error| {
                matches!(error, SourceError::WrongShape { name, expected, found }
                    if name == "model.encoder.conv3.weight" && *expected == [16, 32, 3] && *found == [16, 3, 32])
            },
        ),
        (
            |tensors| {
                let tensor = tiny::get(tensors, "model.encoder.conv2.bias");
                let mut values = tensor.floats();
                values[5] = f32::NAN;
                tensor.numbers = Numbers::Float(values);
            },
            |error| matches!(error, SourceError::NotFinite { index: 5, name } if name == "model.encoder.conv2.bias"),
        ),
        (
            |tensors| {
                let tensor = tiny::get(tensors, "model.decoder.layers.0.mlp.fc1.weight");
                let mut values = tensor.floats();
                values[0] = 70_000.0;
                tensor.numbers = Numbers::Float(values);
            },
            |error| matches!(error, SourceError::TooLargeForF16 { value: 70_000.0, .. }),
        ),
        (
            |tensors| {
                let embedding = tiny::get(tensors, "model.decoder.embed_tokens.weight").clone();
                let mut values = embedding.floats();
                values[0] += 1.0;
                let name = "proj_out.weight".to_owned();
                tensors.push(tiny::Tensor { name, numbers: Numbers::Float(values), ..embedding });
            },
            |error| matches!(error, SourceError::Unsupported { what } if what.contains("output projection")),
        ),
    ];
    for (index, (change, is_expected)) in cases.into_iter().enumerate() {
        let place = Place::new();
        let mut tensors = tiny::tensors_of(6, 6);
        change(&mut tensors);
        let folder = place.path("folder");
        let weights = hugging_face::weights(&tensors);
        hugging_face::write(&folder, &hugging_face::config(), &hugging_face::tokenizer(), &weights);
        let error = place.import(&folder, &all_quantizations()).unwrap_err();
        let ModelsError::Source { problem, .. } = &error else { panic!("case {index}: {error:?}") };
        assert!(is_expected(problem), "case {index}: {error}");
        assert_eq!(files_in(&place.home), [""; 0], "case {index}");
    }
}

#[test]
fn a_tokenizer_with_an_id_left_out_or_given_twice_is_refused() {
    for (change, expected) in [("▁hello", "no piece has the id 259"), ("é", "id 259")] {
        let place = Place::new();
        let mut tokenizer = hugging_face::tokenizer();
        let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
        if change == "é" {
            vocabulary.insert(change.to_owned(), serde_json::json!(259));
        } else {
            vocabulary.remove(change);
        }
        let folder = place.path("folder");
        let weights = hugging_face::weights(&tiny::tensors_of(6, 6));
        hugging_face::write(&folder, &hugging_face::config(), &tokenizer, &weights);
        let error = place.import(&folder, &ImportOptions::default()).unwrap_err().to_string();
        assert!(error.contains("tokenizer.json") && error.contains(expected), "{error}");
    }
}

#[test]
fn a_folder_without_one_of_its_files_is_refused_by_name() {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let place = Place::new();
        let folder = place.path("folder");
        let weights = hugging_face::weights(&tiny::tensors_of(6, 6));
        hugging_face::write(&folder, &hugging_face::config(), &hugging_face::tokenizer(), &weights);
        fs::remove_file(folder.join(name)).unwrap();
        let error = place.import(&folder, &ImportOptions::default()).unwrap_err();
        assert!(
            matches!(&error, ModelsError::Source { problem: SourceError::MissingFile { name: found }, .. }
                if found == name),
            "{error}"
        );
    }
}
