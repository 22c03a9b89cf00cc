//! Which of the equally exact loops runs: engines differ in what is fast, and WebAssembly cannot ask.
//!
//! All loops give the same bits, so that the choice changes the time and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Int8Matrix, Int8Rows, Output, tile};

/// Whether sums are added up in 16 bits first.
static SHORT_SUMS: AtomicBool = AtomicBool::new(true);

/// How long each loop is timed, in nanoseconds: several times what the coarsest clock of a browser can tell apart.
const TIMED_NS: u64 = 500_000;
/// The most products that each loop is timed with, whatever the clock says.
const PRODUCTS_MAX: u32 = 200;
/// How often each loop is timed. The best time counts: a pause of the machine lengthens some, and shortens none.
const ROUNDS: usize = 2;

/// Whether sums are added up in 16 bits first; see [`super::tile`].
#[must_use]
pub(super) fn short_sums() -> bool {
    SHORT_SUMS.load(Ordering::Relaxed)
}

/// Times each loop on small products, about a millisecond each, and keeps the fastest. `clock` reads nanoseconds.
///
/// The clock decides about nothing but time here.
pub fn choose(clock: fn() -> u64) {
    const ROWS: usize = 8;
    const SIZE: usize = 288;
    if !tile::SHORT_SUMS {
        return;
    }
    let weights = (0..SIZE * SIZE).map(|i| (i % 65) as i8 - 32).collect();
    let matrix = Int8Matrix::pack(SIZE, SIZE, weights, vec![1.0; SIZE]);
    let values: Vec<f32> = (0..ROWS * SIZE).map(|i| (i % 97) as f32).collect();
    let rows = Int8Rows::quantize(&values, ROWS, SIZE, SIZE);
    let mut out = vec![0.0; ROWS * SIZE];
    let mut best = [u64::MAX; 2];
    for _ in 0..ROUNDS {
        for short_sums in [false, true] {
            set_short_sums(short_sums);
            let (start, mut products, mut elapsed) = (clock(), 0, 0);
            while elapsed < TIMED_NS && products < PRODUCTS_MAX {
                matrix.multiply(&rows, None, Output::Replace, &mut out);
                products += 1;
                elapsed = clock().saturating_sub(start);
            }
            let best = &mut best[usize::from(short_sums)];
            *best = (*best).min(elapsed / u64::from(products));
        }
    }
    set_short_sums(best[1] <= best[0]);
}

/// Sets what [`choose`] would choose, for tests and benchmarks that compare them.
pub fn set_short_sums(short_sums: bool) {
    SHORT_SUMS.store(short_sums, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn a_clock_that_stands_still_does_not_keep_it_from_choosing() {
        choose(|| 0);
    }
}
