//! Engines made for the tests: one that does all that the contract asks and hears nothing, and changes to it.

use std::path::Path;

use auricle::{CacheFolder, Engine, EngineBuilder};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Somewhere that is never written to: read as any result of the contract, it is success, nothing, none and zero.
const ZERO: &str = "(i32.const 1024)";
pub(crate) const LOOP: &str = "(loop $again (br $again)) (unreachable)";
const INTERFACE: &str = "auricle:speech/recognition@";

/// The functions of the contract as the canonical ABI has them: name, type, and what a silent engine does.
const FUNCTIONS: [(&str, &str, &str); 15] = [
    ("about", "(result i32)", ZERO),
    ("[constructor]model-loader", "(param i32 i64) (result i32)", "(call $new-loader (i32.const 1))"),
    ("[method]model-loader.write", "(param i32 i32 i32) (result i32)", ZERO),
    ("[method]model-loader.received-bytes", "(param i32) (result i64)", "(i64.const 0)"),
    // The handle stands behind the result's tag, aligned for the largest case of `error`.
    (
        "load-model",
        "(param i32) (result i32)",
        "(i32.store (i32.const 2056) (call $new-model (i32.const 1))) (i32.const 2048)",
    ),
    ("[method]model.info", "(param i32) (result i32)", ZERO),
    ("[method]model.default-options", "(param i32) (result i32)", ZERO),
    // Of the three numbers the second is the time.
    (
        "[method]model.load-metrics",
        "(param i32) (result i32)",
        "(i64.store (i32.const 3080) (call $now)) (i32.const 3072)",
    ),
    (
        "[static]session.open",
        "(param i32) (result i32)",
        "(i32.store (i32.const 4104) (call $new-session (i32.const 1))) (i32.const 4096)",
    ),
    ("[method]session.push-audio", "(param i32 i32 i32) (result i32)", ZERO),
    ("[method]session.finish", "(param i32) (result i32)", ZERO),
    ("[method]session.poll-transcript", "(param i32 i32) (result i32)", ZERO),
    ("[method]session.set-partials", "(param i32 i32)", ""),
    ("[method]session.reset", "(param i32)", ""),
    ("[method]session.metrics", "(param i32) (result i32)", ZERO),
];

/// An engine to be.
pub(crate) struct Guest {
    version: &'static str,
    first_pages: u32,
    bodies: Vec<(&'static str, String)>,
    contract_edits: Vec<(&'static str, &'static str)>,
    session_destructor: &'static str,
    start: &'static str,
}

impl Guest {
    /// One that takes every model and all audio, and gives no events.
    pub(crate) fn silent() -> Self {
        Self {
            version: "0.1.0",
            first_pages: 2,
            bodies: vec![],
            contract_edits: vec![],
            session_destructor: "",
            start: "",
        }
    }

    /// Puts another body, in WebAssembly's text format, into the function of that name.
    pub(crate) fn with(mut self, function: &'static str, body: impl Into<String>) -> Self {
        assert!(FUNCTIONS.iter().any(|(name, ..)| *name == function), "{function} is in the contract");
        self.bodies.push((function, body.into()));
        self
    }

    pub(crate) fn trapping_in(self, function: &'static str) -> Self {
        self.with(function, "(unreachable)")
    }

    pub(crate) fn looping_in(self, function: &'static str) -> Self {
        self.with(function, LOOP)
    }

    /// Traps when a session is dropped.
    pub(crate) fn with_trapping_session_destructor(mut self) -> Self {
        self.session_destructor = "(unreachable)";
        self
    }

    /// Does this as soon as it is instantiated.
    pub(crate) fn starting_with(mut self, body: &'static str) -> Self {
        self.start = body;
        self
    }

    /// Says that it is of another version of the contract.
    pub(crate) fn of_version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// Changes the text of the contract that it is made for.
    pub(crate) fn of_contract(mut self, from: &'static str, to: &'static str) -> Self {
        self.contract_edits.push((from, to));
        self
    }

    /// Begins with so much memory, in pages of 64 KiB.
    pub(crate) fn with_first_pages(mut self, pages: u32) -> Self {
        self.first_pages = pages;
        self
    }

    /// Gives the component.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut module = wat::parse_str(self.module()).expect("the module is well formed");
        let folder = tempfile::tempdir().expect("a folder for the contract");
        self.write_contract(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")), folder.path());
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(folder.path()).expect("the contract is well formed");
        let world = resolve.select_world(&[package], Some("engine")).expect("the contract has its world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .expect("the module takes the contract's description");
        ComponentEncoder::default()
            .module(&module)
            .expect("the module is of the contract")
            .validate(true)
            .encode()
            .expect("the module makes a component")
    }

    /// Gives an engine of it, without a cache.
    pub(crate) fn engine(&self) -> EngineBuilder {
        Engine::builder().component_bytes(self.build()).cache(CacheFolder::Off)
    }

    fn module(&self) -> String {
        let interface = format!("{INTERFACE}{}", self.version);
        let mut functions = String::new();
        for (name, signature, silent) in FUNCTIONS {
            let body = self.bodies.iter().find(|(changed, _)| *changed == name).map_or(silent, |(_, body)| body);
            functions += &format!("(func (export \"{interface}#{name}\") {signature} {body})\n");
        }
        format!(
            r#"(module
                (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $now (result i64)))
                (import "[export]{interface}" "[resource-new]model-loader" (func $new-loader (param i32) (result i32)))
                (import "[export]{interface}" "[resource-new]model" (func $new-model (param i32) (result i32)))
                (import "[export]{interface}" "[resource-new]session" (func $new-session (param i32) (result i32)))
                (memory (export "memory") {pages})
                (global $free (mut i32) (i32.const 65536))
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                    (global.set $free (i32.add (local.get $at) (local.get 3)))
                    (block $fits (loop $grow
                        (br_if $fits (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
                        (br_if $grow (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))
                        (unreachable)))
                    (local.get $at))
                (func (export "{interface}#[dtor]session") (param i32) {destructor})
                (func $start {start})
                (start $start)
                {functions}
            )"#,
            pages = self.first_pages,
            destructor = self.session_destructor,
            start = self.start,
        )
    }

    fn write_contract(&self, from: &Path, to: &Path) {
        for entry in std::fs::read_dir(from).expect("the contract is there") {
            let path = entry.expect("the folder can be listed").path();
            let target = to.join(path.file_name().expect("an entry has a name"));
            if path.is_dir() {
                std::fs::create_dir(&target).expect("a folder can be made");
                self.write_contract(&path, &target);
                continue;
            }
            let mut text = std::fs::read_to_string(&path).expect("the contract can be read");
            text = text.replace("auricle:speech@0.1.0", &format!("auricle:speech@{}", self.version));
            for (from, to) in &self.contract_edits {
                text = text.replace(from, to);
            }
            std::fs::write(&target, text).expect("the contract can be written");
        }
    }
}

/// The body of a function that gives the contract's error of that case, counted from 0, with all its fields zero.
pub(crate) fn failing_with(case: u32) -> String {
    format!(
        "(i32.store8 (i32.const 5120) (i32.const 1)) (i32.store8 (i32.const 5128) (i32.const {case})) (i32.const 5120)"
    )
}
