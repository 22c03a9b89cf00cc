//! Whether somebody speaks.

pub mod energy;

/// Samples of 16 kHz that one decision is made of: 32 ms.
pub const HOP_SAMPLES: usize = 512;
