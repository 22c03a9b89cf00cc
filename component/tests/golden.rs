//! The whole model in F32 against an independent implementation, and the smaller files against the same text.
//!
//! Needs the model files and samples that `cargo xtask test` installs in `AURICLE_HOME`, and the reference outputs beside
//! the repository. Where either is absent these tests skip, except in CI.

#[path = "support/files.rs"]
mod files;

use std::cell::RefCell;
use std::rc::Rc;

use auricle_component::error::Error;
use auricle_component::family::{Family, Hypothesis, Model, Plan, Progress, Token};
use auricle_component::gguf::Metadata;
use auricle_component::loader::Loader;
use auricle_component::metrics::{Meter, Stage};
use auricle_component::moonshine::budget::STEP_COST;
use auricle_component::moonshine::config::Config;
use auricle_component::moonshine::{Moonshine, MoonshineModel};
use auricle_component::tokenizer::Tokenizer;
use auricle_component::weights::{TensorSpec, Weights};
use files::{beside, found, home, samples};
use serde_json::{Map, Value};

/// Channels of the encoder's states.
const WIDTH: usize = 288;

thread_local! {
    static LOADED: RefCell<Option<Rc<MoonshineModel>>> = const { RefCell::new(None) };
}

/// Moonshine, keeping hold of the model that was built, so that the encoder's states can be looked at.
struct Watched;
struct WatchedPlan(Config);

impl Family for Watched {
    fn architecture(&self) -> &'static str {
        Moonshine.architecture()
    }

    fn plan(&self, metadata: &Metadata) -> Result<Box<dyn Plan>, Error> {
        Ok(Box::new(WatchedPlan(Config::read(metadata)?)))
    }
}

impl Plan for WatchedPlan {
    fn tensors(&self) -> Vec<TensorSpec> {
        self.0.tensors()
    }

    fn build(self: Box<Self>, weights: Weights, tokenizer: Tokenizer) -> Result<Rc<dyn Model>, Error> {
        let model = Rc::new(MoonshineModel::new(self.0, weights, tokenizer)?);
        LOADED.with(|loaded| *loaded.borrow_mut() = Some(Rc::clone(&model)));
        Ok(model)
    }
}

fn load(quantization: &str) -> Option<Rc<MoonshineModel>> {
    let path = home(&format!("models/moonshine-tiny-en-{quantization}.gguf"));
    if !found(&path) {
        return None;
    }
    let file = std::fs::read(path).expect("a readable file");
    let mut loader = Loader::with_families(Some(file.len() as u64), &[&Watched]);
    for chunk in file.chunks(1 << 20) {
        loader.write(chunk).expect("the model file is well formed");
    }
    loader.finish().expect("the model file is whole");
    LOADED.with(|loaded| loaded.borrow_mut().take())
}

/// A clip's name, its samples, and the reference's outputs for it.
type Clip = (String, Vec<f32>, Map<String, Value>);

/// The reference outputs, clip by clip.
fn golden() -> Option<Vec<Clip>> {
    let path = beside("../../shared/golden/moonshine-tiny-en.json");
    if !found(&path) {
        return None;
    }
    let text = std::fs::read_to_string(path).expect("a readable file");
    let golden: Value = serde_json::from_str(&text).expect("JSON");
    let clips = golden["clips"].as_object().expect("clips by name");
    let clip = |(name, clip): (&String, &Value)| {
        let path = match name.as_str() {
            "jfk" => beside("../testdata/jfk.wav"),
            sample => home(&format!("samples/{sample}.wav")),
        };
        (name.clone(), samples(&path), clip.as_object().expect("a clip").clone())
    };
    Some(clips.iter().map(clip).collect())
}

fn transcribe(model: &Rc<MoonshineModel>, samples: &[f32]) -> Hypothesis {
    transcribe_with_draft(model, samples, Vec::new()).0
}

/// The hypothesis and how many steps the decoder took.
fn transcribe_with_draft(model: &Rc<MoonshineModel>, samples: &[f32], draft: Vec<u32>) -> (Hypothesis, u64) {
    let mut transcriber = Rc::clone(model).transcriber();
    transcriber.begin(samples, &draft, false).expect("samples are taken");
    let mut meter = Meter::new(|| 0);
    loop {
        if let Progress::Done(hypothesis) = transcriber.step(&mut meter).expect("a step") {
            let decoder = meter.stages().find(|(stage, _)| *stage == Stage::Decoder).expect("the decoder ran");
            return (hypothesis, decoder.1.steps);
        }
    }
}

fn numbers(value: &Value) -> impl Iterator<Item = f64> {
    value.as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number"))
}

