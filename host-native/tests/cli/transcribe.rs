//! Recordings in, text out.

use std::process::Stdio;

use crate::run::{JFK, ONE_SEGMENT, auricle, cache, run};
use crate::support::{home, model_path, testdata_path};

#[test]
fn text_goes_to_standard_output_and_the_timing_to_standard_error() {
    if model_path("q8").is_none() {
        return;
    }
    let path = testdata_path("jfk.wav");
    let loud = run(auricle().arg("transcribe").args(ONE_SEGMENT).arg(&path));
    assert_eq!((loud.code, loud.out), (0, format!("{JFK}\n")));
    let timing = loud.err.strip_prefix(&format!("{}: 11.00 s of audio in ", path.display())).expect(&loud.err);
    assert!(timing.ends_with(" × real time)\n"), "{timing}");

    let quiet = run(auricle().args(["transcribe", "--quiet"]).args(ONE_SEGMENT).arg(&path));
    assert_eq!((quiet.code, quiet.out, quiet.err), (0, format!("{JFK}\n"), String::new()));
}

#[test]
fn standard_input_is_read_whatever_its_format() {
    if model_path("q8").is_none() {
        return;
    }
    let wav = std::fs::read(testdata_path("jfk.wav")).unwrap();
    let outcome = run(auricle().args(["transcribe", "-"]).args(ONE_SEGMENT).write_stdin(wav));
    assert_eq!((outcome.code, outcome.out), (0, format!("{JFK}\n")));
    assert!(outcome.err.starts_with("standard input: 11.00 s of audio"), "{}", outcome.err);

    let mp3 = std::fs::read(testdata_path("audio/jfk-1s-16k-mono.mp3")).unwrap();
    let outcome = run(auricle().args(["transcribe", "--quiet", "-"]).write_stdin(mp3));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.starts_with("And so"), "{outcome:?}");
}

#[test]
fn every_compressed_format_is_transcribed_and_the_one_that_is_not_read_is_named() {
    if model_path("q8").is_none() {
        return;
    }
    let names = ["16k-mono.aac", "16k-mono.flac", "16k-mono.m4a", "16k-mono.mp3", "16k-mono.ogg", "44k1-stereo.mp3"];
    let paths = names.map(|name| testdata_path(&format!("audio/jfk-1s-{name}")));
    let outcome = run(auricle().args(["transcribe", "--quiet"]).args(paths));
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{outcome:?}");
    let lines: Vec<_> = outcome.out.lines().collect();
    assert_eq!(lines.len(), names.len(), "{outcome:?}");
    assert!(lines.iter().all(|line| line.starts_with("And so")), "{outcome:?}");

    let opus = run(auricle().args(["transcribe"]).arg(testdata_path("audio/jfk-1s-opus.ogg")));
    opus.assert_refused(&["jfk-1s-opus.ogg: Opus in Ogg is not supported", "ffmpeg"]);
}

#[test]
fn files_that_fail_do_not_keep_the_others_from_being_done_in_order() {
    if model_path("q8").is_none() {
        return;
    }
    let (speech, short) = (testdata_path("jfk.wav"), testdata_path("audio/jfk-1s-16k-mono.flac"));
    let (text, missing) = (testdata_path("README.md"), testdata_path("missing.wav"));
    let outcome =
        run(auricle().args(["transcribe", "--quiet"]).args(ONE_SEGMENT).args([&missing, &speech, &text, &short]));
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let lines: Vec<_> = outcome.out.lines().collect();
    assert!(matches!(lines[..], [first, second] if first == JFK && second.starts_with("And so")), "{outcome:?}");
    let errors: Vec<_> = outcome.err.lines().collect();
    let [first, second] = errors[..] else { panic!("{outcome:?}") };
    assert!(first.starts_with(&format!("auricle: {}: no such file", missing.display())), "{first}");
    assert!(second.starts_with(&format!("auricle: {}: not audio", text.display())), "{second}");
}

