//! One stream: buffers audio, works when polled, and gives events.
//!
//! ```text
//! push ─► audio ─► listener (hops: voice activity, endpoints) ─► the segment under way ─► transcriber ─► events
//! ```
//!
//! Listening comes first and the transcriber second, but for the final of a segment that has ended: until that is given,
//! the stream waits. So there is at most one segment at a time, and what is not yet listened to is what `push` may still
//! add to. While a segment is under way the transcriber works on a partial, or ahead, on the final that the segment will
//! have if the silence after it lasts. Both are dropped where they turn out to be in vain.
//!
//! Finals follow from the samples alone. Partials follow from when the session is polled and from what work costs, too.

mod audio;
mod listener;
mod pace;
mod settle;
mod under_way;

use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use crate::endpoint::{Ended, Turn};
use crate::error::{Error, Limit};
use crate::family::{Hypothesis, Model, ModelTraits, Progress, Transcriber};
use crate::guards;
use crate::metrics::{Clock, Meter, Stage};
use crate::options::SessionOptions;
use crate::segment::{Event, Word, words};
use crate::vad::HOP_SAMPLES;
use crate::vad::silero::Silero;
use audio::AudioBuffer;
use listener::Listener;
use pace::Pace;
use under_way::UnderWay;

/// Samples of larger magnitude are no audio: floats are nominally within ±1, and even 16-bit integers are within this.
const SAMPLE_MAGNITUDE_MAX: f32 = 32_768.0;

/// The most audio that waits to be listened to: a minute.
pub const UNPROCESSED_SAMPLES_MAX: usize = 960_000;

/// Hops that are listened to in one step: half a second.
const HOPS_PER_STEP: usize = 16;

/// Samples that are held beyond the longest segment: what comes before speech that has just begun, and what a step of
/// listening has not yet let go.
const LOOK_BACK_SAMPLES: usize = 4 * HOPS_PER_STEP * HOP_SAMPLES;

/// What a call of [`Session::poll`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Poll {
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// Steps done.
    pub steps: u32,
    /// Whether there is work left that needs no more audio.
    pub more: bool,
}

enum State {
    /// Takes audio.
    Listening,
    /// `finish` was called.
    Finished,
    /// All samples were listened to.
    Heard,
    /// The last segment has ended; its final may be under way.
    Closed,
    /// `EndOfStream` was given.
    Ended,
    /// A step failed.
    Failed(Error),
}

/// What the transcriber works on.
struct Job {
    purpose: Purpose,
    audio: Range<u64>,
    elapsed_ns: u64,
}

enum Purpose {
    /// What the segment says so far.
    Partial,
    /// The final, if the silence lasts.
    Ahead,
    /// The final.
    Final(Ended),
}

/// What the next step is.
#[derive(Debug, Clone, PartialEq)]
enum Task {
    Nothing,
    Listen,
    HearRest,
    Close,
    End,
    BeginAhead(Range<u64>),
    BeginPartial(Range<u64>),
    Transcribe,
}

/// One stream of audio and its transcript.
pub struct Session {
    model: Rc<dyn Model>,
    transcriber: Box<dyn Transcriber>,
    traits: ModelTraits,
    language: Option<String>,
    word_times: bool,
    audio: AudioBuffer,
    listener: Listener,
    pace: Pace,
    under_way: UnderWay,
    job: Option<Job>,
    state: State,
    events: VecDeque<Event>,
    meter: Meter,
}

impl Session {
    /// Opens a session on a model that speaks `languages`; `neural` is the network that finds speech, where there is one.
    ///
    /// # Errors
    /// As [`SessionOptions::check`].
    pub fn open(
        model: Rc<dyn Model>,
        languages: &[String],
        neural: Option<Rc<Silero>>,
        options: &SessionOptions,
        clock: Clock,
    ) -> Result<Self, Error> {
        let traits = model.traits();
        options.check(languages, traits.longest_segment_samples, neural.is_some())?;
        let language = match languages {
            [only] => Some(only.clone()),
            _ => options.language.clone(),
        };
        let endpointing = options.endpointing.as_ref();
        // What no segment needs any more is forgotten, so that no more is held than the longest segment and what waits.
        let capacity = match endpointing {
            Some(rules) => rules.longest_segment as usize + UNPROCESSED_SAMPLES_MAX + LOOK_BACK_SAMPLES,
            None => traits.longest_segment_samples,
        };
        Ok(Self {
            transcriber: Rc::clone(&model).transcriber(),
            listener: Listener::new(endpointing, neural, traits.shortest_segment_samples),
            model,
            traits,
            language,
            word_times: options.word_times,
            audio: AudioBuffer::new(capacity),
            pace: Pace::new(options.partials),
            under_way: UnderWay::default(),
            job: None,
            state: State::Listening,
            events: VecDeque::new(),
            meter: Meter::new(clock),
        })
    }

