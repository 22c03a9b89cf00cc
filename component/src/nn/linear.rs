//! Linear layers and convolutions over time, on weights as the file stores them.

use candle_core::{DType, Device, Tensor};

use super::norm::LayerNorm;
use super::with_slice;
use crate::error::Error;
use crate::kernels::activation::Activation;
use crate::kernels::int8::Int8Rows;
pub use crate::kernels::int8::Output;
use crate::weights::Matrix;

/// F16 weights are widened so many output channels at a time, so that they never stand in memory as F32 all at once.
const WIDENED_ROWS: usize = 512;

/// `y = x · Wᵀ + b`, W `[out, in]`.
#[derive(Debug)]
pub struct Linear {
    weight: Matrix,
    bias: Option<Vec<f32>>,
}

/// Rows of activations as layers read them: in 8 bits those whose weights are.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// For weights of F32 or F16.
    Float(&'a [f32]),
    /// For weights in 8 bits.
    Int8(&'a Int8Rows),
}

/// Where inputs are made, kept from layer to layer so that nothing is allocated.
#[derive(Debug, Default)]
pub struct InputBuffer {
    rows: Int8Rows,
    floats: Vec<f32>,
}

impl InputBuffer {
    /// Makes room for so many rows for `reader`.
    pub fn make_room(&mut self, rows: usize, reader: &Linear) {
        if reader.is_int8() {
            self.rows.make_room(rows, reader.inputs());
        } else {
            self.floats.resize(rows * reader.inputs(), 0.0);
        }
    }

    /// Rows `[n, in]` for `reader` and other layers with weights of its kind.
    pub fn rows<'a>(&'a mut self, x: &'a [f32], reader: &Linear) -> Input<'a> {
        let columns = reader.inputs();
        if !reader.is_int8() {
            return Input::Float(x);
        }
        self.rows.fill(x, x.len() / columns, columns, columns);
        Input::Int8(&self.rows)
    }

    /// The layer norm of rows `[n, in]`, for `reader` and other layers with weights of its kind.
    pub fn normal(&mut self, x: &[f32], norm: &LayerNorm, reader: &Linear) -> Input<'_> {
        if reader.is_int8() {
            self.rows.fill_normal(x, norm.weight(), norm.epsilon());
            return Input::Int8(&self.rows);
        }
        self.floats.resize(x.len(), 0.0);
        norm.forward(x, &mut self.floats);
        Input::Float(&self.floats)
    }

    /// `count` windows: window `i` is the [`Linear::inputs`] values from `x[i · step]` on, so that a convolution over frames
    /// that lie one after the other needs no padding and no other layout.
    pub fn windows(&mut self, x: &[f32], count: usize, step: usize, reader: &Linear) -> Input<'_> {
        let columns = reader.inputs();
        if reader.is_int8() {
            self.rows.fill(x, count, columns, step);
            return Input::Int8(&self.rows);
        }
        self.floats.clear();
        (0..count).for_each(|window| self.floats.extend_from_slice(&x[window * step..][..columns]));
        Input::Float(&self.floats)
    }
}

impl Linear {
    /// A layer of these weights and, where given, a bias of shape `[out]`.
    ///
    /// # Errors
    /// [`Error::Internal`] where the bias is not F32.
    pub fn new(weight: Matrix, bias: Option<&Tensor>) -> Result<Self, Error> {
        let bias = bias.map(|bias| bias.to_vec1()).transpose()?;
        Ok(Self { weight, bias })
    }

    /// Output channels.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.shape().0
    }

    /// Input channels.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.shape().1
    }

    /// Whether its weights are 8-bit integers.
    #[must_use]
    pub fn is_int8(&self) -> bool {
        matches!(self.weight, Matrix::Int8(_) | Matrix::Int8Vocabulary(_))
    }

    /// Multiply-accumulate operations for one row of input.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        self.outputs() as u64 * self.inputs() as u64
    }

    fn shape(&self) -> (usize, usize) {
        match &self.weight {
            Matrix::Float(weight) => (weight.dims()[0], weight.dims()[1]),
            Matrix::Int8(weight) => (weight.rows(), weight.columns()),
            Matrix::Int8Vocabulary(weight) => (weight.tokens(), weight.width()),
        }
    }

    /// Rows `[n, in]` to `out`, `[n, out]`; of a vocabulary, the logits of
    /// [`Int8Vocabulary::logits`](crate::kernels::int8::Int8Vocabulary::logits).
    ///
    /// # Errors
    /// [`Error::Internal`] where the input was made for weights of the other kind, its shape is another, or a vocabulary in 8
    /// bits is to do more than give logits.
    pub fn forward(&self, x: Input, output: Output, out: &mut [f32]) -> Result<(), Error> {
        match (&self.weight, x) {
            (Matrix::Int8(weight), Input::Int8(x)) => {
                weight.multiply(x, self.bias.as_deref(), output, out);
                Ok(())
            }
            (Matrix::Int8Vocabulary(weight), Input::Int8(x)) if self.bias.is_none() && output == Output::Replace => {
                weight.logits(x, out);
                Ok(())
            }
            (Matrix::Float(weight), Input::Float(x)) => self.float_forward(weight, x, output, out),
            _ => Err(Error::Internal("a layer was given the input of another".into())),
        }
    }

    fn float_forward(&self, weight: &Tensor, x: &[f32], output: Output, out: &mut [f32]) -> Result<(), Error> {
        let columns = self.inputs();
        let x = Tensor::from_slice(x, (x.len() / columns, columns), &Device::Cpu)?;
        with_slice(&product(&x, weight)?, |product| {
            let rows = product.chunks_exact(self.outputs()).zip(out.chunks_exact_mut(self.outputs()));
            for (product, out) in rows {
                if output != Output::Add {
                    out.fill(0.0);
                }
                out.iter_mut().zip(product).for_each(|(out, y)| *out += y);
                if let Some(bias) = &self.bias {
                    out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
                }
                if output == Output::Gelu {
                    Activation::Gelu.apply(out);
                }
            }
        })
    }

    /// Writes the weights of one output channel, as F32 `[in]`: the layer as an embedding.
    ///
    /// # Errors
    /// [`Error::Internal`] where the channel is out of range.
    pub fn embed(&self, channel: u32, out: &mut [f32]) -> Result<(), Error> {
        if channel as usize >= self.outputs() {
            return Err(Error::Internal(format!("no output channel {channel}")));
        }
        match &self.weight {
            Matrix::Int8Vocabulary(weight) => weight.embed(channel as usize, out),
            Matrix::Int8(_) => return Err(Error::Internal("a layer's weights are no embeddings".into())),
            Matrix::Float(weight) => {
                let row = weight.narrow(0, channel as usize, 1)?.to_dtype(DType::F32)?;
                with_slice(&row, |row| out.copy_from_slice(row))?;
            }
        }
        Ok(())
    }
}

