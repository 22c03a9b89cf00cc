//! `cargo xtask bench` and `cargo xtask bless-bits`: what runs Auricle and its peers beside each other.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::{cargo, check, chromium, component, models, python, target_dir, web};

/// The package of both.
pub(crate) const PACKAGE: &str = "auricle-bench";

/// Sets everything up that can be had and that these flags ask for, and measures.
pub(crate) fn bench(flags: &[String]) -> Result<ExitCode> {
    component::build_all()?;
    let has = |names: &[&str]| flags.iter().any(|flag| names.contains(&flag.as_str()));
    if has(&["--help", "-h", "--list"]) {
        return run(flags);
    }
    optional("kernels", component::build_kernels());
    if has(&["--kernels"]) {
        optional("Node", web::set_up());
        return run(flags);
    }
    component::build_scalar()?;
    models::pull(&["q8", "f32"])?;
    optional("Node and Chromium", web::set_up());
    optional("native ONNX Runtime", python::set_up());
    run(flags)
}

/// Computes the bits of the golden clips in every engine there is, and makes them the ones that tests demand.
pub(crate) fn bless_bits() -> Result<ExitCode> {
    component::build_all()?;
    models::pull(&["q8"])?;
    optional("Node and Chromium", web::set_up());
    run(&["bless-bits".to_owned()])
}

/// Tells what is missing; the benchmark then names the sides that it skips.
fn optional(name: &str, set_up: Result<()>) {
    if let Err(error) = set_up {
        eprintln!("{name}: not set up: {error:#}");
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    check(&mut cargo(&["build", "--quiet", "--release", "--package", PACKAGE]))?;
    let tool = target_dir().join("release").join(format!("{PACKAGE}{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(&tool);
    command.args(arguments).envs(environment());
    let status = command.status().with_context(|| tool.display().to_string())?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// Where the package finds what was set up.
pub(crate) fn environment() -> Vec<(&'static str, std::ffi::OsString)> {
    let mut variables =
        vec![("AURICLE_HOME", models::home().into()), ("AURICLE_BENCH_DIR", target_dir().join("bench").into())];
    variables.extend(chromium::find().map(|path| ("CHROMIUM", path.into())));
    variables
}
