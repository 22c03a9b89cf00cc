//! What loading a model takes of the engine's memory.

mod support;

use auricle::Engine;
use support::model_path;

#[test]
fn loading_takes_at_most_thirteen_tenths_of_the_file_and_16_mib() {
    let engine = Engine::new().expect("an engine");
    for quantization in ["q8", "f16", "f32"] {
        let Some(path) = model_path(quantization) else { return };
        let model = engine.load_model(path).expect("a model");
        let metrics = model.load_metrics();
        let allowed = metrics.file_bytes * 13 / 10 + (16 << 20);
        println!(
            "{quantization}: file {} bytes, memory {} bytes ({:.2} × the file), allowed {allowed}",
            metrics.file_bytes,
            metrics.memory_bytes,
            metrics.memory_bytes as f64 / metrics.file_bytes as f64
        );
        assert!(metrics.memory_bytes > metrics.file_bytes && metrics.memory_bytes <= allowed, "{quantization}");
    }
}