/// `x · Wᵀ` for weights of F32 or F16.
fn product(x: &Tensor, weight: &Tensor) -> Result<Tensor, Error> {
    if weight.dtype() == DType::F32 {
        return Ok(x.matmul(&weight.t()?)?);
    }
    let outputs = weight.dims()[0];
    let parts = (0..outputs)
        .step_by(WIDENED_ROWS)
        .map(|first| {
            let rows = weight.narrow(0, first, WIDENED_ROWS.min(outputs - first))?;
            x.matmul(&rows.to_dtype(DType::F32)?.t()?)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::cat(&parts, 1)?)
}

/// How many whole windows of `length` values, `step` apart, `total` values hold.
#[must_use]
pub fn window_count(total: usize, length: usize, step: usize) -> usize {
    if total < length { 0 } else { (total - length) / step + 1 }
}

#[cfg(test)]
mod tests {
    use super::{InputBuffer, Linear, Output, window_count};
    use crate::kernels::testing::Noise;
    use crate::nn::matrix;
    use crate::weights::Matrix;
    use candle_core::{DType, Device, Tensor};

    #[test]
    fn windows_of_frames_times_a_matrix_are_a_strided_convolution() {
        let mut noise = Noise::new(9);
        for (frames, inputs, outputs, kernel, stride) in [(7, 1, 1, 3, 2), (20, 5, 4, 7, 3), (9, 3, 2, 3, 2)] {
            let x = noise.take(frames * inputs);
            // [out, in, kernel], as a file stores it, and [out, kernel · in], as the loader packs it.
            let stored = noise.take(outputs * inputs * kernel);
            let packed = (0..outputs * kernel * inputs)
                .map(|i| {
                    let (output, tap, input) = (i / (kernel * inputs), i / inputs % kernel, i % inputs);
                    stored[(output * inputs + input) * kernel + tap]
                })
                .collect();
            let bias = Tensor::from_vec(noise.take(outputs), outputs, &Device::Cpu).expect("a vector");
            let weight = Matrix::Float(matrix(packed, outputs, kernel * inputs).expect("a matrix"));
            let linear = Linear::new(weight, Some(&bias)).expect("a layer");
            let windows = window_count(frames, kernel, stride);
            let mut buffer = InputBuffer::default();
            let mut out = vec![0.0; windows * outputs];
            let input = buffer.windows(&x, windows, stride * inputs, &linear);
            linear.forward(input, Output::Replace, &mut out).expect("shapes fit");

            let input =
                matrix(x, frames, inputs).and_then(|x| Ok(x.t()?.unsqueeze(0)?.contiguous()?)).expect("a batch");
            let filters = Tensor::from_vec(stored, (outputs, inputs, kernel), &Device::Cpu).expect("filters");
            let want = input.conv1d(&filters, 0, stride, 1, 1).and_then(|y| y.squeeze(0)?.t()).expect("a convolution");
            let want = want.broadcast_add(&bias).and_then(|y| y.to_vec2::<f32>()).expect("floats");
            assert_eq!(windows, want.len());
            for (is, want) in out.iter().zip(want.iter().flatten()) {
                assert!((is - want).abs() < 1e-5, "{is}, {want}");
            }
        }
    }

    #[test]
    fn f16_weights_give_the_product_of_their_values() {
        // More output channels than are widened at a time, with a remainder.
        let mut noise = Noise::new(21);
        let weight = matrix(noise.take(1100 * 9), 1100, 9).and_then(|w| Ok(w.to_dtype(DType::F16)?)).expect("f16");
        let values = noise.take(3 * 9);
        let x = matrix(values.clone(), 3, 9).expect("a matrix");
        let widened = weight.to_dtype(DType::F32).expect("f32");
        let want = x.matmul(&widened.t().expect("transposed")).and_then(|y| y.to_vec2::<f32>()).expect("floats");
        let linear = Linear::new(Matrix::Float(weight), None).expect("a layer");
        let mut got = vec![1.0; 3 * 1100];
        let mut buffer = InputBuffer::default();
        linear.forward(buffer.rows(&values, &linear), Output::Add, &mut got).expect("shapes fit");
        for (is, want) in got.iter().zip(want.iter().flatten()) {
            assert!((is - want - 1.0).abs() < 1e-6, "{is}, {want}");
        }
        let all = widened.to_vec2::<f32>().expect("floats");
        let mut row = [0.0; 9];
        for channel in [1099, 0] {
            linear.embed(channel, &mut row).expect("a channel");
            assert_eq!(row.as_slice(), all[channel as usize]);
        }
        assert!(linear.embed(1100, &mut row).is_err());
    }
}
