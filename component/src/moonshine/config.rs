//! Hyperparameters of Moonshine (Jeffries et al., "Moonshine: Speech Recognition for Live Transcription and Voice
//! Commands", 2024), as `MODEL-FORMAT.md` names them.

use crate::error::{Error, Limit};
use crate::gguf::Metadata;
use crate::options::SHORTEST_LONGEST_SEGMENT_SAMPLES;
use crate::weights::{TensorKind, TensorSpec};

/// Kernel and stride of the three convolutions, fixed by the architecture: in samples, then in frames of the one before.
pub const CONV1_KERNEL: usize = 127;
/// Stride of the first convolution, in samples.
pub const CONV1_STRIDE: usize = 64;
/// Kernel of the second convolution.
pub const CONV2_KERNEL: usize = 7;
/// Stride of the second convolution.
pub const CONV2_STRIDE: usize = 3;
/// Kernel of the third convolution.
pub const CONV3_KERNEL: usize = 3;
/// Stride of the third convolution.
pub const CONV3_STRIDE: usize = 2;

/// The rate the front end was made for.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// Larger than any model that fits in the engine's memory; keeps every product below 2⁶⁴.
const WIDTH_MAX: u32 = 16_384;
const BLOCKS_MAX: u32 = 256;
const VOCABULARY_MAX: u32 = 1 << 20;
/// Several times what any speech holds, written in single bytes; keeps the decoder from going on for ever.
const TOKENS_PER_SECOND_MAX: f32 = 100.0;
/// Ten minutes: attention over more would not fit in memory.
const UTTERANCE_SAMPLES_MAX: u32 = 600 * SAMPLE_RATE_HZ;

/// What a Moonshine file says of its model.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Channels of encoder and decoder states.
    pub width: usize,
    /// Encoder layers.
    pub encoder_blocks: usize,
    /// Decoder layers.
    pub decoder_blocks: usize,
    /// Inner channels of the encoder's feed-forward layers.
    pub encoder_feed_forward: usize,
    /// Inner channels of the decoder's gated feed-forward layers.
    pub decoder_feed_forward: usize,
    /// Attention heads.
    pub heads: usize,
    /// Rotated dimensions of each head.
    pub rope_dimensions: usize,
    /// Base of the rotary angles.
    pub rope_base: f32,
    /// Added to the variance in layer norms.
    pub layer_norm_epsilon: f32,
    /// Added to the variance in the front end's group norm.
    pub group_norm_epsilon: f32,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// The longest utterance it was made for, in samples.
    pub longest_utterance_samples: usize,
    /// No speech has more tokens a second than this.
    pub max_tokens_per_second: f32,
}

impl Config {
    /// Reads and checks them.
    ///
    /// # Errors
    /// See [`crate::family::Family::plan`].
    pub fn read(metadata: &Metadata) -> Result<Self, Error> {
        let bounded = |key: &str, max: u32| -> Result<usize, Error> {
            match metadata.u32(key)? {
                0 => Err(Error::UnsupportedModel(format!("`{key}` is 0"))),
                value if value > max => Err(Error::LimitExceeded {
                    limit: Limit::ModelDimension,
                    allowed: u64::from(max),
                    requested: u64::from(value),
                    message: format!("the model file's `{key}`"),
                }),
                value => Ok(value as usize),
            }
        };
        let positive = |key: &str| -> Result<f32, Error> {
            let value = metadata.f32(key)?;
            if value.is_finite() && value > 0.0 {
                Ok(value)
            } else {
                Err(Error::UnsupportedModel(format!("`{key}` is {value}, and must be a positive number")))
            }
        };
        let config = Self {
            width: bounded("moonshine.embedding_length", WIDTH_MAX)?,
            encoder_blocks: bounded("moonshine.encoder.block_count", BLOCKS_MAX)?,
            decoder_blocks: bounded("moonshine.decoder.block_count", BLOCKS_MAX)?,
            encoder_feed_forward: bounded("moonshine.encoder.feed_forward_length", 4 * WIDTH_MAX)?,
            decoder_feed_forward: bounded("moonshine.decoder.feed_forward_length", 4 * WIDTH_MAX)?,
            heads: bounded("moonshine.attention.head_count", WIDTH_MAX)?,
            rope_dimensions: bounded("moonshine.rope.dimension_count", WIDTH_MAX)?,
            rope_base: positive("moonshine.rope.freq_base")?,
            layer_norm_epsilon: positive("moonshine.attention.layer_norm_epsilon")?,
            group_norm_epsilon: positive("moonshine.group_norm_epsilon")?,
            vocabulary: bounded("moonshine.vocab_size", VOCABULARY_MAX)?,
            longest_utterance_samples: bounded("moonshine.max_utterance_samples", UTTERANCE_SAMPLES_MAX)?,
            max_tokens_per_second: positive("moonshine.max_tokens_per_second")?,
        };
        let rate = metadata.u32("moonshine.sample_rate_hz")?;
        if rate != SAMPLE_RATE_HZ {
            return Err(Error::UnsupportedModel(format!(
                "it hears audio at {rate} Hz, and only 16000 Hz is supported"
            )));
        }
        if config.max_tokens_per_second > TOKENS_PER_SECOND_MAX {
            return Err(Error::UnsupportedModel(format!(
                "`moonshine.max_tokens_per_second` is {}, and at most {TOKENS_PER_SECOND_MAX} can be",
                config.max_tokens_per_second
            )));
        }
        if !config.width.is_multiple_of(config.heads) {
            return Err(Error::UnsupportedModel(format!(
                "{} channels cannot be split over {} heads",
                config.width, config.heads
            )));
        }
        if config.rope_dimensions > config.head_size() || !config.rope_dimensions.is_multiple_of(2) {
            return Err(Error::UnsupportedModel(format!(
                "`moonshine.rope.dimension_count` is {}, and must be even and at most the head size, {}",
                config.rope_dimensions,
                config.head_size()
            )));
        }
        if config.longest_utterance_samples < SHORTEST_LONGEST_SEGMENT_SAMPLES {
            return Err(Error::UnsupportedModel("`moonshine.max_utterance_samples` is less than a second".into()));
        }
        Ok(config)
    }

