//! Finds places in model files, to damage them there.

use super::gguf;

/// Where the value of a metadata key begins, or, for the name of a tensor, the second field of its info.
pub fn value_at(file: &[u8], key: &str) -> usize {
    position(file, &gguf::string(key)) + 8 + key.len() + 4
}

/// Where the data of the first tensor begins.
pub fn data_offset(file: &[u8]) -> usize {
    auricle::models::gguf::Header::read(file, file.len() as u64).expect("a sound file").data_offset as usize
}

/// The file with other text in a metadata value, of any length.
pub fn replaced_value(file: &[u8], key: &str, text: &str) -> Vec<u8> {
    let at = value_at(file, key);
    let (length, rest) = file[at..].split_first_chunk().expect("a length");
    let old = usize::try_from(u64::from_le_bytes(*length)).expect("a short text");
    let data = data_offset(file);
    let header_end = position(file, &gguf::string("model.decoder.norm.weight")) + 8 + 25 + 4 + 8 + 4 + 8;
    let mut new = [&file[..at], &gguf::string(text), &rest[old..header_end - at - 8]].concat();
    new.resize(new.len().next_multiple_of(32), 0);
    new.extend_from_slice(&file[data..]);
    new
}

/// The file with other bytes, as many, in the place where these are first.
pub fn replaced(file: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = position(file, from);
    let mut new = file.to_vec();
    new[at..at + to.len()].copy_from_slice(to);
    new
}

fn position(file: &[u8], needle: &[u8]) -> usize {
    file.windows(needle.len()).position(|window| window == needle).expect("the file has it")
}