#[test]
fn f32_agrees_with_the_reference_in_states_tokens_and_log_probabilities() {
    let (Some(clips), Some(model)) = (golden(), load("f32")) else { return };
    for (name, samples, clip) in clips {
        assert_eq!(samples.len() as u64, clip["samples"].as_u64().expect("a count"), "{name}");

        let states = model.encode(&samples).expect("states");
        let states: Vec<&[f32]> = states.chunks_exact(WIDTH).collect();
        assert_eq!(states.len() as u64, clip["frames"].as_u64().expect("a count"), "{name}");
        for (key, row) in [("first", 0), ("middle", states.len() / 2), ("last", states.len() - 1)] {
            for (&is, want) in states[row].iter().zip(numbers(&clip[&format!("encoder_{key}_row_first8")])) {
                assert!((f64::from(is) - want).abs() < 2e-3, "{name}, {key} row: {is} and {want}");
            }
        }
        let count = states.len() * states[0].len();
        let rms = (states.iter().copied().flatten().map(|&x| f64::from(x).powi(2)).sum::<f64>() / count as f64).sqrt();
        assert!((rms - clip["encoder_rms"].as_f64().expect("a number")).abs() < 1e-4, "{name}: {rms}");

        let tokens = transcribe(&model, &samples).tokens;
        // The reference also lists the start and the end token.
        let ids: Vec<f64> = tokens.iter().map(|token| f64::from(token.id)).collect();
        let want: Vec<f64> = numbers(&clip["token_ids"]).collect();
        assert_eq!(ids, want[1..want.len() - 1], "{name}");
        for (token, step) in tokens.iter().zip(clip["steps"].as_array().expect("steps")) {
            let want = step["logprob"].as_f64().expect("a number");
            let error = (f64::from(token.log_probability) - want).abs();
            assert!(error < 2e-2, "{name}, token {}: {} and {want}", token.id, token.log_probability);
        }
    }
}

#[test]
fn f16_and_q8_give_the_text_of_the_reference() {
    for quantization in ["f16", "q8"] {
        let (Some(clips), Some(model)) = (golden(), load(quantization)) else { return };
        for (name, samples, clip) in clips {
            let hypothesis = transcribe(&model, &samples);
            let ids: Vec<u32> = hypothesis.tokens.iter().map(|token| token.id).collect();
            assert_eq!(
                model.tokenizer().decode(&ids),
                clip["text"].as_str().expect("a text"),
                "{name}, {quantization}"
            );
            assert!(!hypothesis.hit_token_rate, "{name}, {quantization}");
        }
    }
}

#[test]
fn no_step_of_encoding_in_8_bits_has_more_multiply_adds_than_a_step_may_cost() {
    let (Some(clips), Some(model)) = (golden(), load("q8")) else { return };
    let longest = clips.iter().map(|(_, samples, _)| samples).max_by_key(|samples| samples.len()).expect("a clip");
    // As long as the model takes.
    let samples: Vec<f32> = longest.iter().copied().cycle().take(model.traits().longest_segment_samples).collect();
    let mut transcriber = Rc::clone(&model).transcriber();
    transcriber.begin(&samples, &[], false).expect("samples are taken");
    let mut meter = Meter::new(|| 0);
    let booked = |meter: &Meter| meter.stages().map(|(_, cost)| cost.multiply_adds).sum::<u64>();
    let mut steps = 0;
    while meter.stages().all(|(stage, _)| stage != Stage::Decoder) {
        let before = booked(&meter);
        assert_eq!(transcriber.step(&mut meter).expect("a step"), Progress::Working);
        let done = booked(&meter) - before;
        assert!(done <= STEP_COST, "{done} multiply-adds in step {steps}");
        steps += 1;
    }
    assert!(booked(&meter) > 50 * STEP_COST, "the work was not that of thirty seconds");
}

#[test]
fn a_draft_however_wrong_gives_the_bits_of_plain_decoding_in_fewer_steps_the_more_of_it_is_right() {
    for quantization in ["q8", "f32"] {
        let (Some(clips), Some(model)) = (golden(), load(quantization)) else { return };
        for (name, samples, _) in clips.into_iter().take(2) {
            let (plain, plain_steps) = transcribe_with_draft(&model, &samples, Vec::new());
            let ids: Vec<u32> = plain.tokens.iter().map(|token| token.id).collect();
            let bits = |hypothesis: &Hypothesis| -> Vec<(u32, u32, u32)> {
                let token = |t: &Token| (t.id, t.log_probability.to_bits(), t.entropy.to_bits());
                hypothesis.tokens.iter().map(token).collect()
            };
            assert_eq!(plain_steps, ids.len() as u64 + 1, "a step a token, and one for the end");
            for wrong in (0..=ids.len()).step_by(4) {
                let mut draft = ids.clone();
                if let Some(token) = draft.get_mut(wrong) {
                    *token = (*token + 1) % 32_768;
                }
                let (drafted, steps) = transcribe_with_draft(&model, &samples, draft);
                // In 8 bits eight at a time up to the wrong one, and one by one after it; in floats always one by one.
                let together = if quantization == "q8" { 8 } else { 1 };
                let most = (wrong as u64 + 1).div_ceil(together) + (ids.len() - wrong) as u64;
                assert_eq!(bits(&drafted), bits(&plain), "{name}, {quantization}, wrong at {wrong}");
                assert!(steps <= most, "{name}, {quantization}: {steps} steps, wrong at {wrong}");
            }
            // Too short, and too long.
            for draft in [ids[..3].to_vec(), [ids.as_slice(), &[5; 40]].concat()] {
                assert_eq!(bits(&transcribe_with_draft(&model, &samples, draft).0), bits(&plain), "{name}");
            }
        }
    }
}
