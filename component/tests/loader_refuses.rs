//! What the loader says of files that are wrong, and where.

mod support;

use auricle_component::error::{Error, Limit};
use auricle_component::gguf::{FILE_BYTES_LIMIT, HEADER_BYTES_LIMIT, NAME_BYTES_LIMIT, STRING_BYTES_LIMIT};
use auricle_component::loader::Loader;

use support::gguf::{ARRAY, F16, F32, GgufFile, I8, STRING, Value};
use support::{assert_malformed, assert_unsupported, load, refusal, tiny};

#[track_caller]
fn assert_limit(error: &Error, expected: Limit, allowed_at_most: u64, asked: u64) {
    let Error::LimitExceeded { limit, allowed, requested, .. } = error else { panic!("not a limit: {error:?}") };
    assert_eq!((*limit, *allowed, *requested), (expected, allowed_at_most, asked), "{error}");
}

// ---------------------------------------------------------------- the container

#[test]
fn an_empty_file_is_incomplete() {
    let error = load(&[], None, 1).err();
    assert_eq!(error, Some(Error::IncompleteModel { received_bytes: 0, expected_bytes: None }));
    // Announced as empty, it is so whether or not an empty chunk is written.
    let error = load(&[], Some(0), 1).err();
    assert_eq!(error, Some(Error::IncompleteModel { received_bytes: 0, expected_bytes: None }));
    assert_malformed(&Loader::new(Some(0)).write(&[]).unwrap_err(), 0, &["ends at byte 0"]);
}

#[test]
fn text_instead_of_a_model_is_refused_at_its_first_bytes() {
    assert_malformed(&refusal(b"<!DOCTYPE html>"), 0, &["GGUF"]);
}

#[test]
fn other_versions_and_big_endian_files_are_unsupported() {
    let mut file = tiny::file("f32");
    for version in [0, 1, 2, 4] {
        file.claimed_version = Some(version);
        assert_unsupported(&refusal(&file.bytes()), &[&format!("version {version}"), "byte 4"]);
    }
    file.claimed_version = Some(3_u32.swap_bytes());
    assert_unsupported(&refusal(&file.bytes()), &["big-endian", "byte 4"]);
}

#[test]
fn counts_beyond_the_limits_are_refused_before_anything_is_read() {
    for count in [u64::MAX, 65_537] {
        let file = GgufFile { claimed_tensors: Some(count), ..tiny::file("f32") };
        assert_limit(&refusal(&file.bytes()), Limit::ModelDimension, 65_536, count);
        let file = GgufFile { claimed_entries: Some(count), ..tiny::file("f32") };
        assert_limit(&refusal(&file.bytes()), Limit::ModelDimension, 65_536, count);
    }
}

#[test]
fn lengths_of_strings_beyond_the_limits_are_refused() {
    for length in [u64::MAX, u64::MAX / 2, STRING_BYTES_LIMIT + 1] {
        let mut file = tiny::file("f32");
        file.set("general.name", Value::Raw(STRING, length.to_le_bytes().to_vec()));
        assert_limit(&refusal(&file.bytes()), Limit::ModelBytes, STRING_BYTES_LIMIT, length);
        let mut array = STRING.to_le_bytes().to_vec();
        array.extend(1_u64.to_le_bytes());
        array.extend(length.to_le_bytes());
        file.set("general.name", Value::Raw(ARRAY, array));
        assert_limit(&refusal(&file.bytes()), Limit::ModelBytes, STRING_BYTES_LIMIT, length);
    }
    for length in [u64::MAX, NAME_BYTES_LIMIT + 1] {
        let mut bytes = tiny::file("f32").bytes();
        bytes[24..32].copy_from_slice(&length.to_le_bytes());
        assert_limit(&refusal(&bytes), Limit::ModelBytes, NAME_BYTES_LIMIT, length);
    }
}

#[test]
fn lengths_of_arrays_beyond_the_header_are_refused() {
    for element in [0_u32, 5, 8, 12] {
        let mut array = element.to_le_bytes().to_vec();
        array.extend(u64::MAX.to_le_bytes());
        let mut file = tiny::file("f32");
        file.set("general.languages", Value::Raw(ARRAY, array));
        assert_limit(&refusal(&file.bytes()), Limit::ModelBytes, HEADER_BYTES_LIMIT, u64::MAX);
    }
}

