//! Builds the Rust part of the browser's package: WebAssembly by cargo, JavaScript for it by wasm-bindgen.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::component::install_target;
use crate::{cargo, check, target_dir};

/// The target it is built for.
const TARGET: &str = "wasm32-unknown-unknown";

/// The crate.
pub(crate) const PACKAGE: &str = "auricle-browser-shim";

/// The profile it is built with.
const PROFILE: &str = "shim";

/// A cargo command for it, whose target is installed.
pub(crate) fn cargo_of(arguments: &[&str]) -> Result<Command> {
    install_target(TARGET)?;
    let mut command = cargo(arguments);
    command.args(["--profile", PROFILE, "--target", TARGET, "--package", PACKAGE]);
    Ok(command)
}

/// Builds it into this folder.
pub(crate) fn build(folder: &Path) -> Result<()> {
    check(&mut cargo_of(&["build", "--quiet"])?)?;
    let module = target_dir().join(TARGET).join(PROFILE).join(format!("{}.wasm", PACKAGE.replace('-', "_")));
    Bindgen::new()
        .input_path(module)
        .out_name("auricle_shim")
        .web(true)?
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
        .context("making JavaScript for the shim")
}
