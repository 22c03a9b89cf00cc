//! Word error rate: edit distance between word sequences, over the number of words that were said.

use std::fmt;
use std::ops::AddAssign;

/// Counts over any number of clips.
#[derive(Debug, Default)]
pub(crate) struct WordErrors {
    errors: usize,
    words: usize,
}

impl WordErrors {
    /// Adds a clip: what was said, and what was written.
    pub(crate) fn add(&mut self, said: &str, written: &str) {
        let (said, written) = (words(said), words(written));
        self.errors += edit_distance(&said, &written);
        self.words += said.len();
    }

    /// Errors per hundred words said.
    pub(crate) fn percent(&self) -> f64 {
        100.0 * self.errors as f64 / self.words as f64
    }
}

impl AddAssign<&Self> for WordErrors {
    fn add_assign(&mut self, other: &Self) {
        self.errors += other.errors;
        self.words += other.words;
    }
}

impl fmt::Display for WordErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} % ({} of {} words)", self.percent(), self.errors, self.words)
    }
}

/// The words that are compared: lowercase, without punctuation, hyphens as spaces, titles in full, fillers dropped.
fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace(['-', '\u{2013}', '\u{2014}'], " ");
    let word = |word: &str| match word.trim_matches(|c: char| !c.is_alphanumeric() && c != '.') {
        "mr." => "mister".to_owned(),
        "mrs." => "missus".to_owned(),
        word => word.chars().filter(|c| c.is_alphanumeric()).collect(),
    };
    text.split_whitespace().map(word).filter(|word| !matches!(word.as_str(), "" | "uh" | "um")).collect()
}

/// Levenshtein's distance: the fewest insertions, deletions and substitutions.
fn edit_distance(a: &[String], b: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, word) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(word != other);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[test]
fn word_errors_count_edits_after_normalization() {
    let mut errors = WordErrors::default();
    errors.add("Mr. Smith's forty-two, uh, cats!", "mister smiths forty two cats");
    assert_eq!((errors.errors, errors.words), (0, 5));
    errors.add("a b c d", "a x c d e");
    assert_eq!((errors.errors, errors.words), (2, 9));
}
