//! What the Worker of the browser host asks of Rust: audio conditioning, the model store, what the device has, how
//! repetitive a text is, and marks for User Timing.
//!
//! It is built for `wasm32-unknown-unknown`, and wasm-bindgen makes an ES module of it. What decides is plain Rust and
//! tested natively; only the edges touch JavaScript.

mod audio;
mod cancel;
mod device;
mod error;
mod js;
mod marks;
mod store;
mod text;

pub use audio::{Conditioner, Level, decode_wav};
pub use device::device_report;
pub use marks::Marks;
pub use store::{ModelStore, ObtainOptions, Sink, StoreSource};
pub use text::compression_ratio;
