//! The next token: the likeliest one, with its log-probability and the entropy it was chosen at.

use crate::family::Token;

/// Picks the largest logit, the first of equals, and scores it. `logits` is not empty and finite.
///
/// Sums run in index order in f64, so that every host gives the same bits.
#[must_use]
pub fn pick(logits: &[f32]) -> Token {
    let (id, best) = logits
        .iter()
        .copied()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, (id, logit)| if logit > best.1 { (id, logit) } else { best });
    // With d = logit − best: p = exp(d) / Σ exp(d), so H = ln Σ exp(d) − Σ d · exp(d) / Σ exp(d).
    let (mut sum, mut weighted) = (0.0f64, 0.0f64);
    for &logit in logits {
        let difference = logit - best;
        let exponential = f64::from(difference.exp());
        sum += exponential;
        weighted += f64::from(difference) * exponential;
    }
    let log_sum = sum.ln();
    // `+ 0.0` turns −0 into 0; rounding can put a certain choice's entropy just below it.
    let entropy = (log_sum - weighted / sum).max(0.0);
    Token { id: id as u32, log_probability: (-log_sum + 0.0) as f32, entropy: entropy as f32 }
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
    fn scores_follow_the_definition() {
        let logits = [0.3f32, -1.2, 2.5, 0.0, 2.4];
        let sum: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
        let p: Vec<f64> = logits.iter().map(|&x| f64::from(x).exp() / sum).collect();
        let token = pick(&logits);
        assert_eq!(token.id, 2);
        assert!((f64::from(token.log_probability) - p[2].ln()).abs() < 1e-6);
        let entropy: f64 = p.iter().map(|p| -p * p.ln()).sum();
        assert!((f64::from(token.entropy) - entropy).abs() < 1e-6);
    }
}
