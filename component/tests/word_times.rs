//! Times of words, on clips of words at known positions and on a recording of a person.
//!
//! Needs the model files that `cargo xtask test` installs in `AURICLE_HOME`. Where they are absent these tests skip, except
//! in CI.

#[path = "support/files.rs"]
mod files;

use std::ops::Range;
use std::rc::Rc;

use auricle_component::alignment::word_spans;
use auricle_component::family::{Hypothesis, Model, Progress};
use auricle_component::loader::Loader;
use auricle_component::metrics::{Meter, Stage};
use files::{beside, found, home, samples};

const SAMPLES_PER_MS: usize = 16;

fn load(quantization: &str) -> Option<Rc<dyn Model>> {
    let path = home(&format!("models/moonshine-tiny-en-{quantization}.gguf"));
    if !found(&path) {
        return None;
    }
    let file = std::fs::read(path).expect("a readable file");
    let mut loader = Loader::new(Some(file.len() as u64));
    for chunk in file.chunks(1 << 20) {
        loader.write(chunk).expect("the model file is well formed");
    }
    Some(loader.finish().expect("the model file is whole").model)
}

/// The hypothesis, and how many steps its alignment took.
fn transcribe(model: &Rc<dyn Model>, samples: &[f32], draft: &[u32], align: bool) -> (Hypothesis, u64) {
    let mut transcriber = Rc::clone(model).transcriber();
    transcriber.begin(samples, draft, align).expect("samples are taken");
    let mut meter = Meter::new(|| 0);
    loop {
        if let Progress::Done(hypothesis) = transcriber.step(&mut meter).expect("a step") {
            let steps = meter.stages().find(|(stage, _)| *stage == Stage::Alignment).map_or(0, |(_, cost)| cost.steps);
            return (hypothesis, steps);
        }
    }
}

fn ids(hypothesis: &Hypothesis) -> Vec<u32> {
    hypothesis.tokens.iter().map(|token| token.id).collect()
}

/// Words and where they were spoken, as a segment would have them.
fn timed_words(model: &Rc<dyn Model>, samples: &[f32]) -> Vec<(String, Range<usize>)> {
    let (hypothesis, _) = transcribe(model, samples, &[], true);
    let (texts, ranges): (Vec<String>, Vec<Range<usize>>) =
        model.tokenizer().words(&ids(&hypothesis)).into_iter().unzip();
    texts.into_iter().zip(word_spans(&hypothesis.token_spans, &ranges, samples)).collect()
}

/// Words of `testdata/words/words.tsv`: clip, word, and where it is.
fn known_words() -> Vec<(String, String, Range<usize>)> {
    let table = std::fs::read_to_string(beside("../testdata/words/words.tsv")).expect("a readable file");
    let row = |row: &str| {
        let [clip, word, start, end] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("a row has four columns")
        };
        let sample = |text: &str| text.parse::<usize>().expect("a sample");
        (clip.to_owned(), word.to_owned(), sample(start)..sample(end))
    };
    table.lines().skip(1).map(row).collect()
}

/// The same words with other pauses between them, repeated in turn, and white noise of an amplitude under them.
fn spaced(
    samples: &[f32],
    words: &[(String, Range<usize>)],
    gaps_ms: &[usize],
    noise: f32,
) -> (Vec<f32>, Vec<(String, Range<usize>)>) {
    let mut clip = vec![0.0; 300 * SAMPLES_PER_MS];
    let mut placed = Vec::new();
    for ((word, span), gap_ms) in words.iter().zip(gaps_ms.iter().cycle()) {
        placed.push((word.clone(), clip.len()..clip.len() + span.len()));
        clip.extend_from_slice(&samples[span.clone()]);
        clip.resize(clip.len() + gap_ms * SAMPLES_PER_MS, 0.0);
    }
    // A linear congruential generator (Knuth's MMIX), so that every run hears the same.
    let mut state = 1u64;
    for sample in &mut clip {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *sample += noise * ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0);
    }
    (clip, placed)
}

