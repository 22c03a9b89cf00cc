//! Model files that are not what they should be.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::models_support::tiny::{self, Numbers, Tensor};
use crate::models_support::{damage, gguf};
use crate::run::{Bench, Outcome, auricle, run, tiny_model};

/// Transcribes noise with this model file, which must be refused in one line with these words.
#[track_caller]
fn assert_refused(bench: &Bench, bytes: impl AsRef<[u8]>, words: &[&str]) {
    let path = bench.file("bad.gguf", bytes);
    let outcome = bench.transcribe_with(&path);
    outcome.assert_refused(&[&format!("auricle: {}: ", path.display())]);
    outcome.assert_refused(words);
}

#[test]
fn files_that_are_no_whole_model_are_refused_with_the_place() {
    let bench = Bench::new();
    let whole = fs::read(&bench.model).unwrap();
    let data = damage::data_offset(&whole);
    assert_refused(&bench, b"", &["the model file is incomplete: it is empty", "get the rest"]);
    assert_refused(&bench, b"GGU", &["malformed at byte 0", "the file ends at byte 3"]);
    assert_refused(&bench, b"Once upon a time there was a model.", &["malformed at byte 0", "it is no GGUF file"]);
    assert_refused(&bench, b"lmgg\x01\0\0\0\0", &["malformed at byte 0", "get another copy"]);
    for cut in [4, 8, 20, 24, 100, 2_000, data / 2, data - 1, data, data + 1, whole.len() - 1] {
        let end = format!("byte {cut}");
        let words: &[&str] = if cut < data { &["malformed at byte", "file", &end] } else { &["file at byte", &end] };
        assert_refused(&bench, &whole[..cut], words);
    }
    let longer = [&whole[..], &[0; 64]].concat();
    assert_refused(&bench, longer, &["malformed at byte", "the file goes on after"]);
}

#[test]
fn model_without_read_permission_or_behind_a_dead_link_is_refused_by_name() {
    let bench = Bench::new();
    let link = bench.folder.path().join("link.gguf");
    #[cfg(unix)]
    std::os::unix::fs::symlink(bench.folder.path().join("gone.gguf"), &link).unwrap();
    bench.transcribe_with(&link).assert_refused(&["link.gguf", "Known models:"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&bench.model, fs::Permissions::from_mode(0o000)).unwrap();
        if File::open(&bench.model).is_ok() {
            println!("skipped: this user may read every file");
        } else {
            bench.transcribe_with(&bench.model).assert_refused(&["tiny.gguf: cannot be read", "permissions"]);
        }
    }
}

#[test]
fn metadata_that_no_model_of_ours_has_is_refused_with_its_key() {
    let bench = Bench::new();
    let whole = fs::read(&bench.model).unwrap();
    let number = u32::to_le_bytes;
    let float = f32::to_le_bytes;
    let cases: [(&str, [u8; 4], &[&str]); 14] = [
        ("moonshine.embedding_length", number(u32::MAX), &["too large", "4294967295", "use a smaller model"]),
        ("moonshine.embedding_length", number(0), &["`moonshine.embedding_length` is 0"]),
        ("moonshine.embedding_length", number(24), &["malformed", "has the shape", "is needed"]),
        ("moonshine.encoder.block_count", number(200), &["there is no tensor `model.encoder.layers.1."]),
        ("moonshine.decoder.block_count", number(u32::MAX), &["too large", "`moonshine.decoder.block_count`"]),
        ("moonshine.encoder.feed_forward_length", number(1 << 31), &["too large", "feed_forward_length`"]),
        ("moonshine.attention.head_count", number(3), &["16 channels cannot be split over 3 heads"]),
        ("moonshine.rope.dimension_count", number(3), &["`moonshine.rope.dimension_count` is 3"]),
        ("moonshine.vocab_size", number(1 << 30), &["too large", "`moonshine.vocab_size`"]),
        ("moonshine.sample_rate_hz", number(8_000), &["8000 Hz", "16000 Hz"]),
        ("moonshine.max_utterance_samples", number(u32::MAX), &["too large", "`moonshine.max_utterance_samples`"]),
        ("moonshine.rope.freq_base", float(f32::NAN), &["`moonshine.rope.freq_base` is NaN"]),
        ("moonshine.group_norm_epsilon", float(-1.0), &["`moonshine.group_norm_epsilon` is -1"]),
        ("moonshine.max_tokens_per_second", float(f32::INFINITY), &["`moonshine.max_tokens_per_second` is inf"]),
    ];
    for (key, value, words) in cases {
        let mut bytes = whole.clone();
        let at = damage::value_at(&bytes, key);
        bytes[at..at + 4].copy_from_slice(&value);
        assert_refused(&bench, bytes, words);
    }

    let replaced = |from: &str, to: &str| damage::replaced(&whole, from.as_bytes(), to.as_bytes());
    let other = damage::replaced_value(&whole, "general.architecture", "another");
    assert_refused(&bench, other, &["cannot run the model", "`another`", "moonshine", "use another model"]);
    assert_refused(&bench, damage::replaced_value(&whole, "auricle.quantization", "q4"), &["`q4`", "f32, f16, q8"]);
    assert_refused(&bench, replaced("moonshine.vocab_size", "moonshine.vocab_sizf"), &["`moonshine.vocab_size`"]);
    let twice = replaced("tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id");
    assert_refused(&bench, twice, &["the key `tokenizer.ggml.eos_token_id` is there twice"]);
}

