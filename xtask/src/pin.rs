//! Pins instructions whose result the specification leaves to the host.
//!
//! Built with relaxed SIMD, LLVM lowers minima and maxima of vectors to `f32x4.relaxed_min` and `_max`, which may treat NaN
//! and the sign of zero as the host likes. Each is replaced by `f32x4.pmin` or `pmax`, one of the results it may give and as
//! fast, so that every host gives the same. Both encodings are as long, so nothing else in the module moves.

use std::ops::Range;

use anyhow::Result;
use wasmparser::{Operator, Parser, Payload};

/// Replaces what can be pinned, in a core module.
pub(crate) fn pin(module: &mut [u8]) -> Result<()> {
    for (instruction, opcode) in replacements(module)? {
        // A vector instruction is the prefix 0xfd and its opcode in LEB128, two bytes from 0x80 to 0x3fff.
        assert_eq!(instruction.len(), 3, "a prefix and two bytes of opcode");
        module[instruction.start + 1] = (opcode & 0x7f) as u8 | 0x80;
        module[instruction.start + 2] = (opcode >> 7) as u8;
    }
    Ok(())
}

/// Where an instruction stands, and the opcode it is replaced by.
fn replacements(module: &[u8]) -> Result<Vec<(Range<usize>, u16)>> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::CodeSectionEntry(body) = payload? else { continue };
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let start = operators.original_position();
            let opcode = match operators.read()? {
                Operator::F32x4RelaxedMin => 0xea,
                Operator::F32x4RelaxedMax => 0xeb,
                Operator::F64x2RelaxedMin => 0xf6,
                Operator::F64x2RelaxedMax => 0xf7,
                _ => continue,
            };
            found.push((usize::try_from(start)?..usize::try_from(operators.original_position())?, opcode));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::pin;

    fn module(minimum: &str, maximum: &str) -> Vec<u8> {
        let function =
            |lanes, name| format!("(func (param v128 v128) (result v128) local.get 0 local.get 1 {lanes}.{name})");
        let functions = ["f32x4", "f64x2"].map(|lanes| function(lanes, minimum) + &function(lanes, maximum)).concat();
        wat::parse_str(format!("(module {functions})")).expect("valid text")
    }

    #[test]
    fn relaxed_minima_and_maxima_become_those_of_the_specification_and_nothing_else_changes() {
        let mut relaxed = module("relaxed_min", "relaxed_max");
        pin(&mut relaxed).expect("a valid module");
        assert_eq!(relaxed, module("pmin", "pmax"));
    }
}
