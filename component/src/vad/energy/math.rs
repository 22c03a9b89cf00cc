//! Tables made while compiling, and logarithms: nothing here asks the host's mathematics.

use super::spectrum::{BINS, FRAME_SAMPLES};

/// The Hann window.
pub(super) static WINDOW: [f32; FRAME_SAMPLES] = {
    let mut window = [0.0; FRAME_SAMPLES];
    let mut at = 0;
    while at < FRAME_SAMPLES {
        window[at] = (0.5 - 0.5 * unit(at, FRAME_SAMPLES)[0]) as f32;
        at += 1;
    }
    window
};

/// e^(−πi j / half) at `half + j`, for `half` 1, 2, 4, … up to a half of [`BINS`].
pub(super) static FFT_TWIDDLES: [[f32; 2]; BINS] = {
    let mut twiddles = [[0.0; 2]; BINS];
    let mut half = 1;
    while half < BINS {
        let mut j = 0;
        while j < half {
            let [cos, sin] = unit(j, 2 * half);
            twiddles[half + j] = [cos as f32, -sin as f32];
            j += 1;
        }
        half *= 2;
    }
    twiddles
};

/// e^(−2πi k / [`FRAME_SAMPLES`]).
pub(super) static SPLIT_TWIDDLES: [[f32; 2]; BINS] = {
    let mut twiddles = [[0.0; 2]; BINS];
    let mut k = 0;
    while k < BINS {
        let [cos, sin] = unit(k, FRAME_SAMPLES);
        twiddles[k] = [cos as f32, -sin as f32];
        k += 1;
    }
    twiddles
};

/// Cosine and sine of 2π · part / whole, within 10⁻¹⁵: their Taylor series over the quarter turn that is left after the
/// whole ones.
const fn unit(part: usize, whole: usize) -> [f64; 2] {
    let quarters = 4 * part / whole;
    let angle = std::f64::consts::FRAC_PI_2 * ((4 * part - quarters * whole) as f64 / whole as f64);
    let (mut cos, mut sin) = (1.0, 0.0);
    let mut term = 1.0;
    let mut n = 1;
    while n < 24 {
        term = term * angle / n as f64;
        match n % 4 {
            1 => sin += term,
            2 => cos -= term,
            3 => sin -= term,
            _ => cos += term,
        }
        n += 1;
    }
    match quarters {
        0 => [cos, sin],
        1 => [-sin, cos],
        2 => [-cos, -sin],
        _ => [sin, -cos],
    }
}

/// log₂ x of a positive normal number, within 10⁻⁴.
pub(super) fn log2(x: f32) -> f32 {
    let bits = x.to_bits();
    let exponent = (bits >> 23) as f32 - 127.0;
    // 1 ≤ m < 2: log₂ m = (m − 1) · p(m − 1), exact at both ends.
    let m = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000) - 1.0;
    let p = 1.442_669 + m * (-0.720_176 + m * (0.468_029 + m * (-0.301_049 + m * (0.144_686 - m * 0.034_159))));
    exponent + m * p
}