#[test]
fn what_the_announced_length_cannot_hold_is_refused_at_once() {
    let mut file = tiny::file("f32");
    file.set("general.name", Value::Raw(STRING, 100_000_u64.to_le_bytes().to_vec()));
    let at = file.value_offset("general.name");
    assert_malformed(&load(&file.bytes(), Some(9000), 1).err().unwrap(), at + 8, &["100000", "9000"]);

    let mut array = 5_u32.to_le_bytes().to_vec();
    array.extend(100_000_u64.to_le_bytes());
    file.set("general.name", Value::Raw(ARRAY, array));
    assert_malformed(&load(&file.bytes(), Some(9000), 1).err().unwrap(), at + 12, &["400000", "9000"]);
}

#[test]
fn values_of_types_that_gguf_has_not_are_refused() {
    let mut file = tiny::file("f32");
    file.set("general.name", Value::Raw(13, vec![0; 8]));
    let at = file.value_offset("general.name");
    assert_malformed(&refusal(&file.bytes()), at - 4, &["general.name", "13"]);
    file.set("general.name", Value::Raw(ARRAY, u32::MAX.to_le_bytes().to_vec()));
    assert_malformed(&refusal(&file.bytes()), at, &["general.name", "4294967295"]);
}

#[test]
fn arrays_of_arrays_are_unsupported() {
    let mut file = tiny::file("f32");
    let mut array = ARRAY.to_le_bytes().to_vec();
    array.extend(1_u64.to_le_bytes());
    file.set("some.key", Value::Raw(ARRAY, array));
    let at = file.value_offset("some.key");
    assert_unsupported(&refusal(&file.bytes()), &["some.key", &format!("byte {at}")]);
}

#[test]
fn ill_formed_text_is_refused_at_its_first_bad_byte() {
    let mut file = tiny::file("f32");
    let mut text = 5_u64.to_le_bytes().to_vec();
    text.extend(b"abc\xff!");
    file.set("general.name", Value::Raw(STRING, text));
    let at = file.value_offset("general.name");
    assert_malformed(&refusal(&file.bytes()), at + 8 + 3, &["general.name", "UTF-8"]);
}

#[test]
fn keys_that_are_there_twice_are_refused() {
    let mut file = tiny::file("f32");
    let first = file.metadata[0].clone();
    file.metadata.insert(0, first);
    let fixed = 24;
    let entry = 8 + "general.architecture".len() as u64 + 4 + 8 + "tiny".len() as u64;
    assert_malformed(&refusal(&file.bytes()), fixed + entry + 8, &["general.architecture", "twice"]);
}

#[test]
fn other_alignments_are_unsupported() {
    for alignment in [0, 1, 31, 33, 64, u32::MAX] {
        let mut file = tiny::file("f32");
        file.set("general.alignment", Value::U32(alignment));
        assert_unsupported(&refusal(&file.bytes()), &[&alignment.to_string(), "general.alignment"]);
    }
    let mut file = tiny::file("f32");
    file.set("general.alignment", Value::String("32".into()));
    let at = file.value_offset("general.alignment");
    assert_malformed(&refusal(&file.bytes()), at, &["general.alignment", "u32"]);
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut bytes = tiny::file("f32").bytes();
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    let end = bytes.len() as u64;
    bytes.push(0);
    assert_malformed(&refusal(&bytes), end, &["goes on"]);
    // With the length announced, as soon as the header is there.
    let mut loader = Loader::with_families(Some(bytes.len() as u64), tiny::FAMILIES);
    let header = tiny::file("f32").header();
    loader.write(&header[..header.len() - 1]).unwrap();
    assert_malformed(&loader.write(&header[header.len() - 1..]).unwrap_err(), end, &["goes on"]);
}

