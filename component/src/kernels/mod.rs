//! The loops in which the time is spent, each beside its naive reference.

pub mod int8;
