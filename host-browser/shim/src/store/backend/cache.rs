//! The Cache API, where there are no files: a file is pieces, each under the place where it begins, since nothing can be
//! appended to what is in a cache.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::{JsCast, JsValue};
use web_sys::Response;

use super::{Failure, Found, Record, cast};
use crate::js;

const NAME: &str = "auricle-models";

/// Nothing is served there; it only has to be an address of this origin.
const FOLDER: &str = "/.auricle-models/";

/// How long a piece gets before it is put away, in bytes: a tab that dies loses no more.
const PIECE_BYTES: u32 = 1 << 20;

#[derive(Clone)]
pub(crate) struct Cache {
    cache: web_sys::Cache,
}

impl Cache {
    pub(super) async fn open() -> Result<Self, Failure> {
        let caches = js::global("caches");
        let cache: web_sys::Cache = cast(js::call(&caches, "open", &[&NAME.into()]).await?)?;
        // Some private modes open it, and refuse to use it.
        js::settle(&cache.match_with_str(&address("", "probe"))).await?;
        Ok(Self { cache })
    }

    pub(super) async fn find(&self, sha256: &str) -> Result<Option<Found>, Failure> {
        let Some(response) = self.get(sha256, "record").await? else {
            return Ok(None);
        };
        let json = js::settle(response.text()?.as_ref()).await?.as_string().unwrap_or_default();
        let Some(record) = Record::from_json(&json, sha256) else {
            return Ok(None);
        };
        // As far as the pieces follow each other without a gap.
        let mut stored_bytes = 0;
        while let Some(response) = self.get(sha256, &stored_bytes.to_string()).await? {
            let len = response.headers().get("content-length")?.and_then(|len| len.parse::<u64>().ok()).unwrap_or(0);
            if len == 0 {
                break;
            }
            stored_bytes += len;
        }
        Ok(Some(Found { record, stored_bytes }))
    }

    pub(super) async fn list(&self) -> Result<Vec<Found>, Failure> {
        let mut list = Vec::new();
        for request in self.keys("").await? {
            let url = js::text(&request, "url").unwrap_or_default();
            let sha256 = url.strip_suffix("/record").and_then(|folder| folder.rsplit('/').next());
            if let Some(sha256) = sha256 {
                list.extend(self.find(sha256).await?);
            }
        }
        Ok(list)
    }

    pub(super) async fn delete(&self, sha256: &str) -> Result<bool, Failure> {
        // The record first: pieces without one are nothing.
        let mut any = js::settle(&self.cache.delete_with_str(&address(sha256, "record"))).await?.is_truthy();
        for request in self.keys(sha256).await? {
            any |= js::settle(&self.cache.delete_with_request(request.unchecked_ref())).await?.is_truthy();
        }
        Ok(any)
    }

    /// The piece that begins there.
    pub(super) async fn piece(&self, sha256: &str, at: u64) -> Result<Option<Uint8Array>, Failure> {
        match self.get(sha256, &at.to_string()).await? {
            Some(response) => Ok(Some(Uint8Array::new(&js::settle(response.array_buffer()?.as_ref()).await?))),
            None => Ok(None),
        }
    }

    pub(super) async fn write(&self, record: &Record, keep: u64) -> Result<Writer, Failure> {
        if keep == 0 {
            self.delete(&record.sha256).await?;
            self.put(&record.sha256, "record", &record.to_json().into(), None).await?;
        }
        Ok(Writer { cache: self.clone(), record: record.clone(), at: keep, pending: Vec::new() })
    }

    async fn get(&self, sha256: &str, what: &str) -> Result<Option<Response>, Failure> {
        let response = js::settle(&self.cache.match_with_str(&address(sha256, what))).await?;
        Ok(response.dyn_into().ok())
    }

    async fn put(&self, sha256: &str, what: &str, body: &JsValue, len: Option<usize>) -> Result<(), Failure> {
        let headers = js::object(&[("content-type", "application/octet-stream".into())]);
        if let Some(len) = len {
            js::set(&headers, "content-length", &len.to_string().into());
        }
        let init = js::object(&[("headers", headers.into())]);
        let constructor: js_sys::Function = cast(js::global("Response"))?;
        let response: Response = cast(js_sys::Reflect::construct(&constructor, &Array::of2(body, &init))?)?;
        js::settle(&self.cache.put_with_str(&address(sha256, what), &response)).await?;
        Ok(())
    }

    /// The requests under which there is anything of this file, or of all.
    async fn keys(&self, sha256: &str) -> Result<Vec<JsValue>, Failure> {
        let keys: Array = cast(js::settle(&self.cache.keys()).await?)?;
        let folder = address(sha256, "");
        let ours = |key: &JsValue| js::text(key, "url").is_some_and(|url| url.contains(&folder));
        Ok(keys.iter().filter(ours).collect())
    }
}

/// Under which address something of a file is kept; a folder, where nothing is named.
fn address(sha256: &str, what: &str) -> String {
    if sha256.is_empty() { format!("{FOLDER}{what}") } else { format!("{FOLDER}{sha256}/{what}") }
}

pub(crate) struct Writer {
    cache: Cache,
    record: Record,
    /// Where the pending bytes begin.
    at: u64,
    pending: Vec<u8>,
}

impl Writer {
    pub(super) async fn append(&mut self, bytes: &Uint8Array) -> Result<(), Failure> {
        let before = self.pending.len();
        self.pending.resize(before + bytes.length() as usize, 0);
        bytes.copy_to(&mut self.pending[before..]);
        if self.pending.len() >= PIECE_BYTES as usize { self.flush().await } else { Ok(()) }
    }

    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let body = Uint8Array::from(&self.pending[..]);
        let len = self.pending.len();
        self.cache.put(&self.record.sha256, &self.at.to_string(), &body, Some(len)).await?;
        self.at += len as u64;
        self.pending.clear();
        Ok(())
    }

    pub(super) fn salvage(self) -> (u64, Vec<u8>) {
        (self.at, self.pending)
    }

    pub(super) async fn complete(mut self) -> Result<(), Failure> {
        self.flush().await?;
        self.record.verified = true;
        let json = self.record.to_json();
        self.cache.put(&self.record.sha256, "record", &json.into(), None).await?;
        // It may have been deleted meanwhile.
        match self.cache.find(&self.record.sha256).await? {
            Some(found) if found.is_whole() => Ok(()),
            _ => Err(Failure::Gone),
        }
    }
}