#[test]
fn counts_and_lengths_beyond_the_file_are_refused_before_memory_is_set_aside() {
    let bench = Bench::new();
    let whole = fs::read(&bench.model).unwrap();
    let name = "model.encoder.conv1.weight";
    let info = damage::value_at(&whole, name) - 4;
    let cases: [(&str, usize, u64); 8] = [
        ("tensor count", 8, u64::MAX),
        ("metadata count", 16, u64::MAX),
        ("length of the first key", 24, u64::MAX),
        ("length of a string", damage::value_at(&whole, "general.name"), 1 << 40),
        ("count of tokens", damage::value_at(&whole, "tokenizer.ggml.tokens") + 4, 1 << 60),
        ("innermost dimension", info + 4, u64::MAX),
        ("middle dimension", info + 12, 1 << 63),
        ("outermost dimension", info + 20, 1 << 32),
    ];
    for (what, at, value) in cases {
        println!("{what}");
        let mut bytes = whole.clone();
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        assert_refused(&bench, bytes, &[]);
    }
    for (at, value) in [(info, u32::MAX), (info, 0), (info + 28, 99)] {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        assert_refused(&bench, bytes, &["malformed at byte", &format!("tensor `{name}`")]);
    }
}

#[test]
fn tensors_that_do_not_fit_the_model_are_refused_by_name() {
    let bench = Bench::new();
    let name = "model.encoder.layer_norm.weight";
    let damaged = |change: &dyn Fn(&mut Vec<Tensor>)| {
        let mut tensors = tiny::tensors();
        change(&mut tensors);
        tiny_model(&tensors)
    };
    let refused = |bytes: Vec<u8>, words: &str| assert_refused(&bench, bytes, &["malformed at byte", name, words]);
    refused(damaged(&|tensors| tensors.retain(|tensor| tensor.name != name)), "there is no tensor");
    let doubled = |tensors: &mut Vec<Tensor>| {
        let twin = tiny::get(tensors, name).clone();
        tensors.push(twin);
    };
    refused(damaged(&doubled), "twice");
    refused(
        damaged(&|tensors| tiny::get(tensors, name).shape = vec![4, 4]),
        "has the shape [4, 4], and [16] is needed",
    );
    refused(
        damaged(&|tensors| tiny::get(tensors, name).is_matrix = true),
        "weight_scale` is there, and the model has no use for it",
    );
    let renamed = |tensors: &mut Vec<Tensor>| {
        let mut copy = tiny::get(tensors, name).clone();
        copy.name.push_str("_of_another_model");
        tensors.push(copy);
    };
    refused(damaged(&renamed), "no use for it");
    let with_nan = |tensors: &mut Vec<Tensor>| tiny::get(tensors, name).numbers = Numbers::Float(vec![f32::NAN; 16]);
    refused(damaged(&with_nan), "NaN");
}

