//! Collects the bytes of one tensor straight into the numbers that it will be computed with.

use candle_core::{Device, Tensor, WithDType};
use half::f16;

use super::schedule::{Item, Role};
use crate::error::{Error, Limit};
use crate::gguf::Storage;
use crate::weights::{Matrix, TensorKind, Weights};

/// While the length of the file is not known, memory for a tensor is set aside in steps of at least so many numbers.
const STEP_NUMBERS: usize = 1 << 16;

/// The tensor that is arriving.
pub(super) struct Collector {
    item: Item,
    numbers: Numbers,
}

enum Numbers {
    F32(Buffer<f32>),
    F16(Buffer<f16>),
    I8(Buffer<i8>),
}

impl Collector {
    /// Begins a tensor. `trusted` says whether its size was held against the real length of the file, so that its
    /// memory may be set aside at once.
    pub(super) fn new(item: Item, trusted: bool) -> Self {
        let count = item.info.shape.iter().product();
        let numbers = match item.info.storage {
            Storage::F32 => Numbers::F32(Buffer::new(count, trusted)),
            Storage::F16 => Numbers::F16(Buffer::new(count, trusted)),
            Storage::I8 => Numbers::I8(Buffer::new(count, trusted)),
        };
        Self { item, numbers }
    }

    /// Takes bytes of the tensor, and of the padding before it, from the front of the chunk, which stands at `offset`
    /// in the file, and leaves the others there. Says whether the tensor is complete.
    ///
    /// # Errors
    /// [`Error::MalformedModel`] at a number that is not finite or a scale that is negative, and
    /// [`Error::LimitExceeded`] where memory does not suffice.
    pub(super) fn take(&mut self, offset: u64, chunk: &mut &[u8]) -> Result<bool, Error> {
        let info = &self.item.info;
        let padding = usize::try_from(info.start.saturating_sub(offset)).unwrap_or(usize::MAX).min(chunk.len());
        *chunk = &chunk[padding..];
        let scales = self.item.role == Role::Scales;
        match &mut self.numbers {
            Numbers::F32(buffer) => buffer.take(chunk, |value| value.is_finite() && !(scales && value < 0.0)),
            Numbers::F16(buffer) => buffer.take(chunk, f16::is_finite),
            Numbers::I8(buffer) => buffer.take(chunk, |_| true),
        }
        .map_err(|fault| match fault {
            Fault::Number { index, value } => Error::MalformedModel {
                offset: info.start + index as u64 * info.storage.bytes(),
                message: format!("tensor `{}` has a number there that it cannot have: {value}", info.name),
            },
            Fault::Memory => Error::LimitExceeded {
                limit: Limit::MemoryBytes,
                allowed: 0,
                requested: info.bytes,
                message: format!("no memory is left for tensor `{}`", info.name),
            },
        })
    }

    /// Brings a complete tensor into its final form. Scales are left in `scales`, for the matrix that follows them.
    pub(super) fn finish(self, weights: &mut Weights, scales: &mut Option<Vec<f32>>) -> Result<(), Error> {
        let Self { item: Item { info, role }, numbers } = self;
        let kind = match (role, numbers) {
            (Role::Scales, Numbers::F32(buffer)) => {
                *scales = Some(buffer.values);
                return Ok(());
            }
            (Role::Weights(TensorKind::Plain), Numbers::F32(buffer)) => {
                weights.insert_plain(info.name, Tensor::from_vec(buffer.values, info.shape, &Device::Cpu)?);
                return Ok(());
            }
            (Role::Weights(kind), numbers) => (kind, numbers),
            (Role::Scales, _) => return Err(Error::Internal(format!("the scales `{}` are not F32", info.name))),
        };
        let (rows, columns) = matrix_shape(&info.shape)?;
        let kernel = match kind.0 {
            TensorKind::Convolution => *info.shape.last().unwrap_or(&1),
            TensorKind::Plain | TensorKind::Matrix | TensorKind::Vocabulary => 1,
        };
        let matrix = match kind.1 {
            Numbers::F32(buffer) => float_matrix(buffer.values, rows, columns, kernel)?,
            Numbers::F16(buffer) => float_matrix(buffer.values, rows, columns, kernel)?,
            Numbers::I8(mut buffer) => {
                kernel_outermost(&mut buffer.values, columns, kernel);
                let scales =
                    scales.take().ok_or_else(|| Error::Internal(format!("matrix `{}` has no scales", info.name)))?;
                Matrix::int8(kind.0, rows, columns, buffer.values, scales)
            }
        };
        weights.insert_matrix(info.name, matrix);
        Ok(())
    }
}

