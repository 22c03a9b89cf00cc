//! A tiny Moonshine made up by the tests: its tensors, and how a wheel, a Hugging Face folder and a model file hold it.
//! The writers here share no code with the library.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test program uses a part of this module")]

pub mod damage;
pub mod gguf;
pub mod hugging_face;
pub mod ort;
pub mod silero;
pub mod tiny;
pub mod wheel;

use std::fs;
use std::path::{Path, PathBuf};

use auricle::models::{self, Home, ImportOptions, Installed, ModelsError, Quantization};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// The names of everything in a home folder except the lock, sorted.
pub fn files_in(home: &Home) -> Vec<String> {
    fn walk(folder: &Path, root: &Path, names: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                // A folder under way counts, even if it is empty.
                let name = entry.file_name().to_string_lossy().into_owned();
                if name != "models" && name != "samples" {
                    names.push(name);
                }
                walk(&path, root, names);
            } else if entry.file_name() != ".lock" {
                names.push(path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned());
            }
        }
    }
    let mut names = Vec::new();
    walk(home.root(), home.root(), &mut names);
    names.sort();
    names
}

/// A home folder, and room for sources beside it.
pub struct Place {
    pub folder: TempDir,
    pub home: Home,
}

impl Place {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let home = Home::at(folder.path().join("home"));
        Self { folder, home }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn wheel(&self, tensors: &[tiny::Tensor]) -> PathBuf {
        let path = self.path("some.whl");
        wheel::pack(&path, &wheel::entries(tensors));
        path
    }

    pub fn import(&self, path: &Path, options: &ImportOptions) -> Result<Vec<Installed>, ModelsError> {
        models::import(&self.home, path, options, &mut ())
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn all_quantizations() -> ImportOptions {
    ImportOptions { quantizations: Quantization::ALL.to_vec(), ..ImportOptions::default() }
}

/// The first difference, so that a failure does not print two files.
pub fn assert_same_bytes(found: &[u8], expected: &[u8]) {
    let differs = found.iter().zip(expected).position(|(found, expected)| found != expected);
    assert_eq!(differs, None, "the files differ from this byte on");
    assert_eq!(found.len(), expected.len());
}
