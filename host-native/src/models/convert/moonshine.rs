//! Moonshine in the model file: its metadata and its tensors, as `component/MODEL-FORMAT.md` lists them.

use super::Tokenizer;
use crate::models::Quantization;
use crate::models::error::SourceError;
use crate::models::gguf::MetadataValue;

/// The value of `general.architecture`.
pub(crate) const ARCHITECTURE: &str = "moonshine";
/// The decoder's embedding.
pub(super) const EMBEDDING: &str = "model.decoder.embed_tokens.weight";
/// A second name for the embedding's numbers in some sources; it is not in the model file.
pub(super) const TIED_OUTPUT: &str = "proj_out.weight";

const SAMPLE_RATE_HZ: u32 = 16_000;
/// 30 s: the longest recordings that the model was trained on.
const MAX_UTTERANCE_SAMPLES: u32 = 480_000;
/// More than anyone says; above it the decoder is repeating itself.
const MAX_TOKENS_PER_SECOND: f32 = 6.5;

/// What the file says about itself, apart from numbers.
#[derive(Clone, Debug)]
pub(crate) struct ModelCard {
    /// For people.
    pub(crate) title: String,
    /// The name that the model is installed under, without quantization.
    pub(crate) name: String,
    /// SPDX identifier.
    pub(crate) license: Option<String>,
    /// BCP 47 tags.
    pub(crate) languages: Vec<String>,
    /// Where the weights came from, with the digest of what was read.
    pub(crate) source: String,
}

/// The numbers that fix every shape.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hyperparameters {
    pub(crate) embedding_length: u32,
    pub(crate) encoder_block_count: u32,
    pub(crate) decoder_block_count: u32,
    pub(crate) encoder_feed_forward_length: u32,
    pub(crate) decoder_feed_forward_length: u32,
    pub(crate) head_count: u32,
    pub(crate) layer_norm_epsilon: f32,
    pub(crate) rope_dimension_count: u32,
    pub(crate) rope_freq_base: f32,
    pub(crate) group_norm_epsilon: f32,
    pub(crate) vocab_size: u32,
}

impl Hyperparameters {
    /// Whether a model can have these numbers at all.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        let unsupported = |what: String| Err(SourceError::Unsupported { what });
        let counts = [
            ("embedding length", self.embedding_length, 1 << 16),
            ("number of encoder layers", self.encoder_block_count, 1 << 10),
            ("number of decoder layers", self.decoder_block_count, 1 << 10),
            ("encoder feed-forward length", self.encoder_feed_forward_length, 1 << 20),
            ("decoder feed-forward length", self.decoder_feed_forward_length, 1 << 20),
            ("number of heads", self.head_count, 1 << 10),
            ("vocabulary", self.vocab_size, 1 << 24),
        ];
        for (what, value, limit) in counts {
            if value == 0 || value > limit {
                return unsupported(format!("its {what} is {value}, not 1 to {limit}"));
            }
        }
        if !self.embedding_length.is_multiple_of(self.head_count) {
            return unsupported(format!("{} dimensions in {} heads", self.embedding_length, self.head_count));
        }
        let head_length = self.embedding_length / self.head_count;
        let rotated = self.rope_dimension_count;
        if rotated == 0 || !rotated.is_multiple_of(2) || rotated > head_length {
            return unsupported(format!("{rotated} rotary dimensions in heads of {head_length}"));
        }
        for (what, value) in [
            ("layer norm epsilon", self.layer_norm_epsilon),
            ("group norm epsilon", self.group_norm_epsilon),
            ("rotary base", self.rope_freq_base),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return unsupported(format!("its {what} is {value}"));
            }
        }
        Ok(())
    }
}

/// Whether a tensor is stored as the quantization says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Linear layers, the embedding, `conv2` and `conv3`.
    Matrix,
    /// Always 32-bit floats.
    Other,
}

/// A tensor that the file must have.
#[derive(Clone, Debug)]
pub(crate) struct TensorSpec {
    /// As in Hugging Face's `MoonshineForConditionalGeneration`.
    pub(crate) name: String,
    /// Outermost first, as PyTorch has it.
    pub(crate) shape: Vec<usize>,
    pub(crate) role: Role,
}

/// The name of the scales of an 8-bit tensor.
pub(crate) fn scale_name(name: &str) -> String {
    format!("{name}_scale")
}

