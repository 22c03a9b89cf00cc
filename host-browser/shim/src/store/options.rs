//! What the caller wants, read from JavaScript's objects.

use js_sys::Function;
use wasm_bindgen::prelude::JsValue;

use super::progress::Report;
use crate::error::{Class, ShimError};
use crate::js;

/// Bounds and callbacks of one `obtain`.
pub(crate) struct Options {
    pub(crate) signal: JsValue,
    pub(crate) stall_timeout_ms: f64,
    pub(crate) retry_delay_ms: f64,
    pub(crate) attempts: u32,
    on_progress: Option<Function>,
    on_notice: Option<Function>,
}

/// Where bytes come from, as the page is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Network,
    Store,
    OtherTab,
}

impl Options {
    pub(crate) fn read(options: &JsValue) -> Self {
        let number = |name: &str, default: f64| {
            js::get(options, name).as_f64().filter(|value| value.is_finite() && *value >= 0.0).unwrap_or(default)
        };
        Self {
            signal: js::get(options, "signal"),
            stall_timeout_ms: number("stallTimeoutMs", 20_000.0),
            retry_delay_ms: number("retryDelayMs", 500.0),
            attempts: number("attempts", 6.0).clamp(1.0, 1_000.0) as u32,
            on_progress: js::method(options, "onProgress"),
            on_notice: js::method(options, "onNotice"),
        }
    }

    /// Tells how far it is. What a callback throws is its own affair.
    pub(crate) fn tell(&self, report: Report, total: u64, from: From, whole: bool) {
        tell(self.on_progress.as_ref(), report, total, from, whole);
    }

    /// What tells how far another tab is, for as long as it is kept.
    pub(crate) fn teller(&self, total: u64) -> impl Fn(Report) + 'static {
        let on_progress = self.on_progress.clone();
        move |report| tell(on_progress.as_ref(), report, total, From::OtherTab, false)
    }

    /// Tells something that stops nothing.
    pub(crate) fn notify(&self, code: &str, message: &str) {
        if let Some(on_notice) = &self.on_notice {
            let notice = js::object(&[("code", code.into()), ("message", message.into())]);
            let _ = on_notice.call1(&JsValue::UNDEFINED, &notice);
        }
    }
}

/// `whole` where a file is read that is stored whole.
fn tell(on_progress: Option<&Function>, report: Report, total: u64, from: From, whole: bool) {
    let Some(on_progress) = on_progress else {
        return;
    };
    let source = match from {
        From::Network => "network",
        From::Store => "store",
        From::OtherTab => "other-tab",
    };
    let progress = js::object(&[
        ("phase", if whole { "verify" } else { "download" }.into()),
        ("loadedBytes", (report.loaded_bytes as f64).into()),
        ("totalBytes", (total as f64).into()),
        ("bytesPerSecond", report.bytes_per_second.into()),
        ("source", source.into()),
    ]);
    let _ = on_progress.call1(&JsValue::UNDEFINED, &progress);
}

/// The file that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

impl Wanted {
    pub(crate) fn read(source: &JsValue) -> Result<Self, ShimError> {
        let url = js::get(source, "url");
        let wanted = Self {
            name: js::text(source, "name").unwrap_or_default(),
            // A `URL` is fine too.
            url: url.as_string().or_else(|| js::text(&url, "href")).unwrap_or_default(),
            sha256: digest(&js::text(source, "sha256").unwrap_or_default())?,
            bytes: js::whole(source, "bytes").unwrap_or(0),
        };
        let problem = if wanted.bytes == 0 {
            "its bytes must be the file's length, more than 0"
        } else if web_sys::Url::new(&wanted.url).is_err() {
            "its url must be an absolute address"
        } else {
            return Ok(wanted);
        };
        Err(invalid(&format!("the model source cannot be used: {problem}")))
    }
}

/// A SHA-256 as files are named by it.
pub(crate) fn digest(sha256: &str) -> Result<String, ShimError> {
    if sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(sha256.to_ascii_lowercase())
    } else {
        Err(invalid("a model's sha256 must be 64 hexadecimal digits"))
    }
}

fn invalid(message: &str) -> ShimError {
    ShimError::new(Class::Engine, "invalid-option", message)
}
