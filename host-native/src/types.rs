//! The data that passes between a program and an engine, as the contract (`wit/types.wit`) defines it.
//!
//! Times are offsets in samples at 16 kHz, as integers. Scores are natural logarithms. What a model cannot give is
//! `None`, never invented.
//!
//! These are the contract's own types and not copies of them: a contract that grows gets a new interface beside the old
//! one, so they do not change under a program.

pub use crate::bindings::exports::auricle::speech::types::{
    AudioFault, BufferState, Endpointing, EngineInfo, Error as ContractError, Event, Guards, IncompleteModel, Limit,
    LimitFault, LoadMetrics, Metrics, ModelFault, ModelFeatures, ModelInfo, OptionFault, Partials, Poll, SampleSpan,
    Segment, SegmentEnd, SessionOptions, Stage, StageMetrics, Task, Token, VocabularyPhrase, VoiceActivity, Word,
};
