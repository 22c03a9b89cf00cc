//! Files that are not what they should be: each gives its own error or warning, and the samples that are there.

mod audio_support;

use std::io;

use auricle::audio::{AudioError, AudioReader, AudioWarning, read_all};

use audio_support::{Wav, chunk, drain, file_of, read_bytes};

/// What a user sees must name the file and say what to do.
fn assert_message(error: &AudioError, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = read_all("no/such/file.wav").unwrap_err();
    assert!(matches!(error, AudioError::NotFound { .. }), "{error:?}");
    assert_message(&error, &["no/such/file.wav", "no such file", "check the path"]);
}

#[test]
fn a_directory_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let error = read_all(folder.path()).unwrap_err();
    assert!(matches!(error, AudioError::IsDirectory { .. }), "{error:?}");
    assert_message(&error, &["is a directory"]);
}

#[test]
fn an_empty_file_is_said_to_be_empty() {
    let error = read_bytes(&[]).unwrap_err();
    assert!(matches!(error, AudioError::Empty { .. }), "{error:?}");
    assert_message(&error, &["empty", "0 bytes"]);
}

#[test]
fn text_is_not_audio() {
    let error = read_bytes("Ceci n'est pas un fichier son, ça non.\n".repeat(500).as_bytes()).unwrap_err();
    assert!(matches!(error, AudioError::NotAudio { .. }), "{error:?}");
    assert_message(&error, &["not audio", "Ceci n'est pas", "ffmpeg"]);
}

