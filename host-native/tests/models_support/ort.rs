//! Writes ONNX Runtime files as Moonshine's quantized export has them. Slots are those of ONNX Runtime's `ort.fbs`.

use flatbuffers::{FlatBufferBuilder, ForwardsUOffset, TableFinishedWIPOffset, Vector, WIPOffset};

use super::tiny::{Numbers, Tensor};

type Table<'f> = WIPOffset<TableFinishedWIPOffset>;
type Tables<'f> = WIPOffset<Vector<'f, ForwardsUOffset<TableFinishedWIPOffset>>>;

const F32: i32 = 1;
const U8: i32 = 2;

struct File<'f> {
    fbb: FlatBufferBuilder<'f>,
    initializers: Vec<Table<'f>>,
    nodes: Vec<Table<'f>>,
}

impl<'f> File<'f> {
    fn new() -> Self {
        Self { fbb: FlatBufferBuilder::new(), initializers: Vec::new(), nodes: Vec::new() }
    }

    fn constant(&mut self, name: &str, dims: &[usize], data_type: i32, data: &[u8]) {
        let name = self.fbb.create_string(name);
        let dims: Vec<i64> = dims.iter().map(|dim| i64::try_from(*dim).unwrap()).collect();
        let dims = self.fbb.create_vector(&dims);
        let data = self.fbb.create_vector(data);
        let table = self.fbb.start_table();
        self.fbb.push_slot_always(4, name);
        self.fbb.push_slot_always(8, dims);
        self.fbb.push_slot_always(10, data_type);
        self.fbb.push_slot_always(12, data);
        let table = self.fbb.end_table(table);
        self.initializers.push(table);
    }

    fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, dims, F32, &bytes);
    }

    fn node(&mut self, name: &str, op_type: &str, inputs: &[&str], attribute: Option<Table<'f>>) {
        let name = self.fbb.create_string(name);
        let op_type = self.fbb.create_string(op_type);
        let inputs: Vec<_> = inputs.iter().map(|input| self.fbb.create_string(input)).collect();
        let inputs = self.fbb.create_vector(&inputs);
        let attributes: Vec<_> = attribute.into_iter().collect();
        let attributes: Tables<'f> = self.fbb.create_vector(&attributes);
        let table = self.fbb.start_table();
        self.fbb.push_slot_always(4, name);
        self.fbb.push_slot_always(14, op_type);
        self.fbb.push_slot_always(20, inputs);
        self.fbb.push_slot_always(24, attributes);
        let table = self.fbb.end_table(table);
        self.nodes.push(table);
    }

    fn float_attribute(&mut self, name: &str, value: f32) -> Table<'f> {
        let name = self.fbb.create_string(name);
        let table = self.fbb.start_table();
        self.fbb.push_slot_always(4, name);
        self.fbb.push_slot_always(10, value);
        self.fbb.end_table(table)
    }

    fn graph_attribute(&mut self, name: &str, graph: Table<'f>) -> Table<'f> {
        let name = self.fbb.create_string(name);
        let table = self.fbb.start_table();
        self.fbb.push_slot_always(4, name);
        self.fbb.push_slot_always(18, graph);
        self.fbb.end_table(table)
    }

    /// The constants and nodes so far become a graph.
    fn graph(&mut self) -> Table<'f> {
        let initializers: Tables<'f> = self.fbb.create_vector(&std::mem::take(&mut self.initializers));
        let nodes: Tables<'f> = self.fbb.create_vector(&std::mem::take(&mut self.nodes));
        let table = self.fbb.start_table();
        self.fbb.push_slot_always(4, initializers);
        self.fbb.push_slot_always(8, nodes);
        self.fbb.end_table(table)
    }

    fn finish(mut self) -> Vec<u8> {
        let graph = self.graph();
        let table = self.fbb.start_table();
        self.fbb.push_slot_always(18, graph);
        let model = self.fbb.end_table(table);
        let table = self.fbb.start_table();
        self.fbb.push_slot_always(6, model);
        let session = self.fbb.end_table(table);
        self.fbb.finish(session, Some("ORTM"));
        self.fbb.finished_data().to_vec()
    }

    /// A linear layer: the constants under `stem`, `[in, out]`, and their names.
    fn affine(&mut self, stem: &str, tensor: &Tensor, transposed: bool) {
        let Numbers::Affine { integers, scale, zero_point } = &tensor.numbers else {
            panic!("{} is affine", tensor.name)
        };
        let (outputs, inputs) = (tensor.shape[0], tensor.shape[1]);
        let name = format!("{stem}_quantized");
        if transposed {
            let turned: Vec<u8> =
                (0..inputs).flat_map(|i| (0..outputs).map(move |o| integers[o * inputs + i])).collect();
            self.constant(&name, &[inputs, outputs], U8, &turned);
        } else {
            self.constant(&name, &tensor.shape, U8, integers);
        }
        self.floats(&format!("{stem}_scale"), &[], &[*scale]);
        self.constant(&format!("{stem}_zero_point"), &[], U8, &[*zero_point]);
    }
}

