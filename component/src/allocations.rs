//! What may not allocate, under an allocator that counts: natively and, built as WebAssembly, in the guest.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::rc::Rc;

use crate::error::Error;
use crate::family::{Model, ModelTraits, Progress, Transcriber};
use crate::kernels::testing::Noise;
use crate::metrics::Meter;
use crate::moonshine::budget::{Budget, STEP_COST};
use crate::moonshine::decoder::Decoder;
use crate::moonshine::testing::{config, model, weights};
use crate::options::SessionOptions;
use crate::session::Session;
use crate::tokenizer::Tokenizer;
use crate::vad::HOP_SAMPLES;
use crate::vad::energy::EnergyDetector;
use crate::vad::silero;

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

#[test]
fn a_decoding_step_allocates_nothing_once_warm() {
    let config = config();
    let decoder = Decoder::new(&config, &mut weights(&config)).expect("all weights");
    let encoded = Noise::new(2).take(33 * config.width);
    let mut state = decoder.state();
    decoder.make_room(33, 40, &mut state);
    let mut room = vec![0.0; 2 * encoded.len()];
    assert!(decoder.prepare(&encoded, &mut room, &mut state, &mut Budget::new(STEP_COST)).expect("shapes fit"));
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

#[test]
fn an_utterance_not_longer_than_one_before_allocates_nothing_but_its_hypothesis() {
    let mut transcriber = model().transcriber();
    let mut meter = Meter::new(|| 0);
    let samples = Noise::new(8).take(80_000);
    let draft = [7; 60];
    let mut transcribe = |samples: &[f32], draft: &[u32]| {
        let begun = calls(|| transcriber.begin(samples, draft, false).expect("samples are taken"));
        let mut steps = Vec::with_capacity(1000);
        loop {
            let mut progress = Progress::Working;
            steps.push(calls(|| progress = transcriber.step(&mut meter).expect("a step")));
            if let Progress::Done(hypothesis) = progress {
                return (begun, steps, hypothesis);
            }
        }
    };
    transcribe(&samples, &[]);
    for (count, draft) in [(80_000, &draft[..0]), (48_000, &draft), (1_500, &draft[..3]), (79_999, &draft[..20])] {
        let (begun, mut steps, hypothesis) = transcribe(&samples[..count], draft);
        assert!(!hypothesis.tokens.is_empty(), "{count}");
        assert_eq!((begun, steps.pop()), (0, Some(1)), "{count}");
        assert!(steps.iter().all(|&calls| calls == 0), "{count}: {steps:?}");
    }
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

#[test]
fn detecting_speech_allocates_nothing() {
    let mut detector = EnergyDetector::new();
    let mut noise = Noise::new(3);
    for hop in 0..200 {
        let samples = std::array::from_fn(|_| 0.1 * noise.next());
        assert_eq!(calls(|| drop(detector.process(&samples))), 0, "hop {hop}");
    }
    assert_eq!(calls(|| detector.reset()), 0);
}
