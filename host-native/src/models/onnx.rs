//! Reads the constants of an ONNX model, which is a protocol buffer (`onnx.proto` of <https://github.com/onnx/onnx>).

use std::collections::BTreeMap;

use prost::Message;

use super::error::SourceError;

/// `ModelProto`, as far as constants need it.
#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

/// `GraphProto`.
#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Initializer>,
}

/// `TensorProto`.
#[derive(Clone, PartialEq, Message)]
struct Initializer {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

/// `TensorProto.DataType.FLOAT`.
const FLOAT: i32 = 1;

/// The constants of a graph that are 32-bit floats, by name.
#[derive(Debug)]
pub(crate) struct Constants(BTreeMap<String, Constant>);

/// A tensor of 32-bit floats.
#[derive(Debug)]
pub(crate) struct Constant {
    /// Outermost first.
    pub(crate) shape: Vec<usize>,
    /// As many as the shape says, row-major.
    pub(crate) values: Vec<f32>,
}

impl Constants {
    /// Reads an ONNX file. `part` names it in messages.
    ///
    /// # Errors
    ///
    /// [`SourceError::Corrupt`] for what is no protocol buffer of this kind, and where a constant does not have the numbers
    /// that its shape asks for.
    pub(crate) fn read(part: &str, bytes: &[u8]) -> Result<Self, SourceError> {
        let corrupt = |problem: String| SourceError::Corrupt { part: part.to_owned(), problem };
        let model = Model::decode(bytes).map_err(|error| corrupt(error.to_string()))?;
        let graph = model.graph.ok_or_else(|| corrupt("it has no graph".to_owned()))?;
        let mut constants = BTreeMap::new();
        for constant in graph.initializer.into_iter().filter(|constant| constant.data_type == FLOAT) {
            let Initializer { dims, float_data, name, raw_data, .. } = constant;
            let (raw, rest) = raw_data.as_chunks::<4>();
            let mut values: Vec<f32> = raw.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            values.extend(float_data);
            let shape: Option<Vec<usize>> = dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
            let product = |shape: &Vec<usize>| shape.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
            match shape {
                Some(shape) if rest.is_empty() && product(&shape) == Some(values.len()) => {
                    constants.insert(name, Constant { shape, values });
                }
                _ => return Err(corrupt(format!("`{name}` does not have as many numbers as its shape {dims:?} says"))),
            }
        }
        Ok(Self(constants))
    }

    /// Takes a constant out.
    ///
    /// # Errors
    ///
    /// [`SourceError::MissingTensor`].
    pub(crate) fn take(&mut self, name: &str) -> Result<Constant, SourceError> {
        self.0.remove(name).ok_or_else(|| SourceError::MissingTensor { name: name.to_owned() })
    }
}
