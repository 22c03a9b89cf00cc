//! The component's kernels one by one, in the shapes that Moonshine Tiny has: what `--kernels` measures.
//!
//! The module is made of `bench/kernels`, in every build; [`hosts`] runs it in wasmtime and in Node.

pub mod hosts;

use std::fmt;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::place::Place;
use crate::sides::{Build, Runtime};

/// Heads of Moonshine Tiny's attention.
const HEADS: u32 = 8;
/// Numbers of each head.
const HEAD_SIZE: u32 = 36;
/// Operations from which on a case is too slow without SIMD.
const SLOW_OPERATIONS: f64 = 1e9;

/// What a case computes. The numbers are those of the module's `prepare`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Rows in 8 bits times a matrix in 8 bits.
    Multiply = 0,
    /// Attention of which both products are in 8 bits.
    Attention = 1,
    /// Attention in floats.
    FloatAttention = 2,
    /// Rows to 8 bits.
    Quantize = 3,
    /// Layer norm, and rows to 8 bits.
    NormQuantize = 4,
    /// The activation.
    Gelu = 5,
    /// Layer norm.
    Norm = 6,
    /// The choice among logits.
    Pick = 7,
    /// Filters over windows of samples, in floats: the first convolution of models in floats.
    Filter = 8,
    /// Keys and values into the form in which they are attended to in 8 bits.
    Remember = 9,
    /// Logits of a vocabulary, half from 4 bits and what could be the best from 8.
    Logits = 10,
    /// A row in 8 bits times a matrix in 8 bits, then logits of a vocabulary as large.
    Token = 11,
    /// Filters over windows of samples, in 16 bits: the first convolution of models in 8 bits.
    Filter16 = 12,
}

impl Kernel {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Multiply => "multiply",
            Self::Attention => "attention",
            Self::FloatAttention => "attention-f32",
            Self::Quantize => "quantize",
            Self::NormQuantize => "norm+quantize",
            Self::Gelu => "gelu",
            Self::Norm => "norm",
            Self::Pick => "pick",
            Self::Filter => "filter",
            Self::Remember => "keys+values",
            Self::Logits => "logits",
            Self::Token => "token",
            Self::Filter16 => "filter-i16",
        }
    }

    /// Whether its time is that of products in 8 bits, of which there are two loops.
    #[must_use]
    pub fn is_int8(self) -> bool {
        matches!(self, Self::Multiply | Self::Attention)
    }
}

/// A kernel with a shape. What `a`, `b` and `c` mean depends on the kernel, see [`Case::shape`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it computes.
    pub kernel: Kernel,
    /// Rows, queries, frames, or windows.
    pub a: u32,
    /// The matrix's channels, frames to attend to, or filters.
    pub b: u32,
    /// Columns, numbers of each head, or taps.
    pub c: u32,
}

impl Case {
    /// A row times 9 MB of weights, and logits from 5 MB, about as much as a token of Moonshine Tiny reads: as fast as memory
    /// gives them.
    pub const STREAM: Self = Self::new(Kernel::Token, 1, 32768, 288);
    /// Everything that is measured.
    pub const ALL: [Self; 22] = [
        Self::new(Kernel::Multiply, 32, 1152, 288),
        Self::new(Kernel::Multiply, 32, 288, 288),
        Self::new(Kernel::Multiply, 32, 288, 1152),
        Self::new(Kernel::Multiply, 16, 576, 2016),
        Self::new(Kernel::Multiply, 16, 288, 1728),
        Self::new(Kernel::Multiply, 1, 288, 288),
        Self::new(Kernel::Multiply, 1, 2304, 288),
        Self::new(Kernel::Multiply, 1, 32768, 288),
        Self::new(Kernel::Logits, 1, 32768, 288),
        Self::STREAM,
        Self::new(Kernel::Attention, 413, 413, HEAD_SIZE),
        Self::new(Kernel::Attention, 1248, 1248, HEAD_SIZE),
        Self::new(Kernel::Attention, 1, 1248, HEAD_SIZE),
        Self::new(Kernel::FloatAttention, 1, 50, HEAD_SIZE),
        Self::new(Kernel::Quantize, 32, 0, 288),
        Self::new(Kernel::NormQuantize, 32, 0, 288),
        Self::new(Kernel::Norm, 32, 0, 288),
        Self::new(Kernel::Gelu, 16, 0, 1152),
        Self::new(Kernel::Pick, 1, 0, 32768),
        Self::new(Kernel::Filter16, 64, 288, 127),
        Self::new(Kernel::Filter, 64, 288, 127),
        Self::new(Kernel::Remember, 413, 0, HEAD_SIZE),
    ];

