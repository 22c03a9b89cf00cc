//! Everything that can go wrong, by what a program can do about it.

use std::path::PathBuf;
use std::time::Duration;

use crate::types;

/// Either a value or an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
///
/// The variants from [`MalformedModel`](Error::MalformedModel) to [`Internal`](Error::Internal) are the contract's own,
/// as the engine gave them: the call has taken nothing and changed nothing, and the model and its sessions go on. After
/// [`Trapped`](Error::Trapped), [`DeadlineExceeded`](Error::DeadlineExceeded) and [`MemoryLimit`](Error::MemoryLimit)
/// the instance is gone; see [`Error::is_fatal`]. Texts are for people and their wording may change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The component file is not a WebAssembly component that can be compiled here.
    #[error("{origin}: not a usable WebAssembly component: {message}; give one built by `cargo xtask build`")]
    ComponentInvalid {
        /// Which component.
        origin: String,
        /// What is wrong with it.
        message: String,
    },

    /// The component asks for something that an engine must not have, such as files or the network.
    #[error("{origin}: it imports `{import}`, and a speech engine may import nothing but the clock; do not trust it")]
    ComponentImports {
        /// Which component.
        origin: String,
        /// The first import that is not allowed.
        import: String,
    },

    /// The component does not offer the contract that this library speaks.
    #[error(
        "{origin}: it does not export `{export}` as this version needs it: {message}; give a component of this contract"
    )]
    ComponentExports {
        /// Which component.
        origin: String,
        /// The export that is missing or differs.
        export: String,
        /// How it differs.
        message: String,
    },

    /// The compiler or the runtime cannot work on this machine.
    #[error("cannot set up the WebAssembly runtime: {0}")]
    Runtime(String),

    /// A file could not be read.
    #[error("{}: cannot be read: {source}; check the path and its permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// The reader that a model was to come from failed.
    #[error("cannot read the model: {0}")]
    Read(#[source] std::io::Error),

    /// The bytes are not a well-formed model file.
    #[error("the model file is malformed at byte {}: {}; get another copy of it", .0.offset, .0.message)]
    MalformedModel(types::ModelFault),

    /// The model file is well formed, but this engine cannot run what it holds.
    #[error("this engine cannot run the model: {0}; use another model or a newer engine")]
    UnsupportedModel(String),

    /// The model file ended too early.
    #[error("the model file is incomplete: {}; get the rest of it", incomplete(.0))]
    IncompleteModel(types::IncompleteModel),

    /// Something is larger than the engine or the model takes.
    #[error("{}", too_large(.0))]
    LimitExceeded(types::LimitFault),

    /// A sample is not a usable number. No sample of the block was taken.
    #[error("sample {} of the block is not usable audio: {}", .0.index, .0.message)]
    InvalidAudio(types::AudioFault),

    /// The buffer of unprocessed audio has no room for the block. No sample of it was taken.
    #[error(
        "the audio buffer holds {} of {} samples and has no room for the block: poll, then push it again",
        .0.buffered_samples,
        .0.capacity_samples
    )]
    BufferFull(types::BufferState),

    /// An option has a value that no model could honour.
    #[error("option `{}` is not valid: {}", .0.name, .0.message)]
    InvalidOption(types::OptionFault),

    /// An option asks for what this model cannot do.
    #[error("option `{}` is not supported by this model: {}", .0.name, .0.message)]
    UnsupportedOption(types::OptionFault),

    /// The call does not fit the state of the session, such as audio after `finish`.
    #[error("the call does not fit the session's state: {0}")]
    InvalidState(String),

    /// A fault of the engine itself.
    #[error("the engine failed: {0}; please report it")]
    Internal(String),

    /// A block of audio is larger than what one call may carry into the engine. No sample of it was taken.
    #[error("a block of {samples} samples is too large for one call: push at most {allowed} at a time")]
    BlockTooLarge {
        /// Samples in the block.
        samples: usize,
        /// The most one call takes.
        allowed: usize,
    },

    /// The engine trapped. Its instance is gone, and with it the model and all its sessions.
    #[error("the engine trapped in `{call}`: {reason}; rebuild the model or load it again, and please report this")]
    Trapped {
        /// The contract's function that was running.
        call: &'static str,
        /// What happened.
        reason: String,
    },

    /// One call ran longer than the engine's deadline and was stopped. Its instance is gone.
    #[error(
        "`{call}` ran longer than {deadline:?} and was stopped; rebuild the model and poll in smaller steps, \
         or allow more time"
    )]
    DeadlineExceeded {
        /// The contract's function that was running.
        call: &'static str,
        /// The deadline for one call.
        deadline: Duration,
    },

    /// The engine needed more memory than it may have, and could not go on. Its instance is gone.
    #[error(
        "`{call}` needed {requested_bytes} bytes of memory and may have {limit_bytes}; use a smaller model or raise \
         the limit"
    )]
    MemoryLimit {
        /// The contract's function that was running.
        call: &'static str,
        /// What its memory would have grown to.
        requested_bytes: u64,
        /// The most it may have.
        limit_bytes: u64,
    },

    /// The instance was lost by an earlier call.
    #[error(
        "the engine's instance was lost by an earlier failure: rebuild or load the model again, and open a new session"
    )]
    InstanceLost,

    /// The model was read from a stream, which cannot be read a second time.
    #[error("the model came from a reader and cannot be read again: load it anew")]
    NotRebuildable,
}

