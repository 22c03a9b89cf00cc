//! The contract, as `bindgen!` reads it off `wit/`. Nothing outside this crate sees these paths: what is public of them
//! is named again in [`types`](crate::types).

#![allow(missing_docs, unreachable_pub, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "engine",
    additional_derives: [PartialEq],
});
