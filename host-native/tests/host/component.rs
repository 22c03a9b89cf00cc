//! Which components are taken, and which are refused before any of their code runs.

use auricle::{CacheFolder, Engine, Error, Flavour, embedded_component};

use crate::guest::Guest;

fn refused(bytes: impl Into<Vec<u8>>) -> Error {
    Engine::builder().component_bytes(bytes).cache(CacheFolder::Off).build().expect_err("it is no engine")
}

fn refused_text(text: &str) -> Error {
    refused(wat::parse_str(text).expect("the component is well formed"))
}

#[test]
fn embedded_components_import_only_the_clock_and_say_their_flavour() {
    for flavour in [Flavour::Simd128, Flavour::RelaxedSimd] {
        let engine = Engine::builder().flavour(flavour).cache(CacheFolder::Off).build().unwrap();
        let imports: Vec<_> = engine.component().imports.iter().map(|import| import.name.as_str()).collect();
        assert_eq!(imports.len(), 1, "{imports:?}");
        assert!(imports[0].starts_with("wasi:clocks/monotonic-clock@0.2."), "{imports:?}");
        assert_eq!(engine.component().imports[0].functions, ["now"]);
        assert_eq!(engine.about().unwrap().flavour, flavour.name());
        assert_eq!(engine.flavour(), Some(flavour));
        assert!(embedded_component(flavour).len() <= 2_500_000);
        assert_eq!(engine.component().size_bytes, embedded_component(flavour).len());
    }
}

#[test]
fn plain_simd_runs_without_relaxed_simd() {
    let plain = embedded_component(Flavour::Simd128);
    let relaxed = embedded_component(Flavour::RelaxedSimd);
    let build = |bytes: &[u8]| {
        Engine::builder().component_bytes(bytes).flavour(Flavour::Simd128).cache(CacheFolder::Off).build()
    };
    build(plain).unwrap();
    assert!(matches!(build(relaxed), Err(Error::ComponentInvalid { .. })));
}

#[test]
fn bytes_that_are_no_component_are_refused() {
    let module = wat::parse_str("(module)").unwrap();
    let whole = Guest::silent().build();
    for bytes in [&b""[..], b"not WebAssembly at all", &module, &whole[..whole.len() - 1], &whole[..8]] {
        let error = refused(bytes);
        assert!(matches!(error, Error::ComponentInvalid { .. } | Error::ComponentExports { .. }), "{error}");
    }
    assert!(matches!(refused(module), Error::ComponentInvalid { .. }));
}

#[test]
fn component_file_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing.wasm");
    let error = Engine::builder().component_file(&path).build().unwrap_err();
    assert!(matches!(&error, Error::Io { path: named, .. } if *named == path), "{error}");
}

#[test]
fn component_file_takes_the_place_of_the_embedded_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("silent.wasm");
    std::fs::write(&path, Guest::silent().build()).unwrap();
    let engine = Engine::builder().component_file(&path).cache(CacheFolder::Off).build().unwrap();
    assert_eq!(engine.flavour(), None);
    assert_eq!(engine.component().origin, path.display().to_string());
    assert_eq!(engine.about().unwrap().name, "");
}

#[test]
fn import_of_files_is_refused_by_name() {
    let error = refused_text(r#"(component (import "wasi:filesystem/preopens@0.2.0" (instance)))"#);
    assert!(
        matches!(&error, Error::ComponentImports { import, .. } if import == "wasi:filesystem/preopens@0.2.0"),
        "{error}"
    );
}

#[test]
fn import_of_more_of_the_clock_than_its_time_is_refused_by_name() {
    let error = refused_text(
        r#"(component (import "wasi:clocks/monotonic-clock@0.2.3"
            (instance (export "now" (func (result u64))) (export "resolution" (func (result u64))))))"#,
    );
    let name = "wasi:clocks/monotonic-clock@0.2.3#resolution";
    assert!(matches!(&error, Error::ComponentImports { import, .. } if import == name), "{error}");
}

#[test]
fn import_of_a_bare_function_is_refused_by_name() {
    let error = refused_text(r#"(component (import "leak" (func (param "audio" (list f32)))))"#);
    assert!(matches!(&error, Error::ComponentImports { import, .. } if import == "leak"), "{error}");
}

#[test]
fn component_of_another_contract_is_refused_and_told_what_it_exports() {
    let error = refused_text(r#"(component (instance $i) (export "other:speech/engine@0.1.0" (instance $i)))"#);
    let Error::ComponentExports { message, .. } = &error else { panic!("{error}") };
    assert!(message.contains("other:speech/engine@0.1.0"), "{message}");
}

#[test]
fn component_with_an_empty_interface_of_the_right_name_is_refused() {
    let text = r#"(component (instance $i) (export "auricle:speech/recognition@0.1.0" (instance $i)))"#;
    assert!(matches!(refused_text(text), Error::ComponentExports { .. }));
}

#[test]
fn patch_version_of_the_contract_is_taken_and_a_minor_version_refused() {
    let patch = Guest::silent().of_version("0.1.7").engine().build().unwrap();
    patch.about().unwrap();
    let error = Guest::silent().of_version("0.2.0").engine().build().unwrap_err();
    assert!(matches!(&error, Error::ComponentExports { message, .. } if message.contains("@0.2.0")), "{error}");
}

#[test]
fn function_of_another_type_than_the_contract_has_is_found_before_it_is_called() {
    let guest = Guest::silent().of_contract("received-bytes: func() -> u64", "received-bytes: func() -> s64");
    let error = guest.engine().build().and_then(|engine| engine.load_model_from_reader(&b""[..], None)).unwrap_err();
    assert!(matches!(error, Error::ComponentExports { .. }), "{error}");
}
