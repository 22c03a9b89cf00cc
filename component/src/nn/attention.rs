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

#[cfg(test)]
mod tests {
    use super::{KvCache, split_heads};
    use crate::kernels::testing::Noise;
    use crate::nn::matrix;

    #[test]
    fn attention_follows_its_definition_over_odd_shapes() {
        let mut noise = Noise::new(11);
        for (queries, keys, heads, size) in [(1, 1, 1, 2), (1, 5, 2, 3), (4, 9, 8, 36), (17, 17, 3, 5)] {
            let channels = heads * size;
            let [q, k, v] = [queries, keys, keys].map(|frames| noise.take(frames * channels));
            let tensor = |values: &[f32], frames| matrix(values.to_vec(), frames, channels).expect("a matrix");
            let cache = KvCache {
                keys: split_heads(&tensor(&k, keys), heads).expect("heads"),
                values: split_heads(&tensor(&v, keys), heads).expect("heads"),
            };
            let out = cache.attend(&tensor(&q, queries)).expect("shapes fit").to_vec2::<f32>().expect("floats");
            for (frame, out) in out.iter().enumerate() {
                for (channel, &out) in out.iter().enumerate() {
                    let head = channel / size * size;
                    let scores: Vec<f64> = (0..keys)
                        .map(|key| {
                            let products = (0..size).map(|i| {
                                f64::from(q[frame * channels + head + i]) * f64::from(k[key * channels + head + i])
                            });
                            (products.sum::<f64>() / (size as f64).sqrt()).exp()
                        })
                        .collect();
                    let weighted = scores.iter().enumerate().map(|(key, s)| s * f64::from(v[key * channels + channel]));
                    let want = weighted.sum::<f64>() / scores.iter().sum::<f64>();
                    assert!((f64::from(out) - want).abs() < 1e-5, "{queries} × {keys}: {out}, {want}");
                }
            }
        }
    }

    #[test]
    fn a_cache_built_frame_by_frame_equals_one_built_at_once() {
        let x = matrix(Noise::new(2).take(5 * 6), 5, 6).expect("a matrix");
        let whole = split_heads(&x, 2).expect("heads");
        let mut cache: Option<KvCache> = None;
        for frame in 0..5 {
            let one = split_heads(&x.narrow(0, frame, 1).expect("a row"), 2).expect("heads");
            cache = Some(KvCache::append(cache.as_ref(), one.clone(), one).expect("frames fit"));
        }
        let cache = cache.expect("five frames");
        assert_eq!(cache.frames(), 5);
        assert_eq!(cache.keys.to_vec3::<f32>().expect("floats"), whole.to_vec3::<f32>().expect("floats"));
    }
}
