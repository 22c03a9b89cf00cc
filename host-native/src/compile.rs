//! From the component's bytes to code of this machine, by way of the cache.

use std::path::PathBuf;

use wasmtime::component::Component;
use wasmtime::{Config, Engine, OptLevel};

use crate::cache::{self, Cache};
use crate::digest::Digest;
use crate::error::{Error, Result};

/// Where compiled components are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CacheFolder {
    /// In the platform's folder for caches, or where the environment variable `AURICLE_CACHE` says.
    #[default]
    Platform,
    /// In this folder.
    At(PathBuf),
    /// Nowhere: compile each time.
    Off,
}

/// How the compiled code was come by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheUse {
    /// It was read from this file.
    Loaded(PathBuf),
    /// It was compiled, and written to this file. `replaced` tells why an entry that was there could not be used.
    Stored {
        /// The file.
        path: PathBuf,
        /// What was wrong with the former entry, if there was one.
        replaced: Option<String>,
    },
    /// It was compiled, and the cache could not be used; all else works.
    Unusable(String),
    /// It was compiled; no cache was asked for.
    Off,
}

/// The settings that components are compiled and run with.
pub(crate) fn config(relaxed_simd: bool) -> Config {
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::Speed);
    // What makes the deadline hold. Each loop then asks whether its time is up: the encoder takes a quarter longer.
    config.epoch_interruption(true);
    config.wasm_component_model(true);
    config.wasm_simd(true);
    config.wasm_relaxed_simd(relaxed_simd);
    // The engine uses relaxed instructions only with operands for which every permitted result is the same, so the
    // faster lowering is exact.
    config.relaxed_simd_deterministic(false);
    // Not needed for equal bits either: no NaN reaches a result. It would make the encoder take 2.6 times as long.
    config.cranelift_nan_canonicalization(false);
    // What a single-threaded 32-bit engine has no use for is not there to be attacked.
    config.wasm_memory64(false);
    config.wasm_multi_memory(false);
    config.wasm_tail_call(false);
    // The component is stripped, so that a backtrace would have nothing to say, and without them the code loads faster.
    config.wasm_backtrace_max_frames(None);
    config.generate_address_map(false);
    config.native_unwind_info(cfg!(windows));
    config
}

/// Loads the compiled component from the cache, or compiles it and puts it there.
pub(crate) fn compile(
    engine: &Engine,
    bytes: &[u8],
    digest: Digest,
    folder: &CacheFolder,
) -> Result<(Component, CacheUse), String> {
    let compile = || Component::from_binary(engine, bytes).map_err(|e| format!("{e:#}"));
    let folder = match folder {
        CacheFolder::Off => return Ok((compile()?, CacheUse::Off)),
        CacheFolder::At(folder) => Some(folder.clone()),
        CacheFolder::Platform => cache::platform_folder(),
    };
    let cache = match folder.ok_or_else(|| "the platform has no cache folder".to_owned()).and_then(|f| Cache::open(&f))
    {
        Ok(cache) => cache,
        Err(why) => return Ok((compile()?, CacheUse::Unusable(why))),
    };
    let key = cache::key(engine, digest);
    let replaced = match cache.load(key) {
        Ok(None) => None,
        Err(why) => Some(why),
        Ok(Some(code)) => match deserialize(engine, &code) {
            Ok(component) => return Ok((component, CacheUse::Loaded(cache.path(key)))),
            Err(why) => Some(why),
        },
    };
    let component = compile()?;
    let stored = component.serialize().map_err(|e| format!("{e:#}")).and_then(|code| cache.store(key, &code));
    let used = match stored {
        Ok(()) => CacheUse::Stored { path: cache.path(key), replaced },
        Err(why) => CacheUse::Unusable(why),
    };
    Ok((component, used))
}

#[allow(unsafe_code, reason = "the one place where code that was compiled earlier is taken to run")]
fn deserialize(engine: &Engine, code: &[u8]) -> Result<Component, String> {
    // SAFETY: `code` was written by `Component::serialize` of this version of wasmtime: it lay in a folder that only
    // this user can write to, under a key that covers version, settings and processor, and its SHA-256 is the one that
    // was written with it.
    unsafe { Component::deserialize(engine, code) }.map_err(|e| format!("{e:#}"))
}

/// Makes wasmtime's engine.
pub(crate) fn runtime(relaxed_simd: bool) -> Result<Engine> {
    Engine::new(&config(relaxed_simd)).map_err(|e| Error::Runtime(format!("{e:#}")))
}
