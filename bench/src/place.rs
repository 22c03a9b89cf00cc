//! Where everything is that `cargo xtask bench` and `cargo xtask test` set up. What is missing is an error that says so.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use auricle::models::{DEFAULT_MODEL, Home, Quantization};

use crate::sides::Build;

/// Folder of the benchmark's own files, in place of `target/bench`.
const FOLDER_VARIABLE: &str = "AURICLE_BENCH_DIR";
/// Chromium's program.
const CHROMIUM_VARIABLE: &str = "CHROMIUM";

/// The files on this machine.
#[derive(Clone, Debug)]
pub struct Place {
    /// This program, which is also the side in wasmtime.
    program: PathBuf,
    /// The repository.
    root: PathBuf,
    /// What the benchmark makes, and what was made for it.
    folder: PathBuf,
    home: Home,
    chromium: Option<PathBuf>,
}

impl Place {
    /// By the environment and the place of this package. `program` is the built `auricle-bench`.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package.parent().unwrap_or(package).to_owned();
        let variable = |name: &str, default: &str| {
            std::env::var_os(name).map_or_else(|| root.join("target").join(default), PathBuf::from)
        };
        Self {
            program,
            folder: variable(FOLDER_VARIABLE, "bench"),
            home: Home::at(variable("AURICLE_HOME", "auricle-home")),
            chromium: std::env::var_os(CHROMIUM_VARIABLE).map(PathBuf::from),
            root,
        }
    }

    /// This program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A file or folder that the benchmark makes.
    #[must_use]
    pub fn made(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file of the repository.
    #[must_use]
    pub fn repository(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The model file of this quantization.
    ///
    /// # Errors
    ///
    /// Where it is not installed.
    pub fn model(&self, quantization: Quantization) -> Result<PathBuf> {
        there(self.home.model_path(DEFAULT_MODEL, quantization))
    }

    /// A recording that came with the model.
    ///
    /// # Errors
    ///
    /// Where it is not installed.
    pub fn sample(&self, name: &str) -> Result<PathBuf> {
        there(self.home.samples_dir().join(name))
    }

    /// The component without SIMD.
    ///
    /// # Errors
    ///
    /// Where it is not built.
    pub fn scalar_component(&self) -> Result<PathBuf> {
        there(self.made("auricle-scalar.wasm"))
    }

    /// The module of kernels in this build.
    ///
    /// # Errors
    ///
    /// Where it is not built.
    pub fn kernels(&self, build: Build) -> Result<PathBuf> {
        there(self.made(&format!("kernels-{}.wasm", build.folder())))
    }

    /// A file of `bench/js`, once its packages are installed and the component is transpiled for the browser's package.
    ///
    /// # Errors
    ///
    /// Where either has not been done.
    pub fn script(&self, name: &str) -> Result<PathBuf> {
        let folder = self.repository("bench/js");
        there(folder.join("node_modules/.installed-lockfile")).context("npm's packages are not installed")?;
        there(self.repository("host-browser/dist/engine/modules.js"))?;
        there(folder.join(name))
    }

    /// Node 24: the one that npm installed for this platform, or else the one on the PATH.
    #[must_use]
    pub fn node(&self) -> PathBuf {
        let arch = match std::env::consts::ARCH {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            other => other,
        };
        let package = format!("bench/js/node_modules/node-{}-{arch}/bin/node", std::env::consts::OS);
        let installed = self.repository(&package);
        if installed.is_file() { installed } else { "node".into() }
    }

    /// The Python with ONNX Runtime.
    ///
    /// # Errors
    ///
    /// Where it was not set up.
    pub fn python(&self) -> Result<PathBuf> {
        there(self.made(if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" }))
    }

    /// Chromium's program.
    ///
    /// # Errors
    ///
    /// Where none was found.
    pub fn chromium(&self) -> Result<&Path> {
        let path = self.chromium.as_deref();
        path.context("no Chromium: there is none on the PATH, and the variable CHROMIUM names none")
    }
}

fn there(path: PathBuf) -> Result<PathBuf> {
    ensure!(path.exists(), "there is no {}", path.display());
    Ok(path)
}
