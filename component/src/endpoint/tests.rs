//! Hops as text: `#` is speech, `~` is less than begins speech and more than ends it, `.` is silence.

use super::{Ended, Endpointer, HOP, POST_ROLL_HOPS, PRE_ROLL_HOPS, Turn};
use crate::options::{Endpointing, VoiceActivity};
use crate::segment::SegmentEnd;

fn endpointer(minimum_silence: u64, minimum_speech: u64, longest: u64) -> Endpointer {
    let samples = |hops: u64| (hops * HOP) as u32;
    Endpointer::new(&Endpointing {
        voice_activity: VoiceActivity::Energy,
        minimum_silence: samples(minimum_silence),
        minimum_speech: samples(minimum_speech),
        longest_segment: samples(longest),
    })
}

fn probability(hop: char) -> f32 {
    match hop {
        '#' => 0.9,
        '~' => 0.4,
        _ => 0.1,
    }
}

/// What happened, with positions in hops: `+12` began, `[3..20]` was the audio of a segment.
fn happened(endpointer: &mut Endpointer, hops: &str) -> Vec<String> {
    let turns = hops.chars().map(|hop| endpointer.advance(probability(hop), probability(hop)));
    turns.filter_map(|turn| describe(&turn)).collect()
}

fn describe(turn: &Turn) -> Option<String> {
    match turn {
        Turn::Nothing => None,
        Turn::Started(at) => Some(format!("+{}", at / HOP)),
        Turn::Ended(Ended { span, by, goes_on, .. }) => {
            let on = if *goes_on { ">" } else { "" };
            Some(format!("[{}..{}]{on} {by:?}", span.start / HOP, span.end / HOP))
        }
    }
}

fn silence(hops: usize) -> String {
    ".".repeat(hops)
}

#[test]
fn a_segment_has_some_audio_before_and_after_its_speech() {
    let mut endpointer = endpointer(16, 4, 600);
    let stream = format!("{}##########{}", silence(20), silence(30));
    let (start, end) = (20 - PRE_ROLL_HOPS, 30 + POST_ROLL_HOPS);
    assert_eq!(happened(&mut endpointer, &stream), ["+20".to_owned(), format!("[{start}..{end}] Silence")]);
}

#[test]
fn nothing_before_the_stream_or_the_segment_before_belongs_to_a_segment() {
    let mut endpointer = endpointer(6, 2, 600);
    let stream = "####......####......";
    assert_eq!(happened(&mut endpointer, stream), ["+0", "[0..10] Silence", "+10", "[10..20] Silence"]);
}

#[test]
fn pauses_shorter_than_asked_for_end_nothing_and_weak_speech_goes_on() {
    let mut endpointer = endpointer(10, 2, 600);
    assert_eq!(happened(&mut endpointer, "####.........#~~~~~~~~~~~~~~~~~~~~~~.........."), ["+0", "[0..42] Silence"]);
}

#[test]
fn clicks_are_no_speech_however_many_there_are() {
    let mut endpointer = endpointer(16, 4, 600);
    assert!(happened(&mut endpointer, &"##.........".repeat(50)).is_empty());
    assert!(happened(&mut endpointer, &"~~~~~~~~~~~".repeat(50)).is_empty(), "weak sounds begin nothing");
    // Short pauses are part of a word.
    assert_eq!(happened(&mut endpointer, "#..#.##"), ["+1100"]);
}

#[test]
fn the_end_of_the_stream_ends_a_segment_within_it() {
    for (hops, end) in [("......########", 13 * HOP + 100), ("......########...", 16 * HOP + 100)] {
        let mut endpointer = endpointer(16, 4, 600);
        assert_eq!(happened(&mut endpointer, hops), ["+6"]);
        let Turn::Ended(ended) = endpointer.finish(end) else { panic!("a segment is under way") };
        assert_eq!((ended.span, ended.by), (0..end, SegmentEnd::Finish));
        assert_eq!(ended.speech_end, end.min(14 * HOP));
        assert_eq!(endpointer.finish(end), Turn::Nothing);
    }
    let mut endpointer = endpointer(16, 4, 600);
    happened(&mut endpointer, "##");
    assert_eq!(endpointer.finish(2 * HOP), Turn::Nothing, "too short to be speech");
}

