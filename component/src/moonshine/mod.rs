//! Moonshine: raw samples, convolutions, an encoder as long as the audio, a small decoder.
//!
//! The order of operations follows `transformers`' `modeling_moonshine.py`; weights and names are in `MODEL-FORMAT.md`.

pub mod alignment;
pub mod budget;
pub mod config;
pub mod decoder;
pub mod encoder;
pub mod frontend;
#[cfg(test)]
pub(crate) mod testing;
mod utterance;

use std::rc::Rc;

use crate::error::Error;
use crate::family::{Family, Model, ModelTraits, Plan, Transcriber};
use crate::gguf::Metadata;
use crate::tokenizer::Tokenizer;
use crate::weights::{TensorSpec, Weights};

use budget::{Budget, STEP_COST};
use config::{CONV1_STRIDE, CONV2_STRIDE, CONV3_STRIDE, Config, shortest_utterance_samples};
use decoder::Decoder;
use encoder::Encoder;
use frontend::{FrontEnd, FrontEndState};
use utterance::MoonshineTranscriber;

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

    /// Encoder states `[frames, width]` of an utterance of at least a frame, all at once: what its steps compute one by one.
    ///
    /// # Errors
    /// [`Error::Internal`] where a layer's weights are not of its shape.
    pub fn encode(&self, samples: &[f32]) -> Result<Vec<f32>, Error> {
        let mut values = vec![0.0; self.front_end.room(samples.len())];
        let mut state = FrontEndState::default();
        self.front_end.begin(samples, &mut state, &mut values);
        while !self.front_end.advance(&mut state, &mut values, &mut Budget::new(STEP_COST))? {}
        let frames = state.frames();
        let mut state = self.encoder.state();
        self.encoder.make_room(frames, &mut state);
        self.encoder.begin(frames, &mut state);
        while !self.encoder.advance(&mut state, &mut values, &mut Budget::new(STEP_COST))? {}
        values.truncate(frames * self.config.width);
        Ok(values)
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

    fn transcriber(self: Rc<Self>) -> Box<dyn Transcriber> {
        Box::new(MoonshineTranscriber::new(self))
    }
}
