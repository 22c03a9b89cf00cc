//! Damaged sources: a typed error, no panic, and nothing left in the models folder.

mod models_support;

use std::fs;

use auricle::models::{self, Home, ImportOptions, Installed, ModelsError, SourceError};
use models_support::tiny::{self, Random};
use models_support::{files_in, hugging_face, wheel};
use tempfile::TempDir;

/// Packs and imports; a failure must have left nothing.
fn import_of(folder: &TempDir, entries: &[(String, Vec<u8>)]) -> Result<Vec<Installed>, ModelsError> {
    let path = folder.path().join("some.whl");
    wheel::pack(&path, entries);
    import_file(folder, &path)
}

fn import_file(folder: &TempDir, path: &std::path::Path) -> Result<Vec<Installed>, ModelsError> {
    let home = Home::at(folder.path().join("home"));
    let result = models::import(&home, path, &ImportOptions::default(), &mut ());
    if result.is_err() {
        assert_eq!(files_in(&home), [""; 0]);
    } else {
        fs::remove_dir_all(home.root()).unwrap();
    }
    result
}

/// Every byte near the start and the end, and some in between.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (0..48.min(len)).chain((48..len).step_by(len / 97 + 1)).chain(len.saturating_sub(16)..len)
}

#[test]
fn a_network_file_cut_at_any_byte_is_refused() {
    let folder = TempDir::new().unwrap();
    let whole = wheel::entries(&tiny::tensors());
    assert_eq!(import_of(&folder, &whole).unwrap().len(), 1);
    for entry in [0, 1] {
        let len = whole[entry].1.len();
        for cut in cuts(len) {
            let mut entries = whole.clone();
            entries[entry].1.truncate(cut);
            match import_of(&folder, &entries) {
                Err(ModelsError::Source { .. }) => {}
                // The last bytes are padding that nothing points to.
                Ok(_) => assert!(cut + 16 >= len, "cut at {cut} of {len}"),
                Err(other) => panic!("cut at {cut} of {len}: {other:?}"),
            }
        }
    }
}

#[test]
fn flipped_bits_in_a_network_file_never_panic() {
    let folder = TempDir::new().unwrap();
    let whole = wheel::entries(&tiny::tensors());
    let mut random = Random(7);
    for round in 0..400 {
        let mut entries = whole.clone();
        let bytes = &mut entries[round % 2].1;
        // Half of them among the offsets of the root, where they do most.
        let reach = if round % 4 < 2 { 256 } else { bytes.len() as u64 };
        let at = (random.next_u64() % reach) as usize;
        bytes[at] ^= 1 << (random.next_u64() % 8);
        match import_of(&folder, &entries) {
            Ok(_) | Err(ModelsError::Source { .. }) => {}
            Err(other) => panic!("bit at byte {at}: {other:?}"),
        }
    }
}

#[test]
fn a_tokenizer_cut_at_any_byte_is_refused() {
    let folder = TempDir::new().unwrap();
    let whole = wheel::entries(&tiny::tensors());
    for cut in cuts(whole[2].1.len()) {
        let mut entries = whole.clone();
        entries[2].1.truncate(cut);
        let error = import_of(&folder, &entries).unwrap_err();
        let is_expected = matches!(
            &error,
            ModelsError::Source { problem: SourceError::Corrupt { part, .. }, .. } if part.starts_with("tokenizer")
        );
        assert!(is_expected, "cut at {cut}: {error:?}");
    }
}

#[test]
fn a_wheel_cut_at_any_byte_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("some.whl");
    wheel::pack(&path, &wheel::entries(&tiny::tensors()));
    let whole = fs::read(&path).unwrap();
    for cut in cuts(whole.len()) {
        fs::write(&path, &whole[..cut]).unwrap();
        let error = import_file(&folder, &path).unwrap_err();
        let is_expected = match cut {
            // Too short to be known as a zip.
            0..4 => matches!(error, ModelsError::NotImportable { .. }),
            _ => matches!(error, ModelsError::Source { problem: SourceError::Corrupt { .. }, .. }),
        };
        assert!(is_expected, "cut at {cut}: {error:?}");
    }
}

#[test]
fn a_wheel_with_changed_contents_fails_its_checksum() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("some.whl");
    wheel::pack(&path, &wheel::entries(&tiny::tensors()));
    let mut bytes = fs::read(&path).unwrap();
    // In the first entry's deflated data.
    bytes[2000] ^= 0x10;
    fs::write(&path, &bytes).unwrap();
    let error = import_file(&folder, &path).unwrap_err();
    assert!(matches!(error, ModelsError::Source { problem: SourceError::Corrupt { .. }, .. }), "{error:?}");
}

#[test]
fn a_wheel_without_one_of_the_model_files_says_which() {
    let folder = TempDir::new().unwrap();
    let whole = wheel::entries(&tiny::tensors());
    for (entry, name) in ["encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"].into_iter().enumerate() {
        let mut entries = whole.clone();
        entries.remove(entry);
        let error = import_of(&folder, &entries).unwrap_err();
        let is_expected = matches!(
            &error,
            ModelsError::Source { problem: SourceError::MissingFile { name: found }, .. } if found.ends_with(name)
        );
        assert!(is_expected, "{error:?}");
    }
}

#[test]
fn a_wheel_with_two_models_is_refused() {
    let folder = TempDir::new().unwrap();
    let mut entries = wheel::entries(&tiny::tensors());
    entries.push(("other/encoder_model.ort".to_owned(), Vec::new()));
    let error = import_of(&folder, &entries).unwrap_err().to_string();
    assert!(error.contains("several models"), "{error}");
}

#[test]
fn tensors_cut_at_any_byte_are_refused() {
    let folder = TempDir::new().unwrap();
    let source = folder.path().join("folder");
    let weights = hugging_face::weights(&tiny::tensors_of(6, 6));
    for cut in cuts(weights.len()) {
        hugging_face::write(&source, &hugging_face::config(), &hugging_face::tokenizer(), &weights[..cut]);
        let error = import_file(&folder, &source).unwrap_err();
        let is_expected = matches!(
            &error,
            ModelsError::Source { problem: SourceError::Corrupt { part, .. }, .. } if part == "model.safetensors"
        );
        assert!(is_expected, "cut at {cut}: {error:?}");
    }
}

#[test]
fn files_of_other_kinds_are_named() {
    let folder = TempDir::new().unwrap();
    let cases: [(&[u8], &str); 4] = [
        (b"", "an empty file"),
        (b"just text, no model", "of no known kind"),
        (b"\x14\0\0\0ORTM\x0c\0\x10\0", "an ONNX Runtime model"),
        (b"\x10\0\0\0\0\0\0\0{\"a\":{}}         ", "a safetensors file"),
    ];
    for (bytes, expected) in cases {
        let path = folder.path().join("file");
        fs::write(&path, bytes).unwrap();
        let error = import_file(&folder, &path).unwrap_err();
        assert!(matches!(&error, ModelsError::NotImportable { found, .. } if found.starts_with(expected)), "{error}");
    }
    let error = import_file(&folder, &folder.path().join("absent")).unwrap_err();
    assert!(matches!(error, ModelsError::Io { .. }), "{error:?}");
}
