//! Where each token was heard, by the cross-attention of the heads that align.
//!
//! Most heads of Moonshine Tiny's decoder follow the speech, in one of two ways: those of its lower layers look at the token
//! that was just read, those of its upper layers at the one that comes next. Which are used was found on 128 sentences of
//! espeak-ng and flite, with every word's place known: as words apart, and as fluent speech. Heads were added and exchanged
//! until the error of the words' starts stopped falling (mean and 95th percentile); chosen on one half of the sentences, they
//! were as good on the other. In ms, for a boundary within the pause 0 (layers and heads counted from 0):
//!
//! | heads | words apart: mean, 95 % | fluent: median, mean, 95 % |
//! |---|--:|--:|
//! | 1.3, the best | 35, 160 | 31, 44, 126 |
//! | 2.1, the next | 53, 190 | 34, 52, 152 |
//! | 5.7, the best that looks ahead | 58, 220 | 46, 60, 170 |
//! | the ten best that look ahead | 32, 144 | 31, 41, 109 |
//! | those used | 3, 9 | 22, 26, 58 |
//!
//! Whisper's recipe (openai/whisper, `whisper/timing.py`, `find_alignment`) normalizes each frame over the tokens and filters
//! by a median. Here both made it worse (52 and 41 ms in place of 40 in fluent speech, all else equal): the probabilities are
//! summed as they are.

use std::ops::Range;

use super::budget::{ATTENTION_COST, Budget, VALUE_COST};
use super::config::{CONV1_KERNEL, CONV1_STRIDE, CONV2_KERNEL, CONV2_STRIDE, CONV3_KERNEL, CONV3_STRIDE, Config};
use super::decoder::DecoderState;
use crate::alignment::warp::Warp;

/// Samples from one encoder frame to the next.
const FRAME_SAMPLES: usize = CONV1_STRIDE * CONV2_STRIDE * CONV3_STRIDE;
/// Samples that an encoder frame is made from.
const FIELD_SAMPLES: usize = CONV1_KERNEL + CONV1_STRIDE * (CONV2_KERNEL - 1 + CONV2_STRIDE * (CONV3_KERNEL - 1));
/// Heads are that much later than the sound, in samples: with 8 ms taken off, starts in fluent speech are as often early as
/// late, as near as whole frames tell.
const LATE_SAMPLES: usize = 128;

/// A head of the cross-attention that follows the speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AligningHead {
    /// Decoder layer.
    pub layer: usize,
    /// Head.
    pub head: usize,
    /// Whether it looks at the token that is read, and not at the one that comes next.
    pub looks_back: bool,
}

/// The heads that align in a model of this shape. For Moonshine Tiny they are known; of any other, as openai-whisper does
/// for models it does not know, all heads of the upper half of the layers are taken, which look ahead.
#[must_use]
pub fn aligning_heads(config: &Config) -> Vec<AligningHead> {
    if (config.decoder_blocks, config.heads, config.width) == (6, 8, 288) {
        let head = |(layer, head, looks_back)| AligningHead { layer, head, looks_back };
        return [(0, 2, true), (1, 0, true), (1, 3, true), (2, 5, true), (3, 3, true), (3, 6, false)]
            .map(head)
            .to_vec();
    }
    let upper = config.decoder_blocks / 2..config.decoder_blocks;
    let heads = |layer| (0..config.heads).map(move |head| AligningHead { layer, head, looks_back: false });
    upper.flat_map(heads).collect()
}

/// The queries with which heads asked for frames, token by token.
#[derive(Debug)]
pub struct CrossQueries {
    heads: Vec<AligningHead>,
    head_size: usize,
    /// Tokens there is room for.
    max_tokens: usize,
    /// `[heads, max_tokens, head_size]`.
    queries: Vec<f32>,
}

impl CrossQueries {
    /// Of these heads, and with room for no token.
    #[must_use]
    pub fn new(heads: Vec<AligningHead>, head_size: usize) -> Self {
        Self { heads, head_size, max_tokens: 0, queries: Vec::new() }
    }

    /// Makes room for so many tokens; none is kept.
    pub fn make_room(&mut self, max_tokens: usize) {
        self.max_tokens = max_tokens;
        self.queries.resize(self.heads.len() * max_tokens * self.head_size, 0.0);
    }

