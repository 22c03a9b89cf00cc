//! Which of the equally exact loops runs: engines differ in what is fast, and WebAssembly cannot ask.
//!
//! All loops give the same bits, so that the choice changes the time and nothing else.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::{Int8Matrix, Int8Rows, Output, tile};

/// Whether sums are added up in 16 bits first.
static SHORT_SUMS: AtomicBool = AtomicBool::new(true);

/// How often in a row [`choose`] has chosen the same.
static AGREED: AtomicU32 = AtomicU32::new(0);

/// So often in a row, and the choice stands.
const SETTLED: u32 = 8;

/// How many products each loop is timed with: some tenths of a millisecond, which the coarsest clock of a browser can tell
/// apart.
const PRODUCTS: u32 = 12;
/// How often each loop is timed, in turn: what else the machine does makes a loop slower, and never faster.
const TURNS: u32 = 3;
/// How often [`warm_up`] times them. Engines that compile quickly first and well later do so for what has run this often.
const WARM_UP_ROUNDS: u32 = 3;
/// Rows of a timed product.
const PROBE_ROWS: usize = 8;
/// Columns and channels of a timed product.
const PROBE_SIZE: usize = 288;

/// Whether sums are added up in 16 bits first; see [`super::tile`].
#[must_use]
pub(super) fn short_sums() -> bool {
    SHORT_SUMS.load(Ordering::Relaxed)
}

/// Lets an engine that compiles code well only after it has run often notice all loops, and chooses among them.
pub fn warm_up(clock: fn() -> u64) {
    (0..WARM_UP_ROUNDS).for_each(|_| choose(clock));
}

/// What the loops are timed on: a small product, as rows and weights. Made once.
static PROBE: LazyLock<(Int8Rows, Int8Matrix)> = LazyLock::new(|| {
    let values: Vec<f32> = (0..PROBE_ROWS * PROBE_SIZE).map(|i| (i % 97) as f32).collect();
    let weights = (0..PROBE_SIZE * PROBE_SIZE).map(|i| (i % 65) as i8 - 32).collect();
    let rows = Int8Rows::quantize(&values, PROBE_ROWS, PROBE_SIZE, PROBE_SIZE);
    (rows, Int8Matrix::pack(PROBE_SIZE, PROBE_SIZE, weights, vec![1.0; PROBE_SIZE]))
});

/// Times each loop on small products, about a millisecond in all, and keeps the faster. `clock` reads nanoseconds, and
/// decides about nothing but time here.
///
/// To be called again for every utterance: an engine may have compiled the loops anew since. Once it has chosen the same
/// often enough, it does nothing any more.
pub fn choose(clock: fn() -> u64) {
    if !tile::SHORT_SUMS || AGREED.load(Ordering::Relaxed) >= SETTLED {
        return;
    }
    let (rows, matrix) = &*PROBE;
    let mut out = [0.0; PROBE_ROWS * PROBE_SIZE];
    let before = short_sums();
    let [mut long, mut short] = [u64::MAX; 2];
    for _ in 0..TURNS {
        for (short_sums, least) in [(false, &mut long), (true, &mut short)] {
            set_short_sums(short_sums);
            let start = clock();
            (0..PRODUCTS).for_each(|_| matrix.multiply(rows, None, Output::Replace, &mut out));
            *least = (*least).min(clock().saturating_sub(start));
        }
    }
    let agreed = if (short <= long) == before { AGREED.load(Ordering::Relaxed) + 1 } else { 0 };
    AGREED.store(agreed, Ordering::Relaxed);
    set_short_sums(short <= long);
}

/// Sets what [`choose`] would choose, for tests and benchmarks that compare them.
pub fn set_short_sums(short_sums: bool) {
    SHORT_SUMS.store(short_sums, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::warm_up;

    #[test]
    fn a_clock_that_stands_still_does_not_keep_it_from_choosing() {
        warm_up(|| 0);
    }
}
