//! Where files are kept. All three keep, for each file, its bytes up to where they end, and a record of what it is.
//!
//! A file is whole where its record says that it was verified, and never because of its length. Whoever reads it computes
//! its digest all the same.

mod cache;
mod memory;
mod opfs;
mod record;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::{JsCast, JsValue};

pub(crate) use memory::Memory;
pub(crate) use record::Record;

use crate::error::{Class, ShimError};
use crate::js;

/// How much is read at a time, in bytes.
const READ_BYTES: u32 = 1 << 20;

/// Why storage failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Failure {
    /// The browser allows no more.
    Quota,
    /// What was stored is there no more.
    Gone,
    /// Anything else, in the browser's words.
    Other(String),
}

impl Failure {
    /// The error, where there is nothing else to fall back on.
    pub(crate) fn into_error(self) -> ShimError {
        match self {
            Self::Quota => ShimError::new(
                Class::Store,
                "quota-exceeded",
                "the browser allows this site no more storage; delete models, make room on the disk, or use the memory \
                 store",
            ),
            Self::Gone => ShimError::new(
                Class::Store,
                "evicted",
                "what was stored has been deleted meanwhile, by the browser or by someone; load the model again",
            ),
            Self::Other(problem) => unavailable(&problem),
        }
    }
}

impl From<JsValue> for Failure {
    fn from(error: JsValue) -> Self {
        match js::text(&error, "name").as_deref() {
            Some("QuotaExceededError") => Self::Quota,
            Some("NotFoundError" | "NotReadableError") => Self::Gone,
            _ => Self::Other(js::describe(&error)),
        }
    }
}

pub(crate) fn unavailable(problem: &str) -> ShimError {
    let message = format!("the browser does not let this site store models here ({problem}); use the memory store");
    ShimError::new(Class::Store, "storage-unavailable", message)
}

/// What is there of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) record: Record,
    pub(crate) stored_bytes: u64,
}

impl Found {
    /// Whether the whole file was there once, verified.
    pub(crate) fn is_whole(&self) -> bool {
        self.record.verified && self.stored_bytes == self.record.bytes
    }
}

/// One of the places.
#[derive(Clone)]
pub(crate) enum Backend {
    Opfs(opfs::Opfs),
    Cache(cache::Cache),
    Memory(Memory),
}

impl Backend {
    /// Opens the place of this name, or, for `auto`, the best there is.
    pub(crate) async fn open(kind: &str) -> Result<Self, ShimError> {
        match kind {
            "opfs" => opfs::Opfs::open().await.map(Self::Opfs).map_err(Failure::into_error),
            "cache" => cache::Cache::open().await.map(Self::Cache).map_err(Failure::into_error),
            "memory" => Ok(Self::Memory(Memory)),
            "auto" => {
                if let Ok(opfs) = opfs::Opfs::open().await {
                    return Ok(Self::Opfs(opfs));
                }
                Ok(cache::Cache::open().await.map_or(Self::Memory(Memory), Self::Cache))
            }
            other => Err(unavailable(&format!("there is no kind of store called {other:?}"))),
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Opfs(_) => "opfs",
            Self::Cache(_) => "cache",
            Self::Memory(_) => "memory",
        }
    }

    /// What is there of a file.
    pub(crate) async fn find(&self, sha256: &str) -> Result<Option<Found>, Failure> {
        match self {
            Self::Opfs(opfs) => opfs.find(sha256).await,
            Self::Cache(cache) => cache.find(sha256).await,
            Self::Memory(memory) => Ok(memory.find(sha256)),
        }
    }

    /// What is there of every file.
    pub(crate) async fn list(&self) -> Result<Vec<Found>, Failure> {
        match self {
            Self::Opfs(opfs) => opfs.list().await,
            Self::Cache(cache) => cache.list().await,
            Self::Memory(memory) => Ok(memory.list()),
        }
    }

    /// Deletes whatever there is of a file. Gives whether there was anything.
    pub(crate) async fn delete(&self, sha256: &str) -> Result<bool, Failure> {
        match self {
            Self::Opfs(opfs) => opfs.delete(sha256).await,
            Self::Cache(cache) => cache.delete(sha256).await,
            Self::Memory(memory) => Ok(memory.delete(sha256)),
        }
    }

