use std::f64::consts::TAU;

use super::*;

/// Rates that files have, a few that share no large factor with 16 000, and the extremes.
const RATES_HZ: [u32; 19] = [
    1_000, 8_000, 11_025, 12_000, 15_999, 16_001, 22_050, 24_000, 32_000, 37_800, 44_056, 44_100, 48_000, 88_200,
    96_000, 192_000, 384_000, 705_600, 767_999,
];

fn sine(frequency_hz: f64, rate_hz: u32, len: usize) -> Vec<f64> {
    (0..len).map(|n| 0.5 * (TAU * frequency_hz * n as f64 / f64::from(rate_hz)).sin()).collect()
}

fn resample(input: &[f64], rate_hz: u32, cuts: usize) -> Vec<f32> {
    let mut resampler = Resampler::new(rate_hz).unwrap();
    let mut out = Vec::new();
    for block in input.chunks(cuts) {
        resampler.push(block, &mut out).unwrap();
    }
    resampler.finish(&mut out).unwrap();
    out
}

/// Power of the middle of `signal`, where the filter does not see the ends, against a full-scale sine of 0.5, in dB.
fn middle_db(signal: impl ExactSizeIterator<Item = f64>) -> f64 {
    let edge = FILTER_LEN * 16;
    let len = signal.len() - 2 * edge;
    let power: f64 = signal.skip(edge).take(len).map(|x| x * x).sum::<f64>() / len as f64;
    10.0 * (power / 0.125).log10()
}

/// How far a tone of `frequency_hz` comes out from where it should be: power of the difference against the tone's, in dB.
fn error_db(frequency_hz: f64, rate_hz: u32) -> f64 {
    let out = resample(&sine(frequency_hz, rate_hz, rate_hz as usize), rate_hz, 4096);
    let ideal = sine(frequency_hz, SAMPLE_RATE_HZ, out.len());
    middle_db(out.iter().zip(&ideal).map(|(&got, want)| f64::from(got) - want))
}

fn level_db(frequency_hz: f64, rate_hz: u32) -> f64 {
    let out = resample(&sine(frequency_hz, rate_hz, rate_hz as usize), rate_hz, 4096);
    middle_db(out.iter().map(|&sample| f64::from(sample)))
}

#[test]
fn a_tone_comes_out_in_time_and_level_at_every_rate() {
    for rate_hz in RATES_HZ {
        let frequency_hz = if rate_hz == 1_000 { 300.0 } else { 1_000.0 };
        let error = error_db(frequency_hz, rate_hz);
        println!("{frequency_hz} Hz from {rate_hz} Hz: error {error:.1} dB");
        assert!(error < -140.0, "{rate_hz} Hz: {error:.1} dB");
    }
}

#[test]
fn the_pass_band_is_flat_to_7_khz() {
    for rate_hz in [22_050, 44_100, 48_000, 384_000] {
        let error = error_db(7_000.0, rate_hz);
        println!("7 kHz from {rate_hz} Hz: error {error:.1} dB");
        assert!(error < -140.0, "{rate_hz} Hz: {error:.1} dB");
    }
}

#[test]
fn what_would_alias_is_suppressed() {
    for (frequency_hz, limit_db) in [(8_200.0, -150.0), (10_000.0, -180.0), (15_900.0, -180.0)] {
        for rate_hz in [32_000, 44_100, 48_000, 96_000, 767_999] {
            let level = level_db(frequency_hz, rate_hz);
            println!("{frequency_hz} Hz from {rate_hz} Hz: {level:.1} dB left");
            assert!(level < limit_db, "{frequency_hz} Hz from {rate_hz} Hz: {level:.1} dB left");
        }
    }
}

#[test]
fn how_the_input_is_cut_does_not_show() {
    let input = sine(440.0, 44_100, 30_000);
    let whole = resample(&input, 44_100, input.len());
    for cuts in [1, 7, 441, 2_756, 4_096, 29_999] {
        assert_eq!(resample(&input, 44_100, cuts), whole, "cut every {cuts}");
    }
}

#[test]
fn the_output_is_as_long_as_the_input_lasts() {
    for rate_hz in RATES_HZ {
        for len in [0, 1, 2, 3, 160, 441, 10_000, rate_hz as usize] {
            let expected = (len as f64 * 16_000.0 / f64::from(rate_hz)).round() as usize;
            assert_eq!(resample(&vec![0.25; len], rate_hz, 1_000).len(), expected, "{len} samples at {rate_hz} Hz");
        }
    }
}

#[test]
fn a_click_stays_where_it_was() {
    // Every third sample at 48 kHz coincides with one at 16 kHz.
    let mut input = vec![0.0; 48_000];
    input[30_000] = 1.0;
    let out = resample(&input, 48_000, 1_000);
    let peak = (0..out.len()).max_by(|&a, &b| out[a].abs().total_cmp(&out[b].abs())).unwrap();
    assert_eq!(peak, 10_000);
    for distance in 1..200 {
        assert!((out[peak - distance] - out[peak + distance]).abs() < 1e-9, "skewed at {distance}");
    }
}

#[test]
fn an_overshoot_stays_within_the_largest_magnitude() {
    let square: Vec<f64> = (0..48_000).map(|n| if n / 200 % 2 == 0 { MAX_MAGNITUDE } else { -MAX_MAGNITUDE }).collect();
    let out = resample(&square, 48_000, 4_096);
    assert!(out.iter().all(|sample| f64::from(sample.abs()) <= MAX_MAGNITUDE));
}

#[test]
fn a_length_that_overflows_is_bounded() {
    assert_eq!(output_len(u64::MAX, 1_000), u64::MAX);
    assert_eq!(output_len(3, 48_000), 1);
    assert_eq!(output_len(1, 32_000), 1);
    assert_eq!(output_len(1, 32_001), 0);
}
