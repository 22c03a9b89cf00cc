//! Errors as the Worker passes them on to the page.

use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use crate::js;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What this module throws: an `Error` that names the public class to make of it, and its code. */
export interface ShimError extends Error {
  class: 'AudioError' | 'DownloadError' | 'StoreError' | 'EngineError';
  code: string;
  /** What a program may want to know beside the code: `{ status: 404 }`. */
  details: Record<string, string | number>;
}
"#;

/// Which of the public error classes to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Audio,
    Download,
    Store,
    Engine,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Audio => "AudioError",
            Self::Download => "DownloadError",
            Self::Store => "StoreError",
            Self::Engine => "EngineError",
        }
    }
}

/// A value of an error's `details`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Detail {
    Number(f64),
    Text(String),
}

/// An error with the class and code that the page will see. The message says what to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ShimError {
    pub(crate) class: Class,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) details: Vec<(&'static str, Detail)>,
}

impl ShimError {
    pub(crate) fn new(class: Class, code: &'static str, message: impl Into<String>) -> Self {
        Self { class, code, message: message.into(), details: Vec::new() }
    }

    pub(crate) fn number(mut self, name: &'static str, value: f64) -> Self {
        self.details.push((name, Detail::Number(value)));
        self
    }

    pub(crate) fn text(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, Detail::Text(value.into())));
        self
    }
}

impl From<&Detail> for JsValue {
    fn from(detail: &Detail) -> Self {
        match detail {
            Detail::Number(number) => Self::from_f64(*number),
            Detail::Text(text) => Self::from_str(text),
        }
    }
}

impl From<ShimError> for JsValue {
    fn from(error: ShimError) -> Self {
        let details: Vec<_> = error.details.iter().map(|(name, value)| (*name, value.into())).collect();
        let js = js_sys::Error::new(&error.message);
        js.set_name(error.class.name());
        js::set(&js, "class", &Self::from_str(error.class.name()));
        js::set(&js, "code", &Self::from_str(error.code));
        js::set(&js, "details", &js::object(&details));
        js.into()
    }
}
