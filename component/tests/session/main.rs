//! Sessions over a model that hears quickly: what events there are, in which order, and that finals follow from the samples
//! alone.

#[path = "../support/mod.rs"]
mod support;

mod echo;
mod rules;
mod stream;

use std::cell::Cell;

use auricle_component::error::{Error, Limit};
use auricle_component::options::{Partials, SessionOptions};
use auricle_component::segment::{Event, Segment, SegmentEnd};
use auricle_component::session::{Session, UNPROCESSED_SAMPLES_MAX};

use echo::{LONGEST_SAMPLES, SHORTEST_SAMPLES, Slow};
use rules::Rules;
use support::Random;

const SECOND: usize = 16_000;

thread_local! {
    static NANOSECONDS: Cell<u64> = const { Cell::new(0) };
}

/// A clock that moves on by a random while each time it is read: what work costs differs from run to run.
fn erratic_clock() -> u64 {
    let now = NANOSECONDS.get();
    NANOSECONDS.set(now + (now / 977 * 7_919 + 12_345) % 40_000_000);
    now
}

fn options(partials: Partials) -> SessionOptions {
    SessionOptions { partials, ..SessionOptions::suitable(LONGEST_SAMPLES) }
}

fn open(options: &SessionOptions) -> Session {
    Session::open(echo::model(), &["en".into()], None, options, erratic_clock).expect("the options are fit")
}

fn drain(session: &mut Session, rules: &mut Rules) {
    loop {
        let poll = session.poll(u32::MAX).expect("work is done");
        rules.take(poll.events, session.pushed_samples());
        if !poll.more {
            return;
        }
    }
}

/// The finals of a stream that is pushed and polled in one go.
fn finals(samples: &[f32], options: &SessionOptions) -> Vec<Segment> {
    let mut session = open(options);
    let mut rules = Rules::default();
    for block in samples.chunks(UNPROCESSED_SAMPLES_MAX) {
        session.push_audio(block).expect("there is room");
        drain(&mut session, &mut rules);
    }
    session.finish().expect("the stream ends once");
    drain(&mut session, &mut rules);
    rules.ended(samples.len() as u64)
}

#[test]
fn speech_with_pauses_becomes_segments_that_cover_it() {
    let stream = stream::speech(1, 8);
    let finals = finals(&stream.samples, &options(Partials::None));
    for spoken in &stream.spoken {
        let middle = (spoken.start + spoken.end) / 2;
        assert!(finals.iter().any(|segment| segment.span.contains(&middle)), "{spoken:?}: {finals:#?}");
    }
    assert!(finals.iter().all(|segment| !segment.text.is_empty() && segment.guards == Default::default()));
    assert!(finals.iter().any(|segment| segment.ended_by == Some(SegmentEnd::Silence)), "{finals:#?}");
}

#[test]
fn any_pushing_and_polling_gives_the_same_finals_and_keeps_the_rules() {
    let stream = stream::speech(2, 6);
    let want = finals(&stream.samples, &options(Partials::None));
    assert!(want.len() >= 3, "{want:#?}");
    let without_revisions = |segments: &[Segment]| -> Vec<Segment> {
        let plain = |segment: &Segment| Segment { revision: 0, settled_changed: false, ..segment.clone() };
        segments.iter().map(plain).collect()
    };
    let want = without_revisions(&want);
    for seed in 0..300 {
        let mut random = Random::new(1000 + seed);
        let partials = [Partials::None, Partials::Economical, Partials::Eager][random.below(3)];
        let mut session = open(&options(partials));
        let longest_block = [7, 160, 512, 4_000, 70_000][random.below(5)];
        // Some sessions had another stream before, up to somewhere.
        if random.below(3) == 0 {
            session.push_audio(&stream::speech(90 + seed, 3).samples[..3 * SECOND]).expect("there is room");
            session.poll(random.below(60) as u32).expect("work is done");
            if random.below(2) == 0 {
                session.finish().expect("once");
                session.poll(random.below(60) as u32).expect("work is done");
            }
            session.reset();
        }
        let mut rules = Rules::default();
        let mut rest = &stream.samples[..];
        while !rest.is_empty() {
            let (block, after) = rest.split_at((1 + random.below(longest_block)).min(rest.len()));
            session.push_audio(block).expect("there is room");
            rest = after;
            if random.below(8) == 0 {
                session.set_partials([Partials::None, Partials::Economical, Partials::Eager][random.below(3)]);
            }
            if random.below(4) > 0 {
                let poll = session.poll(random.below(9) as u32).expect("work is done");
                rules.take(poll.events, session.pushed_samples());
            }
        }
        session.finish().expect("the stream ends once");
        drain(&mut session, &mut rules);
        assert_eq!(without_revisions(&rules.ended(stream.samples.len() as u64)), want, "seed {seed}");
        assert!(session.poll(9).expect("an ended stream can be polled").events.is_empty());
        assert!(matches!(session.push_audio(&[0.0]), Err(Error::InvalidState(_))));
        assert!(matches!(session.finish(), Err(Error::InvalidState(_))));
    }
}

