//! The component for JavaScript engines: packages from npm, and what jco makes of both flavours.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::component::Flavour;
use crate::{check, root, target_dir};

/// What runs in Node and Chromium.
fn folder() -> PathBuf {
    root().join("bench/js")
}

/// `npm` in that folder, with these arguments.
fn npm(arguments: &[&str]) -> Command {
    // Windows finds a script only by its whole name.
    let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    command.current_dir(folder()).args(arguments);
    command
}

/// Whether there is an npm.
pub(crate) fn npm_runs() -> bool {
    npm(&["--version"]).output().is_ok_and(|output| output.status.success())
}

/// Installs the packages, where those that are there are not those of the lockfile, and transpiles both flavours of the
/// component, which must have been built.
pub(crate) fn set_up() -> Result<()> {
    let lockfile = fs::read(folder().join("package-lock.json")).context("reading bench/js/package-lock.json")?;
    let installed = folder().join("node_modules/.installed-lockfile");
    if fs::read(&installed).ok().as_ref() != Some(&lockfile) {
        // No package needs a script of its own to be installed.
        check(&mut npm(&["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]))
            .context("npm comes with Node.js")?;
        fs::write(&installed, &lockfile).with_context(|| format!("writing {}", installed.display()))?;
    }
    Flavour::ALL.into_iter().try_for_each(transpile)
}

fn transpile(flavour: Flavour) -> Result<()> {
    let component = target_dir().join("component").join(format!("auricle-{}.wasm", flavour.name()));
    let mut jco = npm(&["exec", "--offline", "--", "node", "transpile.mjs"]);
    jco.arg(&component).arg(flavour.name());
    check(&mut jco)
}

/// Checks the types of the JavaScript, against those of the contract among others.
pub(crate) fn check_types() -> Result<()> {
    check(&mut npm(&["exec", "--offline", "--", "tsc", "--project", "tsconfig.json"]))
}
