//! Silero VAD, the model for 16 000 Hz (Silero Team, <https://github.com/snakers4/silero-vad>, MIT): a small network that
//! gives each hop of 512 samples a probability of being speech.
//!
//! ```text
//! 64 samples before ┐
//! 512 samples ──────┼─► 4 frames of 256, 128 apart ─► STFT magnitudes, 129 ─► conv 128 ─► conv 64 ─► conv 64 ─► conv 128
//! 64 reflected ─────┘                                                                                              ▼
//!                                                   probability ◄─ sigmoid ◄─ 1 × 1 conv ◄─ ReLU ◄─ LSTM cell, 128
//! ```
//!
//! As in `silero_vad/tinygrad_model.py` of the Python package `silero-vad` 6.2.3 (`TinySileroVAD.__call__`), whose
//! convolutions all have the kernel 3, a padding of one frame of zeros on each side and a ReLU. Frames lie one after the
//! other, `[frames, channels]`, so that a window of frames lies in one piece and a convolution is a matrix product.

use std::rc::Rc;

use super::HOP_SAMPLES;
use crate::error::Error;
use crate::gguf::Metadata;
use crate::kernels::activation::{Exp, Tanh};
use crate::kernels::float::FloatMatrix;
use crate::kernels::lanes::F32x4;
use crate::weights::{TensorKind, TensorSpec, Weights};

/// The metadata key that says which detector a model file carries.
const METADATA_KEY: &str = "auricle.voice_activity";
/// Its value for this one.
const NAME: &str = "silero-vad-16k";
/// What its tensors' names begin with.
const PREFIX: &str = "vad.silero";

/// Samples before a hop that its first frame begins with.
const CONTEXT_SAMPLES: usize = 64;
/// Samples after a hop, mirrored at its last, that its last frame ends with.
const REFLECTED_SAMPLES: usize = 64;
const WINDOW_SAMPLES: usize = CONTEXT_SAMPLES + HOP_SAMPLES + REFLECTED_SAMPLES;
const FRAME_SAMPLES: usize = 256;
const FRAME_STEP: usize = 128;
const FRAMES: usize = (WINDOW_SAMPLES - FRAME_SAMPLES) / FRAME_STEP + 1;
const BINS: usize = FRAME_SAMPLES / 2 + 1;
/// Bins in whole vectors; those beyond [`BINS`] are always 0.
const BIN_VECTORS: usize = BINS.div_ceil(4);
const KERNEL: usize = 3;
const CONV1: usize = 128;
const CONV2: usize = 64;
const CONV3: usize = 64;
const CONV4: usize = 128;
const HIDDEN: usize = 128;
const HIDDEN_VECTORS: usize = HIDDEN / 4;

/// No weight may be larger. The largest there is has a magnitude of 55. Up to this bound, no sum over samples within
/// ±32 768 comes near the largest float: 2¹⁵ · 2¹⁰ each, 256 of them, and from there on at most 2¹⁹ times the layer before
/// in five layers make less than 2¹²². So there is no infinity, and no NaN, whose bits are up to the host.
const WEIGHT_MAGNITUDE_MAX: f32 = 1024.0;

/// The weights, packed for the order in which they are used.
#[derive(Debug)]
pub struct Silero {
    /// Real and imaginary parts of [`BIN_VECTORS`] times four bins, in turn by vectors.
    stft: FloatMatrix<FRAMES, 2>,
    conv1: FloatMatrix<FRAMES, 2>,
    /// From here on with a stride of 2.
    conv2: FloatMatrix<2, 4>,
    /// On all that is left, two frames: the tap before them would only meet padding.
    conv3: FloatMatrix<1, 8>,
    /// On one frame: only the middle tap meets it.
    conv4: FloatMatrix<1, 8>,
    /// On `conv4`'s output and the hidden state; gives input, forget, cell and output gates.
    lstm: FloatMatrix<1, 8>,
    output_weights: Vec<f32>,
    output_bias: f32,
}

