//! A model file in, a model out: chunk by chunk, each tensor in its final form as soon as its last byte has come.
//!
//! ```text
//! chunk ─► header (gguf) ─► plan (family) ─► schedule: the file's tensors held against the plan's
//!                                               │
//! chunk ─────────────────────────────────────► collect: the tensor that is arriving ─► weights ─► model, detector
//! ```
//!
//! Memory holds the finished tensors, the one that is arriving (once, in the form of its numbers), and what the caller
//! holds of its chunk.

mod collect;
mod schedule;

use std::rc::Rc;
use std::vec;

use crate::error::{Error, Limit};
use crate::family::{self, FAMILIES, Family, Model, Plan};
use crate::gguf::{Event, FILE_BYTES_LIMIT, Metadata, Parser, aligned};
use crate::tokenizer::Tokenizer;
use crate::vad::silero::Silero;
use crate::weights::{TensorSpec, Weights};
use collect::Collector;
use schedule::{Item, Quantization, schedule};

/// The most bytes that a chunk may have.
pub const CHUNK_BYTES_LIMIT: usize = 16 << 20;

/// The version of GGUF's quantization formats that files are written with.
const QUANTIZATION_VERSION: u32 = 2;

/// What a model file says of its model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCard {
    /// `general.architecture`.
    pub architecture: String,
    /// `general.name`, for people.
    pub name: String,
    /// `general.languages`: BCP 47 tags.
    pub languages: Vec<String>,
    /// `general.license`: an SPDX identifier.
    pub license: Option<String>,
    /// `auricle.quantization`: `f32`, `f16` or `q8`.
    pub quantization: String,
    /// The size of the vocabulary.
    pub vocabulary_tokens: usize,
}

/// A model and what its file said of it.
pub struct Loaded {
    /// The model, ready to transcribe.
    pub model: Rc<dyn Model>,
    /// The neural voice activity detector that came with it, where one did.
    pub voice_activity: Option<Rc<Silero>>,
    /// What the file said of it.
    pub card: ModelCard,
    /// Bytes of the file.
    pub file_bytes: u64,
}

/// Takes a model file in chunks, as they arrive, and gives the model.
pub struct Loader {
    families: &'static [&'static dyn Family],
    total_bytes: Option<u64>,
    received_bytes: u64,
    state: State,
}

enum State {
    Header(Box<Header>),
    Data(Box<Data>),
    Failed,
}

/// While the header arrives.
struct Header {
    parser: Parser,
    prepared: Option<Prepared>,
}

/// What follows from the metadata.
struct Prepared {
    card: ModelCard,
    quantization: Quantization,
    plan: Box<dyn Plan>,
    /// Whether a voice activity detector comes with the model.
    has_silero: bool,
    tokenizer: Tokenizer,
    metadata_end: u64,
}

impl Prepared {
    /// Every tensor that the file must have.
    fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = self.plan.tensors();
        if self.has_silero {
            specs.extend(Silero::tensors());
        }
        specs
    }
}

/// While the tensors arrive.
struct Data {
    prepared: Prepared,
    weights: Weights,
    arriving: Option<Collector>,
    items: vec::IntoIter<Item>,
    /// Scales that wait for their matrix.
    scales: Option<Vec<f32>>,
    /// Where the next byte stands, from the start of the file.
    offset: u64,
    /// Where the last tensor ends.
    end: u64,
}

impl Loader {
    /// Begins a model file of any family of the engine. `total_bytes` is its length, where it is known: what the file
    /// claims is then held against it before memory is set aside.
    #[must_use]
    pub fn new(total_bytes: Option<u64>) -> Self {
        Self::with_families(total_bytes, FAMILIES)
    }

