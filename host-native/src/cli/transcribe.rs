//! `auricle transcribe`: files in, text out.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use auricle::audio::AudioReader;
use auricle::models::DEFAULT_MODEL;
use auricle::types::{Event, Limit, Segment, SessionOptions, Task};
use auricle::{Error, Model, SAMPLE_RATE_HZ, Session};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use super::engine_arguments::EngineArguments;
use super::formats::{Format, Transcript, TranscriptSegment, compression_ratio};
use super::output::Output;
use super::{input, models, report};

#[derive(Debug, Args)]
pub(crate) struct TranscribeArguments {
    /// Recordings: WAV, MP3, FLAC, Ogg Vorbis, M4A; `-` is standard input
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
    /// The language spoken, such as `en`
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// Write down the words, or their meaning in English
    #[arg(long, default_value = "transcribe", value_enum)]
    task: TaskArgument,
    /// Print nothing but transcripts, warnings and errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    engine: EngineArguments,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TaskArgument {
    Transcribe,
    Translate,
}

impl TranscribeArguments {
    /// What is wrong with the arguments together, for which clap has no words.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.format == FormatArgument::All && self.output.is_none() {
            return Some("`all` formats cannot share standard output: name a folder with --output-dir");
        }
        if self.files.iter().filter(|file| input::is_stdin(file)).count() > 1 {
            return Some("standard input can be read only once: give `-` once");
        }
        None
    }

    fn options(&self, defaults: &SessionOptions) -> SessionOptions {
        let task = match self.task {
            TaskArgument::Transcribe => Task::Transcribe,
            TaskArgument::Translate => Task::Translate,
        };
        SessionOptions { language: self.language.clone(), task, ..defaults.clone() }
    }
}

/// Transcribes all files and says whether every one went well.
pub(crate) fn run(arguments: &TranscribeArguments) -> Result<bool> {
    let mut output = Output::new(arguments.format.formats(), arguments.output.clone())?;
    let path = models::find_or_pull(&arguments.model, arguments.quiet)?;
    let engine = arguments.engine.engine()?;
    let model = engine.load_model(&path).map_err(|error| at(&path.display().to_string(), error))?;
    let options = arguments.options(model.default_options());
    let session = model.session(&options).map_err(|error| option_fault(&arguments.model, error))?;
    let mut transcriber = Transcriber { model, options, session, quiet: arguments.quiet };
    let mut all_went_well = true;
    for file in &arguments.files {
        let done = output.check(file).and_then(|()| transcriber.transcribe(file));
        let done = done.and_then(|transcript| output.write(file, &transcript));
        if let Err(error) = done {
            if report::is_broken_pipe(&error) {
                // Whoever reads standard output has had enough: the other files need not be tried.
                return Err(error);
            }
            report::failure(&error);
            all_went_well = false;
        }
    }
    Ok(all_went_well)
}

struct Transcriber {
    model: Model,
    options: SessionOptions,
    session: Session,
    quiet: bool,
}

impl Transcriber {
    fn transcribe(&mut self, file: &Path) -> Result<Transcript> {
        let name = input::display_name(file);
        let spinner = self.spinner(&name);
        let started = Instant::now();
        let mut reader = input::open(file)?;
        self.start_over().map_err(|error| at(&name, error))?;
        let (segments, samples) = self.listen(&mut reader, &name)?;
        spinner.finish_and_clear();
        for warning in reader.warnings() {
            report::line(format_args!("auricle: {name}: {warning}"));
        }
        if !self.quiet {
            let audio_s = seconds(samples);
            let took_s = started.elapsed().as_secs_f64();
            let speed = audio_s / took_s;
            report::line(format_args!("{name}: {audio_s:.2} s of audio in {took_s:.2} s ({speed:.1} × real time)"));
        }
        Ok(transcript(segments))
    }

    /// Makes the session new, and the model too where an earlier file has cost it its instance.
    fn start_over(&mut self) -> auricle::Result<()> {
        if self.model.is_lost() {
            self.model.rebuild()?;
            self.session = self.model.session(&self.options)?;
        }
        self.session.reset()
    }

