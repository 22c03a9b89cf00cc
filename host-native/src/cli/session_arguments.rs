//! Options of every command that opens a session.

use anyhow::{Result, ensure};
use auricle::types::{Endpointing, Partials, SessionOptions, Task, VoiceActivity};
use auricle::{Error, Model, SAMPLE_RATE_HZ};
use clap::{Args, ValueEnum};

use super::report::at;
use super::transcript::seconds_of;

/// What ends a segment of a recording: a sentence that is cut at a pause for breath is less well understood.
const RECORDING_MIN_SILENCE_MS: u32 = 1_500;

/// How to transcribe.
#[derive(Debug, Clone, Args)]
pub(crate) struct SessionArguments {
    /// The language spoken, such as `en`
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// Write down the words, or their meaning in English
    #[arg(long, default_value = "transcribe", value_enum)]
    task: TaskArgument,
    /// Give the times of words too; subtitles then have those of their first and last word
    #[arg(long, alias = "word_timestamps")]
    pub(crate) word_timestamps: bool,
    /// Find speech by its energy or with a network; `auto` takes the best that the model file provides for
    #[arg(long, value_name = "WAY", value_enum)]
    vad: Option<VadArgument>,
    /// Silence that ends a segment, in milliseconds [default: 1500 in recordings, 512 live]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..=600_000))]
    min_silence_ms: Option<u32>,
    /// Speech shorter than this is taken for noise, in milliseconds
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(0..=600_000))]
    min_speech_ms: Option<u32>,
    /// Longest segment, in seconds; it is cut at its quietest point
    #[arg(long, value_name = "S", value_parser = positive_seconds)]
    max_segment_s: Option<f64>,
}

/// How much work may go into text that will be revised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PartialsArgument {
    /// No text before a segment has ended
    None,
    /// Few, for a device on battery
    Economical,
    /// As many as can be computed without falling behind
    Eager,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TaskArgument {
    Transcribe,
    Translate,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum VadArgument {
    Auto,
    Energy,
    Neural,
}

impl From<PartialsArgument> for Partials {
    fn from(argument: PartialsArgument) -> Self {
        match argument {
            PartialsArgument::None => Self::None,
            PartialsArgument::Economical => Self::Economical,
            PartialsArgument::Eager => Self::Eager,
        }
    }
}

impl SessionArguments {
    /// The model's options for audio that comes as it is spoken, changed as the arguments say. `partials` is the budget
    /// where one is asked for.
    pub(crate) fn live(&self, model: &Model, partials: Option<Partials>) -> Result<SessionOptions> {
        self.options(model, partials, model.default_options().endpointing)
    }

    /// The same for a recording: nobody sees what will be revised, and nobody waits for the end of a sentence.
    pub(crate) fn recording(&self, model: &Model) -> Result<SessionOptions> {
        let mut endpointing = model.default_options().endpointing;
        if let Some(endpointing) = &mut endpointing {
            endpointing.minimum_silence = endpointing.minimum_silence.max(samples_of_ms(RECORDING_MIN_SILENCE_MS));
        }
        self.options(model, Some(Partials::None), endpointing)
    }

    fn options(
        &self,
        model: &Model,
        partials: Option<Partials>,
        endpointing: Option<Endpointing>,
    ) -> Result<SessionOptions> {
        let defaults = model.default_options();
        let task = match self.task {
            TaskArgument::Transcribe => Task::Transcribe,
            TaskArgument::Translate => Task::Translate,
        };
        Ok(SessionOptions {
            language: self.language.clone().or_else(|| defaults.language.clone()),
            task,
            word_times: self.word_timestamps || defaults.word_times,
            partials: partials.unwrap_or(defaults.partials),
            endpointing: self.endpointing(model, endpointing)?,
            ..defaults.clone()
        })
    }

    fn endpointing(&self, model: &Model, default: Option<Endpointing>) -> Result<Option<Endpointing>> {
        let given = self.vad.is_some() || self.min_silence_ms.is_some() || self.min_speech_ms.is_some();
        if !given && self.max_segment_s.is_none() {
            return Ok(default);
        }
        let longest = model.info().longest_segment_samples;
        // A model that cuts no stream refuses what is asked for, in words of its own.
        let mut endpointing = default.unwrap_or(Endpointing {
            voice_activity: VoiceActivity::Automatic,
            minimum_silence: samples_of_ms(500),
            minimum_speech: 0,
            longest_segment: longest,
        });
        if let Some(vad) = self.vad {
            endpointing.voice_activity = match vad {
                VadArgument::Auto => VoiceActivity::Automatic,
                VadArgument::Energy => VoiceActivity::Energy,
                VadArgument::Neural => VoiceActivity::Neural,
            };
        }
        if let Some(ms) = self.min_silence_ms {
            endpointing.minimum_silence = samples_of_ms(ms);
        }
        if let Some(ms) = self.min_speech_ms {
            endpointing.minimum_speech = samples_of_ms(ms);
        }
        if let Some(seconds) = self.max_segment_s {
            // Beyond 32 bits the cast saturates, which is more than any model takes.
            endpointing.longest_segment = (seconds * f64::from(SAMPLE_RATE_HZ)).round() as u32;
            ensure!(
                (1..=longest).contains(&endpointing.longest_segment),
                "--max-segment-s: {seconds} s is not between 0 and the {} s that the model takes at once; correct it, or \
                 leave the option out",
                seconds_of(longest.into())
            );
        }
        Ok(Some(endpointing))
    }
}

fn samples_of_ms(ms: u32) -> u32 {
    ms * (SAMPLE_RATE_HZ / 1_000)
}

fn positive_seconds(argument: &str) -> std::result::Result<f64, String> {
    match argument.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds > 0.0 => Ok(seconds),
        _ => Err("not a number of seconds above 0".to_owned()),
    }
}

/// Says of an option that was refused what it is on the command line.
pub(crate) fn option_fault(model: &str, error: Error) -> anyhow::Error {
    match error {
        Error::UnsupportedOption(fault) => anyhow::anyhow!(
            "{model}: --{}: {}; leave the option out, or name another model with --model",
            argument_name(&fault.name),
            fault.message
        ),
        Error::InvalidOption(fault) => anyhow::anyhow!(
            "--{}: the value {}; correct it, or leave the option out",
            argument_name(&fault.name),
            fault.message
        ),
        error => at(model, error),
    }
}

/// The argument for an option of the contract.
fn argument_name(option: &str) -> &str {
    match option {
        "word-times" => "word-timestamps",
        "endpointing.voice-activity" => "vad",
        "endpointing.minimum-silence" => "min-silence-ms",
        "endpointing.minimum-speech" => "min-speech-ms",
        "endpointing.longest-segment" => "max-segment-s",
        // The whole of it is refused by a model that cuts no stream.
        "endpointing" => "min-silence-ms, --min-speech-ms, --max-segment-s and --vad",
        same => same,
    }
}
