//! The file on its way to the sink, and its digest.

use js_sys::Uint8Array;
use sha2::{Digest, Sha256};
use wasm_bindgen::prelude::JsValue;

use super::types::Sink;

/// How much the sink gets at a time, at most, in bytes.
const CHUNK_BYTES: u32 = 4 << 20;

pub(crate) struct Feed {
    sink: Sink,
    total: u64,
    hasher: Hasher,
    bytes: u64,
    begun: bool,
    /// What the sink threw. It gets no more, but whether the bytes are to blame is known only at their end.
    failed: Option<JsValue>,
}

impl Feed {
    pub(crate) fn new(sink: Sink, total: u64) -> Self {
        Self { sink, total, hasher: Hasher::default(), bytes: 0, begun: false, failed: None }
    }

    /// Begins the file, or begins it anew. Nothing happens where it stands at its beginning.
    pub(crate) fn begin(&mut self) {
        if self.begun && self.bytes == 0 {
            return;
        }
        self.begun = true;
        self.bytes = 0;
        self.hasher = Hasher::default();
        self.failed = self.sink.begin(self.total as f64).err();
    }

    /// Gives the next bytes.
    pub(crate) fn push(&mut self, bytes: &Uint8Array) {
        self.hasher.update(bytes);
        self.bytes += u64::from(bytes.length());
        let mut from = 0;
        while from < bytes.length() && self.failed.is_none() {
            let to = bytes.length().min(from + CHUNK_BYTES);
            self.failed = self.sink.write(&bytes.subarray(from, to)).err();
            from = to;
        }
    }

    /// How many bytes have been given since the beginning.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest of what has been given, in hexadecimal digits.
    pub(crate) fn digest(&self) -> String {
        self.hasher.digest()
    }

    /// Fails with what the sink threw.
    pub(crate) fn check_sink(&self) -> Result<(), JsValue> {
        self.failed.clone().map_or(Ok(()), Err)
    }
}

/// SHA-256 of JavaScript's bytes.
#[derive(Default)]
pub(crate) struct Hasher {
    sha256: Sha256,
    buffer: Vec<u8>,
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &Uint8Array) {
        self.buffer.resize(bytes.length() as usize, 0);
        bytes.copy_to(&mut self.buffer);
        self.sha256.update(&self.buffer);
    }

    pub(crate) fn digest(&self) -> String {
        self.sha256.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
