//! Model files with one thing wrong, at many places, through the component: each is refused as what it is, or transcribes.

mod models_support;

use auricle::{Engine, Error};
use models_support::tiny::{self, Random};
use models_support::{damage, gguf};

/// Most bits of a header are text of the vocabulary, which may be any: every so many bytes of it is enough.
const STRIDE_IN_VOCABULARY: usize = 37;

/// Loads the bytes and transcribes a fifth of a second of noise.
fn transcribe(engine: &Engine, bytes: &[u8], total_bytes: Option<u64>) -> auricle::Result<()> {
    let model = engine.load_model_from_reader(bytes, total_bytes)?;
    let mut session = model.session(model.default_options())?;
    let mut random = Random(3);
    let noise: Vec<f32> = (0..3_200).map(|_| f32::from(random.next_u8()) / 128.0 - 1.0).collect();
    session.push_audio(&noise)?;
    session.finish()?;
    session.drain(drop)
}

/// An error that says something is wrong with the file, and where or what.
#[track_caller]
fn assert_refusal(error: &Error, len: usize, what: &str) {
    match error {
        Error::MalformedModel(fault) => assert!(fault.offset <= len as u64, "{what}: {error}"),
        Error::UnsupportedModel(message) => assert!(!message.is_empty(), "{what}"),
        // A sound file whose hyperparameters leave nothing to be heard, such as a longest utterance of a few samples.
        Error::IncompleteModel(_) | Error::LimitExceeded(_) => {}
        other => panic!("{what}: {other:?}"),
    }
}

fn tiny_model() -> Vec<u8> {
    gguf::model(&tiny::tensors(), "q8", &gguf::Card { name: "tiny", languages: &["en"], source: "made up" })
}

#[test]
fn bit_flipped_anywhere_in_the_header_is_refused_or_does_no_harm() {
    let engine = Engine::new().unwrap();
    let whole = tiny_model();
    transcribe(&engine, &whole, Some(whole.len() as u64)).expect("the model is sound");
    let vocabulary =
        damage::value_at(&whole, "tokenizer.ggml.tokens")..damage::value_at(&whole, "tokenizer.ggml.token_type");
    let (mut refused, mut taken) = (0, 0);
    for at in 0..damage::data_offset(&whole) {
        if vocabulary.contains(&at) && at % STRIDE_IN_VOCABULARY != 0 {
            continue;
        }
        // In turn the least and the greatest bit of a byte, and one between.
        let bit = [0, 7, 4][at % 3];
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << bit;
        match transcribe(&engine, &bytes, Some(bytes.len() as u64)) {
            Ok(()) => taken += 1,
            Err(error) => {
                assert_refusal(&error, bytes.len(), &format!("bit {bit} of byte {at}"));
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {taken} taken");
    assert!(refused > taken && taken > 0, "{refused} refused, {taken} taken");
}

#[test]
fn file_cut_anywhere_is_refused_whether_its_length_is_known_or_not() {
    let engine = Engine::new().unwrap();
    let whole = tiny_model();
    let data = damage::data_offset(&whole);
    for cut in (0..data).step_by(61).chain((data..whole.len()).step_by(499)).chain([data - 1, whole.len() - 1]) {
        for total_bytes in [Some(cut as u64), Some(whole.len() as u64), None] {
            let error = transcribe(&engine, &whole[..cut], total_bytes).expect_err("a part is no model");
            assert_refusal(&error, cut, &format!("cut at {cut}, {total_bytes:?}"));
            if total_bytes != Some(cut as u64) {
                assert!(matches!(error, Error::IncompleteModel(_)), "cut at {cut}, {total_bytes:?}: {error}");
            }
        }
    }
}

#[test]
fn bit_flipped_anywhere_in_the_weights_does_no_harm() {
    let engine = Engine::new().unwrap();
    let whole = tiny_model();
    for at in (damage::data_offset(&whole)..whole.len()).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        if let Err(error) = transcribe(&engine, &bytes, Some(bytes.len() as u64)) {
            assert_refusal(&error, bytes.len(), &format!("byte {at}"));
        }
    }
}