#[test]
fn partials_come_while_somebody_speaks_and_none_where_none_are_wanted() {
    let stream = stream::speech(3, 4);
    let count = |partials| {
        let mut session = open(&options(partials));
        let mut rules = Rules::default();
        for block in stream.samples.chunks(320) {
            session.push_audio(block).expect("there is room");
            drain(&mut session, &mut rules);
        }
        rules.partials
    };
    let (none, economical, eager) = (count(Partials::None), count(Partials::Economical), count(Partials::Eager));
    assert!(none == 0 && 0 < economical && economical < eager, "{none}, {economical}, {eager}");
}

#[test]
fn another_budget_for_partials_holds_from_the_next_poll_on_and_after_a_reset() {
    let stream = stream::speech(3, 4);
    let mut session = open(&options(Partials::Eager));
    let hear = |session: &mut Session, poll_steps| {
        let mut rules = Rules::default();
        for block in stream.samples.chunks(320) {
            session.push_audio(block).expect("there is room");
            rules.take(session.poll(poll_steps).expect("work is done").events, session.pushed_samples());
        }
        rules.partials
    };
    // Few steps at a time, so that a partial is being worked on where the stream ends.
    let eager = hear(&mut session, 3);
    session.set_partials(Partials::None);
    assert!(session.poll(u32::MAX).expect("work is done").events.iter().all(|event| {
        // Neither a new one, nor the one that was under way.
        !matches!(event, Event::PartialSegment(_))
    }));
    session.reset();
    assert_eq!(hear(&mut session, u32::MAX), 0);
    session.set_partials(Partials::Economical);
    session.reset();
    let economical = hear(&mut session, u32::MAX);
    assert!(0 < economical && economical < eager, "{economical}, {eager}");
}

#[test]
fn a_final_is_ready_when_its_endpoint_is_reached() {
    let stream = stream::speech(4, 4);
    let mut session = open(&options(Partials::None));
    let mut steps_at_final = Vec::new();
    for block in stream.samples.chunks(160) {
        session.push_audio(block).expect("there is room");
        loop {
            let poll = session.poll(u32::MAX).expect("work is done");
            if poll.events.iter().any(|event| matches!(event, Event::FinalSegment(_))) {
                steps_at_final.push(poll.steps);
            }
            if !poll.more {
                break;
            }
        }
    }
    assert!(steps_at_final.len() >= 3, "{steps_at_final:?}");
    // The step that hears the last hop, and nothing else.
    assert!(steps_at_final.iter().all(|&steps| steps == 1), "{steps_at_final:?}");
}

#[test]
fn speech_without_a_pause_is_cut_and_no_sample_is_lost_or_doubled() {
    let stream = stream::unbroken(5, 60 * SECOND);
    let finals = finals(&stream, &options(Partials::None));
    let longest = SessionOptions::suitable(LONGEST_SAMPLES).endpointing.expect("it has rules").longest_segment;
    assert!(finals.len() >= 3, "{finals:#?}");
    for pair in finals.windows(2) {
        if pair[0].ended_by == Some(SegmentEnd::LongestSegment) {
            assert_eq!(pair[0].span.end, pair[1].span.start);
        }
        assert!(pair[0].span.end <= pair[1].span.start);
    }
    assert!(finals.iter().any(|segment| segment.ended_by == Some(SegmentEnd::LongestSegment)), "{finals:#?}");
    assert!(finals.iter().all(|segment| segment.span.end - segment.span.start <= u64::from(longest)));
}

