//! Packs the tiny model as a wheel.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::ort;
use super::tiny::{self, Tensor};

pub const FOLDER: &str = "some_voice/assets/tiny-made-up";
/// What an import calls it.
pub const NAME: &str = "moonshine-tiny-made-up";

/// The entries of the wheel, to be changed before they are packed.
pub fn entries(tensors: &[Tensor]) -> Vec<(String, Vec<u8>)> {
    vec![
        (format!("{FOLDER}/encoder_model.ort"), ort::encoder(tensors)),
        (format!("{FOLDER}/decoder_model_merged.ort"), ort::decoder(tensors)),
        (format!("{FOLDER}/tokenizer.bin"), tokenizer_bin()),
        ("some_voice-1.2.3.dist-info/METADATA".to_owned(), b"Name: some-voice\n".to_vec()),
    ]
}

pub fn pack(path: &Path, entries: &[(String, Vec<u8>)]) {
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    for (name, bytes) in entries {
        zip.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// Raw bytes for the byte pieces, and a two-byte length wherever the format allows one byte or asks for two.
pub fn tokenizer_bin() -> Vec<u8> {
    let mut bin = Vec::new();
    for (id, (piece, kind)) in tiny::pieces().into_iter().enumerate() {
        let bytes = if kind == 6 { vec![u8::try_from(id - 3).unwrap()] } else { piece.into_bytes() };
        if id % 2 == 0 {
            bin.push(u8::try_from(bytes.len()).unwrap());
        } else {
            bin.extend([u8::try_from(bytes.len() & 0x7f).unwrap() | 0x80, u8::try_from(bytes.len() >> 7).unwrap()]);
        }
        bin.extend(bytes);
    }
    bin
}
