//! Options of every command that runs the engine.

use std::path::PathBuf;

use auricle::{CacheFolder, Engine, Flavour, Result};
use clap::{Args, ValueEnum};

/// Which engine to run.
#[derive(Args, Debug, Default)]
pub(crate) struct EngineArguments {
    /// Run this component file instead of the one that is built in
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Run this build of the component instead of the one that suits the machine
    #[arg(long, value_enum)]
    flavour: Option<FlavourArg>,
    /// Compile the component anew, and do not keep the compiled code
    #[arg(long)]
    no_cache: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum FlavourArg {
    Simd128,
    RelaxedSimd,
}

impl EngineArguments {
    /// Makes the engine.
    pub(crate) fn engine(&self) -> Result<Engine> {
        let mut builder = Engine::builder();
        if let Some(path) = &self.component {
            builder = builder.component_file(path);
        }
        match self.flavour {
            Some(FlavourArg::Simd128) => builder = builder.flavour(Flavour::Simd128),
            Some(FlavourArg::RelaxedSimd) => builder = builder.flavour(Flavour::RelaxedSimd),
            None => {}
        }
        if self.no_cache {
            builder = builder.cache(CacheFolder::Off);
        }
        builder.build()
    }
}
