//! The Python that runs ONNX Runtime for the benchmark.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{check, root, target_dir};

/// Makes an environment with the packages of `bench/ort-native/requirements.txt`, unless there is one.
pub(crate) fn set_up() -> Result<()> {
    let file = root().join("bench/ort-native/requirements.txt");
    let requirements = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    let environment = target_dir().join("bench/venv");
    let installed = environment.join("installed-requirements.txt");
    if fs::read(&installed).ok().as_ref() == Some(&requirements) {
        return Ok(());
    }
    let runs = |python: &&str| Command::new(python).arg("--version").output().is_ok_and(|o| o.status.success());
    let python = ["python3", "python"].into_iter().find(runs).context("there is no Python on the PATH")?;
    check(Command::new(python).args(["-m", "venv", "--clear"]).arg(&environment))?;
    let inside: PathBuf = if cfg!(windows) { "Scripts/python.exe".into() } else { "bin/python".into() };
    let mut pip = Command::new(environment.join(inside));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--requirement"]);
    check(pip.arg(&file))?;
    fs::write(&installed, &requirements).with_context(|| format!("writing {}", installed.display()))
}
