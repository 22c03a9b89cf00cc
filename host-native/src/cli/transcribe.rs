//! `auricle transcribe`: files in, text out.

use std::collections::HashMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use auricle::audio::AudioReader;
use auricle::models::DEFAULT_MODEL;
use auricle::types::{Event, Limit, Segment, SessionOptions, Task};
use auricle::{Error, Model, SAMPLE_RATE_HZ, Session};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::engine_arguments::EngineArguments;
use super::formats::{Format, Transcript, TranscriptSegment, compression_ratio};
use super::models;

/// Standard input, as a file argument.
const STDIN: &str = "-";

/// So many steps are done between two turns of the spinner: a few hundredths of a second.
const POLL_STEPS: u32 = 4;

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
    /// Print nothing but transcripts and errors
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
        if self.files.iter().filter(|file| is_stdin(file)).count() > 1 {
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
    let path = models::find_or_pull(&arguments.model, arguments.quiet)?;
    let engine = arguments.engine.engine()?;
    let model = engine.load_model(&path).with_context(|| path.display().to_string())?;
    let options = arguments.options(model.default_options());
    let session = model.session(&options)?;
    if let Some(folder) = &arguments.output {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let mut transcriber = Transcriber { model, options, session, quiet: arguments.quiet };
    let mut output = Output::new(arguments);
    let mut all_went_well = true;
    for file in &arguments.files {
        let done = transcriber.transcribe(file).and_then(|transcript| output.write(file, &transcript));
        if let Err(error) = done {
            if is_broken_pipe(&error) {
                // Whoever reads standard output has had enough, as `head` does; there is nobody left to tell.
                return Ok(false);
            }
            eprintln!("auricle: {error:#}");
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
        if self.model.is_lost() {
            self.model.rebuild()?;
            self.session = self.model.session(&self.options)?;
        }
        let name = display_name(file);
        let spinner = self.spinner(&name);
        let started = Instant::now();
        self.session.reset()?;
        let mut reader = if is_stdin(file) {
            AudioReader::from_reader(Box::new(io::stdin()), Some(&name))?
        } else {
            AudioReader::open(file)?
        };
        let mut segments = Vec::new();
        let mut samples = 0;
        while let Some(block) = reader.next_block()? {
            samples += block.len();
            self.session.push_audio(&block).map_err(|error| self.explain(error, &name, samples - block.len()))?;
        }
        for warning in reader.warnings() {
            eprintln!("auricle: {name}: {warning}");
        }
        self.session.finish()?;
        loop {
            let poll = self.session.poll(POLL_STEPS).with_context(|| name.clone())?;
            segments.extend(poll.events.into_iter().filter_map(|event| match event {
                Event::FinalSegment(segment) => Some(segment),
                _ => None,
            }));
            if !poll.more {
                break;
            }
            spinner.tick();
        }
        spinner.finish_and_clear();
        if !self.quiet {
            let audio_s = seconds(samples as u64);
            let took_s = started.elapsed().as_secs_f64();
            eprintln!("{name}: {audio_s:.2} s of audio in {took_s:.2} s ({:.1} × real time)", audio_s / took_s);
        }
        Ok(transcript(segments))
    }

    /// Says of an error what it means for the file; `before` samples of it went well.
    fn explain(&self, error: Error, name: &str, before: usize) -> anyhow::Error {
        match error {
            Error::LimitExceeded(fault) if fault.limit == Limit::UtteranceSamples => anyhow::anyhow!(
                "{name}: the recording is longer than {} s, which is all that this version takes at once: cut it, for \
                 instance with ffmpeg -i INPUT -f segment -segment_time {} part%03d.wav",
                seconds(fault.allowed),
                seconds(fault.allowed),
            ),
            Error::InvalidAudio(fault) => anyhow::anyhow!(
                "{name}: at {:.3} s, sample {}: {}",
                seconds((before + fault.index as usize) as u64),
                before + fault.index as usize,
                fault.message
            ),
            other => anyhow::Error::new(other).context(name.to_owned()),
        }
    }

    fn spinner(&self, name: &str) -> ProgressBar {
        if self.quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let spinner = ProgressBar::new_spinner().with_message(name.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(Duration::from_millis(100));
        spinner
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

/// Where transcripts go.
struct Output {
    formats: Vec<Format>,
    folder: Option<PathBuf>,
    /// What was written in this run, and for which file.
    written: HashMap<PathBuf, PathBuf>,
}

impl Output {
    fn new(arguments: &TranscribeArguments) -> Self {
        Self { formats: arguments.format.formats(), folder: arguments.output.clone(), written: HashMap::new() }
    }

    fn write(&mut self, file: &Path, transcript: &Transcript) -> Result<()> {
        for &format in &self.formats {
            let mut bytes = Vec::new();
            format.write(transcript, &mut bytes)?;
            let Some(folder) = &self.folder else {
                // JSON ends without a line feed, by whisper's custom; on a shared stream the next one needs it.
                if !bytes.ends_with(b"\n") {
                    bytes.push(b'\n');
                }
                let mut out = io::stdout().lock();
                out.write_all(&bytes).and_then(|()| out.flush()).context("cannot write to standard output")?;
                continue;
            };
            let stem =
                if is_stdin(file) { Path::new("stdin") } else { Path::new(file.file_stem().unwrap_or_default()) };
            let mut path = folder.join(stem).into_os_string();
            path.push(".");
            path.push(format.extension());
            let path = PathBuf::from(path);
            if let Some(earlier) = self.written.get(&path) {
                bail!(
                    "{}: its transcript would replace that of {} in {}; use another folder for one of them",
                    file.display(),
                    earlier.display(),
                    path.display()
                );
            }
            fs::write(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
            self.written.insert(path, file.to_owned());
        }
        Ok(())
    }
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new(STDIN)
}

fn display_name(file: &Path) -> String {
    if is_stdin(file) { "standard input".into() } else { file.display().to_string() }
}

fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE_HZ)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
