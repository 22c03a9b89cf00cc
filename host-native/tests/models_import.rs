//! Imports of whole sources give exactly the model file that the format describes.

mod models_support;

use std::fs;
use std::path::{Path, PathBuf};

use auricle::models::{
    self, ChannelCounts, Home, ImportOptions, Installed, ModelsError, Phase, Progress,
    Quantization, SourceError,
};
use models_support::tiny::{self, Numbers};
use models_support::{files_in, gguf, hugging_face, wheel};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

struct Place {
    folder: TempDir,
    home: Home,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let home = Home::at(folder.path().join("home"));
        Self { folder, home }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn wheel(&self, tensors: &[tiny::Tensor]) -> PathBuf {
        let path = self.path("some.whl");
        wheel::pack(&path, &wheel::entries(tensors));
        path
    }

    fn import(&self, path: &Path, options: &ImportOptions) -> Result<Vec<Installed>, ModelsError> {
        models::import(&self.home, path, options, &mut ())
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn all_quantizations() -> ImportOptions {
    ImportOptions {
        quantizations: Quantization::ALL.to_vec(),
        ..ImportOptions::default()
    }
}

/// The first difference, so that a failure does not print two files.
fn assert_same_bytes(found: &[u8], expected: &[u8]) {
    let differs = found
        .iter()
        .zip(expected)
        .position(|(found, expected)| found != expected);
    assert_eq!(differs, None, "the files differ from this byte on");
    assert_eq!(found.len(), expected.len());
}

#[test]
fn a_wheel_becomes_exactly_the_file_that_the_format_describes() {
    let place = Place::new();
    let tensors = tiny::tensors();
    let path = place.wheel(&tensors);
    let installed = place.import(&path, &all_quantizations()).unwrap();
    let source = format!(
        "some_voice-1.2.3 wheel, sha256:{}",
        sha256(&fs::read(&path).unwrap())
    );
    let card = gguf::Card {
        name: wheel::NAME,
        languages: &["und"],
        source: &source,
    };
    for (quantization, file) in Quantization::ALL.into_iter().zip(&installed) {
        let expected = gguf::model(&tensors, quantization.as_str(), &card);
        let found = fs::read(&file.path).unwrap();
        assert_same_bytes(&found, &expected);
        assert_eq!(file.sha256, sha256(&expected));
        assert_eq!(file.size_bytes, expected.len() as u64);
        assert_eq!(file.path, place.home.model_path(wheel::NAME, quantization));
        assert!(!file.already_there);
    }
    assert_eq!(files_in(&place.home).len(), 3);
}

#[test]
fn importing_twice_gives_the_same_bytes() {
    let place = Place::new();
    let path = place.wheel(&tiny::tensors());
    let first = place.import(&path, &all_quantizations()).unwrap();
    let second = place
        .import(
            &path,
            &ImportOptions {
                force: true,
                ..all_quantizations()
            },
        )
        .unwrap();
    assert_eq!(first, second);
}

#[test]
fn integers_within_127_of_the_zero_point_are_kept_and_others_rounded_half_to_even() {
    let place = Place::new();
    let mut tensors = tiny::tensors();
    let name = "model.encoder.layers.0.mlp.fc2.weight";
    let scale = 2.0_f32.powi(-7);
    let mut integers = vec![1_u8; 16 * 4];
    // From the zero point 1: exactly at the limit; zeros; one beyond, so that all are halved.
    integers[..4].copy_from_slice(&[128, 0, 1, 2]);
    integers[8..12].copy_from_slice(&[255, 2, 4, 6]);
    integers[12..16].copy_from_slice(&[129, 1, 0, 3]);
    tiny::get(&mut tensors, name).numbers = Numbers::Affine {
        integers,
        scale,
        zero_point: 1,
    };
    let path = place.wheel(&tensors);
    let installed = place.import(&path, &ImportOptions::default()).unwrap();

    let bytes = fs::read(&installed[0].path).unwrap();
    let models::Inspection::Gguf(header) = models::inspect(&installed[0].path).unwrap() else {
        panic!("a GGUF file")
    };
    let stored = |name: &str| {
        let tensor = header
            .tensors
            .iter()
            .find(|tensor| tensor.name == name)
            .unwrap();
        &bytes[tensor.offset as usize..][..tensor.size_bytes.unwrap() as usize]
    };
    let scales: Vec<f32> = stored(&format!("{name}_scale"))
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    let integers: Vec<i8> = stored(name).iter().map(|byte| *byte as i8).collect();
    assert_eq!(integers[..4], [127, -1, 0, 1]);
    assert_eq!(scales[0], scale);
    assert_eq!(integers[4..8], [0, 0, 0, 0]);
    assert_eq!(scales[1], scale);
    // 254, 1, 3 and 5 halves: 0.5 goes to 0, 1.5 and 2.5 to 2.
    assert_eq!(integers[8..12], [127, 0, 2, 2]);
    assert_eq!(scales[2], 2.0 * scale);
    assert_eq!(integers[12..16], [127, 0, -1, 2]);
    assert_eq!(scales[3], 128.0 * scale / 127.0);
}

#[test]
fn a_float_channel_of_zeros_has_the_scale_zero() {
    let place = Place::new();
    let mut tensors = tiny::tensors();
    let Numbers::Float(values) = &mut tiny::get(&mut tensors, "model.encoder.conv3.weight").numbers
    else {
        panic!("a convolution")
    };
    values[..32 * 3].fill(0.0);
    let installed = place
        .import(&place.wheel(&tensors), &ImportOptions::default())
        .unwrap();
    let bytes = fs::read(&installed[0].path).unwrap();
    let models::Inspection::Gguf(header) = models::inspect(&installed[0].path).unwrap() else {
        panic!("a GGUF file")
    };
    let position = header
        .tensors
        .iter()
        .position(|tensor| tensor.name == "model.encoder.conv3.weight")
        .unwrap();
    let (scales, integers) = (&header.tensors[position - 1], &header.tensors[position]);
    assert_eq!(scales.name, "model.encoder.conv3.weight_scale");
    assert_eq!(bytes[scales.offset as usize..][..4], 0.0_f32.to_le_bytes());
    assert!(
        bytes[integers.offset as usize..][..32 * 3]
            .iter()
            .all(|byte| *byte == 0)
    );
    assert_ne!(
        bytes[scales.offset as usize + 4..][..4],
        0.0_f32.to_le_bytes()
    );
}

#[test]
fn lossless_and_requantized_channels_are_counted() {
    let place = Place::new();
    let tensors = tiny::tensors();
    let mut expected = ChannelCounts::default();
    for tensor in tensors.iter().filter(|tensor| tensor.is_matrix) {
        let per_channel = tensor.floats().len() / tensor.shape[0];
        for channel in 0..tensor.shape[0] {
            let fits = match &tensor.numbers {
                Numbers::Float(_) => false,
                Numbers::Affine {
                    integers,
                    zero_point,
                    ..
                } => integers[channel * per_channel..][..per_channel]
                    .iter()
                    .all(|q| (i32::from(*q) - i32::from(*zero_point)).abs() <= 127),
            };
            *(if fits {
                &mut expected.lossless
            } else {
                &mut expected.requantized
            }) += 1;
        }
    }
    // Both kinds of integer channel are in the made-up model, beside the 48 of the convolutions.
    assert!(expected.lossless > 0 && expected.requantized > 48);
    let installed = place
        .import(&place.wheel(&tensors), &all_quantizations())
        .unwrap();
    assert_eq!(installed[0].channels, Some(expected));
    assert_eq!(installed[2].channels, None);
}

#[test]
fn a_hugging_face_folder_gives_the_same_tokenizer_and_weights() {
    let place = Place::new();
    let tensors = tiny::tensors_of(6, 6);
    let weights = hugging_face::weights(&tensors);
    let folder = place.path("My-Moonshine");
    hugging_face::write(
        &folder,
        &hugging_face::config(),
        &hugging_face::tokenizer(),
        &weights,
    );
    let options = ImportOptions {
        languages: vec!["de".to_owned(), "en".to_owned()],
        ..all_quantizations()
    };
    let installed = place.import(&folder, &options).unwrap();
    let source = format!(
        "MoonshineForConditionalGeneration, model.safetensors sha256:{}",
        sha256(&weights)
    );
    let card = gguf::Card {
        name: "my-moonshine",
        languages: &["de", "en"],
        source: &source,
    };
    // Of floats, so that every channel is rounded.
    let floats: Vec<_> = tensors
        .iter()
        .map(|tensor| tiny::Tensor {
            numbers: Numbers::Float(tensor.floats()),
            ..tensor.clone()
        })
        .collect();
    for (quantization, file) in Quantization::ALL.into_iter().zip(&installed) {
        assert_same_bytes(
            &fs::read(&file.path).unwrap(),
            &gguf::model(&floats, quantization.as_str(), &card),
        );
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
    keys.insert(
        "rope_parameters".into(),
        serde_json::json!({"rope_theta": 10_000.0, "partial_rotary_factor": 1.0}),
    );
    let embedding = tiny::get(&mut tensors, "model.decoder.embed_tokens.weight").clone();
    tensors.push(tiny::Tensor {
        name: "proj_out.weight".to_owned(),
        ..embedding
    });
    hugging_face::write(
        &folder,
        &config,
        &hugging_face::tokenizer(),
        &hugging_face::weights(&tensors),
    );
    assert_eq!(
        place
            .import(&folder, &ImportOptions::default())
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn folders_that_the_engine_would_get_wrong_are_refused() {
    let change_config = |key: &str, value: serde_json::Value| {
        let mut config = hugging_face::config();
        config
            .as_object_mut()
            .unwrap()
            .insert(key.to_owned(), value);
        config
    };
    let configs = [
        (
            "architectures",
            serde_json::json!(["WhisperForConditionalGeneration"]),
            "WhisperForConditionalGeneration",
        ),
        (
            "encoder_num_key_value_heads",
            serde_json::json!(2),
            "numbers of heads",
        ),
        (
            "decoder_hidden_act",
            serde_json::json!("gelu"),
            "activations",
        ),
        (
            "attention_bias",
            serde_json::json!(true),
            "biases in attention",
        ),
        (
            "rope_scaling",
            serde_json::json!({"type": "linear"}),
            "rotary frequencies",
        ),
        (
            "partial_rotary_factor",
            serde_json::json!(0.6),
            "1 rotary dimensions",
        ),
        (
            "encoder_num_attention_heads",
            serde_json::json!(0),
            "numbers of heads",
        ),
        ("hidden_size", serde_json::json!(0), "embedding length is 0"),
        (
            "vocab_size",
            serde_json::json!(4_000_000_000_u32),
            "vocabulary",
        ),
        ("rope_theta", serde_json::json!(-1.0), "rotary base"),
    ];
    for (key, value, expected) in configs {
        let place = Place::new();
        let weights = hugging_face::weights(&tiny::tensors_of(6, 6));
        let folder = place.path("folder");
        hugging_face::write(
            &folder,
            &change_config(key, value),
            &hugging_face::tokenizer(),
            &weights,
        );
        let error = place
            .import(&folder, &ImportOptions::default())
            .unwrap_err();
        assert!(
            matches!(
                &error,
                ModelsError::Source {
                    problem: SourceError::Unsupported { .. },
                    ..
                }
            ),
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
            |tensors| {
                tensors.push(tiny::Tensor {
                    name: "adapter.weight".to_owned(),
                    ..tensors[0].clone()
                })
            },
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
            |error| {
                matches!(
                    error,
                    SourceError::TooLargeForF16 {
                        value: 70_000.0,
                        ..
                    }
                )
            },
        ),
        (
            |tensors| {
                let embedding = tiny::get(tensors, "model.decoder.embed_tokens.weight").clone();
                let mut values = embedding.floats();
                values[0] += 1.0;
                let name = "proj_out.weight".to_owned();
                tensors.push(tiny::Tensor {
                    name,
                    numbers: Numbers::Float(values),
                    ..embedding
                });
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
        hugging_face::write(
            &folder,
            &hugging_face::config(),
            &hugging_face::tokenizer(),
            &weights,
        );
        let error = place.import(&folder, &all_quantizations()).unwrap_err();
        let ModelsError::Source { problem, .. } = &error else {
            panic!("case {index}: {error:?}")
        };
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
        let error = place
            .import(&folder, &ImportOptions::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("tokenizer.json") && error.contains(expected),
            "{error}"
        );
    }
}

#[test]
fn a_folder_without_one_of_its_files_is_refused_by_name() {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let place = Place::new();
        let folder = place.path("folder");
        let weights = hugging_face::weights(&tiny::tensors_of(6, 6));
        hugging_face::write(
            &folder,
            &hugging_face::config(),
            &hugging_face::tokenizer(),
            &weights,
        );
        fs::remove_file(folder.join(name)).unwrap();
        let error = place
            .import(&folder, &ImportOptions::default())
            .unwrap_err();
        assert!(
            matches!(&error, ModelsError::Source { problem: SourceError::MissingFile { name: found }, .. } if found == name),
            "{error}"
        );
    }
}

#[test]
fn a_model_file_is_checked_and_copied() {
    let place = Place::new();
    let card = gguf::Card {
        name: "anything",
        languages: &["en"],
        source: "made up",
    };
    let bytes = gguf::model(&tiny::tensors(), "q8", &card);
    let path = place.path("download.gguf");
    fs::write(&path, &bytes).unwrap();
    let installed = place.import(&path, &ImportOptions::default()).unwrap();
    assert_eq!(
        installed[0].path,
        place.home.model_path("anything", Quantization::Q8)
    );
    assert_same_bytes(&fs::read(&installed[0].path).unwrap(), &bytes);

    let error = place.import(&path, &ImportOptions::default()).unwrap_err();
    assert!(
        matches!(error, ModelsError::AlreadyThere { .. }),
        "{error:?}"
    );
    let renamed = ImportOptions {
        name: Some("other".to_owned()),
        ..ImportOptions::default()
    };
    assert_eq!(
        place.import(&path, &renamed).unwrap()[0].path,
        place.home.model_path("other", Quantization::Q8)
    );
}

#[test]
fn a_model_file_that_is_not_whole_or_not_of_this_format_is_refused() {
    let card = gguf::Card {
        name: "anything",
        languages: &["en"],
        source: "made up",
    };
    let whole = gguf::model(&tiny::tensors(), "q8", &card);
    let replace = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = whole
            .windows(from.len())
            .position(|window| window == from.as_bytes())
            .unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    let mut fewer = tiny::tensors();
    fewer.pop();
    let cases = [
        (replace("moonshine", "moonlight"), "architecture"),
        (
            replace("auricle.quantization", "auricle.quantisation"),
            "auricle.quantization",
        ),
        (
            replace("moonshine.rope.freq_base", "moonshine.rope.freq_bass"),
            "moonshine.rope.freq_base",
        ),
        (replace("conv1.weight", "conv9.weight"), "conv9.weight"),
        (
            replace("tokenizer.ggml.tokens", "tokenizer.ggml.tokenz"),
            "tokenizer.ggml.tokens",
        ),
        (gguf::model(&fewer, "q8", &card), "tensors"),
        ([&whole[..], &[0; 64]].concat(), "after the last tensor"),
        (whole[..whole.len() - 1].to_vec(), "cut off"),
    ];
    for (bytes, expected) in cases {
        let place = Place::new();
        let path = place.path("download.gguf");
        fs::write(&path, &bytes).unwrap();
        let error = place
            .import(&path, &ImportOptions::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert_eq!(files_in(&place.home), [""; 0]);
    }
}

#[test]
fn nothing_else_gets_the_name_of_a_catalog_model() {
    let place = Place::new();
    let path = place.wheel(&tiny::tensors());
    for name in ["moonshine-tiny-en", "moonshine-tiny-en-q8"] {
        let options = ImportOptions {
            name: Some(name.to_owned()),
            ..ImportOptions::default()
        };
        let error = place.import(&path, &options).unwrap_err();
        assert!(matches!(error, ModelsError::NameTaken { .. }), "{error:?}");
        let card = gguf::Card {
            name,
            languages: &["en"],
            source: "made up",
        };
        let file = place.path("x.gguf");
        fs::write(&file, gguf::model(&tiny::tensors(), "q8", &card)).unwrap();
        let error = place
            .import(
                &file,
                &ImportOptions {
                    force: true,
                    ..ImportOptions::default()
                },
            )
            .unwrap_err();
        assert!(matches!(error, ModelsError::NameTaken { .. }), "{error:?}");
    }
    assert_eq!(files_in(&place.home), [""; 0]);
}

#[test]
fn a_name_that_would_leave_the_models_folder_is_refused() {
    let place = Place::new();
    let path = place.wheel(&tiny::tensors());
    for name in [
        "../escape",
        "a/b",
        "",
        ".hidden",
        "Big",
        "a b",
        "-q",
        &"x".repeat(65),
    ] {
        let options = ImportOptions {
            name: Some(name.to_owned()),
            ..ImportOptions::default()
        };
        let error = place.import(&path, &options).unwrap_err();
        assert!(
            matches!(error, ModelsError::InvalidName { .. }),
            "{name}: {error:?}"
        );
    }
}

#[test]
fn an_installed_model_is_replaced_only_by_force() {
    let place = Place::new();
    let path = place.wheel(&tiny::tensors());
    let installed = place.import(&path, &ImportOptions::default()).unwrap();
    fs::write(&installed[0].path, b"precious").unwrap();
    let error = place.import(&path, &ImportOptions::default()).unwrap_err();
    assert!(
        matches!(error, ModelsError::AlreadyThere { .. }),
        "{error:?}"
    );
    assert_eq!(fs::read(&installed[0].path).unwrap(), b"precious");
    place
        .import(
            &path,
            &ImportOptions {
                force: true,
                ..ImportOptions::default()
            },
        )
        .unwrap();
    assert_ne!(fs::read(&installed[0].path).unwrap(), b"precious");
}

#[test]
fn progress_never_goes_back_and_ends_at_the_total() {
    #[derive(Default)]
    struct Recorder(Vec<(Phase, Option<u64>, Vec<u64>)>);
    impl Progress for Recorder {
        fn phase(&mut self, phase: &Phase, total_bytes: Option<u64>) {
            self.0.push((phase.clone(), total_bytes, Vec::new()));
        }
        fn advance(&mut self, done_bytes: u64) {
            self.0
                .last_mut()
                .expect("a phase comes first")
                .2
                .push(done_bytes);
        }
    }
    let place = Place::new();
    let path = place.wheel(&tiny::tensors());
    let mut recorder = Recorder::default();
    models::import(&place.home, &path, &all_quantizations(), &mut recorder).unwrap();
    let writing: Vec<_> = recorder
        .0
        .iter()
        .filter(|(phase, ..)| matches!(phase, Phase::Writing { .. }))
        .collect();
    assert_eq!(writing.len(), 3);
    for (phase, total, done) in &recorder.0 {
        assert!(done.is_sorted(), "{phase}");
        if total.is_some() {
            assert_eq!(done.last().copied(), *total, "{phase}");
        }
    }
}
