//! Sixteen dimensions, eight heads of two, one layer each.

pub const HIDDEN: usize = 16;
pub const ENCODER_LENGTH: usize = 4;
pub const DECODER_LENGTH: usize = 6;
/// `<unk>`, start, end, 256 bytes, four words, one spare token.
pub const VOCABULARY: usize = 3 + 256 + 4 + 1;
pub const WORDS: [&str; 4] = ["▁hello", "é", "", "a\u{301}"];

#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    Float(Vec<f32>),
    /// `[out, in]`.
    Affine {
        integers: Vec<u8>,
        scale: f32,
        zero_point: u8,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub numbers: Numbers,
    /// Whether a model file stores it as the quantization says.
    pub is_matrix: bool,
}

impl Tensor {
    pub fn floats(&self) -> Vec<f32> {
        match &self.numbers {
            Numbers::Float(values) => values.clone(),
            Numbers::Affine { integers, scale, zero_point } => {
                integers.iter().map(|q| (f32::from(*q) - f32::from(*zero_point)) * scale).collect()
            }
        }
    }
}

/// All tensors in the order of the model file, with numbers that differ from tensor to tensor.
pub fn tensors() -> Vec<Tensor> {
    tensors_of(ENCODER_LENGTH, DECODER_LENGTH)
}

/// The same with other feed-forward lengths.
pub fn tensors_of(encoder_length: usize, decoder_length: usize) -> Vec<Tensor> {
    let (h, e, d) = (HIDDEN, encoder_length, decoder_length);
    let mut list: Vec<(String, Vec<usize>, char)> = Vec::new();
    let mut add = |name: &str, shape: &[usize], kind: char| list.push((name.to_owned(), shape.to_vec(), kind));
    let encoder = "model.encoder.layers.0";
    let decoder = "model.decoder.layers.0";
    add("model.encoder.conv1.weight", &[h, 1, 127], 'f');
    add("model.encoder.groupnorm.weight", &[h], 'f');
    add("model.encoder.groupnorm.bias", &[h], 'f');
    add("model.encoder.conv2.weight", &[2 * h, h, 7], 'c');
    add("model.encoder.conv2.bias", &[2 * h], 'f');
    add("model.encoder.conv3.weight", &[h, 2 * h, 3], 'c');
    add("model.encoder.conv3.bias", &[h], 'f');
    for projection in ["q", "k", "v", "o"] {
        add(&format!("{encoder}.self_attn.{projection}_proj.weight"), &[h, h], 'q');
    }
    add(&format!("{encoder}.input_layernorm.weight"), &[h], 'f');
    add(&format!("{encoder}.post_attention_layernorm.weight"), &[h], 'f');
    add(&format!("{encoder}.mlp.fc1.weight"), &[e, h], 'q');
    add(&format!("{encoder}.mlp.fc1.bias"), &[e], 'f');
    add(&format!("{encoder}.mlp.fc2.weight"), &[h, e], 'q');
    add(&format!("{encoder}.mlp.fc2.bias"), &[h], 'f');
    add("model.encoder.layer_norm.weight", &[h], 'f');
    add("model.decoder.embed_tokens.weight", &[VOCABULARY, h], 'q');
    for attention in ["self_attn", "encoder_attn"] {
        for projection in ["q", "k", "v", "o"] {
            add(&format!("{decoder}.{attention}.{projection}_proj.weight"), &[h, h], 'q');
        }
    }
    add(&format!("{decoder}.input_layernorm.weight"), &[h], 'f');
    add(&format!("{decoder}.post_attention_layernorm.weight"), &[h], 'f');
    add(&format!("{decoder}.final_layernorm.weight"), &[h], 'f');
    add(&format!("{decoder}.mlp.fc1.weight"), &[2 * d, h], 'q');
    add(&format!("{decoder}.mlp.fc1.bias"), &[2 * d], 'f');
    add(&format!("{decoder}.mlp.fc2.weight"), &[h, d], 'q');
    add(&format!("{decoder}.mlp.fc2.bias"), &[h], 'f');
    add("model.decoder.norm.weight", &[h], 'f');

    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    list.into_iter()
        .map(|(name, shape, kind)| {
            let count = shape.iter().product();
            let numbers = if kind == 'q' {
                let zero_point = 100 + random.next_u8() % 56;
                // Some channels reach beyond 127 from the zero point, some do not.
                let per_channel = count / shape[0];
                let reach = |channel: usize| if channel % 4 == 3 { 256 } else { 64 };
                let integers = (0..count)
                    .map(|index| {
                        let reach = reach(index / per_channel);
                        let low = (i32::from(zero_point) - reach / 2).max(0);
                        (low + i32::from(random.next_u8()) % reach).min(255) as u8
                    })
                    .collect();
                Numbers::Affine { integers, scale: 0.0123, zero_point }
            } else {
                Numbers::Float((0..count).map(|_| (f32::from(random.next_u8()) - 127.5) / 300.0).collect())
            };
            Tensor { name, shape, numbers, is_matrix: kind != 'f' }
        })
        .collect()
}

/// The tensor of that name, to be changed.
pub fn get<'t>(tensors: &'t mut [Tensor], name: &str) -> &'t mut Tensor {
    tensors.iter_mut().find(|tensor| tensor.name == name).expect("a tensor of the tiny model")
}

/// Piece and kind (llama.cpp's number) by id, as a model file has them.
pub fn pieces() -> Vec<(String, i32)> {
    let mut pieces = vec![("<unk>".to_owned(), 2), ("<s>".to_owned(), 3), ("</s>".to_owned(), 3)];
    pieces.extend((0..=255_u8).map(|byte| (format!("<0x{byte:02X}>"), 6)));
    pieces.extend(WORDS.map(|word| (word.to_owned(), 1)));
    pieces.push(("<<ST_0>>".to_owned(), 3));
    pieces
}

/// A repeatable sequence (xorshift64).
pub struct Random(pub u64);

impl Random {
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn next_u8(&mut self) -> u8 {
        (self.next_u64() >> 32) as u8
    }
}
