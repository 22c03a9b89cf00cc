//! The microphone, as far as it can be tested without one: ALSA can take a pipe for a device.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::run::{Bench, auricle, cache, run};
use crate::support::{home, model_path, testdata_path};

/// The rate and the number of channels that the device is opened with, where it takes any.
const RATE_HZ: usize = 48_000;
const CHANNELS: usize = 2;

/// A configuration of ALSA's with nothing but this as its default device.
fn alsa(folder: &TempDir, default: &str) -> std::path::PathBuf {
    let path = folder.path().join("asound.conf");
    fs::write(&path, format!("pcm.!default {{ {default} }}\n")).unwrap();
    path
}

/// `jfk.wav` and two seconds of silence, as the device gives them.
fn frames() -> Vec<u8> {
    let mut samples = auricle::audio::read_all(testdata_path("jfk.wav")).unwrap().0;
    samples.extend([0.0; 2 * 16_000]);
    let per_sample = RATE_HZ / 16_000 * CHANNELS;
    samples.iter().flat_map(|sample| sample.to_le_bytes().repeat(per_sample)).collect()
}

#[test]
fn device_is_listened_to_until_interrupted() {
    if model_path("q8").is_none() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("microphone");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let device =
        format!(r#"type file slave.pcm {{ type null }} file "/dev/null" infile "{}" format "raw""#, pipe.display());
    auricle();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("auricle"))
        .args(["listen", "--json-lines"])
        .envs([("AURICLE_HOME", home()), ("AURICLE_CACHE", cache()), ("ALSA_CONFIG_PATH", alsa(&folder, &device))])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The pipe stays open after the last sample, as a microphone does.
    let speaking = thread::spawn(move || {
        let mut microphone = fs::File::options().write(true).open(pipe).unwrap();
        // Nobody listens to the last of the silence.
        let _ = microphone.write_all(&frames());
        microphone
    });
    let mut text = String::new();
    let mut ended_s = 0.0;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The last words end there, and the silence after them ends their segment.
    while ended_s < 10.0 {
        let line = lines.next().expect("the child goes on until it is interrupted").unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        match event["type"].as_str() {
            Some("final") => text = format!("{text} {}", event["text"].as_str().unwrap()),
            Some("speech_ended") => ended_s = event["end_s"].as_f64().unwrap(),
            _ => {}
        }
    }
    assert!(text.starts_with(" And so") && text.ends_with("for your country."), "{text}");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    drop(speaking.join().unwrap());
    let last: Value = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).last().unwrap();
    assert_eq!(last["type"], "end_of_stream");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.starts_with("listening to Default Audio Device"), "{said}");
}

#[test]
fn where_there_is_no_microphone_the_error_tells_another_way() {
    let bench = Bench::new();
    let missing = alsa(&bench.folder, "type hw card 31");
    let mut command = auricle();
    command.env("ALSA_CONFIG_PATH", &missing).args(["listen", "--model"]).arg(&bench.model);
    run(&mut command).assert_refused(&["Default Audio Device: cannot be listened to", "--stdin-format s16le"]);
    let mut command = auricle();
    command.env("ALSA_CONFIG_PATH", &missing).args(["listen", "--device", "Studio", "--model"]).arg(&bench.model);
    let outcome = run(&mut command);
    assert!(
        outcome.code == 1 && outcome.out.is_empty() && outcome.err.contains("--device: there is no"),
        "{outcome:?}"
    );
}
