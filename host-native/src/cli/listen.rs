//! `auricle listen`: speech in, text out, while it is spoken.

use anyhow::Result;
use auricle::models::DEFAULT_MODEL;
use auricle::types::Partials;
use clap::Args;

use super::engine_arguments::EngineArguments;
use super::live::{self, PcmArguments, Sink, Source};
use super::models;
use super::report;
use super::session_arguments::{PartialsArgument, SessionArguments};
use super::transcriber::Transcriber;

#[derive(Debug, Args)]
pub(crate) struct ListenArguments {
    /// A model's name (see `auricle models list`) or a model file; a model of the catalog is installed if need be
    #[arg(long, default_value = DEFAULT_MODEL, value_name = "NAME|PATH")]
    model: String,
    /// The microphone to listen to, by its name or id as --list-devices shows them, instead of the system's default
    #[arg(long, value_name = "NAME", conflicts_with = "stdin_format")]
    device: Option<String>,
    /// Show the microphones there are, and listen to none
    #[arg(long, conflicts_with_all = ["device", "stdin_format"])]
    list_devices: bool,
    #[command(flatten)]
    pcm: PcmArguments,
    /// Write what happens as it happens, one JSON object a line
    #[arg(long)]
    json_lines: bool,
    /// How much work may go into text that is still being spoken
    #[arg(long, value_name = "BUDGET", value_enum)]
    partials: Option<PartialsArgument>,
    #[command(flatten)]
    session: SessionArguments,
    /// Print nothing but text, warnings and errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    engine: EngineArguments,
}

impl ListenArguments {
    /// Opens what is to be listened to.
    fn source(&self) -> Result<Source> {
        match self.pcm.open()? {
            Some(pipe) => Ok(pipe),
            None => open_microphone(self.device.as_deref()),
        }
    }
}

/// Listens until the audio ends or Ctrl-C is pressed.
pub(crate) fn run(arguments: &ListenArguments) -> Result<()> {
    if arguments.list_devices {
        return list_devices();
    }
    let path = models::find_or_pull(&arguments.model, arguments.quiet)?;
    let engine = arguments.engine.engine()?;
    let partials = arguments.partials.map(Partials::from);
    let options = |model: &_| arguments.session.live(model, partials);
    let mut transcriber = Transcriber::open(&engine, &path, &arguments.model, options)?;
    let mut sink = if arguments.json_lines { Sink::JsonLines(None) } else { Sink::text() };
    let session = transcriber.start_over()?;
    // Last, so that not a word is said before somebody listens.
    let source = arguments.source()?;
    if !arguments.quiet {
        report::line(format_args!("listening to {}; Ctrl-C ends it", source.name));
    }
    live::transcribe(source, session, &mut sink).map(|_| ())
}

#[cfg(feature = "microphone")]
use live::{list_devices, open_microphone};

#[cfg(not(feature = "microphone"))]
fn list_devices() -> Result<()> {
    Err(no_microphone())
}

#[cfg(not(feature = "microphone"))]
fn open_microphone(_device: Option<&str>) -> Result<Source> {
    Err(no_microphone())
}

#[cfg(not(feature = "microphone"))]
fn no_microphone() -> anyhow::Error {
    let package = if cfg!(target_os = "linux") { "install libasound2-dev and pkg-config, and " } else { "" };
    anyhow::anyhow!(
        "this build has no microphone: {package}build it again with its feature `microphone`, or pipe the audio in, for \
         instance: {}",
        live::PIPE_EXAMPLE
    )
}
