//! The clips, as raw samples that every side reads the same of.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use auricle::SAMPLE_RATE_HZ;
use auricle::audio::read_all;
use tempfile::NamedTempFile;

use crate::place::Place;

/// A piece of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clip {
    /// Its name in reports.
    pub name: &'static str,
    recording: Recording,
    /// Its first sample; the whole recording where `samples` is `None`.
    start: usize,
    samples: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recording {
    /// In the repository.
    Jfk,
    /// Comes with the model, at 16 kHz.
    Beckett,
    /// Comes with the model, at 48 kHz.
    TwoCities,
}

/// One second of samples.
const SECOND: usize = SAMPLE_RATE_HZ as usize;

/// A clip ready for all sides.
#[derive(Clone, Debug)]
pub struct Cut {
    /// 32-bit floats, little-endian, mono, 16 kHz.
    pub path: PathBuf,
    /// Its length in seconds.
    pub audio_s: f64,
}

impl Clip {
    /// 10 s of speech: a whole recording.
    pub const TEN: Self = Self { name: "10", recording: Recording::Beckett, start: 0, samples: None };
    /// 30 s of speech, the most that the model takes at once.
    pub const THIRTY: Self = Self::two_cities("30", 0, 30);
    /// What is measured.
    pub const MEASURED: [Self; 2] = [Self::TEN, Self::THIRTY];
    /// What the bits are compared of, by the names in the golden file.
    pub const GOLDEN: [Self; 3] = [
        Self { name: "jfk", recording: Recording::Jfk, ..Self::TEN },
        Self { name: "beckett", ..Self::TEN },
        Self { name: "two_cities, 30 s", ..Self::THIRTY },
    ];

    /// Streams of growing length, each of one or more utterances: the model takes at most 30 s at once.
    #[must_use]
    pub fn streams() -> Vec<(u32, Vec<Self>)> {
        let mut streams: Vec<_> = [5, 10, 20, 30].map(|s| (s, vec![Self::two_cities("stream", 0, s as usize)])).into();
        // The recording has 44 s, so that the second half minute of the stream begins within the first.
        streams.push((60, vec![Self::THIRTY, Self::two_cities("stream", 14, 30)]));
        streams
    }

    const fn two_cities(name: &'static str, start_s: usize, length_s: usize) -> Self {
        let samples = Some(length_s * SECOND);
        Self { name, recording: Recording::TwoCities, start: start_s * SECOND, samples }
    }

    /// Writes it to a file.
    ///
    /// # Errors
    ///
    /// Where the recording is missing or too short, or nothing can be written.
    pub fn cut(self, place: &Place) -> Result<Cut> {
        let recording = match self.recording {
            Recording::Jfk => place.repository("testdata/jfk.wav"),
            Recording::Beckett => place.sample("beckett.wav")?,
            Recording::TwoCities => place.sample("two_cities.wav")?,
        };
        let samples = read_all(&recording)?.0;
        let end = self.samples.map_or(samples.len(), |length| self.start + length);
        let samples = samples.get(self.start..end).with_context(|| format!("{} is too short", recording.display()))?;
        ensure!(!samples.is_empty(), "{} is empty", recording.display());

        let folder = place.made("clips");
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let path = folder.join(format!("{:?}-{}-{}.f32", self.recording, self.start, samples.len()).to_lowercase());
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sixteen_bit(*sample).to_le_bytes()).collect();
        // It appears whole: tests cut clips at the same time.
        let mut file = NamedTempFile::new_in(&folder).with_context(|| format!("writing to {}", folder.display()))?;
        file.write_all(&bytes).with_context(|| format!("writing {}", path.display()))?;
        file.persist(&path).with_context(|| format!("writing {}", path.display()))?;
        Ok(Cut { path, audio_s: samples.len() as f64 / f64::from(SAMPLE_RATE_HZ) })
    }
}

/// The nearest of the steps that 16-bit audio has. Resampling may differ in its last bits between processors; golden bits
/// must not.
fn sixteen_bit(sample: f32) -> f32 {
    const STEPS: f32 = 32_768.0;
    (sample * STEPS).round() / STEPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_utterance_of_a_stream_is_longer_than_the_model_takes() {
        for (seconds, clips) in Clip::streams() {
            let lengths: Vec<_> = clips.iter().filter_map(|clip| clip.samples).collect();
            assert!(lengths.iter().all(|samples| *samples <= 30 * SECOND));
            assert_eq!(lengths.iter().sum::<usize>(), seconds as usize * SECOND);
        }
    }

    #[test]
    fn samples_of_16_bit_audio_stay_as_they_are_and_others_go_to_the_nearest_step() {
        assert_eq!(sixteen_bit(-12_345.0 / 32_768.0), -12_345.0 / 32_768.0);
        assert_eq!(sixteen_bit(0.4999), (0.4999_f32 * 32_768.0).round() / 32_768.0);
        assert_eq!(sixteen_bit(1e-9), 0.0);
    }
}