#[test]
fn more_bytes_than_announced_are_refused() {
    let mut bytes = tiny::file("f32").bytes();
    let total = bytes.len() as u64;
    bytes.push(0);
    let error = load(&bytes, Some(total), 100).err().unwrap();
    assert_malformed(&error, total, &["announced"]);
}

#[test]
fn files_over_the_limit_are_refused_by_their_announced_length() {
    let total = FILE_BYTES_LIMIT + 1;
    let error = Loader::new(Some(total)).write(b"G").unwrap_err();
    assert_limit(&error, Limit::ModelBytes, FILE_BYTES_LIMIT, total);
}

// ---------------------------------------------------------------- metadata

#[test]
fn another_architecture_is_unsupported_before_its_tensors_are_looked_at() {
    let mut file = tiny::file("f32");
    file.set("general.architecture", Value::String("whisper".into()));
    file.tensor("norm").type_code = 12; // Q4_K, which is not read
    assert_unsupported(&refusal(&file.bytes()), &["whisper", "tiny"]);
    let error = Loader::new(None).write(&file.bytes()).unwrap_err();
    assert_unsupported(&error, &["whisper", "moonshine"]);
}

#[test]
fn missing_keys_are_named_at_the_end_of_the_metadata() {
    for key in [
        "general.architecture",
        "general.name",
        "general.languages",
        "general.quantization_version",
        "auricle.quantization",
        "tokenizer.ggml.model",
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.token_type",
        "tokenizer.ggml.bos_token_id",
        "tokenizer.ggml.eos_token_id",
        "tiny.rows",
    ] {
        let mut file = tiny::file("f32");
        file.remove(key);
        let at = file.info_offset("norm");
        assert_malformed(&refusal(&file.bytes()), at, &[&format!("`{key}`"), "missing"]);
    }
}

#[test]
fn keys_of_another_type_are_named_where_they_stand() {
    for (key, expected) in [
        ("general.name", "string"),
        ("general.license", "string"),
        ("general.languages", "array of string"),
        ("tokenizer.ggml.token_type", "array of i32"),
        ("tokenizer.ggml.bos_token_id", "u32"),
        ("tiny.columns", "u32"),
    ] {
        let mut file = tiny::file("f32");
        file.set(key, Value::F32(1.5));
        let at = file.value_offset(key);
        assert_malformed(&refusal(&file.bytes()), at, &[&format!("`{key}`"), "f32", expected]);
    }
}

#[test]
fn quantizations_that_are_not_known_are_unsupported() {
    let mut file = tiny::file("f32");
    file.set("auricle.quantization", Value::String("q4".into()));
    assert_unsupported(&refusal(&file.bytes()), &["q4", "q8"]);
    let mut file = tiny::file("f32");
    file.set("general.quantization_version", Value::U32(1));
    assert_unsupported(&refusal(&file.bytes()), &["quantization version is 1"]);
}

// ---------------------------------------------------------------- tensor infos

#[test]
fn dimensions_that_are_huge_or_overflow_are_refused() {
    for (shape, asked) in [
        (vec![u64::MAX], u64::MAX),
        (vec![u64::MAX, u64::MAX], u64::MAX),
        (vec![1 << 32, 1 << 32], 1 << 32),
        (vec![1 << 32, 1], 1 << 32),
        (vec![1 << 20, 1 << 20, 1 << 20, 1 << 20], 1 << 40),
        (vec![(1 << 33) + 5, 7], ((1 << 33) + 5) * 7),
    ] {
        let mut file = tiny::file("f32");
        file.tensor("linear").shape = shape;
        assert_limit(&refusal(&file.bytes()), Limit::ModelDimension, FILE_BYTES_LIMIT, asked);
    }
}

#[test]
fn tensors_that_make_the_file_too_large_are_refused() {
    // Few enough elements, and with four bytes each too large.
    let mut file = tiny::file("f32");
    file.tensor("norm").shape = vec![1 << 29];
    assert_limit(&refusal(&file.bytes()), Limit::ModelBytes, FILE_BYTES_LIMIT, 1 << 31);
    // Small enough for itself, but not with the header before it.
    file.tensor("norm").shape = vec![1 << 28];
    file.tensors.truncate(1);
    let end = (1 << 30) + file.header().len() as u64;
    assert_limit(&refusal(&file.bytes()), Limit::ModelBytes, FILE_BYTES_LIMIT, end);
}

