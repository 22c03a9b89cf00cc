//! `auricle info` as it is run.

use assert_cmd::Command;
use auricle::{Digest, Flavour, embedded_component};
use serde_json::{Value, json};

fn info(cache: &tempfile::TempDir) -> Command {
    let mut command = Command::cargo_bin("auricle").unwrap();
    command.arg("info").env("AURICLE_CACHE", cache.path());
    command
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

#[test]
fn text_shows_the_one_import_and_the_hashes_of_both_flavours() {
    let cache = tempfile::tempdir().unwrap();
    let text = text(&info(&cache).assert().success().stderr("").get_output().stdout);
    let mut imports = text.lines().skip_while(|line| !line.starts_with("imports"));
    assert!(imports.next().unwrap().contains("wasi:clocks/monotonic-clock@0.2."), "{text}");
    assert_eq!(imports.next().unwrap().trim(), "now", "{text}");
    assert!(imports.next().unwrap().starts_with("exports"), "{text}");
    for flavour in [Flavour::Simd128, Flavour::RelaxedSimd] {
        assert!(text.contains(&Digest::of(embedded_component(flavour)).to_string()), "{text}");
    }
}

#[test]
fn second_run_loads_the_compiled_code_of_the_first() {
    let cache = tempfile::tempdir().unwrap();
    for outcome in ["stored", "loaded"] {
        let output = info(&cache).arg("--json").assert().success().get_output().stdout.clone();
        let value: Value = serde_json::from_slice(&output).unwrap();
        assert_eq!(value["cache"]["outcome"], outcome, "{value:#}");
        assert_eq!(value["component"]["imports"].as_array().unwrap().len(), 1);
        assert_eq!(value["component"]["imports"][0]["functions"], json!(["now"]));
    }
}

#[test]
fn flavour_that_is_asked_for_is_the_one_that_runs() {
    let cache = tempfile::tempdir().unwrap();
    for (flavour, name) in [(Flavour::Simd128, "simd128"), (Flavour::RelaxedSimd, "relaxed-simd")] {
        let output = info(&cache).args(["--json", "--flavour", name]).assert().success().get_output().stdout.clone();
        let value: Value = serde_json::from_slice(&output).unwrap();
        assert_eq!(value["engine"]["flavour"], name);
        assert_eq!(value["component"]["sha256"], Digest::of(embedded_component(flavour)).to_string());
    }
}

#[test]
fn component_file_that_is_missing_or_no_component_is_named_on_standard_error() {
    let cache = tempfile::tempdir().unwrap();
    let missing = cache.path().join("missing.wasm");
    let wrong = cache.path().join("wrong.wasm");
    std::fs::write(&wrong, "not WebAssembly at all").unwrap();
    for path in [missing, wrong] {
        let assert = info(&cache).arg("--component").arg(&path).assert().failure().stdout("");
        let message = text(&assert.get_output().stderr);
        assert!(message.contains(&path.display().to_string()), "{message}");
    }
}
