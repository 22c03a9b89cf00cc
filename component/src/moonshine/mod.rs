//! Moonshine: raw samples, convolutions, an encoder as long as the audio, a small decoder.
//!
//! The order of operations follows `transformers`' `modeling_moonshine.py`; weights and names are in `MODEL-FORMAT.md`.

pub mod config;
pub mod decoder;
pub mod encoder;
pub mod frontend;

use std::rc::Rc;

use candle_core::Tensor;

use crate::error::Error;
use crate::family::{Family, Hypothesis, Model, ModelTraits, Plan, Progress, Utterance};
use crate::gguf::Metadata;
use crate::greedy;
use crate::metrics::{Meter, Stage};
use crate::tokenizer::Tokenizer;
use crate::weights::{TensorSpec, Weights};

use config::{CONV1_STRIDE, CONV2_STRIDE, CONV3_STRIDE, Config, shortest_utterance_samples};
use decoder::{Decoder, DecoderState};
use encoder::Encoder;
use frontend::FrontEnd;

/// The family.
#[derive(Debug)]
pub struct Moonshine;

impl Family for Moonshine {
    fn architecture(&self) -> &'static str {
        "moonshine"
    }

    fn plan(&self, metadata: &Metadata) -> Result<Box<dyn Plan>, Error> {
        Ok(Box::new(Config::read(metadata)?))
    }
}

impl Plan for Config {
    fn tensors(&self) -> Vec<TensorSpec> {
        self.tensors()
    }

    fn build(self: Box<Self>, weights: Weights, tokenizer: Tokenizer) -> Result<Rc<dyn Model>, Error> {
        Ok(Rc::new(MoonshineModel::new(*self, weights, tokenizer)?))
    }
}

/// A loaded Moonshine model.
#[derive(Debug)]
pub struct MoonshineModel {
    config: Config,
    front_end: FrontEnd,
    encoder: Encoder,
    decoder: Decoder,
    tokenizer: Tokenizer,
}

impl MoonshineModel {
    /// Makes the model of its parts; `weights` holds the tensors of [`Config::tensors`].
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] where the tokenizer is not the embedding's, [`Error::Internal`] where a tensor is missing.
    pub fn new(config: Config, mut weights: Weights, tokenizer: Tokenizer) -> Result<Self, Error> {
        if tokenizer.vocabulary_tokens() != config.vocabulary {
            return Err(Error::UnsupportedModel(format!(
                "its tokenizer has {} tokens, and its embedding {}",
                tokenizer.vocabulary_tokens(),
                config.vocabulary
            )));
        }
        Ok(Self {
            front_end: FrontEnd::new(&config, &mut weights)?,
            encoder: Encoder::new(&config, &mut weights)?,
            decoder: Decoder::new(&config, &mut weights)?,
            config,
            tokenizer,
        })
    }

    /// Encoder states `[frames, width]` of an utterance, all at once: what its steps compute one by one.
    ///
    /// # Errors
    /// [`Error::Internal`] where there are fewer samples than one frame takes.
    pub fn encode(&self, samples: &[f32]) -> Result<Tensor, Error> {
        (0..self.encoder.layers())
            .try_fold(self.front_end.forward(samples)?, |states, layer| self.encoder.forward_layer(layer, &states))
    }
}

impl Model for MoonshineModel {
    fn traits(&self) -> ModelTraits {
        let parameters = |spec: &TensorSpec| spec.shape.iter().map(|&size| size as u64).product::<u64>();
        ModelTraits {
            longest_segment_samples: self.config.longest_utterance_samples,
            shortest_segment_samples: shortest_utterance_samples(),
            frame_hop_samples: CONV1_STRIDE * CONV2_STRIDE * CONV3_STRIDE,
            parameters: self.config.tensors().iter().map(parameters).sum(),
        }
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn begin(self: Rc<Self>, samples: Vec<f32>) -> Result<Box<dyn Utterance>, Error> {
        let max_tokens = self.config.max_tokens(samples.len());
        Ok(Box::new(MoonshineUtterance { work: Work::FrontEnd(samples), max_tokens, model: self }))
    }
}

/// Where an utterance stands: what the next step needs, and no more.
#[derive(Debug)]
enum Work {
    FrontEnd(Vec<f32>),
    Encoder { layer: usize, states: Tensor },
    CrossAttention { encoded: Tensor },
    Decoder { state: DecoderState, last: u32, hypothesis: Hypothesis },
    Finished,
}

#[derive(Debug)]
struct MoonshineUtterance {
    model: Rc<MoonshineModel>,
    max_tokens: usize,
    work: Work,
}

impl Utterance for MoonshineUtterance {
    fn step(&mut self, meter: &mut Meter) -> Result<Progress, Error> {
        let MoonshineModel { front_end, encoder, decoder, tokenizer, .. } = &*self.model;
        self.work = match std::mem::replace(&mut self.work, Work::Finished) {
            Work::FrontEnd(samples) => {
                let cost = front_end.multiply_adds(samples.len());
                let states = meter.measure(Stage::FrontEnd, cost, || front_end.forward(&samples))?;
                Work::Encoder { layer: 0, states }
            }
            Work::Encoder { layer, states } => {
                let cost = encoder.layer_multiply_adds(layer, states.dims()[0]);
                let states = meter.measure(Stage::Encoder, cost, || encoder.forward_layer(layer, &states))?;
                if layer + 1 < encoder.layers() {
                    Work::Encoder { layer: layer + 1, states }
                } else {
                    Work::CrossAttention { encoded: states }
                }
            }
            Work::CrossAttention { encoded } => {
                let cost = decoder.begin_multiply_adds(encoded.dims()[0]);
                let state =
                    meter.measure(Stage::CrossAttention, cost, || decoder.begin(&encoded, self.max_tokens + 1))?;
                Work::Decoder { state, last: tokenizer.bos(), hypothesis: Hypothesis::default() }
            }
            Work::Decoder { mut state, last, mut hypothesis } => {
                let cost = decoder.step_multiply_adds(&state);
                let token = meter.measure(Stage::Decoder, cost, || -> Result<_, Error> {
                    Ok(greedy::pick(&decoder.step(last, &mut state)?))
                })?;
                meter.count_token();
                if token.id == tokenizer.eos() {
                    return Ok(Progress::Done(hypothesis));
                }
                if hypothesis.tokens.len() == self.max_tokens {
                    hypothesis.hit_token_rate = true;
                    return Ok(Progress::Done(hypothesis));
                }
                hypothesis.tokens.push(token);
                Work::Decoder { state, last: token.id, hypothesis }
            }
            Work::Finished => return Err(Error::Internal("a step after the last one".into())),
        };
        Ok(Progress::Working)
    }
}
