//! The stretch of the stream that is still needed, by position in the stream.

use std::ops::Range;

use crate::error::{Error, Limit};

/// Samples of a stream, from the oldest that is still needed to the newest.
///
/// Room is made once, for all that it may ever hold; what is forgotten makes room again.
#[derive(Debug)]
pub(super) struct AudioBuffer {
    /// Forgotten samples that still take room, then those that are held.
    samples: Vec<f32>,
    /// How many of `samples` are forgotten.
    forgotten: usize,
    /// The position in the stream of the first sample that is held.
    start: u64,
    /// The most samples it is asked to hold.
    capacity: usize,
}

impl AudioBuffer {
    /// Holds nothing yet, and at most `capacity` samples.
    pub(super) fn new(capacity: usize) -> Self {
        Self { samples: Vec::new(), forgotten: 0, start: 0, capacity }
    }

    /// The position after the newest sample: how many there were in all.
    pub(super) fn end(&self) -> u64 {
        self.start + (self.samples.len() - self.forgotten) as u64
    }

    /// Takes the next samples. The caller sees to it that no more than the capacity are needed at once.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] where there is no memory for all that it may hold; nothing is taken then.
    pub(super) fn push(&mut self, block: &[f32]) -> Result<(), Error> {
        if self.samples.capacity() < self.capacity {
            // Room for all at once: from then on, pushing audio allocates nothing.
            let room = self.capacity - self.samples.len();
            self.samples.try_reserve_exact(room).map_err(|_| out_of_memory(room))?;
        }
        if self.samples.len() + block.len() > self.capacity {
            self.samples.drain(..self.forgotten);
            self.forgotten = 0;
        }
        self.samples.extend_from_slice(block);
        Ok(())
    }

    /// The samples at these positions, none of which are forgotten.
    pub(super) fn samples(&self, positions: Range<u64>) -> &[f32] {
        let index = |position: u64| self.forgotten + (position - self.start) as usize;
        &self.samples[index(positions.start)..index(positions.end)]
    }

    /// Forgets everything before a position.
    pub(super) fn forget_before(&mut self, position: u64) {
        let position = position.clamp(self.start, self.end());
        self.forgotten += (position - self.start) as usize;
        self.start = position;
    }

    /// Forgets everything and starts at position 0.
    pub(super) fn clear(&mut self) {
        self.samples.clear();
        self.forgotten = 0;
        self.start = 0;
    }
}

fn out_of_memory(samples: usize) -> Error {
    Error::LimitExceeded {
        limit: Limit::MemoryBytes,
        allowed: 0,
        requested: (samples * size_of::<f32>()) as u64,
        message: "there is no memory left for more audio, in bytes".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::AudioBuffer;

    #[test]
    fn every_sample_stands_at_its_position_until_it_is_forgotten() {
        let mut audio = AudioBuffer::new(100);
        let (mut next, mut kept_from) = (0u64, 0u64);
        for round in 0..1000u64 {
            let block: Vec<f32> = (next..next + round % 17).map(|position| position as f32).collect();
            audio.push(&block).expect("room");
            next += block.len() as u64;
            assert_eq!(audio.end(), next);
            let held: Vec<f32> = (kept_from..next).map(|position| position as f32).collect();
            assert_eq!(audio.samples(kept_from..next), held);
            kept_from = kept_from.max(next.saturating_sub(round % 60));
            audio.forget_before(kept_from);
        }
        assert_eq!(audio.samples.capacity(), 100, "and no room beyond the first is made");
    }

    #[test]
    fn what_was_forgotten_stays_so() {
        let mut audio = AudioBuffer::new(10);
        audio.push(&[1.0, 2.0, 3.0]).expect("room");
        audio.forget_before(2);
        audio.forget_before(1);
        assert_eq!((audio.samples(2..3), audio.end()), (&[3.0][..], 3));
        audio.forget_before(9);
        assert_eq!(audio.end(), 3, "nothing that is yet to come is forgotten");
    }
}
