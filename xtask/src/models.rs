//! The models that tests and benchmark run.

use std::path::PathBuf;

use anyhow::Result;

use crate::{cargo, check, microphone, root, target_dir};

/// The folder they are in: the caller's, or one beside the build results.
pub(crate) fn home() -> PathBuf {
    std::env::var_os("AURICLE_HOME").map_or_else(|| target_dir().join("auricle-home"), |dir| root().join(dir))
}

/// Installs the default model in these quantizations, with the recordings that come with it.
pub(crate) fn pull(quantizations: &[&str]) -> Result<()> {
    let mut pull = cargo(&["run", "--quiet", "--release", "--package", "auricle"]);
    pull.args(microphone::flags()).arg("--");
    pull.args(["models", "pull", "moonshine-tiny-en"]).env("AURICLE_HOME", home());
    for quantization in quantizations {
        pull.args(["--quantization", quantization]);
    }
    check(&mut pull)
}
