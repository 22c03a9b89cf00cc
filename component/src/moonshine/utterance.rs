//! One utterance after the other on its way through the model, a bounded step at a time.

use std::rc::Rc;

use super::MoonshineModel;
use super::alignment::Alignment;
use super::budget::{Budget, STEP_COST};
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
    step_cost: u64,
    /// The longest utterance that there is room for, in samples.
    room_samples: usize,
    /// Samples of the utterance.
    samples: usize,
    /// What one piece of work leaves to the next: samples first, encoder states in the end.
    values: Vec<f32>,
    front_end: FrontEndState,
    encoder: EncoderState,
    decoding: Decoding,
    /// Whether the times of tokens are wanted.
    align: bool,
    alignment: Alignment,
}

/// What the next step works on.
#[derive(Debug, Clone, Copy)]
enum Work {
    Nothing,
    FrontEnd,
    Encoder,
    CrossAttention,
    Decoder,
    Alignment,
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
            step_cost: STEP_COST,
            room_samples: 0,
            samples: 0,
            values: Vec::new(),
            front_end: FrontEndState::default(),
            encoder: model.encoder.state(),
            decoding: Decoding::new(&model.decoder),
            align: false,
            alignment: Alignment::default(),
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
        *self = Self { step_cost: self.step_cost, ..Self::new(Rc::clone(&model)) };
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
        self.decoding.expected.reserve_exact(max_tokens + 1);
        self.room_samples = samples;
        Ok(())
    }

    /// Makes room for the times of tokens, as many as there is room for otherwise, if they are wanted.
    fn make_room_to_align(&mut self, wanted: bool) {
        self.align = wanted;
        self.alignment.begin();
        let tokens = if wanted { self.model.config.max_tokens(self.room_samples) } else { 0 };
        // The start token asks as well.
        self.decoding.state.keep_queries(if wanted { tokens + 1 } else { 0 });
        if wanted {
            self.alignment.make_room(self.model.front_end.frames(self.room_samples), tokens);
        }
    }
}

impl Transcriber for MoonshineTranscriber {
    fn begin(&mut self, samples: &[f32], draft: &[u32], align: bool) -> Result<(), Error> {
        self.work = Work::Nothing;
        let model = Rc::clone(&self.model);
        let config = &model.config;
        let lengths = shortest_utterance_samples()..=config.longest_utterance_samples;
        if !lengths.contains(&samples.len()) {
            return Err(Error::Internal(format!("{} samples do not make an utterance", samples.len())));
        }
        self.make_room(samples.len())?;
        self.make_room_to_align(align);
        model.front_end.begin(samples, &mut self.front_end, &mut self.values);
        self.decoding.begin(&model.decoder, model.tokenizer.bos(), draft, config.max_tokens(samples.len()));
        self.samples = samples.len();
        self.work = Work::FrontEnd;
        Ok(())
    }

