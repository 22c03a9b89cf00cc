//! What is measured beside each other.

use std::fmt;
use std::process::Command;

use anyhow::Result;
use auricle::models::Quantization;

use crate::peers;
use crate::place::Place;

/// A build of the component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// Shipped, for every engine.
    Simd128,
    /// Shipped, for engines with relaxed SIMD.
    RelaxedSimd,
    /// Not shipped.
    Scalar,
}

impl Build {
    /// The builds that are shipped, which give the same bits.
    pub const SHIPPED: [Self; 2] = [Self::Simd128, Self::RelaxedSimd];

    /// As the engine calls its flavour.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Simd128 => "simd128",
            Self::RelaxedSimd => "relaxed-simd",
            Self::Scalar => "scalar",
        }
    }

    /// What its folders and files are named by.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::RelaxedSimd => "relaxed",
            other => other.name(),
        }
    }
}

/// What runs WebAssembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// By the native library.
    Wasmtime,
    /// Node 24.
    Node,
    /// A Worker in Chromium.
    Chromium,
}

impl Runtime {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wasmtime => "wasmtime",
            Self::Node => "node",
            Self::Chromium => "chromium",
        }
    }
}

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Auricle as it is shipped, or a build to compare it with.
    Auricle(Runtime, Build),
    /// The same component with a model file of 32-bit floats, whose linear layers are candle's: what Auricle was before
    /// it had kernels.
    Candle,
    /// ONNX Runtime on the processor, from Python.
    OrtNative,
    /// ONNX Runtime's web package.
    OrtWeb(Runtime),
}

/// One side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// What computes.
    pub engine: Engine,
    /// How many threads it may use.
    pub threads: usize,
}

impl Side {
    /// The one whose text is the measure of all others'.
    pub const REFERENCE: Self = Self::new(Engine::Auricle(Runtime::Wasmtime, Build::RelaxedSimd), 1);

    /// All of them, the peers last.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut sides = vec![Self::REFERENCE];
        sides.push(Self::new(Engine::Auricle(Runtime::Wasmtime, Build::Simd128), 1));
        sides.push(Self::new(Engine::Auricle(Runtime::Wasmtime, Build::Scalar), 1));
        for runtime in [Runtime::Node, Runtime::Chromium] {
            sides.extend(
                [Build::RelaxedSimd, Build::Simd128].map(|build| Self::new(Engine::Auricle(runtime, build), 1)),
            );
        }
        sides.push(Self::new(Engine::Candle, 1));
        sides.extend([1, 2].map(|threads| Self::new(Engine::OrtNative, threads)));
        for runtime in [Runtime::Node, Runtime::Chromium] {
            sides.extend([1, 2].map(|threads| Self::new(Engine::OrtWeb(runtime), threads)));
        }
        sides
    }

    const fn new(engine: Engine, threads: usize) -> Self {
        Self { engine, threads }
    }

    /// Its name without flavour and threads: `auricle-node`, `ort-native`.
    #[must_use]
    pub fn name(self) -> String {
        match self.engine {
            Engine::Auricle(runtime, _) => format!("auricle-{}", runtime.name()),
            Engine::Candle => "candle".to_owned(),
            Engine::OrtNative => "ort-native".to_owned(),
            Engine::OrtWeb(runtime) => format!("ort-web-{}", runtime.name()),
        }
    }

    /// Which variant it is: the component's flavour, or how a peer computes.
    #[must_use]
    pub fn flavour(self) -> &'static str {
        match self.engine {
            Engine::Auricle(_, build) => build.name(),
            Engine::Candle => "f32-relaxed-simd",
            Engine::OrtNative => "int8",
            Engine::OrtWeb(_) => "int8-wasm-simd",
        }
    }

    /// Whether it is a peer that ratios are given to.
    #[must_use]
    pub fn is_peer(self) -> bool {
        matches!(self.engine, Engine::OrtNative | Engine::OrtWeb(_))
    }

    /// Whether it is too slow for as many rounds as the others.
    #[must_use]
    pub fn is_slow(self) -> bool {
        matches!(self.engine, Engine::Auricle(_, Build::Scalar))
    }

    /// Whether its process is its own in all its memory; a browser's is not, and there the WebAssembly memory counts.
    #[must_use]
    pub fn has_its_own_process(self) -> bool {
        !matches!(self.engine, Engine::Auricle(Runtime::Chromium, _) | Engine::OrtWeb(Runtime::Chromium))
    }

    /// Whether `wanted` means it: by its name, or by that and what follows it in its display.
    #[must_use]
    pub fn is(self, wanted: &str) -> bool {
        wanted == self.name() || wanted == self.to_string()
    }

    /// The command that starts it.
    ///
    /// # Errors
    ///
    /// Where something that it needs is missing.
    pub fn command(self, place: &Place) -> Result<Command> {
        match self.engine {
            Engine::Auricle(Runtime::Wasmtime, build) => wasmtime(place, build, Quantization::Q8),
            Engine::Candle => wasmtime(place, Build::RelaxedSimd, Quantization::F32),
            Engine::Auricle(runtime, build) => {
                let mut command = javascript(place, runtime)?;
                command.args(["--engine", "auricle", "--flavour", build.name()]);
                command.arg("--model").arg(place.model(Quantization::Q8)?);
                Ok(command)
            }
            Engine::OrtNative => {
                let mut command = Command::new(place.python()?);
                command.arg(place.repository("bench/ort-native/side.py"));
                command.arg("--threads").arg(self.threads.to_string());
                with_ort_models(command, place)
            }
            Engine::OrtWeb(runtime) => {
                let mut command = javascript(place, runtime)?;
                command.args(["--engine", "ort", "--threads"]).arg(self.threads.to_string());
                with_ort_models(command, place)
            }
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name(), self.flavour())?;
        if self.is_peer() { write!(f, "/{}", self.threads) } else { Ok(()) }
    }
}

