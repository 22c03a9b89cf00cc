//! The loops in which the time is spent, each beside its naive reference.

pub mod activation;
pub mod attention;
mod constants;
pub mod filter;
pub mod filter16;
pub(crate) mod float;
pub mod int8;
pub(crate) mod lanes;
pub(crate) mod lanes16;
pub mod norm;

#[cfg(test)]
pub(crate) mod testing {
    /// Numbers that look random and are the same everywhere (xorshift, Marsaglia 2003).
    pub(crate) struct Noise(u64);

    impl Noise {
        /// A sequence of its own for every seed but 0.
        pub(crate) fn new(seed: u64) -> Self {
            Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
        }

        /// From −1 to 1.
        pub(crate) fn next(&mut self) -> f32 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        }

        /// So many numbers.
        pub(crate) fn take(&mut self, count: usize) -> Vec<f32> {
            (0..count).map(|_| self.next()).collect()
        }
    }

    /// The probabilities of one query `[size]` over the frames of a head's keys, by definition, in f64.
    pub(crate) fn probabilities(query: &[f32], k: &[f32], heads: usize, head: usize) -> Vec<f64> {
        let size = query.len();
        let score = |key: &[f32]| {
            let products = query.iter().zip(&key[head * size..]).map(|(&q, &k)| f64::from(q) * f64::from(k));
            (products.sum::<f64>() / (size as f64).sqrt()).exp()
        };
        let weights: Vec<f64> = k.chunks_exact(heads * size).map(score).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    }

    /// Attention by its definition, one query, head and dimension at a time, in f64.
    pub(crate) fn attention(q: &[f32], k: &[f32], v: &[f32], heads: usize, size: usize) -> Vec<f64> {
        let channels = heads * size;
        let mut out = Vec::new();
        for query in q.chunks_exact(channels) {
            for channel in 0..channels {
                let head = channel / size * size;
                let score = |key: &[f32]| {
                    let products = (head..head + size).map(|i| f64::from(query[i]) * f64::from(key[i]));
                    (products.sum::<f64>() / (size as f64).sqrt()).exp()
                };
                let weights: Vec<f64> = k.chunks_exact(channels).map(score).collect();
                let values = v.chunks_exact(channels).map(|value| f64::from(value[channel]));
                let sum: f64 = weights.iter().zip(values).map(|(weight, value)| weight * value).sum();
                out.push(sum / weights.iter().sum::<f64>());
            }
        }
        out
    }
}