    /// Begins a model file of one of these families.
    #[must_use]
    pub fn with_families(total_bytes: Option<u64>, families: &'static [&'static dyn Family]) -> Self {
        let header = Header { parser: Parser::new(total_bytes), prepared: None };
        Self { families, total_bytes, received_bytes: 0, state: State::Header(Box::new(header)) }
    }

    /// Takes the next bytes of the file: any number of them, up to [`CHUNK_BYTES_LIMIT`].
    ///
    /// # Errors
    /// [`Error::MalformedModel`] and [`Error::UnsupportedModel`] as soon as the bytes so far show it; a header or
    /// tensors that go beyond `total_bytes`, and bytes after the end, are the former. [`Error::LimitExceeded`] where
    /// the chunk, the file or something in it is too large, or memory does not suffice. [`Error::InvalidState`] after
    /// an earlier failure.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), Error> {
        let state = std::mem::replace(&mut self.state, State::Failed);
        if matches!(state, State::Failed) {
            return Err(failed_before());
        }
        let received_bytes = self.check_lengths(chunk)?;
        self.state = self.advance(state, chunk)?;
        self.received_bytes = received_bytes;
        Ok(())
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Makes the model, once the whole file has been taken.
    ///
    /// # Errors
    /// [`Error::IncompleteModel`] where bytes are missing, [`Error::InvalidState`] where a `write` had failed,
    /// [`Error::UnsupportedModel`] where the voice activity detector's weights are none that it can have,
    /// [`Error::Internal`] where the family cannot make a model of what it asked for.
    pub fn finish(self) -> Result<Loaded, Error> {
        let received_bytes = self.received_bytes;
        let incomplete = |expected_bytes| Err(Error::IncompleteModel { received_bytes, expected_bytes });
        let data = match self.state {
            State::Failed => return Err(failed_before()),
            State::Header(_) => return incomplete(self.total_bytes.filter(|&total| total > received_bytes)),
            State::Data(data) => data,
        };
        let expected_bytes = self.total_bytes.unwrap_or(data.end);
        if received_bytes < expected_bytes {
            return incomplete(Some(expected_bytes));
        }
        let Prepared { card, plan, has_silero, tokenizer, .. } = data.prepared;
        let mut weights = data.weights;
        // First, so that the weights that are left are exactly the family's.
        let voice_activity = has_silero.then(|| Silero::new(&mut weights).map(Rc::new)).transpose()?;
        let model = plan.build(weights, tokenizer)?;
        Ok(Loaded { model, voice_activity, card, file_bytes: received_bytes })
    }

    /// Gives the bytes taken in all once this chunk is.
    fn check_lengths(&self, chunk: &[u8]) -> Result<u64, Error> {
        let too_large = |limit, allowed, requested, what: &str| {
            Err(Error::LimitExceeded { limit, allowed, requested, message: what.to_owned() })
        };
        if chunk.len() > CHUNK_BYTES_LIMIT {
            let message = "a chunk of the model file";
            return too_large(Limit::ChunkBytes, CHUNK_BYTES_LIMIT as u64, chunk.len() as u64, message);
        }
        let received_bytes = self.received_bytes + chunk.len() as u64;
        let file_bytes = self.total_bytes.unwrap_or(0).max(received_bytes);
        if file_bytes > FILE_BYTES_LIMIT {
            return too_large(Limit::ModelBytes, FILE_BYTES_LIMIT, file_bytes, "the model file");
        }
        match self.total_bytes {
            Some(total) if received_bytes > total => Err(Error::MalformedModel {
                offset: total,
                message: "the file goes on after the length it was announced with".to_owned(),
            }),
            _ => Ok(received_bytes),
        }
    }

    fn advance(&self, state: State, mut chunk: &[u8]) -> Result<State, Error> {
        let mut data = match state {
            State::Header(mut header) => loop {
                match header.parser.read(&mut chunk)? {
                    None => return Ok(State::Header(header)),
                    Some(Event::Metadata(metadata)) => header.prepared = Some(self.prepare(metadata)?),
                    Some(Event::Tensors(tensors)) => {
                        let prepared = header
                            .prepared
                            .ok_or_else(|| Error::Internal("tensors came before metadata".to_owned()))?;
                        let specs = prepared.tensors();
                        let items = schedule(tensors, &specs, prepared.quantization, prepared.metadata_end)?;
                        let offset = header.parser.offset();
                        break Box::new(Data::new(prepared, items, offset, self.total_bytes)?);
                    }
                }
            },
            State::Data(data) => data,
            State::Failed => return Err(failed_before()),
        };
        data.write(chunk, self.total_bytes.is_some())?;
        Ok(State::Data(data))
    }

    fn prepare(&self, mut metadata: Metadata) -> Result<Prepared, Error> {
        let architecture = metadata.string("general.architecture")?.to_owned();
        let family = family::by_architecture(self.families, &architecture)?;
        let quantization_name = metadata.string("auricle.quantization")?.to_owned();
        let quantization = Quantization::from_name(&quantization_name)?;
        let version = metadata.u32("general.quantization_version")?;
        if version != QUANTIZATION_VERSION {
            return Err(Error::UnsupportedModel(format!(
                "its quantization version is {version}; version {QUANTIZATION_VERSION} is read"
            )));
        }
        let plan = family.plan(&metadata)?;
        let has_silero = Silero::is_announced(&metadata)?;
        let tokenizer = Tokenizer::from_metadata(&mut metadata)?;
        let card = ModelCard {
            architecture,
            name: metadata.string("general.name")?.to_owned(),
            languages: metadata.strings("general.languages")?.iter().map(str::to_owned).collect(),
            license: metadata.optional_string("general.license")?.map(str::to_owned),
            quantization: quantization_name,
            vocabulary_tokens: tokenizer.vocabulary_tokens(),
        };
        Ok(Prepared { card, quantization, plan, has_silero, tokenizer, metadata_end: metadata.end() })
    }
}

impl Data {
    fn new(prepared: Prepared, items: Vec<Item>, offset: u64, total_bytes: Option<u64>) -> Result<Self, Error> {
        let end = items.last().map_or(offset, |item| item.info.end());
        if total_bytes.is_some_and(|total| total > aligned(end)) {
            return Err(trailing(aligned(end)));
        }
        let items = items.into_iter();
        Ok(Self { prepared, weights: Weights::default(), arriving: None, items, scales: None, offset, end })
    }

    /// Takes bytes of the tensors. `trusted` says whether the sizes that the file gives were held against its real
    /// length.
    fn write(&mut self, mut chunk: &[u8], trusted: bool) -> Result<(), Error> {
        while !chunk.is_empty() {
            if self.arriving.is_none() {
                self.arriving = self.items.next().map(|item| Collector::new(item, trusted));
            }
            let Some(collector) = &mut self.arriving else {
                return self.skip_end(chunk);
            };
            let before = chunk.len();
            let complete = collector.take(self.offset, &mut chunk)?;
            self.offset += (before - chunk.len()) as u64;
            if complete && let Some(collector) = self.arriving.take() {
                collector.finish(&mut self.weights, &mut self.scales)?;
            }
        }
        Ok(())
    }

    /// Takes the padding that may follow the last tensor.
    fn skip_end(&mut self, chunk: &[u8]) -> Result<(), Error> {
        self.offset += chunk.len() as u64;
        if self.offset > aligned(self.end) {
            return Err(trailing(aligned(self.end)));
        }
        Ok(())
    }
}

fn trailing(end: u64) -> Error {
    Error::MalformedModel { offset: end, message: "the file goes on after the end of its last tensor".to_owned() }
}

fn failed_before() -> Error {
    Error::InvalidState("this loader has failed before and takes nothing more; begin with a new one".to_owned())
}
