//! Where models and samples live.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::ModelsError;
use super::{Quantization, catalog};

/// The variable that overrides the platform's data folder.
const HOME_VARIABLE: &str = "AURICLE_HOME";
const EXTENSION: &str = "gguf";
const MAX_NAME_BYTES: usize = 64;

/// A folder with `models/` and `samples/` in it. Both are made when the first file comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// A file in the models folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledModel {
    /// File name without `.gguf`.
    pub file_stem: String,
    /// The model's name, without quantization.
    pub name: String,
    /// By the file's name; `None` where the name does not tell.
    pub quantization: Option<Quantization>,
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub size_bytes: u64,
}

impl InstalledModel {
    fn new(path: PathBuf, size_bytes: u64) -> Option<Self> {
        let file_stem = path.file_stem()?.to_str()?.to_owned();
        let by_suffix = Quantization::ALL.into_iter().find_map(|quantization| {
            let name = file_stem.strip_suffix(quantization.as_str())?.strip_suffix('-')?;
            Some((name.to_owned(), Some(quantization)))
        });
        let (name, quantization) = by_suffix.unwrap_or_else(|| (file_stem.clone(), None));
        Some(Self { file_stem, name, quantization, path, size_bytes })
    }

    /// Whether `name` means this file: the model's name, or the file's with its quantization.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.file_stem == name
    }
}

impl Home {
    /// The folder that `AURICLE_HOME` names, or else `auricle` in the platform's data folder.
    ///
    /// # Errors
    ///
    /// [`ModelsError::NoHome`] where there is neither.
    pub fn open() -> Result<Self, ModelsError> {
        if let Some(root) = env::var_os(HOME_VARIABLE).filter(|root| !root.is_empty()) {
            return Ok(Self::at(root));
        }
        let folders = directories::ProjectDirs::from("", "", "auricle").ok_or(ModelsError::NoHome)?;
        // Local, not roaming: models are large, and can be had again.
        Ok(Self::at(folders.data_local_dir()))
    }

    /// This folder, which need not exist yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where model files are.
    #[must_use]
    pub fn models_dir(&self) -> PathBuf {
        self.root.join("models")
    }

    /// Where recordings that came with a model are.
    #[must_use]
    pub fn samples_dir(&self) -> PathBuf {
        self.root.join("samples")
    }

    /// Where a model of this name and quantization is or would be.
    #[must_use]
    pub fn model_path(&self, name: &str, quantization: Quantization) -> PathBuf {
        self.models_dir().join(format!("{name}-{quantization}.{EXTENSION}"))
    }

    /// The files in the models folder, by name.
    ///
    /// # Errors
    ///
    /// [`ModelsError::Io`] where the folder is there and cannot be read.
    pub fn installed(&self) -> Result<Vec<InstalledModel>, ModelsError> {
        let folder = self.models_dir();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(ModelsError::io("read the folder", &folder))?,
        };
        let mut models = Vec::new();
        for entry in entries {
            let path = entry.map_err(ModelsError::io("read the folder", &folder))?.path();
            let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if is_hidden || path.extension().is_none_or(|extension| extension != EXTENSION) {
                continue;
            }
            // A file that has gone since is not installed.
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            if metadata.is_file() {
                models.extend(InstalledModel::new(path, metadata.len()));
            }
        }
        models.sort_by(|a, b| a.file_stem.cmp(&b.file_stem));
        Ok(models)
    }

    /// The model file that a user means: a path that exists; or `NAME-q8`, `-f16` or `-f32` among those installed; or
    /// `NAME`, of which q8 is taken before f16 before f32.
    ///
    /// # Errors
    ///
    /// [`ModelsError::NotInstalled`], whose message says how to get it.
    pub fn resolve(&self, name_or_path: &str) -> Result<PathBuf, ModelsError> {
        let path = Path::new(name_or_path);
        // A named pipe will do as well.
        if path.exists() && !path.is_dir() {
            return Ok(path.to_owned());
        }
        let installed = self.installed()?;
        let exact = installed.iter().find(|model| model.file_stem == name_or_path);
        let by_name = || {
            let named = installed.iter().filter(|model| model.name == name_or_path);
            named.min_by_key(|model| model.quantization)
        };
        match exact.or_else(by_name) {
            Some(model) => Ok(model.path.clone()),
            None => Err(self.not_installed(name_or_path)),
        }
    }

    pub(super) fn not_installed(&self, name: &str) -> ModelsError {
        let in_catalog = catalog().find(name).is_some();
        let mut known: Vec<String> = catalog().models.iter().map(|model| model.name.clone()).collect();
        known.extend(self.installed().unwrap_or_default().into_iter().map(|model| model.file_stem));
        ModelsError::NotInstalled { name: name.to_owned(), in_catalog, known }
    }
}

/// Whether a model can be installed under this name.
pub(super) fn check_name(name: &str) -> Result<(), ModelsError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let starts_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if starts_well && name.len() <= MAX_NAME_BYTES && name.bytes().all(is_plain) {
        Ok(())
    } else {
        Err(ModelsError::InvalidName { name: name.to_owned() })
    }
}
