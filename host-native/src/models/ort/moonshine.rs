//! Moonshine's weights in ONNX Runtime's quantized export: an encoder file, and a merged decoder file whose nodes sit
//! in the branch that is run without a cache.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Element, Initializer, Network};
use crate::models::convert::{Hyperparameters, SourceTensor, Values, WeightSource};
use crate::models::error::SourceError;

const ENCODER_FILE: &str = "encoder_model.ort";
const DECODER_FILE: &str = "decoder_model_merged.ort";
const ENCODER_PREFIX: &str = "model.encoder.";
/// The graph in which the decoder computes the cross-attention's keys and values, and so has all weights.
const DECODER_BRANCH: &str = "else_branch";

/// The export has no configuration file; both published sizes have eight heads.
const HEAD_COUNT: u32 = 8;
/// As above; checked against the frequencies stored in the graph.
const ROPE_BASE: f32 = 10_000.0;
/// ONNX's default for `epsilon`.
const DEFAULT_EPSILON: f32 = 1e-5;

/// Where a tensor's numbers are.
#[derive(Debug)]
enum Place<'a> {
    Float(Initializer<'a>),
    Affine { integers: Initializer<'a>, scale: f32, zero_point: u8, transposed: bool },
}

/// The tensors of both files under their Hugging Face names.
#[derive(Debug)]
pub(crate) struct OrtMoonshine<'a> {
    places: BTreeMap<String, Place<'a>>,
    hyperparameters: Hyperparameters,
}

impl<'a> OrtMoonshine<'a> {
    /// Reads both files.
    ///
    /// # Errors
    ///
    /// [`SourceError::Corrupt`] for files that are not ONNX Runtime models or end early, [`SourceError::MissingTensor`]
    /// and [`SourceError::Unsupported`] for those of another architecture.
    pub(crate) fn read(encoder: &'a [u8], decoder: &'a [u8]) -> Result<Self, SourceError> {
        let encoder = Network::read(ENCODER_FILE, encoder, None)?;
        let decoder = Network::read(DECODER_FILE, decoder, Some(DECODER_BRANCH))?;
        let mut places = BTreeMap::new();
        collect(&encoder, ENCODER_PREFIX, &mut places)?;
        collect(&decoder, "", &mut places)?;
        // The group norm's parameters lost their names when the norm was unfolded into primitive operations.
        for (operation, name) in [("/groupnorm/Mul", "weight"), ("/groupnorm/Add", "bias")] {
            let name = format!("{ENCODER_PREFIX}groupnorm.{name}");
            let found = encoder.constant_input(operation).ok_or(SourceError::MissingTensor { name: name.clone() })?;
            let flat = Initializer { dims: vec![found.dims.iter().product()], ..found.clone() };
            add(&mut places, name, Place::Float(flat))?;
        }
        let hyperparameters = hyperparameters(&places, &encoder)?;
        Ok(Self { places, hyperparameters })
    }

    /// Read off the shapes and the graph.
    pub(crate) fn hyperparameters(&self) -> &Hyperparameters {
        &self.hyperparameters
    }
}

impl WeightSource for OrtMoonshine<'_> {
    fn tensor(&self, name: &str) -> Result<SourceTensor<'_>, SourceError> {
        let place = self.places.get(name).ok_or_else(|| SourceError::MissingTensor { name: name.to_owned() })?;
        Ok(match place {
            Place::Float(constant) => {
                let values = constant.floats().ok_or_else(|| SourceError::Unsupported {
                    what: format!("tensor `{name}` is not stored as 32-bit floats"),
                })?;
                SourceTensor { shape: constant.dims.clone(), values: Values::Float(values) }
            }
            Place::Affine { integers, scale, zero_point, transposed } => {
                let (shape, integers) = if *transposed {
                    let [inputs, outputs] = *integers.dims else {
                        return Err(no_matrix(name, &integers.dims));
                    };
                    (vec![outputs, inputs], Cow::Owned(transpose(integers.data, inputs, outputs)))
                } else {
                    (integers.dims.clone(), Cow::Borrowed(integers.data))
                };
                SourceTensor { shape, values: Values::Affine { integers, scale: *scale, zero_point: *zero_point } }
            }
        })
    }

    fn names(&self) -> Vec<&str> {
        self.places.keys().map(String::as_str).collect()
    }
}

/// Finds the weights of one file: by operation for linear layers, by their own name for everything else.
fn collect<'a>(
    network: &Network<'a>,
    prefix: &str,
    places: &mut BTreeMap<String, Place<'a>>,
) -> Result<(), SourceError> {
    for operation in &network.operations {
        // Inputs as ONNX Runtime's contrib operators have them.
        let (weight, scale, zero_point) = match operation.op_type {
            "MatMulIntegerToFloat" => (1, 3, 5),
            "DynamicQuantizeMatMul" => (1, 2, 3),
            _ => continue,
        };
        let Some(layer) = operation.name.strip_suffix("/MatMul_quant") else {
            continue;
        };
        let name = format!("{prefix}{}.weight", layer.trim_start_matches('/').replace('/', "."));
        let input = |index: usize| operation.inputs.get(index).copied().unwrap_or_default();
        let place = affine(network, &name, input(weight), input(scale), input(zero_point), true)?;
        add(places, name, place)?;
    }
    for (stored_name, constant) in &network.initializers {
        let quantized = stored_name.strip_suffix("_quantized");
        let name = quantized.unwrap_or(stored_name).trim_end_matches("_merged_0").trim_end_matches("_add_tensor");
        if !(name.ends_with(".weight") || name.ends_with(".bias")) {
            continue;
        }
        let name = format!("{prefix}{name}");
        let place = match quantized {
            None => Place::Float(constant.clone()),
            Some(stem) => {
                let (scale, zero_point) = (format!("{stem}_scale"), format!("{stem}_zero_point"));
                affine(network, &name, stored_name, &scale, &zero_point, false)?
            }
        };
        add(places, name, place)?;
    }
    Ok(())
}

