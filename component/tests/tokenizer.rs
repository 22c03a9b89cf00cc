//! Text out of tokens, with characters spread over several of them.

mod support;

use auricle_component::error::Error;
use auricle_component::tokenizer::Tokenizer;

use support::gguf::{GgufFile, Value};
use support::{Random, assert_malformed, assert_unsupported, metadata_of};

/// Unknown, start, end, the bytes 0 to 255, then these.
const WORDS: [&str; 9] =
    ["\u{2581}", "\u{2581}Hello", "lo", "\u{2581}World", "!", "\u{e9}", "a\u{2581}b", "\u{65e5}", ""];

const FIRST_BYTE: u32 = 3;
const FIRST_WORD: u32 = FIRST_BYTE + 256;

fn file() -> GgufFile {
    let mut file = support::common_metadata("tiny", "f32", FIRST_WORD as usize);
    let Some((_, Value::Strings(pieces))) = file.metadata.iter_mut().find(|entry| entry.0 == "tokenizer.ggml.tokens")
    else {
        panic!("the metadata have pieces")
    };
    pieces.extend(WORDS.map(str::to_owned));
    let mut types = vec![2, 3, 3];
    types.resize(FIRST_WORD as usize, 6);
    types.resize(FIRST_WORD as usize + WORDS.len(), 1);
    file.set("tokenizer.ggml.token_type", Value::I32s(types));
    file
}

fn read(file: &GgufFile) -> Result<Tokenizer, Error> {
    Tokenizer::from_metadata(&mut metadata_of(&file.header())?)
}

fn tokenizer() -> Tokenizer {
    read(&file()).expect("the vocabulary is well formed")
}

fn word(text: &str) -> u32 {
    FIRST_WORD + WORDS.iter().position(|piece| *piece == text).expect("it is a piece") as u32
}

/// A text spelled byte by byte.
fn bytes(text: &[u8]) -> Vec<u32> {
    text.iter().map(|&byte| FIRST_BYTE + u32::from(byte)).collect()
}

#[test]
fn marks_become_spaces_and_surrounding_space_is_trimmed() {
    let tokens = [word("\u{2581}Hello"), word("!"), word("\u{2581}World"), word("a\u{2581}b"), word("\u{2581}")];
    assert_eq!(tokenizer().decode(&tokens), "Hello! Worlda b");
    assert_eq!(tokenizer().decode(&[]), "");
    assert_eq!(tokenizer().decode(&[word("\u{2581}")]), "");
}

#[test]
fn control_tokens_and_ids_beyond_the_vocabulary_say_nothing() {
    let tokenizer = tokenizer();
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (1, 2));
    assert_eq!(tokenizer.vocabulary_tokens(), FIRST_WORD as usize + WORDS.len());
    let tokens = [1, word("\u{2581}Hello"), 0, 2, u32::MAX, FIRST_WORD + WORDS.len() as u32, word("!")];
    assert_eq!(tokenizer.decode(&tokens), "Hello!");
    for silent in [0, 1, 2, u32::MAX] {
        assert_eq!(tokenizer.piece_bytes(silent), b"");
    }
    assert_eq!(tokenizer.piece_bytes(word("a\u{2581}b")), b"a b");
    assert_eq!(tokenizer.piece_bytes(FIRST_BYTE + 0xff), [0xff]);
}

#[test]
fn characters_spelled_in_bytes_come_together() {
    let tokenizer = tokenizer();
    for text in ["caf\u{e9}", "\u{65e5}\u{672c}", "\u{1f600} ok", "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10ffff}"] {
        assert_eq!(tokenizer.decode(&bytes(text.as_bytes())), text);
    }
    // A character begun in bytes and ended after a control token.
    let mut tokens = bytes(b"\xe6\x97");
    tokens.push(2);
    tokens.extend(bytes(b"\xa5"));
    tokens.push(word("\u{65e5}"));
    assert_eq!(tokenizer.decode(&tokens), "\u{65e5}\u{65e5}");
}

#[test]
fn ill_formed_bytes_become_replacement_characters() {
    let tokenizer = tokenizer();
    assert_eq!(tokenizer.decode(&bytes(b"a\xffb\xc3")), "a\u{fffd}b\u{fffd}");
    assert_eq!(tokenizer.decode(&bytes(b"\xe6\x97!\xed\xa0\x80")), "\u{fffd}!\u{fffd}\u{fffd}\u{fffd}");
}

#[test]
fn partial_text_holds_a_character_back_until_it_is_whole() {
    let tokenizer = tokenizer();
    let mut tokens = vec![word("\u{2581}Hello")];
    for (byte, text) in [(0xf0, "Hello"), (0x9f, "Hello"), (0x98, "Hello"), (0x80, "Hello\u{1f600}")] {
        tokens.extend(bytes(&[byte]));
        assert_eq!(tokenizer.decode_partial(&tokens), text);
    }
    // A byte that can begin nothing is not waited for, and one that the next shows to be wrong no longer.
    assert_eq!(tokenizer.decode_partial(&bytes(b"a\xff")), "a\u{fffd}");
    assert_eq!(tokenizer.decode_partial(&bytes(b"a\xe6\x97")), "a");
    assert_eq!(tokenizer.decode_partial(&bytes(b"a\xe6\x97b")), "a\u{fffd}b");
    assert_eq!(tokenizer.decode(&bytes(b"a\xe6\x97")), "a\u{fffd}");
}