impl Silero {
    /// Whether a model file says that it carries this detector.
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] where it carries another, [`Error::MalformedModel`] where what it says is no string.
    pub fn is_announced(metadata: &Metadata) -> Result<bool, Error> {
        match metadata.optional_string(METADATA_KEY)? {
            None => Ok(false),
            Some(NAME) => Ok(true),
            Some(other) => {
                Err(Error::UnsupportedModel(format!("its voice activity detector is `{other}`, and known is: {NAME}")))
            }
        }
    }

    /// Every tensor of it, in the order of `MODEL-FORMAT.md`.
    #[must_use]
    pub fn tensors() -> Vec<TensorSpec> {
        let spec = |name: &str, shape: &[usize]| TensorSpec {
            name: format!("{PREFIX}.{name}"),
            shape: shape.to_vec(),
            kind: TensorKind::Plain,
        };
        vec![
            spec("stft_conv.weight", &[2 * BINS, 1, FRAME_SAMPLES]),
            spec("conv1.weight", &[CONV1, BINS, KERNEL]),
            spec("conv1.bias", &[CONV1]),
            spec("conv2.weight", &[CONV2, CONV1, KERNEL]),
            spec("conv2.bias", &[CONV2]),
            spec("conv3.weight", &[CONV3, CONV2, KERNEL]),
            spec("conv3.bias", &[CONV3]),
            spec("conv4.weight", &[CONV4, CONV3, KERNEL]),
            spec("conv4.bias", &[CONV4]),
            spec("lstm_cell.weight_ih", &[4 * HIDDEN, CONV4]),
            spec("lstm_cell.weight_hh", &[4 * HIDDEN, HIDDEN]),
            spec("lstm_cell.bias_ih", &[4 * HIDDEN]),
            spec("lstm_cell.bias_hh", &[4 * HIDDEN]),
            spec("final_conv.weight", &[1, HIDDEN, 1]),
            spec("final_conv.bias", &[1]),
        ]
    }

    /// Takes its weights, in the shapes of [`Silero::tensors`].
    ///
    /// # Errors
    /// [`Error::UnsupportedModel`] where a weight is so large that sums could overflow, [`Error::Internal`] where a tensor
    /// is missing.
    pub fn new(weights: &mut Weights) -> Result<Self, Error> {
        let mut take = |name: &str| -> Result<Vec<f32>, Error> {
            let name = format!("{PREFIX}.{name}");
            let values: Vec<f32> = weights.take_plain(&name)?.flatten_all()?.to_vec1()?;
            match values.iter().find(|value| value.abs() > WEIGHT_MAGNITUDE_MAX) {
                Some(value) => Err(Error::UnsupportedModel(format!(
                    "tensor `{name}` has a weight of {value}, and at most ±{WEIGHT_MAGNITUDE_MAX} can be"
                ))),
                None => Ok(values),
            }
        };
        let basis = take("stft_conv.weight")?;
        let stft_weight = |output: usize, sample: usize| {
            let (vector, lane) = (output / 4, output % 4);
            let (part, bin) = (vector % 2, vector / 2 * 4 + lane);
            if bin < BINS { basis[(part * BINS + bin) * FRAME_SAMPLES + sample] } else { 0.0 }
        };
        let stft = FloatMatrix::pack(2 * 4 * BIN_VECTORS, FRAME_SAMPLES, stft_weight, |_| 0.0);

        let filters = take("conv1.weight")?;
        let conv1_weight = |output: usize, column: usize| {
            let (tap, bin) = (column / (4 * BIN_VECTORS), column % (4 * BIN_VECTORS));
            if bin < BINS { filters[(output * BINS + bin) * KERNEL + tap] } else { 0.0 }
        };
        let bias = take("conv1.bias")?;
        let conv1 = FloatMatrix::pack(CONV1, KERNEL * 4 * BIN_VECTORS, conv1_weight, |output| bias[output]);

        let input_weights = take("lstm_cell.weight_ih")?;
        let hidden_weights = take("lstm_cell.weight_hh")?;
        let (input_bias, hidden_bias) = (take("lstm_cell.bias_ih")?, take("lstm_cell.bias_hh")?);
        let lstm_weight = |gate: usize, column: usize| match column.checked_sub(CONV4) {
            None => input_weights[gate * CONV4 + column],
            Some(column) => hidden_weights[gate * HIDDEN + column],
        };
        let lstm =
            FloatMatrix::pack(4 * HIDDEN, CONV4 + HIDDEN, lstm_weight, |gate| input_bias[gate] + hidden_bias[gate]);
        Ok(Self {
            stft,
            conv1,
            conv2: convolution(&take("conv2.weight")?, &take("conv2.bias")?, CONV1, 0, KERNEL),
            conv3: convolution(&take("conv3.weight")?, &take("conv3.bias")?, CONV2, 1, 2),
            conv4: convolution(&take("conv4.weight")?, &take("conv4.bias")?, CONV3, 1, 1),
            lstm,
            output_weights: take("final_conv.weight")?,
            output_bias: take("final_conv.bias")?[0],
        })
    }
}

