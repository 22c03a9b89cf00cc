//! Writes model files by the letter of `component/MODEL-FORMAT.md`.

use half::f16;

use super::silero;
use super::tiny::{self, Numbers, Tensor};

/// What differs between sources of the same weights.
pub struct Card<'a> {
    pub name: &'a str,
    pub languages: &'a [&'a str],
    pub source: &'a str,
}

/// A metadata value, or a tensor's header, already as bytes.
pub fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

pub fn text(key: &str, value: &str) -> Vec<u8> {
    [string(key), 8_u32.to_le_bytes().to_vec(), string(value)].concat()
}

pub fn u32(key: &str, value: u32) -> Vec<u8> {
    [string(key), 4_u32.to_le_bytes().to_vec(), value.to_le_bytes().to_vec()].concat()
}

pub fn f32(key: &str, value: f32) -> Vec<u8> {
    [string(key), 6_u32.to_le_bytes().to_vec(), value.to_le_bytes().to_vec()].concat()
}

pub fn array(key: &str, element_type: u32, elements: &[Vec<u8>]) -> Vec<u8> {
    let head = [string(key), 9_u32.to_le_bytes().to_vec(), element_type.to_le_bytes().to_vec()].concat();
    [head, (elements.len() as u64).to_le_bytes().to_vec(), elements.concat()].concat()
}

/// `dims` innermost first, as in the file.
pub fn tensor_info(name: &str, dims: &[u64], tensor_type: u32, offset: u64) -> Vec<u8> {
    let mut info = [string(name), (dims.len() as u32).to_le_bytes().to_vec()].concat();
    dims.iter().for_each(|dim| info.extend(dim.to_le_bytes()));
    [info, tensor_type.to_le_bytes().to_vec(), offset.to_le_bytes().to_vec()].concat()
}

pub fn file(metadata: &[Vec<u8>], infos: &[Vec<u8>], data: &[u8]) -> Vec<u8> {
    let mut file = b"GGUF\x03\0\0\0".to_vec();
    file.extend((infos.len() as u64).to_le_bytes());
    file.extend((metadata.len() as u64).to_le_bytes());
    file.extend(metadata.concat());
    file.extend(infos.concat());
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend(data);
    file
}

/// The whole model file of the tiny model.
pub fn model(tensors: &[Tensor], quantization: &str, card: &Card<'_>) -> Vec<u8> {
    model_with(tensors, quantization, card, None)
}

/// The same with a voice activity detector: its source and its tensors.
pub fn model_with(
    tensors: &[Tensor],
    quantization: &str,
    card: &Card<'_>,
    detector: Option<(&str, &[silero::Tensor])>,
) -> Vec<u8> {
    let pieces = tiny::pieces();
    let up = tensors.iter().find(|tensor| tensor.name == "model.encoder.layers.0.mlp.fc1.weight");
    let encoder_length = up.map_or(0, |tensor| tensor.shape[0] as u32);
    let languages: Vec<_> = card.languages.iter().map(|tag| string(tag)).collect();
    let texts: Vec<_> = pieces.iter().map(|(piece, _)| string(piece)).collect();
    let kinds: Vec<_> = pieces.iter().map(|(_, kind)| kind.to_le_bytes().to_vec()).collect();
    let mut metadata = vec![
        text("general.architecture", "moonshine"),
        text("general.name", card.name),
        text("general.basename", card.name),
        array("general.languages", 8, &languages),
        u32("general.quantization_version", 2),
        text("auricle.quantization", quantization),
        text("auricle.source", card.source),
        text("tokenizer.ggml.model", "llama"),
        array("tokenizer.ggml.tokens", 8, &texts),
        array("tokenizer.ggml.token_type", 5, &kinds),
        u32("tokenizer.ggml.bos_token_id", 1),
        u32("tokenizer.ggml.eos_token_id", 2),
        u32("moonshine.embedding_length", 16),
        u32("moonshine.encoder.block_count", 1),
        u32("moonshine.decoder.block_count", 1),
        u32("moonshine.encoder.feed_forward_length", encoder_length),
        u32("moonshine.decoder.feed_forward_length", 6),
        u32("moonshine.attention.head_count", 8),
        f32("moonshine.attention.layer_norm_epsilon", 1e-5),
        u32("moonshine.rope.dimension_count", 2),
        f32("moonshine.rope.freq_base", 10_000.0),
        f32("moonshine.group_norm_epsilon", 1e-5),
        u32("moonshine.vocab_size", 264),
        u32("moonshine.sample_rate_hz", 16_000),
        u32("moonshine.max_utterance_samples", 480_000),
        f32("moonshine.max_tokens_per_second", 6.5),
    ];
    if let Some((source, _)) = detector {
        metadata.push(text("auricle.voice_activity", "silero-vad-16k"));
        metadata.push(text("auricle.voice_activity_source", source));
    }
    let (mut infos, mut data) = (Vec::new(), Vec::new());
    let mut put = |name: &str, shape: &[usize], tensor_type: u32, bytes: &[u8]| {
        data.resize(data.len().next_multiple_of(32), 0);
        let dims: Vec<u64> = shape.iter().rev().map(|dim| *dim as u64).collect();
        infos.push(tensor_info(name, &dims, tensor_type, data.len() as u64));
        data.extend_from_slice(bytes);
    };
    for tensor in tensors {
        let floats = tensor.floats();
        match (tensor.is_matrix, quantization) {
            (true, "f16") => {
                let bytes: Vec<u8> = floats.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect();
                put(&tensor.name, &tensor.shape, 1, &bytes);
            }
            (true, "q8") => {
                let (scales, integers) = eight_bit(tensor);
                put(&format!("{}_scale", tensor.name), &tensor.shape[..1], 0, &bytes_of(&scales));
                put(&tensor.name, &tensor.shape, 24, &integers);
            }
            _ => put(&tensor.name, &tensor.shape, 0, &bytes_of(&floats)),
        }
    }
    for (name, _, shape, numbers) in detector.map(|(_, tensors)| tensors).unwrap_or_default() {
        put(name, shape, 0, &bytes_of(numbers));
    }
    file(&metadata, &infos, &data)
}

fn bytes_of(floats: &[f32]) -> Vec<u8> {
    floats.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn eight_bit(tensor: &Tensor) -> (Vec<f32>, Vec<u8>) {
    let floats = tensor.floats();
    let (mut scales, mut result) = (Vec::new(), Vec::new());
    let per_channel = floats.len() / tensor.shape[0];
    for channel in 0..tensor.shape[0] {
        let range = channel * per_channel..(channel + 1) * per_channel;
        if let Numbers::Affine { integers, scale, zero_point } = &tensor.numbers {
            let centred: Vec<i32> =
                integers[range.clone()].iter().map(|q| i32::from(*q) - i32::from(*zero_point)).collect();
            if centred.iter().all(|q| q.abs() <= 127) {
                scales.push(*scale);
                result.extend(centred.iter().map(|q| *q as i8 as u8));
                continue;
            }
        }
        let largest = floats[range.clone()].iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = largest / 127.0;
        scales.push(scale);
        for value in &floats[range] {
            let q = if scale == 0.0 { 0.0 } else { (value / scale).round_ties_even().clamp(-127.0, 127.0) };
            result.push(q as i8 as u8);
        }
    }
    (scales, result)
}
