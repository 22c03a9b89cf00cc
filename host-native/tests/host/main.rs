//! The library against engines of every kind: the embedded one, and small ones made here that misbehave.

mod cache;
mod component;
mod guest;
mod limits;
mod session;