#[test]
fn models_are_found_by_name_by_name_and_quantization_and_by_path() {
    let (Some(q8), Some(_), Some(_)) = (model_path("q8"), model_path("f16"), model_path("f32")) else { return };
    let models = ["moonshine-tiny-en", "moonshine-tiny-en-f16", "moonshine-tiny-en-f32", q8.to_str().unwrap()];
    for model in models {
        let mut command = auricle();
        let outcome =
            run(command.args(["transcribe", "-q", "--model", model]).args(ONE_SEGMENT).arg(testdata_path("jfk.wav")));
        assert_eq!((outcome.code, outcome.out), (0, format!("{JFK}\n")), "{model}: {}", outcome.err);
    }
}

#[test]
fn recording_of_any_length_is_transcribed_segment_by_segment() {
    let Some(path) = crate::support::sample_path("two_cities.wav") else { return };
    if model_path("q8").is_none() {
        return;
    }
    let outcome = run(auricle().args(["transcribe", "--quiet", "-f", "tsv"]).arg(&path));
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{outcome:?}");
    let rows: Vec<Vec<&str>> = outcome.out.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    assert!(rows.len() >= 3, "{rows:?}");
    let times = rows.iter().flat_map(|row| [&row[0], &row[1]].map(|ms| ms.parse::<u32>().unwrap()));
    let times: Vec<_> = times.collect();
    assert!(times.is_sorted() && times.last().is_some_and(|&end| (40_000..45_000).contains(&end)), "{times:?}");
    assert!(rows[0][2].starts_with("It was the best of times") && outcome.out.contains("comparison only"), "{rows:?}");
}

#[test]
fn files_on_several_engines_give_what_they_give_on_one_in_the_order_of_the_arguments() {
    if model_path("q8").is_none() {
        return;
    }
    let (speech, short) = (testdata_path("jfk.wav"), testdata_path("audio/jfk-1s-16k-mono.flac"));
    let (text, missing) = (testdata_path("README.md"), testdata_path("missing.wav"));
    let files = [&speech, &missing, &short, &speech, &text, &short];
    for output in [&["-f", "txt"][..], &["-f", "json"], &["--json-lines"]] {
        let one = run(auricle().args(["transcribe", "--quiet"]).args(output).args(files));
        assert!(one.code == 1 && one.out.contains("fellow"), "{one:?}");
        for jobs in ["2", "3", "100"] {
            let many = run(auricle().args(["transcribe", "--quiet", "--jobs", jobs]).args(output).args(files));
            assert_eq!((many.code, many.out, many.err), (1, one.out.clone(), one.err.clone()), "{jobs} {output:?}");
        }
    }
}

/// Runs it with the read end of standard output or standard error closed, and gives the exit code and the other stream.
fn with_closed(stdout: bool) -> (Option<i32>, String) {
    auricle();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("auricle"))
        .arg("transcribe")
        .args(ONE_SEGMENT)
        .args([testdata_path("jfk.wav"), testdata_path("jfk.wav"), testdata_path("missing.wav")])
        .envs([("AURICLE_HOME", home()), ("AURICLE_CACHE", cache())])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    if stdout {
        drop(child.stdout.take());
    } else {
        drop(child.stderr.take());
    }
    let output = child.wait_with_output().unwrap();
    let other = if stdout { output.stderr } else { output.stdout };
    (output.status.code(), String::from_utf8(other).unwrap())
}

#[test]
fn closed_standard_output_ends_the_run_without_a_word_about_it() {
    if model_path("q8").is_none() {
        return;
    }
    let (code, err) = with_closed(true);
    assert_eq!(code, Some(1), "{err}");
    // The one line is the timing of the file whose text found no reader; the other files are not tried.
    assert!(err.lines().count() == 1 && err.contains("s of audio"), "{err}");
}

#[test]
fn closed_standard_error_takes_nothing_from_the_transcripts() {
    if model_path("q8").is_none() {
        return;
    }
    let (code, out) = with_closed(false);
    assert_eq!((code, out), (Some(1), format!("{JFK}\n{JFK}\n")));
}
