//! The component's kernels, one by one: a module that any WebAssembly engine can time.
//!
//! A host calls [`prepare`] with a kernel and a shape, then [`run`] between two readings of its clock.

use std::cell::RefCell;

use auricle_component::greedy;
use auricle_component::kernels::activation::Activation;
use auricle_component::kernels::attention::KvCache;
use auricle_component::kernels::filter::Filters;
use auricle_component::kernels::filter16::{Int16Filters, Windows};
use auricle_component::kernels::int8::attention::{Int8KeyValues, Scratch};
use auricle_component::kernels::int8::{Int8Matrix, Int8Rows, Int8Vocabulary, Output, variant};
use auricle_component::kernels::norm::layer_norm;

/// Samples from one window to the next, as in Moonshine's first convolution.
const WINDOW_STEP: usize = 64;

/// Kernels, as [`prepare`] numbers them.
enum Job {
    /// Rows times a matrix, `[a, c] × [b, c]`.
    Multiply { rows: Int8Rows, matrix: Int8Matrix, out: Vec<f32> },
    /// Attention of `a` queries over `b` frames, 8 heads of `c`.
    Attention { memory: Int8KeyValues, scratch: Scratch, queries: Vec<f32>, out: Vec<f32> },
    /// The same in floats.
    FloatAttention { memory: KvCache, scores: Vec<f32>, queries: Vec<f32>, out: Vec<f32> },
    /// Quantization of `a` rows of `c`.
    Quantize { values: Vec<f32>, columns: usize, rows: Int8Rows },
    /// Layer norm and quantization of `a` rows of `c`.
    NormQuantize { values: Vec<f32>, weight: Vec<f32>, rows: Int8Rows },
    /// GELU of `a` rows of `c`.
    Gelu { values: Vec<f32>, out: Vec<f32> },
    /// Layer norm of `a` rows of `c`.
    Norm { values: Vec<f32>, weight: Vec<f32>, out: Vec<f32> },
    /// The choice among `a · c` logits.
    Pick { logits: Vec<f32> },
    /// `b` filters of `c` taps over `a` windows.
    Filter { filters: Filters, samples: Vec<f32>, out: Vec<f32> },
    /// The same in 16 bits, with quantization.
    Filter16 { filters: Int16Filters, samples: Vec<f32>, windows: Windows, out: Vec<f32> },
    /// Keys and values of `a` frames, 8 heads of `c`, into the form in which they are attended to.
    Remember { memory: Int8KeyValues, keys: Vec<f32>, values: Vec<f32> },
    /// Logits of `b` tokens for `a` rows of `c`.
    Logits { rows: Int8Rows, vocabulary: Int8Vocabulary, out: Vec<f32> },
    /// [`Job::Multiply`], then [`Job::Logits`].
    Token { multiply: Box<Job>, logits: Box<Job> },
}

thread_local! {
    static JOB: RefCell<Option<Job>> = const { RefCell::new(None) };
}

/// Numbers that look random and are the same everywhere (xorshift, Marsaglia 2003), from −1 to 1.
fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Sets up kernel `kernel` with a shape; `short_sums` chooses between the two int8 loops.
#[unsafe(no_mangle)]
#[allow(unsafe_code)] // An export needs its name.
pub extern "C" fn prepare(kernel: u32, a: usize, b: usize, c: usize, short_sums: u32) {
    const HEADS: usize = 8;
    variant::set_short_sums(short_sums != 0);
    let job = match kernel {
        0 => multiply(a, b, c),
        1 => {
            let mut memory = Int8KeyValues::new(HEADS, c);
            memory.fill(&noise(b * HEADS * c, 1), &noise(b * HEADS * c, 2));
            let queries = noise(a * HEADS * c, 3);
            Job::Attention { memory, scratch: Scratch::default(), out: vec![0.0; queries.len()], queries }
        }
        2 => {
            let mut memory = KvCache::with_capacity(HEADS, c, b);
            memory.fill(&noise(b * HEADS * c, 1), &noise(b * HEADS * c, 2));
            let queries = noise(a * HEADS * c, 3);
            Job::FloatAttention { memory, scores: Vec::new(), out: vec![0.0; queries.len()], queries }
        }
        3 => Job::Quantize { values: noise(a * c, 1), columns: c, rows: Int8Rows::default() },
        4 => Job::NormQuantize { values: noise(a * c, 1), weight: noise(c, 2), rows: Int8Rows::default() },
        5 => Job::Gelu { values: noise(a * c, 1), out: vec![0.0; a * c] },
        6 => Job::Norm { values: noise(a * c, 1), weight: noise(c, 2), out: vec![0.0; a * c] },
        7 => Job::Pick { logits: noise(a * c, 1).iter().map(|x| 10.0 * x).collect() },
        8 => {
            let filters = Filters::pack(b, c, &noise(b * c, 1));
            let samples = noise((a - 1) * WINDOW_STEP + filters.reach(), 2);
            Job::Filter { filters, samples, out: vec![0.0; a * b] }
        }
        9 => Job::Remember {
            memory: Int8KeyValues::new(HEADS, c),
            keys: noise(a * HEADS * c, 1),
            values: noise(a * HEADS * c, 2),
        },
        10 => logits(a, b, c),
        11 => Job::Token { multiply: Box::new(multiply(a, b, c)), logits: Box::new(logits(a, b, c)) },
        12 => {
            let filters = Int16Filters::pack(b, c, &noise(b * c, 1));
            let samples = noise((a - 1) * WINDOW_STEP + c, 2);
            Job::Filter16 { filters, samples, windows: Windows::default(), out: vec![0.0; a * b] }
        }
        _ => panic!("there is no kernel {kernel}"),
    };
    JOB.with(|slot| *slot.borrow_mut() = Some(job));
}

