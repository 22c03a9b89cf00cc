//! What runs the component in Node and in Chromium, for the benchmark.

use anyhow::Result;

use crate::browser;
use crate::npm::Npm;

const FOLDER: Npm = Npm("bench/js");

/// Installs the packages, and transpiles both flavours of the component, which must have been built.
pub(crate) fn set_up() -> Result<()> {
    FOLDER.install()?;
    browser::transpile()
}

/// Checks the types of the JavaScript, against those of the contract among others.
pub(crate) fn check_types() -> Result<()> {
    FOLDER.tsc("tsconfig.json")
}