#[test]
fn a_segment_that_is_too_long_is_cut_at_the_quietest_place_of_its_second_half() {
    let mut endpointer = endpointer(16, 4, 40);
    let hops = format!("{}..{}..{}", "#".repeat(10), "#".repeat(16), "#".repeat(60));
    let happened = happened(&mut endpointer, &hops);
    // Between the two silent hops, and then, where none is quieter than another, as late as may be.
    assert_eq!(happened, ["+0", "[0..29]> LongestSegment", "[29..67]> LongestSegment"]);
}

#[test]
fn the_parts_of_a_cut_segment_are_as_likely_speech_as_it_was() {
    let mut endpointer = endpointer(16, 4, 40);
    let mut judged = Vec::new();
    for hop in 0..100 {
        // The quietest place is in the middle.
        let probability = if (18..22).contains(&(hop % 40)) { 0.36 } else { 0.5 };
        if let Turn::Ended(ended) = endpointer.advance(probability, probability) {
            judged.push(ended.speech_probability.expect("it was judged"));
        }
    }
    assert!(judged.len() > 1 && judged.iter().all(|judged| (0.45..0.55).contains(judged)), "{judged:?}");
}

#[test]
fn sound_that_never_becomes_speech_begins_no_segment_and_keeps_no_audio() {
    for (minimum_speech, hops) in [(8, "#......."), (25, "#"), (60, "#"), (4_000_000, "##.")] {
        let mut endpointer = endpointer(16, minimum_speech, 31);
        for hop in hops.chars().cycle().take(5_000) {
            let turn = endpointer.advance(probability(hop), 0.5);
            if let Turn::Ended(Ended { span, .. }) = &turn {
                assert!(span.end - span.start <= 31 * HOP, "{minimum_speech}: {span:?}");
            }
            let held = endpointer.position() - endpointer.needed_from();
            assert!(held <= 31 * HOP, "{minimum_speech}: {held} samples");
        }
    }
}

#[test]
fn a_cut_in_trailing_silence_ends_the_speech() {
    let mut endpointer = endpointer(30, 4, 40);
    let hops = format!("{}{}{}", "#".repeat(22), silence(18), "####");
    assert_eq!(happened(&mut endpointer, &hops), ["+0", "[0..38] LongestSegment", "+40"]);
}

#[test]
fn what_is_foreseen_is_what_comes() {
    let mut endpointer = endpointer(16, 4, 600);
    happened(&mut endpointer, "##########.....");
    assert_eq!(endpointer.foreseen(), None, "the audio after the speech is not there yet");
    for passed in 6..16 {
        assert_eq!(endpointer.advance(0.1, 0.1), Turn::Nothing);
        let foreseen = Some((0..(10 + POST_ROLL_HOPS) * HOP, (16 - passed) * HOP));
        assert_eq!(endpointer.foreseen(), foreseen);
    }
    let Turn::Ended(ended) = endpointer.advance(0.1, 0.1) else { panic!("the silence has lasted") };
    assert_eq!(ended.span, 0..(10 + POST_ROLL_HOPS) * HOP);
    assert!((ended.speech_probability.expect("it was judged") - 0.9).abs() < 1e-6);
}

#[test]
fn nothing_is_needed_of_what_no_segment_can_have() {
    let mut endpointer = endpointer(16, 4, 600);
    happened(&mut endpointer, &silence(100));
    assert_eq!(endpointer.needed_from(), (100 - PRE_ROLL_HOPS) * HOP);
    happened(&mut endpointer, "##");
    assert_eq!(endpointer.needed_from(), (100 - PRE_ROLL_HOPS) * HOP);
    happened(&mut endpointer, &"#".repeat(300));
    assert_eq!(endpointer.needed_from(), (100 - PRE_ROLL_HOPS) * HOP);
    happened(&mut endpointer, &silence(16));
    assert_eq!(endpointer.needed_from(), (418 - PRE_ROLL_HOPS) * HOP);
}