#[test]
fn words_have_the_tokens_they_were_made_from() {
    let tokenizer = tokenizer();
    let mut tokens = vec![1, word("\u{2581}Hello"), word("!"), word("\u{2581}")];
    tokens.extend(bytes("\u{65e5}\u{672c}".as_bytes()));
    tokens.extend([word("\u{2581}World"), word("\u{e9}"), word("a\u{2581}b"), word("lo"), 2]);
    let expected = [("Hello!", 1..3), ("\u{65e5}\u{672c}", 4..10), ("World\u{e9}a", 10..13), ("blo", 12..14)];
    assert_eq!(tokenizer.words(&tokens), expected.map(|(text, range)| (text.to_owned(), range)));
    assert_eq!(tokenizer.words(&[]), []);
    assert_eq!(tokenizer.words(&[1, word("\u{2581}"), 2]), []);
}

#[test]
fn words_with_ill_formed_bytes_keep_their_tokens() {
    let tokenizer = tokenizer();
    let tokens = bytes(b"a\xe6\x97 \xffb\xc3");
    let expected = [("a\u{fffd}".to_owned(), 0..3), ("\u{fffd}b\u{fffd}".to_owned(), 4..7)];
    assert_eq!(tokenizer.words(&tokens), expected);
}

#[test]
fn for_random_tokens_words_partial_and_final_text_agree() {
    let tokenizer = tokenizer();
    let mut random = Random::new(3);
    // Bytes that meet often: parts of characters, letters and spaces.
    let often = bytes(b"\xf0\x9f\x98\x80\xe6\x97\xa5\xc3\xa9 a\xff");
    for _ in 0..5_000 {
        let tokens: Vec<u32> = (0..random.below(30))
            .map(|_| match random.below(3) {
                0 => random.below(FIRST_WORD as usize + WORDS.len() + 2) as u32,
                1 => FIRST_WORD + random.below(WORDS.len()) as u32,
                _ => often[random.below(often.len())],
            })
            .collect();
        let text = tokenizer.decode(&tokens);
        for count in 0..=tokens.len() {
            let partial = tokenizer.decode_partial(&tokens[..count]);
            assert!(text.starts_with(&partial), "{partial:?} of {text:?}");
        }
        let words = tokenizer.words(&tokens);
        let texts: Vec<&str> = words.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, text.split_whitespace().collect::<Vec<_>>());
        for (text, range) in &words {
            assert!(!range.is_empty() && range.end <= tokens.len());
            assert!(tokenizer.decode(&tokens[range.clone()]).contains(text.trim_matches('\u{fffd}')), "{text:?}");
        }
        for pair in words.windows(2) {
            // One token at most has parts of two words.
            assert!(pair[0].1.start <= pair[1].1.start && pair[0].1.end <= pair[1].1.start + 1);
        }
    }
}

// ---------------------------------------------------------------- what is refused

#[test]
fn another_kind_of_tokenizer_is_unsupported() {
    let mut file = file();
    file.set("tokenizer.ggml.model", Value::String("gpt2".into()));
    assert_unsupported(&read(&file).unwrap_err(), &["gpt2", "llama"]);
}

#[test]
fn types_that_do_not_match_the_pieces_are_refused() {
    let mut file = file();
    let at = file.value_offset("tokenizer.ggml.token_type");
    file.set("tokenizer.ggml.token_type", Value::I32s(vec![1; 3]));
    assert_malformed(&read(&file).unwrap_err(), at, &["token_type", "3", &(FIRST_WORD as usize + 9).to_string()]);
    file.set("tokenizer.ggml.token_type", Value::I32s(vec![7; FIRST_WORD as usize + WORDS.len()]));
    assert_malformed(&read(&file).unwrap_err(), at, &["token_type", "7"]);
}

#[test]
fn byte_pieces_that_are_none_are_refused() {
    for piece in ["", "<0x>", "<0x4>", "<0x414>", "<0xG0>", "<0x+1>", "0x41", "A"] {
        let mut file = file();
        file.set("tokenizer.ggml.tokens", Value::Strings(vec![piece.into(), "<s>".into(), "</s>".into()]));
        file.set("tokenizer.ggml.token_type", Value::I32s(vec![6, 3, 3]));
        let at = file.value_offset("tokenizer.ggml.tokens");
        assert_malformed(&read(&file).unwrap_err(), at, &["piece 0", "<0xNN>"]);
    }
}

#[test]
fn start_and_end_tokens_beyond_the_vocabulary_are_refused() {
    for key in ["tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"] {
        for id in [FIRST_WORD + WORDS.len() as u32, u32::MAX] {
            let mut file = file();
            file.set(key, Value::U32(id));
            let at = file.value_offset(key);
            assert_malformed(&read(&file).unwrap_err(), at, &[key, &id.to_string()]);
        }
    }
}

#[test]
fn an_empty_vocabulary_is_refused() {
    let mut file = file();
    file.set("tokenizer.ggml.tokens", Value::Strings(Vec::new()));
    file.set("tokenizer.ggml.token_type", Value::I32s(Vec::new()));
    let at = file.value_offset("tokenizer.ggml.bos_token_id");
    assert_malformed(&read(&file).unwrap_err(), at, &["bos_token_id", "0 pieces"]);
}
