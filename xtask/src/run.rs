//! `cargo xtask run`: from a clone to text.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::{cargo, check, component, microphone, target_dir};

/// Builds the component and the command-line tool, and runs the tool with these arguments. It installs the default model
/// itself where that is missing.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    component::build_all()?;
    // Where it cannot be installed, the tool is built without.
    if let Err(error) = microphone::install_in_ci() {
        eprintln!("{error:#}");
    }
    check(cargo(&["build", "--quiet", "--release", "--package", "auricle"]).args(microphone::flags()))?;
    let tool = target_dir().join("release").join(format!("auricle{}", std::env::consts::EXE_SUFFIX));
    let status = Command::new(&tool).args(arguments).status().with_context(|| tool.display().to_string())?;
    // A tool that was killed has no code; the codes it gives itself fit a byte.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
