//! A small model whose weights mean nothing.

use std::rc::Rc;

use candle_core::{Device, Tensor};

use super::MoonshineModel;
use super::config::Config;
use crate::kernels::testing::Noise;
use crate::tokenizer::Tokenizer;
use crate::weights::{Matrix, TensorKind, Weights};

/// Its hyperparameters.
pub(crate) fn config() -> Config {
    Config {
        width: 24,
        encoder_blocks: 1,
        decoder_blocks: 2,
        encoder_feed_forward: 48,
        decoder_feed_forward: 40,
        heads: 2,
        rope_dimensions: 8,
        rope_base: 10_000.0,
        layer_norm_epsilon: 1e-5,
        group_norm_epsilon: 1e-5,
        vocabulary: 70,
        longest_utterance_samples: 480_000,
        max_tokens_per_second: 6.5,
    }
}

/// Its weights, in 8 bits.
pub(crate) fn weights(config: &Config) -> Weights {
    let mut noise = Noise::new(12);
    let mut weights = Weights::default();
    for spec in config.tensors() {
        let count = spec.shape.iter().product();
        if spec.kind == TensorKind::Plain {
            let tensor = Tensor::from_vec(noise.take(count), spec.shape, &Device::Cpu).expect("a tensor");
            weights.insert_plain(spec.name, tensor);
        } else {
            let values = noise.take(count).iter().map(|x| (x * 100.0) as i8).collect();
            let (rows, columns, scales) = (spec.shape[0], count / spec.shape[0], vec![0.01; spec.shape[0]]);
            weights.insert_matrix(spec.name, Matrix::int8(spec.kind, rows, columns, values, scales));
        }
    }
    weights
}

/// All of it.
pub(crate) fn model() -> Rc<MoonshineModel> {
    let config = config();
    let (weights, tokenizer) = (weights(&config), Tokenizer::silent(config.vocabulary));
    Rc::new(MoonshineModel::new(config, weights, tokenizer).expect("all weights"))
}