    /// Takes the next block: mono, 16 000 Hz.
    ///
    /// # Errors
    /// [`Error::InvalidState`] after [`Session::finish`]; [`Error::InvalidAudio`] for a sample that is no number or far
    /// out of range; [`Error::BufferFull`] where more than [`UNPROCESSED_SAMPLES_MAX`] would wait, and
    /// [`Error::LimitExceeded`] where the block alone is more than that, or where the whole stream is to be one segment and
    /// becomes longer than the model takes. Nothing is taken then.
    pub fn push_audio(&mut self, block: &[f32]) -> Result<(), Error> {
        if !matches!(self.state, State::Listening) {
            return Err(Error::InvalidState("audio after `finish`: `reset` the session or open another".into()));
        }
        if let Some(index) = block.iter().position(|sample| !is_audio(*sample)) {
            let sample = block[index];
            let message = if sample.is_finite() {
                format!("is {sample}, and samples are nominally from -1 to 1: scale the audio")
            } else {
                format!("is {sample}, and not a finite number")
            };
            return Err(Error::InvalidAudio { index: u32::try_from(index).unwrap_or(u32::MAX), message });
        }
        let limit_exceeded = |limit, allowed: usize, requested: usize, message: &str| {
            let (allowed, requested) = (allowed as u64, requested as u64);
            Err(Error::LimitExceeded { limit, allowed, requested, message: message.into() })
        };
        if let Listener::Whole { .. } = self.listener {
            let (longest, total) = (self.traits.longest_segment_samples, self.audio.end() as usize + block.len());
            if total > longest {
                let message = "the stream, in samples at 16000 Hz";
                return limit_exceeded(Limit::UtteranceSamples, longest, total, message);
            }
        } else if block.len() > UNPROCESSED_SAMPLES_MAX {
            let message = "the block, in samples at 16000 Hz";
            return limit_exceeded(Limit::BlockSamples, UNPROCESSED_SAMPLES_MAX, block.len(), message);
        } else if self.buffered_samples() + block.len() > UNPROCESSED_SAMPLES_MAX {
            let (buffered, capacity) = (self.buffered_samples(), UNPROCESSED_SAMPLES_MAX);
            return Err(Error::BufferFull { buffered, capacity });
        }
        self.audio.push(block)
    }

    /// Says that no more audio comes.
    ///
    /// # Errors
    /// [`Error::InvalidState`] where it was said before.
    pub fn finish(&mut self) -> Result<(), Error> {
        if !matches!(self.state, State::Listening) {
            return Err(Error::InvalidState("`finish` was called before".into()));
        }
        self.state = State::Finished;
        Ok(())
    }

    /// Does at most `max_steps` steps and gives what happened.
    ///
    /// # Errors
    /// What a step fails with, and the same again until [`Session::reset`].
    pub fn poll(&mut self, max_steps: u32) -> Result<Poll, Error> {
        let mut steps = 0;
        while steps < max_steps {
            let task = self.next_task();
            if task == Task::Nothing {
                break;
            }
            if let Err(error) = self.step(task) {
                self.state = State::Failed(error);
                break;
            }
            steps += 1;
        }
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        Ok(Poll { events: self.events.drain(..).collect(), steps, more: self.next_task() != Task::Nothing })
    }

    /// Makes it a new session with the same model and options.
    pub fn reset(&mut self) {
        self.audio.clear();
        self.listener.reset();
        self.under_way.reset();
        self.job = None;
        self.state = State::Listening;
        self.events.clear();
        self.meter.reset();
    }

