//! A Python wheel with Moonshine's ONNX Runtime files in it. A wheel is a zip.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use super::missing_file;
use crate::models::convert::{Hyperparameters, Tokenizer, VoiceActivity, WeightSource};
use crate::models::error::{ModelsError, SourceError};
use crate::models::ort::OrtMoonshine;

const ENCODER: &str = "encoder_model.ort";
const DECODER: &str = "decoder_model_merged.ort";
const TOKENIZER: &str = "tokenizer.bin";
/// Has the weights of the package's default model, under PyTorch's names. (Those in `silero_vad_16k.safetensors` beside it
/// are others, which decide otherwise.)
const SILERO: &str = "silero_vad_16k_op15.onnx";
/// A flatbuffer cannot be larger, and a deflated entry may claim to be.
const MAX_ENTRY_BYTES: u64 = 1 << 31;

pub(super) struct Wheel {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
}

/// The three files of a model.
pub(super) struct Parts {
    encoder: Vec<u8>,
    decoder: Vec<u8>,
    tokenizer: Vec<u8>,
}

impl Wheel {
    pub(super) fn open(path: &Path) -> Result<Self, ModelsError> {
        let file = File::open(path).map_err(ModelsError::io("open", path))?;
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|error| corrupt(path, "the wheel", &error))?;
        Ok(Self { path: path.to_owned(), archive })
    }

    /// What the model file says of its origin: package and version from the wheel's own metadata, and its digest.
    pub(super) fn describe(&self, sha256: &str) -> String {
        let package = self.names().find_map(|name| {
            let package = name.strip_suffix(".dist-info/METADATA")?.to_owned();
            (!package.contains('/')).then_some(package)
        });
        let package = package.map(|package| format!("{package} ")).unwrap_or_default();
        format!("{package}wheel, sha256:{sha256}")
    }

    /// The one folder with an encoder in it.
    pub(super) fn model_folder(&self) -> Result<String, ModelsError> {
        let folders: Vec<String> =
            self.names().filter_map(|name| name.strip_suffix(&format!("/{ENCODER}")).map(str::to_owned)).collect();
        match folders.as_slice() {
            [] => Err(missing_file(&self.path, ENCODER)),
            [folder] => Ok(folder.clone()),
            _ => Err(ModelsError::source(&self.path)(SourceError::Unsupported {
                what: format!("several models in one wheel: {}", folders.join(", ")),
            })),
        }
    }

    /// Reads a model's files.
    pub(super) fn parts(&mut self, folder: &str) -> Result<Parts, ModelsError> {
        let mut read = |file: &str| -> Result<Vec<u8>, ModelsError> {
            let mut bytes = Vec::new();
            self.copy_entry(&format!("{folder}/{file}"), &mut bytes)?;
            Ok(bytes)
        };
        Ok(Parts { encoder: read(ENCODER)?, decoder: read(DECODER)?, tokenizer: read(TOKENIZER)? })
    }

    /// Reads a voice activity detector. `sha256` is the wheel's digest.
    pub(super) fn voice_activity(&mut self, folder: &str, sha256: &str) -> Result<VoiceActivity, ModelsError> {
        let mut onnx = Vec::new();
        self.copy_entry(&format!("{folder}/{SILERO}"), &mut onnx)?;
        VoiceActivity::read(SILERO, &onnx, self.describe(sha256)).map_err(ModelsError::source(&self.path))
    }

    /// Copies an entry; its checksum in the zip is checked on the way.
    pub(super) fn copy_entry(&mut self, name: &str, out: &mut dyn Write) -> Result<(), ModelsError> {
        let path = &self.path;
        let entry = self.archive.by_name(name).map_err(|error| match error {
            ZipError::FileNotFound => missing_file(path, name),
            error => corrupt(path, name, &error),
        })?;
        let expected = entry.size();
        let mut bytes = Vec::new();
        // Read apart from writing, so that a fault is put down to the right side.
        let read = entry.take(MAX_ENTRY_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| corrupt(path, name, &ZipError::Io(error)))?;
        if bytes.len() as u64 != expected || expected > MAX_ENTRY_BYTES {
            let problem = format!("{} bytes instead of {expected}", bytes.len());
            return Err(corrupt(path, name, &ZipError::Io(io::Error::other(problem))));
        }
        out.write_all(&bytes).map_err(ModelsError::io("unpack", path))
    }

    fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.archive.file_names().flatten().map(|name| name.into_owned())
    }
}

impl Parts {
    /// Parses the files and hands the result over; it borrows from them.
    pub(super) fn with_model<T>(
        &self,
        path: &Path,
        each: impl FnOnce(&Hyperparameters, &Tokenizer, &dyn WeightSource) -> Result<T, ModelsError>,
    ) -> Result<T, ModelsError> {
        let tokenizer = Tokenizer::from_bin(&self.tokenizer).map_err(ModelsError::source(path))?;
        let weights = OrtMoonshine::read(&self.encoder, &self.decoder).map_err(ModelsError::source(path))?;
        each(weights.hyperparameters(), &tokenizer, &weights)
    }
}

fn corrupt(path: &Path, part: &str, error: &ZipError) -> ModelsError {
    ModelsError::source(path)(SourceError::Corrupt { part: part.to_owned(), problem: error.to_string() })
}
