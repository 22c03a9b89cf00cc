//! What the tests of the command share.

use auricle::types::{Guards, SampleSpan, Segment, Word};

/// A partial of segment 0 that says this, the first words of which are settled.
pub(super) fn segment(text: &str, settled_words: u32) -> Segment {
    let word = |text: &str| Word { text: text.to_owned(), span: None, confidence: 1.0 };
    Segment {
        id: 0,
        revision: 0,
        span: SampleSpan { start: 0, end: 1 },
        text: text.to_owned(),
        words: text.split_whitespace().map(word).collect(),
        settled_words,
        settled_changed: false,
        tokens: vec![],
        language: None,
        no_speech_probability: None,
        guards: Guards::empty(),
        ended_by: None,
    }
}