/// All tensors, in the order of the file.
pub(crate) fn layout(hyperparameters: &Hyperparameters) -> Vec<TensorSpec> {
    let hidden = hyperparameters.embedding_length as usize;
    let encoder_length = hyperparameters.encoder_feed_forward_length as usize;
    let decoder_length = hyperparameters.decoder_feed_forward_length as usize;
    let mut layout = Layout { prefix: "model.encoder.".to_owned(), tensors: Vec::new() };
    layout.other("conv1.weight", &[hidden, 1, 127]);
    layout.other("groupnorm.weight", &[hidden]);
    layout.other("groupnorm.bias", &[hidden]);
    layout.matrix("conv2.weight", &[2 * hidden, hidden, 7]);
    layout.other("conv2.bias", &[2 * hidden]);
    layout.matrix("conv3.weight", &[hidden, 2 * hidden, 3]);
    layout.other("conv3.bias", &[hidden]);
    for layer in 0..hyperparameters.encoder_block_count {
        layout.prefix = format!("model.encoder.layers.{layer}.");
        layout.attention("self_attn", hidden);
        layout.other("input_layernorm.weight", &[hidden]);
        layout.other("post_attention_layernorm.weight", &[hidden]);
        layout.feed_forward(hidden, encoder_length, encoder_length);
    }
    layout.prefix = "model.encoder.".to_owned();
    layout.other("layer_norm.weight", &[hidden]);

    layout.prefix.clear();
    layout.matrix(EMBEDDING, &[hyperparameters.vocab_size as usize, hidden]);
    for layer in 0..hyperparameters.decoder_block_count {
        layout.prefix = format!("model.decoder.layers.{layer}.");
        layout.attention("self_attn", hidden);
        layout.attention("encoder_attn", hidden);
        layout.other("input_layernorm.weight", &[hidden]);
        layout.other("post_attention_layernorm.weight", &[hidden]);
        layout.other("final_layernorm.weight", &[hidden]);
        // The first projection gives value and gate.
        layout.feed_forward(hidden, 2 * decoder_length, decoder_length);
    }
    layout.prefix = "model.decoder.".to_owned();
    layout.other("norm.weight", &[hidden]);
    layout.tensors
}

struct Layout {
    prefix: String,
    tensors: Vec<TensorSpec>,
}

impl Layout {
    fn add(&mut self, name: &str, shape: &[usize], role: Role) {
        self.tensors.push(TensorSpec { name: format!("{}{name}", self.prefix), shape: shape.to_vec(), role });
    }

    fn matrix(&mut self, name: &str, shape: &[usize]) {
        self.add(name, shape, Role::Matrix);
    }

    fn other(&mut self, name: &str, shape: &[usize]) {
        self.add(name, shape, Role::Other);
    }

    fn attention(&mut self, name: &str, hidden: usize) {
        for projection in ["q", "k", "v", "o"] {
            self.matrix(&format!("{name}.{projection}_proj.weight"), &[hidden, hidden]);
        }
    }

    fn feed_forward(&mut self, hidden: usize, up: usize, down: usize) {
        self.matrix("mlp.fc1.weight", &[up, hidden]);
        self.other("mlp.fc1.bias", &[up]);
        self.matrix("mlp.fc2.weight", &[hidden, down]);
        self.other("mlp.fc2.bias", &[hidden]);
    }
}

/// All metadata, in the order of the file.
pub(super) fn metadata(
    card: &ModelCard,
    hyperparameters: &Hyperparameters,
    tokenizer: &Tokenizer,
    quantization: Quantization,
) -> Vec<(&'static str, MetadataValue)> {
    use MetadataValue::{F32, I32Array, String, StringArray, U32};
    let text = |text: &str| String(text.to_owned());
    let mut metadata = vec![
        ("general.architecture", text(ARCHITECTURE)),
        ("general.name", text(&card.title)),
        ("general.basename", text(&card.name)),
    ];
    metadata.extend(card.license.as_deref().map(|license| ("general.license", text(license))));
    metadata.extend([
        ("general.languages", StringArray(card.languages.clone())),
        ("general.quantization_version", U32(2)),
        ("auricle.quantization", text(quantization.as_str())),
        ("auricle.source", text(&card.source)),
        ("tokenizer.ggml.model", text("llama")),
        ("tokenizer.ggml.tokens", StringArray(tokenizer.pieces.clone())),
        ("tokenizer.ggml.token_type", I32Array(tokenizer.kinds.iter().map(|kind| *kind as i32).collect())),
        ("tokenizer.ggml.bos_token_id", U32(tokenizer.start_id)),
        ("tokenizer.ggml.eos_token_id", U32(tokenizer.end_id)),
        ("moonshine.embedding_length", U32(hyperparameters.embedding_length)),
        ("moonshine.encoder.block_count", U32(hyperparameters.encoder_block_count)),
        ("moonshine.decoder.block_count", U32(hyperparameters.decoder_block_count)),
        ("moonshine.encoder.feed_forward_length", U32(hyperparameters.encoder_feed_forward_length)),
        ("moonshine.decoder.feed_forward_length", U32(hyperparameters.decoder_feed_forward_length)),
        ("moonshine.attention.head_count", U32(hyperparameters.head_count)),
        ("moonshine.attention.layer_norm_epsilon", F32(hyperparameters.layer_norm_epsilon)),
        ("moonshine.rope.dimension_count", U32(hyperparameters.rope_dimension_count)),
        ("moonshine.rope.freq_base", F32(hyperparameters.rope_freq_base)),
        ("moonshine.group_norm_epsilon", F32(hyperparameters.group_norm_epsilon)),
        ("moonshine.vocab_size", U32(hyperparameters.vocab_size)),
        ("moonshine.sample_rate_hz", U32(SAMPLE_RATE_HZ)),
        ("moonshine.max_utterance_samples", U32(MAX_UTTERANCE_SAMPLES)),
        ("moonshine.max_tokens_per_second", F32(MAX_TOKENS_PER_SECOND)),
    ]);
    metadata
}
