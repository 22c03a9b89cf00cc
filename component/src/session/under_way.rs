//! The segment under way: its name, what was said of it so far, and what is known ahead.

use std::ops::Range;

use super::settle::Settling;
use crate::family::Hypothesis;
use crate::guards::Guards;
use crate::segment::{Segment, SegmentEnd, Word, text};

/// The segment under way, or, between segments, what the next will be called.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// How many segments have begun.
    begun: u64,
    revision: u32,
    settling: Settling,
    /// The tokens of the latest hypothesis: most of them will be in the next.
    draft: Vec<u32>,
    /// What the segment says if it ends where its speech has paused.
    foreseen: Option<(Range<u64>, Hypothesis)>,
}

impl UnderWay {
    /// Another segment begins.
    pub(super) fn begin(&mut self) {
        self.begun += 1;
        self.revision = 0;
        self.settling.clear();
        self.draft.clear();
        self.foreseen = None;
    }

    /// Another stream begins.
    pub(super) fn reset(&mut self) {
        self.begin();
        self.begun = 0;
    }

    /// The tokens that a hypothesis is expected to begin with.
    pub(super) fn draft(&self) -> &[u32] {
        &self.draft
    }

    /// Keeps what the segment says if its audio is this.
    pub(super) fn foresee(&mut self, audio: Range<u64>, hypothesis: Hypothesis) {
        self.keep_draft(&hypothesis);
        self.foreseen = Some((audio, hypothesis));
    }

    /// Whether it is known what the segment says if its audio is this.
    pub(super) fn foreseen(&self, audio: &Range<u64>) -> bool {
        self.foreseen.as_ref().is_some_and(|(foreseen, _)| foreseen == audio)
    }

    /// Takes what the segment says, if it was foreseen with this audio.
    pub(super) fn take_foreseen(&mut self, audio: &Range<u64>) -> Option<Hypothesis> {
        self.foreseen.take().filter(|(foreseen, _)| foreseen == audio).map(|(_, hypothesis)| hypothesis)
    }

    /// The segment as it is so far; `None` where it has no words.
    pub(super) fn partial(
        &mut self,
        span: Range<u64>,
        hypothesis: Hypothesis,
        words: Vec<Word>,
        guards: Guards,
        language: Option<String>,
    ) -> Option<Segment> {
        self.keep_draft(&hypothesis);
        let (words, settled_words) = self.settling.partial(words);
        if words.is_empty() {
            return None;
        }
        let revision = self.revision;
        self.revision += 1;
        Some(Segment {
            id: self.begun - 1,
            revision,
            span,
            text: text(&words),
            words,
            settled_words,
            settled_changed: false,
            tokens: hypothesis.tokens,
            language,
            guards,
            ended_by: None,
        })
    }

    /// The segment as it stays.
    pub(super) fn last(
        &mut self,
        span: Range<u64>,
        by: SegmentEnd,
        hypothesis: Hypothesis,
        words: Vec<Word>,
        guards: Guards,
        language: Option<String>,
    ) -> Segment {
        Segment {
            id: self.begun - 1,
            revision: self.revision,
            span,
            text: text(&words),
            settled_words: words.len(),
            settled_changed: self.settling.differs(&words),
            words,
            tokens: hypothesis.tokens,
            language,
            guards,
            ended_by: Some(by),
        }
    }

    fn keep_draft(&mut self, hypothesis: &Hypothesis) {
        self.draft.clear();
        self.draft.extend(hypothesis.tokens.iter().map(|token| token.id));
    }
}
