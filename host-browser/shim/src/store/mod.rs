//! The model store: downloads that are verified, resumed, shared between tabs, and kept.
//!
//! ```text
//! obtain ─► lock ─► stored whole? ─► read ──────────────────────────────┐
//!                        └► what is there of it ─► download ─► keeper ──┤
//!                                                                       └─► feed ─► sink, digest
//! ```
//!
//! What an answer means, when to try again and how far it is are decided in `policy` and `progress`, which know no
//! JavaScript.

mod backend;
mod download;
mod feed;
mod keeper;
mod obtain;
mod options;
mod policy;
mod progress;
mod tabs;
mod types;

use std::rc::Rc;

use js_sys::futures::future_to_promise;
use js_sys::{Array, Promise};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

pub use types::{ObtainOptions, Sink, StoreSource};

use crate::cancel::Cancel;
use crate::js;
use backend::{Backend, Failure, Found, Memory};
use feed::Hasher;
use obtain::Obtaining;
use options::{Options, Wanted};
use tabs::{Lock, Mode};

/// Models on this device.
#[wasm_bindgen]
pub struct ModelStore {
    shared: Rc<Shared>,
}

/// Where files are kept, and how much the caller insists on it.
pub(crate) struct Shared {
    backend: Backend,
    /// Whether any other place will do.
    auto: bool,
}

impl Shared {
    /// What storage says, or nothing where it fails and any other place will do.
    fn tolerate<T>(&self, answer: Result<T, Failure>) -> Result<Option<T>, JsValue> {
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(_) if self.auto => Ok(None),
            Err(failure) => Err(failure.into_error().into()),
        }
    }

    /// What is there of every file, memory's included.
    async fn list(&self) -> Result<Vec<Found>, Failure> {
        let mut list = self.backend.list().await?;
        if !matches!(self.backend, Backend::Memory(_)) {
            list.extend(Backend::Memory(Memory).list().await?);
        }
        Ok(list)
    }

    /// Reads a stored file and tells whether it is whole and has this digest.
    async fn verify(&self, sha256: &str) -> Result<bool, Failure> {
        for place in [&self.backend, &Backend::Memory(Memory)] {
            if let Some(found) = place.find(sha256).await?.filter(Found::is_whole) {
                return verify(place, &found).await;
            }
        }
        Ok(false)
    }
}

/// Reads a stored file and tells whether it is right.
async fn verify(place: &Backend, found: &Found) -> Result<bool, Failure> {
    let mut hasher = Hasher::default();
    let mut reader = place.read(found).await?;
    while let Some(bytes) = reader.next().await? {
        hasher.update(&bytes);
    }
    Ok(hasher.digest() == found.record.sha256)
}

#[wasm_bindgen]
impl ModelStore {
    /// Opens the store; `auto` takes the best there is. Throws `StoreError` `storage-unavailable`.
    #[wasm_bindgen(unchecked_return_type = "Promise<ModelStore>")]
    pub fn open(#[wasm_bindgen(unchecked_param_type = "StoreKind | 'auto'")] kind: String) -> Promise {
        future_to_promise(async move {
            let shared = Shared { backend: Backend::open(&kind).await?, auto: kind == "auto" };
            Ok(Self { shared: Rc::new(shared) }.into())
        })
    }

    /// Where models are kept.
    #[wasm_bindgen(getter, unchecked_return_type = "StoreKind")]
    pub fn kind(&self) -> String {
        self.shared.backend.kind().to_owned()
    }

    /// Gives the whole file to the sink, from the store or the network, verified.
    ///
    /// Throws the signal's reason; `DownloadError` `network`, `http-status`, `stalled`, `not-a-model`, `wrong-size` and
    /// `wrong-digest`; unless the store was opened as `auto`, `StoreError` `quota-exceeded`, `evicted` and
    /// `storage-unavailable`; `EngineError` `invalid-option`; and what the sink threw at a file that is right.
    #[wasm_bindgen(unchecked_return_type = "Promise<Obtained>")]
    pub fn obtain(&self, source: &StoreSource, sink: Sink, options: Option<ObtainOptions>) -> Promise {
        let shared = self.shared.clone();
        let options = Options::read(&options.map_or(JsValue::UNDEFINED, JsValue::from));
        let wanted = Wanted::read(source);
        future_to_promise(async move {
            let (wanted, cancel) = (wanted?, Cancel::new(&options.signal));
            let obtained = Obtaining::new(&shared, &wanted, &options, &cancel, sink).run().await?;
            let source = if obtained.fetched_bytes == 0 { "store" } else { "network" };
            Ok(js::object(&[
                ("source", source.into()),
                ("fetchedBytes", (obtained.fetched_bytes as f64).into()),
                ("sha256", wanted.sha256.as_str().into()),
                ("kind", obtained.kind.into()),
            ])
            .into())
        })
    }

