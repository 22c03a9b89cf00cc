//! Rounds in turn: every round has every side transcribe the clip some times in a row, so that a slow minute of the machine is
//! everyone's.

use std::path::PathBuf;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::child::Child;
use crate::clips::{Clip, Cut};
use crate::peers;
use crate::place::Place;
use crate::protocol::{Ready, Reply, StageFigures};
use crate::sides::{Engine, Runtime, Side};
use crate::text::Tokenizer;

/// The most rounds of a side that is too slow for all of them.
const SLOW_ROUNDS: usize = 3;

/// Bytes in a MiB.
const MIB: f64 = 1024.0 * 1024.0;

/// What to measure.
#[derive(Debug)]
pub struct Plan {
    /// Which sides.
    pub sides: Vec<Side>,
    /// Which clips, the shortest first: memory does not shrink.
    pub clips: Vec<Clip>,
    /// How many rounds, apart from the one to warm up.
    pub rounds: usize,
    /// How often in a row a side transcribes the clip in each round.
    pub repeats: usize,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub struct Measurements {
    /// Sides that could not be measured, and why.
    pub skipped: Vec<(Side, String)>,
    /// What each side took to start.
    pub starts: Vec<Start>,
    /// Every transcription, in the order in which they were done.
    pub runs: Vec<Run>,
    /// What the reference side writes of each clip.
    pub reference_texts: Vec<(&'static str, String)>,
    /// Streams of growing length in the reference side.
    pub growth: Vec<Stream>,
}

/// How a side became ready.
#[derive(Debug)]
pub struct Start {
    /// The side.
    pub side: Side,
    /// From the start of its process until it could transcribe, in milliseconds.
    pub total_ms: f64,
    /// What it told.
    pub ready: Ready,
    /// Time to compile and instantiate the component where no cache has it, in milliseconds; for wasmtime.
    pub uncached_engine_ms: Option<f64>,
}

/// One transcription.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// By which side.
    pub side: Side,
    /// Of which clip.
    pub clip: &'static str,
    /// Its length in seconds.
    pub audio_s: f64,
    /// 0 is the one to warm up, which no median counts.
    pub round: usize,
    /// Which of those in a row, from 0 on.
    pub repeat: usize,
    /// As [`Reply`].
    pub encode_ms: f64,
    /// As [`Reply`].
    pub decode_ms: f64,
    /// As [`Reply`].
    pub total_ms: f64,
    /// As [`Reply`].
    pub tokens: u64,
    /// The most memory until then: of the process, or WebAssembly's where the process is a browser's.
    pub peak_mib: Option<f64>,
    /// The most WebAssembly memory until then.
    pub wasm_mib: Option<f64>,
    /// The transcript.
    pub text: String,
    /// As [`Reply`].
    pub stages: Vec<StageFigures>,
}

impl Measurements {
    /// A side's fastest transcription of a clip in each round but the one to warm up: what else the machine does makes a
    /// transcription slower, and never faster, and so do the caches as another side left them.
    #[must_use]
    pub fn fastest(&self, clip: &str, side: Side) -> Vec<&Run> {
        let mut fastest: Vec<&Run> = Vec::new();
        for run in self.runs.iter().filter(|run| run.clip == clip && run.side == side && run.round > 0) {
            match fastest.iter_mut().find(|other| other.round == run.round) {
                Some(other) if run.total_ms < other.total_ms => *other = run,
                Some(_) => {}
                None => fastest.push(run),
            }
        }
        fastest
    }
}

/// A stream of utterances, one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stream {
    /// Its length in seconds.
    pub audio_s: u32,
    /// As [`Run`].
    pub round: usize,
    /// Sum over the utterances.
    pub encode_ms: f64,
    /// Sum over the utterances.
    pub decode_ms: f64,
    /// Sum over the utterances.
    pub total_ms: f64,
    /// Sum over the utterances.
    pub tokens: u64,
}

/// A side that runs.
struct Running {
    side: Side,
    child: Child,
}

