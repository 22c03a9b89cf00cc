//! Files that tests need and a clone may lack: where one is absent a test skips, except in CI.
#![allow(dead_code)] // Each test program uses a part of it.

pub(crate) mod word_error;

use std::path::{Path, PathBuf};

/// A path in the repository.
fn repository_path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The path where there is something, and `None`, with a word about it, where there is not.
fn found(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{} must be there in CI", path.display());
    println!("skipped: there is no {}; `cargo xtask test` installs models", path.display());
    None
}

/// The folder with the tests' models and samples.
pub(crate) fn home() -> PathBuf {
    std::env::var_os("AURICLE_HOME").map_or_else(|| repository_path("target/auricle-home"), PathBuf::from)
}

/// The model file of that quantization.
pub(crate) fn model_path(quantization: &str) -> Option<PathBuf> {
    found(home().join("models").join(format!("moonshine-tiny-en-{quantization}.gguf")))
}

/// A recording that came with the model.
pub(crate) fn sample_path(name: &str) -> Option<PathBuf> {
    found(home().join("samples").join(name))
}

/// Material that is kept beside the repository.
pub(crate) fn shared_path(path: &str) -> Option<PathBuf> {
    found(repository_path("../shared").join(path))
}

/// A small input in the repository.
pub(crate) fn testdata_path(name: &str) -> PathBuf {
    repository_path("testdata").join(name)
}