/// Packs the taps of a convolution `[out, inputs, 3]` from `first_tap` on, for windows of as many frames.
fn convolution<const ROWS: usize, const VECTORS: usize>(
    filters: &[f32],
    bias: &[f32],
    inputs: usize,
    first_tap: usize,
    taps: usize,
) -> FloatMatrix<ROWS, VECTORS> {
    let weight = |output: usize, column: usize| {
        let (tap, input) = (first_tap + column / inputs, column % inputs);
        filters[(output * inputs + input) * KERNEL + tap]
    };
    FloatMatrix::pack(bias.len(), taps * inputs, weight, |output| bias[output])
}

/// Hears a stream of audio, hop by hop.
#[derive(Debug)]
pub struct SileroDetector {
    weights: Rc<Silero>,
    /// Context, hop and reflection.
    samples: [f32; WINDOW_SAMPLES],
    /// `[FRAMES, BIN_VECTORS, 2, 4]`: real and imaginary parts.
    spectrum: [f32; FRAMES * BIN_VECTORS * 8],
    /// `[FRAMES + 2, 4 · BIN_VECTORS]`, the first and the last frame being padding.
    magnitudes: [f32; (FRAMES + 2) * BIN_VECTORS * 4],
    /// `[FRAMES + 1, CONV1]`, the first frame being padding; with a stride of 2, none is needed behind.
    conv1: [f32; (FRAMES + 1) * CONV1],
    /// `[2, CONV2]`.
    conv2: [f32; 2 * CONV2],
    conv3: [f32; CONV3],
    /// What the LSTM cell reads: the output of the last convolution, and the hidden state.
    cell_input: [f32; CONV4 + HIDDEN],
    /// Input, forget, cell and output gates.
    gates: [f32; 4 * HIDDEN],
    cell: [f32; HIDDEN],
}

impl SileroDetector {
    /// Begins a stream.
    #[must_use]
    pub fn new(weights: Rc<Silero>) -> Self {
        Self {
            weights,
            samples: [0.0; _],
            spectrum: [0.0; _],
            magnitudes: [0.0; _],
            conv1: [0.0; _],
            conv2: [0.0; _],
            conv3: [0.0; _],
            cell_input: [0.0; _],
            gates: [0.0; _],
            cell: [0.0; _],
        }
    }

    /// Forgets what it has heard: what follows is a new stream.
    pub fn reset(&mut self) {
        self.samples.fill(0.0);
        self.cell_input.fill(0.0);
        self.cell.fill(0.0);
    }

    /// Hears the next hop of the stream, mono samples at 16 000 Hz within ±32 768, and gives the probability that somebody
    /// speaks in it, from 0 to 1. Allocates nothing.
    pub fn process(&mut self, hop: &[f32; HOP_SAMPLES]) -> f32 {
        let relu = |x: F32x4| F32x4::splat(0.0).max(x);
        let weights = &*self.weights;
        self.samples.copy_within(HOP_SAMPLES..HOP_SAMPLES + CONTEXT_SAMPLES, 0);
        let (past, reflection) = self.samples.split_at_mut(CONTEXT_SAMPLES + HOP_SAMPLES);
        past[CONTEXT_SAMPLES..].copy_from_slice(hop);
        // The last sample is the mirror, and is not repeated.
        for (reflected, sample) in reflection.iter_mut().zip(past.iter().rev().skip(1)) {
            *reflected = *sample;
        }

        weights.stft.multiply(&self.samples, FRAME_STEP, &mut self.spectrum, 8 * BIN_VECTORS, |y| y);
        let magnitudes = self.magnitudes[4 * BIN_VECTORS..].as_chunks_mut::<4>().0;
        for (parts, magnitude) in self.spectrum.as_chunks::<4>().0.as_chunks::<2>().0.iter().zip(magnitudes) {
            let [real, imaginary] = parts.each_ref().map(F32x4::load);
            real.mul(real).add(imaginary.mul(imaginary)).sqrt().store(magnitude);
        }

        weights.conv1.multiply(&self.magnitudes, 4 * BIN_VECTORS, &mut self.conv1[CONV1..], CONV1, relu);
        weights.conv2.multiply(&self.conv1, 2 * CONV1, &mut self.conv2, CONV2, relu);
        weights.conv3.multiply(&self.conv2, 0, &mut self.conv3, 0, relu);
        weights.conv4.multiply(&self.conv3, 0, &mut self.cell_input[..CONV4], 0, relu);

        weights.lstm.multiply(&self.cell_input, 0, &mut self.gates, 0, |y| y);
        let hidden = &mut self.cell_input[CONV4..];
        update_cell(&self.gates, &mut self.cell, hidden);

        let mut sum = F32x4::splat(0.0);
        for (hidden, weights) in hidden.as_chunks::<4>().0.iter().zip(weights.output_weights.as_chunks::<4>().0) {
            sum = sum.add_product(relu(F32x4::load(hidden)), F32x4::load(weights));
        }
        let [a, b, c, d] = sum.to_array();
        Exp::read().sigmoid(F32x4::splat((a + b) + (c + d) + weights.output_bias)).to_array()[0]
    }
}

