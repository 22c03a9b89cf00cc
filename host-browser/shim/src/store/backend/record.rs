//! What is written down of a file beside its bytes.

use wasm_bindgen::prelude::JsValue;

use crate::js;
use crate::store::policy::Validators;

/// What a file is, and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) sha256: String,
    pub(crate) name: String,
    pub(crate) url: String,
    /// Of the whole file.
    pub(crate) bytes: u64,
    /// Of the answer that the bytes came with.
    pub(crate) validators: Validators,
    /// Whether the whole file had the right digest when it was written.
    pub(crate) verified: bool,
}

impl Record {
    pub(crate) fn to_json(&self) -> String {
        let text = |value: &Option<String>| value.as_deref().map_or(JsValue::NULL, JsValue::from_str);
        let object = js::object(&[
            ("sha256", self.sha256.as_str().into()),
            ("name", self.name.as_str().into()),
            ("url", self.url.as_str().into()),
            ("bytes", (self.bytes as f64).into()),
            ("etag", text(&self.validators.etag)),
            ("lastModified", text(&self.validators.last_modified)),
            ("verified", self.verified.into()),
        ]);
        js_sys::JSON::stringify(&object).map(String::from).unwrap_or_default()
    }

    /// Nothing where it makes no sense, or is that of another file: then the bytes beside it are worth nothing.
    pub(crate) fn from_json(json: &str, sha256: &str) -> Option<Self> {
        let object = js_sys::JSON::parse(json).ok()?;
        let record = Self {
            sha256: js::text(&object, "sha256")?,
            name: js::text(&object, "name")?,
            url: js::text(&object, "url")?,
            bytes: js::whole(&object, "bytes")?,
            validators: Validators {
                etag: js::text(&object, "etag"),
                last_modified: js::text(&object, "lastModified"),
            },
            verified: js::get(&object, "verified").as_bool()?,
        };
        (record.sha256 == sha256).then_some(record)
    }
}
