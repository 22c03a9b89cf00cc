//! Prints what each stage costs.
use auricle::{Engine, Flavour, audio::read_all};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    for flavour in [Flavour::RelaxedSimd, Flavour::Simd128] {
        let mut b = Engine::builder().flavour(flavour);
        if let Ok(c) = std::env::var("COMP") {
            b = b.component_file(c);
        }
        let model = b.build().unwrap().load_model(&a[1]).unwrap();
        println!(
            "{flavour} load {:.1} ms mem {} MB",
            model.load_metrics().elapsed_ns as f64 / 1e6,
            model.load_metrics().memory_bytes >> 20
        );
        for f in &a[2..] {
            let (mut s, _) = read_all(f).unwrap();
            s.truncate(480_000);
            let mut session = model.session(model.default_options()).unwrap();
            let mut best: Vec<(String, f64, f64, u64)> = vec![];
            for _ in 0..5 {
                session.reset().unwrap();
                session.push_audio(&s).unwrap();
                session.finish().unwrap();
                session.drain(|_| ()).unwrap();
                let m = session.metrics().unwrap();
                let now: Vec<_> = m
                    .stages
                    .iter()
                    .map(|s| {
                        (
                            format!("{:?}", s.stage),
                            s.elapsed_ns as f64 / 1e6,
                            2e-6 * s.multiply_adds as f64 / (s.elapsed_ns as f64 / 1e6) * 1.0,
                            s.steps,
                        )
                    })
                    .collect();
                if best.is_empty() || now.iter().map(|s| s.1).sum::<f64>() < best.iter().map(|s| s.1).sum::<f64>() {
                    best = now;
                }
            }
            println!(
                "{f} total {:.0} ms, mem {} MB",
                best.iter().map(|s| s.1).sum::<f64>(),
                session.metrics().unwrap().peak_memory_bytes >> 20
            );
            for s in best {
                println!(
                    "   {} {:.1} ms, {:.1} Gop/s, {} steps, {:.2} ms a step",
                    s.0,
                    s.1,
                    s.2,
                    s.3,
                    s.1 / s.3 as f64
                );
            }
        }
    }
}
