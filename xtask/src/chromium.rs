//! Finds a Chromium.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::check;

/// Names that it has as a command.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The one that the variable `CHROMIUM` names, or the first on the PATH.
pub(crate) fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}

/// Installs what is missing of a CI machine: Debian's packages of these names.
pub(crate) fn install_in_ci(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    check(Command::new("apt-get").arg("update"))?;
    check(Command::new("apt-get").args(["install", "-y"]).args(packages).env("DEBIAN_FRONTEND", "noninteractive"))
}
