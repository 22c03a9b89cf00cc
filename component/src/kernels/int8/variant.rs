//! Which of the equally exact loops runs: engines differ in what is fast, and WebAssembly cannot ask.
//!
//! All loops give the same bits, so that the choice changes the time and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Int8Matrix, Int8Rows, Output};

/// Whether sums are added up in 16 bits first.
static SHORT_SUMS: AtomicBool = AtomicBool::new(true);

/// How often each loop is timed. The shortest time counts: a pause of the machine lengthens some, and shortens none.
const ROUNDS: usize = 8;

/// Whether sums are added up in 16 bits first; see [`super::tile`].
#[must_use]
pub(super) fn short_sums() -> bool {
    SHORT_SUMS.load(Ordering::Relaxed)
}

/// Times each loop on a small product, about a millisecond in all, and keeps the fastest. `clock` reads nanoseconds.
pub fn choose(clock: fn() -> u64) {
    const ROWS: usize = 8;
    const SIZE: usize = 288;
    let weights = (0..SIZE * SIZE).map(|i| (i % 65) as i8 - 32).collect();
    let matrix = Int8Matrix::pack(SIZE, SIZE, weights, vec![1.0; SIZE]);
    let values: Vec<f32> = (0..ROWS * SIZE).map(|i| (i % 97) as f32).collect();
    let rows = Int8Rows::quantize(&values, ROWS, SIZE, SIZE);
    let mut out = vec![0.0; ROWS * SIZE];
    let mut best = [u64::MAX; 2];
    for _ in 0..ROUNDS {
        for short_sums in [false, true] {
            SHORT_SUMS.store(short_sums, Ordering::Relaxed);
            let start = clock();
            matrix.multiply(&rows, None, Output::Replace, &mut out);
            let elapsed = clock().saturating_sub(start);
            best[usize::from(short_sums)] = best[usize::from(short_sums)].min(elapsed);
        }
    }
    SHORT_SUMS.store(best[1] <= best[0], Ordering::Relaxed);
}

/// Sets what [`choose`] would choose, for tests and benchmarks that compare them.
pub fn set_short_sums(short_sums: bool) {
    SHORT_SUMS.store(short_sums, Ordering::Relaxed);
}
