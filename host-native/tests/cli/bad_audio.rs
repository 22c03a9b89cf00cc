//! Recordings that are not what they should be.

use std::fs;

use crate::audio_support::Wav;
use crate::run::{Bench, JFK, ONE_SEGMENT, auricle, run};

#[test]
fn files_that_hold_no_audio_are_refused_by_name_with_what_they_are() {
    let bench = Bench::new();
    let path = |name: &str| bench.folder.path().join(name);
    let missing = path("missing.wav");
    bench.transcribe(&missing).assert_refused(&[&format!("{}: no such file", missing.display()), "check the path"]);
    let folder = bench.folder.path();
    bench.transcribe(folder).assert_refused(&[&format!("{}: is a directory", folder.display()), "name the files"]);

    let nan = [0.25_f32, f32::NAN, 0.25];
    let infinite = [&[0.25; 20_000][..], &[f32::INFINITY]].concat();
    let sound = || Wav::of_i16(&[1_000; 16_000]);
    let header_cut = sound().bytes()[..30].to_vec();
    let cases: [(&str, Vec<u8>, &[&str]); 8] = [
        ("empty.wav", vec![], &["the file is empty (0 bytes)", "check that the recording"]),
        (
            "text.wav",
            b"Dear diary, today nothing was said.\n".to_vec(),
            &["not audio", "Dear diary", "ffmpeg -i INPUT"],
        ),
        ("header.wav", header_cut, &["malformed WAV at byte", "export or download it again"]),
        ("mute.wav", Wav { channels: 0, block_align: Some(2), ..sound() }.bytes(), &["(byte 22) says 0 channels"]),
        ("frozen.wav", Wav { rate_hz: 0, ..sound() }.bytes(), &["a sample rate of 0 Hz", "1000 to 768000 Hz"]),
        ("nan.wav", Wav::of_f32(&nan).bytes(), &["sample 1 of channel 0 is NaN", "export the file again"]),
        ("infinite.wav", Wav::of_f32(&infinite).bytes(), &["sample 20000 of channel 0 is inf"]),
        ("loud.wav", Wav::of_f32(&[40_000.0]).bytes(), &["sample 0 is 40000", "scale the file down"]),
    ];
    for (name, bytes, words) in cases {
        let file = bench.file(name, bytes);
        let outcome = bench.transcribe(&file);
        outcome.assert_refused(words);
        outcome.assert_refused(&[&format!("auricle: {}: ", file.display())]);
    }
}

#[test]
fn headers_that_lie_about_the_length_cost_no_audio_and_are_warned_of() {
    let bench = Bench::new();
    let sound = fs::read(bench.speech()).unwrap();
    let whole = bench.transcribe(bench.file("whole.wav", &sound));
    assert!(whole.code == 0 && !whole.out.is_empty() && whole.err.is_empty(), "{whole:?}");
    let data = sound[44..].to_vec();
    let claiming = |data_len: u32| Wav { data: data.clone(), data_len: Some(data_len), ..Wav::default() }.bytes();
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("zero.wav", claiming(0), "the header promises no audio, but 32000 bytes follow"),
        // Writers that cannot know the length write this: nothing is amiss.
        ("streamed.wav", claiming(u32::MAX), ""),
        ("more.wav", claiming(1_000_000), "promises 1000000 bytes of audio, but only 32000 are there"),
        ("fewer.wav", claiming(31_000), "something unreadable follows at byte 31044"),
    ];
    for (name, bytes, warning) in cases {
        let file = bench.file(name, bytes);
        let outcome = bench.transcribe(&file);
        assert_eq!((outcome.code, outcome.err.is_empty()), (0, warning.is_empty()), "{outcome:?}");
        outcome.assert_done(&[warning]);
        if name != "fewer.wav" {
            assert_eq!(outcome.out, whole.out, "{name}");
        }
        if !warning.is_empty() {
            outcome.assert_done(&[&format!("auricle: {}: ", file.display())]);
        }
    }
    let cut = bench.file("cut.wav", &sound[..sound.len() - 1_001]);
    let outcome = bench.transcribe(cut);
    outcome.assert_done(&["promises 32000 bytes of audio, but only 30999 are there", "less than one sample"]);
    assert!(!outcome.out.is_empty(), "{outcome:?}");
}

#[test]
fn audio_with_nothing_to_hear_gives_no_text_and_is_no_failure() {
    let bench = Bench::new();
    let noise = fs::read(bench.speech()).unwrap()[44..].to_vec();
    let first = |samples: usize| Wav { data: noise[..2 * samples].to_vec(), ..Wav::default() };
    let cases = [
        ("no-samples.wav", Wav::default()),
        ("one-sample.wav", first(1)),
        ("ten-milliseconds.wav", first(160)),
        ("silence.wav", Wav::of_i16(&[0; 160_000])),
        ("dither.wav", Wav::of_i16(&[1, -1, 0, 1].repeat(8_000))),
        ("one-sample-at-384-khz.wav", Wav { rate_hz: 384_000, ..first(1) }),
        ("silent-floats.wav", Wav::of_f32(&[-0.0; 16_000])),
    ];
    let paths = cases.map(|(name, wav)| bench.file(name, wav.bytes()));
    let outcome = run(auricle().args(["transcribe", "-q", "--model"]).arg(&bench.model).args(paths));
    assert_eq!((outcome.code, outcome.out.as_str(), outcome.err.as_str()), (0, "", ""));
}

#[test]
fn recording_at_384_khz_is_transcribed() {
    let bench = Bench::new();
    let data = fs::read(bench.speech()).unwrap()[44..].chunks(2).flat_map(|sample| sample.repeat(24)).collect();
    let file = bench.file("fast.wav", Wav { rate_hz: 384_000, data, ..Wav::default() }.bytes());
    let outcome = run(auricle().args(["transcribe", "--model"]).arg(&bench.model).arg(&file));
    outcome.assert_done(&[&format!("{}: 1.00 s of audio", file.display())]);
    assert!(!outcome.out.is_empty(), "{outcome:?}");
}

#[test]
fn standard_input_that_holds_no_audio_is_refused_by_name() {
    let bench = Bench::new();
    let transcribe = |bytes: &[u8]| {
        let mut command = auricle();
        command.args(["transcribe", "-", "--model"]).arg(&bench.model).write_stdin(bytes);
        run(&mut command)
    };
    transcribe(b"").assert_refused(&["auricle: standard input: the file is empty"]);
    transcribe(b"no audio here").assert_refused(&["auricle: standard input: not audio", "no audio here"]);
}

#[test]
fn what_was_said_before_a_fault_in_a_recording_is_written_down() {
    if crate::support::model_path("q8").is_none() {
        return;
    }
    let (speech, _) = auricle::audio::read_all(crate::support::testdata_path("jfk.wav")).unwrap();
    let mut samples = speech.clone();
    samples.extend([0.0; 48_000]);
    samples.extend([f32::NAN, 0.0]);
    let bench = Bench::new();
    let file = bench.file("nan.wav", Wav::of_f32(&samples).bytes());
    let outcome = run(auricle().args(["transcribe", "--quiet"]).args(ONE_SEGMENT).arg(&file));
    assert_eq!((outcome.code, outcome.out.trim_end()), (1, JFK), "{outcome:?}");
    assert!(outcome.err.contains("sample 224000 of channel 0 is NaN"), "{outcome:?}");
}
