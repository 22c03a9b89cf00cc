//! The tokenizer's pieces, from the `tokenizer.bin` of the `moonshine-voice` package or from Hugging Face's
//! `tokenizer.json`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::models::error::SourceError;

/// What a piece stands for, with llama.cpp's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PieceKind {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    Byte = 6,
}

/// Pieces by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokenizer {
    /// `▁` (U+2581) stands for a space; bytes are `<0x00>` to `<0xFF>`.
    pub(crate) pieces: Vec<String>,
    /// As many as `pieces`.
    pub(crate) kinds: Vec<PieceKind>,
    /// With which the decoder starts.
    pub(crate) start_id: u32,
    /// With which it ends.
    pub(crate) end_id: u32,
}

/// `tokenizer.bin` has no table of kinds; its first ids are fixed.
mod bin {
    pub(super) const FILE: &str = "tokenizer.bin";
    pub(super) const UNKNOWN_ID: usize = 0;
    pub(super) const START_ID: u32 = 1;
    pub(super) const END_ID: u32 = 2;
    /// Id of the byte 0; the other bytes follow in order, each an entry of that one byte.
    pub(super) const FIRST_BYTE_ID: usize = 3;
}

impl Tokenizer {
    /// Reads entries of a length and that many bytes; a first length byte with its top bit set is followed by a second:
    /// `length = (first & 0x7f) | (second << 7)`.
    ///
    /// # Errors
    ///
    /// [`SourceError::Corrupt`] with the offset of an entry that ends early or is not UTF-8.
    pub(crate) fn from_bin(bytes: &[u8]) -> Result<Self, SourceError> {
        let (mut pieces, mut kinds) = (Vec::new(), Vec::new());
        let mut rest = bytes;
        while !rest.is_empty() {
            let id = pieces.len();
            let offset = bytes.len() - rest.len();
            let corrupt = |problem: &str| SourceError::Corrupt {
                part: bin::FILE.to_owned(),
                problem: format!("the entry of id {id} at byte {offset} {problem}"),
            };
            let entry = take_entry(&mut rest).ok_or_else(|| corrupt("ends after the file"))?;
            let byte_value = id.checked_sub(bin::FIRST_BYTE_ID).and_then(|value| u8::try_from(value).ok());
            let (piece, kind) = match (byte_value, entry) {
                (Some(value), [byte]) if value == *byte => (format!("<0x{byte:02X}>"), PieceKind::Byte),
                _ => {
                    let piece = str::from_utf8(entry).map_err(|_| corrupt("is not UTF-8"))?;
                    (piece.to_owned(), kind_of_bin_piece(id, piece))
                }
            };
            pieces.push(piece);
            kinds.push(kind);
        }
        Ok(Self { pieces, kinds, start_id: bin::START_ID, end_id: bin::END_ID })
    }

    /// Reads Hugging Face's `tokenizer.json`; start and end come from `config.json`.
    ///
    /// # Errors
    ///
    /// [`SourceError::Corrupt`] for what is no such file, gives an id twice, or leaves one out.
    pub(crate) fn from_hugging_face(json: &[u8], start_id: u32, end_id: u32) -> Result<Self, SourceError> {
        let corrupt = |problem: String| SourceError::Corrupt { part: "tokenizer.json".to_owned(), problem };
        let file: TokenizerJson = serde_json::from_slice(json).map_err(|error| corrupt(error.to_string()))?;
        let mut by_id = BTreeMap::new();
        for (piece, id) in file.model.vocab {
            let kind = match file.model.unk_token.as_deref() {
                Some(unknown) if unknown == piece => PieceKind::Unknown,
                _ if is_byte_piece(&piece) => PieceKind::Byte,
                _ => PieceKind::Normal,
            };
            if let Some((other, _)) = by_id.insert(id, (piece, kind)) {
                return Err(corrupt(format!("id {id} is given twice, once to `{other}`")));
            }
        }
        for added in file.added_tokens {
            let slot = by_id.entry(added.id).or_insert_with(|| (added.content.clone(), PieceKind::Normal));
            if slot.0 != added.content {
                return Err(corrupt(format!("id {} is `{}` and also `{}`", added.id, slot.0, added.content)));
            }
            if added.special && slot.1 == PieceKind::Normal {
                slot.1 = PieceKind::Control;
            }
        }
        if let Some((expected, _)) = (0_u32..).zip(by_id.keys()).find(|(expected, id)| expected != *id) {
            return Err(corrupt(format!("no piece has the id {expected}")));
        }
        let (pieces, kinds) = by_id.into_values().unzip();
        Ok(Self { pieces, kinds, start_id, end_id })
    }

    /// Whether it fits a model with that many tokens.
    pub(super) fn check(&self, vocab_size: u32) -> Result<(), SourceError> {
        let corrupt = |problem: String| Err(SourceError::Corrupt { part: "tokenizer".to_owned(), problem });
        if self.pieces.len() != vocab_size as usize {
            return corrupt(format!("it has {} pieces, the model {vocab_size} tokens", self.pieces.len()));
        }
        match [self.start_id, self.end_id].into_iter().find(|id| *id >= vocab_size) {
            Some(id) => corrupt(format!("there is no piece for the start or end token {id}")),
            None => Ok(()),
        }
    }
}

fn take_entry<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (first, mut tail) = rest.split_first()?;
    let mut length = usize::from(first & 0x7f);
    if first & 0x80 != 0 {
        let (second, after) = tail.split_first()?;
        length |= usize::from(*second) << 7;
        tail = after;
    }
    let (entry, after) = tail.split_at_checked(length)?;
    *rest = after;
    Some(entry)
}

fn kind_of_bin_piece(id: usize, piece: &str) -> PieceKind {
    // The names that Moonshine's authors gave to tokens they kept free for later use: `<<ST_0>>` to `<<ST_767>>`.
    let spare = piece.strip_prefix("<<ST_").and_then(|piece| piece.strip_suffix(">>"));
    match id {
        bin::UNKNOWN_ID => PieceKind::Unknown,
        _ if id == bin::START_ID as usize || id == bin::END_ID as usize => PieceKind::Control,
        _ if spare.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit())) => PieceKind::Control,
        _ => PieceKind::Normal,
    }
}

fn is_byte_piece(piece: &str) -> bool {
    (piece.strip_prefix("<0x").and_then(|piece| piece.strip_suffix('>')))
        .is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

#[derive(Deserialize)]
struct TokenizerJson {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    model: TokenizerModel,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct TokenizerModel {
    unk_token: Option<String>,
    vocab: BTreeMap<String, u32>,
}
