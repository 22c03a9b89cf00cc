//! What keeps a model's mistakes out of the text, visibly: each guard that fires is named in the segment.
//!
//! How often they fire, in 23 recordings four times each with pink noise or babble (127 to 156 segments, Silero VAD, q8):
//!
//! | speech over noise | token rate | repetition | no speech |
//! |---|--:|--:|--:|
//! | clean | 0 | 0 | 0 |
//! | 10 dB | 1 | 0 | 2 |
//! | 5 dB | 1 | 0 | 2 |
//! | 0 dB | 6 | 4 | 2 |
//! | −5 dB | 35 | 19 | 17 |

use crate::family::Hypothesis;
use crate::segment::mean_log_probability;

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

/// A lone token of a lower log-probability is no word.
const SURE: f32 = -0.05;
/// Where speech is less certain than this leaves, the text has to speak for itself.
const DOUBTFUL_NO_SPEECH: f32 = 0.25;
/// A mean log-probability of tokens that are more guessed than heard.
const UNSURE: f32 = -0.35;
/// So does the choice of the first token, on which all others depend, show a guess.
const UNSURE_ENTROPY_NATS: f32 = 1.5;
/// A longer text is heard from more than a sound, if it is speech more likely than not.
const FEW_TOKENS: usize = 10;

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
///
/// Measured with 21 recordings and the model's own, clean and with pink noise at 20, 10 and 5 dB, and two hours of
/// music-like tones: of 10 false segments that Silero VAD lets pass none is left, of 237 that the energy detector lets pass
/// (at 160 ms of minimum speech) 11; of 165 and 171 segments of speech, none and one are dropped.
fn no_speech(hypothesis: &Hypothesis, speech_probability: Option<f32>) -> bool {
    let (Some(speech), [first, rest @ ..]) = (speech_probability, &hypothesis.tokens[..]) else { return false };
    let tokens = hypothesis.tokens.len();
    let mean = mean_log_probability(&hypothesis.tokens) as f32;
    // Speech of one token has a full stop, which is another: "You" without one is what this model makes of nothing.
    let bare = rest.is_empty() && mean < SURE;
    bare || (speech < 1.0 - DOUBTFUL_NO_SPEECH
        && mean < UNSURE
        && first.entropy > UNSURE_ENTROPY_NATS
        && (tokens <= FEW_TOKENS || speech < 0.5))
}

#[cfg(test)]
mod tests {
    use super::{Guards, apply};
    use crate::family::{Hypothesis, Token};

    fn hypothesis(ids: &[u32], log_probability: f32, entropy: f32) -> Hypothesis {
        let token = |&id: &u32| Token { id, log_probability, entropy };
        Hypothesis {
            tokens: ids.iter().map(token).collect(),
            token_spans: (0..ids.len()).map(|i| i..i + 1).collect(),
            hit_token_rate: false,
        }
    }

    fn ids(hypothesis: &Hypothesis) -> Vec<u32> {
        hypothesis.tokens.iter().map(|token| token.id).collect()
    }

    #[test]
    fn a_loop_is_cut_after_its_first_turn_and_what_follows_it_stays() {
        for (said, kept) in [
            (vec![7; 40], vec![7]),
            ([vec![1, 2], [3, 4, 5].repeat(6)].concat(), vec![1, 2, 3, 4, 5]),
            ([vec![1, 2], [3, 4, 5].repeat(6), vec![3, 4, 9, 8]].concat(), vec![1, 2, 3, 4, 5, 9, 8]),
            ([[3, 4].repeat(7), vec![1], vec![6; 12]].concat(), vec![3, 4, 1, 6]),
        ] {
            let mut hypothesis = hypothesis(&said, -0.1, 0.1);
            let guards = apply(&mut hypothesis, None);
            assert_eq!((ids(&hypothesis), guards.repetition), (kept, true), "{said:?}");
            assert_eq!(hypothesis.tokens.len(), hypothesis.token_spans.len());
        }
    }

    #[test]
    fn what_people_repeat_stays() {
        for said in [[3, 4].repeat(5), vec![7; 11], [1, 2, 3, 4, 5, 6].repeat(3), vec![]] {
            let mut hypothesis = hypothesis(&said, -0.1, 0.1);
            assert_eq!((apply(&mut hypothesis, Some(0.9)), ids(&hypothesis)), (Guards::default(), said));
        }
    }

    #[test]
    fn guesses_about_doubtful_speech_are_dropped_and_everything_else_stays() {
        let dropped = |tokens: u32, log_probability, entropy, speech: Option<f32>| {
            let mut hypothesis = hypothesis(&(0..tokens).collect::<Vec<_>>(), log_probability, entropy);
            let guards = apply(&mut hypothesis, speech);
            assert_eq!(guards.no_speech, hypothesis.tokens.is_empty());
            assert_eq!(hypothesis.token_spans.len(), hypothesis.tokens.len());
            guards.no_speech
        };
        assert!(dropped(3, -1.0, 3.0, Some(0.5)));
        assert!(!dropped(3, -1.0, 3.0, Some(0.9)), "the speech was certain");
        assert!(!dropped(3, -0.1, 3.0, Some(0.5)), "the words were certain");
        assert!(!dropped(3, -1.0, 0.5, Some(0.5)), "so was the first");
        assert!(!dropped(30, -1.0, 3.0, Some(0.5)), "there were many");
        assert!(dropped(30, -1.0, 3.0, Some(0.4)), "but it was hardly speech");
        assert!(!dropped(3, -1.0, 3.0, None), "nobody asked what is speech");
        assert!(dropped(1, -0.5, 0.1, Some(0.9)), "a lone word without a full stop");
        assert!(!dropped(1, -0.01, 0.1, Some(0.9)), "but one that is certain");
    }

    #[test]
    fn a_hypothesis_that_hit_the_ceiling_says_so() {
        let mut hypothesis = Hypothesis { hit_token_rate: true, ..hypothesis(&[1, 2], -0.1, 0.1) };
        assert!(apply(&mut hypothesis, Some(0.9)).token_rate);
    }
}
