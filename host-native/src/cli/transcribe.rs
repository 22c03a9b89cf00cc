//! `auricle transcribe`: recordings in, text out.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use auricle::Engine;
use auricle::models::DEFAULT_MODEL;
use auricle::types::Partials;
use clap::{Args, ValueEnum};

use super::engine_arguments::EngineArguments;
use super::formats::{Format, SubtitleOptions};
use super::jobs::{self, Sent};
use super::live::{self, PcmArguments, Sink};
use super::output::Output;
use super::progress::Progress;
use super::report::at;
use super::session_arguments::{PartialsArgument, SessionArguments};
use super::transcriber::{Recording, Transcriber};
use super::transcript::{seconds_of, transcript};
use super::{events, input, models, replay, report};

#[derive(Debug, Args)]
pub(crate) struct TranscribeArguments {
    /// Recordings of any length: WAV, MP3, FLAC, Ogg Vorbis, M4A; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A model's name (see `auricle models list`) or a model file; a model of the catalog is installed if need be
    #[arg(long, default_value = DEFAULT_MODEL, value_name = "NAME|PATH")]
    model: String,
    /// Format of the transcript
    #[arg(short = 'f', long = "output-format", alias = "output_format", default_value = "txt", value_enum)]
    format: FormatArgument,
    /// Write FILE's transcript to DIR as FILE's name with the format's ending, instead of to standard output
    #[arg(short = 'o', long = "output-dir", alias = "output_dir", value_name = "DIR")]
    output: Option<PathBuf>,
    /// Write what happens as it happens, one JSON object a line, instead of a transcript
    #[arg(long, conflicts_with_all = ["format", "output"])]
    json_lines: bool,
    /// Transcribe so many files at the same time, each on one thread and in an engine of its own
    #[arg(short = 'j', long, default_value_t = 1, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Play FILE as if it were spoken now, show its text as it comes, and measure how late that is
    #[arg(long, conflicts_with_all = ["jobs", "format", "output", "stdin_format"])]
    realtime: bool,
    /// How much work may go into text that is still being spoken; with --realtime or --stdin-format
    #[arg(long, value_name = "BUDGET", value_enum)]
    partials: Option<PartialsArgument>,
    #[command(flatten)]
    session: SessionArguments,
    #[command(flatten)]
    layout: LayoutArguments,
    #[command(flatten)]
    pcm: PcmArguments,
    /// Print nothing but transcripts, warnings and errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    engine: EngineArguments,
}

/// How subtitles are laid out.
#[derive(Debug, Args)]
struct LayoutArguments {
    /// Most characters of a line of subtitles (needs --word-timestamps)
    #[arg(long, alias = "max_line_width", value_name = "N", value_parser = positive)]
    max_line_width: Option<usize>,
    /// Most lines of a subtitle (needs --word-timestamps and --max-line-width)
    #[arg(long, alias = "max_line_count", value_name = "N", value_parser = positive)]
    max_line_count: Option<usize>,
    /// Most words of a subtitle (needs --word-timestamps; no effect with a width and a count)
    #[arg(long, alias = "max_words_per_line", value_name = "N", value_parser = positive)]
    max_words_per_line: Option<usize>,
    /// Underline each word as it is spoken, in srt and vtt (needs --word-timestamps)
    #[arg(long, alias = "highlight_words")]
    highlight_words: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArgument {
    /// Plain text, a line for each segment
    Txt,
    /// SubRip subtitles
    Srt,
    /// WebVTT subtitles
    Vtt,
    /// Tab-separated start, end (in milliseconds) and text
    Tsv,
    /// Everything that is known
    Json,
    /// Each of them; needs --output-dir
    All,
}

impl FormatArgument {
    fn formats(self) -> Vec<Format> {
        match self {
            Self::Txt => vec![Format::Txt],
            Self::Srt => vec![Format::Srt],
            Self::Vtt => vec![Format::Vtt],
            Self::Tsv => vec![Format::Tsv],
            Self::Json => vec![Format::Json],
            Self::All => Format::ALL.to_vec(),
        }
    }
}

impl LayoutArguments {
    /// The first option that lays out words.
    fn first(&self) -> Option<&'static str> {
        let given = [
            (self.highlight_words, "--highlight-words"),
            (self.max_line_count.is_some(), "--max-line-count"),
            (self.max_line_width.is_some(), "--max-line-width"),
            (self.max_words_per_line.is_some(), "--max-words-per-line"),
        ];
        given.into_iter().find_map(|(is_given, name)| is_given.then_some(name))
    }

