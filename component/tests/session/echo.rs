//! A model that says which samples it was given: a token for every quarter of a second, which depends on all their bits.

use std::rc::Rc;

use auricle_component::error::Error;
use auricle_component::family::{Hypothesis, Model, ModelTraits, Progress, Token, Transcriber};
use auricle_component::metrics::{Meter, Stage};
use auricle_component::tokenizer::Tokenizer;

use crate::support::{common_metadata, metadata_of};

pub(crate) const LONGEST_SAMPLES: usize = 30 * 16_000;
pub(crate) const SHORTEST_SAMPLES: usize = 895;
const TOKEN_SAMPLES: usize = 4_000;
const VOCABULARY: usize = 3 + 256 + 997;

/// The model, which can transcribe so many utterances.
pub(crate) struct Slow {
    tokenizer: Tokenizer,
    utterances: usize,
}

pub(crate) fn model() -> Rc<Slow> {
    Slow::new(usize::MAX)
}

impl Slow {
    pub(crate) fn new(utterances: usize) -> Rc<Self> {
        let header = common_metadata("tiny", "f32", VOCABULARY).header();
        let mut metadata = metadata_of(&header).expect("the metadata are well formed");
        Rc::new(Self { tokenizer: Tokenizer::from_metadata(&mut metadata).expect("so is the vocabulary"), utterances })
    }
}

impl Model for Slow {
    fn traits(&self) -> ModelTraits {
        ModelTraits {
            longest_segment_samples: LONGEST_SAMPLES,
            shortest_segment_samples: SHORTEST_SAMPLES,
            frame_hop_samples: 384,
            parameters: 0,
        }
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    fn transcriber(self: Rc<Self>) -> Box<dyn Transcriber> {
        Box::new(Echo { left: self.utterances, tokens: None, done: 0 })
    }
}

/// A token a step.
struct Echo {
    /// Utterances that it can still transcribe.
    left: usize,
    tokens: Option<Vec<Token>>,
    done: usize,
}

impl Transcriber for Echo {
    fn begin(&mut self, samples: &[f32], draft: &[u32], _align: bool) -> Result<(), Error> {
        assert!((SHORTEST_SAMPLES..=LONGEST_SAMPLES).contains(&samples.len()), "{} samples", samples.len());
        let token = |samples: &[f32]| {
            let mix = |hash: u64, sample: &f32| (hash ^ u64::from(sample.to_bits())).wrapping_mul(0x0100_0000_01b3);
            let hash = samples.iter().fold(0xcbf2_9ce4_8422_2325, mix);
            let id = (3 + 256 + hash % 997) as u32;
            Token { id, log_probability: -((hash % 100) as f32) / 1000.0, entropy: 0.0 }
        };
        let tokens: Vec<Token> = samples.chunks(TOKEN_SAMPLES).map(token).collect();
        // What was drafted rightly takes no steps.
        self.done = tokens.iter().zip(draft).take_while(|(token, draft)| token.id == **draft).count();
        self.tokens = Some(tokens);
        Ok(())
    }

    fn step(&mut self, meter: &mut Meter) -> Result<Progress, Error> {
        if self.left == 0 {
            return Err(Error::Internal("out of order".into()));
        }
        let tokens = self.tokens.as_mut().expect("an utterance has begun");
        meter.measure(Stage::Decoder, || (1, ()));
        self.done += 1;
        if self.done <= tokens.len() {
            return Ok(Progress::Working);
        }
        let tokens = self.tokens.take().unwrap_or_default();
        self.left -= 1;
        Ok(Progress::Done(Hypothesis { tokens, ..Hypothesis::default() }))
    }
}
