//! A compiled component, ready for any number of instances.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::bindings::EnginePre;
use crate::compile::{self, CacheFolder, CacheUse};
use crate::component::{self, ComponentInfo, Source};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::flavour::Flavour;
use crate::instance::Instance;
use crate::limits::{HostState, Limits};
use crate::model::Model;
use crate::ticker::Ticker;
use crate::types::EngineInfo;

/// The compiled engine. Cloning it is free, and it can be shared between threads; what it loads is independent of it.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    pre: EnginePre<HostState>,
    limits: Limits,
    ticker: Ticker,
    component: ComponentInfo,
    flavour: Option<Flavour>,
    flavour_reason: &'static str,
    cache: CacheUse,
}

impl Engine {
    /// Takes the embedded component in the flavour that suits this machine, with the default [`Limits`] and the
    /// platform's cache.
    ///
    /// # Errors
    ///
    /// [`Error::Runtime`] where the machine cannot run compiled WebAssembly.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Begins an engine that differs from what [`Engine::new`] gives.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Loads a model file into an instance of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the file cannot be read; [`Error::MalformedModel`], [`Error::UnsupportedModel`],
    /// [`Error::IncompleteModel`] and [`Error::LimitExceeded`] where it cannot be used; [fatal](Error::is_fatal) errors
    /// where the engine could not go on.
    pub fn load_model(&self, path: impl AsRef<Path>) -> Result<Model> {
        Model::from_file(self, path.as_ref())
    }

    /// Loads a model from its bytes as they arrive, for instance while they are downloaded. `total_bytes` is the length
    /// of the file where it is known: a file that claims to be longer is then refused before memory is set aside for
    /// it.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] where the reader fails, and otherwise as [`Engine::load_model`].
    pub fn load_model_from_reader(&self, reader: impl Read, total_bytes: Option<u64>) -> Result<Model> {
        Model::from_reader(self, reader, total_bytes)
    }

    /// Asks the component what it is. Takes an instance for the time of the call.
    ///
    /// # Errors
    ///
    /// [`Error::ComponentExports`] where the component is not of the contract after all, and [fatal](Error::is_fatal)
    /// errors.
    pub fn about(&self) -> Result<EngineInfo> {
        self.instantiate()?.call("about", |store, engine| engine.auricle_speech_recognition().call_about(store))
    }

    /// The component that runs.
    #[must_use]
    pub fn component(&self) -> &ComponentInfo {
        &self.shared.component
    }

    /// The flavour of the embedded component that runs, or `None` where the component was given: [`Engine::about`] then
    /// tells what it says of itself.
    #[must_use]
    pub fn flavour(&self) -> Option<Flavour> {
        self.shared.flavour
    }

    /// Why it is this flavour, for people.
    #[must_use]
    pub fn flavour_reason(&self) -> &str {
        self.shared.flavour_reason
    }

    /// How the compiled code was come by. Trouble with the cache is no error: it shows here.
    #[must_use]
    pub fn cache_use(&self) -> &CacheUse {
        &self.shared.cache
    }

    /// What each instance is held to.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(crate) fn instantiate(&self) -> Result<Instance> {
        Instance::new(self.clone())
    }

    pub(crate) fn pre(&self) -> &EnginePre<HostState> {
        &self.shared.pre
    }

    pub(crate) fn ticker(&self) -> &Ticker {
        &self.shared.ticker
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("component", &self.shared.component)
            .field("flavour", &self.shared.flavour)
            .field("limits", &self.shared.limits)
            .field("cache", &self.shared.cache)
            .finish_non_exhaustive()
    }
}

/// Chooses the component, its flavour, its limits and its cache.
#[derive(Clone, Debug, Default)]
#[must_use = "an engine is made by `build`"]
pub struct EngineBuilder {
    flavour: Option<Flavour>,
    given: Option<Source>,
    cache: CacheFolder,
    limits: Limits,
}

impl EngineBuilder {
    /// Takes this flavour of the embedded component, and not the one that suits the machine. For a component of the
    /// program's own it says which instructions it may use: with [`Flavour::Simd128`], relaxed SIMD is refused.
    pub fn flavour(mut self, flavour: Flavour) -> Self {
        self.flavour = Some(flavour);
        self
    }

    /// Takes the component from a file, and not the embedded one.
    pub fn component_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.given = Some(Source::File(path.into()));
        self
    }

    /// Takes these bytes for the component, and not the embedded one.
    pub fn component_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.given = Some(Source::Bytes(bytes.into()));
        self
    }

    /// Keeps compiled components there. The folder must belong to this user, and nobody else may be able to write to
    /// it; otherwise it is not used.
    pub fn cache(mut self, folder: CacheFolder) -> Self {
        self.cache = folder;
        self
    }

    /// Sets the most linear memory of an instance, in bytes, model included.
    pub fn memory_limit_bytes(mut self, bytes: u64) -> Self {
        self.limits.memory_bytes = bytes;
        self
    }

    /// Sets the longest that one call may run: one chunk of a model file taken, one `poll` done. It may take a fifth
    /// longer, or 2 ms where that is more, before it is stopped.
    pub fn call_deadline(mut self, deadline: Duration) -> Self {
        self.limits.call_deadline = deadline;
        self
    }

    /// Sets the most bytes that the engine may hand back in one call.
    pub fn result_limit_bytes(mut self, bytes: usize) -> Self {
        self.limits.result_bytes = bytes;
        self
    }

    /// Loads or compiles the component, and checks that it is one that may be run.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the component file cannot be read, [`Error::ComponentInvalid`] where it is no component that
    /// can be compiled, [`Error::ComponentImports`] where it asks for more than the clock, [`Error::ComponentExports`]
    /// where it has another contract, and [`Error::Runtime`] where the machine cannot run compiled WebAssembly.
    pub fn build(self) -> Result<Engine> {
        let (flavour, source, flavour_reason) = match (self.given, self.flavour) {
            (Some(given), _) => (None, given, "the component was given, and is not one of the embedded two"),
            (None, Some(flavour)) => (Some(flavour), Source::Embedded(flavour), "asked for"),
            (None, None) => {
                let (flavour, reason) = Flavour::automatic();
                (Some(flavour), Source::Embedded(flavour), reason)
            }
        };
        let relaxed_simd = flavour.or(self.flavour) != Some(Flavour::Simd128);
        let runtime = compile::runtime(relaxed_simd)?;
        let origin = source.origin();
        let bytes = source.bytes()?;
        let sha256 = Digest::of(&bytes);
        let (compiled, cache) = component::check_beginning(&bytes)
            .and_then(|()| compile::compile(&runtime, &bytes, sha256, &self.cache))
            .map_err(|message| Error::ComponentInvalid { origin: origin.clone(), message })?;

        let component = ComponentInfo::read(origin, sha256, bytes.len(), &compiled);
        component.check()?;
        let not_the_contract = |e: wasmtime::Error| component.not_the_contract(format!("{e:#}"));
        let linker = HostState::linker(&runtime).map_err(|e| Error::Runtime(format!("{e:#}")))?;
        let pre = linker.instantiate_pre(&compiled).and_then(EnginePre::new).map_err(not_the_contract)?;
        let ticker = Ticker::start(runtime, self.limits.call_deadline).map_err(|e| Error::Runtime(e.to_string()))?;
        Ok(Engine {
            shared: Arc::new(Shared { pre, limits: self.limits, ticker, component, flavour, flavour_reason, cache }),
        })
    }
}
