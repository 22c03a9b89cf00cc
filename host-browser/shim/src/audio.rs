//! Audio of any rate and number of channels to what the engine takes.

use std::num::NonZeroU16;

use auricle_conditioning::{AudioError, FrameConverter, is_wav, read_wav};
use wasm_bindgen::prelude::{JsCast, JsValue, wasm_bindgen};

use crate::error::{Class, ShimError};
use crate::js;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** Loudness since it was last asked for: 0 is silence, 1 is full scale. */
export interface Level { peak: number; rms: number }
"#;

#[wasm_bindgen]
extern "C" {
    /// `Level` of the types above.
    #[wasm_bindgen(typescript_type = "Level")]
    pub type Level;
}

/// Turns interleaved samples, as they come, into mono at 16 000 Hz, and measures how loud they are.
#[wasm_bindgen]
pub struct Conditioner {
    /// `None` once the stream has ended.
    converter: Option<FrameConverter>,
    meter: Meter,
}

#[wasm_bindgen]
impl Conditioner {
    /// For frames of so many channels, so many a second. Throws `AudioError` `unsupported-rate` or `invalid-audio`.
    #[wasm_bindgen(constructor)]
    pub fn new(#[wasm_bindgen(js_name = "rateHz")] rate_hz: f64, channels: u16) -> Result<Conditioner, JsValue> {
        let name = "the audio";
        let whole = rate_hz.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&rate_hz);
        // 0 is refused with the same error as other rates that are out of bounds.
        let rate = if whole { rate_hz as u32 } else { 0 };
        let Some(channels) = NonZeroU16::new(channels) else {
            return Err(ShimError::new(Class::Audio, "invalid-audio", "audio has at least one channel").into());
        };
        let converter = FrameConverter::new(name, rate, channels).map_err(typed)?;
        Ok(Self { converter: Some(converter), meter: Meter::default() })
    }

    /// Takes the next samples and gives what they complete. Throws `AudioError` `invalid-audio`, and `EngineError`
    /// `invalid-state` after the end.
    pub fn push(&mut self, interleaved: &[f32]) -> Result<Vec<f32>, JsValue> {
        let mut out = Vec::new();
        self.converter.as_mut().ok_or_else(ended)?.push(interleaved, &mut out).map_err(typed)?;
        self.meter.add(&out);
        Ok(out)
    }

    /// Ends the stream and gives the rest.
    pub fn finish(&mut self) -> Result<Vec<f32>, JsValue> {
        let mut out = Vec::new();
        self.converter.take().ok_or_else(ended)?.finish(&mut out).map_err(typed)?;
        self.meter.add(&out);
        Ok(out)
    }

    /// How loud the samples were that have been given since the last call.
    #[wasm_bindgen(js_name = "takeLevel")]
    pub fn take_level(&mut self) -> Level {
        let (peak, rms) = std::mem::take(&mut self.meter).level();
        js::object(&[("peak", peak.into()), ("rms", rms.into())]).unchecked_into()
    }
}

/// Reads a WAV file: mono samples at 16 000 Hz, the same as the native host's.
///
/// Throws `AudioError`: `not-wav` for any other file, which the browser may be able to decode, and `undecodable`,
/// `unsupported-rate` or `invalid-audio` for a WAV file that cannot be used.
#[wasm_bindgen(js_name = "decodeWav")]
pub fn decode_wav(bytes: Vec<u8>) -> Result<Vec<f32>, JsValue> {
    let name = "the file";
    if !is_wav(&bytes, name).map_err(typed)? {
        return Err(ShimError::new(Class::Audio, "not-wav", "the file is not a WAV file").into());
    }
    Ok(read_wav(bytes, name).map_err(typed)?.0)
}

/// Peak and power of samples.
#[derive(Default)]
struct Meter {
    peak: f32,
    squares: f64,
    samples: u32,
}

impl Meter {
    fn add(&mut self, samples: &[f32]) {
        for &sample in samples {
            self.peak = self.peak.max(sample.abs());
            self.squares += f64::from(sample) * f64::from(sample);
        }
        self.samples += samples.len() as u32;
    }

    fn level(&self) -> (f64, f64) {
        (f64::from(self.peak), (self.squares / f64::from(self.samples.max(1))).sqrt())
    }
}

fn ended() -> JsValue {
    ShimError::new(Class::Engine, "invalid-state", "the audio has ended; make a new Conditioner").into()
}

/// The public class and code of what is wrong with audio.
fn typed(error: AudioError) -> JsValue {
    let code = match error {
        AudioError::SampleRate { .. } => "unsupported-rate",
        AudioError::NotFinite { .. } | AudioError::TooLoud { .. } | AudioError::NoChannels { .. } => "invalid-audio",
        _ => "undecodable",
    };
    ShimError::new(Class::Audio, code, error.to_string()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_gives_peak_and_root_mean_square() {
        let mut meter = Meter::default();
        meter.add(&[0.5, -0.5]);
        meter.add(&[0.5, -0.5]);
        assert_eq!(meter.level(), (0.5, 0.5));
        assert_eq!(Meter::default().level(), (0.0, 0.0));
    }
}
