//! A loaded model.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use wasmtime::component::ResourceAny;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::instance::{Instance, lock};
use crate::session::Session;
use crate::types::{LoadMetrics, ModelInfo, SessionOptions};

/// A model file goes into the engine in pieces of this many bytes: large enough that the calls cost nothing, small
/// enough that memory holds little twice. The contract allows 16 MiB.
const CHUNK_BYTES: u64 = 1 << 20;

/// A model in an instance of the engine, which it shares with its sessions.
///
/// The instance runs one call at a time: sessions of one model wait for each other. For work in parallel, load one
/// model a thread from the same [`Engine`]. Dropping the model leaves its sessions whole.
///
/// When a call fails with a [fatal](Error::is_fatal) error, the instance is lost: the model and all its sessions then
/// give [`Error::InstanceLost`], until [`rebuild`](Model::rebuild) gives the model a new one.
pub struct Model {
    engine: Engine,
    loaded: Loaded,
    path: Option<PathBuf>,
}

struct Loaded {
    instance: Arc<Mutex<Instance>>,
    handle: ResourceAny,
    info: ModelInfo,
    default_options: SessionOptions,
    load_metrics: LoadMetrics,
}

impl Model {
    pub(crate) fn from_file(engine: &Engine, path: &Path) -> Result<Self> {
        let loaded = Loaded::from_file(engine, path)?;
        Ok(Self { engine: engine.clone(), loaded, path: Some(path.to_owned()) })
    }

    pub(crate) fn from_reader(engine: &Engine, reader: impl Read, total_bytes: Option<u64>) -> Result<Self> {
        let loaded = Loaded::new(engine, reader, total_bytes, Error::Read)?;
        Ok(Self { engine: engine.clone(), loaded, path: None })
    }

    /// What the model is.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.loaded.info
    }

    /// The options that suit the model best. A session with them does not fail to open.
    #[must_use]
    pub fn default_options(&self) -> &SessionOptions {
        &self.loaded.default_options
    }

    /// What loading it took.
    #[must_use]
    pub fn load_metrics(&self) -> &LoadMetrics {
        &self.loaded.load_metrics
    }

    /// The engine that it was loaded by.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Opens a session. Costs little; a model can have any number.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] and [`Error::UnsupportedOption`], [`Error::InstanceLost`] after a fatal error, and
    /// fatal errors.
    pub fn session(&self, options: &SessionOptions) -> Result<Session> {
        Session::open(&self.loaded.instance, self.loaded.handle, options)
    }

    /// Whether the instance was lost, so that the model must be [rebuilt](Model::rebuild).
    #[must_use]
    pub fn is_lost(&self) -> bool {
        lock(&self.loaded.instance).is_lost()
    }

    /// Loads the model again, from the file it came from, into a new instance. Sessions stay with the former one: those
    /// that were lost stay lost.
    ///
    /// # Errors
    ///
    /// [`Error::NotRebuildable`] where the model came from a reader, and otherwise as [`Engine::load_model`]. The model
    /// is then as it was.
    pub fn rebuild(&mut self) -> Result<()> {
        let path = self.path.as_deref().ok_or(Error::NotRebuildable)?;
        self.loaded = Loaded::from_file(&self.engine, path)?;
        Ok(())
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("path", &self.path).field("info", &self.loaded.info).finish_non_exhaustive()
    }
}

impl Loaded {
    fn from_file(engine: &Engine, path: &Path) -> Result<Self> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        // The length of a pipe is not known, and is not zero.
        let metadata = file.metadata().map_err(io)?;
        let total_bytes = metadata.is_file().then_some(metadata.len());
        Self::new(engine, file, total_bytes, io)
    }

    fn new(
        engine: &Engine,
        mut reader: impl Read,
        total_bytes: Option<u64>,
        read_error: impl Fn(std::io::Error) -> Error,
    ) -> Result<Self> {
        let mut instance = engine.instantiate()?;
        let loader = instance.call("[constructor]model-loader", |store, engine| {
            engine.auricle_speech_recognition().model_loader().call_constructor(store, total_bytes)
        })?;
        let mut chunk = Vec::new();
        loop {
            chunk.clear();
            reader.by_ref().take(CHUNK_BYTES).read_to_end(&mut chunk).map_err(&read_error)?;
            if chunk.is_empty() {
                break;
            }
            instance.call("model-loader.write", |store, engine| {
                engine.auricle_speech_recognition().model_loader().call_write(store, loader, &chunk)
            })??;
        }
        let handle = instance
            .call("load-model", |store, engine| engine.auricle_speech_recognition().call_load_model(store, loader))??;
        let info = instance
            .call("model.info", |store, engine| engine.auricle_speech_recognition().model().call_info(store, handle))?;
        let default_options = instance.call("model.default-options", |store, engine| {
            engine.auricle_speech_recognition().model().call_default_options(store, handle)
        })?;
        let load_metrics = instance.call("model.load-metrics", |store, engine| {
            engine.auricle_speech_recognition().model().call_load_metrics(store, handle)
        })?;
        Ok(Self { instance: Arc::new(Mutex::new(instance)), handle, info, default_options, load_metrics })
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // Without sessions the whole instance goes, and needs no tidying.
        if Arc::strong_count(&self.instance) > 1 {
            // A trap in it is for the sessions to find.
            let _ = lock(&self.instance).call("[resource-drop]model", |store, _| self.handle.resource_drop(store));
        }
    }
}
