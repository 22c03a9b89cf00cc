//! Tokens to text, for SentencePiece vocabularies: `▁` stands for a space, and characters that are no pieces of their
//! own are spelled byte by byte.
//!
//! A character can therefore be spread over several tokens. Text is made of the bytes of all tokens together, so that
//! none is ever cut.

use std::ops::Range;

use crate::error::Error;
use crate::gguf::{Metadata, StringList};

const MODEL_KEY: &str = "tokenizer.ggml.model";
const TOKENS_KEY: &str = "tokenizer.ggml.tokens";
const TYPES_KEY: &str = "tokenizer.ggml.token_type";
const START_KEY: &str = "tokenizer.ggml.bos_token_id";
const END_KEY: &str = "tokenizer.ggml.eos_token_id";

/// `▁`, which SentencePiece writes for a space.
const SPACE_MARK: &str = "\u{2581}";

/// What a piece is, by the numbers that GGUF has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PieceKind {
    /// Text.
    Normal,
    /// Stands for what the vocabulary cannot say, or steers the model: no text.
    Silent,
    /// One byte of a character.
    Byte,
}

/// The vocabulary of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokenizer {
    /// The bytes of all pieces, one after the other, as they appear in text.
    bytes: Vec<u8>,
    /// Where the bytes of each piece end.
    ends: Vec<u32>,
    start: u32,
    end: u32,
}

impl Tokenizer {
    /// Reads a vocabulary, and takes its pieces out of the metadata.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] where it is no SentencePiece vocabulary, and [`Error::MalformedModel`] where
    /// something is missing, of another type or of another length, a piece has a type that is none, a byte piece is not
    /// written `<0xNN>`, or the start or end token is not in the vocabulary.
    pub fn from_metadata(metadata: &mut Metadata) -> Result<Self, Error> {
        let model = metadata.string(MODEL_KEY)?;
        if model != "llama" {
            return Err(Error::UnsupportedModel(format!("its tokenizer is `{model}`, and known is `llama`")));
        }
        let pieces = metadata.strings(TOKENS_KEY)?.len();
        let start = token_id(metadata, START_KEY, pieces)?;
        let end = token_id(metadata, END_KEY, pieces)?;
        let types = metadata.i32s(TYPES_KEY)?;
        if types.len() != pieces {
            return Err(metadata.malformed(TYPES_KEY, format_args!("has {} entries for {pieces} pieces", types.len())));
        }
        let kinds = types.iter().map(|&code| piece_kind(code)).collect::<Result<Vec<_>, _>>();
        let kinds = kinds.map_err(|code| metadata.malformed(TYPES_KEY, format_args!("has a type {code}")))?;
        let offset = metadata.offset(TOKENS_KEY);
        let (bytes, ends) =
            surface(metadata.take_strings(TOKENS_KEY)?, &kinds).map_err(|id| Error::MalformedModel {
                offset,
                message: format!("piece {id} of `{TOKENS_KEY}` should be a byte, and is not written `<0xNN>`"),
            })?;
        Ok(Self { bytes, ends, start, end })
    }

    /// The number of tokens.
    #[must_use]
    pub fn vocabulary_tokens(&self) -> usize {
        self.ends.len()
    }

    /// A vocabulary of so many tokens, none of which has any text.
    #[cfg(test)]
    pub(crate) fn silent(tokens: usize) -> Self {
        Self { bytes: Vec::new(), ends: vec![0; tokens], start: 1, end: 2 }
    }

    /// The token that every sequence begins with.
    #[must_use]
    pub fn bos(&self) -> u32 {
        self.start
    }

    /// The token that ends a sequence.
    #[must_use]
    pub fn eos(&self) -> u32 {
        self.end
    }

    /// The bytes that a token adds to the text: part of a character, or any number of characters, spaces included. None
    /// for control tokens, and for ids that are not in the vocabulary.
    #[must_use]
    pub fn piece_bytes(&self, id: u32) -> &[u8] {
        let piece = usize::try_from(id).ok().and_then(|id| {
            let end = *self.ends.get(id)?;
            let start = id.checked_sub(1).map_or(0, |before| self.ends[before]);
            Some(&self.bytes[start as usize..end as usize])
        });
        piece.unwrap_or_default()
    }

    /// The text of a sequence that is complete, without surrounding space. Bytes that make no character become U+FFFD.
    #[must_use]
    pub fn decode(&self, tokens: &[u32]) -> String {
        String::from_utf8_lossy(&self.text_bytes(tokens)).trim().to_owned()
    }

