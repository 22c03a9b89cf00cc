//! What the loader makes of well-formed files: each tensor in its form, whatever the chunks.

mod support;

use auricle_component::error::{Error, Limit};
use auricle_component::family::Family;
use auricle_component::kernels::int8::{Int8Matrix, Int8Vocabulary};
use auricle_component::loader::{CHUNK_BYTES_LIMIT, Loader, ModelCard};
use auricle_component::moonshine::Moonshine;
use auricle_component::weights::{Matrix, Weights};
use candle_core::DType;
use half::f16;

use support::gguf::{GgufFile, Value};
use support::{feed, load, tiny};

fn f32s(data: &[u8]) -> Vec<f32> {
    data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

fn f16s(data: &[u8]) -> Vec<f16> {
    data.as_chunks().0.iter().map(|&bytes| f16::from_le_bytes(bytes)).collect()
}

fn i8s(data: &[u8]) -> Vec<i8> {
    data.iter().map(|byte| byte.cast_signed()).collect()
}

/// From `[out, in, kernel]` to `[out, kernel, in]`, index by index.
fn permuted<T: Copy>(values: &[T]) -> Vec<T> {
    let [out, channels, kernel] = tiny::CONVOLUTION;
    let mut permuted = Vec::new();
    for o in 0..out {
        for k in 0..kernel {
            for i in 0..channels {
                permuted.push(values[(o * channels + i) * kernel + k]);
            }
        }
    }
    permuted
}

fn assert_plain(weights: &mut Weights, file: &mut GgufFile) {
    for (name, shape) in [("norm", &[3][..]), ("filter", &[2, 1, 3])] {
        let tensor = weights.take_plain(name).unwrap();
        assert_eq!(tensor.dims(), shape);
        let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(values, f32s(&file.tensor(name).data));
    }
}

/// Everything there is to a set of weights, as text.
fn told(mut weights: Weights) -> String {
    let mut told = String::new();
    for name in ["norm", "filter"] {
        let tensor = weights.take_plain(name).unwrap();
        told += &format!("{:?} {:?}\n", tensor, tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    }
    for name in ["linear", "convolution", "vocabulary"] {
        match weights.take_matrix(name).unwrap() {
            Matrix::Int8(matrix) => told += &format!("{matrix:?}\n"),
            Matrix::Int8Vocabulary(vocabulary) => told += &format!("{vocabulary:?}\n"),
            Matrix::Float(tensor) => {
                let values = tensor.to_dtype(DType::F32).unwrap().to_vec2::<f32>().unwrap();
                told += &format!("{tensor:?} {values:?}\n");
            }
        }
    }
    told
}

#[test]
fn f32_matrices_become_f32_tensors_and_convolutions_have_the_kernel_outermost() {
    let mut file = tiny::file("f32");
    load(&file.bytes(), None, 4096).unwrap();
    let mut weights = tiny::take_weights();
    assert_plain(&mut weights, &mut file);
    let Matrix::Float(linear) = weights.take_matrix("linear").unwrap() else { panic!("it was stored in F32") };
    assert_eq!(linear.dims(), [5, 7]);
    assert_eq!(linear.flatten_all().unwrap().to_vec1::<f32>().unwrap(), f32s(&file.tensor("linear").data));
    let Matrix::Float(convolution) = weights.take_matrix("convolution").unwrap() else {
        panic!("it was stored in F32")
    };
    assert_eq!(convolution.dims(), [4, 15]);
    let values = convolution.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(values, permuted(&f32s(&file.tensor("convolution").data)));
}

#[test]
fn f16_matrices_become_f16_tensors() {
    let mut file = tiny::file("f16");
    load(&file.bytes(), None, 4096).unwrap();
    let mut weights = tiny::take_weights();
    assert_plain(&mut weights, &mut file);
    let Matrix::Float(linear) = weights.take_matrix("linear").unwrap() else { panic!("it was stored in F16") };
    assert_eq!((linear.dims(), linear.dtype()), (&[5, 7][..], DType::F16));
    assert_eq!(linear.flatten_all().unwrap().to_vec1::<f16>().unwrap(), f16s(&file.tensor("linear").data));
    let Matrix::Float(convolution) = weights.take_matrix("convolution").unwrap() else {
        panic!("it was stored in F16")
    };
    let values = convolution.flatten_all().unwrap().to_vec1::<f16>().unwrap();
    assert_eq!(values, permuted(&f16s(&file.tensor("convolution").data)));
}

#[test]
fn q8_matrices_and_vocabularies_are_packed_with_their_scales() {
    let mut file = tiny::file("q8");
    load(&file.bytes(), None, 4096).unwrap();
    let mut weights = tiny::take_weights();
    assert_plain(&mut weights, &mut file);
    let Matrix::Int8(linear) = weights.take_matrix("linear").unwrap() else { panic!("it was stored in I8") };
    let scales = f32s(&file.tensor("linear_scale").data);
    let expected = Int8Matrix::pack(5, 7, i8s(&file.tensor("linear").data), scales);
    assert_eq!(format!("{linear:?}"), format!("{expected:?}"));
    let Matrix::Int8(convolution) = weights.take_matrix("convolution").unwrap() else { panic!("it was stored in I8") };
    let scales = f32s(&file.tensor("convolution_scale").data);
    let expected = Int8Matrix::pack(4, 15, permuted(&i8s(&file.tensor("convolution").data)), scales);
    assert_eq!(format!("{convolution:?}"), format!("{expected:?}"));
    let Matrix::Int8Vocabulary(vocabulary) = weights.take_matrix("vocabulary").unwrap() else {
        panic!("it is one, stored in I8")
    };
    let scales = f32s(&file.tensor("vocabulary_scale").data);
    let [tokens, width] = tiny::EMBEDDINGS;
    let expected = Int8Vocabulary::new(tokens, width, i8s(&file.tensor("vocabulary").data), scales);
    assert_eq!(format!("{vocabulary:?}"), format!("{expected:?}"));
}

#[test]
fn the_same_model_comes_from_chunks_of_any_size_and_with_the_length_known_or_not() {
    for quantization in ["f32", "f16", "q8"] {
        let bytes = tiny::file(quantization).bytes();
        load(&bytes, None, bytes.len()).unwrap();
        let expected = told(tiny::take_weights());
        for chunk_bytes in [1, 7, 64, 4096, bytes.len()] {
            for total_bytes in [None, Some(bytes.len() as u64)] {
                let loaded = load(&bytes, total_bytes, chunk_bytes).unwrap();
                assert_eq!(loaded.file_bytes, bytes.len() as u64);
                assert_eq!(told(tiny::take_weights()), expected, "{quantization} in chunks of {chunk_bytes}");
            }
        }
    }
}

#[test]
fn the_card_is_read_off_the_metadata() {
    let mut file = tiny::file("q8");
    let card = load(&file.bytes(), None, 4096).unwrap().card;
    let expected = ModelCard {
        architecture: "tiny".into(),
        name: "Small (for tests)".into(),
        languages: vec!["en".into(), "cy".into()],
        license: Some("MIT".into()),
        quantization: "q8".into(),
        vocabulary_tokens: tiny::VOCABULARY,
    };
    assert_eq!(card, expected);
    file.remove("general.license");
    assert_eq!(load(&file.bytes(), None, 4096).unwrap().card, ModelCard { license: None, ..expected });
}

#[test]
fn keys_that_are_not_known_are_read_over_whatever_their_type() {
    let mut file = tiny::file("f32");
    let widths = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
    for (code, &width) in widths.iter().enumerate().filter(|(_, width)| **width > 0) {
        let code = u32::try_from(code).unwrap();
        file.metadata.insert(0, (format!("single.{code}"), Value::Raw(code, vec![1; width])));
        for count in [0, 1, 5000] {
            let mut array = code.to_le_bytes().to_vec();
            array.extend((count as u64).to_le_bytes());
            array.extend(vec![1; count * width]);
            file.metadata.insert(0, (format!("array.{code}.{count}"), Value::Raw(support::gguf::ARRAY, array)));
        }
    }
    file.set("empty.strings", Value::Strings(Vec::new()));
    file.set("empty.string", Value::String(String::new()));
    file.set("general.alignment", Value::U32(32));
    load(&file.bytes(), None, 1000).unwrap();
}

#[test]
fn padding_after_the_last_tensor_is_allowed_and_counted() {
    let mut bytes = tiny::file("f32").bytes();
    let end = bytes.len();
    assert_ne!(end % 32, 0, "the file should leave room for padding");
    bytes.resize(end.next_multiple_of(32), 0);
    for total_bytes in [None, Some(bytes.len() as u64)] {
        assert_eq!(load(&bytes, total_bytes, 5).unwrap().file_bytes, bytes.len() as u64);
    }
    let announced = Some(bytes.len() as u64);
    let error = load(&bytes[..end], announced, 5).err();
    assert_eq!(error, Some(Error::IncompleteModel { received_bytes: end as u64, expected_bytes: announced }));
}

#[test]
fn chunks_over_the_limit_are_refused_and_the_loader_stays_failed() {
    let mut loader = Loader::new(None);
    loader.write(b"GG").unwrap();
    let error = loader.write(&vec![0; CHUNK_BYTES_LIMIT + 1]).unwrap_err();
    let Error::LimitExceeded { limit, allowed, requested, .. } = error else { panic!("{error:?}") };
    assert_eq!((limit, allowed, requested), (Limit::ChunkBytes, 16 << 20, (16 << 20) + 1));
    assert_eq!(loader.received_bytes(), 2);
    assert!(matches!(loader.write(b"UF"), Err(Error::InvalidState(_))));
    assert!(matches!(loader.finish(), Err(Error::InvalidState(_))));
}

#[test]
fn empty_chunks_are_taken_anywhere() {
    let bytes = tiny::file("q8").bytes();
    let mut loader = Loader::with_families(None, tiny::FAMILIES);
    for chunk in bytes.chunks(13) {
        loader.write(&[]).unwrap();
        loader.write(chunk).unwrap();
    }
    loader.write(&[]).unwrap();
    loader.finish().unwrap();
}

#[test]
fn a_small_moonshine_loads_in_every_quantization() {
    const VOCABULARY: u32 = 300;
    for quantization in ["f32", "f16", "q8"] {
        let mut file = support::common_metadata("moonshine", quantization, VOCABULARY as usize);
        for (key, value) in [
            ("embedding_length", 32),
            ("encoder.block_count", 1),
            ("decoder.block_count", 2),
            ("encoder.feed_forward_length", 48),
            ("decoder.feed_forward_length", 40),
            ("attention.head_count", 2),
            ("rope.dimension_count", 8),
            ("vocab_size", VOCABULARY),
            ("sample_rate_hz", 16_000),
            ("max_utterance_samples", 480_000),
        ] {
            file.set(&format!("moonshine.{key}"), Value::U32(value));
        }
        for (key, value) in [
            ("attention.layer_norm_epsilon", 1e-5),
            ("rope.freq_base", 10_000.0),
            ("group_norm_epsilon", 1e-5),
            ("max_tokens_per_second", 6.5),
        ] {
            file.set(&format!("moonshine.{key}"), Value::F32(value));
        }
        support::add_tensors(&mut file, &Moonshine, quantization);
        let loaded = feed(Loader::new(None), &file.bytes(), 10_000).unwrap();
        assert_eq!(loaded.card.architecture, Moonshine.architecture());
        assert_eq!(loaded.card.quantization, quantization);
        assert_eq!(loaded.model.traits().longest_segment_samples, 480_000);
        assert_eq!(loaded.model.tokenizer().vocabulary_tokens(), 300);
        let weights = file.tensors.iter().filter(|tensor| !tensor.name.ends_with("_scale"));
        let parameters = weights.map(|tensor| tensor.shape.iter().product::<u64>()).sum::<u64>();
        assert_eq!(loaded.model.traits().parameters, parameters);
    }
}
