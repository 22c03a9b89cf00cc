//! From a source's tensors and tokenizer to the model file.

mod moonshine;
mod quantize;
mod silero;
mod tokenizer;
mod weights;

use std::collections::BTreeSet;
use std::io::Write;

pub(crate) use moonshine::{ARCHITECTURE, Hyperparameters, ModelCard};
pub use quantize::ChannelCounts;
pub(crate) use silero::{KEY as VOICE_ACTIVITY_KEY, NAME as SILERO, VoiceActivity};
pub(crate) use tokenizer::Tokenizer;
pub(crate) use weights::{SourceTensor, Values, WeightSource};

use self::moonshine::{Role, TIED_OUTPUT, TensorSpec};
use super::Quantization;
use super::error::SourceError;
use super::gguf::{TensorType, Writer, WriterTensor};

/// A failed conversion: either side of it.
#[derive(Debug)]
pub(crate) enum ConvertError {
    Source(SourceError),
    Write(std::io::Error),
}

impl From<SourceError> for ConvertError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<std::io::Error> for ConvertError {
    fn from(error: std::io::Error) -> Self {
        Self::Write(error)
    }
}

/// A model that was read and found whole: every tensor of the layout is there, in its shape, and no other.
pub(crate) struct CheckedModel<'a> {
    card: &'a ModelCard,
    hyperparameters: &'a Hyperparameters,
    tokenizer: &'a Tokenizer,
    weights: &'a dyn WeightSource,
    voice_activity: Option<&'a VoiceActivity>,
    layout: Vec<TensorSpec>,
}

impl<'a> CheckedModel<'a> {
    /// Checks names, shapes, the tokenizer's length and that the output projection is the embedding. A voice activity
    /// detector goes into the same file.
    pub(crate) fn new(
        card: &'a ModelCard,
        hyperparameters: &'a Hyperparameters,
        tokenizer: &'a Tokenizer,
        weights: &'a dyn WeightSource,
        voice_activity: Option<&'a VoiceActivity>,
    ) -> Result<Self, SourceError> {
        hyperparameters.check()?;
        tokenizer.check(hyperparameters.vocab_size)?;
        let layout = moonshine::layout(hyperparameters);
        let known: BTreeSet<&str> = layout.iter().map(|spec| spec.name.as_str()).chain([TIED_OUTPUT]).collect();
        if let Some(name) = weights.names().into_iter().find(|name| !known.contains(name)) {
            return Err(SourceError::Unsupported {
                what: format!("it has a tensor `{name}` that Moonshine does not have"),
            });
        }
        for spec in &layout {
            let found = weights.tensor(&spec.name)?;
            if found.shape != spec.shape {
                return Err(SourceError::WrongShape {
                    name: spec.name.clone(),
                    expected: spec.shape.clone(),
                    found: found.shape,
                });
            }
            // Of integers with a finite scale every value is finite.
            if let Values::Float(values) = &found.values
                && let Some(index) = values.iter().position(|value| !value.is_finite())
            {
                return Err(SourceError::NotFinite { name: spec.name.clone(), index });
            }
        }
        let model = Self { card, hyperparameters, tokenizer, weights, voice_activity, layout };
        model.check_tied_output()?;
        Ok(model)
    }

    /// The engine projects with the embedding; a model with an output projection of its own would give wrong text.
    fn check_tied_output(&self) -> Result<(), SourceError> {
        let output = match self.weights.tensor(TIED_OUTPUT) {
            Err(SourceError::MissingTensor { .. }) => return Ok(()),
            output => output?,
        };
        let embedding = self.weights.tensor(moonshine::EMBEDDING)?;
        if output.shape != embedding.shape || output.floats() != embedding.floats() {
            return Err(SourceError::Unsupported {
                what: format!("its output projection `{TIED_OUTPUT}` is not its embedding `{}`", moonshine::EMBEDDING),
            });
        }
        Ok(())
    }

    /// Writes the model file; the same model gives the same bytes.
    ///
    /// `progress` is told the bytes of tensor data written so far and in all.
    pub(crate) fn write(
        &self,
        out: impl Write,
        quantization: Quantization,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<ChannelCounts, ConvertError> {
        let tensors = with_voice_activity(&self.layout, self.voice_activity.is_some(), quantization);
        let mut metadata = moonshine::metadata(self.card, self.hyperparameters, self.tokenizer, quantization);
        metadata.extend(self.voice_activity.into_iter().flat_map(VoiceActivity::metadata));
        let mut writer = Writer::start(out, &metadata, tensors)?;
        let mut counts = ChannelCounts::default();
        for spec in &self.layout {
            let tensor = self.weights.tensor(&spec.name)?;
            match (spec.role, quantization) {
                (Role::Matrix, Quantization::Q8) => {
                    let channels = quantize::per_channel(&tensor, &mut counts);
                    writer.tensor(&f32_bytes(&channels.scales))?;
                    writer.tensor(&channels.integers.iter().map(|q| q.cast_unsigned()).collect::<Vec<_>>())?;
                }
                (Role::Matrix, Quantization::F16) => {
                    writer.tensor(&quantize::f16_bytes(&spec.name, &tensor.floats())?)?;
                }
                (Role::Matrix, Quantization::F32) | (Role::Other, _) => writer.tensor(&f32_bytes(&tensor.floats()))?,
            }
            progress(writer.written_bytes(), writer.total_bytes());
        }
        for values in self.voice_activity.into_iter().flat_map(VoiceActivity::tensors) {
            writer.tensor(&f32_bytes(values))?;
            progress(writer.written_bytes(), writer.total_bytes());
        }
        writer.finish()?;
        Ok(counts)
    }
}

/// All tensors of a model file, in order.
pub(crate) fn stored_layout(
    hyperparameters: &Hyperparameters,
    has_voice_activity: bool,
    quantization: Quantization,
) -> Result<Vec<WriterTensor>, SourceError> {
    hyperparameters.check()?;
    Ok(with_voice_activity(&moonshine::layout(hyperparameters), has_voice_activity, quantization))
}

/// The tensors of the file that hold a model's, and after them those of its voice activity detector.
fn with_voice_activity(
    layout: &[TensorSpec],
    has_voice_activity: bool,
    quantization: Quantization,
) -> Vec<WriterTensor> {
    let detector: Vec<TensorSpec> = has_voice_activity.then(silero::layout).into_iter().flatten().collect();
    layout.iter().chain(&detector).flat_map(|spec| stored_tensors(spec, quantization)).collect()
}

/// The tensors of the file that hold this one.
fn stored_tensors(spec: &TensorSpec, quantization: Quantization) -> Vec<WriterTensor> {
    let stored = |name: String, shape: &[usize], tensor_type| WriterTensor {
        name,
        shape: shape.iter().map(|dim| *dim as u64).collect(),
        tensor_type,
    };
    let name = spec.name.clone();
    match (spec.role, quantization) {
        (Role::Other, _) | (Role::Matrix, Quantization::F32) => {
            vec![stored(name, &spec.shape, TensorType::F32)]
        }
        (Role::Matrix, Quantization::F16) => vec![stored(name, &spec.shape, TensorType::F16)],
        (Role::Matrix, Quantization::Q8) => vec![
            stored(moonshine::scale_name(&name), &spec.shape[..1], TensorType::F32),
            stored(name, &spec.shape, TensorType::I8),
        ],
    }
}

fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