/// Measures. A side that cannot be measured is left out and named in the result.
///
/// # Errors
///
/// Where a clip is missing, or the reference side fails.
pub fn measure(place: &Place, plan: &Plan) -> Result<Measurements> {
    let mut result = Measurements::default();
    let clips = plan.clips.iter().map(|clip| Ok((*clip, clip.cut(place)?))).collect::<Result<Vec<_>>>()?;
    result.reference_texts = reference_texts(place, &clips)?;

    let bar = ProgressBar::new((plan.sides.len() * (1 + clips.len() * (plan.rounds + 1))) as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").unwrap_or(ProgressStyle::default_bar()));
    let mut sides = Vec::new();
    for &side in &plan.sides {
        bar.set_message(format!("start {side}"));
        match start(place, side) {
            Ok((child, started)) => {
                result.starts.push(started);
                sides.push(Running { side, child });
            }
            Err(error) => result.skipped.push((side, format!("{error:#}"))),
        }
        bar.inc(1);
    }
    let tokenizer = match sides.iter().any(|running| running.side.is_peer()) {
        true => Some(Tokenizer::open(&peers::ort_files(place)?.tokenizer)?),
        false => None,
    };
    for (clip, cut) in &clips {
        // In the order of the plan, so that the first round of each clip is.
        sides.sort_by_key(|running| plan.sides.iter().position(|&side| side == running.side));
        for round in 0..=plan.rounds {
            sides.retain_mut(|running| {
                bar.inc(1);
                if running.side.is_slow() && round > SLOW_ROUNDS {
                    return true;
                }
                bar.set_message(format!("{} s, round {round}: {}", clip.name, running.side));
                for repeat in 0..if running.side.is_slow() { 1 } else { plan.repeats } {
                    match run(running, clip.name, cut, [round, repeat], tokenizer.as_ref()) {
                        Ok(run) => result.runs.push(run),
                        Err(error) => {
                            result.skipped.push((running.side, format!("{error:#}")));
                            return false;
                        }
                    }
                }
                true
            });
            // What runs before a side may leave the processor warm, or its caches full: each round begins with the next.
            let next = 1.min(sides.len());
            sides.rotate_left(next);
        }
    }
    if let Some(reference) = sides.iter_mut().find(|running| running.side == Side::REFERENCE) {
        bar.set_message("streams of growing length");
        result.growth = growth(place, &mut reference.child, plan.rounds.min(SLOW_ROUNDS))?;
    }
    bar.finish_and_clear();
    Ok(result)
}

fn log(place: &Place, name: &str) -> PathBuf {
    place.made("logs").join(format!("{}.log", name.replace('/', "-")))
}

/// Starts a side. In wasmtime, once before without the cache, and once to fill it.
fn start(place: &Place, side: Side) -> Result<(Child, Start)> {
    let log = log(place, &side.to_string());
    let uncached_engine_ms = match side.engine {
        Engine::Auricle(Runtime::Wasmtime, _) => {
            let mut uncached = side.command(place)?;
            uncached.arg("--no-cache");
            let (_, ready, _) = Child::start(uncached, &log)?;
            drop(Child::start(side.command(place)?, &log)?);
            Some(ready.engine_ms)
        }
        Engine::Candle => {
            drop(Child::start(side.command(place)?, &log)?);
            None
        }
        _ => None,
    };
    let (child, ready, total_ms) = Child::start(side.command(place)?, &log)?;
    Ok((child, Start { side, total_ms, ready, uncached_engine_ms }))
}

fn run(
    running: &mut Running,
    clip: &'static str,
    cut: &Cut,
    [round, repeat]: [usize; 2],
    tokenizer: Option<&Tokenizer>,
) -> Result<Run> {
    let reply = running.child.transcribe(&cut.path)?;
    let side = running.side;
    let wasm_mib = reply.memory_bytes.map(|bytes| bytes as f64 / MIB);
    let resident_mib = running.child.peak_resident_bytes().map(|bytes| bytes as f64 / MIB);
    Ok(Run {
        side,
        clip,
        audio_s: cut.audio_s,
        round,
        repeat,
        encode_ms: reply.encode_ms,
        decode_ms: reply.decode_ms,
        total_ms: reply.total_ms,
        tokens: reply.tokens,
        peak_mib: if side.has_its_own_process() { resident_mib } else { wasm_mib },
        wasm_mib,
        text: text(&reply, tokenizer),
        stages: reply.stages,
    })
}

/// What was transcribed, also where a peer gives tokens only.
fn text(reply: &Reply, tokenizer: Option<&Tokenizer>) -> String {
    match tokenizer {
        Some(tokenizer) if reply.segments.is_empty() => tokenizer.text(&reply.token_ids),
        _ => reply.segments.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>().join(" "),
    }
}

fn reference_texts(place: &Place, clips: &[(Clip, Cut)]) -> Result<Vec<(&'static str, String)>> {
    let side = Side::REFERENCE;
    let (mut child, ..) = Child::start(side.command(place)?, &log(place, "reference")).context("the reference side")?;
    clips.iter().map(|(clip, cut)| Ok((clip.name, text(&child.transcribe(&cut.path)?, None)))).collect()
}

fn growth(place: &Place, child: &mut Child, rounds: usize) -> Result<Vec<Stream>> {
    let mut result = Vec::new();
    for (audio_s, clips) in Clip::streams() {
        let clips = clips.into_iter().map(|clip| clip.cut(place)).collect::<Result<Vec<_>>>()?;
        for round in 0..=rounds {
            let mut stream = Stream { audio_s, round, encode_ms: 0.0, decode_ms: 0.0, total_ms: 0.0, tokens: 0 };
            for clip in &clips {
                let reply = child.transcribe(&clip.path)?;
                stream.encode_ms += reply.encode_ms;
                stream.decode_ms += reply.decode_ms;
                stream.total_ms += reply.total_ms;
                stream.tokens += reply.tokens;
            }
            result.push(stream);
        }
    }
    Ok(result)
}
