//! A Hugging Face folder of `MoonshineForConditionalGeneration`.

use std::fs;
use std::io;
use std::path::Path;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::missing_file;
use crate::models::convert::{Hyperparameters, SourceTensor, Tokenizer, Values, WeightSource};
use crate::models::error::{ModelsError, SourceError};
use crate::models::staging::hex;

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";
const ARCHITECTURE: &str = "MoonshineForConditionalGeneration";
/// Not in the configuration: PyTorch's default, which the architecture uses for both kinds of norm.
const NORM_EPSILON: f32 = 1e-5;

/// The files of a folder, the small ones parsed.
pub(super) struct Folder {
    pub(super) hyperparameters: Hyperparameters,
    pub(super) tokenizer: Tokenizer,
    weights: Vec<u8>,
}

impl Folder {
    pub(super) fn read(path: &Path) -> Result<Self, ModelsError> {
        let [config, tokenizer, weights] = [CONFIG, TOKENIZER, WEIGHTS].map(|name| {
            let file = path.join(name);
            match fs::read(&file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing_file(path, name)),
                bytes => bytes.map_err(ModelsError::io("read", &file)),
            }
        });
        let config: Config = serde_json::from_slice(&config?).map_err(|error| {
            let problem = error.to_string();
            ModelsError::source(path)(SourceError::Corrupt { part: CONFIG.to_owned(), problem })
        })?;
        let hyperparameters = config.hyperparameters().map_err(ModelsError::source(path))?;
        let tokenizer = Tokenizer::from_hugging_face(&tokenizer?, config.start_id(), config.eos_token_id);
        Ok(Self { hyperparameters, tokenizer: tokenizer.map_err(ModelsError::source(path))?, weights: weights? })
    }

    /// What the model file says of its origin.
    pub(super) fn describe(&self) -> String {
        format!("{ARCHITECTURE}, {WEIGHTS} sha256:{}", hex(&Sha256::digest(&self.weights)))
    }

    pub(super) fn weights(&self) -> Result<Tensors<'_>, SourceError> {
        let tensors = SafeTensors::deserialize(&self.weights).map_err(|error| corrupt(error.to_string()))?;
        Ok(Tensors { tensors })
    }
}

/// The tensors of `model.safetensors`.
pub(super) struct Tensors<'a> {
    tensors: SafeTensors<'a>,
}

impl WeightSource for Tensors<'_> {
    fn tensor(&self, name: &str) -> Result<SourceTensor<'_>, SourceError> {
        let missing = |_| SourceError::MissingTensor { name: name.to_owned() };
        let view = self.tensors.tensor(name).map_err(missing)?;
        let halves = || view.data().as_chunks::<2>().0.iter();
        let values = match view.dtype() {
            Dtype::F32 => view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            Dtype::F16 => halves().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect(),
            Dtype::BF16 => halves().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect(),
            other => {
                return Err(SourceError::Unsupported { what: format!("tensor `{name}` of type {other:?}") });
            }
        };
        Ok(SourceTensor { shape: view.shape().to_vec(), values: Values::Float(values) })
    }

    fn names(&self) -> Vec<&str> {
        self.tensors.names()
    }
}

fn corrupt(problem: String) -> SourceError {
    SourceError::Corrupt { part: WEIGHTS.to_owned(), problem }
}

/// `config.json`. Defaults are those of `MoonshineConfig` in transformers, for keys that are left out at their default.
#[derive(Deserialize)]
struct Config {
    architectures: Vec<String>,
    hidden_size: u32,
    intermediate_size: u32,
    encoder_num_hidden_layers: u32,
    decoder_num_hidden_layers: u32,
    encoder_num_attention_heads: u32,
    decoder_num_attention_heads: u32,
    encoder_num_key_value_heads: Option<u32>,
    decoder_num_key_value_heads: Option<u32>,
    vocab_size: u32,
    #[serde(default = "gelu")]
    encoder_hidden_act: String,
    #[serde(default = "silu")]
    decoder_hidden_act: String,
    #[serde(default)]
    attention_bias: bool,
    #[serde(flatten)]
    rope: RopeParameters,
    /// Where newer versions keep what older ones have at the top.
    rope_parameters: Option<RopeParameters>,
    rope_scaling: Option<serde_json::Value>,
    #[serde(default = "one")]
    bos_token_id: u32,
    #[serde(default = "two")]
    eos_token_id: u32,
    decoder_start_token_id: Option<u32>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct RopeParameters {
    partial_rotary_factor: Option<f64>,
    rope_theta: Option<f64>,
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn silu() -> String {
    "silu".to_owned()
}

fn one() -> u32 {
    1
}

fn two() -> u32 {
    2
}

impl Config {
    fn start_id(&self) -> u32 {
        self.decoder_start_token_id.unwrap_or(self.bos_token_id)
    }

    fn hyperparameters(&self) -> Result<Hyperparameters, SourceError> {
        let unsupported = |what: String| Err(SourceError::Unsupported { what });
        if !self.architectures.iter().any(|name| name == ARCHITECTURE) {
            return unsupported(format!("architecture {:?}; only {ARCHITECTURE} is", self.architectures));
        }
        let heads = self.encoder_num_attention_heads;
        let key_value_heads = [self.encoder_num_key_value_heads, self.decoder_num_key_value_heads];
        if self.decoder_num_attention_heads != heads || key_value_heads.into_iter().flatten().any(|kv| kv != heads) {
            return unsupported("different numbers of heads in encoder, decoder, or for keys and values".to_owned());
        }
        if (self.encoder_hidden_act.as_str(), self.decoder_hidden_act.as_str()) != ("gelu", "silu") {
            let (encoder, decoder) = (&self.encoder_hidden_act, &self.decoder_hidden_act);
            return unsupported(format!("activations {encoder} and {decoder}; only gelu and silu are"));
        }
        if self.attention_bias || self.rope_scaling.as_ref().is_some_and(|scaling| !scaling.is_null()) {
            return unsupported("biases in attention, or scaled rotary frequencies".to_owned());
        }
        let newer = self.rope_parameters.unwrap_or_default();
        let factor = newer.partial_rotary_factor.or(self.rope.partial_rotary_factor).unwrap_or(0.9);
        let base = newer.rope_theta.or(self.rope.rope_theta).unwrap_or(10_000.0);
        let head_length = self.hidden_size.checked_div(heads).unwrap_or(0);
        Ok(Hyperparameters {
            embedding_length: self.hidden_size,
            encoder_block_count: self.encoder_num_hidden_layers,
            decoder_block_count: self.decoder_num_hidden_layers,
            encoder_feed_forward_length: self.intermediate_size,
            decoder_feed_forward_length: self.intermediate_size,
            head_count: heads,
            layer_norm_epsilon: NORM_EPSILON,
            // Rounded down, as transformers does; what makes no sense is found by the check of all numbers.
            rope_dimension_count: (f64::from(head_length) * factor) as u32,
            rope_freq_base: base as f32,
            group_norm_epsilon: NORM_EPSILON,
            vocab_size: self.vocab_size,
        })
    }
}
