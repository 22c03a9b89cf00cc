//! Decoded frames to what the engine takes.

use super::resample::Resampler;
use super::{AudioError, SAMPLE_RATE_HZ, mono};

/// Decoded frames, such as those of one packet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Frames {
    /// Samples, nominally −1..1, channels interleaved.
    pub interleaved: Vec<f64>,
    /// How many channels.
    pub channels: usize,
    /// Index of the low-frequency channel, which is left out of the mix, where the source tells.
    pub lfe_channel: Option<usize>,
    /// Frames a second, in Hz.
    pub sample_rate_hz: u32,
}

impl Frames {
    /// How many frames.
    pub fn count(&self) -> usize {
        self.interleaved.len() / self.channels.max(1)
    }
}

/// Mixes frames to mono and resamples them to 16 000 Hz. Rate and channels may change on the way.
pub struct Mixdown {
    name: String,
    /// The rate that `resampler` is for; 0 before the first frames.
    rate_hz: u32,
    /// `None` where the source is at 16 kHz.
    resampler: Option<Resampler>,
    mono: Vec<f64>,
}

impl Mixdown {
    /// `name` stands for the source in messages.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), rate_hz: 0, resampler: None, mono: Vec::new() }
    }

    /// Takes the next frames, whose first has the index `position` in the source, and appends to `out` what they complete.
    /// The rate has passed [`check_rate`](super::check_rate), and there is at least one channel.
    ///
    /// Fails with `NotFinite`, `TooLoud` and `Resample`.
    pub fn push(&mut self, frames: &Frames, position: u64, out: &mut Vec<f32>) -> Result<(), AudioError> {
        self.mono.clear();
        let (channels, lfe, rate_hz) = (frames.channels, frames.lfe_channel, frames.sample_rate_hz);
        mono::append_mono(&frames.interleaved, channels, lfe, position, &self.name, &mut self.mono)?;

        if rate_hz != self.rate_hz {
            self.flush(out)?;
            self.rate_hz = rate_hz;
            let resampler = (rate_hz != SAMPLE_RATE_HZ).then(|| Resampler::new(rate_hz)).transpose();
            self.resampler = resampler.map_err(|problem| self.resample_error(problem))?;
        }
        match &mut self.resampler {
            Some(resampler) => resampler.push(&self.mono, out).map_err(|problem| self.resample_error(problem))?,
            None => out.extend(self.mono.iter().map(|&sample| sample as f32)),
        }
        Ok(())
    }

    /// Appends the rest of what is resampled at the current rate. It is called at the end.
    ///
    /// Fails with `Resample`.
    pub fn flush(&mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        match self.resampler.take() {
            Some(mut resampler) => resampler.finish(out).map_err(|problem| self.resample_error(problem)),
            None => Ok(()),
        }
    }

    fn resample_error(&self, problem: String) -> AudioError {
        AudioError::Resample { name: self.name.clone(), rate_hz: self.rate_hz, problem }
    }
}
