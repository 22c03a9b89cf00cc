//! Reading ONNX Runtime model files (`.ort`): the constants and the nodes of one graph.

mod moonshine;
mod schema;

use std::collections::BTreeMap;

pub(crate) use moonshine::OrtMoonshine;
pub(crate) use schema::IDENTIFIER;

use super::error::SourceError;

/// Element types, as ONNX numbers them, of the constants that carry weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    F32,
    U8,
}

impl Element {
    fn from_onnx(data_type: i32) -> Option<Self> {
        match data_type {
            1 => Some(Self::F32),
            2 => Some(Self::U8),
            _ => None,
        }
    }

    fn size_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::U8 => 1,
        }
    }
}

/// A constant of the graph.
#[derive(Clone, Debug)]
struct Initializer<'a> {
    /// Outermost first; empty for a scalar.
    dims: Vec<usize>,
    element: Element,
    /// Row-major, little-endian; as long as `dims` and `element` say.
    data: &'a [u8],
}

impl Initializer<'_> {
    fn floats(&self) -> Option<Vec<f32>> {
        let (values, rest) = self.data.as_chunks::<4>();
        (self.element == Element::F32 && rest.is_empty())
            .then(|| values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

/// An operation of the graph.
#[derive(Clone, Debug)]
struct Operation<'a> {
    name: &'a str,
    op_type: &'a str,
    inputs: Vec<&'a str>,
    /// The attribute `epsilon` of normalizations.
    epsilon: Option<f32>,
}

/// The part of a file that holds a model's weights: one graph's nodes, with the constants they can name.
#[derive(Debug)]
struct Network<'a> {
    /// Only those of a type that weights have.
    initializers: BTreeMap<&'a str, Initializer<'a>>,
    operations: Vec<Operation<'a>>,
}

impl<'a> Network<'a> {
    /// Reads the main graph; with a `branch`, its constants and the graph in that attribute of its first `If` node.
    ///
    /// `file` is the name used in errors.
    ///
    /// # Errors
    ///
    /// [`SourceError::Corrupt`] for anything that is not such a file, or ends early.
    fn read(file: &str, bytes: &'a [u8], branch: Option<&str>) -> Result<Self, SourceError> {
        let corrupt = |problem: String| SourceError::Corrupt { part: file.to_owned(), problem };
        if bytes.get(4..8) != Some(IDENTIFIER) {
            return Err(corrupt("not an ONNX Runtime model: byte 4 does not start with \"ORTM\"".to_owned()));
        }
        let session = schema::root(bytes).map_err(|error| corrupt(one_line(&error.to_string())))?;
        let graph = session.model().and_then(|model| model.graph()).ok_or_else(|| corrupt("it has no graph".into()))?;

        let mut network = Self { initializers: BTreeMap::new(), operations: Vec::new() };
        network.add_initializers(graph).map_err(&corrupt)?;
        match branch {
            None => network.add_operations(graph),
            Some(branch) => {
                let inner = branch_of(graph, branch)
                    .ok_or_else(|| corrupt(format!("no `If` node with a graph in its attribute `{branch}`")))?;
                network.add_initializers(inner).map_err(&corrupt)?;
                network.add_operations(inner);
            }
        }
        Ok(network)
    }

    fn add_initializers(&mut self, graph: schema::Graph<'a>) -> Result<(), String> {
        for tensor in graph.initializers().into_iter().flatten() {
            let Some(name) = tensor.name() else { continue };
            let Some(element) = Element::from_onnx(tensor.data_type().unwrap_or(0)) else {
                continue;
            };
            let dims = (tensor.dims().into_iter().flatten().map(usize::try_from).collect::<Result<Vec<_>, _>>())
                .map_err(|_| format!("constant `{name}` has a negative dimension"))?;
            let expected = dims.iter().try_fold(element.size_bytes(), |bytes, dim| bytes.checked_mul(*dim));
            let data = tensor.raw_data().map_or(&[][..], |data| data.bytes());
            if expected != Some(data.len()) {
                return Err(format!("constant `{name}` of shape {dims:?} holds {} bytes", data.len()));
            }
            if self.initializers.insert(name, Initializer { dims, element, data }).is_some() {
                return Err(format!("constant `{name}` is there twice"));
            }
        }
        Ok(())
    }

    fn add_operations(&mut self, graph: schema::Graph<'a>) {
        for node in graph.nodes().into_iter().flatten() {
            let epsilon = (node.attributes().into_iter().flatten())
                .find(|attribute| attribute.name() == Some("epsilon"))
                .and_then(|attribute| attribute.float());
            self.operations.push(Operation {
                name: node.name().unwrap_or_default(),
                op_type: node.op_type().unwrap_or_default(),
                inputs: node.inputs().into_iter().flatten().collect(),
                epsilon,
            });
        }
    }

    /// The first operation whose name ends so.
    fn operation(&self, name_end: &str) -> Option<&Operation<'a>> {
        self.operations.iter().find(|operation| operation.name.ends_with(name_end))
    }

    /// The first input of the operation that is a constant.
    fn constant_input(&self, name_end: &str) -> Option<&Initializer<'a>> {
        self.operation(name_end)?.inputs.iter().find_map(|input| self.initializers.get(input))
    }
}

fn branch_of<'a>(graph: schema::Graph<'a>, branch: &str) -> Option<schema::Graph<'a>> {
    let node = graph.nodes().into_iter().flatten().find(|node| node.op_type() == Some("If"))?;
    node.attributes().into_iter().flatten().find(|attribute| attribute.name() == Some(branch))?.graph()
}

/// The verifier's message has a line for every level above the fault: the first says what, the second where.
fn one_line(message: &str) -> String {
    message.lines().take(2).map(str::trim).collect::<Vec<_>>().join(" ")
}
