//! A tiny Moonshine made up by the tests: its tensors, and how a wheel, a Hugging Face folder and a model file hold it.
//! The writers here share no code with the library.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test program uses a part of this module"
)]

pub mod gguf;
pub mod hugging_face;
pub mod ort;
pub mod tiny;
pub mod wheel;

use std::fs;
use std::path::Path;

use auricle::models::Home;

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
                names.push(
                    path.strip_prefix(root)
                        .unwrap_or(&path)
                        .to_string_lossy()
                        .into_owned(),
                );
            }
        }
    }
    let mut names = Vec::new();
    walk(home.root(), home.root(), &mut names);
    names.sort();
    names
}
