//! Debian's packages, on CI machines.

use std::process::Command;

use anyhow::Result;

use crate::check;

/// Whether this is a CI machine, on which what is missing is installed.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}

/// Installs packages of these names.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    check(Command::new("apt-get").arg("update"))?;
    check(Command::new("apt-get").args(["install", "-y"]).args(packages).env("DEBIAN_FRONTEND", "noninteractive"))
}
