//! The clock that deadlines are counted by: a thread that advances the runtime's epoch, and sleeps while no guest runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

/// How often compiled code is asked whether its time is up, where the deadline does not need it sooner.
const LONGEST_TICK: Duration = Duration::from_millis(100);
/// Even a deadline of nothing is counted in ticks of this length, so that the thread leaves the processor to the guest.
const SHORTEST_TICK: Duration = Duration::from_millis(1);

/// Counts the time of guest calls for one engine. Dropping it ends its thread.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    deadline_ticks: u64,
}

#[derive(Default)]
struct Shared {
    /// Calls under way.
    running: AtomicU64,
    /// Calls ever begun.
    begun: AtomicU64,
    /// The thread has parked, and must be woken for the next call.
    asleep: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    /// Starts a thread that advances `engine`'s epoch often enough for calls to be held to `deadline`.
    pub(crate) fn start(engine: wasmtime::Engine, deadline: Duration) -> std::io::Result<Self> {
        let tick = (deadline / 10).clamp(SHORTEST_TICK, LONGEST_TICK);
        // One more than fit in, since the first tick comes anywhere between now and a whole tick from now.
        let deadline_ticks = u64::try_from(deadline.as_nanos().div_ceil(tick.as_nanos())).unwrap_or(u64::MAX / 2) + 1;
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new().name("auricle-ticker".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run(&engine, tick)
        })?;
        Ok(Self { shared, thread: Some(thread), deadline_ticks })
    }

    /// The deadline of a call that begins now, in ticks beyond the current epoch.
    pub(crate) fn deadline_ticks(&self) -> u64 {
        self.deadline_ticks
    }

    /// Keeps the clock running for as long as what it returns is held.
    pub(crate) fn run(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        self.shared.begun.fetch_add(1, Ordering::SeqCst);
        // The thread says that it sleeps before it looks for calls, and here it is the other way around: one of the two
        // always sees the other.
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.wake();
        }
        Running(&self.shared)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            Thread::unpark(thread.thread());
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It has nothing in it that panics, and nothing is to be done about it here if it had.
            let _ = thread.join();
        }
    }
}

/// A guest call under way.
pub(crate) struct Running<'a>(&'a Shared);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn run(&self, engine: &wasmtime::Engine, tick: Duration) {
        let mut begun = 0;
        while !self.stopped.load(Ordering::SeqCst) {
            // Ticks while calls come in quick succession, so that a short call does not pay for waking a thread.
            let seen = self.begun.load(Ordering::SeqCst);
            if seen == begun && self.running.load(Ordering::SeqCst) == 0 {
                self.sleep();
                continue;
            }
            begun = seen;
            self.wait(tick);
            engine.increment_epoch();
        }
    }

    /// Waits for a call, or the end.
    fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) == 0 && !self.stopped.load(Ordering::SeqCst) {
            thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Waits a whole tick, whatever wakes the thread meanwhile, or until the end.
    fn wait(&self, tick: Duration) {
        let begin = Instant::now();
        while let Some(rest) = tick.checked_sub(begin.elapsed()).filter(|rest| !rest.is_zero()) {
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            thread::park_timeout(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_the_ticker_ends_its_thread_whether_it_sleeps_or_ticks() {
        let engine = wasmtime::Engine::default();
        for run_first in [false, true] {
            let ticker = Ticker::start(engine.clone(), Duration::from_secs(30)).unwrap();
            if run_first {
                drop(ticker.run());
            }
            let shared = Arc::downgrade(&ticker.shared);
            drop(ticker);
            assert!(shared.upgrade().is_none(), "the thread holds its share as long as it lives");
        }
    }

    #[test]
    fn any_deadline_makes_a_number_of_ticks() {
        let ticks = |deadline| Ticker::start(wasmtime::Engine::default(), deadline).unwrap().deadline_ticks();
        assert_eq!(ticks(Duration::ZERO), 1);
        assert_eq!(ticks(Duration::from_millis(1)), 2);
        assert_eq!(ticks(Duration::from_millis(100)), 11);
        assert_eq!(ticks(Duration::from_secs(30)), 301);
        assert!(ticks(Duration::MAX) > 1 << 32);
    }
}
