//! `inspect`: what it says of sound files, and where it says a malformed one is wrong.

mod models_support;

use std::fs;

use auricle::models::gguf::{GgufError, GgufProblem, Header, Value};
use auricle::models::{self, FileKind, Inspection};
use models_support::{gguf, tiny};
use tempfile::TempDir;

fn header(bytes: &[u8]) -> Result<Header, GgufError> {
    Header::read(bytes, bytes.len() as u64)
}

fn card() -> gguf::Card<'static> {
    gguf::Card { name: "made-up", languages: &["en", "de"], source: "made up" }
}

#[test]
fn metadata_and_tensors_of_a_sound_file_are_told() {
    let bytes = gguf::model(&tiny::tensors(), "q8", &card());
    let header = header(&bytes).unwrap();
    assert_eq!(header.text("general.architecture"), Some("moonshine"));
    assert_eq!(header.get("moonshine.vocab_size"), Some(&Value::Unsigned(264)));
    assert_eq!(header.get("moonshine.max_tokens_per_second"), Some(&Value::Float(6.5)));
    let tokens = header.get("tokenizer.ggml.tokens").unwrap();
    assert!(matches!(tokens, Value::Array { len: 264, first } if first.len() == 6));
    assert_eq!(
        tokens.to_string(),
        "[\"<unk>\", \"<s>\", \"</s>\", \"<0x00>\", \"<0x01>\", \"<0x02>\", …] (264 elements)"
    );
    assert_eq!(header.get("general.languages").unwrap().to_string(), "[\"en\", \"de\"]");
    let conv = header.tensors.iter().find(|tensor| tensor.name == "model.encoder.conv2.weight").unwrap();
    assert_eq!((conv.shape.as_slice(), conv.type_name.as_str()), ([32, 16, 7].as_slice(), "I8"));
    assert_eq!(conv.size_bytes, Some(32 * 16 * 7));
    let last = header.tensors.last().unwrap();
    assert_eq!(last.offset + last.size_bytes.unwrap(), bytes.len() as u64);
}

