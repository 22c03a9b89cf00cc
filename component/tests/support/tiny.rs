//! A family with one tensor of each kind, for tests that are not about any real one.

use std::cell::RefCell;
use std::rc::Rc;

use auricle_component::error::Error;
use auricle_component::family::{Family, Model, ModelTraits, Plan, Progress, Transcriber};
use auricle_component::gguf::Metadata;
use auricle_component::metrics::Meter;
use auricle_component::tokenizer::Tokenizer;
use auricle_component::weights::{TensorKind, TensorSpec, Weights};

use super::gguf::{GgufFile, Value};

/// Reads `tiny.rows` and `tiny.columns`, the shape of its linear layer.
pub(crate) struct Tiny;

/// The families of [`super::load`].
pub(crate) static FAMILIES: &[&dyn Family] = &[&Tiny];

pub(crate) const VOCABULARY: usize = 12;
pub(crate) const ROWS: u32 = 5;
pub(crate) const COLUMNS: u32 = 7;
pub(crate) const CONVOLUTION: [usize; 3] = [4, 3, 5];
/// Tokens and width.
pub(crate) const EMBEDDINGS: [usize; 2] = [18, 3];

thread_local! {
    static BUILT: RefCell<Option<Weights>> = const { RefCell::new(None) };
}

/// The weights of the model that this thread has loaded last.
pub(crate) fn take_weights() -> Weights {
    BUILT.take().expect("a model has been built")
}

/// A file of the family.
pub(crate) fn file(quantization: &str) -> GgufFile {
    sized_file(quantization, ROWS, COLUMNS)
}

/// A file of the family whose linear layer has this shape.
pub(crate) fn sized_file(quantization: &str, rows: u32, columns: u32) -> GgufFile {
    let mut file = super::common_metadata("tiny", quantization, VOCABULARY);
    file.set("tiny.rows", Value::U32(rows));
    file.set("tiny.columns", Value::U32(columns));
    super::add_tensors(&mut file, &Tiny, quantization);
    file
}

impl Family for Tiny {
    fn architecture(&self) -> &'static str {
        "tiny"
    }

    fn plan(&self, metadata: &Metadata) -> Result<Box<dyn Plan>, Error> {
        Ok(Box::new(TinyPlan { rows: metadata.u32("tiny.rows")?, columns: metadata.u32("tiny.columns")? }))
    }
}

struct TinyPlan {
    rows: u32,
    columns: u32,
}

impl Plan for TinyPlan {
    fn tensors(&self) -> Vec<TensorSpec> {
        let spec = |name: &str, shape: &[usize], kind| TensorSpec { name: name.into(), shape: shape.into(), kind };
        vec![
            spec("norm", &[3], TensorKind::Plain),
            spec("linear", &[self.rows as usize, self.columns as usize], TensorKind::Matrix),
            spec("vocabulary", &EMBEDDINGS, TensorKind::Vocabulary),
            spec("filter", &[2, 1, 3], TensorKind::Plain),
            spec("convolution", &CONVOLUTION, TensorKind::Convolution),
        ]
    }

    fn build(self: Box<Self>, weights: Weights, tokenizer: Tokenizer) -> Result<Rc<dyn Model>, Error> {
        BUILT.set(Some(weights));
        Ok(Rc::new(TinyModel { tokenizer }))
    }
}

struct TinyModel {
    tokenizer: Tokenizer,
}

impl Model for TinyModel {
    fn traits(&self) -> ModelTraits {
        ModelTraits { longest_segment_samples: 2, shortest_segment_samples: 1, frame_hop_samples: 1, parameters: 0 }
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn transcriber(self: Rc<Self>) -> Box<dyn Transcriber> {
        Box::new(Deaf)
    }
}

/// Takes no utterance.
struct Deaf;

impl Transcriber for Deaf {
    fn begin(&mut self, _samples: &[f32], _draft: &[u32], _align: bool) -> Result<(), Error> {
        Err(Error::Internal("it cannot transcribe".into()))
    }

    fn step(&mut self, _meter: &mut Meter) -> Result<Progress, Error> {
        Err(Error::Internal("it cannot transcribe".into()))
    }
}
