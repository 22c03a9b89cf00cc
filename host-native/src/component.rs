//! The component: where its bytes come from, and whether it is one that may be run.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use semver::Version;
use wasmtime::component::types::{Component as ComponentType, ComponentInstance, ComponentItem};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::flavour::Flavour;

/// The package and interface that an engine offers, without its version.
const RECOGNITION: &str = "auricle:speech/recognition";
/// The one thing that an engine may import, and the one function of it that it gets.
const CLOCK: &str = "wasi:clocks/monotonic-clock";
const CLOCK_FUNCTION: &str = "now";
/// A component file larger than this is refused unread: an engine has a few megabytes.
const LARGEST_FILE_BYTES: u64 = 64 << 20;

/// How all WebAssembly begins, and what then tells a component from a core module: version and layer.
const MAGIC: &[u8] = b"\0asm";
const CORE_MODULE: &[u8] = &[1, 0, 0, 0];

static SIMD128: &[u8] = include_bytes!(env!("AURICLE_EMBEDDED_SIMD128"));
static RELAXED_SIMD: &[u8] = include_bytes!(env!("AURICLE_EMBEDDED_RELAXED"));

/// Gives the component that was built into this library.
#[must_use]
pub fn embedded_component(flavour: Flavour) -> &'static [u8] {
    match flavour {
        Flavour::Simd128 => SIMD128,
        Flavour::RelaxedSimd => RELAXED_SIMD,
    }
}

/// Where to take the component from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Embedded(Flavour),
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl Source {
    /// What to call it in messages.
    pub(crate) fn origin(&self) -> String {
        match self {
            Self::Embedded(flavour) => format!("the embedded component ({flavour})"),
            Self::File(path) => path.display().to_string(),
            Self::Bytes(_) => "the given component".to_owned(),
        }
    }

    pub(crate) fn bytes(self) -> Result<std::borrow::Cow<'static, [u8]>> {
        match self {
            Self::Embedded(flavour) => Ok(embedded_component(flavour).into()),
            Self::Bytes(bytes) => Ok(bytes.into()),
            Self::File(ref path) => {
                let io = |source| Error::Io { path: path.clone(), source };
                let mut bytes = Vec::new();
                let file = File::open(path).map_err(io)?;
                file.take(LARGEST_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
                if bytes.len() as u64 > LARGEST_FILE_BYTES {
                    let message = format!("it is larger than {LARGEST_FILE_BYTES} bytes");
                    return Err(Error::ComponentInvalid { origin: self.origin(), message });
                }
                Ok(bytes.into())
            }
        }
    }
}

/// Tells what the bytes are instead of a component, where their beginning shows that already.
pub(crate) fn check_beginning(bytes: &[u8]) -> Result<(), String> {
    match bytes.strip_prefix(MAGIC) {
        None if bytes.is_empty() => Err("it is empty".to_owned()),
        None => Err("it does not begin as WebAssembly does".to_owned()),
        Some(rest) if rest.starts_with(CORE_MODULE) => Err("it is a core module, and no component".to_owned()),
        Some(_) => Ok(()),
    }
}

/// An interface that a component imports or exports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interface {
    /// Its name, with package and version: `wasi:clocks/monotonic-clock@0.2.0`.
    pub name: String,
    /// The functions in it, by their names in the component model: `now`, `[method]session.finish`.
    pub functions: Vec<String>,
}

/// What a component is, as read off the component itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ComponentInfo {
    /// Where it came from, for people: a path, or that it is the embedded one.
    pub origin: String,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its length in bytes.
    pub size_bytes: usize,
    /// All that it asks its host for.
    pub imports: Vec<Interface>,
    /// All that it offers.
    pub exports: Vec<Interface>,
}

impl ComponentInfo {
    /// Reads the imports and exports of a compiled component.
    pub(crate) fn read(
        origin: String,
        sha256: Digest,
        size_bytes: usize,
        compiled: &wasmtime::component::Component,
    ) -> Self {
        let engine = compiled.engine();
        let ty: ComponentType = compiled.component_type();
        let interface = |(name, item): (&str, wasmtime::component::types::ComponentExtern<'_>)| Interface {
            name: name.to_owned(),
            functions: match &item.ty {
                ComponentItem::ComponentInstance(instance) => functions(instance, engine),
                _ => Vec::new(),
            },
        };
        Self {
            origin,
            sha256,
            size_bytes,
            imports: ty.imports(engine).map(interface).collect(),
            exports: ty.exports(engine).map(interface).collect(),
        }
    }

    /// Fails where the component asks for more than the clock or does not offer the contract.
    pub(crate) fn check(&self) -> Result<()> {
        for import in &self.imports {
            let refused = |what: String| Error::ComponentImports { origin: self.origin.clone(), import: what };
            if !is_version(&import.name, CLOCK, 0, 2) {
                return Err(refused(import.name.clone()));
            }
            if let Some(function) = import.functions.iter().find(|function| *function != CLOCK_FUNCTION) {
                return Err(refused(format!("{}#{function}", import.name)));
            }
        }
        if !self.exports.iter().any(|export| is_version(&export.name, RECOGNITION, 0, 1)) {
            let offered: Vec<&str> = self.exports.iter().map(|export| export.name.as_str()).collect();
            let message = match offered.as_slice() {
                [] => "it exports nothing".to_owned(),
                offered => format!("it exports {}", offered.join(", ")),
            };
            return Err(self.not_the_contract(message));
        }
        Ok(())
    }

    /// The error for a component that exports the interface, but not as the contract has it.
    pub(crate) fn not_the_contract(&self, message: String) -> Error {
        Error::ComponentExports { origin: self.origin.clone(), export: format!("{RECOGNITION}@0.1"), message }
    }
}

fn functions(instance: &ComponentInstance, engine: &wasmtime::Engine) -> Vec<String> {
    instance
        .exports(engine)
        .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Whether `name` is `interface@major.minor.patch` with any patch: below 1.0 those are compatible.
fn is_version(name: &str, interface: &str, major: u64, minor: u64) -> bool {
    let version = name.strip_prefix(interface).and_then(|rest| rest.strip_prefix('@'));
    let version = version.and_then(|version| Version::parse(version).ok());
    version.is_some_and(|version| (version.major, version.minor) == (major, minor) && version.pre.is_empty())
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn patch_versions_are_compatible_and_all_others_are_not() {
        for name in ["a:b/c@0.2.0", "a:b/c@0.2.17"] {
            assert!(is_version(name, "a:b/c", 0, 2), "{name}");
        }
        for name in ["a:b/c", "a:b/c@", "a:b/c@0.2", "a:b/c@0.3.0", "a:b/c@1.2.0", "a:b/cd@0.2.0", "a:b/c@0.2.x"] {
            assert!(!is_version(name, "a:b/c", 0, 2), "{name}");
        }
    }
}
