//! A made-up voice activity detector: its tensors, and how the wheel of `silero-vad` holds them.

use std::path::Path;

use super::wheel;

pub const ONNX: &str = "silero_vad/data/silero_vad_16k_op15.onnx";

/// A tensor: its name in a model file, its name in the wheel, its shape and numbers.
pub type Tensor = (String, String, Vec<usize>, Vec<f32>);

/// All tensors in the order of the model file.
pub fn tensors() -> Vec<Tensor> {
    let mut tensors = Vec::new();
    let mut add = |name: &str, onnx: &str, shape: &[usize]| {
        let (seed, count) = (tensors.len(), shape.iter().product());
        let numbers = (0..count).map(|index: usize| ((index + 7 * seed) % 251) as f32 / 500.0 - 0.25).collect();
        tensors.push((format!("vad.silero.{name}"), format!("model.{onnx}"), shape.to_vec(), numbers));
    };
    add("stft_conv.weight", "stft.forward_basis_buffer", &[258, 1, 256]);
    for (layer, outputs, inputs) in [(1, 128, 129), (2, 64, 128), (3, 64, 64), (4, 128, 64)] {
        let onnx = format!("encoder.{}.reparam_conv", layer - 1);
        add(&format!("conv{layer}.weight"), &format!("{onnx}.weight"), &[outputs, inputs, 3]);
        add(&format!("conv{layer}.bias"), &format!("{onnx}.bias"), &[outputs]);
    }
    for name in ["weight_ih", "weight_hh"] {
        add(&format!("lstm_cell.{name}"), &format!("decoder.rnn.{name}"), &[512, 128]);
    }
    for name in ["bias_ih", "bias_hh"] {
        add(&format!("lstm_cell.{name}"), &format!("decoder.rnn.{name}"), &[512]);
    }
    add("final_conv.weight", "decoder.decoder.2.weight", &[1, 128, 1]);
    add("final_conv.bias", "decoder.decoder.2.bias", &[1]);
    tensors
}

/// A field of a protocol buffer that has a length: its number, then its bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(bytes.len()), bytes].concat()
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The ONNX model, in the reverse order, with a field of each kind that is read over.
pub fn onnx(tensors: &[Tensor]) -> Vec<u8> {
    let mut graph = field(2, b"a graph's name");
    for (_, name, shape, numbers) in tensors.iter().rev() {
        let mut tensor: Vec<u8> = shape.iter().flat_map(|&size| [vec![1 << 3], varint(size)].concat()).collect();
        // The type of the elements: floats.
        tensor.extend([2 << 3, 1]);
        tensor.extend(field(8, name.as_bytes()));
        tensor.extend(field(9, &numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>()));
        graph.extend(field(5, &tensor));
    }
    // The version of the format.
    [vec![1 << 3, 8], field(2, b"a producer"), field(7, &graph)].concat()
}

/// Packs the wheel.
pub fn pack(path: &Path, onnx: &[u8]) {
    let metadata = ("silero_vad-1.0.dist-info/METADATA".to_owned(), b"Name: silero-vad\n".to_vec());
    wheel::pack(path, &[(ONNX.to_owned(), onnx.to_vec()), metadata]);
}
