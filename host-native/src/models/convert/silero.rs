//! Silero VAD in the model file: its metadata and its tensors, as `component/MODEL-FORMAT.md` lists them.

use super::moonshine::{Role, TensorSpec};
use crate::models::error::SourceError;
use crate::models::gguf::MetadataValue;
use crate::models::onnx::{Constant, Constants};

/// The metadata key that says which voice activity detector the file carries.
pub(crate) const KEY: &str = "auricle.voice_activity";
/// Its value for this one.
pub(crate) const NAME: &str = "silero-vad-16k";
const SOURCE_KEY: &str = "auricle.voice_activity_source";

/// A tensor: its name after `vad.silero.`, which is that of `silero_vad/tinygrad_model.py`; its name in the ONNX model; its
/// shape.
type Tensor = (&'static str, &'static str, &'static [usize]);

/// All tensors, in the order of the file.
const TENSORS: [Tensor; 15] = [
    ("stft_conv.weight", "model.stft.forward_basis_buffer", &[258, 1, 256]),
    ("conv1.weight", "model.encoder.0.reparam_conv.weight", &[128, 129, 3]),
    ("conv1.bias", "model.encoder.0.reparam_conv.bias", &[128]),
    ("conv2.weight", "model.encoder.1.reparam_conv.weight", &[64, 128, 3]),
    ("conv2.bias", "model.encoder.1.reparam_conv.bias", &[64]),
    ("conv3.weight", "model.encoder.2.reparam_conv.weight", &[64, 64, 3]),
    ("conv3.bias", "model.encoder.2.reparam_conv.bias", &[64]),
    ("conv4.weight", "model.encoder.3.reparam_conv.weight", &[128, 64, 3]),
    ("conv4.bias", "model.encoder.3.reparam_conv.bias", &[128]),
    ("lstm_cell.weight_ih", "model.decoder.rnn.weight_ih", &[512, 128]),
    ("lstm_cell.weight_hh", "model.decoder.rnn.weight_hh", &[512, 128]),
    ("lstm_cell.bias_ih", "model.decoder.rnn.bias_ih", &[512]),
    ("lstm_cell.bias_hh", "model.decoder.rnn.bias_hh", &[512]),
    ("final_conv.weight", "model.decoder.decoder.2.weight", &[1, 128, 1]),
    ("final_conv.bias", "model.decoder.decoder.2.bias", &[1]),
];

/// All tensors, in the order of the file.
pub(super) fn layout() -> impl Iterator<Item = TensorSpec> {
    TENSORS.into_iter().map(|(name, _, shape)| TensorSpec {
        name: format!("vad.silero.{name}"),
        shape: shape.to_vec(),
        role: Role::Other,
    })
}

/// A detector that was read and found whole.
#[derive(Debug)]
pub(crate) struct VoiceActivity {
    /// Where it came from, with the digest of what was read.
    source: String,
    /// In the order of [`layout`].
    tensors: Vec<Vec<f32>>,
}

impl VoiceActivity {
    /// Reads the ONNX model for 16 000 Hz, `part` being its name in messages.
    ///
    /// # Errors
    ///
    /// [`SourceError`] where it is damaged, or a tensor is missing, of another shape, or has a value that is not finite.
    pub(crate) fn read(part: &str, onnx: &[u8], source: String) -> Result<Self, SourceError> {
        let mut constants = Constants::read(part, onnx)?;
        let mut tensors = Vec::with_capacity(TENSORS.len());
        for (_, name, expected) in TENSORS {
            let Constant { shape, values } = constants.take(name)?;
            if shape != expected {
                let (name, expected) = (name.to_owned(), expected.to_vec());
                return Err(SourceError::WrongShape { name, expected, found: shape });
            }
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                return Err(SourceError::NotFinite { name: name.to_owned(), index });
            }
            tensors.push(values);
        }
        Ok(Self { source, tensors })
    }

    /// What it adds to the metadata, in the order of the file.
    pub(super) fn metadata(&self) -> [(&'static str, MetadataValue); 2] {
        [(KEY, MetadataValue::String(NAME.to_owned())), (SOURCE_KEY, MetadataValue::String(self.source.clone()))]
    }

    /// The numbers of its tensors, in the order of [`layout`].
    pub(super) fn tensors(&self) -> &[Vec<f32>] {
        &self.tensors
    }
}
