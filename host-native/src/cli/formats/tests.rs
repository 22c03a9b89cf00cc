//! Against files in `testdata/formats/`, whose README tells how they were made.

use super::*;

/// The transcript that the files in `testdata/formats/` are of. `make_fixtures.py` there has the same.
fn transcript() -> Transcript {
    Transcript {
        text: " And so, my fellow Americans: “ask not” — 50 % \\ \"quoted\". Ça va? \t日本語 🎙 a --> b\u{7f} fin"
            .to_owned(),
        segments: vec![
            TranscriptSegment {
                id: 0,
                seek: Some(0),
                start_s: 0.0,
                end_s: 3.2,
                text: " And so, my fellow Americans: “ask not” — 50 % \\ \"quoted\".".to_owned(),
                tokens: vec![400, 370, 11, 452],
                temperature: Some(0.0),
                avg_logprob: Some(-0.237_194_821),
                compression_ratio: Some(0.9),
                no_speech_prob: Some(1.5e-5),
                words: None,
            },
            TranscriptSegment {
                id: 1,
                seek: None,
                start_s: 59.9996,
                end_s: 3_661.062_5,
                text: " Ça va? \t日本語 🎙 a --> b\u{7f}".to_owned(),
                ..TranscriptSegment::default()
            },
            TranscriptSegment {
                id: 2,
                seek: Some(6_000),
                start_s: 3_661.063_5,
                end_s: 360_000.5,
                text: " fin".to_owned(),
                tokens: vec![],
                temperature: Some(0.2),
                avg_logprob: Some(-1.0),
                compression_ratio: Some(1e16),
                no_speech_prob: Some(1.0),
                words: None,
            },
        ],
        language: Some("en".to_owned()),
    }
}

/// A transcript with word times: an ordinary segment, one without words, and one too long for a line.
fn transcript_with_words() -> Transcript {
    let segment = |id: u64, words: Vec<TranscriptWord>| TranscriptSegment {
        id,
        seek: Some(0),
        start_s: id as f64 * 10.0,
        end_s: id as f64 * 10.0 + 10.0,
        text: words.iter().map(|word| word.word.as_str()).collect(),
        tokens: vec![1, 2],
        temperature: Some(0.0),
        avg_logprob: Some(-0.5),
        compression_ratio: Some(1.25),
        no_speech_prob: Some(0.125),
        words: Some(words),
    };
    let word = |word: &str, start_s: f64, end_s: f64| TranscriptWord {
        word: word.to_owned(),
        start_s,
        end_s,
        probability: 0.75,
    };
    let long = (0..150).map(|n| word(" abcdefgh", 20.0 + 0.05 * f64::from(n), 20.05 + 0.05 * f64::from(n))).collect();
    let segments = vec![
        segment(0, vec![word(" And", 0.32, 0.5), word(" so,", 0.5, 1.04), word(" Ωmega.", 1.06, 1.875)]),
        segment(1, vec![]),
        segment(2, long),
    ];
    Transcript {
        text: segments.iter().map(|segment| segment.text.as_str()).collect(),
        segments,
        language: Some("en".to_owned()),
    }
}

fn written(format: Format, transcript: &Transcript) -> String {
    let mut bytes = Vec::new();
    format.write(transcript, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn assert_is_fixture(stem: &str, transcript: &Transcript) {
    for format in Format::ALL {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/formats");
        let path = format!("{folder}/{stem}.{}", format.extension());
        let expected = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written(format, transcript), expected, "{path}");
    }
}

#[test]
fn every_format_has_the_bytes_that_whisper_writes() {
    assert_is_fixture("segments", &transcript());
}

#[test]
fn word_times_give_the_cues_that_whisper_writes() {
    assert_is_fixture("words", &transcript_with_words());
}

#[test]
fn an_empty_transcript_is_a_valid_file_in_every_format() {
    assert_is_fixture("empty", &Transcript::default());
}

#[test]
fn json_is_ascii_and_says_the_same_to_any_reader() {
    let transcript = transcript();
    let json = written(Format::Json, &transcript);
    assert!(json.is_ascii());
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed["text"], transcript.text);
    assert_eq!(parsed["segments"][1]["text"], transcript.segments[1].text);
    assert!(parsed["segments"][1]["avg_logprob"].is_null());
    assert_eq!(parsed["segments"][2]["end"], 360_000.5);
}

#[test]
fn numbers_that_json_cannot_say_are_null() {
    let mut transcript = transcript();
    transcript.segments[0].avg_logprob = Some(f64::NEG_INFINITY);
    let parsed: serde_json::Value = serde_json::from_str(&written(Format::Json, &transcript)).unwrap();
    assert!(parsed["segments"][0]["avg_logprob"].is_null());
}

#[test]
fn an_arrow_in_a_word_does_not_break_the_cue() {
    let mut transcript = transcript_with_words();
    transcript.segments[0].words.as_mut().unwrap()[1].word = " -->".to_owned();
    let vtt = written(Format::Vtt, &transcript);
    assert!(vtt.contains("And -> Ωmega.\n"), "{vtt}");
}

#[test]
fn the_compression_ratio_is_that_of_zlib_but_for_two_bytes() {
    let speech = " And so my fellow Americans, ask not what your country can do for you, \
                  ask what you can do for your country.";
    // Right: what `len(zlib.compress(text.encode()))` gives in Python 3.
    for (text, zlib_len) in [(speech.to_owned(), 79.0), (" na".repeat(100), 15.0), (" ça".to_owned(), 12.0)] {
        let compressed_len = text.len() as f64 / compression_ratio(&text);
        assert!((compressed_len - zlib_len).abs() < 2.5, "{compressed_len} instead of {zlib_len}: {text}");
    }
    assert_eq!(compression_ratio(""), 0.0);
}