/// `encoder_model.ort`.
pub fn encoder(tensors: &[Tensor]) -> Vec<u8> {
    let mut file = File::new();
    let mut products = Vec::new();
    for (index, tensor) in tensors.iter().enumerate() {
        let Some(name) = tensor.name.strip_prefix("model.encoder.") else {
            continue;
        };
        match &tensor.numbers {
            Numbers::Affine { .. } => {
                let stem = format!("onnx::MatMul_{index}");
                file.affine(&stem, tensor, true);
                products.push((format!("/{}/MatMul_quant", layer_of(name)), stem));
            }
            Numbers::Float(values) if name == "groupnorm.weight" => {
                file.floats("onnx::Mul_2080", &[values.len(), 1], values)
            }
            Numbers::Float(values) if name == "groupnorm.bias" => {
                file.floats("onnx::Add_2081", &[values.len(), 1], values)
            }
            Numbers::Float(values) if name.starts_with("conv") && name.ends_with(".weight") => {
                file.floats(&format!("{name}_add_tensor"), &tensor.shape, values);
            }
            Numbers::Float(values) => file.floats(name, &tensor.shape, values),
        }
    }
    // Two dimensions of each head turn, as one pair of the frequency 1.
    file.floats("onnx::Expand_202", &[1, 1, 1], &[1.0]);
    file.node("/rotary_emb/Expand", "Expand", &["onnx::Expand_202", "/rotary_emb/Where_output_0"], None);
    let epsilon = file.float_attribute("epsilon", 1e-5);
    file.node("/groupnorm/InstanceNormalization", "InstanceNormalization", &["/Tanh_output_0"], Some(epsilon));
    file.node("/groupnorm/Mul", "Mul", &["/groupnorm/Reshape_1_output_0", "onnx::Mul_2080"], None);
    file.node("/groupnorm/Add", "Add", &["/groupnorm/Mul_output_0", "onnx::Add_2081"], None);
    let epsilon = file.float_attribute("epsilon", 1e-5);
    let norm = "/layers.0/input_layernorm/LayerNormalization";
    file.node(norm, "LayerNormalization", &["/Transpose_output_0"], Some(epsilon));
    add_products(&mut file, &products);
    file.finish()
}

/// `decoder_model_merged.ort`: constants outside, nodes in the branch of an `If`.
pub fn decoder(tensors: &[Tensor]) -> Vec<u8> {
    let mut file = File::new();
    let mut products = Vec::new();
    for (index, tensor) in tensors.iter().enumerate() {
        let name = tensor.name.as_str();
        if !name.starts_with("model.decoder.") {
            continue;
        }
        match &tensor.numbers {
            Numbers::Affine { .. } if name == "model.decoder.embed_tokens.weight" => {
                file.affine(&format!("{name}_merged_0"), tensor, false);
                let stem = "onnx::MatMul_3691_merged_0".to_owned();
                file.affine(&stem, tensor, true);
                products.push(("/proj_out/MatMul_quant".to_owned(), stem));
            }
            Numbers::Affine { .. } => {
                let stem = format!("onnx::MatMul_{index}_merged_0");
                file.affine(&stem, tensor, true);
                products.push((format!("/{}/MatMul_quant", layer_of(name)), stem));
            }
            Numbers::Float(values) => file.floats(&format!("{name}_merged_0"), &tensor.shape, values),
        }
    }
    let outer = std::mem::take(&mut file.initializers);
    add_products(&mut file, &products);
    let branch = file.graph();
    let branch = file.graph_attribute("else_branch", branch);
    file.initializers = outer;
    file.node("optimum::if", "If", &["use_cache_branch"], Some(branch));
    file.finish()
}

/// The real files have both operators, with their inputs in different places.
fn add_products(file: &mut File<'_>, products: &[(String, String)]) {
    for (index, (name, stem)) in products.iter().enumerate() {
        let [weight, scale, zero_point] = ["quantized", "scale", "zero_point"].map(|part| format!("{stem}_{part}"));
        if index % 2 == 0 {
            let inputs = ["x_quantized", &weight, "x_scale", &scale, "x_zero_point", &zero_point];
            file.node(name, "MatMulIntegerToFloat", &inputs, None);
        } else {
            file.node(name, "DynamicQuantizeMatMul", &["x", &weight, &scale, &zero_point, ""], None);
        }
    }
}

fn layer_of(name: &str) -> String {
    let layer = name.trim_end_matches(".weight");
    // Numbers stay with their `layers.`.
    layer.replace('.', "/").replace("layers/", "layers.")
}
