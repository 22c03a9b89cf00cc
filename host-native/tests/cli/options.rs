//! Arguments, sensible and not.

use crate::run::{Bench, auricle, run};

#[test]
fn arguments_that_make_no_sense_are_refused_before_any_work() {
    let cases: [(&[&str], &str); 17] = [
        (&[], "required arguments were not provided"),
        (&["-f", "all", "a.wav"], "name a folder with --output-dir"),
        (&["-", "-"], "standard input can be read only once"),
        (&["-f", "docx", "a.wav"], "possible values: txt, srt, vtt, tsv, json, all"),
        (&["--task", "sing", "a.wav"], "possible values: transcribe, translate"),
        (&["--flavour", "vanilla", "a.wav"], "possible values: simd128, relaxed-simd"),
        (&["--max-line-width", "40", "a.wav"], "--max-line-width lays out words by their times: add --word-timestamps"),
        (&["--highlight_words", "a.wav"], "--highlight-words lays out words by their times: add --word-timestamps"),
        (&["--word_timestamps", "--max_words_per_line", "0", "a.wav"], "not a whole number above 0"),
        (&["--jobs", "0", "a.wav"], "0 is not in 1..=256"),
        (&["--json-lines", "-f", "srt", "a.wav"], "cannot be used with '--output-format"),
        (&["--realtime", "-j", "2", "a.wav"], "cannot be used with '--jobs"),
        (&["--partials", "eager", "a.wav"], "leave --partials out, or add --realtime"),
        (&["--stdin-format", "s16le", "a.wav"], "give `-` for FILE, and no other"),
        (&["--rate", "8000", "-"], "--stdin-format <FORMAT>"),
        (&["--stdin-format", "s16le", "--channels", "0", "-"], "invalid value '0' for '--channels <N>'"),
        (&["--max-segment-s=-1", "a.wav"], "not a number of seconds above 0"),
    ];
    for (arguments, words) in cases {
        let outcome = run(auricle().arg("transcribe").args(arguments));
        assert_eq!((outcome.code, outcome.out.as_str()), (2, ""), "{outcome:?}");
        assert!(outcome.err.contains(words), "{outcome:?}");
        assert!(!outcome.err.contains("Usage:") || outcome.err.contains("Usage: auricle transcribe"), "{outcome:?}");
    }
}

#[test]
fn arguments_of_listening_that_make_no_sense_are_refused_before_any_work() {
    let cases: [(&[&str], &str); 4] = [
        (&["--stdin-format", "mp3"], "possible values: s16le, f32le"),
        (&["--rate", "8000"], "--stdin-format <FORMAT>"),
        (&["--stdin-format", "s16le", "--rate", "999"], "999 is not in 1000..=768000"),
        (&["--device", "x", "--stdin-format", "s16le"], "'--device <NAME>' cannot be used with '--stdin-format"),
    ];
    for (arguments, words) in cases {
        let outcome = run(auricle().arg("listen").args(arguments));
        assert_eq!((outcome.code, outcome.out.as_str()), (2, ""), "{outcome:?}");
        assert!(outcome.err.contains(words), "{outcome:?}");
    }
}

#[test]
fn segment_longer_than_the_model_takes_is_refused_with_its_limit() {
    let bench = Bench::new();
    let mut command = auricle();
    command.args(["transcribe", "--max-segment-s", "31", "--model"]).arg(&bench.model).arg(bench.speech());
    run(&mut command).assert_refused(&["--max-segment-s: 31 s is not between 0 and the 30 s that the model takes"]);
}

#[test]
fn network_that_the_model_file_lacks_is_refused_as_the_option_that_asks_for_it() {
    let bench = Bench::new();
    let mut command = auricle();
    command.args(["transcribe", "--vad", "neural", "--model"]).arg(&bench.model).arg(bench.speech());
    run(&mut command).assert_refused(&["tiny.gguf: --vad: ", "leave the option out"]);
}

#[test]
fn language_of_the_model_is_taken_with_any_region_and_others_are_refused_with_its_name() {
    let bench = Bench::new();
    let transcribe = |language: &str| {
        let mut command = auricle();
        command.args(["transcribe", "-q", "--language", language, "--model"]).arg(&bench.model).arg(bench.speech());
        run(&mut command)
    };
    for language in ["en", "en-GB", "EN"] {
        transcribe(language).assert_done(&[]);
    }
    transcribe("fr").assert_refused(&["tiny.gguf: --language: the model speaks en, not `fr`", "leave the option out"]);
    transcribe("!").assert_refused(&["--language: the value is not a BCP 47 tag such as `en`"]);
}

#[test]
fn translation_is_refused_by_a_model_that_only_transcribes() {
    let bench = Bench::new();
    let mut command = auricle();
    command.args(["transcribe", "--task", "translate", "--model"]).arg(&bench.model).arg(bench.speech());
    run(&mut command).assert_refused(&["tiny.gguf: --task: the model transcribes and does not translate", "--model"]);
}

#[test]
fn model_that_is_not_there_is_refused_with_the_names_of_those_that_are() {
    let bench = Bench::new();
    for model in ["no-such-model", "folder/no-such-model.gguf", ""] {
        bench.transcribe_with(model).assert_refused(&[&format!("`{model}`"), "Known models: moonshine-tiny-en"]);
    }
    let folder = bench.folder.path();
    bench.transcribe_with(folder).assert_refused(&[&folder.display().to_string(), "It is a folder", ".gguf"]);
}
