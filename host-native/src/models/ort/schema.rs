//! Typed access to the tables of an ONNX Runtime model file (`.ort`) that an import needs.
//!
//! The slots are those of ONNX Runtime's `ort.fbs`; the Python package `onnxruntime` ships the same numbers in
//! `tools/ort_format_model/ort_flatbuffers_py/fbs`. Slots that are not listed are never read.
//!
//! A table is only ever made by [`root`], which first walks every listed slot of every reachable table with the
//! flatbuffers verifier: offsets, lengths, UTF-8, nesting and the number of tables.
#![allow(
    unsafe_code,
    reason = "flatbuffers' accessors are unsafe functions: what makes them sound is the verifier, run by `root`"
)]

use flatbuffers::{
    Follow, ForwardsUOffset, InvalidFlatbuffer, SimpleToVerifyInSlice, Table, Vector, Verifiable, Verifier,
    VerifierOptions,
};

/// The file identifier at byte 4.
pub(crate) const IDENTIFIER: &[u8; 4] = b"ORTM";

/// Declares a table: its type, a getter for each slot, and the check of exactly those slots.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident<$lt:lifetime> { $($field:ident: $slot:literal => $value:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $name<$lt>(Table<$lt>);

        impl<$lt> $name<$lt> {
            $(
                pub(super) fn $field(self) -> Option<<$value as Follow<$lt>>::Inner> {
                    // SAFETY: tables come from `root` alone, which verified that this slot holds a `$value` or nothing.
                    unsafe { self.0.get::<$value>($slot, None) }
                }
            )*
        }

        impl<$lt> Follow<$lt> for $name<$lt> {
            type Inner = Self;

            unsafe fn follow(buf: &$lt [u8], loc: usize) -> Self {
                // SAFETY: the caller says, as `Follow` asks, that a verified table stands at `loc`.
                Self(unsafe { Table::new(buf, loc) })
            }
        }

        impl<$lt> Verifiable for $name<$lt> {
            fn run_verifier(verifier: &mut Verifier, pos: usize) -> Result<(), InvalidFlatbuffer> {
                verifier.visit_table(pos)?$(.visit_field::<$value>(stringify!($field), $slot, false)?)*.finish();
                Ok(())
            }
        }
    };
}

table! {
    /// The root: one saved inference session.
    Session<'a> {
        model: 6 => ForwardsUOffset<Model<'a>>,
    }
}

table! {
    Model<'a> {
        graph: 18 => ForwardsUOffset<Graph<'a>>,
    }
}

table! {
    Graph<'a> {
        initializers: 4 => ForwardsUOffset<Vector<'a, ForwardsUOffset<Tensor<'a>>>>,
        nodes: 8 => ForwardsUOffset<Vector<'a, ForwardsUOffset<Node<'a>>>>,
    }
}

table! {
    /// A constant of the graph; `raw_data` is little-endian and row-major.
    Tensor<'a> {
        name: 4 => ForwardsUOffset<&'a str>,
        dims: 8 => ForwardsUOffset<Vector<'a, UnalignedI64>>,
        data_type: 10 => i32,
        raw_data: 12 => ForwardsUOffset<Vector<'a, u8>>,
    }
}

table! {
    Node<'a> {
        name: 4 => ForwardsUOffset<&'a str>,
        op_type: 14 => ForwardsUOffset<&'a str>,
        inputs: 20 => ForwardsUOffset<Vector<'a, ForwardsUOffset<&'a str>>>,
        attributes: 24 => ForwardsUOffset<Vector<'a, ForwardsUOffset<Attribute<'a>>>>,
    }
}

table! {
    Attribute<'a> {
        name: 4 => ForwardsUOffset<&'a str>,
        float: 10 => f32,
        graph: 18 => ForwardsUOffset<Graph<'a>>,
    }
}

/// An `i64` anywhere: ONNX Runtime writes files whose 64-bit vectors are aligned to four bytes only, which the verifier
/// would refuse.
pub(super) struct UnalignedI64([u8; 8]);

impl SimpleToVerifyInSlice for UnalignedI64 {}

impl Follow<'_> for UnalignedI64 {
    type Inner = i64;

    unsafe fn follow(buf: &[u8], loc: usize) -> i64 {
        let mut value = Self([0; 8]);
        value.0.copy_from_slice(&buf[loc..loc + 8]);
        i64::from_le_bytes(value.0)
    }
}

/// Verifies all of `bytes` that can be reached through the slots above, and gives its root.
pub(super) fn root(bytes: &[u8]) -> Result<Session<'_>, InvalidFlatbuffer> {
    let options = VerifierOptions {
        // A graph stands in a node's attribute: session, model, graph, node, attribute, graph, node, attribute.
        max_depth: 16,
        // The largest known file has about 20 000; this bounds the time a hostile file can take.
        max_tables: 1_000_000,
        max_apparent_size: bytes.len().saturating_mul(2),
        // Nothing here relies on the terminator.
        ignore_missing_null_terminator: true,
    };
    flatbuffers::root_with_opts::<Session<'_>>(&options, bytes)
}
