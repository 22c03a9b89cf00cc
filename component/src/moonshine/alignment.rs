//! Where each token was heard, by the cross-attention of the heads that align.
//!
//! Many heads of Moonshine Tiny's decoder follow the speech, in one of two ways: those of its lower layers look at the token
//! that was just read, those of its upper layers at the one that comes next. Which are used was found on 128 utterances of
//! espeak-ng and flite, of which every word's place is known: half with pauses between all words, half fluent. Heads were
//! added and exchanged as long as that lowered the error of the words' starts; chosen on one half of the sentences, they were
//! as good on the other. Errors in ms, 0 anywhere within a pause (layer and head are counted from 0):
//!
//! | heads | with pauses: mean, 95 % | fluent: median, mean, 95 % |
//! |---|--:|--:|
//! | 1.3, the best alone | 39, 173 | 24, 42, 139 |
//! | 2.1, the next | 57, 212 | 29, 51, 172 |
//! | 5.7, the best that looks ahead | 55, 224 | 35, 54, 176 |
//! | the ten best that look ahead | 31, 145 | 26, 37, 111 |
//! | all of the upper third of the layers | 15, 89 | 26, 32, 93 |
//! | 1.3 and 0.2 | 26, 128 | 22, 36, 105 |
//! | these and 3.6, which looks ahead | 29, 125 | 21, 33, 96 |
//! | these and 3.3, which looks where the token ends: those used | 4, 16 | 15, 20, 54 |
//!
//! The probabilities are summed as they are. Whisper's recipe (openai/whisper, `whisper/timing.py`, `find_alignment`) first
//! normalizes each frame over the tokens and filters it by a median of seven: the former makes this worse (fluent: 21, 40,
//! 113), the latter no better (17, 23, 67).

use std::ops::Range;

use super::budget::{ATTENTION_COST, Budget, VALUE_COST};
use super::config::{CONV1_KERNEL, CONV1_STRIDE, CONV2_KERNEL, CONV2_STRIDE, CONV3_KERNEL, CONV3_STRIDE, Config};
use super::decoder::DecoderState;
use crate::alignment::warp::Warp;

/// Samples from one encoder frame to the next.
const FRAME_SAMPLES: usize = CONV1_STRIDE * CONV2_STRIDE * CONV3_STRIDE;
/// Samples that an encoder frame is made from.
const FIELD_SAMPLES: usize = CONV1_KERNEL + CONV1_STRIDE * (CONV2_KERNEL - 1 + CONV2_STRIDE * (CONV3_KERNEL - 1));
/// Heads look that much later than the sound is, 8 ms: with so much taken off, the error in fluent speech is smallest.
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

/// The heads that align in a model of this shape. For Moonshine Tiny they are known. Of any other, all heads of the upper
/// third of the layers are taken, which look ahead: much as openai-whisper takes the upper half of a model it does not know.
#[must_use]
pub fn aligning_heads(config: &Config) -> Vec<AligningHead> {
    let Config { decoder_blocks, heads, width, .. } = *config;
    if (decoder_blocks, heads, width) == (6, 8, 288) {
        let head = |(layer, head, looks_back)| AligningHead { layer, head, looks_back };
        return [(0, 2, true), (1, 3, true), (3, 3, true), (3, 6, false)].map(head).to_vec();
    }
    let upper = decoder_blocks - decoder_blocks.div_ceil(3)..decoder_blocks;
    let ahead = |layer| (0..heads).map(move |head| AligningHead { layer, head, looks_back: false });
    upper.flat_map(ahead).collect()
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

    /// Writes to `spans` where each token lies in an utterance of so many samples, once all is worked in.
    pub fn token_spans(&mut self, samples: usize, spans: &mut Vec<Range<usize>>) {
        let Self { scores, probabilities, warp, starts, .. } = self;
        warp.path(scores, probabilities.len(), starts);
        // Halfway between the middles of a frame and of the one before.
        let sample = |frame: usize| {
            let middle = frame * FRAME_SAMPLES + FIELD_SAMPLES / 2;
            middle.saturating_sub(FRAME_SAMPLES / 2 + LATE_SAMPLES).min(samples)
        };
        let tokens = starts.get(1..).unwrap_or_default();
        spans.clear();
        spans.extend(tokens.windows(2).map(|starts| sample(starts[0])..sample(starts[1])));
    }
}
