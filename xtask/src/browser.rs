//! The browser's package: the component as jco transpiles it, the shim, the TypeScript face; and the demo page.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::component;
use crate::flavour::Flavour;
use crate::npm::Npm;
use crate::{bench, check, models, root, shim, target_dir};

/// Where it is.
pub(crate) const FOLDER: Npm = Npm("host-browser");

/// What of the package is made and not written.
fn dist() -> PathBuf {
    FOLDER.folder().join("dist")
}

/// Where the demo is put together: a static folder, which any server can serve.
fn demo_folder() -> PathBuf {
    target_dir().join("demo")
}

/// Makes JavaScript and core modules of both flavours of the component, which must have been built.
pub(crate) fn transpile() -> Result<()> {
    FOLDER.install()?;
    let mut jco = FOLDER.exec("node");
    jco.arg("scripts/transpile.mjs").arg(dist().join("engine"));
    for flavour in Flavour::ALL {
        // As the contract calls it.
        let name = match flavour {
            Flavour::Relaxed => "relaxed-simd",
            other => other.name(),
        };
        let component = component::path(flavour);
        jco.arg(format!("{name}={}", component.display()));
    }
    check(&mut jco)
}

/// Builds the package from the component, which must have been built, into `host-browser/dist`.
pub(crate) fn build() -> Result<()> {
    transpile()?;
    shim::build(&dist().join("shim"))?;
    remove_face()?;
    FOLDER.tsc("tsconfig.json")
}

/// Builds everything that the package is made of, and the package.
pub(crate) fn build_all() -> Result<()> {
    component::build_all()?;
    build()
}

/// Removes what the TypeScript compiler made before: of a file that is gone, nothing may be left.
fn remove_face() -> Result<()> {
    for entry in fs::read_dir(dist())? {
        let entry = entry?;
        let name = entry.file_name();
        if name != "engine" && name != "shim" {
            let path = entry.path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Makes the tarball that `npm install` takes, of the built package, in `target`; gives its path.
pub(crate) fn pack() -> Result<PathBuf> {
    let staged = target_dir().join("package");
    if staged.exists() {
        fs::remove_dir_all(&staged)?;
    }
    copy(&dist(), &staged.join("dist"))?;
    for name in ["package.json", "README.md"] {
        copy(&FOLDER.folder().join(name), &staged.join(name))?;
    }
    for name in ["LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY.md"] {
        copy(&root().join(name), &staged.join(name))?;
    }
    let mut npm = FOLDER.npm(&["pack", "--ignore-scripts", "--loglevel", "error"]);
    let output = npm.arg("--pack-destination").arg(target_dir()).arg(&staged).output().context("starting npm")?;
    ensure!(output.status.success(), "{npm:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    // The file's name is the last line.
    let name = String::from_utf8(output.stdout)?.lines().last().unwrap_or_default().to_owned();
    Ok(target_dir().join(name))
}

/// Copies a file, or a folder and all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
    } else {
        fs::copy(from, to).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    }
    Ok(())
}

/// Checks the types of the package's scripts and tests.
pub(crate) fn check_types() -> Result<()> {
    FOLDER.tsc("tsconfig.tests.json")
}

/// Runs the package's tests, in a browser where there is one.
pub(crate) fn test() -> Result<()> {
    check(FOLDER.exec("node").arg("scripts/test.mjs").envs(bench::environment()))
}

/// Puts the demo together, from the built package and the installed model.
pub(crate) fn assemble_demo() -> Result<()> {
    let mut script = FOLDER.exec("node");
    script.arg("scripts/demo.mjs").arg(demo_folder()).arg(models::home().join("models"));
    check(&mut script)
}

/// Builds everything, puts the demo together and serves it until interrupted.
pub(crate) fn demo(port: u16) -> Result<()> {
    build_all()?;
    models::pull(&["q8"])?;
    assemble_demo()?;
    let mut server = FOLDER.exec("node");
    server.arg("scripts/serve.mjs").args(["--port", &port.to_string()]).arg(demo_folder());
    check(&mut server)
}
