//! The samples that every host gives the engine. `host-browser/tests/shim.test.mjs` demands the same bits of the browser.

use std::num::NonZeroU16;

use auricle_conditioning::{FrameConverter, read_wav};
use sha2::{Digest, Sha256};

const JFK: &[u8] = include_bytes!("../../../testdata/jfk.wav");

/// SHA-256 of samples as 32-bit little-endian floats, in hexadecimal digits.
fn digest(samples: &[f32]) -> String {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_wav_file_at_16_khz_gives_its_own_samples() {
    let (samples, warnings) = read_wav(JFK.to_vec(), "jfk.wav").unwrap();
    assert_eq!(warnings, []);
    assert_eq!(samples.len(), 176_000);
    assert_eq!(digest(&samples), "ebd52851100536db02d12c49fddd010372dcdc70243562e057553d476b706ae0");
}

#[test]
fn audio_of_another_rate_gives_the_same_bits_everywhere() {
    let (mono, _) = read_wav(JFK.to_vec(), "jfk.wav").unwrap();
    let mut converter = FrameConverter::new("jfk.wav", 44_100, NonZeroU16::new(2).unwrap()).unwrap();
    let mut samples = Vec::new();
    for block in mono.chunks(999) {
        converter.push(block, &mut samples).unwrap();
    }
    converter.finish(&mut samples).unwrap();
    assert_eq!(samples.len(), 31_927);
    assert_eq!(digest(&samples), "62e089c250ce97091a5fbcd3b1e0f6d31c379595e06ca06e1640d07b08bf7ff3");
}
