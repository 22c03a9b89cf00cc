//! The catalog, the home folder, and finding models in it.

mod models_support;

use std::fs::{self, File};
use std::path::Path;

use auricle::models::{
    self, DEFAULT_MODEL, Home, ImportOptions, ModelsError, Phase, Progress, PullOptions, Quantization, Source, catalog,
};
use models_support::{files_in, tiny, wheel};
use tempfile::TempDir;

fn home_with(files: &[&str]) -> (TempDir, Home) {
    let folder = TempDir::new().unwrap();
    let home = Home::at(folder.path());
    fs::create_dir_all(home.models_dir()).unwrap();
    for file in files {
        fs::write(home.models_dir().join(file), b"x").unwrap();
    }
    (folder, home)
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[test]
fn the_catalog_is_whole() {
    assert!(catalog().find(DEFAULT_MODEL).is_some());
    for model in &catalog().models {
        assert!(!model.sources.is_empty() && !model.languages.is_empty(), "{}", model.name);
        assert!(!model.license.is_empty() && model.parameters > 0, "{}", model.name);
        for quantization in Quantization::ALL {
            let file = model.file(quantization).expect("a file of each quantization");
            assert!(is_digest(&file.sha256), "{} {quantization}", model.name);
            // At least the weights must fit.
            let bits = match quantization {
                Quantization::Q8 => 8,
                Quantization::F16 => 16,
                Quantization::F32 => 32,
            };
            assert!(file.size_bytes > model.parameters * bits / 8, "{} {quantization}", model.name);
        }
        for Source::Wheel(source) in model.sources.iter().chain([&catalog().voice_activity]) {
            assert!(is_digest(&source.sha256) && source.file.contains(&source.version), "{}", model.name);
            assert!(source.samples.iter().all(|sample| is_digest(&sample.sha256)), "{}", model.name);
        }
    }
}

#[test]
fn a_catalog_model_is_found_with_and_without_a_quantization() {
    let found = |name: &str| catalog().find(name).map(|model| model.name.as_str());
    assert_eq!(found("moonshine-tiny-en"), Some("moonshine-tiny-en"));
    assert_eq!(found("moonshine-tiny-en-f16"), Some("moonshine-tiny-en"));
    assert_eq!(found("moonshine-tiny-en-q4"), None);
    assert_eq!(found("moonshine-tiny"), None);
}

#[test]
fn a_name_means_q8_before_f16_before_f32() {
    let (_folder, home) = home_with(&["m-f32.gguf", "m-f16.gguf", "m-q8.gguf", "other-f32.gguf"]);
    assert_eq!(home.resolve("m").unwrap(), home.model_path("m", Quantization::Q8));
    assert_eq!(home.resolve("m-f32").unwrap(), home.model_path("m", Quantization::F32));
    assert_eq!(home.resolve("other").unwrap(), home.model_path("other", Quantization::F32));
}

#[test]
fn a_path_that_exists_wins_over_a_name() {
    let (folder, home) = home_with(&["m-q8.gguf"]);
    let path = folder.path().join("m-q8");
    fs::write(&path, b"x").unwrap();
    assert_eq!(home.resolve(path.to_str().unwrap()).unwrap(), path);
}

#[test]
fn a_catalog_model_that_is_not_installed_says_how_to_get_it() {
    let (_folder, home) = home_with(&[]);
    let error = home.resolve("moonshine-tiny-en").unwrap_err();
    assert!(matches!(error, ModelsError::NotInstalled { in_catalog: true, .. }), "{error:?}");
    assert!(error.to_string().contains("`auricle models pull moonshine-tiny-en`"), "{error}");
}

#[test]
fn the_way_to_get_one_quantization_is_a_command_that_works() {
    let (_folder, home) = home_with(&[]);
    let error = home.resolve("moonshine-tiny-en-f32").unwrap_err().to_string();
    assert!(error.contains("`auricle models pull moonshine-tiny-en -q f32`"), "{error}");
}

#[test]
fn an_unknown_name_lists_the_known_ones() {
    let (_folder, home) = home_with(&["mine-q8.gguf"]);
    let error = home.resolve("nothing").unwrap_err();
    assert!(matches!(error, ModelsError::NotInstalled { in_catalog: false, .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("moonshine-tiny-en") && text.contains("mine-q8"), "{text}");
}

#[test]
fn a_home_that_does_not_exist_yet_has_no_models() {
    let folder = TempDir::new().unwrap();
    let home = Home::at(folder.path().join("not/yet"));
    assert_eq!(home.installed().unwrap(), []);
    assert!(!home.root().exists());
}

#[test]
fn only_model_files_are_listed() {
    let (_folder, home) = home_with(&["b-q8.gguf", "a.gguf", "notes.txt", ".partial-x.gguf"]);
    fs::create_dir(home.models_dir().join("folder.gguf")).unwrap();
    let found: Vec<_> = home.installed().unwrap().into_iter().map(|m| (m.name, m.quantization)).collect();
    assert_eq!(found, [("a".to_owned(), None), ("b".to_owned(), Some(Quantization::Q8))]);
}

#[test]
fn removing_takes_all_quantizations_or_one() {
    let (_folder, home) = home_with(&["m-q8.gguf", "m-f32.gguf", "m2-q8.gguf", "k-q8.gguf", "k-f16.gguf"]);
    assert_eq!(models::remove(&home, "m").unwrap().len(), 2);
    assert_eq!(models::remove(&home, "k-f16").unwrap(), [home.model_path("k", Quantization::F16)]);
    assert_eq!(
        files_in(&home),
        ["models/k-q8.gguf", "models/m2-q8.gguf"].map(|name| Path::new(name).display().to_string())
    );
    assert!(matches!(models::remove(&home, "m"), Err(ModelsError::NotInstalled { .. })));
    assert!(matches!(models::remove(&home, "../k-q8"), Err(ModelsError::NotInstalled { .. })));
}

#[test]
fn a_model_that_the_catalog_does_not_have_cannot_be_pulled() {
    let (_folder, home) = home_with(&[]);
    let error = models::pull(&home, "nothing", &PullOptions::default(), &mut ()).unwrap_err();
    assert!(matches!(&error, ModelsError::UnknownModel { known, .. } if known.len() == catalog().models.len()));
}

#[test]
fn two_processes_do_not_change_the_same_home_at_once() {
    let (folder, home) = home_with(&["m-q8.gguf"]);
    let path = folder.path().join("some.whl");
    wheel::pack(&path, &wheel::entries(&tiny::tensors()));
    let lock = File::create(folder.path().join(".lock")).unwrap();
    lock.lock().unwrap();
    let error = models::import(&home, &path, &ImportOptions::default(), &mut ()).unwrap_err();
    assert!(matches!(error, ModelsError::Busy { .. }), "{error:?}");
    assert!(matches!(models::remove(&home, "m"), Err(ModelsError::Busy { .. })));
    drop(lock);
    assert_eq!(models::import(&home, &path, &ImportOptions::default(), &mut ()).unwrap().len(), 1);
}

#[test]
fn what_a_killed_run_left_behind_is_removed_and_told() {
    #[derive(Default)]
    struct Leftovers(Vec<usize>);
    impl Progress for Leftovers {
        fn phase(&mut self, phase: &Phase, _: Option<u64>) {
            if let Phase::RemovedLeftovers { count } = phase {
                self.0.push(*count);
            }
        }
        fn advance(&mut self, _: u64) {}
    }
    let (folder, home) = home_with(&[".partial-abc", "m-q8.gguf"]);
    fs::create_dir_all(folder.path().join(".partial-def/pip")).unwrap();
    fs::create_dir_all(home.samples_dir()).unwrap();
    fs::write(home.samples_dir().join(".partial-ghi"), b"RIFF").unwrap();
    let path = TempDir::new().unwrap();
    let source = path.path().join("some.whl");
    wheel::pack(&source, &wheel::entries(&tiny::tensors()));
    let mut heard = Leftovers::default();
    models::import(&home, &source, &ImportOptions::default(), &mut heard).unwrap();
    assert_eq!(heard.0, [3]);
    let expected = ["models/m-q8.gguf".to_owned(), format!("models/{}-q8.gguf", wheel::NAME)];
    assert_eq!(files_in(&home), expected.map(|name| Path::new(&name).display().to_string()));
}
