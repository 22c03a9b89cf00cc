//! What this device has.

use js_sys::Promise;
use js_sys::futures::future_to_promise;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use crate::js;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What the browser and the device have, as seen from a Worker. What the browser does not tell is absent. */
export interface DeviceReport {
  /** Whether microphone, OPFS, Cache API and Web Locks are allowed here: over https, or on localhost. */
  secureContext: boolean;
  crossOriginIsolated: boolean;
  wasmSimd: boolean;
  wasmRelaxedSimd: boolean;
  /** Logical processor cores that the browser tells of. */
  cores?: number;
  /** Memory of the device in GiB, rounded and capped by the browser; not told by all. */
  memoryGib?: number;
  /** Files of the origin that a Worker writes synchronously. */
  opfs: boolean;
  cacheApi: boolean;
  webLocks: boolean;
  broadcastChannel: boolean;
  /** Whether there is a WebGPU adapter. */
  webGpu: boolean;
  usageBytes?: number;
  quotaBytes?: number;
  /** Whether the browser has promised not to evict what is stored. */
  persisted: boolean;
}
"#;

/// `(module (func (result v128) i32.const 0 i8x16.splat))`
const SIMD: &[u8] =
    &[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];

/// The same with three splats and `i8x16.relaxed_laneselect`.
const RELAXED_SIMD: &[u8] = &[
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 0, 253, 15, 65, 0, 253, 15,
    65, 0, 253, 15, 253, 137, 2, 11,
];

/// Tells what this device has. Never throws.
#[wasm_bindgen(js_name = "deviceReport", unchecked_return_type = "Promise<DeviceReport>")]
pub fn device_report() -> Promise {
    future_to_promise(async { Ok(report().await) })
}

async fn report() -> JsValue {
    let navigator = js::global("navigator");
    let storage = js::get(&navigator, "storage");
    let (opfs, estimate, persisted, adapter) = (
        ask(&storage, "getDirectory").await.is_some() && writes_synchronously(),
        ask(&storage, "estimate").await.unwrap_or(JsValue::UNDEFINED),
        ask(&storage, "persisted").await.is_some_and(|value| value.is_truthy()),
        ask(&js::get(&navigator, "gpu"), "requestAdapter").await.unwrap_or(JsValue::NULL),
    );
    let there = |value: JsValue| JsValue::from_bool(js::is_there(&value));
    js::object(&[
        ("secureContext", js::global("isSecureContext").is_truthy().into()),
        ("crossOriginIsolated", js::global("crossOriginIsolated").is_truthy().into()),
        ("wasmSimd", validates(SIMD).into()),
        ("wasmRelaxedSimd", validates(RELAXED_SIMD).into()),
        ("cores", js::get(&navigator, "hardwareConcurrency")),
        ("memoryGib", js::get(&navigator, "deviceMemory")),
        ("opfs", opfs.into()),
        ("cacheApi", there(js::global("caches"))),
        ("webLocks", there(js::get(&navigator, "locks"))),
        ("broadcastChannel", there(js::global("BroadcastChannel"))),
        ("webGpu", there(adapter)),
        ("usageBytes", js::get(&estimate, "usage")),
        ("quotaBytes", js::get(&estimate, "quota")),
        ("persisted", persisted.into()),
    ])
    .into()
}

/// Whether OPFS files can be written as the store does it, without asking for one.
pub(crate) fn writes_synchronously() -> bool {
    let prototype = js::get(&js::global("FileSystemFileHandle"), "prototype");
    js::is_there(&js::get(&prototype, "createSyncAccessHandle"))
}

/// Whether the engine knows the instructions in this module.
fn validates(module: &[u8]) -> bool {
    js_sys::WebAssembly::validate(&js_sys::Uint8Array::from(module)).unwrap_or(false)
}

/// Awaits a method without arguments; nothing where it is missing, or fails.
async fn ask(object: &JsValue, method: &str) -> Option<JsValue> {
    js::call(object, method, &[]).await.ok()
}
