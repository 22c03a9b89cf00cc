//! The speech-to-text engine: what the component is made of.
//!
//! ```text
//! model bytes ─► gguf ─► loader ─► weights ─┐
//!                                           ▼
//! samples ─► session ─► vad ─► endpoint ─► moonshine::{frontend ─► encoder ─► decoder ─► greedy} ─► guards ─► segment ─► events
//! ```
//!
//! `family` is the seam between what every model has and what one family is; `kernels` and `nn` know no model; `vad` tells
//! speech from silence; where words are to have times, `alignment` lays the decoder's tokens along the audio; `bindings`
//! alone knows the contract.

pub mod alignment;
#[cfg(all(target_arch = "wasm32", not(test)))]
mod allocator;
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code)] // What wit-bindgen generates: pointers and lengths of the canonical ABI.
mod bindings;
mod endpoint;
pub mod error;
pub mod family;
pub mod gguf;
pub mod greedy;
pub mod guards;
pub mod kernels;
pub mod loader;
pub mod metrics;
pub mod moonshine;
pub mod nn;
pub mod options;
pub mod segment;
pub mod session;
pub mod tokenizer;
pub mod vad;
pub mod weights;

#[cfg(test)]
mod allocations;
