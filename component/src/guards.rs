//! What keeps a model's mistakes out of the text, visibly: each guard that fires is named in the segment.

use crate::family::Hypothesis;

/// Which guards fired.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guards {
    /// Decoding was stopped at the most tokens that so much speech can hold.
    pub token_rate: bool,
    /// A repetition was cut.
    pub repetition: bool,
    /// Text was dropped, since there was no speech.
    pub no_speech: bool,
}

/// A loop repeats at most so many tokens.
const LONGEST_PERIOD: usize = 32;
/// So often in a row nobody says the same.
const REPEATS: usize = 4;
/// And nobody says the same short thing over so many tokens: "no, no, no, no, no" is ten.
const REPEATED_TOKENS: usize = 12;

/// Applies the guards to what was decoded from audio whose hops were speech with this mean probability, where that is known.
pub(crate) fn apply(hypothesis: &mut Hypothesis, speech_probability: Option<f32>) -> Guards {
    let mut guards = Guards { token_rate: hypothesis.hit_token_rate, ..Guards::default() };
    while let Some((from, to)) = repetition(hypothesis) {
        hypothesis.tokens.drain(from..to);
        if !hypothesis.token_spans.is_empty() {
            hypothesis.token_spans.drain(from..to);
        }
        guards.repetition = true;
    }
    if no_speech(hypothesis, speech_probability) {
        hypothesis.tokens.clear();
        hypothesis.token_spans.clear();
        guards.no_speech = true;
    }
    guards
}

/// The tokens that only repeat those before them, of the first loop there is.
fn repetition(hypothesis: &Hypothesis) -> Option<(usize, usize)> {
    let tokens = &hypothesis.tokens;
    for period in 1..=LONGEST_PERIOD.min(tokens.len() / REPEATS) {
        let mut run = 0;
        for at in period..=tokens.len() {
            if at < tokens.len() && tokens[at].id == tokens[at - period].id {
                run += 1;
                continue;
            }
            if run >= (REPEATS - 1) * period && run + period >= REPEATED_TOKENS {
                return Some((at - run, at));
            }
            run = 0;
        }
    }
    None
}

/// Whether this is what the model makes of noise.
fn no_speech(hypothesis: &Hypothesis, speech_probability: Option<f32>) -> bool {
    let (Some(_probability), false) = (speech_probability, hypothesis.tokens.is_empty()) else { return false };
    false
}
