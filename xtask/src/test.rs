//! `cargo xtask test`: everything that CI checks.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::component;
use crate::flavour::Flavour;
use crate::{apt, bench, browser, cargo, check, chromium, microphone, models, npm, shim, web};

/// Model files the tests need, as `auricle models pull` names them.
const QUANTIZATIONS: [&str; 3] = ["q8", "f16", "f32"];

/// Tested one by one: together they would be resolved with other features of shared dependencies than `cargo xtask run`
/// builds, and wasmtime would be compiled twice.
const PACKAGES: [&str; 6] =
    ["xtask", "auricle-component", "auricle-conditioning", shim::PACKAGE, "auricle", bench::PACKAGE];

/// Sets up, checks and tests.
pub(crate) fn test() -> Result<()> {
    microphone::install_in_ci()?;
    step("format");
    check(&mut cargo(&["fmt", "--all", "--check"]))?;

    step("component, both flavours");
    component::build_all()?;

    step("lints");
    let lints = ["clippy", "--quiet", "--release", "--workspace", "--all-targets"];
    check(cargo(&lints).args(microphone::flags()).args(["--", "-D", "warnings"]))?;
    check(Flavour::Relaxed.clippy("auricle-component").args(["--", "-D", "warnings"]))?;
    check(shim::cargo_of(&["clippy", "--quiet"])?.args(["--", "-D", "warnings"]))?;

    step("models");
    models::pull(&QUANTIZATIONS)?;

    step("JavaScript engines");
    let javascript = javascript_engines()?;

    step("tests");
    let guests: Vec<_> = Flavour::ALL
        .into_iter()
        .map(|flavour| {
            let variable = format!("AURICLE_GUEST_TESTS_{}", flavour.name().to_uppercase());
            Ok((variable, guest_tests(flavour)?))
        })
        .collect::<Result<_>>()?;
    for package in PACKAGES {
        // With the output of tests that pass: figures that they measure, and what they skip.
        let mut tests = cargo(&["test", "--release", "--no-fail-fast", "--package", package]);
        // The only package with features.
        if package == "auricle" {
            tests.args(microphone::flags());
        }
        tests.args(["--", "--show-output"]);
        check(tests.envs(bench::environment()).envs(guests.iter().cloned()))?;
    }
    if javascript {
        step("tests of the browser's package");
        browser::test()?;
    }
    Ok(())
}

/// Sets up Node and Chromium, which have to give the same bits as wasmtime, and builds what runs in browsers. Without npm or
/// Chromium, what needs them is skipped and says so; in CI they are installed. Gives whether there is an npm.
fn javascript_engines() -> Result<bool> {
    if apt::is_ci() {
        let missing = [(npm::runs(), "npm"), (chromium::find().is_some(), "chromium")];
        let missing: Vec<_> = missing.into_iter().filter(|(there, _)| !there).map(|(_, package)| package).collect();
        apt::install(&missing)?;
        // Whether it can be had depends on the system, and the tests say where they skip it.
        if chromium::on_path(&["firefox", "firefox-esr"]).is_none()
            && let Err(error) = apt::install(&["firefox-esr"])
        {
            eprintln!("Firefox: not installed: {error:#}");
        }
    } else if !npm::runs() {
        eprintln!("skipped: there is no npm, which comes with Node.js");
        return Ok(false);
    }
    web::set_up()?;
    web::check_types()?;
    browser::build()?;
    browser::check_types()?;
    browser::pack()?;
    browser::assemble_demo()?;
    Ok(true)
}

/// Builds the component's unit tests as WebAssembly and gives the module's path.
fn guest_tests(flavour: Flavour) -> Result<PathBuf> {
    let output = flavour
        .cargo("auricle-component", &["test", "--lib", "--no-run", "--message-format", "json"])?
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("starting cargo")?;
    if !output.status.success() {
        bail!("the component's unit tests do not build as WebAssembly");
    }
    // One line of JSON per artifact; the test module is the only one that names an executable.
    let messages = String::from_utf8(output.stdout).context("reading cargo's messages")?;
    let (_, rest) = messages.rsplit_once("\"executable\":\"").context("cargo names no test module")?;
    let (path, _) = rest.split_once('"').context("cargo's message is cut off")?;
    Ok(PathBuf::from(path.replace("\\\\", "\\")))
}

fn step(name: &str) {
    eprintln!("== {name}");
}
