//! Lays the tiny model out as a Hugging Face folder.

use std::fs;
use std::path::Path;

use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};

use super::tiny::{self, DECODER_LENGTH, HIDDEN, Tensor, VOCABULARY};

pub fn config() -> Value {
    json!({
        "architectures": ["MoonshineForConditionalGeneration"],
        "model_type": "moonshine",
        "hidden_size": HIDDEN,
        "intermediate_size": DECODER_LENGTH,
        "encoder_num_hidden_layers": 1,
        "decoder_num_hidden_layers": 1,
        "encoder_num_attention_heads": 8,
        "decoder_num_attention_heads": 8,
        "encoder_num_key_value_heads": 8,
        "decoder_num_key_value_heads": 8,
        "encoder_hidden_act": "gelu",
        "decoder_hidden_act": "silu",
        "attention_bias": false,
        "partial_rotary_factor": 1.0,
        "rope_theta": 10_000.0,
        "vocab_size": VOCABULARY,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 1
    })
}

pub fn tokenizer() -> Value {
    let (mut vocabulary, mut added) = (serde_json::Map::new(), Vec::new());
    for (id, (piece, kind)) in tiny::pieces().into_iter().enumerate() {
        // As in the published file: the spare tokens are added ones, the first three are both.
        if kind != 3 || id < 3 {
            vocabulary.insert(piece.clone(), json!(id));
        }
        if kind == 2 || kind == 3 {
            added.push(json!({"id": id, "content": piece, "special": true, "normalized": false}));
        }
    }
    json!({
        "version": "1.0",
        "added_tokens": added,
        "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true, "vocab": vocabulary, "merges": []}
    })
}

pub fn weights(tensors: &[Tensor]) -> Vec<u8> {
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|tensor| {
            let bytes = tensor.floats().iter().flat_map(|value| value.to_le_bytes()).collect();
            (tensor.name.clone(), tensor.shape.clone(), bytes)
        })
        .collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).expect("a tensor of its own shape"))
    });
    safetensors::serialize(views, None).unwrap()
}

pub fn write(folder: &Path, config: &Value, tokenizer: &Value, weights: &[u8]) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    fs::write(folder.join("model.safetensors"), weights).unwrap();
}
