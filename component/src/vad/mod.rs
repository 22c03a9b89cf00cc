//! Voice activity detection: how likely each hop of audio is speech.

pub mod energy;
pub mod silero;

use std::rc::Rc;

use crate::options::VoiceActivity;
use energy::EnergyDetector;
use silero::{Silero, SileroDetector};

/// Samples that a detector hears at a time: 32 ms at 16 000 Hz.
pub const HOP_SAMPLES: usize = 512;

/// Hears one hop after the other.
pub(crate) enum Detector {
    /// By energies against a tracked noise floor.
    Energy(Box<EnergyDetector>),
    /// With the network of the model file.
    Neural(Box<SileroDetector>),
}

impl Detector {
    /// The detector that is asked for, with the network of the model file, where there is one.
    pub(crate) fn new(kind: VoiceActivity, network: Option<Rc<Silero>>) -> Self {
        match (kind, network) {
            (VoiceActivity::Energy, _) | (_, None) => Self::Energy(Box::default()),
            (_, Some(network)) => Self::Neural(Box::new(SileroDetector::new(network))),
        }
    }

    /// How likely the next hop is speech, 0 to 1.
    pub(crate) fn process(&mut self, hop: &[f32; HOP_SAMPLES]) -> f32 {
        match self {
            Self::Energy(detector) => detector.process(hop),
            Self::Neural(network) => network.process(hop),
        }
    }

    /// Forgets everything that it has heard.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::Energy(detector) => detector.reset(),
            Self::Neural(network) => network.reset(),
        }
    }
}
