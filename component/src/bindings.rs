//! The contract: turns its types into the engine's and back. No other file knows it.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

wit_bindgen::generate!({ world: "engine", path: "../wit", generate_all });

use exports::auricle::speech::recognition::{
    Guest, GuestModel, GuestModelLoader, GuestSession, Model, ModelBorrow, ModelLoader, Session,
};
use exports::auricle::speech::types as wit;
use wasi::clocks::monotonic_clock;

use crate::error::{Error, Limit};
use crate::family::FAMILIES;
use crate::guards::Guards;
use crate::kernels::int8::variant;
use crate::loader::{Loaded, Loader};
use crate::metrics::{self, Stage};
use crate::options::{Endpointing, Partials, SessionOptions, Task, VocabularyPhrase, VoiceActivity};
use crate::segment::{Event, Segment, SegmentEnd};
use crate::session;
use crate::vad::silero::Silero;

struct Engine;

export!(Engine);

impl Guest for Engine {
    type ModelLoader = LoaderResource;
    type Model = ModelResource;
    type Session = SessionResource;

    fn about() -> wit::EngineInfo {
        wit::EngineInfo {
            name: "auricle".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            flavour: if cfg!(target_feature = "relaxed-simd") {
                "relaxed-simd".into()
            } else if cfg!(target_feature = "simd128") {
                "simd128".into()
            } else {
                "scalar".into()
            },
            architectures: FAMILIES.iter().map(|family| family.architecture().into()).collect(),
        }
    }

    fn load_model(loader: ModelLoader) -> Result<Model, wit::Error> {
        let LoaderResource { loader, elapsed_ns } = loader.into_inner();
        let started = monotonic_clock::now();
        let Loaded { model, voice_activity, card, file_bytes } = loader.into_inner().finish()?;
        variant::warm_up(monotonic_clock::now);
        let load = wit::LoadMetrics {
            file_bytes,
            elapsed_ns: elapsed_ns.get() + (monotonic_clock::now() - started),
            memory_bytes: metrics::memory_bytes(),
        };
        let traits = model.traits();
        let info = wit::ModelInfo {
            architecture: card.architecture,
            name: card.name,
            languages: card.languages,
            parameters: traits.parameters,
            quantization: card.quantization,
            license: card.license,
            vocabulary_tokens: model.tokenizer().vocabulary_tokens() as u32,
            longest_segment_samples: traits.longest_segment_samples as u32,
            frame_hop_samples: traits.frame_hop_samples as u32,
            features: wit::ModelFeatures::PARTIALS | wit::ModelFeatures::ENDPOINTING | wit::ModelFeatures::WORD_TIMES,
        };
        Ok(Model::new(ModelResource { model, voice_activity, info, load }))
    }
}

struct LoaderResource {
    loader: RefCell<Loader>,
    elapsed_ns: Cell<u64>,
}

impl GuestModelLoader for LoaderResource {
    fn new(total_bytes: Option<u64>) -> Self {
        Self { loader: RefCell::new(Loader::new(total_bytes)), elapsed_ns: Cell::new(0) }
    }

    fn write(&self, chunk: Vec<u8>) -> Result<(), wit::Error> {
        let started = monotonic_clock::now();
        let result = self.loader.borrow_mut().write(&chunk);
        self.elapsed_ns.update(|elapsed| elapsed + (monotonic_clock::now() - started));
        Ok(result?)
    }

    fn received_bytes(&self) -> u64 {
        self.loader.borrow().received_bytes()
    }
}

struct ModelResource {
    model: Rc<dyn crate::family::Model>,
    voice_activity: Option<Rc<Silero>>,
    info: wit::ModelInfo,
    load: wit::LoadMetrics,
}

impl GuestModel for ModelResource {
    fn info(&self) -> wit::ModelInfo {
        self.info.clone()
    }

    fn default_options(&self) -> wit::SessionOptions {
        SessionOptions::suitable(self.info.longest_segment_samples as usize).into()
    }

    fn load_metrics(&self) -> wit::LoadMetrics {
        self.load
    }
}

struct SessionResource(RefCell<session::Session>);

