//! What a file is, and what is in it.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde::Serialize;

use super::error::ModelsError;
use super::gguf::Header;
use super::ort;

/// Kinds of file that people have models in, by content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FileKind {
    /// A model file, maybe of another program.
    Gguf,
    /// ONNX Runtime's own format.
    Ort,
    /// ONNX.
    Onnx,
    /// Hugging Face's tensors.
    Safetensors,
    /// A wheel, or PyTorch's format.
    Zip,
    /// What came before GGUF.
    Ggml,
    /// A folder.
    Folder,
    /// No bytes.
    Empty,
    /// None of these.
    Unknown,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gguf => "a GGUF file",
            Self::Ort => "an ONNX Runtime model (.ort)",
            Self::Onnx => "an ONNX model",
            Self::Safetensors => "a safetensors file",
            Self::Zip => "a zip archive, as wheels and PyTorch's files are",
            Self::Ggml => "a ggml file, the format before GGUF",
            Self::Folder => "a folder",
            Self::Empty => "an empty file",
            Self::Unknown => "of no known kind",
        })
    }
}

impl FileKind {
    /// How one gets from it to a model file, if there is a way.
    #[must_use]
    pub fn advice(self) -> Option<&'static str> {
        match self {
            Self::Gguf | Self::Empty | Self::Unknown => None,
            Self::Ort => Some("import the wheel it came in: `auricle models import FILE.whl`"),
            Self::Safetensors => Some("import the folder it is in, with its config.json and tokenizer.json"),
            Self::Zip => Some("if it is a wheel with a Moonshine model: `auricle models import FILE.whl`"),
            Self::Folder => Some("if it is a Hugging Face model: `auricle models import FOLDER`"),
            Self::Onnx | Self::Ggml => Some("it cannot be imported; look for the model's safetensors or GGUF file"),
        }
    }
}

/// What [`inspect`] found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Inspection {
    /// A GGUF file with a sound header.
    Gguf(Header),
    /// Something else.
    Other {
        /// What it is.
        kind: FileKind,
    },
}

/// Reads and checks the header of a GGUF file, or says what else the file is.
///
/// # Errors
///
/// [`ModelsError::Gguf`] for a GGUF file that is damaged or cut off, [`ModelsError::Io`] where it cannot be read.
pub fn inspect(path: &Path) -> Result<Inspection, ModelsError> {
    let kind = kind_of(path)?;
    if kind != FileKind::Gguf {
        return Ok(Inspection::Other { kind });
    }
    let file = File::open(path).map_err(ModelsError::io("open", path))?;
    let file_bytes = file.metadata().map_err(ModelsError::io("read", path))?.len();
    let header = Header::read(file, file_bytes);
    header.map(Inspection::Gguf).map_err(|problem| ModelsError::Gguf { path: path.to_owned(), problem })
}

/// Tells by a file's first bytes.
pub(super) fn kind_of(path: &Path) -> Result<FileKind, ModelsError> {
    let metadata = fs::metadata(path).map_err(ModelsError::io("open", path))?;
    if metadata.is_dir() {
        return Ok(FileKind::Folder);
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(ModelsError::io("open", path))?;
    file.take(9).read_to_end(&mut start).map_err(ModelsError::io("read", path))?;
    Ok(match start.as_slice() {
        [] => FileKind::Empty,
        [b'G', b'G', b'U', b'F', ..] => FileKind::Gguf,
        [b'P', b'K', 3, 4, ..] => FileKind::Zip,
        // "ggml", "ggmf", "ggjt" and "ggla" as little-endian numbers.
        [b'l', b'm', b'g', b'g', ..] | [b'f', b'm', b'g', b'g', ..] => FileKind::Ggml,
        [b't', b'j', b'g', b'g', ..] | [b'a', b'l', b'g', b'g', ..] => FileKind::Ggml,
        [_, _, _, _, identifier @ .., _] if identifier == ort::IDENTIFIER => FileKind::Ort,
        // The length of the header, which is JSON.
        [len @ .., b'{'] if is_header_len(len, metadata.len()) => FileKind::Safetensors,
        // A protobuf whose first field is the IR version, followed by one of the model's text fields.
        [0x08, 1..=32, 0x12 | 0x1a | 0x22 | 0x3a | 0x42, ..] => FileKind::Onnx,
        _ => FileKind::Unknown,
    })
}

fn is_header_len(bytes: &[u8], file_bytes: u64) -> bool {
    bytes.try_into().is_ok_and(|bytes| u64::from_le_bytes(bytes) < file_bytes)
}