    const fn new(kernel: Kernel, a: u32, b: u32, c: u32) -> Self {
        Self { kernel, a, b, c }
    }

    /// Operations of one run, two for each multiplication that is added up; of a kernel without products, its values.
    #[must_use]
    pub fn operations(self) -> f64 {
        let [a, b, c] = [self.a, self.b, self.c].map(f64::from);
        match self.kernel {
            Kernel::Multiply | Kernel::Filter | Kernel::Filter16 | Kernel::Logits => 2.0 * a * b * c,
            // Both products.
            Kernel::Token => 2.0 * 2.0 * a * b * c,
            // Queries times keys, and probabilities times values.
            Kernel::Attention | Kernel::FloatAttention => 2.0 * 2.0 * a * b * c * f64::from(HEADS),
            // Keys, and as many values.
            Kernel::Remember => 2.0 * a * c * f64::from(HEADS),
            _ => a * c,
        }
    }

    /// What is counted by [`Case::operations`], in thousands of millions a second.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self.kernel {
            Kernel::Multiply
            | Kernel::Attention
            | Kernel::FloatAttention
            | Kernel::Filter
            | Kernel::Filter16
            | Kernel::Logits
            | Kernel::Token => "Gop/s",
            _ => "Gvalue/s",
        }
    }

    /// Its shape in words.
    #[must_use]
    pub fn shape(self) -> String {
        let Self { a, b, c, .. } = self;
        match self.kernel {
            Kernel::Multiply | Kernel::Filter | Kernel::Filter16 | Kernel::Logits | Kernel::Token => {
                format!("{a} × {b}×{c}")
            }
            Kernel::Attention | Kernel::FloatAttention => format!("{a} to {b}"),
            Kernel::Remember => format!("{a} × {}", c * HEADS),
            _ => format!("{a} × {c}"),
        }
    }

    /// The loops that it is measured with in a build.
    fn loops(self, build: Build) -> &'static [Loop] {
        match build {
            Build::Scalar if self.operations() >= SLOW_OPERATIONS => &[],
            Build::RelaxedSimd if self.kernel.is_int8() => &[Loop::ShortSums, Loop::LongDot],
            _ => &[Loop::Only],
        }
    }
}

/// Which of the loops that give the same bits adds up products in 8 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loop {
    /// The kernel has one loop in this build.
    Only,
    /// Sums in 16 bits first.
    ShortSums,
    /// Long dot products.
    LongDot,
}

impl Loop {
    /// Its name; empty where there is no choice.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Only => "",
            Self::ShortSums => "short-sums",
            Self::LongDot => "long-dot",
        }
    }
}

/// How fast a case is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// The engine.
    pub runtime: Runtime,
    /// The build.
    pub build: Build,
    /// What was computed.
    pub case: Case,
    /// With which loop.
    pub int8_loop: Loop,
    /// The least time of a run in microseconds: other work makes runs longer and never shorter.
    pub best_us: f64,
    /// Something of the result, which is the same everywhere.
    pub bits: u32,
}

impl Speed {
    /// In thousands of millions of [`Case::operations`] a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.case.operations() / self.best_us / 1e3
    }
}

/// What was measured of kernels.
#[derive(Debug, Default)]
pub struct Kernels {
    /// Every case in every build and engine.
    pub speeds: Vec<Speed>,
    /// What could not be measured, and why.
    pub skipped: Vec<String>,
    /// The engine's version, where it tells it.
    pub versions: Vec<(String, String)>,
}

impl Kernels {
    /// The highest rate of products in 8 bits in an engine, which other shapes are measured by: the best tile.
    #[must_use]
    pub fn best_int8_rate(&self, runtime: Runtime) -> Option<f64> {
        self.best_rate(|speed| speed.runtime == runtime && speed.case.kernel.is_int8())
    }

