//! Between what gives audio and what transcribes it: a queue of bounded length.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Interleaved samples on their way from one thread to another.
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct State {
    samples: Vec<f32>,
    ended: bool,
    news: News,
}

/// What there is to tell besides the samples, since it was last asked.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Samples for which there was no room.
    pub(crate) lost_samples: u64,
    /// What the source has to say.
    pub(crate) notices: Vec<String>,
    /// Why the source ended, where it should not have.
    pub(crate) fault: Option<anyhow::Error>,
}

impl Queue {
    /// One that holds at most so many samples, which are set aside at once: whoever offers samples may be a thread that
    /// must not wait for memory.
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State { samples: Vec::with_capacity(capacity), ..State::default() };
        Self { state: Mutex::new(state), changed: Condvar::new(), capacity }
    }

    /// How many samples it holds at most.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Takes all of these samples or, where there is no room, none, and counts them as lost: for a source that cannot
    /// wait.
    #[cfg(any(feature = "microphone", test))]
    pub(crate) fn offer(&self, samples: impl ExactSizeIterator<Item = f32>) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        if state.samples.len() + samples.len() > self.capacity {
            state.news.lost_samples += samples.len() as u64;
        } else {
            state.samples.extend(samples);
        }
        self.changed.notify_all();
    }

    /// Takes these samples as soon as there is room for them: for a source that can wait. Gives whether more are wanted.
    pub(crate) fn put(&self, mut samples: &[f32]) -> bool {
        let mut state = self.lock();
        while !samples.is_empty() && !state.ended {
            let room = self.capacity - state.samples.len();
            let (first, rest) = samples.split_at(room.min(samples.len()));
            state.samples.extend_from_slice(first);
            samples = rest;
            self.changed.notify_all();
            if !samples.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        !state.ended
    }

    /// Has something told.
    pub(crate) fn notice(&self, text: String) {
        self.lock().news.notices.push(text);
        self.changed.notify_all();
    }

    /// Ends it: nothing more is taken. Of several faults the first counts.
    pub(crate) fn end(&self, fault: Option<anyhow::Error>) {
        let mut state = self.lock();
        if !state.ended {
            state.ended = true;
            state.news.fault = fault;
        }
        self.changed.notify_all();
    }

    /// Puts all samples there are into `out`, which is emptied first, and gives the news and whether that is the end.
    /// With `wait`, something has happened when it returns.
    pub(crate) fn take(&self, out: &mut Vec<f32>, wait: bool) -> (News, bool) {
        let mut state = self.lock();
        while wait && state.samples.is_empty() && state.news.is_nothing() && !state.ended {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        out.clear();
        // Keeps the room on both sides.
        std::mem::swap(out, &mut state.samples);
        state.samples.reserve_exact(self.capacity);
        self.changed.notify_all();
        (std::mem::take(&mut state.news), state.ended)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News {
    fn is_nothing(&self) -> bool {
        self.lost_samples == 0 && self.notices.is_empty() && self.fault.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn samples_come_out_as_they_went_in_however_full_it_gets() {
        let queue = Queue::new(7);
        let samples: Vec<f32> = (0..1_000_u16).map(f32::from).collect();
        let taken = thread::scope(|scope| {
            scope.spawn(|| {
                for block in samples.chunks(13) {
                    assert!(queue.put(block));
                }
                queue.end(None);
            });
            let (mut taken, mut out) = (Vec::new(), Vec::new());
            loop {
                let (_, ended) = queue.take(&mut out, true);
                assert!(out.len() <= 7, "{}", out.len());
                taken.extend_from_slice(&out);
                if ended {
                    break taken;
                }
            }
        });
        assert_eq!(taken, samples);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_not_cut() {
        let queue = Queue::new(4);
        queue.offer([1.0, 2.0, 3.0].into_iter());
        queue.offer([4.0, 5.0].into_iter());
        queue.offer([6.0].into_iter());
        let mut out = Vec::new();
        let (news, ended) = queue.take(&mut out, true);
        assert_eq!((out.as_slice(), news.lost_samples, ended), (&[1.0, 2.0, 3.0, 6.0][..], 2, false));
        assert_eq!(queue.take(&mut out, false).0.lost_samples, 0);
    }

    #[test]
    fn taking_leaves_as_much_room_as_there_was() {
        let queue = Queue::new(100);
        for _ in 0..3 {
            queue.take(&mut Vec::new(), false);
            assert!(queue.lock().samples.capacity() >= 100);
        }
    }

    #[test]
    fn the_end_is_told_with_its_reason_after_the_last_samples_and_nothing_is_taken_after_it() {
        let queue = Queue::new(4);
        queue.offer([1.0].into_iter());
        queue.end(Some(anyhow::anyhow!("unplugged")));
        queue.end(Some(anyhow::anyhow!("again")));
        queue.offer([2.0].into_iter());
        assert!(!queue.put(&[3.0]));
        let mut out = Vec::new();
        let (news, ended) = queue.take(&mut out, true);
        assert_eq!((out.as_slice(), ended), (&[1.0][..], true));
        assert_eq!(news.fault.unwrap().to_string(), "unplugged");
    }
}
