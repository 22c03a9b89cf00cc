//! Compressed files: the same second of speech as in `testdata/jfk.wav`, in every format that is read.

mod audio_support;

use auricle::audio::{AudioError, AudioReader, AudioWarning, read_all};

use audio_support::{drain, file_of, read_bytes, testdata};

const SECOND: usize = 16_000;

fn original() -> Vec<f32> {
    let (mut samples, _) = read_all(testdata("jfk.wav")).unwrap();
    samples.truncate(SECOND);
    samples
}

/// How alike two signals are when `b` comes `lag` samples late: 1 where they are the same.
fn correlation(a: &[f32], b: &[f32], lag: isize) -> f64 {
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (n, &x) in a.iter().enumerate() {
        let Some(&y) = n.checked_add_signed(lag).and_then(|m| b.get(m)) else { continue };
        let (x, y) = (f64::from(x), f64::from(y));
        (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
    }
    ab / (aa * bb).sqrt()
}

fn best_lag(a: &[f32], b: &[f32]) -> (isize, f64) {
    let by_likeness = |&(_, x): &(isize, f64), &(_, y): &(isize, f64)| x.total_cmp(&y);
    (-3_000..=3_000).map(|lag| (lag, correlation(a, b, lag))).max_by(by_likeness).unwrap()
}

#[test]
fn flac_gives_the_samples_of_the_wav() {
    let (samples, warnings) = read_all(testdata("audio/jfk-1s-16k-mono.flac")).unwrap();
    assert!(samples == original());
    assert_eq!(warnings, []);
}

#[test]
fn lossy_formats_give_the_same_speech_at_the_same_time() {
    for (file, format, lag, likeness) in [
        ("audio/jfk-1s-16k-mono.mp3", "MP3", 0, 0.97),
        ("audio/jfk-1s-44k1-stereo.mp3", "MP3", 0, 0.97),
        ("audio/jfk-1s-16k-mono.ogg", "Vorbis in Ogg", 0, 0.97),
        ("audio/jfk-1s-16k-mono.m4a", "AAC in MP4", 0, 0.97),
        // A bare AAC stream has no place to tell its encoder's delay of 1024 samples.
        ("audio/jfk-1s-16k-mono.aac", "AAC", 1_024, 0.97),
    ] {
        let reader = AudioReader::open(testdata(file)).unwrap();
        assert_eq!(reader.info().format, format, "{file}");
        let (samples, warnings) = drain(reader).unwrap();
        assert_eq!(warnings, [], "{file}");
        let (found_lag, found_likeness) = best_lag(&original(), &samples);
        println!("{file}: {} samples, lag {found_lag}, likeness {found_likeness:.3}", samples.len());
        assert!((found_lag - lag).abs() <= 1 && found_likeness > likeness, "{file}: {found_lag}, {found_likeness}");
        assert!(samples.len().abs_diff(SECOND) <= 2_048, "{file}: {} samples", samples.len());
    }
}

#[test]
fn a_stream_gives_what_the_file_gives() {
    for file in ["audio/jfk-1s-16k-mono.mp3", "audio/jfk-1s-16k-mono.ogg", "audio/jfk-1s-16k-mono.m4a"] {
        // Compares both.
        read_bytes(&std::fs::read(testdata(file)).unwrap()).unwrap();
    }
}

#[test]
fn the_content_tells_the_format_and_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let misnamed = folder.path().join("speech.wav");
    std::fs::copy(testdata("audio/jfk-1s-16k-mono.flac"), &misnamed).unwrap();
    assert_eq!(AudioReader::open(&misnamed).unwrap().info().format, "FLAC");
    assert_eq!(read_all(&misnamed).unwrap().0.len(), SECOND);
}

#[test]
fn info_tells_rate_channels_and_duration() {
    let info = AudioReader::open(testdata("audio/jfk-1s-44k1-stereo.mp3")).unwrap().info();
    assert_eq!((info.sample_rate_hz, info.channels), (44_100, 2));
    let duration_s = info.duration_s.unwrap();
    assert!((duration_s - 1.0).abs() < 0.1, "{duration_s}");
}

#[test]
fn opus_is_named_as_unsupported() {
    let error = read_all(testdata("audio/jfk-1s-opus.ogg")).unwrap_err();
    assert!(matches!(&error, AudioError::Unsupported { format, .. } if format == "Opus in Ogg"), "{error:?}");
}

#[test]
fn a_file_cut_in_the_middle_gives_what_is_there_and_a_warning() {
    for file in ["audio/jfk-1s-16k-mono.mp3", "audio/jfk-1s-16k-mono.flac", "audio/jfk-1s-16k-mono.ogg"] {
        let bytes = std::fs::read(testdata(file)).unwrap();
        let (samples, warnings) = read_bytes(&bytes[..bytes.len() * 17 / 20]).unwrap();
        assert!(matches!(warnings[..], [AudioWarning::BrokenOff { .. }]), "{file}: {warnings:?}");
        let share = samples.len() as f64 / SECOND as f64;
        println!("{file}: {share:.2} of the audio is in 0.85 of the bytes");
        assert!((0.2..1.0).contains(&share), "{file}: {share}");
    }
}

#[test]
fn an_mp4_cut_before_its_index_is_malformed() {
    // The index (`moov`) of this file comes last.
    let bytes = std::fs::read(testdata("audio/jfk-1s-16k-mono.m4a")).unwrap();
    let error = read_bytes(&bytes[..bytes.len() / 2]).unwrap_err();
    assert!(matches!(error, AudioError::Malformed { .. }), "{error:?}");
}

#[test]
fn a_damaged_packet_becomes_silence_and_a_warning() {
    let mut bytes = std::fs::read(testdata("audio/jfk-1s-16k-mono.m4a")).unwrap();
    let whole_len = read_bytes(&bytes).unwrap().0.len();
    let data = bytes.windows(4).position(|window| window == b"mdat").unwrap();
    bytes[data + 1_500..data + 2_500].fill(0xFF);
    let (samples, warnings) = read_bytes(&bytes).unwrap();
    assert_eq!(samples.len(), whole_len, "what follows the damage has moved");
    assert!(matches!(warnings[..], [AudioWarning::DamagedPackets { .. }]), "{warnings:?}");
}

/// Flips bytes all over each file: whatever that does, it must not panic, hang or give unusable samples.
#[test]
fn no_damage_makes_the_reader_panic() {
    // A linear congruential generator (Knuth's MMIX constants): the same damage in each run.
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let (mut read, mut refused) = (0, 0);
    for file in std::fs::read_dir(testdata("audio")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            continue;
        }
        let whole = std::fs::read(&path).unwrap();
        for round in 0..150 {
            let mut bytes = whole.clone();
            // Half of the rounds damage the header only, which is where the lengths and counts are.
            let reach = if round % 2 == 0 { bytes.len() } else { bytes.len().min(700) };
            for _ in 0..1 + random(8) {
                let at = random(reach);
                bytes[at] = random(256) as u8;
            }
            bytes.truncate(bytes.len() - random(bytes.len() / 4));
            match read_all(file_of(&bytes).path()) {
                Ok((samples, _)) => {
                    read += 1;
                    assert!(samples.iter().all(|sample| sample.is_finite() && sample.abs() <= 32_768.0));
                }
                Err(_) => refused += 1,
            }
        }
    }
    println!("{read} damaged files were read, {refused} refused");
    assert!(read > 0 && refused > 0);
}