    /// Dimensions of an attention head.
    #[must_use]
    pub fn head_size(&self) -> usize {
        self.width / self.heads
    }

    /// The most tokens that so many samples of speech can hold, end token left out; at least 1.
    #[must_use]
    pub fn max_tokens(&self, samples: usize) -> usize {
        let seconds = samples as f64 / f64::from(SAMPLE_RATE_HZ);
        ((seconds * f64::from(self.max_tokens_per_second)).ceil() as usize).max(1)
    }

    /// Every tensor of the model, in the order of `MODEL-FORMAT.md`.
    #[must_use]
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = Vec::new();
        let mut add = |kind, name: String, shape: &[usize]| {
            specs.push(TensorSpec { name, shape: shape.to_vec(), kind });
        };
        use TensorKind::{Convolution, Matrix, Plain, Vocabulary};
        let (h, e, d) = (self.width, self.encoder_feed_forward, self.decoder_feed_forward);
        let root = "model.encoder";
        add(Plain, format!("{root}.conv1.weight"), &[h, 1, CONV1_KERNEL]);
        add(Plain, format!("{root}.groupnorm.weight"), &[h]);
        add(Plain, format!("{root}.groupnorm.bias"), &[h]);
        add(Convolution, format!("{root}.conv2.weight"), &[2 * h, h, CONV2_KERNEL]);
        add(Plain, format!("{root}.conv2.bias"), &[2 * h]);
        add(Convolution, format!("{root}.conv3.weight"), &[h, 2 * h, CONV3_KERNEL]);
        add(Plain, format!("{root}.conv3.bias"), &[h]);
        for block in 0..self.encoder_blocks {
            let root = format!("{root}.layers.{block}");
            for projection in ["q", "k", "v", "o"] {
                add(Matrix, format!("{root}.self_attn.{projection}_proj.weight"), &[h, h]);
            }
            add(Plain, format!("{root}.input_layernorm.weight"), &[h]);
            add(Plain, format!("{root}.post_attention_layernorm.weight"), &[h]);
            add(Matrix, format!("{root}.mlp.fc1.weight"), &[e, h]);
            add(Plain, format!("{root}.mlp.fc1.bias"), &[e]);
            add(Matrix, format!("{root}.mlp.fc2.weight"), &[h, e]);
            add(Plain, format!("{root}.mlp.fc2.bias"), &[h]);
        }
        add(Plain, format!("{root}.layer_norm.weight"), &[h]);
        let root = "model.decoder";
        add(Vocabulary, format!("{root}.embed_tokens.weight"), &[self.vocabulary, h]);
        for block in 0..self.decoder_blocks {
            let root = format!("{root}.layers.{block}");
            for attention in ["self_attn", "encoder_attn"] {
                for projection in ["q", "k", "v", "o"] {
                    add(Matrix, format!("{root}.{attention}.{projection}_proj.weight"), &[h, h]);
                }
            }
            for norm in ["input_layernorm", "post_attention_layernorm", "final_layernorm"] {
                add(Plain, format!("{root}.{norm}.weight"), &[h]);
            }
            add(Matrix, format!("{root}.mlp.fc1.weight"), &[2 * d, h]);
            add(Plain, format!("{root}.mlp.fc1.bias"), &[2 * d]);
            add(Matrix, format!("{root}.mlp.fc2.weight"), &[h, d]);
            add(Plain, format!("{root}.mlp.fc2.bias"), &[h]);
        }
        add(Plain, format!("{root}.norm.weight"), &[h]);
        specs
    }
}

/// The shortest audio that gives one frame after all three convolutions, in samples.
#[must_use]
pub fn shortest_utterance_samples() -> usize {
    let conv2_frames = CONV3_KERNEL;
    let conv1_frames = (conv2_frames - 1) * CONV2_STRIDE + CONV2_KERNEL;
    (conv1_frames - 1) * CONV1_STRIDE + CONV1_KERNEL
}
