//! Reads off a component what it imports: the clock, and nothing else.

use anyhow::{Result, ensure};
use wasmparser::{Parser, Payload};

/// The one import there may be, without its version.
const CLOCK: &str = "wasi:clocks/monotonic-clock@";

/// The names a component imports, outermost level, in order.
pub(crate) fn imports(component: &[u8]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.push(import?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

/// Fails if a component imports anything but the clock.
pub(crate) fn check(component: &[u8]) -> Result<()> {
    let names = imports(component)?;
    ensure!(
        names.len() == 1 && names[0].starts_with(CLOCK),
        "a component may import {CLOCK}… and nothing else, and this one imports: {}",
        names.join(", ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    fn component(imports: &[&str]) -> Vec<u8> {
        let imports = imports.iter().map(|name| format!("(import \"{name}\" (instance))")).collect::<String>();
        wat::parse_str(format!("(component {imports} (component (import \"inner\" (instance))))")).expect("valid text")
    }

    #[test]
    fn a_component_that_imports_only_the_clock_is_sealed() {
        check(&component(&["wasi:clocks/monotonic-clock@0.2.0"])).expect("sealed");
    }

    #[test]
    fn any_other_import_is_named_in_the_refusal() {
        for import in ["wasi:sockets/tcp@0.2.0", "wasi:filesystem/types@0.2.0", "wasi:clocks/wall-clock@0.2.0"] {
            let bytes = component(&["wasi:clocks/monotonic-clock@0.2.0", import]);
            let error = check(&bytes).expect_err("not sealed").to_string();
            assert!(error.contains(import), "{error}");
            check(&component(&[import])).expect_err("not sealed");
        }
    }
}