    /// The text of a sequence that goes on: as [`Tokenizer::decode`], but a last character of which bytes are still to
    /// come is left out. It is the beginning of the text of any longer sequence.
    #[must_use]
    pub fn decode_partial(&self, tokens: &[u32]) -> String {
        let mut bytes = self.text_bytes(tokens);
        let last = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
        // `error_len` is none where the bytes are only too few.
        if std::str::from_utf8(last).is_err_and(|error| error.error_len().is_none()) {
            bytes.truncate(bytes.len() - last.len());
        }
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    /// The words of a sequence that is complete: what stands between spaces in [`Tokenizer::decode`]'s text, and the
    /// range of indexes in `tokens` that it was made from. Tokens that are only space belong to no word; one that has
    /// parts of two words belongs to both.
    #[must_use]
    pub fn words(&self, tokens: &[u32]) -> Vec<(String, Range<usize>)> {
        let bytes = self.text_bytes(tokens);
        let mut token_ends = Vec::with_capacity(tokens.len());
        let mut token_end = 0;
        token_ends.extend(tokens.iter().map(|&id| {
            token_end += self.piece_bytes(id).len();
            token_end
        }));
        let token_of = |byte: usize| token_ends.partition_point(|&end| end <= byte);

        let mut words: Vec<(String, Range<usize>)> = Vec::new();
        let mut within_word = false;
        for (span, character) in characters(&bytes) {
            if character.is_whitespace() {
                within_word = false;
                continue;
            }
            let after = token_of(span.end - 1) + 1;
            match words.last_mut() {
                Some((text, range)) if within_word => {
                    text.push(character);
                    range.end = after;
                }
                _ => words.push((character.into(), token_of(span.start)..after)),
            }
            within_word = true;
        }
        words
    }

    fn text_bytes(&self, tokens: &[u32]) -> Vec<u8> {
        tokens.iter().flat_map(|&id| self.piece_bytes(id)).copied().collect()
    }
}

/// The characters of a text, each with the bytes it stands in; U+FFFD for each ill-formed sequence.
fn characters(bytes: &[u8]) -> impl Iterator<Item = (Range<usize>, char)> {
    let mut end = 0;
    bytes.utf8_chunks().flat_map(move |chunk| {
        let start = end;
        let invalid = start + chunk.valid().len();
        end = invalid + chunk.invalid().len();
        let valid = chunk.valid().char_indices();
        let replaced = (!chunk.invalid().is_empty()).then_some((invalid..end, char::REPLACEMENT_CHARACTER));
        valid
            .map(move |(index, character)| {
                let at = start + index;
                (at..at + character.len_utf8(), character)
            })
            .chain(replaced)
    })
}

fn token_id(metadata: &Metadata, key: &str, pieces: usize) -> Result<u32, Error> {
    let id = metadata.u32(key)?;
    match usize::try_from(id) {
        Ok(index) if index < pieces => Ok(id),
        _ => Err(metadata.malformed(key, format_args!("is {id}, and the vocabulary has {pieces} pieces"))),
    }
}

fn piece_kind(code: i32) -> Result<PieceKind, i32> {
    match code {
        1 => Ok(PieceKind::Normal),
        2 | 3 => Ok(PieceKind::Silent),
        6 => Ok(PieceKind::Byte),
        other => Err(other),
    }
}

/// Turns pieces into what they add to a text. That is never longer, so it is done in place. Fails with the index of a
/// byte piece that is none.
fn surface(pieces: StringList, kinds: &[PieceKind]) -> Result<(Vec<u8>, Vec<u32>), usize> {
    let (text, mut ends) = pieces.into_parts();
    let mut bytes = text.into_bytes();
    let mut read = 0;
    let mut write = 0;
    for (id, (end, kind)) in ends.iter_mut().zip(kinds).enumerate() {
        let piece_end = *end as usize;
        match kind {
            PieceKind::Silent => {}
            PieceKind::Byte => {
                bytes[write] = byte_of(&bytes[read..piece_end]).ok_or(id)?;
                write += 1;
            }
            PieceKind::Normal => {
                while read < piece_end {
                    if bytes[read..piece_end].starts_with(SPACE_MARK.as_bytes()) {
                        bytes[write] = b' ';
                        read += SPACE_MARK.len();
                    } else {
                        bytes[write] = bytes[read];
                        read += 1;
                    }
                    write += 1;
                }
            }
        }
        read = piece_end;
        // Less than what stood there before, so it fits as that did.
        *end = u32::try_from(write).unwrap_or(u32::MAX);
    }
    bytes.truncate(write);
    bytes.shrink_to_fit();
    Ok((bytes, ends))
}

/// The byte that a piece `<0xNN>` stands for.
fn byte_of(piece: &[u8]) -> Option<u8> {
    let digits = piece.strip_prefix(b"<0x")?.strip_suffix(b">")?;
    let [high, low] = *digits else { return None };
    let digit = |code: u8| char::from(code).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}
