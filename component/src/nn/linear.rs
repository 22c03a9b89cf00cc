//! Linear layers and convolutions over time, on weights as the file stores them.

use candle_core::{DType, Tensor};

use super::{matrix, with_slice};
use crate::error::Error;
use crate::kernels::int8::{Int8Matrix, Int8Rows};
use crate::weights::Matrix;

/// F16 weights are widened so many output channels at a time, so that they never stand in memory as F32 all at once.
const WIDENED_ROWS: usize = 512;

/// `y = x · Wᵀ + b`, W `[out, in]`.
#[derive(Debug)]
pub struct Linear {
    weight: Matrix,
    bias: Option<Vec<f32>>,
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

    /// Multiply-accumulate operations for one row of input.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        self.outputs() as u64 * self.inputs() as u64
    }

    fn shape(&self) -> (usize, usize) {
        match &self.weight {
            Matrix::Float(weight) => (weight.dims()[0], weight.dims()[1]),
            Matrix::Int8(weight) => (weight.rows(), weight.columns()),
        }
    }

    /// `[rows, in]` to `[rows, out]`.
    ///
    /// # Errors
    /// [`Error::Internal`] where the shapes do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        let [y] = project([self], x)?;
        Ok(y)
    }

    /// One output row per window: window `i` is the [`Linear::inputs`] values from `x[i · step]` on, so that a
    /// convolution over frames that lie one after the other needs no padding and no other layout.
    ///
    /// # Errors
    /// [`Error::Internal`] where the shapes do not fit.
    pub fn forward_windows(&self, x: &[f32], step: usize) -> Result<Tensor, Error> {
        let (inputs, windows) = (self.inputs(), window_count(x.len(), self.inputs(), step));
        match &self.weight {
            Matrix::Int8(weight) => self.int8_product(weight, &Int8Rows::quantize(x, windows, inputs, step)),
            Matrix::Float(weight) => {
                let mut stretches = Vec::with_capacity(windows * inputs);
                (0..windows).for_each(|window| stretches.extend_from_slice(&x[window * step..][..inputs]));
                self.float_product(weight, &matrix(stretches, windows, inputs)?)
            }
        }
    }

    fn int8_product(&self, weight: &Int8Matrix, x: &Int8Rows) -> Result<Tensor, Error> {
        let mut out = vec![0.0; x.rows() * weight.rows()];
        weight.multiply(x, self.bias.as_deref(), &mut out);
        matrix(out, x.rows(), weight.rows())
    }

    fn float_product(&self, weight: &Tensor, x: &Tensor) -> Result<Tensor, Error> {
        let y = float_product(x, weight)?;
        match &self.bias {
            Some(bias) => Ok(y.broadcast_add(&Tensor::new(bias.as_slice(), y.device())?)?),
            None => Ok(y),
        }
    }

    /// The weights of output channels `rows`, as F32 `[rows, in]`: the layer as an embedding.
    ///
    /// # Errors
    /// [`Error::Internal`] where a row is out of range.
    pub fn rows(&self, rows: &[u32]) -> Result<Tensor, Error> {
        match &self.weight {
            Matrix::Int8(weight) => {
                let columns = weight.columns();
                let mut out = vec![0.0; rows.len() * columns];
                for (&row, out) in rows.iter().zip(out.chunks_exact_mut(columns)) {
                    weight.dequantize_row(row as usize, out);
                }
                matrix(out, rows.len(), columns)
            }
            Matrix::Float(weight) => {
                Ok(weight.index_select(&Tensor::new(rows, weight.device())?, 0)?.to_dtype(DType::F32)?)
            }
        }
    }
}

/// What each of several layers makes of the same input `[rows, in]`, which is quantized once for all of them.
///
/// # Errors
/// [`Error::Internal`] where the shapes do not fit.
pub fn project<const LAYERS: usize>(layers: [&Linear; LAYERS], x: &Tensor) -> Result<[Tensor; LAYERS], Error> {
    let (rows, inputs) = x.dims2()?;
    let mut quantized = None;
    let mut outputs = Vec::with_capacity(LAYERS);
    for layer in layers {
        outputs.push(match &layer.weight {
            Matrix::Float(weight) => layer.float_product(weight, x)?,
            Matrix::Int8(weight) => {
                let rows = match &quantized {
                    Some(rows) => rows,
                    None => quantized.insert(with_slice(x, |x| Int8Rows::quantize(x, rows, inputs, inputs))?),
                };
                layer.int8_product(weight, rows)?
            }
        });
    }
    outputs.try_into().map_err(|_| Error::Internal("an output for every layer".into()))
}

/// `x · Wᵀ` for weights of F32 or F16.
fn float_product(x: &Tensor, weight: &Tensor) -> Result<Tensor, Error> {
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
    use super::{Linear, window_count};
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
            let out = linear.forward_windows(&x, stride * inputs).expect("shapes fit");

            let input =
                matrix(x, frames, inputs).and_then(|x| Ok(x.t()?.unsqueeze(0)?.contiguous()?)).expect("a batch");
            let filters = Tensor::from_vec(stored, (outputs, inputs, kernel), &Device::Cpu).expect("filters");
            let want = input.conv1d(&filters, 0, stride, 1, 1).and_then(|y| y.squeeze(0)?.t()).expect("a convolution");
            let want = want.broadcast_add(&bias).and_then(|y| y.to_vec2::<f32>()).expect("floats");
            assert_eq!(out.dims()[0], window_count(frames, kernel, stride));
            for (is, want) in out.to_vec2::<f32>().expect("floats").iter().flatten().zip(want.iter().flatten()) {
                assert!((is - want).abs() < 1e-5, "{is}, {want}");
            }
        }
    }

    #[test]
    fn f16_weights_give_the_product_of_their_values() {
        // More output channels than are widened at a time, with a remainder.
        let mut noise = Noise::new(21);
        let weight = matrix(noise.take(1100 * 9), 1100, 9).and_then(|w| Ok(w.to_dtype(DType::F16)?)).expect("f16");
        let x = matrix(noise.take(3 * 9), 3, 9).expect("a matrix");
        let widened = weight.to_dtype(DType::F32).expect("f32");
        let want = x.matmul(&widened.t().expect("transposed")).and_then(|y| y.to_vec2::<f32>()).expect("floats");
        let linear = Linear::new(Matrix::Float(weight), None).expect("a layer");
        let got = linear.forward(&x).and_then(|y| Ok(y.to_vec2::<f32>()?)).expect("floats");
        for (is, want) in got.iter().flatten().zip(want.iter().flatten()) {
            assert!((is - want).abs() < 1e-6, "{is}, {want}");
        }
        let rows = linear.rows(&[1099, 0]).and_then(|rows| Ok(rows.to_vec2::<f32>()?)).expect("floats");
        let all = widened.to_vec2::<f32>().expect("floats");
        assert_eq!(rows, [all[1099].clone(), all[0].clone()]);
    }
}
