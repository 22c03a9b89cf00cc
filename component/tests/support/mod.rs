//! What the tests of the loader share: a writer of model files, models that are quick to load, and ways to load them.

// Each test file uses a part of it.
#![allow(dead_code)]

pub(crate) mod files;
pub(crate) mod gguf;
pub(crate) mod tiny;

use auricle_component::error::Error;
use auricle_component::family::Family;
use auricle_component::gguf::{Event, Metadata, Parser};
use auricle_component::loader::{Loaded, Loader};
use auricle_component::weights::TensorKind;

use gguf::{F16, F32, GgufFile, I8, Tensor, Value};

/// A small generator (xorshift64*), so that every run sees the same numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// An index below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// From −1 to 1, in steps that f16 has too.
    pub(crate) fn weight(&mut self) -> f32 {
        (self.next() % 2049) as f32 / 1024.0 - 1.0
    }
}

/// Metadata that every model has, with a vocabulary of `vocabulary` tokens: unknown, start, end, 256 bytes where there
/// is room for them, and words.
pub(crate) fn common_metadata(architecture: &str, quantization: &str, vocabulary: usize) -> GgufFile {
    let mut pieces = vec!["<unk>".to_owned(), "<s>".to_owned(), "</s>".to_owned()];
    let mut types = vec![2, 3, 3];
    if vocabulary >= 3 + 256 {
        pieces.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
        types.extend([6; 256]);
    }
    let words = (pieces.len()..vocabulary).map(|id| format!("\u{2581}w{id}"));
    pieces.extend(words);
    types.resize(pieces.len(), 1);
    let mut file = GgufFile::default();
    file.set("general.architecture", Value::String(architecture.into()));
    file.set("general.name", Value::String("Small (for tests)".into()));
    file.set("general.license", Value::String("MIT".into()));
    file.set("general.languages", Value::Strings(vec!["en".into(), "cy".into()]));
    file.set("general.quantization_version", Value::U32(2));
    file.set("auricle.quantization", Value::String(quantization.into()));
    file.set("tokenizer.ggml.model", Value::String("llama".into()));
    file.set("tokenizer.ggml.tokens", Value::Strings(pieces));
    file.set("tokenizer.ggml.token_type", Value::I32s(types));
    file.set("tokenizer.ggml.bos_token_id", Value::U32(1));
    file.set("tokenizer.ggml.eos_token_id", Value::U32(2));
    file
}

/// Adds the tensors that the family wants for the metadata, with random weights.
pub(crate) fn add_tensors(file: &mut GgufFile, family: &dyn Family, quantization: &str) {
    let metadata = metadata_of(&file.header()).expect("the metadata are well formed");
    let mut random = Random::new(1);
    for spec in family.plan(&metadata).expect("the family takes them").tensors() {
        let count: usize = spec.shape.iter().product();
        let shape: Vec<u64> = spec.shape.iter().map(|&dimension| dimension as u64).collect();
        let mut add = |name: String, shape: Vec<u64>, type_code, data| {
            file.tensors.push(Tensor { name, shape, type_code, data, claimed_offset: None });
        };
        match (spec.kind, quantization) {
            (TensorKind::Plain, _) | (_, "f32") => {
                let data = (0..count).flat_map(|_| random.weight().to_le_bytes()).collect();
                add(spec.name, shape, F32, data);
            }
            (_, "f16") => {
                let data = (0..count).flat_map(|_| half::f16::from_f32(random.weight()).to_le_bytes()).collect();
                add(spec.name, shape, F16, data);
            }
            _ => {
                let scales = (0..shape[0]).flat_map(|_| random.weight().abs().to_le_bytes()).collect();
                add(format!("{}_scale", spec.name), shape[..1].to_vec(), F32, scales);
                add(spec.name, shape, I8, (0..count).map(|_| random.next().to_le_bytes()[7]).collect());
            }
        }
    }
}

/// Reads the metadata of a header.
pub(crate) fn metadata_of(mut header: &[u8]) -> Result<Metadata, Error> {
    match Parser::new(None).read(&mut header)? {
        Some(Event::Metadata(metadata)) => Ok(metadata),
        other => panic!("the metadata should be complete, and there is {other:?}"),
    }
}

/// Loads a file of the tiny family, in chunks of so many bytes.
pub(crate) fn load(bytes: &[u8], total_bytes: Option<u64>, chunk_bytes: usize) -> Result<Loaded, Error> {
    feed(Loader::with_families(total_bytes, tiny::FAMILIES), bytes, chunk_bytes)
}

/// Gives a loader a file, in chunks of so many bytes.
pub(crate) fn feed(mut loader: Loader, bytes: &[u8], chunk_bytes: usize) -> Result<Loaded, Error> {
    for chunk in bytes.chunks(chunk_bytes) {
        loader.write(chunk)?;
    }
    assert_eq!(loader.received_bytes(), bytes.len() as u64);
    loader.finish()
}

/// The error that a file is refused with. That must be the same, whatever the chunks.
pub(crate) fn refusal(bytes: &[u8]) -> Error {
    let whole = load(bytes, None, bytes.len().max(1)).map(|_| ()).expect_err("the file should be refused");
    let in_bytes = load(bytes, None, 1).map(|_| ()).expect_err("the file should be refused");
    assert_eq!(whole, in_bytes);
    whole
}

/// Checks that an error is of a malformed file, where it is, and that its message has these words.
#[track_caller]
pub(crate) fn assert_malformed(error: &Error, at: u64, words: &[&str]) {
    let Error::MalformedModel { offset, message } = error else { panic!("not a malformed file: {error:?}") };
    assert_eq!(*offset, at, "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

/// Checks that an error is of an unsupported model, and that its message has these words.
#[track_caller]
pub(crate) fn assert_unsupported(error: &Error, words: &[&str]) {
    let Error::UnsupportedModel(message) = error else { panic!("not an unsupported model: {error:?}") };
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}