#[test]
fn a_buffer_of_a_minute_refuses_more_and_loses_nothing() {
    let stream = stream::speech(6, 30);
    assert!(stream.samples.len() > UNPROCESSED_SAMPLES_MAX + SECOND);
    let mut session = open(&options(Partials::None));
    let mut rules = Rules::default();
    let mut refused = 0;
    for block in stream.samples.chunks(1_000) {
        while let Err(error) = session.push_audio(block) {
            let Error::BufferFull { buffered, capacity } = error else { panic!("{error}") };
            assert!(capacity == UNPROCESSED_SAMPLES_MAX && buffered + block.len() > capacity);
            assert_eq!(session.buffered_samples(), buffered);
            refused += 1;
            rules.take(session.poll(1).expect("work is done").events, session.pushed_samples());
        }
    }
    session.finish().expect("the stream ends once");
    drain(&mut session, &mut rules);
    assert!(refused > 0);
    let want = finals(&stream.samples, &options(Partials::None));
    assert_eq!(rules.ended(stream.samples.len() as u64), want);

    // What waits for the rest of a hop, polling cannot make room for.
    let mut session = open(&options(Partials::None));
    session.push_audio(&[0.0; 100]).expect("there is room");
    assert!(!session.poll(u32::MAX).expect("there is nothing to do").more);
    session.push_audio(&vec![0.0; UNPROCESSED_SAMPLES_MAX]).expect("there is room for a minute");

    let error = session_error(|session| session.push_audio(&vec![0.0; UNPROCESSED_SAMPLES_MAX + 1]));
    assert!(matches!(error, Error::LimitExceeded { limit: Limit::BlockSamples, .. }), "{error}");
}

fn session_error(work: impl FnOnce(&mut Session) -> Result<(), Error>) -> Error {
    work(&mut open(&options(Partials::None))).expect_err("it is refused")
}

#[test]
fn the_whole_stream_is_one_segment_where_no_endpoints_are_wanted() {
    let whole = SessionOptions { endpointing: None, ..options(Partials::Eager) };
    let samples = stream::speech(7, 4).samples;
    let segments = finals(&samples, &whole);
    let [segment] = &segments[..] else { panic!("{segments:#?}") };
    assert_eq!((segment.span.clone(), segment.ended_by), (0..samples.len() as u64, Some(SegmentEnd::Finish)));
    for nothing in [&[][..], &[0.5; SHORTEST_SAMPLES - 1], &[1e-5; SECOND]] {
        assert!(finals(nothing, &whole).is_empty(), "{} samples", nothing.len());
    }
    let mut session = open(&whole);
    session.push_audio(&vec![0.1; LONGEST_SAMPLES]).expect("just as much as the model takes");
    let error = session.push_audio(&[0.1]).expect_err("one more");
    assert!(matches!(error, Error::LimitExceeded { limit: Limit::UtteranceSamples, .. }), "{error}");
}

#[test]
fn a_failing_step_fails_the_session_until_it_is_reset() {
    let stream = stream::speech(8, 2);
    // It can transcribe the first segment, whose final is not lost.
    let options = options(Partials::None);
    let mut session = Session::open(Slow::new(1), &["en".into()], None, &options, || 0).expect("the options are fit");
    session.push_audio(&stream.samples).expect("there is room");
    session.finish().expect("the stream ends once");
    let poll = session.poll(u32::MAX).expect("something happened before it failed");
    assert!(poll.more && poll.events.iter().any(|event| matches!(event, Event::FinalSegment(_))), "{poll:?}");
    for _ in 0..2 {
        let error = session.poll(u32::MAX).expect_err("its model fails");
        assert!(matches!(&error, Error::Internal(message) if message == "out of order"), "{error}");
    }
    assert!(matches!(session.push_audio(&[0.0]), Err(Error::InvalidState(_))));
    session.reset();
    session.push_audio(&[0.0; 1_000]).expect("it is new again");
    session.finish().expect("it is new again");
    let events = session.poll(u32::MAX).expect("there is nothing to fail at").events;
    assert_eq!(events, [Event::EndOfStream(1_000)]);
}
