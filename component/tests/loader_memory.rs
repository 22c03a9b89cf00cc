//! How much memory loading takes.

mod support;

use std::alloc::System;

use auricle_component::error::{Error, Limit};
use cap::Cap;

use support::tiny;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const MIB: usize = 1 << 20;

/// Loads a file with so much memory over what is in use.
fn load_within(
    bytes: &[u8],
    total_bytes: Option<u64>,
    chunk_bytes: usize,
    allowance_bytes: usize,
) -> Result<u64, Error> {
    ALLOCATOR.set_limit(ALLOCATOR.allocated() + allowance_bytes).expect("more is allowed than is allocated");
    let loaded = support::load(bytes, total_bytes, chunk_bytes);
    ALLOCATOR.set_limit(usize::MAX).expect("the limit is only raised");
    loaded.map(|loaded| loaded.file_bytes)
}

/// One test, since the limit is that of the process.
#[test]
fn loading_takes_little_more_than_the_file_and_too_little_memory_is_an_error() {
    for quantization in ["f32", "f16", "q8"] {
        // The embedding of Moonshine Tiny: by far its largest tensor.
        let bytes = tiny::sized_file(quantization, 32_768, 288).bytes();
        let total = Some(bytes.len() as u64);
        // Nothing of the tensor is there twice.
        for chunk_bytes in [4096, MIB] {
            let file_bytes = load_within(&bytes, total, chunk_bytes, bytes.len() + MIB).expect("so much suffices");
            assert_eq!(Some(file_bytes), total);
            drop(tiny::take_weights());
        }
        load_within(&bytes, None, MIB, bytes.len() + bytes.len() * 3 / 10 + 16 * MIB).expect("so much suffices");
        drop(tiny::take_weights());

        let error = load_within(&bytes, total, MIB, MIB).expect_err("so little does not suffice");
        let Error::LimitExceeded { limit, requested, message, .. } = error else { panic!("{error:?}") };
        let width = match quantization {
            "f32" => 4,
            "f16" => 2,
            _ => 1,
        };
        assert_eq!((limit, requested), (Limit::MemoryBytes, 32_768 * 288 * width));
        assert!(message.contains("`linear`"), "{message}");
    }
}
