//! `cargo xtask`: builds, runs and tests Auricle, and installs what that needs.

mod apt;
mod bench;
mod browser;
mod chromium;
mod component;
mod flavour;
mod microphone;
mod models;
mod npm;
mod pin;
mod python;
mod run;
mod seal;
mod shim;
mod test;
mod web;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, runs and tests Auricle")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build both flavours of the component into target/component
    Build,
    /// Build everything, then run the `auricle` command with these arguments
    Run {
        /// Arguments for `auricle`, such as `-- transcribe FILE`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build the package for browsers into host-browser/dist
    Browser,
    /// Build the package for browsers, and make a tarball of it in target
    Pack,
    /// Build everything, then serve the demo page on localhost
    Demo {
        /// The port to serve it on
        #[arg(long, default_value_t = 8080)]
        port: u16,
    },
    /// Install what is missing, then check and test everything
    Test,
    /// Install what is missing, then measure Auricle beside its peers
    Bench {
        /// Arguments for the benchmark, such as `-- --runs 3`; `-- --help` tells them all
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Write the bits that every engine gives now into testdata/golden-bits.json
    BlessBits,
}

fn main() -> Result<ExitCode> {
    if let Some(ended) = flavour::wrapped() {
        return ended;
    }
    match Arguments::parse().task {
        Task::Build => component::build_all()?,
        Task::Run { arguments } => return run::run(&arguments),
        Task::Browser => browser::build_all()?,
        Task::Pack => {
            browser::build_all()?;
            println!("{}", browser::pack()?.display());
        }
        Task::Demo { port } => browser::demo(port)?,
        Task::Test => test::test()?,
        Task::Bench { arguments } => return bench::bench(&arguments),
        Task::BlessBits => return bench::bless_bits(),
    }
    Ok(ExitCode::SUCCESS)
}

/// The workspace's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// Where build results go, as cargo decides it.
fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// `cargo` in the workspace's folder, with these arguments.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// Runs a command and fails if it does.
fn check(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{:?} could not be started", command.get_program()))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}