/// Rows and columns of the matrix that a tensor `[out, …]` is packed as.
fn matrix_shape(shape: &[usize]) -> Result<(usize, usize), Error> {
    match shape {
        [rows, inner @ ..] => Ok((*rows, inner.iter().product())),
        [] => Err(Error::Internal("a matrix without dimensions".to_owned())),
    }
}

fn float_matrix<T: WithDType>(mut values: Vec<T>, rows: usize, columns: usize, kernel: usize) -> Result<Matrix, Error> {
    kernel_outermost(&mut values, columns, kernel);
    Ok(Matrix::Float(Tensor::from_vec(values, (rows, columns), &Device::Cpu)?))
}

/// Turns each row from `[in, kernel]` into `[kernel, in]`, in place.
fn kernel_outermost<T: Copy>(values: &mut [T], columns: usize, kernel: usize) {
    if kernel == 1 {
        return;
    }
    let mut before = Vec::with_capacity(columns);
    for row in values.chunks_exact_mut(columns) {
        before.clear();
        before.extend_from_slice(row);
        let channels = columns / kernel;
        for (position, frame) in row.chunks_exact_mut(channels).enumerate() {
            for (channel, value) in frame.iter_mut().enumerate() {
                *value = before[channel * kernel + position];
            }
        }
    }
}

/// A number as a file stores it.
trait Number: Copy + Into<f32> {
    /// Its little-endian bytes.
    type Bytes: AsMut<[u8]> + Copy + Default;

    fn from_bytes(bytes: Self::Bytes) -> Self;

    /// Splits bytes into numbers and what is left over.
    fn split(bytes: &[u8]) -> (&[Self::Bytes], &[u8]);
}

macro_rules! number {
    ($number:ty, $bytes:literal) => {
        impl Number for $number {
            type Bytes = [u8; $bytes];

            fn from_bytes(bytes: Self::Bytes) -> Self {
                Self::from_le_bytes(bytes)
            }

            fn split(bytes: &[u8]) -> (&[Self::Bytes], &[u8]) {
                bytes.as_chunks()
            }
        }
    };
}

number!(f32, 4);
number!(f16, 2);
number!(i8, 1);

/// Numbers that arrive in bytes.
struct Buffer<T: Number> {
    values: Vec<T>,
    count: usize,
    trusted: bool,
    /// The first bytes of a number whose others are in the next chunk, and how many they are.
    cut: T::Bytes,
    cut_bytes: usize,
}

/// Why numbers cannot be taken.
enum Fault {
    Number { index: usize, value: f32 },
    Memory,
}

impl<T: Number> Buffer<T> {
    fn new(count: usize, trusted: bool) -> Self {
        Self { values: Vec::new(), count, trusted, cut: T::Bytes::default(), cut_bytes: 0 }
    }

    /// Takes what belongs to the tensor from the front of the chunk, and says whether the tensor is complete.
    fn take(&mut self, chunk: &mut &[u8], usable: impl Fn(T) -> bool) -> Result<bool, Fault> {
        let first = self.values.len();
        if self.cut_bytes > 0 {
            let missing = &mut self.cut.as_mut()[self.cut_bytes..];
            let taken = missing.len().min(chunk.len());
            missing[..taken].copy_from_slice(&chunk[..taken]);
            let complete = taken == missing.len();
            *chunk = &chunk[taken..];
            self.cut_bytes += taken;
            if complete {
                self.reserve(1)?;
                self.values.push(T::from_bytes(self.cut));
                self.cut_bytes = 0;
            }
        }
        if self.cut_bytes == 0 {
            let missing_bytes = (self.count - self.values.len()).saturating_mul(size_of::<T>());
            let (mine, others) = chunk.split_at(missing_bytes.min(chunk.len()));
            let (numbers, cut) = T::split(mine);
            self.reserve(numbers.len())?;
            self.values.extend(numbers.iter().map(|&bytes| T::from_bytes(bytes)));
            self.cut.as_mut()[..cut.len()].copy_from_slice(cut);
            self.cut_bytes = cut.len();
            *chunk = others;
        }
        match self.values[first..].iter().position(|&value| !usable(value)) {
            Some(index) => Err(Fault::Number { index: first + index, value: self.values[first + index].into() }),
            None => Ok(self.values.len() == self.count),
        }
    }

    /// Makes room for so many more numbers: all that will come where the file's length vouches for them, and otherwise
    /// as many again as have come.
    fn reserve(&mut self, more: usize) -> Result<(), Fault> {
        let needed = self.values.len() + more;
        if needed <= self.values.capacity() {
            return Ok(());
        }
        let goal = if self.trusted { self.count } else { needed.max(2 * self.values.capacity()).max(STEP_NUMBERS) };
        let additional = goal.min(self.count) - self.values.len();
        self.values.try_reserve_exact(additional).map_err(|_| Fault::Memory)
    }
}
