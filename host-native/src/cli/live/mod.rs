//! Speech that is transcribed while it is spoken: from a microphone, or through a pipe.
//!
//! ```text
//! microphone or pipe ─► queue ─► mono, 16 kHz ─► session ─► events ─► sink
//! (a thread of its own)          (this thread, which works while nothing new is there)
//! ```

mod display;
#[cfg(feature = "microphone")]
mod microphone;
mod pcm;
mod queue;
mod sink;

use std::any::Any;
use std::sync::Arc;

use anyhow::Result;
use auricle::audio::FrameConverter;
use auricle::types::Event;
use auricle::{SAMPLE_RATE_HZ, Session};

#[cfg(feature = "microphone")]
pub(crate) use microphone::{list_devices, open as open_microphone};
pub(crate) use pcm::PcmArguments;
use queue::{News, Queue};
pub(crate) use sink::Sink;

use super::feed;
use super::report::at;

/// Steps between two looks at what is new: the fewest, since an event is shown when they are done.
pub(crate) const STEPS: u32 = 1;

/// A way to listen to anything without a microphone of this program's own.
pub(crate) const PIPE_EXAMPLE: &str = "arecord -t raw -f S16_LE -r 16000 | auricle listen --stdin-format s16le";

/// So much audio that waits is worth a word.
const FALLEN_BEHIND_SAMPLES: usize = 5 * SAMPLE_RATE_HZ as usize;

/// Where audio comes from as it is spoken.
pub(crate) struct Source {
    /// What to call it.
    pub(crate) name: String,
    queue: Arc<Queue>,
    converter: FrameConverter,
    /// Of all channels together.
    samples_per_second: usize,
    /// Whether it goes on whether or not somebody listens.
    is_live: bool,
    /// What must live for audio to come.
    keep: Option<Box<dyn Any>>,
}

/// Transcribes a source up to its end, or until Ctrl-C: then what was said until then. Gives how many samples that were.
/// Where the source fails, what it gave before is transcribed before that is told.
pub(crate) fn transcribe(source: Source, session: &mut Session, sink: &mut Sink) -> Result<u64> {
    let Source { name, queue, converter, samples_per_second, is_live, keep } = source;
    end_on_interrupt(&queue)?;
    let mut interleaved = Vec::with_capacity(queue.capacity());
    let mut listener = Listener { name: &name, session, sink, samples: Vec::new(), pushed: 0, has_work: false };
    let mut converter = Some(converter);
    let mut fault = None;
    let mut was_behind = false;
    while converter.is_some() || !listener.samples.is_empty() || listener.has_work {
        // What is new waits in the queue until the last of it has gone in, so that memory stays bounded.
        if listener.samples.is_empty()
            && let Some(mut open) = converter.take()
        {
            let (news, ended) = queue.take(&mut interleaved, !listener.has_work);
            listener.tell(&news, samples_per_second)?;
            fault = fault.or(news.fault);
            let converted = open.push(&interleaved, &mut listener.samples);
            if ended || converted.is_err() {
                open.finish(&mut listener.samples)?;
            } else {
                converter = Some(open);
            }
            if let Err(error) = converted {
                queue.end(None);
                fault = fault.or(Some(error.into()));
            }
            if is_live {
                let behind = listener.behind()?;
                if behind > FALLEN_BEHIND_SAMPLES && !was_behind {
                    let seconds = behind / SAMPLE_RATE_HZ as usize;
                    let text = format!("auricle: {seconds} s behind what is said: this machine is busy or too slow");
                    listener.sink.notice(&text)?;
                }
                was_behind = behind > FALLEN_BEHIND_SAMPLES;
            }
        }
        listener.advance()?;
    }
    drop(keep);
    listener.session.finish().map_err(|error| at(&name, error))?;
    listener.has_work = true;
    while listener.has_work {
        listener.advance()?;
    }
    match fault {
        Some(fault) => Err(fault),
        None => Ok(listener.pushed),
    }
}

struct Listener<'a> {
    name: &'a str,
    session: &'a mut Session,
    sink: &'a mut Sink,
    /// What the session had no room for yet.
    samples: Vec<f32>,
    pushed: u64,
    has_work: bool,
}

impl Listener<'_> {
    /// Pushes what there is room for, and does a little work.
    fn advance(&mut self) -> Result<()> {
        let mut is_full = false;
        if !self.samples.is_empty() {
            let taken = feed::push(self.session, &self.samples);
            let taken = taken.map_err(|error| feed::audio_fault(self.name, error, self.pushed))?;
            is_full = taken == 0;
            self.samples.drain(..taken);
            self.pushed += taken as u64;
        }
        let poll = self.session.poll(STEPS).map_err(|error| at(self.name, error))?;
        if is_full && poll.steps == 0 && poll.events.is_empty() {
            return Err(at(self.name, feed::stuck()));
        }
        self.has_work = poll.more;
        poll.events.into_iter().try_for_each(|event: Event| self.sink.take(event))
    }

    /// How many samples wait to be worked on.
    fn behind(&self) -> Result<usize> {
        let metrics = self.session.metrics().map_err(|error| at(self.name, error))?;
        Ok(self.samples.len() + metrics.buffered_samples as usize)
    }

    fn tell(&mut self, news: &News, samples_per_second: usize) -> Result<()> {
        for notice in &news.notices {
            self.sink.notice(&format!("auricle: {}: {notice}", self.name))?;
        }
        if news.lost_samples > 0 {
            let seconds = news.lost_samples as f64 / samples_per_second as f64;
            self.sink.notice(&format!(
                "auricle: {}: {seconds:.1} s were lost, since this machine is busy or too slow; try --partials none",
                self.name
            ))?;
        }
        Ok(())
    }
}

/// Has Ctrl-C, or what else asks a program to end, end the queue, and a second time the program.
fn end_on_interrupt(queue: &Arc<Queue>) -> Result<()> {
    /// What shells give for a program that SIGINT has ended.
    const INTERRUPTED: i32 = 130;
    let queue = Arc::clone(queue);
    let mut interrupted = false;
    ctrlc::set_handler(move || {
        if interrupted {
            #[expect(clippy::exit, reason = "whoever presses it twice does not want to wait for the end of anything")]
            std::process::exit(INTERRUPTED);
        }
        interrupted = true;
        queue.end(None);
    })?;
    Ok(())
}