    /// What the work has cost.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Samples taken by [`Session::push_audio`].
    #[must_use]
    pub fn pushed_samples(&self) -> u64 {
        self.audio.end()
    }

    /// Samples not yet listened to.
    #[must_use]
    pub fn buffered_samples(&self) -> usize {
        // The last hop may have been filled up beyond the end.
        self.audio.end().saturating_sub(self.listener.position()) as usize
    }

    fn next_task(&self) -> Task {
        match self.state {
            State::Ended | State::Failed(_) => return Task::Nothing,
            _ => {}
        }
        if let Some(Job { purpose: Purpose::Final(_), .. }) = self.job {
            return Task::Transcribe;
        }
        match self.state {
            _ if self.buffered_samples() >= HOP_SAMPLES => return Task::Listen,
            State::Finished => return Task::HearRest,
            State::Heard => return Task::Close,
            State::Closed => return Task::End,
            _ => {}
        }
        if let Some((audio, missing)) = self.listener.foreseen()
            && !self.is_foreseen(&audio)
            && self.pace.final_is_due(&audio, missing)
            && self.is_long_enough(&audio)
        {
            return Task::BeginAhead(audio);
        }
        if self.job.is_some() {
            return Task::Transcribe;
        }
        match self.listener.under_way() {
            Some((start, _)) if self.listener.foreseen().is_none() => {
                let audio = start..self.listener.position();
                let due = self.pace.partial_is_due(audio.end) && self.is_long_enough(&audio);
                if due { Task::BeginPartial(audio) } else { Task::Nothing }
            }
            _ => Task::Nothing,
        }
    }

    /// Whether the final of a segment with this audio is known or being worked on.
    fn is_foreseen(&self, audio: &Range<u64>) -> bool {
        let working = matches!(&self.job, Some(Job { purpose: Purpose::Ahead, audio: ahead, .. }) if ahead == audio);
        working || self.under_way.foreseen(audio)
    }

    fn is_long_enough(&self, audio: &Range<u64>) -> bool {
        audio.end - audio.start >= self.traits.shortest_segment_samples as u64
    }

    fn step(&mut self, task: Task) -> Result<(), Error> {
        match task {
            Task::Nothing => Ok(()),
            Task::Listen => self.listen(),
            Task::HearRest => {
                self.state = State::Heard;
                let turn = self.listener.hear_rest(self.audio.samples(self.listener.position()..self.audio.end()));
                self.turn(turn)
            }
            Task::Close => {
                self.state = State::Closed;
                let turn = self.listener.finish(self.audio.end());
                self.turn(turn)
            }
            Task::End => {
                self.job = None;
                self.events.push_back(Event::EndOfStream(self.audio.end()));
                self.state = State::Ended;
                Ok(())
            }
            Task::BeginAhead(audio) => self.begin(Purpose::Ahead, audio),
            Task::BeginPartial(audio) => self.begin(Purpose::Partial, audio),
            Task::Transcribe => self.transcribe(),
        }
    }

    /// Listens to some hops, up to the first that ends a segment: its final comes first.
    fn listen(&mut self) -> Result<(), Error> {
        let Self { listener, audio, meter, .. } = self;
        let turn = meter.measure(Stage::VoiceActivity, || {
            let mut turn = Turn::Nothing;
            let mut hops = 0;
            while hops < HOPS_PER_STEP && turn == Turn::Nothing {
                let position = listener.position();
                let next = position + HOP_SAMPLES as u64;
                let Some(Ok(hop)) = (next <= audio.end()).then(|| audio.samples(position..next).try_into()) else {
                    break;
                };
                turn = listener.hear(hop);
                hops += 1;
            }
            (0, turn)
        });
        let done = self.turn(turn);
        self.drop_what_is_in_vain();
        // A final that is worked on still needs its audio, for the times of its words.
        let worked_on = self.job.as_ref().map_or(u64::MAX, |job| job.audio.start);
        self.audio.forget_before(self.listener.needed_from().min(worked_on));
        done
    }

    fn turn(&mut self, turn: Turn) -> Result<(), Error> {
        match turn {
            Turn::Nothing => Ok(()),
            Turn::Started(onset) => {
                self.under_way.begin();
                self.pace.segment_began(onset);
                self.events.push_back(Event::SpeechStarted(onset));
                Ok(())
            }
            Turn::Ended(ended) => self.end_segment(ended),
        }
    }