    /// Gives all segments of a recording, and how many samples it has at 16 kHz.
    fn listen(&mut self, reader: &mut AudioReader, name: &str) -> Result<(Vec<Segment>, u64)> {
        let mut segments = Vec::new();
        let mut on_event = |event| {
            if let Event::FinalSegment(segment) = event {
                segments.push(segment);
            }
        };
        let mut samples = 0;
        while let Some(block) = reader.next_block()? {
            self.session.push_audio(&block).map_err(|error| audio_fault(name, error, samples))?;
            self.session.drain(&mut on_event).map_err(|error| at(name, error))?;
            samples += block.len() as u64;
        }
        let ended = self.session.finish().and_then(|()| self.session.drain(&mut on_event));
        ended.map_err(|error| at(name, error))?;
        Ok((segments, samples))
    }

    fn spinner(&self, name: &str) -> ProgressBar {
        if self.quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        // Cleared also where an error ends the transcription.
        let spinner = ProgressBar::new_spinner().with_message(name.to_owned()).with_finish(ProgressFinish::AndClear);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(Duration::from_millis(100));
        spinner
    }
}

/// Puts the place before an error that does not name it.
fn at(place: &str, error: Error) -> anyhow::Error {
    match error {
        error @ Error::Io { .. } => error.into(),
        error => anyhow::Error::new(error).context(place.to_owned()),
    }
}

/// Says of an option that was refused what it is on the command line.
fn option_fault(model: &str, error: Error) -> anyhow::Error {
    match error {
        Error::UnsupportedOption(fault) => anyhow::anyhow!(
            "{model}: --{}: {}; leave the option out, or name another model with --model",
            fault.name,
            fault.message
        ),
        Error::InvalidOption(fault) => {
            anyhow::anyhow!("--{}: the value {}; correct it, or leave the option out", fault.name, fault.message)
        }
        error => at(model, error),
    }
}

/// Says of audio that was refused what it means for the recording, `before` samples of which were taken.
fn audio_fault(name: &str, error: Error, before: u64) -> anyhow::Error {
    match error {
        Error::LimitExceeded(fault) if fault.limit == Limit::UtteranceSamples => {
            let longest_s = seconds(fault.allowed);
            // ffmpeg cuts at the first packet at or after the time, so a part may be a little longer.
            let part_s = (longest_s - 1.0).floor().max(1.0);
            anyhow::anyhow!(
                "{name}: the recording is longer than {longest_s} s, which is all that this version takes at once; cut \
                 it, for instance with ffmpeg -i INPUT -f segment -segment_time {part_s} part%03d.wav"
            )
        }
        Error::InvalidAudio(fault) => {
            let sample = before + u64::from(fault.index);
            anyhow::anyhow!(
                "{name}: sample {sample}, at {:.3} s, {}; export the file again",
                seconds(sample),
                fault.message
            )
        }
        error => at(name, error),
    }
}

/// Puts segments into the shape that openai-whisper's formats have; segments without text are left out.
fn transcript(segments: Vec<Segment>) -> Transcript {
    let language = segments.iter().find_map(|segment| segment.language.clone());
    let segments = segments.into_iter().filter(|segment| !segment.text.is_empty()).map(|segment| {
        let log_probabilities = segment.tokens.iter().map(|token| f64::from(token.log_probability));
        let text = format!(" {}", segment.text);
        TranscriptSegment {
            id: segment.id,
            seek: None,
            start_s: seconds(segment.span.start),
            end_s: seconds(segment.span.end),
            avg_logprob: Some(log_probabilities.sum::<f64>() / segment.tokens.len().max(1) as f64),
            compression_ratio: Some(compression_ratio(&text)),
            no_speech_prob: segment.no_speech_probability.map(f64::from),
            tokens: segment.tokens.iter().map(|token| token.id).collect(),
            temperature: Some(0.0),
            words: None,
            text,
        }
    });
    let segments: Vec<_> = segments.collect();
    Transcript { text: segments.iter().map(|segment| segment.text.as_str()).collect(), segments, language }
}

fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE_HZ)
}
