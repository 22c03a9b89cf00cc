//! What a session does when it is polled: which task comes next, and each of them.

use std::ops::Range;

use super::{Session, State};
use crate::endpoint::{Ended, Turn};
use crate::error::Error;
use crate::family::{Hypothesis, Progress};
use crate::guards;
use crate::metrics::Stage;
use crate::segment::{Event, Word, words};
use crate::vad::HOP_SAMPLES;

/// Hops that are listened to in one step: half a second.
pub(super) const HOPS_PER_STEP: usize = 16;

/// What the transcriber works on.
pub(super) struct Job {
    purpose: Purpose,
    audio: Range<u64>,
    elapsed_ns: u64,
}

enum Purpose {
    /// What the segment says so far.
    Partial,
    /// The final, if the silence lasts.
    Ahead,
    /// The final.
    Final(Ended),
}

/// What the next step is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Task {
    Nothing,
    Listen,
    HearRest,
    Close,
    End,
    BeginAhead(Range<u64>),
    BeginPartial(Range<u64>),
    Transcribe,
}

impl Session {
    /// What the next step is to do.
    pub(super) fn next_task(&self) -> Task {
        match self.state {
            State::Ended | State::Failed(_) => return Task::Nothing,
            _ => {}
        }
        if let Some(Job { purpose: Purpose::Final(_), .. }) = self.job {
            return Task::Transcribe;
        }
        match self.state {
            _ if self.buffered_samples() >= HOP_SAMPLES => return Task::Listen,
            State::Finished => return Task::HearRest,
            State::Heard => return Task::Close,
            State::Closed => return Task::End,
            _ => {}
        }
        if let Some((audio, missing)) = self.listener.foreseen()
            && !self.is_foreseen(&audio)
            && self.pace.final_is_due(&audio, missing)
            && self.is_long_enough(&audio)
        {
            return Task::BeginAhead(audio);
        }
        if self.job.is_some() {
            return Task::Transcribe;
        }
        match self.listener.under_way() {
            Some((start, _)) if self.listener.foreseen().is_none() => {
                let audio = start..self.listener.position();
                let due = self.pace.partial_is_due(audio.end) && self.is_long_enough(&audio);
                if due { Task::BeginPartial(audio) } else { Task::Nothing }
            }
            _ => Task::Nothing,
        }
    }

    /// Whether the final of a segment with this audio is known or being worked on.
    fn is_foreseen(&self, audio: &Range<u64>) -> bool {
        let working = matches!(&self.job, Some(Job { purpose: Purpose::Ahead, audio: ahead, .. }) if ahead == audio);
        working || self.under_way.foreseen(audio)
    }

    fn is_long_enough(&self, audio: &Range<u64>) -> bool {
        audio.end - audio.start >= self.traits.shortest_segment_samples as u64
    }

    /// Does a step.
    pub(super) fn step(&mut self, task: Task) -> Result<(), Error> {
        match task {
            Task::Nothing => Ok(()),
            Task::Listen => self.listen(),
            Task::HearRest => {
                self.state = State::Heard;
                let turn = self.listener.hear_rest(self.audio.samples(self.listener.position()..self.audio.end()));
                self.turn(turn)
            }
            Task::Close => {
                self.state = State::Closed;
                let turn = self.listener.finish(self.audio.end());
                self.turn(turn)
            }
            Task::End => {
                self.job = None;
                self.events.push_back(Event::EndOfStream(self.audio.end()));
                self.state = State::Ended;
                Ok(())
            }
            Task::BeginAhead(audio) => self.begin(Purpose::Ahead, audio),
            Task::BeginPartial(audio) => self.begin(Purpose::Partial, audio),
            Task::Transcribe => self.transcribe(),
        }
    }

    /// Listens to some hops, up to the first that ends a segment: its final comes first.
    fn listen(&mut self) -> Result<(), Error> {
        let Self { listener, audio, meter, .. } = self;
        let turn = meter.measure(Stage::VoiceActivity, || {
            let mut turn = Turn::Nothing;
            let mut hops = 0;
            while hops < HOPS_PER_STEP && turn == Turn::Nothing {
                let position = listener.position();
                let next = position + HOP_SAMPLES as u64;
                let Some(Ok(hop)) = (next <= audio.end()).then(|| audio.samples(position..next).try_into()) else {
                    break;
                };
                turn = listener.hear(hop);
                hops += 1;
            }
            (0, turn)
        });
        let done = self.turn(turn);
        self.drop_what_is_in_vain();
        // A final that is worked on still needs its audio, for the times of its words.
        let worked_on = self.job.as_ref().map_or(u64::MAX, |job| job.audio.start);
        self.audio.forget_before(self.listener.needed_from().min(worked_on));
        done
    }