impl GuestSession for SessionResource {
    fn open(model: ModelBorrow<'_>, options: wit::SessionOptions) -> Result<Session, wit::Error> {
        let resource = model.get::<ModelResource>();
        let model = Rc::clone(&resource.model);
        let (languages, options) = (&resource.info.languages, options.into());
        let network = resource.voice_activity.clone();
        let session = session::Session::open(model, languages, network, &options, monotonic_clock::now)?;
        Ok(Session::new(Self(RefCell::new(session))))
    }

    fn push_audio(&self, samples: Vec<f32>) -> Result<(), wit::Error> {
        Ok(self.0.borrow_mut().push_audio(&samples)?)
    }

    fn finish(&self) -> Result<(), wit::Error> {
        Ok(self.0.borrow_mut().finish()?)
    }

    fn poll_transcript(&self, max_steps: u32) -> Result<wit::Poll, wit::Error> {
        let session::Poll { events, steps, more } = self.0.borrow_mut().poll(max_steps)?;
        Ok(wit::Poll { events: events.into_iter().map(Into::into).collect(), steps, more })
    }

    fn set_partials(&self, partials: wit::Partials) {
        self.0.borrow_mut().set_partials(partials.into());
    }

    fn reset(&self) {
        self.0.borrow_mut().reset();
    }

    fn metrics(&self) -> wit::Metrics {
        let session = self.0.borrow();
        let stages = session.meter().stages().map(|(stage, cost)| wit::StageMetrics {
            stage: stage.into(),
            elapsed_ns: cost.elapsed_ns,
            multiply_adds: cost.multiply_adds,
            steps: cost.steps,
        });
        wit::Metrics {
            stages: stages.collect(),
            tokens: session.meter().tokens(),
            audio_samples: session.pushed_samples(),
            buffered_samples: session.buffered_samples() as u32,
            peak_memory_bytes: metrics::memory_bytes(),
        }
    }
}

impl From<Error> for wit::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::MalformedModel { offset, message } => Self::MalformedModel(wit::ModelFault { offset, message }),
            Error::UnsupportedModel(message) => Self::UnsupportedModel(message),
            Error::IncompleteModel { received_bytes, expected_bytes } => {
                Self::IncompleteModel(wit::IncompleteModel { received_bytes, expected_bytes })
            }
            Error::LimitExceeded { limit, allowed, requested, message } => {
                Self::LimitExceeded(wit::LimitFault { limit: limit.into(), allowed, requested, message })
            }
            Error::InvalidAudio { index, message } => Self::InvalidAudio(wit::AudioFault { index, message }),
            Error::BufferFull { buffered, capacity } => Self::BufferFull(wit::BufferState {
                buffered_samples: buffered as u32,
                capacity_samples: capacity as u32,
            }),
            Error::InvalidOption { name, message } => {
                Self::InvalidOption(wit::OptionFault { name: name.into(), message })
            }
            Error::UnsupportedOption { name, message } => {
                Self::UnsupportedOption(wit::OptionFault { name: name.into(), message })
            }
            Error::InvalidState(message) => Self::InvalidState(message),
            Error::Internal(message) => Self::Internal(message),
        }
    }
}

impl From<Limit> for wit::Limit {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::ModelBytes => Self::ModelBytes,
            Limit::ChunkBytes => Self::ChunkBytes,
            Limit::ModelDimension => Self::ModelDimension,
            Limit::MemoryBytes => Self::MemoryBytes,
            Limit::UtteranceSamples => Self::UtteranceSamples,
            Limit::BlockSamples => Self::BlockSamples,
        }
    }
}

impl From<Stage> for wit::Stage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::VoiceActivity => Self::VoiceActivity,
            Stage::FrontEnd => Self::FrontEnd,
            Stage::Encoder => Self::Encoder,
            Stage::CrossAttention => Self::CrossAttention,
            Stage::Decoder => Self::Decoder,
            Stage::Alignment => Self::Alignment,
        }
    }
}

impl From<Event> for wit::Event {
    fn from(event: Event) -> Self {
        match event {
            Event::SpeechStarted(at) => Self::SpeechStarted(at),
            Event::PartialSegment(segment) => Self::PartialSegment(segment.into()),
            Event::FinalSegment(segment) => Self::FinalSegment(segment.into()),
            Event::SpeechEnded(at) => Self::SpeechEnded(at),
            Event::EndOfStream(at) => Self::EndOfStream(at),
        }
    }
}

