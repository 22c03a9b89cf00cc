//! The rules of the contract for events, checked as they come.

use auricle_component::segment::{Event, Segment, Word};

/// What has happened in a stream so far.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// Finals so far.
    finals: Vec<Segment>,
    /// Partials so far, of all segments.
    pub(crate) partials: usize,
    /// Where speech began, while a segment is under way.
    started: Option<u64>,
    /// The latest partial of the segment under way.
    latest: Option<Segment>,
    /// The final whose `SpeechEnded` is to come.
    closing: bool,
    /// Where speech has ended last.
    last_end: u64,
    end_of_stream: Option<u64>,
}

impl Rules {
    /// Takes events of a stream into which so many samples were pushed.
    pub(crate) fn take(&mut self, events: Vec<Event>, pushed: u64) {
        for event in events {
            assert_eq!(self.end_of_stream, None, "nothing follows the end of the stream: {event:?}");
            assert!(!self.closing || matches!(event, Event::SpeechEnded(_)), "{event:?}");
            match event {
                Event::SpeechStarted(at) => {
                    assert_eq!(self.started, None, "one segment at a time");
                    assert!(self.last_end <= at && at <= pushed);
                    self.started = Some(at);
                    self.latest = None;
                }
                Event::PartialSegment(segment) => self.partial(segment, pushed),
                Event::FinalSegment(segment) => self.last(segment, pushed),
                Event::SpeechEnded(at) => {
                    let started = self.started.take().expect("speech has started");
                    let span = &self.finals.last().expect("after the final").span;
                    assert!(self.closing && started <= at && at <= span.end, "{started}, {at}, {span:?}");
                    self.last_end = at;
                    self.closing = false;
                }
                Event::EndOfStream(at) => {
                    assert_eq!((at, self.started), (pushed, None));
                    self.end_of_stream = Some(at);
                }
            }
        }
    }

    /// The finals of a stream that has ended after so many samples.
    pub(crate) fn ended(self, samples: u64) -> Vec<Segment> {
        assert_eq!(self.end_of_stream, Some(samples));
        self.finals
    }

    fn partial(&mut self, segment: Segment, pushed: u64) {
        self.any(&segment, pushed);
        assert!(segment.ended_by.is_none() && !segment.settled_changed && !segment.words.is_empty());
        if let Some(latest) = &self.latest {
            assert!(latest.span.start == segment.span.start && latest.span.end <= segment.span.end);
            assert!(latest.settled_words <= segment.settled_words, "what is settled stays so");
            assert_eq!(settled(latest), texts(&segment.words[..latest.settled_words]));
        }
        self.partials += 1;
        self.latest = Some(segment);
    }

    fn last(&mut self, segment: Segment, pushed: u64) {
        self.any(&segment, pushed);
        assert!(segment.ended_by.is_some() && segment.settled_words == segment.words.len());
        let before = self.latest.as_ref().map(settled).unwrap_or_default();
        assert_eq!(segment.settled_changed, !texts(&segment.words).starts_with(&before), "{before:?}: {segment:?}");
        self.closing = true;
        self.finals.push(segment);
    }

    /// What is so in partials and in finals.
    fn any(&self, segment: &Segment, pushed: u64) {
        let started = self.started.expect("speech has started");
        assert_eq!(segment.id, self.finals.len() as u64, "ids count from 0");
        assert!(self.latest.as_ref().is_none_or(|latest| latest.revision < segment.revision), "revisions rise");
        let before = self.finals.last().map_or(0, |last| last.span.end);
        let span = &segment.span;
        assert!(before <= span.start && span.start <= started && started < span.end && span.end <= pushed, "{span:?}");
        assert!(segment.settled_words <= segment.words.len());
        assert_eq!(segment.text, texts(&segment.words).join(" "));
    }
}

fn settled(segment: &Segment) -> Vec<String> {
    texts(&segment.words[..segment.settled_words])
}

fn texts(words: &[Word]) -> Vec<String> {
    words.iter().map(|word| word.text.clone()).collect()
}
