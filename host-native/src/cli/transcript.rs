//! Segments of the contract in the shape that openai-whisper's formats have.

use auricle::SAMPLE_RATE_HZ;
use auricle::types::Segment;

use super::formats::{Transcript, TranscriptSegment, TranscriptWord, compression_ratio};

/// Seconds for so many samples, or at that sample's position.
pub(crate) fn seconds_of(samples: u64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE_HZ)
}

/// Puts the final segments of a recording together. Those without text are left out; `with_words` tells whether their
/// words go along, where they have times.
pub(crate) fn transcript(segments: Vec<Segment>, with_words: bool) -> Transcript {
    let language = segments.iter().find_map(|segment| segment.language.clone());
    let segments = segments.into_iter().filter(|segment| !segment.text.is_empty()).map(|segment| {
        let log_probabilities = segment.tokens.iter().map(|token| f64::from(token.log_probability));
        let text = format!(" {}", segment.text);
        TranscriptSegment {
            id: segment.id,
            seek: None,
            start_s: seconds_of(segment.span.start),
            end_s: seconds_of(segment.span.end),
            avg_logprob: Some(log_probabilities.sum::<f64>() / segment.tokens.len().max(1) as f64),
            compression_ratio: Some(compression_ratio(&text)),
            no_speech_prob: segment.no_speech_probability.map(f64::from),
            tokens: segment.tokens.iter().map(|token| token.id).collect(),
            temperature: Some(0.0),
            words: if with_words { words(&segment, &text) } else { None },
            text,
        }
    });
    let segments: Vec<_> = segments.collect();
    Transcript { text: segments.iter().map(|segment| segment.text.as_str()).collect(), segments, language }
}

/// The words with what stands before each in `text`, so that joined they are the text; `None` where one has no time.
fn words(segment: &Segment, text: &str) -> Option<Vec<TranscriptWord>> {
    let mut rest = text;
    let words = segment.words.iter().map(|word| {
        let span = word.span?;
        let end = rest.find(&word.text).map_or(0, |start| start + word.text.len());
        let (written, after) = rest.split_at(end);
        rest = after;
        Some(TranscriptWord {
            word: written.to_owned(),
            start_s: seconds_of(span.start),
            end_s: seconds_of(span.end),
            probability: f64::from(word.confidence),
        })
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use auricle::types::{Guards, SampleSpan, SegmentEnd, Token, Word};

    use super::*;

    fn segment(text: &str, words: &[(&str, Option<(u64, u64)>)]) -> Segment {
        let word = |(text, span): &(&str, Option<(u64, u64)>)| Word {
            text: (*text).to_owned(),
            span: span.map(|(start, end)| SampleSpan { start, end }),
            confidence: 0.5,
        };
        Segment {
            id: 3,
            revision: 1,
            span: SampleSpan { start: 16_000, end: 40_000 },
            text: text.to_owned(),
            words: words.iter().map(word).collect(),
            settled_words: 0,
            settled_changed: false,
            tokens: vec![Token { id: 7, log_probability: -0.5, entropy: 0.1 }],
            language: Some("en".to_owned()),
            no_speech_probability: None,
            guards: Guards::empty(),
            ended_by: Some(SegmentEnd::Finish),
        }
    }

    #[test]
    fn words_joined_are_the_text_whatever_stands_between_them() {
        let hello = segment(
            "Hello, you you.",
            &[("Hello,", Some((0, 8_000))), ("you", Some((8_000, 9_000))), ("you.", Some((9_000, 16_000)))],
        );
        let chinese = segment("你好", &[("你", Some((0, 1))), ("好", Some((1, 2)))]);
        for segment in [hello, chinese] {
            let transcript = transcript(vec![segment], true);
            let words = transcript.segments[0].words.clone().unwrap();
            let joined: String = words.iter().map(|word| word.word.as_str()).collect();
            assert_eq!(joined, transcript.segments[0].text);
            assert!(words[0].word.starts_with(' '), "{words:?}");
        }
    }

    #[test]
    fn word_times_are_in_seconds_and_left_out_where_one_is_missing() {
        let timed = segment("a b", &[("a", Some((16_000, 24_000))), ("b", Some((24_000, 40_000)))]);
        let transcript_of =
            |segment: &Segment, with_words| transcript(vec![segment.clone()], with_words).segments[0].words.clone();
        let words = transcript_of(&timed, true).unwrap();
        assert_eq!((words[1].start_s, words[1].end_s, words[1].probability), (1.5, 2.5, 0.5));
        assert_eq!(transcript_of(&timed, false), None);
        assert_eq!(transcript_of(&segment("a b", &[("a", Some((0, 1))), ("b", None)]), true), None);
    }

    #[test]
    fn segments_without_text_are_left_out() {
        let transcript = transcript(vec![segment("", &[]), segment("a", &[])], false);
        assert_eq!((transcript.segments.len(), transcript.text.as_str()), (1, " a"));
        assert_eq!((transcript.segments[0].start_s, transcript.segments[0].end_s), (1.0, 2.5));
    }
}
