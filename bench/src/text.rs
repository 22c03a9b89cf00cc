//! Texts: of the peers' tokens, and how two differ.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// What stands for a space in a token.
const SPACE: &str = "\u{2581}";

/// The texts of the peers' tokens, by id.
#[derive(Debug)]
pub struct Tokenizer(Vec<Vec<u8>>);

impl Tokenizer {
    /// Reads `tokenizer.bin`.
    ///
    /// # Errors
    ///
    /// Where it cannot be read or is cut short.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&bytes).with_context(|| format!("{} is cut short", path.display()))
    }

    /// Each token is its length and its bytes. A length of 128 and more has two bytes, the low seven bits first.
    fn parse(mut bytes: &[u8]) -> Option<Self> {
        let mut tokens = Vec::new();
        while let Some((&first, rest)) = bytes.split_first() {
            bytes = rest;
            let mut length = usize::from(first);
            if first & 0x80 != 0 {
                let (&second, rest) = bytes.split_first()?;
                bytes = rest;
                length = usize::from(first & 0x7f) | usize::from(second) << 7;
            }
            let (token, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            tokens.push(token.to_owned());
        }
        Some(Self(tokens))
    }

    /// The text of some tokens, without surrounding space. Ids that do not exist have none.
    #[must_use]
    pub fn text(&self, ids: &[u32]) -> String {
        let token = |id: &u32| usize::try_from(*id).ok().and_then(|id| self.0.get(id));
        let bytes: Vec<u8> = ids.iter().filter_map(token).flatten().copied().collect();
        String::from_utf8_lossy(&bytes).replace(SPACE, " ").trim().to_owned()
    }
}

/// How many words must be inserted, deleted or replaced to make one text of the other; punctuation belongs to its word.
#[must_use]
pub fn words_apart(one: &str, other: &str) -> usize {
    let other: Vec<_> = other.split_whitespace().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, word) in one.split_whitespace().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, with) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(word != *with);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_text_with_spaces_also_where_a_length_has_two_bytes() {
        let long = "x".repeat(130);
        let mut file = vec![8];
        file.extend("\u{2581}Hello".as_bytes());
        file.extend([0x82, 0x01]);
        file.extend(long.as_bytes());
        let tokenizer = Tokenizer::parse(&file).expect("whole");
        assert_eq!(tokenizer.text(&[0, 1, 7]), format!("Hello{long}"));
        assert!(Tokenizer::parse(&file[..20]).is_none());
    }

    #[test]
    fn distance_counts_the_words_that_differ() {
        assert_eq!(words_apart("It was the best", "It was the best"), 0);
        assert_eq!(words_apart("It was the best", "it was best of"), 3);
        assert_eq!(words_apart("", "a b"), 2);
    }
}
