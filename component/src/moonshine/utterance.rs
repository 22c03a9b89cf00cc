//! One utterance on its way through the model, a bounded step at a time.

use std::rc::Rc;

use super::MoonshineModel;
use super::decoder::{Decoder, DecoderState};
use super::encoder::EncoderState;
use crate::error::Error;
use crate::family::{Hypothesis, Progress, Token, Transcriber};
use crate::kernels::int8::variant;
use crate::metrics::{Meter, Stage};

/// Transcribes utterances.
#[derive(Debug)]
pub(super) struct MoonshineTranscriber {
    model: Rc<MoonshineModel>,
    max_tokens: usize,
    draft: Vec<u32>,
    work: Work,
}

/// Where an utterance stands: what the next step needs, and no more.
#[derive(Debug)]
enum Work {
    FrontEnd(Vec<f32>),
    Encoder { layer: usize, state: Box<EncoderState> },
    CrossAttention { encoded: Vec<f32> },
    Decoder(Box<Decoding>),
    Finished,
}

/// Greedy decoding, under way.
#[derive(Debug)]
struct Decoding {
    state: DecoderState,
    /// The token to read next, and after it what is expected to follow.
    expected: Vec<u32>,
    /// How many of them were read.
    read: usize,
    /// What followed the tokens of the last step.
    next: Vec<Token>,
    hypothesis: Hypothesis,
}

impl MoonshineTranscriber {
    /// Nothing to do yet.
    pub(super) fn new(model: Rc<MoonshineModel>) -> Self {
        Self { model, max_tokens: 0, draft: Vec::new(), work: Work::Finished }
    }
}

impl Transcriber for MoonshineTranscriber {
    fn begin(&mut self, samples: &[f32], draft: &[u32], _align: bool) -> Result<(), Error> {
        self.max_tokens = self.model.config.max_tokens(samples.len());
        self.draft = draft.to_vec();
        self.work = Work::FrontEnd(samples.to_vec());
        Ok(())
    }

    fn step(&mut self, meter: &mut Meter) -> Result<Progress, Error> {
        let MoonshineModel { front_end, encoder, decoder, tokenizer, .. } = &*self.model;
        self.work = match std::mem::replace(&mut self.work, Work::Finished) {
            Work::FrontEnd(samples) => {
                variant::choose(meter.clock());
                let cost = front_end.multiply_adds(samples.len());
                let frames = meter.measure(Stage::FrontEnd, cost, || front_end.forward(&samples))?;
                Work::Encoder { layer: 0, state: Box::new(encoder.begin(frames)) }
            }
            Work::Encoder { layer, mut state } => {
                let cost = encoder.layer_multiply_adds(layer, &state);
                meter.measure(Stage::Encoder, cost, || encoder.forward_layer(layer, &mut state))?;
                if layer + 1 < encoder.layers() {
                    Work::Encoder { layer: layer + 1, state }
                } else {
                    Work::CrossAttention { encoded: state.states }
                }
            }
            Work::CrossAttention { encoded } => {
                let cost = decoder.begin_multiply_adds(&encoded);
                let state =
                    meter.measure(Stage::CrossAttention, cost, || decoder.begin(&encoded, self.max_tokens + 1))?;
                let mut expected = vec![tokenizer.bos()];
                expected.append(&mut self.draft);
                Work::Decoder(Box::new(Decoding::new(state, expected, decoder.tokens_at_once(), self.max_tokens)))
            }
            Work::Decoder(mut decoding) => match decoding.step(decoder, tokenizer.eos(), self.max_tokens, meter)? {
                Some(hypothesis) => return Ok(Progress::Done(hypothesis)),
                None => Work::Decoder(decoding),
            },
            Work::Finished => return Err(Error::Internal("a step where nothing is under way".into())),
        };
        Ok(Progress::Working)
    }
}

impl Decoding {
    fn new(state: DecoderState, expected: Vec<u32>, at_once: usize, max_tokens: usize) -> Self {
        // Room for all there can be: a step allocates nothing.
        let hypothesis = Hypothesis { tokens: Vec::with_capacity(max_tokens), hit_token_rate: false };
        Self { state, expected, read: 0, next: Vec::with_capacity(at_once), hypothesis }
    }

    /// Reads the token that was chosen last and, while a draft is right, some of the draft's tokens with it. Gives the
    /// hypothesis at its end.
    ///
    /// The result is that of reading one token after the other, bit for bit: each token's choice is made from the same sums
    /// whether others are read with it or not, and what was read after the draft's first wrong token is forgotten.
    fn step(
        &mut self,
        decoder: &Decoder,
        end: u32,
        max_tokens: usize,
        meter: &mut Meter,
    ) -> Result<Option<Hypothesis>, Error> {
        let position = self.state.position();
        let room = decoder.tokens_at_once().min(max_tokens + 1 - position);
        let last = (self.read + room).min(self.expected.len());
        let tokens = &self.expected[self.read..last];
        self.next.clear();
        let cost = decoder.step_multiply_adds(tokens.len(), &self.state);
        meter.measure(Stage::Decoder, cost, || decoder.step(tokens, &mut self.state, &mut self.next))?;
        self.read = last;
        for (i, token) in self.next.iter().enumerate() {
            meter.count_token();
            if token.id == end {
                return Ok(Some(std::mem::take(&mut self.hypothesis)));
            }
            if self.hypothesis.tokens.len() == max_tokens {
                self.hypothesis.hit_token_rate = true;
                return Ok(Some(std::mem::take(&mut self.hypothesis)));
            }
            self.hypothesis.tokens.push(*token);
            let following = last - self.next.len() + i + 1;
            if self.expected.get(following) != Some(&token.id) {
                // The draft ends here, or goes on with another token.
                self.state.truncate(position + i + 1);
                self.expected.clear();
                self.expected.push(token.id);
                self.read = 0;
                break;
            }
        }
        Ok(None)
    }
}
