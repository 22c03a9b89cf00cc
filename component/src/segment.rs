//! Events and segments, field by field as in the contract, and how a hypothesis becomes a segment.

use std::ops::Range;

use crate::family::{Hypothesis, Token};
use crate::tokenizer::Tokenizer;

/// A word of a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// The word, without surrounding space.
    pub text: String,
    /// Geometric mean of its tokens' probabilities.
    pub confidence: f32,
}

/// A stretch of speech and its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Unique in its session.
    pub id: u64,
    /// Rises each time the segment is given.
    pub revision: u32,
    /// Sample offsets.
    pub span: Range<u64>,
    /// The text, whole.
    pub text: String,
    /// The text, word by word.
    pub words: Vec<Word>,
    /// The tokens.
    pub tokens: Vec<Token>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// Whether decoding was stopped by the token-rate ceiling.
    pub hit_token_rate: bool,
}

impl Segment {
    /// The final segment of a hypothesis over the samples `span`.
    #[must_use]
    pub fn last(
        id: u64,
        span: Range<u64>,
        hypothesis: Hypothesis,
        tokenizer: &Tokenizer,
        language: Option<String>,
    ) -> Self {
        let Hypothesis { tokens, hit_token_rate, .. } = hypothesis;
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let words = tokenizer
            .words(&ids)
            .into_iter()
            .map(|(text, range)| Word { text, confidence: confidence(&tokens[range]) })
            .collect();
        Self { id, revision: 0, span, text: tokenizer.decode(&ids), words, tokens, language, hit_token_rate }
    }
}

/// Geometric mean of the tokens' probabilities; 1 for no tokens.
fn confidence(tokens: &[Token]) -> f32 {
    let sum: f64 = tokens.iter().map(|token| f64::from(token.log_probability)).sum();
    (sum / tokens.len().max(1) as f64).exp() as f32
}

/// Something that happened in the stream; positions are sample offsets.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Speech begins.
    SpeechStarted(u64),
    /// A segment's text, which never changes.
    FinalSegment(Segment),
    /// Speech ended.
    SpeechEnded(u64),
    /// All is transcribed.
    EndOfStream(u64),
}
