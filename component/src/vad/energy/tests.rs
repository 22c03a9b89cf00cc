use super::{EnergyDetector, HOP_SAMPLES};
use crate::kernels::testing::Noise;

/// Hops that look like anything: noise that swells and fades, over a tone that glides, with a click here and there.
fn hops(count: usize) -> Vec<[f32; HOP_SAMPLES]> {
    let mut noise = Noise::new(7);
    let mut phase = 0.0f32;
    let mut next = |hop: usize, at: usize| {
        let swell = ((hop % 23) as f32 / 23.0 - 0.5).abs();
        phase = (phase + 0.01 + (hop % 31) as f32 * 2e-4).fract();
        // Of a sawtooth all harmonics are there.
        let voice = if hop % 17 < 9 { 0.2 * (phase - 0.5) } else { 0.0 };
        let click = if hop % 41 == 0 && at == 99 { 0.9 } else { 0.0 };
        0.05 * swell * noise.next() + voice + click
    };
    (0..count).map(|hop| std::array::from_fn(|at| next(hop, at))).collect()
}

#[test]
fn scores_are_the_same_bits_on_every_host() {
    let mut detector = EnergyDetector::new();
    let scores: Vec<f32> = hops(400).iter().map(|hop| detector.process(hop)).collect();
    let (low, high) = scores.iter().fold((1.0f32, 0.0f32), |(low, high), &score| (low.min(score), high.max(score)));
    assert!(low < 0.05 && high > 0.5, "scores from {low} to {high} prove little");
    // FNV-1a.
    let hash = scores
        .iter()
        .flat_map(|score| score.to_bits().to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(hash, 0x3186_8646_f06e_2a66, "{hash:#x}");
}

#[test]
fn a_detector_that_was_reset_is_as_new() {
    let hops = hops(150);
    let mut used = EnergyDetector::new();
    for hop in &hops[37..] {
        used.process(hop);
    }
    used.reset();
    let mut new = EnergyDetector::new();
    for hop in &hops {
        assert_eq!(used.process(hop).to_bits(), new.process(hop).to_bits());
    }
}

#[test]
fn no_sample_spoils_the_scores_that_come_after() {
    let hops = hops(400);
    for bad in [f32::NAN, f32::INFINITY, f32::MIN, f32::MAX, f32::MIN_POSITIVE, 1e-44] {
        let (mut detector, mut untouched) = (EnergyDetector::new(), EnergyDetector::new());
        for at in [0, 1, 50, 256, 257, 300, 510, 511] {
            untouched.process(&[0.0; HOP_SAMPLES]);
            let mut hop = [0.0; HOP_SAMPLES];
            hop[at..].fill(bad);
            assert!((0.0..=1.0).contains(&detector.process(&hop)), "{bad}");
        }
        let scores = hops.iter().map(|hop| (detector.process(hop), untouched.process(hop)));
        // The slowest mean keeps a hundred thousandth after 400 hops.
        let (score, want) = scores.last().expect("hops");
        assert!((score - want).abs() < 1e-3, "{bad}: {score}, without it {want}");
    }
}
