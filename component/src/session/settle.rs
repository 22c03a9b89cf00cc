//! Which words of a segment under way are settled: those that hypotheses after one another agree on, with confidence.
//!
//! LocalAgreement (Liu, Spanakis, Niehues: "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by Partial
//! Hypothesis Selection", 2020) settles what two hypotheses agree on. With a model that hears each hypothesis anew, a tenth
//! of such words were still different in the final (measured on 117 segments, clean and with noise). So a word needs more
//! agreement the less sure the model is of it: each hypothesis in a row that has the word, after the same words, adds the
//! square of its confidence, and the sum has to reach a threshold. Of 288 words that settled so before their final, none was
//! another in it; of 288 of all 1240, since most words settle only with the final. A threshold of 3.75 settles 343, and one
//! is another; one of 3 settles 375, and two are.

use crate::segment::Word;

/// What agreeing hypotheses have to add up to: five that are certain, or eighteen that are half sure.
const SETTLED_EVIDENCE: f32 = 4.5;
/// The last words of a hypothesis do not count: what a model makes of audio that ends within a word is often another word.
const HELD_BACK: usize = 1;

/// The settled words of a segment under way.
#[derive(Debug, Default)]
pub(super) struct Settling {
    settled: Vec<Word>,
    /// The words of the latest hypothesis, and what speaks for each.
    latest: Vec<(String, f32)>,
}

impl Settling {
    /// Forgets everything, for another segment.
    pub(super) fn clear(&mut self) {
        self.settled.clear();
        self.latest.clear();
    }

    /// Takes the words of the next hypothesis. Gives the words to show, the first of which are settled, and how many are.
    ///
    /// Settled words stay as they are: where the hypothesis has others in their place, it is shown from where those end.
    pub(super) fn partial(&mut self, words: Vec<Word>) -> (Vec<Word>, usize) {
        self.weigh(&words);
        let agrees = words.len() >= self.settled.len() && !self.differs(&words);
        let settled = self.latest.iter().take_while(|(_, evidence)| *evidence >= SETTLED_EVIDENCE).count();
        if agrees {
            if settled > self.settled.len() {
                self.settled = words[..settled].to_vec();
            }
            return (words, self.settled.len());
        }
        let mut shown = self.settled.clone();
        shown.extend_from_slice(&words[after_settled(&self.settled, &words)..]);
        put_in_order(&mut shown);
        (shown, self.settled.len())
    }

    /// Adds what a hypothesis says for its words to what those before it said, as far as they agree.
    fn weigh(&mut self, words: &[Word]) {
        let counted = words.len().saturating_sub(HELD_BACK);
        let alike = self.latest.iter().zip(words).take_while(|((text, _), word)| *text == word.text).count();
        self.latest.truncate(alike);
        for (i, word) in words.iter().enumerate() {
            let evidence = if i < counted { word.confidence * word.confidence } else { 0.0 };
            match self.latest.get_mut(i) {
                Some((_, sum)) => *sum += evidence,
                None => self.latest.push((word.text.clone(), evidence)),
            }
        }
    }

    /// Whether the final words differ from what was called settled.
    pub(super) fn differs(&self, words: &[Word]) -> bool {
        self.settled.len() > words.len()
            || self.settled.iter().zip(words).any(|(settled, word)| settled.text != word.text)
    }
}

/// Moves the spans of words of different hypotheses so that none begins before the one before it ends.
fn put_in_order(words: &mut [Word]) {
    let mut last_end = 0;
    for span in words.iter_mut().filter_map(|word| word.span.as_mut()) {
        span.start = span.start.max(last_end);
        span.end = span.end.max(span.start);
        last_end = span.end;
    }
}

/// The index of the first of `words` that comes after what is settled: where the words before it are most like the settled
/// ones (fewest insertions, deletions and replacements; of equals, the one nearest to as many words).
fn after_settled(settled: &[Word], words: &[Word]) -> usize {
    // One row of the edit distance's table: from all settled words so far to each beginning of `words`.
    let mut distances: Vec<usize> = (0..=words.len()).collect();
    for (row, settled) in settled.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut distances[0], row + 1);
        for (column, word) in words.iter().enumerate() {
            let replaced = diagonal + usize::from(settled.text != word.text);
            diagonal = distances[column + 1];
            distances[column + 1] = replaced.min(diagonal + 1).min(distances[column] + 1);
        }
    }
    let nearest = |&index: &usize| (distances[index], index.abs_diff(settled.len()));
    (0..=words.len()).min_by_key(nearest).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Settling;
    use crate::segment::Word;

    fn words(text: &str, confidence: f32) -> Vec<Word> {
        let words = text.split(' ').filter(|word| !word.is_empty());
        words.map(|word| Word { text: word.into(), span: None, confidence }).collect()
    }

    /// What is shown, with a bar after the settled words.
    fn shown(settling: &mut Settling, text: &str, confidence: f32) -> String {
        let (words, settled) = settling.partial(words(text, confidence));
        let texts: Vec<_> = words.iter().map(|word| word.text.as_str()).collect();
        format!("{}|{}", texts[..settled].join(" "), texts[settled..].join(" "))
    }

    #[test]
    fn words_settle_when_hypotheses_in_a_row_agree_on_them_but_for_the_last() {
        let mut settling = Settling::default();
        assert_eq!(shown(&mut settling, "a b c", 1.0), "|a b c");
        assert_eq!(shown(&mut settling, "a b c", 1.0), "|a b c");
        assert_eq!(shown(&mut settling, "a b c d", 1.0), "|a b c d");
        assert_eq!(shown(&mut settling, "a b x d e", 1.0), "|a b x d e");
        assert_eq!(shown(&mut settling, "a b x d e", 1.0), "a b|x d e");
        assert_eq!(shown(&mut settling, "a b x", 1.0), "a b|x");
        assert!(!settling.differs(&words("a b c y", 1.0)));
        settling.clear();
        assert_eq!(shown(&mut settling, "z y", 1.0), "|z y");
    }

    #[test]
    fn words_that_the_model_is_less_sure_of_settle_later() {
        let mut settling = Settling::default();
        for _ in 0..17 {
            assert_eq!(shown(&mut settling, "a b", 0.5), "|a b");
        }
        assert_eq!(shown(&mut settling, "a b", 0.5), "a|b");
    }

    #[test]
    fn settled_words_stay_where_a_hypothesis_has_others() {
        let mut settling = Settling::default();
        for _ in 0..5 {
            shown(&mut settling, "I am going to the big store", 1.0);
        }
        assert_eq!(shown(&mut settling, "I am going to the big store", 1.0), "I am going to the big|store");
        assert_eq!(shown(&mut settling, "I'm going to the big store now", 1.0), "I am going to the big|store now");
        assert_eq!(shown(&mut settling, "I'm going", 1.0), "I am going to the big|");
        assert_eq!(shown(&mut settling, "", 1.0), "I am going to the big|");
        assert!(settling.differs(&words("I'm going to the big store", 1.0)));
        assert!(settling.differs(&words("I am going", 1.0)));
    }
}
