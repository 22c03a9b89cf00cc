//! Weights in the form in which they are computed with.

use std::collections::HashMap;

use candle_core::Tensor;

use crate::error::Error;
use crate::kernels::int8::{Int8Matrix, Int8Vocabulary};

/// What a family needs of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name in the model file.
    pub name: String,
    /// Its shape, outermost first.
    pub shape: Vec<usize>,
    /// What it is for, which decides how it may be stored.
    pub kind: TensorKind,
}

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorKind {
    /// Norms, biases and small filters: always F32, kept as a tensor of its shape.
    Plain,
    /// A linear layer, `[out, in]`: F32, F16, or I8 with scales.
    Matrix,
    /// Token embeddings that are the output projection too, `[tokens, width]`: stored like a matrix.
    Vocabulary,
    /// A convolution over time, `[out, in, kernel]`: stored like a matrix, and packed as the matrix
    /// `[out, kernel · in]` that a window of `kernel` consecutive frames is multiplied with.
    Convolution,
}

/// A matrix of weights `[out, in]`, as it was stored.
#[derive(Debug, Clone)]
pub enum Matrix {
    /// A tensor of F32 or F16, `[out, in]`.
    Float(Tensor),
    /// Integers with one scale per output channel.
    Int8(Int8Matrix),
    /// The same, of [`TensorKind::Vocabulary`].
    Int8Vocabulary(Int8Vocabulary),
}

impl Matrix {
    /// Packs row-major integers `[rows, columns]` with one scale per row, as a tensor of this kind is computed with.
    ///
    /// # Panics
    /// If the lengths do not fit the shape: the loader makes them so.
    #[must_use]
    pub fn int8(kind: TensorKind, rows: usize, columns: usize, weights: Vec<i8>, scales: Vec<f32>) -> Self {
        match kind {
            TensorKind::Vocabulary => Self::Int8Vocabulary(Int8Vocabulary::new(rows, columns, weights, scales)),
            _ => Self::Int8(Int8Matrix::pack(rows, columns, weights, scales)),
        }
    }
}

/// All tensors of a model, by name.
#[derive(Debug, Default)]
pub struct Weights {
    plain: HashMap<String, Tensor>,
    matrices: HashMap<String, Matrix>,
}

impl Weights {
    /// Adds a plain tensor.
    pub fn insert_plain(&mut self, name: String, tensor: Tensor) {
        self.plain.insert(name, tensor);
    }

    /// Adds a matrix.
    pub fn insert_matrix(&mut self, name: String, matrix: Matrix) {
        self.matrices.insert(name, matrix);
    }

    /// Takes a plain tensor out.
    ///
    /// # Errors
    /// [`Error::Internal`] where there is none: a family asked for what it had not named.
    pub fn take_plain(&mut self, name: &str) -> Result<Tensor, Error> {
        self.plain.remove(name).ok_or_else(|| Error::Internal(format!("no plain tensor `{name}`")))
    }

    /// Takes a matrix out.
    ///
    /// # Errors
    /// [`Error::Internal`] where there is none: a family asked for what it had not named.
    pub fn take_matrix(&mut self, name: &str) -> Result<Matrix, Error> {
        self.matrices.remove(name).ok_or_else(|| Error::Internal(format!("no matrix `{name}`")))
    }
}
