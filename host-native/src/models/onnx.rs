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

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::{Constants, FLOAT, Graph, Initializer, Model, SourceError};

    /// One constant as raw bytes, one as floats, and one of integers.
    fn model() -> Model {
        let constant = |name: &str, dims: &[i64], data_type, float_data: &[f32], raw_data: Vec<u8>| Initializer {
            name: name.to_owned(),
            dims: dims.to_vec(),
            data_type,
            float_data: float_data.to_vec(),
            raw_data,
        };
        let raw = [1.5_f32, -2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let initializer = vec![
            constant("raw", &[2, 3], FLOAT, &[], raw),
            constant("floats", &[2], FLOAT, &[7.0, 8.0], Vec::new()),
            constant("integers", &[1], 7, &[], vec![1; 8]),
        ];
        Model { graph: Some(Graph { initializer }) }
    }

    fn read(bytes: &[u8]) -> Result<Constants, SourceError> {
        Constants::read("some.onnx", bytes)
    }

    #[test]
    fn constants_of_floats_are_read_in_either_form_and_others_left_out() {
        let mut constants = read(&model().encode_to_vec()).unwrap();
        let raw = constants.take("raw").unwrap();
        assert_eq!((raw.shape, raw.values), (vec![2, 3], vec![1.5, -2.0, 3.0, 4.0, 5.0, 6.0]));
        assert_eq!(constants.take("floats").unwrap().values, [7.0, 8.0]);
        for name in ["integers", "raw"] {
            let error = constants.take(name).unwrap_err();
            assert!(matches!(&error, SourceError::MissingTensor { name: found } if found == name), "{error}");
        }
    }

    #[test]
    fn shapes_that_the_numbers_do_not_fill_are_refused_by_name() {
        for dims in [vec![2, 2], vec![7], vec![-2, -3], vec![i64::MAX, i64::MAX], vec![]] {
            let mut model = model();
            model.graph.as_mut().unwrap().initializer[0].dims = dims;
            let error = read(&model.encode_to_vec()).unwrap_err().to_string();
            assert!(error.contains("some.onnx") && error.contains("`raw`"), "{error}");
        }
        let mut model = model();
        model.graph.as_mut().unwrap().initializer[0].raw_data.pop();
        assert!(read(&model.encode_to_vec()).is_err());
        model.graph = None;
        assert!(read(&model.encode_to_vec()).unwrap_err().to_string().contains("no graph"));
    }

    #[test]
    fn a_model_cut_or_changed_at_any_byte_is_refused_or_read_and_never_panics() {
        let whole = model().encode_to_vec();
        for cut in 1..whole.len() {
            assert!(matches!(read(&whole[..cut]), Err(SourceError::Corrupt { .. })), "cut at {cut}");
        }
        let mut refused = 0;
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            refused += u32::from(read(&bytes).is_err());
        }
        assert!(refused > 100, "{refused} of {} flips", 8 * whole.len());
    }
}
