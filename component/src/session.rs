//! One stream: buffers audio, works when polled, and gives events.
//!
//! Everything up to `finish` is one utterance, at most as long as the model was made for, and becomes one final segment.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::error::{Error, Limit};
use crate::family::{Model, ModelTraits, Progress, Transcriber};
use crate::metrics::{Clock, Meter};
use crate::options::SessionOptions;
use crate::segment::{Event, Segment};

/// Samples of larger magnitude are no audio: floats are nominally within ±1, and even 16-bit integers are within this.
const SAMPLE_MAGNITUDE_MAX: f32 = 32_768.0;

/// Audio that never passes ±4 steps of 16-bit audio (−78 dB) is silence, dither included: no microphone's speech is so
/// faint, and a model that is made to write writes something even for silence.
const SILENCE_PEAK: f32 = 4.0 / 32_768.0;

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
    /// The utterance is being transcribed.
    Transcribing,
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
    samples: Vec<f32>,
    pushed_samples: u64,
    state: State,
    events: VecDeque<Event>,
    meter: Meter,
}

impl Session {
    /// Opens a session on a model that speaks `languages`.
    ///
    /// # Errors
    /// As [`SessionOptions::check`].
    pub fn open(
        model: Rc<dyn Model>,
        languages: &[String],
        options: &SessionOptions,
        clock: Clock,
    ) -> Result<Self, Error> {
        let traits = model.traits();
        options.check(languages, traits.longest_segment_samples)?;
        let language = match languages {
            [only] => Some(only.clone()),
            _ => options.language.clone(),
        };
        Ok(Self {
            transcriber: Rc::clone(&model).transcriber(),
            model,
            traits,
            language,
            samples: Vec::new(),
            pushed_samples: 0,
            state: State::Listening,
            events: VecDeque::new(),
            meter: Meter::new(clock),
        })
    }

    /// Takes the next block: mono, 16 000 Hz.
    ///
    /// # Errors
    /// [`Error::InvalidState`] after [`Session::finish`]; [`Error::InvalidAudio`] for a sample that is no number or far
    /// out of range; [`Error::LimitExceeded`] where the stream becomes longer than the model takes. Nothing is taken then.
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
        let total = self.samples.len() + block.len();
        if total > self.traits.longest_segment_samples {
            return Err(Error::LimitExceeded {
                limit: Limit::UtteranceSamples,
                allowed: self.traits.longest_segment_samples as u64,
                requested: total as u64,
                message: "the stream, in samples at 16000 Hz".into(),
            });
        }
        // Room for the longest utterance at once: from then on, pushing audio allocates nothing.
        let room = self.traits.longest_segment_samples - self.samples.len();
        self.samples.try_reserve_exact(room).map_err(|_| out_of_memory(room))?;
        self.samples.extend_from_slice(block);
        self.pushed_samples += block.len() as u64;
        Ok(())
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
        while steps < max_steps && self.has_work() {
            if let Err(error) = self.step() {
                self.state = State::Failed(error);
                break;
            }
            steps += 1;
        }
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        Ok(Poll { events: self.events.drain(..).collect(), steps, more: self.has_work() })
    }

    /// Makes it a new session with the same model and options.
    pub fn reset(&mut self) {
        self.samples.clear();
        self.pushed_samples = 0;
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
        self.pushed_samples
    }

    /// Samples not yet worked on.
    #[must_use]
    pub fn buffered_samples(&self) -> usize {
        self.samples.len()
    }

    fn has_work(&self) -> bool {
        matches!(self.state, State::Finished | State::Transcribing)
    }

    fn step(&mut self) -> Result<(), Error> {
        match self.state {
            State::Finished => {
                let silent = self.samples.iter().all(|sample| sample.abs() <= SILENCE_PEAK);
                if silent || self.samples.len() < self.traits.shortest_segment_samples {
                    self.samples.clear();
                    self.end();
                } else {
                    // The transcriber has its own copy from here on.
                    let samples = std::mem::take(&mut self.samples);
                    self.transcriber.begin(&samples, &[], false)?;
                    self.state = State::Transcribing;
                    self.events.push_back(Event::SpeechStarted(0));
                }
            }
            State::Transcribing => {
                if let Progress::Done(hypothesis) = self.transcriber.step(&mut self.meter)? {
                    let span = 0..self.pushed_samples;
                    let tokenizer = self.model.tokenizer();
                    let segment = Segment::last(0, span, hypothesis, tokenizer, self.language.clone());
                    self.events.push_back(Event::FinalSegment(segment));
                    self.events.push_back(Event::SpeechEnded(self.pushed_samples));
                    self.end();
                }
            }
            State::Listening | State::Ended | State::Failed(_) => {}
        }
        Ok(())
    }

    fn end(&mut self) {
        self.events.push_back(Event::EndOfStream(self.pushed_samples));
        self.state = State::Ended;
    }
}

/// Whether a sample is a number of a magnitude that audio has; not a number is not.
fn is_audio(sample: f32) -> bool {
    sample.abs() <= SAMPLE_MAGNITUDE_MAX
}

fn out_of_memory(samples: usize) -> Error {
    Error::LimitExceeded {
        limit: Limit::MemoryBytes,
        allowed: 0,
        requested: (samples * size_of::<f32>()) as u64,
        message: "there is no memory left for more audio, in bytes".into(),
    }
}