/// Which words of two texts are the same, in a longest common sequence.
fn common(left: &[String], right: &[String]) -> Vec<(usize, usize)> {
    let mut longest = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            longest[i][j] =
                if left[i] == right[j] { longest[i + 1][j + 1] + 1 } else { longest[i + 1][j].max(longest[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < left.len() && j < right.len() {
        if left[i] == right[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[i + 1][j] >= longest[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

fn bare(word: &str) -> String {
    word.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The value that so many hundredths of these do not exceed.
fn percentile(values: &[usize], hundredths: usize) -> usize {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * hundredths).div_ceil(100).max(1) - 1]
}

#[test]
fn words_start_and_end_where_they_were_put() {
    let Some(model) = load("q8") else { return };
    let known = known_words();
    let mut clips: Vec<&str> = known.iter().map(|(clip, ..)| clip.as_str()).collect();
    clips.dedup();
    // Pauses in ms, short and long, even and not, and the noise's amplitude, at which words have a peak of 0.6.
    let spacings: [(&[usize], f32); 4] =
        [(&[80], 0.0), (&[300, 60, 150], 0.0), (&[90, 700, 180], 0.003), (&[400, 100], 0.01)];
    let (mut all, mut right) = (0, 0);
    let (mut start_errors_ms, mut end_errors_ms) = (Vec::new(), Vec::new());
    for clip in clips {
        let original = samples(&beside(&format!("../testdata/words/{clip}.wav")));
        let words: Vec<(String, Range<usize>)> =
            known.iter().filter(|(of, ..)| of == clip).map(|(_, word, span)| (word.clone(), span.clone())).collect();
        let respaced = spacings.iter().map(|&(gaps_ms, noise)| spaced(&original, &words, gaps_ms, noise));
        for (samples, words) in [(original.clone(), words.clone())].into_iter().chain(respaced) {
            let timed = timed_words(&model, &samples);
            let texts = |words: &[(String, Range<usize>)]| words.iter().map(|(text, _)| bare(text)).collect::<Vec<_>>();
            let pairs = common(&texts(&timed), &texts(&words));
            all += words.len();
            right += pairs.len();
            for (is, want) in pairs.into_iter().map(|(is, want)| (&timed[is].1, &words[want].1)) {
                if is.start.abs_diff(want.start).max(is.end.abs_diff(want.end)) > 60 * SAMPLES_PER_MS {
                    println!("{clip}: {is:?} should be {want:?}");
                }
                start_errors_ms.push(is.start.abs_diff(want.start) / SAMPLES_PER_MS);
                end_errors_ms.push(is.end.abs_diff(want.end) / SAMPLES_PER_MS);
            }
        }
    }
    println!("{right} of {all} words are right");
    assert!(right * 100 >= all * 80, "{right} of {all} words are right, too few to judge their times");
    for (what, errors_ms) in [("starts", start_errors_ms), ("ends", end_errors_ms)] {
        let (median, most) = (percentile(&errors_ms, 50), percentile(&errors_ms, 95));
        println!("{what}: median error {median} ms, 95 % within {most} ms");
        assert!(median <= 20 && most <= 150, "{what}: median error {median} ms, 95 % within {most} ms");
    }
}

#[test]
fn times_have_the_same_bits_whatever_the_draft_and_change_no_token() {
    for quantization in ["q8", "f32"] {
        let Some(model) = load(quantization) else { return };
        let samples = samples(&beside("../testdata/words/kitchen.wav"));
        let (plain, _) = transcribe(&model, &samples, &[], false);
        assert!(plain.token_spans.is_empty());
        let (timed, steps) = transcribe(&model, &samples, &[], true);
        assert_eq!(timed.tokens, plain.tokens);
        assert_eq!(timed.token_spans.len(), timed.tokens.len());
        assert_eq!(steps, 1, "{quantization}: a few seconds are aligned in one step");
        let right = ids(&plain);
        let wrong_at = |at: usize| [&right[..at], &[5, 6, 7], &right[at..]].concat();
        for draft in [right.clone(), wrong_at(5), [right.as_slice(), &[5; 20]].concat()] {
            assert_eq!(transcribe(&model, &samples, &draft, true).0, timed, "{quantization}");
        }
    }
}

#[test]
fn fluent_speech_has_words_where_a_person_hears_them() {
    let Some(model) = load("q8") else { return };
    let samples = samples(&beside("../testdata/jfk.wav"));
    let words = timed_words(&model, &samples);
    let mut last = 0;
    for (word, span) in &words {
        println!("{:6.2} {:6.2}  {word}", span.start as f64 / 16_000.0, span.end as f64 / 16_000.0);
        assert!(last <= span.start && span.start < span.end && span.end <= samples.len(), "{word}: {span:?}");
        last = span.end;
    }
    // What stands beside a pause, to be seen in the wave.
    let beside_pauses = [
        (0, "And", Some(320), None),
        (4, "Americans", None, Some(2150)),
        (5, "ask", Some(3290), Some(3700)),
        (6, "not", Some(3950), Some(4330)),
        (7, "what", Some(5400), None),
        (13, "you,", None, Some(7600)),
        (14, "ask", Some(8190), None),
    ];
    for (index, text, start_ms, end_ms) in beside_pauses {
        let (word, span) = &words[index];
        assert_eq!(word, text);
        for (is, want_ms) in [(span.start, start_ms), (span.end, end_ms)] {
            let error_ms = want_ms.map_or(0, |want_ms: usize| (is / SAMPLES_PER_MS).abs_diff(want_ms));
            assert!(error_ms <= 100, "{word} is at {span:?}");
        }
    }
}