#[test]
fn every_value_type_is_read() {
    let value = |key: &str, number: u32, bytes: &[u8]| {
        [gguf::string(key), number.to_le_bytes().to_vec(), bytes.to_vec()].concat()
    };
    let file = gguf::file(
        &[
            value("u8", 0, &[200]),
            value("i8", 1, &[0xfe]),
            value("u16", 2, &60_000_u16.to_le_bytes()),
            value("i16", 3, &(-3_i16).to_le_bytes()),
            value("i32", 5, &(-70_000_i32).to_le_bytes()),
            value("bool", 7, &[1]),
            value("u64", 10, &u64::MAX.to_le_bytes()),
            value("i64", 11, &i64::MIN.to_le_bytes()),
            value("f64", 12, &0.25_f64.to_le_bytes()),
            gguf::array("none", 6, &[]),
        ],
        &[],
        &[],
    );
    let found: Vec<Value> = header(&file).unwrap().metadata.into_iter().map(|item| item.value).collect();
    let expected = [
        Value::Unsigned(200),
        Value::Signed(-2),
        Value::Unsigned(60_000),
        Value::Signed(-3),
        Value::Signed(-70_000),
        Value::Bool(true),
        Value::Unsigned(u64::MAX),
        Value::Signed(i64::MIN),
        Value::Double(0.25),
        Value::Array { len: 0, first: Vec::new() },
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_file_cut_at_any_byte_is_refused_within_its_length() {
    let whole = gguf::model(&tiny::tensors(), "f32", &card());
    let data_offset = header(&whole).unwrap().data_offset as usize;
    let some_of_the_data = (data_offset..whole.len()).step_by(1009);
    for cut in (0..data_offset).chain(some_of_the_data).chain([whole.len() - 1]) {
        let error = header(&whole[..cut]).unwrap_err();
        assert!(error.offset <= cut as u64, "cut at {cut}: {error}");
        assert!(!matches!(error.problem, GgufProblem::Io(_)), "cut at {cut}: {error}");
    }
}

#[test]
fn flipped_bits_in_the_header_never_panic() {
    let whole = gguf::model(&tiny::tensors(), "q8", &card());
    let data_offset = header(&whole).unwrap().data_offset as usize;
    for at in 0..data_offset {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        if let Err(error) = header(&bytes) {
            assert!(error.offset <= whole.len() as u64, "bit at byte {at}: {error}");
        }
    }
}

#[test]
fn a_malformed_header_is_refused_with_the_offset_of_the_fault() {
    let f32_tensor = |dims: &[u64], offset: u64| gguf::tensor_info("t", dims, 0, offset);
    let with_tensor = |info: Vec<u8>| gguf::file(&[], &[info], &[0; 64]);
    let patch = |at: usize, bytes: &[u8]| {
        let mut file = with_tensor(f32_tensor(&[16], 0));
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    type Check = fn(&GgufProblem) -> bool;
    let cases: Vec<(&str, Vec<u8>, u64, Check)> = vec![
        ("magic", patch(0, b"GGML"), 0, |p| matches!(p, GgufProblem::Magic)),
        ("version 2", patch(4, &[2]), 4, |p| matches!(p, GgufProblem::Version(2))),
        ("tensor count", patch(8, &[0xff; 8]), 24, |p| matches!(p, GgufProblem::Truncated { .. })),
        ("metadata count", patch(16, &[0xff; 8]), 24, |p| matches!(p, GgufProblem::Truncated { .. })),
        ("name length", patch(24, &[0xff; 8]), 32, |p| matches!(p, GgufProblem::Truncated { .. })),
        ("name bytes", patch(32, &[0xff]), 24, |p| matches!(p, GgufProblem::Text { .. })),
        ("no dimensions", with_tensor(f32_tensor(&[], 0)), 24, |p| matches!(p, GgufProblem::DimCount { dims: 0, .. })),
        ("five", with_tensor(f32_tensor(&[1; 5], 0)), 24, |p| matches!(p, GgufProblem::DimCount { dims: 5, .. })),
        ("overflow", with_tensor(f32_tensor(&[1 << 40, 1 << 40], 0)), 24, |p| matches!(p, GgufProblem::Size { .. })),
        ("bytes overflow", with_tensor(f32_tensor(&[1 << 62], 0)), 24, |p| matches!(p, GgufProblem::Size { .. })),
        ("huge", with_tensor(f32_tensor(&[1 << 40], 0)), 24, |p| matches!(p, GgufProblem::OutOfFile { .. })),
        ("one more", with_tensor(f32_tensor(&[17], 0)), 24, |p| matches!(p, GgufProblem::OutOfFile { .. })),
        ("late", with_tensor(f32_tensor(&[16], 32)), 24, |p| matches!(p, GgufProblem::OutOfFile { .. })),
        ("last", with_tensor(f32_tensor(&[16], u64::MAX - 31)), 24, |p| matches!(p, GgufProblem::OutOfFile { .. })),
        ("odd", with_tensor(f32_tensor(&[1], 4)), 24, |p| matches!(p, GgufProblem::Alignment { start: 4, .. })),
        ("part of a block", with_tensor(gguf::tensor_info("t", &[33], 8, 0)), 24, |p| {
            matches!(p, GgufProblem::Size { .. })
        }),
        (
            "two tensors",
            gguf::file(&[], &[f32_tensor(&[8], 0), f32_tensor(&[8], 32)], &[0; 64]),
            24 + 33,
            |p| matches!(p, GgufProblem::DuplicateTensor(name) if name == "t"),
        ),
        (
            "two keys",
            gguf::file(&[gguf::u32("k", 1), gguf::u32("k", 1)], &[], &[]),
            24 + 17,
            |p| matches!(p, GgufProblem::DuplicateKey(key) if key == "k"),
        ),
        (
            "value type",
            gguf::file(&[[gguf::string("k"), 13_u32.to_le_bytes().to_vec()].concat()], &[], &[]),
            24 + 9,
            |p| matches!(p, GgufProblem::ValueType { value_type: 13, .. }),
        ),
        ("nested array", gguf::file(&[gguf::array("k", 9, &[vec![0; 16]])], &[], &[0; 64]), 24 + 25, |p| {
            matches!(p, GgufProblem::NestedArray { .. })
        }),
        ("alignment of three", gguf::file(&[gguf::u32("general.alignment", 3)], &[], &[]), 0, |p| {
            matches!(p, GgufProblem::WrongValue { .. })
        }),
    ];
    for (what, bytes, offset, is_expected) in cases {
        let error = header(&bytes).unwrap_err();
        assert!(is_expected(&error.problem), "{what}: {error:?}");
        assert_eq!(error.offset, offset, "{what}: {error}");
        assert!(error.to_string().starts_with(&format!("at byte {offset}: ")), "{error}");
    }
}

#[test]
fn an_array_that_claims_more_than_the_file_has_is_not_believed() {
    let mut bytes = gguf::file(&[gguf::array("k", 0, &[vec![1], vec![2]])], &[], &[0; 32]);
    // The array's length.
    let at = 24 + 9 + 4 + 4;
    bytes[at..at + 8].copy_from_slice(&(1_u64 << 60).to_le_bytes());
    let error = header(&bytes).unwrap_err();
    assert!(matches!(error.problem, GgufProblem::Truncated { needed, .. } if needed == 1 << 60), "{error}");
}

#[test]
fn other_kinds_of_file_are_told_apart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    let cases: [(&[u8], FileKind); 9] = [
        (b"", FileKind::Empty),
        (b"GG", FileKind::Unknown),
        (b"plain text, and enough of it", FileKind::Unknown),
        (b"\x18\0\0\0ORTM\0\0\0\0", FileKind::Ort),
        (b"PK\x03\x04\x14\0\0\0\0\0", FileKind::Zip),
        (b"lmgg\x01\0\0\0\0", FileKind::Ggml),
        (b"tjgg\x03\0\0\0\0", FileKind::Ggml),
        (b"\x02\0\0\0\0\0\0\0{}", FileKind::Safetensors),
        (b"\x08\x07\x12\x07pytorch", FileKind::Onnx),
    ];
    for (bytes, expected) in cases {
        fs::write(&path, bytes).unwrap();
        assert_eq!(models::inspect(&path).unwrap(), Inspection::Other { kind: expected });
    }
    assert_eq!(models::inspect(folder.path()).unwrap(), Inspection::Other { kind: FileKind::Folder });
}
