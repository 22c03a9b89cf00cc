//! How much work is done in one step.

/// What a step may cost, in multiply-adds of 8-bit integers or what takes as long: fifteen milliseconds where an engine
/// does 20 of them a nanosecond.
pub const STEP_COST: u64 = 300_000_000;
/// A multiply-add of floats takes as long as so many of 8-bit integers.
pub const FLOAT_COST: u64 = 6;
/// A multiply-add of 16-bit integers takes as long as so many of 8-bit integers.
pub const INT16_COST: u64 = 2;
/// A multiply-add of an attention, softmax included, takes as long as so many others.
pub const ATTENTION_COST: u64 = 2;
/// Normalizing, rotating or rearranging a value takes as long as so many multiply-adds.
pub const VALUE_COST: u64 = 64;

/// What is left of a step.
///
/// It counts work and not time, so that the same audio always takes the same steps.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    spent: u64,
    multiply_adds: u64,
}

impl Budget {
    /// A step that may cost so much: [`STEP_COST`], but for tests.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { limit, spent: 0, multiply_adds: 0 }
    }

    /// Whether a piece of work with so many multiply-adds, and of such a cost, still belongs to this step, in which it is
    /// then counted. The first one always does.
    pub fn allows(&mut self, multiply_adds: u64, cost: u64) -> bool {
        if self.spent > 0 && self.spent + cost > self.limit {
            return false;
        }
        self.spent += cost.max(1);
        self.multiply_adds += multiply_adds;
        true
    }

    /// What the whole step may cost.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Multiply-adds of all pieces so far.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, STEP_COST};

    #[test]
    fn a_step_takes_what_fits_and_always_one_piece() {
        let mut budget = Budget::new(STEP_COST);
        assert!(budget.allows(5, STEP_COST - 1) && budget.allows(6, 1) && !budget.allows(7, 1));
        assert_eq!(budget.multiply_adds(), 11);
        let mut budget = Budget::new(STEP_COST);
        assert!(budget.allows(9, 2 * STEP_COST) && !budget.allows(1, 1));
    }
}