    fn options(&self) -> SubtitleOptions {
        SubtitleOptions {
            max_line_width: self.max_line_width,
            max_line_count: self.max_line_count,
            max_words_per_line: self.max_words_per_line,
            highlight_words: self.highlight_words,
        }
    }
}

fn positive(argument: &str) -> std::result::Result<usize, String> {
    match argument.parse() {
        Ok(0) | Err(_) => Err("not a whole number above 0".to_owned()),
        Ok(number) => Ok(number),
    }
}

impl TranscribeArguments {
    /// What is wrong with the arguments together, for which clap has no words.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.format == FormatArgument::All && self.output.is_none() {
            return Some("`all` formats cannot share standard output: name a folder with --output-dir".to_owned());
        }
        if self.files.iter().filter(|file| input::is_stdin(file)).count() > 1 {
            return Some("standard input can be read only once: give `-` once".to_owned());
        }
        if let (Some(name), false) = (self.layout.first(), self.session.word_timestamps) {
            return Some(format!("{name} lays out words by their times: add --word-timestamps"));
        }
        if self.pcm.stdin_format.is_some() && !(self.files.len() == 1 && input::is_stdin(&self.files[0])) {
            return Some("--stdin-format tells what standard input holds: give `-` for FILE, and no other".to_owned());
        }
        if self.partials.is_some() && !self.realtime && self.pcm.stdin_format.is_none() {
            let fault = "a file has no text that is still being spoken: leave --partials out, or add --realtime";
            return Some(fault.to_owned());
        }
        None
    }

    fn open(&self, engine: &Engine, path: &Path) -> Result<Transcriber> {
        let live = self.realtime || self.pcm.stdin_format.is_some();
        Transcriber::open(engine, path, &self.model, |model| match live {
            true => self.session.live(model, self.partials.map(Partials::from)),
            false => self.session.recording(model),
        })
    }

    /// The name that `--json-lines` gives a file.
    fn line_name(&self, file: &Path) -> Option<String> {
        self.json_lines.then(|| file.display().to_string())
    }
}

/// Transcribes all files and says whether every one went well.
pub(crate) fn run(arguments: &TranscribeArguments) -> Result<bool> {
    let output = Output::new(arguments.format.formats(), arguments.layout.options(), arguments.output.clone())?;
    // As whisper warns.
    if arguments.layout.max_line_count.is_some() && arguments.layout.max_line_width.is_none() {
        report::line("auricle: --max-line-count has no effect without --max-line-width");
    }
    let path = models::find_or_pull(&arguments.model, arguments.quiet)?;
    let engine = arguments.engine.engine()?;
    if arguments.realtime {
        return replay_files(arguments, arguments.open(&engine, &path)?);
    }
    if arguments.pcm.stdin_format.is_some() {
        return transcribe_pipe(arguments, arguments.open(&engine, &path)?, output).map(|()| true);
    }
    let jobs = usize::from(arguments.jobs).min(arguments.files.len());
    let transcribers = (0..jobs).map(|_| arguments.open(&engine, &path)).collect::<Result<_>>()?;
    transcribe_files(arguments, transcribers, output)
}

fn transcribe_files(
    arguments: &TranscribeArguments,
    transcribers: Vec<Transcriber>,
    mut output: Output,
) -> Result<bool> {
    let progress = Progress::new(arguments.quiet);
    let mut all_went_well = true;
    let work = |transcriber: &mut Transcriber, job: &jobs::Job<'_, Result<Recording>>| {
        let file = &arguments.files[job.index];
        let name = arguments.line_name(file);
        let on_event = |event: &_| {
            if let Some(name) = &name {
                job.line(events::line(Some(name), event)?);
            }
            Ok(())
        };
        transcriber.transcribe(file, &progress, on_event, || job.is_stopped())
    };
    jobs::in_order(transcribers, arguments.files.len(), work, |index, sent| {
        let file = &arguments.files[index];
        progress.suspend(|| match sent {
            Sent::Line(line) => events::write(&mut io::stdout().lock(), &line),
            Sent::Done(recording) => {
                match recording.and_then(|recording| write(arguments, &mut output, file, recording)) {
                    // Whoever reads standard output has had enough: the other files need not be tried.
                    Err(error) if report::is_broken_pipe(&error) => return Err(error),
                    Err(error) => {
                        report::failure(&error);
                        all_went_well = false;
                    }
                    Ok(()) => {}
                }
                Ok(())
            }
        })
    })?;
    Ok(all_went_well)
}

