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
mod work;

use std::collections::VecDeque;
use std::rc::Rc;

use crate::error::{Error, Limit};
use crate::family::{Model, ModelTraits, Transcriber};
use crate::metrics::{Clock, Meter};
use crate::options::{Partials, SessionOptions};
use crate::segment::Event;
use crate::vad::HOP_SAMPLES;
use crate::vad::silero::Silero;
use audio::AudioBuffer;
use listener::Listener;
use pace::Pace;
use under_way::UnderWay;
use work::{HOPS_PER_STEP, Job, Task};

/// Samples of larger magnitude are no audio: floats are nominally within ±1, and even 16-bit integers are within this.
const SAMPLE_MAGNITUDE_MAX: f32 = 32_768.0;

/// The most audio that waits to be listened to: a minute.
pub const UNPROCESSED_SAMPLES_MAX: usize = 960_000;

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
            return Err(self.invalid_state("audio after `finish`"));
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
        } else if self.buffered_samples() / HOP_SAMPLES * HOP_SAMPLES + block.len() > UNPROCESSED_SAMPLES_MAX {
            // Less than a hop waits for more audio, and not for polling: it takes nobody's room.
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
            return Err(self.invalid_state("`finish` was called before"));
        }
        self.state = State::Finished;
        Ok(())
    }

    fn invalid_state(&self, what: &str) -> Error {
        let what = if matches!(self.state, State::Failed(_)) { "a step has failed" } else { what };
        Error::InvalidState(format!("{what}: `reset` the session or open another"))
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
        match &self.state {
            State::Failed(error) if self.events.is_empty() => Err(error.clone()),
            // What happened before the failure is given first.
            State::Failed(_) => Ok(Poll { events: self.events.drain(..).collect(), steps, more: true }),
            _ => Ok(Poll { events: self.events.drain(..).collect(), steps, more: self.next_task() != Task::Nothing }),
        }
    }

    /// Goes on with another budget for partials; [`Session::reset`] keeps it.
    pub fn set_partials(&mut self, partials: Partials) {
        self.pace.set_partials(partials);
        self.drop_unwanted_partial();
    }

    /// Makes it a new session with the same model and options.
    pub fn reset(&mut self) {
        self.audio.clear();
        self.listener.reset();
        self.under_way.reset();
        self.pace.reset();
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
}

/// Whether a sample is a number of a magnitude that audio has; not a number is not.
fn is_audio(sample: f32) -> bool {
    sample.abs() <= SAMPLE_MAGNITUDE_MAX
}