    /// The highest rate of products in 8 bits of one build in an engine, in thousands of millions of operations a second.
    #[must_use]
    pub fn best_int8_rate_of(&self, runtime: Runtime, build: Build) -> Option<f64> {
        let of_build = |speed: &Speed| (speed.runtime, speed.build) == (runtime, build);
        self.best_rate(|speed| of_build(speed) && speed.case.kernel.is_int8())
    }

    /// The rate of a row's products with as many weights as a token reads, see [`Case::STREAM`].
    #[must_use]
    pub fn stream_rate_of(&self, runtime: Runtime, build: Build) -> Option<f64> {
        self.best_rate(|speed| (speed.runtime, speed.build, speed.case) == (runtime, build, Case::STREAM))
    }

    fn best_rate(&self, wanted: impl Fn(&Speed) -> bool) -> Option<f64> {
        self.speeds.iter().filter(|speed| wanted(speed)).map(Speed::rate).reduce(f64::max)
    }

    /// The share of the best tile's rate; `None` of kernels whose time is not that of products in 8 bits.
    #[must_use]
    pub fn of_best_tile(&self, speed: &Speed) -> Option<f64> {
        let best = self.best_int8_rate(speed.runtime)?;
        speed.case.kernel.is_int8().then(|| speed.rate() / best)
    }

    /// Cases that gave another result than the first of the same case did.
    pub fn with_other_bits(&self) -> impl Iterator<Item = &Speed> {
        self.speeds.iter().filter(|speed| {
            self.speeds.iter().find(|first| first.case == speed.case).is_some_and(|first| first.bits != speed.bits)
        })
    }
}

/// What a host is to time. Node reads it as JSON.
#[derive(Debug, Serialize)]
pub struct Order {
    /// Rounds over all jobs, so that a slow moment of the machine is not one job's alone.
    pub rounds: u32,
    /// How long a job runs in each round, in milliseconds, or one run where that takes longer.
    pub round_ms: f64,
    /// Runs are timed together until they take this long, in milliseconds: what the clock cannot tell apart is little of it.
    pub chunk_ms: f64,
    /// The arguments of the module's `prepare`: kernel, shape, and whether to add up in 16 bits first.
    pub jobs: Vec<[u32; 5]>,
}

/// The cases of a build, each with its loop.
fn cases(build: Build) -> Vec<(Case, Loop)> {
    Case::ALL.iter().flat_map(|case| case.loops(build).iter().map(|int8_loop| (*case, *int8_loop))).collect()
}

fn order(cases: &[(Case, Loop)]) -> Order {
    let job = |&(case, int8_loop): &(Case, Loop)| {
        [case.kernel as u32, case.a, case.b, case.c, u32::from(int8_loop != Loop::LongDot)]
    };
    Order { rounds: 3, round_ms: 12.0, chunk_ms: 2.0, jobs: cases.iter().map(job).collect() }
}

