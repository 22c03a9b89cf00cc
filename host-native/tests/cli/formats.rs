//! Output formats and output folders.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::audio_support::Wav;
use crate::run::{Bench, JFK, auricle, run};
use crate::support::{model_path, testdata_path};

const FORMATS: [&str; 5] = ["txt", "srt", "vtt", "tsv", "json"];

#[test]
fn every_format_is_the_same_on_standard_output_and_in_a_folder() {
    if model_path("q8").is_none() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let path = testdata_path("jfk.wav");
    let all = folder.path().join("new/folder");
    let outcome = run(auricle().args(["transcribe", "--quiet", "-f", "all", "-o"]).arg(&all).arg(&path));
    assert_eq!((outcome.code, outcome.out.as_str(), outcome.err.as_str()), (0, "", ""));
    let mut names: Vec<_> = fs::read_dir(&all).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["jfk.json", "jfk.srt", "jfk.tsv", "jfk.txt", "jfk.vtt"]);

    let mut written = FORMATS.map(|format| fs::read_to_string(all.join(format!("jfk.{format}"))).unwrap());
    for (format, file) in FORMATS.iter().zip(&written) {
        let outcome = run(auricle().args(["transcribe", "--quiet", "-f", format]).arg(&path));
        // A stream ends its last line, also where whisper's file does not.
        let expected = if *format == "json" { format!("{file}\n") } else { file.clone() };
        assert_eq!((outcome.code, outcome.out), (0, expected), "{format}");
    }

    let json = written[4].clone();
    let cue = format!("00:00:00,000 --> 00:00:11,000\n{JFK}\n\n");
    let expected = [
        format!("{JFK}\n"),
        format!("1\n{cue}"),
        format!("WEBVTT\n\n{}", cue.replace(",000", ".000").replace("00:00:", "00:")),
        format!("start\tend\ttext\n0\t11000\t{JFK}\n"),
        String::new(),
    ];
    written[4].clear();
    assert_eq!(written, expected);
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((value["text"].as_str(), value["language"].as_str()), (Some(format!(" {JFK}").as_str()), Some("en")));
    let segment = &value["segments"][0];
    assert_eq!((segment["start"].as_f64(), segment["end"].as_f64()), (Some(0.0), Some(11.0)));
    assert_eq!(segment["text"], value["text"]);
    assert!(segment["avg_logprob"].as_f64().is_some_and(|score| (-1.0..0.0).contains(&score)), "{segment}");
    assert!(segment["no_speech_prob"].is_null() && segment["tokens"].as_array().is_some_and(|ids| ids.len() > 20));
}

#[test]
fn silence_gives_no_line_of_text_and_the_empty_form_of_every_other_format() {
    let bench = Bench::new();
    let path = bench.file("silence.wav", Wav::of_i16(&[0; 48_000]).bytes());
    let transcribe = |format: &str| {
        let mut command = auricle();
        run(command.args(["transcribe", "-q", "-f", format, "--model"]).arg(&bench.model).arg(&path))
    };
    for format in ["txt", "srt", "vtt", "tsv"] {
        let expected = fs::read_to_string(testdata_path("formats/empty").with_extension(format)).unwrap();
        let outcome = transcribe(format);
        assert_eq!((outcome.code, outcome.out, outcome.err.as_str()), (0, expected, ""), "{format}");
    }
    // Nobody can tell the language of silence.
    let expected = "{\"text\": \"\", \"segments\": [], \"language\": null}\n";
    assert_eq!(transcribe("json").out, expected);
}

#[test]
fn standard_input_has_a_name_in_the_folder() {
    let bench = Bench::new();
    let wav = fs::read(bench.noise()).unwrap();
    let folder = bench.folder.path().join("out");
    let mut command = auricle();
    command.args(["transcribe", "-q", "-", "-o"]).arg(&folder).arg("--model").arg(&bench.model).write_stdin(wav);
    run(&mut command).assert_done(&[]);
    assert!(folder.join("stdin.txt").is_file());
}

#[test]
fn second_file_of_one_name_does_not_replace_the_transcript_of_the_first() {
    let bench = Bench::new();
    let noise = bench.noise();
    // The content tells the format, so that the ending may be any.
    let silence = bench.file("noise.flac", Wav::of_i16(&[0; 16_000]).bytes());
    let folder = bench.folder.path().join("out");
    let mut command = auricle();
    command.args(["transcribe", "-q", "--model"]).arg(&bench.model).arg("-o").arg(&folder).args([&noise, &silence]);
    let outcome = run(&mut command);
    outcome.assert_refused(&[
        &format!("{}: its transcript would replace that of {}", silence.display(), noise.display()),
        "another folder",
    ]);
    let alone = run(auricle().args(["transcribe", "-q", "--model"]).arg(&bench.model).arg(&noise));
    assert_eq!(fs::read_to_string(folder.join("noise.txt")).unwrap(), alone.out);
    assert!(!alone.out.is_empty());
}

#[test]
fn folder_that_cannot_be_made_and_a_file_that_cannot_be_written_are_named() {
    let bench = Bench::new();
    let taken = bench.file("taken", "");
    let transcribe = |folder: &std::path::Path| {
        let mut command = auricle();
        command.args(["transcribe", "-q", "-o"]).arg(folder).arg("--model").arg(&bench.model).arg(bench.noise());
        run(&mut command)
    };
    transcribe(&taken).assert_refused(&[&format!("{}: cannot be made", taken.display()), "--output-dir"]);
    let folder = bench.folder.path().join("out");
    let in_the_way = folder.join("noise.txt");
    fs::create_dir_all(&in_the_way).unwrap();
    transcribe(&folder).assert_refused(&[&format!("{}: cannot be written", in_the_way.display()), "--output-dir"]);
}
