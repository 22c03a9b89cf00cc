//! Every way in which the engine can refuse something, case by case as in the contract.

use thiserror::Error;

/// A failure, as the contract's `error` variant has it. What failed has taken nothing.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Error {
    /// The bytes are not a well-formed model file.
    #[error("the model file is damaged at byte {offset}: {message}; get another copy of it")]
    MalformedModel {
        /// Offset in bytes, from the start of the file, of the field at fault.
        offset: u64,
        /// What is wrong there.
        message: String,
    },
    /// Well formed, but not something this engine can run.
    #[error("this engine cannot run the model: {0}")]
    UnsupportedModel(String),
    /// Bytes of the model file are missing.
    #[error("the model file ends too early: {received_bytes} bytes came")]
    IncompleteModel {
        /// Bytes taken so far.
        received_bytes: u64,
        /// Bytes of the whole file, once the header is known.
        expected_bytes: Option<u64>,
    },
    /// Something is larger than the engine or the model takes.
    #[error("{message}: {requested} is more than {allowed}")]
    LimitExceeded {
        /// What is limited, and so the unit of the numbers.
        limit: Limit,
        /// The largest value taken.
        allowed: u64,
        /// The value asked for.
        requested: u64,
        /// What it was, for people.
        message: String,
    },
    /// A sample is not a usable number.
    #[error("sample {index} of the block {message}")]
    InvalidAudio {
        /// Index within the block.
        index: u32,
        /// What is wrong with it.
        message: String,
    },
    /// There is no room for the block until some of what is buffered has been worked on.
    #[error("{buffered} of {capacity} samples wait to be worked on: poll, then push the block again")]
    BufferFull {
        /// Samples that wait.
        buffered: usize,
        /// Samples that may wait.
        capacity: usize,
    },
    /// An option has a value that no model could honour.
    #[error("option {name}: {message}")]
    InvalidOption {
        /// The field's name, with dots for nesting.
        name: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// An option asks for what this model cannot do.
    #[error("option {name}: {message}")]
    UnsupportedOption {
        /// The field's name, with dots for nesting.
        name: &'static str,
        /// What is missing.
        message: String,
    },
    /// The call does not fit the state.
    #[error("{0}")]
    InvalidState(String),
    /// A fault of the engine itself.
    #[error("internal fault: {0}")]
    Internal(String),
}

/// What can be too large; the unit is in the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The model file or a part of it.
    ModelBytes,
    /// A chunk of the model file.
    ChunkBytes,
    /// A dimension or count that the model file declares.
    ModelDimension,
    /// Working memory.
    MemoryBytes,
    /// The audio of one utterance.
    UtteranceSamples,
    /// A block of audio.
    BlockSamples,
}

impl From<candle_core::Error> for Error {
    /// Shapes are checked when a model is loaded, so a tensor operation that fails is a fault of the engine.
    fn from(error: candle_core::Error) -> Self {
        Self::Internal(error.to_string())
    }
}
