//! When each word was spoken.
//!
//! ```text
//! scores [rows, frames] ─► warp ─► spans of tokens ─► boundaries of words ─► pauses ─► spans of words
//! ```
//!
//! A model tells, for each of its tokens, how much it has to do with each frame. `warp` lays the tokens along the frames, in
//! their order. What lies between two words belongs to neither, and no token knows where: there, `pauses` listens to the
//! samples.

mod pauses;
pub mod warp;

use std::ops::Range;

/// Where the words of an utterance lie in `samples`, its audio, mono at 16 000 Hz: a span for each, in samples, in their
/// order. Spans do not overlap and lie within `samples`; those of words squeezed together at the very end can be empty.
///
/// `tokens` is where the utterance's tokens lie in `samples`, and `words` the tokens that each word was made of; a token can
/// be part of two words.
///
/// # Panics
/// If a word has no tokens, or other tokens than there are.
#[must_use]
pub fn word_spans(tokens: &[Range<usize>], words: &[Range<usize>], samples: &[f32]) -> Vec<Range<usize>> {
    let Some(last) = words.last() else { return Vec::new() };
    let starts = words.iter().map(|word| tokens[word.start].start);
    let boundaries: Vec<usize> = starts.chain([tokens[last.end - 1].end]).collect();
    pauses::part(&boundaries, samples)
}

#[cfg(test)]
mod tests {
    use super::word_spans;

    #[test]
    fn a_word_reaches_from_its_first_token_to_the_next_word_where_nobody_pauses() {
        let samples = vec![0.5; 16_000];
        let tokens = [1600..4000, 4000..4800, 4800..8000, 8000..14_400];
        // The token of a space belongs to no word, and the last token to both of the last words.
        let words = [0..1, 2..4, 3..4];
        assert_eq!(word_spans(&tokens, &words, &samples), [1600..4800, 4800..8000, 8000..14_400]);
        assert!(word_spans(&[], &[], &samples).is_empty());
    }
}