#[test]
fn a_tensor_beyond_the_announced_length_is_refused_before_its_data() {
    let file = tiny::file("f32");
    let bytes = file.bytes();
    let total = bytes.len() as u64 - 1;
    let error = load(&bytes[..bytes.len() - 1], Some(total), 50).err().unwrap();
    assert_malformed(&error, file.info_offset("convolution"), &["`convolution`", &total.to_string()]);
}

#[test]
fn dimensions_of_zero_and_wrong_counts_of_them_are_refused() {
    let name_end = |file: &GgufFile| file.info_offset("linear") + 8 + "linear".len() as u64;
    let mut file = tiny::file("f32");
    file.tensor("linear").shape = vec![5, 0];
    assert_malformed(&refusal(&file.bytes()), name_end(&file) + 4, &["`linear`", "0"]);
    for count in [0, 5] {
        file.tensor("linear").shape = vec![1; count];
        assert_malformed(&refusal(&file.bytes()), name_end(&file), &["`linear`", &format!("{count} dimensions")]);
    }
}

#[test]
fn tensors_out_of_place_are_refused() {
    let file = tiny::file("f32");
    for (claimed, expected) in [(0, 32), (31, 32), (33, 32), (64, 32), (u64::MAX, 32)] {
        let mut file = file.clone();
        file.tensor("linear").claimed_offset = Some(claimed);
        let at = file.info_offset("linear") + 8 + "linear".len() as u64 + 4 + 2 * 8 + 4;
        let words = ["`linear`", &claimed.to_string(), &expected.to_string()].map(str::to_owned);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_malformed(&refusal(&file.bytes()), at, &words);
    }
}

#[test]
fn a_tensor_that_is_missing_is_named() {
    for name in ["norm", "linear", "vocabulary", "filter", "convolution"] {
        let mut file = tiny::file("f32");
        let at = file.info_offset("norm");
        file.tensors.remove(file.index(name));
        assert_malformed(&refusal(&file.bytes()), at, &[&format!("`{name}`"), "no tensor"]);
    }
    let mut file = tiny::file("f32");
    let at = file.info_offset("norm");
    file.tensors.clear();
    file.claimed_tensors = None;
    let header_end = at as usize;
    assert_malformed(&refusal(&file.bytes()[..header_end]), at, &["no tensor"]);
}

#[test]
fn a_tensor_that_is_there_twice_is_named_at_its_second_place() {
    let mut file = tiny::file("f32");
    let second = file.tensor("norm").clone();
    file.tensors.push(second);
    let at = file.info_offset("convolution") + 8 + "convolution".len() as u64 + 4 + 3 * 8 + 4 + 8;
    assert_malformed(&refusal(&file.bytes()), at, &["`norm`", "twice"]);
}

#[test]
fn a_tensor_that_the_model_does_not_need_is_named() {
    for (name, quantization) in [("proj_out.weight", "f32"), ("linear_scale", "f32"), ("norm_scale", "q8")] {
        let mut file = tiny::file(quantization);
        let mut extra = file.tensor("norm").clone();
        extra.name = name.into();
        file.tensors.insert(0, extra);
        let at = file.info_offset(name);
        assert_malformed(&refusal(&file.bytes()), at, &[&format!("`{name}`"), "no use"]);
    }
}

#[test]
fn a_tensor_of_a_wrong_shape_is_named_with_both_shapes() {
    for shape in [vec![7, 5], vec![35], vec![5, 7, 1], vec![5, 8]] {
        let mut file = tiny::file("f32");
        let elements = shape.iter().product::<u64>() as usize;
        let tensor = file.tensor("linear");
        tensor.data = vec![0; 4 * elements];
        tensor.shape = shape.clone();
        let at = file.info_offset("linear");
        assert_malformed(&refusal(&file.bytes()), at, &["`linear`", &format!("{shape:?}"), "[5, 7]"]);
    }
}

