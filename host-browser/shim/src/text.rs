//! What is measured of a text.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use wasm_bindgen::prelude::wasm_bindgen;

/// How many times shorter zlib makes a text, to the last byte as the `auricle` command has it, whose files tell it too:
/// with the same implementation. 0 for no text.
#[wasm_bindgen(js_name = "compressionRatio")]
#[must_use]
pub fn compression_ratio(text: &str) -> f64 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail.
    let compressed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    compressed.map_or(0.0, |compressed| text.len() as f64 / compressed.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_itself_has_a_high_ratio() {
        let speech = compression_ratio(" And so my fellow Americans, ask not what your country can do for you.");
        assert!((0.8..1.2).contains(&speech), "{speech}");
        assert!(compression_ratio(&" na".repeat(100)) > 10.0);
        assert_eq!(compression_ratio(""), 0.0);
    }
}
