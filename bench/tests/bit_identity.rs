//! The same bits in wasmtime, in Node and in Chromium, in both flavours, of clips taken whole and live: those of
//! `testdata/golden-bits.json`.
//!
//! Needs what `cargo xtask test` sets up. An engine that is not there is skipped, except in CI.

use auricle_bench::bits::{Golden, compute};
use auricle_bench::place::Place;
use auricle_bench::sides::{Build, Engine, Runtime, Side};

fn gives_the_golden_bits(runtime: Runtime) {
    let place = Place::new(env!("CARGO_BIN_EXE_auricle-bench").into());
    let golden = Golden::read(&Golden::path(&place)).expect("the committed file");
    for build in Build::SHIPPED {
        let side = Side { engine: Engine::Auricle(runtime, build), threads: 1 };
        if let Err(missing) = side.command(&place) {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{side} must be there in CI: {missing:#}");
            println!("skipped: {side}: {missing:#}");
            continue;
        }
        let hashes = compute(&place, runtime, build).unwrap_or_else(|error| panic!("{side}: {error:#}"));
        let advice = "if the arithmetic was meant to change: `cargo xtask bless-bits`";
        assert_eq!(hashes, golden.q8, "{side}; {advice}");
    }
}

#[test]
fn wasmtime_gives_the_golden_bits() {
    gives_the_golden_bits(Runtime::Wasmtime);
}

#[test]
fn node_gives_the_golden_bits() {
    gives_the_golden_bits(Runtime::Node);
}

#[test]
fn chromium_gives_the_golden_bits() {
    gives_the_golden_bits(Runtime::Chromium);
}
