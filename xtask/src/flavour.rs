//! What a component is compiled for, and how cargo and rustc are told.
//!
//! Instructions that only some flavours have go to the workspace's own crates: this program stands between cargo and rustc
//! for them, which cargo calls a workspace wrapper. What they depend on is then built once and not once for each flavour.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::cargo;

/// The target the core module is built for.
pub(crate) const TARGET: &str = "wasm32-wasip1";

/// jco's signed pointers end at 2 GiB, so the engine never has more.
const MEMORY_MAX_BYTES: u32 = 2 * 1024 * 1024 * 1024 - 64 * 1024;

/// Where cargo reads the flags for all crates of the target.
const RUSTFLAGS: &str = "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS";
/// Where [`wrapped`] reads the features that only the workspace's crates get.
const FEATURES: &str = "AURICLE_TARGET_FEATURES";

/// The instruction set a component is compiled for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Flavour {
    /// Runs everywhere.
    Simd128,
    /// Faster, where the host has relaxed SIMD.
    Relaxed,
    /// Without SIMD. Not shipped: the benchmark shows with it what SIMD is worth.
    Scalar,
}

impl Flavour {
    /// All that are shipped.
    pub(crate) const ALL: [Self; 2] = [Self::Simd128, Self::Relaxed];

    /// The name in the component's file name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Simd128 => "simd128",
            Self::Relaxed => "relaxed",
            Self::Scalar => "scalar",
        }
    }

    /// Features of all crates.
    fn features(self) -> &'static str {
        match self {
            Self::Simd128 | Self::Relaxed => "+simd128",
            Self::Scalar => "-simd128",
        }
    }

    /// Features of the workspace's crates besides.
    fn own_features(self) -> Option<&'static str> {
        matches!(self, Self::Relaxed).then_some("+relaxed-simd")
    }

    /// A cargo command that builds a package for it.
    pub(crate) fn cargo(self, package: &str, arguments: &[&str]) -> Result<Command> {
        let mut command = self.guest(package, arguments, self.features());
        if let Some(features) = self.own_features() {
            let wrapper = std::env::current_exe().context("finding this program")?;
            command.env("RUSTC_WORKSPACE_WRAPPER", wrapper).env(FEATURES, features);
            // A wrapper is nothing that cargo tells builds apart by; a feature is.
            command.args(["--features", "auricle-component/relaxed-simd"]);
        }
        Ok(command)
    }

    /// A cargo command that checks a package for it: cargo's lints are a workspace wrapper themselves, so all crates get all
    /// features.
    pub(crate) fn clippy(self, package: &str) -> Command {
        let features: Vec<_> = std::iter::once(self.features()).chain(self.own_features()).collect();
        self.guest(package, &["clippy", "--quiet"], &features.join(","))
    }

    fn guest(self, package: &str, arguments: &[&str], features: &str) -> Command {
        let mut command = cargo(arguments);
        command
            .args(["--profile", "guest", "--target", TARGET, "--package", package])
            .env(RUSTFLAGS, format!("-C target-feature={features} -C link-arg=--max-memory={MEMORY_MAX_BYTES}"));
        command
    }
}

/// Where cargo runs this program as a wrapper: runs the rustc it names, for a guest with the flavour's own features.
pub(crate) fn wrapped() -> Option<Result<ExitCode>> {
    std::env::var(FEATURES).ok().map(|features| rustc_with(&features))
}

fn rustc_with(features: &str) -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let rustc = arguments.next().context("cargo names no rustc")?;
    let mut command = Command::new(&rustc);
    let mut is_for_guest = false;
    command.args(arguments.inspect(|argument| is_for_guest |= argument == TARGET));
    // Build scripts and procedural macros are for this machine.
    if is_for_guest {
        command.args(["-C", &format!("target-feature={features}")]);
    }
    let status = command.status().with_context(|| format!("starting {}", rustc.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
