//! A model file that is already in the format: checked and copied.

use std::fs::File;
use std::io::Write;

use super::{Job, catalog};
use crate::models::convert::{self, ARCHITECTURE, Hyperparameters, SILERO, VOICE_ACTIVITY_KEY};
use crate::models::error::{ModelsError, SourceError};
use crate::models::gguf::{Header, Value};
use crate::models::home::check_name;
use crate::models::pull::intact_file;
use crate::models::staging::{digest_of, file_name, read_chunks};
use crate::models::{Installed, Phase, Progress, Quantization};

impl Job<'_> {
    pub(super) fn model_file(&self, progress: &mut dyn Progress) -> Result<Vec<Installed>, ModelsError> {
        let path = self.path;
        if self.options.voice_activity.is_some() {
            return Err(ModelsError::source(path)(SourceError::Unsupported {
                what: "adding a voice activity detector to a model file, which is copied as it is".to_owned(),
            }));
        }
        let file = File::open(path).map_err(ModelsError::io("open", path))?;
        let file_bytes = file.metadata().map_err(ModelsError::io("read", path))?.len();
        let header =
            Header::read(file, file_bytes).map_err(|problem| ModelsError::Gguf { path: path.to_owned(), problem })?;
        let quantization = check(&header).map_err(ModelsError::source(path))?;

        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let own_name = header.text("general.basename").map(str::to_owned);
        let from_file = || stem.strip_suffix(&format!("-{quantization}")).unwrap_or(&stem).to_owned();
        let name = self.options.name.clone().or(own_name).unwrap_or_else(from_file);
        check_name(&name)?;
        let target = self.home.model_path(&name, quantization);
        let sha256 = digest_of(path, progress)?;
        if let Some(model) = catalog().find(&name) {
            if model.name != name || model.file(quantization).is_none_or(|pin| pin.sha256 != sha256) {
                return Err(ModelsError::NameTaken { name });
            }
            if let Some(installed) = intact_file(self.home, model, quantization, progress)? {
                return Ok(vec![installed]);
            }
        } else {
            self.check_free(&target)?;
        }

        let mut staged = self.workspace.stage(target.clone())?;
        read_chunks(path, &Phase::Writing { file: file_name(&target) }, progress, |chunk| {
            staged.write_all(chunk).map_err(ModelsError::io("write", &target))
        })?;
        let (size_bytes, sha256) = staged.finish(Some(&sha256))?;
        Ok(vec![Installed { path: target, quantization, size_bytes, sha256, already_there: false, channels: None }])
    }
}

/// Whether the header is that of a whole model: its tensors are those of the architecture, in order and without gaps.
fn check(header: &Header) -> Result<Quantization, SourceError> {
    let unsupported = |what: String| Err(SourceError::Unsupported { what });
    match header.text("general.architecture") {
        Some(ARCHITECTURE) => {}
        other => {
            return unsupported(format!("architecture {other:?}; only \"{ARCHITECTURE}\" is"));
        }
    }
    let quantization = header.text("auricle.quantization").and_then(|text| text.parse::<Quantization>().ok());
    let Some(quantization) = quantization else {
        return unsupported("a file without a known `auricle.quantization`".to_owned());
    };
    let hyperparameters = hyperparameters(header)?;
    let vocabulary = u64::from(hyperparameters.vocab_size);
    for key in ["tokenizer.ggml.tokens", "tokenizer.ggml.token_type"] {
        match header.get(key) {
            Some(Value::Array { len, .. }) if *len == vocabulary => {}
            _ => {
                return unsupported(format!("a file whose `{key}` is not a list of {vocabulary}"));
            }
        }
    }
    let has_voice_activity = match header.get(VOICE_ACTIVITY_KEY) {
        None => false,
        Some(Value::String(name)) if name == SILERO => true,
        Some(other) => return unsupported(format!("voice activity detector {other}; only \"{SILERO}\" is")),
    };
    let expected = convert::stored_layout(&hyperparameters, has_voice_activity, quantization)?;
    if expected.len() != header.tensors.len() {
        return unsupported(format!("{} tensors; this model has {}", header.tensors.len(), expected.len()));
    }
    let mut end = header.data_offset;
    for (expected, found) in expected.iter().zip(&header.tensors) {
        let offset = end.next_multiple_of(32);
        let is_expected = found.name == expected.name
            && found.shape == expected.shape
            && found.type_number == expected.tensor_type as u32
            && found.offset == offset;
        if !is_expected {
            let (name, shape, tensor_type) = (&expected.name, &expected.shape, expected.tensor_type);
            return unsupported(format!(
                "tensor `{}` of shape {:?} and type {} at byte {}; here `{name}` of {shape:?} and {tensor_type:?} \
                 stands at byte {offset}",
                found.name, found.shape, found.type_name, found.offset,
            ));
        }
        end = offset + found.size_bytes.unwrap_or(0);
    }
    if header.file_bytes > end.next_multiple_of(32) {
        return unsupported(format!("{} bytes after the last tensor", header.file_bytes - end));
    }
    Ok(quantization)
}

fn hyperparameters(header: &Header) -> Result<Hyperparameters, SourceError> {
    let whole = |key: &str| match header.get(&format!("{ARCHITECTURE}.{key}")) {
        Some(Value::Unsigned(value)) => u32::try_from(*value).map_err(|_| wrong(key)),
        _ => Err(wrong(key)),
    };
    let real = |key: &str| match header.get(&format!("{ARCHITECTURE}.{key}")) {
        Some(Value::Float(value)) => Ok(*value),
        _ => Err(wrong(key)),
    };
    Ok(Hyperparameters {
        embedding_length: whole("embedding_length")?,
        encoder_block_count: whole("encoder.block_count")?,
        decoder_block_count: whole("decoder.block_count")?,
        encoder_feed_forward_length: whole("encoder.feed_forward_length")?,
        decoder_feed_forward_length: whole("decoder.feed_forward_length")?,
        head_count: whole("attention.head_count")?,
        layer_norm_epsilon: real("attention.layer_norm_epsilon")?,
        rope_dimension_count: whole("rope.dimension_count")?,
        rope_freq_base: real("rope.freq_base")?,
        group_norm_epsilon: real("group_norm_epsilon")?,
        vocab_size: whole("vocab_size")?,
    })
}

fn wrong(key: &str) -> SourceError {
    SourceError::Unsupported { what: format!("a file without a number of the right type for `{ARCHITECTURE}.{key}`") }
}
