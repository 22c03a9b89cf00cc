//! The next token: the likeliest one, with its log-probability and the entropy it was chosen at.

use crate::family::Token;
use crate::kernels::activation::Exp;
use crate::kernels::lanes::F32x4;

/// Logits that are looked at together: the largest of each block is kept in mind, and sums run in f32 within a block and
/// in f64 over the blocks.
const BLOCK: usize = 256;

/// Picks the largest logit, the first of equals, and scores it. `logits` is not empty and finite.
///
/// Sums run in a fixed order, so that every host gives the same bits.
#[must_use]
pub fn pick(logits: &[f32]) -> Token {
    // The first block with the largest logit is the only one whose logits are compared one by one.
    let (mut best, mut block_of_best) = (f32::NEG_INFINITY, 0);
    for (block, logits) in logits.chunks(BLOCK).enumerate() {
        let highest = highest(logits);
        if highest > best {
            (best, block_of_best) = (highest, block);
        }
    }
    let first = block_of_best * BLOCK;
    let id = first + logits[first..].iter().position(|&logit| logit == best).unwrap_or(0);
    // With d = logit − best: p = exp(d) / Σ exp(d), so H = ln Σ exp(d) − Σ d · exp(d) / Σ exp(d).
    let (mut sum, mut weighted) = (0.0f64, 0.0f64);
    for logits in logits.chunks(BLOCK) {
        let (block_sum, block_weighted) = exponentials(logits, best);
        sum += f64::from(block_sum);
        weighted += f64::from(block_weighted);
    }
    let log_sum = sum.ln();
    // `+ 0.0` turns −0 into 0; rounding can put a certain choice's entropy just below it.
    let entropy = (log_sum - weighted / sum).max(0.0);
    Token { id: id as u32, log_probability: (-log_sum + 0.0) as f32, entropy: entropy as f32 }
}

/// The largest of these, not fewer than one.
#[inline(never)]
fn highest(logits: &[f32]) -> f32 {
    let mut highest = [F32x4::splat(f32::NEG_INFINITY); 2];
    let (chunks, rest) = logits.as_chunks::<8>();
    for chunk in chunks {
        for (highest, logits) in highest.iter_mut().zip(chunk.as_chunks::<4>().0) {
            *highest = highest.max(F32x4::load(logits));
        }
    }
    let lanes = highest[0].max(highest[1]).to_array();
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

/// Σ exp(d) and Σ d · exp(d) with d = logit − `best`.
#[inline(never)]
fn exponentials(logits: &[f32], best: f32) -> (f32, f32) {
    let exp = Exp::read();
    let best = F32x4::splat(best);
    let terms = |logits: F32x4| {
        let difference = logits.sub(best);
        let exponential = exp.of(difference);
        (exponential, difference.mul(exponential))
    };
    let (mut sums, mut weighted) = (F32x4::splat(0.0), F32x4::splat(0.0));
    let (chunks, rest) = logits.as_chunks::<4>();
    let mut add = |chunk: &[f32; 4]| {
        let (sum, product) = terms(F32x4::load(chunk));
        sums = sums.add(sum);
        weighted = weighted.add(product);
    };
    // Four at a time, since each round of a loop costs a look at the deadline.
    let (rounds, left) = chunks.as_chunks::<4>();
    rounds.iter().for_each(|round| round.iter().for_each(&mut add));
    left.iter().for_each(add);
    let (mut sum, mut product) = (sums.to_array().iter().sum::<f32>(), weighted.to_array().iter().sum::<f32>());
    for &logit in rest {
        let (one, weighted) = terms(F32x4::splat(logit));
        sum += one.to_array()[0];
        product += weighted.to_array()[0];
    }
    (sum, product)
}

#[cfg(test)]
mod tests {
    use super::pick;

    #[test]
    fn four_equal_logits_give_a_quarter_each_and_the_first_wins() {
        let token = pick(&[1.5; 4]);
        assert_eq!(token.id, 0);
        assert!((token.log_probability - 0.25f32.ln()).abs() < 1e-6);
        assert!((token.entropy - 4f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn a_certain_choice_has_no_entropy() {
        let token = pick(&[-200.0, 300.0, -200.0]);
        assert_eq!((token.id, token.log_probability, token.entropy), (1, 0.0, 0.0));
    }

    #[test]
    fn the_first_of_equals_is_picked_wherever_it_stands() {
        for count in [1, 3, 8, 255, 256, 257, 5000] {
            for best in [0, count / 2, count - 1] {
                let mut logits = vec![-3.0; count];
                logits[best..].fill(2.5);
                assert_eq!(pick(&logits).id as usize, best, "{count}");
            }
        }
    }

    #[test]
    fn scores_follow_the_definition() {
        let mut logits = crate::kernels::testing::Noise::new(6).take(5000);
        logits[2] = 1.5;
        let sum: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
        let p: Vec<f64> = logits.iter().map(|&x| f64::from(x).exp() / sum).collect();
        let token = pick(&logits);
        assert_eq!(token.id, 2);
        assert!((f64::from(token.log_probability) - p[2].ln()).abs() < 1e-6);
        let entropy: f64 = p.iter().map(|p| -p * p.ln()).sum();
        assert!((f64::from(token.entropy) - entropy).abs() < 1e-6);
    }
}
