//! What the work has cost, for people to look at: no result depends on it.

/// A part of the pipeline, in pipeline order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Finding speech.
    VoiceActivity,
    /// Samples to frames.
    FrontEnd,
    /// Frames to encoder states.
    Encoder,
    /// Cross-attention keys and values.
    CrossAttention,
    /// One pass a token.
    Decoder,
    /// Times of tokens.
    Alignment,
}

impl Stage {
    /// Every stage, in pipeline order.
    pub const ALL: [Self; 6] =
        [Self::VoiceActivity, Self::FrontEnd, Self::Encoder, Self::CrossAttention, Self::Decoder, Self::Alignment];
}

/// What one stage has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageCost {
    /// Time spent, in nanoseconds.
    pub elapsed_ns: u64,
    /// Multiply-accumulate operations.
    pub multiply_adds: u64,
    /// Steps taken.
    pub steps: u64,
}

/// Reads a clock, in nanoseconds since some start.
pub type Clock = fn() -> u64;

/// Adds up costs.
#[derive(Debug, Clone)]
pub struct Meter {
    clock: Clock,
    costs: [StageCost; Stage::ALL.len()],
    tokens: u64,
}

impl Meter {
    /// A meter with nothing on it.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, costs: Default::default(), tokens: 0 }
    }

    /// What it reads the time from.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Does a step of work, which tells its multiply-accumulate operations, and books them and its time to a stage.
    pub fn measure<T>(&mut self, stage: Stage, work: impl FnOnce() -> (u64, T)) -> T {
        let before = (self.clock)();
        let (multiply_adds, result) = work();
        let cost = &mut self.costs[stage as usize];
        cost.elapsed_ns += (self.clock)().saturating_sub(before);
        cost.multiply_adds += multiply_adds;
        cost.steps += 1;
        result
    }

    /// Time spent in all stages, in nanoseconds.
    #[must_use]
    pub fn elapsed_ns(&self) -> u64 {
        self.costs.iter().map(|cost| cost.elapsed_ns).sum()
    }

    /// Books a decoded token.
    pub fn count_token(&mut self) {
        self.tokens += 1;
    }

    /// Tokens decoded, end tokens included.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// The stages that have run, in pipeline order.
    pub fn stages(&self) -> impl Iterator<Item = (Stage, StageCost)> + '_ {
        Stage::ALL.into_iter().map(|stage| (stage, self.costs[stage as usize])).filter(|(_, cost)| cost.steps > 0)
    }

    /// Sets everything to nothing.
    pub fn reset(&mut self) {
        *self = Self::new(self.clock);
    }
}

/// The linear memory of this instance, in bytes; 0 outside WebAssembly. It never shrinks, so it is its own peak.
#[must_use]
pub fn memory_bytes() -> u64 {
    #[cfg(target_arch = "wasm32")]
    let bytes = core::arch::wasm32::memory_size(0) as u64 * 65_536;
    #[cfg(not(target_arch = "wasm32"))]
    let bytes = 0;
    bytes
}
