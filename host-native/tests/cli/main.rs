//! The command as users run it: what it prints, where, with which exit code, and what it says of bad input.

#[path = "../audio_support/mod.rs"]
mod audio_support;
#[path = "../host/guest.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod guest;
#[path = "../models_support/mod.rs"]
mod models_support;
#[path = "../support/mod.rs"]
mod support;

mod bad_audio;
mod bad_components;
mod bad_models;
mod formats;
mod live;
#[cfg(all(target_os = "linux", feature = "microphone"))]
mod microphone;
mod options;
mod run;
mod transcribe;