#[test]
fn text_in_utf_16_and_zeros_and_noise_are_not_audio() {
    let utf_16: Vec<u8> = "\u{FEFF}hello, world\n".repeat(500).encode_utf16().flat_map(u16::to_le_bytes).collect();
    // A linear congruential generator (Numerical Recipes' constants): noise that is the same in each run.
    let mut state = 1_u32;
    let noise: Vec<u8> = (0..100_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    for bytes in [utf_16, vec![0; 100_000], noise, vec![0xFF; 3], b"RIFFRIFF".to_vec()] {
        let error = read_bytes(&bytes).unwrap_err();
        let expected = matches!(
            error,
            AudioError::NotAudio { .. } | AudioError::Malformed { .. } | AudioError::MalformedWav { .. }
        );
        assert!(expected, "{error:?}");
    }
}

#[test]
fn containers_that_are_not_read_are_named() {
    let cases: [(&[u8], &str); 4] = [
        (b"FORM\0\0\0\x1EAIFFCOMM", "AIFF"),
        (b"\x1A\x45\xDF\xA3\x01\0\0\0\0\0\0", "WebM"),
        (b"RIFF\x10\0\0\0AVI LIST", "AVI"),
        (b"RIFX\0\0\0\x10WAVEfmt ", "big-endian"),
    ];
    for (bytes, name) in cases {
        let error = read_bytes(bytes).unwrap_err();
        assert!(matches!(error, AudioError::Unsupported { .. }), "{error:?}");
        assert_message(&error, &[name, "ffmpeg -i INPUT"]);
    }
}

#[test]
fn codecs_in_wav_that_are_not_read_are_named() {
    for (tag, bits, name) in [
        (0x0006, 8, "A-law"),
        (0x0007, 8, "µ-law"),
        (0x0002, 4, "Microsoft ADPCM"),
        (0x0011, 4, "IMA ADPCM"),
        (0x0031, 0, "GSM 6.10"),
        (0x0055, 0, "MP3"),
        (0xBEEF, 16, "0xBEEF"),
        (1, 40, "40-bit integers"),
        (3, 16, "16-bit floating point"),
    ] {
        let error = Wav { tag, bits, data: vec![0; 100], ..Wav::default() }.read().unwrap_err();
        assert!(matches!(error, AudioError::Unsupported { .. }), "{error:?}");
        assert_message(&error, &[name]);
    }
    let extensible = Wav { bits: 8, extensible: Some((8, 0, 6)), data: vec![0; 100], ..Wav::default() };
    assert_message(&extensible.read().unwrap_err(), &["A-law"]);
}

#[test]
fn zero_channels_are_refused_with_their_offset() {
    let error = Wav { channels: 0, block_align: Some(2), ..Wav::of_i16(&[1, 2]) }.read().unwrap_err();
    assert!(matches!(error, AudioError::NoChannels { offset: 22, .. }), "{error:?}");
}

#[test]
fn rates_without_speech_and_absurd_rates_are_refused() {
    for rate in [0, 1, 999, 768_001, u32::MAX] {
        let error = Wav { rate_hz: rate, ..Wav::of_i16(&[1, 2]) }.read().unwrap_err();
        assert!(matches!(error, AudioError::SampleRate { rate_hz, .. } if rate_hz == rate), "{error:?}");
        assert_message(&error, &[&format!("{rate} Hz"), "1000 to 768000 Hz"]);
    }
}

#[test]
fn a_header_that_contradicts_itself_is_refused_with_its_offset() {
    let error = Wav { channels: 2, block_align: Some(5), ..Wav::of_i16(&[0; 10]) }.read().unwrap_err();
    assert!(matches!(error, AudioError::MalformedWav { offset: 32, .. }), "{error:?}");
    assert_message(&error, &["byte 32", "5 bytes", "2 channels of 16 bits"]);
}

#[test]
fn a_header_cut_at_any_byte_is_malformed() {
    let whole = Wav { before_data: chunk(b"LIST", b"something"), ..Wav::of_i16(&[1, 2, 3]) }.bytes();
    let header_len = whole.len() - 6;
    for len in 1..header_len {
        let error = read_bytes(&whole[..len]).unwrap_err();
        let expected = matches!(error, AudioError::MalformedWav { .. })
            // Before the fourth letter of "RIFF" nothing tells that it was to be a WAV file.
            || (len < 4 && matches!(error, AudioError::NotAudio { .. }));
        assert!(expected, "cut at {len}: {error:?}");
    }
}

#[test]
fn a_chunk_that_reaches_beyond_the_file_is_reported_with_its_offset() {
    let mut before_data = b"LIST".to_vec();
    before_data.extend(0x7FFF_FFF0_u32.to_le_bytes());
    let error = Wav { before_data, ..Wav::of_i16(&[1, 2, 3]) }.read().unwrap_err();
    assert!(matches!(error, AudioError::MalformedWav { offset: 36, .. }), "{error:?}");
    assert_message(&error, &["'LIST'", "2147483632 bytes"]);
}

#[test]
fn data_before_the_format_is_malformed() {
    let mut bytes = b"RIFF\x10\0\0\0WAVE".to_vec();
    bytes.extend(chunk(b"data", &[0; 8]));
    let error = read_bytes(&bytes).unwrap_err();
    assert!(matches!(error, AudioError::MalformedWav { offset: 12, .. }), "{error:?}");
}

#[test]
fn a_truncated_wav_gives_what_is_there_and_a_warning() {
    let wav = Wav { data_len: Some(1_000), ..Wav::of_i16(&[16_384; 100]) };
    let (samples, warnings) = wav.read().unwrap();
    assert_eq!(samples, [0.5; 100]);
    assert_eq!(warnings, [AudioWarning::Truncated { promised_bytes: 1_000, present_bytes: 200 }]);
}

#[test]
fn a_wav_cut_within_a_frame_leaves_the_fragment_out() {
    let mut wav = Wav { channels: 2, data_len: Some(400), ..Wav::of_i16(&[16_384; 100]) };
    wav.data.truncate(199);
    let (samples, warnings) = wav.read().unwrap();
    assert_eq!(samples, [0.5; 49]);
    let expected =
        [AudioWarning::Truncated { promised_bytes: 400, present_bytes: 199 }, AudioWarning::PartialFrame { bytes: 3 }];
    assert_eq!(warnings, expected);
}

#[test]
fn the_length_of_streaming_writers_reads_to_the_end_without_a_warning() {
    for samples in [1, 100, 100_000] {
        let values = vec![-16_384; samples];
        let wav = Wav { data_len: Some(u32::MAX), riff_len: Some(u32::MAX), ..Wav::of_i16(&values) };
        assert_eq!(wav.samples(), vec![-0.5; samples]);
    }
}

#[test]
fn a_length_of_zero_with_audio_behind_it_reads_to_the_end_with_a_warning() {
    for riff_len in [Some(0), Some(36), None] {
        let wav = Wav { data_len: Some(0), riff_len, ..Wav::of_i16(&[-16_384; 1_000]) };
        let (samples, warnings) = wav.read().unwrap();
        assert_eq!(samples, [-0.5; 1_000]);
        assert_eq!(warnings, [AudioWarning::LengthZero { present_bytes: 2_000 }]);
    }
}

#[test]
fn a_length_of_two_gigabytes_for_a_short_file_takes_no_memory_for_it() {
    let wav = Wav { data_len: Some(0x7FFF_FF00), rate_hz: 44_100, ..Wav::of_i16(&[0; 441]) };
    let (samples, warnings) = wav.read().unwrap();
    assert_eq!(samples.len(), 160);
    assert_eq!(warnings, [AudioWarning::Truncated { promised_bytes: 0x7FFF_FF00, present_bytes: 882 }]);
}

#[test]
fn a_length_below_the_truth_is_warned_of() {
    let wav = Wav { data_len: Some(100), ..Wav::of_i16(&[-16_384; 1_000]) };
    let (samples, warnings) = wav.read().unwrap();
    assert_eq!(samples, [-0.5; 50]);
    assert_eq!(warnings, [AudioWarning::UnreadBytes { offset: 144 }]);
}

#[test]
fn nan_and_infinite_samples_are_refused_with_their_index() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for rate_hz in [16_000, 48_000] {
            let mut values = vec![0.0; 50_000];
            values[40_000] = bad;
            let error = Wav { rate_hz, ..Wav::of_f32(&values) }.read().unwrap_err();
            assert!(matches!(error, AudioError::NotFinite { frame: 40_000, channel: 0, .. }), "{error:?}");
            assert_message(&error, &["sample 40000", "channel 0"]);
        }
    }
    let data = [0.0, f64::NAN].iter().flat_map(|v| v.to_le_bytes()).collect();
    let error = Wav { tag: 3, bits: 64, channels: 2, data, ..Wav::default() }.read().unwrap_err();
    assert!(matches!(error, AudioError::NotFinite { frame: 0, channel: 1, .. }), "{error:?}");
}

