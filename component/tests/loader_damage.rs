//! Damaged files: cut anywhere, with any bit of the header flipped, with bytes changed at random. None may panic, hang
//! or take memory that the file does not account for.

mod support;

use std::alloc::System;
use std::sync::{Mutex, MutexGuard, PoisonError};

use auricle_component::error::Error;
use auricle_component::loader::Loader;
use cap::Cap;

use support::gguf::{GgufFile, Value};
use support::{Random, load, tiny};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// So much is more than any of these small files may take, and far less than what a lying header asks for.
const ALLOWANCE_BYTES: usize = 1 << 20;

/// The allocator counts for the whole process, so only one test at a time may load.
static COUNTING: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    COUNTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Loads a file and checks how much memory was set aside for it in all.
#[track_caller]
fn load_counted(bytes: &[u8], total_bytes: Option<u64>, chunk_bytes: usize) -> Result<(), Error> {
    let before = ALLOCATOR.total_allocated();
    let result = load(bytes, total_bytes, chunk_bytes).map(|_| ());
    let allocated = ALLOCATOR.total_allocated() - before;
    assert!(allocated < ALLOWANCE_BYTES, "{allocated} bytes were set aside, and the end was {result:?}");
    result
}

#[test]
fn a_file_cut_at_any_byte_is_incomplete() {
    let _alone = alone();
    for quantization in ["f32", "f16", "q8"] {
        let file = tiny::file(quantization);
        let (bytes, header_bytes) = (file.bytes(), file.header().len());
        for cut in 0..bytes.len() {
            let error = load_counted(&bytes[..cut], None, 100).expect_err("the end is missing");
            let expected_bytes = (cut >= header_bytes).then_some(bytes.len() as u64);
            assert_eq!(error, Error::IncompleteModel { received_bytes: cut as u64, expected_bytes });
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_that_is_announced_so_is_malformed() {
    let _alone = alone();
    let bytes = tiny::file("q8").bytes();
    for cut in 1..bytes.len() {
        let error = load_counted(&bytes[..cut], Some(cut as u64), 100).expect_err("the end is missing");
        let Error::MalformedModel { offset, .. } = error else { panic!("cut at {cut}: {error:?}") };
        assert!(offset <= cut as u64, "cut at {cut}, and the fault is at {offset}");
    }
}

#[test]
fn a_file_cut_at_any_byte_of_those_announced_is_incomplete() {
    let _alone = alone();
    let bytes = tiny::file("q8").bytes();
    let total = bytes.len() as u64;
    for cut in 0..bytes.len() {
        let error = load(&bytes[..cut], Some(total), 100).err();
        assert_eq!(error, Some(Error::IncompleteModel { received_bytes: cut as u64, expected_bytes: Some(total) }));
    }
}

#[test]
fn no_flipped_bit_in_a_header_panics_or_takes_memory() {
    let _alone = alone();
    for quantization in ["f32", "q8"] {
        let file = tiny::file(quantization);
        let mut bytes = file.bytes();
        let mut loaded = 0;
        for bit in 0..8 * file.header().len() {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let unseen = load_counted(&bytes, None, bytes.len()).is_ok();
            let unseen_announced = load_counted(&bytes, Some(bytes.len() as u64), bytes.len()).is_ok();
            assert_eq!(unseen, unseen_announced, "bit {bit}");
            loaded += u32::from(unseen);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        // Letters of names and of pieces can change without a trace; counts, types and shapes cannot.
        let bits = u32::try_from(8 * file.header().len()).expect("a small header");
        assert!(loaded > 0 && loaded < bits / 2, "{loaded} of {bits} flips went unseen");
    }
}

#[test]
fn no_flipped_bit_before_the_metadata_goes_unseen() {
    let _alone = alone();
    let mut bytes = tiny::file("f32").bytes();
    for bit in 0..8 * 24 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(load(&bytes, None, bytes.len()).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn random_damage_and_random_chunks_never_panic() {
    let _alone = alone();
    let originals: Vec<_> = ["f32", "f16", "q8"].iter().map(|quantization| tiny::file(quantization).bytes()).collect();
    let mut random = Random::new(2);
    for round in 0..20_000 {
        let mut bytes = originals[round % originals.len()].clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(5) {
                0 => bytes[at] = 0xff,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes.truncate(at + 1),
                3 => drop(bytes.drain(at..(at + random.below(40)).min(bytes.len() - 1).max(at))),
                _ => {
                    let copied = bytes[at..(at + random.below(40)).min(bytes.len())].to_vec();
                    let to = random.below(bytes.len());
                    bytes.splice(to..to, copied);
                }
            }
        }
        let total_bytes = (random.below(2) == 0).then_some(bytes.len() as u64);
        let mut loader = Loader::with_families(total_bytes, tiny::FAMILIES);
        let mut rest = &bytes[..];
        let mut failed = None;
        while !rest.is_empty() {
            let (chunk, others) = rest.split_at(1 + random.below(rest.len().min(300)));
            match (&failed, loader.write(chunk)) {
                (None, result) => failed = result.err(),
                (Some(_), result) => assert!(matches!(result, Err(Error::InvalidState(_)))),
            }
            rest = others;
        }
        let finished = loader.finish();
        if failed.is_some() {
            assert!(matches!(finished, Err(Error::InvalidState(_))));
        }
    }
}

#[test]
fn lying_lengths_take_no_memory_while_the_length_of_the_file_is_not_known() {
    let _alone = alone();
    // Three tensors that would take most of a gibibyte, of which nothing comes.
    let (rows, columns) = (1 << 15, 1 << 12);
    let mut file: GgufFile = tiny::file("f32");
    file.set("tiny.rows", Value::U32(rows));
    file.set("tiny.columns", Value::U32(columns));
    let linear = file.tensor("linear");
    linear.shape = vec![u64::from(rows), u64::from(columns)];
    let mut end = 32 + 4 * u64::from(rows) * u64::from(columns);
    for name in ["vocabulary", "filter", "convolution"] {
        let tensor = file.tensor(name);
        tensor.claimed_offset = Some(end);
        end = (end + tensor.data.len() as u64).next_multiple_of(32);
    }
    let bytes = file.bytes();
    let error = load_counted(&bytes, None, 100).err();
    assert!(matches!(error, Some(Error::IncompleteModel { .. })), "{error:?}");
    // And an array of strings, of which only the length comes.
    let mut array = 8_u32.to_le_bytes().to_vec();
    array.extend((8_000_000_u64).to_le_bytes());
    file.set("tokenizer.ggml.tokens", Value::Raw(9, array));
    let bytes = file.header();
    let at = file.value_offset("tokenizer.ggml.tokens") + 12;
    let error = load_counted(&bytes[..usize::try_from(at).expect("a small header")], None, 100).err();
    assert!(matches!(error, Some(Error::IncompleteModel { .. })), "{error:?}");
}
