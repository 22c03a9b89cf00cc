//! Output formats and output folders.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::audio_support::Wav;
use crate::run::{Bench, JFK, ONE_SEGMENT, auricle, run};
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
    let outcome =
        run(auricle().args(["transcribe", "--quiet", "-f", "all", "-o"]).arg(&all).args(ONE_SEGMENT).arg(&path));
    assert_eq!((outcome.code, outcome.out.as_str(), outcome.err.as_str()), (0, "", ""));
    let mut names: Vec<_> = fs::read_dir(&all).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["jfk.json", "jfk.srt", "jfk.tsv", "jfk.txt", "jfk.vtt"]);

    let mut written = FORMATS.map(|format| fs::read_to_string(all.join(format!("jfk.{format}"))).unwrap());
    for (format, file) in FORMATS.iter().zip(&written) {
        let outcome = run(auricle().args(["transcribe", "--quiet", "-f", format]).args(ONE_SEGMENT).arg(&path));
        // A stream ends its last line, also where whisper's file does not.
        let expected = if *format == "json" { format!("{file}\n") } else { file.clone() };
        assert_eq!((outcome.code, outcome.out), (0, expected), "{format}");
    }

    let json = written[4].clone();
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((value["text"].as_str(), value["language"].as_str()), (Some(format!(" {JFK}").as_str()), Some("en")));
    let segment = &value["segments"][0];
    assert_eq!(segment["text"], value["text"]);
    let ms = |name: &str| (segment[name].as_f64().unwrap() * 1_000.0).round() as u32;
    let (start, end) = (ms("start"), ms("end"));
    assert!(start < 1_000 && (10_000..=11_000).contains(&end), "{segment}");
    let time = |ms: u32| format!("00:{:02}.{:03}", ms / 1_000, ms % 1_000);
    let vtt = format!("{} --> {}\n{JFK}\n\n", time(start), time(end));
    let expected = [
        format!("{JFK}\n"),
        format!("1\n{}", vtt.replace("00:", "00:00:").replacen('.', ",", 2)),
        format!("WEBVTT\n\n{vtt}"),
        format!("start\tend\ttext\n{start}\t{end}\t{JFK}\n"),
        String::new(),
    ];
    written[4].clear();
    assert_eq!(written, expected);
    assert!(segment["avg_logprob"].as_f64().is_some_and(|score| (-1.0..0.0).contains(&score)), "{segment}");
    assert!(segment["no_speech_prob"].as_f64().is_some_and(|probability| (0.0..0.5).contains(&probability)));
    assert!(segment["tokens"].as_array().is_some_and(|ids| ids.len() > 20));
}

#[test]
fn word_times_are_in_json_and_lay_out_subtitles() {
    if model_path("q8").is_none() {
        return;
    }
    let path = testdata_path("jfk.wav");
    let timed = |arguments: &[&str]| {
        let outcome = run(auricle().args(["transcribe", "-q", "--word-timestamps"]).args(arguments).arg(&path));
        outcome.assert_done(&[]);
        outcome.out
    };
    let value: Value = serde_json::from_str(&timed(&["-f", "json"])).unwrap();
    let mut last_s = 0.0;
    let mut texts = Vec::new();
    for segment in value["segments"].as_array().unwrap() {
        let words = segment["words"].as_array().unwrap();
        let text: String = words.iter().map(|word| word["word"].as_str().unwrap()).collect();
        assert_eq!(segment["text"], text);
        for word in words {
            let (start_s, end_s) = (word["start"].as_f64().unwrap(), word["end"].as_f64().unwrap());
            assert!(last_s <= start_s && start_s <= end_s && end_s <= 11.0, "{word}");
            last_s = end_s;
        }
        texts.extend(text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    }
    assert!(texts.len() > 15, "{texts:?}");

    let lines = |arguments: &[&str]| -> Vec<String> {
        let out = timed(&[&["-f", "srt"], arguments].concat());
        let is_text = |line: &&str| !line.is_empty() && !line.contains("-->") && line.parse::<u32>().is_err();
        out.lines().filter(is_text).map(str::to_owned).collect()
    };
    let narrow = lines(&["--max-line-width", "20", "--max-line-count", "2"]);
    assert!(narrow.iter().all(|line| line.chars().count() <= 20), "{narrow:?}");
    assert_eq!(narrow.join(" ").split(' ').collect::<Vec<_>>(), texts);
    let few = lines(&["--max_words_per_line", "3"]);
    assert!(few.len() * 3 >= texts.len() && few.iter().all(|line| line.split(' ').count() <= 3), "{few:?}");
    let highlighted = timed(&["-f", "vtt", "--highlight-words"]);
    assert_eq!(highlighted.matches("<u>").count(), texts.len(), "{highlighted}");
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
    let wav = fs::read(bench.speech()).unwrap();
    let folder = bench.folder.path().join("out");
    let mut command = auricle();
    command.args(["transcribe", "-q", "-", "-o"]).arg(&folder).arg("--model").arg(&bench.model).write_stdin(wav);
    run(&mut command).assert_done(&[]);
    assert!(folder.join("stdin.txt").is_file());
}

#[test]
fn second_file_of_one_name_does_not_replace_the_transcript_of_the_first() {
    let bench = Bench::new();
    let noise = bench.speech();
    // The content tells the format, so that the ending may be any.
    let silence = bench.file("speech.flac", Wav::of_i16(&[0; 16_000]).bytes());
    let folder = bench.folder.path().join("out");
    let mut command = auricle();
    command.args(["transcribe", "-q", "--model"]).arg(&bench.model).arg("-o").arg(&folder).args([&noise, &silence]);
    let outcome = run(&mut command);
    outcome.assert_refused(&[
        &format!("{}: its transcript would replace that of {}", silence.display(), noise.display()),
        "another folder",
    ]);
    let alone = run(auricle().args(["transcribe", "-q", "--model"]).arg(&bench.model).arg(&noise));
    assert_eq!(fs::read_to_string(folder.join("speech.txt")).unwrap(), alone.out);
    assert!(!alone.out.is_empty());
}

#[test]
fn folder_that_cannot_be_made_and_a_file_that_cannot_be_written_are_named() {
    let bench = Bench::new();
    let taken = bench.file("taken", "");
    let transcribe = |folder: &std::path::Path| {
        let mut command = auricle();
        command.args(["transcribe", "-q", "-o"]).arg(folder).arg("--model").arg(&bench.model).arg(bench.speech());
        run(&mut command)
    };
    transcribe(&taken).assert_refused(&[&format!("{}: cannot be made", taken.display()), "--output-dir"]);
    let folder = bench.folder.path().join("out");
    let in_the_way = folder.join("speech.txt");
    fs::create_dir_all(&in_the_way).unwrap();
    transcribe(&folder).assert_refused(&[&format!("{}: cannot be written", in_the_way.display()), "--output-dir"]);
}
