//! Multi-head attention of a block of queries over keys and values.

use candle_core::{D, Tensor};

use crate::error::Error;

/// Splits `[frames, heads · head_size]` into `[heads, frames, head_size]`.
///
/// # Errors
/// [`Error::Internal`] where the channels are no multiple of the heads.
pub fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor, Error> {
    let (frames, channels) = x.dims2()?;
    Ok(x.reshape((frames, heads, channels / heads))?.transpose(0, 1)?.contiguous()?)
}

/// Keys and values of past frames, `[heads, frames, head_size]` each.
#[derive(Debug)]
pub struct KvCache {
    /// Keys.
    pub keys: Tensor,
    /// Values.
    pub values: Tensor,
}

impl KvCache {
    /// A cache with these frames after those of `before`.
    ///
    /// # Errors
    /// [`Error::Internal`] where the shapes do not fit.
    pub fn append(before: Option<&Self>, keys: Tensor, values: Tensor) -> Result<Self, Error> {
        match before {
            None => Ok(Self { keys, values }),
            Some(before) => Ok(Self {
                keys: Tensor::cat(&[&before.keys, &keys], 1)?,
                values: Tensor::cat(&[&before.values, &values], 1)?,
            }),
        }
    }

    /// Frames it holds.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.keys.dims()[1]
    }

    /// `softmax(q · Kᵀ / √head_size) · V`, without a mask: `[frames, heads · head_size]` to the same shape.
    ///
    /// # Errors
    /// [`Error::Internal`] where the shapes do not fit.
    pub fn attend(&self, queries: &Tensor) -> Result<Tensor, Error> {
        let (heads, _, head_size) = self.keys.dims3()?;
        let (frames, channels) = queries.dims2()?;
        let queries = (split_heads(queries, heads)? * (1.0 / (head_size as f64).sqrt()))?;
        // One head at a time: the scores of 30 s of audio are 6 MB a head.
        let attended = (0..heads)
            .map(|head| {
                let scores = queries.get(head)?.matmul(&self.keys.get(head)?.t()?)?;
                Ok(softmax(&scores)?.matmul(&self.values.get(head)?)?)
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Tensor::stack(&attended, 1)?.reshape((frames, channels))?)
    }
}

/// Softmax over the last dimension.
fn softmax(x: &Tensor) -> Result<Tensor, Error> {
    let exponentials = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?.exp()?;
    Ok(exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)?)
}
