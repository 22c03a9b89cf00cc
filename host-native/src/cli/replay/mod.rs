//! A recording, transcribed as if it were spoken now.

mod latency;

use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use auricle::audio::{AudioError, AudioReader, AudioWarning};
use auricle::{SAMPLE_RATE_HZ, Session};
use serde::Serialize;

use self::latency::{Distribution, Latency, LatencyMeter, rounded};
use super::feed;
use super::live::{STEPS, Sink};
use super::report::at;
use super::transcript::seconds_of;

/// What a microphone gives at once: 20 ms.
const BLOCK_SAMPLES: usize = SAMPLE_RATE_HZ as usize / 50;

/// Blocks of the reader's that it may be ahead, so that decoding keeps no audio waiting.
const BLOCKS_AHEAD: usize = 4;

/// What a replay showed.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "latency")]
pub(crate) struct Replayed {
    /// Length of the audio.
    pub(crate) audio_s: f64,
    /// Time spent within the session's calls, as a share of that.
    pub(crate) computing_share: f64,
    /// The longest that a block of audio went in after it was due: how long a step takes at most, unless the machine
    /// was busy with something else.
    pub(crate) latest_push_ms: f64,
    #[serde(flatten)]
    latency: Latency,
}

/// Replays a recording, and gives what it showed and what was wrong with the file.
pub(crate) fn run(
    reader: AudioReader,
    name: &str,
    session: &mut Session,
    minimum_silence: Option<u32>,
    sink: &mut Sink,
) -> Result<(Replayed, Vec<AudioWarning>)> {
    let mut audio = Audio::read(reader);
    let mut meter = LatencyMeter::new(minimum_silence);
    let mut computing = Duration::ZERO;
    let mut latest_push = Duration::ZERO;
    let mut pushed = 0;
    let mut is_finished = false;
    let mut has_work = false;
    audio.fill()?;
    let started = Instant::now();
    loop {
        // All audio that would have been heard by now.
        while !is_finished {
            let block = audio.next_block(BLOCK_SAMPLES)?;
            let due = duration_of(pushed + block.len() as u64);
            let now = started.elapsed();
            if due > now {
                if !has_work {
                    thread::sleep(due - now);
                    continue;
                }
                break;
            }
            let before = Instant::now();
            if block.is_empty() {
                session.finish().map_err(|error| at(name, error))?;
                is_finished = true;
            } else {
                let taken = feed::push(session, block).map_err(|error| feed::audio_fault(name, error, pushed))?;
                audio.advance(taken);
                pushed += taken as u64;
                if taken == 0 && !has_work {
                    return Err(at(name, feed::stuck()));
                }
                if taken == 0 {
                    break;
                }
            }
            computing += before.elapsed();
            latest_push = latest_push.max(now - due);
            has_work = true;
        }
        let before = Instant::now();
        let poll = session.poll(STEPS).map_err(|error| at(name, error))?;
        computing += before.elapsed();
        let arrival_s = started.elapsed().as_secs_f64();
        has_work = poll.more;
        for event in poll.events {
            meter.event(&event, arrival_s);
            sink.take(event)?;
        }
        if is_finished && !has_work {
            break;
        }
    }
    let audio_s = seconds_of(pushed);
    let replayed = Replayed {
        audio_s,
        // Of no audio, the share is nothing.
        computing_share: if pushed > 0 { rounded(computing.as_secs_f64() / audio_s) } else { 0.0 },
        latest_push_ms: rounded(latest_push.as_secs_f64() * 1_000.0),
        latency: meter.finish(),
    };
    Ok((replayed, audio.warnings))
}

/// When the last of so many samples has been heard.
fn duration_of(samples: u64) -> Duration {
    Duration::from_secs_f64(seconds_of(samples))
}

/// A recording that is decoded on a thread of its own.
struct Audio {
    blocks: mpsc::Receiver<Result<Decoded, AudioError>>,
    samples: VecDeque<f32>,
    is_over: bool,
    warnings: Vec<AudioWarning>,
}

enum Decoded {
    Block(Vec<f32>),
    End(Vec<AudioWarning>),
}

impl Audio {
    fn read(mut reader: AudioReader) -> Self {
        let (sender, blocks) = mpsc::sync_channel(BLOCKS_AHEAD);
        thread::spawn(move || {
            loop {
                let next = reader.next_block().map(|block| match block {
                    Some(block) => Decoded::Block(block),
                    None => Decoded::End(reader.warnings().to_vec()),
                });
                let is_last = !matches!(next, Ok(Decoded::Block(_)));
                // Where nobody receives it, the replay has ended with an error.
                if sender.send(next).is_err() || is_last {
                    return;
                }
            }
        });
        Self { blocks, samples: VecDeque::new(), is_over: false, warnings: Vec::new() }
    }

    /// The next samples: so many, fewer at the end, none after it. They stay until [`advance`](Audio::advance).
    fn next_block(&mut self, len: usize) -> Result<&[f32]> {
        while self.samples.len() < len && !self.is_over {
            self.fill()?;
        }
        let len = len.min(self.samples.len());
        Ok(&self.samples.make_contiguous()[..len])
    }

    fn advance(&mut self, taken: usize) {
        self.samples.drain(..taken);
    }

    /// Waits for the next block of the reader's.
    fn fill(&mut self) -> Result<()> {
        match self.blocks.recv() {
            Ok(next) => match next? {
                Decoded::Block(block) => self.samples.extend(block),
                Decoded::End(warnings) => {
                    self.is_over = true;
                    self.warnings = warnings;
                }
            },
            Err(mpsc::RecvError) => self.is_over = true,
        }
        Ok(())
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { audio_s, computing_share, latest_push_ms, latency } = self;
        let share = computing_share * 100.0;
        writeln!(
            f,
            "{audio_s:.2} s in real time, {share:.1} % of it computing, input at most {latest_push_ms:.0} ms late"
        )?;
        writeln!(f, "  first partial, after speech starts:    {}", Shown(latency.first_partial.as_ref()))?;
        writeln!(f, "  final, after the silence is long enough: {}", Shown(latency.last.as_ref()))?;
        write!(f, "  {} partials; ", latency.partials)?;
        match latency.settled_unchanged_share {
            Some(share) => {
                write!(f, "{:.1} % of {} settled words unchanged in the final", share * 100.0, latency.settled_words)
            }
            None => write!(f, "no word was settled before its final"),
        }
    }
}

/// A distribution, if there is one, in a line.
struct Shown<'a>(Option<&'a Distribution>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(Distribution { count, median_ms, p95_ms, max_ms }) => {
                write!(f, "median {median_ms:.0} ms, p95 {p95_ms:.0} ms, max {max_ms:.0} ms, of {count}")
            }
            None => write!(f, "none"),
        }
    }
}
