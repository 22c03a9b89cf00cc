//! The store's types, as TypeScript sees them.

use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** Where models are kept: files of the origin, the Cache API, or only this Worker's memory. */
export type StoreKind = 'opfs' | 'cache' | 'memory';

/** A model file, and what it must be. */
export interface StoreSource {
  /** Kept beside the file, for `list`. */
  name: string;
  /** Absolute. */
  url: string;
  /** 64 hexadecimal digits. */
  sha256: string;
  bytes: number;
}

/** Where the file goes while it comes. The whole file has been given and verified when `obtain` is done. */
export interface Sink {
  /** The file begins; called again, it begins anew, and what was written before is void. */
  begin(totalBytes: number): void;
  /**
   * The next bytes, at most 4 MiB, in a view that is the receiver's to keep. Where it throws, nothing more is written,
   * and `obtain` throws the same, unless the file turns out to be wrong: then that is the error, or it begins anew.
   */
  write(chunk: Uint8Array): void;
}

export interface ObtainOptions {
  signal?: AbortSignal;
  onProgress?: (progress: StoreProgress) => void;
  onNotice?: (notice: StoreNotice) => void;
  /** How long nothing may come before the connection is given up, in milliseconds; 20 000 unless given. */
  stallTimeoutMs?: number;
  /** The wait before the first retry, in milliseconds, doubled with each; 500 unless given. */
  retryDelayMs?: number;
  /** How often in a row it may fail without getting any further; 6 unless given. */
  attempts?: number;
}

/** Neither `loadedBytes` nor the phase ever goes back. */
export interface StoreProgress {
  /** 'verify' while a file is read that is stored whole. */
  phase: 'download' | 'verify';
  loadedBytes: number;
  totalBytes: number;
  /** Over the last seconds; 0 until it is known. */
  bytesPerSecond: number;
  source: 'network' | 'store' | 'other-tab';
}

/** Something that the user may want to know, and that stops nothing. */
export interface StoreNotice {
  code: 'memory-store' | 'evicted' | 'corrupt' | 'retrying';
  message: string;
}

export interface Obtained {
  /** 'store' where not a byte came over the network. */
  source: 'network' | 'store';
  /** Bytes that came over the network, those of failed attempts included. */
  fetchedBytes: number;
  sha256: string;
  /** Where the file is now. */
  kind: StoreKind;
}

export interface StoredModel {
  sha256: string;
  name: string;
  url: string;
  /** Of the whole file. */
  bytes: number;
  /** Less than `bytes` where a download was cut. */
  storedBytes: number;
  /** Whether the whole file is there and was verified. */
  complete: boolean;
}

export interface StoreUsage {
  usageBytes?: number;
  quotaBytes?: number;
  persisted: boolean;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// `StoreSource` of the types above.
    #[wasm_bindgen(typescript_type = "StoreSource")]
    pub type StoreSource;

    /// `ObtainOptions` of the types above.
    #[wasm_bindgen(typescript_type = "ObtainOptions")]
    pub type ObtainOptions;

    /// `Sink` of the types above.
    #[wasm_bindgen(typescript_type = "Sink")]
    pub type Sink;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn begin(this: &Sink, total_bytes: f64) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(crate) fn write(this: &Sink, chunk: &js_sys::Uint8Array) -> Result<(), JsValue>;
}