#[test]
fn a_tensor_of_a_wrong_type_is_named_with_both_types() {
    for (quantization, name, wrong, words) in [
        ("f32", "linear", F16, ["F16", "F32"]),
        ("f32", "convolution", I8, ["I8", "F32"]),
        ("f16", "linear", F32, ["F32", "F16"]),
        ("q8", "convolution", F32, ["F32", "I8"]),
        ("q8", "norm", I8, ["I8", "F32"]),
        ("q8", "linear_scale", F16, ["F16", "F32"]),
    ] {
        let mut file = tiny::file(quantization);
        let tensor = file.tensor(name);
        tensor.type_code = wrong;
        let bytes = [(F32, 4), (F16, 2), (I8, 1)].iter().find(|entry| entry.0 == wrong).unwrap().1;
        tensor.data = vec![0; bytes * tensor.shape.iter().product::<u64>() as usize];
        let at = file.info_offset(name);
        assert_malformed(&refusal(&file.bytes()), at, &[&format!("`{name}`"), words[0], words[1]]);
    }
}

#[test]
fn a_tensor_of_a_type_that_is_not_read_is_named() {
    for code in [2, 8, 12, 30, u32::MAX] {
        let mut file = tiny::file("f32");
        file.tensor("filter").type_code = code;
        let at = file.info_offset("filter") + 8 + "filter".len() as u64 + 4 + 3 * 8;
        assert_malformed(&refusal(&file.bytes()), at, &["`filter`", &code.to_string()]);
    }
}

#[test]
fn scales_that_are_missing_or_out_of_order_are_refused() {
    let mut file = tiny::file("q8");
    file.tensors.remove(file.index("linear_scale"));
    assert_malformed(&refusal(&file.bytes()), file.info_offset("linear"), &["`linear`", "scales"]);

    let mut file = tiny::file("q8");
    let at = file.index("linear");
    file.tensors.swap(at - 1, at);
    assert_malformed(&refusal(&file.bytes()), file.info_offset("linear"), &["`linear`", "scales"]);

    let mut file = tiny::file("q8");
    let scales = file.tensors.remove(file.index("linear_scale"));
    file.tensors.insert(0, scales);
    assert_malformed(&refusal(&file.bytes()), file.info_offset("linear_scale"), &["`linear_scale`", "directly before"]);

    let mut file = tiny::file("q8");
    let tensor = file.tensor("linear_scale");
    tensor.shape = vec![7];
    tensor.data = vec![0; 28];
    assert_malformed(&refusal(&file.bytes()), file.info_offset("linear_scale"), &["`linear_scale`", "[7]", "[5]"]);
}

// ---------------------------------------------------------------- tensor data

#[test]
fn numbers_that_are_not_finite_are_refused_where_they_stand() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for (quantization, name, index) in [("f32", "norm", 2), ("f32", "linear", 34), ("q8", "linear_scale", 4)] {
            let mut file = tiny::file(quantization);
            file.tensor(name).data[4 * index..4 * index + 4].copy_from_slice(&value.to_le_bytes());
            let at = file.data_offset(name) + 4 * index as u64;
            assert_malformed(&refusal(&file.bytes()), at, &[&format!("`{name}`"), &value.to_string()]);
        }
    }
    let mut file = tiny::file("f16");
    file.tensor("convolution").data[20..22].copy_from_slice(&half::f16::INFINITY.to_le_bytes());
    let at = file.data_offset("convolution") + 20;
    assert_malformed(&refusal(&file.bytes()), at, &["`convolution`", "inf"]);
}

#[test]
fn negative_scales_are_refused_where_they_stand() {
    let mut file = tiny::file("q8");
    file.tensor("convolution_scale").data[4..8].copy_from_slice(&(-0.5_f32).to_le_bytes());
    let at = file.data_offset("convolution_scale") + 4;
    assert_malformed(&refusal(&file.bytes()), at, &["`convolution_scale`", "-0.5"]);
    // Zero is a scale: of a channel that is all zero.
    file.tensor("convolution_scale").data[4..8].copy_from_slice(&0.0_f32.to_le_bytes());
    load(&file.bytes(), None, 100).unwrap();
}
