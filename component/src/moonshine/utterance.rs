//! One utterance after the other on its way through the model, a bounded step at a time.

use std::rc::Rc;

use super::MoonshineModel;
use super::budget::Budget;
use super::config::{SAMPLE_RATE_HZ, shortest_utterance_samples};
use super::decoder::{Decoder, DecoderState};
use super::encoder::EncoderState;
use super::frontend::FrontEndState;
use crate::error::{Error, Limit};
use crate::family::{Hypothesis, Progress, Token, Transcriber};
use crate::kernels::int8::variant;
use crate::metrics::{Meter, Stage};

/// Room is made for whole multiples of so many samples, so that utterances that grow a little do not each make new room.
const ROOM_SAMPLES: usize = 4 * SAMPLE_RATE_HZ as usize;

/// Transcribes utterances.
#[derive(Debug)]
pub(super) struct MoonshineTranscriber {
    model: Rc<MoonshineModel>,
    work: Work,
    /// The longest utterance that there is room for, in samples.
    room_samples: usize,
    /// What one piece of work leaves to the next: samples first, encoder states in the end.
    values: Vec<f32>,
    front_end: FrontEndState,
    encoder: EncoderState,
    decoding: Decoding,
}

/// What the next step works on.
#[derive(Debug, Clone, Copy)]
enum Work {
    Nothing,
    FrontEnd,
    Encoder,
    CrossAttention,
    Decoder,
}

/// Greedy decoding.
#[derive(Debug)]
struct Decoding {
    state: DecoderState,
    /// The most tokens that the utterance can have.
    max_tokens: usize,
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
        Self {
            work: Work::Nothing,
            room_samples: 0,
            values: Vec::new(),
            front_end: FrontEndState::default(),
            encoder: model.encoder.state(),
            decoding: Decoding::new(&model.decoder),
            model,
        }
    }

    /// Makes room for an utterance of so many samples.
    fn make_room(&mut self, samples: usize) -> Result<(), Error> {
        if samples <= self.room_samples {
            return Ok(());
        }
        let model = Rc::clone(&self.model);
        let MoonshineModel { config, front_end, encoder, decoder, .. } = &*model;
        let samples = samples.next_multiple_of(ROOM_SAMPLES).min(config.longest_utterance_samples);
        let values = front_end.room(samples);
        // What is too small goes first, all of it: the new takes its place.
        *self = Self::new(Rc::clone(&model));
        self.values.try_reserve_exact(values).map_err(|_| Error::LimitExceeded {
            limit: Limit::MemoryBytes,
            allowed: 0,
            requested: (values * size_of::<f32>()) as u64,
            message: "there is no memory left to transcribe in, in bytes".into(),
        })?;
        self.values.resize(values, 0.0);
        let frames = front_end.frames(samples);
        encoder.make_room(frames, &mut self.encoder);
        let max_tokens = config.max_tokens(samples);
        decoder.make_room(frames, max_tokens + 1, &mut self.decoding.state);
        self.decoding.hypothesis.tokens.reserve_exact(max_tokens);
        self.room_samples = samples;
        Ok(())
    }
}

impl Transcriber for MoonshineTranscriber {
    fn begin(&mut self, samples: &[f32], draft: &[u32], _align: bool) -> Result<(), Error> {
        self.work = Work::Nothing;
        let model = Rc::clone(&self.model);
        let config = &model.config;
        let lengths = shortest_utterance_samples()..=config.longest_utterance_samples;
        if !lengths.contains(&samples.len()) {
            return Err(Error::Internal(format!("{} samples do not make an utterance", samples.len())));
        }
        self.make_room(samples.len())?;
        model.front_end.begin(samples, &mut self.front_end, &mut self.values);
        self.decoding.begin(&model.decoder, model.tokenizer.bos(), draft, config.max_tokens(samples.len()));
        self.work = Work::FrontEnd;
        Ok(())
    }