    fn turn(&mut self, turn: Turn) -> Result<(), Error> {
        match turn {
            Turn::Nothing => Ok(()),
            Turn::Started(onset) => {
                self.under_way.begin();
                self.pace.segment_began(onset);
                self.events.push_back(Event::SpeechStarted(onset));
                Ok(())
            }
            Turn::Ended(ended) => self.end_segment(ended),
        }
    }

    /// A segment has ended: gives its final if it is known already, and works on it otherwise.
    fn end_segment(&mut self, ended: Ended) -> Result<(), Error> {
        if let Some(hypothesis) = self.under_way.take_foreseen(&ended.span) {
            self.job = None;
            self.give_final(ended, hypothesis);
            return Ok(());
        }
        if let Some(job) = &mut self.job
            && matches!(job.purpose, Purpose::Ahead)
            && job.audio == ended.span
        {
            job.purpose = Purpose::Final(ended);
            return Ok(());
        }
        if !self.is_long_enough(&ended.span) {
            self.job = None;
            self.give_final(ended, Hypothesis::default());
            return Ok(());
        }
        let audio = ended.span.clone();
        self.begin(Purpose::Final(ended), audio)
    }

    /// Work ahead on a final that will not come is a partial, where there are partials, and otherwise dropped.
    fn drop_what_is_in_vain(&mut self) {
        if let Some(job) = &mut self.job
            && matches!(job.purpose, Purpose::Ahead)
            && self.listener.foreseen().is_none_or(|(audio, _)| audio != job.audio)
        {
            if self.pace.has_partials() {
                job.purpose = Purpose::Partial;
            } else {
                self.abandon();
            }
        }
    }

    /// Drops work on a partial where there are none any more.
    pub(super) fn drop_unwanted_partial(&mut self) {
        let is_partial = matches!(&self.job, Some(Job { purpose: Purpose::Partial, .. }));
        if is_partial && !self.pace.has_partials() {
            self.abandon();
        }
    }

    /// Drops what is being worked on; it has cost what it has.
    fn abandon(&mut self) {
        if let Some(job) = self.job.take() {
            self.pace.spent(self.listener.position(), job.elapsed_ns);
        }
    }

    fn begin(&mut self, purpose: Purpose, audio: Range<u64>) -> Result<(), Error> {
        self.abandon();
        let samples = self.audio.samples(audio.clone());
        self.transcriber.begin(samples, self.under_way.draft(), self.word_times)?;
        self.job = Some(Job { purpose, audio, elapsed_ns: 0 });
        Ok(())
    }

    fn transcribe(&mut self) -> Result<(), Error> {
        let Some(job) = &mut self.job else { return Ok(()) };
        let before = self.meter.elapsed_ns();
        let progress = self.transcriber.step(&mut self.meter)?;
        job.elapsed_ns += self.meter.elapsed_ns() - before;
        let Progress::Done(hypothesis) = progress else { return Ok(()) };
        let Some(Job { purpose, audio, elapsed_ns }) = self.job.take() else { return Ok(()) };
        self.pace.transcribed(&audio, elapsed_ns);
        match purpose {
            Purpose::Partial => self.give_partial(audio, hypothesis),
            Purpose::Ahead => {
                if self.pace.has_partials() {
                    self.give_partial(audio.clone(), hypothesis.clone());
                }
                self.under_way.foresee(audio, hypothesis);
            }
            Purpose::Final(ended) => self.give_final(ended, hypothesis),
        }
        Ok(())
    }

    fn words(&self, audio: &Range<u64>, hypothesis: &Hypothesis) -> Vec<Word> {
        words(hypothesis, self.model.tokenizer(), audio.start, self.audio.samples(audio.clone()))
    }

    fn give_partial(&mut self, audio: Range<u64>, mut hypothesis: Hypothesis) {
        let guards = guards::apply(&mut hypothesis, None);
        let words = self.words(&audio, &hypothesis);
        let segment = self.under_way.partial(audio, hypothesis, words, guards, self.language.clone());
        // Without words there is nothing to show.
        if let Some(segment) = segment {
            self.events.push_back(Event::PartialSegment(segment));
        }
    }

    fn give_final(&mut self, ended: Ended, mut hypothesis: Hypothesis) {
        let guards = guards::apply(&mut hypothesis, ended.speech_probability);
        let words = self.words(&ended.span, &hypothesis);
        let segment = self.under_way.last(&ended, hypothesis, words, guards, self.language.clone());
        let Ended { speech_end, goes_on, .. } = ended;
        self.events.push_back(Event::FinalSegment(segment));
        self.events.push_back(Event::SpeechEnded(speech_end));
        if goes_on {
            self.under_way.begin();
            self.pace.segment_began(speech_end);
            self.events.push_back(Event::SpeechStarted(speech_end));
        }
    }
}
