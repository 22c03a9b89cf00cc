//! Auricle beside its peers: how fast each side is, what memory it takes, and whether every engine gives the same bits.
//!
//! ```text
//! place (what is set up) ─► sides ─► child processes ─► measure (rounds in turn) ─► report: table, JSON, CSV, chart
//!                             └─────► bits (the same final segments in every engine)
//! ```
//!
//! Each side is a process that lives through all rounds and speaks [`protocol`].

pub mod bits;
pub mod child;
pub mod clips;
pub mod engine;
pub mod kernels;
pub mod machine;
pub mod measure;
pub mod peers;
pub mod place;
pub mod protocol;
pub mod report;
pub mod sides;
pub mod stats;
pub mod text;
