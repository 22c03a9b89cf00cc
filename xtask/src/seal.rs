//! Reads off a component that it is what it must be: it imports the clock and nothing else, and every instruction in it
//! gives the same bits on every host.

use anyhow::{Result, ensure};
use wasmparser::{Operator, Parser, Payload};

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

/// The relaxed instructions of a component, without those that take integers which the kernels keep in the range where every
/// host gives the same: the dot products, and the product of fractions. What the others give is up to the host.
fn indeterminate_instructions(component: &[u8]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        let Payload::CodeSectionEntry(body) = payload? else { continue };
        for operator in body.get_operators_reader()? {
            let operator = operator?;
            let exact = matches!(
                operator,
                Operator::I16x8RelaxedDotI8x16I7x16S
                    | Operator::I32x4RelaxedDotI8x16I7x16AddS
                    | Operator::I16x8RelaxedQ15mulrS
            );
            if !exact {
                let name = format!("{operator:?}");
                if name.contains("Relaxed") && !found.contains(&name) {
                    found.push(name);
                }
            }
        }
    }
    Ok(found)
}

/// Fails if a component imports anything but the clock, or could give other bits on another host.
pub(crate) fn check(component: &[u8]) -> Result<()> {
    let names = imports(component)?;
    ensure!(
        names.len() == 1 && names[0].starts_with(CLOCK),
        "a component may import {CLOCK}… and nothing else, and this one imports: {}",
        names.join(", ")
    );
    let indeterminate = indeterminate_instructions(component)?;
    ensure!(
        indeterminate.is_empty(),
        "these instructions give other bits on other hosts: {}",
        indeterminate.join(", ")
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

    #[test]
    fn a_relaxed_instruction_whose_result_is_up_to_the_host_is_refused() {
        let with = |instruction: &str, operands: usize| {
            let operands: String = (0..operands).map(|operand| format!("local.get {operand} ")).collect();
            let body = format!("(func (param v128 v128 v128) (result v128) {operands} {instruction})");
            let clock = "(import \"wasi:clocks/monotonic-clock@0.2.0\" (instance))";
            check(&wat::parse_str(format!("(component {clock} (core module {body}))")).expect("valid text"))
        };
        with("i32x4.relaxed_dot_i8x16_i7x16_add_s", 3).expect("exact for seven bits");
        with("i16x8.relaxed_dot_i8x16_i7x16_s", 2).expect("exact for seven bits");
        let error = with("f32x4.relaxed_madd", 3).expect_err("fused or not").to_string();
        assert!(error.contains("RelaxedMadd"), "{error}");
    }
}
