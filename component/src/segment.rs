//! Events and segments, field by field as in the contract, and how a hypothesis becomes a segment.

use std::ops::Range;

use crate::alignment;
use crate::family::{Hypothesis, Token};
use crate::guards::Guards;
use crate::tokenizer::Tokenizer;

/// A word of a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// The word, without surrounding space.
    pub text: String,
    /// When it was spoken, in sample offsets, where that was asked for.
    pub span: Option<Range<u64>>,
    /// Geometric mean of its tokens' probabilities.
    pub confidence: f32,
}

/// Why a segment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentEnd {
    /// The speaker paused.
    Silence,
    /// It became as long as a segment may be.
    LongestSegment,
    /// The host called `finish`.
    Finish,
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
    /// The first so many words are settled.
    pub settled_words: usize,
    /// Whether this changes a word that was called settled before.
    pub settled_changed: bool,
    /// The tokens.
    pub tokens: Vec<Token>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// The probability that there was no speech, where that was judged.
    pub no_speech_probability: Option<f32>,
    /// Guards that fired.
    pub guards: Guards,
    /// Why it ended; `None` in a partial.
    pub ended_by: Option<SegmentEnd>,
}

/// The words of a hypothesis for the audio `samples`, which begin at the position `start`, mono at 16 000 Hz.
#[must_use]
pub fn words(hypothesis: &Hypothesis, tokenizer: &Tokenizer, start: u64, samples: &[f32]) -> Vec<Word> {
    let tokens = &hypothesis.tokens;
    let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    let (texts, ranges): (Vec<_>, Vec<_>) = tokenizer.words(&ids).into_iter().unzip();
    let spans = if hypothesis.token_spans.is_empty() {
        Vec::new()
    } else {
        alignment::word_spans(&hypothesis.token_spans, &ranges, samples)
    };
    let mut spans = spans.into_iter().map(|span| start + span.start as u64..start + span.end as u64);
    let word =
        |(text, range)| Word { text, span: spans.next(), confidence: confidence(&tokens[range as Range<usize>]) };
    texts.into_iter().zip(ranges).map(word).collect()
}

/// Words with a space between them.
#[must_use]
pub fn text(words: &[Word]) -> String {
    let texts: Vec<_> = words.iter().map(|word| word.text.as_str()).collect();
    texts.join(" ")
}

/// Geometric mean of the tokens' probabilities; 1 for no tokens.
fn confidence(tokens: &[Token]) -> f32 {
    mean_log_probability(tokens).exp() as f32
}

/// The mean of the tokens' log-probabilities; 0 for no tokens.
pub(crate) fn mean_log_probability(tokens: &[Token]) -> f64 {
    let sum: f64 = tokens.iter().map(|token| f64::from(token.log_probability)).sum();
    sum / tokens.len().max(1) as f64
}

/// Something that happened in the stream; positions are sample offsets.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Speech begins.
    SpeechStarted(u64),
    /// What the current segment says so far.
    PartialSegment(Segment),
    /// A segment's text, which never changes.
    FinalSegment(Segment),
    /// Speech ended.
    SpeechEnded(u64),
    /// All is transcribed.
    EndOfStream(u64),
}