/// `c = σ(f) · c + σ(i) · tanh(g)`, `h = σ(o) · tanh(c)`, for gates in the order i, f, g, o (PyTorch's `LSTMCell`).
#[inline(never)]
fn update_cell(gates: &[f32; 4 * HIDDEN], cell: &mut [f32; HIDDEN], hidden: &mut [f32]) {
    let (exp, tanh) = (Exp::read(), Tanh::read());
    let gates = gates.as_chunks::<4>().0;
    let state = cell.as_chunks_mut::<4>().0.iter_mut().zip(hidden.as_chunks_mut::<4>().0);
    for (vector, (cell, hidden)) in state.enumerate() {
        let gate = |gate: usize| F32x4::load(&gates[gate * HIDDEN_VECTORS + vector]);
        let kept = exp.sigmoid(gate(1)).mul(F32x4::load(cell));
        let new = kept.add_product(exp.sigmoid(gate(0)), tanh.of(gate(2)));
        new.store(cell);
        exp.sigmoid(gate(3)).mul(tanh.of(new)).store(hidden);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashMap;
    use std::rc::Rc;

    use candle_core::{Device, Tensor};

    use super::{HOP_SAMPLES, PREFIX, Silero, SileroDetector};
    use crate::error::Error;
    use crate::kernels::testing::Noise;
    use crate::weights::{TensorSpec, Weights};

    /// Weights that mean nothing, of a size that neither saturates nor silences a layer.
    fn values() -> HashMap<String, Vec<f32>> {
        let mut noise = Noise::new(77);
        let value = |spec: TensorSpec| {
            let count: usize = spec.shape.iter().product();
            let inputs: usize = spec.shape[1..].iter().product();
            let scale = if inputs == 1 { 0.3 } else { 3.0 / (inputs as f32).sqrt() };
            (spec.name, noise.take(count).iter().map(|x| x * scale).collect())
        };
        Silero::tensors().into_iter().map(value).collect()
    }

    fn weights(values: &HashMap<String, Vec<f32>>) -> Weights {
        let mut weights = Weights::default();
        for spec in Silero::tensors() {
            let tensor = Tensor::from_slice(&values[&spec.name], spec.shape, &Device::Cpu).expect("a tensor");
            weights.insert_plain(spec.name, tensor);
        }
        weights
    }

    /// A detector whose weights mean nothing.
    pub(crate) fn detector() -> SileroDetector {
        SileroDetector::new(Rc::new(Silero::new(&mut weights(&values())).expect("all tensors")))
    }

    fn hops(count: usize) -> Vec<[f32; HOP_SAMPLES]> {
        let mut noise = Noise::new(5);
        (0..count).map(|hop| std::array::from_fn(|_| noise.next() * (hop % 5) as f32 / 4.0)).collect()
    }

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// The same by its definition, in f64 and with every padding written out.
    fn naive(values: &HashMap<String, Vec<f32>>, hops: &[[f32; HOP_SAMPLES]]) -> Vec<f64> {
        let get = |name: &str| -> Vec<f64> {
            values[&format!("{PREFIX}.{name}")].iter().map(|&value| f64::from(value)).collect()
        };
        // `x` is `[channels][frames]`.
        let convolve = |x: &[Vec<f64>], layer: usize, stride: usize| -> Vec<Vec<f64>> {
            let (filters, bias) = (get(&format!("conv{layer}.weight")), get(&format!("conv{layer}.bias")));
            let frames = x[0].len();
            let sum = |output: usize, center: usize| {
                let tap = |input: usize, tap: usize| match (center + tap).checked_sub(1) {
                    Some(frame) if frame < frames => filters[(output * x.len() + input) * 3 + tap] * x[input][frame],
                    _ => 0.0,
                };
                let products = (0..x.len()).flat_map(|input| (0..3).map(move |k| (input, k)));
                (bias[output] + products.map(|(input, k)| tap(input, k)).sum::<f64>()).max(0.0)
            };
            (0..bias.len()).map(|output| (0..frames).step_by(stride).map(|at| sum(output, at)).collect()).collect()
        };
        let basis = get("stft_conv.weight");
        let (w_ih, w_hh) = (get("lstm_cell.weight_ih"), get("lstm_cell.weight_hh"));
        let (b_ih, b_hh) = (get("lstm_cell.bias_ih"), get("lstm_cell.bias_hh"));
        let (output, output_bias) = (get("final_conv.weight"), get("final_conv.bias"));
        let (mut context, mut h, mut c) = (vec![0.0; 64], vec![0.0; 128], vec![0.0; 128]);
        let mut probabilities = Vec::new();
        for hop in hops {
            let mut x = context.clone();
            x.extend(hop.iter().map(|&sample| f64::from(sample)));
            context = x[512..].to_vec();
            x.extend((0..64).map(|i| x[574 - i]).collect::<Vec<_>>());
            let part = |row: usize, frame: usize| -> f64 {
                (0..256).map(|sample| basis[row * 256 + sample] * x[frame * 128 + sample]).sum()
            };
            let magnitude = |bin: usize| (0..4).map(|frame| part(bin, frame).hypot(part(129 + bin, frame))).collect();
            let x: Vec<Vec<f64>> = (0..129).map(magnitude).collect();
            let x = convolve(&convolve(&convolve(&convolve(&x, 1, 1), 2, 2), 3, 2), 4, 1);
            assert_eq!((x.len(), x[0].len()), (128, 1));
            let gate = |gate: usize, h: &[f64]| {
                let from_input: f64 = (0..128).map(|i| w_ih[gate * 128 + i] * x[i][0]).sum();
                let from_hidden: f64 = (0..128).map(|i| w_hh[gate * 128 + i] * h[i]).sum();
                from_input + b_ih[gate] + from_hidden + b_hh[gate]
            };
            let gates: Vec<f64> = (0..512).map(|index| gate(index, &h)).collect();
            for i in 0..128 {
                c[i] = sigmoid(gates[128 + i]) * c[i] + sigmoid(gates[i]) * gates[256 + i].tanh();
                h[i] = sigmoid(gates[384 + i]) * c[i].tanh();
            }
            let sum: f64 = h.iter().zip(&output).map(|(h, w)| h.max(0.0) * w).sum();
            probabilities.push(sigmoid(sum + output_bias[0]));
        }
        probabilities
    }

    #[test]
    fn the_probabilities_are_those_of_the_definition() {
        let hops = hops(12);
        let want = naive(&values(), &hops);
        let mut detector = detector();
        for (hop, want) in hops.iter().zip(&want) {
            let is = f64::from(detector.process(hop));
            assert!((is - want).abs() < 1e-5, "{is} and {want}");
        }
        let spread = want.iter().fold(0.0_f64, |spread, p| spread.max((p - want[0]).abs()));
        assert!(spread > 0.01, "the weights are such that what is heard makes a difference: {want:?}");
    }

    #[test]
    fn a_stream_after_reset_has_the_bits_of_a_first_one() {
        let hops = hops(6);
        let mut detector = detector();
        let mut bits = || hops.iter().map(|hop| detector.process(hop).to_bits()).collect::<Vec<_>>();
        let first = bits();
        assert_ne!(bits(), first, "what was heard before makes a difference");
        detector.reset();
        let mut bits = || hops.iter().map(|hop| detector.process(hop).to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(), first);
    }

    /// FNV-1a (Fowler, Noll, Vo) over the bits of 40 probabilities. Natively and in both flavours of the component it is this.
    #[test]
    fn every_host_and_flavour_gives_the_same_bits() {
        let mut detector = detector();
        let hash = hops(40)
            .iter()
            .flat_map(|hop| detector.process(hop).to_bits().to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        assert_eq!(hash, 0x649a_e7f7_0270_55d0);
    }

    #[test]
    fn the_loudest_audio_and_the_largest_weights_give_a_probability() {
        let all = Silero::tensors().into_iter().map(|spec| (spec.name, spec.shape.iter().product()));
        let extremes: HashMap<String, Vec<f32>> = all.map(|(name, count)| (name, vec![1024.0; count])).collect();
        let mut detector = SileroDetector::new(Rc::new(Silero::new(&mut weights(&extremes)).expect("in bounds")));
        for _ in 0..3 {
            let probability = detector.process(&[32_768.0; HOP_SAMPLES]);
            assert!((0.0..=1.0).contains(&probability), "{probability}");
            assert!(detector.cell_input.iter().chain(&detector.gates).all(|x| x.is_finite()));
        }
        for (name, values) in &extremes {
            let mut beyond = extremes.clone();
            beyond.insert(name.clone(), vec![-1025.0; values.len()]);
            match Silero::new(&mut weights(&beyond)) {
                Err(Error::UnsupportedModel(message)) => assert!(message.contains(name), "{message}"),
                other => panic!("{name}: {:?}", other.map(|_| ())),
            }
        }
    }
}
