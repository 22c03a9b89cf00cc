//! Which build of the component to run.

use std::fmt;

/// A build of the component, by the instructions it uses. Both give the same results, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flavour {
    /// 128-bit SIMD, which every WebAssembly runtime of today has.
    Simd128,
    /// 128-bit SIMD and relaxed SIMD, whose int8 dot product makes the matrix kernels faster.
    RelaxedSimd,
}

impl Flavour {
    /// The name that an engine gives in [`EngineInfo::flavour`](crate::types::EngineInfo): `simd128` or `relaxed-simd`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Simd128 => "simd128",
            Self::RelaxedSimd => "relaxed-simd",
        }
    }

    /// Chooses for the machine this runs on, and says why.
    pub(crate) fn automatic() -> (Self, &'static str) {
        if cfg!(target_arch = "x86_64") {
            (
                Self::RelaxedSimd,
                "chosen for x86-64: its int8 dot product runs about twice as fast there as plain SIMD's",
            )
        } else if cfg!(target_arch = "aarch64") {
            (Self::RelaxedSimd, "chosen for AArch64: its int8 dot product saves widening the operands first")
        } else {
            (Self::Simd128, "chosen because relaxed SIMD was tried on x86-64 and AArch64 only")
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
