//! The speech-to-text engine: what the component is made of.
//!
//! ```text
//! model bytes ─► gguf ─► loader ─► weights ─┐
//!                                           ▼
//! samples ─► session ─► moonshine::{frontend ─► encoder ─► decoder} ─► greedy ─► segment ─► events
//! ```
//!
//! Where words are to have times, `alignment` lays the decoder's tokens along the audio before a segment is made of them.
//!
//! `family` is the seam between what every model has and what one family is; `kernels` and `nn` know no model; `bindings`
//! alone knows the contract.

pub mod alignment;
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code)] // What wit-bindgen generates: pointers and lengths of the canonical ABI.
mod bindings;
pub mod error;
pub mod family;
pub mod gguf;
pub mod greedy;
pub mod kernels;
pub mod loader;
pub mod metrics;
pub mod moonshine;
pub mod nn;
pub mod options;
pub mod segment;
pub mod session;
pub mod tokenizer;
pub mod weights;

#[cfg(test)]
mod allocations;
