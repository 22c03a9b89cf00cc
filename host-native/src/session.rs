//! One stream of audio and its transcript.

use std::fmt;
use std::sync::{Arc, Mutex};

use wasmtime::component::ResourceAny;

use crate::error::{Error, Result};
use crate::instance::{Instance, lock};
use crate::types::{Event, Metrics, Partials, Poll, SessionOptions};

/// The most samples that [`Session::push_audio`] takes at once: 16 MiB, over four minutes. Audio of any length goes in
/// block by block.
pub const MAX_BLOCK_SAMPLES: usize = (16 << 20) / size_of::<f32>();

/// How many steps [`Session::drain`] does between two events: a few milliseconds of work, far from any deadline.
const DRAIN_STEPS: u32 = 8;

/// A stream of audio that is transcribed as it comes.
///
/// The same samples give the same final segments, bit for bit, however they are cut into blocks and however the session
/// is polled. Nothing runs between calls: who stops polling has cancelled.
///
/// A session can be moved to another thread. It shares its instance with its [`Model`](crate::Model) and that model's
/// other sessions, and waits while one of them is in a call.
pub struct Session {
    instance: Arc<Mutex<Instance>>,
    handle: ResourceAny,
}

impl Session {
    pub(crate) fn open(instance: &Arc<Mutex<Instance>>, model: ResourceAny, options: &SessionOptions) -> Result<Self> {
        let handle = lock(instance).call("session.open", |store, engine| {
            engine.auricle_speech_recognition().session().call_open(store, model, options)
        })??;
        Ok(Self { instance: Arc::clone(instance), handle })
    }

    /// Takes the next block of audio: mono, 16 000 Hz, nominally from −1 to 1, of any length up to
    /// [`MAX_BLOCK_SAMPLES`], none included. It is only buffered; the work is done by [`poll`](Session::poll).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAudio`] where a sample is not a finite number of magnitude at most 32 768;
    /// [`Error::BufferFull`] where polling would make room; [`Error::LimitExceeded`] where one utterance is longer than
    /// the model takes; [`Error::BlockTooLarge`]; [`Error::InvalidState`] after [`finish`](Session::finish). The stream
    /// then goes on as if the block had not been pushed. [`Error::InstanceLost`] and fatal errors.
    pub fn push_audio(&mut self, samples: &[f32]) -> Result<()> {
        // A block that the guest has no memory for would cost the instance before the guest could refuse it.
        if samples.len() > MAX_BLOCK_SAMPLES {
            return Err(Error::BlockTooLarge { samples: samples.len(), allowed: MAX_BLOCK_SAMPLES });
        }
        let handle = self.handle;
        lock(&self.instance).call("session.push-audio", |store, engine| {
            engine.auricle_speech_recognition().session().call_push_audio(store, handle, samples)
        })??;
        Ok(())
    }

    /// Says that no more audio comes: what is buffered becomes the end of the stream. Poll on until
    /// [`Event::EndOfStream`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] if it was called before; [`Error::InstanceLost`] and fatal errors.
    pub fn finish(&mut self) -> Result<()> {
        let handle = self.handle;
        lock(&self.instance).call("session.finish", |store, engine| {
            engine.auricle_speech_recognition().session().call_finish(store, handle)
        })??;
        Ok(())
    }

    /// Does at most `max_steps` steps of work and gives what happened. A step is a piece of work that the engine can
    /// stop after, of some milliseconds: a token, or part of the encoding; 0 does no work and gives events that wait. All
    /// steps together are held to the engine's [call deadline](crate::EngineBuilder::call_deadline).
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] where memory does not suffice, and [`Error::Internal`]: the session then takes nothing
    /// but [`reset`](Session::reset). [`Error::InstanceLost`] and fatal errors.
    pub fn poll(&mut self, max_steps: u32) -> Result<Poll> {
        let handle = self.handle;
        let poll = lock(&self.instance).call("session.poll-transcript", |store, engine| {
            engine.auricle_speech_recognition().session().call_poll_transcript(store, handle, max_steps)
        })??;
        // An engine that promises work and does none would hold its host in a loop for ever.
        if poll.more && poll.steps == 0 && max_steps > 0 && poll.events.is_empty() {
            return Err(Error::Internal("it says that there is work left, and does none".to_owned()));
        }
        Ok(poll)
    }

    /// Polls until there is nothing left to do without more audio, and hands over each event as it happens.
    ///
    /// # Errors
    ///
    /// As [`poll`](Session::poll). Events that were handed over before stay true.
    pub fn drain(&mut self, mut on_event: impl FnMut(Event)) -> Result<()> {
        loop {
            let poll = self.poll(DRAIN_STEPS)?;
            poll.events.into_iter().for_each(&mut on_event);
            if !poll.more {
                return Ok(());
            }
        }
    }

    /// Replaces [`SessionOptions::partials`], for what is under way and all that follows. It changes nothing in any final
    /// segment.
    ///
    /// # Errors
    ///
    /// [`Error::InstanceLost`] and fatal errors.
    pub fn set_partials(&mut self, partials: Partials) -> Result<()> {
        let handle = self.handle;
        lock(&self.instance).call("session.set-partials", |store, engine| {
            engine.auricle_speech_recognition().session().call_set_partials(store, handle, partials)
        })
    }

    /// Makes it a new session with the same model and options: drops audio, text, events and metrics, whatever was
    /// under way. Ids and the clock start from 0.
    ///
    /// # Errors
    ///
    /// [`Error::InstanceLost`] and fatal errors.
    pub fn reset(&mut self) -> Result<()> {
        let handle = self.handle;
        lock(&self.instance).call("session.reset", |store, engine| {
            engine.auricle_speech_recognition().session().call_reset(store, handle)
        })
    }

    /// What the session has done since it was opened or reset.
    ///
    /// # Errors
    ///
    /// [`Error::InstanceLost`] and fatal errors.
    pub fn metrics(&self) -> Result<Metrics> {
        let handle = self.handle;
        lock(&self.instance).call("session.metrics", |store, engine| {
            engine.auricle_speech_recognition().session().call_metrics(store, handle)
        })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The last of an instance takes it along, and need not tidy it.
        if Arc::strong_count(&self.instance) > 1 {
            // A trap in it is for the model's next call to find.
            let _ = lock(&self.instance).call("[resource-drop]session", |store, _| self.handle.resource_drop(store));
        }
    }
}
