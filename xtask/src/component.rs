//! Builds the component: core module by cargo, component by wit-component, and a check that it is sealed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use wit_component::ComponentEncoder;

use crate::flavour::{Flavour, TARGET};
use crate::{check, pin, root, seal, target_dir};

/// Answers for `wasi_snapshot_preview1`, in text form.
const ADAPTER: &str = include_str!("adapter.wat");

/// Installs a WebAssembly target where rustup has not got it.
pub(crate) fn install_target(target: &str) -> Result<()> {
    let rustup = || {
        let mut command = Command::new("rustup");
        command.current_dir(root());
        command
    };
    let listed = rustup()
        .args(["target", "list", "--installed"])
        .output()
        .context("rustup was not found: install Rust with rustup, so that the WebAssembly target can be added")?;
    if !String::from_utf8_lossy(&listed.stdout).lines().any(|line| line == target) {
        check(rustup().args(["target", "add", target]))?;
    }
    Ok(())
}

/// Builds every flavour that is shipped into `target/component`.
pub(crate) fn build_all() -> Result<()> {
    install_target(TARGET)?;
    Flavour::ALL.into_iter().try_for_each(|flavour| build(flavour, &target_dir().join("component")))
}

/// Where the component of a flavour that is shipped is built.
pub(crate) fn path(flavour: Flavour) -> PathBuf {
    target_dir().join("component").join(file_name(flavour))
}

fn file_name(flavour: Flavour) -> String {
    format!("auricle-{}.wasm", flavour.name())
}

/// Builds the scalar flavour into `target/bench`.
pub(crate) fn build_scalar() -> Result<()> {
    build(Flavour::Scalar, &target_dir().join("bench"))
}

/// Builds the kernels for themselves, in every flavour, into `target/bench`.
pub(crate) fn build_kernels() -> Result<()> {
    for flavour in [Flavour::Relaxed, Flavour::Simd128, Flavour::Scalar] {
        let module = module(flavour, "auricle-bench-kernels")?;
        write(&module, &target_dir().join("bench"), &format!("kernels-{}.wasm", flavour.name()))?;
    }
    Ok(())
}

/// Builds the core module of a package.
fn module(flavour: Flavour, package: &str) -> Result<Vec<u8>> {
    // As nothing but a module: with a library for Rust beside it, nothing would be optimized across crates, and what it
    // depends on would be built in another way than for its tests.
    check(&mut flavour.cargo(package, &["rustc", "--quiet", "--lib", "--crate-type", "cdylib"])?)?;
    let module = target_dir().join(TARGET).join("guest").join(format!("{}.wasm", package.replace('-', "_")));
    let mut module = std::fs::read(&module).with_context(|| format!("reading {}", module.display()))?;
    pin::pin(&mut module)?;
    Ok(module)
}

fn build(flavour: Flavour, folder: &Path) -> Result<()> {
    let module = module(flavour, "auricle-component")?;
    let adapter = wat::parse_str(ADAPTER).context("assembling the adapter")?;
    let component = ComponentEncoder::default()
        .module(&module)?
        .adapter("wasi_snapshot_preview1", &adapter)?
        .validate(true)
        .encode()
        .context("making a component of the core module")?;
    seal::check(&component).with_context(|| format!("the {} flavour is not sealed", flavour.name()))?;

    write(&component, folder, &file_name(flavour))
}

fn write(bytes: &[u8], folder: &Path, name: &str) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(name);
    // An unchanged file keeps its time, so that the host that embeds it is not built again.
    if std::fs::read(&path).ok().as_deref() != Some(bytes) {
        std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    }
    eprintln!("{}: {} bytes", path.display(), bytes.len());
    Ok(())
}
