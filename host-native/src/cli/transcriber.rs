//! One engine instance that transcribes recordings, one after the other.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use auricle::audio::{AudioError, AudioWarning};
use auricle::types::{Event, Segment, SessionOptions};
use auricle::{Engine, Model, SAMPLE_RATE_HZ, Session};

use super::progress::Progress;
use super::report::at;
use super::session_arguments::option_fault;
use super::{feed, input};

/// So much audio goes in at once: enough that nothing is done twice, and not so much that progress stands still.
const BLOCK_SAMPLES: usize = 20 * SAMPLE_RATE_HZ as usize;

/// A model in an instance of its own, and a session.
pub(crate) struct Transcriber {
    model: Model,
    options: SessionOptions,
    session: Session,
}

/// What became of a recording.
pub(crate) struct Recording {
    /// The final segments.
    pub(crate) segments: Vec<Segment>,
    /// How many samples it has at 16 kHz.
    pub(crate) samples: u64,
    /// What was wrong with the file.
    pub(crate) warnings: Vec<AudioWarning>,
    /// Why it ends before its end, where it cannot be read any further.
    pub(crate) fault: Option<AudioError>,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Transcriber {
    /// Loads the model file; `name` is what the user calls it.
    pub(crate) fn open(
        engine: &Engine,
        path: &Path,
        name: &str,
        options: impl Fn(&Model) -> Result<SessionOptions>,
    ) -> Result<Self> {
        let model = engine.load_model(path).map_err(|error| at(&path.display().to_string(), error))?;
        let options = options(&model)?;
        let session = model.session(&options).map_err(|error| option_fault(name, error))?;
        Ok(Self { model, options, session })
    }

    /// The options that its sessions have.
    pub(crate) fn options(&self) -> &SessionOptions {
        &self.options
    }

    /// Gives a new session, of a new instance where an earlier recording has cost it that.
    pub(crate) fn start_over(&mut self) -> auricle::Result<&mut Session> {
        if self.model.is_lost() {
            self.model.rebuild()?;
            self.session = self.model.session(&self.options)?;
        }
        self.session.reset()?;
        Ok(&mut self.session)
    }

    /// Transcribes a file of any length. Events are also given as they happen; `is_stopped` tells whether there is no
    /// need to go on.
    pub(crate) fn transcribe(
        &mut self,
        file: &Path,
        progress: &Progress,
        mut on_event: impl FnMut(&Event) -> Result<()>,
        is_stopped: impl Fn() -> bool,
    ) -> Result<Recording> {
        let started = Instant::now();
        let name = input::display_name(file);
        let mut reader = input::open(file)?;
        let progress = progress.file(&name, reader.info().duration_s);
        let session = self.start_over().map_err(|error| at(&name, error))?;
        let mut segments = Vec::new();
        let mut told = Ok(());
        let mut take = |event: Event| {
            if told.is_ok() {
                told = on_event(&event);
            }
            if let Event::FinalSegment(segment) = event {
                segments.push(segment);
            }
        };
        let mut samples = 0;
        let mut block = Vec::new();
        let mut more = true;
        let mut fault = None;
        while more {
            match reader.next_block() {
                Ok(Some(next)) => block.extend_from_slice(&next),
                Ok(None) => more = false,
                // What was read until then is transcribed all the same.
                Err(error) => (fault, more) = (Some(error), false),
            }
            if block.len() >= BLOCK_SAMPLES || !more {
                feed::push_and_drain(session, &name, &block, samples, &mut take)?;
                samples += block.len() as u64;
                block.clear();
                progress.set(samples);
            }
            if is_stopped() {
                bail!("{name}: stopped");
            }
        }
        session.finish().and_then(|()| session.drain(&mut take)).map_err(|error| at(&name, error))?;
        told?;
        Ok(Recording { segments, samples, warnings: reader.warnings().to_vec(), fault, took: started.elapsed() })
    }
}
