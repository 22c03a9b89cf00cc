//! How an operation on models says what it is doing.

use std::fmt;

/// A step of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Half-written files of an earlier, interrupted run were removed.
    RemovedLeftovers {
        /// How many.
        count: usize,
    },
    /// pip is getting a package.
    Downloading {
        /// Package and version.
        package: String,
    },
    /// A file's digest is being computed.
    Checking {
        /// Its name.
        file: String,
    },
    /// A source's weights and tokenizer are being read and checked.
    Reading {
        /// Its name.
        source: String,
    },
    /// A file is being written.
    Writing {
        /// Its name.
        file: String,
    },
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RemovedLeftovers { count } => {
                let s = if *count == 1 { "" } else { "s" };
                write!(f, "Removed {count} half-written file{s} of an interrupted run")
            }
            Self::Downloading { package } => write!(f, "Downloading {package} with pip"),
            Self::Checking { file } => write!(f, "Checking {file}"),
            Self::Reading { source } => write!(f, "Reading {source}"),
            Self::Writing { file } => write!(f, "Writing {file}"),
        }
    }
}

/// Hears of an operation's progress; `()` hears nothing.
pub trait Progress {
    /// A phase starts, and with it the phase before ends. `total_bytes` is `None` where it is not known.
    fn phase(&mut self, phase: &Phase, total_bytes: Option<u64>);

    /// So many bytes of the phase are done; never less than before in the same phase.
    fn advance(&mut self, done_bytes: u64);
}

impl Progress for () {
    fn phase(&mut self, _: &Phase, _: Option<u64>) {}

    fn advance(&mut self, _: u64) {}
}
