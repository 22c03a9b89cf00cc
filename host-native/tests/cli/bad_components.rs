//! Component files that are not what they should be, and engines that fail while they work.

use auricle::{Flavour, embedded_component};

use crate::guest::{Guest, failing_with};
use crate::run::{Bench, Outcome, auricle, run};

impl Bench {
    /// Transcribes noise, twice, with this engine.
    fn transcribe_by(&self, component: &[u8]) -> Outcome {
        let path = self.file("engine.wasm", component);
        let noise = self.speech();
        let mut command = auricle();
        command.args(["transcribe", "-q", "--no-cache", "--model"]).arg(&self.model).arg("--component").arg(path);
        run(command.args([&noise, &noise]))
    }
}

#[test]
fn files_that_are_no_component_are_refused_by_name_with_what_they_are() {
    let bench = Bench::new();
    let whole = embedded_component(Flavour::Simd128);
    let module = wat::parse_str("(module)").unwrap();
    let cases: [(&[u8], &str); 5] = [
        (b"", "it is empty"),
        (b"#!/bin/sh\necho hello\n", "it does not begin as WebAssembly does"),
        (&module, "it is a core module, and no component"),
        (&whole[..whole.len() / 2], "out of bounds"),
        (&[&whole[..8], &[0xFF; 64]].concat(), "not a usable WebAssembly component"),
    ];
    for (bytes, words) in cases {
        bench.transcribe_by(bytes).assert_refused(&["engine.wasm: not a usable", words, "cargo xtask build"]);
    }
    let missing = bench.folder.path().join("missing.wasm");
    let mut command = auricle();
    command.args(["transcribe", "--component"]).arg(&missing).arg("--model").arg(&bench.model).arg(bench.speech());
    run(&mut command).assert_refused(&[&format!("{}: cannot be read", missing.display()), "check the path"]);
}

#[test]
fn components_of_another_contract_are_refused_with_what_is_amiss() {
    let bench = Bench::new();
    let other = Guest::silent().of_version("0.2.0").build();
    bench.transcribe_by(&other).assert_refused(&["engine.wasm: it does not export", "recognition@0.2.0"]);
    let files = wat::parse_str(r#"(component (import "wasi:filesystem/preopens@0.2.0" (instance)))"#).unwrap();
    bench.transcribe_by(&files).assert_refused(&["engine.wasm: it imports `wasi:filesystem/preopens", "do not trust"]);
    let nothing = wat::parse_str("(component)").unwrap();
    bench.transcribe_by(&nothing).assert_refused(&["engine.wasm: it does not export", "it exports nothing"]);
}

#[test]
fn trap_costs_one_file_and_is_told_with_the_call() {
    let bench = Bench::new();
    for call in ["[method]session.push-audio", "[method]session.finish", "[method]session.poll-transcript"] {
        let outcome = bench.transcribe_by(&Guest::silent().trapping_in(call).build());
        assert_eq!((outcome.code, outcome.out.as_str()), (1, ""), "{outcome:?}");
        let lines: Vec<_> = outcome.err.lines().collect();
        // The second file has a new instance, and is not told that there is none.
        assert!(lines.len() == 2 && lines[0] == lines[1], "{outcome:?}");
        let words = format!("speech.wav: the engine trapped in `{}`: ", call.trim_start_matches("[method]"));
        assert!(lines[0].contains(&words) && lines[0].contains("report"), "{outcome:?}");
    }
    let outcome = bench.transcribe_by(&Guest::silent().trapping_in("load-model").build());
    outcome.assert_refused(&["tiny.gguf: the engine trapped in `load-model`"]);
}

#[test]
fn engine_that_promises_work_and_does_none_is_not_waited_for() {
    let bench = Bench::new();
    // Of a poll: no events, no steps, and more to do.
    let idle = "(i32.store8 (i32.const 6164) (i32.const 1)) (i32.const 6144)";
    let outcome = bench.transcribe_by(&Guest::silent().with("[method]session.poll-transcript", idle).build());
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.err.contains("speech.wav: the engine failed: it says that there is work left"), "{outcome:?}");
}

#[test]
fn every_error_of_the_contract_is_told_with_the_file() {
    let bench = Bench::new();
    for case in 0..10 {
        let guest = Guest::silent().with("[method]session.push-audio", failing_with(case));
        let outcome = bench.transcribe_by(&guest.build());
        assert_eq!((outcome.code, outcome.out.as_str(), outcome.err.lines().count()), (1, "", 2), "{outcome:?}");
        assert!(outcome.err.lines().all(|line| line.contains("speech.wav: ")), "{outcome:?}");
    }
}
