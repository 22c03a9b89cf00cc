//! User Timing, under `auricle:`.

use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use crate::js;

/// Marks and measures that developer tools and monitoring see. Their names are given without the prefix `auricle:`.
#[wasm_bindgen]
pub struct Marks;

#[wasm_bindgen]
impl Marks {
    /// Marks this moment.
    pub fn mark(name: &str) {
        call("mark", &[&prefixed(name)]);
    }

    /// Measures from the mark `from` to this moment, and gives the milliseconds; nothing where there is no such mark.
    pub fn measure(name: &str, from: &str) -> Option<f64> {
        js::get(&call("measure", &[&prefixed(name), &prefixed(from)])?, "duration").as_f64()
    }
}

fn prefixed(name: &str) -> JsValue {
    JsValue::from_str(&format!("auricle:{name}"))
}

/// Calls a method of `performance`. What fails there must not fail the work that it measures.
fn call(method: &str, arguments: &[&JsValue]) -> Option<JsValue> {
    let performance = js::global("performance");
    let method = js::method(&performance, method)?;
    match arguments {
        [a, b] => method.call2(&performance, a, b).ok(),
        [a] => method.call1(&performance, a).ok(),
        _ => None,
    }
}
