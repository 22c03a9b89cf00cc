//! Voice activity detection: how likely each hop of audio is speech.

pub mod silero;

/// Samples that a detector hears at a time: 32 ms at 16 000 Hz.
pub const HOP_SAMPLES: usize = 512;