    /// A segment has ended: gives its final if it is known already, and works on it otherwise.
    fn end_segment(&mut self, ended: Ended) -> Result<(), Error> {
        if let Some(hypothesis) = self.under_way.take_foreseen(&ended.span) {
            self.job = None;
            self.give_final(ended, hypothesis);
            return Ok(());
        }
        if let Some(job) = &mut self.job
            && matches!(job.purpose, Purpose::Ahead)
            && job.audio == ended.span
        {
            job.purpose = Purpose::Final(ended);
            return Ok(());
        }
        if !self.is_long_enough(&ended.span) {
            self.job = None;
            self.give_final(ended, Hypothesis::default());
            return Ok(());
        }
        let audio = ended.span.clone();
        self.begin(Purpose::Final(ended), audio)
    }

    /// Work ahead on a final that will not come is a partial, where there are partials, and otherwise dropped.
    fn drop_what_is_in_vain(&mut self) {
        if let Some(job) = &mut self.job
            && matches!(job.purpose, Purpose::Ahead)
            && self.listener.foreseen().is_none_or(|(audio, _)| audio != job.audio)
        {
            if self.pace.has_partials() {
                job.purpose = Purpose::Partial;
            } else {
                self.job = None;
            }
        }
    }

    fn begin(&mut self, purpose: Purpose, audio: Range<u64>) -> Result<(), Error> {
        self.job = None;
        let samples = self.audio.samples(audio.clone());
        self.transcriber.begin(samples, self.under_way.draft(), self.word_times)?;
        self.job = Some(Job { purpose, audio, elapsed_ns: 0 });
        Ok(())
    }

    fn transcribe(&mut self) -> Result<(), Error> {
        let Some(job) = &mut self.job else { return Ok(()) };
        let clock = self.meter.clock();
        let start = clock();
        let progress = self.transcriber.step(&mut self.meter)?;
        job.elapsed_ns += clock().saturating_sub(start);
        let Progress::Done(hypothesis) = progress else { return Ok(()) };
        let Some(Job { purpose, audio, elapsed_ns }) = self.job.take() else { return Ok(()) };
        self.pace.transcribed(&audio, elapsed_ns);
        match purpose {
            Purpose::Partial => self.give_partial(audio, &hypothesis),
            Purpose::Ahead => {
                if self.pace.has_partials() {
                    self.give_partial(audio.clone(), &hypothesis);
                }
                self.under_way.foresee(audio, hypothesis);
            }
            Purpose::Final(ended) => self.give_final(ended, hypothesis),
        }
        Ok(())
    }

    fn words(&self, audio: &Range<u64>, hypothesis: &Hypothesis) -> Vec<Word> {
        words(hypothesis, self.model.tokenizer(), audio.start, self.audio.samples(audio.clone()))
    }

    fn give_partial(&mut self, audio: Range<u64>, hypothesis: &Hypothesis) {
        let mut shown = hypothesis.clone();
        let guards = guards::apply(&mut shown, None);
        let words = self.words(&audio, &shown);
        let segment = self.under_way.partial(audio, shown, words, guards, self.language.clone());
        // Without words there is nothing to show.
        if let Some(segment) = segment {
            self.events.push_back(Event::PartialSegment(segment));
        }
    }

    fn give_final(&mut self, ended: Ended, mut hypothesis: Hypothesis) {
        let guards = guards::apply(&mut hypothesis, ended.speech_probability);
        let Ended { span, speech_end, by, goes_on, .. } = ended;
        let words = self.words(&span, &hypothesis);
        let segment = self.under_way.last(span, by, hypothesis, words, guards, self.language.clone());
        self.events.push_back(Event::FinalSegment(segment));
        self.events.push_back(Event::SpeechEnded(speech_end));
        if goes_on {
            self.under_way.begin();
            self.pace.segment_began(speech_end);
            self.events.push_back(Event::SpeechStarted(speech_end));
        }
    }
}

/// Whether a sample is a number of a magnitude that audio has; not a number is not.
fn is_audio(sample: f32) -> bool {
    sample.abs() <= SAMPLE_MAGNITUDE_MAX
}