/// Weights `[b, c]`. Cubed, so that most are small, as a trained layer's are.
fn weights(b: usize, c: usize) -> Vec<i8> {
    noise(b * c, 1).iter().map(|x| (x.powi(3) * 60.0) as i8).collect()
}

fn multiply(a: usize, b: usize, c: usize) -> Job {
    let matrix = Int8Matrix::pack(b, c, weights(b, c), vec![0.01; b]);
    Job::Multiply { rows: Int8Rows::quantize(&noise(a * c, 2), a, c, c), matrix, out: vec![0.0; a * b] }
}

fn logits(a: usize, b: usize, c: usize) -> Job {
    let weights = weights(b, c);
    // What a token's own embedding leads to, so that few are near the best, as in a trained model.
    let row = |noise: f32, weight: &i8| 0.1 * f32::from(*weight) + noise;
    let rows: Vec<f32> = noise(a * c, 2).into_iter().zip(&weights).map(|(noise, weight)| row(noise, weight)).collect();
    let vocabulary = Int8Vocabulary::new(b, c, weights, vec![0.01; b]);
    Job::Logits { rows: Int8Rows::quantize(&rows, a, c, c), vocabulary, out: vec![0.0; a * b] }
}

/// Runs the kernel that was set up, `times` times.
#[unsafe(no_mangle)]
#[allow(unsafe_code)] // An export needs its name.
pub extern "C" fn run(times: u32) -> u32 {
    JOB.with(|slot| {
        let mut slot = slot.borrow_mut();
        let Some(job) = slot.as_mut() else { return 0 };
        (0..times).fold(0, |sum: u32, _| sum.wrapping_add(once(job)))
    })
}

/// Runs a kernel once and gives something of its result.
fn once(job: &mut Job) -> u32 {
    match job {
        Job::Multiply { rows, matrix, out } => {
            matrix.multiply(rows, None, Output::Replace, out);
            out[0].to_bits()
        }
        Job::Attention { memory, scratch, queries, out } => {
            memory.attend(queries, scratch, out);
            out[0].to_bits()
        }
        Job::FloatAttention { memory, scores, queries, out } => {
            memory.attend(queries, scores, out);
            out[0].to_bits()
        }
        Job::Quantize { values, columns, rows } => {
            rows.fill(values, values.len() / *columns, *columns, *columns);
            rows.rows() as u32
        }
        Job::NormQuantize { values, weight, rows } => {
            rows.fill_normal(values, weight, 1e-5);
            rows.rows() as u32
        }
        Job::Gelu { values, out } => {
            // Afresh each time: applied again and again, it would end in denormal numbers, which are slow.
            out.copy_from_slice(values);
            Activation::Gelu.apply(out);
            out[1].to_bits()
        }
        Job::Norm { values, weight, out } => {
            layer_norm(values, weight, 1e-5, out);
            out[0].to_bits()
        }
        Job::Pick { logits } => {
            let token = greedy::pick(logits);
            // All of it is looked at: a compiler leaves out what nobody does.
            token.id ^ token.log_probability.to_bits() ^ token.entropy.to_bits()
        }
        Job::Filter { filters, samples, out } => {
            filters.forward(samples, WINDOW_STEP, out);
            out[0].to_bits()
        }
        Job::Filter16 { filters, samples, windows, out } => {
            let count = (samples.len() - filters.taps()) / WINDOW_STEP + 1;
            windows.fill(samples, count, filters.taps(), WINDOW_STEP);
            filters.forward(windows, out);
            out[0].to_bits()
        }
        Job::Remember { memory, keys, values } => {
            memory.fill(keys, values);
            memory.frames() as u32
        }
        Job::Logits { rows, vocabulary, out } => {
            vocabulary.logits(rows, out);
            out[0].to_bits()
        }
        Job::Token { multiply, logits } => once(multiply) ^ once(logits),
    }
}
