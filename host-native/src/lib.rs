//! Speech to text in a sealed WebAssembly component: the library that runs it.
//!
//! The engine is a component that is embedded in this crate. It imports a clock and nothing else: no files, no network,
//! no environment. This library gives it the audio and takes the text, under limits on its memory, its time and the
//! size of its answers, so that whatever is in a model file or a recording, the worst that happens is an [`Error`].
//!
//! ```no_run
//! use auricle::types::Event;
//! use auricle::{Engine, SAMPLE_RATE_HZ};
//!
//! # fn next_block() -> Option<Vec<f32>> { None }
//! # fn main() -> auricle::Result<()> {
//! let engine = Engine::new()?;
//! let model = engine.load_model("moonshine-tiny-en-q8.gguf")?;
//! let mut session = model.session(model.default_options())?;
//!
//! let mut on_event = |event| {
//!     if let Event::FinalSegment(segment) = event {
//!         let seconds = segment.span.start as f64 / f64::from(SAMPLE_RATE_HZ);
//!         println!("{seconds:7.2}  {}", segment.text);
//!     }
//! };
//! // Blocks of mono audio at 16 kHz, as they come from a file or a microphone.
//! while let Some(block) = next_block() {
//!     session.push_audio(&block)?;
//!     session.drain(&mut on_event)?;
//! }
//! session.finish()?;
//! session.drain(&mut on_event)?;
//! # Ok(())
//! # }
//! ```
//!
//! A program that must stay responsive calls [`Session::poll`] with a few steps at a time, and not
//! [`drain`](Session::drain).
//!
//! Should the engine trap, run too long or need too much memory, its instance is lost, and nothing else:
//!
//! ```no_run
//! # fn main() -> auricle::Result<()> {
//! # let mut model = auricle::Engine::new()?.load_model("moonshine-tiny-en-q8.gguf")?;
//! # let mut session = model.session(model.default_options())?;
//! match session.poll(8) {
//!     Ok(poll) => println!("{} steps", poll.steps),
//!     Err(error) if error.is_fatal() => {
//!         eprintln!("{error}");
//!         model.rebuild()?;
//!         session = model.session(model.default_options())?;
//!     }
//!     Err(error) => return Err(error),
//! }
//! # Ok(())
//! # }
//! ```

pub mod audio;
mod bindings;
mod cache;
mod compile;
mod component;
mod digest;
mod engine;
mod error;
mod flavour;
mod instance;
mod limits;
mod model;
pub mod models;
mod session;
mod ticker;
pub mod types;

pub use compile::{CacheFolder, CacheUse};
pub use component::{ComponentInfo, Interface, embedded_component};
pub use digest::Digest;
pub use engine::{Engine, EngineBuilder};
pub use error::{Error, Result};
pub use flavour::Flavour;
pub use limits::Limits;
pub use model::Model;
pub use session::{MAX_BLOCK_SAMPLES, Session};

/// Samples a second of all audio that goes into an engine, and the unit of all its times.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// Compiles the README's program.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
