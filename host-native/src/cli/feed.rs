//! Audio into a session.

use anyhow::Result;
use auricle::types::Event;
use auricle::{Error, Session};

use super::report::at;
use super::transcript::seconds_of;

/// Pushes as many of the samples as the session has room for, and gives how many that were.
pub(crate) fn push(session: &mut Session, samples: &[f32]) -> auricle::Result<usize> {
    let room = match session.push_audio(samples) {
        Ok(()) => return Ok(samples.len()),
        Err(Error::BufferFull(state)) => state.capacity_samples.saturating_sub(state.buffered_samples) as usize,
        Err(error) => return Err(error),
    };
    let part = &samples[..room.min(samples.len())];
    match session.push_audio(part) {
        Ok(()) => Ok(part.len()),
        Err(Error::BufferFull(_)) => Ok(0),
        Err(error) => Err(error),
    }
}

/// Pushes all of the samples, and does all the work that they make. `before` samples of the stream were pushed before.
pub(crate) fn push_and_drain(
    session: &mut Session,
    name: &str,
    mut samples: &[f32],
    mut before: u64,
    on_event: &mut impl FnMut(Event),
) -> Result<()> {
    let mut was_full = false;
    while !samples.is_empty() {
        let taken = push(session, samples).map_err(|error| audio_fault(name, error, before))?;
        session.drain(&mut *on_event).map_err(|error| at(name, error))?;
        if taken == 0 && was_full {
            return Err(at(name, stuck()));
        }
        was_full = taken == 0;
        samples = &samples[taken..];
        before += taken as u64;
    }
    Ok(())
}

/// The error of an engine that neither takes audio nor has anything to do.
pub(crate) fn stuck() -> Error {
    Error::Internal("it has no room for audio, and no work left that would make some".to_owned())
}

/// Says of audio that was refused what it means for the recording, `before` samples of which were taken.
pub(crate) fn audio_fault(name: &str, error: Error, before: u64) -> anyhow::Error {
    match error {
        Error::InvalidAudio(fault) => {
            let sample = before + u64::from(fault.index);
            anyhow::anyhow!(
                "{name}: sample {sample}, at {:.3} s, {}; export the file again",
                seconds_of(sample),
                fault.message
            )
        }
        error => at(name, error),
    }
}
