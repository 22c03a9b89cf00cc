//! How fast files become samples. The bounds are far below what any machine does; the printed figures are what counts
//! (`cargo test --release --test audio_speed -- --nocapture`).

mod audio_support;

use std::time::Instant;

use auricle::audio::{AudioReader, SAMPLE_RATE_HZ};

use audio_support::{Wav, file_of};

/// Times faster than the audio plays at which a file is read, as said above.
const SLOWEST: f64 = 5.0;

#[test]
fn decoding_and_resampling_are_much_faster_than_playing() {
    for (rate_hz, channels, seconds) in [(16_000, 1, 120), (44_100, 2, 60), (48_000, 1, 60), (384_000, 2, 5)] {
        let len = rate_hz as usize * usize::from(channels) * seconds;
        let tone: Vec<i16> = (0..len).map(|n| ((n as f64 * 0.03).sin() * 8_000.0) as i16).collect();
        let file = file_of(&Wav { rate_hz, channels, ..Wav::of_i16(&tone) }.bytes());

        let start = Instant::now();
        let mut reader = AudioReader::open(file.path()).unwrap();
        let mut samples = 0;
        while let Some(block) = reader.next_block().unwrap() {
            samples += block.len();
        }
        let times = seconds as f64 / start.elapsed().as_secs_f64();
        println!("{rate_hz} Hz, {channels} channels: {times:.0} times faster than it plays");
        assert_eq!(samples, seconds * SAMPLE_RATE_HZ as usize);
        assert!(times > SLOWEST, "{rate_hz} Hz, {channels} channels: {times:.1} times");
    }
}
