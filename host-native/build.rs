//! Finds the component that `cargo xtask build` made, for `src/component.rs` to embed.

use std::env;
use std::path::{Path, PathBuf};

/// Overrides the folder that the component is taken from.
const FOLDER_VARIABLE: &str = "AURICLE_COMPONENT_DIR";
/// The flavours: the variable that tells the crate where the file is, and the file's name.
const FLAVOURS: [(&str, &str); 2] =
    [("AURICLE_EMBEDDED_SIMD128", "auricle-simd128.wasm"), ("AURICLE_EMBEDDED_RELAXED", "auricle-relaxed.wasm")];

fn main() {
    println!("cargo::rerun-if-env-changed={FOLDER_VARIABLE}");
    let folder = match env::var_os(FOLDER_VARIABLE) {
        Some(folder) => PathBuf::from(folder),
        None => built_folder(),
    };
    for (variable, name) in FLAVOURS {
        let file = folder.join(name);
        println!("cargo::rerun-if-changed={}", file.display());
        if file.is_file() {
            println!("cargo::rustc-env={variable}={}", file.display());
        } else {
            println!(
                "cargo::error=the component {} is missing: run `cargo xtask build` first, or let {FOLDER_VARIABLE} \
                 name the folder that holds it",
                file.display()
            );
        }
    }
}

/// Where `cargo xtask build` writes it: `component` in Cargo's target folder, in which this script's output lies.
fn built_folder() -> PathBuf {
    let output = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    let built = |folder: &PathBuf| FLAVOURS.iter().all(|(_, name)| folder.join(name).is_file());
    let in_target = output.ancestors().map(|folder| folder.join("component")).find(built);
    in_target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/component"))
}
