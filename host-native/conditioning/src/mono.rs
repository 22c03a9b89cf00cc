//! Interleaved samples to mono.

use super::AudioError;

/// The largest magnitude that a sample may have: the engine takes no more. Floating-point files are nominally within
/// −1 to 1, and those that some programs write on the scale of 16-bit integers still fit.
pub(super) const MAX_MAGNITUDE: f64 = 32_768.0;

/// Appends the mean of each frame's channels to `mono`, and checks every sample.
///
/// `frame_offset` is the index of the first frame in the file. `lfe_channel` is left out of the mean: what a subwoofer
/// gets is no speech. It is ignored where it is the only channel.
///
/// Why the plain mean: it cannot clip, a voice that stands in all channels keeps its level, and one that stands in one
/// channel only (two people, a microphone each) is as loud as its counterpart. A sum would clip, and the weights of
/// cinema downmixes favour one channel.
pub(super) fn append_mono(
    interleaved: &[f64],
    channels: usize,
    lfe_channel: Option<usize>,
    frame_offset: u64,
    name: &str,
    mono: &mut Vec<f64>,
) -> Result<(), AudioError> {
    let lfe_channel = lfe_channel.filter(|&lfe| channels > 1 && lfe < channels);
    let mixed = (channels - usize::from(lfe_channel.is_some())) as f64;
    mono.reserve(interleaved.len() / channels);
    for (index, frame) in interleaved.chunks_exact(channels).enumerate() {
        let position = frame_offset + index as u64;
        if let Some(channel) = frame.iter().position(|sample| !sample.is_finite()) {
            let value = frame[channel];
            return Err(AudioError::NotFinite { name: name.to_owned(), frame: position, channel, value });
        }
        let mut sum: f64 = frame.iter().sum();
        if let Some(lfe) = lfe_channel {
            sum -= frame[lfe];
        }
        let mean = sum / mixed;
        // A sum of finite samples can overflow, and the difference of infinities is NaN.
        if mean.is_nan() || mean.abs() > MAX_MAGNITUDE {
            return Err(AudioError::TooLoud { name: name.to_owned(), frame: position, value: mean });
        }
        mono.push(mean);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(interleaved: &[f64], channels: usize, lfe: Option<usize>) -> Result<Vec<f64>, AudioError> {
        let mut mono = Vec::new();
        append_mono(interleaved, channels, lfe, 100, "x.wav", &mut mono).map(|()| mono)
    }

    #[test]
    fn stereo_becomes_the_mean_of_its_channels() {
        assert_eq!(mix(&[1.0, 0.5, -1.0, 1.0], 2, None).unwrap(), [0.75, 0.0]);
    }

    #[test]
    fn the_low_frequency_channel_is_left_out() {
        assert_eq!(mix(&[0.5, 0.25, 9.0], 3, Some(2)).unwrap(), [0.375]);
        assert_eq!(mix(&[0.5], 1, Some(0)).unwrap(), [0.5]);
    }

    #[test]
    fn a_nan_is_refused_with_its_frame_and_channel() {
        let error = mix(&[0.0, 0.0, 0.0, f64::NAN], 2, None).unwrap_err();
        assert!(matches!(error, AudioError::NotFinite { frame: 101, channel: 1, .. }), "{error:?}");
    }

    #[test]
    fn an_infinity_in_the_low_frequency_channel_is_refused_too() {
        let error = mix(&[0.0, f64::NEG_INFINITY], 2, Some(1)).unwrap_err();
        assert!(matches!(error, AudioError::NotFinite { frame: 100, channel: 1, .. }), "{error:?}");
    }

    #[test]
    fn a_mean_beyond_16_bit_full_scale_is_refused() {
        assert_eq!(mix(&[-32_768.0], 1, None).unwrap(), [-32_768.0]);
        assert!(matches!(mix(&[32_769.0], 1, None).unwrap_err(), AudioError::TooLoud { frame: 100, .. }));
        assert!(matches!(mix(&[f64::MAX, f64::MAX], 2, None).unwrap_err(), AudioError::TooLoud { .. }));
    }
}
