//! What a model family gives, so that the loader, the session and the contract need not know it.
//!
//! To add a family: write a [`Family`] beside `moonshine`, and name it in [`by_architecture`].

use std::ops::Range;
use std::rc::Rc;

use crate::error::Error;
use crate::gguf::Metadata;
use crate::metrics::Meter;
use crate::moonshine::Moonshine;
use crate::tokenizer::Tokenizer;
use crate::weights::{TensorSpec, Weights};

/// A kind of model, known by its `general.architecture`.
pub trait Family: Sync {
    /// The value of `general.architecture` that this family reads.
    fn architecture(&self) -> &'static str;

    /// Reads and checks the family's hyperparameters.
    ///
    /// # Errors
    /// [`Error::MalformedModel`] where one is missing, of another type or impossible; [`Error::UnsupportedModel`] where it
    /// is possible but not implemented; [`Error::LimitExceeded`] where it is larger than the engine takes.
    fn plan(&self, metadata: &Metadata) -> Result<Box<dyn Plan>, Error>;
}

/// A model whose hyperparameters are known and whose tensors are to come.
pub trait Plan {
    /// Every tensor the model needs, scales of quantized tensors left out.
    fn tensors(&self) -> Vec<TensorSpec>;

    /// Makes the model. `weights` holds exactly the tensors of [`Plan::tensors`], in their shapes.
    ///
    /// # Errors
    /// [`Error::Internal`] if that was not so.
    fn build(self: Box<Self>, weights: Weights, tokenizer: Tokenizer) -> Result<Rc<dyn Model>, Error>;
}

/// A model, ready to transcribe.
pub trait Model {
    /// What the family knows of it.
    fn traits(&self) -> ModelTraits;

    /// The tokenizer it came with.
    fn tokenizer(&self) -> &Tokenizer;

    /// A transcriber with nothing to do.
    fn transcriber(self: Rc<Self>) -> Box<dyn Transcriber>;
}

/// What a family knows of its model without loading it again.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelTraits {
    /// The longest segment it was made for, in samples.
    pub longest_segment_samples: usize,
    /// The shortest audio that gives a frame, in samples.
    pub shortest_segment_samples: usize,
    /// Samples from one encoder frame to the next.
    pub frame_hop_samples: usize,
    /// The number of its weights.
    pub parameters: u64,
}

/// Transcribes one utterance after the other, a step at a time.
///
/// It keeps its buffers: an utterance not longer than one before it allocates nothing but the hypothesis it gives.
pub trait Transcriber {
    /// Begins an utterance: mono samples at 16 000 Hz, from [`ModelTraits::shortest_segment_samples`] to
    /// [`ModelTraits::longest_segment_samples`] of them. Whatever was under way is dropped and leaves no trace. No work is
    /// done yet.
    ///
    /// `draft` is the tokens that an earlier hypothesis of the same audio had, without start and end; empty for none. It
    /// changes nothing in the result: the more of it is right, the sooner the result is there. `align` tells whether the
    /// times of the tokens are wanted.
    ///
    /// # Errors
    /// [`Error::Internal`] where there are too few samples or too many, and [`Error::LimitExceeded`] where memory does not
    /// suffice. Nothing is under way then.
    fn begin(&mut self, samples: &[f32], draft: &[u32], align: bool) -> Result<(), Error>;

    /// Does the next piece of work, a bounded one, and says whether there is more.
    ///
    /// # Errors
    /// [`Error::Internal`] and [`Error::LimitExceeded`], the former also where nothing is under way; the utterance is then
    /// lost.
    fn step(&mut self, meter: &mut Meter) -> Result<Progress, Error>;
}

/// How far an utterance has come.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// There is more to do.
    Working,
    /// It is transcribed; no further step may follow before another utterance begins.
    Done(Hypothesis),
}

/// What was decoded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hypothesis {
    /// The tokens, without start and end.
    pub tokens: Vec<Token>,
    /// Where each token lies in the utterance, in samples, in rising order; empty where that was not asked for.
    pub token_spans: Vec<Range<usize>>,
    /// Whether decoding was stopped by the token-rate ceiling.
    pub hit_token_rate: bool,
}

/// One decoded token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Token {
    /// Index in the vocabulary.
    pub id: u32,
    /// Natural logarithm of its probability.
    pub log_probability: f32,
    /// Entropy of the distribution it was chosen from, in nats.
    pub entropy: f32,
}

/// Every family this engine has.
pub static FAMILIES: &[&dyn Family] = &[&Moonshine];

/// The family among these that reads files of this architecture.
///
/// # Errors
/// [`Error::UnsupportedModel`] where there is none.
pub fn by_architecture<'a>(families: &[&'a dyn Family], architecture: &str) -> Result<&'a dyn Family, Error> {
    families.iter().copied().find(|family| family.architecture() == architecture).ok_or_else(|| {
        let known: Vec<_> = families.iter().map(|family| family.architecture()).collect();
        Error::UnsupportedModel(format!("its architecture is `{architecture}`, and known are: {}", known.join(", ")))
    })
}