/// Measures all kernels in wasmtime and Node. What cannot be measured is left out and named in the result.
#[must_use]
pub fn measure(place: &Place) -> Kernels {
    const RUNTIMES: [Runtime; 2] = [Runtime::Wasmtime, Runtime::Node];
    const BUILDS: [Build; 3] = [Build::RelaxedSimd, Build::Simd128, Build::Scalar];
    let mut result = Kernels::default();
    let bar = ProgressBar::new((RUNTIMES.len() * BUILDS.len()) as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").unwrap_or(ProgressStyle::default_bar()));
    for runtime in RUNTIMES {
        for build in BUILDS {
            bar.set_message(format!("kernels: {}/{}", runtime.name(), build.name()));
            if let Err(error) = measure_build(place, runtime, build, &mut result) {
                result.skipped.push(format!("kernels in {}/{}: {error:#}", runtime.name(), build.name()));
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    result
}

fn measure_build(place: &Place, runtime: Runtime, build: Build, result: &mut Kernels) -> Result<()> {
    let module = place.kernels(build)?;
    let cases = cases(build);
    let order = order(&cases);
    let times = match runtime {
        Runtime::Wasmtime => hosts::in_wasmtime(&module, build == Build::RelaxedSimd, &order)?,
        _ => {
            let answer = hosts::in_node(place, &module, &order)?;
            result.versions = vec![("node".to_owned(), answer.node)];
            answer.times
        }
    };
    result.speeds.extend(cases.into_iter().zip(times).map(|((case, int8_loop), time)| Speed {
        runtime,
        build,
        case,
        int8_loop,
        best_us: time.best_us,
        bits: time.bits,
    }));
    Ok(())
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runtime, build, case, int8_loop, .. } = self;
        write!(f, "{} {} in {}/{}", case.kernel.name(), case.shape(), runtime.name(), build.name())?;
        if *int8_loop == Loop::Only { Ok(()) } else { write!(f, ", {}", int8_loop.name()) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A product with both loops in one build and one in another, and a kernel without products.
    pub(crate) fn kernels() -> Kernels {
        let speed = |build, case, int8_loop, best_us| Speed {
            runtime: Runtime::Wasmtime,
            build,
            case,
            int8_loop,
            best_us,
            bits: 7,
        };
        let (product, pick) = (Case::ALL[1], Case::ALL[18]);
        Kernels {
            speeds: vec![
                speed(Build::RelaxedSimd, product, Loop::ShortSums, 50.0),
                speed(Build::RelaxedSimd, product, Loop::LongDot, 100.0),
                speed(Build::RelaxedSimd, pick, Loop::Only, 8.0),
                speed(Build::Simd128, product, Loop::Only, 200.0),
            ],
            skipped: vec!["kernels in node/scalar: there is no node".to_owned()],
            versions: Vec::new(),
        }
    }

    #[test]
    fn a_multiplication_that_is_added_up_counts_as_two_operations() {
        let operations = |kernel| Case::new(kernel, 2, 3, 5).operations();
        assert_eq!(operations(Kernel::Multiply), 60.0);
        assert_eq!(operations(Kernel::Filter), 60.0);
        assert_eq!(operations(Kernel::Filter16), 60.0);
        // 2 queries, 3 frames, 8 heads of 5 numbers, two products.
        assert_eq!(operations(Kernel::Attention), 960.0);
        assert_eq!(operations(Kernel::FloatAttention), 960.0);
    }

    #[test]
    fn a_kernel_without_products_counts_its_values() {
        let gelu = Case::new(Kernel::Gelu, 16, 0, 1152);
        assert_eq!((gelu.operations(), gelu.unit()), (18432.0, "Gvalue/s"));
    }

    #[test]
    fn both_loops_are_measured_where_there_are_two() {
        let count = |build| cases(build).len();
        let int8 = Case::ALL.iter().filter(|case| case.kernel.is_int8()).count();
        assert_eq!(count(Build::Simd128), Case::ALL.len());
        assert_eq!(count(Build::RelaxedSimd), Case::ALL.len() + int8);
        // Attention of 30 s of audio takes too long there.
        assert_eq!(count(Build::Scalar), Case::ALL.len() - 1);
        let relaxed = order(&cases(Build::RelaxedSimd));
        assert_eq!(relaxed.jobs[..2], [[0, 32, 1152, 288, 1], [0, 32, 1152, 288, 0]]);
    }

    #[test]
    fn the_share_is_that_of_the_best_product_in_the_engine() {
        let kernels = kernels();
        let shares: Vec<_> = kernels.speeds.iter().map(|speed| kernels.of_best_tile(speed)).collect();
        assert_eq!(shares, [Some(1.0), Some(0.5), None, Some(0.25)]);
        assert_eq!(kernels.best_int8_rate(Runtime::Node), None);
        // 2 · 32 · 288 · 288 operations in 50 µs.
        assert!((kernels.speeds[0].rate() - 106.168).abs() < 1e-3);
    }

    #[test]
    fn a_result_that_differs_is_found() {
        let mut kernels = kernels();
        assert_eq!(kernels.with_other_bits().count(), 0);
        kernels.speeds[3].bits = 8;
        let found: Vec<_> = kernels.with_other_bits().map(Speed::to_string).collect();
        assert_eq!(found, ["multiply 32 × 288×288 in wasmtime/simd128"]);
    }
}