    /// Reads a file from its beginning.
    pub(crate) async fn read(&self, found: &Found) -> Result<Reader, Failure> {
        let source = match self {
            Self::Opfs(opfs) => Source::Opfs(opfs.read(found).await?),
            Self::Cache(cache) => Source::Cache(cache.clone()),
            Self::Memory(memory) => Source::Memory(*memory),
        };
        Ok(Reader { source, sha256: found.record.sha256.clone(), end: found.stored_bytes, at: 0 })
    }

    /// Goes on writing a file after its first `keep` bytes. The rest, if any, is gone. With `keep` 0, the file is of this
    /// record.
    pub(crate) async fn write(&self, record: &Record, keep: u64) -> Result<Writer, Failure> {
        match self {
            Self::Opfs(opfs) => opfs.write(record, keep).await.map(Writer::Opfs),
            Self::Cache(cache) => cache.write(record, keep).await.map(Writer::Cache),
            Self::Memory(memory) => Ok(Writer::Memory(memory.write(record, keep))),
        }
    }
}

enum Source {
    Opfs(web_sys::Blob),
    Cache(cache::Cache),
    Memory(Memory),
}

/// A stored file while it is read.
pub(crate) struct Reader {
    source: Source,
    sha256: String,
    at: u64,
    end: u64,
}

impl Reader {
    /// The next bytes; nothing at the end. Fails with `Gone` where they are missing.
    pub(crate) async fn next(&mut self) -> Result<Option<Uint8Array>, Failure> {
        if self.at == self.end {
            return Ok(None);
        }
        let bytes = match &self.source {
            Source::Opfs(blob) => {
                let to = (self.at + u64::from(READ_BYTES)).min(self.end);
                let slice = blob.slice_with_f64_and_f64(self.at as f64, to as f64)?;
                Uint8Array::new(&js::settle(&slice.array_buffer()).await?)
            }
            Source::Cache(cache) => cache.piece(&self.sha256, self.at).await?.ok_or(Failure::Gone)?,
            Source::Memory(memory) => memory.piece(&self.sha256, self.at).ok_or(Failure::Gone)?,
        };
        self.at += u64::from(bytes.length());
        if bytes.length() == 0 || self.at > self.end { Err(Failure::Gone) } else { Ok(Some(bytes)) }
    }
}

/// A file while it is written.
pub(crate) enum Writer {
    Opfs(opfs::Writer),
    Cache(cache::Writer),
    Memory(memory::Writer),
}

impl Writer {
    /// Appends bytes.
    pub(crate) async fn append(&mut self, bytes: &Uint8Array) -> Result<(), Failure> {
        match self {
            Self::Opfs(writer) => writer.append(bytes),
            Self::Cache(writer) => writer.append(bytes).await,
            Self::Memory(writer) => {
                writer.append(bytes);
                Ok(())
            }
        }
    }

    /// Sees to it that what has been written outlasts this tab. The writer can be used on.
    pub(crate) async fn flush(&mut self) -> Result<(), Failure> {
        match self {
            Self::Opfs(writer) => writer.flush(),
            Self::Cache(writer) => writer.flush().await,
            Self::Memory(_) => Ok(()),
        }
    }

    /// Ends writing after a failure. Gives up to where the file is stored, and the bytes after that which are not.
    pub(crate) fn salvage(self) -> (u64, Vec<u8>) {
        match self {
            Self::Opfs(writer) => (writer.end(), Vec::new()),
            Self::Cache(writer) => writer.salvage(),
            Self::Memory(_) => (0, Vec::new()),
        }
    }

    /// The file is whole, and verified.
    pub(crate) async fn complete(self) -> Result<(), Failure> {
        match self {
            Self::Opfs(writer) => writer.complete().await,
            Self::Cache(writer) => writer.complete().await,
            Self::Memory(writer) => {
                writer.complete();
                Ok(())
            }
        }
    }
}

/// What a call to storage gave, as what it must be.
fn cast<T: JsCast>(value: JsValue) -> Result<T, Failure> {
    value.dyn_into().map_err(|value| Failure::Other(format!("unexpected {value:?}")))
}
