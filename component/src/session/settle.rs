//! Which words of a segment under way are settled: those that hypotheses after one another agree on.
//!
//! The rule is LocalAgreement (Liu, Spanakis, Niehues: "Low-Latency Sequence-to-Sequence Speech Recognition and
//! Translation by Partial Hypothesis Selection", 2020), with the newest words held back: what a model makes of audio that
//! ends within a word is often another word.

use crate::segment::Word;

/// So many hypotheses in a row have to agree on a word.
const AGREEING: usize = 2;
/// The last words of a hypothesis, which more audio may still change.
const HELD_BACK: usize = 2;

/// The settled words of a segment under way.
#[derive(Debug, Default)]
pub(super) struct Settling {
    settled: Vec<Word>,
    /// The latest hypotheses, oldest first: at most one fewer than have to agree.
    earlier: Vec<Vec<String>>,
}

impl Settling {
    /// Forgets everything, for another segment.
    pub(super) fn clear(&mut self) {
        self.settled.clear();
        self.earlier.clear();
    }

    /// Takes the words of the next hypothesis. Gives the words to show, the first of which are settled, and how many are.
    ///
    /// Settled words stay as they are: where the hypothesis has others in their place, it is shown from where those end.
    pub(super) fn partial(&mut self, words: Vec<Word>) -> (Vec<Word>, usize) {
        let texts: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
        let tail = after_settled(&self.settled, &words);
        let agrees = self.settled.iter().zip(&words).all(|(settled, word)| settled.text == word.text);
        let mut shown: Vec<Word> = self.settled.clone();
        shown.extend_from_slice(&words[tail..]);
        if agrees && self.earlier.len() + 1 == AGREEING {
            let agreed = self.earlier.iter().map(|earlier| common(earlier, &texts)).min().unwrap_or(0);
            let agreed = agreed.min(texts.len().saturating_sub(HELD_BACK));
            if agreed > self.settled.len() {
                self.settled.clone_from(&words[..agreed].to_vec());
                shown = words;
            }
        }
        if self.earlier.len() + 1 == AGREEING {
            self.earlier.remove(0);
        }
        self.earlier.push(texts);
        let settled = self.settled.len();
        (shown, settled)
    }

    /// Whether the final words differ from what was called settled.
    pub(super) fn differs(&self, words: &[Word]) -> bool {
        self.settled.len() > words.len()
            || self.settled.iter().zip(words).any(|(settled, word)| settled.text != word.text)
    }
}

/// How many words two hypotheses begin with alike.
fn common(a: &[String], b: &[String]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
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

    fn words(text: &str) -> Vec<Word> {
        text.split(' ')
            .filter(|word| !word.is_empty())
            .map(|word| Word { text: word.into(), span: None, confidence: 1.0 })
            .collect()
    }

    /// What is shown, with a bar after the settled words.
    fn shown(settling: &mut Settling, text: &str) -> String {
        let (words, settled) = settling.partial(words(text));
        let texts: Vec<_> = words.iter().map(|word| word.text.as_str()).collect();
        format!("{}|{}", texts[..settled].join(" "), texts[settled..].join(" "))
    }

    #[test]
    fn words_settle_when_two_hypotheses_agree_on_them_but_for_the_last_two() {
        let mut settling = Settling::default();
        assert_eq!(shown(&mut settling, "a b c"), "|a b c");
        assert_eq!(shown(&mut settling, "a b c d"), "a b|c d");
        assert_eq!(shown(&mut settling, "a b c x e f"), "a b c|x e f");
        assert!(!settling.differs(&words("a b c y")));
        settling.clear();
        assert_eq!(shown(&mut settling, "z y"), "|z y");
    }

    #[test]
    fn settled_words_stay_where_a_hypothesis_has_others() {
        let mut settling = Settling::default();
        shown(&mut settling, "I am going to the big store");
        assert_eq!(shown(&mut settling, "I am going to the big store"), "I am going to the|big store");
        assert_eq!(shown(&mut settling, "I'm going to the big store now"), "I am going to the|big store now");
        assert_eq!(shown(&mut settling, "I'm going"), "I am going to the|");
        assert_eq!(shown(&mut settling, ""), "I am going to the|");
        assert!(settling.differs(&words("I'm going to the big store")));
        assert!(settling.differs(&words("I am going")));
    }
}