    fn step(&mut self, meter: &mut Meter) -> Result<Progress, Error> {
        let Self { values, front_end, encoder, decoding, .. } = self;
        let model = &*self.model;
        let work = std::mem::replace(&mut self.work, Work::Nothing);
        self.work = match work {
            Work::FrontEnd => {
                if front_end.is_fresh() {
                    variant::choose(meter.clock());
                }
                if advance(meter, Stage::FrontEnd, |budget| model.front_end.advance(front_end, values, budget))? {
                    model.encoder.begin(front_end.frames(), encoder);
                    Work::Encoder
                } else {
                    work
                }
            }
            Work::Encoder => {
                let done = advance(meter, Stage::Encoder, |budget| model.encoder.advance(encoder, values, budget))?;
                if done { Work::CrossAttention } else { work }
            }
            Work::CrossAttention => {
                let (encoded, room) = values.split_at_mut(front_end.frames() * model.config.width);
                let room = &mut room[..2 * encoded.len()];
                let done = advance(meter, Stage::CrossAttention, |budget| {
                    model.decoder.prepare(encoded, room, &mut decoding.state, budget)
                })?;
                if done { Work::Decoder } else { work }
            }
            Work::Decoder => {
                if decoding.step(&model.decoder, model.tokenizer.eos(), meter)? {
                    return Ok(Progress::Done(decoding.hypothesis.clone()));
                }
                work
            }
            Work::Nothing => return Err(Error::Internal("a step where nothing is under way".into())),
        };
        Ok(Progress::Working)
    }
}

/// Does a step of a stage, and says whether that was its last.
fn advance(
    meter: &mut Meter,
    stage: Stage,
    work: impl FnOnce(&mut Budget) -> Result<bool, Error>,
) -> Result<bool, Error> {
    meter.measure(stage, || {
        let mut budget = Budget::default();
        let done = work(&mut budget);
        (budget.multiply_adds(), done)
    })
}

impl Decoding {
    fn new(decoder: &Decoder) -> Self {
        Self {
            state: decoder.state(),
            max_tokens: 0,
            expected: Vec::new(),
            read: 0,
            next: Vec::with_capacity(decoder.tokens_at_once()),
            hypothesis: Hypothesis::default(),
        }
    }

    /// Forgets what was decoded before.
    fn begin(&mut self, decoder: &Decoder, start: u32, draft: &[u32], max_tokens: usize) {
        decoder.begin(&mut self.state);
        self.max_tokens = max_tokens;
        self.expected.clear();
        self.expected.push(start);
        self.expected.extend_from_slice(draft);
        self.read = 0;
        self.hypothesis.tokens.clear();
        self.hypothesis.hit_token_rate = false;
    }

    /// Reads the token that was chosen last and, while a draft is right, some of the draft's tokens with it. Says whether
    /// the hypothesis is at its end.
    ///
    /// The result is that of reading one token after the other, bit for bit: each token's choice is made from the same sums
    /// whether others are read with it or not, and what was read after the draft's first wrong token is forgotten.
    fn step(&mut self, decoder: &Decoder, end: u32, meter: &mut Meter) -> Result<bool, Error> {
        let position = self.state.position();
        let room = decoder.tokens_at_once().min(self.max_tokens + 1 - position);
        let last = (self.read + room).min(self.expected.len());
        let tokens = &self.expected[self.read..last];
        self.next.clear();
        meter.measure(Stage::Decoder, || {
            let multiply_adds = decoder.step_multiply_adds(tokens.len(), &self.state);
            (multiply_adds, decoder.step(tokens, &mut self.state, &mut self.next))
        })?;
        self.read = last;
        for (i, token) in self.next.iter().enumerate() {
            meter.count_token();
            if token.id == end {
                return Ok(true);
            }
            if self.hypothesis.tokens.len() == self.max_tokens {
                self.hypothesis.hit_token_rate = true;
                return Ok(true);
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
        Ok(false)
    }
}