impl Error {
    /// Whether the model's instance is gone, so that its sessions are lost and only
    /// [`Model::rebuild`](crate::Model::rebuild) or loading it anew helps.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::Trapped { .. } | Self::DeadlineExceeded { .. } | Self::MemoryLimit { .. } | Self::InstanceLost
        )
    }
}

impl From<types::ContractError> for Error {
    fn from(error: types::ContractError) -> Self {
        use types::ContractError as E;
        match error {
            E::MalformedModel(fault) => Self::MalformedModel(fault),
            E::UnsupportedModel(message) => Self::UnsupportedModel(message),
            E::IncompleteModel(fault) => Self::IncompleteModel(fault),
            E::LimitExceeded(fault) => Self::LimitExceeded(fault),
            E::InvalidAudio(fault) => Self::InvalidAudio(fault),
            E::BufferFull(state) => Self::BufferFull(state),
            E::InvalidOption(fault) => Self::InvalidOption(fault),
            E::UnsupportedOption(fault) => Self::UnsupportedOption(fault),
            E::InvalidState(message) => Self::InvalidState(message),
            E::Internal(message) => Self::Internal(message),
        }
    }
}

fn incomplete(fault: &types::IncompleteModel) -> String {
    match fault.expected_bytes {
        _ if fault.received_bytes == 0 => "it is empty".to_owned(),
        Some(expected) if expected > fault.received_bytes => {
            format!("it has {} of {expected} bytes", fault.received_bytes)
        }
        _ => format!("it ends after {} bytes", fault.received_bytes),
    }
}

fn too_large(fault: &types::LimitFault) -> String {
    use types::Limit as L;
    let types::LimitFault { limit, allowed, requested, message } = fault;
    let another = "use a smaller model, or another copy where this one is damaged";
    let (unit, way_out) = match limit {
        L::MemoryBytes => {
            return format!(
                "not enough memory: {message} ({requested} bytes); use a smaller model, or raise the limit"
            );
        }
        L::ModelBytes => ("bytes", another),
        L::ModelDimension => ("elements", another),
        L::ChunkBytes => ("bytes", "hand it over in smaller pieces"),
        L::UtteranceSamples => ("samples", "cut the audio, or let segments end at pauses (`endpointing`)"),
        L::BlockSamples => ("samples", "hand it over in smaller pieces"),
    };
    format!("too large: {message}: {requested}, and at most {allowed} {unit} can be taken; {way_out}")
}
