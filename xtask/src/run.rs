//! `cargo xtask run`: from a clone to text.

use anyhow::Result;

use crate::{cargo, check, component, target_dir};

/// Builds the component and the command-line tool, and runs the tool with these arguments. It installs the default model
/// itself where that is missing.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    component::build_all()?;
    check(&mut cargo(&["build", "--quiet", "--release", "--package", "auricle"]))?;
    let tool = target_dir().join("release").join(format!("auricle{}", std::env::consts::EXE_SUFFIX));
    let status = std::process::Command::new(tool).args(arguments).status()?;
    std::process::exit(status.code().unwrap_or(1));
}
