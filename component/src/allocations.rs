//! What may not allocate, under an allocator that counts: natively and, built as WebAssembly, in the guest.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::rc::Rc;

use candle_core::{Device, Tensor};

use crate::error::Error;
use crate::family::{Model, ModelTraits, Progress, Transcriber};
use crate::kernels::int8::Int8Matrix;
use crate::kernels::testing::Noise;
use crate::metrics::Meter;
use crate::moonshine::budget::Budget;
use crate::moonshine::config::Config;
use crate::moonshine::decoder::Decoder;
use crate::options::SessionOptions;
use crate::session::Session;
use crate::tokenizer::Tokenizer;
use crate::vad::HOP_SAMPLES;
use crate::vad::silero;
use crate::weights::{Matrix, TensorKind, Weights};

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[allow(unsafe_code)] // An allocator is.
// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// How often `work` asks for memory.
fn calls(work: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

fn config() -> Config {
    Config {
        width: 24,
        encoder_blocks: 1,
        decoder_blocks: 2,
        encoder_feed_forward: 48,
        decoder_feed_forward: 40,
        heads: 2,
        rope_dimensions: 8,
        rope_base: 10_000.0,
        layer_norm_epsilon: 1e-5,
        group_norm_epsilon: 1e-5,
        vocabulary: 70,
        longest_utterance_samples: 480_000,
        max_tokens_per_second: 6.5,
    }
}

/// Weights in 8 bits that mean nothing.
fn weights(config: &Config) -> Weights {
    let mut noise = Noise::new(12);
    let mut weights = Weights::default();
    for spec in config.tensors() {
        let count = spec.shape.iter().product();
        if spec.kind == TensorKind::Plain {
            let tensor = Tensor::from_vec(noise.take(count), spec.shape, &Device::Cpu).expect("a tensor");
            weights.insert_plain(spec.name, tensor);
        } else {
            let values = noise.take(count).iter().map(|x| (x * 100.0) as i8).collect();
            let matrix = Int8Matrix::pack(spec.shape[0], count / spec.shape[0], values, vec![0.01; spec.shape[0]]);
            weights.insert_matrix(spec.name, Matrix::Int8(matrix));
        }
    }
    weights
}

#[test]
fn a_decoding_step_allocates_nothing_once_warm() {
    let config = config();
    let decoder = Decoder::new(&config, &mut weights(&config)).expect("all weights");
    let encoded = Noise::new(2).take(33 * config.width);
    let mut state = decoder.state();
    decoder.make_room(33, 40, &mut state);
    let mut room = vec![0.0; 2 * encoded.len()];
    assert!(decoder.prepare(&encoded, &mut room, &mut state, &mut Budget::default()).expect("shapes fit"));
    let mut next = Vec::with_capacity(8);
    let mut step = |tokens: &[u32]| {
        next.clear();
        decoder.step(tokens, &mut state, &mut next).expect("a step");
    };
    step(&[1]);
    for token in 2..20 {
        assert_eq!(calls(|| step(&[token])), 0, "token {token}");
    }
    // The first draft makes room for as many tokens at once.
    step(&[20, 21, 22]);
    assert_eq!(calls(|| step(&[23, 24, 25])), 0);
    assert_eq!(calls(|| step(&[26])), 0);
}

/// A model that is only there to be asked what it takes.
struct Deaf;

impl Model for Deaf {
    fn traits(&self) -> ModelTraits {
        ModelTraits {
            longest_segment_samples: 480_000,
            shortest_segment_samples: 1,
            frame_hop_samples: 384,
            parameters: 0,
        }
    }

    fn tokenizer(&self) -> &Tokenizer {
        panic!("it has no text")
    }

    fn transcriber(self: Rc<Self>) -> Box<dyn Transcriber> {
        Box::new(Self)
    }
}

impl Transcriber for Deaf {
    fn begin(&mut self, _samples: &[f32], _draft: &[u32], _align: bool) -> Result<(), Error> {
        Err(Error::Internal("it cannot transcribe".into()))
    }

    fn step(&mut self, _meter: &mut Meter) -> Result<Progress, Error> {
        Err(Error::Internal("it cannot transcribe".into()))
    }
}

#[test]
fn pushing_audio_allocates_nothing_after_the_first_block() {
    let options = SessionOptions::suitable(480_000);
    let mut session = Session::open(Rc::new(Deaf), &["en".into()], None, &options, || 0).expect("a session");
    session.push_audio(&[0.1; 160]).expect("room");
    for block in 1..3000 {
        assert_eq!(calls(|| session.push_audio(&[0.1; 160]).expect("room")), 0, "block {block}");
    }
}

#[test]
fn hearing_a_hop_allocates_nothing() {
    let mut detector = silero::tests::detector();
    let hop = [0.1; HOP_SAMPLES];
    for index in 0..3 {
        assert_eq!(calls(|| assert!(detector.process(&hop) > 0.0)), 0, "hop {index}");
    }
    assert_eq!(calls(|| detector.reset()), 0);
}