/// A model file of as many zeros as a file may have, in this folder. Only its header takes room on the disk.
fn largest_model(folder: &TempDir) -> PathBuf {
    const FILE_BYTES: usize = 1 << 30;
    let hidden = 1024_usize;
    let encoder_length = 65_536_usize;
    // Each unit of the decoder's feed-forward layer has three rows and two biases.
    let unit_bytes = 4 * (3 * hidden + 2);
    let shapes = |decoder_length: usize| {
        let scale = move |dimension: usize| match dimension {
            4 => encoder_length,
            6 => decoder_length,
            12 => 2 * decoder_length,
            16 => hidden,
            32 => 2 * hidden,
            other => other,
        };
        let tensors = tiny::tensors().into_iter();
        tensors.map(|tensor| (tensor.name, tensor.shape.into_iter().map(scale).collect())).collect::<Vec<_>>()
    };
    let padded = |shape: &Vec<usize>| (4 * shape.iter().product::<usize>()).next_multiple_of(32);
    let other_bytes: usize = shapes(0).iter().map(|(_, shape)| padded(shape)).sum();
    let decoder_length = (FILE_BYTES - other_bytes - (1 << 16)) / unit_bytes / 8 * 8;

    let card = gguf::Card { name: "large", languages: &["en"], source: "made up" };
    let mut header = gguf::model(&[], "f32", &card);
    let mut set = |key: &str, value: usize| {
        let at = damage::value_at(&header, key);
        header[at..at + 4].copy_from_slice(&u32::try_from(value).unwrap().to_le_bytes());
    };
    set("moonshine.embedding_length", hidden);
    set("moonshine.encoder.feed_forward_length", encoder_length);
    set("moonshine.decoder.feed_forward_length", decoder_length);
    let metadata_end = damage::value_at(&header, "moonshine.max_tokens_per_second") + 4;
    header.truncate(metadata_end);
    let shapes = shapes(decoder_length);
    header[8..16].copy_from_slice(&(shapes.len() as u64).to_le_bytes());
    let mut offset = 0;
    for (name, shape) in &shapes {
        let dims: Vec<u64> = shape.iter().rev().map(|dimension| *dimension as u64).collect();
        header.extend(gguf::tensor_info(name, &dims, 0, offset));
        offset += padded(shape) as u64;
    }
    let bytes = header.len().next_multiple_of(32) as u64 + offset;
    assert!(bytes <= FILE_BYTES as u64 && bytes > FILE_BYTES as u64 - (1 << 18), "{bytes}");
    let path = folder.path().join("largest.gguf");
    let mut file = File::create(&path).unwrap();
    file.write_all(&header).unwrap();
    file.set_len(bytes).unwrap();
    path
}

#[test]
fn models_that_need_more_memory_than_there_is_are_refused_within_it() {
    let bench = Bench::new();
    let path = largest_model(&bench.folder);
    bench.transcribe_with(&path).assert_refused(&["largest.gguf: ", "memory", "use a smaller model"]);

    // One byte more than a model file may have is refused without reading any of it.
    File::options().write(true).open(&path).unwrap().set_len((1 << 30) + 1).unwrap();
    bench.transcribe_with(&path).assert_refused(&["largest.gguf: too large: the model file", "1073741824 bytes"]);
}

#[test]
fn model_that_never_ends_its_text_is_stopped() {
    let bench = Bench::new();
    let mut bytes = fs::read(&bench.model).unwrap();
    let at = damage::value_at(&bytes, "moonshine.max_tokens_per_second");
    bytes[at..at + 4].copy_from_slice(&1e30_f32.to_le_bytes());
    assert_refused(&bench, bytes, &["`moonshine.max_tokens_per_second`"]);
}

#[test]
fn inspect_and_import_refuse_the_same_files_by_name() {
    let bench = Bench::new();
    let whole = fs::read(&bench.model).unwrap();
    let path = bench.file("bad.gguf", &whole[..whole.len() - 1]);
    let home = TempDir::new().unwrap();
    let models = |arguments: &[&str]| -> Outcome {
        run(auricle().env("AURICLE_HOME", home.path()).arg("models").args(arguments).arg(&path))
    };
    for arguments in [&["inspect"][..], &["import", "--quiet"]] {
        models(arguments).assert_refused(&[&path.display().to_string(), "at byte"]);
    }
}