    fn step(&mut self, meter: &mut Meter) -> Result<Progress, Error> {
        let Self { values, front_end, encoder, decoding, alignment, align, step_cost: cost, .. } = self;
        let (cost, align) = (*cost, *align);
        let model = &*self.model;
        let work = std::mem::replace(&mut self.work, Work::Nothing);
        self.work = match work {
            Work::FrontEnd => {
                if front_end.is_fresh() {
                    variant::choose(meter.clock());
                }
                if advance(meter, Stage::FrontEnd, cost, |budget| model.front_end.advance(front_end, values, budget))? {
                    model.encoder.begin(front_end.frames(), encoder);
                    Work::Encoder
                } else {
                    work
                }
            }
            Work::Encoder => {
                let done =
                    advance(meter, Stage::Encoder, cost, |budget| model.encoder.advance(encoder, values, budget))?;
                if done { Work::CrossAttention } else { work }
            }
            Work::CrossAttention => {
                let (encoded, room) = values.split_at_mut(front_end.frames() * model.config.width);
                let room = &mut room[..2 * encoded.len()];
                let done = advance(meter, Stage::CrossAttention, cost, |budget| {
                    model.decoder.prepare(encoded, room, &mut decoding.state, budget)
                })?;
                if done { Work::Decoder } else { work }
            }
            Work::Decoder => match decoding.step(&model.decoder, model.tokenizer.eos(), meter)? {
                true if align => Work::Alignment,
                true => return Ok(Progress::Done(decoding.hypothesis.clone())),
                false => work,
            },
            Work::Alignment => {
                let Decoding { state, hypothesis, .. } = decoding;
                let done = advance(meter, Stage::Alignment, cost, |budget| {
                    let done = alignment.advance(hypothesis.tokens.len(), state, budget);
                    if done {
                        hypothesis.token_spans = alignment.token_spans(self.samples);
                    }
                    Ok(done)
                })?;
                if done {
                    return Ok(Progress::Done(hypothesis.clone()));
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
    step_cost: u64,
    work: impl FnOnce(&mut Budget) -> Result<bool, Error>,
) -> Result<bool, Error> {
    meter.measure(stage, || {
        let mut budget = Budget::new(step_cost);
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
        // No more than so many tokens are ever read.
        self.expected.extend_from_slice(&draft[..draft.len().min(max_tokens)]);
        self.read = 0;
        self.hypothesis.tokens.clear();
        self.hypothesis.token_spans.clear();
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

#[cfg(test)]
mod tests {
    use super::MoonshineTranscriber;
    use crate::error::Error;
    use crate::family::{Hypothesis, Model, Progress, Transcriber};
    use crate::kernels::testing::Noise;
    use crate::metrics::Meter;
    use crate::moonshine::testing::model;

    fn finish(transcriber: &mut dyn Transcriber) -> (Hypothesis, usize) {
        let mut meter = Meter::new(|| 0);
        for steps in 1.. {
            if let Progress::Done(hypothesis) = transcriber.step(&mut meter).expect("a step") {
                return (hypothesis, steps);
            }
        }
        unreachable!("every utterance ends")
    }

    fn bits(hypothesis: &Hypothesis) -> Vec<(u32, u32, u32)> {
        hypothesis.tokens.iter().map(|t| (t.id, t.log_probability.to_bits(), t.entropy.to_bits())).collect()
    }

    #[test]
    fn an_utterance_abandoned_at_any_step_leaves_no_trace() {
        let model = model();
        let [loud, other] = [3, 4].map(|seed| Noise::new(seed).take(70_000));
        let abandoned: Vec<f32> = loud.iter().map(|x| 100.0 * x).collect();
        // As long, shorter, the shortest there is, and longer than there is room for.
        for count in [24_000, 9_001, 1_500, 70_000] {
            let samples = &other[..count];
            let mut fresh = model.clone().transcriber();
            fresh.begin(samples, &[], false).expect("samples are taken");
            let (want, _) = finish(&mut *fresh);
            assert!(!want.tokens.is_empty());

            // In steps so small that every pass is abandoned in its midst.
            let mut reused = MoonshineTranscriber { step_cost: 20_000, ..MoonshineTranscriber::new(model.clone()) };
            reused.begin(&abandoned[..24_000], &[], false).expect("samples are taken");
            let (_, steps) = finish(&mut reused);
            assert!(steps > 30, "{steps} steps");
            for stop in (0..=steps).step_by(3) {
                reused.begin(&abandoned[..24_000], &[5; 30], false).expect("samples are taken");
                let mut meter = Meter::new(|| 0);
                (0..stop).for_each(|_| drop(reused.step(&mut meter)));
                reused.begin(samples, &[], false).expect("samples are taken");
                let (is, _) = finish(&mut reused);
                assert_eq!((bits(&is), is.hit_token_rate), (bits(&want), want.hit_token_rate), "{count}, {stop}");
            }
        }
    }

    #[test]
    fn no_utterance_is_under_way_before_one_begins_or_after_one_is_refused_or_done() {
        let mut transcriber = model().transcriber();
        let idle = |transcriber: &mut dyn Transcriber| {
            assert!(matches!(transcriber.step(&mut Meter::new(|| 0)), Err(Error::Internal(_))));
        };
        idle(&mut *transcriber);
        for refused in [0, 800, 480_001] {
            transcriber.begin(&[0.1; 4000], &[], false).expect("samples are taken");
            assert!(matches!(transcriber.begin(&vec![0.1; refused], &[], false), Err(Error::Internal(_))));
            idle(&mut *transcriber);
        }
        transcriber.begin(&[0.1; 4000], &[], false).expect("samples are taken");
        finish(&mut *transcriber);
        idle(&mut *transcriber);
    }
}