    /// What is stored, whole or in part.
    #[wasm_bindgen(unchecked_return_type = "Promise<StoredModel[]>")]
    pub fn list(&self) -> Promise {
        let shared = self.shared.clone();
        future_to_promise(async move {
            let list = shared.list().await.map_err(Failure::into_error)?;
            Ok(list.iter().map(stored_model).collect::<Array>().into())
        })
    }

    /// Reads a stored file and tells whether it is whole and has this digest.
    #[wasm_bindgen(unchecked_return_type = "Promise<boolean>")]
    pub fn verify(&self, sha256: String) -> Promise {
        let shared = self.shared.clone();
        future_to_promise(async move {
            let sha256 = options::digest(&sha256)?;
            let _lock = Lock::take(&sha256, Mode::Shared, &Cancel::never()).await?;
            match shared.verify(&sha256).await {
                Ok(right) => Ok(right.into()),
                Err(Failure::Gone) => Ok(false.into()),
                Err(failure) => Err(failure.into_error().into()),
            }
        })
    }

    /// Deletes a file, whole or in part, and tells whether there was any. Waits for tabs that are downloading or reading
    /// it.
    #[wasm_bindgen(unchecked_return_type = "Promise<boolean>")]
    pub fn delete(&self, sha256: String) -> Promise {
        let shared = self.shared.clone();
        future_to_promise(async move {
            let sha256 = options::digest(&sha256)?;
            let _lock = Lock::take(&sha256, Mode::Exclusive, &Cancel::never()).await?;
            let there = shared.backend.delete(&sha256).await.map_err(Failure::into_error)?;
            let in_memory = Backend::Memory(Memory).delete(&sha256).await.map_err(Failure::into_error)?;
            Ok((there || in_memory).into())
        })
    }

    /// How much this origin stores, and may.
    #[wasm_bindgen(unchecked_return_type = "Promise<StoreUsage>")]
    pub fn usage(&self) -> Promise {
        future_to_promise(async {
            let storage = js::get(&js::global("navigator"), "storage");
            let estimate = js::call(&storage, "estimate", &[]).await.unwrap_or(JsValue::UNDEFINED);
            let persisted = js::call(&storage, "persisted", &[]).await.is_ok_and(|value| value.is_truthy());
            Ok(js::object(&[
                ("usageBytes", js::get(&estimate, "usage")),
                ("quotaBytes", js::get(&estimate, "quota")),
                ("persisted", persisted.into()),
            ])
            .into())
        })
    }

    /// Asks the browser never to evict what is stored, and tells whether it will not. Browsers let only the page ask: in
    /// a Worker this tells what holds.
    #[wasm_bindgen(unchecked_return_type = "Promise<boolean>")]
    pub fn persist(&self) -> Promise {
        future_to_promise(async {
            let storage = js::get(&js::global("navigator"), "storage");
            let ask = if js::method(&storage, "persist").is_some() { "persist" } else { "persisted" };
            Ok(js::call(&storage, ask, &[]).await.is_ok_and(|value| value.is_truthy()).into())
        })
    }
}

fn stored_model(found: &Found) -> JsValue {
    let record = &found.record;
    js::object(&[
        ("sha256", record.sha256.as_str().into()),
        ("name", record.name.as_str().into()),
        ("url", record.url.as_str().into()),
        ("bytes", (record.bytes as f64).into()),
        ("storedBytes", (found.stored_bytes as f64).into()),
        ("complete", found.is_whole().into()),
    ])
    .into()
}