impl From<Segment> for wit::Segment {
    fn from(segment: Segment) -> Self {
        let span = |span: Range<u64>| wit::SampleSpan { start: span.start, end: span.end };
        let words = segment.words.into_iter().map(|word| wit::Word {
            text: word.text,
            span: word.span.map(span),
            confidence: word.confidence,
        });
        let tokens = segment.tokens.into_iter().map(|token| wit::Token {
            id: token.id,
            log_probability: token.log_probability,
            entropy: token.entropy,
        });
        Self {
            id: segment.id,
            revision: segment.revision,
            span: span(segment.span),
            text: segment.text,
            words: words.collect(),
            settled_words: segment.settled_words as u32,
            settled_changed: segment.settled_changed,
            tokens: tokens.collect(),
            language: segment.language,
            no_speech_probability: segment.no_speech_probability,
            guards: segment.guards.into(),
            ended_by: segment.ended_by.map(Into::into),
        }
    }
}

impl From<Guards> for wit::Guards {
    fn from(guards: Guards) -> Self {
        let mut flags = Self::empty();
        flags.set(Self::TOKEN_RATE, guards.token_rate);
        flags.set(Self::REPETITION, guards.repetition);
        flags.set(Self::NO_SPEECH, guards.no_speech);
        flags
    }
}

impl From<SegmentEnd> for wit::SegmentEnd {
    fn from(end: SegmentEnd) -> Self {
        match end {
            SegmentEnd::Silence => Self::Silence,
            SegmentEnd::LongestSegment => Self::LongestSegment,
            SegmentEnd::Finish => Self::Finish,
        }
    }
}

impl From<wit::Partials> for Partials {
    fn from(partials: wit::Partials) -> Self {
        match partials {
            wit::Partials::None => Self::None,
            wit::Partials::Economical => Self::Economical,
            wit::Partials::Eager => Self::Eager,
        }
    }
}

impl From<wit::SessionOptions> for SessionOptions {
    fn from(options: wit::SessionOptions) -> Self {
        let phrase = |phrase: wit::VocabularyPhrase| VocabularyPhrase { text: phrase.text, weight: phrase.weight };
        Self {
            language: options.language,
            task: match options.task {
                wit::Task::Transcribe => Task::Transcribe,
                wit::Task::Translate => Task::Translate,
            },
            word_times: options.word_times,
            partials: options.partials.into(),
            endpointing: options.endpointing.map(|endpointing| Endpointing {
                voice_activity: match endpointing.voice_activity {
                    wit::VoiceActivity::Automatic => VoiceActivity::Automatic,
                    wit::VoiceActivity::Energy => VoiceActivity::Energy,
                    wit::VoiceActivity::Neural => VoiceActivity::Neural,
                },
                minimum_silence: endpointing.minimum_silence,
                minimum_speech: endpointing.minimum_speech,
                longest_segment: endpointing.longest_segment,
            }),
            vocabulary: options.vocabulary.into_iter().map(phrase).collect(),
            context: options.context,
        }
    }
}

impl From<SessionOptions> for wit::SessionOptions {
    fn from(options: SessionOptions) -> Self {
        let phrase = |phrase: VocabularyPhrase| wit::VocabularyPhrase { text: phrase.text, weight: phrase.weight };
        Self {
            language: options.language,
            task: match options.task {
                Task::Transcribe => wit::Task::Transcribe,
                Task::Translate => wit::Task::Translate,
            },
            word_times: options.word_times,
            partials: match options.partials {
                Partials::None => wit::Partials::None,
                Partials::Economical => wit::Partials::Economical,
                Partials::Eager => wit::Partials::Eager,
            },
            endpointing: options.endpointing.map(|endpointing| wit::Endpointing {
                voice_activity: match endpointing.voice_activity {
                    VoiceActivity::Automatic => wit::VoiceActivity::Automatic,
                    VoiceActivity::Energy => wit::VoiceActivity::Energy,
                    VoiceActivity::Neural => wit::VoiceActivity::Neural,
                },
                minimum_silence: endpointing.minimum_silence,
                minimum_speech: endpointing.minimum_speech,
                longest_segment: endpointing.longest_segment,
            }),
            vocabulary: options.vocabulary.into_iter().map(phrase).collect(),
            context: options.context,
        }
    }
}