/// Writes the transcript of a recording, and what else there is to say of it.
fn write(arguments: &TranscribeArguments, output: &mut Output, file: &Path, mut recording: Recording) -> Result<()> {
    if !arguments.json_lines {
        output.check(file)?;
    }
    let name = input::display_name(file);
    for warning in &recording.warnings {
        report::line(format_args!("auricle: {name}: {warning}"));
    }
    if let Some(fault) = recording.fault.take_if(|_| recording.segments.is_empty()) {
        return Err(fault.into());
    }
    if !arguments.quiet {
        let audio_s = seconds_of(recording.samples);
        let took_s = recording.took.as_secs_f64();
        let speed = audio_s / took_s;
        report::line(format_args!("{name}: {audio_s:.2} s of audio in {took_s:.2} s ({speed:.1} × real time)"));
    }
    if !arguments.json_lines {
        output.write(file, &transcript(recording.segments, arguments.session.word_timestamps))?;
    }
    recording.fault.map_or(Ok(()), |fault| Err(fault.into()))
}

/// Transcribes standard input as it comes. Plain text and events are printed as they come too.
fn transcribe_pipe(arguments: &TranscribeArguments, mut transcriber: Transcriber, mut output: Output) -> Result<()> {
    let file = &arguments.files[0];
    let mut sink = match arguments.line_name(file) {
        Some(name) => Sink::JsonLines(Some(name)),
        None if arguments.format == FormatArgument::Txt && arguments.output.is_none() => Sink::text(),
        None => Sink::Keep(Vec::new()),
    };
    let session = transcriber.start_over().map_err(|error| at(input::STDIN_NAME, error))?;
    let Some(source) = arguments.pcm.open()? else { return Ok(()) };
    let heard = live::transcribe(source, session, &mut sink);
    // What was said before something failed is written all the same.
    if let Sink::Keep(segments) = sink
        && !(segments.is_empty() && heard.is_err())
    {
        output.write(file, &transcript(segments, arguments.session.word_timestamps))?;
    }
    let samples = heard?;
    if !arguments.quiet {
        report::line(format_args!("{}: {:.2} s of audio", input::STDIN_NAME, seconds_of(samples)));
    }
    Ok(())
}

/// Replays all files and says whether every one went well.
fn replay_files(arguments: &TranscribeArguments, mut transcriber: Transcriber) -> Result<bool> {
    let mut all_went_well = true;
    for file in &arguments.files {
        if let Err(error) = replay_file(arguments, &mut transcriber, file) {
            if report::is_broken_pipe(&error) {
                return Err(error);
            }
            report::failure(&error);
            all_went_well = false;
        }
    }
    Ok(all_went_well)
}

fn replay_file(arguments: &TranscribeArguments, transcriber: &mut Transcriber, file: &Path) -> Result<()> {
    let name = input::display_name(file);
    let line_name = arguments.line_name(file);
    let mut sink = if arguments.json_lines { Sink::JsonLines(line_name.clone()) } else { Sink::text() };
    let reader = input::open(file)?;
    let minimum_silence = transcriber.options().endpointing.map(|endpointing| endpointing.minimum_silence);
    let session = transcriber.start_over().map_err(|error| at(&name, error))?;
    let (replayed, warnings) = replay::run(reader, &name, session, minimum_silence, &mut sink)?;
    for warning in warnings {
        report::line(format_args!("auricle: {name}: {warning}"));
    }
    if arguments.json_lines {
        return events::write(&mut io::stdout().lock(), &events::line_of(line_name.as_deref(), &replayed)?);
    }
    if !arguments.quiet {
        report::line(format_args!("{name}: {replayed}"));
    }
    Ok(())
}
