//! Files that tests need and a clone may lack, and recordings.
#![allow(dead_code)] // Each test program uses a part of it.

use std::path::{Path, PathBuf};

/// Whether the file is there; where it is not, a test skips, except in CI.
pub(crate) fn found(path: &Path) -> bool {
    let found = path.exists();
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "{} must be there in CI", path.display());
    if !found {
        println!("skipped: there is no {}", path.display());
    }
    found
}

/// A path from this crate's folder.
pub(crate) fn beside(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A path in the folder of the tests' models and samples.
pub(crate) fn home(path: &str) -> PathBuf {
    std::env::var_os("AURICLE_HOME").map_or_else(|| beside("../target/auricle-home"), PathBuf::from).join(path)
}

/// The samples of a 16-bit mono WAV file.
pub(crate) fn samples(path: &Path) -> Vec<f32> {
    let reader = hound::WavReader::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reader.into_samples::<i16>().map(|sample| f32::from(sample.expect("a sample")) / 32_768.0).collect()
}
