//! Speech that is transcribed while it is spoken: through pipes, and replayed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

use crate::audio_support::Wav;
use crate::run::{Bench, Outcome, auricle, cache, run};
use crate::support::{home, model_path, testdata_path};

/// The samples of `jfk.wav`.
fn jfk() -> Vec<i16> {
    let wav = fs::read(testdata_path("jfk.wav")).unwrap();
    let data = wav.windows(4).position(|window| window == b"data").unwrap() + 8;
    wav[data..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// So many samples of it are speech, after a beginning.
const BEFORE_THE_PAUSE: usize = 30_000;

fn bytes_of_i16(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn json_lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The final segments with all that is in them, but for what tells which run they are of: how often they were revised.
fn finals(out: &str) -> Vec<Value> {
    let mut finals = json_lines(out);
    finals.retain(|line| line["type"] == "final");
    for line in &mut finals {
        let line = line.as_object_mut().unwrap();
        line.remove("file");
        line.remove("revision");
        line.remove("settled_changed");
    }
    finals
}

/// Runs the command with the tiny model, and raw audio on standard input.
fn piped(bench: &Bench, arguments: &[&str], bytes: &[u8]) -> Outcome {
    let mut command = auricle();
    run(command.args(arguments).arg("--model").arg(&bench.model).write_stdin(bytes))
}

#[test]
fn raw_audio_through_a_pipe_gives_what_its_wav_file_gives() {
    let bench = Bench::new();
    let wav = bench.speech();
    let mono: Vec<i16> =
        fs::read(&wav).unwrap()[44..].chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    let stereo: Vec<i16> = mono.iter().flat_map(|&sample| [sample, sample / 2]).collect();
    let floats: Vec<u8> = mono.iter().flat_map(|&sample| (f32::from(sample) / 32_768.0).to_le_bytes()).collect();
    let wav_of = |name: &str, wav: Wav| bench.file(name, wav.bytes());
    let data = bytes_of_i16(&mono);
    let cases = [
        ("s16le", "16000", "1", data.clone(), wav),
        ("f32le", "16000", "1", floats, wav_of("floats.wav", Wav::of_i16(&mono))),
        (
            "s16le",
            "44100",
            "2",
            bytes_of_i16(&stereo),
            wav_of("44k1.wav", Wav { rate_hz: 44_100, channels: 2, ..Wav::of_i16(&stereo) }),
        ),
        ("s16le", "8000", "1", data, wav_of("8k.wav", Wav { rate_hz: 8_000, ..Wav::of_i16(&mono) })),
    ];
    for (format, rate, channels, bytes, wav) in cases {
        let raw = ["--stdin-format", format, "--rate", rate, "--channels", channels, "-q"];
        let file = bench.transcribe(&wav);
        // Played faster or slower, it need not be speech.
        assert!(rate != "16000" || !file.out.is_empty(), "{file:?}");
        let transcribed = piped(&bench, &[&["transcribe", "-"], &raw[..]].concat(), &bytes);
        assert_eq!((transcribed.code, &transcribed.out, transcribed.err.as_str()), (0, &file.out, ""), "{rate}");
        let listened = piped(&bench, &[&["listen"], &raw[..]].concat(), &bytes);
        assert_eq!((listened.code, listened.out, listened.err.as_str()), (0, file.out, ""), "{rate}");
    }
}

#[test]
fn formats_and_folders_work_for_raw_audio_too() {
    let bench = Bench::new();
    let wav = bench.speech();
    let bytes = fs::read(&wav).unwrap()[44..].to_vec();
    let folder = bench.folder.path().join("out");
    let srt = run(auricle().args(["transcribe", "-q", "-f", "srt", "--model"]).arg(&bench.model).arg(&wav));
    let raw = ["transcribe", "-q", "-", "--stdin-format", "s16le", "-f", "srt"];
    assert_eq!(piped(&bench, &raw, &bytes).out, srt.out);
    piped(&bench, &[&raw[..], &["-o", folder.to_str().unwrap()]].concat(), &bytes).assert_done(&[]);
    assert_eq!(fs::read_to_string(folder.join("stdin.srt")).unwrap(), srt.out);
}

#[test]
fn raw_audio_that_is_none_is_refused_and_what_was_said_before_is_printed() {
    let bench = Bench::new();
    let raw = ["transcribe", "-", "-q", "--stdin-format"];
    piped(&bench, &[&raw[..], &["s16le"]].concat(), &[]).assert_refused(&["standard input: the file is empty"]);

    let noise = fs::read(bench.speech()).unwrap()[44..].to_vec();
    let odd = piped(&bench, &[&raw[..], &["s16le"]].concat(), &[&noise[..], &[7]].concat());
    odd.assert_done(&["auricle: standard input: the last 1 bytes are less than one sample"]);

    let floats = noise.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0);
    // More than is read at once stands before it.
    let broken: Vec<u8> = floats.chain([f32::NAN]).flat_map(f32::to_le_bytes).collect();
    let outcome = piped(&bench, &[&raw[..], &["f32le"]].concat(), &broken);
    assert!(outcome.code == 1 && outcome.err.contains("sample 16000 of channel 0 is NaN"), "{outcome:?}");
    assert_eq!(outcome.out, odd.out.clone(), "{outcome:?}");
}

#[test]
fn every_line_of_json_is_an_event_in_the_order_of_the_contract() {
    if model_path("q8").is_none() {
        return;
    }
    let (speech, short) = (testdata_path("jfk.wav"), testdata_path("audio/jfk-1s-16k-mono.flac"));
    let outcome = run(auricle().args(["transcribe", "--json-lines"]).args([&speech, &short]));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let mut by_file: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in json_lines(&outcome.out) {
        by_file.entry(line["file"].as_str().unwrap().to_owned()).or_default().push(line);
    }
    assert_eq!(by_file.len(), 2, "{outcome:?}");
    let events = &by_file[&speech.display().to_string()];
    let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        (types[0], types[types.len() - 2], types[types.len() - 1]),
        ("speech_started", "speech_ended", "end_of_stream")
    );
    assert!(!types.contains(&"partial"), "nobody reads the partials of a file: {types:?}");
    let last = &events[events.len() - 1];
    assert_eq!((last["end"].as_u64(), last["end_s"].as_f64()), (Some(176_000), Some(11.0)));
    let texts: Vec<_> = events.iter().filter(|event| event["type"] == "final").collect();
    assert!(!texts.is_empty() && texts[0]["text"].as_str().is_some_and(|text| text.starts_with("And so")), "{texts:?}");
    for event in texts {
        let words = event["words"].as_array().unwrap();
        assert_eq!(words.len(), event["text"].as_str().unwrap().split(' ').count());
        assert_eq!(words.len() as u64, event["settled_words"].as_u64().unwrap());
        let is_probability = |word: &Value| word["confidence"].as_f64().is_some_and(|p| p > 0.0 && p <= 1.0);
        assert!(words.iter().all(is_probability), "{event}");
        assert!(event["start"].as_u64() < event["end"].as_u64() && !event["ended_by"].is_null(), "{event}");
    }
}

#[test]
fn finals_are_the_same_from_a_file_through_a_pipe_and_in_real_time() {
    if model_path("q8").is_none() {
        return;
    }
    let path = testdata_path("jfk.wav");
    // Pauses are as long as in live audio, where a recording's may be longer.
    let file = run(auricle().args(["transcribe", "-q", "--json-lines", "--min-silence-ms", "512"]).arg(&path));
    let expected = finals(&file.out);
    assert!(!expected.is_empty(), "{file:?}");

    let bytes = bytes_of_i16(&jfk());
    let pipe = run(auricle().args(["listen", "-q", "--json-lines", "--stdin-format", "s16le"]).write_stdin(bytes));
    assert_eq!((pipe.code, finals(&pipe.out)), (0, expected.clone()), "{pipe:?}");

    let replay = run(auricle().args(["transcribe", "--realtime", "--json-lines"]).arg(&path));
    assert_eq!((replay.code, finals(&replay.out)), (0, expected), "{replay:?}");
    let lines = json_lines(&replay.out);
    let latency = &lines[lines.len() - 1];
    assert_eq!((latency["type"].as_str(), latency["audio_s"].as_f64()), (Some("latency"), Some(11.0)), "{latency}");
    let partials = lines.iter().filter(|line| line["type"] == "partial").count() as u64;
    assert!(partials > 0 && latency["partials"] == partials, "{latency}");
    assert!(latency["first_partial"]["median_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{latency}");
    assert!(latency["computing_share"].as_f64().is_some_and(|share| share > 0.0), "{latency}");
    assert!(latency["settled_unchanged"].as_u64() <= latency["settled_words"].as_u64(), "{latency}");
}

#[test]
fn replay_prints_the_transcript_and_what_it_measured_and_fails_file_by_file() {
    if model_path("q8").is_none() {
        return;
    }
    let short = testdata_path("audio/jfk-1s-16k-mono.flac");
    let missing = testdata_path("missing.wav");
    let expected = run(auricle().args(["transcribe", "-q"]).arg(&short)).out;
    let outcome = run(auricle().args(["transcribe", "--realtime", "--partials", "none"]).args([&missing, &short]));
    assert_eq!((outcome.code, &outcome.out), (1, &expected), "{outcome:?}");
    let said = outcome.err.lines().collect::<Vec<_>>();
    assert!(said[0].starts_with(&format!("auricle: {}: no such file", missing.display())), "{said:?}");
    assert!(said[1].starts_with(&format!("{}: 1.00 s in real time", short.display())), "{said:?}");
    assert!(outcome.err.contains("0 partials"), "{said:?}");
    let quiet = run(auricle().args(["transcribe", "--realtime", "-q"]).arg(&short));
    assert_eq!((quiet.code, quiet.out, quiet.err.as_str()), (0, expected, ""));
}

/// The command as a child that is fed and read while it runs.
struct Listening {
    child: Child,
    input: Option<ChildStdin>,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Listening {
    fn to_pipe() -> Self {
        auricle();
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("auricle"))
            .args(["listen", "-q", "--json-lines", "--partials", "eager", "--stdin-format", "s16le"])
            .envs([("AURICLE_HOME", home()), ("AURICLE_CACHE", cache())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { input: child.stdin.take(), child, lines }
    }

    fn say(&mut self, samples: &[i16]) {
        self.input.as_mut().unwrap().write_all(&bytes_of_i16(samples)).unwrap();
    }

    /// Reads up to the first line of that type.
    fn until(&mut self, kind: &str) -> Value {
        for line in &mut self.lines {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if line["type"] == kind {
                return line;
            }
        }
        panic!("no line of type {kind}")
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // A test that fails leaves nobody behind; where it went well, there is nobody.
        let _ = self.child.kill();
    }
}

#[test]
fn text_comes_through_a_pipe_while_it_is_still_open() {
    if model_path("q8").is_none() {
        return;
    }
    let mut listening = Listening::to_pipe();
    listening.say(&jfk()[..BEFORE_THE_PAUSE]);
    let partial = listening.until("partial");
    assert!(partial["text"].as_str().is_some_and(|text| text.starts_with("And")), "{partial}");
    listening.say(&[0; 2 * 16_000]);
    let last = listening.until("final");
    assert_eq!(last["ended_by"], "silence", "{last}");
    drop(listening.input.take());
    listening.until("end_of_stream");
    assert!(listening.child.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn interrupt_ends_the_stream_and_the_last_segment_is_transcribed() {
    if model_path("q8").is_none() {
        return;
    }
    let mut listening = Listening::to_pipe();
    listening.say(&jfk()[..BEFORE_THE_PAUSE]);
    listening.until("partial");
    let id = listening.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    // Standard input is still open: only the signal can have ended it.
    let last = listening.until("final");
    assert_eq!(last["ended_by"], "finish", "{last}");
    assert!(last["text"].as_str().is_some_and(|text| text.starts_with("And so")), "{last}");
    listening.until("end_of_stream");
    assert!(listening.child.wait().unwrap().success());
}