#[test]
fn samples_beyond_the_engines_limit_are_refused_with_their_index() {
    let error = Wav::of_f32(&[0.0, 32_768.0, 40_000.0]).read().unwrap_err();
    assert!(matches!(error, AudioError::TooLoud { frame: 2, .. }), "{error:?}");
    assert_message(&error, &["sample 2", "40000", "full scale is 1"]);
    // Finite in 64 bits, and not in 32.
    let data = 1e300_f64.to_le_bytes().to_vec();
    let error = Wav { tag: 3, bits: 64, data, ..Wav::default() }.read().unwrap_err();
    assert!(matches!(error, AudioError::TooLoud { frame: 0, .. }), "{error:?}");
}

#[test]
fn after_an_error_comes_the_end() {
    let file = file_of(&Wav::of_f32(&[f32::NAN; 100_000]).bytes());
    let mut reader = AudioReader::open(file.path()).unwrap();
    assert!(reader.next_block().is_err());
    assert!(matches!(reader.next_block(), Ok(None)));
}

#[test]
fn a_stream_that_fails_gives_the_error_of_the_system_and_its_offset() {
    struct Failing(usize);
    impl io::Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("the cable fell out"));
            }
            let len = buffer.len().min(self.0);
            self.0 -= len;
            buffer[..len].fill(0);
            Ok(len)
        }
    }
    let head = Wav { data_len: Some(u32::MAX), ..Wav::default() }.bytes();
    let start = io::Cursor::new(head.clone());
    let stream = io::Read::chain(start, Failing(100_000));
    let reader = AudioReader::from_reader(Box::new(stream), Some("line in")).unwrap();
    let error = drain(reader).unwrap_err();
    assert!(matches!(error, AudioError::Read { .. }), "{error:?}");
    assert_message(&error, &["line in", "the cable fell out"]);
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let file = file_of(&Wav::of_i16(&[0]).bytes());
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o000)).unwrap();
    match std::fs::File::open(file.path()) {
        Ok(_) => println!("skipped: this user may read every file"),
        Err(_) => assert!(matches!(read_all(file.path()).unwrap_err(), AudioError::Open { .. })),
    }
}
