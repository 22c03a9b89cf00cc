//! Work on several threads whose results come in order.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;

use anyhow::Result;

/// What a job hands over.
#[derive(Debug, PartialEq)]
pub(crate) enum Sent<T> {
    /// A line to print before it is done.
    Line(String),
    /// What it came to. Nothing follows.
    Done(T),
}

/// A job's way back.
pub(crate) struct Job<'a, T> {
    /// Which one it is, from 0.
    pub(crate) index: usize,
    sender: &'a Sender<(usize, Sent<T>)>,
    stopped: &'a AtomicBool,
}

impl<T> Job<'_, T> {
    /// Has a line printed when it is this job's turn.
    pub(crate) fn line(&self, line: String) {
        // Nobody is left to print it only where all jobs are stopped.
        let _ = self.sender.send((self.index, Sent::Line(line)));
    }

    /// Whether nobody wants the result any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Does jobs 0 to `count`, each worker one after the other on a thread of its own, and hands over what they send: all
/// of job 0 first, as it comes, and then that of each next one. An error of `on_sent` stops all jobs and is given.
pub(crate) fn in_order<W: Send, T: Send>(
    workers: Vec<W>,
    count: usize,
    work: impl Fn(&mut W, &Job<'_, T>) -> T + Sync,
    mut on_sent: impl FnMut(usize, Sent<T>) -> Result<()>,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    let (next, stopped, work) = (&next, &stopped, &work);
    thread::scope(|scope| {
        for mut worker in workers {
            let sender = sender.clone();
            scope.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let done = work(&mut worker, &Job { index, sender: &sender, stopped });
                    // As above.
                    let _ = sender.send((index, Sent::Done(done)));
                }
            });
        }
        drop(sender);
        let mut turn = 0;
        let mut waiting: HashMap<usize, VecDeque<Sent<T>>> = HashMap::new();
        for (index, sent) in receiver {
            waiting.entry(index).or_default().push_back(sent);
            while let Some(sent) = waiting.get_mut(&turn).and_then(VecDeque::pop_front) {
                let index = turn;
                if matches!(sent, Sent::Done(_)) {
                    waiting.remove(&turn);
                    turn += 1;
                }
                if let Err(error) = on_sent(index, sent) {
                    stopped.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn results_come_in_order_whichever_is_done_first() {
        // Job 0 is not done before job 1 is: they run at the same time.
        let both = Barrier::new(2);
        let one_is_done = Barrier::new(2);
        let work = |worker: &mut usize, job: &Job<'_, usize>| {
            *worker += 1;
            job.line(format!("{} begins", job.index));
            if job.index < 2 {
                both.wait();
            }
            if job.index == 0 {
                one_is_done.wait();
            }
            job.line(format!("{} ends", job.index));
            if job.index == 2 {
                // Only the worker of job 1 can have come here.
                one_is_done.wait();
            }
            job.index * 10
        };
        let mut sent = Vec::new();
        in_order(vec![0, 0], 4, work, |index, what| {
            sent.push((index, what));
            Ok(())
        })
        .unwrap();
        let expected = (0..4).flat_map(|n| {
            let line = |text: &str| (n, Sent::Line(format!("{n} {text}")));
            [line("begins"), line("ends"), (n, Sent::Done(n * 10))]
        });
        assert_eq!(sent, expected.collect::<Vec<_>>());
    }

    #[test]
    fn an_error_while_handing_over_stops_all_jobs() {
        let begun = AtomicUsize::new(0);
        let work = |(): &mut (), job: &Job<'_, ()>| {
            begun.fetch_add(1, Ordering::Relaxed);
            // The second job is under way when the first is handed over, and ends when it is told to.
            while job.index > 0 && !job.is_stopped() {
                thread::yield_now();
            }
        };
        let error = in_order(vec![()], 100, work, |_, _| anyhow::bail!("the pipe is closed")).unwrap_err();
        assert_eq!(error.to_string(), "the pipe is closed");
        assert!(begun.into_inner() <= 2);
    }

    #[test]
    fn no_jobs_are_done_at_once() {
        in_order(vec![(), ()], 0, |(), _: &Job<'_, ()>| (), |_, _| unreachable!()).unwrap();
    }
}
