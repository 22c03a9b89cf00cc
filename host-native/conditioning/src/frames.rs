//! Frames as they come from a microphone or a pipe, in a stream.

use std::num::NonZeroU16;

use super::resample::Resampler;
use super::{AudioError, MAX_SOURCE_RATE_HZ, MIN_SOURCE_RATE_HZ, SAMPLE_RATE_HZ, mono};

/// Turns interleaved samples into what the engine takes: mono, 16 000 Hz, 32-bit floats.
///
/// The result is that of [`read_wav`](super::read_wav) for a WAV file of the same samples, however they are cut.
/// At a rate other than 16 kHz, it comes up to 25 ms after what it is made of.
///
/// ```
/// use std::num::NonZeroU16;
///
/// use auricle_conditioning::FrameConverter;
///
/// let stereo = NonZeroU16::new(2).unwrap();
/// let mut converter = FrameConverter::new("microphone", 16_000, stereo)?;
/// let mut samples = Vec::new();
/// converter.push(&[0.5, 0.25, -1.0], &mut samples)?;
/// assert_eq!(samples, [0.375]);
/// converter.push(&[0.0], &mut samples)?;
/// converter.finish(&mut samples)?;
/// assert_eq!(samples, [0.375, -0.5]);
/// # Ok::<(), auricle_conditioning::AudioError>(())
/// ```
pub struct FrameConverter {
    name: String,
    rate_hz: u32,
    channels: usize,
    /// `None` where the source is at 16 kHz.
    resampler: Option<Resampler>,
    /// Samples that are not mixed yet: between two calls, less than a frame.
    interleaved: Vec<f64>,
    mono: Vec<f64>,
    frames: u64,
}

impl FrameConverter {
    /// For frames of so many channels, so many a second; `name` stands for the source in messages.
    ///
    /// Fails with `SampleRate` outside [`MIN_SOURCE_RATE_HZ`] to [`MAX_SOURCE_RATE_HZ`], and with `Resample`.
    pub fn new(name: &str, rate_hz: u32, channels: NonZeroU16) -> Result<Self, AudioError> {
        let name = name.to_owned();
        if !(MIN_SOURCE_RATE_HZ..=MAX_SOURCE_RATE_HZ).contains(&rate_hz) {
            return Err(AudioError::SampleRate { name, rate_hz });
        }
        let resampler = (rate_hz != SAMPLE_RATE_HZ).then(|| Resampler::new(rate_hz)).transpose();
        let resampler = resampler.map_err(|problem| AudioError::Resample { name: name.clone(), rate_hz, problem })?;
        let channels = usize::from(channels.get());
        Ok(Self { name, rate_hz, channels, resampler, interleaved: Vec::new(), mono: Vec::new(), frames: 0 })
    }

    /// Takes the next samples, nominally from −1 to 1, and appends to `out` what they complete. A frame may be cut in
    /// two.
    ///
    /// Fails with `NotFinite` and `TooLoud` where a sample is no usable number, having given what stands before it, and
    /// with `Resample`.
    pub fn push(&mut self, interleaved: &[f32], out: &mut Vec<f32>) -> Result<(), AudioError> {
        self.interleaved.extend(interleaved.iter().map(|&sample| f64::from(sample)));
        let whole = self.interleaved.len() / self.channels * self.channels;
        let frames = &self.interleaved[..whole];
        self.mono.clear();
        let mixed = mono::append_mono(frames, self.channels, None, self.frames, &self.name, &mut self.mono);
        self.frames += (whole / self.channels) as u64;
        self.interleaved.drain(..whole);
        match &mut self.resampler {
            Some(resampler) => resampler.push(&self.mono, out).map_err(|problem| self.resample_error(problem))?,
            None => out.extend(self.mono.iter().map(|&sample| sample as f32)),
        }
        mixed
    }

    /// Ends the stream: appends the rest to `out`. What is left of an incomplete frame is dropped.
    ///
    /// Fails with `Resample`.
    pub fn finish(mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        match self.resampler.take() {
            Some(mut resampler) => resampler.finish(out).map_err(|problem| self.resample_error(problem)),
            None => Ok(()),
        }
    }

    fn resample_error(&self, problem: String) -> AudioError {
        AudioError::Resample { name: self.name.clone(), rate_hz: self.rate_hz, problem }
    }
}