fn affine<'a>(
    network: &Network<'a>,
    name: &str,
    integers: &str,
    scale: &str,
    zero_point: &str,
    transposed: bool,
) -> Result<Place<'a>, SourceError> {
    let constant = |stored_name: &str, element: Element| {
        network.initializers.get(stored_name).filter(|constant| constant.element == element).ok_or_else(|| {
            SourceError::Unsupported {
                what: format!("tensor `{name}`: no constant input `{stored_name}` of type {element:?}"),
            }
        })
    };
    let integers = constant(integers, Element::U8)?.clone();
    let scale = constant(scale, Element::F32)?.floats().unwrap_or_default();
    let zero_point = constant(zero_point, Element::U8)?.data;
    let (&[scale], &[zero_point]) = (scale.as_slice(), zero_point) else {
        return Err(SourceError::Unsupported {
            what: format!("tensor `{name}` does not have one scale and zero point"),
        });
    };
    if !(scale.is_finite() && scale > 0.0) {
        return Err(SourceError::Corrupt {
            part: format!("tensor `{name}`"),
            problem: format!("its scale is {scale}"),
        });
    }
    Ok(Place::Affine { integers, scale, zero_point, transposed })
}

fn add<'a>(places: &mut BTreeMap<String, Place<'a>>, name: String, place: Place<'a>) -> Result<(), SourceError> {
    match places.insert(name.clone(), place) {
        None => Ok(()),
        Some(_) => Err(SourceError::Corrupt { part: format!("tensor `{name}`"), problem: "it is there twice".into() }),
    }
}

fn no_matrix(name: &str, dims: &[usize]) -> SourceError {
    SourceError::Unsupported { what: format!("tensor `{name}` of shape {dims:?} is no matrix") }
}

/// `[inputs, outputs]` to `[outputs, inputs]`.
fn transpose(data: &[u8], inputs: usize, outputs: usize) -> Vec<u8> {
    (0..outputs).flat_map(|o| (0..inputs).map(move |i| data[i * outputs + o])).collect()
}

fn hyperparameters(
    places: &BTreeMap<String, Place<'_>>,
    encoder: &Network<'_>,
) -> Result<Hyperparameters, SourceError> {
    // In PyTorch's order.
    let dim = |name: &str, index: usize| -> Result<u32, SourceError> {
        let (dims, transposed) = match places.get(name) {
            Some(Place::Float(constant)) => (&constant.dims, false),
            Some(Place::Affine { integers, transposed, .. }) => (&integers.dims, *transposed),
            None => {
                return Err(SourceError::MissingTensor { name: name.to_owned() });
            }
        };
        let index = if transposed && dims.len() == 2 { 1 - index } else { index };
        (dims.get(index).and_then(|dim| u32::try_from(*dim).ok())).ok_or_else(|| no_matrix(name, dims))
    };
    let layers = |part: &str| -> u32 {
        let is_there =
            |layer: &u32| places.contains_key(&format!("model.{part}.layers.{layer}.self_attn.q_proj.weight"));
        (0..).find(|layer| !is_there(layer)).unwrap_or(0)
    };
    let epsilon =
        |name_end: &str| encoder.operation(name_end).and_then(|operation| operation.epsilon).unwrap_or(DEFAULT_EPSILON);
    Ok(Hyperparameters {
        embedding_length: dim("model.encoder.conv1.weight", 0)?,
        encoder_block_count: layers("encoder"),
        decoder_block_count: layers("decoder"),
        encoder_feed_forward_length: dim("model.encoder.layers.0.mlp.fc1.weight", 0)?,
        decoder_feed_forward_length: dim("model.decoder.layers.0.mlp.fc2.weight", 1)?,
        head_count: HEAD_COUNT,
        layer_norm_epsilon: epsilon("/layers.0/input_layernorm/LayerNormalization"),
        rope_dimension_count: rope_dimension_count(encoder)?,
        rope_freq_base: ROPE_BASE,
        group_norm_epsilon: epsilon("/groupnorm/InstanceNormalization"),
        vocab_size: dim("model.decoder.embed_tokens.weight", 0)?,
    })
}

/// The graph holds the rotation's inverse frequencies, one for each pair of dimensions: `base^(-2i / dimensions)`.
fn rope_dimension_count(encoder: &Network<'_>) -> Result<u32, SourceError> {
    let frequencies = (encoder.constant_input("/rotary_emb/Expand").and_then(Initializer::floats))
        .ok_or_else(|| SourceError::MissingTensor { name: "rotary_emb.inv_freq".to_owned() })?;
    let dimensions = u32::try_from(2 * frequencies.len()).unwrap_or(u32::MAX);
    for (pair, frequency) in (0_u16..).zip(&frequencies) {
        let expected = ROPE_BASE.powf(-2.0 * f32::from(pair) / dimensions as f32);
        let is_near = (frequency - expected).abs() <= 1e-4 * expected;
        if !is_near {
            let what = format!("rotary frequency {pair} is {frequency}, not {expected} as base {ROPE_BASE} gives");
            return Err(SourceError::Unsupported { what });
        }
    }
    Ok(dimensions)
}
