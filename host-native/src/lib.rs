//! Speech to text in a sealed WebAssembly component.

pub mod models;
