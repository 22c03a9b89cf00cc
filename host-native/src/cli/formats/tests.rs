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

/// The transcript of `subtitles-*`, which `make_fixtures.py` tells about.
fn transcript_for_subtitles() -> Transcript {
    let word = |word: &str, start_s: f64, end_s: f64| TranscriptWord {
        word: word.to_owned(),
        start_s,
        end_s,
        probability: 0.75,
    };
    let first = "We hold these truths to be self-evident, that all men".split(' ').enumerate();
    let mut words: Vec<_> =
        first.map(|(n, text)| word(&format!(" {text}"), 0.5 + 0.4 * n as f64, 0.8 + 0.4 * n as f64)).collect();
    words.extend([word(" are", 9.0, 9.25), word(" created", 9.25, 9.75), word(" \u{3000}", 9.75, 9.8)]);
    words.push(word(" equal.", 9.8, 10.5));
    let second = [(" That", 10.75, 11.0), (" Überunabhängigkeitserklärung", 11.0, 12.5), (" is", 12.5, 12.6)];
    let third = [(" 人", 20.0, 20.25), ("生", 20.25, 20.5), ("、", 20.5, 20.5), (" Liberty.", 23.75, 24.5)];
    let words_of = |list: &[(&str, f64, f64)]| list.iter().map(|(text, start, end)| word(text, *start, *end)).collect();
    let segments = [words, words_of(&second), vec![], words_of(&third)].map(|words| TranscriptSegment {
        text: words.iter().map(|word| word.word.as_str()).collect(),
        words: Some(words),
        ..TranscriptSegment::default()
    });
    Transcript { segments: segments.into(), ..Transcript::default() }
}

fn written(format: Format, transcript: &Transcript) -> String {
    written_with(format, transcript, &SubtitleOptions::default())
}

fn written_with(format: Format, transcript: &Transcript, options: &SubtitleOptions) -> String {
    let mut bytes = Vec::new();
    format.write(transcript, options, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn fixture(name: &str) -> String {
    let path = format!("{}/../testdata/formats/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn assert_is_fixture(stem: &str, transcript: &Transcript) {
    for format in Format::ALL {
        let name = format!("{stem}.{}", format.extension());
        assert_eq!(written(format, transcript), fixture(&name), "{name}");
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
fn every_layout_of_subtitles_has_the_bytes_that_whisper_writes() {
    let options = |width, count, words, highlight_words| SubtitleOptions {
        max_line_width: width,
        max_line_count: count,
        max_words_per_line: words,
        highlight_words,
    };
    let cases = [
        ("width20", options(Some(20), None, None, false)),
        ("count2", options(None, Some(2), None, false)),
        ("words3", options(None, None, Some(3), false)),
        ("highlight", options(None, None, None, true)),
        ("width20-count2", options(Some(20), Some(2), None, false)),
        ("width9-count1", options(Some(9), Some(1), None, false)),
        ("width10-words3", options(Some(10), None, Some(3), false)),
        ("width20-count2-words3", options(Some(20), Some(2), Some(3), false)),
        ("width20-count2-highlight", options(Some(20), Some(2), None, true)),
    ];
    for (stem, options) in cases {
        for format in [Format::Srt, Format::Vtt] {
            let name = format!("subtitles-{stem}.{}", format.extension());
            assert_eq!(written_with(format, &transcript_for_subtitles(), &options), fixture(&name), "{name}");
        }
    }
}

#[test]
fn layout_changes_nothing_where_there_are_no_words() {
    let options = SubtitleOptions { max_line_width: Some(5), highlight_words: true, ..SubtitleOptions::default() };
    for format in Format::ALL {
        assert_eq!(written_with(format, &transcript(), &options), written(format, &transcript()));
    }
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
