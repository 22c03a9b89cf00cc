//! The side that is Auricle in wasmtime: this program, started again as a process of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use auricle::types::{Endpointing, Event, Metrics, Partials, SessionOptions, Stage, VoiceActivity};
use auricle::{CacheFolder, Engine, Flavour, Model, SAMPLE_RATE_HZ, Session};
use clap::{Args, ValueEnum};

use crate::protocol::{Message, Ready, Reply, Request, SegmentBits, StageFigures, Stream};

/// The longest call of a component that is not shipped: a layer without SIMD takes seconds.
const SLOW_CALL_DEADLINE: Duration = Duration::from_secs(600);

/// A block of a live stream, in samples: 20 ms.
const LIVE_BLOCK_SAMPLES: usize = SAMPLE_RATE_HZ as usize / 50;

/// What to run.
#[derive(Debug, Args)]
pub struct EngineArguments {
    /// The embedded component of this flavour
    #[arg(long, required_unless_present = "component")]
    pub flavour: Option<EmbeddedFlavour>,
    /// A component file, and not an embedded one
    #[arg(long)]
    pub component: Option<PathBuf>,
    /// The model file
    #[arg(long)]
    pub model: PathBuf,
    /// Compile the component anew
    #[arg(long)]
    pub no_cache: bool,
    /// How to take a clip
    #[arg(long, default_value = "whole")]
    pub stream: Stream,
}

/// The flavours that the library has in it.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum EmbeddedFlavour {
    /// For every engine.
    Simd128,
    /// For engines with relaxed SIMD.
    RelaxedSimd,
}

/// Starts the engine, and answers on standard output until standard input ends.
///
/// # Errors
///
/// Where a message cannot be written; everything else that goes wrong is told as [`Message::Error`].
pub fn serve(arguments: &EngineArguments) -> Result<()> {
    if let Err(error) = answer_all(arguments) {
        say(&Message::Error(format!("{error:#}")))?;
    }
    Ok(())
}

fn answer_all(arguments: &EngineArguments) -> Result<()> {
    let start = Instant::now();
    let engine = engine(arguments)?;
    let engine_ms = ms(start.elapsed());
    let model = engine.load_model(&arguments.model)?;
    let mut session = model.session(&options(&model, arguments.stream))?;
    say(&Message::Ready(ready(&engine, &model, engine_ms)?))?;
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        say(&Message::Reply(transcribe(&mut session, arguments.stream, &read_samples(&request.clip)?)?))?;
    }
    Ok(())
}

fn engine(arguments: &EngineArguments) -> Result<Engine> {
    let mut builder = Engine::builder();
    if let Some(component) = &arguments.component {
        builder = builder.component_file(component).call_deadline(SLOW_CALL_DEADLINE);
    }
    builder = match arguments.flavour {
        Some(EmbeddedFlavour::Simd128) => builder.flavour(Flavour::Simd128),
        Some(EmbeddedFlavour::RelaxedSimd) => builder.flavour(Flavour::RelaxedSimd),
        None => builder,
    };
    if arguments.no_cache {
        builder = builder.cache(CacheFolder::Off);
    }
    Ok(builder.build()?)
}

fn ready(engine: &Engine, model: &Model, engine_ms: f64) -> Result<Ready> {
    let about = engine.about()?;
    let what = format!("{} {} {}", about.version, about.flavour, model.info().quantization);
    Ok(Ready {
        engine_ms,
        load_ms: model.load_metrics().elapsed_ns as f64 / 1e6,
        versions: BTreeMap::from([("auricle".to_owned(), what)]),
    })
}

fn options(model: &Model, stream: Stream) -> SessionOptions {
    let defaults = model.default_options().clone();
    match stream {
        Stream::Whole => SessionOptions { endpointing: None, partials: Partials::None, ..defaults },
        Stream::Live => SessionOptions { word_times: true, ..defaults },
        Stream::LiveEnergy => {
            let with_energy = |endpointing| Endpointing { voice_activity: VoiceActivity::Energy, ..endpointing };
            SessionOptions { word_times: true, endpointing: defaults.endpointing.map(with_energy), ..defaults }
        }
    }
}

fn transcribe(session: &mut Session, stream: Stream, samples: &[f32]) -> Result<Reply> {
    session.reset()?;
    let mut segments = Vec::new();
    let mut partials = 0;
    let mut ended = false;
    let mut on_event = |event| match event {
        Event::FinalSegment(segment) => segments.push(SegmentBits::from(&segment)),
        Event::PartialSegment(_) => partials += 1,
        Event::EndOfStream(_) => ended = true,
        _ => {}
    };
    let start = Instant::now();
    if stream == Stream::Whole {
        session.push_audio(samples)?;
    } else {
        for block in samples.chunks(LIVE_BLOCK_SAMPLES) {
            session.push_audio(block)?;
            session.drain(&mut on_event)?;
        }
    }
    session.finish()?;
    session.drain(&mut on_event)?;
    let total_ms = ms(start.elapsed());
    ensure!(ended, "the stream did not end");
    let metrics = session.metrics()?;
    Ok(Reply {
        encode_ms: stages_ms(&metrics, &[Stage::FrontEnd, Stage::Encoder, Stage::CrossAttention]),
        decode_ms: stages_ms(&metrics, &[Stage::Decoder]),
        total_ms,
        tokens: metrics.tokens,
        token_ids: Vec::new(),
        segments,
        partials,
        memory_bytes: Some(metrics.peak_memory_bytes),
        stages: stages(&metrics),
    })
}

/// The stages that a whole clip goes through, in the contract's names.
fn stages(metrics: &Metrics) -> Vec<StageFigures> {
    let names = [
        (Stage::FrontEnd, "front-end"),
        (Stage::Encoder, "encoder"),
        (Stage::CrossAttention, "cross-attention"),
        (Stage::Decoder, "decoder"),
    ];
    let figures = |(stage, name): (Stage, &str)| {
        let entry = metrics.stages.iter().find(|entry| entry.stage == stage)?;
        let ms = entry.elapsed_ns as f64 / 1e6;
        Some(StageFigures { stage: name.to_owned(), ms, multiply_adds: entry.multiply_adds })
    };
    names.into_iter().filter_map(figures).collect()
}

fn stages_ms(metrics: &Metrics, stages: &[Stage]) -> f64 {
    let ns: u64 =
        metrics.stages.iter().filter(|entry| stages.contains(&entry.stage)).map(|entry| entry.elapsed_ns).sum();
    ns as f64 / 1e6
}

/// Reads a clip as [`crate::clips`] writes it.
fn read_samples(path: &Path) -> Result<Vec<f32>> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let (samples, rest) = bytes.as_chunks();
    ensure!(rest.is_empty(), "{} is no file of 32-bit floats", path.display());
    Ok(samples.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn say(message: &Message) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", serde_json::to_string(message)?)?;
    Ok(output.flush()?)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