/// This program as the side in wasmtime.
fn wasmtime(place: &Place, build: Build, quantization: Quantization) -> Result<Command> {
    let mut command = Command::new(place.program());
    command.args(["engine", "--model"]).arg(place.model(quantization)?);
    match build {
        Build::Scalar => command.arg("--component").arg(place.scalar_component()?),
        shipped => command.args(["--flavour", shipped.name()]),
    };
    Ok(command)
}

/// Node, with the script for itself or for Chromium.
fn javascript(place: &Place, runtime: Runtime) -> Result<Command> {
    let mut command = Command::new(place.node());
    if runtime == Runtime::Chromium {
        command.arg(place.script("chromium.mjs")?).arg("--chromium").arg(place.chromium()?);
    } else {
        command.arg(place.script("node.mjs")?);
    }
    Ok(command)
}

fn with_ort_models(mut command: Command, place: &Place) -> Result<Command> {
    let files = peers::ort_files(place)?;
    command.arg("--encoder").arg(files.encoder).arg("--decoder").arg(files.decoder);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_side_has_a_name_of_its_own_and_is_found_by_it() {
        let sides = Side::all();
        let names: BTreeSet<_> = sides.iter().map(Side::to_string).collect();
        assert_eq!(names.len(), sides.len(), "{names:?}");
        assert!(sides.iter().all(|side| side.is(&side.to_string()) && side.is(&side.name())));
        assert_eq!(sides.iter().filter(|side| side.is("auricle-wasmtime")).count(), 3);
        assert_eq!(sides.iter().filter(|side| side.is("ort-native/int8/2")).count(), 1);
    }

    #[test]
    fn what_is_missing_is_named() {
        let place = Place::new("auricle-bench".into());
        let side = Side::new(Engine::Auricle(Runtime::Wasmtime, Build::Scalar), 1);
        if let Err(error) = side.command(&place) {
            assert!(error.to_string().contains("there is no"), "{error}");
        }
    }
}
