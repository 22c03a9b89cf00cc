//! SHA-256, as a name for components and compiled code.

use std::fmt;
use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};

/// The SHA-256 of some bytes. Displayed as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub(crate) [u8; Self::BYTES]);

impl Digest {
    pub(crate) const BYTES: usize = 32;

    /// Computes the SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Brings whatever implements [`Hash`] and byte strings of any length into one digest.
#[derive(Default)]
pub(crate) struct DigestBuilder(Sha256);

impl DigestBuilder {
    /// Adds bytes, and their count, so that no two sequences of fields read the same.
    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    pub(crate) fn hashed(mut self, value: impl Hash) -> Self {
        value.hash(&mut Sink(&mut self.0));
        self
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// A [`Hasher`] that only passes on: 64 bits would be too few to tell compiled code apart safely.
struct Sink<'a>(&'a mut Sha256);

impl Hasher for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