    /// The heads.
    #[must_use]
    pub fn heads(&self) -> &[AligningHead] {
        &self.heads
    }

    /// Dimensions of a query.
    #[must_use]
    pub fn head_size(&self) -> usize {
        self.head_size
    }

    /// Keeps what the heads of a layer ask in `queries` `[tokens, width]`, of the tokens from `position` on, in place of what
    /// was kept of them. Beyond the room that was made, nothing is kept.
    pub fn keep(&mut self, layer: usize, position: usize, queries: &[f32], width: usize) {
        for (index, head) in self.heads.iter().enumerate().filter(|(_, head)| head.layer == layer) {
            let tokens = index * self.max_tokens + position.min(self.max_tokens)..(index + 1) * self.max_tokens;
            let kept = &mut self.queries[tokens.start * self.head_size..tokens.end * self.head_size];
            for (kept, query) in kept.chunks_exact_mut(self.head_size).zip(queries.chunks_exact(width)) {
                kept.copy_from_slice(&query[head.head * self.head_size..][..self.head_size]);
            }
        }
    }

    /// What head `index` asked when a token was read.
    #[must_use]
    pub fn of(&self, index: usize, token: usize) -> &[f32] {
        &self.queries[(index * self.max_tokens + token) * self.head_size..][..self.head_size]
    }
}

/// The work after the last token, a bounded step at a time. It keeps its buffers.
#[derive(Debug, Default)]
pub struct Alignment {
    /// Sums of the heads' probabilities: a row for what is before the first token, one for each token and one for what is
    /// after the last, `[tokens + 2, frames]`.
    scores: Vec<f32>,
    /// One query's probabilities.
    probabilities: Vec<f32>,
    /// Queries of all heads that are worked in.
    done: usize,
    warp: Warp,
    starts: Vec<usize>,
}

impl Alignment {
    /// Makes room for so many frames and tokens.
    pub fn make_room(&mut self, frames: usize, max_tokens: usize) {
        let rows = max_tokens + 2;
        self.scores.reserve_exact((rows * frames).saturating_sub(self.scores.len()));
        self.probabilities.reserve_exact(frames.saturating_sub(self.probabilities.len()));
        self.starts.reserve_exact(rows.saturating_sub(self.starts.len()));
        self.warp.make_room(rows, frames);
    }

    /// Forgets the utterance before.
    pub fn begin(&mut self) {
        self.done = 0;
    }

    /// Works in as many queries as the budget allows, of an utterance of so many tokens that `decoder` has read after the
    /// start token. Says whether those were the last.
    pub fn advance(&mut self, tokens: usize, decoder: &mut DecoderState, budget: &mut Budget) -> bool {
        let frames = decoder.frames();
        if self.done == 0 {
            self.scores.clear();
            self.scores.resize((tokens + 2) * frames, 0.0);
            self.probabilities.resize(frames, 0.0);
        }
        // The start token asks for the first of them, the last one for the end.
        let queries = tokens + 1;
        while self.done < decoder.queries().heads().len() * queries {
            let (index, query) = (self.done / queries, self.done % queries);
            let multiply_adds = decoder.query_multiply_adds();
            if !budget.allows(multiply_adds, ATTENTION_COST * multiply_adds + VALUE_COST * frames as u64) {
                return false;
            }
            decoder.probabilities(index, query, &mut self.probabilities);
            let row = query + usize::from(!decoder.queries().heads()[index].looks_back);
            let scores = &mut self.scores[row * frames..][..frames];
            scores.iter_mut().zip(&self.probabilities).for_each(|(score, probability)| *score += probability);
            self.done += 1;
        }
        true
    }

    /// Where each token lies in an utterance of so many samples, once all is worked in.
    pub fn token_spans(&mut self, samples: usize) -> Vec<Range<usize>> {
        let Self { scores, probabilities, warp, starts, .. } = self;
        warp.path(scores, probabilities.len(), starts);
        // Halfway between the middles of a frame and of the one before.
        let sample = |frame: usize| {
            let middle = frame * FRAME_SAMPLES + FIELD_SAMPLES / 2;
            middle.saturating_sub(FRAME_SAMPLES / 2 + LATE_SAMPLES).min(samples)
        };
        let tokens = starts.get(1..).unwrap_or_default();
        tokens.windows(2).map(|starts| sample(starts[0])..sample(starts[1])).collect()
    }
}
