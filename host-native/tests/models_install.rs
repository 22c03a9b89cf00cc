//! Rules of installing: names, overwriting, model files that are copied, and progress.

mod models_support;

use std::fs;

use auricle::models::{self, ImportOptions, ModelsError, Phase, Progress, Quantization};
use models_support::{Place, all_quantizations, assert_same_bytes, files_in, gguf, tiny};

#[test]
fn a_model_file_is_checked_and_copied() {
    let place = Place::new();
    let card = gguf::Card { name: "anything", languages: &["en"], source: "made up" };
    let bytes = gguf::model(&tiny::tensors(), "q8", &card);
    let path = place.path("download.gguf");
    fs::write(&path, &bytes).unwrap();
    let installed = place.import(&path, &ImportOptions::default()).unwrap();
    assert_eq!(installed[0].path, place.home.model_path("anything", Quantization::Q8));
    assert_same_bytes(&fs::read(&installed[0].path).unwrap(), &bytes);

    let error = place.import(&path, &ImportOptions::default()).unwrap_err();
    assert!(matches!(error, ModelsError::AlreadyThere { .. }), "{error:?}");
    let renamed = ImportOptions { name: Some("other".to_owned()), ..ImportOptions::default() };
    assert_eq!(place.import(&path, &renamed).unwrap()[0].path, place.home.model_path("other", Quantization::Q8));
}

#[test]
fn a_model_file_that_is_not_whole_or_not_of_this_format_is_refused() {
    let card = gguf::Card { name: "anything", languages: &["en"], source: "made up" };
    let whole = gguf::model(&tiny::tensors(), "q8", &card);
    let replace = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = whole.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    let mut fewer = tiny::tensors();
    fewer.pop();
    let cases = [
        (replace("moonshine", "moonlight"), "architecture"),
        (replace("auricle.quantization", "auricle.quantisation"), "auricle.quantization"),
        (replace("moonshine.rope.freq_base", "moonshine.rope.freq_bass"), "moonshine.rope.freq_base"),
        (replace("conv1.weight", "conv9.weight"), "conv9.weight"),
        (replace("tokenizer.ggml.tokens", "tokenizer.ggml.tokenz"), "tokenizer.ggml.tokens"),
        (gguf::model(&fewer, "q8", &card), "tensors"),
        ([&whole[..], &[0; 64]].concat(), "after the last tensor"),
        (whole[..whole.len() - 1].to_vec(), "cut off"),
    ];
    for (bytes, expected) in cases {
        let place = Place::new();
        let path = place.path("download.gguf");
        fs::write(&path, &bytes).unwrap();
        let error = place.import(&path, &ImportOptions::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert_eq!(files_in(&place.home), [""; 0]);
    }
}

#[test]
fn nothing_else_gets_the_name_of_a_catalog_model() {
    let place = Place::new();
    let path = place.wheel(&tiny::tensors());
    for name in ["moonshine-tiny-en", "moonshine-tiny-en-q8"] {
        let options = ImportOptions { name: Some(name.to_owned()), ..ImportOptions::default() };
        let error = place.import(&path, &options).unwrap_err();
        assert!(matches!(error, ModelsError::NameTaken { .. }), "{error:?}");
        let card = gguf::Card { name, languages: &["en"], source: "made up" };
        let file = place.path("x.gguf");
        fs::write(&file, gguf::model(&tiny::tensors(), "q8", &card)).unwrap();
        let error = place.import(&file, &ImportOptions { force: true, ..ImportOptions::default() }).unwrap_err();
        assert!(matches!(error, ModelsError::NameTaken { .. }), "{error:?}");
    }
    assert_eq!(files_in(&place.home), [""; 0]);
}

#[test]
fn a_name_that_would_leave_the_models_folder_is_refused() {
    let place = Place::new();
    let path = place.wheel(&tiny::tensors());
    for name in ["../escape", "a/b", "", ".hidden", "Big", "a b", "-q", &"x".repeat(65)] {
        let options = ImportOptions { name: Some(name.to_owned()), ..ImportOptions::default() };
        let error = place.import(&path, &options).unwrap_err();
        assert!(matches!(error, ModelsError::InvalidName { .. }), "{name}: {error:?}");
    }
}

#[test]
fn an_installed_model_is_replaced_only_by_force() {
    let place = Place::new();
    let path = place.wheel(&tiny::tensors());
    let installed = place.import(&path, &ImportOptions::default()).unwrap();
    fs::write(&installed[0].path, b"precious").unwrap();
    let error = place.import(&path, &ImportOptions::default()).unwrap_err();
    assert!(matches!(error, ModelsError::AlreadyThere { .. }), "{error:?}");
    assert_eq!(fs::read(&installed[0].path).unwrap(), b"precious");
    place.import(&path, &ImportOptions { force: true, ..ImportOptions::default() }).unwrap();
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
            self.0.last_mut().expect("a phase comes first").2.push(done_bytes);
        }
    }
    let place = Place::new();
    let path = place.wheel(&tiny::tensors());
    let mut recorder = Recorder::default();
    models::import(&place.home, &path, &all_quantizations(), &mut recorder).unwrap();
    let writing: Vec<_> = recorder.0.iter().filter(|(phase, ..)| matches!(phase, Phase::Writing { .. })).collect();
    assert_eq!(writing.len(), 3);
    for (phase, total, done) in &recorder.0 {
        assert!(done.is_sorted(), "{phase}");
        if total.is_some() {
            assert_eq!(done.last().copied(), *total, "{phase}");
        }
    }
}
